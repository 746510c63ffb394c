//! A clone: both sides write to all pages, one by a copy, the other as the last owner.

use super::part::Part;
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::arch::x86::clock;
use crate::paging::{Mmu, MmuView};
use crate::scenarios::{self, Machine, Outcome, demand, done};
use crate::system::console::println;
use crate::system::memory;
use crate::system::real_machine::RealMachine;
use crate::vm::AddressSpace;

const PAGES: u32 = 64;

/// Touches pages, clones their space, and writes to them on both sides.
pub fn run() -> Outcome {
    let before = memory::free_frames();
    // On each side a directory and a table.
    let due = 2 * (PAGES + 2);
    if before < due {
        println!("the clone is left out: it takes {due} frames");
        return Ok(());
    }
    let mut seen = (0, 0, 0);
    scenarios::in_new_space(&mut RealMachine, |machine| {
        let page = |number| VirtAddr::new(0x40_0000 + number * PAGE_SIZE);
        let (faults, start) = (machine.faults(), clock::ticks());
        (0..PAGES).for_each(|number| machine.write(page(number), number));
        let clone = done("address space duplicated", machine.with(AddressSpace::duplicate))?;
        let roots = machine.with(|memory| [memory.root(), clone.root()]);
        for (salt, root) in (1..).zip(roots) {
            machine.with(|memory| memory.mmu.set_root(root));
            (0..PAGES).for_each(|number| machine.write(page(number), salt << 16 | number));
        }
        for (salt, root) in (1..).zip(roots) {
            machine.with(|memory| memory.mmu.set_root(root));
            for number in 0..PAGES {
                demand("the side's own word", salt << 16 | number, machine.read(page(number)))?;
            }
        }
        seen = (machine.faults() - faults, before - memory::free_frames(), clock::ticks() - start);
        machine.with(|memory| memory.mmu.set_root(roots[0]));
        done("clone destroyed", machine.with(|memory| clone.destroy(memory)))
    })?;
    let (faults, taken, ticks) = seen;
    let after = memory::free_frames();
    Part {
        name: "64 pages cloned, both write",
        faults: [faults, 3 * PAGES],
        taken: [taken, due],
        returned: [after + taken - before, due],
        free: [before, after],
        ticks,
    }
    .close()
}
