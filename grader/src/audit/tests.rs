//! Each thing that the auditor looks at, broken alone in a memory in which everything else is right.

use super::*;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

const SEED: u32 = 7;
const SALT: u32 = 3;

/// Frames of the sound memory, in pages of 4 KiB.
const DIRECTORY: u32 = 0x400;
const FIRST_TABLE: u32 = 0x401;
const TABLE: u32 = 0x402;
const OTHER_DIRECTORY: u32 = 0x405;
const USED: std::ops::Range<u32> = 0x400..0x406;
const KERNEL_BOOK: u32 = 0x20_0000;
const PROCESS_BOOK: u32 = 0x20_1000;
const COUNTS: u32 = 0x20_2000;
const SLOTS: u32 = 0x20_6000;
const SLOT_COUNTS: u32 = 0x20_7000;

/// The physical address of an entry.
fn entry(table: u32, index: u32) -> u32 {
    table * FRAME + 4 * index
}

/// A machine of 32 MiB that stands still at the checkpoint "filled": of pages 0x400 to 0x410 the first two are backed, by
/// frames 0x403 and 0x404, and filled; a second address space has a directory alone.
#[derive(Clone)]
struct World {
    words: BTreeMap<u32, u32>,
    said: String,
    log: String,
    registers: Registers,
    planned: Checkpoint,
}

impl World {
    fn sound() -> Self {
        let mut words = BTreeMap::new();
        for root in [DIRECTORY, OTHER_DIRECTORY] {
            words.insert(entry(root, 0), FIRST_TABLE << 12 | 3);
            words.insert(entry(root, 1023), root << 12 | 3);
        }
        // Page 0 and the guard page are absent, the two after that are read-only.
        let rights = |page| if (0x102..0x104).contains(&page) { 1 } else { 3 };
        let present = (1..1024).filter(|page| *page != 0x101);
        words.extend(present.map(|page| (entry(FIRST_TABLE, page), page << 12 | rights(page))));
        words.insert(entry(DIRECTORY, 1), TABLE << 12 | 3);
        for (page, frame) in [(0x400, 0x403), (0x401, 0x404)] {
            words.insert(entry(TABLE, page - 0x400), frame << 12 | 3);
            let contents = (0..FRAME).step_by(4).map(|byte| claims::word(SEED, SALT, page * FRAME + byte));
            words.extend((frame * FRAME..).step_by(4).zip(contents));
        }
        let mut world = Self {
            words,
            said: String::new(),
            log: String::new(),
            registers: Registers {
                text: String::new(),
                eip: 0x10_0000,
                ebp: 0,
                eflags: 2,
                halted: false,
                cr0: 0x8001_0011,
                cr2: 0,
                cr3: DIRECTORY << 12,
                cr4: 0,
            },
            planned: Checkpoint { name: "filled".into(), faults: Some(2), backed: Some(2), claims: 2 },
        };
        for (book, first, end) in [(KERNEL_BOOK, 0x200, 0x400), (PROCESS_BOOK, 0x400, 0x2000)] {
            world.say(&format!("claim pool {first:#x} {end:#x} {book:#x}"));
            (first..end).for_each(|frame| world.set_state(book, frame - first, 1, 1));
        }
        (0..2).for_each(|number| world.set_state(KERNEL_BOOK, number, 0, 1));
        USED.for_each(|frame| world.set_state(PROCESS_BOOK, frame - 0x400, 0, 1));
        (3840..4096).for_each(|frame| world.set_state(PROCESS_BOOK, frame - 0x400, 1, 0));
        world.say("claim free 0x1afa");
        world.say("claim directory 0x400");
        world.say("claim directory 0x405");
        world.say("claim faults 0x2");
        world.say("claim filled 0x400 0x402 0x3");
        world.say("claim absent 0x402 0x410");
        world.fault(0x40_0000);
        world.fault(0x40_1000);
        world
    }

    fn say(&mut self, line: &str) {
        self.said += &format!("{line}\r\n");
    }

    fn unsay(&mut self, line: &str) {
        let without = self.said.replace(&format!("{line}\r\n"), "");
        assert_ne!(without, self.said, "it had said so");
        self.said = without;
    }

