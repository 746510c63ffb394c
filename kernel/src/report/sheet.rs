//! A screen's worth of lines: labels on the left, words wrapped behind them, and never more than there is room for.

use core::fmt;

/// How text is to look, where there are colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ink {
    /// As everything else.
    Plain,
    /// What went wrong.
    Alarm,
    /// What the reader must not miss.
    Strong,
    /// Names of lines.
    Label,
}

/// Something that text can be written on.
pub trait Paper: fmt::Write {
    /// Changes how the text from here on looks.
    fn ink(&mut self, ink: Ink);
}

/// Characters in a line.
pub const COLUMNS: usize = 80;
/// Lines of a sheet: one less than a screen has, so that nothing scrolls away when a prompt follows.
pub const ROWS: usize = 24;
/// Where the words behind the labels start.
const INDENT: usize = 7;

/// Lines on a paper.
pub struct Sheet<'a, P> {
    paper: &'a mut P,
    row: usize,
    column: usize,
    kept: usize,
    spaces: usize,
    word: [u8; COLUMNS],
    length: usize,
}

impl<'a, P: Paper> Sheet<'a, P> {
    /// Starts at the top of an empty sheet.
    pub fn new(paper: &'a mut P) -> Self {
        Self { paper, row: 0, column: 0, kept: 0, spaces: 0, word: [0; COLUMNS], length: 0 }
    }

    /// Returns how many lines are left.
    pub fn room(&self) -> usize {
        ROWS - self.row - self.kept
    }

    /// Keeps `rows` lines at the end free.
    pub fn keep(&mut self, rows: usize) {
        self.kept = rows.min(ROWS - self.row);
    }

    /// Writes a headline of one or two lines, without a label.
    pub fn headline(&mut self, words: fmt::Arguments<'_>) {
        self.paper.ink(Ink::Alarm);
        self.words(words);
    }

    /// Writes a label and words behind it, wrapped where needed. Words for which no line is left are lost.
    pub fn entry(&mut self, label: &str, ink: Ink, words: fmt::Arguments<'_>) {
        if self.room() > 0 {
            self.paper.ink(Ink::Label);
            // A paper takes all text.
            let _ = write!(self.paper, "{label:INDENT$}");
            self.column = INDENT;
            self.paper.ink(ink);
            self.words(words);
        }
    }

    fn words(&mut self, words: fmt::Arguments<'_>) {
        let _ = fmt::write(self, words);
        self.end_word();
        self.paper.ink(Ink::Plain);
        if self.room() > 0 {
            self.end_line();
        }
        self.spaces = 0;
    }

    fn end_line(&mut self) {
        let _ = self.paper.write_char('\n');
        self.row += 1;
        self.column = 0;
    }

    fn end_word(&mut self) {
        let length = core::mem::take(&mut self.length);
        if length == 0 || self.room() == 0 {
            return;
        }
        let mut spaces = core::mem::take(&mut self.spaces);
        if self.column + spaces + length > COLUMNS && self.column > INDENT {
            self.end_line();
            if self.room() == 0 {
                return;
            }
            spaces = INDENT;
        }
        let word = str::from_utf8(&self.word[..length]).unwrap_or_default();
        let _ = write!(self.paper, "{:spaces$}{word}", "");
        self.column += spaces + length;
    }
}

impl<P: Paper> fmt::Write for Sheet<'_, P> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            match byte {
                b' ' | b'\n' => {
                    self.end_word();
                    self.spaces += 1;
                }
                _ => {
                    // A word as long as a line is cut.
                    if self.length == COLUMNS - INDENT {
                        self.end_word();
                    }
                    self.word[self.length] = if byte.is_ascii_graphic() { byte } else { b'?' };
                    self.length += 1;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;

    impl Paper for String {
        fn ink(&mut self, _: Ink) {}
    }

    #[test]
    fn words_wrap_behind_the_label() {
        let mut text = String::new();
        let mut sheet = Sheet::new(&mut text);
        sheet.entry("why", Ink::Plain, format_args!("{}", "word ".repeat(20)));
        sheet.entry("next", Ink::Plain, format_args!("end"));
        let lines: std::vec::Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], std::format!("why    {}word", "word ".repeat(13)));
        assert_eq!(lines[1], "       word word word word word word");
        assert_eq!(lines[2], "next   end");
        assert!(lines.iter().all(|line| line.len() <= COLUMNS));
    }

    #[test]
    fn a_sheet_is_never_longer_than_a_screen() {
        let mut text = String::new();
        let mut sheet = Sheet::new(&mut text);
        sheet.keep(2);
        sheet.entry("", Ink::Plain, format_args!("{}", "word ".repeat(1000)));
        assert_eq!(sheet.room(), 0);
        sheet.keep(0);
        (0..9).for_each(|_| sheet.entry("last", Ink::Plain, format_args!("line")));
        assert_eq!(text.lines().count(), ROWS);
        assert!(text.ends_with("last   line\nlast   line\n"));
    }

    #[test]
    fn a_word_longer_than_a_line_is_cut() {
        let mut text = String::new();
        Sheet::new(&mut text).entry("", Ink::Plain, format_args!("{}", "x".repeat(200)));
        assert!(text.lines().all(|line| line.len() <= COLUMNS));
        assert_eq!(text.matches('x').count(), 200);
    }
}
