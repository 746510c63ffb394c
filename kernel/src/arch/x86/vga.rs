//! The text screen: 80 columns, 25 rows, each cell a character and its colours, at 0xB_8000.

use super::lock::Locked;
use core::fmt;
use x86::io::outb;

/// The screen.
pub static SCREEN: Locked<Screen> = Locked::new(Screen { row: 0, column: 0, colours: PLAIN });

const COLUMNS: usize = 80;
const ROWS: usize = 25;
const CELLS: *mut u16 = 0xB_8000 as *mut u16;

/// The colours of a cell: the background in bits 6 to 4, the characters in bits 3 to 0.
pub type Colours = u8;

/// Light grey on black.
pub const PLAIN: Colours = 0x07;

const BLANK: u16 = (PLAIN as u16) << 8 | b' ' as u16;

/// The CRT controller's index and data ports, and its registers for the cursor's place.
const CRTC_INDEX: u16 = 0x3D4;
const CRTC_DATA: u16 = 0x3D5;
const CURSOR_HIGH: u8 = 0x0E;
const CURSOR_LOW: u8 = 0x0F;

/// The place where the next character goes.
pub struct Screen {
    row: usize,
    column: usize,
    colours: Colours,
}

impl Screen {
    /// Blanks the screen and starts at its top.
    pub fn clear(&mut self) {
        for index in 0..ROWS * COLUMNS {
            set_cell(index, BLANK);
        }
        (self.row, self.column) = (0, 0);
        self.show_cursor();
    }

    /// Sets the colours of what is written from here on.
    pub fn set_colours(&mut self, colours: Colours) {
        self.colours = colours;
    }

    fn put(&mut self, character: char) {
        match character {
            '\n' => self.new_line(),
            '\r' => self.column = 0,
            '\x08' => self.column = self.column.saturating_sub(1),
            _ => {
                if self.column == COLUMNS {
                    self.new_line();
                }
                let glyph =
                    if character.is_ascii_graphic() || character == ' ' { character as u16 } else { '?' as u16 };
                set_cell(self.row * COLUMNS + self.column, u16::from(self.colours) << 8 | glyph);
                self.column += 1;
            }
        }
    }

    fn new_line(&mut self) {
        self.column = 0;
        if self.row + 1 < ROWS {
            self.row += 1;
            return;
        }
        for index in 0..(ROWS - 1) * COLUMNS {
            set_cell(index, cell(index + COLUMNS));
        }
        for index in (ROWS - 1) * COLUMNS..ROWS * COLUMNS {
            set_cell(index, BLANK);
        }
    }

    fn show_cursor(&self) {
        let place = self.row * COLUMNS + self.column.min(COLUMNS - 1);
        // SAFETY: the CRT controller's cursor registers affect nothing but the picture.
        unsafe {
            outb(CRTC_INDEX, CURSOR_HIGH);
            outb(CRTC_DATA, (place >> 8) as u8);
            outb(CRTC_INDEX, CURSOR_LOW);
            outb(CRTC_DATA, place as u8);
        }
    }
}

fn cell(index: usize) -> u16 {
    assert!(index < ROWS * COLUMNS);
    // SAFETY: (1) the index is inside the screen's memory; (2) the first 4 MiB are always mapped.
    unsafe { CELLS.add(index).read_volatile() }
}

fn set_cell(index: usize, cell: u16) {
    assert!(index < ROWS * COLUMNS);
    // SAFETY: (1) the index is inside the screen's memory; (2) the first 4 MiB are always mapped, and this page of them
    // is writable; (3) no object of the kernel lies there.
    unsafe { CELLS.add(index).write_volatile(cell) }
}

impl fmt::Write for Screen {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().for_each(|character| self.put(character));
        self.show_cursor();
        Ok(())
    }
}
