//! The words of a command line: addresses, sizes, numbers.

use crate::addr::VirtAddr;
use alloc::string::String;
use alloc::vec::Vec;

/// The words behind a command's name.
#[derive(Clone, Debug)]
pub struct Words<'a>(core::str::SplitAsciiWhitespace<'a>);

/// The words are not what the command takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadWords;

impl<'a> Words<'a> {
    /// Splits a line at blanks.
    pub fn new(line: &'a str) -> Self {
        Self(line.split_ascii_whitespace())
    }

    /// Takes the next word, if there is one.
    pub fn word(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    /// Takes the next word, which must be there.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn needed(&mut self) -> Result<&'a str, BadWords> {
        self.word().ok_or(BadWords)
    }

    /// Takes an address: hexadecimal, with or without `0x`, with underscores where one likes.
    ///
    /// # Errors
    ///
    /// There is no word, or it is no address.
    pub fn address(&mut self) -> Result<VirtAddr, BadWords> {
        let word = self.needed()?;
        digits(word.strip_prefix("0x").unwrap_or(word), 16).map(VirtAddr::new).ok_or(BadWords)
    }

    /// Takes a number: decimal, or hexadecimal with `0x`; behind it K, M or G may stand for 2^10, 2^20 or 2^30.
    ///
    /// # Errors
    ///
    /// There is no word, or it is no number below 2^32.
    pub fn number(&mut self) -> Result<u32, BadWords> {
        number(self.needed()?).ok_or(BadWords)
    }

    /// Takes a number if there is another word, and else returns `default`.
    ///
    /// # Errors
    ///
    /// The word is no number below 2^32.
    pub fn number_or(&mut self, default: u32) -> Result<u32, BadWords> {
        self.word().map_or(Some(default), number).ok_or(BadWords)
    }

    /// Takes all words that are left, with a blank between two.
    pub fn rest(&mut self) -> String {
        Vec::from_iter(&mut self.0).join(" ")
    }

    /// Makes sure that there are no more words.
    ///
    /// # Errors
    ///
    /// There are.
    pub fn end(&mut self) -> Result<(), BadWords> {
        self.word().map_or(Ok(()), |_| Err(BadWords))
    }
}

fn number(word: &str) -> Option<u32> {
    if let Some(hexadecimal) = word.strip_prefix("0x") {
        return digits(hexadecimal, 16);
    }
    let (word, unit) = match word.as_bytes().last()?.to_ascii_uppercase() {
        b'K' => (&word[..word.len() - 1], 1 << 10),
        b'M' => (&word[..word.len() - 1], 1 << 20),
        b'G' => (&word[..word.len() - 1], 1 << 30),
        _ => (word, 1),
    };
    digits(word, 10)?.checked_mul(unit)
}

/// Reads digits of `base`, with underscores between them.
fn digits(word: &str, base: u32) -> Option<u32> {
    let mut digits = word.chars().filter(|character| *character != '_').peekable();
    digits.peek()?;
    digits.try_fold(0_u32, |number, digit| number.checked_mul(base)?.checked_add(digit.to_digit(base)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_hexadecimal() {
        for word in ["0x4000_1000", "40001000", "4000_1000"] {
            assert_eq!(Words::new(word).address(), Ok(VirtAddr::new(0x4000_1000)));
        }
        for word in ["", "0x", "_", "0x1_0000_0000", "4000g", "-1"] {
            assert_eq!(Words::new(word).address(), Err(BadWords), "{word}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (word, number) in [("4K", 4096), ("16M", 16 << 20), ("3g", 3 << 30), ("0x10", 16), ("1_000", 1000)] {
            assert_eq!(Words::new(word).number(), Ok(number));
        }
        for word in ["4G", "K", "", "4KK", "0x4K", "ä"] {
            assert_eq!(Words::new(word).number(), Err(BadWords), "{word}");
        }
    }

    #[test]
    fn what_comes_after_the_end_is_refused() {
        let mut words = Words::new(" touch  1 2 ");
        assert_eq!(
            (words.word(), words.number_or(7), words.number_or(7), words.number_or(7)),
            (Some("touch"), Ok(1), Ok(2), Ok(7))
        );
        assert_eq!(words.end(), Ok(()));
        assert_eq!(Words::new("x").end(), Err(BadWords));
    }
}
