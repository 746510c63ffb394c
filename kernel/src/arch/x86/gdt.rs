//! Segments and tasks: flat code and data, the kernel's task, and a second task for double faults.
//!
//! A double fault mostly means that the stack is gone: the processor could not even push the first fault's frame. A
//! handler on the same stack could not run either, and the machine would reset without a word. So vector 8 is a task
//! gate: the processor saves all registers in the kernel's task state, and takes a new stack and page directory from the
//! double fault's.
//!
//! Source: Intel SDM volume 3, chapters 3 and 7.
//!
//! Decision: docs/src/decisions/0009-double-fault-task.md.

use super::image;
use crate::addr::Frame;
use core::cell::UnsafeCell;
use core::mem::size_of;
use x86::Ring;
use x86::bits32::eflags::{EFlags, set as write_eflags};
use x86::bits32::task::TaskStateSegment;
use x86::dtables::{DescriptorTablePointer, lgdt, load_ldtr};
use x86::segmentation::{
    BuildDescriptor, CodeSegmentType, DataSegmentType, Descriptor, DescriptorBuilder, GateDescriptorBuilder,
    SegmentDescriptorBuilder, SegmentSelector, load_cs, load_ds, load_es, load_fs, load_gs, load_ss,
};
use x86::task::load_tr;

const NULL: SegmentSelector = SegmentSelector::new(0, Ring::Ring0);
/// The kernel's code segment.
pub const CODE: SegmentSelector = SegmentSelector::new(1, Ring::Ring0);
/// The kernel's data segment.
pub const DATA: SegmentSelector = SegmentSelector::new(2, Ring::Ring0);
const KERNEL_TASK: SegmentSelector = SegmentSelector::new(3, Ring::Ring0);
/// The task that a double fault switches to.
pub const DOUBLE_FAULT_TASK: SegmentSelector = SegmentSelector::new(4, Ring::Ring0);

/// The code segment of programs.
pub const USER_CODE: SegmentSelector = SegmentSelector::new(5, Ring::Ring3);
/// The data segment of programs. In DS and ES it is the kernel's, too, so that a program finds it there whatever happened.
pub const USER_DATA: SegmentSelector = SegmentSelector::new(6, Ring::Ring3);

/// Bit 1 of EFLAGS is always set. With all others clear, interrupts are masked and strings ascend.
const PLAIN_EFLAGS: u32 = 0b10;

const DOUBLE_FAULT_STACK_SIZE: usize = 16 * 1024;

unsafe extern "C" {
    /// The address of what runs after a double fault, from boot/trap.s.
    static double_fault_entry: u32;
}

static GDT: Table<[Descriptor; 7]> = Table::new([Descriptor::NULL; 7]);
static KERNEL_STATE: Table<TaskStateSegment> = Table::new(TaskStateSegment::new());
static DOUBLE_FAULT_STATE: Table<TaskStateSegment> = Table::new(TaskStateSegment::new());
static DOUBLE_FAULT_STACK: Table<[u8; DOUBLE_FAULT_STACK_SIZE]> = Table::new([0; DOUBLE_FAULT_STACK_SIZE]);

/// Memory that the processor uses by itself. Software writes it at boot; from then on it is only copied out.
#[repr(align(16))]
pub(super) struct Table<T>(UnsafeCell<T>);

// SAFETY: there is one processor, and every access below is a copy in or out.
unsafe impl<T> Sync for Table<T> {}

impl<T> Table<T> {
    pub(super) const fn new(content: T) -> Self {
        Self(UnsafeCell::new(content))
    }

    /// Writes the whole.
    pub(super) fn set(&self, content: T) {
        // SAFETY: (1) the pointer is valid and aligned; (2) no reference to the content is ever made.
        unsafe { self.0.get().write_volatile(content) };
    }

    /// Copies the whole out.
    pub(super) fn get(&self) -> T
    where
        T: Copy,
    {
        // SAFETY: (1) the pointer is valid and aligned; (2) whatever the processor writes is a valid `T`: plain integers.
        unsafe { self.0.get().read_volatile() }
    }

    /// Returns where it lies.
    pub(super) fn address(&self) -> u32 {
        self.0.get() as u32
    }

    /// Returns the operand of `lgdt` or `lidt`.
    pub(super) fn pointer(&self) -> DescriptorTablePointer<T> {
        DescriptorTablePointer { limit: (size_of::<T>() - 1) as u16, base: self.0.get() }
    }
}

