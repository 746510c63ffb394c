//! Pages that go to a drive when frames run out, and come back.

use super::clones::{duplicate, go};
use super::machine::Machine;
use super::outcome::{Failure, Outcome, Scenario, demand, done};
use super::pools::{HEAP, allocate, register, release};
use super::second_chance::SecondChance;
use super::spaces::{create, destroy, load, root};
use super::steps::{above, free_frames, make_read_only};
use super::test_drive::on_drive;
use super::test_file::{map, unmap, with_file};
use crate::addr::{PAGE_SIZE, Page, PageRange, VirtAddr};
use crate::events::{Event, EventKind};
use crate::frames::FrameSource;
use crate::paging::{CurrentTable, Entry, MmuView, View};
use crate::vm::{CurrentSpace, Refusal, VmPool};

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("three-times-memory", three_times_memory),
        ("faults-as-the-model-says", faults_as_the_model_says),
        ("hot-pages-stay", hot_pages_stay),
        ("out-and-in-again", out_and_in_again),
        ("two-spaces-larger-than-memory", two_spaces_larger_than_memory),
        ("pages-of-others-come-back", pages_of_others_come_back),
        ("kernels-records-stay", kernels_records_stay),
        ("table-without-pages-stays", table_without_pages_stays),
        ("last-page-of-a-table-goes", last_page_of_a_table_goes),
        ("rights-come-back", rights_come_back),
        ("slots-are-given-back", slots_are_given_back),
        ("freed-slots-are-told", freed_slots_are_told),
    ]
}

/// Registers a pool of 64 MiB at [`HEAP`] and allocates a region of `pages` pages in it.
#[track_caller]
#[inline(never)]
pub(super) fn pool_of<M: Machine>(machine: &mut M, pages: u32) -> Result<(VmPool, VirtAddr), Failure> {
    let mut pool = register(machine, HEAP, 64 << 20)?;
    let region = allocate(machine, &mut pool, pages * PAGE_SIZE)?;
    Ok((pool, region))
}

/// Returns the address of page `number` of the region at `region`.
pub(super) fn page(region: VirtAddr, number: u32) -> VirtAddr {
    above(region, number * PAGE_SIZE)
}

/// Writes the first word of page `number` of the region.
#[inline(never)]
pub(super) fn put<M: Machine>(machine: &mut M, region: VirtAddr, number: u32, word: u32) {
    machine.write(page(region, number), word);
}

/// Reads the first word of page `number` of the region.
#[inline(never)]
pub(super) fn get<M: Machine>(machine: &mut M, region: VirtAddr, number: u32) -> u32 {
    machine.read(page(region, number))
}

/// Fills page `number` of the region with words of its own.
#[inline(never)]
fn fill<M: Machine>(machine: &mut M, region: VirtAddr, number: u32, salt: u32) {
    for word in (0..1024).step_by(31) {
        machine.write(above(page(region, number), 4 * word), salt ^ (number << 10 | word));
    }
}

/// Demands that page `number` of the region holds what [`fill`] has written, and zeros beside it.
#[track_caller]
#[inline(never)]
fn holds<M: Machine>(machine: &mut M, region: VirtAddr, number: u32, salt: u32) -> Outcome {
    for word in (0..1024).step_by(31) {
        let at = above(page(region, number), 4 * word);
        demand("a word of the page", salt ^ (number << 10 | word), machine.read(at))?;
        if word > 0 {
            demand("the word before it", 0, machine.read(VirtAddr::new(at.as_u32() - 4)))?;
        }
    }
    Ok(())
}

#[inline(never)]
pub(super) fn used_slots<M: Machine>(machine: &mut M) -> u32 {
    machine.with(|memory| memory.swap.as_ref().map_or(0, |swap| swap.used_slots()))
}

#[inline(never)]
pub(super) fn is_on_drive<M: Machine>(machine: &mut M, address: VirtAddr) -> bool {
    machine.with(|memory| memory.pte(Page::containing(address)).is_some_and(|entry| entry.slot().is_some()))
}

pub(super) fn three_times_memory<M: Machine>(machine: &mut M) -> Outcome {
    const FRAMES: u32 = 32;
    let (mut pool, region) = pool_of(machine, 3 * FRAMES)?;
    on_drive(machine, FRAMES, 3 * FRAMES, |machine, _| {
        (0..3 * FRAMES).for_each(|number| fill(machine, region, number, 0x5A));
        demand("pages on the drive", 2 * FRAMES, used_slots(machine))?;
        (0..3 * FRAMES).try_for_each(|number| holds(machine, region, number, 0x5A))?;
        (0..3 * FRAMES).rev().try_for_each(|number| holds(machine, region, number, 0x5A))?;
        demand("pages released", 3 * FRAMES, release(machine, &mut pool, region)?)?;
        demand("pages on the drive", 0, used_slots(machine))?;
        demand("free frames", FRAMES, free_frames(machine))
    })
}

