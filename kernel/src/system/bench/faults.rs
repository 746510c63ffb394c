//! Demand-zero faults: by fill of the frame pool, by number of regions and of pools, and with a new page table.

use super::regions::Regions;
use super::samples::Samples;
use super::setup::{SEED, done, largest_pool};
use crate::addr::{ENTRIES, Frame, PAGE_SIZE, Page, PageRange, VirtAddr};
use crate::arch::x86::floor;
use crate::frames::FrameSource;
use crate::memory_map::POOL_PAGES;
use crate::scenarios::{Machine, Outcome, Random};
use crate::system::console::control;
use crate::system::real_machine::RealMachine;
use crate::vm::VmPool;
use alloc::vec::Vec;

/// Where the pages are touched: in the middle of the only region of the largest pool there can be.
const START: Page = Page::new(0x4_0000);

pub fn measure(machine: &mut RealMachine) -> Outcome {
    let mut pool = largest_pool(machine)?;
    let bytes = (POOL_PAGES.len() - 1) * PAGE_SIZE;
    done("region allocated", machine.with(|memory| pool.allocate(memory, bytes)))?;
    filling_up(machine)?;
    for fill in [0, 500, 900, 990, 999] {
        at_fill(machine, fill)?;
    }
    with_tables(machine)?;
    drop_pool(machine, pool)?;
    for count in [1, 100, 10_000, 60_000] {
        among_regions(machine, count)?;
    }
    for count in [1, 100, 1_000] {
        among_pools(machine, count)?;
    }
    Ok(())
}

/// Touches the first page of `tables` tables, so that later faults find them.
fn prepare_tables(tables: u32) {
    for table in 0..tables {
        floor::touch(Page::new(START.number() + ENTRIES * table));
    }
}

/// Returns page `index` of those that [`prepare_tables`] left absent.
fn page(index: u32) -> Page {
    let in_table = ENTRIES - 1;
    Page::new(START.number() + ENTRIES * (index / in_table) + 1 + index % in_table)
}

fn give_back(machine: &mut RealMachine, tables: u32) {
    let pages = PageRange::new(START, Page::new(START.number() + ENTRIES * tables));
    machine.with(|memory| memory.unmap_pages(pages));
}

/// Touches page after page until the last frame is used: what a fault costs does not depend on when it happens.
fn filling_up(machine: &mut RealMachine) -> Outcome {
    const STEPS: u32 = 100;
    let tables = machine.with(|memory| memory.frames.free_frames()) / ENTRIES + 1;
    prepare_tables(tables);
    let free = machine.with(|memory| memory.frames.free_frames());
    let mut all = Samples::new(free);
    for step in 0..STEPS {
        let (from, to) = (step * free / STEPS, (step + 1) * free / STEPS);
        let mut samples = Samples::new(to - from);
        for index in from..to {
            let ticks = floor::touch(page(index));
            samples.add(ticks);
            all.add(ticks);
            if index == 0 || index == free - 1 {
                control!("value fault-{}-page {ticks}", if index == 0 { "first" } else { "last" });
            }
        }
        samples.plot("fault-by-fill", step);
    }
    all.report("fault-filling-up");
    give_back(machine, tables);
    Ok(())
}

/// Takes faults while `fill` thousandths of the frames are in use, the free ones scattered at random.
fn at_fill(machine: &mut RealMachine, fill: u32) -> Outcome {
    const SAMPLES: u32 = 512;
    prepare_tables(1);
    let mut random = Random::new(SEED);
    let mut samples = Samples::new(SAMPLES);
    let mut taken = Vec::with_capacity(machine.with(|memory| memory.frames.free_frames()) as usize);
    let free = (taken.capacity() as u32 * (1000 - fill)).div_ceil(1000);
    let mut left = SAMPLES;
    while left > 0 {
        if fill > 0 {
            scatter(machine, &mut random, &mut taken, free);
        }
        let round = left.min(free);
        (0..round).for_each(|index| samples.add(floor::touch(page(index))));
        machine.with(|memory| (0..round).for_each(|index| _ = memory.unmap_page(page(index))));
        left -= round;
    }
    for frame in taken {
        done("frame released", machine.with(|memory| memory.frames.release_frame(frame)))?;
    }
    give_back(machine, 1);
    samples.report(format_args!("fault-at-fill-{}.{}%", fill / 10, fill % 10));
    Ok(())
}

