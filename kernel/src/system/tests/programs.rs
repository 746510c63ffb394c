//! Programs, which the boot loader has brought as modules: that they work, and that none does harm.

use crate::arch::x86::{heap, kernel_pool, pit};
use crate::programs::calls::CallError;
use crate::scenarios::{Failure, Machine, Outcome, Value, demand, done, on_drive, with_file};
use crate::system::programs::{self, End};
use crate::system::real_machine::RealMachine;
use crate::system::{memory, threads};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

/// What each crime of the program `crimes` is ended for.
const CRIMES: &[(&str, &[&str])] = &[
    (
        "the kernel's page",
        &[
            "read kernel",
            "write kernel",
            "jump kernel",
            "read kernel-data",
            "write kernel-data",
            "jump kernel-data",
            "read kernel-pool",
            "write kernel-pool",
            "jump kernel-pool",
            "read vga",
            "write vga",
            "jump vga",
            "read window",
            "write window",
            "jump window",
            "read directory",
            "write directory",
            "jump directory",
            "read end",
            "write end",
            "push end",
            "push kernel-pool",
            "read metadata",
            "write metadata",
            "jump metadata",
            "push metadata",
            "write guard",
            "push guard",
            "stack-overflow",
        ],
    ),
    ("null pointer", &["read null", "write null", "push null"]),
    (
        "wild jump",
        &["jump null", "jump hole", "jump past-the-stack", "jump other-window", "jump released", "jump past-the-file"],
    ),
    ("closed window", &["read other-window", "write other-window"]),
    ("read-only page", &["write code", "write constants"]),
    ("read-only file", &["write file", "push file"]),
    ("past the end of a file", &["read past-the-file", "write past-the-file"]),
    ("never allocated", &["read hole", "write hole", "push hole"]),
    ("outside pools", &["read past-the-stack", "write past-the-stack"]),
    ("off by one", &["read past", "write past"]),
    ("use after release", &["read released", "write released"]),
    (
        "not for programs",
        &[
            "cli",
            "sti",
            "hlt",
            "in",
            "out",
            "ins",
            "outs",
            "lgdt",
            "lidt",
            "lldt",
            "ltr",
            "lmsw",
            "clts",
            "invlpg",
            "wbinvd",
            "invd",
            "rdmsr",
            "wrmsr",
            "rdpmc",
            "read-cr0",
            "write-cr0",
            "write-cr3",
            "write-cr4",
            "write-cr2",
            "read-dr7",
            "write-dr0",
            "write-dr7",
            "sysenter",
            "sysexit",
            "int-3",
            "ds-kernel",
            "lds-kernel",
            "ss-kernel",
            "lss-kernel",
            "ss-null",
            "es-task",
            "fs-beyond",
            "gs-local",
            "far-jump",
            "far-call",
            "far-jump-to-a-task",
            "far-return",
            "iret-to-ring-0",
        ],
    ),
    ("breakpoint", &["single-step", "step-into-a-call"]),
    ("exception", &["nested-task", "bound"]),
    ("division", &["divide"]),
    ("no FPU", &["fpu"]),
    ("invalid opcode", &["mmx", "sse", "ud2", "swapgs", "vmcall", "rsm", "lock-nothing"]),
];

/// Frames of both pools that are free. What the heap has taken meanwhile is still taken.
fn free_frames() -> [u32; 2] {
    [memory::free_frames(), kernel_pool::with(|pool| pool.free_frames()) + heap::frames()]
}

/// Demands that `work` leaves as many frames free as there were.
fn leaving_nothing(work: impl FnOnce() -> Outcome) -> Outcome {
    let before = free_frames();
    work()?;
    programs::reap();
    demand("free frames, as before", before[0], free_frames()[0])?;
    demand("free frames of the kernel pool and the heap's, as before", before[1], free_frames()[1])
}

/// Returns how many pages went to the drive.
fn pages_written() -> u32 {
    memory::with(|memory| memory.swap.as_ref().map_or(0, |swap| swap.counts().writes))
}

fn start(name: &str, arguments: &str) -> Result<u32, Failure> {
    programs::start(name, arguments).map_err(|error| {
        log::error!("{name}: {error}");
        Failure::new("the program started", Value::Words("yes"), Value::Words("no"))
    })
}

/// Demands that the program has ended like this.
fn demand_end(name: &str, expected: End, number: u32) -> Outcome {
    let end = programs::finish(number, || false);
    if end != Some(expected) {
        log::error!("{name}: it should have {expected:?}, but has {end:?}");
    }
    demand("a program ended as it should", true, end == Some(expected))
}

