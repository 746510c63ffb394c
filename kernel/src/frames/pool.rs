//! The frame pool itself.

use super::map::Map;
use super::run_cache::{RunCache, UNKNOWN};
use super::runs::RunTree;
use super::source::{FrameSource, FrameState, ReleaseError};
use crate::addr::{Frame, FrameRange, PAGE_SIZE};
use core::fmt;

/// Why frames were not marked inaccessible. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MarkError {
    /// This frame of the range is not in the pool.
    Outside(Frame),
    /// This frame of the range was handed out.
    InUse(Frame),
}

impl fmt::Display for MarkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside(frame) => write!(f, "frame {:#x} is not in the pool", frame.number()),
            Self::InUse(frame) => write!(f, "frame {:#x} is in use", frame.number()),
        }
    }
}

/// A range of physical frames with an allocator.
///
/// The coursework calls it `ContFramePool`.
pub struct FramePool<'a> {
    range: FrameRange,
    /// The length of the range, cached for the paths of single frames.
    len: u32,
    map: Map<'a>,
    runs: RunTree<'a>,
    free: u32,
    cache: RunCache,
    /// Frames that were refused since [`FrameSource::release_each`] began.
    refused: u32,
}

impl<'a> FramePool<'a> {
    /// Returns how many frames the map of a pool of `frames` frames fills, at two bits a frame: 16384 frames for each.
    ///
    /// This is the coursework's figure. The search trees above the map need some more: see
    /// [`storage_words`](Self::storage_words).
    pub const fn needed_info_frames(frames: u32) -> u32 {
        frames.div_ceil(PAGE_SIZE * 8 / 2)
    }

    /// Returns how many 32-bit words of storage a pool of `frames` frames needs: the map and the search trees.
    ///
    /// Up to 8192 frames this fits into 4 KiB; a million frames need 100 KiB beside the map's 256 KiB.
    pub const fn storage_words(frames: u32) -> usize {
        2 * Map::words_needed(frames) + 3 * RunTree::nodes_needed(frames) + Map::bits_needed(frames)
    }

    /// Makes a pool of the frames in `range`, all free, with its bookkeeping in `storage`.
    ///
    /// The storage may lie in frames of the pool: mark those inaccessible then, before anything is handed out.
    /// Returns `None` if `storage` is shorter than [`storage_words`](Self::storage_words) of the range's length.
    pub fn new(range: FrameRange, storage: &'a mut [u32]) -> Option<Self> {
        let frames = range.len();
        if storage.len() < Self::storage_words(frames) {
            return None;
        }
        let (words, rest) = storage.split_at_mut(2 * Map::words_needed(frames));
        let (nodes, rest) = rest.split_at_mut(3 * RunTree::nodes_needed(frames));
        let (with_free, _) = rest.split_at_mut(Map::bits_needed(frames));
        let map = Map::new(frames, words.as_chunks_mut().0, with_free);
        let runs = RunTree::new(frames, nodes.as_chunks_mut().0);
        Some(Self { range, len: frames, map, runs, free: frames, cache: RunCache::NOTHING, refused: 0 })
    }

    /// Returns the frames that the pool was made of.
    pub fn range(&self) -> FrameRange {
        self.range
    }

    /// Returns where the map of the pool is in memory, two bits a frame in pairs of words, for whoever reads it from
    /// outside: a frame has a bit in each word of a pair. Both set are a free frame, only the first an inaccessible one,
    /// only the second the first of a sequence, none a further one.
    pub fn map_address(&self) -> usize {
        self.map.address()
    }

    /// Returns how many frames are free.
    pub fn free_frames(&self) -> u32 {
        self.free
    }

    /// Returns the length of the longest run of free frames.
    pub fn longest_run(&mut self) -> u32 {
        self.runs.longest(&self.map)
    }

    /// Returns what `frame` is, or `None` if it is not in this pool.
    pub fn state(&self, frame: Frame) -> Option<FrameState> {
        self.index(frame).map(|index| self.map.state(index))
    }

    /// Hands out the lowest free frame: a sequence of one.
    #[inline(always)] // on the fault path
    pub fn get_frame(&mut self) -> Option<Frame> {
        let index = self.map.take_lowest()?;
        self.cache.single_taken(index);
        // There was one, or none would have been taken.
        self.free = self.free.wrapping_sub(1);
        Some(self.frame(index))
    }

