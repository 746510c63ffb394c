//! Frames of the kernel pool that Rust's objects live in for good: storage for the frame pools' bookkeeping, and the heap.

use crate::addr::{FrameRange, PAGE_SIZE};
use crate::memory_map::KERNEL_POOL;
use core::slice;
use core::sync::atomic::{AtomicU32, Ordering};

/// Where the claimed frames end: each claim lies above all before it, so no two overlap.
static CLAIMED_END: AtomicU32 = AtomicU32::new(KERNEL_POOL.start.number());

/// Claims `frames` of the kernel pool for good, and returns where they lie.
///
/// # Panics
///
/// If they are not all in the kernel pool, which alone is mapped at its own address for ever, or not above all frames that
/// were claimed before.
pub(super) fn claim(frames: FrameRange) -> *mut u8 {
    assert!(KERNEL_POOL.contains_range(frames), "{frames:?} is not in the kernel pool");
    let claimed = CLAIMED_END.swap(frames.end.number(), Ordering::Relaxed);
    assert!(frames.start.number() >= claimed, "{frames:?} is not above frame {claimed:#x}, up to which all is claimed");
    frames.start.start().as_u32() as *mut u8
}

/// Says whether `frames` lie above everything that was claimed.
pub(super) fn is_above_claims(frames: FrameRange) -> bool {
    frames.start.number() >= CLAIMED_END.load(Ordering::Relaxed)
}

/// Returns the words of `frames`, which the caller takes from the kernel pool for good.
///
/// # Panics
///
/// If the frames are not all in the kernel pool, or not above all that storage and heap have got before.
pub fn words(frames: FrameRange) -> &'static mut [u32] {
    let start = claim(frames).cast();
    // SAFETY: (1) the frames are mapped, writable, at their own address, for ever; (2) they are claimed once, so nothing
    // else refers to them; (3) any 32 bits are a word.
    unsafe { slice::from_raw_parts_mut(start, (frames.len() * PAGE_SIZE / 4) as usize) }
}
