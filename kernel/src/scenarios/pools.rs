//! VM pools: regions, their edges, their holes, and what releasing gives back.

use super::machine::Machine;
use super::outcome::{Failure, Outcome, Scenario, demand, done};
use super::random::Random;
use super::steps::{MOST_OWN_PAGES, above, free_frames, own_pages};
use crate::addr::{Page, VirtAddr};
use crate::paging::Memory;
use crate::vm::{AllocateError, Refusal, RegisterError, ReleaseError, VmPool};
use alloc::vec::Vec;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("lazy-region", lazy_region),
        ("sizes-round-up-to-pages", sizes_round_up_to_pages),
        ("legitimate-at-every-edge", legitimate_at_every_edge),
        ("refused-at-every-edge", refused_at_every_edge),
        ("sizes-that-cannot-be", sizes_that_cannot_be),
        ("released-hole-is-reused", released_hole_is_reused),
        ("neighbours-coalesce", neighbours_coalesce),
        ("exact-fit", exact_fit),
        ("many-live-regions", many_live_regions),
        ("ten-thousand-rounds", ten_thousand_rounds),
        ("release-of-what-is-no-region", release_of_what_is_no_region),
        ("half-touched-region", half_touched_region),
        ("freed-page-of-a-region", freed_page_of_a_region),
        ("region-across-tables", region_across_tables),
        ("pools-are-isolated", pools_are_isolated),
        ("many-pools", many_pools),
        ("pools-that-cannot-be", pools_that_cannot_be),
        ("dropped-pool-gives-back", dropped_pool_gives_back),
        ("strict-after-register", strict_after_register),
        ("highest-pages", highest_pages),
    ]
}

pub(super) const HEAP: VirtAddr = VirtAddr::new(0x4000_0000);

/// Registers a pool of `bytes` at `base` with the current address space.
#[track_caller]
#[inline(never)]
pub(super) fn register<M: Machine>(machine: &mut M, base: VirtAddr, bytes: u32) -> Result<VmPool, Failure> {
    done("pool registered", machine.with(|memory| memory.register_pool(base, bytes)))
}

#[track_caller]
#[inline(never)]
pub(super) fn allocate<M: Machine>(machine: &mut M, pool: &mut VmPool, bytes: u32) -> Result<VirtAddr, Failure> {
    done("region allocated", machine.with(|memory| pool.allocate(memory, bytes)))
}

#[track_caller]
#[inline(never)]
pub(super) fn release<M: Machine>(machine: &mut M, pool: &mut VmPool, start: VirtAddr) -> Result<u32, Failure> {
    done("region released", machine.with(|memory| pool.release(memory, start)))
}

#[inline(never)]
pub(super) fn legitimate<M: Machine>(machine: &mut M, pool: &VmPool, address: VirtAddr) -> bool {
    machine.with(|memory: &mut Memory<_, _>| pool.is_legitimate(memory, address))
}

fn below(address: VirtAddr, bytes: u32) -> VirtAddr {
    VirtAddr::new(address.as_u32() - bytes)
}

fn lazy_region<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 256 << 20)?;
    let (before, faults) = (free_frames(machine), machine.faults());
    // Twice the memory of the reference machine.
    let region = allocate(machine, &mut pool, 64 << 20)?;
    demand("frames for an untouched region", 0, before - free_frames(machine))?;
    for (touch, offset) in [(1, 0), (2, 32 << 20), (3, (64 << 20) - 4)] {
        machine.write(above(region, offset), touch);
        demand("faults", touch, machine.faults() - faults)?;
    }
    // Pages and tables; the pool's metadata shares its table with the first page.
    demand("frames for three touches", 3 + 2, before - free_frames(machine))
}

fn sizes_round_up_to_pages<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 1 << 20)?;
    for (bytes, pages) in [(1, 1), (4095, 1), (4096, 1), (4097, 2)] {
        let region = allocate(machine, &mut pool, bytes)?;
        let next = allocate(machine, &mut pool, 1)?;
        demand("pages up to the next region", pages, (next.as_u32() - region.as_u32()) / 4096)?;
        release(machine, &mut pool, region)?;
        release(machine, &mut pool, next)?;
    }
    Ok(())
}

