//! Very many and very large: spaces by the thousand, regions by the ten thousand, pools of 3 GiB.

use super::clones::go;
use super::machine::Machine;
use super::outcome::{Failure, Outcome, Scenario, demand, done};
use super::pools::{allocate, register, release};
use super::random::Random;
use super::spaces::{create, destroy, load, root};
use super::steps::{MOST_OWN_PAGES, above, free_frames, own_pages};
use super::swap::{get, pool_of, put, used_slots};
use super::test_drive::on_first_words;
use crate::addr::{Frame, Page, VirtAddr};
use crate::paging::{CurrentTable, Mmu};
use crate::vm::{AddressSpace, VmPool};
use alloc::vec::Vec;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("thousand-spaces", |machine| count_spaces(machine, 1000)),
        ("twenty-thousand-spaces", |machine| count_spaces(machine, 20_000)),
        ("thousand-spaces-on-a-drive", thousand_spaces_on_a_drive),
        ("spaces-until-frames-run-out", spaces_until_frames_run_out),
        ("sixty-thousand-regions", sixty_thousand_regions),
        ("seven-hundred-tables", seven_hundred_tables),
        ("regions-across-every-border", regions_across_every_border),
        ("scattered-touches", scattered_touches),
    ]
}

/// Where the large pools start.
const BASE: VirtAddr = VirtAddr::new(0x1000_0000);

/// Bytes of a large region: 3 GiB.
const LARGE: u32 = 3 << 30;

/// Bytes of its pool, which keeps a page or two for itself.
const POOL: u32 = LARGE + 4096 * MOST_OWN_PAGES;

/// Frames that a space with one pool and one touched page may take at most: its directory, a table, the pool's own pages,
/// and the touched page.
pub const MOST_FRAMES_A_SPACE: u32 = 3 + MOST_OWN_PAGES;

/// An address space with one pool, and one region in it.
struct TouchedSpace {
    space: AddressSpace,
    region: VirtAddr,
    /// Frames that it can't do without.
    least: u32,
}

/// Makes an address space with a pool and a region of 3 GiB, and writes `word` to the region's first page. Leaves the new
/// space current. If something is missing, nothing is left behind, and `home` is current.
fn create_touched<M: Machine>(machine: &mut M, home: Frame, word: u32) -> Result<TouchedSpace, Failure> {
    let space = create(machine)?;
    load(machine, &space);
    let touched = register(machine, BASE, POOL).and_then(|mut pool| {
        let least = 3 + own_pages(machine, &pool)?;
        let region = allocate(machine, &mut pool, LARGE)?;
        done("first page touched", machine.probe(region, true))?;
        Ok((region, least))
    });
    match touched {
        Ok((region, least)) => {
            machine.write(region, word);
            Ok(TouchedSpace { space, region, least })
        }
        Err(failure) => {
            machine.with(|memory| memory.mmu.set_root(home));
            destroy(machine, space)?;
            Err(failure)
        }
    }
}

fn destroy_all<M: Machine>(machine: &mut M, home: Frame, spaces: Vec<TouchedSpace>) -> Outcome {
    machine.with(|memory| memory.mmu.set_root(home));
    spaces.into_iter().try_for_each(|space| destroy(machine, space.space))
}

/// Has `count` address spaces alive at once, each with a pool of 3 GiB and one touched page at the same address, checks them
/// in a random order, and destroys them. Returns how many frames each of them took: as few as it can do with.
///
/// # Errors
///
/// The first demand that wasn't met.
pub fn many_spaces<M: Machine>(machine: &mut M, count: u32) -> Result<u32, Failure> {
    let home = root(machine);
    let before = free_frames(machine);
    let (mut spaces, mut least) = (Vec::with_capacity(count as usize), 0);
    for number in 0..count {
        let space = create_touched(machine, home, number)?;
        least = space.least;
        spaces.push(space);
    }
    demand("frames taken, the least that they can do with", least * count, before - free_frames(machine))?;
    let mut order: Vec<u32> = (0..count).collect();
    Random::new(count).shuffle(&mut order);
    for number in order {
        let space = &spaces[number as usize];
        load(machine, &space.space);
        demand("the word of a space", number, machine.read(space.region))?;
    }
    destroy_all(machine, home, spaces)?;
    demand("free frames when all are gone", before, free_frames(machine))?;
    Ok(least)
}

fn count_spaces<M: Machine>(machine: &mut M, count: u32) -> Outcome {
    let least = many_spaces(machine, count)?;
    machine.say(format_args!("{count} spaces at {least} frames each, which is the least"));
    Ok(())
}

/// Each space takes as many frames as the first, so as many fit as that goes into the free frames, to the last one.
fn spaces_until_frames_run_out<M: Machine>(machine: &mut M) -> Outcome {
    let home = root(machine);
    let before = free_frames(machine);
    let mut spaces = Vec::with_capacity(before as usize / 4 + 1);
    while let Ok(space) = create_touched(machine, home, spaces.len() as u32) {
        spaces.push(space);
    }
    let least = spaces.first().map_or(before, |space| space.least);
    demand("spaces that fit", before / least, spaces.len() as u32)?;
    demand("free frames after the one that failed", before % least, free_frames(machine))?;
    destroy_all(machine, home, spaces)?;
    demand("free frames when all are gone", before, free_frames(machine))
}

