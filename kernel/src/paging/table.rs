//! Page tables: made, switched, changed and given back.
//!
//! A [`PageTable`] is its directory, and the directory is a frame. What changes pages works on the *current* one, through
//! its own window. Another one's tables are reached through the second window, which is open only inside a function of
//! this file.
//!
//! While the second window is closed its directory entry, number 1022, is absent, and the processor ignores the other 31
//! bits of an absent entry. They carry the *note*: one word in which the owner of the address space keeps where its own
//! records start. So the frame of the directory is all that needs to be known of an address space.

use super::entry::Entry;
use super::mmu::Mmu;
use super::window::{Slot, Window};
use crate::addr::{ENTRIES, Frame, PAGES_IN_SPACE, Page, PageRange, VirtAddr};
use crate::events::Events;
use crate::frames::FrameSource;
use crate::memory_map::{IDENTITY, OTHER_WINDOW_ENTRY, POOL_PAGES, RECURSIVE_ENTRY};
use core::{fmt, iter};

/// What paging works on: the machine's MMU, and where frames come from.
pub struct Memory<M, F> {
    /// The machine.
    pub mmu: M,
    /// The process frame pool.
    pub frames: F,
    /// What happened last.
    pub events: Events,
}

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
    /// Points entry 1023 of the boot directory at itself, which opens the recursive window for the first time.
    ///
    /// The current directory must be identity-mapped, as the boot stub's is.
    pub fn install_recursive_entry(mmu: &mut impl Mmu) {
        let root = mmu.root();
        let entry = VirtAddr::new(root.start().as_u32() + 4 * RECURSIVE_ENTRY);
        mmu.write(entry, Entry::writable(root).bits());
        mmu.flush_all();
    }

    /// Makes the first page table: a directory, and the table of the first 4 MiB, whose entries `identity` gives.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] if two frames can't be had.
    pub fn first<M: Mmu, F: FrameSource>(
        memory: &mut Memory<M, F>,
        identity: impl Fn(Page) -> Entry,
    ) -> Result<Self, OutOfFrames> {
        let [root, table] = two_frames(&mut memory.frames)?;
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
    pub fn create<M: Mmu, F: FrameSource>(memory: &mut Memory<M, F>) -> Result<Self, OutOfFrames> {
        let root = memory.frames.get_frame().ok_or(OutOfFrames)?;
        let identity = memory.mmu.load(directory_entry(0));
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
    pub fn destroy<M: Mmu, F: FrameSource>(self, memory: &mut Memory<M, F>) -> Result<(), DestroyError> {
        if memory.mmu.root() == self.root {
            return Err(DestroyError(self));
        }
        let note = open_other(&mut memory.mmu, self.root);
        let directory_entry = |index| Window::Other.directory_entry_of(PageRange::of_table(index).start);
        let mut index = IDENTITY.end.directory_index();
        while let Some((found, table)) = next_present(&memory.mmu, index, OTHER_WINDOW_ENTRY, directory_entry) {
            release_pages(memory, Window::Other, PageRange::of_table(found), false);
            release(&mut memory.frames, table);
            index = found + 1;
        }
        close_other(&mut memory.mmu, note);
        release(&mut memory.frames, Entry::writable(self.root));
        Ok(())
    }

    /// Returns the window address at which the directory entry of `address` is seen.
    pub fn pde_address(address: VirtAddr) -> VirtAddr {
        Window::Own.directory_entry_of(Page::containing(address)).address()
    }

    /// Returns the window address at which the page-table entry of `address` is seen. It can only be read while the
    /// directory entry is present.
    pub fn pte_address(address: VirtAddr) -> VirtAddr {
        Window::Own.table_entry(Page::containing(address)).address()
    }

    /// Returns the current page table's directory entry for `page`.
    #[inline]
    pub fn directory_entry(mmu: &impl Mmu, page: Page) -> Entry {
        mmu.load(Window::Own.directory_entry_of(page))
    }

    /// Returns the current page table's entry for `page`, or `None` where there is no table.
    #[inline]
    pub fn entry(mmu: &impl Mmu, page: Page) -> Option<Entry> {
        let is_page = page.number() < PAGES_IN_SPACE;
        (is_page && Self::directory_entry(mmu, page).is_present()).then(|| mmu.load(Window::Own.table_entry(page)))
    }

    /// Finds the first page in `pages` that is present in the current page table. Absent tables cost one look each.
    pub fn first_present(mmu: &impl Mmu, pages: PageRange) -> Option<Page> {
        let mut from = pages.start;
        while from < pages.end {
            let table = PageRange::of_table(from.directory_index());
            let end = table.end.min(pages.end);
            if Self::directory_entry(mmu, from).is_present()
                && let Some((found, _)) = next_present(mmu, from.number(), end.number(), own_entry)
            {
                return Some(Page::new(found));
            }
            from = table.end;
        }
        None
    }

    /// Gives the absent page `page` of the current page table a frame of zeros, and a table if it has none.
    ///
    /// For a lazy page, [`AddressSpace::handle_fault`](crate::vm::AddressSpace::handle_fault) is the only caller (rule
    /// **one-way-to-back**). `page` must be a page that pools may hold, and absent, as the processor said.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] with nothing mapped and no frame kept.
    #[inline(always)] // on the fault path
    pub fn back<M: Mmu, F: FrameSource>(memory: &mut Memory<M, F>, page: Page) -> Result<Frame, OutOfFrames> {
        debug_assert!(POOL_PAGES.contains(page));
        let frame = memory.frames.get_frame().ok_or(OutOfFrames)?;
        if !Self::directory_entry(&memory.mmu, page).is_present() {
            Self::add_table(memory, page)
                .inspect_err(|OutOfFrames| release(&mut memory.frames, Entry::writable(frame)))?;
        }
        debug_assert!(!memory.mmu.load(Window::Own.table_entry(page)).is_present(), "{page:?} is backed already");
        memory.mmu.store(Window::Own.table_entry(page), Entry::writable(frame));
        // A lazily backed page reads as zeros (rule fresh-is-zero).
        memory.mmu.zero(page);
        Ok(frame)
    }

    #[cold]
    fn add_table<M: Mmu, F: FrameSource>(memory: &mut Memory<M, F>, page: Page) -> Result<(), OutOfFrames> {
        let table = memory.frames.get_frame().ok_or(OutOfFrames)?;
        // Cleared before its entry can be followed: a recycled frame is full of what look like entries.
        show_cleared(&mut memory.mmu, table, |_| ());
        memory.mmu.store(Window::Own.directory_entry_of(page), Entry::writable(table));
        Ok(())
    }

    /// Takes the frame of `page` away from the current page table and gives it back, with the table if that was its last
    /// page. Returns the frame; for an absent page, the first 4 MiB and the windows it does nothing and returns `None`.
    pub fn free_page<M: Mmu, F: FrameSource>(memory: &mut Memory<M, F>, page: Page) -> Option<Frame> {
        let frame = Self::entry(&memory.mmu, page)?.frame()?;
        (Self::free_pages(memory, PageRange::new(page, Page::new(page.number() + 1))) == 1).then_some(frame)
    }

    /// Does what [`free_page`](Self::free_page) does for every page in `pages` and returns how many were present.
    /// Absent tables cost one look each.
    pub fn free_pages<M: Mmu, F: FrameSource>(memory: &mut Memory<M, F>, pages: PageRange) -> u32 {
        let pages = pages.intersection(POOL_PAGES);
        let singly = pages.len() <= FLUSH_SINGLY;
        let (mut freed, mut from) = (0, pages.start);
        while from < pages.end {
            let end = from.end_of_table().min(pages.end);
            if Self::directory_entry(&memory.mmu, from).is_present() {
                freed += Self::free_in_table(memory, PageRange::new(from, end), singly);
            }
            from = end;
        }
        if !singly && freed > 0 {
            memory.mmu.flush_all();
        }
        freed
    }

    /// Frees `pages`, all of one table, and the table if nothing is left in it.
    fn free_in_table<M: Mmu, F: FrameSource>(memory: &mut Memory<M, F>, pages: PageRange, flush: bool) -> u32 {
        let untouched = memory.mmu.zero_entries(own_entry(pages.start.number()), pages.len());
        if untouched == pages.len() {
            return 0;
        }
        let pages = PageRange::new(Page::new(pages.start.number() + untouched), pages.end);
        let freed = release_pages(memory, Window::Own, pages, flush);
        let table = PageRange::of_table(pages.start.directory_index());
        if freed > 0 && memory.mmu.zero_entries(Window::Own.table_entry(table.start), ENTRIES) == ENTRIES {
            let slot = Window::Own.directory_entry_of(table.start);
            release(&mut memory.frames, memory.mmu.load(slot));
            memory.mmu.store(slot, Entry::ABSENT);
            memory.mmu.flush(Window::Own.table_page(table.start));
        }
        freed
    }

    /// Returns the note of the current page table; a new one's is 0.
    #[inline]
    pub fn note(mmu: &impl Mmu) -> u32 {
        mmu.load(directory_entry(OTHER_WINDOW_ENTRY)).bits()
    }

    /// Keeps `note`, whose bit 0 must be clear, with the current page table.
    pub fn set_note(mmu: &mut impl Mmu, note: u32) {
        debug_assert!(!Entry::from_bits(note).is_present());
        mmu.store(directory_entry(OTHER_WINDOW_ENTRY), Entry::from_bits(note));
    }
}

fn directory_entry(index: u32) -> Slot {
    Window::Own.directory_entry_of(PageRange::of_table(index).start)
}

fn own_entry(number: u32) -> Slot {
    Window::Own.table_entry(Page::new(number))
}

/// Finds the first entry in `index..end` that is present. All that is absent is zero, so the machine can skip it fast.
#[inline]
fn next_present(mmu: &impl Mmu, index: u32, end: u32, slot: impl Fn(u32) -> Slot) -> Option<(u32, Entry)> {
    if index >= end {
        return None;
    }
    let found = index + mmu.zero_entries(slot(index), end - index);
    (found < end).then(|| (found, mmu.load(slot(found))))
}

/// Takes the frames of all present pages in `pages`, which share a table, out of that table and gives them back. Returns how
/// many there were. If it doesn't `flush` the pages, the caller flushes all.
fn release_pages<M: Mmu, F: FrameSource>(
    memory: &mut Memory<M, F>,
    window: Window,
    pages: PageRange,
    flush: bool,
) -> u32 {
    let Memory { mmu, frames, .. } = memory;
    let (mut number, end, mut absent) = (pages.start.number(), pages.end.number(), 0);
    let present = iter::from_fn(|| {
        while number < end {
            let slot = window.table_entry(Page::new(number));
            if let Some(frame) = mmu.load(slot).frame() {
                mmu.store(slot, Entry::ABSENT);
                // It is below the end.
                number = number.wrapping_add(1);
                return Some(frame);
            }
            // All that is absent is zero, so the machine can skip it fast.
            let zero = mmu.zero_entries(slot, end - number).max(1);
            number += zero;
            absent += zero;
        }
        None
    });
    let ours = frames.release_each(present);
    debug_assert!(ours.is_ok(), "a table led to a frame that no pool handed out: {ours:?}");
    if flush {
        pages.iter().for_each(|page| mmu.flush(page));
    }
    pages.len() - absent
}

/// Gives back the frame of an entry that was present.
#[inline]
fn release(frames: &mut impl FrameSource, entry: Entry) {
    let released = entry.frame().map(|frame| frames.release_frame(frame));
    debug_assert!(released == Some(Ok(())), "{entry:?} maps a frame that no pool handed out: {released:?}");
}

fn two_frames(frames: &mut impl FrameSource) -> Result<[Frame; 2], OutOfFrames> {
    let one = frames.get_frame().ok_or(OutOfFrames)?;
    let Some(two) = frames.get_frame() else {
        release(frames, Entry::writable(one));
        return Err(OutOfFrames);
    };
    Ok([one, two])
}

/// Entry `index` of the frame that [`show_cleared`] shows.
fn shown_entry(index: u32) -> Slot {
    Window::Own.table_entry(Page::new(PageRange::of_table(OTHER_WINDOW_ENTRY).start.number() + index))
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

/// Opens the second window on the directory `root`. Nothing was seen there before, so nothing needs flushing. Returns the
/// note, for [`close_other`].
#[must_use]
fn open_other(mmu: &mut impl Mmu, root: Frame) -> u32 {
    let note = PageTable::note(mmu);
    mmu.store(directory_entry(OTHER_WINDOW_ENTRY), Entry::writable(root));
    note
}

/// Closes the second window, and forgets all that was seen there.
fn close_other(mmu: &mut impl Mmu, note: u32) {
    PageTable::set_note(mmu, note);
    mmu.flush_all();
}
