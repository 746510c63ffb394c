//! What the page shows is what is there, on the machine without a page.

use droste::addr::VirtAddr;
use droste::paging::Entry;
use explorer::machine::Machine;
use explorer::picture::{Extent, Picture, Tlb, changed, table, way};
use std::panic::catch_unwind;

/// Starts a machine and carries out these lines.
fn after(lines: &[&str]) -> Machine {
    let machine = Machine::start();
    lines.iter().for_each(|line| drop(machine.carry_out(line)));
    machine
}

fn json(machine: &Machine) -> String {
    serde_json::to_string(&Picture::new(machine)).expect("a picture is numbers and words")
}

fn tlb(machine: &Machine) -> Tlb {
    Picture::new(machine).tlb.expect("the software machine's is known")
}

/// Returns the regions of the heap pool.
fn regions(picture: &Picture) -> Vec<&Extent> {
    picture.pools[1].extents.iter().filter(|extent| extent.region).collect()
}

#[test]
fn a_touch_changes_one_entry_of_the_table_and_takes_one_frame() {
    let machine = after(&["alloc 4000_0000 64K"]);
    let before = Picture::new(&machine);
    assert_eq!(machine.carry_out("touch 4000_1000"), "1 fault, 1 frame\n");
    let (picture, table) = (Picture::new(&machine), table(&machine, 256));
    assert_eq!(changed(&machine, 256), [1]);
    assert!(changed(&machine, 1023).is_empty());
    assert_eq!(format!("{:?}", Entry::from_bits(table[1])).split_once(' ').map(|(_, flags)| flags), Some("PW---AD--"));
    assert_eq!((picture.free, picture.faults), (before.free - 1, before.faults + 1));
    assert_eq!(regions(&picture)[0].backed, 1);
    assert_eq!(picture.events[0], "backed 0x4000_1000 by frame 0x407");
}

#[test]
fn a_step_tells_which_entries_it_changed_also_in_a_new_table() {
    let machine = after(&["alloc 4000_0000 8M", "touch 4040_0000"]);
    assert_eq!((changed(&machine, 1023), changed(&machine, 257)), (vec![257], vec![0]));
    machine.carry_out("help");
    assert_eq!((changed(&machine, 1023), changed(&machine, 257)), (vec![], vec![]));
    // Of another address space nothing is known to compare with.
    machine.carry_out("space load 0");
    assert!(changed(&machine, 1023).is_empty());
}

#[test]
fn the_pictures_numbers_are_those_that_the_prompt_says() {
    let machine = after(&["alloc 4000_0000 40K", "touch 4000_1000 7", "space new", "alloc 2000_0000 1"]);
    let picture = Picture::new(&machine);
    let said = machine.carry_out("frames");
    for used in picture.frames.uses.iter().filter(|used| used.count > 0) {
        let line = format!("  {} {}: {}\n", used.letter, used.name, used.count);
        assert!(said.contains(&line), "{line}{said}");
    }
    assert!(machine.carry_out("regions").contains(" 10 pages, 7 backed  region\n"));
    assert_eq!(regions(&picture)[0].backed, 7);
    assert_eq!(picture.frames.letters.chars().filter(|letter| *letter == '.').count(), picture.free as usize);
}

#[test]
fn looking_leaves_no_trace() {
    let machine = after(&["alloc 4000_0000 8K", "touch 4000_1000 2"]);
    let before = json(&machine);
    table(&machine, 1023);
    way(&machine, VirtAddr::new(0x2000_0000));
    assert_eq!(json(&machine), before);
}

#[test]
fn the_same_lines_lead_to_the_same_state() {
    let lines = ["alloc 4000_0000 1M", "touch 4000_1000 99", "free 4000_2000 page", "space new", "space load 2"];
    assert_eq!(json(&after(&lines)), json(&after(&lines)));
    assert_ne!(json(&after(&lines[..4])), json(&after(&lines)));
}

#[test]
fn a_stale_entry_is_there_after_a_free_without_a_flush_and_not_otherwise() {
    let lines = ["alloc 4000_0000 4K", "write 4000_1000 7", "free 4000_1000 page"];
    let sound = after(&lines);
    assert_eq!(tlb(&sound).stale, 0);
    assert_eq!(sound.carry_out("read 4000_1000"), "0x00000000\n");
    assert!(tlb(&sound).used.is_empty());

    let broken = after(&["break flush"]);
    lines.iter().for_each(|line| drop(broken.carry_out(line)));
    assert_eq!(tlb(&broken).stale, 1);
    assert_eq!(broken.carry_out("read 4000_1000"), "0x00000007\n");
    assert_eq!(tlb(&broken).used, [0x4_0001]);
    broken.carry_out("help");
    assert!(tlb(&broken).used.is_empty());
}

#[test]
fn a_sound_kernel_never_goes_by_a_stale_translation() {
    let machine = Machine::start();
    let lines = "help;space new;alloc 4000_0000 8M;touch 4000_1000 20;duplicate;write 4000_1000 9;free 4000_2000 page;\
                 touch 4000_2000;space load 2;alloc 2000_0000 4K;read 2000_1000;space load 1;space destroy 2;free 4000_1000";
    for line in lines.split(';') {
        machine.carry_out(line);
        let tlb = tlb(&machine);
        assert_eq!((tlb.stale, tlb.used), (0, vec![]), "{line}");
    }
}

