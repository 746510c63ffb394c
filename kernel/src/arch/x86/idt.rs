//! The interrupt descriptor table: which code runs at which vector.

use super::gdt::{self, Table};
use x86::Ring;
use x86::dtables::lidt;
use x86::irq::DOUBLE_FAULT_VECTOR;
use x86::segmentation::{BuildDescriptor, Descriptor, DescriptorBuilder};
use x86::segmentation::{GateDescriptorBuilder, TaskGateDescriptorBuilder};

/// The processor's 32 exceptions, then the PIC's 16 interrupts. A vector beyond is a general protection fault.
pub const VECTORS: usize = 48;

static IDT: Table<[Descriptor; VECTORS]> = Table::new([Descriptor::NULL; VECTORS]);

unsafe extern "C" {
    /// The addresses of the entries in boot/trap.s, by vector.
    static trap_entries: [u32; VECTORS];
}

/// The knowledge that every exception has its gate.
#[derive(Debug)]
pub struct Idt(());

/// Fills the table and tells the processor. Every gate masks interrupts.
pub fn start() -> Idt {
    // SAFETY: boot/trap.s defines the table with this length, in read-only data.
    let entries = unsafe { trap_entries };
    let mut gates = entries.map(interrupt_gate);
    gates[usize::from(DOUBLE_FAULT_VECTOR)] = task_gate();
    IDT.set(gates);
    // SAFETY: (1) the table stays where it is; (2) each gate leads to an entry that saves every register.
    unsafe { lidt(&IDT.pointer()) };
    Idt(())
}

fn interrupt_gate(entry: u32) -> Descriptor {
    let gate: DescriptorBuilder = GateDescriptorBuilder::<u32>::interrupt_descriptor(gdt::CODE, entry);
    gate.present().dpl(Ring::Ring0).finish()
}

fn task_gate() -> Descriptor {
    DescriptorBuilder::task_gate_descriptor(gdt::DOUBLE_FAULT_TASK).present().dpl(Ring::Ring0).finish()
}
