//! Steps that many scenarios have in common.

use super::machine::Machine;
use super::outcome::{Failure, Outcome, demand, done};
use crate::addr::{Page, PageRange, VirtAddr};
use crate::frames::FrameSource;
use crate::memory_map::POOL_PAGES;
use crate::paging::{CurrentTable, Entry, Mmu, MmuView, Window};
use crate::vm::{AddressSpace, CurrentSpace, VmPool};

/// Makes an address space, does `work` in it, takes it apart, and returns to the one before.
///
/// It goes as it came, page by page and then its directory: `destroy` is a test's own matter, and in a course comes later.
///
/// # Errors
///
/// The first demand of `work` that wasn't met, or one of these steps that failed.
pub fn in_new_space<M: Machine>(machine: &mut M, work: impl FnOnce(&mut M) -> Outcome) -> Outcome {
    let space = done("address space created", machine.with(AddressSpace::create))?;
    let home = machine.with(|memory| {
        let home = memory.root();
        space.load(memory);
        home
    });
    let outcome = work(machine);
    let sound = machine.with(|memory| {
        let sound = memory.check_pools();
        if sound && outcome.is_ok() {
            memory.unmap_pages(POOL_PAGES);
        }
        memory.mmu.set_root(home);
        sound
    });
    outcome?;
    demand("the address space's metadata agrees", true, sound)?;
    done("directory given back", machine.with(|memory| memory.frames.release_frame(space.root())))
}

#[inline(never)]
pub(crate) fn free_frames<M: Machine>(machine: &mut M) -> u32 {
    machine.with(|memory| memory.frames.free_frames())
}

/// How many pages a new pool may keep for itself, at its start.
pub(super) const MOST_OWN_PAGES: u32 = 2;

/// Returns how many pages `pool`, of which nothing is touched yet, keeps for itself: those at its start that are backed.
///
/// # Errors
///
/// If it keeps none, or more than a pool may.
#[track_caller]
#[inline(never)]
pub(super) fn own_pages<M: Machine>(machine: &mut M, pool: &VmPool) -> Result<u32, Failure> {
    let pages = PageRange::new(pool.base(), Page::new(pool.base().number() + MOST_OWN_PAGES + 1));
    let is_backed = |machine: &mut M, page| machine.with(|memory| memory.pte(page).is_some_and(Entry::is_present));
    let own = pages.iter().take_while(|page| is_backed(machine, *page)).count() as u32;
    demand("a new pool's own pages are one or two", true, (1..=MOST_OWN_PAGES).contains(&own))?;
    Ok(own)
}

/// Takes the right to write to the page at `address`, which is present, away by hand: no write gives it back.
#[inline(never)]
pub(super) fn make_read_only<M: Machine>(machine: &mut M, address: VirtAddr) {
    machine.with(|memory| {
        let page = Page::containing(address);
        let slot = Window::Own.pte_slot(page);
        let entry = memory.load(slot).without(Entry::WRITABLE | Entry::SHARED);
        memory.mmu.store(slot, entry);
        memory.mmu.flush(page);
    });
}

/// Returns the address `bytes` above `address`.
pub(crate) fn above(address: VirtAddr, bytes: u32) -> VirtAddr {
    VirtAddr::new(address.as_u32() + bytes)
}
