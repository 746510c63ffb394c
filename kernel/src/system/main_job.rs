//! The main job: the coursework's two standard runs, measured, and a tour of the recursive window.
//!
//! It prints what a person can follow and ends with PASS or FAIL; every figure is checked against what a correct system
//! shows.

use crate::addr::{Page, PageRange, VirtAddr};
use crate::arch::x86::{clock, kernel_pool};
use crate::boot_info::{BootInfo, pools};
use crate::memory_map::{HOLE, PROCESS_POOL_START};
use crate::paging::{CurrentTable, Entry, Mmu, MmuView, PageTable, Window};
use crate::scenarios::{self, Failure, Machine, Outcome, Value, demand};
use crate::system::console::println;
use crate::system::memory;
use crate::system::real_machine::RealMachine;

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
    standard_pages("2048 words from 4 MiB", 2048, 2)?;
    standard_pages("262144 words from 4 MiB", 262_144, 256)?;
    standard_pools()?;
    first_touches()?;
    spaces()?;
    tour()
}

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

fn heading(columns: [&str; 6]) {
    let [name, faults, taken, returned, free, ticks] = columns;
    println!("{name:29}{faults:^10}{taken:^10}{returned:^10}{free:^12}{ticks:>8}");
}

/// A line of the table.
struct Part {
    name: &'static str,
    faults: [u32; 2],
    taken: [u32; 2],
    returned: [u32; 2],
    free: [u32; 2],
    ticks: u64,
}

impl Part {
    /// Prints the line, and demands that what was seen is what was expected.
    fn close(self) -> Outcome {
        let Self { name, faults, taken, returned, free, ticks } = self;
        println!(
            "{name:29}{:4}/{:<5}{:4}/{:<5}{:4}/{:<5}{:6}{:6}{:8}",
            faults[0],
            faults[1],
            taken[0],
            taken[1],
            returned[0],
            returned[1],
            free[0],
            free[1],
            ticks / u64::from(faults[0].max(1)),
        );
        demand("faults", faults[1], faults[0])?;
        demand("frames taken", taken[1], taken[0])?;
        demand("frames given back", returned[1], returned[0])?;
        demand("free frames after", free[0], free[1])
    }
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
        name: "first touches only, 256 pages",
        faults: [faults, 256],
        taken: [taken, 256],
        returned: [returned, 256],
        free: [before, memory::free_frames()],
        ticks,
    }
    .close()
}

/// Has many address spaces of 3 GiB alive at once: a thousand, or as many as three quarters of the frames allow.
fn spaces() -> Outcome {
    let before = memory::free_frames();
    let count = (before / scenarios::MOST_FRAMES_A_SPACE / 4 * 3).min(1000);
    println!("\n{count} address spaces, each with a pool of 3 GiB\nand a touched page of its own at the same address:");
    let least = scenarios::many_spaces(&mut RealMachine, count)?;
    println!("  {} frames, {least} a space, the least: directory, page table, pool metadata, page", least * count);
    println!("  each held its own word; all are destroyed; {} frames free, as before", memory::free_frames());
    demand("free frames after the spaces", before, memory::free_frames())
}

/// Shows the recursive window at work, in an address space of its own.
fn tour() -> Outcome {
    println!("\nA tour of the window");
    scenarios::in_new_space(&mut RealMachine, |machine| {
        entry_1023(machine)?;
        lazy_page(machine)?;
        table_entry(machine)?;
        directory_entry(machine)
    })
}

fn entry_1023(machine: &mut RealMachine) -> Outcome {
    let last = VirtAddr::new(0xFFFF_FFFC);
    let (root, entry) = (machine.with(|memory| memory.root()), Entry::from_bits(machine.read(last)));
    println!("  the directory is at {:?}; its entry 1023, the word at\n  {last}, is {entry:?}", root.start());
    demand("entry 1023 leads to the directory", root.number(), entry.frame().map_or(0, |frame| frame.number()))
}

/// The two pages that the tour looks at, one table apart from everything else.
const HERE: Page = Page::new(0x5_0000);
const THERE: Page = Page::new(0x5_0001);
/// The first page of the next table.
const NEXT_TABLE: Page = Page::new(0x5_0400);

