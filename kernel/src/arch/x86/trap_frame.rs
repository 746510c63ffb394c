//! The frame that a trap leaves on the stack, and the start of the chain of callers.

use core::arch::asm;
use x86::bits32::task::TaskStateSegment;

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
    /// The error code; 0 for exceptions that have none.
    pub error: u32,
    pub eip: u32,
    pub cs: u32,
    pub eflags: u32,
}

/// Bytes that an exception pushes: error code, EIP, CS, EFLAGS.
const PUSHED: u32 = 16;

impl TrapFrame {
    /// Makes the frame that a trap would have left, from the registers that a task switch has saved.
    pub(super) const fn from_task(state: &TaskStateSegment) -> Self {
        Self {
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
            cs: state.cs as u32,
            eflags: state.eflags,
        }
    }

    /// Returns ESP as the interrupted code had it.
    pub const fn stack_pointer(&self) -> u32 {
        self.esp.wrapping_add(PUSHED)
    }
}

/// The frame that a trap leaves when it interrupts a program.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
#[allow(missing_docs)]
pub struct ProgramFrame {
    pub trap: TrapFrame,
    pub esp: u32,
    pub ss: u32,
}

impl ProgramFrame {
    /// Returns the whole of `frame`, which a trap has left, if it was a program that was interrupted.
    pub fn of(frame: &mut TrapFrame) -> Option<&mut Self> {
        // SAFETY: (1) the processor has pushed ESP and SS above the others, since it came from ring 3; (2) the result takes the
        // place of `frame`.
        (frame.cs & 3 == 3).then(|| unsafe { &mut *(&raw mut *frame).cast() })
    }
}

/// Returns EBP: where the chain of callers starts.
#[inline(always)]
pub fn frame_pointer() -> u32 {
    let pointer;
    // SAFETY: reading a register changes nothing.
    unsafe { asm!("mov {}, ebp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    pointer
}
