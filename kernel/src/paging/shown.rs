//! One frame shown as a page table and as a page, through directory entry 1022.

use super::entry::Entry;
use super::mmu::Mmu;
use super::window::{Slot, Window};
use crate::addr::{Frame, Page, PageRange};
use crate::memory_map::OTHER_WINDOW_ENTRY;

/// The pages at which entry 1022 shows what it leads to: a frame that it takes for a table has its pages here, in the
/// order of its entries, and is itself seen where a table of these pages would be.
const SHOWN: PageRange = PageRange::of_table(OTHER_WINDOW_ENTRY);

/// A frame that is shown. What was shown before, or the note, waits until it is hidden.
#[must_use = "what is shown has to be hidden"]
pub struct Shown {
    before: Entry,
}

impl Shown {
    /// Shows `frame`.
    pub fn show(mmu: &mut impl Mmu, frame: Frame) -> Self {
        let entry = Window::Own.pde_slot(SHOWN.start);
        let before = mmu.load(entry);
        mmu.store(entry, Entry::writable(frame));
        if before.is_present() {
            mmu.flush_all();
        }
        Self { before }
    }

    /// Stops showing the frame, and forgets all translations.
    pub fn hide(self, mmu: &mut impl Mmu) {
        mmu.store(Window::Own.pde_slot(SHOWN.start), self.before);
        mmu.flush_all();
    }

    /// Returns where the frame itself is seen, as a page.
    pub const fn itself() -> Page {
        Window::Own.table_page(SHOWN.start)
    }

    /// Returns where entry `index` of the frame is seen.
    pub fn entry(index: u32) -> Slot {
        Window::Own.pte_slot(Self::page(index))
    }

    /// Returns the page to which entry `index` of the frame leads.
    pub fn page(index: u32) -> Page {
        Page::new(SHOWN.start.number() | index)
    }
}
