//! Page tables: made, switched, changed and given back.
//!
//! A [`PageTable`] is its directory, and the directory is a frame. [`CurrentTable`] reads the *current* one through its
//! own window, and [`Memory`] changes it. Another one's tables are reached through the second window, which is open
//! only inside a function of paging.
//!
//! While the second window is closed its directory entry, number 1022, is absent, and the processor ignores the other
//! 31 bits of an absent entry. They carry the *note*: one word in which the owner of the address space keeps where its
//! own records start. So the frame of the directory is all that needs to be known of an address space.
//!
//! Decisions, in docs/src/decisions: 0003, 0004, 0008.

use super::entry::Entry;
use super::memory::Memory;
use super::mmu::{Mmu, MmuView};
use super::swap::Swap;
use super::window::{Slot, Window};
use crate::addr::{ENTRIES, Frame, PAGES_IN_SPACE, Page, PageRange, VirtAddr};
use crate::events::EventKind;
use crate::frames::FrameSource;
use crate::memory_map::{IDENTITY, OTHER_WINDOW_ENTRY, POOL_PAGES, RECURSIVE_ENTRY};
use core::ops::AddAssign;
use core::{fmt, iter};

/// No frame was left. Nothing has changed, but that pages may have gone to the drive.
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

/// Pages that one `invlpg` each pays for; more are flushed by loading the root again.
const FLUSH_SINGLY: u32 = 8;

/// A page directory and the page tables that it leads to.
///
/// Entry 0 leads to the table that identity-maps the first 4 MiB, one for all; entry 1023 to the directory itself.
///
/// Source: Intel SDM volume 3, section 4.3.
#[derive(PartialEq, Eq, Debug)]
pub struct PageTable {
    root: Frame,
}

impl PageTable {
    /// Makes the first page table: a directory, and the table of the first 4 MiB, whose entries `identity` gives.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] if two frames can't be had.
    pub fn first<M: Mmu, F: FrameSource>(
        memory: &mut Memory<M, F>,
        identity: impl Fn(Page) -> Entry,
    ) -> Result<Self, OutOfFrames> {
        let [root, table] = memory.two_frames()?;
        show_cleared(&mut memory.mmu, table, |mmu| {
            IDENTITY.iter().for_each(|page| mmu.store(shown_entry(page.table_index()), identity(page)));
        });
        Self::fill_directory(&mut memory.mmu, root, Entry::writable(table));
        Ok(Self { root })
    }

    /// Makes a page table that shares the first 4 MiB with the current one and maps nothing else.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] if no frame is left for the directory.
    #[inline(always)] // into the address space's
    pub fn create<M: Mmu, F: FrameSource>(memory: &mut Memory<M, F>) -> Result<Self, OutOfFrames> {
        let root = memory.get_frame()?;
        let identity = memory.load(pde_slot(0));
        Self::fill_directory(&mut memory.mmu, root, identity);
        Ok(Self { root })
    }

    fn fill_directory(mmu: &mut impl Mmu, root: Frame, identity: Entry) {
        show_cleared(mmu, root, |mmu| {
            mmu.store(shown_entry(0), identity);
            mmu.store(shown_entry(RECURSIVE_ENTRY), Entry::writable(root));
        });
    }

    /// Returns the frame of the directory: what CR3 holds while this page table is the current one.
    pub fn root(&self) -> Frame {
        self.root
    }

    /// Makes this page table the current one. Does nothing if it is.
    #[inline]
    pub fn load(&self, mmu: &mut impl Mmu) {
        if mmu.root() != self.root {
            mmu.set_root(self.root);
        }
    }

    /// Gives back every frame that the page table leads to but the shared first 4 MiB: pages, tables and directory.
    ///
    /// # Errors
    ///
    /// Refused for the current page table, which is returned.
    #[inline(always)] // into the address space's
    pub fn destroy<M: Mmu, F: FrameSource>(self, memory: &mut Memory<M, F>) -> Result<(), DestroyError> {
        if memory.root() == self.root {
            return Err(DestroyError(self));
        }
        let note = open_other(&mut memory.mmu, self.root);
        let other_pde_slot = |index| Window::Other.pde_slot(PageRange::of_table(index).start);
        let (mut index, mut stale) = (IDENTITY.end.directory_index(), Stale::NONE);
        while let Some((found, table)) = next_present(&memory.mmu, index, OTHER_WINDOW_ENTRY, other_pde_slot) {
            if table.has(Entry::FILE) {
                memory.leave_file(table);
            } else {
                stale += memory.release_in_table(Window::Other, table, PageRange::of_table(found));
                memory.release_table(table);
            }
            index = found + 1;
        }
        // Closes the window as `close_other` does, which also forgets every page that was seen there.
        set_note(&mut memory.mmu, note);
        stale.flush_all(&mut memory.mmu);
        memory.release(Entry::writable(self.root));
        Ok(())
    }

