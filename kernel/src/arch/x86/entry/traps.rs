//! From the trap entries in assembly to the safe code of [`crate::system::trap`].

use crate::addr::{Frame, PhysAddr, VirtAddr};
use crate::arch::x86::trap_frame::{ProgramFrame, TrapFrame};
use crate::arch::x86::{exit, gdt, keyboard, pic, pit};
use crate::system;
use core::arch::global_asm;
use x86::controlregs;

global_asm!(
    include_str!("../../../../../boot/trap.s"),
    page_fault = sym page_fault,
    trap = sym trap,
    double_fault = sym double_fault,
    program_fault = sym program_fault,
    program_call = sym program_call,
    user_data = const gdt::USER_DATA.bits(),
);

extern "fastcall" fn page_fault(frame: &mut TrapFrame, address: u32) {
    system::trap::page_fault(frame, VirtAddr::new(address));
}

extern "fastcall" fn program_fault(frame: &mut ProgramFrame, address: u32) {
    system::trap::program_fault(frame, VirtAddr::new(address));
}

extern "fastcall" fn program_call(frame: &mut ProgramFrame) {
    system::programs::answer(frame);
}

extern "fastcall" fn trap(frame: &mut TrapFrame, vector: u32) {
    let vector = vector as u8;
    match pic::line_of(vector) {
        Some(line) => pic::serve(line, |line| match line {
            pic::TIMER => timer(),
            pic::KEYBOARD => keyboard::interrupt(),
            _ => {}
        }),
        None => system::trap::exception(frame, vector),
    }
}

/// Counts the tick. Once a crash has begun nothing else happens at one, as `Dying` promises: no other thread runs.
fn timer() {
    pit::count_tick();
    if !exit::is_dying() {
        system::threads::tick();
    }
}

/// Where the double fault's task starts, on its own stack, with interrupts masked.
extern "C" fn double_fault() -> ! {
    let state = gdt::interrupted_state();
    let frame = TrapFrame::from_task(&state);
    // SAFETY: reading CR2 changes nothing. A task switch leaves CR2 as the last page fault set it.
    let address = unsafe { controlregs::cr2() } as u32;
    system::trap::double_fault(&frame, VirtAddr::new(address), Frame::containing(PhysAddr::new(state.cr3)))
}
