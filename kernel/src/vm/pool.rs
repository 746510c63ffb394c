//! Virtual memory pools: regions of pages that get a frame when they are touched.

use super::metadata::Record;
use super::node::Node;
use super::pools::pools;
use crate::addr::{Frame, PAGE_SIZE, Page, PageRange, VirtAddr};
use crate::events::EventKind;
use crate::frames::FrameSource;
use crate::paging::{Memory, Mmu, MmuView, OutOfFrames};
use core::fmt;

/// The kind of an extent of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A region, from [`VmPool::allocate`].
    Region,
    /// A page of the pool's own.
    Metadata,
}

impl Kind {
    const fn word(self) -> u32 {
        match self {
            Self::Region => 0,
            Self::Metadata => 1,
        }
    }

    #[inline]
    fn from_node(view: &impl MmuView, node: Node) -> Self {
        if node.kind(view) == Self::Region.word() { Self::Region } else { Self::Metadata }
    }
}

/// Why nothing was allocated. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AllocateError {
    /// The pool isn't one of the current address space.
    NotCurrent,
    /// Zero bytes were asked for.
    Empty,
    /// No hole in the pool is long enough for this many pages.
    NoRoom(u32),
    /// No frame was left for a metadata page.
    OutOfFrames,
}

impl fmt::Display for AllocateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCurrent => write!(f, "this is not a pool of the current address space"),
            Self::Empty => write!(f, "a region of 0 bytes"),
            Self::NoRoom(pages) => write!(f, "no hole of {pages:#x} pages in the pool"),
            Self::OutOfFrames => write!(f, "no frame left for a metadata page of the pool"),
        }
    }
}

/// Why nothing was released. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReleaseError {
    /// The pool isn't one of the current address space.
    NotCurrent,
    /// No region holds this address: it was never allocated, or released before, or is outside the pool.
    Unknown(VirtAddr),
    /// The address lies inside a region, which starts at the second one.
    Inner(VirtAddr, VirtAddr),
    /// The address lies in a metadata page of the pool.
    Metadata(VirtAddr),
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCurrent => write!(f, "this is not a pool of the current address space"),
            Self::Unknown(address) => write!(f, "no region at {address}"),
            Self::Inner(address, start) => write!(f, "{address} is inside the region that starts at {start}"),
            Self::Metadata(address) => write!(f, "{address} is in a metadata page of the pool"),
        }
    }
}

/// A virtual memory pool of an address space: a range of pages with an allocator of regions.
///
/// A pool works while its address space is the current one. It is made by
/// [`Memory::register_pool`].
#[derive(PartialEq, Eq, Debug)]
pub struct VmPool {
    /// The directory of its address space.
    space: Frame,
    base: Page,
    /// When it was born: another pool at the same place, even in the same frames, is younger.
    born: u32,
}

impl VmPool {
    /// Writes the record of a new pool of `pages` into its first page, which it backs. Returns the pool and its node.
    pub(super) fn create<M: Mmu, F: FrameSource>(
        memory: &mut Memory<M, F>,
        pages: PageRange,
    ) -> Result<(Self, Node), OutOfFrames> {
        memory.back(pages.start)?;
        memory.keep(pages.start);
        let record = Record::create(&mut memory.mmu, pages.start);
        // Registering a pool is an event, so no two are born at the same number of events.
        record.set_born(&mut memory.mmu, memory.events.recorded());
        let node = record.pool_node();
        Ok((Self::from_node(memory, node), node))
    }

    /// Takes the pool whose node among the pools of the current address space is `node`.
    #[inline]
    pub(super) fn from_node(view: &impl MmuView, node: Node) -> Self {
        let base = Page::containing(node.address());
        Self { space: view.root(), base, born: Record::at(base).born(view) }
    }

    /// Returns the pool's first page, which holds its record.
    pub fn base(&self) -> Page {
        self.base
    }

    /// Returns all pages of the pool, its own among them; `None` if it isn't a pool of the current address space.
    pub fn pages(&self, view: &impl MmuView) -> Option<PageRange> {
        self.record(view).map(|record| record.pool_node().extent(view))
    }

    /// Returns the record of the pool, or `None` if it isn't a pool of the current address space: only then may its pages be
    /// looked at.
    #[inline]
    fn record(&self, view: &impl MmuView) -> Option<Record> {
        let record = Record::at(self.base);
        let is_ours = view.root() == self.space
            && pools(view).find(view, self.base) == Some(record.pool_node())
            && record.born(view) == self.born;
        is_ours.then_some(record)
    }

    /// Allocates a region of `bytes`, rounded up to whole pages, at the lowest address where it fits. No page of it is
    /// backed before it is touched. Records the event [`EventKind::Allocate`].
    ///
    /// Costs the logarithm of the number of regions, whatever the size.
    ///
    /// # Errors
    ///
    /// [`AllocateError`]; nothing has changed then.
    pub fn allocate<M: Mmu, F: FrameSource>(
        &mut self,
        memory: &mut Memory<M, F>,
        bytes: u32,
    ) -> Result<VirtAddr, AllocateError> {
        let record = self.record(memory).ok_or(AllocateError::NotCurrent)?;
        if bytes == 0 {
            return Err(AllocateError::Empty);
        }
        let pages = bytes.div_ceil(PAGE_SIZE);
        let area = area(memory, record);
        let no_room = AllocateError::NoRoom(pages);
        let mut regions = record.regions(memory);
        let mut room = regions.find_room(memory, area, pages).ok_or(no_room)?;
        if !record.has_node(memory) {
            let page = memory.grow(record, area)?;
            regions = record.regions(memory);
            room = match regions.find_room(memory, area, pages) {
                Some(room) => room,
                None => {
                    memory.shrink(record, page);
                    return Err(no_room);
                }
            };
        }
        let node = record.take_node(&mut memory.mmu);
        let regions = regions.insert(&mut memory.mmu, node, room, pages, Kind::Region.word());
        record.set_regions(&mut memory.mmu, regions);
        memory.events.record(EventKind::Allocate, room.start.start(), pages, self.space);
        Ok(room.start.start())
    }

