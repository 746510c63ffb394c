//! The kernel heap: `Box` and `Vec` in frames of the kernel pool, which are always mapped (rule **eager-metadata**).
//!
//! It grows: where no block is large enough, it takes more frames from the pool. It keeps them.
//!
//! Decision: docs/src/decisions/0025-a-heap-that-grows.md.

use super::kernel_pool;
use super::lock::{Dying, Locked};
use crate::addr::PAGE_SIZE;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};
use linked_list_allocator::Heap;

/// Frames that the heap takes at the start.
pub const FIRST_FRAMES: u32 = 32;

/// Frames that it takes at least when it grows.
const STEP: u32 = 16;

/// How many pieces of memory the heap may have that do not lie together.
pub const PIECES: usize = 8;

#[global_allocator]
static HEAP: KernelHeap = KernelHeap(Locked::new(Pieces { heaps: [const { Heap::empty() }; PIECES], used: 0 }));

/// The heap behind its lock. It is empty, and every allocation fails, until the kernel's frame pool is there.
struct KernelHeap(Locked<Pieces>);

/// A heap for each piece of memory. The first `used` of them have theirs.
struct Pieces {
    heaps: [Heap; PIECES],
    used: usize,
}

impl Pieces {
    fn allocate(&mut self, layout: Layout) -> Option<NonNull<u8>> {
        self.heaps[..self.used].iter_mut().find_map(|heap| heap.allocate_first_fit(layout).ok())
    }

    #[cold]
    fn grow_for(&mut self, layout: Layout) -> Option<()> {
        // A piece starts with a page, so it has smaller alignments anyway.
        let padding = if layout.align() > PAGE_SIZE as usize { layout.align() } else { 0 };
        let frames = layout.size().checked_add(padding)?.div_ceil(PAGE_SIZE as usize) as u32;
        self.grow(frames.max(STEP)).or_else(|| self.grow(frames))
    }

    /// Takes `frames` frames from the kernel pool: they continue a piece, or are one of their own, if there may be one more.
    fn grow(&mut self, frames: u32) -> Option<()> {
        let frames = kernel_pool::take(frames)?;
        let (start, bytes) = (frames.start.start().as_u32() as *mut u8, (frames.len() * PAGE_SIZE) as usize);
        if let Some(heap) = self.heaps[..self.used].iter_mut().find(|heap| heap.top() == start) {
            // SAFETY: (1) the heap has its memory, and the frames lie right behind it; (2) they are mapped at their own
            // address for ever; (3) they are claimed for good, so nothing else refers to them.
            unsafe { heap.extend(bytes) };
        } else if let Some(heap) = self.heaps.get_mut(self.used) {
            // SAFETY: (1) this heap is empty, and gets its memory once, since `used` only grows; (2) and (3) as above.
            unsafe { heap.init(start, bytes) };
            self.used += 1;
        } else {
            kernel_pool::give_back(frames);
            return None;
        }
        Some(())
    }
}

// SAFETY: (1) the heaps hand out disjoint blocks that fit the layout; (2) a block stays valid until it is given back;
// (3) the lock keeps two calls apart.
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut pieces = self.0.lock();
        let block = pieces.allocate(layout).or_else(|| {
            pieces.grow_for(layout)?;
            pieces.allocate(layout)
        });
        block.map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    // Once, and not at each place where something is dropped, of which there are a hundred and more.
    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let mut pieces = self.0.lock();
        let heap = pieces.heaps.iter_mut().find(|heap| (heap.bottom()..heap.top()).contains(&block));
        if let (Some(heap), Some(block)) = (heap, NonNull::new(block)) {
            // SAFETY: the caller got this block from this heap, in whose memory it lies, with this layout.
            unsafe { heap.deallocate(block, layout) };
        }
    }
}

/// Gives the heap its first memory. Returns `None` if the kernel pool has no run of [`FIRST_FRAMES`].
pub fn start() -> Option<()> {
    HEAP.0.lock().grow(FIRST_FRAMES)
}

/// Frees the heap's lock, and that of the pool that it grows from, after a death.
pub fn force_unlock(dying: &Dying) {
    HEAP.0.force_unlock(dying);
    kernel_pool::force_unlock(dying);
}

/// Returns how many frames the heap has.
pub fn frames() -> u32 {
    HEAP.0.lock().heaps.iter().map(|heap| heap.size() as u32 / PAGE_SIZE).sum()
}
