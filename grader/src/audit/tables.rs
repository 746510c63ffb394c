//! Page tables as the processor sees them, read from the machine's memory. None of this is the kernel's code.
//!
//! Source: Intel SDM volume 3, section 4.3.

use super::frames::{Owners, PROCESS_POOL_START, is_process_frame};
use super::image::Image;
use crate::memory::{Ram, Words};
use crate::verdict::Check;
use std::io;

const PRESENT: u32 = 1 << 0;
const WRITABLE: u32 = 1 << 1;
const USER: u32 = 1 << 2;
const LARGE: u32 = 1 << 7;

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
    /// Directory index, frame and entries of each table but the first 4 MiB's and the windows'.
    tables: Vec<(u32, u32, Words)>,
}

impl Space {
    /// Walks the directory in frame `root`.
    ///
    /// # Errors
    ///
    /// If it, or a table, is not in the memory.
    pub fn walk(ram: &Ram, root: u32) -> io::Result<Self> {
        let directory = ram.frame(root)?;
        let present =
            (0..).zip(&directory).filter(|(index, entry)| (1..1022).contains(index) && **entry & PRESENT != 0);
        let tables = present.map(|(index, entry)| Ok((index, frame_of(*entry), ram.frame(frame_of(*entry))?)));
        let tables = tables.collect::<io::Result<_>>()?;
        Ok(Self { root, directory, tables })
    }

    /// Returns the frame behind `page`, if there is one.
    pub fn frame(&self, page: u32) -> Option<u32> {
        let (index, inside) = (page / ENTRIES, page % ENTRIES);
        let at = self.tables.binary_search_by_key(&index, |(index, ..)| *index).ok()?;
        let entry = self.tables[at].2[inside as usize];
        (entry & PRESENT != 0).then(|| frame_of(entry))
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
        let space = format!("address space {:#x}", self.root);
        owners.note(self.root, format!("the directory of {space}"));
        // All address spaces share the table of the first 4 MiB.
        owners.note(frame_of(self.directory[0]), "the table of the first 4 MiB".into());
        for (index, frame, _) in &self.tables {
            owners.note(*frame, format!("the table of directory entry {index:#x} of {space}"));
        }
        for (page, entry) in self.pages() {
            owners.note(frame_of(entry), format!("page {page:#x} of {space}"));
        }
    }

    /// Checks what holds in every address space at any time.
    ///
    /// # Errors
    ///
    /// If the table of the first 4 MiB is not in the memory.
    pub fn check(&self, ram: &Ram, image: &Image, wrong: &mut Vec<Check>) -> io::Result<()> {
        let expected = self.root << 12 | PRESENT | WRITABLE;
        let recursive = self.directory[RECURSIVE];
        if recursive & (!0xFFF | PRESENT | WRITABLE | USER | LARGE) != expected {
            wrong.push(differs("directory entry 1023", expected, recursive));
        }
        if self.directory[OTHER_WINDOW] & PRESENT != 0 {
            wrong.push(Check::new(
                "directory entry 1022 while a program runs",
                "absent",
                format!("{:#x}", self.directory[OTHER_WINDOW]),
            ));
        }
        let entries = (0..1022).map(|index| (index, self.directory[index as usize]));
        for (index, entry) in entries.filter(|(_, entry)| entry & PRESENT != 0) {
            self.check_table(index, entry, ram, wrong);
        }
        if !is_process_frame(self.root, ram) {
            wrong.push(Check::new("frame of the directory", "in the process pool", format!("{:#x}", self.root)));
        }
        for (page, entry) in self.pages() {
            if entry & USER != 0 {
                wrong.push(Check::new(format!("page {page:#x}"), "supervisor only", format!("entry {entry:#x}")));
            }
            if !is_process_frame(frame_of(entry), ram) {
                let frame = format!("frame {:#x}", frame_of(entry));
                wrong.push(Check::new(
                    format!("frame of page {page:#x}"),
                    "in the process pool, not in the hole",
                    frame,
                ));
            }
        }
        self.check_identity(ram, image, wrong)
    }

    fn check_table(&self, index: u32, entry: u32, ram: &Ram, wrong: &mut Vec<Check>) {
        let what = format!("directory entry {index:#x}");
        if entry & (WRITABLE | USER | LARGE) != WRITABLE {
            wrong.push(Check::new(&what, "a writable table, supervisor only", format!("{entry:#x}")));
        }
        if !is_process_frame(frame_of(entry), ram) {
            let frame = format!("frame {:#x}", frame_of(entry));
            wrong.push(Check::new(what, "a table in the process pool", frame));
        }
    }

    /// Checks that the first 4 MiB map themselves for the kernel alone, code and constants read-only, but for page 0 and
    /// the page below the kernel's stack.
    fn check_identity(&self, ram: &Ram, image: &Image, wrong: &mut Vec<Check>) -> io::Result<()> {
        if self.directory[0] & PRESENT == 0 {
            wrong.push(Check::new("directory entry 0", "the table of the first 4 MiB", "absent"));
            return Ok(());
        }
        let table = ram.frame(frame_of(self.directory[0]))?;
        for (page, entry) in (0..PROCESS_POOL_START).zip(table) {
            let expected = if page == 0 || page == image.stack_guard {
                0
            } else if image.read_only.contains(&page) {
                page << 12 | PRESENT
            } else {
                page << 12 | PRESENT | WRITABLE
            };
            let seen = if entry & PRESENT == 0 { 0 } else { entry & (!0xFFF | PRESENT | WRITABLE | USER) };
            if expected != seen {
                wrong.push(differs(&format!("entry of page {page:#x}"), expected, seen));
            }
        }
        Ok(())
    }
}

fn frame_of(entry: u32) -> u32 {
    entry >> 12
}

fn differs(what: &str, expected: u32, seen: u32) -> Check {
    Check::new(what, format!("{expected:#x}"), format!("{seen:#x}"))
}
