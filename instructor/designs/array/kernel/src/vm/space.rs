//! Address spaces: a page table, and the pools of it in a list in the order of their addresses.
//!
//! The note of the directory is the address of the first pool's record. Bit 1 says that there was a pool once.

use super::pool::{Record, VmPool};
use crate::addr::{Frame, PAGE_SIZE, Page, PageRange, VirtAddr};
use crate::events::EventKind;
use crate::frames::FrameSource;
use crate::memory_map::{POOL_PAGES, WINDOWS};
use crate::paging::{CurrentTable, DestroyError, Fault, Memory, Mmu, MmuView, OutOfFrames, PageTable, set_note};
use core::num::NonZero;
use core::{fmt, iter};

const STRICT: u32 = 2;

/// Why a pool was not registered. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegisterError {
    /// Base or size is not a multiple of the page size.
    Misaligned,
    /// The pool would have no page beside its own two.
    TooSmall,
    /// Part of the pool would lie in the first 4 MiB, in the windows, or past the end of the address space.
    OutOfRange,
    /// A pool that starts at this address is in the way.
    Overlaps(VirtAddr),
    /// This page is backed already, from before there were pools.
    Backed(VirtAddr),
    /// No frame was left for the pool's first page.
    OutOfFrames,
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misaligned => write!(f, "base and size must be multiples of {PAGE_SIZE:#x}"),
            Self::TooSmall => write!(f, "a pool needs three pages at least"),
            Self::OutOfRange => {
                write!(f, "a pool must lie between {} and {}", POOL_PAGES.start.start(), POOL_PAGES.end.start())
            }
            Self::Overlaps(base) => write!(f, "the pool at {base} is in the way"),
            Self::Backed(page) => write!(f, "the page at {page} is in use already"),
            Self::OutOfFrames => write!(f, "no frame left for the pool's first page"),
        }
    }
}

/// Why a fault was not answered with a frame. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The page is present; the access broke its protection.
    Protection,
    /// The address is in the first 4 MiB, which is never backed lazily.
    FirstPages,
    /// The address is in one of the windows, where a page table is missing.
    Window,
    /// No region of the current address space holds the address.
    Illegitimate,
    /// The address is legitimate, but no frame was left.
    OutOfFrames,
}

impl Refusal {
    const ALL: [Self; 5] = [Self::Protection, Self::FirstPages, Self::Window, Self::Illegitimate, Self::OutOfFrames];

    /// Returns a number for each reason, counted from 1: a refused access carries it in a register.
    pub const fn code(self) -> NonZero<u32> {
        NonZero::<u32>::MIN.saturating_add(self as u32)
    }

    /// Returns the reason with this [`code`](Self::code), or `None` if there is none.
    pub fn from_code(code: NonZero<u32>) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }
}

/// A page table and the pools registered with it.
///
/// An address space is its directory: that frame leads to everything else, pools included. So this is a handle of one
/// frame number, which its owner gives up when the space is destroyed. [`CurrentSpace`] reads the *current* one, and
/// [`Memory`] changes it.
#[derive(PartialEq, Eq, Debug)]
#[must_use = "what is not destroyed keeps its frames"]
pub struct AddressSpace {
    table: PageTable,
}

impl AddressSpace {
    /// Makes an address space that shares the first 4 MiB with the current one and has no pools.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] if no frame is left for its directory.
    pub fn create<M: Mmu, F: FrameSource>(memory: &mut Memory<M, F>) -> Result<Self, OutOfFrames> {
        let table = PageTable::create(memory)?;
        memory.events.record(EventKind::Create, VirtAddr::new(0), table.root().number(), memory.mmu.root());
        Ok(Self { table })
    }

    /// Returns the frame of its directory: what CR3 holds while it is the current one.
    pub fn root(&self) -> Frame {
        self.table.root()
    }

    /// Says whether this address space is the current one.
    pub fn is_current(&self, view: &impl MmuView) -> bool {
        view.root() == self.root()
    }

    /// Makes this the current address space. Does nothing if it is.
    #[inline]
    pub fn load<M: Mmu, F>(&self, memory: &mut Memory<M, F>) {
        self.table.load(&mut memory.mmu);
    }

    /// Gives back every frame of the address space: pages, tables, pools' metadata and directory.
    ///
    /// # Errors
    ///
    /// Refused for the current address space, which is returned.
    pub fn destroy<M: Mmu, F: FrameSource>(self, memory: &mut Memory<M, F>) -> Result<(), Self> {
        let root = self.root();
        self.table.destroy(memory).map_err(|DestroyError(table)| Self { table })?;
        memory.events.record(EventKind::Destroy, VirtAddr::new(0), root.number(), memory.mmu.root());
        Ok(())
    }
}

/// Walks through the records of the current address space's pools.
pub(super) fn records(view: &impl MmuView) -> impl Iterator<Item = Record> {
    let first = Page::containing(VirtAddr::new(view.note()));
    iter::successors(Record::at(view, first), |record| Record::at(view, record.next(view)))
}

/// The current address space, as it is read.
pub trait CurrentSpace: MmuView {
    /// Returns the pool that holds `page`.
    fn pool_of(&self, page: Page) -> Option<VmPool> {
        let record = records(self).find(|record| record.pages(self).contains(page))?;
        Some(VmPool::from_record(self, record))
    }

