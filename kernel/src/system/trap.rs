//! Exceptions that interrupt the kernel: a page fault is answered; everything else ends the machine with a
//! diagnosis.

use crate::addr::{Frame, Page, VirtAddr};
use crate::arch::x86::trap_frame::{ProgramFrame, TrapFrame};
use crate::arch::x86::{access, image};
use crate::fault::{self, Crash, FaultError};
use crate::system::crash::{self, CrashContext};
use crate::system::{memory, programs, threads};
use core::sync::atomic::{AtomicBool, Ordering};
use x86::irq::EXCEPTIONS;

/// Called for a page fault at `address`, with interrupts masked. On return the interrupted instruction is tried again.
#[inline]
pub fn page_fault(frame: &mut TrapFrame, address: VirtAddr) {
    if let Err(error) = memory::answer(fault::decode(frame.error, address)) {
        refuse(frame, address, error);
    }
}

/// Reports the fault and ends the machine, unless the access was one that may be refused.
#[cold]
fn refuse(frame: &mut TrapFrame, address: VirtAddr, error: FaultError) {
    let probe_writes = access::probe_writes(frame);
    // Some emulators read before they write back, and report the read: the access was to write all the same.
    let code = if probe_writes == Some(true) { frame.error | fault::WRITE } else { frame.error };
    let fault = fault::decode(code, address);
    let context = CrashContext::in_trap(Crash::PageFault { fault, code, error }, frame);
    let FaultError::Refused(refusal) = error else {
        crash::die(&context);
    };
    memory::record_refusal(fault);
    if probe_writes.is_none() {
        crash::die(&context);
    }
    if REFUSALS_TOLD.load(Ordering::Relaxed) {
        crash::tell(&context);
    }
    access::recover(frame, refusal.code());
}

static REFUSALS_TOLD: AtomicBool = AtomicBool::new(false);

/// Says whether accesses that may be refused are reported when they are: somebody at the prompt wants to see that.
pub fn tell_refusals(told: bool) {
    REFUSALS_TOLD.store(told, Ordering::Relaxed);
}

/// Called for a page fault of a program, as [`page_fault`] for one of the kernel's.
pub fn program_fault(frame: &ProgramFrame, address: VirtAddr) {
    let (code, fault) = (frame.trap.error, fault::decode(frame.trap.error, address));
    if let Err(refusal) = memory::answer_program(fault) {
        memory::record_refusal(fault);
        programs::crash(Crash::PageFault { fault, code, error: FaultError::Refused(refusal) }, frame);
    }
}

/// Called for every exception but page faults and double faults.
#[cold]
pub fn exception(frame: &mut TrapFrame, vector: u8) -> ! {
    let (mnemonic, description) = EXCEPTIONS
        .get(usize::from(vector))
        .map_or(("none", "unknown vector"), |known| (known.mnemonic, known.description));
    let crash = Crash::Exception { mnemonic, description, code: frame.error };
    if let Some(frame) = ProgramFrame::of(frame) {
        programs::crash(crash, frame);
    }
    crash::die(&CrashContext::in_trap(crash, frame))
}

/// Called, on a stack of its own, for a fault that the processor could not report: mostly since the kernel stack is used
/// up. `address` is where the last page fault was, `root` the directory of the interrupted address space.
#[cold]
pub fn double_fault(frame: &TrapFrame, address: VirtAddr, root: Frame) -> ! {
    let is_guard = |page| page == image::stack_guard_page() || threads::is_guard_page(page);
    let stack_pointer = VirtAddr::new(frame.stack_pointer());
    // A push just below the first byte of the stack faults with ESP still above the guard page.
    let overflow = is_guard(Page::containing(address)) || is_guard(Page::containing(stack_pointer));
    let crash = Crash::DoubleFault { address, overflow };
    crash::die(&CrashContext { root: Some(root), ..CrashContext::in_trap(crash, frame) })
}
