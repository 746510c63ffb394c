//! Second chance, worked out by a model: which touches fault, and how many pages go to the drive and come back.

use alloc::vec;
use alloc::vec::Vec;

/// What is known of a page.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Untouched,
    OnDrive,
    /// Whether it was used since the hand came by.
    InMemory(bool),
}

/// Pages that share a number of frames, and the hand that goes over them in their order.
pub struct SecondChance {
    pages: Vec<State>,
    free: u32,
    hand: usize,
    /// Touches of pages that were not in memory.
    pub faults: u32,
    /// Pages that went to the drive.
    pub sent: u32,
    /// Pages that came back.
    pub fetched: u32,
}

impl SecondChance {
    /// Makes `pages` pages that nobody has touched, with `frames` frames for them, and the hand at page `hand`, or at the first
    /// if there is none.
    pub fn new(pages: u32, frames: u32, hand: u32) -> Self {
        let pages = vec![State::Untouched; pages as usize];
        let hand = if (hand as usize) < pages.len() { hand as usize } else { 0 };
        Self { pages, free: frames, hand, faults: 0, sent: 0, fetched: 0 }
    }

    /// Touches page `number`.
    pub fn touch(&mut self, number: u32) {
        let number = number as usize;
        if !matches!(self.pages[number], State::InMemory(_)) {
            self.faults += 1;
            if self.free == 0 {
                self.send_one();
            }
            self.free -= 1;
            self.fetched += u32::from(self.pages[number] == State::OnDrive);
        }
        self.pages[number] = State::InMemory(true);
    }

    /// Says whether page `number` has a frame.
    pub fn is_in_memory(&self, number: u32) -> bool {
        matches!(self.pages[number as usize], State::InMemory(_))
    }

    fn send_one(&mut self) {
        while self.free == 0 {
            let page = &mut self.pages[self.hand];
            match *page {
                State::InMemory(true) => *page = State::InMemory(false),
                State::InMemory(false) => {
                    *page = State::OnDrive;
                    self.sent += 1;
                    self.free += 1;
                }
                State::Untouched | State::OnDrive => {}
            }
            self.hand = (self.hand + 1) % self.pages.len();
        }
    }
}
