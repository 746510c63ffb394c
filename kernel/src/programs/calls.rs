//! The calls of programs: one list, for the kernel that answers them, for the programs that make them, and for the
//! book.
//!
//! A program puts a number into EAX, up to two arguments into ECX and EDX, and does `int 0x80`. On return EDX is 0 and
//! EAX the value, or EDX is an error and EAX 0. Nothing else of its registers has changed, but that DS and ES are as at
//! its start.

/// What a program can ask of the kernel. The number of each goes into EAX.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)] // LIST says what each does
pub enum Call {
    Exit,
    Print,
    Allocate,
    Release,
    IsLegitimate,
    Duplicate,
    Wait,
    Yield,
    Sleep,
    Map,
    Sync,
}

/// Why a call was not answered. The number of each comes back in EDX; 0 is no error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum CallError {
    /// No call has this number.
    UnknownCall = 1,
    /// A byte of the buffer is in no region, or could not be had.
    BadAddress,
    /// More bytes than [`LONGEST_PRINT`].
    TooLong,
    /// Zero bytes were asked for, or no hole is large enough.
    NoRoom,
    /// No frame was left.
    OutOfFrames,
    /// No region of the heap starts there, and no file.
    NoRegion,
    /// It is not a program that the caller has made, or was waited for before.
    NoChild,
    /// The program was ended for what it did.
    Crashed,
    /// The program was killed.
    Killed,
    /// No file has this number.
    NoFile,
    /// The file is not to be written to.
    ReadOnly,
    /// The file's drive did not take all that was written: it stays in memory.
    NotWritten,
}

impl CallError {
    /// Every error.
    pub const ALL: [Self; 12] = [
        Self::UnknownCall,
        Self::BadAddress,
        Self::TooLong,
        Self::NoRoom,
        Self::OutOfFrames,
        Self::NoRegion,
        Self::NoChild,
        Self::Crashed,
        Self::Killed,
        Self::NoFile,
        Self::ReadOnly,
        Self::NotWritten,
    ];
}

/// A line of the list: what a call takes in ECX and EDX, what it returns in EAX, and how it can fail.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The call.
    pub call: Call,
    /// What ECX holds, and EDX.
    pub takes: &'static str,
    /// What EAX holds on return.
    pub returns: &'static str,
    /// How it can fail, beside [`CallError::UnknownCall`].
    pub errors: &'static [CallError],
}

const fn line(call: Call, takes: &'static str, returns: &'static str, errors: &'static [CallError]) -> Line {
    Line { call, takes, returns, errors }
}

/// All calls, in the order of their numbers.
pub const LIST: [Line; 11] = [
    line(Call::Exit, "status", "never", &[]),
    line(Call::Print, "address, bytes", "0", &[CallError::BadAddress, CallError::TooLong]),
    line(Call::Allocate, "bytes", "address", &[CallError::NoRoom, CallError::OutOfFrames]),
    line(Call::Release, "address", "pages that were backed", &[CallError::NoRegion]),
    line(Call::IsLegitimate, "address", "1 or 0", &[]),
    line(Call::Duplicate, "", "0 in the clone, its number in the other", &[CallError::OutOfFrames]),
    line(Call::Wait, "number", "its status", &[CallError::NoChild, CallError::Crashed, CallError::Killed]),
    line(Call::Yield, "", "0", &[]),
    line(Call::Sleep, "ticks", "0", &[]),
    line(
        Call::Map,
        "file, 1 to write to it",
        "address",
        &[CallError::NoFile, CallError::ReadOnly, CallError::NoRoom, CallError::OutOfFrames],
    ),
    line(Call::Sync, "file", "pages that were written", &[CallError::NoFile, CallError::NotWritten]),
];

/// Bytes that are printed at once, at most.
pub const LONGEST_PRINT: u32 = 1024;
