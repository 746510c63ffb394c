//! A drive in memory that fails when it is told to, and few frames beside it.

use super::machine::Machine;
use super::outcome::{Failure, Outcome, demand, done};
use super::steps::free_frames;
use crate::addr::{Frame, Page, PageRange};
use crate::frames::{FramePool, FrameSource};
use crate::memory_map::POOL_PAGES;
use crate::paging::{CurrentTable, Drive, DriveError, Entry, MemoryDrive, Mmu, Swap};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use core::sync::atomic::{AtomicU32, Ordering};

/// What a drive is told: how many of the next reads and writes fail.
#[derive(Default)]
pub struct Orders {
    pub(super) reads: AtomicU32,
    pub(super) writes: AtomicU32,
}

impl Orders {
    /// Lets the next `count` reads fail.
    pub fn fail_reads(&self, count: u32) {
        self.reads.store(count, Ordering::Relaxed);
    }

    /// Lets the next `count` writes fail.
    pub fn fail_writes(&self, count: u32) {
        self.writes.store(count, Ordering::Relaxed);
    }

    pub(super) fn carry_out(left: &AtomicU32) -> Result<(), DriveError> {
        let left_before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left_before.map_or(Ok(()), |_| Err(DriveError::Failed(0x51, 0x40)))
    }
}

struct TestDrive {
    drive: MemoryDrive,
    orders: Arc<Orders>,
}

impl<M: Mmu> Drive<M> for TestDrive {
    fn sectors(&self) -> u32 {
        Drive::<M>::sectors(&self.drive)
    }

    fn address(&self) -> Option<usize> {
        Drive::<M>::address(&self.drive)
    }

    fn read(&mut self, mmu: &mut M, first: u32, count: u32, page: Page) -> Result<(), DriveError> {
        Orders::carry_out(&self.orders.reads)?;
        self.drive.read(mmu, first, count, page)
    }

    fn write(&mut self, mmu: &M, first: u32, count: u32, page: Page) -> Result<(), DriveError> {
        Orders::carry_out(&self.orders.writes)?;
        self.drive.write(mmu, first, count, page)
    }
}

/// Does `story` with `frames` frames free and a drive of `slots` slots, beside the first and the last, which pages don't get.
/// When it has ended, the current address space's pages come back from the drive; no slot may be in use then.
///
/// # Errors
///
/// What the story did not meet, or this.
pub fn on_drive<M: Machine>(
    machine: &mut M,
    frames: u32,
    slots: u32,
    story: impl FnOnce(&mut M, &Orders) -> Outcome,
) -> Outcome {
    let (orders, stage) = set(machine, frames, slots)?;
    let outcome = story(machine, &orders);
    stage.strike(machine, outcome)
}

/// What was there before the story.
pub(super) struct Stage<M> {
    swap: Option<Swap<M>>,
    held: Vec<Frame>,
}

/// Begins a story with a drive of `slots` slots and all frames that there are.
#[track_caller]
pub(super) fn staged<M: Machine>(machine: &mut M, slots: u32) -> Result<Stage<M::Mmu>, Failure> {
    set(machine, u32::MAX, slots).map(|(_, stage)| stage)
}

#[inline(never)]
fn set<M: Machine>(machine: &mut M, frames: u32, slots: u32) -> Result<(Arc<Orders>, Stage<M::Mmu>), Failure> {
    let orders = Arc::<Orders>::default();
    let drive = Box::new(TestDrive { drive: MemoryDrive::new(slots + 2), orders: orders.clone() });
    let words = vec![0; FramePool::storage_words(slots + 2)].leak();
    let bytes = vec![0; slots as usize + 2].leak();
    let swap = done("drive made", Swap::new(drive, words, bytes).ok_or(()))?;
    let mut held: Vec<Frame> = Vec::with_capacity(free_frames(machine) as usize);
    while free_frames(machine) > frames {
        held.extend(machine.with(|memory| memory.frames.get_frame()));
    }
    let swap = machine.with(|memory| memory.swap.replace(swap));
    Ok((orders, Stage { swap, held }))
}

impl<M: Mmu> Stage<M> {
    /// Ends the story: as [`on_drive`] does.
    #[inline(never)]
    pub(super) fn strike(self, machine: &mut impl Machine<Mmu = M>, outcome: Outcome) -> Outcome {
        for frame in self.held {
            done("frame given back", machine.with(|memory| memory.frames.release_frame(frame)))?;
        }
        if outcome.is_err() {
            machine.with(|memory| memory.swap = self.swap);
            return outcome;
        }
        let mut from = POOL_PAGES.start;
        let next = |machine: &mut _, from| first_present(machine, PageRange::new(from, POOL_PAGES.end));
        while let Some((page, entry)) = next(machine, from) {
            if entry.slot().is_some() {
                machine.read(page.start());
            }
            from = Page::new(page.number() + 1);
        }
        let struck = machine.with(|memory| mem::replace(&mut memory.swap, self.swap));
        demand("pages left on the drive", 0, struck.map_or(0, |swap| swap.used_slots()))
    }
}

fn first_present<M: Machine>(machine: &mut M, pages: PageRange) -> Option<(Page, Entry)> {
    machine.with(|memory| {
        let page = memory.first_present(pages)?;
        Some((page, memory.pte(page)?))
    })
}
