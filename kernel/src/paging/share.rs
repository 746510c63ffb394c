//! Pages that two page tables have in common, until one of them writes.
//!
//! [`Memory::share_pages`] makes another page table lead to all frames that the current one leads to, read-only on both
//! sides. [`Memory::unshare`] answers the first write: it gives the writer a copy, unless nobody else is left.
//!
//! Decision: docs/src/decisions/0027-clones-share-frames.md.

use super::entry::Entry;
use super::files::{FileTable, View};
use super::memory::Memory;
use super::mmu::{Mmu, MmuView};
use super::shown::Shown;
use super::table::{CurrentTable, OutOfFrames};
use super::window::Window;
use crate::addr::{ENTRIES, Frame, Page, PageRange};
use crate::frames::FrameSource;
use crate::memory_map::{IDENTITY, OTHER_WINDOW_ENTRY};

/// What an entry of a page says of the past, of its kind, or of its rights, and a copy's entry says too.
const INHERITED: u32 = Entry::WRITABLE | Entry::ACCESSED | Entry::DIRTY | Entry::KEPT;

impl<M: Mmu, F: FrameSource> Memory<M, F> {
    /// Marks the page `page`, which is present, as one of the kernel's own records: never shared, but copied at once.
    pub fn keep(&mut self, page: Page) {
        let slot = Window::Own.pte_slot(page);
        let entry = self.load(slot);
        // No flush: the processor ignores the mark.
        self.mmu.store(slot, entry.with(Entry::KEPT));
    }

    /// Makes the page table whose directory is `other`, which is new, lead to all that the current one leads to. Pages
    /// are shared, the kernel's own records copied; what was read-only before stays so on both sides. The note is the
    /// current one's.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] half-way. What `other` leads to then goes with it, and [`take_back`](Self::take_back) undoes the
    /// rest.
    pub fn share_pages(&mut self, other: Frame) -> Result<(), OutOfFrames> {
        let note = self.note();
        let mut from = IDENTITY.end;
        while let Some(pages) = self.table_from(from) {
            let entry = self.load(Window::Own.pde_slot(pages.start));
            match entry.frame().filter(|_| entry.has(Entry::FILE)).and_then(|frame| self.files.table(frame)) {
                Some(table) if table.view == View::Shared => {
                    self.files.count_up(table.frame);
                    self.store_in_other(other, pages.start.directory_index(), entry);
                }
                table => self.share_table(other, pages, entry, table)?,
            }
            from = pages.end;
        }
        self.store_in_other(other, OTHER_WINDOW_ENTRY, Entry::from_bits(note));
        Ok(())
    }

    /// Gives the directory `other` a table for `pages`, which are all of one, and shares what is in the current one's,
    /// to which `entry` leads; `file` says whether that is a file's, and which.
    fn share_table(
        &mut self,
        other: Frame,
        pages: PageRange,
        entry: Entry,
        file: Option<FileTable>,
    ) -> Result<(), OutOfFrames> {
        if file.is_some() {
            self.files.reserve_table().map_err(|_| OutOfFrames)?;
        }
        let table = self.get_frame()?;
        let shown = Shown::show(&mut self.mmu, table);
        // Cleared before an entry leads to it (rule fresh-is-zero).
        self.mmu.zero(Shown::itself());
        self.uses.mark_table(table);
        if let Some(file) = file {
            self.files.add_table(FileTable { frame: table, ..file });
        }
        let shared = self.share_in_table(pages);
        // Everything is forgotten here: that a page of these could be written to, too (rule flush-inside).
        shown.hide(&mut self.mmu);
        let kept = Entry::SHARES | entry.bits() & (Entry::WRITABLE | Entry::FILE);
        self.store_in_other(other, pages.start.directory_index(), Entry::read_only(table).with(kept));
        // No flush: the processor ignores the mark.
        self.mmu.store(Window::Own.pde_slot(pages.start), entry.with(Entry::SHARES));
        shared
    }

    /// Shares `pages`, which are all of a table, with the table that is shown.
    #[inline(never)]
    fn share_in_table(&mut self, pages: PageRange) -> Result<(), OutOfFrames> {
        let mut index = 0;
        while index < ENTRIES {
            let page = Page::new(pages.start.number() | index);
            let slot = Window::Own.pte_slot(page);
            let entry = self.load(slot);
            let Some(frame) = entry.frame() else {
                // What leads to nothing is zero, so the machine can skip it fast.
                let skipped = self.zero_entries(slot, ENTRIES - index);
                index += skipped;
                if skipped == 0 && self.share_slot(page, entry)? {
                    index += 1;
                }
                continue;
            };
            if entry.has(Entry::KEPT) || !self.uses.count_up(frame) {
                // Nobody may share it, or no more can.
                if !self.copy_to_shown(page, frame)? {
                    continue;
                }
            } else {
                let shared = shared(entry);
                self.mmu.store(slot, shared);
                self.mmu.store(Shown::entry(index), shared);
            }
            index = index.wrapping_add(1);
        }
        Ok(())
    }

