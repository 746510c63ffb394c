//! The machine, as scenarios use it.

use super::claims::Claim;
use super::orders::Orders;
use crate::addr::{Frame, VirtAddr};
use crate::frames::FrameSource;
use crate::paging::{Memory, Mmu};
use crate::vm::Refusal;
use alloc::sync::Arc;
use core::fmt;

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

    /// Learns of the drive of a test, which it may tell to fail.
    fn drive_made(&mut self, _orders: &Arc<Orders>) {}

    /// Tells people something.
    fn say(&mut self, words: fmt::Arguments<'_>);
}