fn legitimate_at_every_edge<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 1 << 20)?;
    let regions = [1, 5000, 1].map(|bytes| allocate(machine, &mut pool, bytes));
    let [low, region, high] = [regions[0]?, regions[1]?, regions[2]?];
    release(machine, &mut pool, low)?;
    release(machine, &mut pool, high)?;
    for (what, expected, address) in [
        ("base - 1, which lies in the pool's range only", false, below(region, 1)),
        ("base", true, region),
        ("last byte asked for", true, above(region, 4999)),
        ("last byte of the last page", true, above(region, 8191)),
        ("end, one past the last byte", false, above(region, 8192)),
        ("released", false, low),
        ("metadata", false, HEAP),
        ("last byte of the pool", false, above(HEAP, (1 << 20) - 1)),
        ("end of the pool", false, above(HEAP, 1 << 20)),
        ("0", false, VirtAddr::new(0)),
        ("0xFFFF_FFFF", false, VirtAddr::new(u32::MAX)),
    ] {
        demand(what, expected, legitimate(machine, &pool, address))?;
    }
    release(machine, &mut pool, region)?;
    demand("base of a released region", false, legitimate(machine, &pool, region))
}

fn refused_at_every_edge<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 1 << 20)?;
    let region = allocate(machine, &mut pool, 4096)?;
    let gone = allocate(machine, &mut pool, 4096)?;
    machine.write(gone, 1);
    release(machine, &mut pool, gone)?;
    let before = free_frames(machine);
    for (what, address) in [
        ("after use", gone),
        ("one past a region", above(region, 4096)),
        ("last word of the pool", above(HEAP, (1 << 20) - 4)),
        ("past the pool", above(HEAP, 1 << 20)),
        ("outside all pools", VirtAddr::new(0x40_0000)),
    ] {
        demand(what, Err(Refusal::Illegitimate), machine.probe(address, true))?;
    }
    demand("free frames", before, free_frames(machine))?;
    demand("last word of a region", Ok(()), machine.probe(above(region, 4092), true))
}

fn sizes_that_cannot_be<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 1 << 20)?;
    let own = own_pages(machine, &pool)?;
    let before = free_frames(machine);
    let mut refusal = |bytes| machine.with(|memory| pool.allocate(memory, bytes).err());
    demand("0 bytes", Some(AllocateError::Empty), refusal(0))?;
    for bytes in [(1 << 20) - 4095, 1 << 20, 0x8000_0000, 0xFFFF_F000, 0xFFFF_F001, u32::MAX] {
        let pages = bytes.div_ceil(4096);
        demand("more than the pool has", Some(AllocateError::NoRoom(pages)), refusal(bytes))?;
    }
    demand("free frames", before, free_frames(machine))?;
    // All that there is can still be had.
    allocate(machine, &mut pool, (1 << 20) - 4096 * own).map(|_| ())
}

fn released_hole_is_reused<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 1 << 20)?;
    let regions = [3, 2, 3].map(|pages| allocate(machine, &mut pool, 4096 * pages));
    let [low, middle, high] = [regions[0]?, regions[1]?, regions[2]?];
    for region in [low, middle, high] {
        machine.write(region, region.as_u32());
    }
    demand("pages released", 1, release(machine, &mut pool, middle)?)?;
    let again = allocate(machine, &mut pool, 2 * 4096)?;
    demand("region in the hole", middle.as_u32(), again.as_u32())?;
    demand("word of a region in a released hole", 0, machine.read(again))?;
    demand("word below the hole", low.as_u32(), machine.read(low))?;
    demand("word above the hole", high.as_u32(), machine.read(high))
}

fn neighbours_coalesce<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 1 << 20)?;
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut regions = Vec::new();
        for pages in [4, 5, 6, 1] {
            regions.push(allocate(machine, &mut pool, 4096 * pages)?);
        }
        for which in order {
            release(machine, &mut pool, regions[which])?;
        }
        let whole = allocate(machine, &mut pool, 15 * 4096)?;
        demand("three holes as one", regions[0].as_u32(), whole.as_u32())?;
        release(machine, &mut pool, whole)?;
        release(machine, &mut pool, regions[3])?;
    }
    Ok(())
}

