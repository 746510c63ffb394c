//! A frame pool as a plain bitmap: two bits a frame, a scan from the start, and a count of what is free.

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
pub struct FramePool<'a> {
    range: FrameRange,
    /// Pairs of words, 32 frames each: in the first the bit says free or inaccessible, in the second free or head.
    map: &'a mut [[u32; 2]],
    free: u32,
}

impl<'a> FramePool<'a> {
    /// Returns how many frames the map of `frames` frames fills.
    pub const fn needed_info_frames(frames: u32) -> u32 {
        frames.div_ceil(PAGE_SIZE * 8 / 2)
    }

    /// Returns how many words of storage a pool of `frames` frames needs.
    pub const fn storage_words(frames: u32) -> usize {
        2 * frames.div_ceil(32) as usize
    }

    /// Makes a pool of the frames in `range`, all free.
    pub fn new(range: FrameRange, storage: &'a mut [u32]) -> Option<Self> {
        let map = storage.get_mut(..Self::storage_words(range.len()))?.as_chunks_mut().0;
        map.fill([u32::MAX, 0]);
        let mut pool = Self { range, map, free: range.len() };
        range.iter().for_each(|frame| pool.set(frame, FrameState::Free));
        Some(pool)
    }

    /// Returns the frames that the pool was made of.
    pub fn range(&self) -> FrameRange {
        self.range
    }

    /// Returns where the map is in memory.
    pub fn map_address(&self) -> usize {
        self.map.as_ptr().addr()
    }

    /// Returns how many frames are free.
    pub fn free_frames(&self) -> u32 {
        self.free
    }

    /// Returns the length of the longest run of free frames.
    pub fn longest_run(&mut self) -> u32 {
        let mut run = 0;
        let runs = self.range.iter().map(|frame| {
            run = if self.is_free(frame) { run + 1 } else { 0 };
            run
        });
        runs.max().unwrap_or(0)
    }

    /// Returns what `frame` is, or `None` if it is not in this pool.
    pub fn state(&self, frame: Frame) -> Option<FrameState> {
        if !self.range.contains(frame) {
            return None;
        }
        let (word, bit) = self.place(frame);
        Some(match self.map[word].map(|bits| bits & bit != 0) {
            [true, true] => FrameState::Free,
            [true, false] => FrameState::Inaccessible,
            [false, true] => FrameState::Head,
            [false, false] => FrameState::Inner,
        })
    }

    fn is_free(&self, frame: Frame) -> bool {
        self.state(frame) == Some(FrameState::Free)
    }

    fn set(&mut self, frame: Frame, state: FrameState) {
        let (word, bit) = self.place(frame);
        let bits = match state {
            FrameState::Free => [true, true],
            FrameState::Inaccessible => [true, false],
            FrameState::Head => [false, true],
            FrameState::Inner => [false, false],
        };
        for (word, is_set) in self.map[word].iter_mut().zip(bits) {
            *word = if is_set { *word | bit } else { *word & !bit };
        }
    }

    /// Returns the pair of words and the bit of a frame of the pool.
    fn place(&self, frame: Frame) -> (usize, u32) {
        let index = frame.number() - self.range.start.number();
        (index as usize / 32, 1 << (index % 32))
    }

    /// Hands out the lowest free frame.
    pub fn get_frame(&mut self) -> Option<Frame> {
        let word = self.map.iter().position(|[free, head]| free & head != 0)?;
        let bit = (self.map[word][0] & self.map[word][1]).trailing_zeros();
        let frame = Frame::new(self.range.start.number() + 32 * word as u32 + bit);
        self.set(frame, FrameState::Head);
        self.free -= 1;
        Some(frame)
    }

    /// Hands out `n` contiguous free frames: the lowest such run.
    pub fn get_frames(&mut self, n: u32) -> Option<Frame> {
        if n == 0 {
            return None;
        }
        let mut run = 0;
        let last = self.range.iter().find(|frame| {
            run = if self.is_free(*frame) { run + 1 } else { 0 };
            run == n
        })?;
        let first = Frame::new(last.number() + 1 - n);
        for number in first.number() + 1..=last.number() {
            self.set(Frame::new(number), FrameState::Inner);
        }
        self.set(first, FrameState::Head);
        self.free -= n;
        Some(first)
    }

    /// Takes back the whole sequence that starts with `first`.
    pub fn release_frames(&mut self, first: Frame) -> Result<(), ReleaseError> {
        match self.state(first).ok_or(ReleaseError::Foreign(first))? {
            FrameState::Head => {}
            FrameState::Free => return Err(ReleaseError::Free(first)),
            FrameState::Inner => return Err(ReleaseError::Inner(first)),
            FrameState::Inaccessible => return Err(ReleaseError::Inaccessible(first)),
        }
        let mut frame = first;
        loop {
            self.set(frame, FrameState::Free);
            self.free += 1;
            frame = Frame::new(frame.number() + 1);
            if self.state(frame) != Some(FrameState::Inner) {
                return Ok(());
            }
        }
    }

    /// Takes the `n` frames from `first` on out of the pool for ever.
    pub fn mark_inaccessible(&mut self, first: Frame, n: u32) -> Result<(), MarkError> {
        let frames = FrameRange::new(first, Frame::new(first.number().saturating_add(n)));
        if let Some(outside) = frames.iter().find(|frame| !self.range.contains(*frame)) {
            return Err(MarkError::Outside(outside));
        }
        let is_in_use = |frame| matches!(self.state(frame), Some(FrameState::Head | FrameState::Inner));
        if let Some(in_use) = frames.iter().find(|frame| is_in_use(*frame)) {
            return Err(MarkError::InUse(in_use));
        }
        for frame in frames.iter() {
            self.free -= u32::from(self.is_free(frame));
            self.set(frame, FrameState::Inaccessible);
        }
        Ok(())
    }

    /// Says whether the count of free frames agrees with the map.
    pub fn check(&self) -> bool {
        self.free == self.map.iter().map(|[free, head]| (free & head).count_ones()).sum::<u32>()
    }
}

impl FrameSource for FramePool<'_> {
    fn get_frame(&mut self) -> Option<Frame> {
        self.get_frame()
    }

    fn release_frame(&mut self, frame: Frame) -> Result<(), ReleaseError> {
        self.release_frames(frame)
    }

    fn release_each(&mut self, frames: impl Iterator<Item = Frame>) -> u32 {
        frames.map(|frame| u32::from(self.release_frames(frame).is_err())).sum()
    }

    fn free_frames(&self) -> u32 {
        self.free
    }
}

/// Takes back the sequence that starts with `first`, into whichever of `pools` it came from.
pub fn release_frames(pools: &mut [&mut FramePool<'_>], first: Frame) -> Result<(), ReleaseError> {
    match pools.iter_mut().find(|pool| pool.range.contains(first)) {
        Some(pool) => pool.release_frames(first),
        None => Err(ReleaseError::Foreign(first)),
    }
}
