//! The table of causes: that each is tested in a machine, and those that a virtual machine cannot bring about.

#![allow(clippy::unwrap_used)] // a helper that fails fails its test

mod machine;

use droste::addr::{Frame, Page, PageRange, VirtAddr};
use droste::fault::{CAUSES, Crash, Evidence, FaultError, Layout, Location, Walk, cause};
use droste::paging::{Entry, Fault, Mmu, MmuView};
use droste::scenarios::Machine;
use droste::vm::{AddressSpace, Refusal};
use machine::SoftMachine;

/// QEMU looks at the tables again before it raises a fault, and checks no reserved bits here.
const ON_REAL_PROCESSORS_ONLY: [&str; 2] = ["stale translation", "reserved bit"];

#[test]
fn each_cause_has_a_fatal_test_of_its_own() {
    let manifest = include_str!("../../grader/tests.toml");
    // Programs are ended for them, not the kernel.
    let of_programs = include_str!("../src/system/tests/programs.rs");
    let is_of_programs = |name: &str| of_programs.contains(&format!("\"{name}\",")) && !manifest.contains(name);
    for cause in
        CAUSES.iter().filter(|cause| !ON_REAL_PROCESSORS_ONLY.contains(&cause.name) && !is_of_programs(cause.name))
    {
        assert!(manifest.contains(&format!("\"why    {}:\"", cause.name)), "no test dies of: {}", cause.name);
    }
}

/// Returns the name of the cause of a fault in a region whose entry is `table`.
fn cause_of(code: u32, table: Entry) -> &'static str {
    let address = VirtAddr::new(0x4000_1000);
    let fault = droste::fault::decode(code, address);
    let Fault { present, .. } = fault;
    let refusal = if present { Refusal::Protection } else { Refusal::Illegitimate };
    let crash = Crash::PageFault { fault, code, error: FaultError::Refused(refusal) };
    let directory = Entry::writable(Frame::new(0x400));
    let walk = Walk { address, root: Frame::new(0x401), directory, table: Some(table) };
    let region = droste::addr::PageRange::of_table(0x100);
    let evidence = Evidence {
        crash,
        place: Some(Location::Region(region)),
        walk: Some(walk),
        eip: None,
        sound: true,
        free_frames: 0,
        has_swap: false,
        by_program: false,
    };
    cause(&evidence).map_or("none", |cause| cause.name)
}

#[test]
fn a_fault_that_the_tables_do_not_explain_is_a_stale_translation() {
    let (read, write_to_read_only) = (0, 3);
    assert_eq!(cause_of(read, Entry::read_only(Frame::new(0x402))), "stale translation");
    assert_eq!(cause_of(write_to_read_only, Entry::writable(Frame::new(0x402))), "stale translation");
    assert_eq!(cause_of(write_to_read_only, Entry::read_only(Frame::new(0x402))), "read-only page");
}

#[test]
fn a_reserved_bit_is_a_cause_of_its_own() {
    assert_eq!(cause_of(9, Entry::writable(Frame::new(0x402))), "reserved bit");
}

const POOL: VirtAddr = VirtAddr::new(0x4000_0000);

/// Finds out where `address` lies, in the current space of a kernel of which nothing is known.
fn place(machine: &mut SoftMachine, address: VirtAddr) -> Location {
    let nothing = PageRange::new(Page::new(0), Page::new(0));
    let layout = Layout { text: nothing, rodata: nothing, guard: Page::new(0) };
    machine.with(|memory| Location::new(memory, &memory.events, &layout, address))
}

#[test]
fn what_a_destroyed_space_released_says_nothing_of_the_next_one_with_its_directory() {
    let mut machine = SoftMachine::start(32);
    let home = machine.with(|memory| memory.root());
    let (old, mut pool) = machine.with(|memory| {
        let space = AddressSpace::create(memory).unwrap();
        space.load(memory);
        (space, memory.register_pool(POOL, 0x10_0000).unwrap())
    });
    let region = machine.with(|memory| pool.allocate(memory, 4096).unwrap());
    machine.with(|memory| pool.release(memory, region).unwrap());
    assert!(matches!(place(&mut machine, region), Location::Released(..)));

    let directory = old.root();
    machine.with(|memory| {
        memory.drop_pool(pool).unwrap();
        memory.mmu.set_root(home);
        old.destroy(memory).unwrap();
        let new = AddressSpace::create(memory).unwrap();
        assert_eq!(new.root(), directory);
        new.load(memory);
    });
    assert_eq!(place(&mut machine, region), Location::NoPools);

    let mut pool = machine.with(|memory| memory.register_pool(POOL, 0x10_0000).unwrap());
    assert!(matches!(place(&mut machine, region), Location::Unallocated(_)));

    let region = machine.with(|memory| pool.allocate(memory, 4096).unwrap());
    machine.with(|memory| {
        pool.release(memory, region).unwrap();
        memory.drop_pool(pool).unwrap();
        memory.register_pool(POOL, 0x10_0000).unwrap();
    });
    assert!(matches!(place(&mut machine, region), Location::Unallocated(_)), "the pool is another one");
}

#[test]
fn what_another_space_released_says_nothing_of_the_current_one() {
    let mut machine = SoftMachine::start(32);
    let (region, other) = machine.with(|memory| {
        let other = AddressSpace::create(memory).unwrap();
        memory.register_pool(POOL, 0x10_0000).unwrap();
        let home = memory.root();
        other.load(memory);
        let mut pool = memory.register_pool(POOL, 0x10_0000).unwrap();
        let region = pool.allocate(memory, 4096).unwrap();
        pool.release(memory, region).unwrap();
        memory.mmu.set_root(home);
        (region, other)
    });
    assert!(matches!(place(&mut machine, region), Location::Unallocated(_)));
    machine.with(|memory| other.load(memory));
    assert!(matches!(place(&mut machine, region), Location::Released(..)));
}