    /// Returns the window address at which the directory entry of `address` is seen.
    pub fn pde_address(address: VirtAddr) -> VirtAddr {
        Window::Own.pde_slot(Page::containing(address)).address()
    }

    /// Returns the window address at which the page-table entry of `address` is seen. It can only be read while the
    /// directory entry is present.
    pub fn pte_address(address: VirtAddr) -> VirtAddr {
        Window::Own.pte_slot(Page::containing(address)).address()
    }
}

/// The current page table, as it is read: by whatever sees the machine.
pub trait CurrentTable: MmuView {
    /// Returns the directory entry of `page`.
    #[inline]
    fn pde(&self, page: Page) -> Entry {
        self.load(Window::Own.pde_slot(page))
    }

    /// Returns the page-table entry of `page`, or `None` where there is no table.
    #[inline]
    fn pte(&self, page: Page) -> Option<Entry> {
        let is_page = page.number() < PAGES_IN_SPACE;
        (is_page && self.pde(page).is_present()).then(|| self.load(Window::Own.pte_slot(page)))
    }

    /// Finds the first page in `pages` that is present, or on the drive.
    fn first_present(&self, pages: PageRange) -> Option<Page> {
        let mut from = pages.start;
        while from < pages.end {
            if self.pde(from).is_present() {
                let end = from.end_of_table().min(pages.end);
                if let Some((found, _)) = next_present(self, from.number(), end.number(), pte_slot) {
                    return Some(Page::new(found));
                }
                from = end;
            } else {
                from = next_table(self, from, pages.end);
            }
        }
        None
    }

    /// Returns the note; a new page table's is 0.
    #[inline]
    fn note(&self) -> u32 {
        self.load(pde_slot(OTHER_WINDOW_ENTRY)).bits()
    }
}

impl<V: MmuView> CurrentTable for V {}

/// The current page table, as it is changed.
impl<M: Mmu, F: FrameSource> Memory<M, F> {
    /// Gives the absent page `page` a frame of zeros, and a table if it has none. A page on the drive gets what it had.
    ///
    /// For a lazy page, [`handle_fault`](Self::handle_fault) is the only caller (rule **one-way-to-back**). `page` must
    /// be a page that pools may hold, and absent, as the processor said.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] with nothing mapped and no frame kept; also for a page that can't be read from the drive, and
    /// then there is a free frame.
    #[inline(always)] // on the fault path
    pub fn back(&mut self, page: Page) -> Result<Frame, OutOfFrames> {
        debug_assert!(POOL_PAGES.contains(page));
        let has_table = self.pde(page).is_present();
        if has_table && self.load(Window::Own.pte_slot(page)) != Entry::ABSENT {
            return self.fetch(page);
        }
        let frame = self.get_frame()?;
        if !has_table {
            self.add_table(page).inspect_err(|OutOfFrames| self.release(Entry::writable(frame)))?;
        }
        self.mmu.store(Window::Own.pte_slot(page), Entry::writable(frame));
        // A lazily backed page reads as zeros (rule fresh-is-zero).
        self.mmu.zero(page);
        Ok(frame)
    }

    #[cold]
    fn add_table(&mut self, page: Page) -> Result<(), OutOfFrames> {
        let table = self.get_frame()?;
        // Cleared before its entry can be followed: a recycled frame is full of what look like entries.
        show_cleared(&mut self.mmu, table, |_| ());
        self.uses.mark_table(table);
        self.mmu.store(Window::Own.pde_slot(page), Entry::writable(table));
        Ok(())
    }

    /// Takes the frame behind `page` away and gives it back, with the table if that was its last page. Returns the
    /// frame; for an absent page, the first 4 MiB and the windows it does nothing and returns `None`. A page on the
    /// drive, which has no frame, gives its slot back.
    ///
    /// This is the coursework's `PageTable::free_page`; [`free_page`](Self::free_page) also knows pools.
    pub fn unmap_page(&mut self, page: Page) -> Option<Frame> {
        let entry = self.pte(page)?;
        if self.pde(page).has(Entry::FILE) {
            return self.unmap_page_in_file(page);
        }
        let only = PageRange::new(page, Page::new(page.number() + 1));
        let Some(frame) = entry.frame() else {
            self.unmap_slot(page, entry);
            return None;
        };
        (self.unmap_pages(only) == 1).then_some(frame)
    }

    /// Gives back the slot of `page`, whose entry is `entry`, if it is on the drive.
    #[cold]
    #[inline(never)]
    fn unmap_slot(&mut self, page: Page, entry: Entry) {
        let only = PageRange::new(page, Page::new(page.number() + 1));
        if let Some(slot) = entry.slot()
            && self.unmap_pages(only) == 1
        {
            self.events.record(EventKind::FreeSlot, page.start(), slot.number(), self.mmu.root());
        }
    }

