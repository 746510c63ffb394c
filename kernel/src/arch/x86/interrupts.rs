//! Interrupts of the processor as a whole: on, masked, waited for.

use core::arch::asm;
use x86::bits32::eflags::{self, EFlags};

/// Turns interrupts on. The IDT and the PIC must be ready.
pub fn unmask() {
    // SAFETY: (1) ring 0; (2) every vector that can come has a gate, or ends in a reported exception.
    unsafe { x86::irq::enable() };
}

/// Says whether interrupts are on.
pub fn are_on() -> bool {
    // SAFETY: reading the flags changes nothing.
    unsafe { eflags::read() }.contains(EFlags::FLAGS_IF)
}

/// Turns interrupts on and stands still until one has come.
pub fn wait() {
    // SAFETY: (1) ring 0; (2) sti takes effect after the next instruction, so no interrupt slips in between.
    unsafe { asm!("sti", "hlt", options(nomem, nostack)) };
}
