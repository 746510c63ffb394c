//! Page tables, plainly: each entry of a range is looked at, one after the other.

use super::entry::Entry;
use super::memory::Memory;
use super::mmu::{Mmu, MmuView};
use super::window::{Slot, Window};
use crate::addr::{ENTRIES, Frame, PAGES_IN_SPACE, Page, PageRange, VirtAddr};
use crate::frames::FrameSource;
use crate::memory_map::{IDENTITY, OTHER_WINDOW_ENTRY, POOL_PAGES, RECURSIVE_ENTRY};
use core::fmt;

/// No frame was left. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfFrames;

impl fmt::Display for OutOfFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "out of frames")
    }
}

/// The page table is the current one, so it was not destroyed. Here it is back.
#[derive(PartialEq, Eq, Debug)]
pub struct DestroyError(pub PageTable);

impl fmt::Display for DestroyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the page table with directory {:?} is in use", self.0.root.start())
    }
}

/// A page directory and the page tables that it leads to.
#[derive(PartialEq, Eq, Debug)]
pub struct PageTable {
    root: Frame,
}

impl PageTable {
    /// Makes the first page table.
    pub fn first<M: Mmu, F: FrameSource>(
        memory: &mut Memory<M, F>,
        identity: impl Fn(Page) -> Entry,
    ) -> Result<Self, OutOfFrames> {
        let root = memory.frames.get_frame().ok_or(OutOfFrames)?;
        let Some(table) = memory.frames.get_frame() else {
            memory.release(root);
            return Err(OutOfFrames);
        };
        with_cleared(&mut memory.mmu, table, |mmu, slot| {
            IDENTITY.iter().for_each(|page| mmu.store(slot(page.table_index()), identity(page)));
        });
        Self::fill_directory(&mut memory.mmu, root, Entry::writable(table));
        Ok(Self { root })
    }

    /// Makes a page table that shares the first 4 MiB with the current one.
    pub fn create<M: Mmu, F: FrameSource>(memory: &mut Memory<M, F>) -> Result<Self, OutOfFrames> {
        let root = memory.frames.get_frame().ok_or(OutOfFrames)?;
        let identity = memory.pde(Page::new(0));
        Self::fill_directory(&mut memory.mmu, root, identity);
        Ok(Self { root })
    }

    fn fill_directory(mmu: &mut impl Mmu, root: Frame, identity: Entry) {
        with_cleared(mmu, root, |mmu, slot| {
            mmu.store(slot(0), identity);
            mmu.store(slot(RECURSIVE_ENTRY), Entry::writable(root));
        });
    }

    /// Returns the frame of the directory.
    pub fn root(&self) -> Frame {
        self.root
    }

    /// Makes this page table the current one. Does nothing if it is.
    pub fn load(&self, mmu: &mut impl Mmu) {
        if mmu.root() != self.root {
            mmu.set_root(self.root);
        }
    }

    /// Gives back every frame that the page table leads to: with it loaded for as long as that takes.
    pub fn destroy<M: Mmu, F: FrameSource>(self, memory: &mut Memory<M, F>) -> Result<(), DestroyError> {
        let home = memory.root();
        if home == self.root {
            return Err(DestroyError(self));
        }
        memory.mmu.set_root(self.root);
        memory.unmap_pages(POOL_PAGES);
        memory.mmu.set_root(home);
        memory.release(self.root);
        Ok(())
    }

    /// Returns the window address at which the directory entry of `address` is seen.
    pub fn pde_address(address: VirtAddr) -> VirtAddr {
        Window::Own.pde_slot(Page::containing(address)).address()
    }

    /// Returns the window address at which the page-table entry of `address` is seen.
    pub fn pte_address(address: VirtAddr) -> VirtAddr {
        Window::Own.pte_slot(Page::containing(address)).address()
    }
}

/// The current page table, as it is read.
pub trait CurrentTable: MmuView {
    /// Returns the directory entry of `page`.
    fn pde(&self, page: Page) -> Entry {
        self.load(Window::Own.pde_slot(page))
    }

    /// Returns the page-table entry of `page`, or `None` where there is no table.
    fn pte(&self, page: Page) -> Option<Entry> {
        let has_table = page.number() < PAGES_IN_SPACE && self.pde(page).is_present();
        has_table.then(|| self.load(Window::Own.pte_slot(page)))
    }

