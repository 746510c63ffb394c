//! Files in address spaces: page tables whose pages are read from a file when they are touched.
//!
//! Such a table leads to pages of one file in their order, so nothing beside it is needed to find a page of the file. A
//! private table belongs to one address space. A shared one is led to by the directory of each address space that sees
//! the file: so there is one frame, and one A and one D flag, for a page of the file, and what one writes the others
//! read.
//!
//! An entry says what is to be done when frames run out: a page without D is still in the file as it is, and may just
//! go (rule
//! **clean-comes-again**).
//!
//! Decision: docs/src/decisions/0029-a-file-is-its-page-tables.md.

use super::drive::DriveError;
use super::entry::Entry;
use super::files::{File, FileId, FileTable, View};
use super::memory::Memory;
use super::mmu::Mmu;
use super::shown::Shown;
use super::swap::Swap;
use super::table::{CurrentTable, OutOfFrames};
use super::window::Window;
use crate::addr::{ENTRIES, Frame, Page, PageRange};
use crate::events::EventKind;
use crate::frames::FrameSource;

impl<M: Mmu, F: FrameSource> Memory<M, F> {
    /// Shows `file`, which must be one, from `start` on, the first page of a table; it and those that follow must be
    /// absent. No page of it is read before it is touched.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] half-way; [`unmap_pages`](Self::unmap_pages) of the same pages undoes it.
    pub fn show_file(&mut self, start: Page, file: FileId, view: View, writable: bool) -> Result<(), OutOfFrames> {
        let tables = self.files.get(file).map_or(0, |file| file.pages().div_ceil(ENTRIES));
        for number in 0..tables {
            let known = if view == View::Shared { self.files.shared_table(file, number) } else { None };
            let frame = match known {
                Some(table) => {
                    self.files.count_up(table.frame);
                    table.frame
                }
                None => self.new_file_table(file, number, view, writable)?,
            };
            // A shared table is one for all, so what this view may do stands above it. A private one's entries say it
            // themselves, and clones change them.
            let rights = if writable || view == View::Private { Entry::WRITABLE } else { 0 };
            let pages = PageRange::of_table(start.directory_index() + number);
            self.mmu.store(Window::Own.pde_slot(pages.start), Entry::read_only(frame).with(Entry::FILE | rights));
        }
        Ok(())
    }

    fn new_file_table(&mut self, file: FileId, number: u32, view: View, writable: bool) -> Result<Frame, OutOfFrames> {
        let is_read_only = view == View::Private && !writable;
        let absent = if is_read_only { Entry::IN_FILE.without(Entry::WRITABLE) } else { Entry::IN_FILE };
        self.files.reserve_table().map_err(|_| OutOfFrames)?;
        let frame = self.get_frame()?;
        let shown = Shown::show(&mut self.mmu, frame);
        // Behind the end of the file, too: nothing that is zero may be backed there.
        (0..ENTRIES).for_each(|index| self.mmu.store(Shown::entry(index), absent));
        shown.hide(&mut self.mmu);
        self.uses.mark_table(frame);
        self.files.add_table(FileTable { frame, file, number, view, users: 1 });
        Ok(frame)
    }

