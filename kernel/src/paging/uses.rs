//! How many entries lead to a frame.
//!
//! A frame behind a page is released when the last entry that leads to it goes. As a rule that is the only one, so these
//! counts are looked at only in tables whose directory entry says that pages were shared there.
//!
//! Decision: docs/src/decisions/0027-clones-share-frames.md.

use crate::addr::{Frame, FrameRange};

/// For each frame of a range, how many entries of page tables lead there beyond the first: a byte a frame, at most 254. 255
/// marks a frame that is a page table.
///
/// That is over all address spaces that are alive (rule **count-is-entries**).
pub struct Uses {
    frames: FrameRange,
    beyond_first: &'static mut [u8],
    tables: u32,
}

/// The mark of a page table, to which one entry leads.
const TABLE: u8 = 255;

impl Uses {
    /// Makes the counts of `frames`, all 0, in `storage`; `None` if that has less than a byte for each.
    pub fn new(frames: FrameRange, storage: &'static mut [u8]) -> Option<Self> {
        let beyond_first = storage.get_mut(..frames.len() as usize)?;
        beyond_first.fill(0);
        Some(Self { frames, beyond_first, tables: 0 })
    }

    /// Returns where the counts are in memory, for whoever reads them from outside.
    pub fn address(&self) -> usize {
        self.beyond_first.as_ptr() as usize
    }

    /// Says whether a byte at that address means that several entries lead to its frame.
    pub const fn is_shared(count: u8) -> bool {
        !matches!(count, 0 | TABLE)
    }

    /// Returns how many entries lead to `frame` beyond the first.
    pub fn beyond_first(&self, frame: Frame) -> u32 {
        match self.beyond_first.get(self.index(frame)) {
            None | Some(&TABLE) => 0,
            Some(count) => u32::from(*count),
        }
    }

    /// Returns how many frames have more than one entry.
    pub fn shared_frames(&self) -> u32 {
        self.beyond_first.iter().filter(|count| Self::is_shared(**count)).count() as u32
    }

    /// Counts one more entry that leads to `frame`. Returns false, and counts nothing, if the count can't grow: the frame is
    /// not among those that are counted, is a page table, or has 255 entries.
    #[inline]
    pub fn count_up(&mut self, frame: Frame) -> bool {
        let index = self.index(frame);
        match self.beyond_first.get_mut(index) {
            None | Some(&mut (254..)) => false,
            Some(count) => {
                *count += 1;
                true
            }
        }
    }

    /// Counts an entry that led to `frame` and no longer does. Returns false, and counts nothing, if it was the last one.
    #[inline]
    pub fn count_down(&mut self, frame: Frame) -> bool {
        let index = self.index(frame);
        match self.beyond_first.get_mut(index) {
            None | Some(&mut (0 | TABLE)) => false,
            Some(count) => {
                *count -= 1;
                true
            }
        }
    }

    /// Marks `frame`, to which no entry of a page table leads, as a page table.
    pub fn mark_table(&mut self, frame: Frame) {
        self.set_table(frame, 0, TABLE);
    }

    /// Takes the mark of a page table from `frame`, if it has it.
    pub fn unmark_table(&mut self, frame: Frame) {
        self.set_table(frame, TABLE, 0);
    }

    fn set_table(&mut self, frame: Frame, before: u8, after: u8) {
        let index = self.index(frame);
        if let Some(count) = self.beyond_first.get_mut(index).filter(|count| **count == before) {
            *count = after;
            self.tables = if after == TABLE { self.tables.wrapping_add(1) } else { self.tables.wrapping_sub(1) };
        }
    }

    /// Says whether `frame` is a page table.
    pub fn is_table(&self, frame: Frame) -> bool {
        self.beyond_first.get(self.index(frame)) == Some(&TABLE)
    }

    /// Returns how many frames are page tables.
    pub fn tables(&self) -> u32 {
        self.tables
    }

    /// Returns the first page table at `from` or above, or else the first of all.
    pub fn table_from(&self, from: Frame) -> Option<Frame> {
        let from = if self.frames.contains(from) { self.index(from) } else { 0 };
        let (below, above) = self.beyond_first.split_at(from);
        let found = above.iter().position(|count| *count == TABLE).map(|found| from + found);
        let index = found.or_else(|| below.iter().position(|count| *count == TABLE))?;
        Some(Frame::new(self.frames.start.number() + index as u32))
    }

