//! Arithmetic of the two windows through which page tables are seen.
//!
//! Directory entry 1023 points at the directory itself. So for an address whose first ten bits are all ones, the
//! processor takes the directory for a page table, and every page table for a page:
//!
//! ```text
//! | 1023 | x    | y     00 |   entry y of page table x       0xFFC0_0000 + 4096·x + 4·y
//! | 1023 | 1023 | x     00 |   entry x of the directory      0xFFFF_F000 + 4·x
//! ```
//!
//! With x and y run together they are a page number, so the entry of page `p` is at 0xFFC0_0000 + 4·p. A directory entry
//! is the entry of the page at which its page table is seen: the same formula, applied twice.
//!
//! Directory entry 1022, when it points at *another* directory, shows that one's tables at 0xFF80_0000 in the same way.
//!
//! The window is only ever read and written an entry at a time, by volatile accesses (rule **window-by-entry**): a
//! [`Slot`] is the only way in, and can only be made from a page number.

use crate::addr::{Page, VirtAddr};
use crate::memory_map::{OTHER_WINDOW_ENTRY, RECURSIVE_ENTRY};
use core::fmt;

/// Where an entry is seen: a 4-byte aligned address inside one of the two windows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Slot(VirtAddr);

impl Slot {
    /// Returns the address of the entry.
    pub const fn address(self) -> VirtAddr {
        self.0
    }

    /// Returns the page of the window that the entry is seen in.
    pub const fn page(self) -> Page {
        Page::containing(self.0)
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {:?}", self.0)
    }
}

/// One of the two windows: whose page tables are seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Window {
    /// The current address space's own tables, through directory entry 1023.
    Own,
    /// Another address space's tables, through directory entry 1022.
    Other,
}

impl Window {
    const fn entry(self) -> u32 {
        match self {
            Self::Own => RECURSIVE_ENTRY,
            Self::Other => OTHER_WINDOW_ENTRY,
        }
    }

    /// Returns where the page-table entry of `page` is seen. Its directory entry must be present for it to be read.
    pub const fn pte_slot(self, page: Page) -> Slot {
        // Page numbers have 20 bits, so nothing is carried out of the window.
        Slot(VirtAddr::new(self.entry() << 22 | page.number() << 2))
    }

    /// Returns where the directory entry of `page` is seen.
    pub const fn pde_slot(self, page: Page) -> Slot {
        // The directory is seen where the table of entry 1023 would be.
        self.pte_slot(Page::new(RECURSIVE_ENTRY << 10 | page.directory_index()))
    }

    /// Returns the page at which the page table of `page` is seen.
    pub const fn table_page(self, page: Page) -> Page {
        Page::new((self.entry() << 10) + page.directory_index())
    }
}
