//! Address spaces: made, loaded, given back; and many of them in turn.

use super::samples::Samples;
use super::setup::done;
use crate::addr::{PAGE_SIZE, Page, VirtAddr};
use crate::arch::x86::floor;
use crate::paging::{Mmu, MmuView};
use crate::scenarios::{Failure, Machine, Outcome};
use crate::system::real_machine::RealMachine;
use crate::vm::AddressSpace;
use alloc::vec::Vec;

const SAMPLES: u32 = 100;
const POOL: VirtAddr = VirtAddr::new(0x4000_0000);
/// Sizes of pools, by name. The largest is all that pools may have.
const LOWEST: VirtAddr = VirtAddr::new(0x40_0000);
const POOLS: [(&str, u32); 3] =
    [("smallest", 2 * PAGE_SIZE), ("256M", 256 << 20), ("largest", 0xFF80_0000 - 0x40_0000)];
/// Touched pages of a space that is not empty.
pub(super) const PAGES: u32 = 256;

pub fn measure(machine: &mut RealMachine) -> Outcome {
    let [mut create, mut load, mut load_current, mut destroy, mut destroy_full] =
        [(); 5].map(|()| Samples::new(SAMPLES));
    let home = machine.with(|memory| memory.root());
    for _ in 0..SAMPLES {
        let space = done("space created", machine.with(|memory| create.take(memory, AddressSpace::create)))?;
        machine.with(|memory| {
            load.take(memory, |memory| space.load(memory));
            load_current.take(memory, |memory| space.load(memory));
            memory.mmu.set_root(home);
        });
        let destroyed = machine.with(|memory| destroy.take(memory, |memory| space.destroy(memory)));
        done("space destroyed", destroyed)?;

        let (space, _) = full(machine)?;
        machine.with(|memory| memory.mmu.set_root(home));
        let destroyed = machine.with(|memory| destroy_full.take(memory, |memory| space.destroy(memory)));
        done("space destroyed", destroyed)?;
    }
    for (size, bytes) in POOLS {
        let [mut register, mut drop] = [(); 2].map(|()| Samples::new(SAMPLES));
        for _ in 0..SAMPLES {
            let pool = machine.with(|memory| register.take(memory, |memory| memory.register_pool(LOWEST, bytes)));
            let pool = done("pool registered", pool)?;
            let dropped = machine.with(|memory| drop.take(memory, |memory| memory.drop_pool(pool)));
            done("pool dropped", dropped)?;
        }
        register.report(format_args!("pool-register-{size}"));
        drop.report(format_args!("pool-drop-{size}"));
    }
    for (name, samples) in [
        ("space-create", create),
        ("space-load", load),
        ("space-load-current", load_current),
        ("space-destroy", destroy),
        ("space-destroy-256-pages", destroy_full),
    ] {
        samples.report(name);
    }
    in_turn(machine)
}

/// Loads one of many spaces after the other, and touches a page in each.
fn in_turn(machine: &mut RealMachine) -> Outcome {
    const SPACES: u32 = 500;
    const ROUNDS: u32 = 2;
    let home = machine.with(|memory| memory.root());
    let mut spaces = Vec::with_capacity(SPACES as usize);
    for _ in 0..SPACES {
        let space = done("space created", machine.with(AddressSpace::create))?;
        let region = machine.with(|memory| {
            space.load(memory);
            let mut pool = done("pool registered", memory.register_pool(POOL, 16 << 20))?;
            done("region allocated", pool.allocate(memory, ROUNDS * PAGE_SIZE))
        })?;
        spaces.push((space, Page::containing(region)));
    }
    let [mut load, mut samples] = [(); 2].map(|()| Samples::new(ROUNDS * SPACES));
    for round in 0..ROUNDS {
        for (space, region) in &spaces {
            machine.with(|memory| load.take(memory, |memory| space.load(memory)));
            samples.add(load.last() + floor::touch(Page::new(region.number() + round)));
        }
    }
    samples.report(format_args!("space-load-and-fault-{SPACES}"));
    machine.with(|memory| memory.mmu.set_root(home));
    for (space, _) in spaces {
        done("space destroyed", machine.with(|memory| space.destroy(memory)))?;
    }
    Ok(())
}

/// Makes a space with a region of touched pages, and leaves it the current one. Returns the region's first page, too.
pub(super) fn full(machine: &mut RealMachine) -> Result<(AddressSpace, Page), Failure> {
    let space = done("space created", machine.with(AddressSpace::create))?;
    let region = machine.with(|memory| {
        space.load(memory);
        let mut pool = done("pool registered", memory.register_pool(POOL, 16 << 20))?;
        done("region allocated", pool.allocate(memory, PAGES * PAGE_SIZE))
    })?;
    let region = Page::containing(region);
    (0..PAGES).for_each(|page| _ = floor::touch(Page::new(region.number() + page)));
    Ok((space, region))
}
