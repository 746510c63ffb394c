//! The memory of the machine that the kernel runs on: two frame pools, the current page table, the lock around it.
//!
//! [`start`] turns the boot loader's memory map into the two frame pools and the first real page table. From then on
//! [`answer`] is called at each page fault, and [`with`] is how everything else works on the memory.

use crate::addr::{Frame, FrameRange, PAGE_SIZE, Page};
use crate::arch::x86::ata::Ata;
use crate::arch::x86::lock::{Dying, Locked};
use crate::arch::x86::mmu::X86Mmu;
use crate::arch::x86::vga::SCREEN;
use crate::arch::x86::{heap, image, kernel_pool, pixels};
use crate::boot_info::{BootInfo, Module, pools};
use crate::events::{self, EventKind};
use crate::fault::FaultError;
use crate::frames::{FramePool, MarkError};
use crate::memory_map::{HOLE, KERNEL_POOL};
use crate::paging::{
    Drive, Entry, Fault, File, LoadedDrive, Memory, Mmu, MmuView, OutOfFrames, PageTable, Shown, Swap, Uses,
};
use crate::vm::Refusal;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// The memory of this machine, as paging and virtual memory see one.
pub type KernelMemory = Memory<X86Mmu, FramePool<'static>>;

/// The kernel's memory, and what is known of it.
struct State {
    memory: KernelMemory,
    /// Faults that were answered with a frame.
    faults: u32,
    /// The directory of the first address space.
    home: Frame,
}

static STATE: Locked<Option<State>> = Locked::new(None);

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
    kernel_pool::start(kernel_pool(boot_info.available())?);
    let frames = process_pool(boot_info.available())?;
    let uses = uses(frames.range())?;
    heap::start().ok_or(StartError::KernelPool(heap::FIRST_FRAMES))?;

    mmu.install_recursive_entry();
    let mut memory = Memory::new(mmu, frames, uses);
    let table = PageTable::first(&mut memory, identity_entry).map_err(|OutOfFrames| StartError::OutOfFrames)?;
    let home = table.root();
    table.load(&mut memory.mmu);
    if SCREEN.lock().has_pixels() {
        pixels::keep(&mut memory.mmu);
    }
    memory.swap = swap();
    boot_info.modules().iter().filter_map(file).for_each(|file| _ = memory.files.add(file));
    *STATE.lock() = Some(State { memory, faults: 0, home });
    Ok(())
}

/// Makes a file of a module, if it begins where a page does, as boot loaders are asked for.
fn file(module: &Module) -> Option<File<X86Mmu>> {
    let (start, bytes) = module.bytes()?;
    let drive = Box::new(LoadedDrive::new(module.frames()));
    let file = File::new(drive, 0, bytes, false).ok().filter(|_| start.offset() == 0);
    if file.is_none() {
        log::warn!("module {module} is no file: it is empty, or begins inside a page");
    }
    Some(file?.named(module.name()))
}

/// The fewest slots that are of use: the first holds no page, and the last only for a while.
const LEAST_SLOTS: u32 = 3;

/// Makes a place for pages on the drive, if there is one; its bookkeeping lies in frames of the kernel pool.
fn swap() -> Option<Swap<X86Mmu>> {
    let drive = Ata::find()?;
    let slots = Swap::<X86Mmu>::slots_of(drive.sectors());
    if slots < LEAST_SLOTS {
        log::warn!("the drive is too small for pages: {LEAST_SLOTS} of 4 KiB are the least");
        return None;
    }
    let words = (FramePool::storage_words(slots) as u32).div_ceil(1024);
    let Ok(frames) = kernel_frames(words + slots.div_ceil(PAGE_SIZE)) else {
        log::warn!("the kernel pool has no room for a list of the drive's {slots} slots: no pages go there");
        return None;
    };
    let split = Frame::new(frames.start.number() + words);
    let (words, bytes) = (FrameRange::new(frames.start, split), FrameRange::new(split, frames.end));
    Swap::new(Box::new(drive), kernel_pool::words(words), kernel_pool::bytes(bytes))
}

/// Makes the kernel pool, with its bookkeeping in its own first frame.
fn kernel_pool(available: &[FrameRange]) -> Result<FramePool<'static>, StartError> {
    let info = FrameRange::new(KERNEL_POOL.start, Frame::new(KERNEL_POOL.start.number() + 1));
    let pool = FramePool::new(KERNEL_POOL, kernel_pool::words(info));
    let mut pool = pool.ok_or(StartError::KernelPool(1))?;
    reserve(&mut pool, available)?;
    pool.mark_inaccessible(info.start, info.len()).map_err(StartError::Mark)?;
    Ok(pool)
}

