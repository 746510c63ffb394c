//! Tests in the machine: each is one boot, asked for by `test=NAME` on the kernel's command line.
//!
//! They are the scenarios, now on real page faults; what needs the processor itself; and provoke, which must be reported
//! and end the machine. The records on the control channel are for the grader, which judges.

mod fatal;
mod files;
mod programs;
mod swap;
mod threads;

use crate::addr::{Frame, PAGE_SIZE, Page, PageRange, VirtAddr};
use crate::arch::x86::exit::Verdict;
use crate::arch::x86::{access, clock, exit, heap, image, interrupts, kernel_pool, pit};
use crate::frames::{FramePool, FrameSource};
use crate::memory_map::{HOLE, IDENTITY, KERNEL_POOL, PROCESS_POOL_START};
use crate::paging::{CurrentTable, Entry};
use crate::scenarios::{self, Machine, Outcome, demand, done};
use crate::system::console::{control, println};
use crate::system::real_machine::RealMachine;
use alloc::vec::Vec;

/// A scenario, or a check that needs the processor.
type Check = fn(&mut RealMachine) -> Outcome;

/// A test.
#[derive(Clone, Copy)]
enum Test {
    /// A scenario that needs no memory to be given.
    Alone(fn() -> Outcome),
    /// A scenario or a check under the first page table, in which nothing faults.
    WithoutFaults(Check),
    /// A scenario or a check in an address space of its own.
    Returns(Check),
    /// A fatal test: it ends the machine, and has failed if it returns.
    Dies(fn()),
}

/// The tests that need nothing but the processor and a stack.
fn before_memory() -> impl Iterator<Item = (&'static str, Test)> {
    let alone = scenarios::FRAME_POOLS.map(|(name, scenario)| (name, Test::Alone(scenario)));
    let fatal = fatal::BEFORE_MEMORY.iter().map(|(name, provoke)| (*name, Test::Dies(*provoke)));
    [("noop", Test::Alone(|| Ok(())))].into_iter().chain(alone).chain(fatal)
}

fn with_memory() -> impl Iterator<Item = (&'static str, Test)> {
    let scenarios = scenarios::all::<RealMachine>().map(|(name, scenario)| (name, Test::Returns(scenario)));
    let of_tables = scenarios::of_tables::<RealMachine>();
    let without_faults: [(_, Check); 5] = [
        ("heap-grows-in-pieces", heap_grows_in_pieces),
        ("process-pool-yields-6912", process_pool_yields_6912),
        ("process-pool-on-64M", |machine| process_pool_ends_at(machine, 64 << 8)),
        ("process-pool-on-1G", |machine| process_pool_ends_at(machine, 1024 << 8)),
        ("process-pool-on-3G", |machine| process_pool_ends_at(machine, 3072 << 8)),
    ];
    let checks: [(_, Check); 23] = [
        ("kernel-pool-is-left-alone", kernel_pool_is_left_alone),
        ("image-is-protected", image_is_protected),
        ("registers-survive-faults", registers_survive_faults),
        ("faults-keep-interrupts-on", faults_keep_interrupts_on),
        ("threads", threads::in_their_spaces),
        ("registers-survive-swaps", swap::registers_survive_swaps),
        ("one-instruction-all-frames", swap::one_instruction_all_frames),
        ("one-instruction-eight-pages", swap::one_instruction_eight_pages),
        ("threads-on-a-drive", swap::threads_on_a_drive),
        ("audited-drive", swap::audited_drive),
        ("boot-modules-are-files", files::boot_modules_are_files),
        ("programs-run", programs::they_run),
        ("programs-keep-their-own", programs::each_keeps_its_own),
        ("programs-in-too-little", programs::more_than_there_is),
        ("programs-thousand", programs::one_after_the_other),
        ("programs-alive", programs::looked_at_while_they_live),
        ("programs-calls", programs::calls_are_answered),
        ("programs-share-a-file", programs::they_share_a_file),
        ("programs-crimes", programs::crimes_end_programs),
        ("programs-interrupts", programs::interrupts_end_programs),
        ("programs-endless", programs::endless_loops_are_killed),
        ("programs-clones", programs::clones_until_nothing_is_left),
        ("programs-killed", programs::killed_at_any_time),
    ];
    of_tables
        .chain(without_faults)
        .map(|(name, check)| (name, Test::WithoutFaults(check)))
        .chain(scenarios)
        .chain(checks.map(|(name, check)| (name, Test::Returns(check))))
        .chain(fatal::ALL.iter().map(|(name, provoke)| (*name, Test::Dies(*provoke))))
}

