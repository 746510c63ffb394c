//! What files can't do: mappings that are refused, drives that fail, and memory that runs out.

use super::exhaustion::with_ever_more_frames;
use super::files::{HERE, WORDS, all_are, evict, sync};
use super::machine::Machine;
use super::outcome::{Outcome, Scenario, demand, done};
use super::pools::{HEAP, allocate, register, release};
use super::steps::{above, free_frames};
use super::swap::{get, page, put};
use super::test_drive::on_drive;
use super::test_file::{counts, map, original, unmap, with_file};
use crate::addr::{PAGE_SIZE, Page, VirtAddr};
use crate::paging::{Drive, DriveError, File, FileError, FileId, MemoryDrive, Mmu, View};
use crate::vm::{MapError, Refusal, RegisterError};
use alloc::boxed::Box;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("mappings-refused", mappings_refused),
        ("file-that-fails", file_that_fails),
        ("mapping-runs-out", mapping_runs_out),
        ("files-and-a-full-drive", files_and_a_full_drive),
    ]
}

fn mappings_refused<M: Machine>(machine: &mut M) -> Outcome {
    for (first, bytes, why) in [
        (0, 0, FileError::Empty),
        (1, 4096, FileError::PastDrive(8)),
        (8, 1, FileError::PastDrive(8)),
        (u32::MAX, 512, FileError::PastDrive(8)),
        (0, u32::MAX, FileError::TooLarge),
    ] {
        let file = File::<M::Mmu>::new(Box::new(MemoryDrive::new(1)), first, bytes, true);
        demand("no such file", Some(why), file.err())?;
    }
    register(machine, HEAP, 16 << 20)?;
    let before = free_frames(machine);
    with_file(machine, PAGE_SIZE, false, &mut |machine, file, _| {
        let gone = FileId::new(file.number() + 1);
        for (base, file, view, writable, why) in [
            (0x4FFF_F000, gone, View::Shared, false, MapError::NoFile),
            (0x4FFF_F000, file, View::Shared, true, MapError::ReadOnly),
            (0x4FFF_F004, file, View::Shared, false, MapError::Misaligned),
            (0x5000_0000, file, View::Private, true, MapError::Misaligned),
            (0, file, View::Private, true, MapError::Misaligned),
            (0x003F_F000, file, View::Private, true, MapError::Pool(RegisterError::OutOfRange)),
            (0xFF7F_F000, file, View::Private, true, MapError::Pool(RegisterError::OutOfRange)),
            (0xFFFF_F000, file, View::Private, true, MapError::Pool(RegisterError::OutOfRange)),
            (HEAP.as_u32() - PAGE_SIZE, file, View::Private, true, MapError::Pool(RegisterError::Overlaps(HEAP))),
        ] {
            let mapped = machine.with(|memory| memory.map_file(VirtAddr::new(base), file, view, writable));
            demand("not mapped", Some(why), mapped.err())?;
        }
        demand("free frames", before, free_frames(machine))?;
        // Nothing else in the pool of a file can be touched.
        let mut pool = map(machine, HERE, file, View::Private, true)?;
        let region = allocate(machine, &mut pool, 2 * PAGE_SIZE)?;
        for number in 0..2 {
            demand("a page behind the file", Err(Refusal::OutOfFrames), machine.probe(page(region, number), true))?;
        }
        unmap(machine, pool)?;
        // A region that is released is no file any more.
        for view in [View::Private, View::Shared] {
            let mut pool = map(machine, HERE, file, view, false)?;
            get(machine, HERE, 0);
            release(machine, &mut pool, HERE)?;
            demand("a released page", Err(Refusal::Illegitimate), machine.probe(HERE, false))?;
            demand("a region in its place", HERE.as_u32(), allocate(machine, &mut pool, PAGE_SIZE)?.as_u32())?;
            put(machine, HERE, 0, 5);
            demand("the word behind what was written", 0, machine.read(above(HERE, 4)))?;
            unmap(machine, pool)?;
        }
        demand("free frames", before, free_frames(machine))
    })
}

