//! Pools of regions as an array: extents in order, found by halving, moved up and down as they come and go.
//!
//! The first page of a pool is its record, the second the start of its array. When that is full, the lowest free page of
//! the pool becomes a page of the array, and the last one goes when half a page and more would stay free in the rest. The
//! array's pages are extents in it themselves, so that no region gets them.
//!
//! ```text
//! record: +0 sound   +4 pages of the pool   +8 page of the next pool   +12 born   +16 extents in the array
//!         +20 pages of the array   +24 and so on: which ones
//! extent: +0 first page   +4 pages; bit 31 is set for a page of the array
//! ```

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

const SOUND: u32 = 0;
const PAGES: u32 = 4;
const NEXT: u32 = 8;
const BORN: u32 = 12;
const COUNT: u32 = 16;
const OWN: u32 = 20;
const ARRAY: u32 = 24;

/// What stands in a record that nobody has written over.
const MARK: u32 = 0x5A4E_D000;

/// Extents in a page of the array, pages that the record has room for, and the bit of an extent that is one of them.
const EXTENTS: u32 = PAGE_SIZE / 8;
const ARRAY_PAGES: u32 = (PAGE_SIZE - ARRAY) / 4;
const METADATA: u32 = 1 << 31;

/// The record of a pool, in its first page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Record(Page);

impl Record {
    /// Takes the record that a list of pools leads to; `None` at its end, and where it was written over.
    pub(super) fn at(view: &impl MmuView, base: Page) -> Option<Self> {
        let record = Self(base);
        (base != Page::new(0) && record.get(view, SOUND) == MARK ^ base.number()).then_some(record)
    }

    fn get(self, view: &impl MmuView, field: u32) -> u32 {
        view.read(VirtAddr::new(self.0.start().as_u32() + field))
    }

    fn set(self, mmu: &mut impl Mmu, field: u32, word: u32) {
        mmu.write(VirtAddr::new(self.0.start().as_u32() + field), word);
    }

    pub(super) fn base(self) -> Page {
        self.0
    }

    pub(super) fn next(self, view: &impl MmuView) -> Page {
        Page::new(self.get(view, NEXT))
    }

    pub(super) fn set_next(self, mmu: &mut impl Mmu, next: Page) {
        self.set(mmu, NEXT, next.number());
    }

    /// Returns all pages of the pool.
    pub(super) fn pages(self, view: &impl MmuView) -> PageRange {
        extent(self.0.number(), self.get(view, PAGES))
    }

    fn count(self, view: &impl MmuView) -> u32 {
        self.get(view, COUNT)
    }

    fn array_pages(self, view: &impl MmuView) -> u32 {
        self.get(view, OWN)
    }

    /// Returns where extent `index` lies.
    fn place(self, view: &impl MmuView, index: u32) -> VirtAddr {
        let page = Page::new(self.get(view, ARRAY + 4 * (index / EXTENTS)));
        VirtAddr::new(page.start().as_u32() + 8 * (index % EXTENTS))
    }

    fn words(self, view: &impl MmuView, index: u32) -> [u32; 2] {
        let place = self.place(view, index);
        [view.read(place), view.read(VirtAddr::new(place.as_u32() + 4))]
    }

    fn set_words(self, mmu: &mut impl Mmu, index: u32, words: [u32; 2]) {
        let place = self.place(mmu, index);
        mmu.write(place, words[0]);
        mmu.write(VirtAddr::new(place.as_u32() + 4), words[1]);
    }

    fn extent(self, view: &impl MmuView, index: u32) -> (PageRange, Kind) {
        let [start, pages] = self.words(view, index);
        let kind = if pages & METADATA == 0 { Kind::Region } else { Kind::Metadata };
        (extent(start, pages & !METADATA), kind)
    }

