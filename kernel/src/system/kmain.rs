//! The kernel's life, from the first Rust instruction to its end.

use crate::addr::PhysAddr;
use crate::arch::x86::ata::Ata;
use crate::arch::x86::boot_memory::BootMemory;
use crate::arch::x86::exit::{self, Verdict};
use crate::arch::x86::mmu::X86Mmu;
use crate::arch::x86::{clock, gdt, idt, interrupts, pic, pit, trap_frame};
use crate::boot_info::BootInfo;
use crate::fault::Crash;
use crate::log_levels::Levels;
use crate::paging::Drive;
use crate::system::bench::{self, Boot};
use crate::system::console::{self, println};
use crate::system::crash::{self, CrashContext};
use crate::system::{main_job, memory, programs, real_machine, shell, tests};
use alloc::boxed::Box;
use core::fmt::{self, Arguments, Display};
use core::panic::{Location, PanicInfo};

/// Runs the kernel. `magic` and `info` are what the boot loader left in EAX and EBX.
pub fn kmain(magic: u32, info: PhysAddr, memory: BootMemory, mmu: X86Mmu) -> ! {
    let started = clock::ticks();
    gdt::start();
    console::start(BootInfo::display(magic, info, &memory));
    let pic = pic::start(idt::start());
    pit::start(pit::HERTZ);
    interrupts::unmask(pic);

    let mut boot_info = match BootInfo::read(magic, info, &memory) {
        Ok(boot_info) => boot_info,
        Err(error) => cannot_start(format_args!("{error}")),
    };
    if boot_info.option("test").or(boot_info.option("bench")).is_some() {
        console::open_control();
    }
    console::set_colours(boot_info.option("color") == Some("yes"));
    set_log_levels(&boot_info);
    boot_info.warnings().for_each(|warning| log::warn!("{warning}"));
    greet(&boot_info);
    if let Err(error) = boot_info.check_memory() {
        cannot_start(format_args!("{error}"));
    }
    limit_process_pool(&mut boot_info);
    let (test, bench) = (boot_info.option("test"), boot_info.option("bench"));
    if let Some(verdict) = test.and_then(tests::run_before_memory) {
        exit::end(verdict);
    }
    real_machine::set_seed(&boot_info);
    if let Err(error) = memory::start(&boot_info, mmu) {
        cannot_start(format_args!("{error}"));
    }

    programs::set_files(&boot_info);
    if let Some(name) = test {
        exit::end(tests::run(name));
    }
    if let Some(name) = bench {
        exit::end(bench::run(name, Boot { kmain: started, ready: clock::ticks() }, &boot_info));
    }
    let boot_info: &BootInfo = Box::leak(Box::new(boot_info));
    let interactive = boot_info.option("interactive") != Some("no");
    if interactive {
        shell::prepare(boot_info);
    }
    let passed = match boot_info.command_line().split_once("program=") {
        Some((_, line)) => shell::run_program(line),
        None => main_job::run(boot_info),
    };
    if interactive {
        shell::run_prompt(passed);
    }
    exit::end(if passed { Verdict::Success } else { Verdict::Failure })
}

fn cannot_start(why: Arguments<'_>) -> ! {
    println!("Droste cannot start: {why}");
    exit::give_up()
}

fn set_log_levels(boot_info: &BootInfo) {
    match boot_info.option("log").map(Levels::parse) {
        Some(Ok(levels)) => console::set_levels(levels),
        Some(Err(error)) => log::warn!("{error}"),
        None => {}
    }
}

/// The fewest frames that the process pool can be limited to.
const LEAST_FRAMES: u32 = 16;

/// Limits the process pool as the command line says.
fn limit_process_pool(boot_info: &mut BootInfo) {
    match boot_info.option("frames").map(str::parse) {
        Some(Ok(frames @ LEAST_FRAMES..)) => boot_info.limit_process_pool(frames),
        Some(_) => log::warn!("frames= takes a decimal number, {LEAST_FRAMES} at least"),
        None => {}
    }
}

fn greet(boot_info: &BootInfo) {
    let frames: u32 = boot_info.available().iter().map(|range| range.len()).sum();
    println!("Droste {}, started by {}", env!("CARGO_PKG_VERSION"), boot_info.loader());
    println!("{} KiB of memory available, command line \"{}\"", frames * 4, boot_info.command_line());
    if let Some(drive) = Ata::find() {
        println!("drive {}, {} sectors", drive.model(), drive.sectors());
    }
    boot_info.modules().iter().for_each(|module| println!("module {module}"));
    for range in boot_info.available() {
        log::debug!("available: frames {:#x}..{:#x}", range.start.number(), range.end.number());
    }
}

/// A place in the source without its column, as everything else names it.
struct SourceLine<'a>(&'a Location<'a>);

impl Display for SourceLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.file(), self.0.line())
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let message = info.message();
    let line = info.location().map(SourceLine);
    crash::die(&CrashContext {
        crash: Crash::Panic(format_args!("{message}")),
        registers: None,
        frame_pointer: trap_frame::frame_pointer(),
        source: line.as_ref().map(|line| line as &dyn Display),
        root: None,
        program: None,
    })
}