fn file_that_fails<M: Machine>(machine: &mut M) -> Outcome {
    with_file(machine, 2 * PAGE_SIZE, true, &mut |machine, file, drive| {
        let pool = map(machine, HERE, file, View::Shared, true)?;
        let before = free_frames(machine);
        drive.orders.fail_reads(1);
        demand("a page that can't be read", Err(Refusal::OutOfFrames), machine.probe(HERE, false))?;
        demand("free frames", before, free_frames(machine))?;
        demand("the next time", original(0), get(machine, HERE, 0))?;
        (0..2).for_each(|number| put(machine, HERE, number, 7 + number));
        drive.orders.fail_writes(2);
        demand("a sync fails", true, sync(machine, file).is_err())?;
        all_are("what is seen", [7, 8], [0, 1].map(|number| get(machine, HERE, number)))?;
        drive.orders.fail_writes(1);
        demand("a page evicted", true, evict(machine, HERE).is_none())?;
        demand("what is seen", 7, get(machine, HERE, 0))?;
        // The last view goes, and the file can't be written: nothing is lost.
        drive.orders.fail_writes(2);
        unmap(machine, pool)?;
        demand("nobody sees the file", true, machine.with(|memory| memory.files.remove(file).is_none()))?;
        let pool = map(machine, HERE, file, View::Shared, true)?;
        demand("what is seen", 8, get(machine, HERE, 1))?;
        drive.orders.fail_writes(1);
        unmap(machine, pool)?;
        demand("pages synced", 1, sync(machine, file)?)?;
        all_are("on the drive", [7, 8], [0, WORDS].map(|word| drive.word(word)))?;
        all_are("what was done", [2, 2, 7], counts(machine, file))
    })
}

/// A large drive of zeros.
struct Zeros;

impl<M: Mmu> Drive<M> for Zeros {
    fn sectors(&self) -> u32 {
        1 << 20
    }

    fn read(&mut self, mmu: &mut M, _first: u32, _count: u32, page: Page) -> Result<(), DriveError> {
        mmu.zero(page);
        Ok(())
    }

    fn write(&mut self, _mmu: &M, first: u32, _count: u32, _page: Page) -> Result<(), DriveError> {
        Err(DriveError::NoSuchSectors(first))
    }
}

fn mapping_runs_out<M: Machine>(machine: &mut M) -> Outcome {
    let file = done("file made", File::new(Box::new(Zeros), 0, 5 << 20, false))?;
    let file = machine.with(|memory| memory.files.add(file));
    for view in [View::Private, View::Shared] {
        let mut pool = None;
        // The pool's own page and its table, and two of the file.
        with_ever_more_frames(machine, 4, |machine| {
            let base = VirtAddr::new(HERE.as_u32() - PAGE_SIZE);
            pool = machine.with(|memory| memory.map_file(base, file, view, false)).ok();
            pool.is_some()
        })?;
        with_ever_more_frames(machine, 1, |machine| machine.probe(page(HERE, 1279), false).is_ok())?;
        unmap(machine, done("a pool", pool.ok_or(()))?)?;
    }
    demand("nobody sees the file", true, machine.with(|memory| memory.files.remove(file).is_some()))
}

fn files_and_a_full_drive<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 64 << 20)?;
    let region = allocate(machine, &mut pool, 16 * PAGE_SIZE)?;
    put(machine, region, 0, 0);
    with_file(machine, 8 * PAGE_SIZE, true, &mut |machine, file, _| {
        let view = map(machine, HERE, file, View::Shared, true)?;
        on_drive(machine, 6, 4, |machine, _| {
            // Six frames, one more that is touched already, and four slots.
            (0..11).for_each(|number| put(machine, region, number, number));
            demand("a page too many", Err(Refusal::OutOfFrames), machine.probe(page(region, 12), true))?;
            demand("a page of the file", Err(Refusal::OutOfFrames), machine.probe(HERE, false))?;
            demand(
                "its page freed",
                true,
                machine.with(|memory| memory.free_page(Page::containing(page(region, 10)))).is_some(),
            )?;
            for number in 0..8 {
                demand("its word", original(number * WORDS), get(machine, HERE, number))?;
                put(machine, HERE, number, number);
            }
            demand("a page of the region", Ok(()), machine.probe(page(region, 12), true))?;
            demand("no frame is left for the file", Err(Refusal::OutOfFrames), machine.probe(page(HERE, 0), false))?;
            demand("pages released", 11, release(machine, &mut pool, region)?)?;
            Ok(())
        })?;
        demand("what was written back", 7, get(machine, HERE, 7))?;
        unmap(machine, view)
    })
}
