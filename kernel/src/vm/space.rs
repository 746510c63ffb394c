//! Address spaces: a page table, its pools, and the only place that backs a lazy page.

use super::pool::VmPool;
use super::pools::{is_strict, pools, set_pools};
use crate::addr::{Frame, PAGE_SIZE, Page, PageRange, VirtAddr};
use crate::events::EventKind;
use crate::frames::FrameSource;
use crate::memory_map::{POOL_PAGES, WINDOWS};
use crate::paging::{DestroyError, Memory, Mmu, OutOfFrames, PageTable};
use core::fmt;

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

/// A page fault, as the processor reports it.
///
/// Source: Intel SDM volume 3, section 4.7.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The address that was touched: CR2.
    pub address: VirtAddr,
    /// Whether the page was present, so that the access broke its protection.
    pub present: bool,
    /// Whether it was a write.
    pub write: bool,
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

/// A page table and the pools registered with it.
///
/// An address space is its directory: that frame leads to everything else, pools included. So this is a handle of one
/// frame number, which its owner gives up when the space is destroyed.
#[derive(PartialEq, Eq, Debug)]
#[must_use = "what is not destroyed keeps its frames"]
pub struct AddressSpace {
    table: PageTable,
}

impl AddressSpace {
    /// Makes the address space of a page table that nothing else owns.
    pub fn from_table(table: PageTable) -> Self {
        Self { table }
    }

    /// Makes an address space that shares the first 4 MiB with the current one and has no pools.
    ///
    /// # Errors
    ///
    /// [`OutOfFrames`] if no frame is left for its directory.
    pub fn create<M: Mmu, F: FrameSource>(memory: &mut Memory<M, F>) -> Result<Self, OutOfFrames> {
        let table = PageTable::create(memory)?;
        memory.events.record(EventKind::Create, VirtAddr::new(0), table.root().number(), memory.mmu.root());
        Ok(Self::from_table(table))
    }

    /// Returns the frame of its directory: what CR3 holds while it is the current one.
    pub fn root(&self) -> Frame {
        self.table.root()
    }

    /// Says whether this address space is the current one.
    pub fn is_current(&self, mmu: &impl Mmu) -> bool {
        mmu.root() == self.root()
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

    /// Registers a pool of `bytes` bytes from `base` on with the current address space.
    ///
    /// Once it has a pool, an address space backs nothing but pages of regions (rule **strict-after-register**).
    ///
    /// # Errors
    ///
    /// [`RegisterError`]; nothing has changed then.
    pub fn register_pool<M: Mmu, F: FrameSource>(
        memory: &mut Memory<M, F>,
        base: VirtAddr,
        bytes: u32,
    ) -> Result<VmPool, RegisterError> {
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
        let mut pools = pools(&memory.mmu);
        if let Some(next) = pools.at_or_after(&memory.mmu, start).map(|node| node.extent(&memory.mmu))
            && next.overlaps(pages)
        {
            return Err(RegisterError::Overlaps(next.start.start()));
        }
        if let Some(page) = PageTable::first_present(&memory.mmu, pages) {
            return Err(RegisterError::Backed(page.start()));
        }
        let (pool, node) = VmPool::create(memory, pages).map_err(|OutOfFrames| RegisterError::OutOfFrames)?;
        let room = pools.room_at(&memory.mmu, POOL_PAGES.start, start);
        pools.insert(&mut memory.mmu, node, room, count, 0);
        set_pools(&mut memory.mmu, pools);
        memory.events.record(EventKind::Register, base, count, memory.mmu.root());
        Ok(pool)
    }

    /// Takes a pool of the current address space out of use and gives back every frame in it.
    ///
    /// # Errors
    ///
    /// Refused, and the pool returned, if it isn't one of the current address space.
    pub fn drop_pool<M: Mmu, F: FrameSource>(memory: &mut Memory<M, F>, pool: VmPool) -> Result<(), VmPool> {
        let mut pools = pools(&memory.mmu);
        let node = pools.find(&memory.mmu, pool.base());
        let Some(node) = node.filter(|node| VmPool::from_node(&memory.mmu, *node) == pool) else {
            return Err(pool);
        };
        let pages = node.extent(&memory.mmu);
        pools.remove(&mut memory.mmu, node);
        set_pools(&mut memory.mmu, pools);
        PageTable::free_pages(memory, pages);
        memory.events.record(EventKind::Drop, pages.start.start(), pages.len(), memory.mmu.root());
        Ok(())
    }

    /// Returns the pool of the current address space that holds `page`.
    #[inline]
    pub fn pool_of(mmu: &impl Mmu, page: Page) -> Option<VmPool> {
        pools(mmu).find(mmu, page).map(|node| VmPool::from_node(mmu, node))
    }

    /// Returns the pool of the current address space that holds `page`, or the next above it.
    pub fn pool_at_or_after(mmu: &impl Mmu, page: Page) -> Option<VmPool> {
        pools(mmu).at_or_after(mmu, page).map(|node| VmPool::from_node(mmu, node))
    }

    /// Says whether a fault at `address` would be answered in the current address space.
    #[inline]
    pub fn is_legitimate(mmu: &impl Mmu, address: VirtAddr) -> bool {
        let page = Page::containing(address);
        match pools(mmu).find(mmu, page) {
            Some(node) => VmPool::holds(mmu, node, page),
            // The coursework's page table exercise has no pools yet: there, every page is backed.
            None => !is_strict(mmu) && POOL_PAGES.contains(page),
        }
    }

    /// Answers a page fault in the current address space: a legitimate page gets a frame of zeros, and a page table if it
    /// needs one. Nothing else gives a lazy page its frame (rule **one-way-to-back**).
    ///
    /// Costs the logarithm of the number of pools and of regions, and nothing that grows with the memory.
    ///
    /// # Errors
    ///
    /// [`Refusal`], with nothing mapped and no frame kept.
    #[inline]
    pub fn handle_fault<M: Mmu, F: FrameSource>(memory: &mut Memory<M, F>, fault: Fault) -> Result<(), Refusal> {
        if fault.present {
            return Err(Refusal::Protection);
        }
        if !Self::is_legitimate(&memory.mmu, fault.address) {
            return Err(refusal(fault.address));
        }
        match PageTable::back(memory, Page::containing(fault.address)) {
            Ok(frame) => {
                memory.events.record(EventKind::Backed, fault.address, frame.number(), memory.mmu.root());
                Ok(())
            }
            Err(OutOfFrames) => Err(Refusal::OutOfFrames),
        }
    }

    /// Gives the frame behind `page` back; a later touch gets a new one. Returns the frame, or `None` where there was
    /// nothing to free: an absent page, a pool's own page, the first 4 MiB, the windows.
    pub fn free_page<M: Mmu, F: FrameSource>(memory: &mut Memory<M, F>, page: Page) -> Option<Frame> {
        let pool = pools(&memory.mmu).find(&memory.mmu, page);
        let own = pool.is_some_and(|pool| !VmPool::holds(&memory.mmu, pool, page));
        let frame = if own { None } else { PageTable::free_page(memory, page) }?;
        memory.events.record(EventKind::FreePage, page.start(), frame.number(), memory.mmu.root());
        Some(frame)
    }

    /// Says whether the pools of the current address space agree with themselves and each other.
    pub fn check(mmu: &impl Mmu) -> bool {
        let mut from = POOL_PAGES.start;
        while let Some(pool) = Self::pool_at_or_after(mmu, from) {
            match pool.pages(mmu) {
                Some(pages) if pool.check(mmu) => from = pages.end,
                _ => return false,
            }
        }
        pools(mmu).check(mmu, POOL_PAGES.start)
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
