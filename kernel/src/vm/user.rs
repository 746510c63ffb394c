//! Pages of programs: what ring 3 may touch.
//!
//! The U flag says that a program has touched the page; in a directory entry, that it once had one of the table's. It
//! is granted at a fault of ring 3, for a page of a region (rule **user-is-legitimate**), in the page's entry and in
//! the directory's over it. So nothing else that makes entries has to know of programs, and a metadata page, a window
//! or the first 4 MiB never gets it.
//!
//! Decision: docs/src/decisions/0030-ring-3-is-granted-a-page-at-its-fault.md.

use super::space::{CurrentSpace, Refusal};
use crate::addr::Page;
use crate::frames::FrameSource;
use crate::paging::{CurrentTable, Entry, Fault, Memory, Mmu, Shown, Window};

impl<M: Mmu, F: FrameSource> Memory<M, F> {
    /// Answers a page fault of ring 3 as [`handle_fault`](Self::handle_fault) does one of the kernel's, and grants ring
    /// 3 the page.
    ///
    /// # Errors
    ///
    /// [`Refusal`], with nothing changed.
    #[inline(never)]
    pub fn handle_user_fault(&mut self, fault: Fault) -> Result<(), Refusal> {
        let page = Page::containing(fault.address);
        // What is present and not granted yet was touched by the kernel first, or is the kernel's.
        if !fault.present || self.is_granted(page) {
            self.handle_fault(fault)?;
        } else if !self.is_legitimate(fault.address) {
            return Err(Refusal::Protection);
        }
        self.grant(page);
        Ok(())
    }

    fn is_granted(&self, page: Page) -> bool {
        self.pde(page).has(Entry::USER) && self.pte(page).is_some_and(|entry| entry.has(Entry::USER))
    }

    /// Grants `page`, which is in a region, to ring 3, if it is still there: else the access is tried again, and
    /// faults.
    fn grant(&mut self, page: Page) {
        let Some(entry) = self.pte(page).filter(|entry| entry.is_present()) else {
            return;
        };
        let (slot, table) = (Window::Own.pde_slot(page), self.pde(page));
        match table.frame().filter(|_| !table.is_writable()) {
            None => self.mmu.store(Window::Own.pte_slot(page), entry.with(Entry::USER)),
            // A file's that is seen read-only here: it can't be written through this directory.
            Some(frame) => {
                let shown = Shown::show(&mut self.mmu, frame);
                self.mmu.store(Shown::entry(page.table_index()), entry.with(Entry::USER));
                shown.hide(&mut self.mmu);
            }
        }
        if table.has(Entry::USER) {
            self.mmu.flush(page);
        } else {
            self.mmu.store(slot, table.with(Entry::USER));
            // It changes what is known of other pages of the table.
            self.mmu.flush_all();
        }
    }

    /// Takes the right to write `page` away for good, wherever the page is: a later clone or swap keeps it so.
    pub fn protect(&mut self, page: Page) {
        if let Some(entry) = self.pte(page) {
            self.mmu.store(Window::Own.pte_slot(page), entry.without(Entry::WRITABLE));
            self.mmu.flush(page);
        }
    }
}
