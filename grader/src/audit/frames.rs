//! The frames of the machine: who has each of them, by the page tables, and what the kernel's own books say.

use super::claims::Claim;
use super::findings::Findings;
use crate::memory::{FRAME, Ram};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::ops::Range;

/// The first frame of the process pool: 4 MiB.
pub const PROCESS_POOL_START: u32 = 1024;

/// The frames of the kernel pool: 2 to 4 MiB.
pub const KERNEL_POOL: Range<u32> = 512..PROCESS_POOL_START;

/// The frames of the hole from 15 to 16 MiB, which are never used.
const HOLE: Range<u32> = 3840..4096;

/// The count of a frame that is a page table, to which one entry leads.
const PAGE_TABLE: u8 = 255;

/// Says whether `frame` may hold a page or a table.
pub fn is_process_frame(frame: u32, ram: &Ram) -> bool {
    (PROCESS_POOL_START..ram.frames()).contains(&frame) && !HOLE.contains(&frame)
}

/// What a frame is there for, in the address space whose directory is in frame `root`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// It is the directory.
    Directory {
        /// The frame of the directory.
        root: u32,
    },
    /// It is the table of the first 4 MiB, which all address spaces share.
    FirstTable,
    /// It is the table of a directory entry.
    Table {
        /// The frame of the directory.
        root: u32,
        /// The number of the entry.
        index: u32,
    },
    /// It is behind a page.
    Page {
        /// The frame of the directory.
        root: u32,
        /// The page.
        page: u32,
    },
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { root } => write!(f, "the directory of address space {root:#x}"),
            Self::FirstTable => write!(f, "the table of the first 4 MiB"),
            Self::Table { root, index } => {
                write!(f, "the table of directory entry {index:#x} of address space {root:#x}")
            }
            Self::Page { root, page } => write!(f, "page {page:#x} of address space {root:#x}"),
        }
    }
}

/// Who has which frame, by the page tables of all address spaces.
#[derive(Default)]
pub struct Owners {
    of: BTreeMap<u32, Vec<Owner>>,
    /// Frames to which a writable entry of a page leads.
    writable: BTreeSet<u32>,
    /// How many pages lead to each slot of the drive.
    slots: BTreeMap<u32, u32>,
    /// How many directories lead to each page table of a file.
    file_tables: BTreeMap<u32, u32>,
}

impl Owners {
    /// Notes that `owner` has `frame`.
    pub fn note(&mut self, frame: u32, owner: Owner) {
        let owners = self.of.entry(frame).or_default();
        // All address spaces have the table of the first 4 MiB.
        if owner != Owner::FirstTable || !owners.contains(&owner) {
            owners.push(owner);
        }
    }

    /// Notes that a page whose entry is writable has `frame`.
    pub fn note_writable(&mut self, frame: u32) {
        self.writable.insert(frame);
    }

    /// Checks that each frame has one owner, or as many pages as the kernel counts, to none of which it is writable.
    ///
    /// # Errors
    ///
    /// If the counts are not in the memory.
    pub fn check_uses(&self, claims: &[Claim], ram: &Ram, wrong: &mut Findings) -> io::Result<()> {
        let counts = uses(claims, ram, wrong)?;
        for (frame, owners) in &self.of {
            let beyond_first = frame.checked_sub(PROCESS_POOL_START).and_then(|index| counts.get(index as usize));
            let is_table = owners.iter().all(|owner| matches!(owner, Owner::Table { .. }));
            let counted = match beyond_first.copied() {
                Some(PAGE_TABLE) if is_table => 1,
                beyond_first => usize::from(beyond_first.unwrap_or(0)) + 1,
            };
            let pages = owners.iter().filter(|owner| matches!(owner, Owner::Page { .. })).count();
            if owners.len() != counted || counted > 1 && pages != counted {
                let counted = if counted == 1 { "one".into() } else { format!("{counted} pages, by its count") };
                let seen: Vec<String> = owners.iter().take(3).map(Owner::to_string).collect();
                let more =
                    if owners.len() > seen.len() { format!(" and so on, {}", owners.len()) } else { String::new() };
                wrong.add(format!("owners of frame {frame:#x}"), counted, seen.join(" and ") + &more);
            } else if counted > 1 && self.writable.contains(frame) {
                wrong.add(format!("frame {frame:#x}, which {counted} pages share"), "read-only", "writable");
            }
        }
        let nobody =
            (PROCESS_POOL_START..).zip(&counts).find(|(frame, count)| **count > 0 && !self.of.contains_key(frame));
        if let Some((frame, count)) = nobody {
            wrong.add(format!("count of frame {frame:#x}"), "0, since no page table leads to it", count.to_string());
        }
        Ok(())
    }

