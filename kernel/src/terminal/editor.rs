//! A line that can be edited, with history and completion.
//!
//! What is shown needs nothing of a terminal but characters and the backspace, so the same works on a serial line, whatever
//! is behind it, and on the VGA screen. A line is therefore kept shorter than a row.
//!
//! Decision: docs/src/decisions/0014-own-line-editor.md.

use super::keys::Key;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

/// What clears the screen if it is written alone: a form feed.
pub const CLEAR: &str = "\x0C";
/// The longest line that is taken: with the prompt it fits into a row.
pub const LONGEST: usize = 68;
/// How many lines are remembered.
const REMEMBERED: usize = 50;

/// What a key has completed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// A line was entered.
    Line(String),
    /// A line was entered of which a part was refused, since it was longer than [`LONGEST`].
    TooLong,
    /// The line was given up.
    GivenUp,
    /// There is no more to come: an empty line was ended, or a line given up twice.
    End,
}

/// A line that is being typed, and those that were.
#[derive(Debug)]
pub struct Editor {
    line: String,
    cursor: usize,
    history: Vec<String>,
    /// Which line of the history is shown, counted from the latest; 0 is the one that is being typed.
    back: usize,
    /// Whether characters were refused, and nothing was edited since.
    too_long: bool,
    /// Whether the last key gave a line up.
    given_up: bool,
}

impl Editor {
    /// An empty line, and nothing to remember.
    pub const EMPTY: Self =
        Self { line: String::new(), cursor: 0, history: Vec::new(), back: 0, too_long: false, given_up: false };

