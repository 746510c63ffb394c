//! Contiguous frame pools: which physical frames are free.
//!
//! A [`FramePool`] hands out single frames and contiguous sequences of a range of frames, and takes them back by their
//! first frame alone. It never touches the frames themselves; its bookkeeping lies in storage that the caller lends it,
//! so the kernel uses reserved frames and a test uses a `Vec`.
//!
//! One frame, got or released, costs the same at any fill (`map`); a sequence costs the logarithm of the pool
//! (`runs`), and the first one after many single frames what these have put off. Only pages and regions know what a
//! frame is used for: nothing here does.

mod known;
mod map;
mod pool;
mod runs;

pub use pool::{FramePool, MarkError, ReleaseError, release_frames};

use crate::addr::Frame;

/// What a frame of a pool is.
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
    /// As for [`FramePool::release_frames`]; nothing changes then.
    fn release_frame(&mut self, frame: Frame) -> Result<(), ReleaseError>;

    /// Takes back many frames, each as [`release_frame`](Self::release_frame) does, for less: neighbours that follow each
    /// other are taken back together, and one that is named twice among them only once.
    ///
    /// # Errors
    ///
    /// As for [`FramePool::release_frames`], for the first frame that was refused. Each refused one is left as it was.
    fn release_each(&mut self, frames: impl Iterator<Item = Frame>) -> Result<(), ReleaseError>;

    /// Returns how many frames are free.
    fn free_frames(&self) -> u32;
}
