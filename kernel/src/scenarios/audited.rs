//! Scenarios that are audited: at each checkpoint somebody looks at the memory from outside, and finds what is claimed.
//!
//! On a machine that nobody watches they are scenarios like the others.

use super::claims::{Claim, draw, word};
use super::machine::Machine;
use super::outcome::{Failure, Outcome, Scenario, demand, done};
use super::pools::{HEAP, allocate, register, release};
use super::steps::{above, free_frames, own_pages};
use crate::addr::{Page, PageRange, VirtAddr};
use crate::memory_map::POOL_PAGES;
use crate::paging::{Mmu, MmuView};
use crate::vm::{AddressSpace, VmPool};
use alloc::vec::Vec;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("audited-standard-pages", standard_pages),
        ("audited-standard-pools", standard_pools),
        ("audited-lazy-region", lazy_region),
        ("audited-release", release_in_the_middle),
        ("audited-spaces", spaces),
        ("audited-random", random),
    ]
}

/// Returns `count` pages from `start` on.
fn pages(start: VirtAddr, count: u32) -> PageRange {
    let start = Page::containing(start);
    PageRange::new(start, Page::new(start.number() + count))
}

/// Writes every word of `pages`.
pub(super) fn fill<M: Machine>(machine: &mut M, pages: PageRange, salt: u32) {
    let seed = machine.seed();
    for address in (pages.start.start().as_u32()..pages.end.start().as_u32()).step_by(4).map(VirtAddr::new) {
        machine.write(address, word(seed, salt, address));
    }
}

/// Writes the first word of pages that the seed names. Returns how many pages that were.
fn scatter<M: Machine>(machine: &mut M, pages: PageRange, draws: u32, salt: u32) -> u32 {
    let seed = machine.seed();
    let faults = machine.faults();
    for number in 0..draws {
        let address = draw(seed, salt, pages, number).start();
        machine.write(address, word(seed, salt, address));
    }
    machine.faults() - faults
}

fn standard_pages<M: Machine>(machine: &mut M) -> Outcome {
    let filled = pages(VirtAddr::new(0x40_0000), 256);
    let rest = PageRange::new(filled.end, POOL_PAGES.end);
    machine.checkpoint("before", &[], &[Claim::Absent(POOL_PAGES)]);
    fill(machine, filled, 0);
    machine.checkpoint("filled", &[], &[Claim::Filled(filled, 0), Claim::Absent(rest)]);
    let freed = machine.with(|memory| memory.unmap_pages(filled));
    demand("pages freed", 256, freed)?;
    machine.checkpoint("freed", &[], &[Claim::Absent(POOL_PAGES)]);
    Ok(())
}

/// Pages of each of the two pools.
const STANDARD_PAGES: u32 = 65_536;

fn standard_pools<M: Machine>(machine: &mut M) -> Outcome {
    let bases = [0x2000_0000, 0x4000_0000].map(VirtAddr::new);
    let (mut pools, mut own) = (Vec::new(), 0);
    for base in bases {
        let pool = register(machine, base, STANDARD_PAGES << 12)?;
        own = own_pages(machine, &pool)?;
        pools.push(pool);
    }
    let untouched = bases.map(|base| pages(above(base, own << 12), STANDARD_PAGES - own));
    let all_untouched = untouched.map(Claim::Absent);
    machine.checkpoint("registered", &[], &all_untouched);
    for (place, name) in ["code pool", "heap pool"].into_iter().enumerate() {
        let pool = &mut pools[place];
        for round in 1..=49 {
            let region = allocate(machine, pool, 400 * round)?;
            let pages = pages(region, (400 * round).div_ceil(4096));
            fill(machine, pages, round);
            if round == 49 {
                let rest = Claim::Absent(PageRange::new(pages.end, untouched[place].end));
                machine.checkpoint(name, &[], &[Claim::Filled(pages, round), rest, all_untouched[1 - place]]);
            }
            demand("pages released", pages.len(), release(machine, pool, region)?)?;
        }
        machine.checkpoint("released", &[], &all_untouched);
    }
    Ok(())
}