    /// Does what [`unmap_page`](Self::unmap_page) does for every page in `pages` and returns how many had a frame or a
    /// slot.
    pub fn unmap_pages(&mut self, pages: PageRange) -> u32 {
        let pages = pages.intersection(POOL_PAGES);
        let (mut stale, mut from) = (Stale::NONE, pages.start);
        while from < pages.end {
            let table = self.pde(from);
            if table.is_present() {
                let end = from.end_of_table().min(pages.end);
                stale += self.unmap_in_table(table, PageRange::new(from, end));
                from = end;
            } else {
                from = next_table(&self.mmu, from, pages.end);
            }
        }
        stale.flush(&mut self.mmu, pages)
    }

    /// Unmaps `pages`, all of the table to which `entry` leads, and gives back the table if nothing is left in it.
    fn unmap_in_table(&mut self, entry: Entry, pages: PageRange) -> Stale {
        let untouched = self.zero_entries(pte_slot(pages.start.number()), pages.len());
        if untouched == pages.len() {
            return Stale::NONE;
        }
        if entry.has(Entry::FILE) {
            return Stale(self.unmap_in_file(entry, pages));
        }
        let touched = PageRange::new(Page::new(pages.start.number() + untouched), pages.end);
        let stale = self.release_in_table(Window::Own, entry, touched);
        let table = PageRange::of_table(pages.start.directory_index());
        if self.zero_entries(Window::Own.pte_slot(table.start), ENTRIES) == ENTRIES {
            self.release_table(entry);
            self.mmu.store(Window::Own.pde_slot(table.start), Entry::ABSENT);
            self.mmu.flush(Window::Own.table_page(table.start));
        }
        stale
    }

    /// Takes the frames and slots of all `pages`, which are of the table to which `table` leads, out of it and gives
    /// them back.
    #[inline]
    fn release_in_table(&mut self, window: Window, table: Entry, pages: PageRange) -> Stale {
        let released = if table.has(Entry::SHARES) {
            self.release_shared(window, pages)
        } else {
            self.release_pages(window, pages)
        };
        if self.swap.is_none() { released } else { self.release_slots(window, pages, released) }
    }

    /// Does what [`release_in_table`](Self::release_in_table) does with frames, where no other entry leads to them.
    #[inline(never)]
    fn release_pages(&mut self, window: Window, pages: PageRange) -> Stale {
        let Self { mmu, frames, .. } = self;
        let before = frames.free_frames();
        let (mut number, end) = (pages.start.number(), pages.end.number());
        let present = iter::from_fn(|| {
            while number < end {
                let slot = window.pte_slot(Page::new(number));
                if let Some(frame) = mmu.load(slot).frame() {
                    mmu.store(slot, Entry::ABSENT);
                    // It is below the end.
                    number = number.wrapping_add(1);
                    return Some(frame);
                }
                // Mostly what is absent is zero, so the machine can skip it fast.
                number += mmu.zero_entries(slot, end - number).max(1);
            }
            None
        });
        let refused = frames.release_each(present);
        if refused > 0 {
            stray_frames(pages.start, refused);
        }
        Stale(frames.free_frames() - before)
    }

    /// Does what [`release_in_table`](Self::release_in_table) does with frames, but gives back none to which another
    /// entry leads.
    #[cold]
    #[inline(never)]
    fn release_shared(&mut self, window: Window, pages: PageRange) -> Stale {
        let Self { mmu, frames, uses, .. } = self;
        let mut cleared = 0;
        let unused = pages.iter().filter_map(|page| {
            let slot = window.pte_slot(page);
            let frame = mmu.load(slot).frame()?;
            mmu.store(slot, Entry::ABSENT);
            cleared += 1;
            (!uses.count_down(frame)).then_some(frame)
        });
        let refused = frames.release_each(unused);
        if refused > 0 {
            stray_frames(pages.start, refused);
        }
        Stale(cleared)
    }

    /// Does what [`release_in_table`](Self::release_in_table) does with the slots of pages on the drive. Returns
    /// `released` and these, though nothing knows of them.
    #[cold]
    #[inline(never)]
    fn release_slots(&mut self, window: Window, pages: PageRange, mut released: Stale) -> Stale {
        let at = |number| window.pte_slot(Page::new(number));
        let (mut from, end) = (pages.start.number(), pages.end.number());
        while let Some((number, entry)) = next_present(self, from, end, at) {
            Swap::let_go_of(&mut self.swap, entry);
            self.mmu.store(at(number), Entry::ABSENT);
            released += Stale(1);
            from = number + 1;
        }
        released
    }

