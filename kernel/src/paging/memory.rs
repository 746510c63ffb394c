//! The memory: a machine's MMU and the frames behind it.
//!
//! Decision: docs/src/decisions/0019-types-that-tell-the-truth.md.

use super::files::Files;
use super::mmu::MmuView;
use super::swap::Swap;
use super::uses::Uses;
use super::window::Slot;
use crate::addr::{Frame, VirtAddr};
use crate::events::Events;

/// The memory that the kernel works on: the machine's MMU, and where frames come from. Changes are made to the current address space.
///
/// Paging adds what changes its page table, [`vm`](crate::vm) what changes its pools.
pub struct Memory<M, F> {
    /// The machine.
    pub mmu: M,
    /// The process frame pool.
    pub frames: F,
    /// The last events.
    pub events: Events,
    /// How many entries lead to each frame of that pool.
    pub uses: Uses,
    /// Where pages go when no frame is left, if there is a drive for them.
    pub swap: Option<Swap<M>>,
    /// Files, and the page tables through which they are seen.
    pub files: Files<M>,
    /// Where the hand is, which looks for pages that can go: a page table, or the next one above it, and the entry that comes next.
    pub hand: (Frame, u32),
}

impl<M, F> Memory<M, F> {
    /// Takes the machine's MMU, its process frame pool and the counts of that pool's frames. There is no drive, and no file.
    pub const fn new(mmu: M, frames: F, uses: Uses) -> Self {
        Self { mmu, frames, events: Events::NONE, uses, swap: None, files: Files::NONE, hand: (Frame::new(0), 0) }
    }
}

/// Whoever has the memory can look at it.
impl<M: MmuView, F> MmuView for Memory<M, F> {
    #[inline]
    fn zero_entries(&self, slot: Slot, count: u32) -> u32 {
        self.mmu.zero_entries(slot, count)
    }

    #[inline]
    fn root(&self) -> Frame {
        self.mmu.root()
    }

    #[inline]
    fn read(&self, address: VirtAddr) -> u32 {
        self.mmu.read(address)
    }
}