pub(super) fn faults_as_the_model_says<M: Machine>(machine: &mut M) -> Outcome {
    let (_, region) = pool_of(machine, 5)?;
    on_drive(machine, 4, 8, |machine, _| {
        let (mut model, before) = (SecondChance::new(5, 4, 0), machine.faults());
        for (step, number) in (0..).zip([0, 1, 2, 3, 4, 1, 0, 1, 2, 3, 1, 4]) {
            model.touch(number);
            if step % 2 == 0 {
                put(machine, region, number, number + 7);
            } else {
                get(machine, region, number);
            }
            demand("faults so far", model.faults, machine.faults() - before)?;
        }
        for number in 0..5 {
            demand(
                "the page is on the drive",
                !model.is_in_memory(number),
                is_on_drive(machine, page(region, number)),
            )?;
        }
        Ok(())
    })
}

pub(super) fn hot_pages_stay<M: Machine>(machine: &mut M) -> Outcome {
    const FRAMES: u32 = 16;
    const HOT: u32 = FRAMES / 2;
    // Each is touched once, a tenth of them further on each time, so that the hand comes round to the others again and again.
    const COLD: u32 = 101;
    let cold = |turn| HOT + 10 * turn % COLD;
    let (_, region) = pool_of(machine, HOT + COLD)?;
    on_drive(machine, FRAMES, HOT + COLD, |machine, _| {
        for turn in 0..COLD {
            put(machine, region, cold(turn), turn);
            let before = machine.faults();
            (0..HOT).for_each(|hot| put(machine, region, hot, turn));
            // At first each page has been used.
            if turn >= 2 * FRAMES {
                demand("faults of pages in use", 0, machine.faults() - before)?;
            }
        }
        (0..COLD).try_for_each(|turn| demand("a cold page's word", turn, get(machine, region, cold(turn))))
    })
}

/// Touches all pages from `from` on, so that those before go to the drive.
#[inline(never)]
pub(super) fn push_out<M: Machine>(machine: &mut M, region: VirtAddr, from: u32, pages: u32) {
    // Twice: the first round may only take the A flags away.
    for _ in 0..2 {
        (from..pages).for_each(|number| _ = get(machine, region, number));
    }
}

pub(super) fn out_and_in_again<M: Machine>(machine: &mut M) -> Outcome {
    let (_, region) = pool_of(machine, 16)?;
    on_drive(machine, 6, 20, |machine, _| {
        fill(machine, region, 0, 1);
        for round in 0..4 {
            push_out(machine, region, 1, 16);
            demand("the page is on the drive", true, is_on_drive(machine, region))?;
            holds(machine, region, 0, 1)?;
            demand("the page is on the drive", false, is_on_drive(machine, region))?;
            if round == 2 {
                machine.write(above(region, 4), 0);
            }
        }
        // What is written after it came back is kept, too.
        machine.write(region, 99);
        push_out(machine, region, 1, 16);
        demand("the new word", 99, machine.read(region))
    })
}

pub(super) fn two_spaces_larger_than_memory<M: Machine>(machine: &mut M) -> Outcome {
    const FRAMES: u32 = 24;
    let first = root(machine);
    let (mut pool, region) = pool_of(machine, 2 * FRAMES)?;
    let second = create(machine)?;
    load(machine, &second);
    pool_of(machine, 2 * FRAMES)?;
    on_drive(machine, FRAMES, 4 * FRAMES, |machine, _| {
        for round in 0..2 {
            for number in 0..2 * FRAMES {
                for (salt, space) in [(0x100_0000 + round, first), (0x200_0000 + round, second.root())] {
                    go(machine, space);
                    fill(machine, region, number, salt);
                }
            }
            for (salt, space) in [(0x100_0000 + round, first), (0x200_0000 + round, second.root())] {
                go(machine, space);
                (0..2 * FRAMES).try_for_each(|number| holds(machine, region, number, salt))?;
            }
        }
        go(machine, first);
        destroy(machine, second)?;
        demand("pages on the drive", true, used_slots(machine) <= 2 * FRAMES)?;
        demand("pages released", 2 * FRAMES, release(machine, &mut pool, region)?)?;
        demand("pages on the drive", 0, used_slots(machine))
    })
}

