//! The machine's memory, which is a file: what the machine writes is there at once. So is its drive.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes of a frame, and entries of a table.
pub const FRAME: u32 = 4096;

/// The words of a frame.
pub type Words = Vec<u32>;

/// The memory of a machine, or what is on its drive, in as many pieces as there are pages for.
#[derive(Debug)]
pub struct Ram {
    file: File,
    frames: u32,
}

impl Ram {
    /// Makes the memory, or the drive, of a machine that has `file` for it.
    ///
    /// # Errors
    ///
    /// If its length cannot be read, or no machine has so much.
    pub fn new(file: File) -> io::Result<Self> {
        let frames = u32::try_from(file.metadata()?.len() / u64::from(FRAME)).map_err(io::Error::other)?;
        Ok(Self { file, frames })
    }

    /// Returns how many frames there are. All lie below the hole that a PC has under 4 GiB, so the file has none.
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Reads the words of `count` bytes from the physical address `start` on.
    ///
    /// # Errors
    ///
    /// If they are not all in the memory.
    pub fn words(&self, start: u32, count: u32) -> io::Result<Words> {
        let mut bytes = vec![0; 4 * count as usize];
        self.file.read_exact_at(&mut bytes, u64::from(start))?;
        Ok(bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }

    /// Reads `count` bytes from the physical address `start` on.
    ///
    /// # Errors
    ///
    /// If they are not all in the memory.
    pub fn bytes(&self, start: u32, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.file.read_exact_at(&mut bytes, u64::from(start))?;
        Ok(bytes)
    }

    /// Reads the words of a frame.
    ///
    /// # Errors
    ///
    /// If there is no such frame.
    pub fn frame(&self, number: u32) -> io::Result<Words> {
        if number >= self.frames {
            return Err(io::Error::other(format!("frame {number:#x} is past the end of memory")));
        }
        self.words(number * FRAME, FRAME / 4)
    }
}
