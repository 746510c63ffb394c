//! Random operations on clones of clones, against a model of plain arrays: with frames for all, with so few that most
//! pages are on a drive, and with files beside that.

use super::clones::duplicate;
use super::machine::Machine;
use super::outcome::{Failure, Outcome, Scenario, demand, done};
use super::pools::{HEAP, allocate, register, release};
use super::random::Random;
use super::spaces::{create, destroy, load, root};
use super::steps::{above, free_frames};
use super::test_drive::on_drive;
use super::test_file::{TestFile, counts, map, original, unmap, with_file};
use crate::addr::{Frame, PAGE_SIZE, Page, VirtAddr};
use crate::paging::{FileId, Mmu, View};
use crate::vm::{AddressSpace, CurrentSpace, VmPool};
use alloc::vec;
use alloc::vec::Vec;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("random-clones", |machine| random_clones(machine, 5_000)),
        ("random-swap", |machine| random_swap(machine, 5_000)),
        ("random-files", |machine| random_files(machine, 5_000)),
    ]
}

/// How many regions a space has in its pool. Behind them in [`Space::regions`] are two files, if the run has them.
const REGIONS: usize = 3;
const PRIVATE: usize = REGIONS;
const SHARED: usize = REGIONS + 1;

/// Where the files are seen: each at the start of a page table.
const PRIVATE_VIEW: VirtAddr = VirtAddr::new(0x5000_0000);
const SHARED_VIEW: VirtAddr = VirtAddr::new(0x7040_0000);

/// Words of a page.
const WORDS: u32 = PAGE_SIZE / 4;

/// A region as the model knows it: where it is, and the word of each of its pages.
#[derive(Clone)]
struct Region {
    start: VirtAddr,
    /// None for the shared file, which has one word a page for all that see it.
    words: Vec<u32>,
}

struct Space {
    handle: AddressSpace,
    regions: [Option<Region>; SHARED + 1],
}

struct Files {
    private: FileId,
    shared: FileId,
    /// Where the shared one is.
    drive: TestFile,
    /// The word of each of its pages, for all that see it.
    words: Vec<u32>,
}

struct Run {
    random: Random,
    home: Frame,
    spaces: Vec<Space>,
    /// How many spaces there are at most, and how many pages a region has.
    most_spaces: usize,
    pages: u32,
    files: Option<Files>,
}

/// Duplicates, writes, reads, frees, allocates, releases and destroys at random, `operations` times, and holds every answer
/// against the model. The machine's seed repeats the same run.
///
/// # Errors
///
/// The first answer that differs.
pub fn random_clones<M: Machine>(machine: &mut M, operations: u32) -> Outcome {
    random(machine, operations, (12, 48), None)
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
        random(machine, operations, (SPACES as usize, PAGES), None)
    })
}

/// Does that, and maps, syncs and unmaps files, whose drives are held against the model, too. That of the shared one fails now
/// and then.
///
/// # Errors
///
/// The first answer that differs.
pub fn random_files<M: Machine>(machine: &mut M, operations: u32) -> Outcome {
    const SPACES: u32 = 4;
    const PAGES: u32 = 16;
    // The last page has a word and a half.
    const BYTES: u32 = (PAGES - 1) * PAGE_SIZE + 6;
    with_file(machine, BYTES, false, &mut |machine, private, _| {
        with_file(machine, BYTES, true, &mut |machine, shared, drive| {
            let words = (0..PAGES).map(|number| original(number * WORDS)).collect();
            let files = Files { private, shared, drive: drive.clone(), words };
            // Pages of the shared file never go to the drive.
            on_drive(machine, 72, SPACES * SHARED as u32 * PAGES, |machine, _| {
                random(machine, operations, (SPACES as usize, PAGES), Some(files))
            })
        })?;
        demand("pages of the read-only file that were written", 0, counts(machine, private)[1])
    })
}

#[inline(never)]
fn random<M: Machine>(
    machine: &mut M,
    operations: u32,
    (most_spaces, pages): (usize, u32),
    files: Option<Files>,
) -> Outcome {
    let seed = machine.seed();
    machine.say(format_args!("seed {seed:#x}"));
    let before = free_frames(machine);
    let (random, spaces) = (Random::new(seed), Vec::new());
    let mut run = Run { random, home: root(machine), spaces, most_spaces, pages, files };
    for _ in 0..operations {
        run.step(machine)?;
    }
    while !run.spaces.is_empty() {
        run.destroy(machine)?;
    }
    demand("free frames", before, free_frames(machine))
}

#[track_caller]
fn pool_of<M: Machine>(machine: &mut M, address: VirtAddr) -> Result<VmPool, Failure> {
    let pool = machine.with(|memory| memory.pool_of(Page::containing(address)));
    done("the pool is there", pool.ok_or(()))
}

