//! The seam between the paging code and a machine: what reads it, what changes it, and what it refuses.
//!
//! Decision: docs/src/decisions/0019-types-that-tell-the-truth.md.

use super::entry::Entry;
use super::window::Slot;
use crate::addr::{Frame, Page, VirtAddr};
use crate::memory_map::RECURSIVE_ENTRY;

/// A page fault, as the processor reports it.
///
/// Source: Intel SDM volume 3, section 4.7.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The address that was touched: CR2.
    pub address: VirtAddr,
    /// Whether the page was present, so that the access broke its protection.
    pub present: bool,
    /// Whether it was a write.
    pub write: bool,
}

/// The reading half of the seam: entries, words and the root.
///
/// There is one current address space; every address is translated by it. Reports see the memory through an
/// implementation of this trait alone, so they cannot change what they report.
pub trait MmuView: Sized {
    /// Reads the entry seen in `slot`. The page of the slot must be mapped.
    #[inline]
    fn load(&self, slot: Slot) -> Entry {
        Entry::from_bits(self.read(slot.address()))
    }

    /// Counts how many of the `count` entries from `slot` on are zero before the first that isn't. All of them lie in one
    /// page, which must be mapped.
    fn zero_entries(&self, slot: Slot, count: u32) -> u32 {
        let first = slot.address().as_u32();
        (0..count).take_while(|index| self.read(VirtAddr::new(first + 4 * index)) == 0).count() as u32
    }

    /// Returns the frame of the current directory (CR3).
    fn root(&self) -> Frame;

    /// Reads the 32-bit word at `address`, which is 4-byte aligned and eagerly mapped (rule **eager-metadata**).
    fn read(&self, address: VirtAddr) -> u32;
}

/// The changing half: entries, translations, the root, words.
///
/// The kernel's is volatile accesses and a handful of instructions. The host tests' is a model with memory full of
/// junk and a TLB that keeps what it saw until it is told otherwise.
pub trait Mmu: MmuView {
    /// Writes the entry seen in `slot`. The page of the slot must be mapped.
    ///
    /// Whoever clears or changes a present entry calls [`flush`](Self::flush) in the same function
    /// (rule **flush-inside**).
    fn store(&mut self, slot: Slot, entry: Entry);

    /// Forgets the translation of `page` (`invlpg`).
    fn flush(&mut self, page: Page);

    /// Forgets every translation (by loading the root again).
    fn flush_all(&mut self);

    /// Makes `root` the current directory and forgets every translation.
    fn set_root(&mut self, root: Frame);

    /// Fills `page` with zeros. It must be mapped, writable.
    fn zero(&mut self, page: Page);

    /// Fills `to` with what is in `from`. Both must be mapped, `to` writable.
    fn copy(&mut self, from: Page, to: Page);

    /// Fills the start of `page` with `words`, at most a page of them. It must be mapped, writable.
    fn write_words(&mut self, page: Page, words: &[u32]) {
        (page.start().as_u32()..).step_by(4).zip(words).for_each(|(at, word)| self.write(VirtAddr::new(at), *word));
    }

    /// Fills `words`, at most a page of them, from the start of `page`, which must be mapped.
    fn read_words(&self, page: Page, words: &mut [u32]) {
        (page.start().as_u32()..).step_by(4).zip(words).for_each(|(at, word)| *word = self.read(VirtAddr::new(at)));
    }

    /// Writes the 32-bit word at `address`, which is 4-byte aligned and eagerly mapped, writable.
    fn write(&mut self, address: VirtAddr, word: u32);

    /// Points entry 1023 of the current directory at itself, which opens the recursive window for the first time.
    ///
    /// The directory must be identity-mapped, as the boot stub's is. Its code is still writable then, so this is no
    /// part of what else is done with tables.
    fn install_recursive_entry(&mut self) {
        let root = self.root();
        let entry = VirtAddr::new(root.start().as_u32() + 4 * RECURSIVE_ENTRY);
        self.write(entry, Entry::writable(root).bits());
        self.flush_all();
    }
}
