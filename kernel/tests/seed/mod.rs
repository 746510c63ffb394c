//! The seed of random tests on the host: `SEED` of the environment, as `make test SEED=0x1234` sets it; else different each
//! time. A random test that fails says which it was, in the command that repeats it.
#![allow(dead_code)] // no crate of tests needs all of it

use proptest::test_runner::{Config, RngSeed};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::OnceLock;

/// Returns the seed, the same one for all tests of this process.
pub fn seed() -> u32 {
    static SEED: OnceLock<u32> = OnceLock::new();
    *SEED.get_or_init(|| match std::env::var("SEED") {
        Ok(words) if !words.is_empty() => {
            number(&words).unwrap_or_else(|| panic!("SEED={words}: it is a number below 2^32, in decimal or as 0x1234"))
        }
        // The standard library's hasher starts with the system's random numbers.
        _ => RandomState::new().hash_one(()) as u32,
    })
}

/// Reads a number in decimal or as 0x1234.
fn number(words: &str) -> Option<u32> {
    match words.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => words.parse().ok(),
    }
}

/// Returns the command that runs the random test `name` once more, with the same numbers.
pub fn command(name: &str) -> String {
    format!("SEED={:#010x} cargo test -p droste {name}", seed())
}

/// Returns how proptest runs the test that is running, with `cases` cases. What it prints is seen only if the test fails.
pub fn config(cases: u32) -> Config {
    // The name of a test is that of its thread, unless there is but one.
    let thread = std::thread::current();
    let name = thread.name().filter(|name| *name != "main").unwrap_or_default();
    println!("repeat: {}", command(name));
    Config { rng_seed: RngSeed::Fixed(seed().into()), ..Config::with_cases(cases) }
}
