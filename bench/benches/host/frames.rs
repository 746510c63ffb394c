//! The frame pool against allocators that others wrote.
//!
//! Every allocator has 1 048 576 units. One sample takes units and gives as many back, so that the state stays what it is.

use crate::{Comparison, OURS, Units, measure_pair, measure_traffic};
use bitmap_allocator::{BitAlloc, BitAlloc1M};
use buddy_system_allocator::FrameAllocator;
use criterion::{BenchmarkGroup, measurement::WallTime};
use droste::addr::{Frame, FrameRange};
use droste::frames::FramePool;
use droste::scenarios::Random;
use std::alloc::Layout;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

const UNITS: u32 = 1 << 20;

/// The run that is asked for where runs are compared.
const RUN: u32 = 16;

impl Units for FramePool<'_> {
    fn get(&mut self, count: u32) -> Option<u32> {
        self.get_frames(count).map(Frame::number)
    }

    fn release(&mut self, first: u32, _count: u32) {
        self.release_frames(Frame::new(first)).expect("it was handed out");
    }
}

struct Bitmap(Box<BitAlloc1M>);

impl Units for Bitmap {
    fn get(&mut self, count: u32) -> Option<u32> {
        let first = if count == 1 { self.0.alloc() } else { self.0.alloc_contiguous(None, count as usize, 0) };
        first.map(|first| first as u32)
    }

    fn release(&mut self, first: u32, count: u32) {
        if count == 1 {
            self.0.dealloc(first as usize);
        } else {
            self.0.dealloc_contiguous(first as usize, count as usize);
        }
    }
}

impl Units for FrameAllocator<33> {
    fn get(&mut self, count: u32) -> Option<u32> {
        self.alloc(count as usize).map(|first| first as u32)
    }

    fn release(&mut self, first: u32, count: u32) {
        self.dealloc(first as usize, count as usize);
    }
}

/// A heap keeps its list in the free memory itself, so here a unit is real memory: 16 bytes.
struct Heap {
    heap: linked_list_allocator::Heap,
    start: usize,
}

const UNIT_BYTES: usize = 16;

impl Heap {
    fn layout(count: u32) -> Layout {
        Layout::from_size_align(count as usize * UNIT_BYTES, UNIT_BYTES).expect("a small power of two")
    }
}

impl Units for Heap {
    fn get(&mut self, count: u32) -> Option<u32> {
        let block = self.heap.allocate_first_fit(Self::layout(count)).ok()?;
        Some(((block.as_ptr() as usize - self.start) / UNIT_BYTES) as u32)
    }

    fn release(&mut self, first: u32, count: u32) {
        let block = NonNull::new((self.start + first as usize * UNIT_BYTES) as *mut u8).expect("it was handed out");
        // SAFETY: (1) the block was handed out with this layout; (2) each is given back once.
        unsafe { self.heap.deallocate(block, Self::layout(count)) };
    }
}

/// llfree, whose runs are of 2^k units. The interface is that of its commit 06474673.
#[cfg(llfree)]
mod with_llfree {
    extern crate llfree;

    use super::UNITS;
    use crate::Units;
    use llfree::{Alloc, FrameId, Init, LLFree, MetaData, Request, Tiering};

    pub struct Llfree<R> {
        allocator: LLFree<'static>,
        request: R,
    }

    /// Makes one with all units free, for one processor.
    pub fn new() -> Llfree<impl Fn(usize, usize) -> Request> {
        let (tiering, request) = Tiering::simple(1);
        let metadata = MetaData::alloc(&LLFree::metadata_size(&tiering, UNITS as usize));
        let made = LLFree::new(UNITS as usize, Init::FreeAll, &tiering, metadata);
        Llfree { allocator: made.expect("it was given the metadata that it wants"), request }
    }

    impl<R: Fn(usize, usize) -> Request> Units for Llfree<R> {
        fn get(&mut self, count: u32) -> Option<u32> {
            let request = (self.request)(count.ilog2() as usize, 0);
            self.allocator.get(None, request).ok().map(|(first, _)| first.0 as u32)
        }

        fn release(&mut self, first: u32, count: u32) {
            let request = (self.request)(count.ilog2() as usize, 0);
            self.allocator.put(FrameId(first as usize), request).expect("it was handed out");
        }
    }
}

