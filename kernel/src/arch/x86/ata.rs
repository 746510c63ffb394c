//! The first hard disk: the master on the primary IDE channel, by programmed I/O.
//!
//! Each command is waited for by looking at the status again and again; the disk raises no interrupts.
//!
//! Source: ATA/ATAPI-6 (T13 project 1410D), chapters 7, registers, and 8, commands.

use super::mmu::X86Mmu;
use crate::addr::Page;
use crate::paging::{Drive, DriveError, SECTOR_SIZE, SECTORS_A_PAGE, check_sectors};
use crate::text::Text;
use core::arch::asm;
use x86::io::{inb, outb};

/// The most sectors that a disk may say it has: commands have 28 bits for the number of one (LBA28). What a larger disk has
/// beyond, after 128 GiB, is not used.
const MOST_SECTORS: u32 = (1 << 28) - 1;

const DATA: u16 = 0x1F0;
const ERROR: u16 = 0x1F1;
const SECTOR_COUNT: u16 = 0x1F2;
const LBA_LOW: u16 = 0x1F3;
const LBA_MIDDLE: u16 = 0x1F4;
const LBA_HIGH: u16 = 0x1F5;
const DEVICE: u16 = 0x1F6;
/// The status when it is read, the command when it is written.
const STATUS: u16 = 0x1F7;
const COMMAND: u16 = 0x1F7;
/// The status once more, which takes the disk 100 ns to answer; the control register when it is written.
const ALTERNATE_STATUS: u16 = 0x3F6;
const CONTROL: u16 = 0x3F6;

const BUSY: u8 = 0x80;
const DEVICE_FAULT: u8 = 0x20;
const DATA_REQUEST: u8 = 0x08;
const FAILED: u8 = 0x01;

/// In [`CONTROL`]: no interrupts.
const NO_INTERRUPTS: u8 = 0x02;
/// In [`DEVICE`]: the master, and sectors by number (LBA); the lower four bits are the highest of the number.
const MASTER_BY_NUMBER: u8 = 0xE0;

const READ_MULTIPLE: u8 = 0xC4;
const WRITE_MULTIPLE: u8 = 0xC5;
const SET_MULTIPLE_MODE: u8 = 0xC6;
const FLUSH_CACHE: u8 = 0xE7;
const IDENTIFY_DEVICE: u8 = 0xEC;

/// How often the status is looked at before a disk counts as silent: longer than any disk needs, on any processor.
const PATIENCE: u32 = 1 << 24;

/// The disk.
#[derive(Debug)]
pub struct Ata {
    sectors: u32,
    model: Text<40>,
}

impl Ata {
    /// Looks for the disk and makes it ready. `None` where there is none, or a CD drive, or one of before 1994 that does not
    /// number its sectors.
    pub fn find() -> Option<Self> {
        outp(CONTROL, NO_INTERRUPTS);
        outp(DEVICE, MASTER_BY_NUMBER);
        // Until the disk that is selected answers, the status may be that of another, or 0.
        for _ in 0..4 {
            inp(ALTERNATE_STATUS);
        }
        // No disk: the lines float, or nobody drives them.
        if matches!(inp(STATUS), 0x00 | 0xFF) {
            return None;
        }
        let mut words = [0; 128];
        command(IDENTIFY_DEVICE, 0, 0).ok()?;
        await_data().ok()?;
        read_data(&mut words);
        // Words 47, 49, 60 and 61.
        let (most_at_once, capabilities, sectors) = (words[23] >> 16 & 0xFF, words[24] >> 16, words[30]);
        if capabilities & 1 << 9 == 0 || most_at_once < SECTORS_A_PAGE {
            return None;
        }
        command(SET_MULTIPLE_MODE, SECTORS_A_PAGE as u8, 0).ok()?;
        await_end().ok()?;
        // Two characters a 16-bit word, the first one in its upper half; words 27 to 46.
        let mut model = [0; 40];
        for (to, at) in model.chunks_exact_mut(2).zip(27..) {
            let word: u32 = words[at / 2] >> (16 * (at % 2));
            to.copy_from_slice(&(word as u16).to_be_bytes());
        }
        Some(Self { sectors: sectors.min(MOST_SECTORS), model: Text::copied(model.trim_ascii_end()) })
    }

