//! The processor's side of the paging seam: volatile accesses, `invlpg`, and loads of CR3.

use super::gdt;
use crate::addr::{ENTRIES, Frame, Page, PhysAddr, VirtAddr};
use crate::paging::{Entry, Mmu, MmuView, Slot};
use core::arch::asm;
use x86::{controlregs, tlb};

/// The right to edit the page tables of this machine.
///
/// It has no size. It is minted once, before `kmain`, and whoever holds it answers for what memory is used for.
#[derive(Debug)]
pub struct X86Mmu(());

impl X86Mmu {
    /// Mints the right.
    ///
    /// # Safety
    ///
    /// 1. It happens once.
    /// 2. Paging is on, and the first 4 MiB are mapped at their own addresses.
    /// 3. From here on, page tables change by this value alone, but for the entry of the page through which `pixels` draws; and
    ///    no entry gives away memory that Rust's objects use.
    pub(super) unsafe fn mint() -> Self {
        Self(())
    }
}

impl MmuView for X86Mmu {
    #[inline]
    fn zero_entries(&self, slot: Slot, count: u32) -> u32 {
        if count == 0 {
            return 0;
        }
        let (left, stopped): (u32, u32);
        // SAFETY: (1) the entries are mapped, as `MmuView::zero_entries` demands; (2) the instruction reads them one at a time,
        // so no object spans them (rule window-by-entry).
        unsafe {
            asm!(
                "repe scasd",
                "setne al",
                inout("ecx") count => left,
                inout("edi") slot.address().as_u32() => _,
                inout("eax") 0 => stopped,
                options(nostack, readonly)
            );
        }
        // The entry that stopped it has been counted too.
        count - left - stopped
    }

    #[inline]
    fn root(&self) -> Frame {
        // SAFETY: reading CR3 changes nothing.
        Frame::containing(PhysAddr::new(unsafe { controlregs::cr3() } as u32))
    }

    #[inline]
    fn read(&self, address: VirtAddr) -> u32 {
        // SAFETY: (1) the address is mapped and aligned, as `MmuView::read` demands; (2) any 32 bits are a word.
        unsafe { (address.as_u32() as *const u32).read_volatile() }
    }
}

impl Mmu for X86Mmu {
    #[inline]
    fn store(&mut self, slot: Slot, entry: Entry) {
        self.write(slot.address(), entry.bits());
    }

    #[inline]
    fn flush(&mut self, page: Page) {
        // SAFETY: forgetting a translation is always allowed.
        unsafe { tlb::flush(page.start().as_u32() as usize) };
    }

    #[inline]
    fn flush_all(&mut self) {
        // SAFETY: the root stays what it is.
        unsafe { tlb::flush_all() };
    }

    #[inline]
    fn set_root(&mut self, root: Frame) {
        gdt::keep_root(root);
        // SAFETY: the holder of this right vouches that the directory maps the kernel.
        unsafe { controlregs::cr3_write(u64::from(root.start().as_u32())) };
    }

    #[inline]
    fn zero(&mut self, page: Page) {
        // SAFETY: (1) the page is mapped and writable, as `Mmu::zero` demands; (2) the holder of this right vouches that
        // no object lies there.
        unsafe {
            asm!(
                "rep stosd",
                inout("ecx") ENTRIES => _,
                inout("edi") page.start().as_u32() => _,
                in("eax") 0,
                options(nostack, preserves_flags)
            );
        }
    }

    #[inline]
    fn copy(&mut self, from: Page, to: Page) {
        // SAFETY: (1) both pages are mapped and `to` is writable, as `Mmu::copy` demands; (2) the holder of this right vouches
        // that no object lies in `to`, and the words of `from` are no more than words.
        unsafe {
            asm!(
                "xchg esi, edx", // the compiler's own, as in `memcpy`
                "rep movsd",
                "mov esi, edx",
                inout("edx") from.start().as_u32() => _,
                inout("ecx") ENTRIES => _,
                inout("edi") to.start().as_u32() => _,
                options(nostack, preserves_flags)
            );
        }
    }

    #[inline]
    fn write_words(&mut self, page: Page, words: &[u32]) {
        assert!(words.len() <= ENTRIES as usize, "more words than a page has");
        // SAFETY: (1) the page is mapped and writable, as `Mmu::write_words` demands, and as long as the words; (2) the holder of
        // this right vouches that no object lies there.
        unsafe {
            asm!(
                "xchg esi, edx", // the compiler's own, as in `memcpy`
                "rep movsd",
                "mov esi, edx",
                inout("edx") words.as_ptr() => _,
                inout("ecx") words.len() => _,
                inout("edi") page.start().as_u32() => _,
                options(nostack, preserves_flags)
            );
        }
    }

    #[inline]
    fn read_words(&self, page: Page, words: &mut [u32]) {
        assert!(words.len() <= ENTRIES as usize, "more words than a page has");
        // SAFETY: (1) the page is mapped, as `Mmu::read_words` demands, and as long as the words; (2) any 32 bits are a word.
        unsafe {
            asm!(
                "xchg esi, edx", // as above
                "rep movsd",
                "mov esi, edx",
                inout("edx") page.start().as_u32() => _,
                inout("ecx") words.len() => _,
                inout("edi") words.as_mut_ptr() => _,
                options(nostack, preserves_flags)
            );
        }
    }

    #[inline]
    fn write(&mut self, address: VirtAddr, word: u32) {
        // SAFETY: (1) the address is mapped, writable and aligned, as `Mmu::write` demands; (2) the holder of this right
        // vouches that no object lies there.
        unsafe { (address.as_u32() as *mut u32).write_volatile(word) }
    }
}
