//! The ends of a run: as a test's verdict, with power off, by a reset, or with a crash.

use super::lock::Dying;
use super::serial;
use core::arch::global_asm;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use x86::io::{outb, outl, outw};

global_asm!(include_str!("../../../../boot/freeze.s"));

unsafe extern "fastcall" {
    fn freeze_port();
}

/// The verdict on a run, as the test harness reads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Verdict {
    /// All was as expected: QEMU exits with status 33.
    Success = 0x10,
    /// Something was not: QEMU exits with status 35.
    Failure = 0x11,
}

/// QEMU's `isa-debug-exit` device: it ends QEMU with status 2 × value + 1.
const DEBUG_EXIT: u16 = 0xF4;
/// QEMU's ACPI power management register 1a, and the bit in it that enters soft-off.
const ACPI_POWER: u16 = 0x604;
const ACPI_SOFT_OFF: u16 = 1 << 13;
/// Bochs's shutdown port: it powers off when it has seen this word.
const BOCHS_SHUTDOWN: u16 = 0x8900;
const BOCHS_WORD: &[u8] = b"Shutdown";
/// The keyboard controller's command port, and its command to pulse the processor's reset line.
const KEYBOARD_COMMAND: u16 = 0x64;
const PULSE_RESET: u8 = 0xFE;

/// Nesting depth of crashes: the report itself may fault.
static CRASH_DEPTH: AtomicU32 = AtomicU32::new(0);

/// Whether a crash has begun. It is never taken back: the prompt that may follow still runs inside the crash.
static DYING: AtomicBool = AtomicBool::new(false);

/// Ends the machine with `verdict`: by the debug exit device if it is there, otherwise by powering off, otherwise by
/// standing still.
pub fn end(verdict: Verdict) -> ! {
    report(verdict);
    // SAFETY: (1) each port either ends the machine or has no device; (2) nothing runs afterwards.
    unsafe {
        outw(ACPI_POWER, ACPI_SOFT_OFF);
        for &letter in BOCHS_WORD {
            outb(BOCHS_SHUTDOWN, letter);
        }
    }
    halt()
}

/// Ends the machine as failed but leaves the power on, so that what the screen says can be read: by the debug exit device
/// if it is there, otherwise by standing still.
pub fn give_up() -> ! {
    report(Verdict::Failure);
    halt()
}

/// Tells the debug exit device, which ends the machine if it is there. A failure can be looked at before.
fn report(verdict: Verdict) {
    serial::drain();
    if verdict == Verdict::Failure {
        freeze();
    }
    // SAFETY: the port either ends the machine or has no device.
    unsafe { outl(DEBUG_EXIT, verdict as u32) };
}

/// Resets the nesting depth of crashes: the last report is complete, so the next crash gets one of its own.
pub fn reset_crash_depth() {
    CRASH_DEPTH.store(0, Ordering::Relaxed);
}

/// Stands still until whoever watches from outside has looked at the machine; if nobody does, goes on at once.
#[inline(always)] // so that the watcher sees who calls it
pub fn freeze() {
    serial::drain();
    // SAFETY: the port freezes the machine, which goes on as it was, or has no device.
    unsafe { freeze_port() };
}

/// Restarts the machine.
pub fn reboot() -> ! {
    serial::drain();
    // SAFETY: the keyboard controller resets the processor; nothing runs afterwards.
    unsafe { outb(KEYBOARD_COMMAND, PULSE_RESET) };
    halt()
}

/// Stands still for ever, with interrupts masked.
pub fn halt() -> ! {
    loop {
        // SAFETY: with interrupts masked nothing goes on behind it.
        unsafe {
            x86::irq::disable();
            x86::halt();
        }
    }
}

/// Says whether a crash has begun: then the timer switches to no other thread.
pub(super) fn is_dying() -> bool {
    DYING.load(Ordering::Relaxed)
}

/// Masks interrupts, calls `full_report`, and ends the machine as failed. If `full_report` crashes, `short_report` is called
/// in its place; if that crashes too, the machine ends. Locks may be held; a report forces those that it needs.
#[cold]
pub fn die(full_report: impl FnOnce(&Dying), short_report: impl FnOnce(&Dying)) -> ! {
    // SAFETY: what was interrupted never goes on, since this never returns.
    unsafe { x86::irq::disable() };
    DYING.store(true, Ordering::Relaxed);
    // SAFETY: (1) this never returns; (2) the timer, which alone switches threads, asks `is_dying`.
    let dying = unsafe { Dying::mint() };
    match CRASH_DEPTH.fetch_add(1, Ordering::Relaxed) {
        0 => full_report(&dying),
        1 => short_report(&dying),
        _ => {}
    }
    end(Verdict::Failure)
}
