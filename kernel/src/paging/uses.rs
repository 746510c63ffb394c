//! How many entries lead to a frame.
//!
//! A frame behind a page is released when the last entry that leads to it goes. As a rule that is the only one, so these
//! counts are looked at only in tables whose directory entry says that pages were shared there.
//!
//! Decision: docs/src/decisions/0027-clones-share-frames.md.

use crate::addr::{Frame, FrameRange};

/// For each frame of a range, how many entries of page tables lead there beyond the first: a byte a frame, at most 255.
///
/// That is over all address spaces that are alive (rule **count-is-entries**).
pub struct Uses {
    frames: FrameRange,
    beyond_first: &'static mut [u8],
}

impl Uses {
    /// Makes the counts of `frames`, all 0, in `storage`; `None` if that has less than a byte for each.
    pub fn new(frames: FrameRange, storage: &'static mut [u8]) -> Option<Self> {
        let beyond_first = storage.get_mut(..frames.len() as usize)?;
        beyond_first.fill(0);
        Some(Self { frames, beyond_first })
    }

    /// Returns where the counts are in memory, for whoever reads them from outside.
    pub fn address(&self) -> usize {
        self.beyond_first.as_ptr() as usize
    }

    /// Returns how many entries lead to `frame` beyond the first.
    pub fn beyond_first(&self, frame: Frame) -> u32 {
        self.beyond_first.get(self.index(frame)).map_or(0, |count| u32::from(*count))
    }

    /// Returns how many frames have more than one entry.
    pub fn shared_frames(&self) -> u32 {
        self.beyond_first.iter().filter(|count| **count > 0).count() as u32
    }

    /// Counts one more entry that leads to `frame`. Returns false, and counts nothing, if the count can't grow: the frame is
    /// not among those that are counted, or has 256 entries.
    #[inline]
    pub fn count_up(&mut self, frame: Frame) -> bool {
        let index = self.index(frame);
        match self.beyond_first.get_mut(index) {
            None | Some(&mut u8::MAX) => false,
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
            None | Some(0) => false,
            Some(count) => {
                *count -= 1;
                true
            }
        }
    }

    fn index(&self, frame: Frame) -> usize {
        frame.number().wrapping_sub(self.frames.start.number()) as usize
    }
}
