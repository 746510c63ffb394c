//! The floor: the bare processor, in the same boot as everything that is compared with it.

use super::samples::Samples;
use crate::addr::Page;
use crate::arch::x86::floor::{self, Floor};
use crate::frames::FrameSource;
use crate::scenarios::{Machine, Outcome, demand};
use crate::system::real_machine::RealMachine;

const SAMPLES: u32 = 64;

/// A page whose table its neighbour keeps alive.
const NEIGHBOUR: Page = Page::new(0x5_0000);
const PAGE: Page = Page::new(0x5_0001);

pub fn measure(machine: &mut RealMachine) -> Outcome {
    floor::touch(NEIGHBOUR);
    let started = machine.with(|memory| {
        let frame = memory.frames.get_frame()?;
        Some(Floor::start(PAGE, frame))
    });
    let Some(floor) = started else {
        return demand("frame for the floor", true, false);
    };
    repeat("floor-zero", || floor.zero());
    repeat("floor-copy", || floor.copy());
    repeat("floor-invlpg", || floor.flush());
    repeat("floor-load-cr3", || floor.load_root());
    let mut release = Samples::new(SAMPLES);
    let mut back = Samples::new(SAMPLES);
    let mut patch = Samples::new(SAMPLES);
    for _ in 0..SAMPLES {
        release.add(floor.release());
        back.add(floor.back());
        floor.release();
        patch.add(floor.patch());
    }
    release.report("floor-release");
    patch.report("floor-fault");
    back.report("floor-fault-zeroed");
    let released = machine.with(|memory| memory.frames.release_frame(floor.end()).is_ok());
    demand("frame of the floor released", true, released)
}

fn repeat(name: &str, work: impl Fn() -> u32) {
    let mut samples = Samples::new(SAMPLES);
    (0..SAMPLES).for_each(|_| samples.add(work()));
    samples.report(name);
}
