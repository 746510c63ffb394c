//! A tour of the recursive window, and of what the TLB remembers.

use crate::addr::{Page, PageRange, VirtAddr};
use crate::paging::{CurrentTable, Entry, Mmu, MmuView, PageTable, Window};
use crate::scenarios::{self, Machine, Outcome, demand};
use crate::system::console::println;
use crate::system::real_machine::RealMachine;

/// Shows the recursive window at work, in an address space of its own.
pub fn run() -> Outcome {
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
        // This breaks the rule flush-inside, to show why there is one. A TLB is small, and forgets what isn't used: so the page is
        // read right before its entry changes, and right after.
        let (own, other, stale) = machine.with(|memory| {
            let (own, other) = (memory.mmu.load(here), memory.mmu.load(there));
            memory.read(HERE.start());
            memory.mmu.store(here, other);
            (own, other, memory.read(HERE.start()))
        });
        println!("its entry at {} is changed from {own:?} to {other:?}", here.address());
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
