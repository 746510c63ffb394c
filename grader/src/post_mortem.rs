//! Post-mortems: what a machine that did not pass looked like when it was stopped.

use crate::memory::Ram;
use crate::qemu::Session;
use crate::qemu::log::{self, Delivery};
use crate::qemu::registers::Registers;
use crate::symbols::{CodeLocation, Symbols};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// How many callers a backtrace has at most.
const CALLERS: usize = 24;

/// How many of the last exceptions are told.
const EXCEPTIONS: usize = 8;

/// Exceptions have vectors below this one; interrupts of devices come after.
const FIRST_INTERRUPT: u32 = 32;

const PRESENT: u32 = 1 << 0;
const LARGE: u32 = 1 << 7;

/// What a machine looked like.
#[derive(Clone, Debug)]
pub struct PostMortem {
    /// The processor's registers.
    pub registers: Registers,
    /// The way of CR2 through directory and table.
    pub walk: Vec<String>,
    /// Where the processor was, and who called that.
    pub backtrace: Vec<CodeLocation>,
    /// The last exceptions, oldest first, and where each came up; none if they were not logged.
    pub exceptions: Vec<(Delivery, CodeLocation)>,
    /// The screen, unless QEMU did not save it.
    pub picture: Option<PathBuf>,
}

impl PostMortem {
    /// Looks at a machine that stands still, and saves its screen in `picture`.
    ///
    /// # Errors
    ///
    /// If QEMU does not answer.
    pub fn new(session: &mut Session, symbols: &Symbols, picture: &Path) -> io::Result<Self> {
        let registers = session.registers()?;
        let saved = session.screen(picture).is_ok();
        let mut exceptions = log::deliveries(&session.log());
        exceptions.retain(|delivery| delivery.vector < FIRST_INTERRUPT);
        let exceptions = exceptions.split_off(exceptions.len().saturating_sub(EXCEPTIONS));
        let placed = |delivery: Delivery| {
            let place = symbols.place(delivery.eip);
            (delivery, place)
        };
        let ram = session.ram();
        Ok(Self {
            walk: walk(ram, &registers, registers.cr2),
            backtrace: backtrace(ram, &registers).into_iter().map(|address| symbols.place(address)).collect(),
            exceptions: exceptions.into_iter().map(placed).collect(),
            picture: saved.then(|| picture.into()),
            registers,
        })
    }

    /// Returns where the last exception came up, or else where the processor was.
    pub fn place(&self) -> Option<&CodeLocation> {
        self.exceptions.last().map(|(_, place)| place).or(self.backtrace.first())
    }
}

/// Reads the word at a virtual address.
fn word(ram: &Ram, registers: &Registers, address: u32) -> Option<u32> {
    let physical = if registers.paging() { translate(ram, registers.cr3, address)? } else { address };
    ram.words(physical, 1).ok().map(|words| words[0])
}

fn translate(ram: &Ram, cr3: u32, address: u32) -> Option<u32> {
    let entry = |table: u32, index: u32| {
        let entry = ram.words((table & !0xFFF) + 4 * index, 1).ok()?[0];
        (entry & PRESENT != 0).then_some(entry)
    };
    let directory = entry(cr3, address >> 22)?;
    if directory & LARGE != 0 {
        return Some(directory & 0xFFC0_0000 | address & 0x003F_FFFF);
    }
    Some(entry(directory, address >> 12 & 0x3FF)? & !0xFFF | address & 0xFFF)
}

/// Returns the address of the current instruction and of those after each call that led there, by the frame pointers.
fn backtrace(ram: &Ram, registers: &Registers) -> Vec<u32> {
    let mut found = vec![registers.eip];
    let mut frame = registers.ebp;
    while frame != 0 && found.len() <= CALLERS {
        let (Some(next), Some(back)) = (word(ram, registers, frame), word(ram, registers, frame.wrapping_add(4)))
        else {
            break;
        };
        if back == 0 {
            break;
        }
        found.push(back);
        if next <= frame {
            break;
        }
        frame = next;
    }
    found
}

/// Tells the way of an address through directory and table, a line each.
fn walk(ram: &Ram, registers: &Registers, address: u32) -> Vec<String> {
    if !registers.paging() {
        return vec!["paging is off".into()];
    }
    let mut lines = Vec::new();
    let mut look = |what: &str, table: u32, index: u32| {
        let at = (table & !0xFFF) + 4 * index;
        let entry = ram.words(at, 1).ok().map(|words| words[0]);
        lines.push(match entry {
            Some(entry) if entry & PRESENT != 0 => format!("{what} {index:#x}, at p{at:#010x}: {entry:#010x}, present"),
            Some(entry) => format!("{what} {index:#x}, at p{at:#010x}: {entry:#010x}, absent"),
            None => format!("{what} {index:#x}, at p{at:#010x}: not in the memory"),
        });
        entry.filter(|entry| entry & PRESENT != 0)
    };
    if let Some(directory) = look("directory entry", registers.cr3, address >> 22)
        && directory & LARGE == 0
    {
        look("table entry", directory, address >> 12 & 0x3FF);
    }
    lines
}

impl fmt::Display for PostMortem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Registers\n{}", self.registers)?;
        writeln!(f, "\nThe way of CR2 ({:#010x})", self.registers.cr2)?;
        self.walk.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        writeln!(f, "\nBacktrace")?;
        self.backtrace.iter().try_for_each(|place| writeln!(f, "  {place}"))?;
        if !self.exceptions.is_empty() {
            writeln!(f, "\nThe last exceptions")?;
        }
        self.exceptions.iter().try_for_each(|(delivery, place)| writeln!(f, "  {delivery}: {place}"))?;
        self.picture.as_ref().map_or(Ok(()), |_| writeln!(f, "\nThe screen is in screen.png"))
    }
}
