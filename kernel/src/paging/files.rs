//! Files: runs of sectors whose pages are read when they are touched, and the page tables through which they are seen.
//!
//! Decision: docs/src/decisions/0029-a-file-is-its-page-tables.md.

use super::drive::{Drive, DriveError, SECTOR_SIZE, SECTORS_A_PAGE};
use super::mmu::Mmu;
use crate::addr::{ENTRIES, Frame, PAGE_SIZE, Page, VirtAddr};
use alloc::boxed::Box;
use alloc::collections::TryReserveError;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Which file. No two have the same number, whatever became of the first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileId(u32);

impl FileId {
    /// Returns the file with this number, if there is or was one.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns its number, counted from 0.
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Why a file was not made. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileError {
    /// It would have no bytes.
    Empty,
    /// Not all of its bytes are on the drive, which has so many sectors.
    PastDrive(u32),
    /// It would be larger than 1 GiB.
    TooLarge,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "a file of 0 bytes"),
            Self::PastDrive(sectors) => write!(f, "the drive ends after {sectors} sectors, and the file does not"),
            Self::TooLarge => write!(f, "a file of more than {:#x} bytes", MOST_PAGES * PAGE_SIZE),
        }
    }
}

/// How many pages a file has at most: those of 1 GiB.
const MOST_PAGES: u32 = 1 << 18;

/// Words of a sector.
const SECTOR_WORDS: usize = SECTOR_SIZE as usize / 4;

/// A file: some bytes of a drive, from the start of a sector on.
pub struct File<M> {
    drive: Box<dyn Drive<M> + Send>,
    first: u32,
    bytes: u32,
    writable: bool,
    name: String,
    /// What the drive has behind the last byte, in the same sector: it stays when that sector is written. Known once it
    /// was read.
    behind: [u32; SECTOR_WORDS],
    counts: FileCounts,
}

/// What was done with a file.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct FileCounts {
    /// Pages that were read.
    pub reads: u32,
    /// Pages that were written.
    pub writes: u32,
    /// Reads and writes that failed.
    pub failures: u32,
}

impl<M: Mmu> File<M> {
    /// Makes the file of the `bytes` bytes from sector `first` of `drive` on. Its pages may be written to if it is
    /// `writable`.
    ///
    /// # Errors
    ///
    /// [`FileError`] if there is no such file on the drive.
    pub fn new(drive: Box<dyn Drive<M> + Send>, first: u32, bytes: u32, writable: bool) -> Result<Self, FileError> {
        if bytes == 0 {
            return Err(FileError::Empty);
        }
        if bytes > MOST_PAGES * PAGE_SIZE {
            return Err(FileError::TooLarge);
        }
        let (sectors, end) = (drive.sectors(), first.checked_add(bytes.div_ceil(SECTOR_SIZE)));
        if end.is_none_or(|end| end > sectors) {
            return Err(FileError::PastDrive(sectors));
        }
        Ok(Self {
            drive,
            first,
            bytes,
            writable,
            name: String::new(),
            behind: [0; SECTOR_WORDS],
            counts: FileCounts::default(),
        })
    }

    /// Gives it a name for people.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Returns its name, which may be empty.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns how many bytes it has, at least one.
    pub fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Returns how many pages it has; the last one may be a part.
    pub fn pages(&self) -> u32 {
        self.bytes.div_ceil(PAGE_SIZE)
    }

    /// Says whether it may be written to.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// Returns its first sector, and how many it has.
    pub fn sectors(&self) -> (u32, u32) {
        (self.first, self.bytes.div_ceil(SECTOR_SIZE))
    }

    /// Returns what was done with it.
    pub fn counts(&self) -> FileCounts {
        self.counts
    }

    /// Returns where its first byte is in memory, if its drive lies there, for whoever reads it from outside.
    pub fn address(&self) -> Option<usize> {
        Some(self.drive.address()? + (self.first * SECTOR_SIZE) as usize)
    }

    /// Returns the first sector of page `number`, which the file has, how many it has, and its bytes.
    fn part(&self, number: u32) -> (u32, u32, u32) {
        let bytes = (self.bytes - number * PAGE_SIZE).min(PAGE_SIZE);
        (self.first + number * SECTORS_A_PAGE, bytes.div_ceil(SECTOR_SIZE), bytes)
    }

    /// Reads page `number`, which the file has, into `page`, which is mapped and writable; behind the end of the file
    /// are zeros.
    ///
    /// # Errors
    ///
    /// [`DriveError`]; some of the page may have been written then.
    pub(super) fn read_page(&mut self, mmu: &mut M, number: u32, page: Page) -> Result<(), DriveError> {
        let (first, count, bytes) = self.part(number);
        if bytes < PAGE_SIZE {
            mmu.zero(page);
        }
        let read = self.drive.read(mmu, first, count, page);
        if read.is_ok() {
            self.take_behind(mmu, page, bytes);
        }
        *if read.is_ok() { &mut self.counts.reads } else { &mut self.counts.failures } += 1;
        read
    }

    /// Writes `page`, which is mapped and writable, as page `number`, which the file has. Of what is behind the end of
    /// the file, in the same page, nothing gets there.
    ///
    /// # Errors
    ///
    /// [`DriveError`]; some of the sectors may have been written then.
    pub(super) fn write_page(&mut self, mmu: &mut M, number: u32, page: Page) -> Result<(), DriveError> {
        let (first, count, bytes) = self.part(number);
        self.put_behind(mmu, page, bytes);
        let written = self.drive.write(mmu, first, count, page);
        self.take_behind(mmu, page, bytes);
        *if written.is_ok() { &mut self.counts.writes } else { &mut self.counts.failures } += 1;
        written
    }