impl Run {
    fn step<M: Machine>(&mut self, machine: &mut M) -> Outcome {
        if self.spaces.is_empty() {
            let handle = create(machine)?;
            load(machine, &handle);
            register(machine, HEAP, 16 << 20)?;
            self.spaces.push(Space { handle, regions: Default::default() });
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
        load(machine, &self.spaces[which].handle);
        demand("the pools agree", true, machine.with(|memory| memory.check_pools()))?;
        for region in 0..=SHARED {
            let Some(Region { start, .. }) = self.spaces[which].regions[region] else { continue };
            for number in 0..self.pages {
                let word = *self.word(which, region, number);
                demand("a word of a space that goes", word, machine.read(above(start, number * PAGE_SIZE)))?;
            }
        }
        machine.with(|memory| memory.mmu.set_root(self.home));
        destroy(machine, self.spaces.swap_remove(which).handle)?;
        self.view_gone()
    }

    /// Does something with a region of the current space, which is number `which`.
    fn in_region<M: Machine>(&mut self, machine: &mut M, which: usize, operation: u32) -> Outcome {
        let regions = if self.files.is_some() { SHARED + 1 } else { REGIONS };
        let region = self.random.below(regions as u32) as usize;
        let Some(Region { start, .. }) = self.spaces[which].regions[region] else {
            self.spaces[which].regions[region] = Some(self.make(machine, region)?);
            return Ok(());
        };
        let number = self.random.below(self.pages);
        let address = above(start, number * PAGE_SIZE);
        match operation {
            6..9 => {
                self.spaces[which].regions[region] = None;
                let mut pool = pool_of(machine, start)?;
                if region < PRIVATE {
                    return release(machine, &mut pool, start).map(|_| ());
                }
                unmap(machine, pool)?;
                return self.view_gone();
            }
            9..14 => {
                match region {
                    SHARED => {}
                    PRIVATE => *self.word(which, region, number) = original(number * WORDS),
                    _ => *self.word(which, region, number) = 0,
                }
                machine.with(|memory| memory.free_page(Page::containing(address)));
                return Ok(());
            }
            14..18 => {
                // Without a drive, or where it was not touched, it stays.
                machine.with(|memory| memory.evict(Page::containing(address)));
            }
            18..20 if region == SHARED => return self.sync(machine),
            20..24 if region == SHARED => {
                self.fail(1);
                match operation {
                    20 => _ = machine.probe(address, false),
                    21 => _ = machine.with(|memory| memory.evict(Page::containing(address))),
                    22 => _ = self.write_back(machine),
                    _ => {
                        self.spaces[which].regions[region] = None;
                        let pool = pool_of(machine, start)?;
                        unmap(machine, pool)?;
                    }
                }
                self.fail(0);
                // What was refused is granted now, and what was not written is written.
                if operation > 21 {
                    return self.sync(machine);
                }
            }
            18..60 => {
                let word = self.random.word();
                *self.word(which, region, number) = word;
                machine.write(address, word);
                return Ok(());
            }
            _ => {}
        }
        demand("a word", *self.word(which, region, number), machine.read(address))
    }

    /// Makes region number `region` of the current space.
    fn make<M: Machine>(&self, machine: &mut M, region: usize) -> Result<Region, Failure> {
        Ok(match &self.files {
            Some(files) if region == PRIVATE => {
                map(machine, PRIVATE_VIEW, files.private, View::Private, true)?;
                Region { start: PRIVATE_VIEW, words: (0..self.pages).map(|page| original(page * WORDS)).collect() }
            }
            Some(files) if region == SHARED => {
                map(machine, SHARED_VIEW, files.shared, View::Shared, true)?;
                Region { start: SHARED_VIEW, words: Vec::new() }
            }
            _ => {
                let mut pool = pool_of(machine, HEAP)?;
                let start = allocate(machine, &mut pool, self.pages * PAGE_SIZE)?;
                Region { start, words: vec![0; self.pages as usize] }
            }
        })
    }

    /// Returns the word of page `number` of a region that is there.
    fn word(&mut self, which: usize, region: usize, number: u32) -> &mut u32 {
        let words = match (&mut self.files, &mut self.spaces[which].regions[region]) {
            (Some(files), _) if region == SHARED => &mut files.words,
            (_, Some(region)) => &mut region.words,
            (_, None) => unreachable!("region {region} is not there"),
        };
        &mut words[number as usize]
    }

    /// Lets so many of the next reads and writes of the shared file fail.
    fn fail(&self, count: u32) {
        if let Some(files) = &self.files {
            files.drive.orders.fail_reads(count);
            files.drive.orders.fail_writes(count);
        }
    }

    fn write_back<M: Machine>(&self, machine: &mut M) -> Result<(), ()> {
        let Some(files) = &self.files else { return Ok(()) };
        machine.with(|memory| memory.sync(files.shared)).map(drop).map_err(drop)
    }

    /// Writes the shared file back, and looks at its drive.
    fn sync<M: Machine>(&self, machine: &mut M) -> Outcome {
        done("file written back", self.write_back(machine))?;
        self.files.as_ref().map_or(Ok(()), Files::is_on_drive)
    }

    /// Looks at the shared file's drive, if nobody sees the file any more.
    fn view_gone(&self) -> Outcome {
        let is_seen = self.spaces.iter().any(|space| space.regions[SHARED].is_some());
        self.files.as_ref().filter(|_| !is_seen).map_or(Ok(()), Files::is_on_drive)
    }
}

impl Files {
    /// Demands that each page's word is on the drive, and that those behind it are what they were.
    fn is_on_drive(&self) -> Outcome {
        for (at, word) in (0..).step_by(WORDS as usize).zip(&self.words) {
            demand("a word on the drive", *word, self.drive.word(at))?;
            for other in at + 1..at + WORDS {
                demand("a word on the drive that nobody has written", original(other), self.drive.word(other))?;
            }
        }
        Ok(())
    }
}