fn lazy_region<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 256 << 20)?;
    // Twice the memory of the reference machine.
    let region = allocate(machine, &mut pool, 64 << 20)?;
    let pages = pages(region, 16_384);
    machine.checkpoint("allocated", &[], &[Claim::Absent(pages)]);
    let touched = scatter(machine, pages, 40, 1);
    machine.checkpoint("touched", &[], &[Claim::Scattered(pages, 40, 1)]);
    demand("pages released", touched, release(machine, &mut pool, region)?)?;
    machine.checkpoint("released", &[], &[Claim::Absent(pages)]);
    Ok(())
}

fn release_in_the_middle<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 64 << 20)?;
    let mut regions = Vec::new();
    for salt in 1..=3 {
        // So that the middle one has pages of three tables.
        let region = pages(allocate(machine, &mut pool, 1500 << 12)?, 1500);
        fill(machine, region, salt);
        regions.push(region);
    }
    let [low, middle, high] = [regions[0], regions[1], regions[2]];
    let neighbours = [Claim::Filled(low, 1), Claim::Filled(high, 3)];
    machine.checkpoint("filled", &[], &[neighbours[0], Claim::Filled(middle, 2), neighbours[1]]);
    demand("pages released", 1500, release(machine, &mut pool, middle.start.start())?)?;
    machine.checkpoint("released", &[], &[neighbours[0], Claim::Absent(middle), neighbours[1]]);
    let again = pages(allocate(machine, &mut pool, 1500 << 12)?, 1500);
    scatter(machine, again, 20, 4);
    machine.checkpoint("used again", &[], &[neighbours[0], Claim::Scattered(again, 20, 4), neighbours[1]]);
    Ok(())
}

fn spaces<M: Machine>(machine: &mut M) -> Outcome {
    let home = machine.with(|memory| memory.root());
    let mut alive = Vec::from([home]);
    let mut region = None;
    let mut spaces = Vec::new();
    for salt in 1..=3 {
        let space = done("address space created", machine.with(AddressSpace::create))?;
        machine.with(|memory| space.load(memory));
        let mut pool = register(machine, HEAP, 1 << 20)?;
        let allocated = pages(allocate(machine, &mut pool, 3 << 12)?, 3);
        let first = *region.get_or_insert(allocated);
        demand("start of the region in each space", first.start.start().as_u32(), allocated.start.start().as_u32())?;
        fill(machine, allocated, salt);
        alive.push(space.root());
        spaces.push(space);
    }
    let region = done("a region of each space", region.ok_or(()))?;
    for (salt, name) in (1..).zip(["in the first", "in the second", "in the third"]) {
        machine.with(|memory| spaces[salt as usize - 1].load(memory));
        machine.checkpoint(name, &alive, &[Claim::Filled(region, salt)]);
    }
    machine.with(|memory| memory.mmu.set_root(home));
    for space in spaces {
        demand("space destroyed", true, machine.with(|memory| space.destroy(memory)).is_ok())?;
    }
    machine.checkpoint("destroyed", &[], &[Claim::Absent(POOL_PAGES)]);
    Ok(())
}

/// How many regions live at once in the random scenario, at most.
const LIVE: usize = 8;

fn random<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 16 << 20)?;
    let own = own_pages(machine, &pool)?;
    let before = free_frames(machine);
    let mut random = super::random::Random::new(machine.seed());
    let mut live: Vec<(PageRange, u32)> = Vec::new();
    for name in ["one", "two", "three", "four"] {
        for salt in 1..=20 {
            if live.len() == LIVE {
                let (region, _) = live.swap_remove(random.below(LIVE as u32) as usize);
                release_filled(machine, &mut pool, region)?;
            }
            let count = 1 + random.below(64);
            let region = pages(allocate(machine, &mut pool, count << 12)?, count);
            fill(machine, region, salt);
            live.push((region, salt));
        }
        let claims: Vec<Claim> = live.iter().map(|(region, salt)| Claim::Filled(*region, *salt)).collect();
        machine.checkpoint(name, &[], &claims);
    }
    for (region, _) in live {
        release_filled(machine, &mut pool, region)?;
    }
    machine.checkpoint("released", &[], &[Claim::Absent(pages(above(HEAP, own << 12), 4096 - own))]);
    demand("free frames", before, free_frames(machine))
}

#[track_caller]
fn release_filled<M: Machine>(machine: &mut M, pool: &mut VmPool, region: PageRange) -> Result<(), Failure> {
    demand("pages released", region.len(), release(machine, pool, region.start.start())?)
}
