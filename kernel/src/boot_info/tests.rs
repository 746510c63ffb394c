//! Handmade structures of both versions, in memory that starts at 64 KiB.

use super::*;
use crate::screen::Display;
use crate::screen::framebuffer::Unusable;
use std::string::ToString;
use std::vec;

const BASE: u32 = 0x1_0000;

/// Physical memory of 8 KiB, aligned as the Multiboot 2 structures want it.
#[repr(align(8))]
struct Memory([u8; 0x2000]);

impl PhysicalMemory for Memory {
    fn bytes(&self, start: PhysAddr, length: u32) -> Option<&[u8]> {
        let start = start.as_u32().checked_sub(BASE)? as usize;
        self.0.get(start..start.checked_add(length as usize)?).filter(|bytes| !bytes.is_empty())
    }
}

impl Memory {
    fn new() -> Self {
        Self([0xFF; 0x2000])
    }

    fn put(&mut self, offset: usize, bytes: &[u8]) {
        self.0[offset..offset + bytes.len()].copy_from_slice(bytes);
    }

    fn put_word(&mut self, offset: usize, word: u32) {
        self.put(offset, &word.to_le_bytes());
    }
}

fn entry(base: u64, length: u64, kind: u32) -> Vec<u8> {
    [&base.to_le_bytes()[..], &length.to_le_bytes(), &kind.to_le_bytes()].concat()
}

/// A PC with 32 MiB: free below 640 KiB and above 1 MiB.
fn usual_map() -> Vec<Vec<u8>> {
    vec![
        entry(0, 0x9_FC00, 1),
        entry(0x9_FC00, 0x400, 2),
        entry(0x10_0000, 0x1F0_0000, 1),
        entry(0xFFFC_0000, 0x4_0000, 2),
    ]
}

