//! Clones of address spaces: the same contents, one frame for both sides until one of them writes.

use super::claims::Claim;
use super::machine::Machine;
use super::outcome::{Failure, Outcome, Scenario, demand, done};
use super::pools::{HEAP, allocate, register, release};
use super::spaces::{create, destroy, load, root};
use super::steps::{above, free_frames, make_read_only, own_pages};
use crate::addr::{ENTRIES, Frame, PAGE_SIZE, Page, PageRange, VirtAddr};
use crate::frames::FrameSource;
use crate::memory_map::{OTHER_WINDOW_ENTRY, POOL_PAGES};
use crate::paging::{CurrentTable, Entry, Mmu, MmuView, Window};
use crate::vm::{AddressSpace, CurrentSpace, Refusal, VmPool};
use alloc::vec::Vec;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        ("clone-is-the-same", clone_is_the_same),
        ("handle-outlives-its-clone", handle_outlives_its_clone),
        ("clone-without-pools", clone_without_pools),
        ("clone-to-the-last-table", clone_to_the_last_table),
        ("metadata-on-both-sides", metadata_on_both_sides),
        ("first-write-copies", first_write_copies),
        ("clone-forgets-translations", clone_forgets_translations),
        ("reads-never-copy", reads_never_copy),
        ("dirty-stays-dirty", dirty_stays_dirty),
        ("last-owner-writes", last_owner_writes),
        ("clones-of-clones", clones_of_clones),
        ("shared-pages-let-go", shared_pages_let_go),
        ("regions-stay-on-their-side", regions_stay_on_their_side),
        ("clone-of-most-of-memory", clone_of_most_of_memory),
        ("hundreds-of-clones", hundreds_of_clones),
        ("only-shared-pages-become-writable", only_shared_pages_become_writable),
        ("read-only-stays-read-only", read_only_stays_read_only),
        ("audited-clone", audited_clone),
    ]
}

#[track_caller]
#[inline(never)]
pub(super) fn duplicate<M: Machine>(machine: &mut M) -> Result<AddressSpace, Failure> {
    done("address space duplicated", machine.with(AddressSpace::duplicate))
}

/// Makes the address space with the directory `root` the current one. Does nothing if it is: that would flush everything.
#[inline(never)]
pub(super) fn go<M: Machine>(machine: &mut M, root: Frame) {
    machine.with(|memory| {
        if memory.root() != root {
            memory.mmu.set_root(root);
        }
    });
}

/// Returns the current address space's pool at [`HEAP`].
#[track_caller]
fn heap<M: Machine>(machine: &mut M) -> Result<VmPool, Failure> {
    done("the pool is there", machine.with(|memory| memory.pool_of(Page::containing(HEAP))).ok_or(()))
}

/// Returns the address of page `number` of the region at `region`.
pub(super) fn page(region: VirtAddr, number: u32) -> VirtAddr {
    above(region, number * PAGE_SIZE)
}

/// Registers a pool and allocates a region of `pages` pages in it, each of which it gives a word of its own: its number and
/// `more`.
#[track_caller]
pub(super) fn filled<M: Machine>(machine: &mut M, pages: u32, more: u32) -> Result<(VmPool, VirtAddr), Failure> {
    let mut pool = register(machine, HEAP, 64 << 20)?;
    let region = allocate(machine, &mut pool, pages * PAGE_SIZE)?;
    (0..pages).for_each(|number| machine.write(page(region, number), number + more));
    Ok((pool, region))
}

/// Demands that each of these pages holds what [`filled`] has written.
#[track_caller]
pub(super) fn holds<M: Machine>(
    machine: &mut M,
    what: &'static str,
    region: VirtAddr,
    pages: u32,
    more: u32,
) -> Outcome {
    (0..pages).try_for_each(|number| demand(what, number + more, machine.read(page(region, number))))
}