/// Returns the names of all tests.
pub fn names() -> impl Iterator<Item = &'static str> {
    before_memory().chain(with_memory()).map(|(name, _)| name)
}

/// Runs the test `name` if it needs no memory to be given, or lists all tests if it is `list`, and tells the grader. Such
/// tests show that the machine starts, whatever the state of its memory management.
pub fn run_before_memory(name: &str) -> Option<Verdict> {
    let test = match name {
        "list" => Test::Alone(list),
        _ => before_memory().find(|(known, _)| *known == name)?.1,
    };
    Some(run_test(name, test))
}

/// Runs the test `name` and tells the grader.
pub fn run(name: &str) -> Verdict {
    let known = with_memory().find(|(known, _)| *known == name);
    run_test(name, known.map_or(Test::Alone(unknown), |(_, test)| test))
}

#[inline(never)] // the grader wants to see that a pass is said here
fn run_test(name: &str, test: Test) -> Verdict {
    control!("begin {name}");
    let outcome = match test {
        Test::Alone(scenario) => scenario(),
        Test::WithoutFaults(check) => {
            let outcome = scenarios::run_without_faults(&mut RealMachine, check);
            outcome.inspect(|()| RealMachine.checkpoint("end", &[], &[]))
        }
        Test::Returns(check) => scenarios::run(&mut RealMachine, |machine| {
            check(machine)?;
            machine.checkpoint("end", &[], &[]);
            Ok(())
        }),
        Test::Dies(provoke) => {
            provoke();
            demand("the machine survived", false, true)
        }
    };
    match outcome {
        Ok(()) => {
            println!("passed, with the time-stamp counter at {}", clock::ticks());
            control!("end pass");
            exit::freeze();
            Verdict::Success
        }
        Err(failure) => {
            println!("failed: {failure}");
            control!("fail {failure}");
            control!("end fail");
            Verdict::Failure
        }
    }
}

fn list() -> Outcome {
    names().for_each(|name| control!("test {name}"));
    Ok(())
}

fn unknown() -> Outcome {
    println!("no test has this name; test=list lists them on the control channel");
    demand("tests of this name", 1_u32, 0)
}

fn process_pool_yields_6912(machine: &mut RealMachine) -> Outcome {
    let mut frames = Vec::new();
    while let Some(frame) = machine.with(|memory| memory.frames.get_frame()) {
        frames.push(frame);
    }
    let in_hole = frames.iter().filter(|frame| HOLE.contains(**frame)).count();
    demand("frames in the hole", 0, in_hole as u32)?;
    // The first page table's directory and table are in use.
    demand("frames of the process pool", 6912 - 2, frames.len() as u32)?;
    let lowest = frames.iter().min().copied();
    demand("frames below 4 MiB", false, lowest < Some(PROCESS_POOL_START))?;
    demand("last frame of memory was had", true, frames.contains(&Frame::new(8191)))?;
    for frame in frames {
        let released = machine.with(|memory| memory.frames.release_frame(frame).is_ok());
        demand("frame released", true, released)?;
    }
    demand("frame pool's metadata agrees", true, machine.with(|memory| memory.frames.check()))
}

fn process_pool_ends_at(machine: &mut RealMachine, end: u32) -> Outcome {
    // As above, two frames are in use; they are the lowest.
    let usable = end - PROCESS_POOL_START.number() - HOLE.len();
    machine.with(|memory| {
        let pool = &mut memory.frames;
        demand("end of the process pool", end, pool.range().end.number())?;
        demand("free frames", usable - 2, pool.free_frames())?;
        demand("longest run, from the hole up to the end of memory", end - HOLE.end.number(), pool.longest_run())?;
        let run = pool.get_frames(end - HOLE.end.number());
        demand("the run", true, run == Some(HOLE.end))?;
        demand("the run given back", true, pool.release_frames(HOLE.end).is_ok())
    })
}

