//! Looking at memory that may be damaged.

use crate::addr::{Frame, Page, VirtAddr};
use crate::paging::{CurrentTable, Entry, MmuView, Window};
use core::cell::Cell;

/// Looks after which everything reads as zero: a damaged tree may lead in a circle.
const LOOKS: u32 = 1 << 20;

/// A view whose reads never fault: what is absent reads as zero.
///
/// Reports see the memory through it: pools' metadata is in pages that any wild store can reach.
pub struct Untrusted<'a, V> {
    view: &'a V,
    left: Cell<u32>,
    misled: Cell<bool>,
}

impl<'a, V: MmuView> Untrusted<'a, V> {
    /// Looks through `view`. The current directory must be sound.
    pub fn new(view: &'a V) -> Self {
        Self { view, left: Cell::new(LOOKS), misled: Cell::new(false) }
    }

    /// Looks through the same view, with nothing looked at yet.
    pub fn afresh(&self) -> Self {
        Self::new(self.view)
    }

    /// Says whether a look was led to where nothing is, or in so long a circle that no more are taken.
    pub fn is_misled(&self) -> bool {
        self.misled.get()
    }

    /// Reads the word at `address` if it is aligned and its page is present.
    pub fn look(&self, address: VirtAddr) -> Option<u32> {
        let page = Page::containing(address);
        let entry = self.view.pde(page);
        let large = entry.bits() & Entry::LARGE != 0;
        let mapped = entry.is_present() && (large || self.view.load(Window::Own.pte_slot(page)).is_present());
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        let sound = mapped && left > 0 && address.as_u32().is_multiple_of(4);
        self.misled.set(self.misled.get() || !sound);
        sound.then(|| self.view.read(address))
    }
}

impl<V: MmuView> MmuView for Untrusted<'_, V> {
    fn root(&self) -> Frame {
        self.view.root()
    }

    fn read(&self, address: VirtAddr) -> u32 {
        self.look(address).unwrap_or(0)
    }
}
