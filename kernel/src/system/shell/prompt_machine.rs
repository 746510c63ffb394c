//! This machine as commands see one.

use crate::addr::VirtAddr;
use crate::arch::x86::access;
use crate::arch::x86::lock::{Dying, Locked};
use crate::arch::x86::mmu::X86Mmu;
use crate::commands::{PromptMachine, Spaces};
use crate::fault::{Layout, Untrusted};
use crate::system::memory::KernelMemory;
use crate::system::{console, crash, memory, trap};
use core::fmt;

static SPACES: Locked<Spaces> = Locked::new(Spaces::NONE);

/// Frees the lock of the list of spaces after a crash.
pub fn force_unlock(dying: &Dying) {
    SPACES.force_unlock(dying);
}

/// The memory of [`memory`], the console, and accesses by the processor's own instructions.
pub struct ThisMachine;

impl PromptMachine for ThisMachine {
    type Mmu = X86Mmu;

    fn with<R>(&self, work: impl FnOnce(&mut KernelMemory) -> R) -> R {
        memory::with(work)
    }

    fn with_spaces<R>(&self, work: impl FnOnce(&mut Spaces) -> R) -> R {
        work(&mut SPACES.lock())
    }

    fn faults(&self) -> u32 {
        memory::faults()
    }

    fn layout(&self, address: Option<VirtAddr>) -> Layout {
        crash::layout(address)
    }

    fn touch(&self, address: VirtAddr, write: bool) -> bool {
        trap::tell_refusals(true);
        let granted = access::probe(address, write).is_ok();
        trap::tell_refusals(false);
        granted
    }

    fn read(&self, address: VirtAddr) -> Option<u32> {
        // What was granted is present, or the processor remembers that it was.
        if self.touch(address, false) { memory::with(|memory| Untrusted::new(memory).look(address)) } else { None }
    }

    fn write(&self, address: VirtAddr, word: u32) {
        access::write(address, word);
    }

    fn print(&self, words: fmt::Arguments<'_>) {
        console::write(words);
    }
}
