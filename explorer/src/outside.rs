//! A machine's memory as it is seen from outside: CR3 and frames, past all translation and without a trace in the TLB.

use droste::addr::{Frame, Page, PhysAddr, VirtAddr};
use droste::paging::{Entry, MmuView};

/// An address space, read through its page tables by whoever stands outside the machine.
pub struct Outside<P> {
    /// Its directory.
    root: Frame,
    /// Reads a word of memory.
    peek: P,
}

impl<P: Fn(PhysAddr) -> u32> Outside<P> {
    /// Looks at the address space with the directory `root` in the memory that `peek` reads.
    pub fn new(root: Frame, peek: P) -> Self {
        Self { root, peek }
    }

    /// Returns entry `index` of the table or directory in `frame`.
    pub fn entry(&self, frame: Frame, index: u32) -> Entry {
        Entry::from_bits((self.peek)(PhysAddr::new(frame.start().as_u32() + 4 * index)))
    }

    /// Returns the entry that maps `page`, writable only if the directory's is too, as the processor would find it now.
    pub fn translate(&self, page: Page) -> Option<Entry> {
        let directory = self.entry(self.root, page.directory_index());
        let entry = self.entry(directory.frame()?, page.table_index());
        let writable = if directory.is_writable() { u32::MAX } else { !Entry::WRITABLE };
        entry.is_present().then(|| Entry::from_bits(entry.bits() & writable))
    }

    /// Returns the 1024 entries of the table of directory entry `index`; none if there is no table.
    pub fn table(&self, index: u32) -> Option<impl Iterator<Item = Entry>> {
        let frame = self.entry(self.root, index).frame()?;
        Some((0..droste::addr::ENTRIES).map(move |index| self.entry(frame, index)))
    }
}

impl<P: Fn(PhysAddr) -> u32> MmuView for Outside<P> {
    fn root(&self) -> Frame {
        self.root
    }

    /// Reads the word at `address`; what is absent reads as zero.
    fn read(&self, address: VirtAddr) -> u32 {
        let frame = self.translate(Page::containing(address)).and_then(|entry| entry.frame());
        frame.map_or(0, |frame| (self.peek)(PhysAddr::new(frame.start().as_u32() + address.offset())))
    }
}
