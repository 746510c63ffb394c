//! The ring of the last events.

use super::samples::Samples;
use crate::addr::{Frame, VirtAddr};
use crate::events::{EventKind, Events};
use crate::scenarios::Outcome;
use crate::system::real_machine::RealMachine;
use alloc::boxed::Box;
use core::hint::black_box;

const SAMPLES: u32 = 256;

pub fn measure(_machine: &mut RealMachine) -> Outcome {
    let mut events = Box::new(Events::NONE);
    let mut samples = Samples::new(SAMPLES);
    for index in 0..SAMPLES {
        let (address, space) = black_box((VirtAddr::new(index), Frame::new(index)));
        samples.take(&mut *events, |events| events.record(EventKind::Backed, address, index, space));
    }
    samples.report("event-record");
    Ok(())
}
