//! Clones of address spaces whose pages are on a drive, or go there.

use super::claims::Claim;
use super::clones::{duplicate, go};
use super::machine::Machine;
use super::orders::Orders;
use super::outcome::{Failure, Outcome, Scenario, demand, done};
use super::pools::{allocate, release};
use super::spaces::{create, destroy, load, root};
use super::steps::{above, free_frames, make_read_only};
use super::swap::{get, is_on_drive, page, pool_of, push_out, put, used_slots};
use super::test_drive::{on_drive, staged};
use crate::addr::{Frame, PAGE_SIZE, Page, PageRange};
use crate::frames::FrameSource;
use crate::vm::{AddressSpace, CurrentSpace, Refusal};
use alloc::vec::Vec;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("shared-page-goes-for-all", shared_page_goes_for_all),
        ("shared-page-comes-for-all", shared_page_comes_for_all),
        ("only-page-is-copied", only_page_is_copied),
        ("clone-of-pages-on-the-drive", clone_of_pages_on_the_drive),
        ("slot-of-256-spaces", slot_of_256_spaces),
        ("clone-while-pages-go", clone_while_pages_go),
        ("audited-swap", audited_swap),
    ]
}

pub(super) fn shared_page_goes_for_all<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    let (mut pool, region) = pool_of(machine, 8)?;
    (0..8).for_each(|number| put(machine, region, number, number + 1));
    let clones: Vec<_> = (0..3).map(|_| duplicate(machine)).collect::<Result<_, _>>()?;
    let spaces: Vec<Frame> = clones.iter().map(|clone| clone.root()).chain([parent]).collect();
    on_drive(machine, 0, 40, |machine, _| {
        let kept = machine.with(|memory| memory.get_frame());
        let kept = done("a frame of a shared page", kept)?;
        demand("slots: one for all", 1, used_slots(machine))?;
        let gone = done("the page", (0..8).find(|at| is_on_drive(machine, page(region, *at))).ok_or(()))?;
        for space in &spaces {
            go(machine, *space);
            demand("the page is on the drive for each", true, is_on_drive(machine, page(region, gone)))?;
        }
        done("frame given back", machine.with(|memory| memory.frames.release_frame(kept)))?;
        // Each side reads it, and gets a page of its own then.
        for (number, space) in (0..).zip(&spaces) {
            go(machine, *space);
            demand("its word", gone + 1, get(machine, region, gone))?;
            put(machine, region, gone, 100 + number);
        }
        for (number, space) in (0..).zip(&spaces) {
            go(machine, *space);
            demand("its own word", 100 + number, get(machine, region, gone))?;
            for at in (0..8).filter(|at| *at != gone) {
                demand("a word of all", at + 1, get(machine, region, at))?;
            }
        }
        go(machine, parent);
        clones.into_iter().try_for_each(|clone| destroy(machine, clone))?;
        demand("pages released", 8, release(machine, &mut pool, region)?)?;
        demand("pages on the drive", 0, used_slots(machine))
    })
}

/// Memory and drive are full, and what is on the drive is shared: it comes back, since that needs no place more.
fn shared_page_comes_for_all<M: Machine>(machine: &mut M) -> Outcome {
    const PAGES: u32 = 8;
    let parent = root(machine);
    let (mut pool, region) = pool_of(machine, PAGES)?;
    (0..PAGES).for_each(|number| put(machine, region, number, number + 1));
    make_read_only(machine, region);
    let more = allocate(machine, &mut pool, (PAGES + 1) * PAGE_SIZE)?;
    let clone = duplicate(machine)?;
    on_drive(machine, 0, PAGES, |machine, _| {
        (0..PAGES).for_each(|number| put(machine, more, number, 50 + number));
        let too_many = page(more, PAGES);
        demand("a page more than there is room for", Err(Refusal::OutOfFrames), machine.probe(too_many, true))?;
        for space in [clone.root(), parent, clone.root()] {
            go(machine, space);
            for number in 0..PAGES {
                demand("a read of a page of both", Ok(()), machine.probe(page(region, number), false))?;
                demand("its word", number + 1, get(machine, region, number))?;
            }
        }
        demand("a write to what was read-only", Err(Refusal::Protection), machine.probe(region, true))?;
        let written = page(region, 1);
        demand("a write that needs a copy", Err(Refusal::OutOfFrames), machine.probe(written, true))?;
        go(machine, parent);
        demand("a write that needs a copy", Err(Refusal::OutOfFrames), machine.probe(written, true))?;
        (0..PAGES).try_for_each(|number| demand("its word", 50 + number, get(machine, more, number)))?;
        demand("pages released", PAGES, release(machine, &mut pool, more)?)?;
        put(machine, region, 1, 100);
        go(machine, clone.root());
        (0..PAGES).try_for_each(|number| demand("the clone's word", number + 1, get(machine, region, number)))?;
        go(machine, parent);
        destroy(machine, clone)?;
        demand("its own word", 100, get(machine, region, 1))?;
        demand("pages released", PAGES, release(machine, &mut pool, region)?)?;
        demand("pages on the drive", 0, used_slots(machine))
    })
}

