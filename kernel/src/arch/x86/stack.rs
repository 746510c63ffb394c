//! Stacks of kernel threads, and the switch between them.

use super::gdt;
use super::kernel_pool;
use super::lock::Dying;
use crate::addr::{Frame, FrameRange, Page};
use core::arch::global_asm;

global_asm!(include_str!("../../../../boot/switch.s"));

unsafe extern "fastcall" {
    fn switch_stacks(keep: *mut u32, go_on: u32);
    fn start_over(go_on: extern "C" fn() -> !) -> !;
}

unsafe extern "C" {
    fn thread_start();
}

/// Calls `go_on` on the kernel stack from its top, in the kernel's task: so what goes on after one crash is not above it on the
/// stack, and can crash any number of times.
pub fn leave_crash(_: &Dying, go_on: extern "C" fn() -> !) -> ! {
    gdt::leave_double_fault_task();
    // SAFETY: (1) whoever has a `Dying` never returns to what is on any stack; (2) no other thread runs; (3) the stack is
    // always mapped, writable.
    unsafe { start_over(go_on) }
}

/// Pages of a stack, the guard page below it included.
pub const PAGES: u32 = 5;

/// The stack of a thread that isn't running: its pages and where it left off.
#[derive(Debug)]
pub struct Stack {
    frames: FrameRange,
    pointer: u32,
}

impl Stack {
    /// Makes a stack in [`PAGES`] frames from `first` on. A thread that is switched to it for the first time calls `entry`
    /// with `argument`, with interrupts on. The lowest page is the guard: the caller makes it absent.
    ///
    /// The frames are the caller's, taken from the kernel pool, until the stack is dropped.
    ///
    /// # Panics
    ///
    /// If the frames are not all in the kernel pool, or one of them holds something else.
    pub fn new(first: Frame, entry: extern "C" fn(u32) -> !, argument: u32) -> Self {
        let frames = FrameRange::new(first, Frame::new(first.number() + PAGES));
        kernel_pool::claim(frames);
        // What switch_stacks takes off the stack: EDI, ESI, EBX, EBP, and the address to go on at.
        let start = [0, argument, entry as usize as u32, 0, thread_start as *const () as u32];
        let pointer = frames.end.start().as_u32() - size_of_val(&start) as u32;
        // SAFETY: (1) the frames are mapped at their own address, and claimed, so nothing else is in them;
        // (2) the words are aligned and lie in the last of them.
        unsafe { (pointer as *mut [u32; 5]).write(start) };
        Self { frames, pointer }
    }

    /// Takes the stack that is running, at its first switch away from it.
    pub const fn running() -> Self {
        Self { frames: FrameRange::new(Frame::new(0), Frame::new(0)), pointer: 0 }
    }

    /// Returns the first of its frames, or `None` for the stack that the kernel was started on.
    pub fn first_frame(&self) -> Option<Frame> {
        (!self.frames.is_empty()).then_some(self.frames.start)
    }

    /// Returns its guard page, if it has one of its own.
    pub fn guard_page(&self) -> Option<Page> {
        self.first_frame().map(|frame| Page::new(frame.number()))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        kernel_pool::disclaim(self.frames);
    }
}

/// A switch that is prepared: it is made by [`Switch::make`] when no lock is held any more.
#[must_use]
pub struct Switch {
    keep: *mut u32,
    go_on: u32,
    top: u32,
}

impl Switch {
    /// Prepares the switch from `running`, which the caller runs on, to `next`. Both stay where they are until it is made,
    /// and interrupts are masked until then.
    pub fn between(running: &mut Stack, next: &Stack) -> Self {
        Self { keep: &raw mut running.pointer, go_on: next.pointer, top: next.frames.end.start().as_u32() }
    }

    /// Makes the switch. Returns when another switch comes back.
    pub fn make(self) {
        gdt::enter_thread(self.top);
        // SAFETY: (1) `next` holds what an earlier switch or `Stack::new` left; (2) `running` is the caller's own, and both
        // still exist, as `between` demands; (3) interrupts are masked, so nothing comes in between.
        unsafe { switch_stacks(self.keep, self.go_on) };
    }
}
