//! The frames of the machine: who has each of them, by the page tables, and what the kernel's own books say.

use super::claims::Claim;
use crate::memory::Ram;
use crate::verdict::Check;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

/// The first frame of the process pool: 4 MiB.
pub const PROCESS_POOL_START: u32 = 1024;

/// The frames of the kernel pool: 2 to 4 MiB.
const KERNEL_POOL: Range<u32> = 512..PROCESS_POOL_START;

/// The frames of the hole from 15 to 16 MiB, which are never used.
const HOLE: Range<u32> = 3840..4096;

/// Says whether `frame` may hold a page or a table.
pub fn is_process_frame(frame: u32, ram: &Ram) -> bool {
    (PROCESS_POOL_START..ram.frames()).contains(&frame) && !HOLE.contains(&frame)
}

/// Who has which frame, by the page tables of all address spaces.
#[derive(Default)]
pub struct Owners {
    all: BTreeMap<u32, String>,
    /// Frames that two have.
    twice: Vec<Check>,
}

impl Owners {
    /// Notes that `owner` has `frame`.
    pub fn note(&mut self, frame: u32, owner: String) {
        if let Some(other) = self.all.get(&frame) {
            if *other != owner {
                let both = format!("{other} and {owner}");
                self.twice.push(Check::new(format!("owners of frame {frame:#x}"), "one", both));
            }
        } else {
            self.all.insert(frame, owner);
        }
    }

    /// Adds to `wrong` each frame that two have.
    pub fn check(&mut self, wrong: &mut Vec<Check>) {
        wrong.append(&mut self.twice);
    }
}

/// What a frame is by the kernel's books.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Free,
    Used,
    Inaccessible,
}

/// The books of a frame pool: two bits a frame, in pairs of words of 32 frames. In the first word of a pair the bit says
/// that the frame is free, in the second that it is the first of a sequence; both together, that it is inaccessible;
/// neither, that it is further on in a sequence.
pub struct Book {
    frames: Range<u32>,
    map: Vec<u32>,
}

impl Book {
    /// Reads the books of the pool that the kernel claims.
    ///
    /// # Errors
    ///
    /// If they are not in the memory.
    pub fn read(ram: &Ram, frames: Range<u32>, map: u32) -> io::Result<Self> {
        let map = ram.words(map, 2 * frames.len().div_ceil(32) as u32)?;
        Ok(Self { frames, map })
    }

    fn state(&self, frame: u32) -> State {
        let index = frame - self.frames.start;
        let pair = 2 * (index / 32) as usize;
        let bit = |word: usize| self.map[word] >> (index % 32) & 1 != 0;
        match (bit(pair), bit(pair + 1)) {
            (true, true) => State::Inaccessible,
            (true, false) => State::Free,
            (false, _) => State::Used,
        }
    }

    /// Returns how many frames are handed out.
    pub fn used(&self) -> usize {
        self.frames.clone().filter(|frame| self.state(*frame) == State::Used).count()
    }

    /// Checks that the frames that are handed out are exactly those that the page tables lead to.
    pub fn check(&self, owners: &Owners, wrong: &mut Vec<Check>) {
        for frame in self.frames.clone() {
            let (state, owner) = (self.state(frame), owners.all.get(&frame));
            let expected = match owner {
                _ if HOLE.contains(&frame) => State::Inaccessible,
                Some(_) => State::Used,
                None => State::Free,
            };
            if state != expected {
                let owner = owner.map_or("no page table leads to it", String::as_str);
                let expected = format!("{expected:?}: {owner}").to_lowercase();
                wrong.push(Check::new(
                    format!("frame {frame:#x} in the pool's books"),
                    expected,
                    format!("{state:?}").to_lowercase(),
                ));
            }
        }
    }
}

/// Takes the books of the two pools out of the claims: the kernel pool's and the process pool's.
pub fn books(claims: &[Claim], ram: &Ram) -> io::Result<Result<[Book; 2], Check>> {
    let pool = |frames: Range<u32>| {
        let map = claims.iter().find_map(|claim| match claim {
            Claim::Pool { frames: claimed, map } if *claimed == frames => Some(*map),
            _ => None,
        });
        map.map(|map| Book::read(ram, frames, map)).transpose()
    };
    let (kernel, process) = (pool(KERNEL_POOL)?, pool(PROCESS_POOL_START..ram.frames())?);
    Ok(match (kernel, process) {
        (Some(kernel), Some(process)) => Ok([kernel, process]),
        _ => Err(Check::new(
            "claimed frame pools",
            format!("frames 0x200..0x400 and 0x400..{:#x}", ram.frames()),
            format!("{:x?}", claims.iter().filter(|claim| matches!(claim, Claim::Pool { .. })).collect::<Vec<_>>()),
        )),
    })
}
