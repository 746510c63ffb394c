//! The text of the screen: 80 columns and 25 rows of cells, kept in memory, since what shows them is slow to read.

/// Columns of the screen.
pub const COLUMNS: usize = 80;

/// Rows of the screen.
pub const ROWS: usize = 25;

/// The colours of a cell, as VGA's text memory has them: the background in bits 6 to 4, the character in bits 3 to 0.
pub type Colours = u8;

/// Light grey on black.
pub const PLAIN: Colours = 0x07;

/// A character of ASCII in the low byte and its colours in the high one, as in VGA's text memory. Bit 7, which no character
/// of ASCII has, marks the cursor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cell(u16);

impl Cell {
    /// No cell: it differs from all others.
    const NONE: Self = Self(0);
    const CURSOR: u16 = 1 << 7;

    /// Makes a cell. What isn't printable ASCII becomes a question mark.
    pub const fn new(character: char, colours: Colours) -> Self {
        let printable = character.is_ascii_graphic() || character == ' ';
        let character = if printable { character } else { '?' };
        Self((colours as u16) << 8 | character as u16)
    }

    /// Returns the cell as VGA's text memory holds it, without the cursor.
    pub const fn bits(self) -> u16 {
        self.0 & !Self::CURSOR
    }

    /// Returns the character, which is printable ASCII.
    pub const fn character(self) -> char {
        self.bits() as u8 as char
    }

    /// Returns the number of the foreground's colour, below 16.
    pub const fn foreground(self) -> usize {
        (self.0 >> 8 & 0xF) as usize
    }

    /// Returns the number of the background's colour, below 8: VGA's text mode takes the bit above for blinking.
    pub const fn background(self) -> usize {
        (self.0 >> 12 & 0x7) as usize
    }

    /// Says whether the cursor is here.
    pub const fn has_cursor(self) -> bool {
        self.0 & Self::CURSOR != 0
    }

    const fn with_cursor(self) -> Self {
        Self(self.0 | Self::CURSOR)
    }
}

/// The cells, the place where the next character goes, and what of it all has been shown.
pub struct Cells {
    cells: [[Cell; COLUMNS]; ROWS],
    shown: [[Cell; COLUMNS]; ROWS],
    /// A bit for each row that may differ from what is shown; row 0 has the lowest.
    changed: u32,
    row: usize,
    /// From 0 to `COLUMNS`: a full row ends only when another character comes.
    column: usize,
    colours: Colours,
}

impl Cells {
    const BLANK: [Cell; COLUMNS] = [Cell::new(' ', PLAIN); COLUMNS];
    const ALL_ROWS: u32 = (1 << ROWS) - 1;

    /// Blank cells in plain colours, none of them shown.
    pub const BLANKS: Self = Self {
        cells: [Self::BLANK; ROWS],
        shown: [[Cell::NONE; COLUMNS]; ROWS],
        changed: Self::ALL_ROWS,
        row: 0,
        column: 0,
        colours: PLAIN,
    };

    /// Blanks all cells and starts at their top. The whole screen counts as not shown: whoever drew on it may have died.
    pub fn clear(&mut self) {
        self.cells.fill(Self::BLANK);
        self.shown.fill([Cell::NONE; COLUMNS]);
        self.changed = Self::ALL_ROWS;
        (self.row, self.column) = (0, 0);
    }

    /// Sets the colours of what is written from here on, as VGA's text memory has them.
    pub fn set_colours(&mut self, colours: Colours) {
        self.colours = colours;
    }

    /// Writes `text` where the last one ended. A new line at the bottom moves all rows up.
    pub fn write(&mut self, text: &str) {
        text.chars().for_each(|character| self.put(character));
    }

    /// Returns the row and the column of the cursor.
    pub fn cursor(&self) -> (usize, usize) {
        (self.row, self.column.min(COLUMNS - 1))
    }

    /// Has `show` draw what has changed since the last time: a run of cells, from a row and a column on.
    pub fn show_changes(&mut self, mut show: impl FnMut(usize, usize, &[Cell])) {
        let (cursor_row, cursor_column) = self.cursor();
        while self.changed != 0 {
            let row = self.changed.trailing_zeros() as usize;
            self.changed &= self.changed - 1;
            let (mut cells, shown) = (self.cells[row], &mut self.shown[row]);
            if row == cursor_row {
                cells[cursor_column] = cells[cursor_column].with_cursor();
            }
            let differs = |column: &usize| cells[*column] != shown[*column];
            if let (Some(first), Some(last)) = ((0..COLUMNS).find(differs), (0..COLUMNS).rev().find(differs)) {
                show(row, first, &cells[first..=last]);
                *shown = cells;
            }
        }
    }