/// A drive comes and goes while pages of another address space are in its way, as those are that people have at the prompt.
fn pages_of_others_come_back<M: Machine>(machine: &mut M) -> Outcome {
    let home = root(machine);
    let (_, region) = pool_of(machine, 8)?;
    (0..8).for_each(|number| put(machine, region, number, number + 1));
    let space = create(machine)?;
    load(machine, &space);
    pool_of(machine, 16)?;
    let clone = duplicate(machine)?;
    on_drive(machine, 2, 40, |machine, _| {
        (0..16).for_each(|number| put(machine, region, number, 50 + number));
        go(machine, home);
        demand("pages of the other space on the drive", true, is_on_drive(machine, region))?;
        load(machine, &space);
        Ok(())
    })?;
    (0..16).try_for_each(|number| demand("its word", 50 + number, get(machine, region, number)))?;
    go(machine, home);
    (0..8).try_for_each(|number| demand("a word of the other space", number + 1, get(machine, region, number)))?;
    destroy(machine, clone)?;
    destroy(machine, space)
}

pub(super) fn kernels_records_stay<M: Machine>(machine: &mut M) -> Outcome {
    let (mut pool, region) = pool_of(machine, 40)?;
    machine.write(region, 5);
    on_drive(machine, 0, 41, |machine, _| {
        // One page that can go is all there is; everything else is directories, tables and records.
        let home = root(machine);
        let space = create(machine)?;
        demand("the only page is on the drive", true, is_on_drive(machine, region))?;
        demand("free frames", 0, free_frames(machine))?;
        demand("a touch without a frame", Err(Refusal::OutOfFrames), machine.probe(region, false))?;
        destroy(machine, space)?;
        // Now a frame can be had, again and again.
        for number in 0..40 {
            put(machine, region, number, number);
        }
        let second = allocate(machine, &mut pool, PAGE_SIZE)?;
        machine.write(second, 6);
        demand("pages released", 1, release(machine, &mut pool, second)?)?;
        for number in 0..40 {
            demand("its word", number, get(machine, region, number))?;
        }
        demand("records agree", true, machine.with(|memory| memory.check_pools()))?;
        demand("the space is the same", home.number(), root(machine).number())?;
        demand("pages released", 40, release(machine, &mut pool, region)?)?;
        let freed = done("a page is free now", machine.with(|memory| memory.frames.get_frame()).ok_or(()))?;
        done("it is given back", machine.with(|memory| memory.frames.release_frame(freed)))
    })
}

pub(super) fn table_without_pages_stays<M: Machine>(machine: &mut M) -> Outcome {
    // Two regions in tables of their own.
    let (mut pool, region) = pool_of(machine, 2048)?;
    let (near, far) = (region, page(region, 2047));
    let other = allocate(machine, &mut pool, PAGE_SIZE)?;
    machine.write(near, 1);
    machine.write(far, 2);
    on_drive(machine, 1, 8, |machine, _| {
        for number in 1..4 {
            machine.write(page(near, number), number);
        }
        machine.read(near);
        push_out(machine, near, 0, 4);
        demand("the page is on the drive", true, is_on_drive(machine, far))?;
        let table = machine.with(|memory| memory.pde(Page::containing(far)).is_present());
        demand("its table is there", true, table)?;
        demand("its word", 2, machine.read(far))?;
        push_out(machine, near, 0, 4);
        demand("the page is on the drive", true, is_on_drive(machine, far))?;
        // The last page with a frame goes, beside which one is on the drive.
        machine.write(other, 3);
        demand("the page is on the drive", true, is_on_drive(machine, far))?;
        demand("pages released", 1, release(machine, &mut pool, other)?)?;
        demand("its word", 2, machine.read(far))?;
        demand("pages released", 5, release(machine, &mut pool, region)?)?;
        let table = machine.with(|memory| memory.pde(Page::containing(far)).is_present());
        demand("its table is there after its region went", false, table)?;
        demand("pages on the drive", 0, used_slots(machine))
    })
}

pub(super) fn last_page_of_a_table_goes<M: Machine>(machine: &mut M) -> Outcome {
    // The pool's own page is the first of the table, or two are.
    let (_, region) = pool_of(machine, 2048)?;
    let end = Page::containing(region).end_of_table().number();
    let last = end - 1 - Page::containing(region).number();
    put(machine, region, last, 77);
    on_drive(machine, 0, 4, |machine, _| {
        put(machine, region, last - 1, 78);
        demand("the page is on the drive", true, is_on_drive(machine, page(region, last)))?;
        demand("its word", 77, get(machine, region, last))?;
        demand("the other's word", 78, get(machine, region, last - 1))
    })
}