    /// Hands out `n` contiguous free frames and returns the first, or `None` if there is no such run or `n` is 0. It is
    /// the lowest such run, unless one is cached: the rest of the last one found, or one that was released.
    pub fn get_frames(&mut self, n: u32) -> Option<Frame> {
        match n {
            0 => return None,
            1 => return self.get_frame(),
            _ if n > self.cache.no_longer_than => return None,
            _ => {}
        }
        if self.cache.run() < n {
            let Some(first) = self.runs.find(&self.map, n) else {
                self.cache.no_longer_than = n - 1;
                return None;
            };
            self.cache.set_run(first, first + n + self.map.run_from(first + n));
        }
        let first = self.cache.start;
        self.cache.set_run(first + n, self.cache.end);
        self.set(first, n, FrameState::Inner);
        self.map.set((first >> 5) as usize, 1 << (first & 31), FrameState::Head);
        self.free -= n;
        Some(self.frame(first))
    }

    /// Takes back the whole sequence that starts with `first`.
    ///
    /// # Errors
    ///
    /// Refused unless `first` is the first frame of a sequence of this pool.
    #[inline(always)] // its first lines, which are enough for single frames
    pub fn release_frames(&mut self, first: Frame) -> Result<(), ReleaseError> {
        let index = first.number().wrapping_sub(self.range.start.number());
        if !self.map.free_single(index) {
            return self.release_sequence(first);
        }
        self.note_single_freed(index);
        Ok(())
    }

    #[inline(always)] // part of the release of a single frame
    fn note_single_freed(&mut self, index: u32) {
        self.runs.mark_stale(index);
        // It is not above the number of frames.
        self.free = self.free.wrapping_add(1);
        if self.cache.no_longer_than != UNKNOWN {
            self.bound_after_one(index);
        }
    }

    /// Raises the bound of all runs after frame `index` was freed.
    #[inline(never)]
    fn bound_after_one(&mut self, index: u32) {
        self.cache.raise_bound(self.map.run_around(index, index));
    }

    /// Raises the bound of all runs after the frames from `first` to `last` were freed, or some of them.
    #[cold]
    fn bound_after(&mut self, first: u32, last: u32) {
        self.cache.raise_bound(self.map.run_around(first, last));
    }

    #[cold]
    fn release_sequence(&mut self, first: Frame) -> Result<(), ReleaseError> {
        let index = first.number().wrapping_sub(self.range.start.number());
        if self.map.free_last(index) {
            self.note_single_freed(index);
            return Ok(());
        }
        let index = self.index(first).ok_or(ReleaseError::Foreign(first))?;
        match self.map.state(index) {
            FrameState::Head => {}
            FrameState::Free => return Err(ReleaseError::Free(first)),
            FrameState::Inner => return Err(ReleaseError::Inner(first)),
            FrameState::Inaccessible => return Err(ReleaseError::Inaccessible(first)),
        }
        let n = 1 + self.inner_after(index);
        self.set(index, n, FrameState::Free);
        self.free += n;
        if self.cache.no_longer_than != UNKNOWN {
            self.bound_after(index, index + n - 1);
        }
        if n > self.cache.run() {
            self.cache.set_run(index, index + n);
        }
        Ok(())
    }

    /// Takes the `n` frames from `first` on out of the pool for ever. Frames that are inaccessible already stay so.
    ///
    /// # Errors
    ///
    /// Refused if one of them is not in the pool or was handed out.
    pub fn mark_inaccessible(&mut self, first: Frame, n: u32) -> Result<(), MarkError> {
        if n == 0 {
            return Ok(());
        }
        let start = self.index(first).ok_or(MarkError::Outside(first))?;
        let Some(end) = first.number().checked_add(n).filter(|end| *end <= self.range.end.number()) else {
            return Err(MarkError::Outside(self.range.end));
        };
        let end = end - self.range.start.number();
        let mut newly = 0;
        for index in start..end {
            match self.map.state(index) {
                FrameState::Free => newly += 1,
                FrameState::Inaccessible => {}
                FrameState::Head | FrameState::Inner => return Err(MarkError::InUse(self.frame(index))),
            }
        }
        self.set(start, n, FrameState::Inaccessible);
        self.cache.set_run(0, 0);
        self.free -= newly;
        Ok(())
    }

    /// Says whether the pool's bookkeeping agrees with itself.
    pub fn check(&self) -> bool {
        let free: u32 = (0..self.map.words()).map(|word| self.map.free_bits(word).count_ones()).sum();
        let known = (0..self.cache.run()).all(|more| self.map.state(self.cache.start + more) == FrameState::Free);
        let bounded = self.cache.no_longer_than == UNKNOWN || self.longest_by_map() <= self.cache.no_longer_than;
        free == self.free && known && bounded && self.map.is_sound() && self.runs.is_sound(&self.map)
    }

