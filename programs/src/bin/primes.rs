//! Counts the primes below a number, in a sieve that it allocates; 1 000 000 without an argument.
#![no_std]
#![no_main]

use programs::{allocate, println, release};

programs::program!(main);

fn main(arguments: &str) -> u32 {
    let below = arguments.parse().unwrap_or(1_000_000_u32).max(3);
    let Ok(start) = allocate(below) else {
        println!("no room for a sieve of {below} bytes");
        return 1;
    };
    // SAFETY: the region is of this many bytes, zeros, and nobody else knows of it.
    let composite = unsafe { core::slice::from_raw_parts_mut(start as *mut u8, below as usize) };
    let mut primes = 0;
    for number in 2..below as usize {
        if composite[number] == 0 {
            primes += 1;
            composite.iter_mut().skip(2 * number).step_by(number).for_each(|multiple| *multiple = 1);
        }
    }
    let pages = release(start).unwrap_or(0);
    println!("{primes} primes below {below}, {pages} pages touched");
    u32::from(pages != below.div_ceil(4096))
}
