//! The ring of the last events.

use super::samples::Samples;
use crate::addr::{Frame, VirtAddr};
use crate::events::{Events, What};
use crate::machine::Kernel;
use crate::scenarios::Outcome;
use alloc::boxed::Box;
use core::hint::black_box;

const SAMPLES: u32 = 256;

pub fn measure(_kernel: &mut Kernel) -> Outcome {
    let mut events = Box::new(Events::NONE);
    let mut samples = Samples::new(SAMPLES);
    for index in 0..SAMPLES {
        let (address, space) = black_box((VirtAddr::new(index), Frame::new(index)));
        samples.take(&mut *events, |events| events.record(What::Backed, address, index, space));
    }
    samples.report("event-record");
    Ok(())
}
