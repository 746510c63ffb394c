//! Clones: made, written to on both sides, released.

use super::samples::Samples;
use super::setup::done;
use super::spaces::{PAGES, full};
use crate::addr::Page;
use crate::arch::x86::floor;
use crate::paging::{Mmu, MmuView};
use crate::scenarios::{Machine, Outcome};
use crate::system::real_machine::RealMachine;
use crate::vm::{AddressSpace, CurrentSpace};

const SPACES: u32 = 20;

/// Clones a space with 256 touched pages in one pool. The clone writes to half of them, then the space to all of its own: half
/// of these writes are the last owner's. Last, both release their region.
pub fn measure(machine: &mut RealMachine) -> Outcome {
    let [mut duplicate, mut release] = [(); 2].map(|()| Samples::new(SPACES));
    let [mut copy, mut last_owner] = [(); 2].map(|()| Samples::new(SPACES * PAGES / 2));
    let home = machine.with(|memory| memory.root());
    let half = PAGES / 2;
    for _ in 0..SPACES {
        let (space, region) = full(machine)?;
        let page = |number| Page::new(region.number() + number);
        let clone = machine.with(|memory| duplicate.take(memory, AddressSpace::duplicate));
        let clone = done("space duplicated", clone)?;
        machine.with(|memory| clone.load(memory));
        (0..half).for_each(|number| copy.add(floor::touch(page(number))));
        machine.with(|memory| space.load(memory));
        (0..half).for_each(|number| last_owner.add(floor::touch(page(number))));
        for root in [space.root(), clone.root()] {
            let pool = machine.with(|memory| {
                memory.mmu.set_root(root);
                memory.pool_of(region)
            });
            let mut pool = done("the pool is there", pool.ok_or(()))?;
            let start = region.start();
            let released = machine.with(|memory| release.take(memory, |memory| pool.release(memory, start)));
            done("region released", released)?;
        }
        machine.with(|memory| memory.mmu.set_root(home));
        for space in [space, clone] {
            done("space destroyed", machine.with(|memory| space.destroy(memory)))?;
        }
    }
    for (name, samples) in [
        ("clone-256-pages", duplicate),
        ("clone-first-write", copy),
        ("clone-last-owner-writes", last_owner),
        ("clone-release-256", release),
    ] {
        samples.report(name);
    }
    Ok(())
}
