//! Regions: allocated, released and asked for, by how many there are; what they take; and pages given back.

use super::samples::Samples;
use super::setup::{SEED, done, largest_pool};
use crate::addr::{ENTRIES, PAGE_SIZE, Page, VirtAddr};
use crate::arch::x86::floor;
use crate::scenarios::{Failure, Machine, Outcome, Random, demand};
use crate::system::console::control;
use crate::system::real_machine::RealMachine;
use crate::vm::VmPool;
use alloc::vec::Vec;

const SAMPLES: u32 = 500;

/// The region that is measured: 64 KiB.
const BYTES: u32 = 64 << 10;

pub fn measure(machine: &mut RealMachine) -> Outcome {
    for count in [10, 100, 1_000, 10_000, 60_000] {
        at_the_end(machine, count)?;
        among_holes(machine, count)?;
    }
    growing(machine)?;
    metadata(machine)?;
    touched(machine)?;
    scattered(machine)?;
    beside_neighbours(machine)
}

/// How many regions a pool has room for in its first page, and in each further one.
const FIRST_PAGE_REGIONS: u32 = 125;
const FURTHER_PAGE_REGIONS: u32 = 126;

/// A pool with many regions.
pub struct Regions {
    pool: VmPool,
    starts: Vec<VirtAddr>,
}

impl Regions {
    /// Allocates `count` regions; `pages` says how many pages the one with this number gets.
    pub fn new(machine: &mut RealMachine, count: u32, pages: impl Fn(u32) -> u32) -> Result<Self, Failure> {
        let mut regions = Self { pool: largest_pool(machine)?, starts: Vec::with_capacity(count as usize + 1) };
        for index in 0..count {
            let start = machine.with(|memory| regions.pool.allocate(memory, pages(index) * PAGE_SIZE));
            regions.starts.push(done("region allocated", start)?);
        }
        Ok(regions)
    }

    /// Takes a region out of the list at random.
    fn take_random(&mut self, random: &mut Random) -> VirtAddr {
        self.starts.swap_remove(random.below(self.starts.len() as u32) as usize)
    }

    /// Returns the first page of a random region.
    pub fn random_page(&self, random: &mut Random) -> Page {
        Page::containing(self.starts[random.below(self.starts.len() as u32) as usize])
    }

    /// Touches the lowest region of each 4 MiB, so that later faults find the tables.
    pub fn back_one_page_of_each_table(&self) {
        let mut last = None;
        for page in self.starts.iter().map(|start| Page::containing(*start)) {
            if last.replace(page.directory_index()) != Some(page.directory_index()) {
                floor::touch(Page::new(page.number() + 1));
            }
        }
    }

    /// Gives everything back.
    pub fn end(self, machine: &mut RealMachine) -> Outcome {
        done("pool dropped", machine.with(|memory| memory.drop_pool(self.pool)))
    }
}

/// One page and 64 KiB in turn.
fn mixed(index: u32) -> u32 {
    if index.is_multiple_of(2) { 1 } else { BYTES / PAGE_SIZE }
}

/// Allocates behind all regions, and releases at once.
fn at_the_end(machine: &mut RealMachine, count: u32) -> Outcome {
    let mut regions = Regions::new(machine, count, mixed)?;
    let [mut allocate, mut release] = [(); 2].map(|()| Samples::new(SAMPLES));
    let pool = &mut regions.pool;
    for _ in 0..SAMPLES {
        machine.with(|memory| {
            let start = done("region allocated", allocate.take(memory, |memory| pool.allocate(memory, BYTES)))?;
            done("region released", release.take(memory, |memory| pool.release(memory, start)))
        })?;
    }
    allocate.report(format_args!("allocate-at-end-{count}"));
    release.report(format_args!("release-at-end-{count}"));
    regions.end(machine)
}

/// Releases one region in four, then at random, and allocates into the holes.
fn among_holes(machine: &mut RealMachine, count: u32) -> Outcome {
    let mut random = Random::new(SEED);
    let mut regions = Regions::new(machine, count * 4 / 3, mixed)?;
    while regions.starts.len() as u32 > count {
        let start = regions.take_random(&mut random);
        done("region released", machine.with(|memory| regions.pool.release(memory, start)))?;
    }
    let [mut allocate, mut release, mut inside, mut outside] = [(); 4].map(|()| Samples::new(SAMPLES));
    for _ in 0..SAMPLES {
        let pool = &mut regions.pool;
        let allocated = machine.with(|memory| allocate.take(memory, |memory| pool.allocate(memory, BYTES)));
        regions.starts.push(done("region allocated", allocated)?);
        let start = regions.take_random(&mut random);
        let pool = &mut regions.pool;
        let released = machine.with(|memory| release.take(memory, |memory| pool.release(memory, start)));
        done("region released", released)?;
        let within = VirtAddr::new(regions.random_page(&mut random).start().as_u32() + 4);
        let pool = &regions.pool;
        let legitimate = machine.with(|memory| {
            [
                inside.take(memory, |memory| pool.is_legitimate(memory, within)),
                outside.take(memory, |memory| pool.is_legitimate(memory, start)),
            ]
        });
        demand("what is allocated is legitimate", true, legitimate[0])?;
        demand("what was released is not", false, legitimate[1])?;
    }
    for (name, samples) in [
        ("allocate-64k", allocate),
        ("release-64k", release),
        ("legitimate-inside", inside),
        ("legitimate-outside", outside),
    ] {
        samples.report(format_args!("{name}-{count}"));
    }
    regions.end(machine)
}

