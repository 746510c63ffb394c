//! Multiboot 2: one block of tags, each a multiple of 8 bytes, ended by a tag of kind 0.
//!
//! The `multiboot2` crate checks each structure's size and alignment. What is inside a tag is read here, since the crate
//! panics on a memory map with entries longer than it knows, which the specification allows.
//!
//! Source: Multiboot2 Specification 2.0, section 3.6.

use super::{BootError, BootInfo, MapEntry, Module, PhysicalMemory, framebuffer, word};
use crate::addr::PhysAddr;
use crate::screen::Display;
use multiboot2::{BootInformationHeader, DynSizedStructure, TagHeader, TagType};

pub(super) const MAGIC: u32 = multiboot2::MAGIC;

/// Bytes of the block's header, and the multiple that every structure's size is rounded up to.
const HEADER: u32 = 8;
const ALIGNMENT: usize = 8;

/// Where the colours are among a framebuffer's fields, after two reserved bytes.
const COLOURS: usize = 24;

pub(super) fn read(info: PhysAddr, memory: &impl PhysicalMemory) -> Result<BootInfo, BootError> {
    let malformed = BootError::Malformed(info);
    let tags = tags(info, memory)?;
    let map = tags.clone().find(|tag| tag.header().typ == TagType::Mmap).ok_or(BootError::NoMemoryMap)?;
    let map = map_entries(map.payload()).ok_or(malformed)?;
    let modules = tags.clone().filter(|tag| tag.header().typ == TagType::Module).map(|tag| module(tag.payload()));
    if modules.clone().any(|module| module.is_none()) {
        return Err(malformed);
    }
    let screen = display(info, memory).unwrap_or_default();
    let mut boot_info = BootInfo::new(map, modules.flatten(), screen.frames());
    for tag in tags {
        let payload = tag.payload();
        match tag.header().typ.into() {
            TagType::Cmdline => boot_info.set_command_line(payload)?,
            TagType::BootLoaderName => boot_info.set_loader(payload),
            _ => {}
        }
    }
    Ok(boot_info)
}

/// Reads a module's tag: start, end, text.
fn module(payload: &[u8]) -> Option<Module> {
    Some(Module::new(word(payload, 0)?, word(payload, 4)?, &payload[8..]))
}

/// Returns what text can be shown on, if anything is said about that: UEFI alone says that there is no text mode.
pub(super) fn display(info: PhysAddr, memory: &impl PhysicalMemory) -> Option<Display> {
    let mut tags = tags(info, memory).ok()?;
    let is_uefi = tags.clone().any(|tag| matches!(tag.header().typ.into(), TagType::Efi32 | TagType::Efi64));
    match tags.find(|tag| tag.header().typ == TagType::Framebuffer) {
        Some(tag) => framebuffer::parse(tag.payload(), COLOURS),
        None => is_uefi.then_some(Display::Nothing),
    }
}

/// Returns the tags, all of which can be read.
fn tags(info: PhysAddr, memory: &impl PhysicalMemory) -> Result<Tags<'_>, BootError> {
    let unreadable = BootError::Unreadable(info);
    let malformed = BootError::Malformed(info);
    let total = word(memory.bytes(info, HEADER).ok_or(unreadable)?, 0).ok_or(malformed)?;
    let rounded = total.checked_next_multiple_of(ALIGNMENT as u32).ok_or(malformed)?;
    let block = memory.bytes(info, rounded).ok_or(unreadable)?;
    let block = DynSizedStructure::<BootInformationHeader>::ref_from_slice(block).map_err(|_| malformed)?;
    let tags = Tags(block.payload());
    if tags.are_well_formed() { Ok(tags) } else { Err(malformed) }
}

/// Walks through the map: the size of an entry, a version that only grows compatibly, then the entries.
fn map_entries(payload: &[u8]) -> Option<impl Iterator<Item = MapEntry> + Clone> {
    let size = word(payload, 0)? as usize;
    let entries = payload.get(8..)?;
    let fits = size >= MapEntry::SIZE && entries.len().is_multiple_of(size);
    fits.then(|| entries.chunks_exact(size).filter_map(MapEntry::parse))
}

/// The tags up to the one that ends them.
#[derive(Clone)]
struct Tags<'a>(&'a [u8]);

impl Tags<'_> {
    /// Says whether the walk arrives at the end tag.
    fn are_well_formed(&self) -> bool {
        let mut walk = self.clone();
        walk.by_ref().for_each(drop);
        walk.front().is_some_and(|tag| tag.header().typ == TagType::End)
    }
}

impl<'a> Tags<'a> {
    fn front(&self) -> Option<&'a DynSizedStructure<TagHeader>> {
        // The crate wants whole multiples of 8 bytes. A block whose size is none has no tag in the rest.
        let whole = self.0.len() - self.0.len() % ALIGNMENT;
        DynSizedStructure::ref_from_slice(&self.0[..whole]).ok()
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = &'a DynSizedStructure<TagHeader>;

    fn next(&mut self) -> Option<Self::Item> {
        let tag = self.front().filter(|tag| tag.header().typ != TagType::End)?;
        let size = (tag.header().size as usize).next_multiple_of(ALIGNMENT);
        self.0 = self.0.get(size..)?;
        Some(tag)
    }
}
