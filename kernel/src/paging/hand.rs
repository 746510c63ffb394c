//! The hand: makes frames free by sending pages to the drive, and fetches them back.
//!
//! It gives each page a second chance. It walks over page tables, whichever address space they are of: from a page that
//! was used since it last came by it takes the A flag away, and a page without it goes to the drive. It knows neither
//! which address space nor which page that is, and needs no list of frames.

use super::entry::Entry;
use super::files::View;
use super::memory::Memory;
use super::mmu::Mmu;
use super::share::shared;
use super::shown::Shown;
use super::swap::{Purpose, Swap, TRIES};
use super::table::{CurrentTable, OutOfFrames};
use super::window::Window;
use crate::addr::{ENTRIES, Frame, Page, SwapSlot};
use crate::events::EventKind;
use crate::frames::FrameSource;

impl<M: Mmu, F: FrameSource> Memory<M, F> {
    /// Hands out a frame with unknown contents. If none is free, and there is a drive, a page that was not used lately
    /// makes way.
    ///
    /// Then any page of any address space may have gone when it returns, but for the kernel's own records. What was
    /// known of an entry has to be looked up again.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] if no page can go, either.
    #[inline(always)] // on the fault path
    pub fn get_frame(&mut self) -> Result<Frame, OutOfFrames> {
        match self.frames.get_frame() {
            Some(frame) => Ok(frame),
            None => self.get_frame_of_a_page(Purpose::Anything),
        }
    }

    #[cold]
    #[inline(never)]
    fn get_frame_of_a_page(&mut self, purpose: Purpose) -> Result<Frame, OutOfFrames> {
        self.sweep(purpose)?;
        self.frames.get_frame().ok_or(OutOfFrames)
    }

    /// Moves the hand on until a page has gone to the drive, or back into its file.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] if there is no page that could, or the drive takes none.
    fn sweep(&mut self, purpose: Purpose) -> Result<(), OutOfFrames> {
        // Once round to take the A flags away, once more to find a page without; the first table may be begun in its
        // middle.
        let mut tables_left = 2 * self.uses.tables() + 1;
        let (mut has_slots, mut writes_left) = (self.swap.is_some(), TRIES);
        while tables_left > 0 && (has_slots || !self.files.tables().is_empty()) {
            let (from, index) = self.hand;
            let table = self.uses.table_from(from).ok_or(OutOfFrames)?;
            let index = if table == from { index } else { 0 };
            let file = self.files.table(table);
            let victim = if has_slots || file.is_some() { self.sweep_table(table, index) } else { None };
            let Some((index, entry)) = victim else {
                self.hand = (Frame::new(table.number() + 1), 0);
                tables_left -= 1;
                continue;
            };
            self.hand = (table, index + 1);
            let is_clean = file.is_some() && !entry.has(Entry::DIRTY);
            let is_shared_file = file.is_some_and(|file| file.view == View::Shared);
            let may_go = is_clean || if is_shared_file { writes_left > 0 } else { has_slots };
            if may_go && self.send(table, index, entry, purpose).is_ok() {
                return Ok(());
            }
            // What the file has still can go.
            writes_left = writes_left.saturating_sub(u32::from(is_shared_file));
            has_slots &= is_shared_file;
        }
        Err(OutOfFrames)
    }

    /// Takes the A flag away from the entries of `table`, from `index` on, up to the first that has none, which it
    /// returns.
    fn sweep_table(&mut self, table: Frame, mut index: u32) -> Option<(u32, Entry)> {
        let shown = Shown::show(&mut self.mmu, table);
        let mut victim = None;
        while index < ENTRIES && victim.is_none() {
            let at = Shown::entry(index);
            let entry = self.mmu.load(at);
            if !entry.is_present() || entry.has(Entry::KEPT) {
                index += self.mmu.zero_entries(at, ENTRIES - index).max(1);
            } else if entry.has(Entry::ACCESSED) {
                self.mmu.store(at, entry.without(Entry::ACCESSED));
                index += 1;
            } else {
                victim = Some((index, entry));
            }
        }
        // Everything is forgotten here, so the processor sets the A flag at the next access (rule flush-inside).
        shown.hide(&mut self.mmu);
        victim
    }