/// Returns the pages of each table above the first 4 MiB in the current address space.
fn tables(view: &impl CurrentTable) -> Vec<PageRange> {
    let all = (POOL_PAGES.start.directory_index()..POOL_PAGES.end.directory_index()).map(PageRange::of_table);
    all.filter(|table| view.pde(table.start).is_present()).collect()
}

/// Returns the pages of the pools' own in the current address space, each with its entry.
fn metadata<M: Machine>(machine: &mut M) -> Vec<(Page, Entry)> {
    machine.with(|memory| {
        let pages = tables(memory).into_iter().flat_map(|table| table.iter());
        let backed = pages.filter_map(|page| Some((page, memory.pte(page).filter(|entry| entry.is_present())?)));
        backed.filter(|(page, _)| !memory.is_legitimate(page.start())).collect()
    })
}

/// Counts what a clone of the current address space takes: a directory, its tables, and the pages of its pools' own.
pub(super) fn frames_of_a_clone<M: Machine>(machine: &mut M) -> u32 {
    let tables = machine.with(|memory| tables(memory).len());
    1 + tables as u32 + metadata(machine).len() as u32
}

fn clone_is_the_same<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    // More regions than one metadata page holds, in more tables than one; every third is touched.
    let mut pool = register(machine, HEAP, 64 << 20)?;
    register(machine, above(HEAP, 64 << 20), 1 << 20)?;
    let mut regions = Vec::new();
    for number in 0..200 {
        let region = allocate(machine, &mut pool, (number % 20 + 1) * PAGE_SIZE)?;
        if number % 3 == 0 {
            machine.write(above(region, 8), number);
        }
        regions.push(region);
    }
    let (due, before, faults) = (frames_of_a_clone(machine), free_frames(machine), machine.faults());
    let clone = duplicate(machine)?;
    demand("frames of a clone: directory, tables, metadata", due, before - free_frames(machine))?;
    for space in [parent, clone.root()] {
        go(machine, space);
        demand("the pools agree", true, machine.with(|memory| memory.check_pools()))?;
        let pool = heap(machine)?;
        for (number, region) in (0..).zip(&regions) {
            let legitimate = machine.with(|memory| pool.is_legitimate(memory, *region));
            demand("a region of both", true, legitimate)?;
            if number % 3 == 0 {
                demand("its word", number, machine.read(above(*region, 8)))?;
            }
        }
        demand("behind the last", Err(Refusal::Illegitimate), machine.probe(above(HEAP, 32 << 20), true))?;
    }
    demand("faults", faults, machine.faults())?;
    demand("a handle of the other space", false, machine.with(|memory| pool.is_legitimate(memory, regions[0])))?;
    go(machine, parent);
    destroy(machine, clone)?;
    demand("free frames", before, free_frames(machine))
}

fn handle_outlives_its_clone<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    let mut pool = register(machine, HEAP, 1 << 20)?;
    let region = allocate(machine, &mut pool, 1)?;
    let clone = duplicate(machine)?;
    go(machine, clone.root());
    let (handle, frame) = (heap(machine)?, clone.root());
    go(machine, parent);
    destroy(machine, clone)?;
    let clone = duplicate(machine)?;
    go(machine, clone.root());
    // Where the frame pool hands out another frame, there is nothing to be mistaken.
    let is_taken = frame == clone.root() && machine.with(|memory| handle.is_legitimate(memory, region));
    demand("a handle of a clone that went, in one that has its frame", false, is_taken)?;
    go(machine, parent);
    destroy(machine, clone)
}

