//! What happens when the processor interrupts the kernel: exceptions end the machine with a diagnosis, ticks are counted.

use crate::addr::{Page, VirtAddr};
use crate::arch::x86::trap::TrapFrame;
use crate::arch::x86::{access, exit, image};
use crate::console::{control, println};
use crate::fault::{self, Place};
use crate::machine::{self, Kernel, Unanswered};
use crate::scenarios::Machine;
use crate::threads;
use crate::vm::Fault;
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};
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
    let fault = fault::decode(frame.error, address);
    if let Err(unanswered) = machine::answer(fault) {
        refuse(frame, fault, unanswered);
    }
}

/// Ends the machine with a diagnosis, unless the access was one that may be refused.
#[cold]
fn refuse(frame: &mut TrapFrame, fault: Fault, unanswered: Unanswered) {
    let Fault { address, .. } = fault;
    let words = Access(frame.error);
    match unanswered {
        Unanswered::Refused(_) if access::recover(frame) => {}
        Unanswered::Refused(refusal) => {
            let place = Kernel.with(|memory| Place::of(&memory.mmu, address));
            let kind = fault::kind(refusal);
            die(kind, frame, format_args!("{kind}: {words} at {address}: {place}"))
        }
        Unanswered::Locked => {
            die("locked", frame, format_args!("{words} at {address} by the kernel, while it worked on the memory"))
        }
        Unanswered::TooEarly => {
            die("too-early", frame, format_args!("{words} at {address}, before there was a page table"))
        }
    }
}

/// Called for every exception but page faults and double faults.
#[cold]
pub fn exception(frame: &TrapFrame, vector: u8) -> ! {
    match EXCEPTIONS.get(usize::from(vector)) {
        Some(known) => die(
            "exception",
            frame,
            format_args!("{} ({}), error code {:#x}", known.description, known.mnemonic, frame.error),
        ),
        None => die("exception", frame, format_args!("exception at vector {vector:#x}")),
    }
}

/// Called, on a stack of its own, for a fault that the processor could not report: mostly since the kernel stack is used
/// up. `address` is where the last page fault was.
#[cold]
pub fn double_fault(frame: &TrapFrame, address: VirtAddr) -> ! {
    let is_guard = |page| page == image::stack_guard_page() || threads::is_guard_page(page);
    let stack_pointer = VirtAddr::new(frame.stack_pointer());
    // A push just below the first byte of the stack faults with ESP still above the guard page.
    if is_guard(Page::containing(address)) || is_guard(Page::containing(stack_pointer)) {
        die(
            "stack-overflow",
            frame,
            format_args!("kernel stack overflow: {address} is in the guard page below a stack"),
        )
    }
    die("double-fault", frame, format_args!("double fault; the last page fault was at {address}"))
}

#[cold]
fn die(name: &str, frame: &TrapFrame, diagnosis: fmt::Arguments<'_>) -> ! {
    exit::die(|| {
        println!("\n{diagnosis}\n{}", Registers(frame));
        control!("diagnosis {name} {diagnosis}");
        control!("end died");
    })
}

/// Bits of a page fault's error code that no access of the kernel should set (Intel SDM volume 3, section 4.7).
const USER: u32 = 1 << 2;
const RESERVED_BIT: u32 = 1 << 3;

/// A page fault's error code in words.
struct Access(u32);

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |bit| self.0 & bit != 0;
        let who = if has(USER) { "user" } else { "kernel" };
        let Fault { present, write, .. } = fault::decode(self.0, VirtAddr::new(0));
        let what = if write { "write to" } else { "read of" };
        let where_ = match (present, has(RESERVED_BIT), write) {
            (false, ..) => "an absent page",
            (true, true, _) => "a page whose entry has a reserved bit set",
            (true, false, true) => "a read-only page",
            (true, false, false) => "a protected page",
        };
        write!(f, "{who} {what} {where_} (error code {:#x})", self.0)
    }
}

/// The interrupted code's registers on three lines.
struct Registers<'a>(&'a TrapFrame);

impl fmt::Display for Registers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = self.0;
        writeln!(f, "  EIP {:08x}  CS  {:08x}  EFL {:08x}  ESP {:08x}", r.eip, r.cs, r.eflags, r.stack_pointer())?;
        writeln!(f, "  EAX {:08x}  EBX {:08x}  ECX {:08x}  EDX {:08x}", r.eax, r.ebx, r.ecx, r.edx)?;
        write!(f, "  ESI {:08x}  EDI {:08x}  EBP {:08x}", r.esi, r.edi, r.ebp)
    }
}
