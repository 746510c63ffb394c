//! Page tables by themselves: made, loaded, changed and destroyed by their own functions. Nothing here faults, so these run
//! before there is an answer to a fault, or an address space.

use super::machine::Machine;
use super::outcome::{Failure, Outcome, Scenario, demand, done};
use super::steps::{above, free_frames};
use crate::addr::{ENTRIES, Frame, Page, PageRange, VirtAddr};
use crate::frames::FrameSource;
use crate::memory_map::{OTHER_WINDOW_ENTRY, POOL_PAGES, RECURSIVE_ENTRY};
use crate::paging::{CurrentTable, DestroyError, Entry, Memory, Mmu, MmuView, OutOfFrames, PageTable};
use alloc::vec::Vec;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("a-table-of-its-own", a_table_of_its_own),
        ("backed-and-unmapped", backed_and_unmapped),
        ("unmapped-and-flushed", unmapped_and_flushed),
        ("unmapped-together", unmapped_together),
        ("tables-of-recycled-frames", tables_of_recycled_frames),
        ("destroyed-with-all-its-pages", destroyed_with_all_its_pages),
        ("tables-run-out", tables_run_out),
    ]
}

/// Runs `scenario` under the first page table, and demands that this is the current one again at its end, and that
/// everything was given back.
///
/// # Errors
///
/// The first demand that wasn't met.
pub fn run_without_faults<M: Machine>(machine: &mut M, scenario: fn(&mut M) -> Outcome) -> Outcome {
    let (before, home, faults) = (free_frames(machine), root(machine), machine.faults());
    let outcome = scenario(machine);
    machine.with(|memory| memory.mmu.set_root(home));
    outcome?;
    demand("faults", 0, machine.faults() - faults)?;
    demand("free frames after the scenario", before, free_frames(machine))
}

const START: VirtAddr = VirtAddr::new(0x40_0000);

fn root<M: Machine>(machine: &mut M) -> Frame {
    machine.with(|memory| memory.root())
}

/// Returns the page of which this is the number, counted from the one at 4 MiB.
fn page(number: u32) -> Page {
    Page::new(Page::containing(START).number() + number)
}

#[track_caller]
fn create<M: Machine>(machine: &mut M) -> Result<PageTable, Failure> {
    done("page table made", machine.with(PageTable::create))
}

/// Makes a page table and loads it.
#[track_caller]
fn load_new<M: Machine>(machine: &mut M) -> Result<PageTable, Failure> {
    let table = create(machine)?;
    machine.with(|memory| table.load(&mut memory.mmu));
    Ok(table)
}

/// Takes the current page table apart, page by page and then its directory, and goes back to `home`.
#[track_caller]
fn leave<M: Machine>(machine: &mut M, home: Frame) -> Outcome {
    let root = machine.with(|memory| {
        memory.unmap_pages(POOL_PAGES);
        let root = memory.root();
        memory.mmu.set_root(home);
        root
    });
    done("directory given back", machine.with(|memory| memory.frames.release_frame(root)))
}

/// Goes back to `home` and destroys `table`.
#[track_caller]
fn destroy<M: Machine>(machine: &mut M, home: Frame, table: PageTable) -> Outcome {
    machine.with(|memory| memory.mmu.set_root(home));
    done("page table destroyed", machine.with(|memory| table.destroy(memory).map_err(|DestroyError(_)| ())))
}

#[track_caller]
fn back<M: Machine>(machine: &mut M, page: Page) -> Outcome {
    done("page backed", machine.with(|memory| memory.back(page))).map(|_| ())
}

fn first_present<M: Machine>(machine: &mut M, pages: PageRange) -> u32 {
    machine.with(|memory| memory.first_present(pages).map_or(0, Page::number))
}

