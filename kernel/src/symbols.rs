//! Names of functions: which one an address lies in.
//!
//! The kernel is linked twice. After the first time `scripts/symbols` makes a table of what lies where in the code; the
//! second time the table is linked in behind all other constants, so that no function moves:
//!
//! ```text
//! +0   count
//! +4   count times: address of a function, offset of its name from the start of the table; ascending
//!      the names, as the compiler mangled them, each with a zero byte behind it
//! ```
//!
//! Decision: docs/src/decisions/0015-symbols-by-a-second-link.md.

use crate::addr::VirtAddr;
use core::fmt::{self, Write};
use rustc_demangle::demangle;

/// A table of functions.
#[derive(Clone, Copy, Debug)]
pub struct Symbols<'a>(&'a [u8]);

/// A place in a function. Prints as `module::function+0x12`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Symbol<'a> {
    /// The function's name, mangled.
    pub name: &'a str,
    /// Bytes from its start.
    pub offset: u32,
}

impl<'a> Symbols<'a> {
    /// Takes the bytes of a table; no bytes are a table of no functions.
    pub const fn new(table: &'a [u8]) -> Self {
        Self(table)
    }

    /// Returns the function that starts at `address` or is the next below it.
    pub fn find(self, address: VirtAddr) -> Option<Symbol<'a>> {
        let (mut low, mut high) = (0, self.word(0)? as usize);
        while low < high {
            let middle = low.midpoint(high);
            if self.word(4 + 8 * middle)? <= address.as_u32() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let entry = 4 + 8 * low.checked_sub(1)?;
        let name = self.0.get(self.word(entry + 4)? as usize..)?.split(|&byte| byte == 0).next()?;
        Some(Symbol { name: str::from_utf8(name).ok()?, offset: address.as_u32() - self.word(entry)? })
    }

    fn word(self, at: usize) -> Option<u32> {
        self.0.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
    }
}

impl fmt::Display for Symbol<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The alternate form leaves out the hash at the end.
        write!(Stripped { out: f, after_crate: false }, "{:#}", demangle(self.name))?;
        write!(f, "+{:#x}", self.offset)
    }
}

/// Leaves out the name of this crate, and the colons behind it. The parts of a path come one by one.
struct Stripped<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    after_crate: bool,
}

impl Write for Stripped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let left_out = text == env!("CARGO_PKG_NAME") || self.after_crate && text == "::";
        self.after_crate = text == env!("CARGO_PKG_NAME");
        if left_out { Ok(()) } else { self.out.write_str(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn table(symbols: &[(u32, &str)]) -> Vec<u8> {
        let mut bytes = Vec::from((symbols.len() as u32).to_le_bytes());
        let mut names = 4 + 8 * symbols.len();
        for (address, name) in symbols {
            bytes.extend(address.to_le_bytes());
            bytes.extend((names as u32).to_le_bytes());
            names += name.len() + 1;
        }
        symbols.iter().for_each(|(_, name)| bytes.extend(name.bytes().chain([0])));
        bytes
    }

    #[test]
    fn an_address_lies_in_the_function_below_it() {
        let table = table(&[(0x10_0000, "_start"), (0x10_0040, "kmain"), (0x10_0100, "last")]);
        let find =
            |address| Symbols::new(&table).find(VirtAddr::new(address)).map(|symbol| (symbol.name, symbol.offset));
        assert_eq!(find(0x0F_FFFF), None);
        assert_eq!(find(0x10_0000), Some(("_start", 0)));
        assert_eq!(find(0x10_003F), Some(("_start", 0x3F)));
        assert_eq!(find(0x10_0040), Some(("kmain", 0)));
        assert_eq!(find(0x20_0000), Some(("last", 0xF_FF00)));
    }

    #[test]
    fn a_damaged_table_knows_nothing() {
        let whole = table(&[(0x10_0000, "_start")]);
        for length in 0..12 {
            assert_eq!(Symbols::new(&whole[..length]).find(VirtAddr::new(0x10_0000)), None);
        }
    }

    #[test]
    fn names_are_demangled_without_hash_and_crate() {
        let name = "_ZN6droste2vm4pool6VmPool7release17h09fd5c455f8be36dE";
        assert_eq!(std::format!("{}", Symbol { name, offset: 0x1F }), "vm::pool::VmPool::release+0x1f");
        let name = "_ZN59_$LT$droste..addr..PhysAddr$u20$as$u20$core..fmt..Debug$GT$3fmt17h4ec54d331222d26aE";
        let printed = std::format!("{}", Symbol { name, offset: 0 });
        assert_eq!(printed, "<addr::PhysAddr as core::fmt::Debug>::fmt+0x0");
    }
}
