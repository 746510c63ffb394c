//! The last things that happened to the memory: what a report shows, and what tells "released" from "never allocated".
//!
//! Recording one is four stores into a ring and nothing else, since the fault path does it too. Words are found when
//! somebody reads them.

use crate::addr::{Frame, Page, PageRange, VirtAddr};
use core::fmt;

/// How many events are kept: a power of two.
pub const KEPT: usize = 64;

/// The amount of a refused write; that of a refused read is 0.
pub const WRITE: u32 = 1;

/// What happened. The `amount` of each is said in brackets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum What {
    /// A region was allocated at the address (its pages).
    Allocate,
    /// The region at the address was released (its pages).
    Release,
    /// A fault at the address was answered with a frame (the frame's number).
    Backed,
    /// A fault at the address was refused ([`WRITE`] if it was a write).
    Refused,
    /// The page at the address gave its frame back (the frame's number).
    FreePage,
    /// A pool was registered at the address (its pages).
    Register,
    /// The pool at the address was dropped (its pages).
    Drop,
    /// An address space was created (its directory's frame).
    Create,
    /// An address space became the current one (its directory's frame).
    Load,
    /// An address space was destroyed (its directory's frame).
    Destroy,
}

/// Something that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Event {
    /// What it was.
    pub what: What,
    /// Where; 0 for whole address spaces.
    pub address: VirtAddr,
    /// How much, or which frame: see [`What`].
    pub amount: u32,
    /// The directory of the address space that was the current one.
    pub space: Frame,
}

impl Event {
    /// Returns the pages of a region or a pool that it is about.
    pub fn pages(&self) -> PageRange {
        let start = Page::containing(self.address);
        PageRange::new(start, Page::new(start.number() + self.amount))
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, address, amount, .. } = *self;
        let s = if amount == 1 { "" } else { "s" };
        let space = Frame::new(amount & 0xF_FFFF).start();
        match what {
            What::Allocate => write!(f, "allocate {address}, {amount} page{s}"),
            What::Release => write!(f, "release {address}, {amount} page{s}"),
            What::Backed => write!(f, "backed {address} by frame {amount:#x}"),
            What::Refused => {
                let access = if amount & WRITE == 0 { "read of" } else { "write to" };
                write!(f, "refused {access} {address}")
            }
            What::FreePage => write!(f, "free_page {address}, frame {amount:#x}"),
            What::Register => write!(f, "register {address}, {amount} page{s}"),
            What::Drop => write!(f, "drop {address}, {amount} page{s}"),
            What::Create => write!(f, "create space {space}"),
            What::Load => write!(f, "load space {space}"),
            What::Destroy => write!(f, "destroy space {space}"),
        }
    }
}

/// The last [`KEPT`] events.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Events {
    recorded: u32,
    ring: [Event; KEPT],
}

impl Events {
    /// No event yet.
    pub const NONE: Self = Self {
        recorded: 0,
        ring: [Event { what: What::Load, address: VirtAddr::new(0), amount: 0, space: Frame::new(0) }; KEPT],
    };

    /// Records an event; the oldest gives way.
    #[inline]
    pub fn record(&mut self, what: What, address: VirtAddr, amount: u32, space: Frame) {
        self.ring[self.recorded as usize % KEPT] = Event { what, address, amount, space };
        self.recorded = self.recorded.wrapping_add(1);
    }

    /// Returns how many were recorded since the kernel started, modulo 2^32.
    pub fn recorded(&self) -> u32 {
        self.recorded
    }

    /// Walks through the events that are kept, the latest first.
    pub fn latest(&self) -> impl Iterator<Item = Event> {
        (1..=self.recorded.min(KEPT as u32)).map(|back| self.ring[self.recorded.wrapping_sub(back) as usize % KEPT])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn the_latest_events_come_first_and_the_oldest_give_way() {
        let mut events = Events::NONE;
        assert_eq!(events.latest().count(), 0);
        for number in 0..100 {
            events.record(What::FreePage, VirtAddr::new(4096 * number), number, Frame::new(7));
        }
        let amounts: Vec<u32> = events.latest().map(|event| event.amount).collect();
        assert_eq!(amounts, (100 - KEPT as u32..100).rev().collect::<Vec<_>>());
    }
}