fn a_table_of_its_own<M: Machine>(machine: &mut M) -> Outcome {
    let (home, before) = (root(machine), free_frames(machine));
    let entry = |machine: &mut M, index| machine.with(|memory| memory.pde(PageRange::of_table(index).start).bits());
    let identity = entry(machine, 0) & !(Entry::ACCESSED | Entry::DIRTY);
    let table = load_new(machine)?;
    demand("frames of a new page table: its directory", 1, before - free_frames(machine))?;
    demand("the directory that is in use", table.root().number(), root(machine).number())?;
    let entry = |machine: &mut M, index| entry(machine, index) & !(Entry::ACCESSED | Entry::DIRTY);
    demand("entry 1023", Entry::writable(table.root()).bits(), entry(machine, RECURSIVE_ENTRY))?;
    demand("entry 0, which all tables share", identity, entry(machine, 0))?;
    demand("entry 1022", 0, entry(machine, OTHER_WINDOW_ENTRY))?;
    demand("first present page above 4 MiB", 0, first_present(machine, POOL_PAGES))?;
    leave(machine, home)
}

fn backed_and_unmapped<M: Machine>(machine: &mut M) -> Outcome {
    let home = root(machine);
    load_new(machine)?;
    let before = free_frames(machine);
    back(machine, page(0))?;
    demand("frames of a page and its table", 2, before - free_frames(machine))?;
    for word in [0, 1, 1023] {
        demand("word of a page that got a frame", 0, machine.read(above(START, 4 * word)))?;
        machine.write(above(START, 4 * word), word + 7);
    }
    back(machine, page(1))?;
    demand("frames of another page of that table", 3, before - free_frames(machine))?;
    let entries = machine.with(|memory| [memory.pde(page(0)), memory.pte(page(0)).unwrap_or_default()]);
    for entry in entries {
        demand("present and writable", true, entry.is_writable())?;
        demand("user bit", 0, entry.bits() & Entry::USER)?;
    }
    let unmap = |machine: &mut M, page| machine.with(|memory| memory.unmap_page(page).map_or(0, Frame::number));
    let frame = entries[1].frame().map_or(0, Frame::number);
    demand("frame that was behind a page", frame, unmap(machine, page(0)))?;
    let entry = machine.with(|memory| memory.pte(page(0)).unwrap_or_default().bits());
    demand("entry of an unmapped page", 0, entry)?;
    demand("page unmapped twice", 0, unmap(machine, page(0)))?;
    demand("frames while a page of the table is left", 2, before - free_frames(machine))?;
    demand("last page unmapped", true, unmap(machine, page(1)) != 0)?;
    demand("frames when the table's last page is gone", 0, before - free_frames(machine))?;
    for (what, page) in [("page of an absent table", 0x2_0000), ("identity page", 512), ("window page", 0xF_FFFF)] {
        demand(what, 0, unmap(machine, Page::new(page)))?;
    }
    leave(machine, home)
}

fn unmapped_and_flushed<M: Machine>(machine: &mut M) -> Outcome {
    let home = root(machine);
    load_new(machine)?;
    // A page that stays, so that the table does: with a new table, all would be flushed.
    back(machine, page(1023))?;
    for count in [1, 5, 100] {
        let [pages, others] = [0, 128].map(|first| PageRange::new(page(first), page(first + count)));
        back_and_write(machine, pages, 0xAAAA)?;
        demand("pages unmapped", count, machine.with(|memory| memory.unmap_pages(pages)))?;
        // Their frames go to other pages, so they get others themselves.
        back_and_write(machine, others, 0xBBBB)?;
        back_and_write(machine, pages, 0xCCCC)?;
        for page in others.iter() {
            demand("word of a page whose frame was another page's", 0xBBBB, machine.read(page.start()))?;
        }
        machine.with(|memory| memory.unmap_pages(pages));
        machine.with(|memory| memory.unmap_pages(others));
    }
    leave(machine, home)
}

/// Backs `pages` and writes `word` to each.
#[track_caller]
fn back_and_write<M: Machine>(machine: &mut M, pages: PageRange, word: u32) -> Outcome {
    for page in pages.iter() {
        back(machine, page)?;
        machine.write(page.start(), word);
    }
    Ok(())
}