#[test]
fn the_first_write_to_a_shared_page_is_a_copy() {
    let machine = after(&["alloc 4000_0000 4K", "write 4000_1000 7", "duplicate", "write 4000_1000 9"]);
    let acts = Picture::new(&machine).acts;
    assert_eq!(acts[0], "trap: write to a protected page at 0x4000_1000");
    assert!(acts.iter().any(|act| act.starts_with("copy the page at 0x4000_1000 to ")), "{acts:?}");
}

#[test]
fn a_table_that_is_not_cleared_maps_what_nobody_asked_for() {
    let present = |page: u32, lines: &[&str]| {
        let touch = format!("touch {:x}", 0x4040_0000 + 4096 * page);
        let lines = [&["alloc 4000_0000 8M"], lines, &[&touch]].concat();
        let entries = table(&after(&lines), 257);
        entries.into_iter().filter(|bits| Entry::from_bits(*bits).is_present()).count()
    };
    assert_eq!(present(0, &[]), 1);
    // A debug build of the kernel stops where the junk says that the touched page is there already.
    let survives = |page| catch_unwind(|| present(page, &["break clear"])).ok();
    assert!((0..64).find_map(survives).is_some_and(|present| present > 500));
}

#[test]
fn legitimacy_by_range_backs_what_no_region_holds() {
    let past = "read 4000_2000";
    let sound = after(&["alloc 4000_0000 4K"]);
    let said = sound.carry_out(past);
    assert!(
        said.starts_with("illegal-access: kernel read of an absent page (error code 0x0) at 0x4000_2000\n"),
        "{said}"
    );
    assert!(said.contains("\nwhy    off by one: "), "{said}");
    let broken = after(&["alloc 4000_0000 4K", "break legitimacy"]);
    assert_eq!(broken.carry_out(past), "0x00000000\n");
    assert_eq!(Picture::new(&broken).pools[1].strays, [0x4_0002]);
    broken.carry_out("mend");
    assert!(broken.carry_out("read 4000_3000").starts_with("illegal-access"));
}

#[test]
fn a_first_touch_is_a_trap_that_makes_a_table_and_a_page_of_zeros() {
    let machine = after(&["alloc 4000_0000 8M"]);
    machine.carry_out("read 4040_0000");
    assert_eq!(
        Picture::new(&machine).acts,
        [
            "trap: read of an absent page at 0x4040_0000",
            // The new table is cleared in the second window, which is closed again with its note.
            "entry at 0xFFFF_FFF8: p0x0040_8000 PW-------",
            "clear the page at 0xFFFF_E000",
            "entry at 0xFFFF_FFF8: absent(0x20000022)",
            "flush all: CR3 is loaded again",
            "entry at 0xFFFF_F404: p0x0040_8000 PW-------",
            "entry at 0xFFD0_1000: p0x0040_7000 PW-------",
            "clear the page at 0x4040_0000",
            "return: the access is tried again",
        ]
    );
    machine.carry_out("read 4040_0000");
    assert!(Picture::new(&machine).acts.is_empty());
    machine.carry_out("free 4040_0000 page");
    assert!(Picture::new(&machine).acts.contains(&"flush the page at 0x4040_0000".into()));
    machine.carry_out("read 5000_0000");
    assert_eq!(Picture::new(&machine).acts.last().map(String::as_str), Some("no answer: the access is reported"));
}

#[test]
fn a_pool_is_drawn_when_it_is_registered_and_gone_when_it_is_dropped() {
    let machine = after(&["pool new 8000_0000 1M", "alloc 8000_0000 8K", "touch 8000_1000"]);
    let picture = Picture::new(&machine);
    let pools: Vec<[u32; 2]> = picture.pools.iter().map(|pool| [pool.start, pool.end]).collect();
    assert_eq!(pools, [[0x2_0000, 0x3_0000], [0x4_0000, 0x5_0000], [0x8_0000, 0x8_0100]]);
    // Its own page, that of the region, and a table.
    assert_eq!(machine.carry_out("pool drop 8000_0000"), "dropped; 3 frames came back\n");
    assert_eq!((Picture::new(&machine).pools.len(), table(&machine, 512).len()), (2, 0));
    assert_eq!(Picture::new(&machine).free, picture.free + 3);
}

#[test]
fn a_walk_ends_where_the_processor_would() {
    let machine = after(&["alloc 4000_0000 8K", "touch 4000_1000"]);
    let backed = way(&machine, VirtAddr::new(0x4000_1234));
    assert_eq!((backed.parts, backed.present), ([256, 1, 0x234], [true, true]));
    assert_eq!(backed.physical.as_deref(), Some("p0x0040_7234, in frame 0x407"));
    assert_eq!(backed.place, "in region 0x4000_1000..0x4000_3000");
    let lazy = way(&machine, VirtAddr::new(0x4000_2000));
    assert_eq!((lazy.present, lazy.physical), ([true, false], None));
    let absent = way(&machine, VirtAddr::new(0x8000_0000));
    assert_eq!(absent.present, [false, false]);
}

#[test]
fn the_self_entry_shows_the_directory_as_a_table() {
    let machine = after(&[]);
    let directory = table(&machine, 1023);
    let frame = Entry::from_bits(directory[1023]).frame().map(|frame| frame.number());
    assert_eq!(frame, Some(Picture::new(&machine).root_frame));
}

#[test]
fn every_command_of_the_machine_is_here_and_help_lists_it() {
    let help = after(&[]).carry_out("help");
    for name in Machine::commands() {
        assert!(help.lines().any(|line| line.split(' ').next() == Some(name)), "{name}: {help}");
    }
}
