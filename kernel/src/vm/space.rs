//! Address spaces: a page table, its pools, and the only place that backs a lazy page.
//!
//! Decisions: docs/src/decisions/0003-an-address-space-is-its-directory.md, 0019-types-that-tell-the-truth.md.

use super::pool::VmPool;
use super::pools::{is_strict, pools, set_pools};
use crate::addr::{Frame, PAGE_SIZE, Page, PageRange, VirtAddr};
use crate::events::EventKind;
use crate::frames::FrameSource;
use crate::memory_map::{POOL_PAGES, WINDOWS};
use crate::paging::{CurrentTable, DestroyError, Fault, Memory, Mmu, MmuView, OutOfFrames, PageTable};
use core::fmt;
use core::num::NonZero;

/// Why a pool was not registered. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegisterError {
    /// Base or size is not a multiple of the page size.
    Misaligned,
    /// The pool would have no page beside its own first one.
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
            Self::TooSmall => write!(f, "a pool needs two pages at least"),
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
    /// The address is legitimate, but no frame was left, and no page could make way; or the page is on the drive and
    /// can't be read, and then there is a free frame.
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
    /// Makes an address space that shares the first 4 MiB with the current one and has no pools. Records the event
    /// [`EventKind::Create`].
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

    /// Gives back every frame of the address space: pages, tables, pools' metadata and directory. Records the event
    /// [`EventKind::Destroy`].
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

/// The current address space, as it is read: by whatever sees the machine.
pub trait CurrentSpace: MmuView {
    /// Returns the pool that holds `page`.
    #[inline]
    fn pool_of(&self, page: Page) -> Option<VmPool> {
        pools(self).find(self, page).map(|node| VmPool::from_node(self, node))
    }

    /// Returns the pool that holds `page`, or the next above it. It must return on damaged records, too: a report calls
    /// it.
    fn pool_at_or_after(&self, page: Page) -> Option<VmPool> {
        pools(self).at_or_after(self, page).map(|node| VmPool::from_node(self, node))
    }

    /// Says whether a fault at `address` would be answered.
    #[inline]
    fn is_legitimate(&self, address: VirtAddr) -> bool {
        let page = Page::containing(address);
        match pools(self).find(self, page) {
            Some(node) => VmPool::holds(self, node, page),
            // The coursework's page table exercise has no pools yet: there, every page is backed.
            None => !is_strict(self) && POOL_PAGES.contains(page),
        }
    }

    /// Says whether the pools agree with themselves and each other.
    fn check_pools(&self) -> bool {
        let mut from = POOL_PAGES.start;
        while let Some(pool) = self.pool_at_or_after(from) {
            match pool.pages(self) {
                Some(pages) if pool.check(self) => from = pages.end,
                _ => return false,
            }
        }
        pools(self).check(self, POOL_PAGES.start)
    }
}

impl<V: MmuView> CurrentSpace for V {}

/// The current address space, as it is changed.
impl<M: Mmu, F: FrameSource> Memory<M, F> {
    /// Registers a pool of `bytes` bytes from `base` on.
    ///
    /// Once it has a pool, an address space backs nothing but pages of regions (rule **strict-after-register**).
    /// Records the event [`EventKind::Register`].
    ///
    /// # Errors
    ///
    /// [`RegisterError`]; nothing has changed then.
    pub fn register_pool(&mut self, base: VirtAddr, bytes: u32) -> Result<VmPool, RegisterError> {
        let start = Page::from_start(base).ok_or(RegisterError::Misaligned)?;
        if !bytes.is_multiple_of(PAGE_SIZE) {
            return Err(RegisterError::Misaligned);
        }
        let count = bytes / PAGE_SIZE;
        if count < 2 {
            return Err(RegisterError::TooSmall);
        }
        if !POOL_PAGES.contains(start) || count > POOL_PAGES.end.number() - start.number() {
            return Err(RegisterError::OutOfRange);
        }
        let pages = PageRange::new(start, Page::new(start.number() + count));
        let pools = pools(self);
        if let Some(next) = pools.at_or_after(self, start).map(|node| node.extent(self))
            && next.overlaps(pages)
        {
            return Err(RegisterError::Overlaps(next.start.start()));
        }
        if let Some(page) = self.first_present(pages) {
            return Err(RegisterError::Backed(page.start()));
        }
        let (pool, node) = VmPool::create(self, pages).map_err(|OutOfFrames| RegisterError::OutOfFrames)?;
        let room = pools.room_at(self, POOL_PAGES.start, start);
        let pools = pools.insert(&mut self.mmu, node, room, count, 0);
        set_pools(&mut self.mmu, pools);
        self.events.record(EventKind::Register, base, count, self.mmu.root());
        Ok(pool)
    }