    /// Returns the length of the longest run of free frames, by a look at each.
    fn longest_by_map(&self) -> u32 {
        let runs = (0..self.len).scan(0, |run, index| {
            *run = if self.map.state(index) == FrameState::Free { *run + 1 } else { 0 };
            Some(*run)
        });
        runs.max().unwrap_or(0)
    }

    fn index(&self, frame: Frame) -> Option<u32> {
        let index = frame.number().wrapping_sub(self.range.start.number());
        (index < self.len).then_some(index)
    }

    fn frame(&self, index: u32) -> Frame {
        Frame::new(self.range.start.number().wrapping_add(index))
    }

    /// Counts the inner frames that follow `index`.
    #[inline]
    fn inner_after(&self, index: u32) -> u32 {
        let next = index + 1;
        let (mut word, bit) = (next as usize / 32, next % 32);
        let mut count = (self.map.inner_bits(word) >> bit).trailing_ones();
        if bit + count == 32 {
            loop {
                word += 1;
                let more = self.map.inner_bits(word).trailing_ones();
                count += more;
                if more < 32 {
                    break;
                }
            }
        }
        count
    }

    /// Takes back the frames in `mask` of a word of the map, each a sequence of one as a rule. Counts those that are refused.
    fn release_in_word(&mut self, word: u32, mask: u32) {
        if mask == 0 {
            return;
        }
        if (word as usize) < self.map.words() && self.map.free_singles(word as usize, mask) {
            self.runs.mark_stale(word << 5);
            self.free += mask.count_ones();
            if self.cache.no_longer_than != UNKNOWN {
                self.bound_after(word << 5 | mask.trailing_zeros(), word << 5 | (31 - mask.leading_zeros()));
            }
            return;
        }
        for bit in (0..32).filter(|bit| mask & 1 << bit != 0) {
            let released = self.release_frames(self.frame(word << 5 | bit));
            self.refused += u32::from(released.is_err());
        }
    }

    /// Makes the `n` frames from `index` on all `state`, a word of the map at a time.
    #[inline]
    fn set(&mut self, index: u32, n: u32, state: FrameState) {
        let (mut from, end) = (index, index + n);
        while from < end {
            let to = end.min((from | 31) + 1);
            let word = from as usize / 32;
            let mask = (u32::MAX >> (32 - (to - from))) << (from % 32);
            self.map.set(word, mask, state);
            if state == FrameState::Free {
                self.runs.mark_stale(from);
            }
            from = to;
        }
    }
}

impl FrameSource for FramePool<'_> {
    #[inline(always)] // on the fault path
    fn get_frame(&mut self) -> Option<Frame> {
        self.get_frame()
    }

    #[inline]
    fn release_frame(&mut self, frame: Frame) -> Result<(), ReleaseError> {
        self.release_frames(frame)
    }

    #[inline(always)] // the loop that releases pages
    fn release_each(&mut self, frames: impl Iterator<Item = Frame>) -> u32 {
        let start = self.range.start.number();
        self.refused = 0;
        // The number of the frame at bit 0 of the mask: the first of a word of the map.
        let (mut from, mut mask) = (start, 0);
        for frame in frames {
            let mut bit = frame.number().wrapping_sub(from);
            if bit >= 32 {
                self.release_in_word(from.wrapping_sub(start) >> 5, mask);
                bit = frame.number().wrapping_sub(start) & 31;
                (from, mask) = (frame.number().wrapping_sub(bit), 0);
            }
            mask |= 1 << bit;
        }
        self.release_in_word(from.wrapping_sub(start) >> 5, mask);
        self.refused
    }

    fn free_frames(&self) -> u32 {
        self.free
    }
}

/// Takes back the sequence that starts with `first`, into whichever of `pools` it came from.
///
/// # Errors
///
/// As for [`FramePool::release_frames`]; [`ReleaseError::Foreign`] if none of the pools holds the frame.
pub fn release_frames(pools: &mut [&mut FramePool<'_>], first: Frame) -> Result<(), ReleaseError> {
    match pools.iter_mut().find(|pool| pool.range.contains(first)) {
        Some(pool) => pool.release_frames(first),
        None => Err(ReleaseError::Foreign(first)),
    }
}
