//! The list of the prompt's address spaces.

use crate::addr::Frame;
use crate::vm::AddressSpace;
use alloc::vec::Vec;

/// A list of the prompt's address spaces.
#[derive(Debug)]
pub struct Spaces {
    /// The kernel's first directory.
    pub(super) home: Frame,
    /// The others, with their numbers.
    pub(super) made: Vec<(u32, AddressSpace)>,
    pub(super) next: u32,
}

impl Spaces {
    /// Lists none, before the first is made.
    pub const NONE: Self = Self { home: Frame::new(0), made: Vec::new(), next: 1 };

    /// Returns the directories of all of them with their numbers, number 0 first.
    pub fn roots(&self) -> Vec<(u32, Frame)> {
        let made = self.made.iter().map(|(number, space)| (*number, space.root()));
        [(0, self.home)].into_iter().chain(made).collect()
    }
}