    fn fault(&mut self, address: u32) {
        self.log += &format!(
            "check_exception old: 0xffffffff new 0xe\n     0: v=0e e=0002 i=0 cpl=0 IP=0008:00100000 pc=00100000 \
             SP=0010:00180000 CR2={address:08x}\n"
        );
    }

    /// Makes the page at 4 MiB of the second address space, in a table in frame 0x406, share frame 0x403, and counts that.
    fn share(&mut self) {
        self.set(OTHER_DIRECTORY, 1, 0x40_6003);
        self.set(0x406, 0, 0x40_3001);
        self.set(TABLE, 0, 0x40_3001);
        self.set_state(PROCESS_BOOK, 6, 0, 1);
        self.unsay("claim free 0x1afa");
        self.say("claim free 0x1af9");
        self.say("claim uses 0x400 0x2000 0x202000");
        self.count(0x403, 1);
    }

    /// Puts a page of each space into slot 3 of a drive of eight slots, and counts that.
    fn send_out(&mut self) {
        self.share();
        self.set(TABLE, 0x11, 0x3002);
        self.set(0x406, 0x11, 0x3002);
        self.say("claim slots 0x8 0x206000 0x207000 0x208000");
        (0..8).for_each(|slot| self.set_state(SLOTS, slot, u32::from(slot != 3), u32::from(slot != 0)));
        self.words.insert(SLOT_COUNTS, 1 << 24);
    }

    /// Sets the kernel's count of a frame, and those of its neighbours to 0.
    fn count(&mut self, frame: u32, count: u32) {
        let index = frame - 0x400;
        self.words.insert(COUNTS + index / 4 * 4, count << (8 * (index % 4)));
    }

    /// Sets the two bits of a frame, counted from the start of its pool.
    fn set_state(&mut self, book: u32, number: u32, free: u32, head: u32) {
        for (place, bit) in [free, head].into_iter().enumerate() {
            let word = self.words.entry(book + 8 * (number / 32) + 4 * place as u32).or_default();
            *word = *word & !(1 << (number % 32)) | bit << (number % 32);
        }
    }

    fn set(&mut self, table: u32, index: u32, value: u32) {
        self.words.insert(entry(table, index), value);
    }

    /// Returns what `auditor` finds wrong here, at the checkpoint of that `name`, a line each.
    fn audit_at(&self, name: &str, auditor: &mut Auditor) -> Vec<String> {
        let path = tempfile::NamedTempFile::new().expect("a temporary file").into_temp_path();
        let file = File::create(&path).expect("it is ours");
        file.set_len(32 << 20).expect("it may be longer");
        self.words.iter().for_each(|(address, word)| {
            file.write_all_at(&word.to_le_bytes(), u64::from(*address)).expect("written");
        });
        let ram = Ram::new(File::open(&path).expect("it is there")).expect("it has a length");
        let image = Image {
            stack_guard: 0x101,
            stack: 0..0,
            read_only: 0x102..0x104,
            frozen: 0..=0,
            constant: Vec::new(),
            code: Vec::new(),
            entry: 0,
        };
        let snapshot = Snapshot {
            said: &self.said,
            log: &self.log,
            registers: &self.registers,
            ram: &ram,
            // Its drive has what the memory has: a page of words fits both.
            drive: Some(&ram),
            image: &image,
        };
        let mut wrong = Findings::default();
        auditor.look(name, &snapshot, &mut wrong).expect("the memory is readable");
        wrong.told().into_iter().map(|check| format!("{}: {}, {}", check.what, check.expected, check.seen)).collect()
    }

    fn audit_again(&self, auditor: &mut Auditor) -> Vec<String> {
        self.audit_at("filled", auditor)
    }

    fn audit(&self) -> Vec<String> {
        self.audit_again(&mut Auditor::new("none".into(), SEED, std::slice::from_ref(&self.planned)))
    }
}

#[test]
fn nothing_is_wrong_in_a_sound_memory() {
    assert_eq!(World::sound().audit(), [""; 0]);
}

/// Demands that nothing is wrong after `prepare`. Returns what demands words of a finding after a further change.
fn after(prepare: fn(&mut World)) -> impl Fn(&str, fn(&mut World)) {
    let mut prepared = World::sound();
    prepare(&mut prepared);
    assert_eq!(prepared.audit(), [""; 0]);
    move |words, change| {
        let mut world = prepared.clone();
        change(&mut world);
        let findings = world.audit();
        assert!(findings.iter().any(|finding| finding.starts_with(words)), "not {words}, but {findings:?}");
    }
}