fn exact_fit<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, (3 + MOST_OWN_PAGES) * 4096)?;
    let room = 3 + MOST_OWN_PAGES - own_pages(machine, &pool)?;
    for _ in 0..1000 {
        let all = allocate(machine, &mut pool, room * 4096)?;
        demand("pool is full", true, machine.with(|memory| pool.allocate(memory, 1).is_err()))?;
        release(machine, &mut pool, all)?;
        let parts = [allocate(machine, &mut pool, 1)?, allocate(machine, &mut pool, (room - 1) * 4096)?];
        demand("pool is full", true, machine.with(|memory| pool.allocate(memory, 1).is_err()))?;
        for part in parts {
            release(machine, &mut pool, part)?;
        }
    }
    Ok(())
}

fn many_live_regions<M: Machine>(machine: &mut M) -> Outcome {
    const REGIONS: u32 = 3000;
    let mut pool = register(machine, HEAP, 256 << 20)?;
    let mut regions = Vec::new();
    for number in 0..REGIONS {
        let region = allocate(machine, &mut pool, 4096 * (1 + number % 3))?;
        machine.write(region, number ^ 0x5A5A_0000);
        regions.push(region);
    }
    let mut order: Vec<u32> = (0..REGIONS).collect();
    Random::new(1).shuffle(&mut order);
    for (released, number) in (0..).zip(order) {
        let region = regions[number as usize];
        demand("pattern of a region", number ^ 0x5A5A_0000, machine.read(region))?;
        demand("pages released", 1, release(machine, &mut pool, region)?)?;
        if released % 500 == 0 {
            demand("pool's metadata agrees", true, machine.with(|memory| pool.check(memory)))?;
        }
    }
    Ok(())
}

fn ten_thousand_rounds<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 1 << 20)?;
    let before = free_frames(machine);
    for round in 0..10_000 {
        let region = allocate(machine, &mut pool, 4096 * (1 + round % 4))?;
        demand("a fresh region", 0, machine.read(region))?;
        machine.write(region, round);
        release(machine, &mut pool, region)?;
    }
    demand("free frames", before, free_frames(machine))
}

fn release_of_what_is_no_region<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 1 << 20)?;
    let region = allocate(machine, &mut pool, 3 * 4096)?;
    machine.write(region, 9);
    let before = free_frames(machine);
    let mut refusal = |address| machine.with(|memory| pool.release(memory, address).err());
    for address in
        [0, 4096, 0x40_0000, HEAP.as_u32() + 0xF_F000, HEAP.as_u32() + (1 << 20), u32::MAX].map(VirtAddr::new)
    {
        demand("unknown address", Some(ReleaseError::Unknown(address)), refusal(address))?;
    }
    for address in [1, 4096, 3 * 4096 - 1].map(|bytes| above(region, bytes)) {
        demand("inner address", Some(ReleaseError::Inner(address, region)), refusal(address))?;
    }
    demand("metadata page", Some(ReleaseError::Metadata(HEAP)), refusal(HEAP))?;
    demand("free frames", before, free_frames(machine))?;
    demand("word of the region", 9, machine.read(region))?;
    release(machine, &mut pool, region)?;
    let twice = machine.with(|memory| pool.release(memory, region).err());
    demand("released twice", Some(ReleaseError::Unknown(region)), twice)
}

fn half_touched_region<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 1 << 20)?;
    let before = free_frames(machine);
    let region = allocate(machine, &mut pool, 40 * 4096)?;
    for page in (0..40).step_by(2) {
        machine.write(above(region, 4096 * page), page);
    }
    demand("frames for every other page", 20, before - free_frames(machine))?;
    demand("pages released", 20, release(machine, &mut pool, region)?)?;
    demand("free frames", before, free_frames(machine))
}

