//! The memory map: every address that means something, in one place.
//!
//! ```text
//! 0x0000_0000  one page, never present: a null pointer faults
//! 0x0000_1000  BIOS data
//! 0x000A_0000  VGA, its text at 0xB_8000; with a framebuffer, the way to its pixels
//! 0x0010_0000  kernel image, at most 1 MiB (linker.ld asserts it)
//! 0x0020_0000  kernel frame pool: frames 512..1024, direct-mapped
//! 0x0040_0000  frames: the process pool; pages: VM pools
//! 0xFF80_0000  window on another address space's tables (directory entry 1022)
//! 0xFFC0_0000  the recursive window (directory entry 1023)
//! 0xFFFF_F000  the directory itself
//! ```
//!
//! Physical and virtual agree below 4 MiB, but for the two pages of the way to a framebuffer, and nowhere else.

use crate::addr::{Frame, FrameRange, Page, PageRange};

/// Frames of the kernel pool: 2 MiB to 4 MiB, always mapped at their own address.
pub const KERNEL_POOL: FrameRange = FrameRange::new(Frame::new(512), Frame::new(1024));

/// First frame of the process pool (4 MiB). It ends where RAM does.
pub const PROCESS_POOL_START: Frame = Frame::new(1024);

/// Frames that the coursework keeps inaccessible: 15 MiB to 16 MiB.
pub const HOLE: FrameRange = FrameRange::new(Frame::new(3840), Frame::new(4096));

/// Pages whose address is also their physical address: the first 4 MiB.
pub const IDENTITY: PageRange = PageRange::new(Page::new(0), Page::new(1024));

/// With a framebuffer, the page through which its pixels are written: one frame of them at a time. VGA's page otherwise.
pub const PIXELS: Page = Page::new(0xA0);

/// With a framebuffer, the page at which the table of the first 4 MiB is seen. VGA's page otherwise.
pub const PIXELS_TABLE: Page = Page::new(0xA1);

/// Pages that may belong to a VM pool: from 4 MiB up to the windows.
pub const POOL_PAGES: PageRange = PageRange::new(Page::new(0x400), Page::new(0xF_F800));

/// Pages of the two windows, 0xFF80_0000 up to the end of the address space.
pub const WINDOWS: PageRange = PageRange::new(Page::new(0xF_F800), Page::new(0x10_0000));

/// Directory entry that opens the window on another address space.
pub const OTHER_WINDOW_ENTRY: u32 = 1022;

/// Directory entry that points back at the directory.
pub const RECURSIVE_ENTRY: u32 = 1023;