    /// Gives back a page table, the entry of which was present.
    fn release_table(&mut self, entry: Entry) {
        if let Some(frame) = entry.frame() {
            self.uses.unmark_table(frame);
        }
        self.release(entry);
    }

    /// Gives back the frame of an entry that was present.
    #[inline]
    fn release(&mut self, entry: Entry) {
        if let Some(Err(refused)) = entry.frame().map(|frame| self.frames.release_frame(frame)) {
            panic!("a page table led to a frame that was not handed out: {refused}");
        }
    }

    fn two_frames(&mut self) -> Result<[Frame; 2], OutOfFrames> {
        let one = self.get_frame()?;
        let Ok(two) = self.get_frame() else {
            self.release(Entry::writable(one));
            return Err(OutOfFrames);
        };
        Ok([one, two])
    }
}

/// Ends the kernel: page tables led to frames that their pool had not handed out. Entries and frames disagree, and
/// whatever came next would damage more.
#[cold]
#[inline(never)]
fn stray_frames(from: Page, refused: u32) -> ! {
    panic!("{refused} of the frames behind {from:?} and the pages after it were not handed out")
}

/// Entries that were cleared, while the processor may still hold what they said: so many pages. A value of this type is
/// used up by flushing, and by nothing else (rule **flush-inside**).
#[must_use = "the processor may still hold these translations"]
struct Stale(u32);

impl Stale {
    const NONE: Self = Self(0);

    /// Flushes those of `pages`, and returns how many there were.
    #[inline]
    fn flush(self, mmu: &mut impl Mmu, pages: PageRange) -> u32 {
        match self.0 {
            0 => 0,
            _ if pages.len() > FLUSH_SINGLY => self.flush_all(mmu),
            count => {
                pages.iter().for_each(|page| mmu.flush(page));
                count
            }
        }
    }

    /// Flushes everything, and returns how many pages there were.
    #[inline]
    fn flush_all(self, mmu: &mut impl Mmu) -> u32 {
        mmu.flush_all();
        self.0
    }
}

impl AddAssign for Stale {
    #[inline]
    fn add_assign(&mut self, more: Self) {
        self.0 += more.0;
    }
}

/// Returns the first page above the absent table of `from` whose table is present, or `end` if there is none below
/// that.
fn next_table(view: &impl MmuView, from: Page, end: Page) -> Page {
    let last = end.number().div_ceil(ENTRIES);
    let found = next_present(view, from.directory_index() + 1, last, pde_slot);
    found.map_or(end, |(index, _)| PageRange::of_table(index).start)
}

fn pde_slot(index: u32) -> Slot {
    Window::Own.pde_slot(PageRange::of_table(index).start)
}

fn pte_slot(number: u32) -> Slot {
    Window::Own.pte_slot(Page::new(number))
}

/// Finds the first entry in `index..end` that leads to something. What doesn't is zero, so the machine can skip it
/// fast.
#[inline]
fn next_present(view: &impl MmuView, index: u32, end: u32, slot: impl Fn(u32) -> Slot) -> Option<(u32, Entry)> {
    if index >= end {
        return None;
    }
    let found = index + view.zero_entries(slot(index), end - index);
    (found < end).then(|| (found, view.load(slot(found))))
}

/// Entry `index` of the frame that [`show_cleared`] shows.
fn shown_entry(index: u32) -> Slot {
    Window::Own.pte_slot(Page::new(PageRange::of_table(OTHER_WINDOW_ENTRY).start.number() + index))
}

/// Clears `frame` and lets `fill` write its entries, before any directory leads to it.
///
/// In the second window the frame is seen as if it were a directory; in the recursive window, where the table of entry
/// 1022 is: as page 0xF_FFFE.
fn show_cleared<M: Mmu>(mmu: &mut M, frame: Frame, fill: impl FnOnce(&mut M)) {
    let note = open_other(mmu, frame);
    mmu.zero(shown_entry(0).page());
    fill(mmu);
    close_other(mmu, note);
}

/// Opens the second window on the directory `root`. Nothing was seen there before, so nothing needs flushing. Returns
/// the note, for [`close_other`].
#[must_use]
fn open_other(mmu: &mut impl Mmu, root: Frame) -> u32 {
    let note = mmu.note();
    mmu.store(pde_slot(OTHER_WINDOW_ENTRY), Entry::writable(root));
    note
}

/// Keeps `note`, whose bit 0 must be clear, with the current page table.
pub fn set_note(mmu: &mut impl Mmu, note: u32) {
    debug_assert!(!Entry::from_bits(note).is_present());
    mmu.store(pde_slot(OTHER_WINDOW_ENTRY), Entry::from_bits(note));
}

/// Closes the second window, and forgets all that was seen there.
fn close_other(mmu: &mut impl Mmu, note: u32) {
    set_note(mmu, note);
    mmu.flush_all();
}
