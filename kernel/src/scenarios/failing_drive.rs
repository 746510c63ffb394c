//! A drive that fails once: every story about pages on a drive is told again and again, and each time another read or write
//! fails in the middle of it.

use super::machine::Machine;
use super::orders::Orders;
use super::outcome::{Outcome, Scenario, demand};
use super::steps::{free_frames, in_new_space};
use super::swap::{self, is_on_drive};
use super::swap_clones;
use crate::addr::VirtAddr;
use crate::frames::FrameSource;
use crate::paging::Memory;
use crate::vm::Refusal;
use alloc::sync::Arc;
use alloc::vec::Vec;

pub(super) fn all<M: Machine + 'static>() -> &'static [Scenario<M>] {
    &[
        // A machine has not the time for all of them.
        ("reads-fail-in-every-story", |machine| each_read_fails(machine, |read| 2 * read)),
        ("writes-fail-in-every-story", |machine| each_write_fails(machine, |write| 2 * write)),
    ]
}

/// A machine whose accesses are tried once more if the drive has failed.
struct Retrying<'a, M> {
    machine: &'a mut M,
    /// Which read and which write of each drive fails, counted from 1; 0 is none.
    fails: (u32, u32),
    drives: Vec<Arc<Orders>>,
    /// Accesses that were refused, and could be seen to be so since a slot was not read.
    refused: u32,
}

impl<M: Machine> Retrying<'_, M> {
    fn failures(&mut self) -> u32 {
        self.with(|memory| memory.swap.as_ref().map_or(0, |swap| swap.counts().failures))
    }
}

impl<M: Machine> Machine for Retrying<'_, M> {
    type Mmu = M::Mmu;
    type Frames = M::Frames;

    fn with<R>(&mut self, work: impl FnOnce(&mut Memory<M::Mmu, M::Frames>) -> R) -> R {
        self.machine.with(work)
    }

    fn read(&mut self, address: VirtAddr) -> u32 {
        // A refusal comes again, and ends the machine.
        self.probe(address, false).ok();
        self.machine.read(address)
    }

    fn write(&mut self, address: VirtAddr, word: u32) {
        self.probe(address, true).ok();
        self.machine.write(address, word);
    }

    fn probe(&mut self, address: VirtAddr, write: bool) -> Result<(), Refusal> {
        let before = self.failures();
        let first = self.machine.probe(address, write);
        if first.is_ok() || self.failures() == before {
            return first;
        }
        let is_told = is_on_drive(self.machine, address) && self.with(|memory| memory.frames.free_frames()) > 0;
        self.refused += u32::from(is_told && first == Err(Refusal::OutOfFrames));
        self.machine.probe(address, write)
    }

    fn faults(&self) -> u32 {
        self.machine.faults()
    }

    fn seed(&self) -> u32 {
        self.machine.seed()
    }

    fn drive_made(&mut self, orders: &Arc<Orders>) {
        orders.fail_once(self.fails);
        self.drives.push(orders.clone());
    }

    fn say(&mut self, words: core::fmt::Arguments<'_>) {
        self.machine.say(words);
    }
}

/// Tells each story with the first read failing, and then with the one that `next` returns, until none fails any more. An access
/// whose page can't be read must be refused, with a cause of its own, and granted when it is tried again; nothing else may be seen.
///
/// # Errors
///
/// The first demand that wasn't met.
pub fn each_read_fails<M: Machine>(machine: &mut M, next: fn(u32) -> u32) -> Outcome {
    each_fails(machine, |at| (at, 0), 1, next)
}

/// Does what [`each_read_fails`] does, with writes. No access may be refused: another slot is tried.
///
/// # Errors
///
/// The first demand that wasn't met.
pub fn each_write_fails<M: Machine>(machine: &mut M, next: fn(u32) -> u32) -> Outcome {
    each_fails(machine, |at| (0, at), 0, next)
}

fn each_fails<M: Machine>(
    machine: &mut M,
    fails: fn(u32) -> (u32, u32),
    refused: u32,
    next: fn(u32) -> u32,
) -> Outcome {
    for story in 0..stories::<M>().len() {
        let (mut at, mut failed) = (1, 1);
        while failed > 0 {
            let mut machine = Retrying { machine, fails: fails(at), drives: Vec::new(), refused: 0 };
            let before = free_frames(&mut machine);
            in_new_space(&mut machine, stories()[story])?;
            demand("free frames after the story", before, free_frames(&mut machine))?;
            failed = machine.drives.iter().filter(|orders| orders.has_failed()).count() as u32;
            demand("accesses refused since a slot was not read", refused * failed, machine.refused)?;
            at = next(at);
        }
    }
    Ok(())
}

/// Returns the stories in which a failure may be met anywhere. In others there is no slot to spare, or the drive fails already.
fn stories<M: Machine>() -> [fn(&mut M) -> Outcome; 13] {
    [
        swap::three_times_memory,
        swap::faults_as_the_model_says,
        swap::hot_pages_stay,
        swap::out_and_in_again,
        swap::two_spaces_larger_than_memory,
        swap::kernels_records_stay,
        swap::table_without_pages_stays,
        swap::last_page_of_a_table_goes,
        swap::rights_come_back,
        swap::slots_are_given_back,
        swap_clones::shared_page_goes_for_all,
        swap_clones::only_page_is_copied,
        swap_clones::clone_of_pages_on_the_drive,
    ]
}
