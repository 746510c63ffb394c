//! Frames of the kernel pool as words: storage for the frame pools' bookkeeping.

use super::mmu::X86Mmu;
use crate::addr::{FrameRange, PAGE_SIZE};
use crate::memory_map::KERNEL_POOL;
use core::slice;

/// Returns the words of `frames`, which the caller has set aside for good and names here once.
///
/// Who holds the `X86Mmu` answers for what memory is used for.
///
/// # Panics
///
/// If the frames are not all in the kernel pool, which alone is mapped at its own address for ever.
pub fn words(_mmu: &X86Mmu, frames: FrameRange) -> &'static mut [u32] {
    assert!(KERNEL_POOL.contains_range(frames), "storage must lie in the kernel pool");
    let start = frames.start.start().as_u32() as *mut u32;
    // SAFETY: (1) the frames are mapped, writable, at their own address, for ever; (2) the caller set them aside and asks
    // for them once, so nothing else refers to them; (3) any 32 bits are a word.
    unsafe { slice::from_raw_parts_mut(start, (frames.len() * PAGE_SIZE / 4) as usize) }
}
