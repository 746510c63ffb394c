//! A pool's metadata pages: their number follows that of its regions, and no region gets them.

use super::machine::Machine;
use super::outcome::{Outcome, Scenario, demand};
use super::pools::{HEAP, allocate, legitimate, register, release};
use super::random::Random;
use super::steps::{above, free_frames};
use crate::addr::Page;
use crate::paging::CurrentTable;
use crate::vm::{AllocateError, ReleaseError};
use alloc::vec::Vec;

pub(super) fn all<M: Machine>() -> [Scenario<M>; 4] {
    [
        ("metadata-grows-and-shrinks", metadata_grows_and_shrinks),
        ("release-of-a-metadata-page", release_of_a_metadata_page),
        ("unused-metadata-page-goes", unused_metadata_page_goes),
        ("no-room-after-all", no_room_after_all),
    ]
}

/// Regions whose nodes fit into the first page of a pool.
const IN_FIRST_PAGE: u32 = 125;

fn metadata_grows_and_shrinks<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 256 << 20)?;
    let before = free_frames(machine);
    let mut regions = Vec::new();
    for _ in 0..2000 {
        regions.push(allocate(machine, &mut pool, 4096)?);
    }
    // 125 nodes in the first page and 126 in each further one.
    let pages = (2000_u32 - 125).div_ceil(126);
    demand("metadata pages and further tables", pages + 1, before - free_frames(machine))?;
    let own = machine.with(|memory| {
        let metadata = Page::new(HEAP.as_u32() / 4096 + 126);
        let refused = pool.release(memory, metadata.start()).is_err();
        refused && memory.free_page(metadata).is_none() && memory.pte(metadata).is_some()
    });
    demand("a metadata page can be neither released nor freed", true, own)?;
    Random::new(7).shuffle(&mut regions);
    for region in regions {
        release(machine, &mut pool, region)?;
    }
    demand("frames when all regions are gone", before, free_frames(machine))
}

fn release_of_a_metadata_page<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 4 << 20)?;
    // More regions than one metadata page holds, so that the pool puts another one among them.
    let mut regions = Vec::new();
    for _ in 0..200 {
        regions.push(allocate(machine, &mut pool, 1)?);
    }
    let own = (1..1024).map(|page| above(HEAP, 4096 * page)).find(|page| {
        !regions.contains(page)
            && machine.with(|memory| memory.pte(Page::containing(*page)).is_some_and(|entry| entry.is_present()))
    });
    // A pool may find another place for what one page cannot hold.
    let Some(own) = own else { return Ok(()) };
    let before = free_frames(machine);
    demand("metadata page is legitimate", false, legitimate(machine, &pool, own))?;
    let refused = machine.with(|memory| pool.release(memory, own).err());
    demand("metadata page", true, refused == Some(ReleaseError::Metadata(own)))?;
    let freed = machine.with(|memory| memory.free_page(Page::containing(own)));
    demand("metadata page freed", true, freed.is_none())?;
    demand("free frames", before, free_frames(machine))?;
    regions.into_iter().try_for_each(|region| release(machine, &mut pool, region).map(|_| ()))
}

fn unused_metadata_page_goes<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 1 << 20)?;
    let mut regions = Vec::new();
    for _ in 0..IN_FIRST_PAGE {
        regions.push(allocate(machine, &mut pool, 1)?);
    }
    let before = free_frames(machine);
    let one_more = allocate(machine, &mut pool, 1)?;
    release(machine, &mut pool, one_more)?;
    demand("the page stays while it is the only one with room", before - 1, free_frames(machine))?;
    release(machine, &mut pool, regions[7])?;
    demand("the page goes when another has room", before, free_frames(machine))
}

fn no_room_after_all<M: Machine>(machine: &mut M) -> Outcome {
    // Its metadata page, 125 regions, and three pages left: enough, were it not for the page that the next node needs.
    let mut pool = register(machine, HEAP, (1 + IN_FIRST_PAGE + 3) * 4096)?;
    for _ in 0..IN_FIRST_PAGE {
        allocate(machine, &mut pool, 1)?;
    }
    let before = free_frames(machine);
    let refusal = machine.with(|memory| pool.allocate(memory, 3 * 4096).err());
    demand("refused", true, refusal == Some(AllocateError::NoRoom(3)))?;
    demand("free frames after the refusal", before, free_frames(machine))?;
    allocate(machine, &mut pool, 2 * 4096).map(|_| ())
}
