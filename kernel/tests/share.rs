//! Pages that page tables share, entry by entry.

#![allow(clippy::unwrap_used)] // a helper that fails fails its test

mod machine;

use droste::addr::{Frame, Page, VirtAddr};
use droste::events::{Event, EventKind};
use droste::paging::{CurrentTable, Entry, Fault, Mmu, MmuView, OutOfFrames, Window};
use droste::scenarios::Machine;
use droste::vm::{AddressSpace, Refusal};
use machine::SoftMachine;

const START: VirtAddr = VirtAddr::new(0x40_0000);
const PAGE: Page = Page::containing(START);
/// What the processor writes into an entry.
const USED: u32 = Entry::ACCESSED | Entry::DIRTY;

/// Starts a machine with an address space beside the first one, which is the current one.
fn in_a_space() -> SoftMachine {
    let mut machine = SoftMachine::start(32);
    let space = machine.with(AddressSpace::create).unwrap();
    machine.with(|memory| space.load(memory));
    machine
}

fn entry(machine: &mut SoftMachine, page: Page) -> Entry {
    machine.with(|memory| memory.pte(page).expect("there is a table"))
}

fn set_entry(machine: &mut SoftMachine, page: Page, entry: Entry) {
    machine.with(|memory| {
        memory.mmu.store(Window::Own.pte_slot(page), entry);
        memory.mmu.flush(page);
    });
}

fn count(machine: &mut SoftMachine, frame: Frame) -> u32 {
    machine.with(|memory| memory.uses.beyond_first(frame))
}

/// Clones the current space.
fn clone(machine: &mut SoftMachine) -> AddressSpace {
    machine.with(AddressSpace::duplicate).unwrap()
}

/// Does `work` in the address space `space`, and returns to the one before.
fn within<R>(machine: &mut SoftMachine, space: &AddressSpace, work: impl FnOnce(&mut SoftMachine) -> R) -> R {
    let home = machine.with(|memory| {
        let home = memory.mmu.root();
        space.load(memory);
        home
    });
    let result = work(machine);
    machine.with(|memory| memory.mmu.set_root(home));
    result
}

/// Takes all frames but `left`.
fn take_all_but(machine: &mut SoftMachine, left: u32) {
    machine.with(|memory| (left..memory.frames.free_frames()).for_each(|_| _ = memory.frames.get_frame()));
}

#[test]
fn a_page_that_is_kept_stays_all_else_that_it_was() {
    let mut machine = in_a_space();
    machine.write(START, 1);
    let before = entry(&mut machine, PAGE);
    machine.with(|memory| memory.keep(PAGE));
    assert_eq!(entry(&mut machine, PAGE), before.with(Entry::KEPT));
}

#[test]
fn both_sides_have_the_same_entry_which_says_what_was_done_to_the_page() {
    for used in [0, Entry::ACCESSED, USED] {
        let mut machine = in_a_space();
        machine.write(START, 1);
        let before = entry(&mut machine, PAGE).without(USED).with(used);
        set_entry(&mut machine, PAGE, before);
        let clone = clone(&mut machine);
        let expected = before.without(Entry::WRITABLE).with(Entry::SHARED);
        assert_eq!(entry(&mut machine, PAGE), expected);
        assert_eq!(within(&mut machine, &clone, |machine| entry(machine, PAGE)), expected);
    }
}

#[test]
fn both_directories_say_that_the_table_shares() {
    let mut machine = in_a_space();
    machine.write(START, 1);
    let clone = clone(&mut machine);
    let says_so = |machine: &mut SoftMachine| machine.with(|memory| memory.pde(PAGE).has(Entry::SHARES));
    assert!(says_so(&mut machine));
    assert!(within(&mut machine, &clone, says_so));
}

#[test]
fn what_was_read_only_stays_so_and_is_counted() {
    let mut machine = in_a_space();
    machine.write(START, 1);
    let read_only = entry(&mut machine, PAGE).without(Entry::WRITABLE);
    set_entry(&mut machine, PAGE, read_only);
    let clone = clone(&mut machine);
    assert_eq!(entry(&mut machine, PAGE), read_only);
    assert_eq!(within(&mut machine, &clone, |machine| entry(machine, PAGE)), read_only);
    let frame = read_only.frame().expect("it is present");
    assert_eq!(count(&mut machine, frame), 1);
    assert_eq!(machine.with(|memory| memory.unshare(PAGE)), Ok(None));
    assert_eq!(entry(&mut machine, PAGE), read_only);
}

