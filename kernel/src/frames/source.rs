//! The frame pool as the rest of the kernel sees it: states of frames, a source of single ones, reasons to refuse a release.

use crate::addr::Frame;
use core::fmt;

/// The state of a frame of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameState {
    /// Nobody has it.
    Free,
    /// It was handed out, as the first of a sequence.
    Head,
    /// It was handed out, as a further one of a sequence.
    Inner,
    /// It is never handed out and never released.
    Inaccessible,
}

/// Why frames were not released. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReleaseError {
    /// No pool holds this frame.
    Foreign(Frame),
    /// The frame is free already.
    Free(Frame),
    /// The frame is inside a sequence; only a sequence's first frame releases it.
    Inner(Frame),
    /// The frame was marked inaccessible.
    Inaccessible(Frame),
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (frame, why) = match self {
            Self::Foreign(frame) => (frame, "belongs to no pool"),
            Self::Free(frame) => (frame, "is already free"),
            Self::Inner(frame) => (frame, "is not the first of its sequence"),
            Self::Inaccessible(frame) => (frame, "is inaccessible"),
        };
        write!(f, "frame {:#x} {why}", frame.number())
    }
}

/// Where page tables and lazy pages get their frames, one at a time.
///
/// The seam between paging and a pool: a test can put a pool that fails at the k-th request behind it.
pub trait FrameSource {
    /// Returns a frame that nobody else has, with unknown contents, or `None` if there is none left.
    fn get_frame(&mut self) -> Option<Frame>;

    /// Takes a frame back that [`get_frame`](Self::get_frame) returned.
    ///
    /// # Errors
    ///
    /// As for [`FramePool::release_frames`](super::FramePool::release_frames); nothing changes then.
    fn release_frame(&mut self, frame: Frame) -> Result<(), ReleaseError>;

    /// Takes back many frames, each as [`release_frame`](Self::release_frame) does, for less: neighbours that follow each
    /// other are taken back together, and one that is named twice among them only once: whether the second counts as refused
    /// is the pool's choice.
    ///
    /// Returns how many were refused, as [`release_frame`](Self::release_frame) would. Each of them is left as it was.
    #[must_use = "whoever releases a frame twice has lost count of its frames"]
    fn release_each(&mut self, frames: impl Iterator<Item = Frame>) -> u32;

    /// Returns how many frames are free.
    fn free_frames(&self) -> u32;
}
