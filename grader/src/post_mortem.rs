//! Post-mortems: what a machine that did not pass looked like when it was stopped.

use crate::backtrace::{LARGE, PRESENT, backtrace};
use crate::memory::Ram;
use crate::qemu::Session;
use crate::qemu::log::{self, Delivery};
use crate::qemu::registers::Registers;
use crate::symbols::{CodeLocation, Symbols};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// How many of the last exceptions are told.
const EXCEPTIONS: usize = 8;

/// Exceptions have vectors below this one; interrupts of devices come after.
const FIRST_INTERRUPT: u32 = 32;

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
