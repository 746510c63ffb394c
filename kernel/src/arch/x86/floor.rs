//! The floor: what the bare processor needs for the kernel's work, measured with nothing around it; and what is measured of
//! the kernel from outside Rust: the access to memory that may fault, and interrupts.
//!
//! Everything here returns ticks of the time-stamp counter, without what reading it twice costs.

use super::gdt;
use super::idt::VECTORS;
use super::lock::Masked;
use crate::addr::{Frame, Page, PhysAddr};
use crate::memory_map::{POOL_PAGES, PROCESS_POOL_START};
use crate::paging::Entry;
use core::arch::global_asm;
use x86::Ring;
use x86::dtables::{DescriptorTablePointer, lidt, sidt};
use x86::irq::PAGE_FAULT_VECTOR;
use x86::segmentation::{BuildDescriptor, Descriptor, DescriptorBuilder, GateDescriptorBuilder};

global_asm!(include_str!("../../../../boot/floor.s"));

unsafe extern "fastcall" {
    fn floor_nothing(unused: u32) -> u32;
    fn floor_touch(page: u32) -> u32;
    fn floor_touch_patching(page: u32, entry: u32) -> u32;
    fn floor_zero(page: u32) -> u32;
    fn floor_copy(page: u32) -> u32;
    fn floor_flush(page: u32) -> u32;
    fn floor_load_root(unused: u32) -> u32;
    fn floor_interrupt(unused: u32) -> u32;
    fn floor_tick(unused: u32) -> u32;
    fn floor_release(page: u32) -> u32;
    fn floor_keep(frame: u32);
    fn floor_take() -> u32;
}

unsafe extern "C" {
    fn floor_fault_patching();
    fn floor_fault_backing();
}

/// Returns `ticks` of a measured stretch without what the frame around it costs, and without `extra` instructions. Where
/// ticks are time and not instructions, less than nothing can be left.
fn net(ticks: u32, extra: u32) -> u32 {
    // SAFETY: it reads the counter.
    let frame = unsafe { floor_nothing(0) };
    ticks.saturating_sub(frame + extra)
}

/// Writes to `page` and returns what that cost beside the write itself: a page fault's answer, or nothing.
///
/// # Panics
///
/// If it is not a page that VM pools may hold.
pub fn touch(page: Page) -> u32 {
    assert!(POOL_PAGES.contains(page), "{page:?} is not a page of VM pools");
    let _masked = Masked::new();
    // SAFETY: (1) none of Rust's objects lie in such a page; (2) if it is absent, the fault gives it a frame or ends the
    // machine.
    net(unsafe { floor_touch(page.start().as_u32()) }, 1)
}

/// Interrupts as a line does that nobody waits for, and returns what that cost.
pub fn interrupt() -> u32 {
    let _masked = Masked::new();
    // SAFETY: the line's entry saves every register, and what serves it ends a request that is not there.
    net(unsafe { floor_interrupt(0) }, 0)
}

/// Interrupts as the timer does, and returns what that cost. If threads are switched, another thread that waits in here
/// returns instead, with what it took to get to it.
pub fn tick() -> u32 {
    let _masked = Masked::new();
    // SAFETY: (1) as above; (2) a switch keeps what a thread has on its stack, and the word that is not there was written
    // just before, with interrupts masked.
    net(unsafe { floor_tick(0) }, 2)
}

/// The bare processor's ways, shown on one page.
#[derive(Debug)]
pub struct Floor {
    page: Page,
}

impl Floor {
    /// Takes `page`, which is absent but has a table, and which is the caller's to play with, and backs it with `frame`.
    ///
    /// [`end`](Self::end) gives the frame back.
    ///
    /// # Panics
    ///
    /// If it is not a page that VM pools may hold, or a frame of the kernel's.
    pub fn start(page: Page, frame: Frame) -> Self {
        assert!(POOL_PAGES.contains(page) && frame >= PROCESS_POOL_START, "{page:?} or {frame:?} is not for VM pools");
        // SAFETY: there is room for a frame: each start has its end.
        unsafe { floor_keep(frame.start().as_u32()) };
        let floor = Self { page };
        floor.back();
        floor
    }

    /// Makes the page absent and returns its frame.
    pub fn end(self) -> Frame {
        self.release();
        // SAFETY: `release` kept a frame.
        Frame::containing(PhysAddr::new(unsafe { floor_take() }))
    }

    fn measure(&self, work: unsafe extern "fastcall" fn(u32) -> u32) -> u32 {
        let _masked = Masked::new();
        // SAFETY: each keeps to the calling convention and to this page, in which no object lies.
        net(unsafe { work(self.page.start().as_u32()) }, 0)
    }

    /// Clears the page.
    pub fn zero(&self) -> u32 {
        self.measure(floor_zero)
    }

    /// Copies the page.
    pub fn copy(&self) -> u32 {
        self.measure(floor_copy)
    }

    /// Forgets the page's translation.
    pub fn flush(&self) -> u32 {
        self.measure(floor_flush)
    }

    /// Loads CR3 with what it holds.
    pub fn load_root(&self) -> u32 {
        self.measure(floor_load_root)
    }

    /// Takes the page away. It has to be backed by one of the functions below before anything else is done with it.
    pub fn release(&self) -> u32 {
        self.measure(floor_release)
    }

    /// Touches the absent page, and the fault does nothing but map it.
    pub fn patch(&self) -> u32 {
        let _masked = Masked::new();
        // SAFETY: (1) `release` kept the frame; (2) the page is the caller's, and no object lies in it.
        with_handler(floor_fault_patching, || unsafe {
            let entry = Entry::writable(Frame::containing(PhysAddr::new(floor_take())));
            // Beside the frame: the entry's way into its register, and the write itself.
            net(floor_touch_patching(self.page.start().as_u32(), entry.bits()), 2)
        })
    }

    /// Touches the absent page, and the fault does what a demand-zero fault cannot do without.
    pub fn back(&self) -> u32 {
        with_handler(floor_fault_backing, || touch(self.page))
    }
}

/// Does `work` while page faults go to `handler`, with interrupts masked.
fn with_handler<R>(handler: unsafe extern "C" fn(), work: impl FnOnce() -> R) -> R {
    let _masked = Masked::new();
    let mut table = DescriptorTablePointer::<[Descriptor; VECTORS]>::default();
    // SAFETY: the kernel's table has this length, and is only written at boot.
    let mut gates = unsafe {
        sidt(&mut table);
        table.base.read_volatile()
    };
    let gate: DescriptorBuilder =
        GateDescriptorBuilder::<u32>::interrupt_descriptor(gdt::CODE, handler as *const () as u32);
    gates[usize::from(PAGE_FAULT_VECTOR)] = gate.present().dpl(Ring::Ring0).finish();
    // SAFETY: (1) the copy lives until the kernel's table is back, and differs in one gate only; (2) that one
    // saves every register.
    unsafe {
        lidt(&DescriptorTablePointer::new(&gates));
        let result = work();
        lidt(&table);
        result
    }
}