fn demand_status(name: &str, arguments: &str, status: u32) -> Outcome {
    demand_end(name, End::Exited(status), start(name, arguments)?)
}

/// Runs one after the other, and three at once.
pub fn they_run(_: &mut RealMachine) -> Outcome {
    leaving_nothing(|| {
        demand_status("hello", "from a test", 0)?;
        demand_status("bare", "", 0)?;
        demand("a program that there isn't", true, programs::start("none", "") == Err(programs::StartError::Unknown))?;
        let [first, second, third] = [start("primes", "300000")?, start("forks", "3")?, start("primes", "20000")?];
        demand_end("forks", End::Exited(15), second)?;
        demand_end("primes", End::Exited(0), third)?;
        demand_end("primes", End::Exited(0), first)
    })
}

/// Lets three keep values of their own in every register, at the same addresses, over 10 000 switches.
pub fn each_keeps_its_own(_: &mut RealMachine) -> Outcome {
    leaving_nothing(|| {
        // Ten times as often as otherwise; more would leave an emulator that counts four million instructions a second
        // no time for anything else.
        pit::start(10 * pit::HERTZ);
        let mut numbers = Vec::new();
        for arguments in ["1 4000", "2 4000", "7 4000"] {
            numbers.push(start("registers", arguments)?);
        }
        let mut switches = 0;
        for number in numbers {
            switches = switches.max(threads::switches());
            demand_end("registers", End::Exited(0), number)?;
        }
        pit::start(pit::HERTZ);
        demand("switches: 10 000 at least", true, switches.max(threads::switches()) >= 10_000)
    })
}

/// Sorts more than there are frames for, beside one that dies and one that reads its text anew.
pub fn more_than_there_is(machine: &mut RealMachine) -> Outcome {
    on_drive(machine, 64, 160, |_, _| {
        let sort = start("sort", "400")?;
        let crimes = start("crimes", "read kernel")?;
        let primes = start("primes", "100000")?;
        demand_end("crimes", End::Crashed("the kernel's page"), crimes)?;
        demand_end("primes", End::Exited(0), primes)?;
        demand_end("sort", End::Exited(0), sort)?;
        demand("pages went to the drive", true, pages_written() > 100)?;
        programs::reap();
        Ok(())
    })
}

/// Starts a thousand, ten at a time, in less memory than they need.
pub fn one_after_the_other(machine: &mut RealMachine) -> Outcome {
    on_drive(machine, 100, 128, |_, _| {
        for _ in 0..100 {
            let mut numbers = Vec::new();
            for _ in 0..10 {
                numbers.push(start("primes", "10000")?);
            }
            numbers.into_iter().try_for_each(|number| demand_end("primes", End::Exited(0), number))?;
        }
        demand("pages went to the drive", true, pages_written() > 1000)?;
        programs::reap();
        Ok(())
    })
}

/// Has the memory looked at from outside while programs and clones of them are alive.
pub fn looked_at_while_they_live(machine: &mut RealMachine) -> Outcome {
    let numbers = [start("forks", "sleep")?, start("registers", "3 100")?, start("primes", "100000")?];
    // Each has had its turn.
    for _ in 0..4 {
        threads::give_way();
    }
    machine.checkpoint("alive", &[], &[]);
    let ends = [End::Exited(4), End::Exited(0), End::Exited(0)];
    for (number, end) in numbers.into_iter().zip(ends) {
        demand_end("one that was looked at", end, number)?;
    }
    programs::reap();
    Ok(())
}

/// Lets a program compare the answers to its calls.
pub fn calls_are_answered(_: &mut RealMachine) -> Outcome {
    leaving_nothing(|| demand_status("calls", "", 0))
}

/// Lets two see a file: what one writes the other reads, and it is in the file although both live.
pub fn they_share_a_file(machine: &mut RealMachine) -> Outcome {
    with_file(machine, 5000, true, &mut |_, file, drive| {
        leaving_nothing(|| {
            let mut arguments = String::new();
            done("number written", write!(arguments, "{}", file.number()).map_err(drop))?;
            let reader = start("shared", &arguments)?;
            arguments.push_str(" 77");
            demand_status("shared", &arguments, 1)?;
            demand("the word in the file", 77, drive.word(0))?;
            demand_end("shared", End::Exited(77), reader)?;
            // The drive of the file fails: the page, which was read before, is seen still, and written the next time.
            arguments.replace_range(arguments.len() - 2.., "78");
            drive.orders.fail_writes(1);
            demand_status("shared", &arguments, 1000 + CallError::NotWritten as u32)?;
            demand_status("shared", &arguments, 1)?;
            demand("the word in the file, written again", 78, drive.word(0))
        })
    })
}