    /// Returns the pool that holds `page`, or the next above it.
    fn pool_at_or_after(&self, page: Page) -> Option<VmPool> {
        let record = records(self).find(|record| record.pages(self).end > page)?;
        Some(VmPool::from_record(self, record))
    }

    /// Says whether a fault at `address` would be answered.
    fn is_legitimate(&self, address: VirtAddr) -> bool {
        let page = Page::containing(address);
        match records(self).find(|record| record.pages(self).contains(page)) {
            Some(record) => record.in_region(self, page),
            None => self.note() & STRICT == 0 && POOL_PAGES.contains(page),
        }
    }

    /// Says whether the pools agree with themselves and each other.
    fn check_pools(&self) -> bool {
        let mut from = POOL_PAGES.start;
        records(self).all(|record| {
            let pages = record.pages(self);
            let in_order = from <= pages.start;
            from = pages.end;
            in_order && VmPool::from_record(self, record).check(self)
        })
    }
}

impl<V: MmuView> CurrentSpace for V {}

/// The current address space, as it is changed.
impl<M: Mmu, F: FrameSource> Memory<M, F> {
    /// Registers a pool of `bytes` bytes from `base` on.
    pub fn register_pool(&mut self, base: VirtAddr, bytes: u32) -> Result<VmPool, RegisterError> {
        let start = Page::from_start(base).ok_or(RegisterError::Misaligned)?;
        if !bytes.is_multiple_of(PAGE_SIZE) {
            return Err(RegisterError::Misaligned);
        }
        let count = bytes / PAGE_SIZE;
        if count < 3 {
            return Err(RegisterError::TooSmall);
        }
        if !POOL_PAGES.contains(start) || count > POOL_PAGES.end.number() - start.number() {
            return Err(RegisterError::OutOfRange);
        }
        let pages = PageRange::new(start, Page::new(start.number() + count));
        if let Some(other) = records(self).find(|record| record.pages(self).overlaps(pages)) {
            return Err(RegisterError::Overlaps(other.base().start()));
        }
        if let Some(page) = self.first_present(pages) {
            return Err(RegisterError::Backed(page.start()));
        }
        let (pool, record) = VmPool::create(self, pages).map_err(|OutOfFrames| RegisterError::OutOfFrames)?;
        let before = records(self).take_while(|record| record.base() < start).last();
        let next = match before {
            Some(before) => before.next(self),
            None => Page::containing(VirtAddr::new(self.note())),
        };
        record.set_next(&mut self.mmu, next);
        self.link(before, start);
        self.events.record(EventKind::Register, base, count, self.mmu.root());
        Ok(pool)
    }

    /// Makes the pool with this `base` the one after `before`, or the first.
    fn link(&mut self, before: Option<Record>, base: Page) {
        match before {
            Some(before) => before.set_next(&mut self.mmu, base),
            None => set_note(&mut self.mmu, base.start().as_u32() | STRICT),
        }
    }

    /// Takes a pool out of use and gives back every frame in it.
    pub fn drop_pool(&mut self, pool: VmPool) -> Result<(), VmPool> {
        let Some(record) = records(self).find(|record| VmPool::from_record(self, *record) == pool) else {
            return Err(pool);
        };
        let before = records(self).take_while(|other| *other != record).last();
        let (pages, next) = (record.pages(self), record.next(self));
        self.link(before, next);
        self.unmap_pages(pages);
        self.events.record(EventKind::Drop, pages.start.start(), pages.len(), self.mmu.root());
        Ok(())
    }

    /// Answers a page fault: a legitimate page gets a frame of zeros.
    pub fn handle_fault(&mut self, fault: Fault) -> Result<(), Refusal> {
        let page = Page::containing(fault.address);
        if fault.present {
            let unshared = if fault.write { self.unshare(page) } else { Ok(None) };
            let frame = unshared.map_err(|OutOfFrames| Refusal::OutOfFrames)?.ok_or(Refusal::Protection)?;
            self.events.record(EventKind::Unshared, fault.address, frame.number(), self.mmu.root());
            return Ok(());
        }
        if WINDOWS.contains(page) {
            return Err(Refusal::Window);
        }
        if !POOL_PAGES.contains(page) {
            return Err(Refusal::FirstPages);
        }
        if !self.is_legitimate(fault.address) {
            return Err(Refusal::Illegitimate);
        }
        let frame = self.back(page).map_err(|OutOfFrames| Refusal::OutOfFrames)?;
        self.events.record(EventKind::Backed, fault.address, frame.number(), self.mmu.root());
        Ok(())
    }

    /// Gives the frame behind `page` back; a later touch gets a new one.
    pub fn free_page(&mut self, page: Page) -> Option<Frame> {
        let pool = records(self).find(|record| record.pages(self).contains(page));
        if pool.is_some_and(|record| !record.in_region(self, page)) {
            return None;
        }
        let frame = self.unmap_page(page)?;
        self.events.record(EventKind::FreePage, page.start(), frame.number(), self.mmu.root());
        Some(frame)
    }
}
