//! A file on a drive in memory that a test looks at, and that fails when it is told to.

use super::machine::Machine;
use super::orders::Orders;
use super::outcome::{Failure, Outcome, demand, done};
use crate::addr::{PAGE_SIZE, Page, VirtAddr};
use crate::paging::{Drive, DriveError, File, FileCounts, FileId, Mmu, SECTOR_SIZE, View, check_sectors};
use crate::vm::VmPool;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

/// Sectors before the file, and at least so many behind it.
const AROUND: u32 = 8;

const SECTOR_WORDS: u32 = SECTOR_SIZE / 4;

/// The drive with the file. Its word `n`, counted from the file's start, is `n` times 0x9E37 at first.
#[derive(Clone)]
pub struct TestFile {
    words: Arc<Vec<AtomicU32>>,
    pub orders: Arc<Orders>,
}

impl TestFile {
    fn new(bytes: u32) -> Self {
        let sectors = 2 * AROUND + bytes.div_ceil(SECTOR_SIZE);
        let words =
            (0..sectors * SECTOR_WORDS).map(|word| AtomicU32::new(original(word.wrapping_sub(AROUND * SECTOR_WORDS))));
        Self { words: Arc::new(words.collect()), orders: Arc::default() }
    }

    /// Returns word `number` of the file, as it is on the drive, or of what follows it there.
    pub fn word(&self, number: u32) -> u32 {
        self.words[(AROUND * SECTOR_WORDS).wrapping_add(number) as usize].load(Ordering::Relaxed)
    }

    fn at(&self, first: u32, count: u32) -> Result<&[AtomicU32], DriveError> {
        check_sectors(self.words.len() as u32 / SECTOR_WORDS, first, count)?;
        Ok(&self.words[(first * SECTOR_WORDS) as usize..((first + count) * SECTOR_WORDS) as usize])
    }
}

/// Returns what word `number` of the file is at first.
pub(super) fn original(number: u32) -> u32 {
    number.wrapping_mul(0x9E37)
}

impl<M: Mmu> Drive<M> for TestFile {
    fn sectors(&self) -> u32 {
        self.words.len() as u32 / SECTOR_WORDS
    }

    fn address(&self) -> Option<usize> {
        Some(self.words.as_ptr() as usize)
    }

    fn read(&mut self, mmu: &mut M, first: u32, count: u32, page: Page) -> Result<(), DriveError> {
        self.orders.reads.carry_out()?;
        let words: Vec<u32> = self.at(first, count)?.iter().map(|word| word.load(Ordering::Relaxed)).collect();
        mmu.write_words(page, &words);
        Ok(())
    }

    fn write(&mut self, mmu: &M, first: u32, count: u32, page: Page) -> Result<(), DriveError> {
        self.orders.writes.carry_out()?;
        let addresses = (page.start().as_u32()..).step_by(4);
        addresses
            .zip(self.at(first, count)?)
            .for_each(|(at, word)| word.store(mmu.read(VirtAddr::new(at)), Ordering::Relaxed));
        Ok(())
    }
}

/// Does `story` with a file of `bytes` bytes. When it has ended, nobody may see the file any more.
///
/// # Errors
///
/// What the story did not meet, or this.
#[inline(never)]
pub fn with_file<M: Machine>(
    machine: &mut M,
    bytes: u32,
    writable: bool,
    story: &mut dyn FnMut(&mut M, FileId, &TestFile) -> Outcome,
) -> Outcome {
    let drive = TestFile::new(bytes);
    let file = done("file made", File::new(Box::new(drive.clone()), AROUND, bytes, writable))?;
    let id = machine.with(|memory| memory.files.add(file));
    story(machine, id, &drive)?;
    demand("nobody sees the file", true, machine.with(|memory| memory.files.remove(id).is_some()))
}

/// Maps the file from `start` on, where a page table begins. Returns the pool.
#[track_caller]
#[inline(never)]
pub(super) fn map<M: Machine>(
    machine: &mut M,
    start: VirtAddr,
    file: FileId,
    view: View,
    writable: bool,
) -> Result<VmPool, Failure> {
    let base = VirtAddr::new(start.as_u32() - PAGE_SIZE);
    done("file mapped", machine.with(|memory| memory.map_file(base, file, view, writable)))
}

#[track_caller]
#[inline(never)]
pub(super) fn unmap<M: Machine>(machine: &mut M, pool: VmPool) -> Outcome {
    done("pool dropped", machine.with(|memory| memory.drop_pool(pool)))
}

/// Returns what was done with the file: reads, writes, failures.
#[inline(never)]
pub(super) fn counts<M: Machine>(machine: &mut M, file: FileId) -> [u32; 3] {
    let counts = machine.with(|memory| memory.files.get(file).map_or(FileCounts::default(), File::counts));
    [counts.reads, counts.writes, counts.failures]
}
