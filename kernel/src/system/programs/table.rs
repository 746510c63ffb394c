//! The programs there are: started, ended, waited for, given back.

use super::load::{StartError, destroy, load};
use crate::addr::{Frame, FrameRange, PageRange};
use crate::arch::x86::lock::{Locked, Masked};
use crate::arch::x86::ring3;
use crate::arch::x86::trap_frame::ProgramFrame;
use crate::boot_info::BootInfo;
use crate::fault::Crash;
use crate::programs::Image;
use crate::system::console::println;
use crate::system::crash::{self, CrashContext, Program as Crashed};
use crate::system::{memory, threads};
use crate::vm::AddressSpace;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// How a program ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// By itself, with this status.
    Exited(u32),
    /// For something that it did; the name of the cause.
    Crashed(&'static str),
    /// By somebody else.
    Killed,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exited with status {status}"),
            Self::Crashed(cause) => write!(f, "ended by the kernel: {cause}"),
            Self::Killed => write!(f, "killed"),
        }
    }
}

/// A file with a program, as the boot loader left it.
#[derive(Clone)]
struct ProgramFile {
    name: Arc<str>,
    frames: FrameRange,
}

/// The number of who made a program: another one, the kernel, or one that is gone.
pub(super) type Parent = Option<u32>;
pub(super) const KERNEL: Parent = Some(0);

struct Program {
    /// Its thread's.
    number: u32,
    parent: Parent,
    file: ProgramFile,
    /// The pages of its code.
    code: PageRange,
    /// None once it was given back.
    space: Option<AddressSpace>,
    /// What it starts with.
    start: ProgramFrame,
    end: Option<End>,
}

struct Programs {
    files: Vec<ProgramFile>,
    all: Vec<Program>,
}

static PROGRAMS: Locked<Programs> = Locked::new(Programs { files: Vec::new(), all: Vec::new() });

impl Programs {
    fn find(&mut self, number: u32) -> Option<&mut Program> {
        self.all.iter_mut().find(|program| program.number == number)
    }
}

/// Takes the boot loader's modules for files with programs. The name of each is the last part of the first word of its
/// text.
pub fn set_files(boot_info: &BootInfo) {
    let file = |name: &str, frames| ProgramFile { name: name.rsplit('/').next().unwrap_or(name).into(), frames };
    let files =
        boot_info.modules().iter().map(|module| file(module.name().split(' ').next().unwrap_or(""), module.frames()));
    PROGRAMS.lock().files = files.collect();
}

/// Says whether there is a file with this name.
pub fn is_known(name: &str) -> bool {
    PROGRAMS.lock().files.iter().any(|file| &*file.name == name)
}

/// Starts a program for the kernel, with `arguments`. Returns its number.
///
/// # Errors
///
/// [`StartError`]; nothing is left of it then.
pub fn start(name: &str, arguments: &str) -> Result<u32, StartError> {
    let _masked = Masked::new();
    let file = PROGRAMS.lock().files.iter().find(|file| &*file.name == name).cloned();
    let file = file.ok_or(StartError::Unknown)?;
    let contents = memory::contents(file.frames).ok_or(StartError::TooLarge)?;
    let image = Image::read(&contents).map_err(StartError::Image)?;
    let (space, start) = load(&image, arguments)?;
    add(KERNEL, file, image.code, space, start)
}

/// Adds a program in `space`, which starts with these registers.
fn add(
    parent: Parent,
    file: ProgramFile,
    code: PageRange,
    space: AddressSpace,
    start: ProgramFrame,
) -> Result<u32, StartError> {
    let mut programs = PROGRAMS.lock();
    let has_room = programs.all.try_reserve(1).is_ok();
    let Some(number) = has_room.then(|| threads::start(space.root(), run, 0).ok()).flatten() else {
        drop(programs);
        destroy(space);
        return Err(StartError::OutOfFrames);
    };
    if programs.all.is_empty() {
        ring3::expect_programs(true);
    }
    programs.all.push(Program { number, parent, file, code, space: Some(space), start, end: None });
    Ok(number)
}

/// Where a program's thread starts.
fn run(_: u32) {
    let start = PROGRAMS.lock().find(threads::current()).map(|program| program.start);
    if let Some(start) = start {
        ring3::resume(&start);
    }
}