/// Makes the process pool up to the end of memory, with its bookkeeping in frames of the kernel pool.
fn process_pool(available: &[FrameRange]) -> Result<FramePool<'static>, StartError> {
    let range = pools::process_pool(available);
    if range.is_empty() {
        return Err(StartError::ProcessPool);
    }
    let needed = (FramePool::storage_words(range.len()) as u32).div_ceil(1024);
    let info = kernel_frames(needed)?;
    let mut pool = FramePool::new(range, kernel_pool::words(info)).ok_or(StartError::KernelPool(needed))?;
    reserve(&mut pool, available)?;
    let hole = range.intersection(HOLE);
    pool.mark_inaccessible(hole.start, hole.len()).map_err(StartError::Mark)?;
    Ok(pool)
}

/// Makes the counts of the entries that lead to each of `frames`, in frames of the kernel pool.
fn uses(frames: FrameRange) -> Result<Uses, StartError> {
    let needed = frames.len().div_ceil(PAGE_SIZE);
    Uses::new(frames, kernel_pool::bytes(kernel_frames(needed)?)).ok_or(StartError::KernelPool(needed))
}

/// Takes `n` frames that lie together from the kernel pool.
fn kernel_frames(n: u32) -> Result<FrameRange, StartError> {
    let first = kernel_pool::with(|pool| pool.get_frames(n)).ok_or(StartError::KernelPool(n))?;
    Ok(FrameRange::new(first, Frame::new(first.number() + n)))
}

/// Marks inaccessible whatever of `pool` the memory map doesn't call available.
fn reserve(pool: &mut FramePool<'_>, available: &[FrameRange]) -> Result<(), StartError> {
    pools::unavailable(available, pool.range())
        .try_for_each(|gap| pool.mark_inaccessible(gap.start, gap.len()))
        .map_err(StartError::Mark)
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
/// [`FaultError`]; nothing has changed then.
#[inline]
pub fn answer(fault: Fault) -> Result<(), FaultError> {
    let mut state = STATE.try_lock_in_trap().ok_or(FaultError::Locked)?;
    let state = state.as_mut().ok_or(FaultError::TooEarly)?;
    match state.memory.handle_fault(fault) {
        Ok(()) => {
            state.faults = state.faults.wrapping_add(1);
            Ok(())
        }
        Err(refusal) => Err(FaultError::Refused(refusal)),
    }
}

/// Answers a page fault of a program.
///
/// # Errors
///
/// The reason; nothing has changed then.
pub fn answer_program(fault: Fault) -> Result<(), Refusal> {
    with_state(|state| {
        state.memory.handle_user_fault(fault)?;
        state.faults = state.faults.wrapping_add(1);
        Ok(())
    })
}

/// Returns what is in `frames`, whoever has them; `None` if the heap has no room for it.
pub fn contents(frames: FrameRange) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact((frames.len() * PAGE_SIZE) as usize).ok()?;
    let mut words = Box::new([0; 1024]);
    for frame in frames.iter() {
        with(|memory| {
            let shown = Shown::show(&mut memory.mmu, frame);
            memory.mmu.read_words(Shown::itself(), &mut *words);
            shown.hide(&mut memory.mmu);
        });
        bytes.extend(words.iter().flat_map(|word: &u32| word.to_le_bytes()));
    }
    Some(bytes)
}

/// Records that a fault was refused.
#[cold]
pub fn record_refusal(fault: Fault) {
    with(|memory| {
        let access = if fault.write { events::WRITE } else { 0 };
        memory.events.record(EventKind::Refused, fault.address, access, memory.mmu.root());
    });
}

/// Works on the memory after a crash, whatever state it is in: `None` if it was never started.
pub fn after_crash<R>(dying: &Dying, work: impl FnOnce(Option<&mut KernelMemory>) -> R) -> R {
    STATE.force_unlock(dying);
    work(STATE.lock().as_mut().map(|state| &mut state.memory))
}

fn with_state<R>(work: impl FnOnce(&mut State) -> R) -> R {
    match STATE.lock().as_mut() {
        Some(state) => work(state),
        None => panic!("memory is used before it was started"),
    }
}

/// Works on the memory. What is touched meanwhile must be present (rule **no-lock-across-touch**).
///
/// # Panics
///
/// If the caller is such work itself, or the memory was not started.
pub fn with<R>(work: impl FnOnce(&mut KernelMemory) -> R) -> R {
    with_state(|state| work(&mut state.memory))
}

/// Returns how many frames of the process pool are free.
pub fn free_frames() -> u32 {
    with(|memory| memory.frames.free_frames())
}

/// Returns how many faults were answered with a frame.
pub fn faults() -> u32 {
    with_state(|state| state.faults)
}

/// Returns the directory of the first address space.
pub fn home() -> Frame {
    with_state(|state| state.home)
}
