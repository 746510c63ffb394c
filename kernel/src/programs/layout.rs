//! Where things are in the address space of a program.
//!
//! ```text
//! 0x0800_0000  the file's segments, where it was linked; the page before is the pool's own
//! 0x4000_0000  the heap: a pool of 512 MiB, without regions at first
//! 0x6040_0000  files: each in a pool of its own, whose page is the one before
//! 0xBFF0_0000  the stack: a pool of 1 MiB, a region up to its end; the page before, the pool's own, ends a stack overflow
//! ```

use crate::addr::{Page, PageRange, VirtAddr};

/// Where segments may lie.
pub const IMAGE_PAGES: PageRange = PageRange::new(Page::new(0x0_8000), Page::new(0x1_0000));

/// Where the heap's pool starts, and its bytes.
pub const HEAP: (VirtAddr, u32) = (VirtAddr::new(0x4000_0000), 512 << 20);

/// Where files may lie; their tables' pages are theirs alone.
pub const FILES: PageRange = PageRange::new(Page::new(0x6_0400), Page::new(0xB_FC00));

/// Where the stack's pool starts, and its bytes.
pub const STACK: (VirtAddr, u32) = (VirtAddr::new(0xBFF0_0000), 1 << 20);
