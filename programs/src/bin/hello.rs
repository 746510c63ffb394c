//! Says hello, and what it was told.
#![no_std]
#![no_main]

use programs::println;

programs::program!(main);

fn main(arguments: &str) -> u32 {
    println!("hello from ring 3{}{arguments}", if arguments.is_empty() { "" } else { ": " });
    0
}