    /// Notes that a directory leads to the page table of a file in `frame`. Says whether it is the first one.
    pub fn note_file_table(&mut self, frame: u32) -> bool {
        let users = self.file_tables.entry(frame).or_default();
        *users += 1;
        *users == 1
    }

    /// Checks that as many directories lead to each page table of a file as the kernel counts.
    pub fn check_files(&self, claims: &[Claim], wrong: &mut Findings) {
        let claimed: BTreeMap<u32, u32> = claims
            .iter()
            .filter_map(|claim| if let Claim::Table { frame, users } = claim { Some((*frame, *users)) } else { None })
            .collect();
        for frame in self.file_tables.keys().chain(claimed.keys()).collect::<BTreeSet<_>>() {
            let [seen, counted] = [&self.file_tables, &claimed].map(|users| users.get(frame).copied().unwrap_or(0));
            if seen != counted {
                let what = format!("directories that lead to the file's table in frame {frame:#x}");
                wrong.add(what, format!("{counted}, by its count"), seen.to_string());
            }
        }
    }

    /// Notes that a page leads to `slot`.
    pub fn note_slot(&mut self, slot: u32) {
        *self.slots.entry(slot).or_default() += 1;
    }

    /// Checks the slots of the drive, if one is claimed: those are in use to which pages lead, and as many as the kernel counts.
    ///
    /// # Errors
    ///
    /// If the map and the counts are not in the memory.
    pub fn check_slots(&self, claims: &[Claim], ram: &Ram, wrong: &mut Findings) -> io::Result<()> {
        let Some((slots, map, counts, drive)) = claims.iter().find_map(|claim| match claim {
            Claim::Slots { slots, map, counts, drive } => Some((*slots, *map, *counts, *drive)),
            _ => None,
        }) else {
            return Ok(());
        };
        let words = 2 * slots.div_ceil(32);
        let drive = drive.map(|drive| (drive, slots.saturating_mul(FRAME)));
        let places: Vec<_> = [(map, 4 * words), (counts, slots)].into_iter().chain(drive).collect();
        if !places.iter().all(|(start, bytes)| is_in_kernel_pool(*start, *bytes)) {
            wrong.add(
                "the drive's map and counts, and itself if it is in memory",
                "in the kernel pool",
                format!("at {places:x?}"),
            );
            return Ok(());
        }
        let book = Book { frames: 0..slots, map: ram.words(map, words)? };
        for (slot, count) in (0..slots).zip(ram.bytes(counts, slots as usize)?) {
            let seen = self.slots.get(&slot).copied().unwrap_or(0);
            let counted = if book.state(slot) == State::Used { u32::from(count) + 1 } else { 0 };
            if seen != counted {
                wrong.add(format!("pages in slot {slot:#x}"), format!("{counted}, by its count"), seen.to_string());
            }
        }
        if let Some(slot) = self.slots.keys().find(|slot| !(1..slots).contains(*slot)) {
            wrong.add("an absent entry", format!("0, or a slot below {slots:#x}"), format!("slot {slot:#x}"));
        }
        Ok(())
    }

    /// Checks that as many frames of the process pool are free as no page table leads to: none is lost, and none is free
    /// that is in use. That needs no knowledge of the form of the pool's map.
    pub fn check_free(&self, claims: &[Claim], ram: &Ram, modules: u32, wrong: &mut Findings) {
        let claimed = claims.iter().find_map(|claim| if let Claim::Free(count) = claim { Some(*count) } else { None });
        let all = (0..ram.frames()).filter(|frame| is_process_frame(*frame, ram));
        let free = (all.filter(|frame| !self.of.contains_key(frame)).count() as u32).saturating_sub(modules);
        if claimed != Some(free) {
            let expected = format!("{free:#x}, to which no page table leads");
            wrong.add("free frames", expected, claimed.map_or("no claim".into(), |count| format!("{count:#x}")));
        }
    }
}

/// Says whether the `bytes` bytes from `start` on are in the kernel pool, where all books lie.
fn is_in_kernel_pool(start: u32, bytes: u32) -> bool {
    start >= KERNEL_POOL.start * FRAME && start.checked_add(bytes).is_some_and(|end| end <= KERNEL_POOL.end * FRAME)
}