/// Loads the segments, and prepares both tasks. After a double fault what boot/trap.s names runs, with interrupts masked.
pub fn start() {
    let mut state = TaskStateSegment::new();
    // The boot directory is never freed and maps all of the kernel, so it works whatever the current directory is worth.
    state.cr3 = image::boot_directory().start().as_u32();
    // SAFETY: boot/trap.s defines the word, in read-only data.
    state.eip = unsafe { double_fault_entry };
    state.eflags = PLAIN_EFLAGS;
    state.esp = DOUBLE_FAULT_STACK.address() + DOUBLE_FAULT_STACK_SIZE as u32;
    state.cs = CODE.bits();
    for segment in [&raw mut state.ss, &raw mut state.ds, &raw mut state.es, &raw mut state.fs, &raw mut state.gs] {
        // SAFETY: the pointer is to a field of a local; the structure is packed, hence unaligned.
        unsafe { segment.write_unaligned(DATA.bits()) };
    }
    DOUBLE_FAULT_STATE.set(state);

    // Without a map of ports, which would lie behind it, ring 3 can use none.
    let mut state = TaskStateSegment::new();
    state.ss0 = DATA.bits();
    KERNEL_STATE.set(state);
    keep_root(image::boot_directory());

    set_descriptors();

    // SAFETY: (1) the table stays where it is; (2) the selectors name flat segments like those that the boot
    // loader left, so no address changes its meaning; (3) a null selector means that there is no local table; (4) the task
    // descriptor is marked available, as ltr demands.
    unsafe {
        lgdt(&GDT.pointer());
        load_cs(CODE);
        load_ss(DATA);
        load_ds(USER_DATA);
        load_es(USER_DATA);
        load_fs(NULL);
        load_gs(NULL);
        load_ldtr(NULL);
        load_tr(KERNEL_TASK);
    }
}

/// Keeps the current directory in the kernel's task state. A task switch does not: it saves every register but CR3 (Intel
/// SDM volume 3, section 7.2.1).
#[inline]
pub(super) fn keep_root(root: Frame) {
    // SAFETY: (1) the field is inside the table, which is packed, hence unaligned; (2) no reference to it is ever made.
    unsafe { (&raw mut (*KERNEL_STATE.0.get()).cr3).write_unaligned(root.start().as_u32()) };
}

/// Prepares a switch to a thread whose stack ends at `top`: there the processor enters the kernel from ring 3. No program sees
/// what another has left in FS and GS.
#[inline]
pub(super) fn enter_thread(top: u32) {
    // SAFETY: (1) as in `keep_root`; (2) nothing of the kernel's uses FS and GS.
    unsafe {
        (&raw mut (*KERNEL_STATE.0.get()).esp0).write_unaligned(top);
        load_fs(NULL);
        load_gs(NULL);
    }
}

/// Returns the registers that a switch to the double fault's task left behind.
pub(super) fn interrupted_state() -> TaskStateSegment {
    KERNEL_STATE.get()
}

/// Makes the kernel's task the current one, without a switch, whichever is: so the next double fault finds its task available,
/// in the state that it starts from. Interrupts are masked afterwards.
pub(super) fn leave_double_fault_task() {
    set_descriptors();
    // SAFETY: (1) the descriptor is marked available, as ltr demands; (2) the flags say no more that a task is nested in
    // another, and nothing returns to the one that it was nested in.
    unsafe {
        load_tr(KERNEL_TASK);
        write_eflags(EFlags::from_bits_truncate(PLAIN_EFLAGS));
    }
}

/// Writes the segments, and the tasks, of which none is marked busy.
fn set_descriptors() {
    GDT.set([
        Descriptor::NULL,
        flat(DescriptorBuilder::code_descriptor(0, 0xF_FFFF, CodeSegmentType::ExecuteRead), Ring::Ring0),
        flat(DescriptorBuilder::data_descriptor(0, 0xF_FFFF, DataSegmentType::ReadWrite), Ring::Ring0),
        task(&KERNEL_STATE),
        task(&DOUBLE_FAULT_STATE),
        flat(DescriptorBuilder::code_descriptor(0, 0xF_FFFF, CodeSegmentType::ExecuteRead), Ring::Ring3),
        flat(DescriptorBuilder::data_descriptor(0, 0xF_FFFF, DataSegmentType::ReadWrite), Ring::Ring3),
    ]);
}

/// A segment of 32 bits from 0 to 4 GiB, for code of `ring`.
fn flat(descriptor: DescriptorBuilder, ring: Ring) -> Descriptor {
    descriptor.present().dpl(ring).limit_granularity_4kb().db().finish()
}

fn task(state: &'static Table<TaskStateSegment>) -> Descriptor {
    let limit = size_of::<TaskStateSegment>() as u64 - 1;
    let descriptor: DescriptorBuilder =
        GateDescriptorBuilder::<u32>::tss_descriptor(u64::from(state.address()), limit, true);
    descriptor.present().dpl(Ring::Ring0).finish()
}
