//! The screen: text that is shown by VGA's text mode, at 0xB_8000, or drawn in a framebuffer.

use super::lock::Locked;
use super::pixels::{self, Pixels};
use crate::screen::Display;
use crate::screen::cells::{COLUMNS, Cell, Cells, Colours, ROWS};
use core::fmt;
use x86::io::outb;

/// The screen.
pub static SCREEN: Locked<Screen> = Locked::new(Screen { cells: Cells::BLANKS, display: Display::Nothing });

const CELLS: *mut u16 = 0xB_8000 as *mut u16;

/// The CRT controller's index and data ports, and its registers for the cursor's place.
const CRTC_INDEX: u16 = 0x3D4;
const CRTC_DATA: u16 = 0x3D5;
const CURSOR_HIGH: u8 = 0x0E;
const CURSOR_LOW: u8 = 0x0F;

/// The text, and what shows it.
pub struct Screen {
    cells: Cells,
    display: Display,
}

impl Screen {
    /// Shows the text on `display` from here on.
    pub fn start(&mut self, display: Display) {
        if let Display::Pixels(framebuffer) = display {
            pixels::start();
            let mut pixels = Pixels::new(&framebuffer);
            framebuffer.blank(|start, bytes| pixels.write(start, bytes));
        }
        self.display = display;
        self.clear();
    }

    /// Says whether the text is drawn as pixels.
    pub fn has_pixels(&self) -> bool {
        matches!(self.display, Display::Pixels(_))
    }

    /// Blanks the screen and starts at its top.
    pub fn clear(&mut self) {
        self.cells.clear();
        self.show();
    }

    /// Sets the colours of what is written from here on.
    pub fn set_colours(&mut self, colours: Colours) {
        self.cells.set_colours(colours);
    }

    fn show(&mut self) {
        match self.display {
            Display::Text => {
                self.cells.show_changes(set_cells);
                show_cursor(self.cells.cursor());
            }
            Display::Pixels(framebuffer) => {
                let mut pixels = Pixels::new(&framebuffer);
                self.cells.show_changes(|row, column, cells| {
                    framebuffer.draw(row, column, cells, |start, bytes| pixels.write(start, bytes));
                });
            }
            Display::Unusable(_) | Display::Nothing => {}
        }
    }
}

fn show_cursor((row, column): (usize, usize)) {
    let place = row * COLUMNS + column;
    // SAFETY: the CRT controller's cursor registers affect nothing but the picture.
    unsafe {
        outb(CRTC_INDEX, CURSOR_HIGH);
        outb(CRTC_DATA, (place >> 8) as u8);
        outb(CRTC_INDEX, CURSOR_LOW);
        outb(CRTC_DATA, place as u8);
    }
}

fn set_cells(row: usize, column: usize, cells: &[Cell]) {
    assert!(row < ROWS && column + cells.len() <= COLUMNS);
    for (index, cell) in (row * COLUMNS + column..).zip(cells) {
        // SAFETY: (1) the index is inside the screen's memory; (2) the first 4 MiB are always mapped, and this page of them
        // is writable; (3) no object of the kernel lies there.
        unsafe { CELLS.add(index).write_volatile(cell.bits()) }
    }
}

impl fmt::Write for Screen {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.cells.write(text);
        self.show();
        Ok(())
    }
}