    /// Takes a pool out of use and gives back every frame in it. Records the event [`EventKind::Drop`].
    ///
    /// # Errors
    ///
    /// Refused, and the pool returned, if it isn't one of the current address space.
    pub fn drop_pool(&mut self, pool: VmPool) -> Result<(), VmPool> {
        let pools = pools(self);
        let node = pools.find(self, pool.base());
        let Some(node) = node.filter(|node| VmPool::from_node(self, *node) == pool) else {
            return Err(pool);
        };
        let pages = node.extent(self);
        let pools = pools.remove(&mut self.mmu, node);
        set_pools(&mut self.mmu, pools);
        self.unmap_pages(pages);
        self.events.record(EventKind::Drop, pages.start.start(), pages.len(), self.mmu.root());
        Ok(())
    }

    /// Answers a page fault: a legitimate page gets a frame of zeros, or of what it had when it went to the drive, and
    /// a page table if it needs one. Nothing else gives a lazy page its frame (rule **one-way-to-back**).
    ///
    /// A fault on a page that is present is for `handle_protection_fault`.
    ///
    /// Costs the logarithm of the number of pools and of regions, and nothing that grows with the memory. Records the
    /// event [`EventKind::Backed`]; that of a refusal is the caller's to record.
    ///
    /// # Errors
    ///
    /// [`Refusal`], with nothing mapped and no frame kept.
    #[inline(always)] // into the measured path; that of programs gets its own
    pub fn handle_fault(&mut self, fault: Fault) -> Result<(), Refusal> {
        if fault.present {
            return self.handle_protection_fault(fault);
        }
        if !self.is_legitimate(fault.address) {
            return Err(refusal(fault.address));
        }
        match self.back(Page::containing(fault.address)) {
            Ok(frame) => {
                self.events.record(EventKind::Backed, fault.address, frame.number(), self.mmu.root());
                Ok(())
            }
            Err(OutOfFrames) => Err(Refusal::OutOfFrames),
        }
    }

    /// Answers a fault on a page that is present: the first write to a shared page makes it the writer's own. Nothing
    /// else is allowed. Records the event [`EventKind::Unshared`].
    #[cold]
    #[inline(never)]
    fn handle_protection_fault(&mut self, fault: Fault) -> Result<(), Refusal> {
        let page = Page::containing(fault.address);
        if !fault.write {
            return Err(Refusal::Protection);
        }
        match self.unshare(page).map_err(|OutOfFrames| Refusal::OutOfFrames)? {
            Some(frame) => {
                self.events.record(EventKind::Unshared, fault.address, frame.number(), self.mmu.root());
                Ok(())
            }
            None => Err(Refusal::Protection),
        }
    }

    /// Gives the frame behind `page` back; a later touch gets a new one. Returns the frame, or `None` where there was
    /// nothing to free: an absent page, a metadata page, the first 4 MiB, the windows. A page on the drive has no
    /// frame, either, but gives its slot back. Records the event [`EventKind::FreePage`], or [`EventKind::FreeSlot`].
    pub fn free_page(&mut self, page: Page) -> Option<Frame> {
        let pool = pools(self).find(self, page);
        let is_metadata = pool.is_some_and(|pool| !VmPool::holds(self, pool, page));
        let frame = if is_metadata { None } else { self.unmap_page(page) }?;
        self.events.record(EventKind::FreePage, page.start(), frame.number(), self.mmu.root());
        Some(frame)
    }
}

/// Says why a fault at `address`, which is not legitimate, is not answered.
#[cold]
#[inline(never)]
fn refusal(address: VirtAddr) -> Refusal {
    let page = Page::containing(address);
    if POOL_PAGES.contains(page) {
        Refusal::Illegitimate
    } else if WINDOWS.contains(page) {
        Refusal::Window
    } else {
        Refusal::FirstPages
    }
}
