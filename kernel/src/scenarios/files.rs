//! Files in address spaces: read at the touch, private or shared, and back on the drive when they have to be.

use super::audited::fill;
use super::claims::Claim;
use super::clones::{duplicate, go};
use super::exhaustion::with_ever_more_frames;
use super::machine::Machine;
use super::outcome::{Failure, Outcome, Scenario, demand, done};
use super::pools::{HEAP, allocate, register, release};
use super::spaces::{create, destroy, load, root};
use super::steps::{above, free_frames};
use super::swap::{get, is_on_drive, page, put, used_slots};
use super::test_drive::on_drive;
use super::test_file::{counts, map, original, unmap, with_file};
use crate::addr::{PAGE_SIZE, Page, PageRange, VirtAddr};
use crate::paging::{Drive, DriveError, Entry, File, FileError, FileId, MemoryDrive, Mmu, View};
use crate::vm::{MapError, Refusal, RegisterError};
use alloc::boxed::Box;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("a-page-and-a-half", a_page_and_a_half),
        ("private-writes-stay-private", private_writes_stay_private),
        ("shared-writes-are-seen", shared_writes_are_seen),
        ("clean-pages-come-again", clean_pages_come_again),
        ("what-is-behind-the-end-stays", what_is_behind_the_end_stays),
        ("mappings-refused", mappings_refused),
        ("file-larger-than-memory", file_larger_than_memory),
        ("clones-see-files", clones_see_files),
        ("clones-of-clean-pages", clones_of_clean_pages),
        ("file-that-fails", file_that_fails),
        ("mapping-runs-out", mapping_runs_out),
        ("files-and-a-full-drive", files_and_a_full_drive),
        ("audited-files", audited_files),
    ]
}

/// Where files are seen: two places, each the start of a page table.
const HERE: VirtAddr = VirtAddr::new(0x5000_0000);
const THERE: VirtAddr = VirtAddr::new(0x7040_0000);

/// Words of a page.
const WORDS: u32 = PAGE_SIZE / 4;

/// Demands several words.
#[track_caller]
#[inline(never)]
fn all_are<const N: usize>(what: &'static str, expected: [u32; N], seen: [u32; N]) -> Outcome {
    expected.into_iter().zip(seen).try_for_each(|(expected, seen)| demand(what, expected, seen))
}

/// Writes the file back. Returns how many pages.
#[track_caller]
#[inline(never)]
fn sync<M: Machine>(machine: &mut M, file: FileId) -> Result<u32, Failure> {
    done("file written back", machine.with(|memory| memory.sync(file)).map_err(drop))
}

#[inline(never)]
fn evict<M: Machine>(machine: &mut M, address: VirtAddr) -> Option<Entry> {
    machine.with(|memory| memory.evict(Page::containing(address)))
}

fn a_page_and_a_half<M: Machine>(machine: &mut M) -> Outcome {
    let before = free_frames(machine);
    with_file(machine, 6144, true, &mut |machine, file, _| {
        for view in [View::Private, View::Shared] {
            let reads = counts(machine, file)[0];
            let pool = map(machine, HERE, file, view, false)?;
            demand("pages read before a touch", 0, counts(machine, file)[0] - reads)?;
            if view == View::Shared {
                // The first page gets the second one's frame of before, and the second one a frame full of words.
                get(machine, HERE, 0);
            }
            for word in (0..1536).step_by(7).rev() {
                demand("a word of the file", original(word), machine.read(above(HERE, 4 * word)))?;
            }
            for word in 1536..2 * WORDS {
                demand("a word behind its end", 0, machine.read(above(HERE, 4 * word)))?;
            }
            demand("pages read", 2, counts(machine, file)[0] - reads)?;
            demand("a page behind the end", Err(Refusal::Illegitimate), machine.probe(page(HERE, 2), false))?;
            demand("the pool's page", Ok(()), machine.probe(VirtAddr::new(HERE.as_u32() - 4), false))?;
            demand("a write to a view that is read-only", Err(Refusal::Protection), machine.probe(HERE, true))?;
            unmap(machine, pool)?;
            demand("free frames", before, free_frames(machine))?;
        }
        demand("pages written", 0, counts(machine, file)[1])
    })
}

