//! Words: a string in a fixed buffer, for the time before there is a heap, and plural forms.

use core::fmt;

/// Up to `N` characters of printable ASCII.
#[derive(Clone, PartialEq, Eq)]
pub struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Text<N> {
    /// The empty text.
    pub const EMPTY: Self = Self { bytes: [0; N], length: 0 };

    /// Copies what fits of `source`, up to its first zero byte. What is not printable ASCII becomes a question mark.
    pub fn copied(source: &[u8]) -> Self {
        let mut text = Self::EMPTY;
        let source = source.split(|&byte| byte == 0).next().unwrap_or_default();
        for (to, &from) in text.bytes.iter_mut().zip(source) {
            *to = if from == b' ' || from.is_ascii_graphic() { from } else { b'?' };
        }
        text.length = source.len().min(N);
        text
    }

    /// Prints what fits of `words`.
    pub fn printed(words: fmt::Arguments<'_>) -> Self {
        let mut text = Self::EMPTY;
        // It takes everything, and keeps what fits.
        let _ = fmt::write(&mut text, words);
        text
    }

    /// Returns it as a string.
    pub fn as_str(&self) -> &str {
        // ASCII by construction.
        core::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

/// What doesn't fit is lost. What is not printable ASCII becomes a question mark.
impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let more = Self::copied(text.as_bytes());
        let room = &mut self.bytes[self.length..];
        let fits = more.length.min(room.len());
        room[..fits].copy_from_slice(&more.bytes[..fits]);
        self.length += fits;
        Ok(())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Returns the form of a noun that goes with `count`.
pub const fn plural<'a>(count: u32, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_at_the_first_zero_byte_or_where_its_room_does() {
        assert_eq!(Text::<8>::copied(b"droste\0junk").as_str(), "droste");
        assert_eq!(Text::<4>::copied(b"droste").as_str(), "dros");
    }

    #[test]
    fn what_is_not_printable_is_seen_as_a_question_mark() {
        assert_eq!(Text::<8>::copied(b"a\tb\xFF c").as_str(), "a?b? c");
    }
}