/// A state that all units are brought into before anything is measured.
#[derive(Clone, Copy)]
enum State {
    /// All are free.
    Empty,
    /// A quarter are in use, at random: runs that start at a multiple of their length are left, too.
    Quarter,
    /// Half are in use, at random.
    Half,
    /// Every second one is in use; the only run is at the end.
    Checkerboard,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Quarter => "a quarter in use at random",
            Self::Half => "half full at random",
            Self::Checkerboard => "checkerboard, a run at the end",
        }
    }

    /// Brings `units`, which are all free, into this state. Returns those in use.
    fn enter(self, units: &mut impl Units) -> Vec<u32> {
        let mut all = Vec::new();
        if matches!(self, Self::Empty) {
            return all;
        }
        while let Some(unit) = units.get(1) {
            all.push(unit);
        }
        all.sort_unstable();
        let mut random = Random::new(1);
        let mut in_use = Vec::new();
        // Downwards, because a list in order finds its place at once then.
        for unit in all.into_iter().rev() {
            let free = match self {
                Self::Empty => true,
                Self::Quarter => random.below(4) != 0,
                Self::Half => random.below(2) == 0,
                Self::Checkerboard => unit % 2 == 0 || unit >= UNITS - RUN,
            };
            if free {
                units.release(unit, 1);
            } else {
                in_use.push(unit);
            }
        }
        in_use
    }
}

/// What is done to every allocator.
#[derive(Clone, Copy)]
enum Work {
    /// So many units are taken and given back.
    Pair(u32),
    /// Single units go and come at random; after so many, a run is taken and given back.
    Traffic(u32),
}

impl Work {
    fn measure(self, group: &mut BenchmarkGroup<'_, WallTime>, name: &str, state: State, mut units: impl Units) {
        let mut in_use: Vec<_> = state.enter(&mut units).into_iter().map(|unit| (unit, 1)).collect();
        match self {
            Self::Pair(count) => measure_pair(group, name, &mut units, count),
            Self::Traffic(singles) => {
                let mut done = 0;
                measure_traffic(group, name, &mut units, &mut in_use, 1, |units| {
                    done += 1;
                    if done % singles == 0 {
                        // Who takes only runs that start at a multiple of their length may have none left.
                        if let Some(first) = units.get(black_box(RUN)) {
                            units.release(first, RUN);
                        }
                    }
                });
            }
        }
    }
}

impl Comparison for (Work, State) {
    fn name(&self) -> String {
        match self.0 {
            Work::Pair(count) => format!("get {count} and release, {}", self.1.name()),
            Work::Traffic(singles) => format!("1 out, 1 in, each {singles}th time {RUN}, {}", self.1.name()),
        }
    }

    fn measure(&self, group: &mut BenchmarkGroup<'_, WallTime>) {
        let (work, state) = *self;
        let mut storage = vec![0; FramePool::storage_words(UNITS)];
        let range = FrameRange::new(Frame::new(0), Frame::new(UNITS));
        work.measure(group, OURS, state, FramePool::new(range, &mut storage).expect("storage enough"));

        let searches = matches!(self, (Work::Pair(RUN), State::Checkerboard));
        if !searches {
            let mut bitmap = Bitmap(Box::default());
            bitmap.0.insert(0..UNITS as usize);
            work.measure(group, BITMAP, state, bitmap);
        }

        let mut buddies = FrameAllocator::<33>::new();
        buddies.add_frame(0, UNITS as usize);
        work.measure(group, BUDDIES, state, buddies);

        #[cfg(llfree)]
        work.measure(group, LLFREE, state, with_llfree::new());

        if matches!(work, Work::Pair(_)) {
            let memory = Vec::leak(vec![MaybeUninit::uninit(); (UNITS as usize + 1) * UNIT_BYTES]);
            let mut heap = Heap { start: 0, heap: linked_list_allocator::Heap::from_slice(memory) };
            heap.start = heap.heap.bottom() as usize;
            work.measure(group, LIST, state, heap);
        }
    }

    fn limits(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            (Work::Pair(RUN), State::Checkerboard) => &[
                (BITMAP, "has no summary of runs: looks at each unit, for seconds"),
                (BUDDIES, POWERS_OF_TWO),
                (LIST, IN_FREE_MEMORY),
            ],
            (Work::Pair(_), _) => &[(BUDDIES, POWERS_OF_TWO), (LIST, IN_FREE_MEMORY)],
            (Work::Traffic(_), _) => &[
                (BUDDIES, POWERS_OF_TWO),
                (LIST, "goes through its list for each unit that comes back, for milliseconds"),
            ],
        }
    }
}

const BITMAP: &str = "bitmap-allocator";
const BUDDIES: &str = "buddy_system_allocator";
#[cfg(llfree)]
const LLFREE: &str = "llfree";
const LIST: &str = "linked_list_allocator";

const POWERS_OF_TWO: &str = "finds only runs of 2^k units that start at a multiple of 2^k";
const IN_FREE_MEMORY: &str = "keeps its list in the free memory, which must be mapped";

/// What is compared.
pub fn comparisons() -> impl Iterator<Item = Box<dyn Comparison>> {
    let all = [
        (Work::Pair(1), State::Empty),
        (Work::Pair(1), State::Half),
        (Work::Pair(1), State::Checkerboard),
        (Work::Pair(RUN), State::Empty),
        (Work::Pair(RUN), State::Checkerboard),
        (Work::Traffic(10), State::Quarter),
        (Work::Traffic(100), State::Quarter),
    ];
    all.into_iter().map(|comparison| Box::new(comparison) as Box<dyn Comparison>)
}