fn private_writes_stay_private<M: Machine>(machine: &mut M) -> Outcome {
    with_file(machine, 4 * PAGE_SIZE, false, &mut |machine, file, drive| {
        let [mine, other] =
            [map(machine, HERE, file, View::Private, true)?, map(machine, THERE, file, View::Private, true)?];
        put(machine, HERE, 1, 7);
        put(machine, HERE, 2, 8);
        demand("own word", 7, get(machine, HERE, 1))?;
        demand("the word beside it", original(WORDS + 1), machine.read(above(page(HERE, 1), 4)))?;
        demand("the other view's word", original(WORDS), get(machine, THERE, 1))?;
        let freed = machine.with(|memory| memory.free_page(Page::containing(page(HERE, 2)))).is_some();
        demand("a page freed", true, freed)?;
        demand("its word comes from the file again", original(2 * WORDS), get(machine, HERE, 2))?;
        demand("pages synced", 0, sync(machine, file)?)?;
        unmap(machine, mine)?;
        unmap(machine, other)?;
        demand("on the drive", original(WORDS), drive.word(WORDS))?;
        demand("pages written", 0, counts(machine, file)[1])
    })
}

fn shared_writes_are_seen<M: Machine>(machine: &mut M) -> Outcome {
    with_file(machine, 3 * PAGE_SIZE, true, &mut |machine, file, drive| {
        let (home, other) = (root(machine), create(machine)?);
        let here = map(machine, HERE, file, View::Shared, true)?;
        put(machine, HERE, 0, 5);
        load(machine, &other);
        let before = free_frames(machine);
        map(machine, THERE, file, View::Shared, true)?;
        // The pool's own page and its table.
        demand("frames for a second view", 2, before - free_frames(machine))?;
        demand("what the other wrote", 5, get(machine, THERE, 0))?;
        demand("frames with a page that the other has", 2, before - free_frames(machine))?;
        put(machine, THERE, 1, 6);
        go(machine, home);
        demand("what the other wrote", 6, get(machine, HERE, 1))?;
        get(machine, HERE, 2);
        demand("on the drive before a sync", original(0), drive.word(0))?;
        demand("pages synced", 2, sync(machine, file)?)?;
        all_are("on the drive", [5, 6, original(2 * WORDS)], [0, WORDS, 2 * WORDS].map(|word| drive.word(word)))?;
        demand("pages synced again", 0, sync(machine, file)?)?;
        // Written to once more, it is to be written once more.
        put(machine, HERE, 1, 9);
        unmap(machine, here)?;
        demand("on the drive while another sees it", 6, drive.word(WORDS))?;
        load(machine, &other);
        demand("what is seen", 9, get(machine, THERE, 1))?;
        put(machine, THERE, 2, 10);
        demand("a page evicted", true, evict(machine, page(THERE, 2)) == Some(Entry::IN_FILE))?;
        demand("on the drive", 10, drive.word(2 * WORDS))?;
        go(machine, home);
        destroy(machine, other)?;
        demand("on the drive when the last has gone", 9, drive.word(WORDS))?;
        demand("pages written", 4, counts(machine, file)[1])
    })
}

fn clean_pages_come_again<M: Machine>(machine: &mut M) -> Outcome {
    const PAGES: u32 = 16;
    with_file(machine, PAGES * PAGE_SIZE, false, &mut |machine, file, _| {
        let pool = map(machine, HERE, file, View::Private, true)?;
        on_drive(machine, 4, PAGES, |machine, _| {
            for _ in 0..2 {
                for number in 0..PAGES {
                    demand("a word of the file", original(number * WORDS), get(machine, HERE, number))?;
                }
            }
            demand("slots for pages that were read only", 0, used_slots(machine))?;
            (0..PAGES).step_by(2).for_each(|number| put(machine, HERE, number, number));
            for number in (0..PAGES).rev() {
                let word = if number % 2 == 0 { number } else { original(number * WORDS) };
                demand("its word", word, get(machine, HERE, number))?;
            }
            demand("a slot for some that were written to", true, used_slots(machine) >= 4)?;
            let is_odd_on_drive = (1..PAGES).step_by(2).any(|number| is_on_drive(machine, page(HERE, number)));
            demand("a slot for one that was not", false, is_odd_on_drive)
        })?;
        unmap(machine, pool)
    })
}