fn clone_without_pools<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    // Frames full of what look like entries, of which the clone's tables will be made.
    for word in 0..16 * ENTRIES {
        machine.write(above(HEAP, 4 * word), 0x0010_0003);
    }
    machine.with(|memory| memory.unmap_pages(POOL_PAGES));
    machine.write(HEAP, 7);
    let clone = duplicate(machine)?;
    load(machine, &clone);
    demand("the parent's word", 7, machine.read(HEAP))?;
    let rest = PageRange::new(Page::new(Page::containing(HEAP).number() + 1), POOL_PAGES.end);
    let present = machine.with(|memory| memory.first_present(rest).map_or(0, Page::number));
    demand("page that the parent has not", 0, present)?;
    machine.write(HEAP, 8);
    machine.write(above(HEAP, 64 << 20), 9);
    register(machine, above(HEAP, 128 << 20), 1 << 20)?;
    demand("strict now", Err(Refusal::Illegitimate), machine.probe(above(HEAP, 256 << 20), true))?;
    go(machine, parent);
    demand("the parent's word", 7, machine.read(HEAP))?;
    demand("the parent is not strict", Ok(()), machine.probe(above(HEAP, 256 << 20), true))?;
    destroy(machine, clone)
}

fn clone_to_the_last_table<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    // The first page that may be cloned and the last one, and a table beside each.
    let ends = [POOL_PAGES.start.number(), 0x7FF, 0x800, 0xF_F3FF, 0xF_F400, POOL_PAGES.end.number() - 1];
    let last_words = ends.map(|number| above(Page::new(number).start(), PAGE_SIZE - 4));
    for (word, address) in (1..).zip(last_words) {
        machine.write(address, word);
    }
    let before = free_frames(machine);
    let clone = duplicate(machine)?;
    demand("frames of a clone: a directory and four tables", 5, before - free_frames(machine))?;
    load(machine, &clone);
    for (word, address) in (1..).zip(last_words) {
        demand("the parent's word", word, machine.read(address))?;
        machine.write(address, word + 10);
    }
    demand(
        "second window open",
        false,
        machine.with(|memory| memory.pde(PageRange::of_table(OTHER_WINDOW_ENTRY).start).is_present()),
    )?;
    go(machine, parent);
    for (word, address) in (1..).zip(last_words) {
        demand("the parent's word after the clone's write", word, machine.read(address))?;
    }
    destroy(machine, clone)?;
    demand("free frames", before, free_frames(machine))
}

fn metadata_on_both_sides<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    // More regions than one metadata page holds, and a second pool.
    let mut pool = register(machine, HEAP, 64 << 20)?;
    register(machine, above(HEAP, 64 << 20), 1 << 20)?;
    for _ in 0..200 {
        allocate(machine, &mut pool, PAGE_SIZE)?;
    }
    let clone = duplicate(machine)?;
    load(machine, &clone);
    // The clone of a clone, too: its records are no less the kernel's own.
    let second = duplicate(machine)?;
    let (mut frames, of_parent) = (Vec::new(), metadata(machine));
    for space in [parent, clone.root(), second.root()] {
        go(machine, space);
        let own = metadata(machine);
        demand("metadata pages", of_parent.len() as u32, own.len() as u32)?;
        for ((page, entry), (expected, _)) in own.into_iter().zip(&of_parent) {
            demand("a metadata page", expected.number(), page.number())?;
            demand("a clone copies it at once", true, entry.has(Entry::KEPT))?;
            demand("it is writable", true, entry.is_writable())?;
            demand("another space has its frame", false, frames.contains(&entry.frame()))?;
            frames.push(entry.frame());
        }
        demand("the pools agree", true, machine.with(|memory| memory.check_pools()))?;
    }
    go(machine, parent);
    destroy(machine, clone)?;
    destroy(machine, second)
}

