//! The seam between the paging code and a machine.

use super::entry::Entry;
use super::window::Slot;
use crate::addr::{Frame, Page, VirtAddr};

/// What the paging code asks of a machine: reach an entry, forget a translation, know and set the root.
///
/// The kernel's is volatile accesses and a handful of instructions. The host tests' is a model with memory full of
/// junk and a TLB that keeps what it saw until it is told otherwise. There is one current address space; every address
/// is translated by it.
pub trait Mmu {
    /// Reads the entry seen in `slot`. The page of the slot must be mapped.
    fn load(&self, slot: Slot) -> Entry;

    /// Writes the entry seen in `slot`. The page of the slot must be mapped.
    ///
    /// Whoever clears or changes a present entry calls [`flush`](Self::flush) in the same function
    /// (rule **flush-inside**).
    fn store(&mut self, slot: Slot, entry: Entry);

    /// Counts how many of the `count` entries from `slot` on are zero before the first that isn't. All of them lie in one
    /// page, which must be mapped.
    fn zero_entries(&self, slot: Slot, count: u32) -> u32;

    /// Forgets the translation of `page` (`invlpg`).
    fn flush(&mut self, page: Page);

    /// Forgets every translation (by loading the root again).
    fn flush_all(&mut self);

    /// Returns the frame of the current directory (CR3).
    fn root(&self) -> Frame;

    /// Makes `root` the current directory and forgets every translation.
    fn set_root(&mut self, root: Frame);

    /// Fills `page` with zeros. It must be mapped, writable.
    fn zero(&mut self, page: Page);

    /// Reads the 32-bit word at `address`, which is 4-byte aligned and eagerly mapped (rule **eager-metadata**).
    fn read(&self, address: VirtAddr) -> u32;

    /// Writes the 32-bit word at `address`, which is 4-byte aligned and eagerly mapped, writable.
    fn write(&mut self, address: VirtAddr, word: u32);
}
