//! The slots of a drive: which are free, how many entries lead to each, and moving pages to and from them.

use super::drive::{Drive, SECTORS_A_PAGE};
use super::entry::Entry;
use super::mmu::Mmu;
use super::uses::Uses;
use crate::addr::{Frame, FrameRange, Page, SwapSlot};
use crate::frames::{FramePool, FrameSource, FrameState};
use alloc::boxed::Box;

/// How many slots a drive gets at most, whatever its size: those of 256 MiB, for which the kernel pool has room.
const MOST_SLOTS: u32 = 1 << 16;

/// How many slots are tried for a page, or pages for a file, before the drive counts as broken.
pub(super) const TRIES: u32 = 4;

/// What a page makes way for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A page that comes back from the drive.
    Return,
    /// Anything else.
    Anything,
}

/// What was done with the drive.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SwapCounts {
    /// Pages that were read.
    pub reads: u32,
    /// Pages that were written.
    pub writes: u32,
    /// Reads and writes that failed.
    pub failures: u32,
}

/// The slots of a drive.
pub struct Swap<M> {
    drive: Box<dyn Drive<M> + Send>,
    /// Slots, kept as frames are.
    slots: FramePool<'static>,
    uses: Uses,
    counts: SwapCounts,
}

impl<M: Mmu> Swap<M> {
    /// Returns how many slots a drive of `sectors` sectors has, the first one included.
    pub const fn slots_of(sectors: u32) -> u32 {
        let slots = sectors / SECTORS_A_PAGE;
        if slots < MOST_SLOTS { slots } else { MOST_SLOTS }
    }

    /// Makes the slots of `drive`, all free, with their bookkeeping in `words`, [`FramePool::storage_words`] of
    /// [`slots_of`](Self::slots_of) its sectors, and in `bytes`, one a slot. Returns `None` if these are shorter, or
    /// the drive has no slot beside the first.
    pub fn new(drive: Box<dyn Drive<M> + Send>, words: &'static mut [u32], bytes: &'static mut [u8]) -> Option<Self> {
        let range = FrameRange::new(Frame::new(0), Frame::new(Self::slots_of(drive.sectors())));
        let mut slots = FramePool::new(range, words)?;
        let uses = Uses::new(range, bytes)?;
        slots.mark_inaccessible(range.start, 1).ok()?;
        (slots.free_frames() > 0).then_some(Self { drive, slots, uses, counts: SwapCounts::default() })
    }

    /// Returns what was done with the drive.
    pub fn counts(&self) -> SwapCounts {
        self.counts
    }

    /// Returns how many slots there are, the first one included, which is never used.
    pub fn slots(&self) -> u32 {
        self.slots.range().len()
    }

    /// Returns how many slots are free.
    pub fn free_slots(&self) -> u32 {
        self.slots.free_frames()
    }

    /// Says whether a page is in `slot`.
    pub fn is_used(&self, slot: SwapSlot) -> bool {
        self.slots.state(as_frame(slot)) == Some(FrameState::Head)
    }

    /// Says whether `slot` can take a page.
    pub fn is_free(&self, slot: SwapSlot) -> bool {
        self.slots.state(as_frame(slot)) == Some(FrameState::Free)
    }

    /// Returns a slot in use that has one of the `count` sectors from `first` on.
    pub fn used_by_sectors(&self, first: u32, count: u32) -> Option<SwapSlot> {
        let last = first.saturating_add(count.saturating_sub(1));
        let mut slots = (first / SECTORS_A_PAGE..=last / SECTORS_A_PAGE).filter_map(SwapSlot::new);
        slots.find(|slot| self.is_used(*slot))
    }

