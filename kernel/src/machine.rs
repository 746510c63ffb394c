//! The one machine that the kernel runs on: its memory behind a lock, and its page faults.
//!
//! [`start`] turns the boot loader's memory map into the two frame pools and the first real page table. From then on
//! [`answer`] is called at each page fault.

use crate::addr::{Frame, FrameRange, Page, VirtAddr};
use crate::arch::x86::exit::Dying;
use crate::arch::x86::lock::Locked;
use crate::arch::x86::mmu::X86Mmu;
use crate::arch::x86::{access, heap, image, storage};
use crate::boot_info::BootInfo;
use crate::claims;
use crate::console::println;
use crate::events::{self, Events, What};
use crate::fault::Unanswered;
use crate::frames::{FramePool, MarkError};
use crate::memory_map::{HOLE, KERNEL_POOL, PROCESS_POOL_START};
use crate::paging::{Entry, Memory, Mmu, OutOfFrames, PageTable};
use crate::scenarios::{self, Claim};
use crate::vm::{AddressSpace, Fault, Refusal};
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Frames of the kernel pool that the heap gets: 1 MiB.
const HEAP_FRAMES: u32 = 256;

/// What the kernel works on.
struct State {
    memory: Memory<X86Mmu, FramePool<'static>>,
    kernel_pool: FramePool<'static>,
    /// Faults that were answered with a frame.
    faults: u32,
    /// Why the last fault that wasn't answered was refused.
    refused: Option<Refusal>,
    /// The directory of the first address space.
    home: Frame,
}

static STATE: Locked<Option<State>> = Locked::new(None);

/// The seed of random scenarios: `seed=N` on the command line, or what the grader says when it is asked.
static SEED: AtomicU32 = AtomicU32::new(DEFAULT_SEED);
static SEED_KNOWN: AtomicBool = AtomicBool::new(false);

const DEFAULT_SEED: u32 = 0x00D5_05E5;

/// Why the kernel could not start its memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// The kernel pool has no run of this many frames.
    KernelPool(u32),
    /// No memory is available at 4 MiB, where the process pool starts.
    ProcessPool,
    /// A range of frames could not be set aside.
    Mark(MarkError),
    /// The process pool has no frames for the first page table.
    OutOfFrames,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KernelPool(frames) => write!(f, "no run of {frames:#x} frames in the kernel pool (2 MiB to 4 MiB)"),
            Self::ProcessPool => write!(f, "no memory above 4 MiB"),
            Self::Mark(error) => write!(f, "{error}"),
            Self::OutOfFrames => write!(f, "no frames for the first page table"),
        }
    }
}

/// Makes the frame pools, the heap and the first real page table.
///
/// # Errors
///
/// [`StartError`] if the memory doesn't allow it.
pub fn start(boot_info: &BootInfo, mut mmu: X86Mmu) -> Result<(), StartError> {
    match boot_info.option("seed").map(str::parse) {
        Some(Ok(seed)) => {
            SEED.store(seed, Ordering::Relaxed);
            SEED_KNOWN.store(true, Ordering::Relaxed);
        }
        Some(Err(_)) => log::warn!("seed= takes a decimal number below 2^32"),
        None => {}
    }
    let mut kernel_pool = kernel_pool(boot_info, &mmu)?;
    let frames = process_pool(boot_info, &mmu, &mut kernel_pool)?;
    let heap_start = kernel_pool.get_frames(HEAP_FRAMES).ok_or(StartError::KernelPool(HEAP_FRAMES))?;
    heap::start(&mmu, FrameRange::new(heap_start, Frame::new(heap_start.number() + HEAP_FRAMES)));

    PageTable::install_recursive_entry(&mut mmu);
    let mut memory = Memory { mmu, frames, events: Events::NONE };
    let table = PageTable::first(&mut memory, identity_entry).map_err(|OutOfFrames| StartError::OutOfFrames)?;
    let home = table.root();
    AddressSpace::of(table).load(&mut memory);
    *STATE.lock() = Some(State { memory, kernel_pool, faults: 0, refused: None, home });
    Ok(())
}

/// Makes the kernel pool, with its bookkeeping in its own first frame.
fn kernel_pool(boot_info: &BootInfo, mmu: &X86Mmu) -> Result<FramePool<'static>, StartError> {
    let info = FrameRange::new(KERNEL_POOL.start, Frame::new(KERNEL_POOL.start.number() + 1));
    let pool = FramePool::new(KERNEL_POOL, storage::words(mmu, info));
    let mut pool = pool.ok_or(StartError::KernelPool(1))?;
    reserve(&mut pool, boot_info)?;
    pool.mark_inaccessible(info.start, info.len()).map_err(StartError::Mark)?;
    Ok(pool)
}

/// Makes the process pool up to the end of memory, with its bookkeeping in frames of the kernel pool.
fn process_pool(
    boot_info: &BootInfo,
    mmu: &X86Mmu,
    kernel_pool: &mut FramePool<'_>,
) -> Result<FramePool<'static>, StartError> {
    let range = FrameRange::new(PROCESS_POOL_START, end_of_memory(boot_info));
    if range.is_empty() {
        return Err(StartError::ProcessPool);
    }
    let needed = (FramePool::storage_words(range.len()) as u32).div_ceil(1024);
    let info = kernel_pool.get_frames(needed).ok_or(StartError::KernelPool(needed))?;
    let info = FrameRange::new(info, Frame::new(info.number() + needed));
    let mut pool = FramePool::new(range, storage::words(mmu, info)).ok_or(StartError::KernelPool(needed))?;
    reserve(&mut pool, boot_info)?;
    let hole = range.intersection(HOLE);
    pool.mark_inaccessible(hole.start, hole.len()).map_err(StartError::Mark)?;
    Ok(pool)
}

