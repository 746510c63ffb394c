//! Programs' calls: what each does.

use super::table::{self, End, KERNEL};
use crate::addr::{PAGE_SIZE, Page, PageRange, VirtAddr};
use crate::arch::x86::trap_frame::ProgramFrame;
use crate::arch::x86::{access, pit};
use crate::paging::{FileId, View};
use crate::programs::calls::{Call, CallError, LIST, LONGEST_PRINT};
use crate::programs::{FILES, HEAP};
use crate::system::console::print;
use crate::system::{memory, threads};
use crate::vm::{AddressSpace, AllocateError, CurrentSpace, MapError, RegisterError};
use core::fmt::{self, Write};

/// Answers the call of the running program, whose registers are in `frame`. Interrupts are masked.
pub fn answer(frame: &mut ProgramFrame) {
    let line = LIST.get(frame.trap.eax as usize);
    let answer = line.map_or(Err(CallError::UnknownCall), |line| carry_out(line.call, frame));
    (frame.trap.eax, frame.trap.edx) = match answer {
        Ok(value) => (value, 0),
        Err(error) => (0, error as u32),
    };
}

fn carry_out(call: Call, frame: &ProgramFrame) -> Result<u32, CallError> {
    let (ecx, edx) = (frame.trap.ecx, frame.trap.edx);
    match call {
        Call::Exit => table::end_current(End::Exited(ecx)),
        Call::Print => print_out(VirtAddr::new(ecx), edx),
        Call::Allocate => allocate(ecx),
        Call::Release => release(VirtAddr::new(ecx)),
        Call::IsLegitimate => Ok(memory::with(|memory| memory.is_legitimate(VirtAddr::new(ecx))).into()),
        Call::Duplicate => duplicate(frame),
        Call::Wait => wait(ecx),
        Call::Yield => {
            threads::tick();
            Ok(0)
        }
        Call::Sleep => {
            threads::sleep_until(pit::ticks().wrapping_add(ecx.min(i32::MAX as u32)));
            Ok(0)
        }
        Call::Map => map(FileId::new(ecx), edx != 0),
        Call::Sync => sync(FileId::new(ecx)),
    }
}

/// Copies all of the buffer before anything is printed. Whether its pages can be had is asked by the access itself;
/// that they are in regions, since the kernel could read its own pages, too.
fn print_out(address: VirtAddr, bytes: u32) -> Result<u32, CallError> {
    if bytes == 0 {
        return Ok(0);
    }
    let mut buffer = [0; LONGEST_PRINT as usize];
    let buffer = buffer.get_mut(..bytes as usize).ok_or(CallError::TooLong)?;
    let last = VirtAddr::new(address.as_u32().checked_add(bytes - 1).ok_or(CallError::BadAddress)?);
    // No buffer is longer than a page, so it lies in two at most.
    const { assert!(LONGEST_PRINT <= PAGE_SIZE) };
    let is_theirs = memory::with(|memory| memory.is_legitimate(address) && memory.is_legitimate(last));
    if !is_theirs || access::copy_in(buffer, address).is_err() {
        return Err(CallError::BadAddress);
    }
    print!("{}", Printable(buffer));
    Ok(0)
}

/// Text of a program, with a question mark for each character that could do something to a terminal.
struct Printable<'a>(&'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| match byte {
            b'\n' | b' '..=b'~' => f.write_char(char::from(*byte)),
            _ => f.write_char('?'),
        })
    }
}

fn allocate(bytes: u32) -> Result<u32, CallError> {
    memory::with(|memory| {
        let mut pool = memory.pool_of(Page::containing(HEAP.0)).ok_or(CallError::NoRoom)?;
        pool.allocate(memory, bytes).map(VirtAddr::as_u32).map_err(|error| match error {
            AllocateError::OutOfFrames => CallError::OutOfFrames,
            AllocateError::NotCurrent | AllocateError::Empty | AllocateError::NoRoom(_) => CallError::NoRoom,
        })
    })
}

fn release(start: VirtAddr) -> Result<u32, CallError> {
    memory::with(|memory| {
        let page = Page::containing(start);
        let place = if FILES.contains(page) { page } else { Page::containing(HEAP.0) };
        let mut pool = memory.pool_of(place).ok_or(CallError::NoRegion)?;
        let pages = pool.release(memory, start).map_err(|_| CallError::NoRegion)?;
        // The pool of a file goes with it.
        if FILES.contains(page) && memory.drop_pool(pool).is_err() {
            unreachable!("the pool is of this address space");
        }
        Ok(pages)
    })
}

/// Maps the file where the first room for it is, shared with all that see it.
fn map(file: FileId, writable: bool) -> Result<u32, CallError> {
    memory::with(|memory| {
        let mut start = FILES.start;
        while FILES.contains(start) {
            let base = Page::new(start.number() - 1).start();
            match memory.map_file(base, file, View::Shared, writable) {
                Ok(_) => return Ok(start.start().as_u32()),
                Err(MapError::Pool(RegisterError::Overlaps(other))) => {
                    let pages = memory.pool_of(Page::containing(other)).and_then(|pool| pool.pages(memory));
                    // Behind it, and a table further on, since the page before a file is its pool's.
                    let end = pages.ok_or(CallError::NoRoom)?.end;
                    start = PageRange::of_table(end.directory_index() + 1).start;
                }
                Err(MapError::NoFile) => return Err(CallError::NoFile),
                Err(MapError::ReadOnly) => return Err(CallError::ReadOnly),
                Err(MapError::OutOfFrames | MapError::Pool(RegisterError::OutOfFrames)) => {
                    return Err(CallError::OutOfFrames);
                }
                Err(MapError::Misaligned | MapError::Pool(_)) => return Err(CallError::NoRoom),
            }
        }
        Err(CallError::NoRoom)
    })
}

/// Writes what was written to the file, by whomever, to its drive.
fn sync(file: FileId) -> Result<u32, CallError> {
    memory::with(|memory| {
        memory.files.get(file).ok_or(CallError::NoFile)?;
        memory.sync(file).map_err(|_| CallError::NotWritten)
    })
}

/// Makes a clone of the running program, which goes on behind the same call with 0.
fn duplicate(frame: &ProgramFrame) -> Result<u32, CallError> {
    table::reap();
    let mut start = *frame;
    (start.trap.eax, start.trap.edx) = (0, 0);
    let space = memory::with(AddressSpace::duplicate).map_err(|_| CallError::OutOfFrames)?;
    table::add_beside(space, start).map_err(|_| CallError::OutOfFrames)
}

fn wait(number: u32) -> Result<u32, CallError> {
    let parent = Some(threads::current());
    debug_assert_ne!(parent, KERNEL);
    loop {
        table::reap();
        match table::take_end(number, parent).ok_or(CallError::NoChild)? {
            Some(End::Exited(status)) => return Ok(status),
            Some(End::Crashed(_)) => return Err(CallError::Crashed),
            Some(End::Killed) => return Err(CallError::Killed),
            None => threads::wait(),
        }
    }
}
