//! A drive in memory that fails when it is told to, and few frames beside it.

use super::machine::Machine;
use super::orders::Orders;
use super::outcome::{Failure, Outcome, demand, done};
use super::steps::free_frames;
use crate::addr::{Frame, FrameRange, PAGE_SIZE, Page};
use crate::frames::{FramePool, FrameSource};
use crate::paging::{Drive, DriveError, MemoryDrive, Mmu, SECTORS_A_PAGE, Swap};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;

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
        self.orders.reads.carry_out()?;
        self.drive.read(mmu, first, count, page)
    }

    fn write(&mut self, mmu: &M, first: u32, count: u32, page: Page) -> Result<(), DriveError> {
        self.orders.writes.carry_out()?;
        self.drive.write(mmu, first, count, page)
    }
}

/// A drive that keeps the first word of each page, and takes no page with more: for more pages than the kernel's heap
/// holds.
struct FirstWords {
    words: Vec<u32>,
    page: Vec<u32>,
}

impl<M: Mmu> Drive<M> for FirstWords {
    fn sectors(&self) -> u32 {
        self.words.len() as u32 * SECTORS_A_PAGE
    }

    fn read(&mut self, mmu: &mut M, first: u32, _: u32, page: Page) -> Result<(), DriveError> {
        self.page.fill(0);
        self.page[0] = self.words[(first / SECTORS_A_PAGE) as usize];
        mmu.write_words(page, &self.page);
        Ok(())
    }

    fn write(&mut self, mmu: &M, first: u32, _: u32, page: Page) -> Result<(), DriveError> {
        mmu.read_words(page, &mut self.page);
        self.words[(first / SECTORS_A_PAGE) as usize] = self.page[0];
        if self.page[1..].iter().all(|word| *word == 0) { Ok(()) } else { Err(DriveError::NoSuchSectors(first)) }
    }
}

/// Does `story` as [`on_drive`] does, with a drive that never fails, and keeps the first word of each page.
///
/// # Errors
///
/// As there.
pub(super) fn on_first_words<M: Machine>(
    machine: &mut M,
    frames: u32,
    slots: u32,
    story: impl FnOnce(&mut M) -> Outcome,
) -> Outcome {
    let drive = FirstWords { words: vec![0; slots as usize + 2], page: vec![0; (PAGE_SIZE / 4) as usize] };
    let stage = set(machine, frames, slots, Box::new(drive))?;
    let outcome = story(machine);
    stage.strike(machine, outcome)
}

/// Does `story` with `frames` frames free and a drive of `slots` slots, beside the first and the last, which pages
/// don't get. When it has ended, all pages come back from the drive; no slot may be in use then.
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
    let (orders, drive) = test_drive(slots);
    machine.drive_made(&orders);
    let stage = set(machine, frames, slots, drive)?;
    let outcome = story(machine, &orders);
    orders.fail_once((0, 0));
    stage.strike(machine, outcome)
}

/// What was there before the story.
pub(super) struct Stage<M> {
    swap: Option<Swap<M>>,
    /// Frames that are kept from it. On a machine with a million of them each by itself would be too many to note.
    held: Vec<FrameRange>,
}

/// Begins a story with a drive of `slots` slots and all frames that there are.
#[track_caller]
pub(super) fn staged<M: Machine>(machine: &mut M, slots: u32) -> Result<Stage<M::Mmu>, Failure> {
    set(machine, u32::MAX, slots, test_drive(slots).1)
}

fn test_drive<M: Mmu>(slots: u32) -> (Arc<Orders>, AnyDrive<M>) {
    let orders = Arc::<Orders>::default();
    (orders.clone(), Box::new(TestDrive { drive: MemoryDrive::new(slots + 2), orders }))
}

type AnyDrive<M> = Box<dyn Drive<M> + Send>;

#[inline(never)]
fn set<M: Machine>(
    machine: &mut M,
    frames: u32,
    slots: u32,
    drive: AnyDrive<M::Mmu>,
) -> Result<Stage<M::Mmu>, Failure> {
    let words = vec![0; FramePool::storage_words(slots + 2)].leak();
    let bytes = vec![0; slots as usize + 2].leak();
    let swap = done("drive made", Swap::new(drive, words, bytes).ok_or(()))?;
    done("pages brought back from the drive before", machine.with(|memory| memory.fetch_all()))?;
    let mut held = Vec::<FrameRange>::new();
    while free_frames(machine) > frames {
        let Some(frame) = machine.with(|memory| memory.frames.get_frame()) else { break };
        let next = Frame::new(frame.number() + 1);
        match held.last_mut().filter(|range| range.end == frame) {
            Some(range) => range.end = next,
            None => held.push(FrameRange::new(frame, next)),
        }
    }
    let swap = machine.with(|memory| {
        memory.hand = (Frame::new(0), 0);
        memory.swap.replace(swap)
    });
    Ok(Stage { swap, held })
}

impl<M: Mmu> Stage<M> {
    /// Ends the story: as [`on_drive`] does.
    #[inline(never)]
    pub(super) fn strike(self, machine: &mut impl Machine<Mmu = M>, outcome: Outcome) -> Outcome {
        for frame in self.held.iter().flat_map(|range| range.iter()) {
            done("frame given back", machine.with(|memory| memory.frames.release_frame(frame)))?;
        }
        // Pages of address spaces that have nothing to do with the story may have gone, too.
        let back = machine.with(|memory| memory.fetch_all());
        let struck = machine.with(|memory| mem::replace(&mut memory.swap, self.swap));
        outcome?;
        done("pages brought back from the drive", back)?;
        demand("pages left on the drive", 0, struck.map_or(0, |swap| swap.used_slots()))
    }
}
