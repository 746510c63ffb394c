//! A program's address space, made of its file.

use crate::addr::{PAGE_SIZE, Page, PageRange, VirtAddr};
use crate::arch::x86::trap_frame::ProgramFrame;
use crate::arch::x86::{access, ring3};
use crate::paging::{Mmu, MmuView};
use crate::programs::{BadImage, HEAP, Image, STACK};
use crate::system::memory::{self, KernelMemory};
use crate::vm::{AddressSpace, VmPool};
use core::fmt;

/// Why a program was not started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// No file has this name.
    Unknown,
    /// The heap has no room to read the file.
    TooLarge,
    /// The file is none that can be loaded.
    Image(BadImage),
    /// No frame was left.
    OutOfFrames,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => write!(f, "there is no such program: the boot loader brings them as modules"),
            Self::TooLarge => write!(f, "the file is too large to be read"),
            Self::Image(bad) => write!(f, "the file can't be loaded: {bad}"),
            Self::OutOfFrames => write!(f, "not enough free frames"),
        }
    }
}

/// Gives back an address space, which is not the current one.
pub fn destroy(space: AddressSpace) {
    if memory::with(|memory| space.destroy(memory)).is_err() {
        unreachable!("a program's address space is destroyed from another one");
    }
}

/// The longest arguments that are passed on, in bytes.
const LONGEST_ARGUMENTS: usize = 1024;

/// Makes the address space of `image`. Returns it, and what the program starts with.
pub fn load(image: &Image<'_>, arguments: &str) -> Result<(AddressSpace, ProgramFrame), StartError> {
    let space = memory::with(AddressSpace::create).map_err(|_| StartError::OutOfFrames)?;
    let before = memory::with(|memory| {
        let before = memory.root();
        space.load(memory);
        before
    });
    let filled = fill(image, &arguments.as_bytes()[..arguments.len().min(LONGEST_ARGUMENTS)]);
    memory::with(|memory| memory.mmu.set_root(before));
    match filled {
        Some(start) => Ok((space, start)),
        None => {
            destroy(space);
            Err(StartError::OutOfFrames)
        }
    }
}

/// Fills the current address space. Returns `None` if there are not enough frames.
fn fill(image: &Image<'_>, arguments: &[u8]) -> Option<ProgramFrame> {
    let (first, last) = (image.segments.first()?, image.segments.last()?);
    let pages = PageRange::new(Page::new(first.pages.start.number() - 1), last.pages.end);
    let stack = memory::with(|memory| {
        let (_, start) = pool(memory, pages.start.start(), pages.len() * PAGE_SIZE, true)?;
        debug_assert_eq!(Page::containing(start), first.pages.start);
        pool(memory, HEAP.0, HEAP.1, false)?;
        pool(memory, STACK.0, STACK.1, true).map(|(_, stack)| stack)
    })?;
    for segment in &image.segments {
        copy_out(segment.start, segment.bytes)?;
        if !segment.is_writable {
            memory::with(|memory| segment.pages.iter().for_each(|page| memory.protect(page)));
        }
    }
    let end = stack.as_u32() + (STACK.1 - PAGE_SIZE);
    let address = VirtAddr::new((end - arguments.len() as u32) & !0xF);
    copy_out(address, arguments)?;
    Some(ring3::start(image.entry, address, address.as_u32(), arguments.len() as u32))
}

fn copy_out(address: VirtAddr, bytes: &[u8]) -> Option<()> {
    if bytes.is_empty() { Some(()) } else { access::copy_out(address, bytes).ok() }
}

/// Registers a pool with the current address space, and allocates one region of the whole, if it is `full`.
fn pool(memory: &mut KernelMemory, base: VirtAddr, bytes: u32, full: bool) -> Option<(VmPool, VirtAddr)> {
    let mut pool = memory.register_pool(base, bytes).ok()?;
    let start = if full { pool.allocate(memory, bytes - PAGE_SIZE).ok()? } else { base };
    Some((pool, start))
}
