//! A pool of regions against allocators of ranges that others wrote.
//!
//! Droste's pool keeps its records in pages of the address space itself and reaches them through the seam of its paging code.
//! Here that is flat memory, where an address is an index: neither side pays for a page fault or a page table.

use crate::{Comparison, OURS, Units, measure_traffic};
use criterion::{BenchmarkGroup, measurement::WallTime};
use droste::addr::{Frame, FrameRange, PAGE_SIZE, Page, VirtAddr};
use droste::frames::{FrameSource, ReleaseError};
use droste::memory_map::WINDOWS;
use droste::paging::{Entry, Memory, Mmu, MmuView, Slot, Uses};
use droste::scenarios::Random;
use droste::vm::VmPool;
use offset_allocator::{Allocation, Allocator};
use range_alloc::RangeAllocator;
use rangemap::RangeMap;
use std::hint::black_box;

/// Pages that regions are allocated in, from [`BASE`] on: 1 GiB.
const PAGES: u32 = 1 << 18;

/// Pages that a region has at most. Regions of several lengths leave holes of several lengths.
const MOST: u32 = 7;

/// The first page that a pool may have.
const BASE: Page = Page::new(0x400);

/// The windows and the pool, in one piece: a word at each address, zero at first.
struct Flat(Vec<u32>);

impl Flat {
    fn new() -> Self {
        // The host gives a page of it when it is first touched.
        Self(vec![0; (WINDOWS.len() + BASE.number() + PAGES) as usize * (PAGE_SIZE / 4) as usize])
    }

    fn index(address: VirtAddr) -> usize {
        (address.as_u32().wrapping_add(WINDOWS.len() * PAGE_SIZE) / 4) as usize
    }
}

impl MmuView for Flat {
    fn root(&self) -> Frame {
        Frame::new(0)
    }

    #[inline]
    fn read(&self, address: VirtAddr) -> u32 {
        self.0[Self::index(address)]
    }
}

impl Mmu for Flat {
    #[inline]
    fn store(&mut self, slot: Slot, entry: Entry) {
        self.write(slot.address(), entry.bits());
    }

    fn flush(&mut self, _page: Page) {}

    fn flush_all(&mut self) {}

    fn set_root(&mut self, _root: Frame) {}

    fn zero(&mut self, page: Page) {
        let from = Self::index(page.start());
        self.0[from..from + (PAGE_SIZE / 4) as usize].fill(0);
    }

    fn copy(&mut self, from: Page, to: Page) {
        let (from, to) = (Self::index(from.start()), Self::index(to.start()));
        self.0.copy_within(from..from + (PAGE_SIZE / 4) as usize, to);
    }

    #[inline]
    fn write(&mut self, address: VirtAddr, word: u32) {
        self.0[Self::index(address)] = word;
    }
}

/// Frames without end: flat memory needs none.
struct Endless(u32);

impl FrameSource for Endless {
    fn get_frame(&mut self) -> Option<Frame> {
        self.0 = self.0 % 1024 + 1;
        Some(Frame::new(self.0))
    }

    fn release_frame(&mut self, _frame: Frame) -> Result<(), ReleaseError> {
        Ok(())
    }

    fn release_each(&mut self, frames: impl Iterator<Item = Frame>) -> u32 {
        frames.for_each(drop);
        0
    }

    fn free_frames(&self) -> u32 {
        u32::MAX
    }
}

/// An allocator of regions, and who holds a page.
trait Regions: Units {
    /// Says whether a region holds `page`; `None` if that can't be asked.
    fn holds(&self, page: u32) -> Option<bool>;
}

struct Pool {
    memory: Memory<Flat, Endless>,
    pool: VmPool,
}

impl Pool {
    fn new() -> Self {
        let none = FrameRange::new(Frame::new(0), Frame::new(0));
        let uses = Uses::new(none, &mut []).expect("no storage for no frames");
        let mut memory = Memory::new(Flat::new(), Endless(0), uses);
        let pool = memory.register_pool(BASE.start(), PAGES * PAGE_SIZE).expect("the space is empty");
        Self { memory, pool }
    }
}

impl Units for Pool {
    fn get(&mut self, count: u32) -> Option<u32> {
        let start = self.pool.allocate(&mut self.memory, count * PAGE_SIZE).ok()?;
        Some(Page::containing(start).number() - BASE.number())
    }

    fn release(&mut self, first: u32, _count: u32) {
        let start = Page::new(BASE.number() + first).start();
        self.pool.release(&mut self.memory, start).expect("it was allocated");
    }
}

impl Regions for Pool {
    fn holds(&self, page: u32) -> Option<bool> {
        Some(self.pool.is_legitimate(&self.memory, Page::new(BASE.number() + page).start()))
    }
}

