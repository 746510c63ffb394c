//! Programs, as far as the host knows them: their files and the list of their calls.

#![allow(clippy::unwrap_used)] // a helper that fails fails its test

use droste::programs::calls::{CallError, LIST, LONGEST_PRINT};
use droste::programs::{BadImage, Image};

/// Offsets of fields in the header, and in the header of the first segment, which follows it.
const SEGMENT: usize = 52;
const OFFSET: usize = SEGMENT + 4;
const ADDRESS: usize = SEGMENT + 8;
const IN_FILE: usize = SEGMENT + 16;
const IN_MEMORY: usize = SEGMENT + 20;
const FLAGS: usize = SEGMENT + 24;

/// Makes a file with two segments: code of 16 bytes at 0x0800_0000, and a page of data behind it, all zeros.
fn file() -> Vec<u8> {
    let mut file = vec![0x7F, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let half = |file: &mut Vec<u8>, value: u16| file.extend(value.to_le_bytes());
    let word = |file: &mut Vec<u8>, value: u32| file.extend(value.to_le_bytes());
    half(&mut file, 2);
    half(&mut file, 3);
    [1, 0x0800_0000, SEGMENT as u32, 0, 0].into_iter().for_each(|value| word(&mut file, value));
    [52, 32, 2, 40, 0, 0].into_iter().for_each(|value| half(&mut file, value));
    let bytes = SEGMENT as u32 + 64;
    [1, bytes, 0x0800_0000, 0, 16, 16, 5, 4096].into_iter().for_each(|value| word(&mut file, value));
    [1, bytes, 0x0800_1000, 0, 0, 4096, 6, 4096].into_iter().for_each(|value| word(&mut file, value));
    file.extend([0x90; 16]);
    file
}

/// Reads the file with the word at each of these offsets changed.
fn with(changes: &[(usize, u32)]) -> Result<(), BadImage> {
    let mut file = file();
    for (at, value) in changes {
        file[*at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    Image::read(&file).map(|_| ())
}

#[test]
fn a_file_is_read_as_it_was_linked() {
    let file = file();
    let image = Image::read(&file).unwrap();
    assert_eq!((image.entry.as_u32(), image.segments.len(), image.code.len()), (0x0800_0000, 2, 1));
    let [code, data] = [0, 1].map(|number| image.segments[number]);
    assert_eq!((code.bytes, code.is_writable, code.pages.len()), (&[0x90; 16][..], false, 1));
    assert_eq!((data.bytes.len(), data.is_writable, data.pages.len()), (0, true, 1));
}

#[test]
fn whatever_is_wrong_with_a_file_is_said_and_nothing_is_loaded() {
    let (kind, machine) = (|kind: u32| 0x3_0000 | kind, |machine: u32| machine << 16 | 2);
    let second = SEGMENT + 32;
    let wrong: &[(&[(usize, u32)], BadImage)] = &[
        (&[(0, 0)], BadImage::Malformed),
        (&[(4, 0x0001_0103)], BadImage::Malformed),
        (&[(4, 0x0001_0201)], BadImage::Malformed),
        (&[(20, 2)], BadImage::Machine),
        (&[(16, machine(62))], BadImage::Machine),
        (&[(16, kind(1))], BadImage::Kind(1)),
        (&[(16, kind(3))], BadImage::Kind(3)),
        (&[(28, 0)], BadImage::Segments(0)),
        (&[(28, 0x1000)], BadImage::Malformed),
        (&[(28, u32::MAX)], BadImage::Malformed),
        (&[(42, 0x0002_0038)], BadImage::Malformed),
        (&[(44, 0xFFF0)], BadImage::Malformed),
        (&[(44, 0x28_0000)], BadImage::Segments(0)),
        (&[(32, 0x4000), (46, 0x0001_0028)], BadImage::Malformed),
        (&[(SEGMENT, 3)], BadImage::Dynamic(3)),
        (&[(SEGMENT, 2)], BadImage::Dynamic(2)),
        (&[(SEGMENT, 7)], BadImage::Dynamic(7)),
        (&[(SEGMENT, 0), (second, 0)], BadImage::Segments(0)),
        (&[(OFFSET, 0x1000)], BadImage::Bytes(0)),
        (&[(OFFSET, u32::MAX)], BadImage::Bytes(0)),
        (&[(IN_FILE, 17)], BadImage::Bytes(0)),
        (&[(IN_FILE, u32::MAX), (IN_MEMORY, u32::MAX)], BadImage::Bytes(0)),
        (&[(IN_MEMORY, 15)], BadImage::Bytes(0)),
        (&[(ADDRESS, 0)], BadImage::Place(0)),
        (&[(ADDRESS, 0x10_0000)], BadImage::Place(0)),
        (&[(ADDRESS, 0x07FF_FFFF)], BadImage::Place(0)),
        (&[(ADDRESS, 0x0FFF_FFF8)], BadImage::Place(0)),
        (&[(ADDRESS, 0xFFFF_F000)], BadImage::Place(0)),
        (&[(ADDRESS, 0xFFFF_FFF8)], BadImage::Place(0)),
        (&[(ADDRESS, 0x0800_2000)], BadImage::Place(1)),
        (&[(second + 8, 0x0800_0FFF)], BadImage::Place(1)),
        (&[(second + 20, 0x0800_0000)], BadImage::Place(1)),
        (&[(second + 20, u32::MAX)], BadImage::Place(1)),
        (&[(FLAGS, 7)], BadImage::Rights(0)),
        (&[(FLAGS, 4)], BadImage::Entry(0x0800_0000)),
        (&[(24, 0)], BadImage::Entry(0)),
        (&[(24, 0x0800_1000)], BadImage::Entry(0x0800_1000)),
        (&[(24, 0x0010_0000)], BadImage::Entry(0x0010_0000)),
    ];
    for (changes, expected) in wrong {
        let seen = with(changes);
        assert_eq!(seen, Err(*expected), "{changes:x?}");
        assert!(!expected.to_string().contains('\n'));
    }
    for length in 0..file().len() {
        assert!(Image::read(&file()[..length]).is_err(), "the first {length} bytes");
    }
}

#[test]
fn the_book_lists_the_calls_and_their_errors_as_the_code_does() {
    let page = include_str!("../../docs/src/programs.md");
    for (number, line) in LIST.iter().enumerate() {
        assert_eq!(line.call as usize, number);
        let errors: Vec<String> = line.errors.iter().map(|error| format!("{error:?}")).collect();
        let or_none = |words: &str| if words.is_empty() { "–".to_owned() } else { words.to_owned() };
        let (takes, errors) = (or_none(line.takes), or_none(&errors.join(", ")));
        let row = format!("| {number} | {:?} | {takes} | {} | {errors} |", line.call, line.returns);
        assert!(page.contains(&row), "docs/src/programs.md lacks: {row}");
    }
    for (number, error) in (1..).zip(CallError::ALL) {
        assert_eq!(error as u32, number);
        assert!(page.contains(&format!("| {number} | {error:?} |")), "docs/src/programs.md lacks error {number}");
    }
    assert!(page.contains(&format!("more than {LONGEST_PRINT} bytes")));
}