    /// Sends the page of entry `index` of `table` to where it can come back from, which its entry then says, and gives
    /// its frame back: to its file, if it was not written to or others see it there, else to the drive. Returns that
    /// entry.
    ///
    /// Nothing else happens meanwhile, so it is written first, and only then taken out of the tables: a page that the
    /// drive does not take stays as it is.
    fn send(&mut self, table: Frame, index: u32, entry: Entry, purpose: Purpose) -> Result<Entry, OutOfFrames> {
        let frame = entry.frame().ok_or(OutOfFrames)?;
        let shown = Shown::show(&mut self.mmu, table);
        let sent = match self.files.table(table) {
            // It comes again as it is (rule clean-comes-again).
            Some(_) if !entry.has(Entry::DIRTY) => Some(entry.in_file()),
            Some(file) if file.view == View::Shared => self.write_shown(file, index).is_ok().then_some(entry.in_file()),
            _ => {
                let slot = self.swap.as_mut().and_then(|swap| swap.write_out(&self.mmu, Shown::page(index), purpose));
                slot.map(|slot| entry.in_slot(slot))
            }
        };
        if let Some(absent) = sent {
            self.mmu.store(Shown::entry(index), absent);
        }
        shown.hide(&mut self.mmu);
        let sent = sent.ok_or(OutOfFrames)?;
        let others = self.uses.beyond_first(frame);
        if others > 0 {
            self.send_for_others(index, frame, sent, others);
        }
        if sent.slot().is_some() {
            self.events.record(EventKind::SwapOut, Page::new(index).start(), table.number(), self.mmu.root());
        }
        self.give_back(frame);
        Ok(sent)
    }

    /// Gives back a frame that was handed out.
    pub(super) fn give_back(&mut self, frame: Frame) {
        if let Err(refused) = self.frames.release_frame(frame) {
            panic!("a frame that was handed out is refused: {refused}");
        }
    }

    /// Makes the `others` that led to `frame` lead to where its contents are: where `sent` leads, which was one of
    /// them.
    #[cold]
    #[inline(never)]
    fn send_for_others(&mut self, index: u32, frame: Frame, sent: Entry, others: u32) {
        self.change_others(index, others, |memory, entry| {
            entry.frame().filter(|other| *other == frame)?;
            let absent = match sent.slot() {
                // Slots are counted as far as frames are.
                Some(slot) => memory.swap.as_mut()?.count_up(slot).then(|| entry.in_slot(slot))?,
                None => entry.in_file(),
            };
            memory.uses.count_down(frame).then_some(absent)
        });
    }

    /// Makes the `left` other entries that lead to a frame or slot say what `change` makes of them. They are in other
    /// page tables, and have the same index: clones have a page at the same address (rule **same-place**).
    fn change_others(&mut self, index: u32, mut left: u32, mut change: impl FnMut(&mut Self, Entry) -> Option<Entry>) {
        let (at, mut from) = (Shown::entry(index), Frame::new(0));
        while left > 0 {
            let table = self.uses.table_from(from).filter(|table| *table >= from);
            let table =
                table.unwrap_or_else(|| panic!("{left} entries {index:#x} that are counted are in no page table"));
            let shown = Shown::show(&mut self.mmu, table);
            let entry = self.mmu.load(at);
            if let Some(entry) = change(self, entry) {
                self.mmu.store(at, entry);
                left -= 1;
            }
            shown.hide(&mut self.mmu);
            from = Frame::new(table.number() + 1);
        }
    }

    /// Gives `page`, whose entry leads to a slot or a file, a frame with what is there. A slot is free then: clones
    /// that share it share the frame, and wait for a first write again.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] with the page as it was; also if it can't be read, and then there is a free frame. Another page
    /// may have gone to the drive.
    #[cold]
    #[inline(never)]
    pub fn fetch(&mut self, page: Page) -> Result<Frame, OutOfFrames> {
        if self.mmu.load(Window::Own.pte_slot(page)).is_in_file() {
            return self.fetch_from_file(page);
        }
        let frame = match self.frames.get_frame() {
            Some(frame) => frame,
            None => self.get_frame_of_a_page(Purpose::Return)?,
        };
        let absent = self.mmu.load(Window::Own.pte_slot(page));
        let others = absent.slot().zip(self.swap.as_ref()).map_or(0, |(slot, swap)| swap.beyond_first(slot));
        self.fetch_into(page, frame)?;
        if others > 0 {
            self.fetch_for_others(page, absent, others);
        }
        Ok(frame)
    }

