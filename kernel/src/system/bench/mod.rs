//! Measuring: what each operation costs, in ticks of the time-stamp counter, which under QEMU's `-icount shift=0` are
//! instructions.
//!
//! `bench=all` on the command line measures everything, `bench=NAME` one group, `bench=main-job` what the main job costs as
//! a whole, `bench=boot` nothing but the way here.
//! The results are records on the control channel, a line each; the host's `bench` makes tables and plots of them:
//!
//! ```text
//! measure NAME samples=N median=N mean=N.NN p99=N max=N
//! value NAME N
//! point SERIES X MEAN MAX
//! ```
//!
//! A sample is one operation with interrupts masked. What reading the counter costs is subtracted.

mod clones;
mod events;
mod faults;
mod files;
mod floors;
mod frame_pool;
mod heap;
mod image;
mod interrupts;
mod programs;
mod regions;
mod samples;
mod setup;
mod spaces;
mod swap;

use crate::arch::x86::clock;
use crate::arch::x86::exit::Verdict;
use crate::boot_info::BootInfo;
use crate::scenarios::{self, Outcome};
use crate::system::console::{control, println};
use crate::system::main_job;
use crate::system::real_machine::RealMachine;

/// The counter at steps of the start.
#[derive(Clone, Copy, Debug)]
pub struct Boot {
    /// At the first line of `kmain`.
    pub kmain: u64,
    /// When everything was started.
    pub ready: u64,
}

/// A group of measurements: its name, and what takes them.
type Group = (&'static str, fn(&mut RealMachine) -> Outcome);

const GROUPS: [Group; 14] = [
    ("floor", floors::measure),
    ("one-fault", faults::measure_one),
    ("faults", faults::measure),
    ("regions", regions::measure),
    ("spaces", spaces::measure),
    ("clones", clones::measure),
    ("swap", swap::measure),
    ("files", files::measure),
    ("frames", frame_pool::measure),
    ("heap", heap::measure),
    ("events", events::measure),
    ("interrupts", interrupts::measure),
    ("image", image::measure),
    ("programs", programs::measure),
];

/// Measures the group `name`, or all of them.
pub fn run(name: &str, boot: Boot, boot_info: &BootInfo) -> Verdict {
    control!("value boot-kmain {}", boot.kmain);
    control!("value boot-ready {}", boot.ready);
    image::tell_kernel_pool();
    let has_main_job = ["all", "main-job"].contains(&name);
    let mut groups = GROUPS.iter().filter(|(group, _)| name == "all" || name == *group).peekable();
    if groups.peek().is_none() && !has_main_job && name != "boot" {
        println!("no group of measurements is named {name}");
        return Verdict::Failure;
    }
    if has_main_job {
        let start = clock::ticks();
        if !main_job::run(boot_info) {
            control!("fail main-job");
            return Verdict::Failure;
        }
        control!("value main-job {}", clock::ticks() - start);
    }
    for (group, measure) in groups {
        println!("measuring: {group}");
        if let Err(failure) = scenarios::run(&mut RealMachine, *measure) {
            println!("{group}: {failure}");
            control!("fail {group}: {failure}");
            return Verdict::Failure;
        }
    }
    control!("end pass");
    Verdict::Success
}
