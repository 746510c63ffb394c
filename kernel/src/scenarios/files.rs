//! Files in address spaces: read at the touch, private or shared, and back on the drive when they have to be.

use super::audited::fill;
use super::claims::Claim;
use super::clones::{duplicate, go};
use super::machine::Machine;
use super::outcome::{Failure, Outcome, Scenario, demand, done};
use super::spaces::{create, destroy, load, root};
use super::steps::{above, free_frames};
use super::swap::{get, is_on_drive, page, put, used_slots};
use super::test_drive::on_drive;
use super::test_file::{counts, map, original, unmap, with_file};
use crate::addr::{PAGE_SIZE, Page, PageRange, VirtAddr};
use crate::paging::{Entry, FileId, View};
use crate::vm::Refusal;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("a-page-and-a-half", a_page_and_a_half),
        ("private-writes-stay-private", private_writes_stay_private),
        ("shared-writes-are-seen", shared_writes_are_seen),
        ("clean-pages-come-again", clean_pages_come_again),
        ("what-is-behind-the-end-stays", what_is_behind_the_end_stays),
        ("file-larger-than-memory", file_larger_than_memory),
        ("clones-see-files", clones_see_files),
        ("clones-of-clean-pages", clones_of_clean_pages),
        ("audited-files", audited_files),
    ]
}

/// Where files are seen: two places, each the start of a page table.
pub(super) const HERE: VirtAddr = VirtAddr::new(0x5000_0000);
pub(super) const THERE: VirtAddr = VirtAddr::new(0x7040_0000);

/// Words of a page.
pub(super) const WORDS: u32 = PAGE_SIZE / 4;

/// Demands several words.
#[track_caller]
#[inline(never)]
pub(super) fn all_are<const N: usize>(what: &'static str, expected: [u32; N], seen: [u32; N]) -> Outcome {
    expected.into_iter().zip(seen).try_for_each(|(expected, seen)| demand(what, expected, seen))
}

/// Writes the file back. Returns how many pages.
#[track_caller]
#[inline(never)]
pub(super) fn sync<M: Machine>(machine: &mut M, file: FileId) -> Result<u32, Failure> {
    done("file written back", machine.with(|memory| memory.sync(file)).map_err(drop))
}

#[inline(never)]
pub(super) fn evict<M: Machine>(machine: &mut M, address: VirtAddr) -> Option<Entry> {
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
