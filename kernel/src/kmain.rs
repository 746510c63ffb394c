//! The kernel's life, from the first Rust instruction to its end.

use crate::addr::PhysAddr;
use crate::arch::x86::exit::{self, Verdict};
use crate::arch::x86::mmu::X86Mmu;
use crate::arch::x86::serial::COM1;
use core::fmt::Write;
use core::panic::PanicInfo;

/// Runs the kernel. `magic` and `info` are what the boot loader left in EAX and EBX.
pub fn kmain(magic: u32, info: PhysAddr, _mmu: X86Mmu) -> ! {
    COM1.lock().start();
    let _ = writeln!(COM1.lock(), "Droste {magic:#x} {info:?}");
    exit::end(Verdict::Success)
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    exit::die(|| {
        let _ = writeln!(COM1.lock(), "{info}");
    })
}
