//! The coursework's two standard runs.

use super::machine::Machine;
use super::outcome::{Failure, Outcome, Scenario, demand, done};
use super::steps::{above, free_frames, own_pages};
use crate::addr::{Page, VirtAddr};
use crate::paging::Memory;
use crate::vm::CurrentSpace;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("standard-pages", |machine| standard_pages(machine, 262_144, 256)),
        ("standard-pages-short", |machine| standard_pages(machine, 2048, 2)),
        ("standard-pools", standard_pools),
    ]
}

/// The faults and frames of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Filled {
    /// Faults that were answered.
    pub faults: u32,
    /// Frames that were taken.
    pub taken: u32,
    /// Frames that were given back.
    pub returned: u32,
}

/// Writes `words` ascending words from `start` on, then reads them back.
///
/// # Errors
///
/// The first word that isn't what was written.
pub fn fill_pages<M: Machine>(machine: &mut M, start: VirtAddr, words: u32) -> Result<Filled, Failure> {
    let (faults, free) = (machine.faults(), free_frames(machine));
    for word in 0..words {
        machine.write(above(start, 4 * word), word);
    }
    for word in 0..words {
        demand("word read back", word, machine.read(above(start, 4 * word)))?;
    }
    Ok(Filled { faults: machine.faults() - faults, taken: free - free_frames(machine), returned: 0 })
}

/// For `i` in 1..=49, allocates 400·i bytes from the pool that holds `base`, checks that they are legitimate, fills them
/// ascending, checks them descending, and releases them.
///
/// # Errors
///
/// The first demand that isn't met.
pub fn fill_regions<M: Machine>(machine: &mut M, base: VirtAddr) -> Result<Filled, Failure> {
    let faults = machine.faults();
    let (mut taken, mut returned) = (0, 0);
    for round in 1..=49 {
        let bytes = 400 * round;
        let before = free_frames(machine);
        let pool = |memory: &mut Memory<M::Mmu, M::Frames>| memory.pool_of(Page::containing(base));
        let start = machine.with(|memory| pool(memory).and_then(|mut pool| pool.allocate(memory, bytes).ok()));
        let start = done("region allocated", start.ok_or(()))?;
        let legitimate = machine.with(|memory| pool(memory).is_some_and(|pool| pool.is_legitimate(memory, start)));
        demand("region is legitimate", true, legitimate)?;
        for word in 0..bytes / 4 {
            machine.write(above(start, 4 * word), round + word);
        }
        for word in (0..bytes / 4).rev() {
            demand("word read back", round + word, machine.read(above(start, 4 * word)))?;
        }
        let filled = free_frames(machine);
        let released = machine.with(|memory| pool(memory).and_then(|mut pool| pool.release(memory, start).ok()));
        demand("pages released with the region", bytes.div_ceil(4096), released.unwrap_or(0))?;
        taken += before - filled;
        returned += free_frames(machine) - filled;
    }
    Ok(Filled { faults: machine.faults() - faults, taken, returned })
}

fn standard_pages<M: Machine>(machine: &mut M, words: u32, pages: u32) -> Outcome {
    let filled = fill_pages(machine, VirtAddr::new(0x40_0000), words)?;
    demand("faults", pages, filled.faults)?;
    demand("frames: the pages and a table", pages + 1, filled.taken)
}

fn standard_pools<M: Machine>(machine: &mut M) -> Outcome {
    for base in [0x2000_0000, 0x4000_0000].map(VirtAddr::new) {
        let before = free_frames(machine);
        let pool = done("pool registered", machine.with(|memory| memory.register_pool(base, 256 << 20)))?;
        let own = own_pages(machine, &pool)?;
        demand("frames for a pool: metadata and a table", own + 1, before - free_frames(machine))?;
    }
    for base in [0x2000_0000, 0x4000_0000].map(VirtAddr::new) {
        let filled = fill_regions(machine, base)?;
        demand("data faults", 145, filled.faults)?;
        demand("frames taken", 145, filled.taken)?;
        demand("frames given back", 145, filled.returned)?;
    }
    Ok(())
}
