//! The way from an address to its page, as the processor goes it.

use crate::addr::{Frame, Page, VirtAddr};
use crate::memory_map::{OTHER_WINDOW_ENTRY, RECURSIVE_ENTRY};
use crate::paging::{CurrentTable, Entry, Mmu, MmuView, PageTable, Window};
use core::fmt;

/// How far the processor gets with an address in the current address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Walk {
    /// The address.
    pub address: VirtAddr,
    /// The directory: what CR3 holds.
    pub root: Frame,
    /// The entry of the directory.
    pub directory: Entry,
    /// The entry of the page table, if there is a table.
    pub table: Option<Entry>,
}

impl Walk {
    /// Walks to `address`.
    pub fn new(view: &impl MmuView, address: VirtAddr) -> Self {
        let page = Page::containing(address);
        let directory = view.pde(page);
        let table = (directory.is_present() && !is_large(directory)).then(|| view.load(Window::Own.pte_slot(page)));
        Self { address, root: view.root(), directory, table }
    }

    /// Returns the entry that maps the page, if the walk gets that far.
    pub fn page_entry(&self) -> Option<Entry> {
        let last = if is_large(self.directory) { self.directory } else { self.table? };
        last.is_present().then_some(last)
    }

    /// Says whether both entries allow the access.
    pub fn allows(&self, write: bool) -> bool {
        self.page_entry().is_some_and(|entry| !write || entry.is_writable() && self.directory.is_writable())
    }

    /// Prints the address as the processor splits it.
    pub fn split(&self) -> impl fmt::Display + '_ {
        fmt::from_fn(|f| {
            let page = Page::containing(self.address);
            let (upper, lower, offset) = (page.directory_index(), page.table_index(), self.address.offset());
            write!(f, "{upper:010b} {lower:010b} {offset:012b} = entry {upper}, entry {lower}, byte {offset}")
        })
    }

    /// Prints CR3 and the directory entry.
    pub fn first_step(&self) -> impl fmt::Display + '_ {
        fmt::from_fn(|f| {
            let end = if self.directory.is_present() { "" } else { "  <- stops here" };
            let at = PageTable::pde_address(self.address);
            write!(f, "CR3 {:?} -> PDE at {at}: {:?}{end}", self.root.start(), self.directory)
        })
    }

    /// Prints the page-table entry.
    pub fn second_step(&self) -> impl fmt::Display + '_ {
        fmt::from_fn(|f| {
            let at = PageTable::pte_address(self.address);
            match self.table {
                None if is_large(self.directory) => write!(f, "no PTE: the PDE maps 4 MiB"),
                None => write!(f, "no PTE: without a table nothing is seen at {at}"),
                Some(entry) if entry.is_present() => write!(f, "PTE at {at}: {entry:?}"),
                Some(entry) => write!(f, "PTE at {at}: {entry:?}  <- stops here"),
            }
        })
    }
}

fn is_large(directory: Entry) -> bool {
    directory.is_present() && directory.bits() & Entry::LARGE != 0
}

/// Says whether `root` holds a directory that the kernel can run in: one that leads to itself and to a table of the first
/// 4 MiB. It is looked at through the second window.
pub fn is_directory(mmu: &mut impl Mmu, root: Frame) -> bool {
    let entry_of = |window: Window, index: u32| window.pde_slot(Page::new(index << 10));
    let note = mmu.load(entry_of(Window::Own, OTHER_WINDOW_ENTRY));
    mmu.store(entry_of(Window::Own, OTHER_WINDOW_ENTRY), Entry::writable(root));
    mmu.flush_all();
    let itself = mmu.load(entry_of(Window::Other, RECURSIVE_ENTRY)).frame();
    let first = mmu.load(entry_of(Window::Other, 0));
    mmu.store(entry_of(Window::Own, OTHER_WINDOW_ENTRY), note);
    mmu.flush_all();
    itself == Some(root) && first.is_writable()
}
