//! The last things that happened to the memory: what a report shows, and what tells "released" from "never allocated".
//!
//! Recording one is four stores into a ring and nothing else, since the fault path does it too. Words are found when
//! somebody reads them.
//!
//! That another address space became the current one is not recorded: each event names the space that it happened in, so
//! it shows in the next event. So a switch between threads costs nothing here, and many switches push nothing out.

use crate::addr::{Frame, Page, PageRange, VirtAddr};
use crate::text::plural;
use core::{fmt, mem};

/// How many events are kept: a power of two.
pub const KEPT: usize = 64;

/// The amount of a refused write; that of a refused read is 0.
pub const WRITE: u32 = 1;

/// The kind of an event. The meaning of its `amount` stands in brackets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum EventKind {
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
    /// An address space was destroyed (its directory's frame).
    Destroy,
    /// A write to the address, in a shared page, made the page the writer's own (the frame's number).
    Unshared,
    /// A clone of the current address space was made (its directory's frame).
    Duplicate,
    /// The page of an entry of a page table went to the drive. The address is that of the page, counted from the first page of
    /// the table (the table's frame).
    SwapOut,
    /// The page at the address was read from the drive (its slot).
    SwapIn,
    /// The page at the address was read from its file (which page of the file).
    FileIn,
    /// The page at the address, which was on the drive, gave its slot back (its slot).
    FreeSlot,
    /// The page of a file at the address, counted from the file's start, was written back (the file's number).
    FileOut,
    /// An address space became the current one (its directory's frame). Never in the ring: [`Events::latest`] adds it.
    Load,
}

/// Something that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Event {
    /// Its kind.
    pub kind: EventKind,
    /// Where; 0 for whole address spaces.
    pub address: VirtAddr,
    /// How much, or which frame: see [`EventKind`].
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
        let Self { kind, address, amount, .. } = *self;
        let pages = plural(amount, "page", "pages");
        let space = Frame::new(amount & 0xF_FFFF).start();
        match kind {
            EventKind::Allocate => write!(f, "allocate {address}, {amount} {pages}"),
            EventKind::Release => write!(f, "release {address}, {amount} {pages}"),
            EventKind::Backed => write!(f, "backed {address} by frame {amount:#x}"),
            EventKind::Refused => {
                let access = if amount & WRITE == 0 { "read of" } else { "write to" };
                write!(f, "refused {access} {address}")
            }
            EventKind::FreePage => write!(f, "free_page {address}, frame {amount:#x}"),
            EventKind::Register => write!(f, "register {address}, {amount} {pages}"),
            EventKind::Drop => write!(f, "drop {address}, {amount} {pages}"),
            EventKind::Create => write!(f, "create space {space}"),
            EventKind::Load => write!(f, "load space {space}"),
            EventKind::Destroy => write!(f, "destroy space {space}"),
            EventKind::Unshared => write!(f, "unshared {address}, frame {amount:#x}"),
            EventKind::Duplicate => write!(f, "duplicate as space {space}"),
            EventKind::SwapOut => {
                write!(f, "swapped out page {:#x} of the table in frame {amount:#x}", address.as_u32() >> 12)
            }
            EventKind::FreeSlot => write!(f, "free_page {address}, slot {amount:#x}"),
            EventKind::FileIn => write!(f, "read {address}, file page {amount:#x}"),
            EventKind::FileOut => write!(f, "wrote file {amount}, page {:#x}", address.as_u32() >> 12),
            EventKind::SwapIn => write!(f, "swapped in {address} from slot {amount:#x}"),
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
        ring: [Event { kind: EventKind::Create, address: VirtAddr::new(0), amount: 0, space: Frame::new(0) }; KEPT],
    };

    /// Records an event; the oldest gives way.
    #[inline]
    pub fn record(&mut self, kind: EventKind, address: VirtAddr, amount: u32, space: Frame) {
        self.ring[self.recorded as usize % KEPT] = Event { kind, address, amount, space };
        self.recorded = self.recorded.wrapping_add(1);
    }

    /// Returns how many were recorded since the kernel started, modulo 2^32.
    pub fn recorded(&self) -> u32 {
        self.recorded
    }

    /// Walks through the events that are kept, the latest first. `current` is the directory of the current address space.
    pub fn latest(&self, current: Frame) -> impl Iterator<Item = Event> {
        let kept = self.recorded.min(KEPT as u32);
        let recorded = (1..=kept).map(|back| self.ring[self.recorded.wrapping_sub(back) as usize % KEPT]);
        // Before the first event of all, too, some space was loaded.
        let first = (kept == self.recorded).then_some(None);
        let mut space = current;
        recorded.map(Some).chain(first).flat_map(move |event| {
            let before = event.map_or(Frame::new(0), |event| event.space);
            let after = mem::replace(&mut space, before);
            let load =
                Event { kind: EventKind::Load, address: VirtAddr::new(0), amount: after.number(), space: before };
            (before != after).then_some(load).into_iter().chain(event)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn the_latest_events_come_first_and_the_oldest_give_way() {
        let mut events = Events::NONE;
        for number in 0..100 {
            events.record(EventKind::FreePage, VirtAddr::new(4096 * number), number, Frame::new(7));
        }
        let amounts: Vec<u32> = events.latest(Frame::new(7)).map(|event| event.amount).collect();
        assert_eq!(amounts, (100 - KEPT as u32..100).rev().collect::<Vec<_>>());
    }

    #[test]
    fn that_a_space_was_loaded_shows_in_what_happened_in_it() {
        let mut events = Events::NONE;
        for (number, space) in [(1, 7), (2, 8), (3, 8)] {
            events.record(EventKind::FreePage, VirtAddr::new(0), number, Frame::new(space));
        }
        let seen: Vec<_> = events.latest(Frame::new(9)).map(|event| (event.kind, event.amount)).collect();
        let [freed, loaded] = [EventKind::FreePage, EventKind::Load];
        assert_eq!(seen, [(loaded, 9), (freed, 3), (freed, 2), (loaded, 8), (freed, 1), (loaded, 7)]);
        let at_first: Vec<_> = Events::NONE.latest(Frame::new(9)).map(|event| (event.kind, event.amount)).collect();
        assert_eq!(at_first, [(loaded, 9)]);
    }
}