fn multiboot1(map: &[Vec<u8>]) -> Memory {
    let mut memory = Memory::new();
    let map: Vec<u8> = map.iter().flat_map(|entry| [&(entry.len() as u32).to_le_bytes()[..], entry].concat()).collect();
    memory.put_word(0, 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
    memory.put_word(16, BASE + 0x100);
    memory.put(0x100, b"droste.elf test=first log=vm:debug test=second\0");
    memory.put_word(20, 1);
    memory.put_word(24, BASE + 0x200);
    memory.put_word(0x200, 0x20_0000);
    memory.put_word(0x204, 0x20_1001);
    memory.put_word(0x208, BASE + 0x280);
    memory.put(0x280, b"name\0");
    memory.put_word(44, map.len() as u32);
    memory.put_word(48, BASE + 0x1000);
    memory.put(0x1000, &map);
    memory.put_word(64, BASE + 0x300);
    memory.put(0x300, b"loader 1\0");
    memory
}

fn multiboot2(map: &[Vec<u8>], entry_size: u32) -> Memory {
    let mut tags = Vec::new();
    let mut tag = |kind: u32, payload: &[u8]| {
        tags.extend(kind.to_le_bytes());
        tags.extend((payload.len() as u32 + 8).to_le_bytes());
        tags.extend(payload);
        tags.resize(tags.len().next_multiple_of(8), 0);
    };
    tag(1, b"droste.elf test=first log=vm:debug test=second\0");
    tag(3, &[&0x20_0000u32.to_le_bytes()[..], &0x20_1001u32.to_le_bytes(), b"name\0"].concat());
    let mut entries = [entry_size.to_le_bytes(), [0; 4]].concat();
    for entry in map {
        entries.extend(entry);
        entries.resize(entries.len() + entry_size as usize - entry.len(), 0);
    }
    tag(6, &entries);
    tag(2, b"loader 2\0");
    tag(0, &[]);
    let mut memory = Memory::new();
    memory.put_word(0, tags.len() as u32 + 8);
    memory.put_word(4, 0);
    memory.put(8, &tags);
    memory
}

fn read(magic: u32, memory: &Memory) -> Result<BootInfo, BootError> {
    BootInfo::read(magic, PhysAddr::new(BASE), memory)
}

fn range(start: u32, end: u32) -> FrameRange {
    FrameRange::new(Frame::new(start), Frame::new(end))
}

fn available(map: &[Vec<u8>]) -> Vec<FrameRange> {
    let info = read(multiboot1::MAGIC, &multiboot1(map)).unwrap();
    assert_eq!(info.available(), read(multiboot2::MAGIC, &multiboot2(map, 24)).unwrap().available());
    info.available().to_vec()
}

#[test]
fn both_versions_tell_the_same() {
    for (info, loader) in [
        (read(multiboot1::MAGIC, &multiboot1(&usual_map())).unwrap(), "loader 1"),
        (read(multiboot2::MAGIC, &multiboot2(&usual_map(), 24)).unwrap(), "loader 2"),
        (read(multiboot2::MAGIC, &multiboot2(&usual_map(), 40)).unwrap(), "loader 2"),
    ] {
        assert_eq!(info.loader(), loader);
        assert_eq!(info.command_line(), "droste.elf test=first log=vm:debug test=second");
        assert_eq!(info.modules()[0].frames(), range(0x200, 0x202));
        assert_eq!(info.modules()[0].to_string(), "name, 8 KiB at 0x0020_0000");
        assert_eq!(info.available(), [range(0, 0x9F), range(0x100, 0x200), range(0x202, 0x2000)]);
        assert_eq!(info.warnings().count(), 0);
    }
}

/// The fields of a framebuffer of 800 by 600 pixels, with `reserved` bytes before those about its colours.
fn framebuffer(address: u64, kind: u8, reserved: usize) -> Vec<u8> {
    let numbers = [3200u32, 800, 600].map(u32::to_le_bytes).concat();
    let colours = [16, 8, 8, 8, 0, 8, 0, 0];
    [&address.to_le_bytes()[..], &numbers, &[32, kind], &vec![0xEE; reserved], &colours].concat()
}

/// What is shown on if the boot loader describes a framebuffer so: in either version, and in version 1 both ways.
fn display_of(address: u64, kind: u8) -> Display {
    let two = with_tags(&[(8, &framebuffer(address, kind, 2))]);
    let expected = BootInfo::display(multiboot2::MAGIC, PhysAddr::new(BASE), &two);
    for reserved in [0, 2] {
        let mut one = multiboot1(&usual_map());
        one.put_word(0, 1 << 6 | 1 << 12);
        one.put(88, &framebuffer(address, kind, reserved));
        assert_eq!(BootInfo::display(multiboot1::MAGIC, PhysAddr::new(BASE), &one), expected);
    }
    expected
}

/// Multiboot 2 information with these tags alone.
fn with_tags(tags: &[(u32, &[u8])]) -> Memory {
    let mut memory = Memory::new();
    let mut end = 8;
    for (kind, payload) in tags.iter().copied().chain([(0, &[][..])]) {
        memory.put_word(end, kind);
        memory.put_word(end + 4, payload.len() as u32 + 8);
        memory.put(end + 8, payload);
        end = (end + 8 + payload.len()).next_multiple_of(8);
    }
    memory.put_word(0, end as u32);
    memory
}

#[test]
fn the_screen_is_what_the_boot_loader_describes() {
    let Display::Pixels(framebuffer) = display_of(0x8000_0000, 1) else { panic!("no pixels") };
    assert_eq!(framebuffer.frames(), range(0x8_0000, 0x8_0000 + (3200 * 600u32).div_ceil(0x1000)));
    assert_eq!(display_of(0xB_8000, 2), Display::Text);
    assert_eq!(display_of(0x8000_0000, 0), Display::Unusable(Unusable::Kind(0)));
    assert_eq!(display_of(1 << 40, 1), Display::Unusable(Unusable::Address(1 << 40)));
}

#[test]
fn only_uefi_without_a_framebuffer_has_nothing_to_show_text_on() {
    let base = PhysAddr::new(BASE);
    assert_eq!(BootInfo::display(multiboot1::MAGIC, base, &multiboot1(&usual_map())), Display::Text);
    assert_eq!(BootInfo::display(multiboot2::MAGIC, base, &multiboot2(&usual_map(), 24)), Display::Text);
    assert_eq!(BootInfo::display(0x1234, base, &Memory::new()), Display::Text);
    for system_table in [11, 12] {
        assert_eq!(
            BootInfo::display(multiboot2::MAGIC, base, &with_tags(&[(system_table, &[0; 8])])),
            Display::Nothing
        );
    }
}

#[test]
fn the_framebuffers_memory_is_never_available() {
    let mut memory = multiboot1(&[entry(0x10_0000, 0x2F0_0000, 1)]);
    memory.put_word(0, 1 << 6 | 1 << 12);
    memory.put(88, &framebuffer(0x200_0000, 1, 0));
    let frames = (3200 * 600u32).div_ceil(0x1000);
    let expected = [range(0x100, 0x2000), range(0x2000 + frames, 0x3000)];
    assert_eq!(read(multiboot1::MAGIC, &memory).unwrap().available(), expected);
}

#[test]
fn the_last_of_several_options_counts() {
    let info = read(multiboot1::MAGIC, &multiboot1(&usual_map())).unwrap();
    assert_eq!((info.option("test"), info.option("log")), (Some("second"), Some("vm:debug")));
    assert_eq!((info.option("tes"), info.option("interactive")), (None, None));
}

#[test]
fn reserved_wins_whatever_the_order() {
    let free = entry(0x40_0000, 0x100_0000, 1);
    let reserved = entry(0x60_0800, 0x1000, 2);
    let more = entry(0x60_0000, 0x100_0000, 1);
    let expected = [range(0x400, 0x600), range(0x602, 0x1600)];
    assert_eq!(available(&[free.clone(), reserved.clone(), more.clone()]), expected);
    assert_eq!(available(&[reserved, more, free]), expected);
}

#[test]
fn a_frame_that_is_partly_available_is_not() {
    assert_eq!(available(&[entry(0x40_0001, 0x100_0000, 1)]), [range(0x401, 0x1400)]);
}

#[test]
fn a_limited_process_pool_has_so_many_frames_and_the_hole_is_none_of_them() {
    let limited = |frames| {
        let mut info = read(multiboot1::MAGIC, &multiboot1(&usual_map())).unwrap();
        let before = info.available().to_vec();
        info.limit_process_pool(frames);
        let end = info.available().last().unwrap().end.number();
        (super::pools::process_frames(info.available()), end, info.available() == before)
    };
    assert_eq!(limited(100), (100, 1024 + 100, false));
    assert_eq!(limited(3000), (3000, 1024 + 3000 + 256, false));
    assert_eq!(limited(6912), (6912, 0x2000, true));
    assert_eq!(limited(1 << 20), (6912, 0x2000, true));
}

#[test]
fn memory_beyond_4_gib_is_not_seen() {
    let huge = [entry(0x40_0000, 1 << 40, 1), entry(1 << 33, 1 << 30, 1), entry(1 << 34, u64::MAX, 2)];
    assert_eq!(available(&huge), [range(0x400, 0x10_0000)]);
}

#[test]
fn what_is_missing_or_wrong_has_a_name() {
    let address = PhysAddr::new(BASE);
    assert_eq!(read(0x1234, &Memory::new()).unwrap_err(), BootError::Magic(0x1234));
    let nowhere = BootInfo::read(multiboot2::MAGIC, PhysAddr::new(0), &Memory::new());
    assert_eq!(nowhere.unwrap_err(), BootError::Unreadable(PhysAddr::new(0)));

    let mut no_map = multiboot1(&usual_map());
    no_map.put_word(0, 0);
    assert_eq!(read(multiboot1::MAGIC, &no_map).unwrap_err(), BootError::NoMemoryMap);
    let mut no_map = multiboot2(&usual_map(), 24);
    no_map.put_word(0, 16);
    no_map.put_word(8, 0);
    no_map.put_word(12, 8);
    assert_eq!(read(multiboot2::MAGIC, &no_map).unwrap_err(), BootError::NoMemoryMap);

    let little = multiboot1(&[entry(0x10_0000, 0x60_0000, 1)]);
    let little = read(multiboot1::MAGIC, &little).unwrap().check_memory();
    assert_eq!(little, Err(BootError::TooLittleMemory(Frame::new(0x700))));
    let map = PhysAddr::new(BASE + 0x1000);
    assert_eq!(read(multiboot1::MAGIC, &multiboot1(&[vec![0; 8]])).unwrap_err(), BootError::Malformed(map));
    let mut endless = multiboot2(&usual_map(), 24);
    endless.put_word(12, 0);
    assert_eq!(read(multiboot2::MAGIC, &endless).unwrap_err(), BootError::Malformed(address));
    assert_eq!(BootError::NoMemoryMap.to_string(), "the boot loader gave no memory map");
}

#[test]
fn whatever_the_structure_holds_reading_it_ends_without_a_panic() {
    let good = [multiboot1(&usual_map()), multiboot2(&usual_map(), 24)];
    for (magic, memory) in [multiboot1::MAGIC, multiboot2::MAGIC].into_iter().zip(&good) {
        for offset in 0..0x400 {
            for byte in [0, 1, 7, 0x7F, 0x80, 0xFF] {
                let mut broken = Memory(memory.0);
                broken.0[offset] = byte;
                let _ = read(magic, &broken);
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_told() {
    let mut memory = multiboot1(&usual_map());
    let modules = MAX_MODULES as u32 + 4;
    let (module, last) = (|number: u32| 0x100_0000 + 0x2000 * number, modules - 1);
    memory.put_word(20, modules);
    memory.put_word(24, BASE + 0x400);
    for number in 0..modules {
        memory.put_word(0x400 + 16 * number as usize, module(number));
        memory.put_word(0x404 + 16 * number as usize, module(number) + 0x1000);
    }

    let info = read(multiboot1::MAGIC, &memory).unwrap();
    assert_eq!(info.warnings().collect::<Vec<_>>(), [Warning::Modules(4)]);
    // What is not remembered is not handed out either.
    let forgotten = Frame::containing(PhysAddr::new(module(last)));
    assert!(!info.available().iter().any(|range| range.contains(forgotten)));
}

#[test]
fn a_command_line_is_taken_whole_or_refused() {
    let mut memory = multiboot1(&usual_map());
    memory.put_word(16, BASE + 0x800);
    memory.put(0x800, &[b'x'; MAX_COMMAND_LINE]);
    memory.put(0x800 + MAX_COMMAND_LINE, b"\0");
    assert_eq!(read(multiboot1::MAGIC, &memory).unwrap().command_line().len(), MAX_COMMAND_LINE);

    memory.put(0x800 + MAX_COMMAND_LINE, b"x\0");
    assert_eq!(read(multiboot1::MAGIC, &memory).err(), Some(BootError::CommandLine(MAX_COMMAND_LINE + 1)));
}

/// As after GRUB's `badram`: more holes than there is room for in the table, and most of the memory behind them.
#[test]
fn however_many_pieces_memory_has_the_largest_are_kept() {
    let mut map = vec![entry(0x10_0000, 0x40_0000, 1)];
    map.extend((0..100).map(|number| entry(0x50_0000 + 0x2000 * number, 0x1000, 1)));
    map.push(entry(0x100_0000, 0x100_0000, 1));
    let info = read(multiboot1::MAGIC, &multiboot1(&map)).unwrap();
    assert_eq!(info.available().len(), MAX_RANGES);
    assert_eq!((info.available()[0], info.available()[MAX_RANGES - 1]), (range(0x100, 0x200), range(0x1000, 0x2000)));
    assert_eq!(info.check_memory(), Ok(()));
    assert_eq!(info.warnings().collect::<Vec<_>>(), [Warning::Frames(38)]);
}

#[test]
fn a_loader_without_a_name_is_an_unnamed_loader() {
    let mut memory = multiboot1(&usual_map());
    memory.put_word(0, 1 << 6);
    assert_eq!(read(multiboot1::MAGIC, &memory).unwrap().loader(), "an unnamed loader");
    memory.put_word(0, 1 << 6 | 1 << 9);
    memory.put(0x300, b"\0");
    assert_eq!(read(multiboot1::MAGIC, &memory).unwrap().loader(), "an unnamed loader");
}

#[test]
fn a_module_where_there_is_no_memory_is_told_by_name_and_size() {
    let mut memory = multiboot1(&usual_map());
    memory.put_word(0x204, 0x20_0000 + (200 << 20));
    let info = read(multiboot1::MAGIC, &memory).unwrap();
    let warnings: Vec<_> = info.warnings().map(|warning| warning.to_string()).collect();
    assert_eq!(warnings, ["module name, 204800 KiB at 0x0020_0000 is where there is no memory"]);
}

#[test]
fn of_a_module_with_a_long_path_the_end_is_kept() {
    let mut memory = multiboot1(&usual_map());
    let path = [&[b'/'; 100][..], b"programs/hello\0"].concat();
    memory.put_word(0x208, BASE + 0x900);
    memory.put(0x900, &path);
    let info = read(multiboot1::MAGIC, &memory).unwrap();
    let name = info.modules()[0].name();
    assert_eq!((name.len(), name.ends_with("/programs/hello")), (64, true));
}

#[test]
fn a_module_whose_text_cannot_be_read_has_no_name() {
    for text in [0, 1, u32::MAX] {
        let mut memory = multiboot1(&usual_map());
        memory.put_word(0x208, text);
        let info = read(multiboot1::MAGIC, &memory).unwrap();
        assert_eq!(info.modules()[0].to_string(), "without a name, 8 KiB at 0x0020_0000");
    }
}