fn what_is_behind_the_end_stays<M: Machine>(machine: &mut M) -> Outcome {
    // Three bytes of word 1250, and 117 bytes of the sector behind them.
    const BYTES: u32 = 5003;
    with_file(machine, BYTES, true, &mut |machine, file, drive| {
        let pool = map(machine, HERE, file, View::Shared, true)?;
        demand("the last word", original(1250) & 0xFF_FFFF, machine.read(above(HERE, 5000)))?;
        for word in 1250..2 * WORDS {
            machine.write(above(HERE, 4 * word), 0xA5A5_A5A5);
        }
        demand("pages synced", 1, sync(machine, file)?)?;
        demand("the last bytes on the drive", 0xA5_A5A5 | original(1250) & 0xFF00_0000, drive.word(1250))?;
        for word in 1251..2 * WORDS {
            demand("what is behind them", original(word), drive.word(word))?;
        }
        machine.write(HERE, 1);
        unmap(machine, pool)?;
        demand("the first word on the drive", 1, drive.word(0))?;
        demand("what is before the file", original(u32::MAX), drive.word(u32::MAX))
    })
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

fn file_larger_than_memory<M: Machine>(machine: &mut M) -> Outcome {
    const PAGES: u32 = 12;
    with_file(machine, PAGES * PAGE_SIZE, true, &mut |machine, file, drive| {
        for has_drive in [true, false] {
            let pool = map(machine, HERE, file, View::Shared, true)?;
            on_drive(machine, 4, 4, |machine, _| {
                let swap = if has_drive { None } else { machine.with(|memory| memory.swap.take()) };
                for round in 1..3 {
                    for number in 0..PAGES {
                        let word = if round == 1 && has_drive { original(number * WORDS) } else { number };
                        demand("its word", word, get(machine, HERE, number))?;
                        put(machine, HERE, number, number);
                    }
                }
                demand("slots", 0, used_slots(machine))?;
                if swap.is_some() {
                    machine.with(|memory| memory.swap = swap);
                }
                Ok(())
            })?;
            unmap(machine, pool)?;
            (0..PAGES).try_for_each(|number| demand("on the drive", number, drive.word(number * WORDS)))?;
        }
        Ok(())
    })
}

fn clones_see_files<M: Machine>(machine: &mut M) -> Outcome {
    with_file(machine, 3 * PAGE_SIZE, true, &mut |machine, file, drive| {
        let home = root(machine);
        let pools = [map(machine, HERE, file, View::Private, true)?, map(machine, THERE, file, View::Shared, true)?];
        put(machine, HERE, 0, 1);
        get(machine, HERE, 1);
        put(machine, THERE, 0, 2);
        let before = free_frames(machine);
        let clone = duplicate(machine)?;
        // A directory, two pools' pages, and a table for each of the two and for the private view.
        demand("frames for a clone", 6, before - free_frames(machine))?;
        load(machine, &clone);
        demand("private word", 1, get(machine, HERE, 0))?;
        put(machine, HERE, 0, 3);
        // It is clean, and two entries lead to it.
        demand("a page evicted", true, evict(machine, page(HERE, 1)) == Some(Entry::IN_FILE))?;
        demand("the same from the file", original(WORDS), get(machine, HERE, 1))?;
        put(machine, HERE, 2, 4);
        put(machine, THERE, 1, 5);
        go(machine, home);
        all_are(
            "private words",
            [1, original(WORDS), original(2 * WORDS)],
            [0, 1, 2].map(|number| get(machine, HERE, number)),
        )?;
        all_are("shared words", [2, 5], [0, 1].map(|number| get(machine, THERE, number)))?;
        pools.into_iter().try_for_each(|pool| unmap(machine, pool))?;
        demand("on the drive while the clone sees it", original(WORDS), drive.word(WORDS))?;
        destroy(machine, clone)?;
        all_are("on the drive", [2, 5, original(2 * WORDS)], [0, WORDS, 2 * WORDS].map(|word| drive.word(word)))
    })
}

fn clones_of_clean_pages<M: Machine>(machine: &mut M) -> Outcome {
    with_file(machine, 4 * PAGE_SIZE, false, &mut |machine, file, _| {
        let writable = map(machine, HERE, file, View::Private, true)?;
        let read_only = map(machine, THERE, file, View::Private, false)?;
        (0..4).for_each(|number| _ = get(machine, HERE, number));
        get(machine, THERE, 0);
        let clone = duplicate(machine)?;
        let before = free_frames(machine);
        let faults = machine.faults();
        demand("a write to a view that is read-only", Err(Refusal::Protection), machine.probe(THERE, true))?;
        demand("frames for that", 0, before - free_frames(machine))?;
        demand("faults answered for that", 0, machine.faults() - faults)?;
        // With no frame left, and no slot, the page that is to be copied goes back into its file to make way for the
        // copy.
        on_drive(machine, 0, 1, |machine, _| {
            for number in 0..4 {
                put(machine, HERE, number, 7);
                demand("the word beside it", original(number * WORDS + 1), machine.read(above(page(HERE, number), 4)))?;
                machine.with(|memory| memory.free_page(Page::containing(page(HERE, number))));
            }
            Ok(())
        })?;
        destroy(machine, clone)?;
        unmap(machine, writable)?;
        unmap(machine, read_only)
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

fn audited_files<M: Machine>(machine: &mut M) -> Outcome {
    let pages = |start: VirtAddr, from: u32, to: u32| {
        let start = Page::containing(start).number();
        PageRange::new(Page::new(start + from), Page::new(start + to))
    };
    with_file(machine, 12 * PAGE_SIZE, true, &mut |machine, file, _| {
        let (home, other) = (root(machine), create(machine)?);
        let private = VirtAddr::new(0x6000_0000);
        let pools = [map(machine, HERE, file, View::Shared, true)?, map(machine, private, file, View::Private, true)?];
        fill(machine, pages(HERE, 0, 8), 1);
        fill(machine, pages(private, 0, 4), 2);
        load(machine, &other);
        map(machine, THERE, file, View::Shared, true)?;
        get(machine, THERE, 0);
        put(machine, THERE, 8, 1);
        let alive = [home, other.root()];
        machine.checkpoint("seen by the other", &alive, &[Claim::Absent(pages(THERE, 9, 12))]);
        go(machine, home);
        let seen = [
            Claim::Filled(pages(HERE, 0, 8), 1),
            Claim::Absent(pages(HERE, 9, 12)),
            Claim::Filled(pages(private, 0, 4), 2),
            Claim::Absent(pages(private, 4, 12)),
        ];
        machine.checkpoint("seen by both", &alive, &seen);
        let clone = duplicate(machine)?;
        let alive = [home, other.root(), clone.root()];
        machine.checkpoint("cloned", &alive, &seen);
        load(machine, &clone);
        fill(machine, pages(private, 0, 2), 3);
        fill(machine, pages(HERE, 6, 8), 4);
        let seen = [
            Claim::Filled(pages(HERE, 0, 6), 1),
            Claim::Filled(pages(HERE, 6, 8), 4),
            Claim::Filled(pages(private, 0, 2), 3),
            Claim::Filled(pages(private, 2, 4), 2),
        ];
        machine.checkpoint("written in the clone", &alive, &seen);
        go(machine, home);
        sync(machine, file)?;
        (0..6).for_each(|number| _ = evict(machine, page(HERE, number)));
        let gone = [Claim::Absent(pages(HERE, 0, 6)), Claim::Filled(pages(HERE, 6, 8), 4)];
        machine.checkpoint("let go", &alive, &gone);
        destroy(machine, clone)?;
        destroy(machine, other)?;
        let left = [Claim::Filled(pages(HERE, 6, 8), 4), Claim::Filled(pages(private, 0, 4), 2)];
        machine.checkpoint("destroyed", &[], &left);
        pools.into_iter().try_for_each(|pool| unmap(machine, pool))
    })
}
