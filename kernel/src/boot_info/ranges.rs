//! The available memory as ranges of frames: found in the boot loader's map, kept in a fixed array.

use crate::addr::{Frame, FrameRange};
use crate::memory_map::KERNEL_POOL;
use core::fmt;

const NONE: FrameRange = FrameRange::new(Frame::new(0), Frame::new(0));

/// Calls back for each piece of memory, with its frames and whether they are available. They may come in any order and
/// overlap; what is available in one and not in another is not.
pub(super) type Pieces<'a> = &'a dyn Fn(&mut dyn FnMut(FrameRange, bool));

/// The available frames as ascending ranges that do not touch.
///
/// The pieces are walked through a few times for each edge, so nothing is stored, and no number of them is too large.
pub(super) struct Sweep<'a> {
    pieces: Pieces<'a>,
    from: Frame,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(pieces: Pieces<'a>) -> Self {
        Self { pieces, from: Frame::new(0) }
    }

    /// Returns the lowest frame that `choose` finds in a piece which is available, or not, as asked.
    fn lowest(&self, available: bool, choose: impl Fn(FrameRange) -> Option<Frame>) -> Option<Frame> {
        let mut lowest = None;
        (self.pieces)(&mut |range, is_available| {
            if is_available == available && !range.is_empty() {
                lowest = [lowest, choose(range)].into_iter().flatten().min();
            }
        });
        lowest
    }

    /// Returns the first frame from `self.from` on.
    fn start(&self) -> Option<Frame> {
        let mut start = self.from;
        loop {
            start = self.lowest(true, |range| (range.end > start).then(|| range.start.max(start)))?;
            match self.lowest(false, |range| range.contains(start).then_some(range.end)) {
                Some(end) => start = end,
                None => return Some(start),
            }
        }
    }

    /// Returns where the range that begins with `start` ends.
    fn end(&self, start: Frame) -> Frame {
        let mut end = start;
        while let Some(further) = self.lowest(true, |range| range.contains(end).then_some(range.end)) {
            end = further;
        }
        self.lowest(false, |range| (range.start > start).then_some(range.start)).map_or(end, |cut| cut.min(end))
    }
}

impl Iterator for Sweep<'_> {
    type Item = FrameRange;

    fn next(&mut self) -> Option<FrameRange> {
        let start = self.start()?;
        self.from = self.end(start);
        Some(FrameRange::new(start, self.from))
    }
}

/// Up to `N` ascending ranges. Of more, the largest are kept, and the one with the kernel pool in any case: without it
/// the kernel could not start.
pub(super) struct Ranges<const N: usize> {
    ranges: [FrameRange; N],
    count: usize,
    left_out: u32,
}

impl<const N: usize> Ranges<N> {
    pub(super) const EMPTY: Self = Self { ranges: [NONE; N], count: 0, left_out: 0 };

    pub(super) fn as_slice(&self) -> &[FrameRange] {
        &self.ranges[..self.count]
    }

    /// Returns how many frames found no room.
    pub(super) fn left_out(&self) -> u32 {
        self.left_out
    }

    /// Adds `new`, which lies above all others.
    pub(super) fn push(&mut self, new: FrameRange) {
        if let Some(place) = self.ranges.get_mut(self.count) {
            *place = new;
            self.count += 1;
            return;
        }
        let worth = |range: &FrameRange| (range.overlaps(KERNEL_POOL), range.len());
        let least = (0..N).min_by_key(|index| worth(&self.ranges[*index]));
        match least.filter(|index| worth(&self.ranges[*index]) < worth(&new)) {
            Some(least) => {
                self.left_out += self.ranges[least].len();
                self.ranges.copy_within(least + 1.., least);
                self.ranges[N - 1] = new;
            }
            None => self.left_out += new.len(),
        }
    }
}

impl<const N: usize> fmt::Debug for Ranges<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    fn range(start: u32, end: u32) -> FrameRange {
        FrameRange::new(Frame::new(start), Frame::new(end))
    }

    fn kept<const N: usize>(ranges: &[FrameRange]) -> Ranges<N> {
        let mut kept = Ranges::EMPTY;
        ranges.iter().for_each(|range| kept.push(*range));
        kept
    }

    #[test]
    fn a_full_table_keeps_the_largest_and_counts_the_rest() {
        let table = kept::<2>(&[range(0, 9), range(20, 25), range(30, 37), range(40, 41)]);
        assert_eq!((table.as_slice(), table.left_out()), (&[range(0, 9), range(30, 37)][..], 6));
    }

    #[test]
    fn a_full_table_keeps_the_kernel_pool() {
        let pool = range(KERNEL_POOL.start.number(), KERNEL_POOL.end.number());
        let table = kept::<2>(&[pool, range(0x1000, 0x2000), range(0x3000, 0x5000)]);
        assert_eq!((table.as_slice(), table.left_out()), (&[pool, range(0x3000, 0x5000)][..], 0x1000));
    }

    fn some_ranges() -> impl Strategy<Value = Vec<FrameRange>> {
        // Some of them are the wrong way around, and empty.
        prop::collection::vec((1u32..64, 0u32..16).prop_map(|(start, length)| range(start, start + length - 1)), 0..20)
    }

    proptest! {
        #![proptest_config(crate::seed::config(256))]
        #[test]
        fn what_is_available_and_not_reserved_is_found(available in some_ranges(), reserved in some_ranges()) {
            let frames = |ranges: &[FrameRange]| ranges.iter().flat_map(|range| range.iter()).collect::<BTreeSet<_>>();
            let pieces = |tell: &mut dyn FnMut(FrameRange, bool)| {
                available.iter().for_each(|range| tell(*range, true));
                reserved.iter().for_each(|range| tell(*range, false));
            };
            let found: Vec<FrameRange> = Sweep::new(&pieces).collect();
            prop_assert_eq!(frames(&found), &frames(&available) - &frames(&reserved));
            prop_assert!(found.windows(2).all(|pair| pair[0].end < pair[1].start));
        }
    }
}
