//! Scenarios: what must hold, told as stories that run on any machine.
//!
//! The host tests run every scenario on the software MMU, where a missing flush shows in milliseconds; the grader runs
//! the same ones in virtual machines, on real page faults with the timer ticking. A scenario gets an address space of its
//! own, and must leave as many frames free as it found (rule **free-count**): [`run`] sees to both.

mod audited;
mod claims;
mod exhaustion;
mod frame_pools;
mod large;
mod metadata;
mod pages;
mod pools;
mod random;
mod random_spaces;
mod spaces;
mod standard;

/// Hidden tests, if the kernel is built with any: see `kernel/build.rs`.
mod overlay {
    include!(concat!(env!("OUT_DIR"), "/overlay.rs"));
}

pub use claims::Claim;
pub use frame_pools::FRAME_POOLS;
pub use large::{FRAMES_A_SPACE, many_spaces};
pub use random::{Random, random_operations};
pub use random_spaces::random_spaces;
pub use standard::{Filled, fill_pages, fill_regions};

use crate::addr::{Frame, VirtAddr};
use crate::frames::FrameSource;
use crate::paging::{Memory, Mmu};
use crate::vm::{AddressSpace, Refusal};
use core::fmt;
use core::panic::Location;

/// A machine that a scenario runs on: its memory between accesses, and accesses as instructions make them.
pub trait Machine {
    /// Its MMU.
    type Mmu: Mmu;
    /// Its process frame pool.
    type Frames: FrameSource;

    /// Works on the memory. No access happens meanwhile (rule **no-lock-across-touch**).
    fn with<R>(&mut self, work: impl FnOnce(&mut Memory<Self::Mmu, Self::Frames>) -> R) -> R;

    /// Reads the word at `address`, which must be legitimate; it may fault.
    fn read(&mut self, address: VirtAddr) -> u32;

    /// Writes the word at `address`, which must be legitimate; it may fault.
    fn write(&mut self, address: VirtAddr, word: u32);

    /// Reads or writes the word at `address` and survives a refusal, which it returns.
    fn probe(&mut self, address: VirtAddr, write: bool) -> Result<(), Refusal>;

    /// Returns how many faults were answered with a frame since the machine was started.
    fn faults(&self) -> u32;

    /// Returns the seed of random scenarios, which can be set from outside.
    fn seed(&self) -> u32;

    /// Stands still until whoever watches has checked `claims` about the current address space. `others` are the
    /// directories of address spaces that are alive beside it and the kernel's first one. Mostly nobody watches.
    fn checkpoint(&mut self, _name: &str, _others: &[Frame], _claims: &[Claim]) {}

    /// Tells people something.
    fn say(&mut self, words: fmt::Arguments<'_>);
}

/// A demand that was not met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failure {
    /// What was looked at.
    pub what: &'static str,
    /// What it had to be.
    pub expected: u32,
    /// What it was.
    pub seen: u32,
    /// Where the demand is made.
    pub at: &'static Location<'static>,
}

impl Failure {
    /// Makes the failure of a demand of the caller's.
    #[track_caller]
    pub fn new(what: &'static str, expected: u32, seen: u32) -> Self {
        Self { what, expected, seen, at: Location::caller() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} expected={:#x} seen={:#x} at={}:{}",
            self.what,
            self.expected,
            self.seen,
            self.at.file(),
            self.at.line()
        )
    }
}

/// What a scenario returns.
pub type Outcome = Result<(), Failure>;

/// A scenario's name and what it does.
pub type Scenario<M> = (&'static str, fn(&mut M) -> Outcome);

/// Something that a demand can be made of: it prints as a word.
pub trait Word: PartialEq {
    /// Returns the word.
    fn word(&self) -> u32;
}

impl Word for u32 {
    fn word(&self) -> u32 {
        *self
    }
}

impl Word for bool {
    fn word(&self) -> u32 {
        u32::from(*self)
    }
}

/// Granted is 0; a refusal is one more than its place in [`Refusal`].
impl Word for Result<(), Refusal> {
    fn word(&self) -> u32 {
        self.map_or_else(|refusal| 1 + refusal as u32, |()| 0)
    }
}

/// Demands that `seen` is `expected`.
///
/// # Errors
///
/// A [`Failure`] with both, if not.
#[track_caller]
pub fn demand<T: Word>(what: &'static str, expected: T, seen: T) -> Outcome {
    if expected == seen { Ok(()) } else { Err(Failure::new(what, expected.word(), seen.word())) }
}

/// Turns an unexpected error of an operation into a failure.
#[track_caller]
pub(crate) fn done<T, E>(what: &'static str, result: Result<T, E>) -> Result<T, Failure> {
    // A closure would be the caller that is named.
    match result {
        Ok(value) => Ok(value),
        Err(_) => Err(Failure::new(what, 1, 0)),
    }
}

/// Returns every scenario.
pub fn all<M: Machine>() -> impl Iterator<Item = Scenario<M>> {
    standard::all()
        .into_iter()
        .chain(pages::all())
        .chain(pools::all())
        .chain(metadata::all())
        .chain(spaces::all())
        .chain(large::all())
        .chain(exhaustion::all())
        .chain(random::all())
        .chain(random_spaces::all())
        .chain(audited::all())
        .chain(overlay::all())
}

/// Runs `scenario` in an address space of its own, and demands that everything is given back.
///
/// # Errors
///
/// The first demand that wasn't met.
pub fn run<M: Machine>(machine: &mut M, scenario: fn(&mut M) -> Outcome) -> Outcome {
    let before = free_frames(machine);
    in_new_space(machine, scenario)?;
    demand("free frames after the scenario", before, free_frames(machine))
}

/// Makes an address space, does `work` in it, returns to the one before, and destroys it.
///
/// # Errors
///
/// The first demand of `work` that wasn't met, or one of these steps that failed.
pub fn in_new_space<M: Machine>(machine: &mut M, work: impl FnOnce(&mut M) -> Outcome) -> Outcome {
    let space = done("address space created", machine.with(AddressSpace::create))?;
    let home = machine.with(|memory| {
        let home = memory.mmu.root();
        space.load(memory);
        home
    });
    let outcome = work(machine);
    let sound = machine.with(|memory| {
        let sound = AddressSpace::check(&memory.mmu);
        memory.mmu.set_root(home);
        sound
    });
    outcome?;
    demand("the address space's records agree", true, sound)?;
    done("address space destroyed", machine.with(|memory| space.destroy(memory)))
}

pub(crate) fn free_frames<M: Machine>(machine: &mut M) -> u32 {
    machine.with(|memory| memory.frames.free_frames())
}

/// Returns the address `bytes` above `address`.
pub(crate) fn above(address: VirtAddr, bytes: u32) -> VirtAddr {
    VirtAddr::new(address.as_u32() + bytes)
}