fn first_write_copies<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    let (_, region) = filled(machine, 8, 100)?;
    let clone = duplicate(machine)?;
    let before = free_frames(machine);
    // Both sides have written to a page and not flushed it: the clone must have forgotten what the parent may do.
    for (space, number) in [(parent, 0), (clone.root(), 1), (parent, 2)] {
        go(machine, space);
        let (free, faults) = (free_frames(machine), machine.faults());
        machine.write(above(page(region, number), 4), 55);
        demand("faults of the first write", 1, machine.faults() - faults)?;
        demand("frames of the first write", 1, free - free_frames(machine))?;
        machine.write(above(page(region, number), 4), 56);
        demand("faults of the second write", 1, machine.faults() - faults)?;
        demand("the rest of the page", number + 100, machine.read(page(region, number)))?;
    }
    for (space, own) in [(parent, [56, 0, 56]), (clone.root(), [0, 56, 0])] {
        go(machine, space);
        holds(machine, "the word before the clone", region, 8, 100)?;
        for (number, word) in (0..).zip(own) {
            demand("a write of one side", word, machine.read(above(page(region, number), 4)))?;
        }
    }
    demand("frames of three copies", 3, before - free_frames(machine))?;
    go(machine, parent);
    destroy(machine, clone)?;
    holds(machine, "the parent's word", region, 8, 100)
}

/// The processor may hold a page as writable when it is shared. To make a space forgets everything, so what is touched here is
/// touched after that.
fn clone_forgets_translations<M: Machine>(machine: &mut M) -> Outcome {
    const PAGES: u32 = 256;
    let (_, region) = filled(machine, PAGES, 1)?;
    let clone = create(machine)?;
    (0..PAGES).for_each(|number| machine.write(above(page(region, number), 4), 5));
    done("pages shared", machine.with(|memory| memory.share_pages(clone.root())))?;
    let faults = machine.faults();
    (0..PAGES).for_each(|number| machine.write(above(page(region, number), 4), 7));
    demand("faults of the parent's first writes", PAGES, machine.faults() - faults)?;
    destroy(machine, clone)
}

fn reads_never_copy<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    let (_, region) = filled(machine, 16, 1)?;
    let clone = duplicate(machine)?;
    let (free, faults) = (free_frames(machine), machine.faults());
    for space in [clone.root(), parent] {
        go(machine, space);
        holds(machine, "a word that is read", region, 16, 1)?;
    }
    demand("frames taken by reads", 0, free - free_frames(machine))?;
    demand("faults of reads", 0, machine.faults() - faults)?;
    destroy(machine, clone)
}

/// Who decides whether a page may be dropped, or must be kept, goes by what the processor wrote into its entry.
fn dirty_stays_dirty<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    let (_, region) = filled(machine, 2, 1)?;
    // The second page was only read since somebody cleaned it.
    let clean = Page::containing(page(region, 1));
    machine.with(|memory| {
        let slot = Window::Own.pte_slot(clean);
        let entry = memory.load(slot).without(Entry::DIRTY);
        memory.mmu.store(slot, entry);
        memory.mmu.flush(clean);
    });
    let clone = duplicate(machine)?;
    for space in [parent, clone.root()] {
        go(machine, space);
        for (address, dirty) in [(HEAP, true), (region, true), (page(region, 1), false)] {
            let entry = machine.with(|memory| memory.pte(Page::containing(address)).unwrap_or_default());
            demand("the page is accessed", true, entry.has(Entry::ACCESSED))?;
            demand("the page is dirty", dirty, entry.has(Entry::DIRTY))?;
        }
    }
    go(machine, parent);
    destroy(machine, clone)
}

fn last_owner_writes<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    let (_, region) = filled(machine, 4, 1)?;
    let clone = duplicate(machine)?;
    // The clone gets a copy, so only the parent still has the page that both had.
    load(machine, &clone);
    machine.write(above(region, 4), 7);
    go(machine, parent);
    sole_writes(machine, region)?;
    load(machine, &clone);
    demand("the copy", 7, machine.read(above(region, 4)))?;
    // The clone goes, and leaves the other pages to the parent.
    go(machine, parent);
    destroy(machine, clone)?;
    (1..4).try_for_each(|number| sole_writes(machine, page(region, number)))?;
    holds(machine, "the word before", region, 4, 1)
}

