//! Where the kernel lies: the ranges that linker.ld draws. In them virtual and physical addresses agree.

use crate::addr::{Frame, FrameRange, PAGE_SHIFT, Page, PageRange, PhysAddr, VirtAddr};
use crate::symbols::Symbols;
use core::slice;

unsafe extern "C" {
    // Only their addresses mean something.
    static text_start: u8;
    static text_end: u8;
    static rodata_start: u8;
    static rodata_end: u8;
    static data_start: u8;
    static data_end: u8;
    static symbols_start: u8;
    static symbols_end: u8;
    static stack_guard: u8;
    static stack_top: u8;
    static boot_directory_start: u8;
    static boot_table_start: u8;
}

fn page(symbol: *const u8) -> Page {
    Page::containing(VirtAddr::new(symbol as u32))
}

/// Returns the pages of the code, which begin with the Multiboot headers: to be read and executed.
pub fn text() -> PageRange {
    PageRange::new(page(&raw const text_start), page(&raw const text_end))
}

/// Returns the pages of the constants: to be read.
pub fn rodata() -> PageRange {
    PageRange::new(page(&raw const rodata_start), page(&raw const rodata_end))
}

/// Returns the pages of the data, cleared data and the stack, with [`stack_guard_page`] among them: to be read and
/// written.
pub fn data() -> PageRange {
    PageRange::new(page(&raw const data_start), page(&raw const data_end))
}

/// Returns the table of the code's functions.
pub fn symbols() -> Symbols<'static> {
    let (start, end) = (&raw const symbols_start, &raw const symbols_end);
    // SAFETY: (1) the linker put the two in this order into one section of constants; (2) nothing ever changes them.
    Symbols::new(unsafe { slice::from_raw_parts(start, end as usize - start as usize) })
}

/// Returns the page below the kernel stack: to stay absent.
pub fn stack_guard_page() -> Page {
    page(&raw const stack_guard)
}

/// Reads a word of the kernel stack.
pub fn stack_word(address: VirtAddr) -> Option<u32> {
    let (bottom, top) = (stack_guard_page().number() + 1, (&raw const stack_top as u32) >> PAGE_SHIFT);
    let inside = (bottom..top).contains(&Page::containing(address).number());
    // SAFETY: (1) the stack is always mapped; (2) any 32 bits are a word.
    (inside && address.as_u32().is_multiple_of(4)).then(|| unsafe { (address.as_u32() as *const u32).read_volatile() })
}

/// Returns all frames of the image.
pub fn frames() -> FrameRange {
    FrameRange::new(Frame::new(text().start.number()), Frame::new(data().end.number()))
}

/// Returns the frame of the directory that the boot stub built. It maps the first 4 MiB but for the guard page, for ever.
pub fn boot_directory() -> Frame {
    Frame::containing(PhysAddr::new(&raw const boot_directory_start as u32))
}

/// Returns the frame of the table of the first 4 MiB that the boot stub built. The boot directory alone leads to it.
pub fn boot_table() -> Frame {
    Frame::containing(PhysAddr::new(&raw const boot_table_start as u32))
}
