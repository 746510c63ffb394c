//! Page tables as the processor sees them, read from the machine's memory. None of this is the kernel's code.
//!
//! Source: Intel SDM volume 3, section 4.3.

use super::findings::Findings;
use super::frames::{KERNEL_POOL, Owner, Owners, PROCESS_POOL_START, is_process_frame};
use super::image::Image;
use crate::memory::{Ram, Words};
use std::collections::BTreeSet;
use std::io;

const PRESENT: u32 = 1 << 0;
const WRITABLE: u32 = 1 << 1;
const USER: u32 = 1 << 2;
/// A bit that is the kernel's to use: a page of its own records.
const KEPT: u32 = 1 << 9;
const LARGE: u32 = 1 << 7;
/// Of a directory entry, that its table is a file's; of an absent entry in one, that the file has the page.
const FILE: u32 = 3 << 9;

/// Pages that one table maps.
const ENTRIES: u32 = 1024;

/// The directory entry that leads to the directory itself.
const RECURSIVE: usize = 1023;

/// The directory entry of the window on another directory, which is closed while a program runs.
const OTHER_WINDOW: usize = 1022;

/// The tables of one address space.
pub struct Space {
    /// The frame of its directory.
    pub root: u32,
    directory: Words,
    /// Directory index, frame and entries of each table in the memory but the first 4 MiB's and the windows'.
    tables: Vec<(u32, u32, Words)>,
}

impl Space {
    /// Walks the directory in frame `root`.
    ///
    /// # Errors
    ///
    /// If it is not in the memory.
    pub fn walk(ram: &Ram, root: u32) -> io::Result<Self> {
        let directory = ram.frame(root)?;
        let present =
            (0..).zip(&directory).filter(|(index, entry)| (1..1022).contains(index) && **entry & PRESENT != 0);
        let frames = present.map(|(index, entry)| (index, frame_of(*entry))).filter(|(_, frame)| *frame < ram.frames());
        let tables = frames.map(|(index, frame)| Ok((index, frame, ram.frame(frame)?))).collect::<io::Result<_>>()?;
        Ok(Self { root, directory, tables })
    }

    /// Returns the frame behind `page`, if there is one.
    pub fn frame(&self, page: u32) -> Option<u32> {
        let (index, inside) = (page / ENTRIES, page % ENTRIES);
        let at = self.tables.binary_search_by_key(&index, |(index, ..)| *index).ok()?;
        let entry = self.tables[at].2[inside as usize];
        (entry & PRESENT != 0).then(|| frame_of(entry))
    }

    /// Returns the slot that `page` is in, if its entry is absent and not 0.
    pub fn slot(&self, page: u32) -> Option<u32> {
        self.slots().find_map(|(other, slot)| (other == page).then_some(slot))
    }

    /// Returns the pages from 4 MiB up to the windows that have no frame but a slot of the drive, and the slots.
    pub fn slots(&self) -> impl Iterator<Item = (u32, u32)> {
        self.tables.iter().flat_map(|(index, _, entries)| {
            let pages = (ENTRIES * index..).zip(entries.iter().copied());
            pages.filter(|(_, entry)| is_slot(*entry)).map(|(page, entry)| (page, frame_of(entry)))
        })
    }

    /// Returns the pages from 4 MiB up to the windows that have a frame, with their entries.
    fn pages(&self) -> impl Iterator<Item = (u32, u32)> {
        self.tables.iter().flat_map(|(index, _, entries)| {
            let pages = (ENTRIES * index..).zip(entries.iter().copied());
            pages.filter(|(_, entry)| entry & PRESENT != 0)
        })
    }

    /// Notes the owner of every frame that the directory leads to.
    pub fn note_owners(&self, owners: &mut Owners) {
        let root = self.root;
        owners.note(root, Owner::Directory { root });
        if self.directory[0] & PRESENT != 0 {
            owners.note(frame_of(self.directory[0]), Owner::FirstTable);
        }
        for (index, frame, entries) in &self.tables {
            // What a table of a file leads to is noted once, however many directories lead there.
            if self.directory[*index as usize] & FILE == FILE && !owners.note_file_table(*frame) {
                continue;
            }
            owners.note(*frame, Owner::Table { root, index: *index });
            for (page, entry) in (ENTRIES * index..).zip(entries.iter().copied()) {
                if is_slot(entry) {
                    owners.note_slot(frame_of(entry));
                } else if entry & PRESENT != 0 {
                    owners.note(frame_of(entry), Owner::Page { root, page });
                    if entry & WRITABLE != 0 {
                        owners.note_writable(frame_of(entry));
                    }
                }
            }
        }
    }

