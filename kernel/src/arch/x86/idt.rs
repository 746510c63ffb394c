//! The interrupt descriptor table: which code runs at which vector.

use super::gdt::{self, Table};
use x86::Ring;
use x86::dtables::lidt;
use x86::irq::{DOUBLE_FAULT_VECTOR, PAGE_FAULT_VECTOR};
use x86::segmentation::{BuildDescriptor, Descriptor, DescriptorBuilder};
use x86::segmentation::{GateDescriptorBuilder, TaskGateDescriptorBuilder};

/// The processor's 32 exceptions, then the PIC's 16 interrupts. A vector beyond is a general protection fault.
pub const VECTORS: usize = 48;

/// The vector of a program's calls, the only one that ring 3 may name.
const CALL: usize = 0x80;

static IDT: Table<[Descriptor; CALL + 1]> = Table::new([Descriptor::NULL; CALL + 1]);

unsafe extern "C" {
    /// The addresses of the entries in boot/trap.s, by vector.
    static trap_entries: [u32; VECTORS];
    fn program_fault_entry();
    fn program_call_entry();
}

/// The knowledge that every exception has its gate.
#[derive(Debug)]
pub struct Idt(());

/// Fills the table and tells the processor. Every gate masks interrupts.
pub fn start() -> Idt {
    // SAFETY: boot/trap.s defines the table with this length, in read-only data.
    let entries = unsafe { trap_entries };
    let mut gates = [Descriptor::NULL; CALL + 1];
    gates.iter_mut().zip(entries).for_each(|(gate, entry)| *gate = interrupt_gate(entry, Ring::Ring0));
    gates[CALL] = interrupt_gate(program_call_entry as *const () as u32, Ring::Ring3);
    gates[usize::from(DOUBLE_FAULT_VECTOR)] = task_gate();
    IDT.set(gates);
    // SAFETY: (1) the table stays where it is; (2) each gate leads to an entry that saves every register.
    unsafe { lidt(&IDT.pointer()) };
    Idt(())
}

/// Makes page faults arrive where it is asked whether a program is at fault, or where it is known that none is.
pub(super) fn expect_programs(expected: bool) {
    // SAFETY: as in `start`.
    let entries = unsafe { trap_entries };
    let vector = usize::from(PAGE_FAULT_VECTOR);
    let entry = if expected { program_fault_entry as *const () as u32 } else { entries[vector] };
    let mut gates = IDT.get();
    gates[vector] = interrupt_gate(entry, Ring::Ring0);
    IDT.set(gates);
}

/// A gate that code of `ring` may name, too.
fn interrupt_gate(entry: u32, ring: Ring) -> Descriptor {
    let gate: DescriptorBuilder = GateDescriptorBuilder::<u32>::interrupt_descriptor(gdt::CODE, entry);
    gate.present().dpl(ring).finish()
}

fn task_gate() -> Descriptor {
    DescriptorBuilder::task_gate_descriptor(gdt::DOUBLE_FAULT_TASK).present().dpl(Ring::Ring0).finish()
}
