//! Sorts as many KiB of words as its argument says, 1024 without: more than there are frames for, where the rest goes
//! to a drive.
#![no_std]
#![no_main]

use programs::{allocate, println};

programs::program!(main);

fn main(arguments: &str) -> u32 {
    let bytes = arguments.parse().unwrap_or(1024_u32).max(1) * 1024;
    let Ok(start) = allocate(bytes) else {
        println!("no room for {bytes} bytes");
        return 1;
    };
    // SAFETY: the region is of this many bytes, zeros, and nobody else knows of it.
    let words = unsafe { core::slice::from_raw_parts_mut(start as *mut u32, bytes as usize / 4) };
    let mut random = 1;
    for word in &mut *words {
        random = u32::wrapping_add(u32::wrapping_mul(random, 1_664_525), 1_013_904_223);
        *word = random;
    }
    let sum = |words: &[u32]| words.iter().fold(0, |sum: u32, word| sum.wrapping_add(*word));
    let before = sum(words);
    words.sort_unstable();
    let is_sorted = words.is_sorted() && sum(words) == before;
    println!("{} words, {}", words.len(), if is_sorted { "sorted" } else { "not sorted" });
    u32::from(!is_sorted)
}
