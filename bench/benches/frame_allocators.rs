//! The frame pool, compiled for the host, against three allocators that others wrote, in one run.
//!
//! Every allocator has 1 048 576 units. One sample takes units and gives them back, so that the state stays what it is.
//! What counts are the ratios at the end: times differ from machine to machine.

use bitmap_allocator::{BitAlloc, BitAlloc1M};
use buddy_system_allocator::FrameAllocator;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use droste::addr::{Frame, FrameRange};
use droste::frames::FramePool;
use droste::scenarios::Random;
use std::alloc::Layout;
use std::error::Error;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::time::Duration;
use std::{env, fs};

const UNITS: u32 = 1 << 20;

/// The run that is asked for where runs are compared.
const RUN: u32 = 16;

/// An allocator of numbered units.
trait Units {
    /// Takes `count` units in a row.
    fn get(&mut self, count: u32) -> Option<u32>;
    /// Gives back what [`get`](Self::get) returned.
    fn release(&mut self, first: u32, count: u32);
}

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

/// A state that all units are brought into before anything is measured.
#[derive(Clone, Copy)]
enum State {
    /// All are free.
    Empty,
    /// Half are in use, at random.
    Half,
    /// Every second one is in use; the only run is at the end.
    Checkerboard,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Half => "half full at random",
            Self::Checkerboard => "checkerboard, a run at the end",
        }
    }

    fn enter(self, units: &mut impl Units) {
        if matches!(self, Self::Empty) {
            return;
        }
        let mut all = Vec::new();
        while let Some(unit) = units.get(1) {
            all.push(unit);
        }
        all.sort_unstable();
        let mut random = Random::new(1);
        // Downwards, because a list in order finds its place at once then.
        for unit in all.into_iter().rev() {
            let free = match self {
                Self::Empty => true,
                Self::Half => random.below(2) == 0,
                Self::Checkerboard => unit % 2 == 0 || unit >= UNITS - RUN,
            };
            if free {
                units.release(unit, 1);
            }
        }
    }
}

/// Compares all allocators at taking `count` units and giving them back in `state`.
fn compare(criterion: &mut Criterion, count: u32, state: State) {
    let mut group = criterion.benchmark_group(group_name(count, state));
    group.sample_size(20).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(600));

    let mut storage = vec![0; FramePool::storage_words(UNITS)];
    let range = FrameRange::new(Frame::new(0), Frame::new(UNITS));
    measure(&mut group, OURS, count, state, &mut FramePool::new(range, &mut storage).expect("storage enough"));

    let mut bitmap = Bitmap(Box::default());
    bitmap.0.insert(0..UNITS as usize);
    // Without a summary of runs it looks at every unit: seconds for each sample.
    if count == 1 || !matches!(state, State::Checkerboard) {
        measure(&mut group, "bitmap-allocator", count, state, &mut bitmap);
    }

    let mut buddies = FrameAllocator::<33>::new();
    buddies.add_frame(0, UNITS as usize);
    measure(&mut group, "buddy_system_allocator", count, state, &mut buddies);

    let memory = Vec::leak(vec![MaybeUninit::uninit(); (UNITS as usize + 1) * UNIT_BYTES]);
    let mut heap = Heap { start: 0, heap: linked_list_allocator::Heap::from_slice(memory) };
    heap.start = heap.heap.bottom() as usize;
    measure(&mut group, "linked_list_allocator", count, state, &mut heap);
    group.finish();
}

fn measure(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, count: u32, state: State, units: &mut impl Units) {
    state.enter(units);
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let first = units.get(black_box(count)).expect("there is such a run");
            units.release(black_box(first), count);
        });
    });
}

const OURS: &str = "droste";

fn group_name(count: u32, state: State) -> String {
    format!("get {count} and release, {}", state.name())
}

/// What is compared.
const COMPARISONS: [(u32, State); 5] =
    [(1, State::Empty), (1, State::Half), (1, State::Checkerboard), (RUN, State::Empty), (RUN, State::Checkerboard)];

/// Prints each median as a multiple of Droste's, from what criterion has left in its directory.
fn print_ratios(directory: &Path) -> Result<(), Box<dyn Error>> {
    println!("\nMedian times as multiples of Droste's, {UNITS} units");
    for (count, state) in COMPARISONS {
        let group = group_name(count, state);
        let mut medians = Vec::new();
        for entry in fs::read_dir(directory.join(&group))? {
            let file = entry?.path().join("new/estimates.json");
            if let Ok(text) = fs::read_to_string(&file) {
                let estimates: serde_json::Value = serde_json::from_str(&text)?;
                let name = file.ancestors().nth(2).and_then(Path::file_name).unwrap_or_default();
                let median = estimates["median"]["point_estimate"].as_f64().ok_or("no median")?;
                medians.push((name.to_string_lossy().into_owned(), median));
            }
        }
        medians.sort_by(|one, other| one.0.cmp(&other.0));
        let ours = medians.iter().find(|(name, _)| name == OURS).ok_or("Droste's was not measured")?.1;
        println!("  {group}");
        medians.iter().for_each(|(name, median)| println!("    {name:30} {:>12.2}", median / ours));
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    // Both of these are criterion's own default and way.
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("../target"), PathBuf::from);
    let directory = target.join("criterion");
    let mut criterion = Criterion::default().without_plots().output_directory(&directory).configure_from_args();
    COMPARISONS.iter().for_each(|(count, state)| compare(&mut criterion, *count, *state));
    criterion.final_summary();
    print_ratios(&directory)
}
