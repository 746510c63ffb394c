//! A pool's metadata pages: their number follows that of its regions, and no region gets them.

use super::machine::Machine;
use super::outcome::{Failure, Outcome, Scenario, demand, done};
use super::pools::{HEAP, allocate, legitimate, register, release};
use super::random::Random;
use super::steps::{above, free_frames};
use crate::addr::{Page, VirtAddr};
use crate::paging::{CurrentTable, Entry};
use crate::vm::{AllocateError, ReleaseError};
use alloc::vec::Vec;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("metadata-grows-and-shrinks", metadata_grows_and_shrinks),
        ("release-of-a-metadata-page", release_of_a_metadata_page),
        ("unused-metadata-page-goes", unused_metadata_page_goes),
        ("no-room-after-all", no_room_after_all),
    ]
}

/// Bytes of metadata that a region may cost, and frames for tables above them.
const BYTES_A_REGION: u32 = 64;
const TABLES: u32 = 3;

/// As many regions need more metadata than any pool begins with.
const MANY: usize = 5000;

/// Where a pool's metadata grows for the first time: which of its regions is the first that does not fit into what it began
/// with, and how many frames that region's metadata takes. `None` if none of many does. The first region has
/// `first` bytes, the others are of one page; the pool is of `bytes` at [`HEAP`], and goes again.
pub(super) fn border<M: Machine>(machine: &mut M, bytes: u32, first: u32) -> Result<Option<(u32, u32)>, Failure> {
    let mut pool = register(machine, HEAP, bytes)?;
    let mut found = None;
    for number in 0..MANY as u32 {
        let before = free_frames(machine);
        allocate(machine, &mut pool, if number == 0 { first } else { 1 })?;
        let taken = before - free_frames(machine);
        if taken > 0 {
            found = Some((number, taken));
            break;
        }
    }
    done("pool dropped", machine.with(|memory| memory.drop_pool(pool)))?;
    Ok(found)
}

/// Finds a page between `regions` that is backed: one of the pool's metadata. A pool may keep that elsewhere.
fn metadata_page<M: Machine>(machine: &mut M, regions: &[VirtAddr]) -> Option<VirtAddr> {
    let last = regions.iter().max()?.as_u32();
    let pages = (HEAP.as_u32() + 4096..last).step_by(4096).map(VirtAddr::new);
    let mut is_backed = |page| machine.with(|memory| memory.pte(Page::containing(page)).is_some_and(Entry::is_present));
    let mut regions = regions.to_vec();
    regions.sort_unstable();
    pages.filter(|page| regions.binary_search(page).is_err()).find(|page| is_backed(*page))
}

fn metadata_grows_and_shrinks<M: Machine>(machine: &mut M) -> Outcome {
    const REGIONS: u32 = 2000;
    let mut pool = register(machine, HEAP, 256 << 20)?;
    let before = free_frames(machine);
    let mut regions = Vec::new();
    for _ in 0..REGIONS {
        regions.push(allocate(machine, &mut pool, 4096)?);
    }
    let most = (REGIONS * BYTES_A_REGION).div_ceil(4096) + TABLES;
    demand("metadata within 64 bytes a region", true, before - free_frames(machine) <= most)?;
    if let Some(metadata) = metadata_page(machine, &regions) {
        let stays = machine.with(|memory| {
            let page = Page::containing(metadata);
            let refused = pool.release(memory, metadata).is_err();
            refused && memory.free_page(page).is_none() && memory.pte(page).is_some_and(Entry::is_present)
        });
        demand("a metadata page can be neither released nor freed", true, stays)?;
    }
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
    let Some(own) = metadata_page(machine, &regions) else { return Ok(()) };
    let before = free_frames(machine);
    demand("metadata page is legitimate", false, legitimate(machine, &pool, own))?;
    let refused = machine.with(|memory| pool.release(memory, own).err());
    demand("metadata page", Some(ReleaseError::Metadata(own)), refused)?;
    let freed = machine.with(|memory| memory.free_page(Page::containing(own)));
    demand("metadata page freed", true, freed.is_none())?;
    demand("free frames", before, free_frames(machine))?;
    regions.into_iter().try_for_each(|region| release(machine, &mut pool, region).map(|_| ()))
}

fn unused_metadata_page_goes<M: Machine>(machine: &mut M) -> Outcome {
    let Some((number, _)) = border(machine, 64 << 20, 1)? else { return Ok(()) };
    let mut pool = register(machine, HEAP, 64 << 20)?;
    let before = free_frames(machine);
    let mut regions = Vec::new();
    for _ in 0..=number {
        regions.push(allocate(machine, &mut pool, 1)?);
    }
    demand("metadata has grown", true, free_frames(machine) < before)?;
    // The latest first: what was added for them goes with them.
    for region in regions.drain(number as usize / 2..).rev() {
        release(machine, &mut pool, region)?;
    }
    demand("metadata that the older half does not need is given back", before, free_frames(machine))?;
    regions.into_iter().try_for_each(|region| release(machine, &mut pool, region).map(|_| ()))
}

/// In a pool with three pages left there is room for a region of three, unless metadata that it needs takes one of them.
fn no_room_after_all<M: Machine>(machine: &mut M) -> Outcome {
    let Some((number, _)) = border(machine, 64 << 20, 1)? else { return Ok(()) };
    // A pool's own pages at its start take as many frames, beside the table.
    let before = free_frames(machine);
    let pool = register(machine, HEAP, 64 << 20)?;
    let own = before - free_frames(machine) - 1;
    done("pool dropped", machine.with(|memory| memory.drop_pool(pool)))?;

    let mut pool = register(machine, HEAP, (own + number + 3) * 4096)?;
    for _ in 0..number {
        allocate(machine, &mut pool, 1)?;
    }
    let before = free_frames(machine);
    match machine.with(|memory| pool.allocate(memory, 3 * 4096)) {
        Ok(region) => {
            let all = [0, 1, 2].map(|page| legitimate(machine, &pool, above(region, 4096 * page)));
            demand("all three pages are legitimate", true, all == [true; 3])
        }
        Err(refusal) => {
            demand("refused for want of room", Some(AllocateError::NoRoom(3)), Some(refusal))?;
            demand("free frames after the refusal", before, free_frames(machine))?;
            allocate(machine, &mut pool, 2 * 4096).map(|_| ())
        }
    }
}
