//! What programs of Droste are made of: calls of the kernel, printing, a start and an end.
//!
//! A program is entered at `_start` with the address of its arguments in EAX and their bytes in EDX.
#![no_std]

#[path = "../../kernel/src/programs/calls.rs"]
pub mod calls;
#[path = "../../kernel/src/arch/x86/memcpy.rs"]
mod memcpy;

use calls::{Call, CallError, LONGEST_PRINT};
use core::arch::asm;
use core::fmt::{self, Write};
use core::panic::PanicInfo;

/// Makes `main`, a function of the arguments that returns a status, the program's start.
#[macro_export]
macro_rules! program {
    ($main:path) => {
        core::arch::global_asm!(
            ".section .text._start, \"ax\"",
            ".global _start",
            "_start:",
            "xor ebp, ebp", // ends a backtrace
            "mov ecx, eax",
            "push 0",
            "jmp {start}",
            start = sym start,
        );

        extern "fastcall" fn start(arguments: *const u8, bytes: usize) -> ! {
            // SAFETY: the kernel has put the arguments there, and nothing else writes to them.
            let arguments = unsafe { core::slice::from_raw_parts(arguments, bytes) };
            let main: fn(&str) -> u32 = $main;
            $crate::exit(main(core::str::from_utf8(arguments).unwrap_or("")))
        }
    };
}

/// Makes `call` with what goes into ECX and EDX.
///
/// # Errors
///
/// What the kernel says: one of [`CallError`], by its number.
pub fn call(call: u32, ecx: u32, edx: u32) -> Result<u32, u32> {
    let (value, error);
    // SAFETY: what a call writes to, and to whom memory belongs that it gives or takes, is the caller's to know.
    unsafe {
        asm!("int 0x80", inout("eax") call => value, in("ecx") ecx, inout("edx") edx => error, options(nostack));
    }
    if error == 0 { Ok(value) } else { Err(error) }
}

/// Ends the program.
pub fn exit(status: u32) -> ! {
    _ = call(Call::Exit as u32, status, 0);
    unreachable!("the kernel went on with a program that had ended")
}

/// Prints `text`, in pieces if it is long.
pub fn print(text: &str) {
    for piece in text.as_bytes().chunks(LONGEST_PRINT as usize) {
        _ = call(Call::Print as u32, piece.as_ptr() as u32, piece.len() as u32);
    }
}

/// Prints by way of [`print`], as much at once as fits into a line.
pub struct Printer {
    line: [u8; 128],
    used: usize,
}

impl Printer {
    /// Prints `words` and the end of a line.
    pub fn line(words: fmt::Arguments<'_>) {
        let mut printer = Self { line: [0; 128], used: 0 };
        _ = writeln!(printer, "{words}");
        printer.flush();
    }

    fn flush(&mut self) {
        let used = core::mem::take(&mut self.used);
        print(core::str::from_utf8(&self.line[..used]).unwrap_or("?"));
    }
}

impl Write for Printer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.used + text.len() > self.line.len() {
            self.flush();
        }
        match self.line.get_mut(self.used..self.used + text.len()) {
            Some(room) => room.copy_from_slice(text.as_bytes()),
            None => {
                print(text);
                return Ok(());
            }
        }
        self.used += text.len();
        Ok(())
    }
}

/// Prints a line.
#[macro_export]
macro_rules! println {
    ($($words:tt)*) => { $crate::Printer::line(format_args!($($words)*)) };
}

/// Asks for a region of the heap of `bytes`, zeros, which get frames as they are touched.
///
/// # Errors
///
/// [`CallError::NoRoom`], [`CallError::OutOfFrames`].
pub fn allocate(bytes: u32) -> Result<u32, u32> {
    call(Call::Allocate as u32, bytes, 0)
}

/// Gives back the region that starts at `address`. Returns how many pages of it had a frame.
///
/// # Errors
///
/// [`CallError::NoRegion`].
pub fn release(address: u32) -> Result<u32, u32> {
    call(Call::Release as u32, address, 0)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    println!("{info}");
    exit(101)
}

/// Says whether `result` is this error.
pub fn is(result: Result<u32, u32>, error: CallError) -> bool {
    result == Err(error as u32)
}