    /// Finds the first page in `pages` that is present.
    fn first_present(&self, pages: PageRange) -> Option<Page> {
        let mut page = pages.start;
        while page < pages.end {
            page = match self.pte(page) {
                None => page.end_of_table(),
                Some(entry) if entry.is_present() => return Some(page),
                Some(_) => Page::new(page.number() + 1),
            };
        }
        None
    }

    /// Returns the note: the word in the absent entry 1022.
    fn note(&self) -> u32 {
        self.load(note_slot()).bits()
    }
}

impl<V: MmuView> CurrentTable for V {}

/// Keeps `note`, whose bit 0 must be clear, with the current page table.
pub fn set_note(mmu: &mut impl Mmu, note: u32) {
    mmu.store(note_slot(), Entry::from_bits(note));
}

fn note_slot() -> Slot {
    Window::Own.pde_slot(PageRange::of_table(OTHER_WINDOW_ENTRY).start)
}

impl<M: Mmu, F: FrameSource> Memory<M, F> {
    /// Gives the absent page `page` a frame of zeros, and a table if it has none.
    pub fn back(&mut self, page: Page) -> Result<Frame, OutOfFrames> {
        let frame = self.frames.get_frame().ok_or(OutOfFrames)?;
        if !self.pde(page).is_present() {
            let Some(table) = self.frames.get_frame() else {
                self.release(frame);
                return Err(OutOfFrames);
            };
            with_cleared(&mut self.mmu, table, |_, _| ());
            self.mmu.store(Window::Own.pde_slot(page), Entry::writable(table));
        }
        self.mmu.store(Window::Own.pte_slot(page), Entry::writable(frame));
        self.mmu.zero(page);
        Ok(frame)
    }

    /// Takes the frame behind `page` away and gives it back, with the table if that was its last page.
    pub fn unmap_page(&mut self, page: Page) -> Option<Frame> {
        let frame = self.pte(page)?.frame()?;
        if !POOL_PAGES.contains(page) {
            return None;
        }
        self.mmu.store(Window::Own.pte_slot(page), Entry::ABSENT);
        self.mmu.flush(page);
        self.release_page(frame);
        self.release_empty_table(page);
        Some(frame)
    }

    /// Does what [`unmap_page`](Self::unmap_page) does for every page in `pages` and returns how many were present.
    pub fn unmap_pages(&mut self, pages: PageRange) -> u32 {
        let mut count = 0;
        while let Some(page) = self.first_present(pages.intersection(POOL_PAGES)) {
            let table = PageRange::of_table(page.directory_index());
            for page in PageRange::new(page, table.end.min(pages.end)).iter() {
                if let Some(frame) = self.load(Window::Own.pte_slot(page)).frame() {
                    self.mmu.store(Window::Own.pte_slot(page), Entry::ABSENT);
                    self.mmu.flush(page);
                    self.release_page(frame);
                    count += 1;
                }
            }
            self.release_empty_table(page);
        }
        count
    }

    /// Gives the table of `page` back if nothing in it is present.
    fn release_empty_table(&mut self, page: Page) {
        let table = PageRange::of_table(page.directory_index());
        if self.zero_entries(Window::Own.pte_slot(table.start), ENTRIES) < ENTRIES {
            return;
        }
        let slot = Window::Own.pde_slot(page);
        if let Some(frame) = self.load(slot).frame() {
            self.mmu.store(slot, Entry::ABSENT);
            self.mmu.flush(Window::Own.table_page(page));
            self.release(frame);
        }
    }

    /// Gives back a frame to which an entry of a page led, unless others do.
    fn release_page(&mut self, frame: Frame) {
        if !self.uses.count_down(frame) {
            self.release(frame);
        }
    }

    fn release(&mut self, frame: Frame) {
        if let Err(refused) = self.frames.release_frame(frame) {
            panic!("a page table led to a frame that was not handed out: {refused}");
        }
    }
}

/// Clears `frame` and lets `fill` write its entries, before any directory leads to it: it is seen through entry 1022.
fn with_cleared<M: Mmu>(mmu: &mut M, frame: Frame, fill: impl FnOnce(&mut M, fn(u32) -> Slot)) {
    fn slot(index: u32) -> Slot {
        Window::Own.pte_slot(Page::new((OTHER_WINDOW_ENTRY << 10) + index))
    }
    let note = mmu.note();
    mmu.store(note_slot(), Entry::writable(frame));
    mmu.zero(slot(0).page());
    fill(mmu, slot);
    set_note(mmu, note);
    mmu.flush(slot(0).page());
}
