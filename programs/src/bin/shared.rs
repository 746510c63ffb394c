//! Sees a file, by its number, whose first word others see, too: `shared 3 77` writes 77 there and to the file, and its
//! status is how many pages that took; `shared 3` waits until the word is not 0, which is its status then. What the
//! kernel refuses is status 1000 and its error.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering};
use programs::calls::Call;
use programs::{call, println};

programs::program!(main);

fn main(arguments: &str) -> u32 {
    share(arguments).unwrap_or_else(|error| {
        println!("refused: error {error}");
        1000 + error
    })
}

fn share(arguments: &str) -> Result<u32, u32> {
    let (file, word) = arguments.split_once(' ').unwrap_or((arguments, ""));
    let (file, word) = (file.parse().unwrap_or(0), word.parse().ok());
    let start = call(Call::Map as u32, file, word.is_some().into())?;
    // SAFETY: a file has a page at least, and it is there until the program ends.
    let first = unsafe { &*(start as *const AtomicU32) };
    if let Some(word) = word {
        first.store(word, Ordering::Relaxed);
        return call(Call::Sync as u32, file, 0);
    }
    loop {
        match first.load(Ordering::Relaxed) {
            0 => _ = call(Call::Yield as u32, 0, 0)?,
            word => return Ok(word),
        }
    }
}