    /// Sees to it that what was written is there to stay.
    ///
    /// # Errors
    ///
    /// [`DriveError`].
    pub(super) fn flush(&mut self) -> Result<(), DriveError> {
        self.drive.flush()
    }

    /// Keeps what the drive has behind the last of the `bytes` bytes of `page`, and makes it zeros there.
    fn take_behind(&mut self, mmu: &mut M, page: Page, bytes: u32) {
        for (kept, (at, ours)) in self.behind.iter_mut().zip(words_behind(page, bytes)) {
            let word = mmu.read(at);
            *kept = word & !ours;
            mmu.write(at, word & ours);
        }
    }

    /// Puts back what [`take_behind`](Self::take_behind) kept.
    fn put_behind(&self, mmu: &mut M, page: Page, bytes: u32) {
        for (kept, (at, ours)) in self.behind.iter().zip(words_behind(page, bytes)) {
            mmu.write(at, mmu.read(at) & ours | kept);
        }
    }
}

/// Returns the words of `page` behind its first `bytes` bytes, up to the end of the sector, and which bits of each are
/// of those bytes.
fn words_behind(page: Page, bytes: u32) -> impl Iterator<Item = (VirtAddr, u32)> {
    let (first, end) = (bytes & !3, bytes.next_multiple_of(SECTOR_SIZE));
    let at = move |offset| VirtAddr::new(page.start().as_u32() + offset);
    let ours = move |offset| if offset < bytes { (1_u32 << (8 * (bytes - offset))) - 1 } else { 0 };
    (first..end).step_by(4).map(move |offset| (at(offset), ours(offset)))
}

/// Who sees the pages of a file that a page table leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum View {
    /// One address space, whose writes never reach the file.
    Private,
    /// All that share the file: there is one table for them, and it is the file.
    Shared,
}

/// A page table whose absent entries stand for pages of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileTable {
    /// Its frame.
    pub frame: Frame,
    /// The file.
    pub file: FileId,
    /// Which of the file's tables: its first entry leads to the file's page 1024 times this.
    pub number: u32,
    /// Who sees it.
    pub view: View,
    /// How many directories lead to it: 1 if it is private, 0 if only what could not be written keeps it.
    pub users: u32,
}

impl FileTable {
    /// Returns which page of the file entry `index` stands for.
    pub fn page(&self, index: u32) -> u32 {
        ENTRIES * self.number + index
    }
}

/// The files, and the page tables through which they are seen.
pub struct Files<M> {
    files: Vec<Option<File<M>>>,
    tables: Vec<FileTable>,
}

impl<M> Files<M> {
    /// No file.
    pub const NONE: Self = Self { files: Vec::new(), tables: Vec::new() };

    /// Adds a file.
    pub fn add(&mut self, file: File<M>) -> FileId {
        self.files.push(Some(file));
        FileId(self.files.len() as u32 - 1)
    }

    /// Takes a file away that nobody sees. Returns it; `None` if somebody does, or there is none.
    pub fn remove(&mut self, id: FileId) -> Option<File<M>> {
        let is_seen = self.tables.iter().any(|table| table.file == id);
        if is_seen { None } else { self.files.get_mut(id.0 as usize)?.take() }
    }

    /// Returns a file.
    pub fn get(&self, id: FileId) -> Option<&File<M>> {
        self.files.get(id.0 as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: FileId) -> Option<&mut File<M>> {
        self.files.get_mut(id.0 as usize)?.as_mut()
    }

    /// Returns all files, in the order of their numbers.
    pub fn all(&self) -> impl Iterator<Item = (FileId, &File<M>)> {
        (0..).zip(&self.files).filter_map(|(number, file)| Some((FileId(number), file.as_ref()?)))
    }

    /// Returns all page tables of files.
    pub fn tables(&self) -> &[FileTable] {
        &self.tables
    }

    /// Returns what the page table in `frame` is of, if it is a file's.
    pub fn table(&self, frame: Frame) -> Option<FileTable> {
        self.tables.iter().find(|table| table.frame == frame).copied()
    }

    /// Returns the shared table `number` of a file, if it has one.
    pub(super) fn shared_table(&self, file: FileId, number: u32) -> Option<FileTable> {
        let is_it = |table: &&FileTable| table.view == View::Shared && table.file == file && table.number == number;
        self.tables.iter().find(is_it).copied()
    }

    /// Makes room for one more table, so that [`Self::add_table`] needs none.
    ///
    /// # Errors
    ///
    /// If the heap has none.
    pub(super) fn reserve_table(&mut self) -> Result<(), TryReserveError> {
        self.tables.try_reserve(1)
    }

    pub(super) fn add_table(&mut self, table: FileTable) {
        self.tables.push(table);
    }

    pub(super) fn remove_table(&mut self, frame: Frame) {
        self.tables.retain(|table| table.frame != frame);
    }

    /// Counts one more directory that leads to the table in `frame`.
    pub(super) fn count_up(&mut self, frame: Frame) {
        if let Some(table) = self.table_mut(frame) {
            table.users += 1;
        }
    }

    /// Counts one directory less that leads to the table in `frame`.
    pub(super) fn count_down(&mut self, frame: Frame) {
        if let Some(table) = self.table_mut(frame) {
            table.users -= 1;
        }
    }

    fn table_mut(&mut self, frame: Frame) -> Option<&mut FileTable> {
        self.tables.iter_mut().find(|table| table.frame == frame)
    }
}