/// Writes twice to the page at `start`, which was shared once and has one owner now.
#[track_caller]
fn sole_writes<M: Machine>(machine: &mut M, start: VirtAddr) -> Outcome {
    let (free, faults) = (free_frames(machine), machine.faults());
    for word in [8, 9] {
        machine.write(above(start, 4), word);
        demand("faults of the last owner's writes", 1, machine.faults() - faults)?;
    }
    demand("frames of the last owner's writes", free, free_frames(machine))
}

/// All orders of three.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

fn clones_of_clones<M: Machine>(machine: &mut M) -> Outcome {
    let (home, before) = (root(machine), free_frames(machine));
    for writes in ORDERS {
        for deaths in ORDERS {
            let first = create(machine)?;
            load(machine, &first);
            let (_, region) = filled(machine, 3, 1)?;
            let second = duplicate(machine)?;
            load(machine, &second);
            let third = duplicate(machine)?;
            let mut spaces = [first, second, third].map(Some);
            let free = free_frames(machine);
            for (order, which) in (0..).zip(writes) {
                load(machine, done("space is there", spaces[which].as_ref().ok_or(()))?);
                machine.write(above(region, 4), 70 + which as u32);
                let due = if order < 2 { order + 1 } else { 2 };
                demand("copies: all but the last owner's", due, free - free_frames(machine))?;
            }
            for which in deaths {
                for (number, space) in (0..).zip(&spaces) {
                    if let Some(space) = space {
                        load(machine, space);
                        holds(machine, "the first one's words", region, 3, 1)?;
                        demand("its own word", 70 + number, machine.read(above(region, 4)))?;
                    }
                }
                go(machine, home);
                let space = done("space is there", spaces[which].take().ok_or(()))?;
                destroy(machine, space)?;
            }
            demand("free frames", before, free_frames(machine))?;
        }
    }
    Ok(())
}

fn shared_pages_let_go<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    let (mut pool, region) = filled(machine, 8, 1)?;
    let other = allocate(machine, &mut pool, 3 * PAGE_SIZE)?;
    machine.write(other, 5);
    let clone = duplicate(machine)?;
    let free = free_frames(machine);
    // One side lets go: nothing is free by that.
    let freed = machine.with(|memory| memory.free_page(Page::containing(region)).is_some());
    demand("a shared page is freed", true, freed)?;
    demand("a page that was freed", 0, machine.read(region))?;
    demand("pages released: one new, seven shared", 8, release(machine, &mut pool, region)?)?;
    demand("pages released", 1, release(machine, &mut pool, other)?)?;
    demand("frames free by that", free, free_frames(machine))?;
    load(machine, &clone);
    holds(machine, "the other side's words", region, 8, 1)?;
    demand("the other side's word", 5, machine.read(other))?;
    // The other side lets go, too.
    let mut pool = heap(machine)?;
    demand("pages released", 8, release(machine, &mut pool, region)?)?;
    demand("frames free by that", free + 8, free_frames(machine))?;
    demand("dropped", true, machine.with(|memory| memory.drop_pool(pool).is_ok()))?;
    go(machine, parent);
    demand("the parent's pool agrees", true, machine.with(|memory| memory.check_pools()))?;
    destroy(machine, clone)
}

