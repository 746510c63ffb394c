//! From the trap entries in assembly to the safe code of [`crate::trap`].

use super::{gdt, keyboard, pic};
use crate::addr::{Frame, PhysAddr, VirtAddr};
use core::arch::{asm, global_asm};
use x86::bits32::eflags::{self, EFlags};
use x86::controlregs;

global_asm!(
    include_str!("../../../../boot/trap.s"),
    page_fault = sym page_fault,
    trap = sym trap,
);

/// The interrupted code's registers, as boot/trap.s and the processor leave them on the stack.
///
/// Whoever changes one changes it for the interrupted code, but for `esp`, which `popa` skips.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[allow(missing_docs)]
pub struct TrapFrame {
    pub edi: u32,
    pub esi: u32,
    pub ebp: u32,
    /// ESP after the error code was pushed: see [`Self::stack_pointer`].
    pub esp: u32,
    pub ebx: u32,
    pub edx: u32,
    pub ecx: u32,
    pub eax: u32,
    /// What the processor says about the exception; 0 where it says nothing.
    pub error: u32,
    pub eip: u32,
    pub cs: u32,
    pub eflags: u32,
}

/// Bytes that an exception pushes: error code, EIP, CS, EFLAGS.
const PUSHED: u32 = 16;

impl TrapFrame {
    /// Returns ESP as the interrupted code had it.
    pub const fn stack_pointer(&self) -> u32 {
        self.esp.wrapping_add(PUSHED)
    }
}

/// Turns interrupts on. The IDT and the PIC must be ready.
pub fn unmask_interrupts() {
    // SAFETY: (1) ring 0; (2) every vector that can come has a gate, or ends in a reported exception.
    unsafe { x86::irq::enable() };
}

/// Says whether interrupts are on.
pub fn interrupts_are_on() -> bool {
    // SAFETY: reading the flags changes nothing.
    unsafe { eflags::read() }.contains(EFlags::FLAGS_IF)
}

/// Returns EBP: where the chain of callers starts.
#[inline(always)]
pub fn frame_pointer() -> u32 {
    let pointer;
    // SAFETY: reading a register changes nothing.
    unsafe { asm!("mov {}, ebp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}

/// Turns interrupts on and stands still until one has come.
pub fn wait_for_interrupt() {
    // SAFETY: (1) ring 0; (2) sti takes effect after the next instruction, so no interrupt slips in between.
    unsafe { asm!("sti", "hlt", options(nomem, nostack)) };
}

extern "fastcall" fn page_fault(frame: &mut TrapFrame, address: u32) {
    crate::trap::page_fault(frame, VirtAddr::new(address));
}

extern "fastcall" fn trap(frame: &mut TrapFrame, vector: u32) {
    let vector = vector as u8;
    match pic::line_of(vector) {
        Some(line) => pic::serve(line, |line| match line {
            pic::TIMER => crate::trap::tick(),
            pic::KEYBOARD => keyboard::interrupt(),
            _ => {}
        }),
        None => crate::trap::exception(frame, vector),
    }
}

/// Where the double fault's task starts, on its own stack.
pub extern "C" fn double_fault() -> ! {
    let state = gdt::interrupted_state();
    let frame = TrapFrame {
        edi: state.edi,
        esi: state.esi,
        ebp: state.ebp,
        esp: state.esp.wrapping_sub(PUSHED),
        ebx: state.ebx,
        edx: state.edx,
        ecx: state.ecx,
        eax: state.eax,
        error: 0,
        eip: state.eip,
        cs: u32::from(state.cs),
        eflags: state.eflags,
    };
    // SAFETY: ring 0. A task switch leaves CR2 as the last page fault set it.
    let address = unsafe { controlregs::cr2() } as u32;
    crate::trap::double_fault(&frame, VirtAddr::new(address), Frame::containing(PhysAddr::new(state.cr3)))
}
