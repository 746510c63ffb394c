//! Interrupts, ticks of the timer, and switches between threads.

use super::samples::Samples;
use super::setup::done;
use crate::arch::x86::floor;
use crate::arch::x86::lock::{Locked, Masked};
use crate::scenarios::{Machine, Outcome};
use crate::system::real_machine::RealMachine;
use crate::system::threads;
use crate::vm::AddressSpace;
use alloc::vec::Vec;

const SAMPLES: u32 = 64;

pub fn measure(machine: &mut RealMachine) -> Outcome {
    let [mut interrupts, mut ticks] = [(); 2].map(|()| Samples::new(SAMPLES));
    for _ in 0..SAMPLES {
        interrupts.add(floor::interrupt());
        ticks.add(floor::tick());
    }
    interrupts.report("interrupt");
    ticks.report("tick");
    switches(machine)
}

/// What it took from the first of two threads to the second.
static SWITCHES: Locked<Vec<u32>> = Locked::new(Vec::new());

/// Lets two threads, each with an address space of its own, switch from one to the other.
fn switches(machine: &mut RealMachine) -> Outcome {
    let one = done("space created", machine.with(AddressSpace::create))?;
    let two = done("space created", machine.with(AddressSpace::create))?;
    *SWITCHES.lock() = Vec::with_capacity(SAMPLES as usize);
    done("threads ran", threads::run(&[&one, &two], switch_on))?;
    let mut samples = Samples::new(SAMPLES);
    SWITCHES.lock().drain(..).for_each(|ticks| samples.add(ticks));
    samples.report("thread-switch");
    for space in [one, two] {
        done("space destroyed", machine.with(|memory| space.destroy(memory)))?;
    }
    Ok(())
}

/// Gives way until there are enough samples. The second thread, number 1, is always switched to from the first. That one
/// follows the thread that waits for both, which only the timer takes away from: what it took is no sample.
fn switch_on(number: u32) {
    let _masked = Masked::new();
    while SWITCHES.lock().len() < SAMPLES as usize {
        let ticks = floor::tick();
        if number == 1 {
            SWITCHES.lock().push(ticks);
        }
    }
}