    /// Takes a key and shows on `out` what it does. Returns what it completes. `candidates` gives, for what stands before
    /// the cursor, the words that its last word can become; `prompt` is shown again behind a list of them.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn key(
        &mut self,
        key: Key,
        out: &mut impl Write,
        prompt: &str,
        candidates: impl FnOnce(&str) -> Vec<&'static str>,
    ) -> Result<Option<Input>, fmt::Error> {
        let length = self.line.len();
        let given_up = core::mem::take(&mut self.given_up);
        let too_long = core::mem::take(&mut self.too_long);
        match key {
            Key::Character(character) => {
                self.too_long = too_long || length == LONGEST;
                self.replace(out, self.cursor..self.cursor, char::from(character).encode_utf8(&mut [0; 4]))?
            }
            Key::Enter if too_long => {
                writeln!(out)?;
                self.take();
                return Ok(Some(Input::TooLong));
            }
            Key::Enter => return self.enter(out).map(Some),
            Key::Tab => self.complete(out, prompt, candidates)?,
            Key::Backspace => self.replace(out, self.cursor.saturating_sub(1)..self.cursor, "")?,
            Key::DeleteOrEnd if length == 0 => {
                writeln!(out)?;
                return Ok(Some(Input::End));
            }
            Key::Delete | Key::DeleteOrEnd => self.replace(out, self.cursor..length.min(self.cursor + 1), "")?,
            Key::DeleteBefore => self.replace(out, 0..self.cursor, "")?,
            Key::DeleteAfter => self.replace(out, self.cursor..length, "")?,
            Key::Left => self.go_to(out, self.cursor.saturating_sub(1))?,
            Key::Right => self.go_to(out, length.min(self.cursor + 1))?,
            Key::Home => self.go_to(out, 0)?,
            Key::End => self.go_to(out, length)?,
            Key::Up => self.recall(out, self.back + 1)?,
            Key::Down => self.recall(out, self.back.saturating_sub(1))?,
            Key::Cancel => {
                writeln!(out, "^C")?;
                self.take();
                self.given_up = !given_up;
                return Ok(Some(if given_up { Input::End } else { Input::GivenUp }));
            }
            Key::ClearScreen => {
                out.write_str(CLEAR)?;
                self.show(out, prompt)?;
            }
        }
        Ok(None)
    }

    fn enter(&mut self, out: &mut impl Write) -> Result<Input, fmt::Error> {
        writeln!(out)?;
        if !self.line.trim().is_empty() && self.history.last() != Some(&self.line) {
            if self.history.len() == REMEMBERED {
                self.history.remove(0);
            }
            self.history.push(self.line.clone());
        }
        Ok(Input::Line(self.take()))
    }

    fn take(&mut self) -> String {
        (self.cursor, self.back) = (0, 0);
        core::mem::take(&mut self.line)
    }

    /// Shows the line again, on an empty row.
    fn show(&mut self, out: &mut impl Write, prompt: &str) -> fmt::Result {
        write!(out, "{prompt}{}", self.line)?;
        let cursor = core::mem::replace(&mut self.cursor, self.line.len());
        self.go_to(out, cursor)
    }

    /// Moves the cursor. To the right it is moved by writing what is there already.
    fn go_to(&mut self, out: &mut impl Write, place: usize) -> fmt::Result {
        (place..self.cursor).try_for_each(|_| out.write_str("\x08"))?;
        out.write_str(self.line.get(self.cursor..place).unwrap_or_default())?;
        self.cursor = place;
        Ok(())
    }

    /// Puts `new` in the place of part of the line, and the cursor behind it. What would make the line too long is refused.
    fn replace(&mut self, out: &mut impl Write, part: core::ops::Range<usize>, new: &str) -> fmt::Result {
        let length = self.line.len();
        if length - part.len() + new.len() > LONGEST {
            return Ok(());
        }
        self.go_to(out, part.start)?;
        self.line.replace_range(part.clone(), new);
        out.write_str(&self.line[part.start..])?;
        // What was longer before is overwritten by blanks.
        let blanks = length.saturating_sub(self.line.len());
        write!(out, "{:blanks$}", "")?;
        (0..blanks).try_for_each(|_| out.write_str("\x08"))?;
        self.cursor = self.line.len();
        self.go_to(out, part.start + new.len())
    }

    fn recall(&mut self, out: &mut impl Write, back: usize) -> fmt::Result {
        let recalled = match back {
            0 => "",
            _ => match self.history.len().checked_sub(back) {
                Some(place) => &self.history[place],
                None => return Ok(()),
            },
        };
        let recalled = String::from(recalled);
        self.back = back;
        self.replace(out, 0..self.line.len(), &recalled)
    }

    fn complete(
        &mut self,
        out: &mut impl Write,
        prompt: &str,
        candidates: impl FnOnce(&str) -> Vec<&'static str>,
    ) -> fmt::Result {
        let before = &self.line[..self.cursor];
        let word = before.rsplit(' ').next().unwrap_or_default().len();
        let candidates = candidates(before);
        let Some(first) = candidates.first() else {
            return Ok(());
        };
        let common = candidates.iter().map(|other| common_length(first, other)).min().unwrap_or(0);
        let part = self.cursor - word..self.cursor;
        match candidates.len() {
            1 => {
                self.replace(out, part.clone(), first)?;
                self.replace(out, self.cursor..self.cursor, " ")
            }
            _ if common > word => self.replace(out, part, &first[..common]),
            _ => {
                writeln!(out)?;
                candidates.iter().try_for_each(|candidate| write!(out, "{candidate} "))?;
                writeln!(out)?;
                self.show(out, prompt)
            }
        }
    }
}