/// Whatever a page was, a copy at the limit of the count is the same, but that it has a frame of its own.
#[test]
fn a_page_that_no_more_can_share_is_copied_with_its_rights() {
    let writable = |entry: Entry| entry;
    let read_only = |entry: Entry| entry.without(Entry::WRITABLE);
    let shared = |entry: Entry| entry.without(Entry::WRITABLE).with(Entry::SHARED);
    for (before, copied) in
        [(writable as fn(Entry) -> Entry, writable as fn(Entry) -> Entry), (read_only, read_only), (shared, writable)]
    {
        for used in [Entry::ACCESSED, USED] {
            let mut machine = in_a_space();
            machine.write(START, 7);
            let whole = entry(&mut machine, PAGE).without(USED).with(used);
            let frame = whole.frame().expect("it is present");
            set_entry(&mut machine, PAGE, before(whole));
            machine.with(|memory| while memory.uses.count_up(frame) {});
            let most = count(&mut machine, frame);
            let clone = clone(&mut machine);
            assert_eq!(entry(&mut machine, PAGE), before(whole));
            let (copy, word) = within(&mut machine, &clone, |machine| (entry(machine, PAGE), machine.read(START)));
            let its_frame = copy.frame().expect("it is present");
            assert_ne!(its_frame, frame);
            let expected = Entry::read_only(its_frame).with(copied(whole).bits() & 0xFFF);
            assert_eq!((copy, word), (expected, 7));
            assert_eq!((count(&mut machine, frame), count(&mut machine, its_frame)), (most, 0));
        }
    }
}

#[test]
fn a_kept_page_is_copied_and_kept_on_both_sides() {
    let mut machine = in_a_space();
    machine.write(START, 7);
    machine.with(|memory| memory.keep(PAGE));
    let before = entry(&mut machine, PAGE);
    let clone = clone(&mut machine);
    assert_eq!(entry(&mut machine, PAGE), before);
    within(&mut machine, &clone, |machine| {
        let copy = entry(machine, PAGE);
        assert_ne!(copy.frame(), before.frame());
        assert_eq!(copy.bits() & 0xFFF, before.bits() & 0xFFF);
        assert_eq!(machine.read(START), 7);
    });
}

#[test]
fn pages_that_are_shared_are_forgotten() {
    let mut machine = in_a_space();
    let other = machine.with(AddressSpace::create).unwrap();
    // To make it forgets everything, so the processor holds the page as writable from here on.
    machine.write(START, 7);
    machine.with(|memory| memory.share_pages(other.root())).unwrap();
    assert!(machine.with(|memory| memory.mmu.try_write(START, 8).is_err()), "written past its entry");
    within(&mut machine, &other, |machine| assert_eq!(machine.read(START), 7));
}

#[test]
fn the_last_owner_writes_into_the_frame_itself() {
    let mut machine = in_a_space();
    machine.write(START, 7);
    let before = entry(&mut machine, PAGE);
    let frame = before.frame().expect("it is present");
    let clone = clone(&mut machine);
    machine.with(|memory| clone.destroy(memory)).expect("it is not the current one");
    // The processor holds it read-only.
    machine.read(START);
    assert_eq!(machine.with(|memory| memory.unshare(PAGE)), Ok(Some(frame)));
    assert_eq!(entry(&mut machine, PAGE), before);
    assert!(machine.with(|memory| memory.mmu.try_write(START, 8).is_ok()), "a fault too many");
}

#[test]
fn a_copy_says_what_was_done_to_the_page_and_leaves_the_frame_to_the_other() {
    let mut machine = in_a_space();
    machine.write(START, 7);
    let before = entry(&mut machine, PAGE);
    let frame = before.frame().expect("it is present");
    let clone = clone(&mut machine);
    machine.read(START);
    let copy = machine.with(|memory| memory.unshare(PAGE)).expect("a frame is left").expect("it is shared");
    assert_ne!(copy, frame);
    assert_eq!(entry(&mut machine, PAGE), Entry::read_only(copy).with(before.bits() & 0xFFF));
    assert_eq!((count(&mut machine, frame), count(&mut machine, copy)), (0, 0));
    assert_eq!(machine.read(START), 7);
    assert!(machine.with(|memory| memory.mmu.try_write(START, 8).is_ok()), "a fault too many");
    within(&mut machine, &clone, |machine| {
        assert_eq!(machine.read(START), 7);
        assert!(entry(machine, PAGE).has(Entry::SHARED));
    });
}