#[test]
fn what_is_shared_is_counted_and_read_only() {
    let expect = after(World::share);
    expect("owners of frame 0x403: one, page 0x400 of", |world| world.count(0x403, 0));
    expect("owners of frame 0x403: 3 pages, by its count, page 0x400", |world| world.count(0x403, 2));
    expect("owners of frame 0x403: one", |world| world.unsay("claim uses 0x400 0x2000 0x202000"));
    expect("owners of frame 0x404: 2 pages, by its count, page 0x401", |world| world.count(0x404, 1));
    expect("owners of frame 0x402: 2 pages, by its count", |world| {
        world.set(OTHER_DIRECTORY, 1, TABLE << 12 | 3);
        world.count(0x402, 1);
    });
    expect("count of frame 0x500: 0, since no page table leads to it, 1", |world| world.count(0x500, 1));
    expect("frame 0x403, which 2 pages share: read-only, writable", |world| world.set(TABLE, 0, 0x40_3003));
    expect("frame 0x403, which 2 pages share: read-only, writable", |world| world.set(0x406, 0, 0x40_3003));
    expect(
        "the counts of shared frames: of the process pool, and in the kernel pool, of 0x400..0x2000, at 0x402000",
        |world| {
            world.unsay("claim uses 0x400 0x2000 0x202000");
            world.say("claim uses 0x400 0x2000 0x402000");
        },
    );
}

#[test]
fn slots_are_counted_and_in_use_where_pages_are() {
    let expect = after(World::send_out);
    expect("pages in slot 0x3: 2, by its count, 1", |world| world.set(TABLE, 0x11, 0));
    expect("pages in slot 0x3: 1, by its count, 2", |world| _ = world.words.insert(SLOT_COUNTS, 0));
    expect("pages in slot 0x3: 0, by its count, 2", |world| world.set_state(SLOTS, 3, 1, 1));
    expect("pages in slot 0x5: 1, by its count, 0", |world| world.set_state(SLOTS, 5, 0, 1));
    expect("an absent entry: 0, or a slot below 0x8, slot 0x9", |world| world.set(TABLE, 0x12, 0x9002));
    expect("page 0x402: absent, on the drive, at 0x20b000", |world| world.set(TABLE, 2, 0x3002));
    expect("the drive's map and counts, and itself if it is in memory: in the kernel pool", |world| {
        world.unsay("claim slots 0x8 0x206000 0x207000 0x208000");
        world.say("claim slots 0x8 0x206000 0x207000 0x408000");
    });
}

#[test]
fn pages_on_the_machines_own_drive_are_read_there() {
    let expect = after(|world| {
        world.send_out();
        world.unsay("claim slots 0x8 0x206000 0x207000 0x208000");
        world.say("claim slots 0x8 0x206000 0x207000");
        // A third page that is claimed, and whose words slot 3 has.
        world.unsay("claim absent 0x402 0x410");
        world.say("claim filled 0x411 0x412 0x3");
        world.planned.backed = Some(3);
        world.planned.faults = Some(3);
        world.unsay("claim faults 0x2");
        world.say("claim faults 0x3");
        world.fault(0x41_1000);
        let words = (0..FRAME).step_by(4).map(|byte| (3 * FRAME + byte, claims::word(SEED, SALT, 0x41_1000 + byte)));
        world.words.extend(words);
    });
    expect("word at 0x00411ffc", |world| _ = world.words.insert(3 * FRAME + 0xFFC, 0));
    expect("pages in slot 0x3: 2, by its count, 1", |world| world.set(0x406, 0x11, 0));
    expect("the drive's map and counts, and itself if it is in memory: in the kernel pool", |world| {
        world.unsay("claim slots 0x8 0x206000 0x207000");
        world.say("claim slots 0x8 0x406000 0x207000");
    });
}