/// Allocates the regions for which the pool needs a further metadata page.
fn growing(machine: &mut RealMachine) -> Outcome {
    const PAGES: u32 = 100;
    let mut regions = Regions::new(machine, FIRST_PAGE_REGIONS, |_| 1)?;
    let mut allocate = Samples::new(PAGES);
    for index in 0..PAGES * FURTHER_PAGE_REGIONS {
        let pool = &mut regions.pool;
        let start = machine.with(|memory| {
            if index.is_multiple_of(FURTHER_PAGE_REGIONS) {
                let free = memory.frames.free_frames();
                let start = allocate.take(memory, |memory| pool.allocate(memory, PAGE_SIZE));
                demand("a frame for the metadata page", true, memory.frames.free_frames() < free)?;
                done("region allocated", start)
            } else {
                done("region allocated", pool.allocate(memory, PAGE_SIZE))
            }
        })?;
        regions.starts.push(start);
    }
    allocate.report("allocate-growing");
    regions.end(machine)
}

/// Reports the memory that 60 000 regions of 8 pages take before one is touched: metadata pages, and their page tables.
fn metadata(machine: &mut RealMachine) -> Outcome {
    let free = machine.with(|memory| memory.frames.free_frames());
    let regions = Regions::new(machine, 60_000, |_| 8)?;
    let taken = free - machine.with(|memory| memory.frames.free_frames());
    control!("value metadata-bytes-60000-regions {}", taken * PAGE_SIZE);
    regions.end(machine)
}

/// Releases regions of which every page was touched, and single pages.
fn touched(machine: &mut RealMachine) -> Outcome {
    const PAGES: u32 = 256;
    const ROUNDS: u32 = 20;
    let mut pool = largest_pool(machine)?;
    // Keeps the table alive.
    let neighbour = done("region allocated", machine.with(|memory| pool.allocate(memory, PAGE_SIZE)))?;
    floor::touch(Page::containing(neighbour));
    let [mut bulk, mut single] = [Samples::new(ROUNDS), Samples::new(ROUNDS * PAGES)];
    for round in 0..2 * ROUNDS {
        let region = done("region allocated", machine.with(|memory| pool.allocate(memory, PAGES * PAGE_SIZE)))?;
        let first = Page::containing(region).number();
        (first..first + PAGES).for_each(|page| _ = floor::touch(Page::new(page)));
        if round < ROUNDS {
            let released = machine.with(|memory| bulk.take(memory, |memory| pool.release(memory, region)));
            demand("pages that were backed", PAGES, done("region released", released)?)?;
        } else {
            for page in (first..first + PAGES).map(Page::new) {
                let freed = machine.with(|memory| single.take(memory, |memory| memory.free_page(page)));
                demand("page freed", true, freed.is_some())?;
            }
            done("region released", machine.with(|memory| pool.release(memory, region)))?;
        }
    }
    bulk.report("release-256-touched");
    single.report("free-page");
    done("pool dropped", machine.with(|memory| memory.drop_pool(pool)))
}

/// Releases regions of which one page in 16 was touched.
fn scattered(machine: &mut RealMachine) -> Outcome {
    const PAGES: u32 = 256;
    const STEP: u32 = 16;
    const ROUNDS: u32 = 20;
    let mut pool = largest_pool(machine)?;
    let mut samples = Samples::new(ROUNDS);
    for _ in 0..ROUNDS {
        let bytes = PAGES * STEP * PAGE_SIZE;
        let region = done("region allocated", machine.with(|memory| pool.allocate(memory, bytes)))?;
        let first = Page::containing(region).number();
        (0..PAGES).for_each(|index| _ = floor::touch(Page::new(first + STEP * index)));
        let released = machine.with(|memory| samples.take(memory, |memory| pool.release(memory, region)));
        demand("pages that were backed", PAGES, done("region released", released)?)?;
    }
    samples.report("release-256-scattered");
    done("pool dropped", machine.with(|memory| memory.drop_pool(pool)))
}

/// Frees pages of which one neighbour keeps the table: the first page of the table, or the last.
fn beside_neighbours(machine: &mut RealMachine) -> Outcome {
    let mut pool = largest_pool(machine)?;
    let region = done("region allocated", machine.with(|memory| pool.allocate(memory, 3 * ENTRIES * PAGE_SIZE)))?;
    let table = Page::containing(region).end_of_table().number();
    for (distance, neighbour, page) in [("near", 0, 1), ("far", ENTRIES - 1, 0)] {
        let [neighbour, page] = [neighbour, page].map(|index| Page::new(table + index));
        let mut samples = Samples::new(SAMPLES);
        floor::touch(neighbour);
        for _ in 0..SAMPLES {
            floor::touch(page);
            let freed = machine.with(|memory| samples.take(memory, |memory| memory.free_page(page)));
            demand("page freed", true, freed.is_some())?;
        }
        machine.with(|memory| memory.free_page(neighbour));
        samples.report(format_args!("free-page-{distance}"));
    }
    done("pool dropped", machine.with(|memory| memory.drop_pool(pool)))
}