    fn index(&self, frame: Frame) -> usize {
        frame.number().wrapping_sub(self.frames.start.number()) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    const FIRST: u32 = 0x400;

    /// Makes the counts of four frames.
    fn four() -> Uses {
        let frames = FrameRange::new(Frame::new(FIRST), Frame::new(FIRST + 4));
        Uses::new(frames, vec![0x5A; 5].leak()).expect("enough for four")
    }

    fn counts(uses: &Uses) -> [u32; 4] {
        [0, 1, 2, 3].map(|index| uses.beyond_first(Frame::new(FIRST + index)))
    }

    #[test]
    fn nothing_is_shared_at_first_whatever_was_in_the_storage() {
        assert_eq!((counts(&four()), four().shared_frames()), ([0; 4], 0));
    }

    #[test]
    fn a_byte_a_frame_is_needed() {
        let frames = FrameRange::new(Frame::new(FIRST), Frame::new(FIRST + 4));
        assert!(Uses::new(frames, vec![0; 3].leak()).is_none());
        let storage = vec![0; 4].leak();
        let address = storage.as_ptr() as usize;
        assert_eq!(Uses::new(frames, storage).map(|uses| uses.address()), Some(address));
    }

    #[test]
    fn each_frame_has_a_count_of_its_own() {
        let mut uses = four();
        for (index, times) in [(0, 3), (2, 1), (3, 2)] {
            (0..times).for_each(|_| assert!(uses.count_up(Frame::new(FIRST + index))));
        }
        assert_eq!((counts(&uses), uses.shared_frames()), ([3, 0, 1, 2], 3));
        assert!(uses.count_down(Frame::new(FIRST)) && uses.count_down(Frame::new(FIRST + 2)));
        assert_eq!((counts(&uses), uses.shared_frames()), ([2, 0, 0, 2], 2));
    }

    #[test]
    fn the_last_entry_is_not_counted_down() {
        let mut uses = four();
        let frame = Frame::new(FIRST + 1);
        assert!(!uses.count_down(frame));
        assert!(uses.count_up(frame) && uses.count_down(frame) && !uses.count_down(frame));
        assert_eq!(counts(&uses), [0; 4]);
    }

    #[test]
    fn a_count_ends_at_255_entries() {
        let mut uses = four();
        let frame = Frame::new(FIRST + 1);
        assert_eq!((0..300).filter(|_| uses.count_up(frame)).count(), 254);
        assert_eq!(counts(&uses), [0, 254, 0, 0]);
        assert!(uses.count_down(frame) && uses.count_up(frame) && !uses.count_up(frame));
    }

    #[test]
    fn page_tables_are_marked_found_and_never_shared() {
        let mut uses = four();
        let table = |index| Frame::new(FIRST + index);
        assert_eq!(uses.table_from(Frame::new(0)), None);
        uses.mark_table(table(1));
        uses.mark_table(table(3));
        assert_eq!((uses.tables(), uses.is_table(table(1)), uses.is_table(table(2))), (2, true, false));
        let from = [0, FIRST, FIRST + 2, FIRST + 4].map(|number| uses.table_from(Frame::new(number)));
        assert_eq!(from, [1, 1, 3, 1].map(|index| Some(table(index))));
        assert!(!uses.count_up(table(1)) && !uses.count_down(table(1)));
        assert_eq!((counts(&uses), uses.shared_frames()), ([0; 4], 0));
        uses.unmark_table(table(1));
        uses.unmark_table(table(2));
        assert_eq!((uses.tables(), uses.table_from(table(0))), (1, Some(table(3))));
    }

    #[test]
    fn frames_of_no_pool_are_never_shared() {
        let mut uses = four();
        for number in [0, FIRST - 1, FIRST + 4, 0xF_FFFF] {
            let frame = Frame::new(number);
            assert!(!uses.count_up(frame) && !uses.count_down(frame), "frame {number:#x}");
            assert_eq!(uses.beyond_first(frame), 0);
        }
    }
}
