//! Page tables: the recursive entry, the identity range, frames in and out of pages.

use super::machine::Machine;
use super::outcome::{Outcome, Scenario, demand, done};
use super::steps::{above, free_frames, make_read_only};
use crate::addr::{ENTRIES, Frame, Page, PageRange, VirtAddr};
use crate::frames::FrameSource;
use crate::memory_map::{IDENTITY, KERNEL_POOL, OTHER_WINDOW_ENTRY, PIXELS, PIXELS_TABLE, POOL_PAGES, RECURSIVE_ENTRY};
use crate::paging::{CurrentTable, Entry, MmuView, PageTable};
use crate::vm::{AddressSpace, Refusal};
use alloc::vec::Vec;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("recursive-entry", recursive_entry),
        ("window-addresses", window_addresses),
        ("identity-range", identity_range),
        ("tables-in-process-pool", tables_in_process_pool),
        ("new-space-is-empty", new_space_is_empty),
        ("fresh-page-is-zero", fresh_page_is_zero),
        ("backed-pages-are-the-kernels", backed_pages_are_the_kernels),
        ("recycled-tables-are-clean", recycled_tables_are_clean),
        ("free-page", free_page),
        ("free-page-keeps-the-rest", free_page_keeps_the_rest),
        ("freed-page-is-flushed", freed_page_is_flushed),
        ("last-page-gives-its-table-back", last_page_gives_its_table_back),
        ("read-only-page", read_only_page),
        ("out-of-frames", out_of_frames),
        ("window-of-an-absent-table", window_of_an_absent_table),
        ("every-page-up-to-the-windows", every_page_up_to_the_windows),
    ]
}

const START: VirtAddr = VirtAddr::new(0x40_0000);

fn recursive_entry<M: Machine>(machine: &mut M) -> Outcome {
    let (root, entry) = machine.with(|memory| {
        let last = memory.pde(PageRange::of_table(RECURSIVE_ENTRY).start);
        (memory.root(), last)
    });
    let bits = entry.bits() & !(Entry::ACCESSED | Entry::DIRTY);
    demand("entry 1023", Entry::writable(root).bits(), bits)?;
    // Read as memory, the last word of the address space is that entry too.
    let word = machine.read(VirtAddr::new(0xFFFF_FFFC)) & !(Entry::ACCESSED | Entry::DIRTY);
    demand("the word at 0xFFFF_FFFC", bits, word)
}

fn window_addresses<M: Machine>(_machine: &mut M) -> Outcome {
    for (address, pde, pte) in [
        (0, 0xFFFF_F000, 0xFFC0_0000),
        (0x0040_0000, 0xFFFF_F004, 0xFFC0_1000),
        (0x2000_0000, 0xFFFF_F200, 0xFFC8_0000),
        (0xFFBF_FFFF, 0xFFFF_FFF8, 0xFFFF_EFFC),
        (0xFFFF_FFFF, 0xFFFF_FFFC, 0xFFFF_FFFC),
    ] {
        let address = VirtAddr::new(address);
        demand("PDE address", pde, PageTable::pde_address(address).as_u32())?;
        demand("PTE address", pte, PageTable::pte_address(address).as_u32())?;
    }
    Ok(())
}

fn identity_range<M: Machine>(machine: &mut M) -> Outcome {
    let entries: Vec<_> = machine.with(|memory| IDENTITY.iter().map(|page| memory.pte(page)).collect());
    let table = machine.with(|memory| memory.pde(IDENTITY.start).frame());
    let draws_pixels = entries[PIXELS_TABLE.table_index() as usize].and_then(Entry::frame) == table;
    for (page, entry) in IDENTITY.iter().zip(entries) {
        let entry = done("table of the first 4 MiB", entry.ok_or(()))?;
        match entry.frame() {
            Some(_) if draws_pixels && (page == PIXELS || page == PIXELS_TABLE) => {}
            Some(frame) => demand("frame behind an identity page", page.number(), frame.number())?,
            // Page 0 and the guard page are left out on purpose; everything from the kernel pool on must be there.
            None => demand("absent page is below the kernel pool", true, page.number() < KERNEL_POOL.start.number())?,
        }
        if KERNEL_POOL.contains(Frame::new(page.number())) {
            demand("kernel pool page is writable", true, entry.is_writable())?;
        }
        demand("user bit", 0, entry.bits() & Entry::USER)?;
    }
    demand("null page is refused", Err(Refusal::FirstPages), machine.probe(VirtAddr::new(0), false))
}