fn regions_stay_on_their_side<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    let (mut pool, region) = filled(machine, 4, 1)?;
    let clone = duplicate(machine)?;
    // So many regions that both sides need metadata pages, and give them back.
    let mut made = Vec::new();
    for number in 0..300 {
        made.push(allocate(machine, &mut pool, (number % 3 + 1) * PAGE_SIZE)?);
    }
    load(machine, &clone);
    let mut cloned = heap(machine)?;
    let legitimate = machine.with(|memory| made.iter().any(|made| cloned.is_legitimate(memory, *made)));
    demand("regions of the parent are the clone's", false, legitimate)?;
    let next = allocate(machine, &mut cloned, PAGE_SIZE)?;
    demand("the clone's next region", made[0].as_u32(), next.as_u32())?;
    demand("pages released", 4, release(machine, &mut cloned, region)?)?;
    demand("the clone's pool agrees", true, machine.with(|memory| cloned.check(memory)))?;
    go(machine, parent);
    demand("the parent's pool agrees", true, machine.with(|memory| pool.check(memory)))?;
    holds(machine, "the parent's word", region, 4, 1)?;
    for made in made {
        demand("pages released", 0, release(machine, &mut pool, made)?)?;
    }
    load(machine, &clone);
    demand("the clone's pool agrees", true, machine.with(|memory| cloned.check(memory)))?;
    go(machine, parent);
    destroy(machine, clone)
}

fn clone_of_most_of_memory<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    let pages = free_frames(machine) / 3 * 2;
    let (_, region) = filled(machine, pages, 9)?;
    for round in 0..2 {
        let before = free_frames(machine);
        let clone = duplicate(machine)?;
        load(machine, &clone);
        holds(machine, "the parent's word", region, pages, 9)?;
        (0..100).for_each(|number| machine.write(above(page(region, 7 * number), 4), round));
        go(machine, parent);
        destroy(machine, clone)?;
        demand("free frames after the clone", before, free_frames(machine))?;
        // There is no frame for a copy of so many.
        (0..pages).for_each(|number| machine.write(above(page(region, number), 4), 60 + round));
        demand("frames of the last owner's writes", before, free_frames(machine))?;
        holds(machine, "the word before the clone", region, pages, 9)?;
    }
    Ok(())
}

/// As many address spaces share a frame as its count allows.
const SHARERS: u32 = 255;

fn hundreds_of_clones<M: Machine>(machine: &mut M) -> Outcome {
    const CLONES: u32 = 300;
    let parent = root(machine);
    let pool = register(machine, HEAP, 1 << 20)?;
    let own = own_pages(machine, &pool)?;
    let mut pool = pool;
    let region = allocate(machine, &mut pool, 2 * PAGE_SIZE)?;
    machine.write(region, 1);
    machine.write(page(region, 1), 1);
    make_read_only(machine, page(region, 1));
    let (before, mut clones) = (free_frames(machine), Vec::with_capacity(CLONES as usize));
    for _ in 0..CLONES {
        clones.push(duplicate(machine)?);
    }
    let copied = CLONES + 1 - SHARERS;
    demand("frames of the clones", CLONES * (2 + own) + 2 * copied, before - free_frames(machine))?;
    // Those that could not share them have pages of their own, with the same rights.
    let faults = machine.faults();
    for (number, clone) in (0..).zip(&clones) {
        load(machine, clone);
        demand("the parent's word", 1, machine.read(region))?;
        machine.write(above(region, 4), number);
        demand("the parent's word", 1, machine.read(page(region, 1)))?;
        let refused = machine.probe(page(region, 1), true);
        demand("write to a page that is read-only by hand", Err(Refusal::Protection), refused)?;
    }
    demand("faults of first writes", SHARERS - 1, machine.faults() - faults)?;
    demand("frames of all", CLONES * (3 + own) + copied, before - free_frames(machine))?;
    for (number, clone) in (0..).zip(&clones) {
        load(machine, clone);
        demand("its own word", number, machine.read(above(region, 4)))?;
    }
    go(machine, parent);
    clones.into_iter().try_for_each(|clone| destroy(machine, clone))?;
    let faults = machine.faults();
    machine.write(region, 2);
    demand("faults of the last owner's write", 1, machine.faults() - faults)?;
    demand("free frames", before, free_frames(machine))
}

