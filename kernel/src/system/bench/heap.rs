//! The kernel heap: blocks taken and given back, while it is nearly empty and while it is full of holes.

use super::samples::Samples;
use crate::scenarios::Outcome;
use crate::system::real_machine::RealMachine;
use alloc::boxed::Box;
use alloc::vec::Vec;

const SAMPLES: u32 = 200;

pub fn measure(_machine: &mut RealMachine) -> Outcome {
    blocks("empty");
    // Every second of a thousand small blocks is given back: a large one has to pass all the holes.
    let mut small: Vec<_> = (0..1000).map(|index| Some(Box::new([index; 16]))).collect();
    small.iter_mut().step_by(2).for_each(|block| *block = None);
    blocks("500-holes");
    Ok(())
}

fn blocks(state: &str) {
    for bytes in [64, 4096] {
        let [mut take, mut give] = [(); 2].map(|()| Samples::new(SAMPLES));
        for _ in 0..SAMPLES {
            let block = take.take(&mut (), |()| Vec::<u8>::with_capacity(bytes));
            give.take(&mut (), |()| drop(block));
        }
        take.report(format_args!("heap-alloc-{bytes}-{state}"));
        give.report(format_args!("heap-free-{bytes}-{state}"));
    }
}