fn tables_in_process_pool<M: Machine>(machine: &mut M) -> Outcome {
    machine.write(START, 1);
    let (root, table) = machine.with(|memory| {
        let table = memory.pde(Page::containing(START)).frame();
        (memory.root(), table)
    });
    let table = done("page table present", table.ok_or(()))?;
    demand("directory lies above the kernel pool", true, root >= KERNEL_POOL.end)?;
    demand("table lies above the kernel pool", true, table >= KERNEL_POOL.end)
}

fn new_space_is_empty<M: Machine>(machine: &mut M) -> Outcome {
    let present = machine.with(|memory| memory.first_present(POOL_PAGES).map_or(0, Page::number));
    demand("first present page above 4 MiB", 0, present)?;
    let note = machine.with(|memory| memory.note());
    demand("note", 0, note)
}

fn fresh_page_is_zero<M: Machine>(machine: &mut M) -> Outcome {
    for page in 0..64 {
        machine.write(above(START, 4096 * page), u32::MAX);
    }
    machine.with(|memory| memory.unmap_pages(PageRange::new(Page::new(0x400), Page::new(0x440))));
    for page in 0..64 {
        for word in [0, 1, 512, 1023] {
            demand("word of a fresh page", 0, machine.read(above(START, 4096 * page + 4 * word)))?;
        }
    }
    Ok(())
}

fn backed_pages_are_the_kernels<M: Machine>(machine: &mut M) -> Outcome {
    machine.write(START, 1);
    let page = Page::containing(START);
    let (table, entry) = machine.with(|memory| (memory.pde(page), memory.pte(page).unwrap_or_default()));
    for entry in [table, entry] {
        demand("present and writable", true, entry.is_writable())?;
        demand("user bit", 0, entry.bits() & Entry::USER)?;
    }
    Ok(())
}

fn recycled_tables_are_clean<M: Machine>(machine: &mut M) -> Outcome {
    // Fill frames with what looks like present entries, give them back, and have them used again as page tables.
    for page in 0..32 {
        for word in 0..ENTRIES {
            machine.write(above(START, 4096 * page + 4 * word), 0x0010_0003);
        }
    }
    machine.with(|memory| memory.unmap_pages(PageRange::new(Page::new(0x400), Page::new(0x420))));
    for table in 8..24 {
        let pages = PageRange::of_table(table);
        machine.write(pages.start.start(), table);
        let others = PageRange::new(Page::new(pages.start.number() + 1), pages.end);
        let present = machine.with(|memory| memory.first_present(others).map_or(0, Page::number));
        demand("page that a recycled table makes present", 0, present)?;
    }
    Ok(())
}

fn free_page<M: Machine>(machine: &mut M) -> Outcome {
    let page = Page::containing(START);
    let before = free_frames(machine);
    let free = |machine: &mut M, page| machine.with(|memory| memory.unmap_page(page).is_some());
    demand("freed without a table", false, free(machine, page))?;
    machine.write(START, 7);
    demand("freed an absent page", false, free(machine, Page::new(page.number() + 1)))?;
    demand("freed a present page", true, free(machine, page))?;
    demand("freed twice", false, free(machine, page))?;
    demand("freed an identity page", false, free(machine, Page::new(512)))?;
    demand("freed a window page", false, free(machine, Page::new(0xF_FFFF)))?;
    demand("free frames", before, free_frames(machine))?;
    let faults = machine.faults();
    demand("word after the page came back", 0, machine.read(START))?;
    demand("faults for it", 1, machine.faults() - faults)
}

fn free_page_keeps_the_rest<M: Machine>(machine: &mut M) -> Outcome {
    for page in 0..3 {
        machine.write(above(START, 4096 * page), page + 1);
    }
    machine.with(|memory| memory.unmap_page(Page::new(0x401)));
    demand("page below", 1, machine.read(START))?;
    demand("page above", 3, machine.read(above(START, 0x2000)))
}

