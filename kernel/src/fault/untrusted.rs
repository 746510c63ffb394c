//! Looking at memory that may be damaged.

use crate::addr::{Frame, Page, VirtAddr};
use crate::paging::{Entry, Mmu, PageTable, Slot, Window};
use core::cell::Cell;

/// Looks after which everything reads as zero: a damaged tree may lead in a circle.
const LOOKS: u32 = 1 << 20;

/// An MMU that only looks, and whose looks never fault: what is absent reads as zero. It changes nothing.
///
/// Reports see the memory through it: records of pools are in pages that any wild store can reach.
pub struct Untrusted<'a, M> {
    mmu: &'a M,
    left: Cell<u32>,
}

impl<'a, M: Mmu> Untrusted<'a, M> {
    /// Looks through `mmu`. The current directory must be sound.
    pub fn new(mmu: &'a M) -> Self {
        Self { mmu, left: Cell::new(LOOKS) }
    }

    /// Reads the word at `address` if it is aligned and its page is present.
    pub fn look(&self, address: VirtAddr) -> Option<u32> {
        let page = Page::containing(address);
        let entry = PageTable::directory_entry(self.mmu, page);
        let large = entry.bits() & Entry::LARGE != 0;
        let mapped = entry.is_present() && (large || self.mmu.load(Window::Own.table_entry(page)).is_present());
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        (mapped && left > 0 && address.as_u32().is_multiple_of(4)).then(|| self.mmu.read(address))
    }
}

impl<M: Mmu> Mmu for Untrusted<'_, M> {
    fn load(&self, slot: Slot) -> Entry {
        Entry::from_bits(self.read(slot.address()))
    }

    fn zero_entries(&self, slot: Slot, count: u32) -> u32 {
        let first = slot.address().as_u32();
        (0..count).take_while(|index| self.read(VirtAddr::new(first + 4 * index)) == 0).count() as u32
    }

    fn root(&self) -> Frame {
        self.mmu.root()
    }

    fn read(&self, address: VirtAddr) -> u32 {
        self.look(address).unwrap_or(0)
    }

    fn store(&mut self, _: Slot, _: Entry) {}

    fn flush(&mut self, _: Page) {}

    fn flush_all(&mut self) {}

    fn set_root(&mut self, _: Frame) {}

    fn zero(&mut self, _: Page) {}

    fn write(&mut self, _: VirtAddr, _: u32) {}
}
