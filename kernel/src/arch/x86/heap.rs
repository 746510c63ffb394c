//! The kernel heap: `Box` and `Vec` in frames of the kernel pool, which are always mapped (rule **eager-metadata**).

use super::lock::{Dying, Locked};
use super::storage;
use crate::addr::{FrameRange, PAGE_SIZE};
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};
use linked_list_allocator::Heap;

#[global_allocator]
static HEAP: KernelHeap = KernelHeap(Locked::new(Heap::empty()));

/// The heap behind its lock. It is empty, and every allocation fails, until [`start`] gives it frames.
struct KernelHeap(Locked<Heap>);

// SAFETY: (1) the heap hands out disjoint blocks that fit the layout; (2) a block stays valid until it is given back;
// (3) the lock keeps two calls apart.
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.lock().allocate_first_fit(layout).map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    // Once, and not at each place where something is dropped, of which there are a hundred and more.
    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: the caller got this block from this heap, with this layout.
            unsafe { self.0.lock().deallocate(block, layout) };
        }
    }
}

/// Gives the heap its memory: `frames`, which the caller takes from the kernel pool for good.
///
/// # Panics
///
/// As [`storage::words`], and if there are none or the heap already has its memory.
pub fn start(frames: FrameRange) {
    let memory = storage::claim(frames);
    let mut heap = HEAP.0.lock();
    assert!(heap.size() == 0 && !frames.is_empty(), "the heap gets its memory once");
    // SAFETY: (1) the heap is empty, and this happens once; (2) the frames are mapped at their own address for ever;
    // (3) they are claimed once, so nothing else refers to them.
    unsafe { heap.init(memory, (frames.len() * PAGE_SIZE) as usize) };
}

/// Frees the heap's lock after a death.
pub fn force_unlock(dying: &Dying) {
    HEAP.0.force_unlock(dying);
}

/// Returns the bytes of the heap in use and its size.
pub fn usage() -> (usize, usize) {
    let heap = HEAP.0.lock();
    (heap.used(), heap.size())
}
