//! The frames that the memory map leaves for the frame pools: plain functions of the available ranges, which ascend and do not touch.

use crate::addr::FrameRange;
use crate::memory_map::{HOLE, PROCESS_POOL_START};

/// Returns the frames of the process pool: from 4 MiB to the end of `available` memory. Empty if that ends below.
pub fn process_pool(available: &[FrameRange]) -> FrameRange {
    let end = available.last().map_or(PROCESS_POOL_START, |range| range.end);
    FrameRange::new(PROCESS_POOL_START, end.max(PROCESS_POOL_START))
}

/// Returns how many frames the process pool can hand out: available, above 4 MiB, outside the hole.
pub fn process_frames(available: &[FrameRange]) -> u32 {
    let pool = process_pool(available);
    let usable = |range: &FrameRange| {
        let inside = range.intersection(pool);
        inside.len() - inside.intersection(HOLE).len()
    };
    available.iter().map(usable).sum()
}

/// Walks through what is not `available` of `pool`, in ascending order. A range may be empty.
pub fn unavailable(available: &[FrameRange], pool: FrameRange) -> impl Iterator<Item = FrameRange> {
    let mut from = pool.start;
    let end = FrameRange::new(pool.end, pool.end);
    available.iter().copied().chain([end]).map(move |range| {
        let gap = FrameRange::new(from, range.start.clamp(from, pool.end));
        from = range.end.clamp(from, pool.end);
        gap
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::Frame;
    use std::vec::Vec;

    fn range(start: u32, end: u32) -> FrameRange {
        FrameRange::new(Frame::new(start), Frame::new(end))
    }

    /// The reference machine: free below 640 KiB, and from 1 MiB to 32 MiB.
    const REFERENCE: [FrameRange; 2] =
        [FrameRange::new(Frame::new(0), Frame::new(0x9F)), FrameRange::new(Frame::new(0x100), Frame::new(0x2000))];

    fn gaps(available: &[FrameRange], pool: FrameRange) -> Vec<FrameRange> {
        unavailable(available, pool).filter(|gap| !gap.is_empty()).collect()
    }

    #[test]
    fn the_process_pool_ends_with_the_memory_and_has_a_hole() {
        assert_eq!(process_pool(&REFERENCE), range(0x400, 0x2000));
        assert_eq!(process_frames(&REFERENCE), 6912);
        // The memory ends in the hole, and then in a gap above it.
        assert_eq!(process_frames(&[range(0x100, 0xF80)]), 0xF00 - 0x400);
        assert_eq!(process_frames(&[range(0x100, 0x1100), range(0x1200, 0x1300)]), 0xB00 + 0x100 + 0x100);
    }

    #[test]
    fn without_memory_above_4_mib_the_process_pool_is_empty() {
        for available in [&[][..], &[range(0, 0x200)], &[range(0, 0x400)]] {
            assert!(process_pool(available).is_empty());
            assert_eq!(process_frames(available), 0);
        }
    }

    #[test]
    fn what_the_map_does_not_call_available_is_found_in_between_and_at_both_ends() {
        let pool = range(0x400, 0x2000);
        assert_eq!(gaps(&REFERENCE, pool), []);
        assert_eq!(gaps(&[], pool), [pool]);
        let pieces = [range(0x100, 0x200), range(0x500, 0x600), range(0x700, 0x1000), range(0x2100, 0x2200)];
        assert_eq!(gaps(&pieces, pool), [range(0x400, 0x500), range(0x600, 0x700), range(0x1000, 0x2000)]);
        assert_eq!(gaps(&[range(0x300, 0x500), range(0x600, 0x2100)], pool), [range(0x500, 0x600)]);
    }
}
