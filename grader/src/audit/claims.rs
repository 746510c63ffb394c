//! What the kernel claims at a checkpoint, and the numbers that host and kernel both work out from the seed.
//!
//! ```text
//! claim pool FIRST END MAP               a frame pool: its frames, and the physical address of its map
//! claim heap COUNT                       frames of the kernel pool that the heap has
//! claim uses FIRST END COUNTS            the process pool's frames, and the physical address of a byte for each: how many
//!                                        pages lead to it beyond the first
//! claim free COUNT                       frames of the process pool that are free
//! claim directory FRAME                  an address space that is alive
//! claim program FRAME                    such a one of a program: ring 3 may have access there, and nowhere else
//! claim faults COUNT                     page faults answered since the start
//! claim slots COUNT MAP USES [DRIVE]     a drive for pages: how many slots it has, where their map is in memory, in the form
//!                                        of a frame pool's, where their counts are, and where slot 0 is, if the drive is in
//!                                        memory, too; else it is the machine's own
//! claim table FRAME COUNT                a page table of a file, and how many directories lead to it
//! claim backed START END                 every page of these has a frame, or a slot
//! claim absent START END                 none of these has
//! claim filled START END SALT            backed, and each word is what the seed says
//! claim scattered START END COUNT SALT   so many draws from the seed say which of these are backed, and their first word;
//!                                        the other words of these pages are zeros
//! audit NAME                             the machine stands still to be looked at
//! ```
//!
//! Pages and frames are numbers, everything is hexadecimal. Pages are those of the current address space. There are no more
//! draws than pages.

use std::collections::BTreeSet;
use std::ops::Range;

/// One claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Claim {
    /// A frame pool.
    Pool {
        /// Its frames.
        frames: Range<u32>,
        /// Where its map is in memory.
        map: u32,
    },
    /// How many frames of the kernel pool the heap has.
    Heap(u32),
    /// The counts of the pages that share a frame.
    Uses {
        /// The frames that are counted.
        frames: Range<u32>,
        /// Where the counts are in memory.
        counts: u32,
    },
    /// How many frames of the process pool are free.
    Free(u32),
    /// The directory of an address space that is alive.
    Directory(u32),
    /// The directory of a program's address space, which is alive.
    Program(u32),
    /// Page faults answered since the start.
    Faults(u32),
    /// A drive for pages.
    Slots {
        /// How many slots it has.
        slots: u32,
        /// Where the map of the slots is in memory.
        map: u32,
        /// Where the counts of entries beyond the first are.
        counts: u32,
        /// Where slot 0 is in memory; `None` if it is where the machine's drive starts.
        drive: Option<u32>,
    },
    /// A page table of a file.
    Table {
        /// Its frame.
        frame: u32,
        /// How many directories lead to it.
        users: u32,
    },
    /// Pages that have a frame, or a slot of the drive.
    Backed(Range<u32>),
    /// Pages that have neither.
    Absent(Range<u32>),
    /// Pages full of what the seed says.
    Filled(Range<u32>, u32),
    /// Pages of which the seed says which were touched.
    Scattered {
        /// The pages.
        pages: Range<u32>,
        /// How many draws.
        draws: u32,
        /// What makes these draws differ from others.
        salt: u32,
    },
}

/// How many pages an address space has.
const PAGES: u32 = 1 << 20;

impl Claim {
    /// Says whether it is about pages of the current address space.
    pub fn is_about_pages(&self) -> bool {
        !matches!(
            self,
            Self::Pool { .. }
                | Self::Uses { .. }
                | Self::Heap(_)
                | Self::Free(_)
                | Self::Directory(_)
                | Self::Program(_)
                | Self::Faults(_)
                | Self::Slots { .. }
                | Self::Table { .. }
        )
    }

    /// Reads what follows `claim `.
    pub fn read(words: &str) -> Option<Self> {
        let mut words = words.split(' ');
        let kind = words.next()?;
        let numbers: Option<Vec<u32>> =
            words.map(|word| u32::from_str_radix(word.strip_prefix("0x")?, 16).ok()).collect();
        let is_range = |start, end| start < end && end <= PAGES;
        Some(match (kind, numbers?.as_slice()) {
            ("pool", &[first, end, map]) if is_range(first, end) => Self::Pool { frames: first..end, map },
            ("heap", &[count]) => Self::Heap(count),
            ("uses", &[first, end, counts]) if is_range(first, end) => Self::Uses { frames: first..end, counts },
            ("free", &[count]) => Self::Free(count),
            ("directory", &[frame]) => Self::Directory(frame),
            ("program", &[frame]) => Self::Program(frame),
            ("faults", &[count]) => Self::Faults(count),
            ("slots", &[slots, map, counts]) if slots < PAGES => Self::Slots { slots, map, counts, drive: None },
            ("slots", &[slots, map, counts, drive]) if slots < PAGES => {
                Self::Slots { slots, map, counts, drive: Some(drive) }
            }
            ("table", &[frame, users]) => Self::Table { frame, users },
            ("backed", &[start, end]) if is_range(start, end) => Self::Backed(start..end),
            ("absent", &[start, end]) if is_range(start, end) => Self::Absent(start..end),
            ("filled", &[start, end, salt]) if is_range(start, end) => Self::Filled(start..end, salt),
            ("scattered", &[start, end, draws, salt]) if is_range(start, end) && draws <= PAGES => {
                Self::Scattered { pages: start..end, draws, salt }
            }
            _ => return None,
        })
    }
}

/// Returns the word that a scenario writes at `address`: the same function of the same seed as in the kernel.
pub fn word(seed: u32, salt: u32, address: u32) -> u32 {
    let mixed = (seed ^ salt.wrapping_mul(0x9E37_79B9) ^ address.rotate_left(13)).wrapping_mul(0x85EB_CA6B);
    (mixed ^ mixed >> 15).wrapping_mul(0xC2B2_AE35)
}

/// Returns the pages that a scenario touches: the same draws from the same seed as in the kernel.
pub fn scattered(seed: u32, pages: &Range<u32>, draws: u32, salt: u32) -> BTreeSet<u32> {
    (0..draws).map(|draw| pages.start + word(seed, salt, draw) % (pages.end - pages.start)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_strictly() {
        assert_eq!(Claim::read("filled 0x400 0x402 0x1"), Some(Claim::Filled(0x400..0x402, 1)));
        assert_eq!(Claim::read("faults 0x100"), Some(Claim::Faults(256)));
        for wrong in [
            "filled 0x400 0x402",
            "faults 256",
            "backed 0x402 0x400",
            "faults",
            "truth 0x1",
            "faults 0x1 0x2",
            "absent 0x0 0xffffffff",
            "scattered 0x400 0x500 0xffffffff 0x1",
        ] {
            assert_eq!(Claim::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn draws_stay_in_their_pages_and_differ_by_salt() {
        let pages = 0x1000..0x5000;
        let touched = scattered(7, &pages, 40, 1);
        assert!(touched.len() > 30 && touched.iter().all(|page| pages.contains(page)));
        assert_ne!(touched, scattered(7, &pages, 40, 2));
    }
}