fn freed_page_of_a_region<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 1 << 20)?;
    let region = allocate(machine, &mut pool, 3 * 4096)?;
    for page in 0..3 {
        machine.write(above(region, 4096 * page), page + 1);
    }
    let (before, second) = (free_frames(machine), above(region, 4096));
    let free = |machine: &mut M| machine.with(|memory| memory.free_page(Page::containing(second)).is_some());
    demand("freed a page of a region", true, free(machine))?;
    demand("free frames", before + 1, free_frames(machine))?;
    demand("freed it twice", false, free(machine))?;
    demand("legitimate still", true, legitimate(machine, &pool, second))?;
    demand("its word when it is touched again", 0, machine.read(second))?;
    demand("page below", 1, machine.read(region))?;
    demand("page above", 3, machine.read(above(region, 2 * 4096)))?;
    demand("pages released", 3, release(machine, &mut pool, region)?)
}

fn region_across_tables<M: Machine>(machine: &mut M) -> Outcome {
    let mut pool = register(machine, HEAP, 64 << 20)?;
    let before = free_frames(machine);
    let region = allocate(machine, &mut pool, 20 << 20)?;
    for megabytes in 1..5 {
        let border = VirtAddr::new(HEAP.as_u32() + (megabytes << 22));
        machine.write(below(border, 4), megabytes);
        machine.write(border, megabytes);
    }
    // Eight pages in the pool's first table and four more.
    demand("frames", 8 + 4, before - free_frames(machine))?;
    demand("pages released", 8, release(machine, &mut pool, region)?)?;
    demand("free frames", before, free_frames(machine))
}

fn pools_are_isolated<M: Machine>(machine: &mut M) -> Outcome {
    let mut low = register(machine, VirtAddr::new(0x2000_0000), 1 << 20)?;
    let mut high = register(machine, VirtAddr::new(0x2010_0000), 1 << 20)?;
    let (in_low, in_high) = (allocate(machine, &mut low, 4096)?, allocate(machine, &mut high, 4096)?);
    demand("a region of the other pool", false, legitimate(machine, &low, in_high))?;
    demand("a region of its own", true, legitimate(machine, &high, in_high))?;
    let foreign = machine.with(|memory| low.release(memory, in_high).err());
    demand("release by the wrong pool", Some(ReleaseError::Unknown(in_high)), foreign)?;
    machine.write(in_low, 1);
    machine.write(in_high, 2);
    release(machine, &mut low, in_low)?;
    demand("word in the other pool", 2, machine.read(in_high))
}

fn many_pools<M: Machine>(machine: &mut M) -> Outcome {
    const POOLS: u32 = 100;
    let base = |number: u32| VirtAddr::new(0x1000_0000 + (number << 20));
    // In an order that is neither up nor down, and leaves no place out.
    let mut pools = Vec::new();
    for step in 0..POOLS {
        let number = step * 37 % POOLS;
        let mut pool = register(machine, base(number), 1 << 20)?;
        let region = allocate(machine, &mut pool, 4096)?;
        pools.push((number, pool, region));
    }
    for (number, _, region) in &pools {
        demand("region of one of many pools", Ok(()), machine.probe(*region, true))?;
        machine.write(*region, *number);
    }
    for (number, pool, region) in &pools {
        demand("word in one of many pools", *number, machine.read(*region))?;
        demand("a region of its own", true, legitimate(machine, pool, *region))?;
    }
    pools.into_iter().try_for_each(|(_, pool, _)| done("pool dropped", machine.with(|memory| memory.drop_pool(pool))))
}

fn pools_that_cannot_be<M: Machine>(machine: &mut M) -> Outcome {
    let pool = register(machine, HEAP, 1 << 20)?;
    let before = free_frames(machine);
    let (mega, heap) = (1 << 20, HEAP.as_u32());
    // No design's pool is too small for one page beside its own.
    let least = 4096 * (MOST_OWN_PAGES + 1);
    for (base, bytes, error) in [
        (heap + 1, mega, RegisterError::Misaligned),
        (0x2000_0000, mega + 1, RegisterError::Misaligned),
        (0x2000_0000, 0, RegisterError::TooSmall),
        (0x2000_0000, 4096, RegisterError::TooSmall),
        (0, mega, RegisterError::OutOfRange),
        (0x3F_F000, mega, RegisterError::OutOfRange),
        (0xFF7F_F000, least, RegisterError::OutOfRange),
        (0xFF80_0000, mega, RegisterError::OutOfRange),
        (0xFFFF_F000, 0xFFFF_F000, RegisterError::OutOfRange),
        (0x8000_0000, 0x8000_0000, RegisterError::OutOfRange),
        (heap, mega, RegisterError::Overlaps(HEAP)),
        (heap - 4096, least, RegisterError::Overlaps(HEAP)),
        (heap + mega - 4096, mega, RegisterError::Overlaps(HEAP)),
        (0x2000_0000, 0x8000_0000, RegisterError::Overlaps(HEAP)),
    ] {
        let seen = machine.with(|memory| memory.register_pool(VirtAddr::new(base), bytes).err());
        demand("pool refused for the right reason", Some(error), seen)?;
    }
    demand("free frames", before, free_frames(machine))?;
    // Up to the edges, side by side, they can be.
    register(machine, VirtAddr::new(0x40_0000), heap - 0x40_0000)?;
    register(machine, VirtAddr::new(heap + mega), 0xFF80_0000 - heap - mega)?;
    demand("dropped", true, machine.with(|memory| memory.drop_pool(pool).is_ok()))
}