    /// Checks what holds in every address space at any time. Only in one of a program may ring 3 have access to pages, and only to
    /// such as are not the kernel's own.
    ///
    /// # Errors
    ///
    /// If the memory cannot be read.
    pub fn check(&self, ram: &Ram, image: &Image, programs: &BTreeSet<u32>, wrong: &mut Findings) -> io::Result<()> {
        let of_program = programs.contains(&self.root);
        let expected = self.root << 12 | PRESENT | WRITABLE;
        let recursive = self.directory[RECURSIVE];
        if recursive & (!0xFFF | PRESENT | WRITABLE | USER | LARGE) != expected {
            differs("directory entry 1023", expected, recursive, wrong);
        }
        let other = self.directory[OTHER_WINDOW];
        if other & PRESENT != 0 {
            wrong.add("directory entry 1022 while a program runs", "absent", format!("{other:#x}"));
        }
        if !is_process_frame(self.root, ram) {
            wrong.add("frame of the directory", "in the process pool", format!("{:#x}", self.root));
        }
        let entries = (0..1022).map(|index| (index, self.directory[index as usize]));
        for (index, entry) in entries.filter(|(_, entry)| entry & PRESENT != 0) {
            let what = format!("directory entry {index:#x}");
            let user = if of_program && index > 0 { entry & USER } else { 0 };
            // A file may be seen read-only.
            let writable = if entry & FILE == FILE { entry & WRITABLE } else { WRITABLE };
            if entry & (WRITABLE | USER | LARGE) != writable | user {
                wrong.add(&what, "a writable table, supervisor only", format!("{entry:#x}"));
            }
            if !is_process_frame(frame_of(entry), ram) {
                wrong.add(what, "a table in the process pool", format!("frame {:#x}", frame_of(entry)));
            }
        }
        for (page, entry) in self.pages() {
            if entry & USER != 0 && (!of_program || entry & KEPT != 0) {
                wrong.add(format!("page {page:#x}"), "supervisor only", format!("entry {entry:#x}"));
            }
            if !is_process_frame(frame_of(entry), ram) {
                let seen = format!("frame {:#x}", frame_of(entry));
                wrong.add(format!("frame of page {page:#x}"), "in the process pool, not in the hole", seen);
            }
        }
        self.check_identity(ram, image, programs.len(), wrong)
    }

    /// Checks that the first 4 MiB map themselves for the kernel alone, code and constants read-only, but for page 0 and
    /// the page below the kernel's stack, and one below the stack that each of so many `programs` has in the kernel pool.
    fn check_identity(&self, ram: &Ram, image: &Image, programs: usize, wrong: &mut Findings) -> io::Result<()> {
        let first = self.directory[0];
        if first & PRESENT == 0 || frame_of(first) >= ram.frames() {
            wrong.add("directory entry 0", "the table of the first 4 MiB", format!("{first:#x}"));
            return Ok(());
        }
        let table = ram.frame(frame_of(first))?;
        let mut guards = programs;
        for (page, entry) in (0..PROCESS_POOL_START).zip(table) {
            let expected = if page == 0 || page == image.stack_guard {
                0
            } else if image.read_only.contains(&page) {
                page << 12 | PRESENT
            } else {
                page << 12 | PRESENT | WRITABLE
            };
            let seen = if entry & PRESENT == 0 { 0 } else { entry & (!0xFFF | PRESENT | WRITABLE | USER) };
            if seen == 0 && guards > 0 && KERNEL_POOL.contains(&page) {
                guards -= 1;
            } else if expected != seen {
                differs(&format!("entry of page {page:#x}"), expected, seen, wrong);
            }
        }
        Ok(())
    }
}

/// Says whether an entry is absent and names a slot.
fn is_slot(entry: u32) -> bool {
    entry & PRESENT == 0 && entry != 0 && entry & FILE != FILE
}

fn frame_of(entry: u32) -> u32 {
    entry >> 12
}

fn differs(what: &str, expected: u32, seen: u32, wrong: &mut Findings) {
    wrong.add(what, format!("{expected:#x}"), format!("{seen:#x}"));
}