    /// Returns what it is called.
    pub fn model(&self) -> &str {
        self.model.as_str()
    }

    /// Begins a transfer: returns when the disk is ready for its data.
    fn transfer(&self, code: u8, first: u32, count: u32) -> Result<(), DriveError> {
        check_sectors(self.sectors, first, count)?;
        command(code, count as u8, first)?;
        await_data()
    }
}

impl Drive<X86Mmu> for Ata {
    fn sectors(&self) -> u32 {
        self.sectors
    }

    /// Has all that was written reach the disk itself.
    fn flush(&mut self) -> Result<(), DriveError> {
        command(FLUSH_CACHE, 0, 0)?;
        await_end().map(|_| ())
    }

    fn read(&mut self, _: &mut X86Mmu, first: u32, count: u32, page: Page) -> Result<(), DriveError> {
        self.transfer(READ_MULTIPLE, first, count)?;
        // SAFETY: (1) the page is mapped and writable, as `Drive` demands; (2) the holder of the right to edit page
        // tables vouches that no object lies there; (3) the disk has as many words ready.
        unsafe {
            asm!(
                "rep insd",
                inout("ecx") count * SECTOR_SIZE / 4 => _,
                inout("edi") page.start().as_u32() => _,
                in("dx") DATA,
                options(nostack, preserves_flags)
            );
        }
        await_end().map(|_| ())
    }

    fn write(&mut self, _: &X86Mmu, first: u32, count: u32, page: Page) -> Result<(), DriveError> {
        self.transfer(WRITE_MULTIPLE, first, count)?;
        // SAFETY: (1) the page is mapped, as `Drive` demands; (2) any 32 bits are a word; (3) the disk waits for as many.
        // `esi` is the compiler's own, so it is put back.
        unsafe {
            asm!(
                "xchg esi, {page}",
                "rep outsd",
                "mov esi, {page}",
                page = inout(reg) page.start().as_u32() => _,
                inout("ecx") count * SECTOR_SIZE / 4 => _,
                in("dx") DATA,
                options(nostack, readonly, preserves_flags)
            );
        }
        await_end().map(|_| ())
    }
}

/// Gives the disk a command about `count` sectors from `first` on.
fn command(code: u8, count: u8, first: u32) -> Result<(), DriveError> {
    await_idle()?;
    let [low, middle, high, highest] = first.to_le_bytes();
    outp(DEVICE, MASTER_BY_NUMBER | highest);
    outp(SECTOR_COUNT, count);
    outp(LBA_LOW, low);
    outp(LBA_MIDDLE, middle);
    outp(LBA_HIGH, high);
    outp(COMMAND, code);
    // The status counts 400 ns later.
    for _ in 0..4 {
        inp(ALTERNATE_STATUS);
    }
    Ok(())
}

/// Waits until the disk does nothing, and returns its status.
fn await_idle() -> Result<u8, DriveError> {
    for _ in 0..PATIENCE {
        let status = inp(STATUS);
        if status & BUSY == 0 {
            return Ok(status);
        }
    }
    Err(DriveError::Silent(inp(STATUS)))
}

/// Waits for the end of a command.
fn await_end() -> Result<u8, DriveError> {
    // An error counts before everything else.
    match await_idle()? {
        status if status & (FAILED | DEVICE_FAULT) != 0 => Err(DriveError::Failed(status, inp(ERROR))),
        status => Ok(status),
    }
}

/// Waits until the disk is ready for the data of a command.
fn await_data() -> Result<(), DriveError> {
    match await_end()? {
        status if status & DATA_REQUEST == 0 => Err(DriveError::NotReady(status)),
        _ => Ok(()),
    }
}

fn read_data(words: &mut [u32; 128]) {
    // SAFETY: the array has the words that are read.
    unsafe {
        asm!(
            "rep insd",
            inout("ecx") words.len() => _,
            inout("edi") words.as_mut_ptr() => _,
            in("dx") DATA,
            options(nostack, preserves_flags)
        );
    }
}

fn inp(register: u16) -> u8 {
    // SAFETY: a register of the primary IDE channel; reading one changes no memory.
    unsafe { inb(register) }
}

fn outp(register: u16, value: u8) {
    // SAFETY: a register of the primary IDE channel, whose disk is moved by programmed I/O only, so it writes to no memory.
    unsafe { outb(register, value) }
}
