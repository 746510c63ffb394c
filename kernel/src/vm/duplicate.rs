//! Clones: an address space with the same pools, regions and contents as another, which pays for a page when one of them
//! writes to it.
//!
//! Records hold virtual addresses only, so copied ones are right as they are.
//!
//! Decision: docs/src/decisions/0027-clones-share-frames.md.

use super::metadata::Record;
use super::space::{AddressSpace, CurrentSpace};
use crate::addr::VirtAddr;
use crate::events::EventKind;
use crate::frames::FrameSource;
use crate::memory_map::POOL_PAGES;
use crate::paging::{Memory, Mmu, OutOfFrames};

impl AddressSpace {
    /// Makes a clone of the current address space. Each page is shared until one side writes to it, which then gets a copy,
    /// if the other still has the page. Records the event [`EventKind::Duplicate`].
    ///
    /// Costs a directory, a page table for each of the current one's, and a page for each metadata page of its pools. A frame
    /// that 255 address spaces share is copied at once.
    ///
    /// The pools of the clone are found by [`CurrentSpace::pool_of`](super::CurrentSpace::pool_of) while it is the current
    /// address space.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`]; nothing has changed then.
    pub fn duplicate<M: Mmu, F: FrameSource>(memory: &mut Memory<M, F>) -> Result<Self, OutOfFrames> {
        let clone = Self::create(memory)?;
        let Err(OutOfFrames) = memory.share_pages(clone.root()) else {
            bear_pools(memory, &clone);
            memory.events.record(EventKind::Duplicate, VirtAddr::new(0), clone.root().number(), memory.mmu.root());
            return Ok(clone);
        };
        if clone.destroy(memory).is_err() {
            unreachable!("the clone is not the current address space");
        }
        memory.take_back();
        Err(OutOfFrames)
    }
}

/// Gives the pools of `clone` a birth of their own. A handle is told by it from one of an earlier clone that had the same frames.
fn bear_pools<M: Mmu, F: FrameSource>(memory: &mut Memory<M, F>, clone: &AddressSpace) {
    let parent = memory.mmu.root();
    clone.load(memory);
    // A clone is an event, so nothing else is born at the same number of events.
    let born = memory.events.recorded();
    let mut from = POOL_PAGES.start;
    while let Some((pool, pages)) =
        memory.pool_at_or_after(from).and_then(|pool| Some((pool.base(), pool.pages(memory)?)))
    {
        Record::at(pool).set_born(&mut memory.mmu, born);
        from = pages.end;
    }
    memory.mmu.set_root(parent);
}