fn unmapped_together<M: Machine>(machine: &mut M) -> Outcome {
    let home = root(machine);
    load_new(machine)?;
    let before = free_frames(machine);
    // In three tables: the second has no page that stays.
    for number in [0, 3, 1020, 1030, 2047, 2048, 3000] {
        back(machine, page(number))?;
        machine.write(page(number).start(), number);
    }
    let pages = PageRange::new(page(1), page(2049));
    demand("first present page", page(3).number(), first_present(machine, pages))?;
    demand("pages unmapped", 5, machine.with(|memory| memory.unmap_pages(pages)))?;
    demand("present pages among them", 0, first_present(machine, pages))?;
    demand("two pages and two tables are left", 4, before - free_frames(machine))?;
    demand("word below them", 0, machine.read(page(0).start()))?;
    demand("word above them", 3000, machine.read(page(3000).start()))?;
    leave(machine, home)
}

fn tables_of_recycled_frames<M: Machine>(machine: &mut M) -> Outcome {
    let home = root(machine);
    load_new(machine)?;
    // Frames full of what looks like present entries, used again as page tables and pages.
    for number in 0..16 {
        back(machine, page(number))?;
        for word in 0..ENTRIES {
            machine.write(above(page(number).start(), 4 * word), 0x0010_0003);
        }
    }
    machine.with(|memory| memory.unmap_pages(PageRange::new(page(0), page(16))));
    for index in 8..20 {
        let pages = PageRange::of_table(index);
        back(machine, pages.start)?;
        let others = PageRange::new(Page::new(pages.start.number() + 1), pages.end);
        demand("page that a recycled table makes present", 0, first_present(machine, others))?;
        demand("word of a page with a recycled frame", 0, machine.read(pages.start.start()))?;
    }
    leave(machine, home)
}

fn destroyed_with_all_its_pages<M: Machine>(machine: &mut M) -> Outcome {
    let (home, before) = (root(machine), free_frames(machine));
    let [low, high] = [load_new(machine)?, create(machine)?];
    for table in [&low, &high] {
        machine.with(|memory| table.load(&mut memory.mmu));
        for number in [0, 1, 1023, 1024, 0x8_0000] {
            back(machine, page(number))?;
            machine.write(page(number).start(), table.root().number() + number);
        }
    }
    demand("directories, pages and tables", 2 * (1 + 5 + 3), before - free_frames(machine))?;
    // From inside the one, the other goes.
    done("page table destroyed", machine.with(|memory| low.destroy(memory).map_err(|DestroyError(_)| ())))?;
    demand("what the other has", 1 + 5 + 3, before - free_frames(machine))?;
    for number in [0, 1, 1023, 1024, 0x8_0000] {
        demand("word in the other", high.root().number() + number, machine.read(page(number).start()))?;
    }
    let Err(DestroyError(high)) = machine.with(|memory| high.destroy(memory)) else {
        return demand("a page table in use is destroyed", false, true);
    };
    destroy(machine, home, high)
}

fn tables_run_out<M: Machine>(machine: &mut M) -> Outcome {
    let home = root(machine);
    load_new(machine)?;
    let mut kept: Vec<Frame> = Vec::with_capacity(free_frames(machine) as usize);
    while let Some(frame) = machine.with(|memory| memory.frames.get_frame()) {
        kept.push(frame);
    }
    let fails = |memory: &mut Memory<_, _>| memory.back(page(0)) == Err(OutOfFrames);
    demand("a page table without frames fails", true, machine.with(|memory| PageTable::create(memory).is_err()))?;
    demand("a page without frames fails", true, machine.with(fails))?;
    give_back(machine, kept.pop().into_iter().collect())?;
    demand("a page with a frame, and none for its table, fails", true, machine.with(fails))?;
    demand("free frames after it failed", 1, free_frames(machine))?;
    demand("table present after it failed", false, machine.with(|memory| memory.pde(page(0)).is_present()))?;
    give_back(machine, kept.pop().into_iter().collect())?;
    back(machine, page(0))?;
    demand("free frames when it is backed", 0, free_frames(machine))?;
    give_back(machine, kept)?;
    leave(machine, home)
}

#[track_caller]
fn give_back<M: Machine>(machine: &mut M, frames: Vec<Frame>) -> Outcome {
    let mut failed = 0;
    for frame in frames {
        failed += u32::from(machine.with(|memory| memory.frames.release_frame(frame)).is_err());
    }
    demand("frames that could not be given back", 0, failed)
}