/// Returns how many bytes the two have in common at their start.
fn common_length(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::keys::Keys;

    /// A row of a terminal.
    #[derive(Default)]
    struct Row {
        cells: Vec<u8>,
        column: usize,
    }

    impl Write for Row {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for byte in text.bytes() {
                match byte {
                    b'\n' | b'\x0C' => *self = Self::default(),
                    0x08 => self.column -= 1,
                    _ => {
                        self.cells.resize(self.cells.len().max(self.column + 1), b' ');
                        self.cells[self.column] = byte;
                        self.column += 1;
                    }
                }
            }
            Ok(())
        }
    }

    fn words(before: &str) -> Vec<&'static str> {
        let last = before.rsplit(' ').next().unwrap_or_default();
        ["walk", "why", "write", "maps"].into_iter().filter(|word| word.starts_with(last)).collect()
    }

    /// Types `bytes`. Returns the lines that were entered; what is on the row at the end must be the line being typed.
    fn typed(bytes: &[u8]) -> (Vec<Input>, String) {
        let (mut editor, mut keys, mut row) = (Editor::EMPTY, Keys::NONE, Row::default());
        let mut lines = Vec::new();
        for byte in bytes {
            if let Some(key) = keys.add(*byte) {
                lines.extend(editor.key(key, &mut row, "", words).unwrap());
            }
        }
        let shown = String::from_utf8(row.cells).unwrap();
        assert_eq!(shown.trim_end(), editor.line.trim_end());
        assert_eq!(row.column, editor.cursor);
        (lines, editor.line)
    }

    #[test]
    fn characters_go_in_and_out_where_the_cursor_is() {
        assert_eq!(typed(b"wlk\x02\x02a\x05 1\x08\x082").1, "walk2");
        assert_eq!(typed(b"abc\x01\x1B[3~x\x1B[C\x0B").1, "xb");
        assert_eq!(typed(b"abc\x02\x15").1, "c");
        assert_eq!(typed(b"\x08\x1B[D\x1B[3~a").1, "a");
    }

    #[test]
    fn lines_come_back_from_the_history() {
        let (lines, last) = typed(b"first\rsecond\r\x1B[A\x1B[A\r\x1B[A\x1B[A\x1B[A\x1B[A\x1B[B");
        assert_eq!(lines, ["first", "second", "first"].map(|line| Input::Line(line.into())));
        assert_eq!(last, "second");
    }

    #[test]
    fn a_tab_completes_as_far_as_it_is_clear() {
        assert_eq!(typed(b"ma\t").1, "maps ");
        assert_eq!(typed(b"wr\tx").1, "write x");
        assert_eq!(typed(b"w\t").1, "w");
        assert_eq!(typed(b"zz\t").1, "zz");
    }

    #[test]
    fn a_line_given_up_is_empty() {
        assert_eq!(typed(b"half\x03whole\r").0, [Input::GivenUp, Input::Line("whole".into())]);
    }

    #[test]
    fn a_line_given_up_twice_in_turn_is_the_end() {
        assert_eq!(typed(b"half\x03\x03").0, [Input::GivenUp, Input::End]);
        assert_eq!(typed(b"half\x03x\x03").0, [Input::GivenUp, Input::GivenUp]);
    }

    #[test]
    fn control_d_deletes_in_a_line_and_ends_an_empty_one() {
        assert_eq!(typed(b"abc\x01\x04").1, "bc");
        assert_eq!(typed(b"abc\x15\x04").0, [Input::End]);
    }

    #[test]
    fn the_line_stays_when_the_screen_is_cleared() {
        assert_eq!(typed(b"abc\x02\x0Cx").1, "abxc");
    }

    #[test]
    fn a_line_is_never_longer_than_a_row() {
        assert_eq!(typed(&[b'x'; 200]).1.len(), LONGEST);
    }

    #[test]
    fn a_line_that_was_cut_is_not_carried_out() {
        let mut keys = std::vec![b'x'; LONGEST];
        keys.push(b'\r');
        assert_eq!(typed(&keys).0, [Input::Line("x".repeat(LONGEST))]);
        keys.insert(0, b'x');
        assert_eq!(typed(&keys).0, [Input::TooLong]);
        // Whoever edits it has seen what is left.
        keys.insert(LONGEST + 1, 0x08);
        assert_eq!(typed(&keys).0, [Input::Line("x".repeat(LONGEST - 1))]);
    }
}
