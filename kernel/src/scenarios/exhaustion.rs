//! Out of frames at every possible point: what was begun is undone, whichever request it was that failed.

use super::machine::Machine;
use super::metadata::border;
use super::outcome::{Outcome, Scenario, demand, done};
use super::pools::{HEAP as BASE, allocate, register};
use super::spaces::{create, destroy};
use super::steps::{above, free_frames, own_pages};
use crate::addr::Frame;
use crate::frames::FrameSource;
use crate::vm::{CurrentSpace, VmPool};
use alloc::vec::Vec;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("create-runs-out", create_runs_out),
        ("register-runs-out", register_runs_out),
        ("allocate-runs-out", allocate_runs_out),
        ("fault-runs-out", fault_runs_out),
    ]
}

/// Tries `step` with no frame left, then one, then two, until it succeeds. Each time that it fails, as many frames must be
/// left as before. Demands that it succeeds with `needed` frames, and no fewer.
pub(super) fn with_ever_more_frames<M: Machine>(
    machine: &mut M,
    needed: u32,
    mut step: impl FnMut(&mut M) -> bool,
) -> Outcome {
    let mut kept: Vec<Frame> = Vec::with_capacity(free_frames(machine) as usize);
    while let Some(frame) = machine.with(|memory| memory.frames.get_frame()) {
        kept.push(frame);
    }
    let mut left = 0;
    while !step(machine) {
        demand("free frames after a failure", left, free_frames(machine))?;
        demand("metadata agrees after a failure", true, machine.with(|memory| memory.check_pools()))?;
        give_one(machine, &mut kept)?;
        left += 1;
    }
    demand("frames needed", needed, left)?;
    demand("frames left when it succeeds", 0, free_frames(machine))?;
    while !kept.is_empty() {
        give_one(machine, &mut kept)?;
    }
    Ok(())
}

#[track_caller]
fn give_one<M: Machine>(machine: &mut M, kept: &mut Vec<Frame>) -> Outcome {
    let frame = done("enough frames", kept.pop().ok_or(()))?;
    done("frame given back", machine.with(|memory| memory.frames.release_frame(frame)))
}

fn create_runs_out<M: Machine>(machine: &mut M) -> Outcome {
    let mut created = None;
    with_ever_more_frames(machine, 1, |machine| {
        created = create(machine).ok();
        created.is_some()
    })?;
    created.map_or(Ok(()), |space| destroy(machine, space))
}

fn register_runs_out<M: Machine>(machine: &mut M) -> Outcome {
    let before = free_frames(machine);
    let pool = register(machine, BASE, 1 << 20)?;
    let needed = own_pages(machine, &pool)? + 1;
    demand("the pool's own pages and a table", needed, before - free_frames(machine))?;
    done("pool dropped", machine.with(|memory| memory.drop_pool(pool)))?;
    with_ever_more_frames(machine, needed, |machine| register(machine, BASE, 1 << 20).is_ok())
}

fn allocate_runs_out<M: Machine>(machine: &mut M) -> Outcome {
    // The first region reaches to the end of a table, or nearly so: mostly the metadata that comes next needs another one.
    const FIRST: u32 = 4 << 20;
    let Some((number, needed)) = border(machine, 64 << 20, FIRST)? else { return Ok(()) };
    let mut pool: VmPool = register(machine, BASE, 64 << 20)?;
    for region in 0..number {
        allocate(machine, &mut pool, if region == 0 { FIRST } else { 1 })?;
    }
    with_ever_more_frames(machine, needed, |machine| allocate(machine, &mut pool, 1).is_ok())
}

fn fault_runs_out<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, BASE, 64 << 20)?;
    let region = allocate(machine, &mut pool, 32 << 20)?;
    with_ever_more_frames(machine, 1, |machine| machine.probe(region, true).is_ok())?;
    // In another table: the page and the table.
    with_ever_more_frames(machine, 2, |machine| machine.probe(above(region, 8 << 20), true).is_ok())
}
