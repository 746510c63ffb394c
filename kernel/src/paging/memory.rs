//! The memory: a machine's MMU and the frames behind it.
//!
//! Decision: docs/src/decisions/0019-types-that-tell-the-truth.md.

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