#[test]
fn a_copy_without_a_frame_changes_nothing() {
    let mut machine = in_a_space();
    machine.write(START, 7);
    let _clone = clone(&mut machine);
    let before = entry(&mut machine, PAGE);
    let frame = before.frame().expect("it is present");
    take_all_but(&mut machine, 0);
    assert_eq!(machine.with(|memory| memory.unshare(PAGE)), Err(OutOfFrames));
    assert_eq!((entry(&mut machine, PAGE), count(&mut machine, frame)), (before, 1));
}

/// Whatever a function showed through entry 1022, the note is there again.
#[test]
fn the_note_is_kept_and_copied() {
    let note = |machine: &mut SoftMachine| machine.with(|memory| memory.note());
    let mut machine = in_a_space();
    machine.write(START, 7);
    machine.with(|memory| memory.register_pool(VirtAddr::new(0x9000_0000), 1 << 20)).expect("a pool");
    let before = note(&mut machine);
    assert_ne!(before, 0);
    let clone = clone(&mut machine);
    machine.with(|memory| memory.unshare(PAGE)).expect("a frame is left");
    assert_eq!((note(&mut machine), within(&mut machine, &clone, note)), (before, before));
}

/// Four pages: one's own, one that two have, one that was left to this side, one that is read-only by hand.
#[test]
fn only_what_nobody_shares_is_taken_back() {
    let mut machine = in_a_space();
    let page = |number: u32| Page::new(PAGE.number() + number);
    (0..4).for_each(|number| machine.write(page(number).start(), number));
    let own = |machine: &mut SoftMachine| [0, 1, 2, 3].map(|number| entry(machine, page(number)));
    let before = own(&mut machine);
    let read_only = before[3].without(Entry::WRITABLE);
    set_entry(&mut machine, page(3), read_only);
    let clone = clone(&mut machine);
    machine.with(|memory| memory.unshare(page(0))).expect("a frame is left");
    within(&mut machine, &clone, |machine| machine.with(|memory| memory.unshare(page(2))).expect("a frame is left"));
    let [first, second, ..] = own(&mut machine);
    (0..4).for_each(|number| _ = machine.read(page(number).start()));
    machine.with(|memory| memory.take_back());
    assert_eq!(own(&mut machine), [first, second, before[2], read_only].map(|entry| entry.with(Entry::ACCESSED)));
    assert!(second.has(Entry::SHARED));
    assert!(machine.with(|memory| memory.mmu.try_write(page(2).start(), 8).is_ok()), "a fault too many");
}

#[test]
fn a_clone_has_pages_at_both_ends_of_a_table_and_in_the_last_one() {
    let mut machine = in_a_space();
    let pages = [0x400, 0x7FF, 0xF_F400, 0xF_F7FF].map(Page::new);
    pages.iter().for_each(|page| machine.write(page.start(), page.number()));
    let clone = clone(&mut machine);
    within(&mut machine, &clone, |machine| {
        for page in pages {
            assert_eq!(machine.read(page.start()), page.number());
        }
        let last = Page::new(0xF_F7FF);
        assert!(entry(machine, last).has(Entry::SHARED));
        assert!(!machine.with(|memory| memory.pde(Page::new(0xF_F800)).is_present()), "entry 1022 is open");
    });
}

/// Nothing but a write is answered on a page that is present: whatever a read is refused for, it is not that it is shared.
#[test]
fn a_read_of_a_shared_page_is_no_reason_for_a_copy() {
    let mut machine = in_a_space();
    machine.write(START, 7);
    let _clone = clone(&mut machine);
    let before = entry(&mut machine, PAGE);
    let fault = Fault { address: START, present: true, write: false };
    assert_eq!(machine.with(|memory| memory.handle_fault(fault)), Err(Refusal::Protection));
    assert_eq!(entry(&mut machine, PAGE), before);
}

#[test]
fn clones_and_first_writes_are_events() {
    let mut machine = in_a_space();
    machine.write(START, 7);
    let clone = clone(&mut machine);
    machine.write(START, 8);
    let own = entry(&mut machine, PAGE).frame().expect("it is present");
    let root = machine.with(|memory| memory.mmu.root());
    let latest = |kind, address, amount: Frame| Event { kind, address, amount: amount.number(), space: root };
    let expected =
        [latest(EventKind::Unshared, START, own), latest(EventKind::Duplicate, VirtAddr::new(0), clone.root())];
    let seen: Vec<Event> = machine.with(|memory| memory.events.latest(root).take(2).collect());
    assert_eq!(seen, expected);
}
