//! Reading physical memory before the kernel has its own page table: the boot loader's information may lie anywhere.

use super::image;
use crate::addr::{Page, PhysAddr, VirtAddr};
use crate::boot_info::PhysicalMemory;
use crate::memory_map::IDENTITY;
use crate::paging::Entry;
use core::{ptr, slice};
use x86::controlregs::{Cr4, cr4, cr4_write};

/// The right to read physical memory through the boot directory, which grows by identity-mapped 4 MiB pages as needed.
///
/// It is good until another directory is loaded.
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
        // Nothing ends with the address space, since no slice can.
        let end = start.as_u32().checked_add(length).filter(|_| length > 0)?;
        let image = image::frames();
        let overlaps_image = start.as_u32() < image.end.start().as_u32() && end > image.start.start().as_u32();
        if start.as_u32() < Page::new(1).start().as_u32() || overlaps_image {
            return None;
        }
        let first_directory_index = Page::containing(VirtAddr::new(start.as_u32())).directory_index();
        let last_directory_index = Page::containing(VirtAddr::new(end - 1)).directory_index();
        for index in first_directory_index.max(IDENTITY.end.directory_index())..=last_directory_index {
            identity_map(index);
        }
        // SAFETY: (1) the range is identity-mapped by now, does not wrap, and does not hold the null pointer; (2) it is
        // outside the kernel image, so no object of the kernel lies there; (3) any byte is a valid `u8`.
        Some(unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(start.as_u32() as usize), length as usize) })
    }
}

/// Maps 4 MiB at their own address. The entry was absent before or the same, so there is nothing to flush.
fn identity_map(directory_index: u32) {
    let entry = (directory_index << 22) | Entry::LARGE | Entry::PRESENT;
    let directory = image::boot_directory().start().as_u32() as *mut u32;
    // SAFETY: (1) ring 0, and every processor from the Pentium on has 4 MiB pages; (2) the index is below 1024; (3) the
    // boot directory is an object of assembly, to which Rust holds no reference.
    unsafe {
        cr4_write(cr4() | Cr4::CR4_ENABLE_PSE);
        directory.add(directory_index as usize).write_volatile(entry);
    }
}