fn kernel_pool_is_left_alone(machine: &mut RealMachine) -> Outcome {
    let before = kernel_pool::with(|pool| pool.free_frames());
    for page in 0..500 {
        machine.write(VirtAddr::new(0x40_0000 + 0x10_1000 * page), page);
    }
    let after = kernel_pool::with(|pool| pool.free_frames());
    demand("free frames of the kernel pool", before, after)?;
    demand("kernel pool's metadata agrees", true, kernel_pool::with(|pool: &mut FramePool<'_>| pool.check()))
}

fn heap_grows_in_pieces(_: &mut RealMachine) -> Outcome {
    // As much as the heap has at the start, so no piece has room for a second one.
    const BYTES: usize = (heap::FIRST_FRAMES * PAGE_SIZE) as usize;
    let block = |filling: u8| {
        let mut block = Vec::new();
        block.try_reserve_exact(BYTES).is_ok().then(|| block.resize(BYTES, filling))?;
        Some(block)
    };
    let free_frames = || kernel_pool::with(|pool| pool.free_frames());
    let (mut blocks, mut between) = (Vec::with_capacity(heap::PIECES + 1), Vec::with_capacity(heap::PIECES + 1));
    // One more frame of the pool is in use before each, so that it does not lie behind the one before.
    for filling in 1..heap::PIECES as u8 {
        between.push(done("a frame in between", kernel_pool::with(|pool| pool.get_frames(1)).ok_or(()))?);
        blocks.extend(block(filling));
    }
    demand("blocks in pieces of their own", heap::PIECES as u32 - 1, blocks.len() as u32)?;
    blocks.extend(block(0xFE));
    demand("blocks, of which the last continues a piece", heap::PIECES as u32, blocks.len() as u32)?;
    let before = free_frames();
    between.push(done("a frame in between", kernel_pool::with(|pool| pool.get_frames(1)).ok_or(()))?);
    demand("a block that continues none", true, block(0).is_none())?;
    demand("free frames after it was refused", before - 1, free_frames())?;
    for block in &blocks {
        demand("a block written over", false, block.iter().any(|byte| *byte != block[0]))?;
    }
    let released = between.into_iter().all(|frame| kernel_pool::with(|pool| pool.release_frames(frame)).is_ok());
    demand("the frames in between given back", true, released)
}

fn image_is_protected(machine: &mut RealMachine) -> Outcome {
    for page in IDENTITY.iter() {
        let entry = machine.with(|memory| memory.pte(page)).unwrap_or(Entry::ABSENT);
        let absent = page.number() == 0 || page == image::stack_guard_page();
        let read_only = image::text().contains(page) || image::rodata().contains(page);
        demand("page is present", !absent, entry.is_present())?;
        demand("page is writable", !absent && !read_only, entry.is_writable())?;
    }
    demand("image ends where the kernel pool starts, or before", true, image::frames().end <= KERNEL_POOL.start)
}

fn registers_survive_faults(machine: &mut RealMachine) -> Outcome {
    let start = VirtAddr::new(0x40_0000);
    let (ticks, mut rounds) = (pit::ticks(), 0);
    while rounds < 2000 || pit::ticks() - ticks < 5 {
        let faults = machine.faults();
        demand("register that did not survive", 0, access::registers_after_faults(start))?;
        demand("faults", 2, machine.faults() - faults)?;
        let pages = PageRange::new(Page::new(0x400), Page::new(0x402));
        machine.with(|memory| memory.unmap_pages(pages));
        rounds += 1;
    }
    Ok(())
}

fn faults_keep_interrupts_on(machine: &mut RealMachine) -> Outcome {
    let (ticks, mut page) = (pit::ticks(), 0);
    while pit::ticks() - ticks < 5 {
        let address = VirtAddr::new(0x40_0000 + 4096 * (page % 4096));
        machine.write(address, page);
        demand("interrupts are on after a fault", true, interrupts::are_on())?;
        machine.with(|memory| memory.unmap_page(Page::containing(address)));
        page += 1;
    }
    Ok(())
}
