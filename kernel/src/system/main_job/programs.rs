//! Programs: three at once in too little memory, one of which misbehaves.

use crate::scenarios::{Outcome, demand, done, on_drive};
use crate::system::console::println;
use crate::system::memory;
use crate::system::programs::{self, End};
use crate::system::real_machine::RealMachine;

/// What runs, and how each ends.
const PROGRAMS: [(&str, &str, End); 3] = [
    ("sort", "200", End::Exited(0)),
    ("crimes", "read kernel", End::Crashed("the kernel's page")),
    ("primes", "20000", End::Exited(0)),
];

/// Frames that are left to them, and slots of a drive in memory. Together they touch about a hundred pages.
const FRAMES: u32 = 48;
const SLOTS: u32 = 100;

/// Runs the programs, and demands that each ends as it should and leaves nothing.
pub fn run() -> Outcome {
    let before = memory::free_frames();
    if before < FRAMES || !PROGRAMS.iter().all(|(name, ..)| programs::is_known(name)) {
        println!("\nthe programs are left out: they take {FRAMES} frames, and a boot loader that brings them");
        return Ok(());
    }
    println!("\nThree programs at once, in {FRAMES} frames and {SLOTS} slots of a drive in memory:");
    println!("(crimes reads what it must not, and is to be ended with a report)");
    let mut written = 0;
    on_drive(&mut RealMachine, FRAMES, SLOTS, |_, _| {
        let started = PROGRAMS.map(|(name, arguments, _)| programs::start(name, arguments));
        for (number, (name, _, due)) in started.into_iter().zip(PROGRAMS) {
            let number = done("program started", number.map_err(drop))?;
            let end = done("program ended", programs::finish(number, || false).ok_or(()))?;
            println!("  {name} {end}");
            demand("the end that it should have", true, end == due)?;
        }
        written = memory::with(|memory| memory.swap.as_ref().map_or(0, |swap| swap.counts().writes));
        programs::reap();
        Ok(())
    })?;
    let after = memory::free_frames();
    println!("  {written} pages went to the drive, none is left there; {after} frames free, as before");
    demand("pages went to the drive", true, written > 0)?;
    demand("free frames after the programs", before, after)
}
