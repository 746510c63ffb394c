//! A VM pool against a list of regions, and its metadata pages at their border, on the software machine.
#![allow(clippy::unwrap_used)] // a helper that fails fails its test

mod machine;

use droste::addr::{Page, VirtAddr};
use droste::scenarios::Machine;
use droste::vm::VmPool;
use machine::{SoftMachine, seed};
use proptest::prelude::*;

const BASE: u32 = 0x4000_0000;
/// Pages of the pool that is tested, its own among them.
const PAGES: u32 = 1500;

/// A region as the model knows it: first page, pages, and which of them were touched.
type Region = (u32, u32, Vec<u32>);

#[derive(Clone, Debug)]
enum Step {
    Allocate(u32),
    Touch(prop::sample::Index, prop::sample::Index),
    Release(prop::sample::Index),
    /// Releases whatever starts at this page of the pool, which is mostly nothing.
    ReleaseAt(u32),
    Ask(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0..40_000_u32).prop_map(Step::Allocate),
        1 => any::<u32>().prop_map(Step::Allocate),
        4 => (any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(|(one, two)| Step::Touch(one, two)),
        3 => any::<prop::sample::Index>().prop_map(Step::Release),
        1 => (0..PAGES + 9).prop_map(Step::ReleaseAt),
        2 => (0..PAGES + 9).prop_map(Step::Ask),
    ]
}

fn address(page: u32) -> VirtAddr {
    VirtAddr::new(4096 * page)
}

/// Releases the region that starts at `page`; the model must know it, or it must be refused.
fn release(
    machine: &mut SoftMachine,
    pool: &mut VmPool,
    regions: &mut Vec<Region>,
    page: u32,
) -> Result<(), TestCaseError> {
    let backed = machine.with(|memory| pool.release(memory, address(page)));
    match regions.iter().position(|(start, ..)| *start == page) {
        Some(known) => {
            let (.., touched) = regions.swap_remove(known);
            prop_assert_eq!(backed, Ok(touched.len() as u32));
        }
        None => prop_assert!(backed.is_err()),
    }
    Ok(())
}

proptest! {
    // 100 runs of 300 steps: 30 000 operations.
    #![proptest_config(seed::config(100))]
    #[test]
    fn a_pool_does_what_a_list_of_regions_does(steps in prop::collection::vec(step(), 300)) {
        let mut machine = SoftMachine::start(32);
        let before = machine.with(|memory| memory.frames.free_frames());
        let base = VirtAddr::new(BASE);
        let mut pool = machine.with(|memory| memory.register_pool(base, 4096 * PAGES)).unwrap();
        let mut regions: Vec<Region> = Vec::new();
        for step in steps {
            match step {
                Step::Allocate(bytes) => {
                    let start = machine.with(|memory| pool.allocate(memory, bytes));
                    let pages = bytes.div_ceil(4096);
                    prop_assert!(bytes != 0 || start.is_err());
                    if let Ok(start) = start {
                        let start = Page::from_start(start).unwrap().number();
                        prop_assert!(BASE / 4096 < start && start + pages <= BASE / 4096 + PAGES);
                        prop_assert!(regions.iter().all(|(other, len, _)| start + pages <= *other || other + len <= start));
                        regions.push((start, pages, Vec::new()));
                    }
                }
                Step::Touch(which, page) if !regions.is_empty() => {
                    let (start, pages, touched) = which.get_mut(&mut regions);
                    let page = *start + page.index(*pages as usize) as u32;
                    let expected = if touched.contains(&page) { page } else { 0 };
                    prop_assert_eq!(machine.read(address(page)), expected);
                    machine.write(address(page), page);
                    touched.retain(|other| *other != page);
                    touched.push(page);
                }
                Step::Release(which) if !regions.is_empty() => {
                    let (start, ..) = *which.get(&regions);
                    release(&mut machine, &mut pool, &mut regions, start)?;
                }
                Step::Touch(..) | Step::Release(_) => {}
                Step::ReleaseAt(page) => release(&mut machine, &mut pool, &mut regions, BASE / 4096 + page)?,
                Step::Ask(page) => {
                    let page = BASE / 4096 + page;
                    let inside = regions.iter().any(|(start, pages, _)| *start <= page && page < start + pages);
                    let last_byte = VirtAddr::new(4096 * page + 4095);
                    prop_assert_eq!(machine.with(|memory| pool.is_legitimate(memory, last_byte)), inside);
                }
            }
        }
        prop_assert!(machine.with(|memory| pool.check(memory)));
        prop_assert!(machine.with(|memory| memory.drop_pool(pool)).is_ok());
        prop_assert_eq!(machine.with(|memory| memory.frames.free_frames()), before);
    }
}

#[test]
fn two_regions_at_the_border_of_a_metadata_page_take_no_frame_each_time() {
    let mut machine = SoftMachine::start(32);
    let mut pool = machine.with(|memory| memory.register_pool(VirtAddr::new(BASE), 4096 * PAGES)).unwrap();
    let free = |machine: &mut SoftMachine| machine.with(|memory| memory.frames.free_frames());
    let begun_with = free(&mut machine);
    let mut regions = Vec::new();
    // The region that takes a frame is the first of a further page; the one before it was the last of the page below.
    while free(&mut machine) == begun_with {
        regions.push(machine.with(|memory| pool.allocate(memory, 1)).unwrap());
    }
    for round in 0..10 {
        for _ in 0..2 {
            let region = regions.pop().unwrap();
            machine.with(|memory| pool.release(memory, region)).unwrap();
            assert_eq!(free(&mut machine), begun_with - 1, "after a release in round {round}");
        }
        for _ in 0..2 {
            regions.push(machine.with(|memory| pool.allocate(memory, 1)).unwrap());
            assert_eq!(free(&mut machine), begun_with - 1, "after an allocation in round {round}");
        }
    }
    for region in regions {
        machine.with(|memory| pool.release(memory, region)).unwrap();
    }
    assert_eq!(free(&mut machine), begun_with, "when all regions are gone");
}
