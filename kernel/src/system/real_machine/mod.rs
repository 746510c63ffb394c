//! The machine that the kernel runs on, as scenarios see a machine.

mod claims;

use crate::addr::{Frame, VirtAddr};
use crate::arch::x86::access;
use crate::arch::x86::mmu::X86Mmu;
use crate::boot_info::BootInfo;
use crate::frames::FramePool;
use crate::paging::Memory;
use crate::scenarios::{Claim, Machine};
use crate::system::console::println;
use crate::system::memory;
use crate::vm::Refusal;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The seed of random scenarios: `seed=N` on the command line, or what the grader says when it is asked.
static SEED: AtomicU32 = AtomicU32::new(DEFAULT_SEED);
static SEED_KNOWN: AtomicBool = AtomicBool::new(false);

const DEFAULT_SEED: u32 = 0x00D5_05E5;

/// Takes the seed from the command line, if it is there.
pub fn set_seed(boot_info: &BootInfo) {
    match boot_info.option("seed").map(str::parse) {
        Some(Ok(seed)) => {
            SEED.store(seed, Ordering::Relaxed);
            SEED_KNOWN.store(true, Ordering::Relaxed);
        }
        Some(Err(_)) => log::warn!("seed= takes a decimal number below 2^32"),
        None => {}
    }
}

/// The memory of [`memory`], and accesses by the processor's own instructions.
pub struct RealMachine;

impl Machine for RealMachine {
    type Mmu = X86Mmu;
    type Frames = FramePool<'static>;

    fn with<R>(&mut self, work: impl FnOnce(&mut Memory<X86Mmu, FramePool<'static>>) -> R) -> R {
        memory::with(work)
    }

    #[inline]
    fn read(&mut self, address: VirtAddr) -> u32 {
        access::read(address)
    }

    #[inline]
    fn write(&mut self, address: VirtAddr, word: u32) {
        access::write(address, word);
    }

    fn probe(&mut self, address: VirtAddr, write: bool) -> Result<(), Refusal> {
        access::probe(address, write).map_err(|code| match Refusal::from_code(code) {
            Some(refusal) => refusal,
            None => unreachable!("the trap gave {code:#x} as the reason of a refusal"),
        })
    }

    fn faults(&self) -> u32 {
        memory::faults()
    }

    fn seed(&self) -> u32 {
        if !SEED_KNOWN.swap(true, Ordering::Relaxed)
            && let Some(seed) = claims::ask_seed()
        {
            SEED.store(seed, Ordering::Relaxed);
        }
        SEED.load(Ordering::Relaxed)
    }

    fn checkpoint(&mut self, name: &str, others: &[Frame], claims: &[Claim]) {
        claims::checkpoint(name, memory::home(), others, claims);
    }

    fn say(&mut self, words: fmt::Arguments<'_>) {
        println!("{words}");
    }
}