/// The only page that can make way for a copy is the one that is to be copied.
pub(super) fn only_page_is_copied<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    let (_, region) = pool_of(machine, 1)?;
    put(machine, region, 0, 7);
    let clone = duplicate(machine)?;
    on_drive(machine, 0, 4, |machine, _| {
        put(machine, region, 0, 8);
        go(machine, clone.root());
        demand("the word of both", 7, get(machine, region, 0))?;
        put(machine, region, 0, 9);
        go(machine, parent);
        demand("its own word", 8, get(machine, region, 0))?;
        destroy(machine, clone)
    })
}

pub(super) fn clone_of_pages_on_the_drive<M: Machine>(machine: &mut M) -> Outcome {
    const PAGES: u32 = 24;
    let parent = root(machine);
    let (mut pool, region) = pool_of(machine, PAGES)?;
    on_drive(machine, 12, 3 * PAGES, |machine, _| {
        (0..PAGES).for_each(|number| put(machine, region, number, number + 1));
        push_out(machine, region, PAGES - 4, PAGES);
        let (used, reads) = (used_slots(machine), reads(machine));
        let clone = duplicate(machine)?;
        demand("pages read for a clone", 0, self::reads(machine) - reads)?;
        demand("slots of both", true, used_slots(machine) < used + 6)?;
        for (word, space) in [(200, clone.root()), (300, parent)] {
            go(machine, space);
            for number in 0..PAGES {
                demand("its word", number + 1, get(machine, region, number))?;
                machine.write(above(page(region, number), 8), word + number);
            }
        }
        for (word, space) in [(200, clone.root()), (300, parent)] {
            go(machine, space);
            for number in 0..PAGES {
                demand("the word of both", number + 1, get(machine, region, number))?;
                demand("its own word", word + number, machine.read(above(page(region, number), 8)))?;
            }
        }
        go(machine, parent);
        destroy(machine, clone)?;
        demand("pages released", PAGES, release(machine, &mut pool, region)?)?;
        demand("pages on the drive", 0, used_slots(machine))
    })
}

/// One space more than a slot's count can count, and the read for it fails.
fn slot_of_256_spaces<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    let (_, region) = pool_of(machine, 1)?;
    put(machine, region, 0, 7);
    on_drive(machine, u32::MAX, 4, |machine, orders| {
        let sent = machine.with(|memory| memory.evict(Page::containing(region)));
        done("page sent out", sent.ok_or(()))?;
        let mut clones = (0..254).map(|_| duplicate(machine)).collect::<Result<Vec<_>, _>>()?;
        demand("pages read for 254 clones", 0, reads(machine))?;
        let before = free_frames(machine);
        orders.fail_reads(1);
        demand("a clone without a read", true, machine.with(AddressSpace::duplicate).is_err())?;
        demand("free frames after it", before, free_frames(machine))?;
        demand("the page is on the drive", true, is_on_drive(machine, region))?;
        clones.push(duplicate(machine)?);
        demand("pages read for one more", 1, reads(machine))?;
        for space in clones.iter().map(AddressSpace::root).chain([parent]) {
            go(machine, space);
            demand("its word", 7, get(machine, region, 0))?;
        }
        demand("pages read: the parent's, and one for all others", 2, reads(machine))?;
        demand("pages on the drive", 0, used_slots(machine))?;
        put(machine, region, 0, 8);
        for clone in &clones {
            go(machine, clone.root());
            demand("its word", 7, get(machine, region, 0))?;
        }
        go(machine, parent);
        clones.into_iter().try_for_each(|clone| destroy(machine, clone))
    })
}

#[inline(never)]
fn reads<M: Machine>(machine: &mut M) -> u32 {
    machine.with(|memory| memory.swap.as_ref().map_or(0, |swap| swap.counts().reads))
}