/// Commits each crime, beside a program that goes on.
pub fn crimes_end_programs(_: &mut RealMachine) -> Outcome {
    leaving_nothing(|| {
        let other = start("primes", "1000000")?;
        for (cause, crimes) in CRIMES {
            for crime in *crimes {
                demand_end(crime, End::Crashed(cause), start("crimes", crime)?)?;
            }
        }
        // QEMU does not know it; elsewhere it is a breakpoint.
        let end = programs::finish(start("crimes", "icebp")?, || false);
        let is_either = ["invalid opcode", "breakpoint"].iter().any(|cause| end == Some(End::Crashed(cause)));
        demand("icebp ended its program", true, is_either)?;
        demand_end("primes", End::Exited(0), other)
    })
}

/// Raises every interrupt that there is but the gate's, each in a program that the kernel ends.
pub fn interrupts_end_programs(_: &mut RealMachine) -> Outcome {
    const GATE: u32 = 0x80;
    leaving_nothing(|| {
        for number in (0..=255).filter(|number| *number != GATE) {
            let mut crime = String::new();
            done("number written", write!(crime, "int {number}").map_err(drop))?;
            demand_end(&crime, End::Crashed("not for programs"), start("crimes", &crime)?)?;
        }
        Ok(())
    })
}

/// Lets a program run that never makes a call, beside others, and kills it.
pub fn endless_loops_are_killed(_: &mut RealMachine) -> Outcome {
    leaving_nothing(|| {
        let endless = [start("crimes", "endless")?, start("crimes", "endless")?];
        for _ in 0..3 {
            demand_status("primes", "100000", 0)?;
        }
        for number in endless {
            demand("it runs until it is killed", true, programs::kill(number))?;
            demand_end("crimes", End::Killed, number)?;
        }
        Ok(())
    })
}

/// Lets a program clone itself until no frame is left, and once more.
pub fn clones_until_nothing_is_left(_: &mut RealMachine) -> Outcome {
    leaving_nothing(|| {
        let mut lengths = [0; 3];
        for length in &mut lengths {
            let number = start("forks", "chain")?;
            *length = match programs::finish(number, || false) {
                Some(End::Exited(length)) => length,
                _ => 0,
            };
        }
        // The first has made the heap grow.
        let [_, second, third] = lengths;
        demand("clones in a chain, until nothing is left: more than 50", true, second > 50)?;
        demand("clones in another one", second, third)
    })
}

/// Kills a tree of programs, whatever it does just then, later each time, and what it leaves behind.
pub fn killed_at_any_time(machine: &mut RealMachine) -> Outcome {
    on_drive(machine, 48, 160, |_, _| {
        pit::start(100 * pit::HERTZ);
        for round in 0..20 {
            let (sort, primes) = (start("sort", "300")?, start("primes", "5000")?);
            (0..3 * round).for_each(|_| threads::give_way());
            demand("it could be killed while pages go to the drive and come back", true, programs::kill(sort))?;
            demand_end("sort", End::Killed, sort)?;
            demand_end("primes", End::Exited(0), primes)?;
        }
        programs::reap();
        Ok(())
    })?;
    leaving_nothing(|| {
        let mut killed = 0;
        // A hundred times as fast as otherwise, so that there are more moments.
        pit::start(100 * pit::HERTZ);
        for round in 0..30 {
            let number = start("forks", "5")?;
            (0..round).for_each(|_| threads::give_way());
            let was_killed = programs::kill(number);
            killed += u32::from(was_killed);
            demand("it can't be killed twice", false, programs::kill(number))?;
            let mut orphans = Vec::new();
            programs::each(|number, _, end| orphans.extend(end.is_none().then_some(number)));
            // Every other round they end by themselves.
            orphans.retain(|_| round % 2 == 0);
            orphans.into_iter().for_each(|orphan| _ = programs::kill(orphan));
            demand_end("forks", if was_killed { End::Killed } else { End::Exited(63) }, number)?;
            let mut left = 1;
            for _ in 0..10_000 {
                if left == 0 {
                    break;
                }
                threads::give_way();
                programs::reap();
                left = 0;
                programs::each(|_, _, _| left += 1);
            }
            demand("programs that nobody waits for, which have ended", 0, left)?;
        }
        pit::start(pit::HERTZ);
        demand("rounds in which it was killed: ten at least", true, killed >= 10)
    })
}
