//! Boot information: memory, command line, modules, the boot loader's name.
//!
//! All of it is copied into a [`BootInfo`] of fixed size before the first frame is handed out, since the originals lie in
//! memory that belongs to the frame pools. Both Multiboot versions end up in the same structure.
//!
//! "Default is reserved": a frame is available only if the memory map says so for all of it, nothing else in the map
//! touches it, and neither a module nor the framebuffer lies in it.

mod framebuffer;
mod multiboot1;
#[cfg(not(target_family = "wasm"))]
mod multiboot2;
pub mod pools;
mod ranges;
mod read;
#[cfg(test)]
mod tests;

use crate::addr::{Frame, FrameRange, PAGE_SIZE, PAGES_IN_SPACE, PhysAddr};
use crate::memory_map::{HOLE, PROCESS_POOL_START};
use crate::text::Text;
use core::fmt;
use ranges::{Ranges, Sweep};

/// The most ranges of available memory that are kept.
const MAX_RANGES: usize = 64;
/// The most modules that are kept.
const MAX_MODULES: usize = 16;
const MAX_MODULE_NAME: usize = 64;
const MAX_COMMAND_LINE: usize = 512;
const MAX_LOADER_NAME: usize = 64;

/// Memory must reach to here, the end of an 8 MiB machine less half a MiB that its firmware may keep for tables.
const LEAST_END: Frame = Frame::new((8 << 8) - (1 << 7));

/// Physical memory that can be read before the kernel has its own page table.
pub trait PhysicalMemory {
    /// Returns `length` bytes from `start` on, or `None` if they cannot be read or there are none.
    fn bytes(&self, start: PhysAddr, length: u32) -> Option<&[u8]>;
}

/// The boot loader's information.
#[derive(Debug)]
pub struct BootInfo {
    available: Ranges<MAX_RANGES>,
    modules: [Module; MAX_MODULES],
    module_count: usize,
    command_line: Text<MAX_COMMAND_LINE>,
    loader: Text<MAX_LOADER_NAME>,
    /// The modules for which there was no room.
    modules_left_out: usize,
}

/// A file that the boot loader put into memory beside the kernel.
#[derive(Clone, PartialEq, Eq)]
pub struct Module {
    frames: FrameRange,
    /// Its first byte, and how many there are.
    bytes: (PhysAddr, u32),
    name: Text<MAX_MODULE_NAME>,
    in_memory: bool,
}

/// Why the kernel cannot use what the boot loader left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BootError {
    /// The magic number is not that of Multiboot 1 or 2.
    Magic(u32),
    /// Information at this address cannot be read.
    Unreadable(PhysAddr),
    /// Information at this address is not what the specification says.
    Malformed(PhysAddr),
    /// There is no memory map.
    NoMemoryMap,
    /// Available memory ends with this frame, too early.
    TooLittleMemory(Frame),
    /// The command line has this many bytes, more than are kept. A part of it could mean something else.
    CommandLine(usize),
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic(magic) => write!(f, "magic number {magic:#010x} is not that of a multiboot loader"),
            Self::Unreadable(address) => write!(f, "boot information at {address} cannot be read"),
            Self::Malformed(address) => write!(f, "boot information at {address} is malformed"),
            Self::NoMemoryMap => write!(f, "the boot loader gave no memory map"),
            Self::TooLittleMemory(end) => {
                write!(f, "available memory ends at {}, but a machine of 8 MiB is needed", end.start())
            }
            Self::CommandLine(bytes) => {
                write!(f, "the command line has {bytes} bytes, but {MAX_COMMAND_LINE} are the most: shorten it")
            }
        }
    }
}

/// Something that the boot loader told and that did not fit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Warning {
    /// Memory lies in too many pieces. The smallest stay unused, this many frames.
    Frames(u32),
    /// The boot loader says that this module is where there is no memory.
    NotInMemory(Module),
    /// The places of this many modules are not kept, but their memory is.
    Modules(usize),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frames(frames) => {
                write!(f, "memory lies in more than {MAX_RANGES} pieces: the smallest, {} KiB, unused", frames * 4)
            }
            Self::NotInMemory(module) => write!(f, "module {module} is where there is no memory"),
            Self::Modules(modules) => write!(f, "more than {MAX_MODULES} modules: {modules} left out"),
        }
    }
}

