//! A screen's worth of lines: labels on the left, words wrapped behind them, and never more than there is room for.

use core::fmt;

/// How text is to look, where there are colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// As everything else.
    Plain,
    /// The headline of a crash.
    Alarm,
    /// A line that the reader must not miss.
    Strong,
    /// Names of lines.
    Label,
}

/// Something that text can be written on.
pub trait Output: fmt::Write {
    /// Changes how the text from here on looks.
    fn set_style(&mut self, style: Style);
}

/// Characters in a line.
pub const COLUMNS: usize = 80;
/// Lines of a screen: one less than a screen has, so that nothing scrolls away when a prompt follows.
pub const ROWS: usize = 24;
/// Where the words behind the labels start.
const INDENT: usize = 7;

/// Lines on a output.
pub struct Screen<'a, P> {
    output: &'a mut P,
    row: usize,
    column: usize,
    kept: usize,
    spaces: usize,
    word: [u8; COLUMNS],
    length: usize,
}

impl<'a, P: Output> Screen<'a, P> {
    /// Starts at the top of an empty screen.
    pub fn new(output: &'a mut P) -> Self {
        Self { output, row: 0, column: 0, kept: 0, spaces: 0, word: [0; COLUMNS], length: 0 }
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
        self.output.set_style(Style::Alarm);
        self.words(words);
    }

    /// Writes a label and words behind it, wrapped where needed. Words for which no line is left are lost.
    pub fn entry(&mut self, label: &str, style: Style, words: fmt::Arguments<'_>) {
        if self.room() > 0 {
            self.output.set_style(Style::Label);
            // A output takes all text.
            let _ = write!(self.output, "{label:INDENT$}");
            self.column = INDENT;
            self.output.set_style(style);
            self.words(words);
        }
    }

    fn words(&mut self, words: fmt::Arguments<'_>) {
        let _ = fmt::write(self, words);
        self.end_word();
        self.output.set_style(Style::Plain);
        if self.room() > 0 {
            self.end_line();
        }
        self.spaces = 0;
    }

    fn end_line(&mut self) {
        let _ = self.output.write_char('\n');
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
        let _ = write!(self.output, "{:spaces$}{word}", "");
        self.column += spaces + length;
    }
}

impl<P: Output> fmt::Write for Screen<'_, P> {
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

    impl Output for String {
        fn set_style(&mut self, _: Style) {}
    }

    #[test]
    fn words_wrap_behind_the_label() {
        let mut text = String::new();
        let mut screen = Screen::new(&mut text);
        screen.entry("why", Style::Plain, format_args!("{}", "word ".repeat(20)));
        screen.entry("next", Style::Plain, format_args!("end"));
        let lines: std::vec::Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], std::format!("why    {}word", "word ".repeat(13)));
        assert_eq!(lines[1], "       word word word word word word");
        assert_eq!(lines[2], "next   end");
        assert!(lines.iter().all(|line| line.len() <= COLUMNS));
    }

    #[test]
    fn a_sheet_is_never_longer_than_a_screen() {
        let mut text = String::new();
        let mut screen = Screen::new(&mut text);
        screen.keep(2);
        screen.entry("", Style::Plain, format_args!("{}", "word ".repeat(1000)));
        assert_eq!(screen.room(), 0);
        screen.keep(0);
        (0..9).for_each(|_| screen.entry("last", Style::Plain, format_args!("line")));
        assert_eq!(text.lines().count(), ROWS);
        assert!(text.ends_with("last   line\nlast   line\n"));
    }

    #[test]
    fn a_word_longer_than_a_line_is_cut() {
        let mut text = String::new();
        Screen::new(&mut text).entry("", Style::Plain, format_args!("{}", "x".repeat(200)));
        assert!(text.lines().all(|line| line.len() <= COLUMNS));
        assert_eq!(text.matches('x').count(), 200);
    }
}
