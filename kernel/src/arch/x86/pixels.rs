//! The way to a framebuffer's memory: one page of the first 4 MiB, moved along as pixels are written.
//!
//! The framebuffer lies far above 4 MiB, where address spaces have their own pages. But all of them share the table of the
//! first 4 MiB, and two of its pages are free where there is no VGA: through [`PIXELS`] the framebuffer is written, one frame
//! at a time, and at [`PIXELS_TABLE`] the table itself is seen, so its entries can be changed whatever has become of the
//! current directory. So text can be drawn at any time, in any address space, in the double fault's task too.
//!
//! Decision: docs/src/decisions/0018-a-framebuffer-through-one-page.md.

use super::image;
use super::mmu::X86Mmu;
use crate::addr::{Frame, FrameRange, PAGE_SIZE, Page, PhysAddr};
use crate::memory_map::{IDENTITY, PIXELS, PIXELS_TABLE};
use crate::paging::{CurrentTable, Entry, Mmu, Window};
use crate::screen::framebuffer::Framebuffer;
use core::ptr;
use x86::tlb;

/// The way to the memory of a framebuffer, while nothing else runs.
pub struct Pixels {
    frames: FrameRange,
    shown: Option<Frame>,
}

/// Opens the way in the boot directory.
pub fn start() {
    // SAFETY: (1) the boot table is mapped at its own address, and writable; (2) the entry leads to that table, of which Rust
    // knows no object.
    unsafe { set_entry(image::boot_table().start().as_u32(), PIXELS_TABLE, image::boot_table()) };
}

/// Opens the way in the current directory's table of the first 4 MiB, which all directories made after it share.
pub fn keep(mmu: &mut X86Mmu) {
    if let Some(table) = mmu.pde(IDENTITY.start).frame() {
        mmu.store(Window::Own.pte_slot(PIXELS_TABLE), Entry::writable(table));
        mmu.flush(PIXELS_TABLE);
    }
}

/// Lets `page` lead to `frame`, in the table of the first 4 MiB that is seen at the address `table`.
///
/// # Safety
///
/// 1. The table is mapped and writable there.
/// 2. `page` is [`PIXELS`] or [`PIXELS_TABLE`], at which no object of the kernel lies, and `frame` holds none either.
unsafe fn set_entry(table: u32, page: Page, frame: Frame) {
    let entry = (table as *mut u32).wrapping_add(page.table_index() as usize);
    // SAFETY: the caller's conditions.
    unsafe {
        entry.write_volatile(Entry::writable(frame).bits());
        tlb::flush(page.start().as_u32() as usize);
    }
}

impl Pixels {
    /// Starts with no frame shown. No interrupt may come in between: the screen's lock masks them.
    pub fn new(framebuffer: &Framebuffer) -> Self {
        Self { frames: framebuffer.frames(), shown: None }
    }

    /// Writes bytes to the framebuffer.
    ///
    /// # Panics
    ///
    /// If they are not all in the framebuffer's frames.
    pub fn write(&mut self, start: PhysAddr, mut bytes: &[u8]) {
        let mut frame = Frame::containing(start);
        let mut offset = start.offset();
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min((PAGE_SIZE - offset) as usize));
            self.show(frame);
            let target = (PIXELS.start().as_u32() + offset) as *mut u8;
            // SAFETY: (1) the page leads to a frame of the framebuffer, which boot_info keeps out of all pools, and which is
            // above the kernel; (2) the bytes end at the page's end or before; (3) no object of the kernel lies there.
            unsafe { ptr::copy_nonoverlapping(now.as_ptr(), target, now.len()) };
            (bytes, frame, offset) = (later, Frame::new(frame.number() + 1), 0);
        }
    }

    fn show(&mut self, frame: Frame) {
        if self.shown != Some(frame) {
            assert!(self.frames.contains(frame), "{frame:?} is not the framebuffer's");
            // SAFETY: (1) `start` and `keep` have the table seen there; (2) the frame is the framebuffer's, which boot_info keeps
            // out of all pools, and which lies above the kernel.
            unsafe { set_entry(PIXELS_TABLE.start().as_u32(), PIXELS, frame) };
            self.shown = Some(frame);
        }
    }
}
