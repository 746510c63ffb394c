//! Random operations on pools, against a model that is too simple to be wrong.

use super::machine::Machine;
use super::outcome::{Outcome, Scenario, demand};
use super::pools::{allocate, register, release};
use super::random::Random;
use super::steps::above;
use crate::addr::{Page, VirtAddr};
use crate::vm::VmPool;
use alloc::vec::Vec;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[("random-operations", |machine| random_operations(machine, 20_000))]
}

/// Live regions that the large pool has room for, however long they are.
const LIVE_AT_MOST: usize = 200;

/// Operations in a phase.
const PHASE: u32 = 512;

/// A region as the model knows it.
struct Region {
    pool: usize,
    start: VirtAddr,
    pages: u32,
    /// For each page that was written to, what.
    written: Vec<(u32, u32)>,
}

/// Allocates, writes, reads back and releases at random in two pools, `operations` times, and holds every answer against
/// the model. The machine's seed repeats the same run.
///
/// # Errors
///
/// The first answer that differs.
pub fn random_operations<M: Machine>(machine: &mut M, operations: u32) -> Outcome {
    let seed = machine.seed();
    machine.say(format_args!("seed {seed:#x}"));
    let mut random = Random::new(seed);
    let bases = [VirtAddr::new(0x2000_0000), VirtAddr::new(0x4000_0000)];
    let mut pools = [register(machine, bases[0], 16 << 20)?, register(machine, bases[1], 256 << 20)?];
    let mut regions: Vec<Region> = Vec::new();
    for operation in 0..operations {
        let choice = random.below(10);
        if choice < 4 && regions.len() < LIVE_AT_MOST {
            take(machine, &mut random, &mut pools, &mut regions)?;
        } else if regions.is_empty() {
            continue;
        } else if choice < 7 {
            let which = random.below(regions.len() as u32) as usize;
            touch(machine, &mut random, &mut regions[which])?;
        } else {
            // Regions gather in one phase and go in the next.
            let which = random.below(regions.len() as u32) as usize;
            if choice == 9 || operation / PHASE % 2 == 1 {
                give(machine, &mut pools, regions.swap_remove(which))?;
            }
        }
        edges(machine, &mut random, &pools, &regions)?;
    }
    for region in regions {
        give(machine, &mut pools, region)?;
    }
    demand("pools' metadata agrees", true, machine.with(|memory| pools.iter().all(|pool| pool.check(memory))))
}

fn take<M: Machine>(
    machine: &mut M,
    random: &mut Random,
    pools: &mut [VmPool; 2],
    regions: &mut Vec<Region>,
) -> Outcome {
    let pool = random.below(2) as usize;
    let bytes = match random.below(8) {
        0 => 1 + random.below(1 << 20),
        _ => 1 + random.below(1 << 15),
    };
    // The small pool may be full; the large one has room for all that ever lives at once.
    let Ok(start) = allocate(machine, &mut pools[pool], bytes) else {
        return demand("the large pool has room", 0, pool as u32);
    };
    let pages = bytes.div_ceil(4096);
    let clash = regions.iter().any(|other| {
        let (a, b) = (Page::containing(start).number(), Page::containing(other.start).number());
        a < b + other.pages && b < a + pages
    });
    demand("a new region overlaps a live one", false, clash)?;
    regions.push(Region { pool, start, pages, written: Vec::new() });
    Ok(())
}

fn touch<M: Machine>(machine: &mut M, random: &mut Random, region: &mut Region) -> Outcome {
    let page = random.below(region.pages);
    let address = above(region.start, 4096 * page + 4 * random.below(1024));
    let at = address.as_u32();
    let expected = region.written.iter().find(|(other, _)| *other == at).map_or(0, |(_, word)| *word);
    let seen = machine.read(address);
    demand("word in a region", expected, seen)?;
    let word = random.word();
    machine.write(address, word);
    region.written.retain(|(other, _)| *other != at);
    region.written.push((at, word));
    Ok(())
}

fn give<M: Machine>(machine: &mut M, pools: &mut [VmPool; 2], region: Region) -> Outcome {
    for (address, word) in &region.written {
        demand("word before release", *word, machine.read(VirtAddr::new(*address)))?;
    }
    let mut touched: Vec<u32> = region.written.iter().map(|(address, _)| address / 4096).collect();
    touched.sort_unstable();
    touched.dedup();
    demand("pages released", touched.len() as u32, release(machine, &mut pools[region.pool], region.start)?)
}

fn edges<M: Machine>(machine: &mut M, random: &mut Random, pools: &[VmPool; 2], regions: &[Region]) -> Outcome {
    let address = match regions {
        [] => VirtAddr::new(random.word()),
        _ => {
            let region = &regions[random.below(regions.len() as u32) as usize];
            let offset = [u32::MAX, 0, 4096 * region.pages - 1, 4096 * region.pages][random.below(4) as usize];
            VirtAddr::new(region.start.as_u32().wrapping_add(offset))
        }
    };
    let inside = |region: &Region| address.as_u32().wrapping_sub(region.start.as_u32()) < 4096 * region.pages;
    let expected = regions.iter().any(inside);
    let seen = machine.with(|memory| pools.iter().any(|pool| pool.is_legitimate(memory, address)));
    demand("legitimate", expected, seen)
}