/// Takes every frame into `taken`, then gives back `free` of them at random.
fn scatter(machine: &mut RealMachine, random: &mut Random, taken: &mut Vec<Frame>, free: u32) {
    machine.with(|memory| {
        while let Some(frame) = memory.frames.get_frame() {
            taken.push(frame);
        }
        for _ in 0..free {
            let frame = taken.swap_remove(random.below(taken.len() as u32) as usize);
            // It was handed out above.
            let released = memory.frames.release_frame(frame);
            assert!(released.is_ok(), "{released:?}");
        }
    });
}

/// Touches one page of each table, so that each fault has to make the table too.
fn with_tables(machine: &mut RealMachine) -> Outcome {
    const TABLES: u32 = 512;
    let mut samples = Samples::new(TABLES);
    for table in 0..TABLES {
        samples.add(floor::touch(Page::new(START.number() + ENTRIES * table)));
    }
    samples.report("fault-with-table");
    give_back(machine, TABLES);
    Ok(())
}

/// Takes one fault in a region, the last of this boot if it is measured alone: for those who trace the machine from
/// outside.
pub fn measure_one(machine: &mut RealMachine) -> Outcome {
    let mut pool = largest_pool(machine)?;
    let region = Page::containing(done("allocated", machine.with(|memory| pool.allocate(memory, 8192)))?);
    floor::touch(region);
    control!("value fault-one {}", floor::touch(Page::new(region.number() + 1)));
    drop_pool(machine, pool)
}

fn drop_pool(machine: &mut RealMachine, pool: VmPool) -> Outcome {
    done("pool dropped", machine.with(|memory| memory.drop_pool(pool)))
}

/// Takes faults in random regions, while there are `count` of them.
fn among_regions(machine: &mut RealMachine, count: u32) -> Outcome {
    const SAMPLES: u32 = 1000;
    let regions = Regions::new(machine, count, |_| 8)?;
    let mut random = Random::new(SEED);
    regions.back_one_page_of_each_table();
    let mut samples = Samples::new(SAMPLES);
    let mut left = SAMPLES;
    while left > 0 {
        let page = regions.random_page(&mut random);
        let ticks = floor::touch(page);
        // Nothing but a write: the page is one that keeps its table.
        if ticks > 0 {
            samples.add(ticks);
            left -= 1;
            machine.with(|memory| memory.free_page(page));
        }
    }
    samples.report(format_args!("fault-among-{count}-regions"));
    regions.end(machine)
}

/// Takes faults in random pools with a region each, while there are `count` of them.
fn among_pools(machine: &mut RealMachine, count: u32) -> Outcome {
    const SAMPLES: u32 = 1000;
    const POOL_BYTES: u32 = 16 * PAGE_SIZE;
    let mut pools = Vec::with_capacity(count as usize);
    for index in 0..count {
        let base = VirtAddr::new(START.start().as_u32() + index * POOL_BYTES);
        let pool = machine.with(|memory| memory.register_pool(base, POOL_BYTES));
        let mut pool = done("pool registered", pool)?;
        let region = done("region allocated", machine.with(|memory| pool.allocate(memory, PAGE_SIZE)))?;
        pools.push((pool, Page::containing(region)));
    }
    let mut random = Random::new(SEED);
    let mut samples = Samples::new(SAMPLES);
    for _ in 0..SAMPLES {
        // Its pool's metadata lies in the same table.
        let page = pools[random.below(count) as usize].1;
        samples.add(floor::touch(page));
        machine.with(|memory| memory.free_page(page));
    }
    samples.report(format_args!("fault-among-{count}-pools"));
    pools.into_iter().try_for_each(|(pool, _)| drop_pool(machine, pool))
}