fn freed_page_is_flushed<M: Machine>(machine: &mut M) -> Outcome {
    // A page that stays, so that the table does: with a new table, all would be flushed.
    machine.write(above(START, 0x3F_F000), 1);
    // Singly, and so many at once that the whole TLB goes.
    for pages in [1, 5, 100] {
        for page in 0..pages {
            machine.write(above(START, 4096 * page), 0xAAAA);
        }
        let range = PageRange::new(Page::new(0x400), Page::new(0x400 + pages));
        machine.with(|memory| memory.unmap_pages(range));
        let faults = machine.faults();
        for page in 0..pages {
            demand("word of a page freed and touched again", 0, machine.read(above(START, 4096 * page)))?;
        }
        demand("faults for the pages touched again", pages, machine.faults() - faults)?;
        machine.with(|memory| memory.unmap_pages(range));
    }
    Ok(())
}

fn last_page_gives_its_table_back<M: Machine>(machine: &mut M) -> Outcome {
    let before = free_frames(machine);
    machine.write(START, 1);
    machine.write(above(START, 0x3F_F000), 2);
    demand("two pages and a table", 3, before - free_frames(machine))?;
    machine.with(|memory| memory.unmap_page(Page::new(0x400)));
    demand("the table stays for the other page", 2, before - free_frames(machine))?;
    machine.with(|memory| memory.unmap_page(Page::new(0x7FF)));
    demand("the table goes with its last page", 0, before - free_frames(machine))?;
    let seen = PageTable::pte_address(START);
    demand("the window where the table was seen", Err(Refusal::Window), machine.probe(seen, false))?;
    // A table that was there before, elsewhere: its window page must show the new one, not the old.
    machine.write(above(START, 0x1000), 3);
    demand("word in a table made anew", 3, machine.read(above(START, 0x1000)))?;
    let entry = machine.with(|memory| memory.pte(Page::new(0x400)).map_or(1, Entry::bits));
    demand("entry of the page that was freed", 0, entry)
}

fn read_only_page<M: Machine>(machine: &mut M) -> Outcome {
    machine.write(START, 5);
    make_read_only(machine, START);
    let before = free_frames(machine);
    demand("write to a read-only page", Err(Refusal::Protection), machine.probe(START, true))?;
    demand("read of a read-only page", Ok(()), machine.probe(START, false))?;
    demand("its word", 5, machine.read(START))?;
    demand("free frames", before, free_frames(machine))
}

fn out_of_frames<M: Machine>(machine: &mut M) -> Outcome {
    let mut taken: Vec<Frame> = Vec::new();
    let give =
        |machine: &mut M, frame| done("frame given back", machine.with(|memory| memory.frames.release_frame(frame)));
    while let Some(frame) = machine.with(|memory| memory.frames.get_frame()) {
        taken.push(frame);
    }
    demand("fault without frames", Err(Refusal::OutOfFrames), machine.probe(START, true))?;
    let one = done("a frame", taken.pop().ok_or(()))?;
    give(machine, one)?;
    demand(
        "fault with a frame for the page but none for its table",
        Err(Refusal::OutOfFrames),
        machine.probe(START, true),
    )?;
    demand("free frames", 1, free_frames(machine))?;
    let present = machine.with(|memory| memory.pde(Page::containing(START)).is_present());
    demand("table present", false, present)?;
    let two = done("a frame", taken.pop().ok_or(()))?;
    give(machine, two)?;
    demand("fault with two frames", Ok(()), machine.probe(START, true))?;
    let failed = machine.with(|memory| AddressSpace::create(memory).is_err());
    demand("create without frames fails", true, failed)?;
    taken.into_iter().try_for_each(|frame| give(machine, frame))
}

fn window_of_an_absent_table<M: Machine>(machine: &mut M) -> Outcome {
    let before = free_frames(machine);
    for address in [PageTable::pte_address(START), VirtAddr::new(0xFFC8_0000), VirtAddr::new(0xFF80_0000)] {
        demand("read in a window without a table", Err(Refusal::Window), machine.probe(address, false))?;
        demand("write in a window without a table", Err(Refusal::Window), machine.probe(address, true))?;
    }
    demand("free frames", before, free_frames(machine))
}

fn every_page_up_to_the_windows<M: Machine>(machine: &mut M) -> Outcome {
    for page in [POOL_PAGES.start.number(), 0x2_0000, 0x8_0000, POOL_PAGES.end.number() - 1] {
        let last_word = above(Page::new(page).start(), 4092);
        machine.write(last_word, page);
        demand("last word of a page", page, machine.read(last_word))?;
    }
    // Entry 1022 is the window's, whatever the pages below it hold.
    let closed = machine.with(|memory| memory.pde(PageRange::of_table(OTHER_WINDOW_ENTRY).start).is_present());
    demand("second window open", false, closed)
}
