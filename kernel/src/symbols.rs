//! Names of functions: which one an address lies in.
//!
//! The kernel is linked twice. After the first time `scripts/symbols` makes a table of what lies where in the code; the
//! second time the table is linked in behind all other constants, so that no function moves:
//!
//! ```text
//! +0   count
//! +4   count times: address of a function, offset of its name from the start of the table; ascending
//!      the names, without the crate's own, each with a zero byte behind it; instances of one function share theirs
//! ```
//!
//! Decision: docs/src/decisions/0015-symbols-by-a-second-link.md.

use crate::addr::VirtAddr;
use core::fmt;

/// A table of functions.
#[derive(Clone, Copy, Debug)]
pub struct Symbols<'a>(&'a [u8]);

/// A place in a function. Prints as `module::function+0x12`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Symbol<'a> {
    /// The function's path, without this crate's name.
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
        write!(f, "{}+{:#x}", self.name, self.offset)
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
    fn a_symbol_prints_as_a_name_and_an_offset() {
        let name = "<addr::PhysAddr as core::fmt::Debug>::fmt";
        assert_eq!(std::format!("{}", Symbol { name, offset: 0x1F }), "<addr::PhysAddr as core::fmt::Debug>::fmt+0x1f");
    }
}
