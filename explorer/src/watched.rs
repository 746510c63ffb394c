//! An MMU that notices what the kernel does to it and when a stale translation is used, and that can be broken on purpose.
//!
//! It stands between the kernel and the software machine. What it breaks, it breaks by leaving out what it was asked for:
//! the kernel's code is not changed.

use crate::outside::Outside;
use crate::trace::{Act, Trace};
use droste::addr::{ENTRIES, Frame, Page, PhysAddr, VirtAddr};
use droste::memory_map::{POOL_PAGES, WINDOWS};
use droste::paging::soft::SoftMmu;
use droste::paging::{Entry, Fault, Mmu, MmuView, Slot};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// What is broken.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Broken {
    /// Single pages of pools are not flushed (rule **flush-inside**).
    pub flush: bool,
    /// New tables and directories are not cleared (rule **fresh-is-zero**).
    pub clear: bool,
}

/// The software machine's MMU, watched.
pub struct WatchedMmu {
    soft: SoftMmu,
    /// What is broken.
    pub broken: Broken,
    /// Pages that were accessed by a translation that the tables no longer say.
    stale_uses: RefCell<BTreeSet<u32>>,
    trace: RefCell<Trace>,
    before: RefCell<Option<Before>>,
}

/// The current address space before the step.
struct Before {
    root: Frame,
    /// The entries of its tables, by their directory entries.
    tables: BTreeMap<u32, Vec<Entry>>,
}

/// A translation that the TLB keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The page.
    pub page: Page,
    /// The entry as it was seen.
    pub entry: Entry,
    /// What the tables say now.
    pub now: Option<Entry>,
}

impl Kept {
    /// Says whether the tables now lead elsewhere, or allow something else. Marks that the processor ignores are the kernel's
    /// own affair, and A and D are set without a flush.
    pub fn is_stale(&self) -> bool {
        const NO_MATTER: u32 = Entry::ACCESSED | Entry::DIRTY | Entry::KEPT | Entry::SHARED | Entry::SHARES;
        let meaning = |entry: Entry| entry.without(NO_MATTER);
        self.now.map(meaning) != Some(meaning(self.entry))
    }
}

impl WatchedMmu {
    /// Watches `soft`.
    pub fn new(soft: SoftMmu) -> Self {
        Self {
            soft,
            broken: Broken::default(),
            stale_uses: RefCell::default(),
            trace: RefCell::default(),
            before: RefCell::default(),
        }
    }

    /// Looks at the address space of the directory `root` from outside.
    pub fn outside(&self, root: Frame) -> Outside<impl Fn(PhysAddr) -> u32> {
        Outside::new(root, |at| self.soft.peek(at))
    }

    /// Returns what the TLB keeps, the lowest page first.
    pub fn tlb(&self) -> impl Iterator<Item = Kept> {
        let tables = self.outside(self.soft.root());
        self.soft.translations().into_iter().map(move |(page, entry)| Kept { page, entry, now: tables.translate(page) })
    }

    /// Returns the numbers of the pages that were accessed by a stale translation.
    pub fn stale_uses(&self) -> Vec<u32> {
        self.stale_uses.borrow().iter().copied().collect()
    }

    /// Adds to what was done in this step.
    pub fn note(&self, act: Act) {
        self.trace.borrow_mut().add(act);
    }

    /// Returns what was done in this step, in words.
    pub fn acts(&self) -> Vec<String> {
        self.trace.borrow().in_words()
    }

    /// Begins a step: forgets what was done and which stale translations were used, and remembers the tables as they are.
    pub fn begin_step(&self) {
        self.stale_uses.take();
        self.trace.take();
        let root = self.soft.root();
        let outside = self.outside(root);
        let tables = (0..ENTRIES).filter_map(|index| Some((index, outside.table(index)?.collect()))).collect();
        *self.before.borrow_mut() = Some(Before { root, tables });
    }

    /// Returns which entries of the table of directory entry `index` this step has changed: none if it has entered another
    /// address space, since there is nothing to compare with then.
    pub fn changed(&self, index: u32) -> Vec<u32> {
        let before = self.before.borrow();
        let outside = self.outside(self.soft.root());
        let before = before.as_ref().filter(|before| before.root == outside.root());
        let (Some(before), Some(now)) = (before, outside.table(index)) else {
            return Vec::new();
        };
        let was = before.tables.get(&index);
        let was = |entry: u32| was.and_then(|was| was.get(entry as usize)).copied().unwrap_or_default();
        (0..).zip(now).filter(|(entry, now)| was(*entry) != *now).map(|(entry, _)| entry).collect()
    }

    /// Reads the word at `address` as an instruction does.
    ///
    /// # Errors
    ///
    /// The page fault that the processor would raise.
    pub fn try_read(&self, address: VirtAddr) -> Result<u32, Fault> {
        self.watch(Page::containing(address));
        self.soft.try_read(address)
    }

    /// Writes the word at `address` as an instruction does.
    ///
    /// # Errors
    ///
    /// The page fault that the processor would raise.
    pub fn try_write(&self, address: VirtAddr, word: u32) -> Result<(), Fault> {
        self.watch(Page::containing(address));
        self.soft.try_write(address, word)
    }

    /// Notes whether an access to `page` goes by a stale translation.
    fn watch(&self, page: Page) {
        if let Some(entry) = self.soft.translation(page) {
            let now = self.outside(self.soft.root()).translate(page);
            if (Kept { page, entry, now }).is_stale() {
                self.stale_uses.borrow_mut().insert(page.number());
            }
        }
    }
}

impl MmuView for WatchedMmu {
    fn zero_entries(&self, slot: Slot, count: u32) -> u32 {
        self.watch(slot.page());
        self.soft.zero_entries(slot, count)
    }

    fn root(&self) -> Frame {
        self.soft.root()
    }

    fn read(&self, address: VirtAddr) -> u32 {
        self.watch(Page::containing(address));
        self.soft.read(address)
    }
}

impl Mmu for WatchedMmu {
    fn store(&mut self, slot: Slot, entry: Entry) {
        self.watch(slot.page());
        self.note(Act::Store(slot, entry));
        self.soft.store(slot, entry);
    }

    fn flush(&mut self, page: Page) {
        if self.broken.flush && POOL_PAGES.contains(page) {
            return self.note(Act::NoFlush(page));
        }
        self.note(Act::Flush(page));
        self.soft.flush(page);
    }

    fn flush_all(&mut self) {
        self.note(Act::FlushAll);
        self.soft.flush_all();
    }

    fn set_root(&mut self, root: Frame) {
        self.note(Act::Load(root));
        self.soft.set_root(root);
    }

    fn zero(&mut self, page: Page) {
        // A new table is cleared where it is seen in a window, a page of a region at its own address.
        if self.broken.clear && WINDOWS.contains(page) {
            return self.note(Act::NoClear(page));
        }
        self.watch(page);
        self.note(Act::Clear(page));
        self.soft.zero(page);
    }

    fn copy(&mut self, from: Page, to: Page) {
        self.watch(from);
        self.watch(to);
        self.note(Act::Copy(from, to));
        self.soft.copy(from, to);
    }

    fn write(&mut self, address: VirtAddr, word: u32) {
        self.watch(Page::containing(address));
        self.note(Act::Words(1));
        self.soft.write(address, word);
    }
}
