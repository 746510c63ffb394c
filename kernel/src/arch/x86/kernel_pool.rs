//! The kernel's frame pool: the frames that are always mapped at their own address, and so can be used as memory. In them
//! are the frame pools' bookkeeping, the heap, and stacks of threads.
//!
//! The pool has a lock of its own, since the heap may have to grow while the memory is being worked on.
//!
//! Decision: docs/src/decisions/0025-a-heap-that-grows.md.

use super::lock::{Dying, Locked};
use crate::addr::{Frame, FrameRange, PAGE_SIZE};
use crate::frames::FramePool;
use crate::memory_map::KERNEL_POOL;
use core::{mem, slice};

static POOL: Locked<Option<FramePool<'static>>> = Locked::new(None);

/// The frames that hold something: so no two things share one, whatever the pool hands out.
static CLAIMED: Locked<[bool; KERNEL_POOL.len() as usize]> = Locked::new([false; KERNEL_POOL.len() as usize]);

/// Makes `pool` the kernel's.
pub fn start(pool: FramePool<'static>) {
    *POOL.lock() = Some(pool);
}

/// Works on the kernel's frame pool. Such work must not use the heap, which may have to take frames from the pool.
///
/// # Panics
///
/// If the caller is such work itself, or the pool was not started.
pub fn with<R>(work: impl FnOnce(&mut FramePool<'static>) -> R) -> R {
    match POOL.lock().as_mut() {
        Some(pool) => work(pool),
        None => panic!("the kernel's frame pool is used before it was started"),
    }
}

/// Frees the pool's lock after a death.
pub fn force_unlock(dying: &Dying) {
    POOL.force_unlock(dying);
    CLAIMED.force_unlock(dying);
}

/// Takes `n` frames that lie together from the pool and claims them. Returns `None` if there are none, or no pool yet.
pub(super) fn take(n: u32) -> Option<FrameRange> {
    let first = POOL.lock().as_mut()?.get_frames(n)?;
    let frames = FrameRange::new(first, Frame::new(first.number() + n));
    claim(frames);
    Some(frames)
}

/// Gives `frames` back, which [`take`] returned, and to which nothing refers any more.
pub(super) fn give_back(frames: FrameRange) {
    disclaim(frames);
    if let Some(Err(refused)) = POOL.lock().as_mut().map(|pool| pool.release_frames(frames.start)) {
        panic!("the kernel's frame pool does not take back what it handed out: {refused}");
    }
}

/// Claims `frames`, which the caller got from the kernel pool, and returns where they lie.
///
/// # Panics
///
/// If they are not all in the kernel pool, which alone is mapped at its own address for ever, or one was claimed before.
pub(super) fn claim(frames: FrameRange) -> *mut u8 {
    assert!(KERNEL_POOL.contains_range(frames), "{frames:?} is not in the kernel pool");
    let twice = frames.iter().find(|frame| mem::replace(&mut CLAIMED.lock()[index(*frame)], true));
    assert!(twice.is_none(), "{twice:?} of {frames:?} was handed out twice");
    frames.start.start().as_u32() as *mut u8
}

/// Takes a claim back: nothing refers to what is in `frames` any more.
pub(super) fn disclaim(frames: FrameRange) {
    frames.iter().for_each(|frame| CLAIMED.lock()[index(frame)] = false);
}

fn index(frame: Frame) -> usize {
    (frame.number() - KERNEL_POOL.start.number()) as usize
}

/// Returns the bytes of `frames`, which the caller takes from the kernel pool for good.
///
/// # Panics
///
/// As [`words`].
pub fn bytes(frames: FrameRange) -> &'static mut [u8] {
    let start = claim(frames);
    // SAFETY: as in `words`, of which this is the other form: (1) and (2) hold, and (3) any 8 bits are a byte.
    unsafe { slice::from_raw_parts_mut(start, (frames.len() * PAGE_SIZE) as usize) }
}

/// Returns the words of `frames`, which the caller takes from the kernel pool for good.
///
/// # Panics
///
/// If the frames are not all in the kernel pool, or one of them holds something.
pub fn words(frames: FrameRange) -> &'static mut [u32] {
    let start = claim(frames).cast();
    // SAFETY: (1) the frames are mapped, writable, at their own address, for ever; (2) they are claimed, for good, so
    // nothing else refers to them; (3) any 32 bits are a word.
    unsafe { slice::from_raw_parts_mut(start, (frames.len() * PAGE_SIZE / 4) as usize) }
}
