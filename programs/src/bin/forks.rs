//! Clones itself into a tree, so deep as its argument says (4 without), or with `sleep` three times, or with `chain`
//! each the next, until no frame is left; its status is how many programs there were in all.
#![no_std]
#![no_main]

use core::hint::black_box;
use programs::calls::Call;
use programs::{call, exit, println};

programs::program!(main);

fn main(arguments: &str) -> u32 {
    match arguments {
        "chain" => return chain(),
        "sleep" => return asleep(),
        _ => {}
    }
    let depth = arguments.parse().unwrap_or(4);
    let programs = tree(depth);
    println!("{programs} programs in a tree of depth {depth}");
    programs
}

/// Makes three clones, each of which changes a page for itself and sleeps. Returns how many programs there were.
fn asleep() -> u32 {
    let mut page = [1_u8; 4096];
    let children = [(); 3].map(|()| match call(Call::Duplicate as u32, 0, 0) {
        Ok(0) => {
            black_box(&mut page)[0] = 2;
            _ = call(Call::Sleep as u32, 100, 0);
            exit(u32::from(page[0] == 2));
        }
        child => child,
    });
    children.into_iter().flatten().filter_map(|child| call(Call::Wait as u32, child, 0).ok()).sum::<u32>()
        + u32::from(page[0])
}

/// Makes a clone that does the same, until no more can be made. Returns how many programs there were, from this one on.
fn chain() -> u32 {
    match call(Call::Duplicate as u32, 0, 0) {
        Ok(0) => exit(chain()),
        Ok(child) => 1 + call(Call::Wait as u32, child, 0).unwrap_or(0),
        Err(_) => 1,
    }
}

/// Makes two clones, each with a tree of its own, and waits for both. Returns how many programs there were, this one
/// included.
fn tree(depth: u32) -> u32 {
    if depth == 0 {
        return 1;
    }
    let children = [(); 2].map(|()| match call(Call::Duplicate as u32, 0, 0) {
        Ok(0) => exit(tree(depth - 1)),
        child => child,
    });
    children
        .into_iter()
        .flatten()
        .filter_map(|child| call(Call::Wait as u32, child, 0).ok())
        .fold(1, |sum, programs| sum + programs)
}