    /// Shares `page`, which came back, with the `others` that lead to the slot to which its entry, `absent`, led.
    #[cold]
    #[inline(never)]
    fn fetch_for_others(&mut self, page: Page, absent: Entry, others: u32) {
        let at = Window::Own.pte_slot(page);
        let new = self.mmu.load(at);
        self.mmu.store(at, shared(new));
        // Which also forgets that the page could be written to (rule flush-inside).
        self.change_others(page.table_index(), others, |memory, entry| {
            entry.slot().filter(|slot| absent.slot() == Some(*slot))?;
            memory.uses.count_up(new.frame()?).then(|| {
                Swap::let_go_of(&mut memory.swap, entry);
                // It keeps A and D, as a clone does.
                shared(new.with_rights_of(entry))
            })
        });
    }

    /// Reads into `frame`, which was just handed out, what is in the slot to which the entry of `page` leads, and makes
    /// it lead to the frame instead. Others that share the slot keep it.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] with the page as it was and the frame given back, if the slot can't be read.
    #[inline(always)]
    pub(super) fn fetch_into(&mut self, page: Page, frame: Frame) -> Result<(), OutOfFrames> {
        let at = Window::Own.pte_slot(page);
        let absent = self.mmu.load(at);
        // Read through the page itself, so the processor sets A and D: it is new, and must not be lost.
        self.mmu.store(at, Entry::writable(frame));
        let slot = absent.slot();
        let read = match (slot, &mut self.swap) {
            (Some(slot), Some(swap)) => swap.read_in(&mut self.mmu, slot, page),
            _ => false,
        };
        let entry = self.mmu.load(at);
        self.mmu.store(at, if read { entry.with_rights_of(absent) } else { absent });
        self.mmu.flush(page);
        if !read {
            self.give_back(frame);
            return Err(OutOfFrames);
        }
        Swap::let_go_of(&mut self.swap, absent);
        let number = slot.map_or(0, SwapSlot::number);
        self.events.record(EventKind::SwapIn, page.start(), number, self.mmu.root());
        Ok(())
    }

    /// Brings all pages back from the drive, of whichever address space. Not for files, whose pages stay there.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] if there is no frame for one of them, or it can't be read; others may have come back.
    pub fn fetch_all(&mut self) -> Result<(), OutOfFrames> {
        let (mut from, mut result) = (Frame::new(0), Ok(()));
        while self.swap.as_ref().is_some_and(|swap| swap.used_slots() > 0)
            && result.is_ok()
            && let Some(table) = self.uses.table_from(from).filter(|table| *table >= from)
        {
            // Pages of a table that is shown are pages, too.
            let shown = Shown::show(&mut self.mmu, table);
            let on_drive = |memory: &Self, page| memory.mmu.load(Window::Own.pte_slot(page)).slot().is_some();
            for page in (0..ENTRIES).map(Shown::page) {
                if result.is_ok() && on_drive(self, page) {
                    result = self.fetch(page).map(drop);
                }
            }
            shown.hide(&mut self.mmu);
            from = Frame::new(table.number() + 1);
        }
        result
    }

    /// Sends `page` of the current address space to the drive or its file now, used or not. Returns its entry, which is
    /// absent; `None` if it has no frame, is one of the kernel's records, or the drive does not take it.
    pub fn evict(&mut self, page: Page) -> Option<Entry> {
        let (table, entry) = (self.pde(page).frame()?, self.pte(page)?);
        if !self.uses.is_table(table) || !entry.is_present() || entry.has(Entry::KEPT) {
            return None;
        }
        self.send(table, page.table_index(), entry, Purpose::Anything).ok()
    }
}