fn only_shared_pages_become_writable<M: Machine>(machine: &mut M) -> Outcome {
    let (_, region) = filled(machine, 2, 1)?;
    let clone = duplicate(machine)?;
    let kernel = VirtAddr::new(0x10_0000);
    demand("write to the kernel's code", Err(Refusal::Protection), machine.probe(kernel, true))?;
    // A metadata page is the kernel's own: no side has it read-only.
    let faults = machine.faults();
    demand("write to a metadata page", Ok(()), machine.probe(HEAP, true))?;
    demand("faults of a write to a metadata page", 0, machine.faults() - faults)?;
    demand("read of a shared page", Ok(()), machine.probe(region, false))?;
    destroy(machine, clone)
}

fn read_only_stays_read_only<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    let (_, region) = filled(machine, 4, 1)?;
    make_read_only(machine, region);
    let clone = duplicate(machine)?;
    // This one was shared already when it was made so.
    make_read_only(machine, page(region, 1));
    let second = duplicate(machine)?;
    let free = free_frames(machine);
    for (space, read_only) in [(parent, 2), (second.root(), 2), (clone.root(), 1)] {
        go(machine, space);
        for number in 0..read_only {
            let refused = machine.probe(page(region, number), true);
            demand("write to a page that is read-only by hand", Err(Refusal::Protection), refused)?;
        }
        demand("write to a page that is shared", Ok(()), machine.probe(page(region, 3), true))?;
        holds(machine, "a word of all", region, 4, 1)?;
    }
    demand("frames of two copies; the last owner needs none", 2, free - free_frames(machine))?;
    go(machine, parent);
    destroy(machine, clone)?;
    destroy(machine, second)?;
    // Alone with them again, which makes no difference.
    for number in 0..2 {
        let refused = machine.probe(page(region, number), true);
        demand("write of the last owner", Err(Refusal::Protection), refused)?;
    }
    holds(machine, "the word before", region, 4, 1)
}

fn audited_clone<M: Machine>(machine: &mut M) -> Outcome {
    let parent = root(machine);
    let mut pool = register(machine, HEAP, 1 << 20)?;
    let region = allocate(machine, &mut pool, 8 * PAGE_SIZE)?;
    let start = Page::containing(region);
    let pages = |from: u32, to: u32| PageRange::new(Page::new(start.number() + from), Page::new(start.number() + to));
    super::audited::fill(machine, pages(0, 8), 1);
    let clone = duplicate(machine)?;
    let second = duplicate(machine)?;
    let others = [parent, clone.root(), second.root()];
    machine.checkpoint("duplicated", &others, &[Claim::Filled(pages(0, 8), 1)]);
    load(machine, &clone);
    super::audited::fill(machine, pages(0, 3), 2);
    let mixed = [Claim::Filled(pages(0, 3), 2), Claim::Filled(pages(3, 8), 1)];
    machine.checkpoint("written in a clone", &others, &mixed);
    go(machine, parent);
    super::audited::fill(machine, pages(2, 5), 3);
    let mixed = [Claim::Filled(pages(0, 2), 1), Claim::Filled(pages(2, 5), 3), Claim::Filled(pages(5, 8), 1)];
    machine.checkpoint("written in the parent", &others, &mixed);
    demand("pages released", 8, release(machine, &mut pool, region)?)?;
    load(machine, &second);
    machine.checkpoint("released by the parent", &others, &[Claim::Filled(pages(0, 8), 1)]);
    destroy(machine, clone)?;
    machine.checkpoint("a clone is gone", &[parent, second.root()], &[Claim::Filled(pages(0, 8), 1)]);
    super::audited::fill(machine, pages(0, 8), 4);
    machine.checkpoint("written by the last", &[parent, second.root()], &[Claim::Filled(pages(0, 8), 4)]);
    go(machine, parent);
    destroy(machine, second)?;
    let free = machine.with(|memory| memory.frames.free_frames());
    machine.checkpoint("destroyed", &[], &[Claim::Absent(pages(0, 8))]);
    demand("free frames", free, free_frames(machine))
}
