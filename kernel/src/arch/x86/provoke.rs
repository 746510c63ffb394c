//! Things that no program should do, for the tests that see them reported.

use crate::addr::{Page, VirtAddr};
use crate::paging::{Entry, Slot, Window};
use core::arch::asm;
use core::hint::black_box;

/// Reads the word at `address`, whatever lies there.
pub fn read(address: VirtAddr) -> u32 {
    let word;
    // SAFETY: reading any address changes nothing; a refused one ends the machine.
    unsafe { asm!("mov {word:e}, [{address:e}]", word = out(reg) word, address = in(reg) address.as_u32()) };
    word
}

/// Returns the entries that map `address`, with the rights that both give: as the processor reads them.
fn entry_of(address: VirtAddr) -> Entry {
    let page = Page::containing(address);
    let load = |slot: Slot| Entry::from_bits(read(slot.address()));
    let pde = load(Window::Own.pde_slot(page));
    let pte = if pde.is_present() { load(Window::Own.pte_slot(page)) } else { Entry::ABSENT };
    if pde.is_writable() { pte } else { Entry::from_bits(pte.bits() & !Entry::WRITABLE) }
}

/// Writes to the word at `address`.
///
/// # Panics
///
/// If the write would be allowed.
pub fn write(address: VirtAddr) {
    assert!(!entry_of(address).is_writable(), "{address:?} can be written");
    // SAFETY: the write faults, and ends the machine: nobody backs a page between the look and the write, or it does no harm.
    unsafe { asm!("mov dword ptr [{address:e}], 0", address = in(reg) address.as_u32()) };
}

/// Jumps to `address`.
///
/// # Panics
///
/// If its page is present.
pub fn jump(address: VirtAddr) {
    assert!(!entry_of(address).is_present(), "{address:?} is present");
    // SAFETY: the fetch faults, is refused or finds a page of zeros, and ends the machine.
    unsafe { asm!("call {address:e}", address = in(reg) address.as_u32()) };
}

/// Sets the stack pointer to `address`, and pushes a word below it.
///
/// # Panics
///
/// If the page of that word is present.
pub fn lose_stack(address: VirtAddr) {
    let pushed = VirtAddr::new(address.as_u32().wrapping_sub(4));
    assert!(!entry_of(pushed).is_present(), "{pushed:?} is present");
    // SAFETY: the push faults, its fault finds no stack either, and the double fault ends the machine.
    unsafe { asm!("mov esp, {address:e}", "push 0", address = in(reg) address.as_u32(), options(noreturn)) };
}

/// Loads a segment register with a selector beyond the table.
pub fn load_bad_selector() {
    // SAFETY: the exception ends the machine.
    unsafe { asm!("mov fs, {selector:x}", selector = in(reg) 0x50_u16) };
}

/// Stops as a debugger's breakpoint does.
pub fn breakpoint() {
    // SAFETY: the exception ends the machine.
    unsafe { asm!("int3") };
}

/// Raises the exception that nothing in Droste uses: #OF.
pub fn overflow_trap() {
    // SAFETY: the exception ends the machine.
    unsafe { asm!("mov al, 127", "inc al", "into", out("al") _) };
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
