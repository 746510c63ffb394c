//! Three times as many pages as there are frames, on a drive.

use super::part::Part;
use crate::addr::{ENTRIES, PAGE_SIZE, Page, VirtAddr};
use crate::arch::x86::clock;
use crate::paging::{CurrentTable, SwapCounts};
use crate::scenarios::{self, Machine, Outcome, SecondChance, demand, done};
use crate::system::console::println;
use crate::system::memory;
use crate::system::real_machine::RealMachine;

const START: VirtAddr = VirtAddr::new(0x4000_0000);

/// Fills the pages, each with a word of its own, and reads them back, the last one first. Without a drive it does nothing.
pub fn run() -> Outcome {
    let before = memory::free_frames();
    let pages = 3 * before;
    let Some(slots) = memory::with(|memory| memory.swap.as_ref().map(|swap| swap.free_slots())) else {
        return Ok(());
    };
    // What has no frame is there; beside it one slot is kept, and the tables take frames, too.
    let needed = pages - before + pages.div_ceil(ENTRIES) + 2;
    if slots < needed {
        println!("the drive has {slots} free slots; three times memory, {pages} pages, takes {needed}");
        return Ok(());
    }
    let (mut model, mut seen, mut counts) = (None, (0, 0, 0), [SwapCounts::default(); 2]);
    scenarios::in_new_space(&mut RealMachine, |machine| {
        let (faults, start) = (machine.faults(), clock::ticks());
        counts[0] = swap_counts();
        let model = model.insert(tables_first(machine, pages));
        for number in 0..pages {
            machine.write(page(number), !number);
            model.touch(number);
        }
        for number in (0..pages).rev() {
            demand("a page's own word", !number, machine.read(page(number)))?;
            model.touch(number);
        }
        seen = (machine.faults() - faults, before - memory::free_frames(), clock::ticks() - start);
        counts[1] = swap_counts();
        Ok(())
    })?;
    let model = done("the run has ended", model.ok_or(()))?;
    let ((faults, taken, ticks), after) = (seen, memory::free_frames());
    Part {
        name: "three times memory",
        faults: [faults, model.faults],
        taken: [taken, before],
        returned: [after + taken - before, before],
        free: [before, after],
        ticks,
    }
    .close()?;
    let (sent, fetched) = (counts[1].writes - counts[0].writes, counts[1].reads - counts[0].reads);
    let (due_sent, due_fetched) = (model.sent, model.fetched);
    println!("{pages} pages: {sent}/{due_sent} to the drive and {fetched}/{due_fetched} back, seen/due");
    demand("pages to the drive", due_sent, sent)?;
    demand("pages from the drive", due_fetched, fetched)?;
    let left = memory::with(|memory| memory.swap.as_ref().map_or(0, |swap| swap.free_slots()));
    demand("free slots after", slots, left)
}

/// Touches a page of each table, so that the tables have frames in the order of their pages, and returns the model of what comes
/// then.
fn tables_first(machine: &mut RealMachine, pages: u32) -> SecondChance {
    let free = memory::free_frames();
    let firsts = || (0..pages).step_by(ENTRIES as usize);
    firsts().for_each(|number| machine.write(page(number), 0));
    let hand = machine.with(|memory| {
        let (table, index) = memory.hand;
        let is_next =
            |first: &u32| memory.pde(Page::containing(page(*first))).frame().is_some_and(|frame| frame >= table);
        let first = firsts().find(is_next)?;
        let is_same = memory.pde(Page::containing(page(first))).frame() == Some(table);
        Some(first + if is_same { index } else { 0 })
    });
    let mut model = SecondChance::new(pages, free - firsts().count() as u32, hand.unwrap_or(0));
    firsts().for_each(|number| model.touch(number));
    model
}

fn page(number: u32) -> VirtAddr {
    VirtAddr::new(START.as_u32() + number * PAGE_SIZE)
}

fn swap_counts() -> SwapCounts {
    memory::with(|memory| memory.swap.as_ref().map(|swap| swap.counts()).unwrap_or_default())
}
