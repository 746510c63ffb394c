//! The way into ring 3. The way back is a trap: boot/trap.s.

use super::gdt;
use super::idt;
use super::trap_frame::{ProgramFrame, TrapFrame};
use crate::addr::VirtAddr;
use x86::bits32::eflags::EFlags;
use x86::controlregs::{Cr0, Cr4, cr0, cr0_write, cr4, cr4_write};

unsafe extern "fastcall" {
    fn resume_program(frame: &ProgramFrame) -> !;
}

/// Prepares the processor for programs, or for none any more. There is no place for the FPU's registers, so each instruction that
/// would use them is an exception; and there are no alignment checks.
pub fn expect_programs(expected: bool) {
    idt::expect_programs(expected);
    let unwanted_in_cr0 = Cr0::CR0_ALIGNMENT_MASK | Cr0::CR0_MONITOR_COPROCESSOR | Cr0::CR0_TASK_SWITCHED;
    // Vectors, an interrupt flag of ring 3's own, and exceptions where the kernel looks at programs' pages: firmware may have
    // turned them on.
    let vectors = Cr4::CR4_ENABLE_SSE | Cr4::CR4_UNMASKED_SSE | Cr4::CR4_ENABLE_OS_XSAVE;
    let unwanted = vectors | Cr4::CR4_VIRTUAL_INTERRUPTS | Cr4::CR4_ENABLE_VME | Cr4::CR4_ENABLE_SMAP;
    // SAFETY: the kernel uses neither FPU nor vectors, and needs none of what is turned off.
    unsafe {
        cr0_write(cr0().difference(unwanted_in_cr0).union(Cr0::CR0_EMULATE_COPROCESSOR));
        // A processor without any of them may have no CR4.
        if cr4().intersects(unwanted) {
            cr4_write(cr4().difference(unwanted));
        }
    }
}

/// Returns what a program starts with: interrupts on, EAX and EDX as given, and zeros.
pub fn start(eip: VirtAddr, esp: VirtAddr, eax: u32, edx: u32) -> ProgramFrame {
    let (cs, ss) = (u32::from(gdt::USER_CODE.bits()), u32::from(gdt::USER_DATA.bits()));
    let eflags = EFlags::FLAGS_A1.union(EFlags::FLAGS_IF).bits();
    let nothing =
        TrapFrame { edi: 0, esi: 0, ebp: 0, esp: 0, ebx: 0, edx: 0, ecx: 0, eax: 0, error: 0, eip: 0, cs, eflags };
    ProgramFrame { trap: TrapFrame { eip: eip.as_u32(), eax, edx, ..nothing }, esp: esp.as_u32(), ss }
}

/// Lets the program go on whose registers are in `frame`, on the running thread, which comes back by a trap only.
///
/// # Panics
///
/// If the frame is not one of ring 3, with the flags that a program has.
pub fn resume(frame: &ProgramFrame) -> ! {
    let ProgramFrame { trap, ss, .. } = frame;
    let flags = EFlags::from_bits_truncate(trap.eflags);
    let is_safe = flags.contains(EFlags::FLAGS_IF) && !flags.intersects(EFlags::FLAGS_IOPL3 | EFlags::FLAGS_VM);
    assert!(is_safe && trap.cs & 3 == 3 && ss & 3 == 3, "{frame:?} is not a program's");
    // SAFETY: (1) the frame is one of ring 3, where the page tables decide what can be done; (2) the thread's stack is empty when
    // the next trap comes, and nothing on it is used again.
    unsafe { resume_program(frame) }
}