    /// Gives `page`, whose entry says that a file has it, a frame, and reads it. Records the event
    /// [`EventKind::FileIn`].
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] with the page as it was; also if the file has no such page, or it can't be read, and then there
    /// is a free frame.
    #[cold]
    pub(super) fn fetch_from_file(&mut self, page: Page) -> Result<Frame, OutOfFrames> {
        // Before the window opens: another page may make way.
        let frame = self.get_frame()?;
        let table = self.pde(page).frame().and_then(|table| self.files.table(table));
        let index = page.table_index();
        let Some((table, number)) = table.map(|table| (table, table.page(index))) else {
            self.give_back(frame);
            return Err(OutOfFrames);
        };
        let shown = Shown::show(&mut self.mmu, table.frame);
        let absent = self.mmu.load(Shown::entry(index));
        self.mmu.store(Shown::entry(index), Entry::writable(frame));
        let file = self.files.get_mut(table.file).filter(|file| number < file.pages());
        let is_read = file.is_some_and(|file| file.read_page(&mut self.mmu, number, Shown::page(index)).is_ok());
        // Stored anew without D, which reading set (rule filler-says-dirty), and with A: it is new (rule
        // used-when-new).
        let read = Entry::writable(frame).with(Entry::ACCESSED).with_rights_of(absent);
        self.mmu.store(Shown::entry(index), if is_read { read } else { absent });
        shown.hide(&mut self.mmu);
        if !is_read {
            self.give_back(frame);
            return Err(OutOfFrames);
        }
        self.events.record(EventKind::FileIn, page.start(), number, self.mmu.root());
        Ok(frame)
    }

    /// Writes the page of entry `index` of `table`, a shared one, which is shown, to the file. Records the event
    /// [`EventKind::FileOut`].
    ///
    /// # Errors
    ///
    /// [`DriveError`]; also if the file is gone.
    pub(super) fn write_shown(&mut self, table: FileTable, index: u32) -> Result<(), DriveError> {
        let number = table.page(index);
        let file = self.files.get_mut(table.file).ok_or(DriveError::NoSuchSectors(number))?;
        file.write_page(&mut self.mmu, number, Shown::page(index))?;
        self.events.record(EventKind::FileOut, Page::new(number).start(), table.file.number(), self.mmu.root());
        Ok(())
    }

    /// Writes what was written to since it was read, or written back, to the file, and no other page. Returns how many
    /// pages.
    ///
    /// # Errors
    ///
    /// The last [`DriveError`]; pages that were not written stay, and are written the next time.
    pub fn sync(&mut self, file: FileId) -> Result<u32, DriveError> {
        let shared = |table: &&FileTable| table.file == file && table.view == View::Shared;
        let (mut written, mut done, mut number) = (0, Ok(()), 0);
        while let Some(table) = self.files.tables().iter().filter(shared).nth(number).copied() {
            let result = self.write_through(table);
            let is_written = result.is_ok();
            match result {
                Ok(pages) => written += pages,
                Err(error) => done = Err(error),
            }
            // Nobody saw it any more, but it could not be written.
            let goes = table.users == 0 && is_written;
            if goes {
                self.release_file_table(table.frame);
            }
            number += usize::from(!goes);
        }
        done.map(|()| written)
    }

    /// Does what [`write_back`](Self::write_back) does, and sees to it that it stays.
    fn write_through(&mut self, table: FileTable) -> Result<u32, DriveError> {
        let written = self.write_back(table)?;
        if let Some(file) = self.files.get_mut(table.file).filter(|_| written > 0) {
            file.flush()?;
        }
        Ok(written)
    }

    /// Writes all pages of `table` that have D set, and takes it away.
    fn write_back(&mut self, table: FileTable) -> Result<u32, DriveError> {
        let (mut written, mut done) = (0, Ok(()));
        let shown = Shown::show(&mut self.mmu, table.frame);
        for index in 0..ENTRIES {
            let entry = self.mmu.load(Shown::entry(index));
            if !entry.is_present() || !entry.has(Entry::DIRTY) {
                continue;
            }
            match self.write_shown(table, index) {
                Ok(()) => {
                    self.mmu.store(Shown::entry(index), entry.without(Entry::DIRTY));
                    written += 1;
                }
                Err(error) => done = Err(error),
            }
        }
        // Everything is forgotten here: that a page was written to, too, so the processor sets D again.
        shown.hide(&mut self.mmu);
        done.map(|()| written)
    }

    /// Unmaps `pages`, all of the table of a file that `entry` leads to. If they are all that the file has there the
    /// table goes. Else those of a private one are taken back to what the file has, and those of a shared one stay.
    /// Returns how many had a frame or a slot of their own.
    #[cold]
    pub(super) fn unmap_in_file(&mut self, entry: Entry, pages: PageRange) -> u32 {
        let Some(table) = entry.frame().and_then(|frame| self.files.table(frame)) else {
            return 0;
        };
        let pages_of_file = self.files.get(table.file).map_or(0, File::pages);
        let here = pages_of_file.saturating_sub(table.page(0)).min(ENTRIES);
        if pages.start.table_index() == 0 && pages.len() >= here {
            self.mmu.store(Window::Own.pde_slot(pages.start), Entry::ABSENT);
            let released = self.leave_file(entry);
            // Nothing has forgotten the directory entry yet.
            self.mmu.flush_all();
            return released;
        }
        match table.view {
            View::Shared => 0,
            View::Private => {
                self.release_file_pages(table.frame, pages.start.table_index(), pages.len(), Entry::in_file)
            }
        }
    }

    /// Takes the frame of `page`, which is in a table of a file, away and gives it back, if the view is private: then
    /// it is in the file again, and so is one on the drive, which gives its slot back. A shared page stays. Returns the
    /// frame.
    #[cold]
    pub(super) fn unmap_page_in_file(&mut self, page: Page) -> Option<Frame> {
        let entry = self.pte(page)?;
        let table = self.pde(page).frame().and_then(|table| self.files.table(table))?;
        if table.view == View::Shared {
            return None;
        }
        self.release_file_pages(table.frame, page.table_index(), 1, Entry::in_file);
        if let Some(slot) = entry.slot() {
            self.events.record(EventKind::FreeSlot, page.start(), slot.number(), self.mmu.root());
        }
        entry.frame()
    }

    /// Counts a directory less that leads to the table of a file that `entry` leads to. If it was the last one, what
    /// was written to goes to the file, if others could have seen it, and all is given back. A file that does not take
    /// what was written keeps the table, until [`sync`](Self::sync). Returns how many pages had a frame or a slot of
    /// their own.
    #[cold]
    pub(super) fn leave_file(&mut self, entry: Entry) -> u32 {
        let Some(table) = entry.frame().and_then(|frame| self.files.table(frame)) else {
            return 0;
        };
        self.files.count_down(table.frame);
        let is_last = table.users == 1;
        if is_last && (table.view == View::Private || self.write_through(table).is_ok()) {
            self.release_file_table(table.frame)
        } else {
            0
        }
    }

    /// Gives back a table of a file to which no directory leads, and all that it leads to. Returns how many pages had a
    /// frame or a slot.
    fn release_file_table(&mut self, frame: Frame) -> u32 {
        let released = self.release_file_pages(frame, 0, ENTRIES, |_| Entry::ABSENT);
        self.files.remove_table(frame);
        self.uses.unmark_table(frame);
        self.give_back(frame);
        released
    }

    /// Gives back what `count` entries of a table of a file, from `index` on, lead to, and makes `absent` of them.
    /// Returns how many had a frame or a slot.
    fn release_file_pages(&mut self, table: Frame, index: u32, count: u32, absent: impl Fn(Entry) -> Entry) -> u32 {
        let mut released = 0;
        let shown = Shown::show(&mut self.mmu, table);
        for slot in (index..index + count).map(Shown::entry) {
            let entry = self.mmu.load(slot);
            self.mmu.store(slot, absent(entry));
            Swap::let_go_of(&mut self.swap, entry);
            if let Some(frame) = entry.frame().filter(|frame| !self.uses.count_down(*frame)) {
                self.give_back(frame);
            }
            released += u32::from(entry.is_present() || entry.slot().is_some());
        }
        // Everything is forgotten here (rule flush-inside).
        shown.hide(&mut self.mmu);
        released
    }
}