/// Runs until the program has ended that has this number and was started for the kernel, asking `is_killed` again and
/// again. Returns how it ended.
pub fn finish(number: u32, mut is_killed: impl FnMut() -> bool) -> Option<End> {
    loop {
        reap();
        if let Some(end) = take_end(number, KERNEL)? {
            return Some(end);
        }
        if is_killed() {
            kill(number);
        }
        threads::give_way();
    }
}

/// Returns how the program ended, which is forgotten then, if it has; `None` if `parent` has made no such program.
pub(super) fn take_end(number: u32, parent: Parent) -> Option<Option<End>> {
    let mut programs = PROGRAMS.lock();
    let index = programs.all.iter().position(|program| program.number == number && program.parent == parent)?;
    let end = programs.all[index].end;
    if end.is_some() {
        programs.all[index].parent = None;
        drop(programs);
        reap();
    }
    Some(end)
}

/// Ends a program that isn't running. Says whether there was one.
pub fn kill(number: u32) -> bool {
    // Else it could go on in between, and make another one that nobody will ask for.
    let _masked = Masked::new();
    let ends = PROGRAMS.lock().find(number).is_some_and(|program| program.end.is_none());
    if ends {
        set_end(number, End::Killed);
        threads::kill(number);
    }
    ends
}

/// Ends the program that runs.
pub(super) fn end_current(end: End) -> ! {
    set_end(threads::current(), end);
    threads::end()
}

fn set_end(number: u32, end: End) {
    let mut programs = PROGRAMS.lock();
    for program in programs.all.iter_mut().filter(|program| program.parent == Some(number)) {
        program.parent = None;
    }
    let ended = programs.find(number).and_then(|program| {
        program.end = Some(end);
        program.parent
    });
    drop(programs);
    ended.into_iter().for_each(threads::wake);
}

/// Gives back what programs had that have ended, but for the one that runs, and forgets those for which nobody will
/// ask.
pub fn reap() {
    let current = threads::current();
    let _masked = Masked::new();
    let mut programs = PROGRAMS.lock();
    for program in programs.all.iter_mut().filter(|program| program.end.is_some() && program.number != current) {
        program.space.take().into_iter().for_each(destroy);
    }
    threads::reap();
    let had_some = !programs.all.is_empty();
    programs.all.retain(|program| program.space.is_some() || program.parent.is_some());
    if had_some && programs.all.is_empty() {
        ring3::expect_programs(false);
    }
}

/// Makes a program beside the running one, of the same file, in `space`, which starts with these registers.
pub(super) fn add_beside(space: AddressSpace, start: ProgramFrame) -> Result<u32, StartError> {
    let number = threads::current();
    let found = PROGRAMS.lock().find(number).map(|program| (program.file.clone(), program.code));
    let (file, code) = found.ok_or(StartError::Unknown)?;
    add(Some(number), file, code, space, start)
}

/// Calls `tell` with number, name and end of each program there is.
pub fn each(mut tell: impl FnMut(u32, &str, Option<End>)) {
    PROGRAMS.lock().all.iter().for_each(|program| tell(program.number, &program.file.name, program.end));
}

/// Calls `tell` with the directory of each program's address space.
pub fn roots(tell: impl FnMut(Frame)) {
    PROGRAMS.lock().all.iter().filter_map(|program| program.space.as_ref().map(AddressSpace::root)).for_each(tell);
}

/// Reports what the running program did, and ends it.
#[cold]
pub fn crash(crash: Crash<'_>, frame: &ProgramFrame) -> ! {
    let number = threads::current();
    let found = PROGRAMS.lock().find(number).map(|program| (program.file.clone(), program.code));
    let cause = found.and_then(|(file, code)| {
        println!("\nprogram {number}, {}, is ended:", file.name);
        let contents = memory::contents(file.frames);
        let symbols =
            contents.as_ref().and_then(|contents| Image::read(contents).ok()).map_or(&[][..], |image| image.symbols);
        crash::tell(&CrashContext::in_program(crash, frame, Crashed { code, symbols }))
    });
    end_current(End::Crashed(cause.unwrap_or("unknown cause")))
}