    fn put(&mut self, character: char) {
        self.changed |= 1 << self.row;
        match character {
            '\n' => self.new_line(),
            '\r' => self.column = 0,
            '\x08' => self.column = self.column.saturating_sub(1),
            _ => {
                if self.column == COLUMNS {
                    self.new_line();
                }
                self.cells[self.row][self.column] = Cell::new(character, self.colours);
                self.column += 1;
            }
        }
    }

    fn new_line(&mut self) {
        self.column = 0;
        if self.row + 1 < ROWS {
            self.row += 1;
            self.changed |= 1 << self.row;
        } else {
            self.cells.copy_within(1.., 0);
            self.cells[ROWS - 1] = Self::BLANK;
            self.changed = Self::ALL_ROWS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A screen that is drawn by changes only.
    struct Shown([[Cell; COLUMNS]; ROWS]);

    impl Shown {
        fn follow(&mut self, cells: &mut Cells) -> usize {
            let mut drawn = 0;
            cells.show_changes(|row, column, run| {
                self.0[row][column..column + run.len()].copy_from_slice(run);
                drawn += run.len();
            });
            drawn
        }

        fn row(&self, row: usize) -> String {
            self.0[row].iter().map(|cell| cell.character()).collect::<String>().trim_end().into()
        }

        fn cursors(&self) -> Vec<(usize, usize)> {
            let places = (0..ROWS).flat_map(|row| (0..COLUMNS).map(move |column| (row, column)));
            places.filter(|&(row, column)| self.0[row][column].has_cursor()).collect()
        }
    }

    fn screen() -> (Cells, Shown) {
        let (mut cells, mut shown) = (Cells::BLANKS, Shown([[Cell::NONE; COLUMNS]; ROWS]));
        assert_eq!(shown.follow(&mut cells), COLUMNS * ROWS);
        (cells, shown)
    }

    #[test]
    fn a_screen_that_is_told_of_changes_only_shows_all_the_text() {
        let (mut cells, mut shown) = screen();
        for line in 0..40 {
            cells.write(&format!("line {line}\n"));
            shown.follow(&mut cells);
        }
        assert_eq!((shown.row(0), shown.row(23), shown.row(24)), ("line 16".into(), "line 39".into(), "".into()));
        assert_eq!((shown.cursors(), cells.cursor()), (vec![(24, 0)], (24, 0)));
    }

    #[test]
    fn no_more_is_drawn_than_what_has_changed() {
        let (mut cells, mut shown) = screen();
        cells.write("ab");
        // Both, and the cursor behind them.
        assert_eq!(shown.follow(&mut cells), 3);
        cells.write("\x08 \x08");
        assert_eq!((shown.follow(&mut cells), shown.row(0)), (2, "a".into()));
        cells.write("");
        assert_eq!(shown.follow(&mut cells), 0);
    }

    #[test]
    fn a_full_row_ends_when_the_next_character_comes() {
        let (mut cells, mut shown) = screen();
        cells.write(&"x".repeat(COLUMNS));
        shown.follow(&mut cells);
        assert_eq!(shown.cursors(), [(0, COLUMNS - 1)]);
        cells.write("y");
        shown.follow(&mut cells);
        assert_eq!((shown.row(0).len(), shown.row(1), shown.cursors()), (COLUMNS, "y".into(), vec![(1, 1)]));
    }

    #[test]
    fn after_clear_all_is_drawn_again() {
        let (mut cells, mut shown) = screen();
        cells.write("lost\nand gone");
        cells.clear();
        assert_eq!((shown.follow(&mut cells), shown.row(0)), (COLUMNS * ROWS, "".into()));
    }

    #[test]
    fn a_cell_has_its_character_and_its_colours() {
        let cell = Cell::new('A', 0x4F);
        assert_eq!((cell.bits(), cell.character(), cell.foreground(), cell.background()), (0x4F41, 'A', 15, 4));
        assert_eq!((Cell::new('é', 7).character(), Cell::new('\t', 7).character()), ('?', '?'));
        assert_eq!((cell.with_cursor().bits(), cell.with_cursor().character()), (0x4F41, 'A'));
    }
}
