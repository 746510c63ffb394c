//! A set of frames, kept as a few ascending ranges in a fixed array.

use crate::addr::{Frame, FrameRange};
use core::fmt;

const NONE: FrameRange = FrameRange::new(Frame::new(0), Frame::new(0));

/// Up to `N` ranges: none is empty, each starts above the end of the one before.
///
/// What no room is left for is not in the set, so a full set holds too few frames but never a wrong one.
#[derive(Clone)]
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

    /// Adds `new`, joined with the ranges that it touches.
    pub(super) fn insert(&mut self, mut new: FrameRange) {
        if new.is_empty() {
            return;
        }
        let old = self.take();
        for &range in old.as_slice() {
            if range.end.number() < new.start.number() {
                self.push(range);
            } else if new.end.number() < range.start.number() {
                self.push(new);
                new = range;
            } else {
                new.start = if range.start < new.start { range.start } else { new.start };
                new.end = if range.end > new.end { range.end } else { new.end };
            }
        }
        self.push(new);
    }

    /// Takes out every frame of `gone`.
    pub(super) fn remove(&mut self, gone: FrameRange) {
        if gone.is_empty() {
            return;
        }
        let old = self.take();
        for &range in old.as_slice() {
            self.push(FrameRange::new(range.start, if range.end < gone.start { range.end } else { gone.start }));
            self.push(FrameRange::new(if range.start > gone.end { range.start } else { gone.end }, range.end));
        }
    }

    fn take(&mut self) -> Self {
        let old = self.clone();
        self.count = 0;
        old
    }

    fn push(&mut self, range: FrameRange) {
        if range.is_empty() {
            return;
        }
        match self.ranges.get_mut(self.count) {
            Some(place) => {
                *place = range;
                self.count += 1;
            }
            None => self.left_out += range.len(),
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

    fn range(start: u32, end: u32) -> FrameRange {
        FrameRange::new(Frame::new(start), Frame::new(end))
    }

    #[test]
    fn neighbours_become_one() {
        let mut set = Ranges::<4>::EMPTY;
        set.insert(range(0, 4));
        set.insert(range(8, 9));
        set.insert(range(4, 8));
        assert_eq!(set.as_slice(), [range(0, 9)]);
    }

    #[test]
    fn what_finds_no_room_is_counted_and_not_in_the_set() {
        let mut set = Ranges::<2>::EMPTY;
        set.insert(range(0, 9));
        set.insert(range(20, 29));
        set.remove(range(4, 5));
        assert_eq!((set.as_slice(), set.left_out()), (&[range(0, 4), range(5, 9)][..], 9));
    }

    proptest! {
        #[test]
        fn a_set_of_ranges_is_a_set_of_frames(steps in prop::collection::vec((any::<bool>(), 0u32..64, 0u32..16), 0..40)) {
            let (mut set, mut model) = (Ranges::<64>::EMPTY, BTreeSet::new());
            for (add, start, length) in steps {
                if add {
                    set.insert(range(start, start + length));
                    model.extend(start..start + length);
                } else {
                    set.remove(range(start, start + length));
                    model.retain(|frame| !(start..start + length).contains(frame));
                }
                let frames: Vec<u32> = set.as_slice().iter().flat_map(|range| range.iter()).map(Frame::number).collect();
                prop_assert_eq!(frames, model.iter().copied().collect::<Vec<_>>());
                prop_assert!(set.as_slice().windows(2).all(|pair| pair[0].end < pair[1].start));
            }
        }
    }
}