    /// Counts the extents that start at or below `page`.
    fn position(self, view: &impl MmuView, page: Page) -> u32 {
        let (mut low, mut high) = (0, self.count(view));
        while low < high {
            let middle = low.midpoint(high);
            if self.words(view, middle)[0] <= page.number() { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Finds the extent that holds `page`.
    fn find(self, view: &impl MmuView, page: Page) -> Option<(u32, PageRange, Kind)> {
        let index = self.position(view, page).checked_sub(1)?;
        let (extent, kind) = self.extent(view, index);
        extent.contains(page).then_some((index, extent, kind))
    }

    /// Says whether a region holds `page`.
    pub(super) fn in_region(self, view: &impl MmuView, page: Page) -> bool {
        self.find(view, page).is_some_and(|(_, _, kind)| kind == Kind::Region)
    }

    /// Finds the lowest `pages` pages that no extent holds: before which extent, and where they start.
    fn find_room(self, view: &impl MmuView, pages: u32) -> Option<(u32, Page)> {
        let (all, mut from) = (self.pages(view), Page::new(self.0.number() + 1));
        for index in 0..self.count(view) {
            let (extent, _) = self.extent(view, index);
            if extent.start.number() - from.number() >= pages {
                return Some((index, from));
            }
            from = extent.end;
        }
        (all.end.number() - from.number() >= pages).then_some((self.count(view), from))
    }

    /// Inserts an extent before extent `index`. The array has a page for it.
    fn insert(self, mmu: &mut impl Mmu, index: u32, words: [u32; 2]) {
        let count = self.count(mmu);
        self.set(mmu, COUNT, count + 1);
        for other in (index..count).rev() {
            let words = self.words(mmu, other);
            self.set_words(mmu, other + 1, words);
        }
        self.set_words(mmu, index, words);
    }

    fn remove(self, mmu: &mut impl Mmu, index: u32) {
        let count = self.count(mmu);
        for other in index + 1..count {
            let words = self.words(mmu, other);
            self.set_words(mmu, other - 1, words);
        }
        self.set(mmu, COUNT, count - 1);
    }

    /// Makes `page`, which is backed, the last page of the array.
    fn push_array_page(self, mmu: &mut impl Mmu, page: Page) {
        let number = self.array_pages(mmu);
        self.set(mmu, ARRAY + 4 * number, page.number());
        self.set(mmu, OWN, number + 1);
    }
}

/// Returns `pages` pages from page `start` on. The sum wraps where the record is damaged: a report looks at that too.
fn extent(start: u32, pages: u32) -> PageRange {
    PageRange::new(Page::new(start), Page::new(start.wrapping_add(pages)))
}

/// A virtual memory pool of an address space: a range of pages with an allocator of regions.
#[derive(PartialEq, Eq, Debug)]
pub struct VmPool {
    space: Frame,
    base: Page,
    /// When it was born, in events: another pool at the same place is younger.
    born: u32,
}

impl VmPool {
    /// Writes the record of a new pool of `pages`, three at least, into its first page, and begins its array in the second.
    pub(super) fn create<M: Mmu, F: FrameSource>(
        memory: &mut Memory<M, F>,
        pages: PageRange,
    ) -> Result<(Self, Record), OutOfFrames> {
        let (record, second) = (Record(pages.start), Page::new(pages.start.number() + 1));
        memory.back(pages.start)?;
        if let Err(OutOfFrames) = memory.back(second) {
            memory.unmap_page(pages.start);
            return Err(OutOfFrames);
        }
        memory.keep(pages.start);
        memory.keep(second);
        record.set(&mut memory.mmu, SOUND, MARK ^ pages.start.number());
        record.set(&mut memory.mmu, PAGES, pages.len());
        record.set(&mut memory.mmu, BORN, memory.events.recorded());
        record.push_array_page(&mut memory.mmu, second);
        record.insert(&mut memory.mmu, 0, [second.number(), 1 | METADATA]);
        Ok((Self::from_record(memory, record), record))
    }

    pub(super) fn from_record(view: &impl MmuView, record: Record) -> Self {
        Self { space: view.root(), base: record.base(), born: record.get(view, BORN) }
    }

    /// Returns the pool's first page.
    pub fn base(&self) -> Page {
        self.base
    }

    /// Returns all pages of the pool; `None` if it isn't a pool of the current address space.
    pub fn pages(&self, view: &impl MmuView) -> Option<PageRange> {
        self.record(view).map(|record| record.pages(view))
    }

    /// Returns the record of the pool, or `None` if it isn't a pool of the current address space.
    fn record(&self, view: &impl MmuView) -> Option<Record> {
        let record = super::space::records(view).find(|record| record.base() == self.base)?;
        (*self == Self::from_record(view, record)).then_some(record)
    }

    /// Allocates a region of `bytes`, rounded up to whole pages, at the lowest address where it fits.
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
        let no_room = AllocateError::NoRoom(pages);
        let mut room = record.find_room(memory, pages).ok_or(no_room)?;
        if record.count(memory) == record.array_pages(memory) * EXTENTS {
            memory.add_array_page(record, no_room)?;
            room = match record.find_room(memory, pages) {
                Some(room) => room,
                None => {
                    memory.remove_array_page(record);
                    return Err(no_room);
                }
            };
        }
        let (index, start) = room;
        record.insert(&mut memory.mmu, index, [start.number(), pages]);
        memory.events.record(EventKind::Allocate, start.start(), pages, self.space);
        Ok(start.start())
    }

    /// Releases the region that starts at `start`. Returns how many pages of it were backed.
    pub fn release<M: Mmu, F: FrameSource>(
        &mut self,
        memory: &mut Memory<M, F>,
        start: VirtAddr,
    ) -> Result<u32, ReleaseError> {
        let record = self.record(memory).ok_or(ReleaseError::NotCurrent)?;
        let page = Page::containing(start);
        let (index, region) = match record.find(memory, page) {
            Some((_, _, Kind::Metadata)) => return Err(ReleaseError::Metadata(start)),
            _ if page == self.base => return Err(ReleaseError::Metadata(start)),
            Some((index, region, Kind::Region)) => (index, region),
            None => return Err(ReleaseError::Unknown(start)),
        };
        if region.start.start() != start {
            return Err(ReleaseError::Inner(start, region.start.start()));
        }
        let backed = memory.remove_extent(record, index);
        // Regions that come and go at the border of a page leave it in peace.
        let last = record.array_pages(memory) - 1;
        if last > 0 && record.count(memory) - 1 <= last * EXTENTS - EXTENTS / 2 {
            memory.remove_array_page(record);
        }
        memory.events.record(EventKind::Release, start, region.len(), self.space);
        Ok(backed)
    }

    /// Says whether `address` lies in a region that is allocated now.
    pub fn is_legitimate(&self, view: &impl MmuView, address: VirtAddr) -> bool {
        self.record(view).is_some_and(|record| record.in_region(view, Page::containing(address)))
    }

    /// Returns what holds `page` of this pool, or comes next above it: pages and kind.
    pub fn extent_at_or_after(&self, view: &impl MmuView, page: Page) -> Option<(PageRange, Kind)> {
        let record = self.record(view)?;
        let next = record.position(view, page);
        let holding = record.find(view, page).map(|(_, extent, kind)| (extent, kind));
        holding.or_else(|| (next < record.count(view)).then(|| record.extent(view, next)))
    }

    /// Returns the highest extent that starts below `page`: pages and kind.
    pub fn extent_before(&self, view: &impl MmuView, page: Page) -> Option<(PageRange, Kind)> {
        let record = self.record(view)?;
        let below = Page::new(page.number().checked_sub(1)?);
        record.position(view, below).checked_sub(1).map(|index| record.extent(view, index))
    }

    /// Says whether the pool's metadata agrees with each other.
    pub fn check(&self, view: &impl MmuView) -> bool {
        let Some(record) = self.record(view) else {
            return false;
        };
        let (mut from, mut own) = (Page::new(self.base.number() + 1), 0);
        for (extent, kind) in (0..record.count(view)).map(|index| record.extent(view, index)) {
            if extent.start < from || extent.is_empty() {
                return false;
            }
            from = extent.end;
            own += u32::from(kind == Kind::Metadata);
        }
        from <= record.pages(view).end && own == record.array_pages(view)
    }
}

impl<M: Mmu, F: FrameSource> Memory<M, F> {
    /// Makes the lowest free page a page of the array, which is full; if there is none, there is `no_room` for the region
    /// either.
    fn add_array_page(&mut self, record: Record, no_room: AllocateError) -> Result<(), AllocateError> {
        let has_place = record.array_pages(self) < ARRAY_PAGES;
        let (index, page) = record.find_room(self, 1).filter(|_| has_place).ok_or(no_room)?;
        self.back(page).map_err(|OutOfFrames| AllocateError::OutOfFrames)?;
        self.keep(page);
        record.push_array_page(&mut self.mmu, page);
        record.insert(&mut self.mmu, index, [page.number(), 1 | METADATA]);
        Ok(())
    }

    /// Gives back the last page of the array, in which no extent is but its own at most.
    fn remove_array_page(&mut self, record: Record) {
        let last = record.array_pages(self) - 1;
        let page = Page::new(record.get(self, ARRAY + 4 * last));
        if let Some((index, ..)) = record.find(self, page) {
            self.remove_extent(record, index);
            record.set(&mut self.mmu, OWN, last);
        }
    }

    /// Removes extent `index` and gives back what is behind it. Returns how many pages that were.
    fn remove_extent(&mut self, record: Record, index: u32) -> u32 {
        let (extent, _) = record.extent(self, index);
        record.remove(&mut self.mmu, index);
        self.unmap_pages(extent)
    }
}
