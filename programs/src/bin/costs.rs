//! Counts what something costs a program, in ticks of the time-stamp counter, and returns the median of 64 as its
//! status: `call`, one that does nothing; `fault`, the first touch of a page; `duplicate`, with 256 touched pages.
#![no_std]
#![no_main]

use core::arch::asm;
use programs::calls::Call;
use programs::{allocate, call, exit};

programs::program!(main);

const SAMPLES: usize = 64;

fn main(what: &str) -> u32 {
    let Ok(start) = allocate(256 * 4096) else { return 0 };
    let touch = |page: u32| {
        let address = start + 4096 * page;
        // SAFETY: the page is this program's own, of whole words.
        unsafe { asm!("mov dword ptr [{address:e}], 1", address = in(reg) address) };
    };
    match what {
        "call" => median(|_| _ = call(1000, 0, 0)),
        "fault" => median(touch),
        "duplicate" => {
            (0..256).for_each(touch);
            let before = ticks();
            match call(Call::Duplicate as u32, 0, 0) {
                Ok(0) => exit(0),
                _ => ticks() - before,
            }
        }
        _ => 0,
    }
}

fn ticks() -> u32 {
    let ticks;
    // SAFETY: reading the counter changes nothing.
    unsafe { asm!("rdtsc", out("eax") ticks, out("edx") _) };
    ticks
}

fn median(mut work: impl FnMut(u32)) -> u32 {
    let mut samples = [0; SAMPLES];
    for (number, sample) in (0..).zip(&mut samples) {
        let before = ticks();
        work(number);
        *sample = ticks() - before;
    }
    samples.sort_unstable();
    let before = ticks();
    samples[SAMPLES / 2] - (ticks() - before)
}