    /// Releases the region that starts at `start` and gives back every frame behind it. Returns how many pages of it were
    /// backed. Records the event [`EventKind::Release`].
    ///
    /// # Errors
    ///
    /// [`ReleaseError`] unless `start` is exactly what [`allocate`](Self::allocate) returned and hasn't been released
    /// since; nothing has changed then.
    pub fn release<M: Mmu, F: FrameSource>(
        &mut self,
        memory: &mut Memory<M, F>,
        start: VirtAddr,
    ) -> Result<u32, ReleaseError> {
        let record = self.record(memory).ok_or(ReleaseError::NotCurrent)?;
        let page = Page::containing(start);
        let regions = record.regions(memory);
        let Some(node) = regions.find(memory, page) else {
            return Err(if page == self.base { ReleaseError::Metadata(start) } else { ReleaseError::Unknown(start) });
        };
        if Kind::from_node(memory, node) == Kind::Metadata {
            return Err(ReleaseError::Metadata(start));
        }
        let region = node.extent(memory);
        if region.start.start() != start {
            return Err(ReleaseError::Inner(start, region.start.start()));
        }
        let backed = memory.unmap_pages(region);
        let regions = regions.remove(&mut memory.mmu, node);
        record.set_regions(&mut memory.mmu, regions);
        if let Some(page) = record.free_node(&mut memory.mmu, node) {
            memory.shrink(record, page);
        }
        memory.events.record(EventKind::Release, start, region.len(), self.space);
        Ok(backed)
    }

    /// Says whether `address` lies in a region that is allocated now (rule **legit-is-exact**).
    #[inline]
    pub fn is_legitimate(&self, view: &impl MmuView, address: VirtAddr) -> bool {
        self.record(view).is_some_and(|record| in_region(view, record, Page::containing(address)))
    }

    /// Says whether a region holds `page`, which is a page of the pool whose node among the pools is `pool`.
    #[inline]
    pub(super) fn holds(view: &impl MmuView, pool: Node, page: Page) -> bool {
        in_region(view, Record::at(Page::containing(pool.address())), page)
    }

    /// Returns what holds `page` of this pool, or comes next above it: pages and kind. The pool's first page is no extent;
    /// other pages of its own are.
    ///
    /// A report calls this on records that may be damaged, through a view on which every read succeeds and after a million
    /// gives 0: so whatever the words are, it must return.
    pub fn extent_at_or_after(&self, view: &impl MmuView, page: Page) -> Option<(PageRange, Kind)> {
        let node = self.record(view)?.regions(view).at_or_after(view, page)?;
        Some((node.extent(view), Kind::from_node(view, node)))
    }

    /// Returns the highest extent that starts below `page`: pages and kind. It must return on damaged records, too.
    pub fn extent_before(&self, view: &impl MmuView, page: Page) -> Option<(PageRange, Kind)> {
        let node = self.record(view)?.regions(view).before(view, page)?;
        Some((node.extent(view), Kind::from_node(view, node)))
    }

    /// Says whether the pool's metadata agrees with each other.
    pub fn check(&self, view: &impl MmuView) -> bool {
        let Some(record) = self.record(view) else {
            return false;
        };
        let (area, regions) = (area(view, record), record.regions(view));
        let (mut from, mut count, mut nodes) = (area.start, 0, Record::nodes_in(view, self.base));
        while let Some((extent, kind)) = self.extent_at_or_after(view, from) {
            match kind {
                Kind::Region => count += 1,
                Kind::Metadata => nodes += Record::nodes_in(view, extent.start),
            }
            from = extent.end;
        }
        regions.check(view, area.start) && from <= area.end && nodes == count
    }
}

/// Says whether a region of the pool with this record holds `page`.
#[inline]
fn in_region(view: &impl MmuView, record: Record, page: Page) -> bool {
    record.regions(view).find(view, page).is_some_and(|node| Kind::from_node(view, node) == Kind::Region)
}

/// Returns the pages that regions may hold: all but the first.
#[inline]
fn area(view: &impl MmuView, record: Record) -> PageRange {
    let PageRange { start, end } = record.pool_node().extent(view);
    PageRange::new(Page::new(start.number().wrapping_add(1)), end)
}

/// Metadata pages come and go with the regions of a pool of the current address space.
impl<M: Mmu, F: FrameSource> Memory<M, F> {
    /// Makes the lowest free page of the pool with this record, whose regions may lie in `area`, a metadata page.
    #[cold]
    fn grow(&mut self, record: Record, area: PageRange) -> Result<Page, AllocateError> {
        let regions = record.regions(self);
        let room = regions.find_room(self, area, 1).ok_or(AllocateError::NoRoom(1))?;
        self.back(room.start).map_err(|OutOfFrames| AllocateError::OutOfFrames)?;
        self.keep(room.start);
        let node = record.add_page(&mut self.mmu, room.start);
        let regions = regions.insert(&mut self.mmu, node, room, 1, Kind::Metadata.word());
        record.set_regions(&mut self.mmu, regions);
        Ok(room.start)
    }

    /// Gives the metadata page `page`, no node of which is in use, back.
    #[cold]
    fn shrink(&mut self, record: Record, page: Page) {
        let node = record.remove_page(&mut self.mmu, page);
        let regions = record.regions(self).remove(&mut self.mmu, node);
        record.set_regions(&mut self.mmu, regions);
        self.unmap_page(page);
    }
}
