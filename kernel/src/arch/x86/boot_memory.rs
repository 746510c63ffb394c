//! Reading physical memory before the kernel has its own page table: the boot loader's information may lie anywhere, even
//! at address 0, where kexec puts it.

use super::image;
use crate::addr::{PAGE_SIZE, Page, PhysAddr, VirtAddr};
use crate::boot_info::PhysicalMemory;
use crate::memory_map::IDENTITY;
use crate::paging::Entry;
use core::{ptr, slice};
use x86::controlregs::{Cr4, cr4, cr4_write};

/// Where the first 4 MiB are seen a second time. From this physical address on a PC has devices and its firmware, but no
/// memory in which boot information could lie.
const ALIAS: u32 = 0xFF40_0000;

/// The right to read physical memory through the boot directory, which grows by 4 MiB pages as needed.
///
/// They are mapped at their own address. What begins in page 0, where no pointer may point, is seen at `ALIAS` too. It is
/// good until another directory is loaded.
#[derive(Debug)]
pub struct BootMemory(());

impl BootMemory {
    /// Mints the right.
    ///
    /// # Safety
    ///
    /// 1. It happens once, while the boot directory is current.
    /// 2. Nothing writes to memory outside the kernel image while this value is borrowed, but for the screen.
    pub(super) unsafe fn mint() -> Self {
        Self(())
    }
}

impl PhysicalMemory for BootMemory {
    fn bytes(&self, start: PhysAddr, length: u32) -> Option<&[u8]> {
        let end = start.as_u32().checked_add(length).filter(|&end| length > 0 && end <= ALIAS)?;
        let image = image::frames();
        let overlaps_image = start.as_u32() < image.end.start().as_u32() && end > image.start.start().as_u32();
        if overlaps_image {
            return None;
        }
        let address = if start.as_u32() < PAGE_SIZE { alias(end)? + start.as_u32() } else { start.as_u32() };
        let pages = [start.as_u32(), end - 1].map(|address| Page::containing(VirtAddr::new(address)).directory_index());
        for index in pages[0].max(IDENTITY.end.directory_index())..=pages[1] {
            map(index, index);
        }
        // SAFETY: (1) the range is mapped by now, does not wrap, and does not hold the null pointer; (2) it is outside the
        // kernel image, so no object of the kernel lies there; (3) any byte is a valid `u8`.
        Some(unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(address as usize), length as usize) })
    }
}

/// Maps the first 4 MiB at [`ALIAS`] too and returns that, if the bytes up to `end` lie in them.
fn alias(end: u32) -> Option<u32> {
    let within = end <= IDENTITY.end.start().as_u32();
    within.then(|| {
        map(Page::containing(VirtAddr::new(ALIAS)).directory_index(), 0);
        ALIAS
    })
}

/// Maps 4 MiB of physical memory. The directory's entry was absent before or the same, so there is nothing to flush.
fn map(directory_index: u32, physical_index: u32) {
    let entry = (physical_index << 22) | Entry::LARGE | Entry::PRESENT;
    let directory = image::boot_directory().start().as_u32() as *mut u32;
    // SAFETY: (1) the boot stub has seen that the processor has 4 MiB pages; (2) the index is below 1024; (3)
    // the boot directory is an object of assembly, to which Rust holds no reference.
    unsafe {
        cr4_write(cr4() | Cr4::CR4_ENABLE_PSE);
        directory.add(directory_index as usize).write_volatile(entry);
    }
}