/// Marks inaccessible whatever of `pool` the memory map doesn't call available.
fn reserve(pool: &mut FramePool<'_>, boot_info: &BootInfo) -> Result<(), StartError> {
    let range = pool.range();
    let mut from = range.start;
    let end = FrameRange::new(range.end, range.end);
    for available in boot_info.available().iter().chain([&end]) {
        let until = available.start.clamp(from, range.end);
        pool.mark_inaccessible(from, until.number() - from.number()).map_err(StartError::Mark)?;
        from = available.end.clamp(from, range.end);
    }
    Ok(())
}

/// Returns where the available memory ends.
fn end_of_memory(boot_info: &BootInfo) -> Frame {
    boot_info.available().last().map_or(PROCESS_POOL_START, |range| range.end)
}

/// Returns how many frames the memory map leaves for the process pool: available, above 4 MiB, outside the hole.
pub fn process_frames_promised(boot_info: &BootInfo) -> u32 {
    let above = FrameRange::new(PROCESS_POOL_START, end_of_memory(boot_info));
    let usable =
        |range: &FrameRange| range.intersection(above).len() - range.intersection(above).intersection(HOLE).len();
    boot_info.available().iter().map(usable).sum()
}

/// Returns the entry that identity-maps `page` of the first 4 MiB: code and constants read-only, page 0 and the page below
/// the kernel stack absent, so that a null pointer and a stack overflow fault.
fn identity_entry(page: Page) -> Entry {
    let frame = Frame::new(page.number());
    if page == Page::new(0) || page == image::stack_guard_page() {
        Entry::ABSENT
    } else if image::text().contains(page) || image::rodata().contains(page) {
        Entry::read_only(frame)
    } else {
        Entry::writable(frame)
    }
}

/// Answers a page fault in the current address space.
///
/// # Errors
///
/// [`Unanswered`]; nothing has changed then.
#[inline]
pub fn answer(fault: Fault) -> Result<(), Unanswered> {
    let mut state = STATE.try_lock_in_trap().ok_or(Unanswered::Locked)?;
    let state = state.as_mut().ok_or(Unanswered::TooEarly)?;
    match AddressSpace::handle_fault(&mut state.memory, fault) {
        Ok(()) => {
            state.faults = state.faults.wrapping_add(1);
            Ok(())
        }
        Err(refusal) => Err(Unanswered::Refused(refusal)),
    }
}

/// Keeps in mind that a fault was refused, and why.
#[cold]
pub fn note_refusal(fault: Fault, refusal: Refusal) {
    Kernel::state(|state| {
        state.refused = Some(refusal);
        let access = if fault.write { events::WRITE } else { 0 };
        state.memory.events.record(What::Refused, fault.address, access, state.memory.mmu.root());
    });
}

/// Works on the memory after something went wrong, whatever state it is in: `None` if it was never started.
pub fn autopsy<R>(dying: &Dying, work: impl FnOnce(Option<&mut Memory<X86Mmu, FramePool<'static>>>) -> R) -> R {
    STATE.break_open(dying);
    work(STATE.lock().as_mut().map(|state| &mut state.memory))
}

/// The machine, for scenarios and for everything that works on its memory.
pub struct Kernel;

impl Kernel {
    fn state<R>(work: impl FnOnce(&mut State) -> R) -> R {
        match STATE.lock().as_mut() {
            Some(state) => work(state),
            None => panic!("memory is used before it was started"),
        }
    }

    /// Works on the kernel's frame pool.
    pub fn with_kernel_pool<R>(work: impl FnOnce(&mut FramePool<'static>) -> R) -> R {
        Self::state(|state| work(&mut state.kernel_pool))
    }
}

impl scenarios::Machine for Kernel {
    type Mmu = X86Mmu;
    type Frames = FramePool<'static>;

    fn with<R>(&mut self, work: impl FnOnce(&mut Memory<X86Mmu, FramePool<'static>>) -> R) -> R {
        Self::state(|state| work(&mut state.memory))
    }

    #[inline]
    fn read(&mut self, address: VirtAddr) -> u32 {
        access::read(address)
    }

    #[inline]
    fn write(&mut self, address: VirtAddr, word: u32) {
        access::write(address, word);
    }

    fn probe(&mut self, address: VirtAddr, write: bool) -> Result<(), Refusal> {
        if access::probe(address, write) {
            return Ok(());
        }
        Err(Self::state(|state| state.refused.take()).unwrap_or(Refusal::Illegitimate))
    }

    fn faults(&self) -> u32 {
        Self::state(|state| state.faults)
    }

    fn seed(&self) -> u32 {
        if !SEED_KNOWN.swap(true, Ordering::Relaxed)
            && let Some(seed) = claims::ask_seed()
        {
            SEED.store(seed, Ordering::Relaxed);
        }
        SEED.load(Ordering::Relaxed)
    }

    fn checkpoint(&mut self, name: &str, others: &[Frame], claims: &[Claim]) {
        claims::checkpoint(name, Self::state(|state| state.home), others, claims);
    }

    fn say(&mut self, words: fmt::Arguments<'_>) {
        println!("{words}");
    }
}
