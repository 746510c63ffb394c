//! The software machine that host tests run scenarios on.

use droste::addr::{Frame, FrameRange, VirtAddr};
use droste::frames::FramePool;
use droste::memory_map::{HOLE, PROCESS_POOL_START};
use droste::paging::soft::SoftMmu;
use droste::paging::{Entry, Fault, Memory, Mmu, PageTable, Uses};
use droste::scenarios::Machine;
use droste::vm::Refusal;
use std::cell::Cell;
use std::fmt::Write;

#[path = "../seed/mod.rs"]
pub mod seed;

/// The first address space that is loaded stays to the end, as in the kernel.
pub struct SoftMachine {
    memory: Memory<SoftMmu, FramePool<'static>>,
    faults: u32,
    /// Whether it has given its seed, so that what it does depends on it.
    pub seed_asked: Cell<bool>,
    /// What was said on it, for whoever wants to show it.
    pub said: String,
}

impl SoftMachine {
    /// Starts a machine with `megabytes` of memory as the kernel does: boot directory, recursive entry, process pool, real
    /// page table.
    pub fn start(megabytes: u32) -> Self {
        let end = Frame::new(megabytes * 256);
        let range = FrameRange::new(PROCESS_POOL_START, end);
        let storage = vec![0; FramePool::storage_words(range.len())].leak();
        let mut frames = FramePool::new(range, storage).unwrap();
        frames.mark_inaccessible(HOLE.start, HOLE.len()).unwrap();
        let mut mmu = SoftMmu::booted(end.number(), Frame::new(300));
        mmu.install_recursive_entry();
        let uses = Uses::new(range, vec![0; range.len() as usize].leak()).unwrap();
        let mut memory = Memory::new(mmu, frames, uses);
        let table = PageTable::first(&mut memory, |page| match page.number() {
            0 | 290 => Entry::ABSENT,
            256..280 => Entry::read_only(Frame::new(page.number())),
            number => Entry::writable(Frame::new(number)),
        });
        table.unwrap().load(&mut memory.mmu);
        Self { memory, faults: 0, seed_asked: Cell::new(false), said: String::new() }
    }

    /// Answers a fault as the kernel's trap does.
    fn answer(&mut self, fault: Fault) -> Result<(), Refusal> {
        self.memory.handle_fault(fault)?;
        self.faults += 1;
        Ok(())
    }

    fn access(&mut self, address: VirtAddr, write: Option<u32>) -> Result<u32, Refusal> {
        // A fault that is answered must not come again.
        for _ in 0..3 {
            let result = match write {
                Some(word) => self.memory.mmu.try_write(address, word).map(|()| word),
                None => self.memory.mmu.try_read(address),
            };
            match result {
                Ok(word) => return Ok(word),
                Err(fault) => self.answer(fault)?,
            }
        }
        panic!("the fault at {address:?} was answered and came again");
    }
}

impl Machine for SoftMachine {
    type Mmu = SoftMmu;
    type Frames = FramePool<'static>;

    fn with<R>(&mut self, work: impl FnOnce(&mut Memory<SoftMmu, FramePool<'static>>) -> R) -> R {
        work(&mut self.memory)
    }

    fn read(&mut self, address: VirtAddr) -> u32 {
        self.access(address, None).unwrap_or_else(|refusal| panic!("read at {address:?}: {refusal:?}"))
    }

    fn write(&mut self, address: VirtAddr, word: u32) {
        self.access(address, Some(word)).unwrap_or_else(|refusal| panic!("write at {address:?}: {refusal:?}"));
    }

    fn probe(&mut self, address: VirtAddr, write: bool) -> Result<(), Refusal> {
        // A write writes back what is there, as the kernel's does.
        let word = write.then(|| self.memory.mmu.try_read(address).unwrap_or_default());
        self.access(address, word).map(|_| ())
    }

    fn faults(&self) -> u32 {
        self.faults
    }

    fn seed(&self) -> u32 {
        self.seed_asked.set(true);
        seed::seed()
    }

    fn say(&mut self, words: std::fmt::Arguments<'_>) {
        writeln!(self.said, "{words}").unwrap();
    }
}
