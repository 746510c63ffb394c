//! The parts in their order.

use super::part::heading;
use super::{clone, file, programs, standard, swap, tour};
use crate::arch::x86::kernel_pool;
use crate::boot_info::{BootInfo, pools};
use crate::memory_map::{HOLE, PROCESS_POOL_START};
use crate::paging::MmuView;
use crate::scenarios::{Outcome, demand};
use crate::system::console::println;
use crate::system::memory;

/// Runs the main job and says whether everything was as expected.
pub fn run(boot_info: &BootInfo) -> bool {
    match parts(boot_info) {
        Ok(()) => {
            println!("\nPASS: every figure is as expected");
            true
        }
        Err(failure) => {
            println!("\nFAIL: {failure}");
            false
        }
    }
}

fn parts(boot_info: &BootInfo) -> Outcome {
    show_pools(boot_info)?;
    println!();
    // A line fits on the screen.
    heading(["", "faults", "taken", "returned", "free", "ticks"]);
    heading(["", "seen/due", "seen/due", "seen/due", "before after", "a fault"]);
    if memory::free_frames() < LEAST_FRAMES {
        println!("the standard runs, the spaces and the tour are left out: they take {LEAST_FRAMES} frames");
        clone::run()?;
        file::run()?;
        swap::run()?;
        return programs::run();
    }
    standard::run()?;
    clone::run()?;
    file::run()?;
    swap::run()?;
    standard::spaces()?;
    tour::run()?;
    programs::run()
}

/// The frames that the standard runs and what comes with them take at most, rounded up.
const LEAST_FRAMES: u32 = 400;

/// Shows the frame pools, and demands that the process pool has what the memory map promises.
fn show_pools(boot_info: &BootInfo) -> Outcome {
    let promised = pools::process_frames(boot_info.available());
    let (range, free, root) =
        memory::with(|memory| (memory.frames.range(), memory.frames.free_frames(), memory.root()));
    let kernel_free = kernel_pool::with(|pool| pool.free_frames());
    // The first page table: its directory and the table of the first 4 MiB.
    let used = 2;
    println!("kernel pool:  frames 512..1024, {kernel_free} free; the rest is bookkeeping and heap");
    println!(
        "process pool: frames {}..{}, {} usable without {}..{};\n              {used} used by the first page table, {free} free",
        range.start.number(),
        range.end.number(),
        free + used,
        HOLE.start.number(),
        HOLE.end.number(),
    );
    demand("usable frames of the process pool", promised, free + used)?;
    demand("directory lies in the process pool", true, root >= PROCESS_POOL_START)
}
