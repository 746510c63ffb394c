//! Multiboot 1: one structure of fixed fields, each valid if its flag is set, with addresses of the rest.
//!
//! Source: Multiboot Specification 0.6.96, section 3.3.
//!
//! Decision: docs/src/decisions/0011-multiboot1-by-own-lines.md.

use super::{BootError, BootInfo, MapEntry, Module, PhysicalMemory, framebuffer, word};
use crate::addr::PhysAddr;
use crate::screen::Display;
use crate::screen::framebuffer::Unusable;

pub(super) const MAGIC: u32 = 0x2BAD_B002;

/// Bytes of the structure up to the last field that is read.
const SIZE: u32 = 68;

const HAS_COMMAND_LINE: u32 = 1 << 2;
const HAS_MODULES: u32 = 1 << 3;
const HAS_MEMORY_MAP: u32 = 1 << 6;
const HAS_LOADER_NAME: u32 = 1 << 9;
const HAS_FRAMEBUFFER: u32 = 1 << 12;

const FLAGS: usize = 0;
const COMMAND_LINE: usize = 16;
const MODULE_COUNT: usize = 20;
const MODULES: usize = 24;
const MAP_LENGTH: usize = 44;
const MAP: usize = 48;
const LOADER_NAME: usize = 64;
const FRAMEBUFFER: usize = 88;

/// Bytes of the structure with the framebuffer's fields, which older loaders leave out.
const SIZE_WITH_FRAMEBUFFER: u32 = 118;

/// Where among these the colours are: two bytes later in the specification's C header, which GRUB was compiled with, than
/// in its text.
const COLOURS: [usize; 2] = [24, 22];

/// Bytes of a module's entry: start, end, the address of its text, reserved.
const MODULE_SIZE: u32 = 16;

/// The longest text that is looked through for its end.
const LONGEST_TEXT: u32 = 4096;

pub(super) fn read(info: PhysAddr, memory: &impl PhysicalMemory) -> Result<BootInfo, BootError> {
    let fields = bytes(memory, info, SIZE)?;
    let field = |offset| word(fields, offset).ok_or(BootError::Malformed(info));
    let address = |offset| field(offset).map(PhysAddr::new);
    let flags = field(FLAGS)?;

    if flags & HAS_MEMORY_MAP == 0 || field(MAP_LENGTH)? == 0 {
        return Err(BootError::NoMemoryMap);
    }
    let map = Map(bytes(memory, address(MAP)?, field(MAP_LENGTH)?)?);
    if !map.is_well_formed() {
        return Err(BootError::Malformed(address(MAP)?));
    }
    let modules = match flags & HAS_MODULES {
        0 => &[],
        _ => {
            let malformed = BootError::Malformed(address(MODULES)?);
            let length = field(MODULE_COUNT)?.checked_mul(MODULE_SIZE).ok_or(malformed)?;
            bytes(memory, address(MODULES)?, length)?
        }
    };
    let modules = modules.chunks_exact(MODULE_SIZE as usize).filter_map(|entry| module(memory, entry));
    let screen = display(info, memory).unwrap_or_default();
    let mut boot_info = BootInfo::new(map, modules, screen.frames());

    if flags & HAS_COMMAND_LINE != 0 {
        boot_info.set_command_line(text(memory, address(COMMAND_LINE)?)?)?;
    }
    if flags & HAS_LOADER_NAME != 0 {
        boot_info.set_loader(text(memory, address(LOADER_NAME)?)?);
    }
    Ok(boot_info)
}

/// Reads a module's entry. A text that cannot be read, or is at address 0, is none.
fn module(memory: &impl PhysicalMemory, entry: &[u8]) -> Option<Module> {
    let name = match word(entry, 8)? {
        0 => &[],
        address => text(memory, PhysAddr::new(address)).unwrap_or_default(),
    };
    Some(Module::new(word(entry, 0)?, word(entry, 4)?, name))
}

/// Returns what text can be shown on, if anything is said about that.
pub(super) fn display(info: PhysAddr, memory: &impl PhysicalMemory) -> Option<Display> {
    let flags = word(memory.bytes(info, SIZE)?, FLAGS)?;
    if flags & HAS_FRAMEBUFFER == 0 {
        return None;
    }
    let fields = &memory.bytes(info, SIZE_WITH_FRAMEBUFFER)?[FRAMEBUFFER..];
    let [by_header, by_text] = COLOURS.map(|colours| framebuffer::parse(fields, colours));
    // What isn't the colours doesn't fit in a pixel: there it has no bits of blue, or more than there are.
    if by_header == Some(Display::Unusable(Unusable::Channels)) { by_text } else { by_header }
}

fn bytes(memory: &impl PhysicalMemory, start: PhysAddr, length: u32) -> Result<&[u8], BootError> {
    match length {
        0 => Ok(&[]),
        _ => memory.bytes(start, length).ok_or(BootError::Unreadable(start)),
    }
}

/// Returns the bytes from `start` up to the next zero.
fn text(memory: &impl PhysicalMemory, start: PhysAddr) -> Result<&[u8], BootError> {
    for length in 0..LONGEST_TEXT {
        let here = start.as_u32().checked_add(length).ok_or(BootError::Unreadable(start))?;
        if bytes(memory, PhysAddr::new(here), 1)? == [0] {
            return bytes(memory, start, length);
        }
    }
    bytes(memory, start, LONGEST_TEXT)
}

/// The memory map: entries, each after a word that gives its size.
#[derive(Clone)]
struct Map<'a>(&'a [u8]);

impl Map<'_> {
    /// Says whether the entries fill the map, so that the walk through it sees them all.
    fn is_well_formed(&self) -> bool {
        let mut walk = self.clone();
        walk.by_ref().for_each(drop);
        walk.0.is_empty()
    }
}

impl Iterator for Map<'_> {
    type Item = MapEntry;

    fn next(&mut self) -> Option<MapEntry> {
        let size = word(self.0, 0)? as usize;
        let (entry, rest) = self.0[4..].split_at_checked(size)?;
        let entry = MapEntry::parse(entry)?;
        self.0 = rest;
        Some(entry)
    }
}
