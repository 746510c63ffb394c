//! Crashes: the report on the console, the diagnosis for the test harness, the end.

use crate::addr::{Frame, Page, PageRange, VirtAddr};
use crate::arch::x86::lock::{Dying, Locked};
use crate::arch::x86::mmu::X86Mmu;
use crate::arch::x86::trap_frame::{ProgramFrame, TrapFrame};
use crate::arch::x86::{exit, heap, image};
use crate::fault::{Crash, Layout, is_directory};
use crate::paging::Mmu;
use crate::report::{Registers, Report, View};
use crate::symbols::Symbols;
use crate::system::console::{self, ReportOutput, control, print, println};
use crate::system::memory::{self, KernelMemory};
use crate::system::threads;
use core::fmt;

/// Something that went wrong, and where.
#[derive(Clone, Copy)]
pub struct CrashContext<'a> {
    /// The crash.
    pub crash: Crash<'a>,
    /// The registers, if the processor interrupted something.
    pub registers: Option<Registers>,
    /// EBP: where the chain of callers starts.
    pub frame_pointer: u32,
    /// The source line, where it is known.
    pub source: Option<&'a dyn fmt::Display>,
    /// The directory, if it isn't the current one.
    pub root: Option<Frame>,
    /// The program, if it was one's.
    pub program: Option<Program<'a>>,
}

/// What a report needs of a program.
#[derive(Clone, Copy)]
pub struct Program<'a> {
    /// The pages of its code.
    pub code: PageRange,
    /// Its table of functions.
    pub symbols: &'a [u8],
}

impl<'a> CrashContext<'a> {
    /// Makes it from what a trap left.
    pub fn in_trap(crash: Crash<'a>, frame: &TrapFrame) -> Self {
        let registers = Registers {
            eax: frame.eax,
            ebx: frame.ebx,
            ecx: frame.ecx,
            edx: frame.edx,
            esi: frame.esi,
            edi: frame.edi,
            ebp: frame.ebp,
            esp: frame.stack_pointer(),
            eip: frame.eip,
            eflags: frame.eflags,
        };
        Self { crash, registers: Some(registers), frame_pointer: frame.ebp, source: None, root: None, program: None }
    }

    /// Makes it from what a trap left that interrupted `program`.
    pub fn in_program(crash: Crash<'a>, frame: &ProgramFrame, program: Program<'a>) -> Self {
        let context = Self::in_trap(crash, &frame.trap);
        let registers = context.registers.map(|registers| Registers { esp: frame.esp, ..registers });
        Self { registers, program: Some(program), ..context }
    }

    fn report(&self) -> Report<'a> {
        Report {
            crash: self.crash,
            source: self.source,
            registers: self.registers,
            frame_pointer: self.frame_pointer,
            layout: layout(self.crash.address()),
            code: self.program.map_or(image::text(), |program| program.code),
            by_program: self.program.is_some(),
            symbols: self.program.map_or(image::symbols(), |program| Symbols::new(program.symbols)),
            stack_word: image::stack_word,
        }
    }
}

/// Returns what lies where; the guard page is that of whichever stack `address` is below.
pub fn layout(address: Option<VirtAddr>) -> Layout {
    let guard = address.map(Page::containing).filter(|page| threads::is_guard_page(*page));
    Layout { text: image::text(), rodata: image::rodata(), guard: guard.unwrap_or(image::stack_guard_page()) }
}

fn view(memory: &KernelMemory) -> View<'_, X86Mmu> {
    View {
        mmu: &memory.mmu,
        events: &memory.events,
        free_frames: memory.frames.free_frames(),
        free_slots: memory.swap.as_ref().map(|swap| swap.free_slots()),
    }
}

/// The function that goes on after a report, if one does: crashes call nothing above themselves.
static AFTERWARDS: Locked<Option<fn(&Dying)>> = Locked::new(None);

/// Registers what goes on after a report. If it returns, the machine ends.
pub fn set_afterwards(go_on: fn(&Dying)) {
    *AFTERWARDS.lock() = Some(go_on);
}

/// Reports something that went wrong and is survived. Returns the name of its cause, if that is known.
#[cold]
pub fn tell(context: &CrashContext<'_>) -> Option<&'static str> {
    memory::with(|memory| context.report().write(Some(view(memory)), &mut ReportOutput::fresh()))
}

/// Reports something that is not survived. Then comes what was registered by [`set_afterwards`], and the end.
#[cold]
pub fn die(context: &CrashContext<'_>) -> ! {
    exit::die(|dying| full_report(context, dying), |dying| short_report(context, dying))
}

fn full_report(context: &CrashContext<'_>, dying: &Dying) {
    console::force_unlock(dying);
    heap::force_unlock(dying);
    memory::after_crash(dying, |mut memory| {
        // A double fault's task has a directory of its own; what was interrupted is seen in its own.
        if let (Some(root), Some(memory)) = (context.root, memory.as_deref_mut())
            && is_directory(&mut memory.mmu, root)
        {
            memory.mmu.set_root(root);
        }
        context.report().write(memory.map(|memory| view(memory)), &mut ReportOutput::fresh());
    });
    let crash = context.crash;
    match context.source {
        Some(source) => control!("diagnosis {} {crash} at={source}", crash.kind()),
        None => control!("diagnosis {} {crash}", crash.kind()),
    }
    control!("end died");
    AFTERWARDS.force_unlock(dying);
    // The lock masks interrupts, which what comes now may wait for.
    let afterwards = *AFTERWARDS.lock();
    if let Some(go_on) = afterwards {
        go_on(dying);
    }
}

fn short_report(context: &CrashContext<'_>, dying: &Dying) {
    console::force_unlock(dying);
    let crash = context.crash;
    print!("\nwhile that was being reported: {}: {crash}", crash.kind());
    if let Some(Registers { eip, .. }) = context.registers {
        print!(", EIP {eip:#x}");
    }
    match context.source {
        Some(source) => println!(", {source}"),
        None => println!(),
    }
    control!("report while that was being reported: {}: {crash}", crash.kind());
    control!("diagnosis fault-while-reporting {crash}");
    control!("end died");
}
