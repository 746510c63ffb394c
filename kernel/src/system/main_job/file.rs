//! A file: two address spaces see it at two addresses, and write to a half each.

use super::part::Part;
use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::arch::x86::clock;
use crate::paging::{File, FileCounts, MemoryDrive, Mmu, MmuView, View};
use crate::scenarios::{self, Machine, Outcome, demand, done};
use crate::system::console::println;
use crate::system::memory;
use crate::system::real_machine::RealMachine;
use crate::vm::AddressSpace;
use alloc::boxed::Box;

const PAGES: u32 = 32;

/// Where each of the two sees the file.
const STARTS: [u32; 2] = [0x5000_0000, 0x7040_0000];

/// Maps a file into two address spaces, writes to it in both, reads it in both, and writes it back.
pub fn run() -> Outcome {
    let before = memory::free_frames();
    // On each side a directory, the pool's page and its table; for both the file's table and its pages.
    let due = 2 * 3 + 1 + PAGES;
    if before < due {
        println!("the file is left out: it takes {due} frames");
        return Ok(());
    }
    let file = done("file made", File::new(Box::new(MemoryDrive::new(PAGES)), 0, PAGES * PAGE_SIZE, true))?;
    let file = memory::with(|memory| memory.files.add(file));
    let (mut seen, mut counts) = ((0, 0, 0), FileCounts::default());
    scenarios::in_new_space(&mut RealMachine, |machine| {
        let (faults, start) = (machine.faults(), clock::ticks());
        let other = done("address space created", machine.with(AddressSpace::create))?;
        let roots = machine.with(|memory| [memory.root(), other.root()]);
        let page = |side: usize, number| VirtAddr::new(STARTS[side] + number * PAGE_SIZE);
        for (side, root) in roots.into_iter().enumerate() {
            machine.with(|memory| memory.mmu.set_root(root));
            let base = VirtAddr::new(STARTS[side] - PAGE_SIZE);
            done("file mapped", machine.with(|memory| memory.map_file(base, file, View::Shared, true)))?;
            (side as u32..PAGES).step_by(2).for_each(|number| machine.write(page(side, number), number + 1));
        }
        for (side, root) in roots.into_iter().enumerate() {
            machine.with(|memory| memory.mmu.set_root(root));
            for number in 0..PAGES {
                demand("a word of the file", number + 1, machine.read(page(side, number)))?;
            }
        }
        done("file written back", machine.with(|memory| memory.sync(file)).map_err(drop))?;
        seen = (machine.faults() - faults, before - memory::free_frames(), clock::ticks() - start);
        machine.with(|memory| memory.mmu.set_root(roots[0]));
        done("other space destroyed", machine.with(|memory| other.destroy(memory)))
    })?;
    if let Some(file) = memory::with(|memory| memory.files.remove(file)) {
        counts = file.counts();
    }
    let (faults, taken, ticks) = seen;
    let after = memory::free_frames();
    let part = Part {
        name: "a file, seen by two spaces",
        faults: [faults, PAGES],
        taken: [taken, due],
        returned: [after + taken - before, due],
        free: [before, after],
        ticks,
    };
    part.close()?;
    println!("{}/{PAGES} pages read and {}/{PAGES} written, seen/due", counts.reads, counts.writes);
    demand("pages read", PAGES, counts.reads)?;
    demand("pages written", PAGES, counts.writes)
}