fn show(machine: &mut RealMachine, page: Page) -> Option<Entry> {
    let address = page.start();
    machine.with(|memory| {
        let directory = memory.pde(page);
        let entry = memory.pte(page);
        println!("    PDE of {address}, seen at {}: {directory:?}", PageTable::pde_address(address));
        match entry {
            Some(entry) => println!("    PTE of {address}, seen at {}: {entry:?}", PageTable::pte_address(address)),
            None => {
                println!("    PTE of {address}: no table, so nothing is seen at {}", PageTable::pte_address(address))
            }
        }
        entry
    })
}

fn lazy_page(machine: &mut RealMachine) -> Outcome {
    println!("  a lazy page before its first touch:");
    demand("a table before the touch", true, show(machine, HERE).is_none())?;
    machine.write(HERE.start(), 0xCAFE);
    println!("  and after writing to it:");
    demand("the page after the touch", true, show(machine, HERE).is_some_and(Entry::is_writable))
}

fn table_entry(machine: &mut RealMachine) -> Outcome {
    machine.write(THERE.start(), 0xD00D);
    // Two pages change places by two stores through the window.
    machine.with(|memory| {
        let slots = [HERE, THERE].map(|page| Window::Own.pte_slot(page));
        let entries = slots.map(|slot| memory.mmu.load(slot));
        memory.mmu.store(slots[0], entries[1]);
        memory.mmu.store(slots[1], entries[0]);
        [HERE, THERE].into_iter().for_each(|page| memory.mmu.flush(page));
    });
    let words = [HERE, THERE].map(|page| machine.read(page.start()));
    println!("  two page-table entries exchanged: the words are now {:#x} and {:#x}", words[0], words[1]);
    demand("word of the first page", 0xD00D, words[0])?;
    demand("word of the second page", 0xCAFE, words[1])
}

fn directory_entry(machine: &mut RealMachine) -> Outcome {
    // A whole table moves by 4 MiB by two stores through the window.
    machine.with(|memory| {
        let [from, to] = [HERE, NEXT_TABLE].map(|page| Window::Own.pde_slot(page));
        let entry = memory.mmu.load(from);
        memory.mmu.store(to, entry);
        memory.mmu.store(from, Entry::ABSENT);
        memory.mmu.flush_all();
    });
    let present = machine.with(|memory| memory.first_present(PageRange::new(HERE, NEXT_TABLE)).is_some());
    let word = machine.read(NEXT_TABLE.start());
    println!("  a directory entry moved: the word {word:#x} is now at {}, 4 MiB higher", NEXT_TABLE.start());
    demand("old place of the table", false, present)?;
    demand("word at the new place", 0xD00D, word)
}

/// Shows what the TLB remembers of an entry that was changed, in an address space of its own.
pub fn show_stale_translation() {
    let shown = scenarios::in_new_space(&mut RealMachine, |machine| {
        machine.write(HERE.start(), 0xCAFE);
        machine.write(THERE.start(), 0xD00D);
        println!("{} holds {:#x}, {} holds {:#x}", HERE.start(), 0xCAFE, THERE.start(), 0xD00D);
        let [here, there] = [HERE, THERE].map(|page| Window::Own.pte_slot(page));
        // This breaks the rule flush-inside, to show why there is one.
        let (own, other) = machine.with(|memory| {
            let entries = (memory.mmu.load(here), memory.mmu.load(there));
            memory.mmu.store(here, entries.1);
            entries
        });
        println!("its entry at {} is changed from {own:?} to {other:?}", here.address());
        let stale = machine.read(HERE.start());
        let word = if stale == 0xCAFE { "stale: the TLB remembers" } else { "this processor had forgotten it already" };
        println!("read without a flush: {stale:#x}, {word}");
        machine.with(|memory| memory.mmu.flush(HERE));
        let fresh = machine.read(HERE.start());
        println!("read after invlpg:    {fresh:#x}");
        // Back as it was, so that each frame is given back once.
        machine.with(|memory| {
            memory.mmu.store(here, own);
            memory.mmu.flush(HERE);
            for page in [HERE, THERE] {
                memory.unmap_page(page);
            }
        });
        demand("word after the flush", 0xD00D, fresh)
    });
    if let Err(failure) = shown {
        println!("failed: {failure}");
    }
}