impl Units for RangeAllocator<u32> {
    fn get(&mut self, count: u32) -> Option<u32> {
        self.allocate_range(count).ok().map(|range| range.start)
    }

    fn release(&mut self, first: u32, count: u32) {
        self.free_range(first..first + count);
    }
}

impl Regions for RangeAllocator<u32> {
    fn holds(&self, _page: u32) -> Option<bool> {
        None
    }
}

/// A map of ranges is no allocator: the lowest gap that is long enough is looked for.
impl Units for RangeMap<u32, u32> {
    fn get(&mut self, count: u32) -> Option<u32> {
        let first = self.gaps(&(0..PAGES)).find(|gap| gap.len() >= count as usize)?.start;
        // Neighbours with the same value would become one.
        self.insert(first..first + count, first);
        Some(first)
    }

    fn release(&mut self, first: u32, count: u32) {
        self.remove(first..first + count);
    }
}

impl Regions for RangeMap<u32, u32> {
    fn holds(&self, page: u32) -> Option<bool> {
        Some(RangeMap::get(self, &page).is_some())
    }
}

/// It wants back what it returned, which is kept beside it, by the region's first page.
struct Offsets {
    allocator: Allocator,
    live: Vec<Option<Allocation>>,
}

impl Offsets {
    fn new() -> Self {
        Self { allocator: Allocator::new(PAGES), live: vec![None; PAGES as usize] }
    }
}

impl Units for Offsets {
    fn get(&mut self, count: u32) -> Option<u32> {
        let allocation = self.allocator.allocate(count)?;
        self.live[allocation.offset as usize] = Some(allocation);
        Some(allocation.offset)
    }

    fn release(&mut self, first: u32, _count: u32) {
        self.allocator.free(self.live[first as usize].take().expect("it was allocated"));
    }
}

impl Regions for Offsets {
    fn holds(&self, _page: u32) -> Option<bool> {
        None
    }
}

/// What is done among so many regions, of which a quarter was released at random.
#[derive(Clone, Copy)]
enum Work {
    /// One goes at random, and another comes.
    Traffic(u32),
    /// A page at random is looked up, in a region or not.
    LookUp(u32),
}

impl Work {
    fn measure(self, group: &mut BenchmarkGroup<'_, WallTime>, name: &str, mut regions: impl Regions) {
        let (Self::Traffic(count) | Self::LookUp(count)) = self;
        let mut random = Random::new(1);
        let mut live = Vec::new();
        for _ in 0..count {
            let pages = 1 + random.below(MOST);
            live.push((regions.get(pages).expect("there is room"), pages));
        }
        random.shuffle(&mut live);
        live.split_off((count / 4 * 3) as usize).iter().for_each(|(first, pages)| regions.release(*first, *pages));
        match self {
            Self::Traffic(_) => measure_traffic(group, name, &mut regions, &mut live, MOST, |_| ()),
            Self::LookUp(_) if regions.holds(0).is_some() => {
                group.bench_function(name, |bencher| {
                    bencher.iter(|| black_box(regions.holds(random.below(count * MOST / 2))));
                });
            }
            Self::LookUp(_) => (),
        }
    }
}

impl Comparison for Work {
    fn name(&self) -> String {
        match self {
            Self::Traffic(count) => format!("a region of up to {MOST} pages out, one in, among {count}"),
            Self::LookUp(count) => format!("which region holds a page, among {count}"),
        }
    }

    fn measure(&self, group: &mut BenchmarkGroup<'_, WallTime>) {
        Work::measure(*self, group, OURS, Pool::new());
        Work::measure(*self, group, RANGES, RangeAllocator::new(0..PAGES));
        Work::measure(*self, group, MAP, RangeMap::new());
        Work::measure(*self, group, OFFSETS, Offsets::new());
    }

    fn limits(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Traffic(_) => &[
                (RANGES, "goes through all gaps; takes the owner's word for what comes back"),
                (MAP, "goes through the gaps up to the lowest that is long enough"),
                (OFFSETS, "doesn't take the lowest gap, knows no region by its address"),
            ],
            Self::LookUp(_) => &[(RANGES, "keeps gaps only"), (OFFSETS, "knows no region by its address")],
        }
    }
}

const RANGES: &str = "range-alloc";
const MAP: &str = "rangemap";
const OFFSETS: &str = "offset-allocator";

/// What is compared.
pub fn comparisons() -> impl Iterator<Item = Box<dyn Comparison>> {
    let all = [Work::Traffic(1_000), Work::Traffic(60_000), Work::LookUp(1_000), Work::LookUp(60_000)];
    all.into_iter().map(|comparison| Box::new(comparison) as Box<dyn Comparison>)
}
