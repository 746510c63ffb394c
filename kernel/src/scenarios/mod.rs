//! Scenarios: what must hold, on any machine.
//!
//! The host tests run every scenario on the software MMU, where a missing flush shows in milliseconds; the grader runs
//! the same ones in virtual machines, on real page faults with the timer ticking. A scenario gets an address space of its
//! own, and must leave as many frames free as it found (rule **free-count**): [`run`] sees to both.
//!
//! Decision: docs/src/decisions/0010-scenarios-for-two-machines.md.

mod audited;
mod claims;
mod clone_failures;
mod clones;
mod exhaustion;
mod failing_drive;
mod file_failures;
mod files;
mod frame_pools;
mod large;
mod machine;
mod metadata;
mod orders;
mod outcome;
mod pages;
mod pools;
mod random;
mod random_clones;
mod random_pools;
mod random_spaces;
mod second_chance;
mod spaces;
mod standard;
mod steps;
mod swap;
mod swap_clones;
mod swap_failures;
mod tables;
mod test_drive;
mod test_file;
mod words;

/// Hidden tests, if the kernel is built with any: see `kernel/build.rs`.
mod overlay {
    include!(concat!(env!("OUT_DIR"), "/overlay.rs"));
}

pub use claims::Claim;
pub use failing_drive::{each_read_fails, each_write_fails};
pub use frame_pools::FRAME_POOLS;
pub use large::{MOST_FRAMES_A_SPACE, many_spaces};
pub use machine::Machine;
pub use orders::Orders;
pub use outcome::{Failure, Outcome, Scenario, demand, done};
pub use random::Random;
pub use random_clones::{random_clones, random_files, random_swap};
pub use random_pools::random_operations;
pub use random_spaces::random_spaces;
pub use second_chance::SecondChance;
pub use standard::{Filled, fill_pages, fill_regions};
pub use steps::in_new_space;
pub use swap_clones::audited_drive;
pub use tables::run_without_faults;
pub use test_drive::on_drive;
pub use test_file::with_file;
pub use words::{Value, Word};

use steps::free_frames;

/// Returns the scenarios of page tables by themselves, for [`run_without_faults`].
pub fn of_tables<M: Machine + 'static>() -> impl Iterator<Item = Scenario<M>> {
    tables::all().iter().copied()
}

/// Returns every scenario that has an address space of its own, for [`run`].
pub fn all<M: Machine + 'static>() -> impl Iterator<Item = Scenario<M>> {
    [
        standard::all(),
        pages::all(),
        pools::all(),
        metadata::all(),
        spaces::all(),
        large::all(),
        exhaustion::all(),
        clones::all(),
        clone_failures::all(),
        random_clones::all(),
        swap::all(),
        swap_failures::all(),
        failing_drive::all(),
        swap_clones::all(),
        files::all(),
        file_failures::all(),
        random_pools::all(),
        random_spaces::all(),
        audited::all(),
    ]
    .into_iter()
    .flatten()
    .copied()
    .chain(overlay::all())
}

/// Runs `scenario` in an address space of its own, and demands that everything is given back.
///
/// # Errors
///
/// The first demand that wasn't met.
pub fn run<M: Machine>(machine: &mut M, scenario: impl FnOnce(&mut M) -> Outcome) -> Outcome {
    let before = free_frames(machine);
    in_new_space(machine, scenario)?;
    demand("shared frames after the scenario", 0, machine.with(|memory| memory.uses.shared_frames()))?;
    demand("free frames after the scenario", before, free_frames(machine))
}
