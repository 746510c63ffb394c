//! Random operations on several address spaces, against a model.

use super::machine::Machine;
use super::outcome::{Outcome, Scenario, demand, done};
use super::pools::{allocate, register, release};
use super::random::Random;
use super::spaces::{create, destroy, load, root};
use super::steps::above;
use crate::addr::{Frame, Page, VirtAddr};
use crate::paging::Mmu;
use crate::vm::{AddressSpace, CurrentSpace, VmPool};
use alloc::vec::Vec;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[("random-spaces", |machine| random_spaces(machine, 20_000))]
}

const SPACES_AT_MOST: usize = 8;
const REGIONS_AT_MOST: usize = 24;

/// The places where a space may have a pool: base and bytes. They differ in size, and the first three touch.
const PLACES: [(u32, u32); 4] =
    [(0x1000_0000, 1 << 20), (0x1010_0000, 16 << 20), (0x1110_0000, 3 << 30), (0x0040_0000, 8 << 12)];

/// An address space as the model knows it.
struct Space {
    handle: AddressSpace,
    /// A pool for each of [`PLACES`], if it is registered.
    pools: [Option<Pool>; 4],
}

struct Pool {
    handle: VmPool,
    regions: Vec<Region>,
}

struct Region {
    start: VirtAddr,
    pages: u32,
    /// For each page that was written to: its number in the region, and the word at its start.
    written: Vec<(u32, u32)>,
}

/// Creates, loads, registers, drops, allocates, touches, writes, reads back, releases and destroys at random, `operations`
/// times, and holds every answer against the model. The machine's seed repeats the same run.
///
/// # Errors
///
/// The first answer that differs.
pub fn random_spaces<M: Machine>(machine: &mut M, operations: u32) -> Outcome {
    let seed = machine.seed();
    machine.say(format_args!("seed {seed:#x}"));
    let home = root(machine);
    let mut run = Run { random: Random::new(seed), home, spaces: Vec::new(), current: None };
    for _ in 0..operations {
        run.step(machine)?;
    }
    run.leave(machine);
    run.spaces.into_iter().try_for_each(|space| destroy(machine, space.handle))
}

struct Run {
    random: Random,
    home: Frame,
    spaces: Vec<Space>,
    /// Which of the spaces is current, if it isn't home.
    current: Option<usize>,
}

impl Run {
    fn step<M: Machine>(&mut self, machine: &mut M) -> Outcome {
        match self.random.below(100) {
            0..4 if self.spaces.len() < SPACES_AT_MOST => self.create(machine),
            4..6 if !self.spaces.is_empty() => self.destroy(machine),
            6..16 if !self.spaces.is_empty() => self.load(machine),
            choice => match self.current {
                Some(_) => self.in_space(machine, choice),
                None => Ok(()),
            },
        }
    }

    fn create<M: Machine>(&mut self, machine: &mut M) -> Outcome {
        let handle = create(machine)?;
        self.spaces.push(Space { handle, pools: [const { None }; 4] });
        Ok(())
    }

    fn destroy<M: Machine>(&mut self, machine: &mut M) -> Outcome {
        let which = self.random.below(self.spaces.len() as u32) as usize;
        let space = self.spaces.swap_remove(which);
        if self.current == Some(which) {
            // Refused while it is current, and the handle comes back.
            let Err(handle) = machine.with(|memory| space.handle.destroy(memory)) else {
                return demand("the current space is destroyed", false, true);
            };
            self.leave(machine);
            return destroy(machine, handle);
        }
        if self.current == Some(self.spaces.len()) {
            self.current = Some(which);
        }
        destroy(machine, space.handle)
    }

    fn load<M: Machine>(&mut self, machine: &mut M) -> Outcome {
        let which = self.random.below(self.spaces.len() as u32) as usize;
        load(machine, &self.spaces[which].handle);
        self.current = Some(which);
        Ok(())
    }

    fn leave<M: Machine>(&mut self, machine: &mut M) {
        machine.with(|memory| memory.mmu.set_root(self.home));
        self.current = None;
    }

    fn in_space<M: Machine>(&mut self, machine: &mut M, choice: u32) -> Outcome {
        let Self { random, spaces, current: Some(current), .. } = self else {
            return Ok(());
        };
        let place = random.below(PLACES.len() as u32) as usize;
        let slot = &mut spaces[*current].pools[place];
        match (slot.as_mut(), choice) {
            (None, 16..40) => {
                let (base, bytes) = PLACES[place];
                let handle = register(machine, VirtAddr::new(base), bytes)?;
                *slot = Some(Pool { handle, regions: Vec::new() });
                Ok(())
            }
            (Some(_), 16) => match slot.take() {
                Some(pool) => done("pool dropped", machine.with(|memory| memory.drop_pool(pool.handle))),
                None => Ok(()),
            },
            (Some(pool), 17..40) => pool.allocate(machine, random),
            (Some(pool), 40..55) => pool.release(machine, random),
            (Some(pool), _) => pool.touch(machine, random),
            (None, _) => {
                let address = VirtAddr::new(PLACES[place].0);
                let seen = machine.with(|memory| memory.pool_of(Page::containing(address)));
                demand("a pool where none is registered", false, seen.is_some())
            }
        }
    }
}

impl Pool {
    fn allocate<M: Machine>(&mut self, machine: &mut M, random: &mut Random) -> Outcome {
        if self.regions.len() >= REGIONS_AT_MOST {
            return Ok(());
        }
        let most = if random.below(10) == 0 { 1 << 21 } else { 1 << 14 };
        let bytes = 1 + random.below(most);
        // A small pool may be full; the frames never are.
        let Ok(start) = allocate(machine, &mut self.handle, bytes) else {
            let small = self.handle.base() != Page::containing(VirtAddr::new(PLACES[2].0));
            return demand("a small pool is full", true, small);
        };
        let pages = bytes.div_ceil(4096);
        let clash = self.regions.iter().any(|other| {
            let (a, b) = (start.as_u32() / 4096, other.start.as_u32() / 4096);
            a < b + other.pages && b < a + pages
        });
        demand("a new region overlaps a live one", false, clash)?;
        self.regions.push(Region { start, pages, written: Vec::new() });
        Ok(())
    }

    fn release<M: Machine>(&mut self, machine: &mut M, random: &mut Random) -> Outcome {
        if self.regions.is_empty() {
            return Ok(());
        }
        let which = random.below(self.regions.len() as u32) as usize;
        let region = self.regions.swap_remove(which);
        for (page, word) in &region.written {
            demand("word before release", *word, machine.read(above(region.start, 4096 * page)))?;
        }
        let released = release(machine, &mut self.handle, region.start)?;
        demand("pages released", region.written.len() as u32, released)?;
        let still = machine.with(|memory| self.handle.is_legitimate(memory, region.start));
        demand("a released region is legitimate", false, still)
    }

    fn touch<M: Machine>(&mut self, machine: &mut M, random: &mut Random) -> Outcome {
        if self.regions.is_empty() {
            return Ok(());
        }
        let which = random.below(self.regions.len() as u32) as usize;
        let region = &mut self.regions[which];
        let page = random.below(region.pages);
        let address = above(region.start, 4096 * page);
        let known = region.written.iter_mut().find(|(other, _)| *other == page);
        let expected = known.as_ref().map_or(0, |(_, word)| *word);
        demand("word in a region", expected, machine.read(address))?;
        let word = random.word();
        machine.write(address, word);
        match known {
            Some((_, kept)) => *kept = word,
            None => region.written.push((page, word)),
        }
        Ok(())
    }
}