    /// Shares the slot of `page`, whose entry is `entry`, or its place in a file. If no more can share a slot, the page
    /// gets a frame of its own instead, to be shared then. Says whether it was shared.
    #[cold]
    fn share_slot(&mut self, page: Page, entry: Entry) -> Result<bool, OutOfFrames> {
        let is_shared = match (entry.slot(), &mut self.swap) {
            (Some(slot), Some(swap)) => swap.count_up(slot),
            _ => entry.is_in_file(),
        };
        if is_shared {
            self.mmu.store(Shown::entry(page.table_index()), entry);
            return Ok(true);
        }
        let frame = self.get_frame()?;
        self.fetch_into(page, frame)?;
        Ok(false)
    }

    /// Gives the table that is shown a copy of `page`, which has `frame`. Returns false, and has done nothing, if the
    /// page went to the drive meanwhile.
    #[cold]
    #[inline(never)]
    fn copy_to_shown(&mut self, page: Page, frame: Frame) -> Result<bool, OutOfFrames> {
        let copy = self.get_frame()?;
        let entry = self.load(Window::Own.pte_slot(page));
        if entry.frame() != Some(frame) {
            self.give_back(copy);
            return Ok(false);
        }
        let (to, at) = (Shown::page(page.table_index()), Shown::entry(page.table_index()));
        self.mmu.store(at, Entry::writable(copy));
        self.mmu.copy(page, to);
        // Only now, since a copy of what is read-only is read-only, too. Whoever shows the table forgets all.
        self.mmu.store(at, copied(copy, owned(entry)));
        Ok(true)
    }

    /// Makes writable again what nobody shares any more, since the page table that [`share_pages`](Self::share_pages)
    /// filled half-way is gone.
    #[cold]
    pub fn take_back(&mut self) {
        let mut from = IDENTITY.end;
        while let Some(pages) = self.table_from(from) {
            for slot in pages.iter().map(|page| Window::Own.pte_slot(page)) {
                let entry = self.load(slot);
                if entry.frame().is_some_and(|frame| self.uses.beyond_first(frame) == 0) {
                    self.mmu.store(slot, owned(entry));
                }
            }
            from = pages.end;
        }
        self.mmu.flush_all();
    }

    /// Makes `page`, which is present, writable if it is shared: with a copy of the frame if other entries lead there,
    /// else with the frame itself. Returns the frame; `None` if the page is not shared.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] with nothing changed; also if the page had to make way for the copy itself, and then can't be
    /// read from the drive.
    pub fn unshare(&mut self, page: Page) -> Result<Option<Frame>, OutOfFrames> {
        let slot = Window::Own.pte_slot(page);
        let entry = self.load(slot);
        let Some(frame) = entry.frame().filter(|_| entry.has(Entry::SHARED)) else {
            return Ok(None);
        };
        if self.uses.beyond_first(frame) == 0 {
            self.mmu.store(slot, entry.without(Entry::SHARED).with(Entry::WRITABLE));
            self.mmu.flush(page);
            return Ok(Some(frame));
        }
        let copy = self.get_frame()?;
        let now = self.load(slot);
        if now.is_in_file() {
            // It was clean, and went back into its file: it comes from there, and is nobody else's.
            self.give_back(copy);
            return self.fetch(page).map(Some);
        }
        if now.frame() != Some(frame) {
            // What is to be copied is on the drive, where the others keep it.
            return self.fetch_into(page, copy).map(|()| Some(copy));
        }
        let shown = Shown::show(&mut self.mmu, copy);
        self.mmu.copy(page, Shown::itself());
        self.mmu.store(slot, copied(copy, entry.with(Entry::WRITABLE)));
        shown.hide(&mut self.mmu);
        self.uses.count_down(frame);
        Ok(Some(copy))
    }

    /// Returns the pages of the first table at `from` or above, which is the first page of one. The windows' are none.
    fn table_from(&self, from: Page) -> Option<PageRange> {
        let left = OTHER_WINDOW_ENTRY - from.directory_index();
        let absent = if left == 0 { 0 } else { self.zero_entries(Window::Own.pde_slot(from), left) };
        (absent < left).then(|| PageRange::of_table(from.directory_index() + absent))
    }

    /// Stores entry `index` of the directory `other`.
    fn store_in_other(&mut self, other: Frame, index: u32, entry: Entry) {
        let shown = Shown::show(&mut self.mmu, other);
        self.mmu.store(Shown::entry(index), entry);
        shown.hide(&mut self.mmu);
    }
}

/// Returns `entry` as one of several that lead to its frame: the right to write becomes the mark. What is read-only,
/// for that reason or another, stays as it is.
pub(super) fn shared(entry: Entry) -> Entry {
    // No branch: this is asked for each page of a clone.
    entry.without(Entry::WRITABLE).with((entry.bits() & Entry::WRITABLE) * (Entry::SHARED / Entry::WRITABLE))
}

/// Returns `entry` as the only one that leads to its frame. What is read-only for another reason stays so.
fn owned(entry: Entry) -> Entry {
    if entry.has(Entry::SHARED) { entry.without(Entry::SHARED).with(Entry::WRITABLE) } else { entry }
}

/// Returns the entry of a copy, in the frame `copy`, of the page whose entry is `entry`.
fn copied(copy: Frame, entry: Entry) -> Entry {
    Entry::read_only(copy).with(entry.bits() & INHERITED)
}