/// A mistake, and words of the finding that must come first.
type Mistake = (&'static str, fn(&mut World));

const MISTAKES: &[Mistake] = &[
    ("directory entry 1023: 0x400003", |world| world.set(DIRECTORY, 1023, 0)),
    ("directory entry 1023: 0x400003", |world| world.set(DIRECTORY, 1023, OTHER_DIRECTORY << 12 | 3)),
    ("directory entry 1023: 0x400003, 0x400007", |world| world.set(DIRECTORY, 1023, DIRECTORY << 12 | 7)),
    ("directory entry 1023: 0x405003", |world| world.set(OTHER_DIRECTORY, 1023, 0)),
    ("directory entry 1022 while a program runs: absent", |world| world.set(DIRECTORY, 1022, 0x40_5003)),
    ("directory entry 0: the table of the first 4 MiB", |world| world.set(DIRECTORY, 0, 0)),
    ("directory entry 0x0: a table in the process pool", |world| world.set(DIRECTORY, 0, 0xFFFF_F003)),
    ("directory entry 0x1: a writable table, supervisor only", |world| world.set(DIRECTORY, 1, TABLE << 12 | 7)),
    ("directory entry 0x1: a writable table, supervisor only", |world| world.set(DIRECTORY, 1, TABLE << 12 | 1)),
    ("directory entry 0x1: a writable table, supervisor only", |world| world.set(DIRECTORY, 1, 0x40_0083)),
    ("directory entry 0x7: a table in the process pool, frame 0x300", |world| world.set(DIRECTORY, 7, 0x30_0003)),
    ("directory entry 0x7: a table in the process pool, frame 0xf00", |world| world.set(DIRECTORY, 7, 0xF0_0003)),
    ("directory entry 0x7: a table in the process pool, frame 0x9000", |world| world.set(DIRECTORY, 7, 0x900_0003)),
    ("entry of page 0x0: 0x0, 0x3", |world| world.set(FIRST_TABLE, 0, 3)),
    ("entry of page 0x101: 0x0", |world| world.set(FIRST_TABLE, 0x101, 0x10_1003)),
    ("entry of page 0x102: 0x102001, 0x102003", |world| world.set(FIRST_TABLE, 0x102, 0x10_2003)),
    ("entry of page 0x104: 0x104003, 0x104007", |world| world.set(FIRST_TABLE, 0x104, 0x10_4007)),
    ("entry of page 0x3ff: 0x3ff003, 0x3fe003", |world| world.set(FIRST_TABLE, 0x3FF, 0x3F_E003)),
    ("entry of page 0x3ff: 0x3ff003, 0x0", |world| world.set(FIRST_TABLE, 0x3FF, 0)),
    ("page 0x400: supervisor only", |world| world.set(TABLE, 0, 0x40_3007)),
    ("frame of page 0x402: in the process pool, not in the hole, frame 0x300", |world| world.set(TABLE, 2, 0x30_0003)),
    ("frame of page 0x402: in the process pool, not in the hole, frame 0xf00", |world| world.set(TABLE, 2, 0xF0_0003)),
    ("frame of page 0x400: in the process pool, not in the hole, frame 0x0", |world| world.set(TABLE, 0, 3)),
    ("owners of frame 0x403: one, page 0x400 of address space 0x400 and page 0x401", |world| {
        world.set(TABLE, 1, 0x40_3003);
    }),
    ("owners of frame 0x402: one, the table of directory entry 0x1", |world| world.set(TABLE, 1, TABLE << 12 | 3)),
    ("owners of frame 0x403: one, page 0x400 of address space 0x400 and page 0x400 of address space 0x405", |world| {
        world.set(OTHER_DIRECTORY, 1, 0x40_6003);
        world.set(0x406, 0, 0x40_3003);
    }),
    ("owners of frame 0x402: one", |world| world.set(OTHER_DIRECTORY, 1, TABLE << 12 | 3)),
    ("page 0x401: backed, absent", |world| world.set(TABLE, 1, 0)),
    ("page 0x402: absent, frame 0x406", |world| world.set(TABLE, 2, 0x40_6003)),
    ("word at 0x00400ffc", |world| _ = world.words.insert(0x40_3FFC, 0)),
    ("frame 0x403 in the pool's books: used: page 0x400", |world| world.set_state(PROCESS_BOOK, 3, 1, 1)),
    ("frame 0x1fff in the pool's books: free: no page table", |world| world.set_state(PROCESS_BOOK, 0x1BFF, 0, 1)),
    ("frame 0x406 in the pool's books: free", |world| world.set_state(PROCESS_BOOK, 6, 0, 0)),
    ("frame 0x406 in the pool's books: free", |world| world.set_state(PROCESS_BOOK, 6, 1, 0)),
    ("frame 0xf00 in the pool's books: inaccessible", |world| world.set_state(PROCESS_BOOK, 0xB00, 1, 1)),
    ("free frames: 0x1afa, to which no page table leads, no claim", |world| world.unsay("claim free 0x1afa")),
    ("free frames: 0x1afa, to which no page table leads, 0x1afb", |world| {
        world.unsay("claim free 0x1afa");
        world.say("claim free 0x1afb");
    }),
    ("the books of frames 0x400..0x2000: claimed, and in the kernel pool, no", |world| {
        world.unsay("claim pool 0x400 0x2000 0x201000");
    }),
    ("the books of frames 0x400..0x2000: claimed, and in the kernel pool, at 0x402000", |world| {
        world.unsay("claim pool 0x400 0x2000 0x201000");
        world.say("claim pool 0x400 0x2000 0x402000");
    }),
    ("page faults: as many as the kernel claims, and 0x2, 0x3 in", |world| world.fault(0x40_0000)),
    ("page faults: as many as the kernel claims, and 0x2, 0x1 in", |world| {
        world.log.clear();
        world.fault(0x40_0000);
    }),
    ("page faults: as many as the kernel claims, and 0x2, 0x2 in QEMU's log, claimed: 0x1", |world| {
        world.unsay("claim faults 0x2");
        world.say("claim faults 0x1");
    }),
    ("page faults: as many as the kernel claims", |world| world.unsay("claim faults 0x2")),
    ("page 0x401: backed at a page fault, backed without one", |world| {
        world.log.clear();
        world.fault(0x40_0000);
        world.fault(0x40_0004);
    }),
    ("paging and write protection: both on", |world| world.registers.cr0 = 0x8000_0011),
    ("paging and write protection: both on", |world| world.registers.cr0 = 0x1_0011),
    ("claimed directories: the one in CR3, 0x406", |world| world.registers.cr3 = 0x40_6000),
    ("claimed directories: the one in CR3, 0x400, and up to 15", |world| {
        (0x500..0x600).for_each(|root| world.say(&format!("claim directory {root:#x}")));
    }),
    // An address space that is not claimed has frames that nobody has.
    ("frame 0x405 in the pool's books: free", |world| world.unsay("claim directory 0x405")),
    ("frame of the directory: in the process pool, 0x300", |world| {
        world.set(0x300, 0, FIRST_TABLE << 12 | 3);
        world.set(0x300, 1023, 0x30_0003);
        world.say("claim directory 0x300");
    }),
    ("claims about pages: 2, 1", |world| world.unsay("claim absent 0x402 0x410")),
    ("claims about pages: 2, 3", |world| world.say("claim absent 0x402 0x410")),
    ("pages claimed backed: 0x2, 0x1", |world| {
        world.unsay("claim filled 0x400 0x402 0x3");
        world.say("claim filled 0x400 0x401 0x3");
    }),
    ("the claims: well-formed", |world| world.say("claim the right thing")),
    ("the next checkpoint: released, filled", |world| world.planned.name = "released".into()),
];

#[test]
fn every_mistake_is_found() {
    for (words, make) in MISTAKES {
        let mut world = World::sound();
        make(&mut world);
        let findings = world.audit();
        assert!(findings.iter().any(|finding| finding.starts_with(words)), "not {words}, but {findings:?}");
    }
}

#[test]
fn scattered_pages_are_where_the_seed_says_and_hold_one_word_each() {
    let touched: Vec<u32> = claims::scattered(SEED, &(0x402..0x800), 5, SALT).into_iter().collect();
    let frame_of = |number: usize| 0x406 + number as u32;
    let mut sound = World::sound();
    sound.unsay("claim absent 0x402 0x410");
    sound.say("claim scattered 0x402 0x800 0x5 0x3");
    sound.unsay("claim faults 0x2");
    sound.say(&format!("claim faults {:#x}", 2 + touched.len()));
    sound.unsay("claim free 0x1afa");
    sound.say(&format!("claim free {:#x}", 0x1AFA - touched.len()));
    (sound.planned.faults, sound.planned.backed) = (None, None);
    for (number, page) in touched.iter().enumerate() {
        sound.set(TABLE, page - 0x400, frame_of(number) << 12 | 3);
        sound.words.insert(frame_of(number) * FRAME, claims::word(SEED, SALT, page * FRAME));
        sound.set_state(PROCESS_BOOK, frame_of(number) - 0x400, 0, 1);
        sound.fault(page * FRAME);
    }
    assert_eq!(sound.audit(), [""; 0]);
    let untouched = (0x402..0x800).find(|page| !touched.contains(page)).expect("there are more pages than draws");
    let expect = |words: String, table: u32, index: u32, value: u32| {
        let mut world = sound.clone();
        world.set(table, index, value);
        let findings = world.audit();
        assert!(findings.iter().any(|finding| finding.starts_with(&words)), "not {words}, but {findings:?}");
    };
    expect(format!("page {untouched:#x}: absent"), TABLE, untouched - 0x400, 0x50_0003);
    expect(format!("page {:#x}: backed, absent", touched[2]), TABLE, touched[2] - 0x400, 0);
    expect(format!("word at {:#010x}", touched[1] * FRAME + 8), frame_of(1), 2, 1);
}

#[test]
fn at_the_end_a_lost_frame_and_a_wrong_table_are_found_whatever_form_the_pools_map_has() {
    let mut world = World::sound();
    world.unsay("claim filled 0x400 0x402 0x3");
    world.unsay("claim absent 0x402 0x410");
    let mut end = |change: fn(&mut World)| {
        change(&mut world);
        world.audit_at("end", &mut Auditor::new("none".into(), SEED, &[Checkpoint::end()]))
    };
    assert_eq!(end(|world| world.unsay("claim pool 0x400 0x2000 0x201000")), [""; 0]);
    assert_eq!(end(|world| world.log.clear()), [""; 0]);
    assert!(end(|world| world.set(TABLE, 1, 0))[0].starts_with("free frames: 0x1afb, to which no page table leads"));
    assert!(end(|world| world.set(DIRECTORY, 1023, 0))[0].starts_with("directory entry 1023"));
}

#[test]
fn the_kernel_pool_must_not_be_used_for_pages() {
    let mut world = World::sound();
    let mut auditor = Auditor::new("none".into(), SEED, std::slice::from_ref(&world.planned));
    assert_eq!(world.audit_again(&mut auditor), [""; 0]);
    world.set_state(KERNEL_BOOK, 9, 0, 1);
    assert_eq!(world.audit_again(&mut auditor), ["frames of the kernel pool in use: 0x2, as before, 0x3"]);
    // If it is the heap's, the heap has grown.
    world.say("claim heap 0x1");
    assert_eq!(world.audit_again(&mut auditor), [""; 0]);
}

#[test]
fn a_memory_that_is_wrong_in_a_million_places_is_told_in_a_few_lines() {
    let mut world = World::sound();
    (8..1022).for_each(|index| world.set(DIRECTORY, index, TABLE << 12 | 3));
    (0..1024).for_each(|index| world.set(TABLE, index, 0xFFFF_F007));
    assert_eq!(world.audit().len(), 5);
}

#[test]
fn ring_3_has_access_in_programs_address_spaces_alone_and_never_to_the_kernels_own_pages() {
    let finds = |words: &str, claim: &str, change: fn(&mut World)| {
        let mut world = World::sound();
        if !claim.is_empty() {
            world.say(&format!("claim program {claim}"));
        }
        change(&mut world);
        let mut auditor = Auditor::new("none".into(), SEED, std::slice::from_ref(&world.planned));
        auditor.programs = 1;
        world.audit_again(&mut auditor).iter().any(|finding| finding.starts_with(words))
    };
    let program = format!("{DIRECTORY:#x}");
    let table: fn(&mut World) = |world| world.set(DIRECTORY, 1, TABLE << 12 | 7);
    assert!(finds("directory entry 0x1: ", "", table));
    assert!(!finds("directory entry 0x1: ", &program, table));
    let [user, kept]: [fn(&mut World); 2] =
        [|world| world.set(TABLE, 1, 0x777 << 12 | 7), |world| world.set(TABLE, 1, 0x777 << 12 | 0x207)];
    assert!(finds("page 0x401: supervisor only", "", user));
    assert!(!finds("page 0x401: supervisor only", &program, user));
    assert!(finds("page 0x401: supervisor only", &program, kept));
}
