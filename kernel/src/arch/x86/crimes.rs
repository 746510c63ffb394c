//! Things that no program should do, for the tests that see them reported.

use crate::addr::VirtAddr;
use core::arch::asm;
use core::hint::black_box;

/// Reads the word at `address`, whatever lies there.
pub fn read(address: VirtAddr) -> u32 {
    let word;
    // SAFETY: reading any address changes nothing; a refused one ends the machine.
    unsafe { asm!("mov {word:e}, [{address:e}]", word = out(reg) word, address = in(reg) address.as_u32()) };
    word
}

/// Overwrites the first byte of the kernel's code.
pub fn write_to_code() {
    // SAFETY: the page is read-only, so the write faults and ends the machine.
    unsafe { asm!("mov byte ptr [{start:e}], 0", start = in(reg) super::image::text().start.start().as_u32()) };
}

/// Divides by zero.
pub fn divide_by_zero() {
    // SAFETY: the exception ends the machine.
    unsafe { asm!("xor edx, edx", "xor ecx, ecx", "div ecx", out("eax") _, out("ecx") _, out("edx") _) };
}

/// Executes an instruction that isn't one.
pub fn invalid_opcode() {
    // SAFETY: the exception ends the machine.
    unsafe { asm!("ud2") };
}

/// Calls itself until the stack is used up.
#[allow(unconditional_recursion)]
#[inline(never)]
pub fn overflow_stack(depth: u32) -> u32 {
    let room = black_box([depth; 64]);
    overflow_stack(depth + 1) + room[0]
}