/// A thousand spaces, then a region for which all their pages have to go.
fn thousand_spaces_on_a_drive<M: Machine>(machine: &mut M) -> Outcome {
    const SPACES: u32 = 1000;
    const LEFT: u32 = 64;
    let home = root(machine);
    let spaces = (0..SPACES).map(|number| create_touched(machine, home, number)).collect::<Result<Vec<_>, _>>()?;
    go(machine, home);
    let (mut pool, region) = pool_of(machine, SPACES + LEFT)?;
    on_first_words(machine, LEFT, SPACES + LEFT, |machine| {
        (0..SPACES + LEFT).for_each(|number| put(machine, region, number, !number));
        let mut order: Vec<u32> = (0..SPACES).collect();
        Random::new(SPACES).shuffle(&mut order);
        for number in order {
            let space = &spaces[number as usize];
            load(machine, &space.space);
            demand("the word of a space", number, machine.read(space.region))?;
        }
        go(machine, home);
        for number in 0..SPACES + LEFT {
            demand("a word of the region", !number, get(machine, region, number))?;
        }
        destroy_all(machine, home, spaces)?;
        demand("pages released", SPACES + LEFT, release(machine, &mut pool, region)?)?;
        demand("pages on the drive", 0, used_slots(machine))
    })
}

fn sixty_thousand_regions<M: Machine>(machine: &mut M) -> Outcome {
    const REGIONS: u32 = 60_000;
    let mut pool = register(machine, BASE, 1 << 30)?;
    let before = free_frames(machine);
    for number in 0..REGIONS {
        let region = allocate(machine, &mut pool, 4096 * (1 + number % 2))?;
        if number % 64 == 0 {
            machine.write(region, number);
        }
    }
    demand("pool's metadata agrees", true, machine.with(|memory| pool.check(memory)))?;
    // Every other one goes, then the rest, by walking through the pool as it is.
    let mut gone = 0;
    for step in [2, 1] {
        let (mut from, mut number) = (pool.base(), 0);
        while let Some(region) = next_region(machine, &pool, from) {
            from = Page::containing(above(region, 4096));
            if number % step == 0 {
                release(machine, &mut pool, region)?;
                gone += 1;
            }
            number += 1;
        }
        demand("pool's metadata agrees", true, machine.with(|memory| pool.check(memory)))?;
    }
    demand("regions released", REGIONS, gone)?;
    demand("free frames", before, free_frames(machine))
}

/// Returns the first region that starts at or after `from`.
fn next_region<M: Machine>(machine: &mut M, pool: &VmPool, mut from: Page) -> Option<VirtAddr> {
    machine.with(|memory| {
        loop {
            let (extent, kind) = pool.extent_at_or_after(memory, from)?;
            if kind == crate::vm::Kind::Region && extent.start >= from {
                return Some(extent.start.start());
            }
            from = extent.end;
        }
    })
}

fn seven_hundred_tables<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, BASE, POOL)?;
    let before = free_frames(machine);
    let region = allocate(machine, &mut pool, LARGE)?;
    for table in 0..700 {
        machine.write(above(region, table << 22), table);
    }
    // The pool's metadata page has made the first of the tables.
    demand("700 pages and the tables but one", 700 + 699, before - free_frames(machine))?;
    for table in (0..700).rev() {
        demand("word in a table", table, machine.read(above(region, table << 22)))?;
    }
    demand("pages released", 700, release(machine, &mut pool, region)?)?;
    demand("free frames", before, free_frames(machine))
}

fn regions_across_every_border<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, BASE, 256 << 20)?;
    let before = free_frames(machine);
    // 3 MiB each: three of four cross a border of 4 MiB or end at one.
    let mut regions = Vec::new();
    for number in 0..60 {
        let region = allocate(machine, &mut pool, 3 << 20)?;
        machine.write(region, number);
        machine.write(above(region, (3 << 20) - 4), number);
        regions.push((region, number));
    }
    Random::new(3).shuffle(&mut regions);
    for (region, number) in regions {
        demand("first word", number, machine.read(region))?;
        demand("last word", number, machine.read(above(region, (3 << 20) - 4)))?;
        demand("pages released", 2, release(machine, &mut pool, region)?)?;
    }
    demand("free frames", before, free_frames(machine))
}

fn scattered_touches<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, BASE, POOL)?;
    let before = free_frames(machine);
    let region = allocate(machine, &mut pool, LARGE)?;
    let mut random = Random::new(11);
    let mut pages: Vec<u32> = (0..1000).map(|_| random.below(LARGE / 4096)).collect();
    pages.sort_unstable();
    pages.dedup();
    for page in &pages {
        machine.write(above(region, 4096 * page), *page);
    }
    let first = Page::containing(region).number();
    let mut tables: Vec<u32> = pages.iter().map(|page| (first + page) / 1024).collect();
    tables.dedup();
    tables.retain(|table| *table != pool.base().directory_index());
    let count = pages.len() as u32;
    demand("frames of pages and tables", count + tables.len() as u32, before - free_frames(machine))?;
    demand("pages released", count, release(machine, &mut pool, region)?)?;
    demand("free frames", before, free_frames(machine))?;
    let left = machine.with(|memory| memory.pte(Page::new(first + pages[pages.len() / 2])).is_some());
    demand("table of a released page", false, left)
}
