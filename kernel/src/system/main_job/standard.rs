//! The coursework's standard runs, first touches, and many address spaces.

use super::part::Part;
use crate::addr::{Page, PageRange, VirtAddr};
use crate::arch::x86::clock;
use crate::scenarios::{self, Failure, Machine, Outcome, Value, demand};
use crate::system::console::println;
use crate::system::memory;
use crate::system::real_machine::RealMachine;

/// Does the two standard runs, and touches pages.
pub fn run() -> Outcome {
    standard_pages("2048 words from 4 MiB", 2048, 2)?;
    standard_pages("262144 words from 4 MiB", 262_144, 256)?;
    standard_pools()?;
    first_touches()
}

/// Writes and reads back `words` words in an address space without pools.
fn standard_pages(name: &'static str, words: u32, pages: u32) -> Outcome {
    let before = memory::free_frames();
    let mut filled = None;
    let mut ticks = 0;
    let mut free = 0;
    scenarios::in_new_space(&mut RealMachine, |machine| {
        let start = clock::ticks();
        filled = Some(scenarios::fill_pages(machine, VirtAddr::new(0x40_0000), words)?);
        ticks = clock::ticks() - start;
        free = memory::free_frames();
        Ok(())
    })?;
    let after = memory::free_frames();
    let filled = filled.ok_or(Failure::new("the run", Value::Words("ended"), Value::Words("did not")))?;
    // The directory was taken before the run and given back with the rest.
    let returned = after - free - 1;
    Part {
        name,
        faults: [filled.faults, pages],
        taken: [filled.taken, pages + 1],
        returned: [returned, pages + 1],
        free: [before, after],
        ticks,
    }
    .close()
}

/// Allocates, fills, checks and releases in a code pool and a heap pool of 256 MiB each.
fn standard_pools() -> Outcome {
    let before = memory::free_frames();
    scenarios::in_new_space(&mut RealMachine, |machine| {
        for (name, base) in [("code pool, 49 regions", 0x2000_0000), ("heap pool, 49 regions", 0x4000_0000)] {
            let base = VirtAddr::new(base);
            let registered = machine.with(|memory| memory.register_pool(base, 256 << 20).is_ok());
            demand("pool registered", true, registered)?;
            let free = memory::free_frames();
            let start = clock::ticks();
            let filled = scenarios::fill_regions(machine, base)?;
            let ticks = clock::ticks() - start;
            Part {
                name,
                faults: [filled.faults, 145],
                taken: [filled.taken, 145],
                returned: [filled.returned, 145],
                free: [free, memory::free_frames()],
                ticks,
            }
            .close()?;
        }
        Ok(())
    })?;
    let after = memory::free_frames();
    println!("both pools and their address space are gone: {after} frames free, as before");
    demand("free frames after the pools", before, after)
}

/// Touches 256 lazy pages once each: what a fault costs, and nothing else.
fn first_touches() -> Outcome {
    let before = memory::free_frames();
    let mut touched = (0, 0, 0, 0);
    scenarios::in_new_space(&mut RealMachine, |machine| {
        // The table is there already.
        machine.write(VirtAddr::new(0x40_0000), 0);
        let (faults, free, start) = (machine.faults(), memory::free_frames(), clock::ticks());
        for page in 1..=256 {
            machine.write(VirtAddr::new(0x40_0000 + 4096 * page), 0);
        }
        let ticks = clock::ticks() - start;
        let full = memory::free_frames();
        let pages = PageRange::new(Page::new(0x401), Page::new(0x501));
        machine.with(|memory| memory.unmap_pages(pages));
        touched = (machine.faults() - faults, free - full, memory::free_frames() - full, ticks);
        Ok(())
    })?;
    let (faults, taken, returned, ticks) = touched;
    Part {
        name: "first touches, 256 pages",
        faults: [faults, 256],
        taken: [taken, 256],
        returned: [returned, 256],
        free: [before, memory::free_frames()],
        ticks,
    }
    .close()
}

/// Has many address spaces of 3 GiB alive at once: a thousand, or as many as three quarters of the frames allow.
pub fn spaces() -> Outcome {
    let before = memory::free_frames();
    let count = (before / scenarios::MOST_FRAMES_A_SPACE / 4 * 3).min(1000);
    println!("\n{count} address spaces, each with a pool of 3 GiB\nand a touched page of its own at the same address:");
    let least = scenarios::many_spaces(&mut RealMachine, count)?;
    println!("  {} frames, {least} a space, the least: directory, page table, pool metadata, page", least * count);
    println!("  each held its own word; all are destroyed; {} frames free, as before", memory::free_frames());
    demand("free frames after the spaces", before, memory::free_frames())
}
