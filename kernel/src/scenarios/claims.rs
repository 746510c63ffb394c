//! Claims of a scenario about the memory at a checkpoint, and the numbers that it derives from the seed.
//!
//! The grader believes none of it: it walks the page tables in the machine's memory with code of its own, and works out
//! touched pages and words from the same seed.

use crate::addr::{Page, PageRange, VirtAddr};
use core::fmt;

/// Something that is to be found in the current address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// Each of these pages has a frame.
    Backed(PageRange),
    /// None of these pages has.
    Absent(PageRange),
    /// Each word of these pages is what the seed and this salt say.
    Filled(PageRange, u32),
    /// Of these pages exactly those have a frame that so many draws with this salt name; the first word of each is what the
    /// seed says, and the others are zero.
    Scattered(PageRange, u32, u32),
}

/// Prints as the grader reads it.
impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut about =
            |kind, pages: PageRange| write!(f, "{kind} {:#x} {:#x}", pages.start.number(), pages.end.number());
        match *self {
            Self::Backed(pages) => about("backed", pages),
            Self::Absent(pages) => about("absent", pages),
            Self::Filled(pages, salt) => {
                about("filled", pages)?;
                write!(f, " {salt:#x}")
            }
            Self::Scattered(pages, draws, salt) => {
                about("scattered", pages)?;
                write!(f, " {draws:#x} {salt:#x}")
            }
        }
    }
}

/// Returns the word that a scenario puts at `address`. Scenarios that must not be mistaken for each other differ in `salt`.
pub fn word(seed: u32, salt: u32, address: VirtAddr) -> u32 {
    mix(seed, salt, address.as_u32())
}

/// Returns the page of `pages` that draw number `draw` of a scenario names.
pub fn draw(seed: u32, salt: u32, pages: PageRange, draw: u32) -> Page {
    Page::new(pages.start.number() + mix(seed, salt, draw) % pages.len())
}

fn mix(seed: u32, salt: u32, value: u32) -> u32 {
    let mixed = (seed ^ salt.wrapping_mul(0x9E37_79B9) ^ value.rotate_left(13)).wrapping_mul(0x85EB_CA6B);
    (mixed ^ mixed >> 15).wrapping_mul(0xC2B2_AE35)
}
