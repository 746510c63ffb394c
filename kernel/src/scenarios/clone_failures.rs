//! Clones in which something fails: whatever it is, all spaces stay as they were.

use super::clones::{duplicate, filled, frames_of_a_clone, go, holds, page};
use super::exhaustion::with_ever_more_frames;
use super::machine::Machine;
use super::outcome::{Outcome, Scenario, demand, done};
use super::pools::allocate;
use super::spaces::{destroy, root};
use super::steps::make_read_only;
use crate::addr::{Frame, Page, VirtAddr};
use crate::paging::{CurrentTable, Entry};
use alloc::vec::Vec;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("duplicate-runs-out", duplicate_runs_out),
        ("failed-clone-hurts-no-other", failed_clone_hurts_no_other),
        ("copy-runs-out", copy_runs_out),
    ]
}

fn duplicate_runs_out<M: Machine>(machine: &mut M) -> Outcome {
    let (mut pool, region) = filled(machine, 40, 1)?;
    // In other tables, too.
    let far = allocate(machine, &mut pool, 12 << 20)?;
    for number in [0, 1500, 3000] {
        machine.write(page(far, number), 3);
    }
    let (needed, mut clone) = (frames_of_a_clone(machine), None);
    with_ever_more_frames(machine, needed, |machine| {
        clone = duplicate(machine).ok();
        if clone.is_none() {
            let faults = machine.faults();
            (0..40).for_each(|number| machine.write(page(region, number), number + 1));
            machine.write(page(far, 3000), 3);
            // As it was: no page waits for its first write.
            return machine.faults() != faults;
        }
        true
    })?;
    let clone = done("clone made", clone.ok_or(()))?;
    holds(machine, "the parent's words", region, 40, 1)?;
    destroy(machine, clone)
}

fn copy_runs_out<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    let (_, region) = filled(machine, 3, 1)?;
    let clone = duplicate(machine)?;
    for (number, space) in (0..).zip([parent, clone.root()]) {
        go(machine, space);
        with_ever_more_frames(machine, 1, |machine| {
            let refused = machine.probe(page(region, number), true);
            refused.is_ok() && machine.read(page(region, number)) == number + 1
        })?;
        holds(machine, "a word of both", region, 3, 1)?;
    }
    // Whoever is alone needs none.
    go(machine, parent);
    destroy(machine, clone)?;
    with_ever_more_frames(machine, 0, |machine| machine.probe(page(region, 2), true).is_ok())
}

/// Of each of `pages` pages of the region at `region`, in the address space with the directory `space`, which becomes the
/// current one: the bits of its entry, without those that the processor writes, and how many entries lead to its frame beyond
/// the first.
fn entries_and_uses<M: Machine>(machine: &mut M, space: Frame, region: VirtAddr, pages: u32) -> Vec<(u32, u32)> {
    go(machine, space);
    machine.with(|memory| {
        let entry_and_uses = |number| {
            let entry = memory.pte(Page::containing(page(region, number))).unwrap_or_default();
            let uses = entry.frame().map_or(0, |frame| memory.uses.beyond_first(frame));
            (entry.without(Entry::ACCESSED | Entry::DIRTY).bits(), uses)
        };
        (0..pages).map(entry_and_uses).collect()
    })
}

fn failed_clone_hurts_no_other<M: Machine>(machine: &mut M) -> Outcome {
    const PAGES: u32 = 12;
    let parent = root(machine);
    let (_, region) = filled(machine, PAGES, 1)?;
    make_read_only(machine, page(region, PAGES - 1));
    let other = duplicate(machine)?;
    // Pages that one side has copied, whichever, and that both have written to; the rest is shared.
    for (space, written) in [(parent, 0..3), (other.root(), 3..6), (parent, 3..6)] {
        go(machine, space);
        written.for_each(|number| machine.write(page(region, number), number + 1));
    }
    make_read_only(machine, region);
    let spaces = [parent, other.root()];
    let before = spaces.map(|space| entries_and_uses(machine, space, region, PAGES));
    go(machine, parent);
    let (needed, mut clone, mut unhurt) = (frames_of_a_clone(machine), None, Ok(()));
    with_ever_more_frames(machine, needed, |machine| {
        clone = duplicate(machine).ok();
        for (space, before) in spaces.iter().zip(&before).filter(|_| clone.is_none()) {
            let now = entries_and_uses(machine, *space, region, PAGES);
            for ((entry, uses), (entry_now, uses_now)) in before.iter().zip(now) {
                unhurt = unhurt
                    .and_then(|()| demand("entry of a page after a clone that failed", *entry, entry_now))
                    .and_then(|()| demand("entries that lead to its frame, beyond the first", *uses, uses_now));
            }
        }
        go(machine, parent);
        clone.is_some()
    })?;
    unhurt?;
    let clone = done("clone made", clone.ok_or(()))?;
    for space in [other.root(), clone.root(), parent] {
        go(machine, space);
        holds(machine, "a word of all", region, PAGES, 1)?;
    }
    destroy(machine, clone)?;
    destroy(machine, other)
}
