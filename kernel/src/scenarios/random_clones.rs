//! Random operations on clones of clones, against a model of plain arrays; with few frames and a drive, too.

use super::clones::duplicate;
use super::machine::Machine;
use super::outcome::{Outcome, Scenario, demand, done};
use super::pools::{HEAP, allocate, register, release};
use super::random::Random;
use super::spaces::{create, destroy, load, root};
use super::steps::{above, free_frames};
use super::test_drive::on_drive;
use crate::addr::{Frame, PAGE_SIZE, Page, VirtAddr};
use crate::paging::Mmu;
use crate::vm::{AddressSpace, CurrentSpace};
use alloc::vec;
use alloc::vec::Vec;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("random-clones", |machine| random_clones(machine, 5_000)),
        ("random-swap", |machine| random_swap(machine, 5_000)),
    ]
}

const REGIONS: usize = 3;

/// The regions of an address space as the model knows them: where each is, if it is, and the word of each of its pages.
type Regions = [Option<(VirtAddr, Vec<u32>)>; REGIONS];

struct Space {
    handle: AddressSpace,
    regions: Regions,
}

struct Run {
    random: Random,
    home: Frame,
    spaces: Vec<Space>,
    /// How many spaces there are at most, and how many pages a region has.
    most_spaces: usize,
    pages: u32,
}

/// Duplicates, writes, reads, frees, allocates, releases and destroys at random, `operations` times, and holds every answer
/// against the model. The machine's seed repeats the same run.
///
/// # Errors
///
/// The first answer that differs.
pub fn random_clones<M: Machine>(machine: &mut M, operations: u32) -> Outcome {
    random(machine, operations, 12, 48)
}

/// Does the same with so few frames that most pages are on a drive, which has room for all.
///
/// # Errors
///
/// The first answer that differs.
pub fn random_swap<M: Machine>(machine: &mut M, operations: u32) -> Outcome {
    const SPACES: u32 = 4;
    const PAGES: u32 = 24;
    // Tables and records of all spaces, and of one that is being made, stay in memory.
    on_drive(machine, 60, SPACES * REGIONS as u32 * PAGES, |machine, _| {
        random(machine, operations, SPACES as usize, PAGES)
    })
}

#[inline(never)]
fn random<M: Machine>(machine: &mut M, operations: u32, most_spaces: usize, pages: u32) -> Outcome {
    let seed = machine.seed();
    machine.say(format_args!("seed {seed:#x}"));
    let before = free_frames(machine);
    let (random, spaces) = (Random::new(seed), Vec::new());
    let mut run = Run { random, home: root(machine), spaces, most_spaces, pages };
    for _ in 0..operations {
        run.step(machine)?;
    }
    while !run.spaces.is_empty() {
        run.destroy(machine)?;
    }
    demand("free frames", before, free_frames(machine))
}

impl Run {
    fn step<M: Machine>(&mut self, machine: &mut M) -> Outcome {
        if self.spaces.is_empty() {
            let handle = create(machine)?;
            load(machine, &handle);
            register(machine, HEAP, 16 << 20)?;
            self.spaces.push(Space { handle, regions: Regions::default() });
        }
        let which = self.random.below(self.spaces.len() as u32) as usize;
        load(machine, &self.spaces[which].handle);
        match self.random.below(100) {
            0..4 if self.spaces.len() < self.most_spaces => {
                let handle = duplicate(machine)?;
                let regions = self.spaces[which].regions.clone();
                self.spaces.push(Space { handle, regions });
                Ok(())
            }
            4..6 => self.destroy(machine),
            operation => self.in_region(machine, which, operation),
        }
    }

    /// Destroys an address space, which may be the current one until then.
    fn destroy<M: Machine>(&mut self, machine: &mut M) -> Outcome {
        let which = self.random.below(self.spaces.len() as u32) as usize;
        let Space { handle, regions } = self.spaces.swap_remove(which);
        load(machine, &handle);
        demand("the pools agree", true, machine.with(|memory| memory.check_pools()))?;
        for (start, words) in regions.into_iter().flatten() {
            for (number, word) in (0..).zip(words) {
                demand("a word of a space that goes", word, machine.read(above(start, number * PAGE_SIZE)))?;
            }
        }
        machine.with(|memory| memory.mmu.set_root(self.home));
        destroy(machine, handle)
    }

    /// Does something with a region of the current space, which is number `which`.
    fn in_region<M: Machine>(&mut self, machine: &mut M, which: usize, operation: u32) -> Outcome {
        let (random, region) = (&mut self.random, &mut self.spaces[which].regions);
        let region = &mut region[random.below(REGIONS as u32) as usize];
        let pool = machine.with(|memory| memory.pool_of(Page::containing(HEAP)));
        let mut pool = done("the pool is there", pool.ok_or(()))?;
        let Some((start, words)) = region else {
            *region = Some((allocate(machine, &mut pool, self.pages * PAGE_SIZE)?, vec![0; self.pages as usize]));
            return Ok(());
        };
        let number = random.below(self.pages);
        let (word, address) = (&mut words[number as usize], above(*start, number * PAGE_SIZE));
        match operation {
            6..9 => {
                let start = *start;
                *region = None;
                release(machine, &mut pool, start).map(|_| ())
            }
            9..14 => {
                *word = 0;
                machine.with(|memory| memory.free_page(Page::containing(address)));
                Ok(())
            }
            14..18 => {
                // Without a drive, or where it was not touched, it stays.
                machine.with(|memory| memory.evict(Page::containing(address)));
                demand("a word", *word, machine.read(address))
            }
            18..60 => {
                *word = random.word();
                machine.write(address, *word);
                Ok(())
            }
            _ => demand("a word", *word, machine.read(address)),
        }
    }
}
