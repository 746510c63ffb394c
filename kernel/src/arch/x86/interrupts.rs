//! Interrupts of the processor as a whole: on, masked, waited for.

use super::pic::Pic;
use core::arch::asm;
use x86::bits32::eflags::{self, EFlags};

/// Turns interrupts on, once IDT and PIC are ready.
pub fn unmask(_: Pic) {
    // SAFETY: every vector that can come has a gate, as the `Pic` says.
    unsafe { x86::irq::enable() };
}

/// Says whether interrupts are on.
pub fn are_on() -> bool {
    // SAFETY: reading the flags changes nothing.
    unsafe { eflags::read() }.contains(EFlags::FLAGS_IF)
}

/// Turns interrupts on and stands still until one has come.
pub fn wait() {
    // SAFETY: sti takes effect after the next instruction, so no interrupt slips in between.
    unsafe { asm!("sti", "hlt", options(nomem, nostack)) };
}
