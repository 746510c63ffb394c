//! Programs: what they count themselves, and what one costs from its start to its end. Only where there are any.

use super::samples::Samples;
use super::setup::done;
use crate::scenarios::{Outcome, demand};
use crate::system::programs::{self, End};
use crate::system::real_machine::RealMachine;

/// How often each is counted. All counts are the same, but for what came to be before.
const SAMPLES: u32 = 8;

pub fn measure(_: &mut RealMachine) -> Outcome {
    if !programs::is_known("costs") {
        return Ok(());
    }
    for (what, figure) in [("call", "program-call"), ("fault", "program-fault"), ("duplicate", "program-duplicate")] {
        let mut samples = Samples::new(SAMPLES);
        for _ in 0..SAMPLES {
            match programs::finish(done("program started", programs::start("costs", what))?, || false) {
                Some(End::Exited(ticks)) => samples.add(ticks),
                _ => return demand("the program counted", true, false),
            }
        }
        samples.report(figure);
    }
    let mut samples = Samples::new(SAMPLES);
    for _ in 0..SAMPLES {
        let number = done("program started", programs::start("hello", ""))?;
        programs::finish(number, || false);
        samples.take(&mut "hello", |name| {
            let number = programs::start(name, "");
            number.map(|number| programs::finish(number, || false)).is_ok()
        });
    }
    samples.report("program-start-to-end");
    Ok(())
}
