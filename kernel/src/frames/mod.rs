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

pub use pool::{Batch, FramePool, MarkError, ReleaseError, release_frames};

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

    /// Takes back many frames, each as [`release_frame`](Self::release_frame) does, for less: neighbours are taken back
    /// together, a frame that is named twice only once. `batch` starts as the default, and [`finish`](Self::finish) must
    /// follow before anything else.
    fn release_in_batch(&mut self, batch: &mut Batch, frame: Frame);

    /// Takes back what is left in a batch.
    ///
    /// # Errors
    ///
    /// As for [`FramePool::release_frames`], for the first frame of the batch that was refused. Each refused one is left as
    /// it was.
    fn finish(&mut self, batch: Batch) -> Result<(), ReleaseError>;

    /// Returns how many frames are free.
    fn free_frames(&self) -> u32;
}
