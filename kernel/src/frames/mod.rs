//! Contiguous frame pools: which physical frames are free.
//!
//! A [`FramePool`] hands out single frames and contiguous sequences of a range of frames, and takes them back by their
//! first frame alone. It never touches the frames themselves; its bookkeeping lies in storage that the caller lends it,
//! so the kernel uses reserved frames and a test uses a `Vec`.
//!
//! A single frame costs the same at any fill (`map`). A run costs O(log n) (`runs`); the first one after many single
//! operations also pays for the updates that they deferred. Only pages and regions know what a frame is used for:
//! nothing here does.

mod map;
mod pool;
mod run_cache;
mod runs;
mod source;

pub use pool::{FramePool, MarkError, release_frames};
pub use source::{FrameSource, FrameState, ReleaseError};