    /// Takes the slots that have one of the `count` sectors from `first` on out of use. Returns false, and has
    /// done nothing, if one of them holds a page.
    pub fn set_aside(&mut self, first: u32, count: u32) -> bool {
        if self.used_by_sectors(first, count).is_some() {
            return false;
        }
        let end = first.saturating_add(count).div_ceil(SECTORS_A_PAGE).min(self.slots());
        let slots = (first / SECTORS_A_PAGE..end).filter_map(SwapSlot::new).map(as_frame);
        // What is out of use already stays so.
        slots.for_each(|slot| _ = self.slots.mark_inaccessible(slot, 1));
        true
    }

    /// Returns how many slots hold pages.
    pub fn used_slots(&self) -> u32 {
        (1..self.slots()).filter_map(SwapSlot::new).filter(|slot| self.is_used(*slot)).count() as u32
    }

    /// Returns how many entries lead to `slot` beyond the first.
    pub fn beyond_first(&self, slot: SwapSlot) -> u32 {
        self.uses.beyond_first(as_frame(slot))
    }

    /// Returns where the map of the slots and their counts are in memory, for whoever reads them from outside.
    pub fn addresses(&self) -> [usize; 2] {
        [self.slots.map_address(), self.uses.address()]
    }

    /// Returns where slot 0 is in memory, if the drive lies there.
    pub fn drive_address(&self) -> Option<usize> {
        self.drive.address()
    }

    /// Writes `page`, which is mapped, to a slot, which it returns: `None` if no slot is free, or the drive does not
    /// take it. The last free slot is only for a page that makes way for one that comes back, if that one's slot is
    /// free then.
    ///
    /// A slot that could not be written is never used again.
    pub fn write_out(&mut self, mmu: &M, page: Page, purpose: Purpose) -> Option<SwapSlot> {
        for _ in 0..TRIES {
            if purpose == Purpose::Anything && self.free_slots() == 1 {
                return None;
            }
            let slot = SwapSlot::new(self.slots.get_frame()?.number())?;
            if self.drive.write(mmu, sector(slot), SECTORS_A_PAGE, page).is_ok() {
                self.counts.writes += 1;
                return Some(slot);
            }
            self.counts.failures += 1;
            self.release(slot);
            if let Err(error) = self.slots.mark_inaccessible(as_frame(slot), 1) {
                panic!("a slot that was free a moment ago: {error}");
            }
        }
        None
    }

    /// Reads what is in `slot` into `page`, which is mapped and writable. Says whether that went well; the slot is as
    /// it was.
    pub fn read_in(&mut self, mmu: &mut M, slot: SwapSlot, page: Page) -> bool {
        let is_read = self.drive.read(mmu, sector(slot), SECTORS_A_PAGE, page).is_ok();
        *if is_read { &mut self.counts.reads } else { &mut self.counts.failures } += 1;
        is_read
    }

    /// Counts one more entry that leads to `slot`. Returns false, and counts nothing, if the count can't grow.
    #[must_use = "an entry that isn't counted must not be made"]
    pub fn count_up(&mut self, slot: SwapSlot) -> bool {
        self.uses.count_up(as_frame(slot))
    }

    /// Lets `slot` go for an entry that led to it. It is free when the last one has.
    fn let_go(&mut self, slot: SwapSlot) {
        if !self.uses.count_down(as_frame(slot)) {
            self.release(slot);
        }
    }

    /// Lets the slot go that `entry` led to, if it led to one.
    #[cold]
    pub fn let_go_of(swap: &mut Option<Self>, entry: Entry) {
        if let (Some(swap), Some(slot)) = (swap, entry.slot()) {
            swap.let_go(slot);
        }
    }

    fn release(&mut self, slot: SwapSlot) {
        if let Err(refused) = self.slots.release_frame(as_frame(slot)) {
            panic!("an entry led to a slot that was not handed out: {refused}");
        }
    }
}

/// Returns the first sector of `slot`.
const fn sector(slot: SwapSlot) -> u32 {
    slot.number() * SECTORS_A_PAGE
}

/// Slots are kept as frames are, by their numbers.
const fn as_frame(slot: SwapSlot) -> Frame {
    Frame::new(slot.number())
}
