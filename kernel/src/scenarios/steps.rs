//! Steps that many scenarios have in common.

use super::machine::Machine;
use super::outcome::{Outcome, demand, done};
use crate::addr::VirtAddr;
use crate::frames::FrameSource;
use crate::paging::{Mmu, MmuView};
use crate::vm::{AddressSpace, CurrentSpace};

/// Makes an address space, does `work` in it, returns to the one before, and destroys it.
///
/// # Errors
///
/// The first demand of `work` that wasn't met, or one of these steps that failed.
pub fn in_new_space<M: Machine>(machine: &mut M, work: impl FnOnce(&mut M) -> Outcome) -> Outcome {
    let space = done("address space created", machine.with(AddressSpace::create))?;
    let home = machine.with(|memory| {
        let home = memory.root();
        space.load(memory);
        home
    });
    let outcome = work(machine);
    let sound = machine.with(|memory| {
        let sound = memory.check_pools();
        memory.mmu.set_root(home);
        sound
    });
    outcome?;
    demand("the address space's metadata agrees", true, sound)?;
    done("address space destroyed", machine.with(|memory| space.destroy(memory)))
}

pub(crate) fn free_frames<M: Machine>(machine: &mut M) -> u32 {
    machine.with(|memory| memory.frames.free_frames())
}

/// Returns the address `bytes` above `address`.
pub(crate) fn above(address: VirtAddr, bytes: u32) -> VirtAddr {
    VirtAddr::new(address.as_u32() + bytes)
}
