//! Who called whom: the chain of frame pointers.
//!
//! Every function keeps its caller's EBP at [EBP], and right above it the address to return to. What a fault leaves behind
//! may be anything, so each link is checked before it is followed.

use crate::addr::{Page, PageRange, VirtAddr};
use crate::symbols::Symbols;
use core::fmt;

/// A link may not lead further than this, in bytes.
const LONGEST: u32 = 0x1_0000;

/// A link of the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Link {
    /// The place that a call returns to.
    Call(VirtAddr),
    /// The chain is broken: the frame pointer leads nowhere.
    Broken,
}

/// Follows the chain from `frame_pointer` on, through words that `look` finds, as long as it goes up the stack and returns
/// into `code`. It ends at a frame pointer of zero.
pub fn calls(
    frame_pointer: u32,
    code: PageRange,
    look: impl Fn(VirtAddr) -> Option<u32>,
) -> impl Iterator<Item = Link> {
    let mut frame_pointer = Some(frame_pointer);
    core::iter::from_fn(move || {
        let at = frame_pointer.take().filter(|at| *at != 0)?;
        let (Some(next), Some(back)) = (look(VirtAddr::new(at)), look(VirtAddr::new(at.wrapping_add(4)))) else {
            return Some(Link::Broken);
        };
        // The outermost function was called by nobody: its frame pointer is zero, its return address may be too.
        if next == 0 && back == 0 {
            return None;
        }
        let back = VirtAddr::new(back);
        if !code.contains(Page::containing(back)) {
            return Some(Link::Broken);
        }
        let goes_up = next > at && next - at <= LONGEST;
        frame_pointer = (next == 0 || goes_up).then_some(next).or(Some(BAD));
        Some(Link::Call(back))
    })
}

/// Stands for a link that doesn't lead up the stack: no word is found there.
const BAD: u32 = u32::MAX;

/// Prints the place of an instruction in the code.
pub fn place<'a>(symbols: Symbols<'a>, code: PageRange, address: VirtAddr) -> impl fmt::Display + 'a {
    fmt::from_fn(move |f| match symbols.find(address).filter(|_| code.contains(Page::containing(address))) {
        Some(symbol) => write!(f, "{symbol}"),
        None => write!(f, "{address}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const CODE: PageRange = PageRange::new(Page::new(0x100), Page::new(0x110));

    fn follow(stack: &[(u32, u32)], from: u32) -> Vec<Link> {
        let look = |address: VirtAddr| stack.iter().find(|(at, _)| *at == address.as_u32()).map(|(_, word)| *word);
        calls(from, CODE, look).collect()
    }

    fn call(address: u32) -> Link {
        Link::Call(VirtAddr::new(address))
    }

    #[test]
    fn a_whole_chain_ends_at_zero() {
        let stack = [(0x20_0100, 0x20_0140), (0x20_0104, 0x10_1234), (0x20_0140, 0), (0x20_0144, 0x10_0042)];
        assert_eq!(follow(&stack, 0x20_0100), [call(0x10_1234), call(0x10_0042)]);
        assert_eq!(follow(&stack, 0), []);
    }

    #[test]
    fn a_chain_that_goes_down_or_in_a_circle_is_broken() {
        for next in [0x20_0100, 0x20_0000, 0x30_0000] {
            let stack = [(0x20_0100, next), (0x20_0104, 0x10_1234), (0x20_0000, 0), (0x20_0004, 0x10_1234)];
            assert_eq!(follow(&stack, 0x20_0100), [call(0x10_1234), Link::Broken]);
        }
    }

    #[test]
    fn a_return_address_outside_the_code_ends_the_chain() {
        let stack = [(0x20_0100, 0x20_0140), (0x20_0104, 0xDEAD_BEEF)];
        assert_eq!(follow(&stack, 0x20_0100), [Link::Broken]);
        assert_eq!(follow(&stack, 0xDEAD_BEEF), [Link::Broken]);
    }
}