fn dropped_pool_gives_back<M: Machine>(machine: &mut M) -> Outcome {
    let before = free_frames(machine);
    let mut pool = register(machine, HEAP, 1 << 30)?;
    let first = allocate(machine, &mut pool, 4096)?;
    machine.write(first, 1);
    for number in 0..400 {
        let region = allocate(machine, &mut pool, 4096 * (1 + 7 * (number % 100)))?;
        machine.write(region, number);
    }
    let dropped = machine.with(|memory| memory.drop_pool(pool).is_ok());
    demand("dropped", true, dropped)?;
    demand("free frames", before, free_frames(machine))?;
    // The place is free for another, which starts empty.
    let mut again = register(machine, HEAP, 1 << 20)?;
    let region = allocate(machine, &mut again, 1)?;
    demand("first region of the new pool", first.as_u32(), region.as_u32())?;
    demand("word of the new pool", 0, machine.read(region))
}

fn strict_after_register<M: Machine>(machine: &mut M) -> Outcome {
    // In the first table and in the third.
    let (first, early) = (VirtAddr::new(0x40_0000), VirtAddr::new(0xC0_5000));
    machine.write(first, 1);
    machine.write(early, 2);
    for (base, page) in [(first, first), (above(first, 4096), early), (early, early)] {
        let in_the_way = machine.with(|memory| memory.register_pool(base, 12 << 20).err());
        demand("pool over a page in use", Some(RegisterError::Backed(page)), in_the_way)?;
    }
    let pool = register(machine, HEAP, 1 << 20)?;
    demand("a page backed before there was a pool", 2, machine.read(early))?;
    demand("a page outside the pool", Err(Refusal::Illegitimate), machine.probe(above(early, 4096), true))?;
    demand("dropped", true, machine.with(|memory| memory.drop_pool(pool).is_ok()))?;
    demand("strict for good", Err(Refusal::Illegitimate), machine.probe(above(early, 4096), true))
}

fn highest_pages<M: Machine>(machine: &mut M) -> Outcome {
    let base = VirtAddr::new(0xF000_0000);
    let size = 0xFF80_0000 - base.as_u32();
    let mut pool = register(machine, base, size)?;
    let region = allocate(machine, &mut pool, size / 2)?;
    let rest = allocate(machine, &mut pool, 0xFF80_0000 - region.as_u32() - size / 2)?;
    demand("the second region lies behind the first", size / 2, rest.as_u32() - region.as_u32())?;
    // Each of them needs a table of its own, and the windows begin where the last one ends.
    let touched = [above(base, 4 << 20), above(base, 100 << 20), above(base, 200 << 20), VirtAddr::new(0xFF7F_FFFC)];
    for (number, address) in (1..).zip(touched) {
        machine.write(address, number);
        demand("outside the pool", Err(Refusal::Illegitimate), machine.probe(HEAP, true))?;
        demand("past the pool", Err(Refusal::Window), machine.probe(VirtAddr::new(0xFF80_0000), false))?;
    }
    for (number, address) in (1..).zip(touched) {
        demand("word of one of the highest pages", number, machine.read(address))?;
    }
    let pages = release(machine, &mut pool, region)? + release(machine, &mut pool, rest)?;
    demand("pages released", 4, pages)
}
