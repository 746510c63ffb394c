//! Where the boot stub arrives.

use crate::addr::PhysAddr;
use crate::arch::x86::boot_memory::BootMemory;
use crate::arch::x86::mmu::X86Mmu;
use crate::system;
use core::arch::global_asm;

global_asm!(include_str!("../../../../../boot/multiboot.s"));
global_asm!(include_str!("../../../../../boot/processor.s"));
global_asm!(include_str!("../../../../../boot/entry.s"));

/// Called once by the boot stub, with the boot loader's magic number and the address of what it left.
#[unsafe(no_mangle)]
extern "C" fn kmain(magic: u32, info: u32) -> ! {
    // SAFETY: (1) the stub calls this once, and its directory is current; (2) the boot loader is gone, and nothing else
    // writes to memory.
    let memory = unsafe { BootMemory::mint() };
    // SAFETY: (1) the stub calls this once; (2) it has mapped the first 4 MiB and turned paging on; (3) from here on page
    // tables are the concern of whoever `kmain` lends this to.
    let mmu = unsafe { X86Mmu::mint() };
    system::kmain::kmain(magic, PhysAddr::new(info), memory, mmu)
}
