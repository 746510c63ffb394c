//! Address spaces: the same addresses, different memory.

use super::machine::Machine;
use super::outcome::{Failure, Outcome, Scenario, demand, done};
use super::pools::{HEAP, allocate, register, release};
use super::steps::{above, free_frames, own_pages};
use crate::addr::Frame;
use crate::paging::{Mmu, MmuView};
use crate::vm::{AddressSpace, AllocateError, Refusal, ReleaseError};
use alloc::vec::Vec;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("a-pools-handle-dies-with-it", a_pools_handle_dies_with_it),
        ("same-address-different-contents", same_address_different_contents),
        ("faults-use-the-current-space", faults_use_the_current_space),
        ("spaces-in-any-order", spaces_in_any_order),
        ("current-space-is-not-destroyed", current_space_is_not_destroyed),
        ("destroyed-space-leaves-the-rest", destroyed_space_leaves_the_rest),
    ]
}

#[track_caller]
#[inline(never)]
pub(super) fn create<M: Machine>(machine: &mut M) -> Result<AddressSpace, Failure> {
    done("address space created", machine.with(AddressSpace::create))
}

#[track_caller]
#[inline(never)]
pub(super) fn destroy<M: Machine>(machine: &mut M, space: AddressSpace) -> Outcome {
    done("address space destroyed", machine.with(|memory| space.destroy(memory)))
}

#[inline(never)]
pub(super) fn root<M: Machine>(machine: &mut M) -> Frame {
    machine.with(|memory| memory.root())
}

#[inline(never)]
pub(super) fn load<M: Machine>(machine: &mut M, space: &AddressSpace) {
    machine.with(|memory| space.load(memory));
}

fn a_pools_handle_dies_with_it<M: Machine>(machine: &mut M) -> Outcome {
    let home = root(machine);
    let first = create(machine)?;
    load(machine, &first);
    let mut pool = register(machine, HEAP, 1 << 20)?;
    machine.with(|memory| memory.mmu.set_root(home));
    destroy(machine, first)?;
    // The next space gets the same frames, and a pool at the same place.
    let second = create(machine)?;
    load(machine, &second);
    let young = register(machine, HEAP, 1 << 20)?;
    let refusal = machine.with(|memory| pool.allocate(memory, 1).err());
    demand("a pool of a space that is gone allocates", Some(AllocateError::NotCurrent), refusal)?;
    demand("it is dropped", true, machine.with(|memory| memory.drop_pool(pool)).is_err())?;
    // The same within one space.
    done("dropped", machine.with(|memory| memory.drop_pool(young)))?;
    register(machine, HEAP, 1 << 20)?;
    machine.with(|memory| memory.mmu.set_root(home));
    destroy(machine, second)
}

fn same_address_different_contents<M: Machine>(machine: &mut M) -> Outcome {
    let home = root(machine);
    let (before, mut spaces, mut own) = (free_frames(machine), Vec::new(), 0);
    for number in 0..20 {
        let space = create(machine)?;
        load(machine, &space);
        let mut pool = register(machine, HEAP, 1 << 20)?;
        own = own_pages(machine, &pool)?;
        let region = allocate(machine, &mut pool, 4096)?;
        machine.write(region, number);
        spaces.push((space, pool, region));
    }
    demand("frames a space: directory, table, metadata, data", 20 * (3 + own), before - free_frames(machine))?;
    for (number, (space, _, region)) in (0..).zip(&spaces) {
        load(machine, space);
        demand("its own word at the same address", number, machine.read(*region))?;
    }
    machine.with(|memory| memory.mmu.set_root(home));
    spaces.into_iter().try_for_each(|(space, ..)| destroy(machine, space))
}

fn faults_use_the_current_space<M: Machine>(machine: &mut M) -> Outcome {
    let home = root(machine);
    let mut pool = register(machine, HEAP, 1 << 20)?;
    let region = allocate(machine, &mut pool, 4096)?;
    let other = create(machine)?;
    load(machine, &other);
    let same_base = register(machine, HEAP, 1 << 20)?;
    demand("a region of another space", Err(Refusal::Illegitimate), machine.probe(region, true))?;
    let refusal = machine.with(|memory| pool.allocate(memory, 1).err());
    demand("its pool allocates elsewhere", Some(AllocateError::NotCurrent), refusal)?;
    let refusal = machine.with(|memory| pool.release(memory, region).err());
    demand("its pool releases elsewhere", Some(ReleaseError::NotCurrent), refusal)?;
    demand("legitimate elsewhere", false, machine.with(|memory| pool.is_legitimate(memory, region)))?;
    let Err(mut pool) = machine.with(|memory| memory.drop_pool(pool)) else {
        return demand("a pool of another space is dropped", false, true);
    };
    demand("the pool at the same base", true, machine.with(|memory| same_base.check(memory)))?;
    machine.with(|memory| memory.mmu.set_root(home));
    demand("the region in its own space", Ok(()), machine.probe(region, true))?;
    demand("pages released", 1, release(machine, &mut pool, region)?)?;
    destroy(machine, other)
}

fn spaces_in_any_order<M: Machine>(machine: &mut M) -> Outcome {
    let home = root(machine);
    let before = free_frames(machine);
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut spaces = Vec::new();
        for _ in 0..3 {
            let space = create(machine)?;
            load(machine, &space);
            let mut pool = register(machine, HEAP, 1 << 30)?;
            let region = allocate(machine, &mut pool, 600 << 20)?;
            for megabytes in [0, 5, 300, 599] {
                machine.write(above(region, megabytes << 20), megabytes);
            }
            spaces.push(Some(space));
        }
        // From inside one of those that go, too: all but the current one can be destroyed.
        for which in order {
            machine.with(|memory| memory.mmu.set_root(home));
            let space = done("space is still there", spaces[which].take().ok_or(()))?;
            if let Some(next) = spaces.iter().flatten().next() {
                load(machine, next);
            }
            destroy(machine, space)?;
        }
        machine.with(|memory| memory.mmu.set_root(home));
    }
    demand("free frames", before, free_frames(machine))
}

fn current_space_is_not_destroyed<M: Machine>(machine: &mut M) -> Outcome {
    let home = root(machine);
    let space = create(machine)?;
    load(machine, &space);
    let before = free_frames(machine);
    let Err(space) = machine.with(|memory| space.destroy(memory)) else {
        return demand("destroying the current space is refused", true, false);
    };
    demand("free frames", before, free_frames(machine))?;
    machine.with(|memory| memory.mmu.set_root(home));
    destroy(machine, space)
}

fn destroyed_space_leaves_the_rest<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 1 << 20)?;
    let region = allocate(machine, &mut pool, 8192)?;
    machine.write(region, 7);
    let home = root(machine);
    let other = create(machine)?;
    load(machine, &other);
    // A space that never had a pool backs any page.
    machine.write(above(HEAP, 64 << 20), 8);
    machine.with(|memory| memory.mmu.set_root(home));
    destroy(machine, other)?;
    demand("a word that was there", 7, machine.read(region))?;
    machine.write(above(region, 4096), 9);
    demand("outside the pool", Err(Refusal::Illegitimate), machine.probe(above(HEAP, 64 << 20), true))?;
    demand("dropped", true, machine.with(|memory| memory.drop_pool(pool).is_ok()))?;
    // Strict for good, also when nothing but that is noted.
    let another = create(machine)?;
    destroy(machine, another)?;
    demand("in a pool that was dropped", Err(Refusal::Illegitimate), machine.probe(region, true))
}
