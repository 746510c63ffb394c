//! A program's file: ELF for 32-bit x86, with each field checked before anything is loaded.
//!
//! Source: Tool Interface Standard, ELF Specification 1.2.

use super::layout::IMAGE_PAGES;
use crate::addr::{PAGE_SIZE, Page, PageRange, VirtAddr};
use alloc::vec::Vec;
use core::fmt;
use elf::ElfBytes;
use elf::abi::{EM_386, ET_EXEC, EV_CURRENT, PF_W, PF_X, PT_DYNAMIC, PT_INTERP, PT_LOAD, PT_TLS};
use elf::endian::LittleEndian;
use elf::file::Class;
use elf::segment::ProgramHeader;

/// Why a file is not loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadImage {
    /// It is not ELF, or its header, its tables or a section that they name don't lie in the file.
    Malformed,
    /// It is for another machine than 32-bit x86, little-endian, or of an unknown version.
    Machine,
    /// It is not a program that was linked for one address.
    Kind(u16),
    /// It wants to be loaded by another program, or has what that one would set up: dynamic linking, thread-local data.
    Dynamic(u32),
    /// It has no segment, or more than 8.
    Segments(usize),
    /// The bytes of this segment don't lie in the file, or are more than it has in memory.
    Bytes(usize),
    /// This segment does not lie where segments may, above the one before it, in pages of its own.
    Place(usize),
    /// This segment can be written and executed.
    Rights(usize),
    /// Execution would not start in a segment that can be executed.
    Entry(u32),
}

impl fmt::Display for BadImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = fmt::from_fn(|f| {
            let PageRange { start, end } = IMAGE_PAGES;
            write!(f, "{} to {}, ascending, each in pages of its own", start.start(), end.start())
        });
        match self {
            Self::Malformed => write!(f, "not an ELF file, or a part that it names is not in it"),
            Self::Machine => write!(f, "not for 32-bit x86"),
            Self::Kind(kind) => write!(f, "ELF type {kind:#x}, but only programs (0x2) are loaded"),
            Self::Dynamic(kind) => write!(f, "a segment of type {kind:#x}: it has to be linked statically"),
            Self::Segments(count) => write!(f, "{count} segments, but 1 to {MOST} are loaded"),
            Self::Bytes(number) => write!(f, "segment {number}: its bytes are not all in the file, or too many"),
            Self::Place(number) => write!(f, "segment {number}: segments must lie in {places}"),
            Self::Rights(number) => write!(f, "segment {number} can be written and executed"),
            Self::Entry(entry) => write!(f, "its start, {entry:#x}, is in no segment that can be executed"),
        }
    }
}

/// How many segments a program may have.
const MOST: usize = 8;

/// How many program headers a file may have, those of segments that are not loaded among them.
const MOST_HEADERS: usize = 32;

/// A part of a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment<'a> {
    /// Where its bytes go.
    pub start: VirtAddr,
    /// Its bytes. Behind them are zeros.
    pub bytes: &'a [u8],
    /// All its pages.
    pub pages: PageRange,
    /// Whether the program may write to it.
    pub is_writable: bool,
}

/// What there is to load of a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image<'a> {
    /// Where it starts.
    pub entry: VirtAddr,
    /// Its segments, in ascending order.
    pub segments: Vec<Segment<'a>>,
    /// The pages that can be executed, from the first to the last.
    pub code: PageRange,
    /// Its table of functions, as [`Symbols`](crate::symbols::Symbols) takes one; empty without one.
    pub symbols: &'a [u8],
}

impl<'a> Image<'a> {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`BadImage`].
    pub fn read(file: &'a [u8]) -> Result<Self, BadImage> {
        let elf = ElfBytes::<LittleEndian>::minimal_parse(file).map_err(|_| BadImage::Malformed)?;
        let header = elf.ehdr;
        if header.class != Class::ELF32 || header.e_machine != EM_386 || header.version != u32::from(EV_CURRENT) {
            return Err(BadImage::Machine);
        }
        if header.e_type != ET_EXEC {
            return Err(BadImage::Kind(header.e_type));
        }
        let headers = elf.segments().ok_or(BadImage::Segments(0))?;
        if headers.len() > MOST_HEADERS {
            return Err(BadImage::Segments(headers.len()));
        }
        let headers: Vec<ProgramHeader> = headers.iter().collect();
        if let Some(other) = headers.iter().find(|header| [PT_INTERP, PT_DYNAMIC, PT_TLS].contains(&header.p_type)) {
            return Err(BadImage::Dynamic(other.p_type));
        }
        let (mut segments, mut code) = (Vec::new(), Vec::new());
        let mut end = IMAGE_PAGES.start;
        let loaded = headers.iter().filter(|header| header.p_type == PT_LOAD && header.p_memsz > 0);
        for (number, header) in loaded.enumerate() {
            let bytes = elf.segment_data(header).map_err(|_| BadImage::Bytes(number))?;
            if header.p_filesz > header.p_memsz {
                return Err(BadImage::Bytes(number));
            }
            let pages = pages(header).filter(|pages| pages.start >= end && IMAGE_PAGES.contains_range(*pages));
            let pages = pages.ok_or(BadImage::Place(number))?;
            end = pages.end;
            let [is_writable, is_code] = [PF_W, PF_X].map(|flag| header.p_flags & flag != 0);
            // A page that the file gives nothing of would be one of zeros, which can be written to.
            let in_file = u32::try_from(header.p_vaddr + header.p_filesz).ok().map(|end| end.div_ceil(PAGE_SIZE));
            if !is_writable && in_file != Some(pages.end.number()) {
                return Err(BadImage::Bytes(number));
            }
            if is_writable && is_code {
                return Err(BadImage::Rights(number));
            }
            if is_code {
                code.push(pages);
            }
            segments.push(Segment { start: VirtAddr::new(header.p_vaddr as u32), bytes, pages, is_writable });
        }
        if !(1..=MOST).contains(&segments.len()) {
            return Err(BadImage::Segments(segments.len()));
        }
        let entry = VirtAddr::new(header.e_entry as u32);
        let (Some(first), Some(last)) = (code.first(), code.last()) else {
            return Err(BadImage::Entry(entry.as_u32()));
        };
        if !code.iter().any(|pages| pages.contains(Page::containing(entry))) {
            return Err(BadImage::Entry(entry.as_u32()));
        }
        let section = elf.section_header_by_name(".symbols").map_err(|_| BadImage::Malformed)?;
        let symbols = section.map(|section| elf.section_data(&section)).transpose().map_err(|_| BadImage::Malformed)?;
        let symbols = symbols.map_or(&[][..], |(bytes, _)| bytes);
        Ok(Self { entry, segments, code: PageRange::new(first.start, last.end), symbols })
    }
}

/// Returns the pages of a segment, which has some, unless they wrap.
fn pages(header: &ProgramHeader) -> Option<PageRange> {
    let start = u32::try_from(header.p_vaddr).ok()?;
    let last = start.checked_add(u32::try_from(header.p_memsz).ok()?.checked_sub(1)?)?;
    Some(PageRange::new(Page::new(start / PAGE_SIZE), Page::new(last / PAGE_SIZE + 1)))
}
