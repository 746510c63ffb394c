//! Pages of a file on a drive in memory, read at a touch, written back, and let go.

use super::samples::Samples;
use super::setup::done;
use crate::addr::{PAGE_SIZE, Page, VirtAddr};
use crate::arch::x86::floor;
use crate::paging::{File, MemoryDrive, Mmu, MmuView, View};
use crate::scenarios::{Machine, Outcome};
use crate::system::real_machine::RealMachine;
use crate::vm::AddressSpace;
use alloc::boxed::Box;

const PAGES: u32 = 64;

/// Where the file is seen.
const START: Page = Page::new(0x5_0000);

/// Touches each page of a file, privately and shared, lets them go, and writes them back one at a time.
pub fn measure(machine: &mut RealMachine) -> Outcome {
    let [mut private, mut shared, mut clean, mut sync] = [(); 4].map(|()| Samples::new(PAGES));
    let file = done("file made", File::new(Box::new(MemoryDrive::new(PAGES)), 0, PAGES * PAGE_SIZE, true))?;
    let file = machine.with(|memory| memory.files.add(file));
    let space = done("space created", machine.with(AddressSpace::create))?;
    let home = machine.with(|memory| {
        let home = memory.root();
        space.load(memory);
        home
    });
    let page = |number| Page::new(START.number() + number);
    for (view, samples) in [(View::Private, &mut private), (View::Shared, &mut shared)] {
        let base = VirtAddr::new(START.start().as_u32() - PAGE_SIZE);
        let pool = done("file mapped", machine.with(|memory| memory.map_file(base, file, view, true)))?;
        (0..PAGES).for_each(|number| samples.add(floor::touch(page(number))));
        if view == View::Private {
            // Touched means written to, so these are not clean.
            done("pool dropped", machine.with(|memory| memory.drop_pool(pool)))?;
        }
    }
    // One page at a time has changed.
    done("file written back", machine.with(|memory| memory.sync(file)))?;
    for number in 0..PAGES {
        floor::touch(page(number));
        let written = machine.with(|memory| sync.take(memory, |memory| memory.sync(file)));
        done("page written", written)?;
    }
    for number in 0..PAGES {
        let gone = machine.with(|memory| clean.take(memory, |memory| memory.evict(page(number))));
        done("page let go", gone.ok_or(()))?;
    }
    machine.with(|memory| memory.mmu.set_root(home));
    done("space destroyed", machine.with(|memory| space.destroy(memory)))?;
    done("file removed", machine.with(|memory| memory.files.remove(file)).ok_or(()))?;
    for (name, samples) in [
        ("file-in-private", private),
        ("file-in-shared", shared),
        ("file-sync-a-page", sync),
        ("file-clean-out", clean),
    ] {
        samples.report(name);
    }
    Ok(())
}
