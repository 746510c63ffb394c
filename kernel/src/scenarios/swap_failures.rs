//! Drives that are full, or fail: what was there stays, and is granted again when they have recovered.

use super::machine::Machine;
use super::outcome::{Outcome, Scenario, demand, done};
use super::pools::{allocate, release};
use super::steps::free_frames;
use super::swap::{get, is_on_drive, page, pool_of, put, used_slots};
use super::test_drive::on_drive;
use crate::addr::PAGE_SIZE;
use crate::vm::{CurrentSpace, Refusal};

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("drive-full", drive_full),
        ("slot-that-cannot-be-read", slot_that_cannot_be_read),
        ("slot-that-cannot-be-written", slot_that_cannot_be_written),
    ]
}

fn drive_full<M: Machine>(machine: &mut M) -> Outcome {
    let (mut pool, region) = pool_of(machine, 20)?;
    let other = allocate(machine, &mut pool, PAGE_SIZE)?;
    machine.write(other, 3);
    on_drive(machine, 7, 8, |machine, _| {
        // Eight frames, and eight slots beside the one that is kept for whoever comes back.
        (0..15).for_each(|number| put(machine, region, number, number));
        demand("pages on the drive", 8, used_slots(machine))?;
        let before = machine.faults();
        for number in 15..20 {
            demand("a page too many", Err(Refusal::OutOfFrames), machine.probe(page(region, number), true))?;
        }
        demand("faults answered", 0, machine.faults() - before)?;
        demand("records agree", true, machine.with(|memory| memory.check_pools()))?;
        demand("pages released", 1, release(machine, &mut pool, other)?)?;
        demand("a touch after a release", Ok(()), machine.probe(page(region, 15), true))?;
        put(machine, region, 15, 15);
        (0..16).try_for_each(|number| demand("its word", number, get(machine, region, number)))
    })
}

fn slot_that_cannot_be_read<M: Machine>(machine: &mut M) -> Outcome {
    let (mut pool, region) = pool_of(machine, 12)?;
    on_drive(machine, 4, 12, |machine, orders| {
        (0..12).for_each(|number| put(machine, region, number, number + 1));
        let lost = done("a page on the drive", (0..12).find(|at| is_on_drive(machine, page(region, *at))).ok_or(()))?;
        let (used, faults) = (used_slots(machine), machine.faults());
        orders.fail_reads(1);
        demand("read of a bad slot", Err(Refusal::OutOfFrames), machine.probe(page(region, lost), false))?;
        demand("free frames: the one that it was to be read into", 1, free_frames(machine))?;
        demand("faults answered", 0, machine.faults() - faults)?;
        demand("the page is on the drive", true, is_on_drive(machine, page(region, lost)))?;
        // A page made way for nothing, and has a slot now.
        demand("pages on the drive", used + 1, used_slots(machine))?;
        // The drive has recovered.
        (0..12).try_for_each(|number| demand("its word", number + 1, get(machine, region, number)))?;
        demand("pages released", 12, release(machine, &mut pool, region)?)?;
        demand("pages on the drive", 0, used_slots(machine))
    })
}

fn slot_that_cannot_be_written<M: Machine>(machine: &mut M) -> Outcome {
    let (mut pool, region) = pool_of(machine, 12)?;
    on_drive(machine, 4, 16, |machine, orders| {
        (0..4).for_each(|number| put(machine, region, number, number + 1));
        // Another slot is tried.
        orders.fail_writes(2);
        (4..12).for_each(|number| put(machine, region, number, number + 1));
        let free = machine.with(|memory| memory.swap.as_ref().map_or(0, |swap| swap.free_slots()));
        demand("free slots: two are bad", 17 - 2 - used_slots(machine), free)?;
        (0..12).try_for_each(|number| demand("its word", number + 1, get(machine, region, number)))?;
        // None can be written.
        orders.fail_writes(1000);
        let (used, lost) = (used_slots(machine), (0..12).find(|at| is_on_drive(machine, page(region, *at))));
        let lost = done("a page on the drive", lost.ok_or(()))?;
        demand("a touch", Err(Refusal::OutOfFrames), machine.probe(page(region, lost), false))?;
        demand("pages on the drive", used, used_slots(machine))?;
        orders.fail_writes(0);
        demand("its word", lost + 1, get(machine, region, lost))?;
        demand("pages released", 12, release(machine, &mut pool, region)?)?;
        demand("pages on the drive", 0, used_slots(machine))
    })
}