/// Clones with ever fewer frames free, so that each frame that a clone needs is once the one for which a page has to go.
fn clone_while_pages_go<M: Machine>(machine: &mut M) -> Outcome {
    const PAGES: u32 = 12;
    let parent = root(machine);
    let (_, region) = pool_of(machine, PAGES)?;
    (0..PAGES).for_each(|number| put(machine, region, number, number + 1));
    let mut failures = 0;
    for free in 0..6 {
        on_drive(machine, free, 4 * PAGES, |machine, orders: &Orders| {
            let clone = duplicate(machine)?;
            for (word, space) in [(200, clone.root()), (300, parent)] {
                go(machine, space);
                for number in 0..PAGES {
                    demand("its word", number + 1, get(machine, region, number))?;
                    machine.write(above(page(region, number), 8), word + number);
                }
            }
            go(machine, parent);
            destroy(machine, clone)?;
            // A clone that can't be made since the drive takes nothing leaves the parent as it was.
            (0..PAGES).for_each(|number| _ = get(machine, region, number));
            orders.fail_writes(1000);
            let before = (free_frames(machine), used_slots(machine));
            match machine.with(AddressSpace::duplicate) {
                Ok(clone) => destroy(machine, clone)?,
                Err(_) => failures += 1,
            }
            orders.fail_writes(0);
            demand("free frames after a clone that could not be", before.0, free_frames(machine))?;
            demand("pages on the drive after it", before.1, used_slots(machine))?;
            for number in 0..PAGES {
                demand("its word", number + 1, get(machine, region, number))?;
                demand("the parent's word", 300 + number, machine.read(above(page(region, number), 8)))?;
            }
            demand("records agree", true, machine.with(|memory| memory.check_pools()))
        })?;
    }
    demand("a clone that could not be, at least once", true, failures > 0)
}

fn audited_swap<M: Machine>(machine: &mut M) -> Outcome {
    audited_on(machine, |machine| staged(machine, 70))?.strike(machine, Ok(()))
}

/// Sends pages to the drive that the machine has, clones them, writes to some, and stands still after each step, so that what is on
/// the drive can be looked at.
///
/// # Errors
///
/// The first demand that wasn't met.
pub fn audited_drive<M: Machine>(machine: &mut M) -> Outcome {
    audited_on(machine, |_| Ok(()))
}

/// Tells the story of [`audited_drive`] with the drive that `set` sees to. Returns what `set` does.
fn audited_on<M: Machine, S>(machine: &mut M, set: fn(&mut M) -> Result<S, Failure>) -> Result<S, Failure> {
    let parent = root(machine);
    let (mut pool, region) = pool_of(machine, 24)?;
    let start = Page::containing(region);
    let pages = |from: u32, to: u32| PageRange::new(Page::new(start.number() + from), Page::new(start.number() + to));
    // Frames that are held back belong to no page, so the auditor would miss them: a region of another space holds them.
    let other = create(machine)?;
    load(machine, &other);
    let (_, ballast) = pool_of(machine, 8192)?;
    let drive = set(machine)?;
    let mut number = 0;
    while free_frames(machine) > 12 {
        put(machine, ballast, number, 1);
        number += 1;
    }
    go(machine, parent);
    super::audited::fill(machine, pages(0, 24), 1);
    let others = [parent, other.root()];
    machine.checkpoint("some are on the drive", &others, &[Claim::Filled(pages(0, 24), 1)]);
    let clone = duplicate(machine)?;
    let others = [parent, other.root(), clone.root()];
    machine.checkpoint("cloned", &others, &[Claim::Filled(pages(0, 24), 1)]);
    load(machine, &clone);
    super::audited::fill(machine, pages(0, 5), 2);
    let mixed = [Claim::Filled(pages(0, 5), 2), Claim::Filled(pages(5, 24), 1)];
    machine.checkpoint("written in the clone", &others, &mixed);
    go(machine, parent);
    super::audited::fill(machine, pages(3, 9), 3);
    let mixed = [Claim::Filled(pages(0, 3), 1), Claim::Filled(pages(3, 9), 3), Claim::Filled(pages(9, 24), 1)];
    machine.checkpoint("written in the parent", &others, &mixed);
    demand("pages released", 24, release(machine, &mut pool, region)?)?;
    machine.checkpoint("released by the parent", &others, &[Claim::Absent(pages(0, 24))]);
    destroy(machine, clone)?;
    destroy(machine, other)?;
    machine.checkpoint("destroyed", &[], &[Claim::Absent(pages(0, 24))]);
    Ok(drive)
}
