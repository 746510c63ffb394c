//! Drives: sectors that move into a page and out of one.

use super::mmu::Mmu;
use super::shown::Shown;
use crate::addr::{Frame, FrameRange, PAGE_SIZE, Page};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// Bytes of a sector.
pub const SECTOR_SIZE: u32 = 512;

/// Sectors that fill a page.
pub const SECTORS_A_PAGE: u32 = PAGE_SIZE / SECTOR_SIZE;

const WORDS_A_SECTOR: u32 = SECTOR_SIZE / 4;

/// Why a drive did not do what it was asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DriveError {
    /// Not all of the sectors from this one on are on the drive, or they are none, or more than a page holds.
    NoSuchSectors(u32),
    /// It says that it failed: its status and error registers.
    Failed(u8, u8),
    /// It ended a command before any data was moved, and said no error. Its status.
    NotReady(u8),
    /// It did not answer in time. Its status.
    Silent(u8),
    /// It can't be written.
    ReadOnly,
}

impl fmt::Display for DriveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchSectors(first) => write!(f, "the drive has no such sectors from {first} on"),
            Self::Failed(status, error) => write!(f, "the drive failed: status {status:#04x}, error {error:#04x}"),
            Self::NotReady(status) => write!(f, "the drive was not ready for data: status {status:#04x}"),
            Self::ReadOnly => write!(f, "the drive can't be written"),
            Self::Silent(status) => write!(f, "the drive did not answer in time: status {status:#04x}"),
        }
    }
}

/// A drive of a machine whose MMU is an `M`.
pub trait Drive<M> {
    /// Returns how many sectors it has.
    fn sectors(&self) -> u32;

    /// Returns where its first sector is in memory, if it lies there, for whoever reads it from outside.
    fn address(&self) -> Option<usize> {
        None
    }

    /// Reads `count` sectors, 1 to 8, from `first` on into the start of `page`, which must be mapped, writable, a page
    /// that no object of Rust's lies in.
    ///
    /// # Errors
    ///
    /// [`DriveError`]; some of the page may have been written then.
    fn read(&mut self, mmu: &mut M, first: u32, count: u32, page: Page) -> Result<(), DriveError>;

    /// Writes the start of `page`, which must be mapped, to `count` sectors, 1 to 8, from `first` on.
    ///
    /// # Errors
    ///
    /// [`DriveError`]; some of the sectors may have been written then.
    fn write(&mut self, mmu: &M, first: u32, count: u32, page: Page) -> Result<(), DriveError>;

    /// Sees to it that what was written stays when the machine loses its power.
    ///
    /// # Errors
    ///
    /// [`DriveError`].
    fn flush(&mut self) -> Result<(), DriveError> {
        Ok(())
    }
}

/// Checks that a drive of `sectors` sectors can move `count` of them from `first` on at once.
///
/// # Errors
///
/// [`DriveError::NoSuchSectors`] if it can't.
pub fn check_sectors(sectors: u32, first: u32, count: u32) -> Result<(), DriveError> {
    let end = first.checked_add(count).filter(|end| *end <= sectors);
    if end.is_none() || !(1..=SECTORS_A_PAGE).contains(&count) {
        return Err(DriveError::NoSuchSectors(first));
    }
    Ok(())
}

/// What a boot loader put into memory, as a drive that can only be read. Its frames are never handed out.
#[derive(Debug)]
pub struct LoadedDrive {
    frames: FrameRange,
    /// What is shown can't be copied to what is shown elsewhere, so it stays here in between.
    words: Vec<u32>,
}

impl LoadedDrive {
    /// Makes a drive of `frames`, of which no pool hands out one.
    pub fn new(frames: FrameRange) -> Self {
        Self { frames, words: vec![0; PAGE_SIZE as usize / 4] }
    }
}

impl<M: Mmu> Drive<M> for LoadedDrive {
    fn sectors(&self) -> u32 {
        self.frames.len() * SECTORS_A_PAGE
    }

    /// Sectors that do not lie in one frame are refused.
    fn read(&mut self, mmu: &mut M, first: u32, count: u32, page: Page) -> Result<(), DriveError> {
        check_sectors(Drive::<M>::sectors(self), first, count)?;
        let start = first % SECTORS_A_PAGE * WORDS_A_SECTOR;
        let words = start as usize..(start + count * WORDS_A_SECTOR) as usize;
        let shown = Shown::show(mmu, Frame::new(self.frames.start.number() + first / SECTORS_A_PAGE));
        mmu.read_words(Shown::itself(), &mut self.words);
        shown.hide(mmu);
        mmu.write_words(page, self.words.get(words).ok_or(DriveError::NoSuchSectors(first))?);
        Ok(())
    }

    fn write(&mut self, _mmu: &M, _first: u32, _count: u32, _page: Page) -> Result<(), DriveError> {
        Err(DriveError::ReadOnly)
    }
}

/// A drive in the kernel's heap: for measuring what paging costs beside the drive, and for tests.
#[derive(Debug)]
pub struct MemoryDrive {
    words: Vec<u32>,
}

impl MemoryDrive {
    /// Makes a drive that holds `pages` pages, all zeros.
    pub fn new(pages: u32) -> Self {
        Self { words: vec![0; (pages * PAGE_SIZE / 4) as usize] }
    }

    /// Returns the words of these sectors.
    fn at(&mut self, first: u32, count: u32) -> Result<&mut [u32], DriveError> {
        let sectors = self.words.len() as u32 / WORDS_A_SECTOR;
        check_sectors(sectors, first, count)?;
        let words = (first * WORDS_A_SECTOR) as usize..((first + count) * WORDS_A_SECTOR) as usize;
        self.words.get_mut(words).ok_or(DriveError::NoSuchSectors(first))
    }
}

impl<M: Mmu> Drive<M> for MemoryDrive {
    fn sectors(&self) -> u32 {
        self.words.len() as u32 / WORDS_A_SECTOR
    }

    fn address(&self) -> Option<usize> {
        Some(self.words.as_ptr() as usize)
    }

    fn read(&mut self, mmu: &mut M, first: u32, count: u32, page: Page) -> Result<(), DriveError> {
        mmu.write_words(page, self.at(first, count)?);
        Ok(())
    }

    fn write(&mut self, mmu: &M, first: u32, count: u32, page: Page) -> Result<(), DriveError> {
        mmu.read_words(page, self.at(first, count)?);
        Ok(())
    }
}