/// What a frame is by the kernel's books.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Free,
    Used,
    Inaccessible,
}

/// The books of a frame pool: two bits a frame, in pairs of words of 32 frames. Both bits are set for a free frame, only
/// that in the first word for an inaccessible one, only that in the second for the first of a sequence, neither for a frame
/// further on in a sequence.
pub struct Book {
    frames: Range<u32>,
    map: Vec<u32>,
}

impl Book {
    /// Returns how many frames are handed out.
    pub fn used(&self) -> usize {
        self.frames.clone().filter(|frame| self.state(*frame) == State::Used).count()
    }

    fn state(&self, frame: u32) -> State {
        let index = frame - self.frames.start;
        let pair = 2 * (index / 32) as usize;
        let bit = |word: usize| self.map[word] >> (index % 32) & 1 != 0;
        match (bit(pair), bit(pair + 1)) {
            (true, true) => State::Free,
            (true, false) => State::Inaccessible,
            (false, _) => State::Used,
        }
    }

    /// Checks that the frames that are handed out are exactly those that the page tables lead to, and that as many as the boot
    /// loader's `modules` take are nobody's.
    pub fn check(&self, owners: &Owners, mut modules: u32, wrong: &mut Findings) {
        for frame in self.frames.clone() {
            let (state, owner) = (self.state(frame), owners.of.get(&frame).and_then(|owners| owners.first()));
            let expected = match owner {
                _ if HOLE.contains(&frame) => State::Inaccessible,
                Some(_) => State::Used,
                None => State::Free,
            };
            if state == State::Inaccessible && expected == State::Free && modules > 0 {
                modules -= 1;
            } else if state != expected {
                let owner = owner.map_or("no page table leads to it".into(), Owner::to_string);
                let what = format!("frame {frame:#x} in the pool's books");
                let expected = format!("{expected:?}: {owner}").to_lowercase();
                wrong.add(what, expected, format!("{state:?}").to_lowercase());
            }
        }
    }
}

/// Takes out of the claims where the kernel counts how many pages share each frame, and returns the counts: of each frame of
/// the process pool, one less than that. Without a claim, no frame may be shared.
///
/// # Errors
///
/// If they are not in the memory.
fn uses(claims: &[Claim], ram: &Ram, wrong: &mut Findings) -> io::Result<Vec<u8>> {
    let claimed = claims.iter().find_map(|claim| match claim {
        Claim::Uses { frames, counts } => Some((frames, *counts)),
        _ => None,
    });
    let Some((frames, counts)) = claimed else { return Ok(Vec::new()) };
    let pool = PROCESS_POOL_START..ram.frames();
    let bytes = pool.len() as u32;
    if *frames != pool || !is_in_kernel_pool(counts, bytes) {
        let seen = format!("of {:#x}..{:#x}, at {counts:#x}", frames.start, frames.end);
        wrong.add("the counts of shared frames", "of the process pool, and in the kernel pool", seen);
        return Ok(Vec::new());
    }
    ram.bytes(counts, bytes as usize)
}

/// Takes the books of the kernel pool and of the process pool out of the claims, which say where they are: in the kernel pool.
///
/// # Errors
///
/// If they are not in the memory.
pub fn books(claims: &[Claim], ram: &Ram, wrong: &mut Findings) -> io::Result<Option<[Book; 2]>> {
    let mut book = |frames: Range<u32>| {
        let map = claims.iter().find_map(|claim| match claim {
            Claim::Pool { frames: claimed, map } if *claimed == frames => Some(*map),
            _ => None,
        });
        let words = 2 * frames.len().div_ceil(32) as u32;
        let Some(map) = map.filter(|map| is_in_kernel_pool(*map, 4 * words)) else {
            let what = format!("the books of frames {:#x}..{:#x}", frames.start, frames.end);
            wrong.add(
                what,
                "claimed, and in the kernel pool",
                map.map_or("no claim".into(), |map| format!("at {map:#x}")),
            );
            return Ok(None);
        };
        Ok::<_, io::Error>(Some(Book { map: ram.words(map, words)?, frames }))
    };
    let (kernel, process) = (book(KERNEL_POOL)?, book(PROCESS_POOL_START..ram.frames())?);
    Ok(kernel.zip(process).map(|(kernel, process)| [kernel, process]))
}
