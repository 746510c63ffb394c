//! Pages that go to a drive in memory and come back.

use super::samples::Samples;
use super::setup::done;
use super::spaces::{PAGES, full};
use crate::addr::Page;
use crate::arch::x86::floor;
use crate::frames::{FramePool, FrameSource};
use crate::paging::{MemoryDrive, Mmu, MmuView, Swap};
use crate::scenarios::{Machine, Outcome};
use crate::system::real_machine::RealMachine;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;

/// Slots of the drive; the first and the last hold no pages as a rule.
const SLOTS: u32 = 130;

/// Sends half of a space's 256 touched pages out and touches them again; then touches pages with no frame free, so that
/// each touch sends one out and fetches one.
pub fn measure(machine: &mut RealMachine) -> Outcome {
    let half = PAGES / 2;
    let [mut out, mut back, mut exchange] = [(); 3].map(|()| Samples::new(half));
    let words = vec![0; FramePool::storage_words(SLOTS)].leak();
    let swap = Swap::new(Box::new(MemoryDrive::new(SLOTS)), words, vec![0; SLOTS as usize].leak());
    let home = machine.with(|memory| memory.root());
    let (space, region) = full(machine)?;
    let page = |number| Page::new(region.number() + number);
    let mut held = Vec::with_capacity(machine.with(|memory| memory.frames.free_frames()) as usize);
    let before = machine.with(|memory| mem::replace(&mut memory.swap, swap));
    for number in 0..half {
        let slot = machine.with(|memory| out.take(memory, |memory| memory.evict(page(number))));
        done("page sent out", slot.ok_or(()))?;
    }
    (0..half).for_each(|number| back.add(floor::touch(page(number))));
    for number in 0..half - 2 {
        done("page sent out", machine.with(|memory| memory.evict(page(number))).ok_or(()))?;
    }
    while let Some(frame) = machine.with(|memory| memory.frames.get_frame()) {
        held.push(frame);
    }
    (0..half - 2).for_each(|number| exchange.add(floor::touch(page(number))));
    for frame in held {
        done("frame given back", machine.with(|memory| memory.frames.release_frame(frame)))?;
    }
    machine.with(|memory| memory.mmu.set_root(home));
    done("space destroyed", machine.with(|memory| space.destroy(memory)))?;
    machine.with(|memory| memory.swap = before);
    for (name, samples) in [("swap-out", out), ("swap-in", back), ("swap-out-and-in", exchange)] {
        samples.report(name);
    }
    Ok(())
}
