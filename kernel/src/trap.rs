//! What happens when the processor interrupts the kernel: exceptions end the machine with a diagnosis, ticks are counted.

use crate::addr::{Frame, Page, VirtAddr};
use crate::arch::x86::trap::TrapFrame;
use crate::arch::x86::{access, image};
use crate::fault::{self, Happening, Unanswered};
use crate::last_words::{self, Trouble};
use crate::machine;
use crate::threads;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use x86::irq::EXCEPTIONS;

static TICKS: AtomicU32 = AtomicU32::new(0);

/// Returns how often the timer has ticked since interrupts were turned on: 100 times a second.
pub fn ticks() -> u32 {
    TICKS.load(Ordering::Relaxed)
}

/// Called at every tick of the timer, with interrupts masked.
pub fn tick() {
    TICKS.fetch_add(1, Ordering::Relaxed);
    threads::tick();
}

/// Called for a page fault at `address`, with interrupts masked. On return the interrupted instruction is tried again.
#[inline]
pub fn page_fault(frame: &mut TrapFrame, address: VirtAddr) {
    if let Err(unanswered) = machine::answer(fault::decode(frame.error, address)) {
        refuse(frame, address, unanswered);
    }
}

/// Reports the fault and ends the machine, unless the access was one that may be refused.
#[cold]
fn refuse(frame: &mut TrapFrame, address: VirtAddr, unanswered: Unanswered) {
    let fault = fault::decode(frame.error, address);
    if let Unanswered::Refused(refusal) = unanswered {
        machine::note_refusal(fault, refusal);
    }
    let trouble = Trouble::in_trap(Happening::PageFault { fault, error: frame.error, unanswered }, frame);
    if !matches!(unanswered, Unanswered::Refused(_)) || !access::is_probe(frame) {
        last_words::die(&trouble);
    }
    if REFUSALS_TOLD.load(Ordering::Relaxed) {
        last_words::tell(&trouble);
    }
    access::recover(frame);
}

static REFUSALS_TOLD: AtomicBool = AtomicBool::new(false);

/// Says whether accesses that may be refused are reported when they are: somebody at the prompt wants to see that.
pub fn tell_refusals(told: bool) {
    REFUSALS_TOLD.store(told, Ordering::Relaxed);
}

/// Called for every exception but page faults and double faults.
#[cold]
pub fn exception(frame: &TrapFrame, vector: u8) -> ! {
    let (mnemonic, description) = EXCEPTIONS
        .get(usize::from(vector))
        .map_or(("none", "unknown vector"), |known| (known.mnemonic, known.description));
    let happening = Happening::Exception { mnemonic, description, error: frame.error };
    last_words::die(&Trouble::in_trap(happening, frame))
}

/// Called, on a stack of its own, for a fault that the processor could not report: mostly since the kernel stack is used
/// up. `address` is where the last page fault was, `root` the directory of the interrupted address space.
#[cold]
pub fn double_fault(frame: &TrapFrame, address: VirtAddr, root: Frame) -> ! {
    let is_guard = |page| page == image::stack_guard_page() || threads::is_guard_page(page);
    let stack_pointer = VirtAddr::new(frame.stack_pointer());
    // A push just below the first byte of the stack faults with ESP still above the guard page.
    let overflow = is_guard(Page::containing(address)) || is_guard(Page::containing(stack_pointer));
    let happening = Happening::DoubleFault { address, overflow };
    last_words::die(&Trouble { root: Some(root), ..Trouble::in_trap(happening, frame) })
}