pub(super) fn rights_come_back<M: Machine>(machine: &mut M) -> Outcome {
    let (_, region) = pool_of(machine, 16)?;
    on_drive(machine, 4, 20, |machine, _| {
        put(machine, region, 0, 5);
        make_read_only(machine, region);
        push_out(machine, region, 1, 16);
        demand("the page is on the drive", true, is_on_drive(machine, region))?;
        demand("its word", 5, get(machine, region, 0))?;
        demand("a write to what was read-only", Err(Refusal::Protection), machine.probe(region, true))?;
        put(machine, region, 1, 6);
        demand("a write to another page", Ok(()), machine.probe(page(region, 1), true))
    })
}

pub(super) fn slots_are_given_back<M: Machine>(machine: &mut M) -> Outcome {
    const PAGES: u32 = 24;
    let home = root(machine);
    let ways: [fn(&mut M, VmPool, VirtAddr) -> Outcome; 4] = [
        |machine, mut pool, region| demand("pages released", PAGES, release(machine, &mut pool, region)?),
        |machine, _, region| {
            for number in 0..PAGES {
                machine.with(|memory| memory.free_page(Page::containing(page(region, number))));
            }
            Ok(())
        },
        |machine, pool, _| demand("dropped", true, machine.with(|memory| memory.drop_pool(pool)).is_ok()),
        |machine, _, region| {
            let start = Page::containing(region);
            let pages = PageRange::new(start, Page::new(start.number() + PAGES));
            demand("pages unmapped", PAGES, machine.with(|memory| memory.unmap_pages(pages)))
        },
    ];
    let tables = |machine: &mut M| machine.with(|memory| memory.uses.tables());
    let (before, tables_before) = (free_frames(machine), tables(machine));
    for way in ways {
        let space = create(machine)?;
        load(machine, &space);
        let (pool, region) = pool_of(machine, PAGES)?;
        on_drive(machine, 6, PAGES, |machine, _| {
            (0..PAGES).for_each(|number| put(machine, region, number, 9));
            demand("pages on the drive", PAGES - 6, used_slots(machine))?;
            way(machine, pool, region)?;
            demand("pages on the drive", 0, used_slots(machine))
        })?;
        go(machine, home);
        destroy(machine, space)?;
        demand("free frames", before, free_frames(machine))?;
        demand("frames marked as page tables", tables_before, tables(machine))?;
    }
    // The whole address space goes, of which some pages are on the drive.
    let space = create(machine)?;
    load(machine, &space);
    let (_, region) = pool_of(machine, PAGES)?;
    on_drive(machine, 6, PAGES, |machine, _| {
        (0..PAGES).for_each(|number| put(machine, region, number, 9));
        go(machine, home);
        destroy(machine, space)?;
        demand("pages on the drive", 0, used_slots(machine))
    })?;
    demand("free frames", before, free_frames(machine))
}

/// Frees a page of zeros and one of a file while they are on the drive: the latest event says which, and which slot.
fn freed_slots_are_told<M: Machine>(machine: &mut M) -> Outcome {
    const FILE: VirtAddr = VirtAddr::new(0x5000_0000);
    let (_, region) = pool_of(machine, 1)?;
    with_file(machine, PAGE_SIZE, false, &mut |machine, file, _| {
        let view = map(machine, FILE, file, View::Private, true)?;
        on_drive(machine, 2, 2, |machine, _| {
            for address in [region, FILE] {
                machine.write(address, 7);
                let sent = machine.with(|memory| memory.evict(Page::containing(address)));
                let slot = done("a slot", sent.and_then(Entry::slot).ok_or(()))?;
                let (latest, recorded) = machine.with(|memory| {
                    let freed = memory.free_page(Page::containing(address));
                    let (recorded, root) = (memory.events.recorded(), memory.root());
                    memory.free_page(Page::containing(address));
                    let again = memory.events.recorded() - recorded;
                    (memory.events.latest(root).next().filter(|_| freed.is_none()), again)
                });
                let (kind, amount, space) = (EventKind::FreeSlot, slot.number(), root(machine));
                demand("its slot is told", true, latest == Some(Event { kind, address, amount, space }))?;
                demand("events when it is freed again", 0, recorded)?;
            }
            demand("pages on the drive", 0, used_slots(machine))
        })?;
        unmap(machine, view)
    })
}