impl Module {
    const NONE: Self = Self {
        frames: FrameRange::new(Frame::new(0), Frame::new(0)),
        bytes: (PhysAddr::new(0), 0),
        name: Text::EMPTY,
        in_memory: true,
    };

    /// Makes the module in the bytes `start..end`, with the boot loader's text for it, of which the last
    /// [`MAX_MODULE_NAME`] bytes are kept.
    fn new(start: u32, end: u32, name: &[u8]) -> Self {
        let frames = touched_frames(u64::from(start), u64::from(end));
        let bytes = (PhysAddr::new(start), end.saturating_sub(start));
        // Of a long path the end says most.
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let end = name.get(name.len().saturating_sub(MAX_MODULE_NAME)..).unwrap_or_default();
        Self { frames, bytes, name: Text::copied(end), in_memory: true }
    }

    /// Returns the boot loader's text for it, or the end of it if it is long.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Returns the frames that hold it or a part of it. None of them is available.
    pub fn frames(&self) -> FrameRange {
        self.frames
    }

    /// Returns its first byte, and how many there are; `None` if the boot loader says that it is where there is no memory.
    pub fn bytes(&self) -> Option<(PhysAddr, u32)> {
        self.in_memory.then_some(self.bytes)
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.as_str().is_empty() { "without a name" } else { self.name.as_str() };
        write!(f, "{name}, {} KiB at {}", self.frames.len() * 4, self.frames.start.start())
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl BootInfo {
    /// Returns the available memory below 4 GiB: whole frames, in ascending ranges that do not touch.
    pub fn available(&self) -> &[FrameRange] {
        self.available.as_slice()
    }

    /// Leaves the process pool no more than `frames` frames: what lies above them counts as not available.
    pub fn limit_process_pool(&mut self, frames: u32) {
        let (mut left, mut kept) = (frames as usize, Ranges::EMPTY);
        for range in self.available.as_slice() {
            let usable = || range.iter().filter(|frame| *frame >= PROCESS_POOL_START && !HOLE.contains(*frame));
            let end = usable().nth(left).unwrap_or(range.end);
            left -= usable().take_while(|frame| *frame < end).count();
            if range.start < end {
                kept.push(FrameRange::new(range.start, end));
            }
        }
        self.available = kept;
    }

    /// Checks that there is memory enough for the kernel to start.
    ///
    /// # Errors
    ///
    /// [`BootError::TooLittleMemory`].
    pub fn check_memory(&self) -> Result<(), BootError> {
        let end = self.available().last().map_or(Frame::new(0), |range| range.end);
        if end < LEAST_END { Err(BootError::TooLittleMemory(end)) } else { Ok(()) }
    }

    /// Returns the modules, in the boot loader's order.
    pub fn modules(&self) -> &[Module] {
        &self.modules[..self.module_count]
    }

    /// Returns the kernel's command line.
    pub fn command_line(&self) -> &str {
        self.command_line.as_str()
    }

    /// Returns what follows `name=` on the command line. Of several, the last counts.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.command_line().split(' ').rev().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// Returns the boot loader's name, or words to that effect.
    pub fn loader(&self) -> &str {
        match self.loader.as_str() {
            "" => "an unnamed loader",
            name => name,
        }
    }

    /// Walks through what did not fit.
    pub fn warnings(&self) -> impl Iterator<Item = Warning> {
        let (frames, modules) = (self.available.left_out(), self.modules_left_out);
        [(frames > 0).then_some(Warning::Frames(frames)), (modules > 0).then_some(Warning::Modules(modules))]
            .into_iter()
            .flatten()
            .chain(self.modules().iter().filter(|module| !module.in_memory).cloned().map(Warning::NotInMemory))
    }

    /// Starts with memory, modules and the frames of the framebuffer. Reserved wins: what any entry of the map calls other
    /// than available is not.
    fn new(
        map: impl Iterator<Item = MapEntry> + Clone,
        modules: impl Iterator<Item = Module> + Clone,
        framebuffer: FrameRange,
    ) -> Self {
        let memory = |tell: &mut dyn FnMut(FrameRange, bool)| map.clone().for_each(|entry| entry.tell(tell));
        let unused = |tell: &mut dyn FnMut(FrameRange, bool)| {
            memory(tell);
            modules.clone().for_each(|module| tell(module.frames, false));
            tell(framebuffer, false);
        };
        let mut available = Ranges::EMPTY;
        Sweep::new(&unused).for_each(|range| available.push(range));
        let mut boot_info = Self {
            available,
            modules: [Module::NONE; MAX_MODULES],
            module_count: 0,
            command_line: Text::EMPTY,
            loader: Text::EMPTY,
            modules_left_out: 0,
        };
        for mut module in modules.clone() {
            module.in_memory = Sweep::new(&memory).any(|range| range.contains_range(module.frames));
            boot_info.keep_module(module);
        }
        boot_info
    }

    fn keep_module(&mut self, module: Module) {
        match self.modules.get_mut(self.module_count) {
            Some(place) => {
                *place = module;
                self.module_count += 1;
            }
            None => self.modules_left_out += 1,
        }
    }

    fn set_command_line(&mut self, bytes: &[u8]) -> Result<(), BootError> {
        let length = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        if length > MAX_COMMAND_LINE {
            return Err(BootError::CommandLine(length));
        }
        self.command_line = Text::copied(bytes);
        Ok(())
    }

    fn set_loader(&mut self, bytes: &[u8]) {
        self.loader = Text::copied(bytes);
    }
}

/// An entry of the memory map: the same 20 bytes in both versions.
#[derive(Clone, Copy)]
struct MapEntry {
    base: u64,
    length: u64,
    kind: u32,
}

impl MapEntry {
    const SIZE: usize = 20;
    const AVAILABLE: u32 = 1;

    /// Reads base, length and kind, or returns `None` if there are too few bytes.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::SIZE] = bytes.first_chunk()?;
        let (&base, rest) = bytes.split_first_chunk()?;
        let (&length, rest) = rest.split_first_chunk()?;
        let (&kind, _) = rest.split_first_chunk()?;
        let (base, length) = (u64::from_le_bytes(base), u64::from_le_bytes(length));
        Some(Self { base, length, kind: u32::from_le_bytes(kind) })
    }

    /// Tells its frames, and whether they are available. A frame that is partly available is not.
    fn tell(&self, tell: &mut dyn FnMut(FrameRange, bool)) {
        if self.kind == Self::AVAILABLE {
            tell(self.whole_frames(), true);
        } else {
            tell(self.touched_frames(), false);
        }
    }

    /// The frames that lie in it as a whole.
    fn whole_frames(&self) -> FrameRange {
        let end = self.base.saturating_add(self.length);
        FrameRange::new(frame_at_most(self.base.div_ceil(u64::from(PAGE_SIZE))), frame_containing(end))
    }

    /// The frames that it touches.
    fn touched_frames(&self) -> FrameRange {
        touched_frames(self.base, self.base.saturating_add(self.length))
    }
}

/// The frames that the bytes `start..end` touch. Beyond 4 GiB there are none.
fn touched_frames(start: u64, end: u64) -> FrameRange {
    if end <= start {
        return FrameRange::new(frame_containing(start), frame_containing(start));
    }
    FrameRange::new(frame_containing(start), frame_at_most(end.div_ceil(u64::from(PAGE_SIZE))))
}

fn frame_containing(address: u64) -> Frame {
    frame_at_most(address / u64::from(PAGE_SIZE))
}

/// The frame of this number, or the end of the 4 GiB if it lies beyond.
fn frame_at_most(number: u64) -> Frame {
    Frame::new(number.min(u64::from(PAGES_IN_SPACE)) as u32)
}

/// Reads the little-endian word at `offset`.
fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}
