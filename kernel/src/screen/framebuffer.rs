//! Text as pixels: where a cell lies in a framebuffer, and what its bytes are.
//!
//! The text has the middle of the screen, as large as it fits in whole multiples. Nothing is ever read back.
//!
//! Decision: docs/src/decisions/0018-a-framebuffer-through-one-page.md.

use super::cells::{COLUMNS, Cell, ROWS};
use crate::addr::{Frame, FrameRange, PAGE_SIZE, PAGES_IN_SPACE, PhysAddr};
use crate::memory_map::IDENTITY;
use core::fmt;
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

const FONT: (FontWeight, RasterHeight) = (FontWeight::Regular, RasterHeight::Size16);

/// Pixels of a glyph.
const GLYPH_WIDTH: usize = get_raster_width(FONT.0, FONT.1);
const GLYPH_HEIGHT: usize = FONT.1.val();

/// Lines of a glyph from which on the cursor covers it.
const CURSOR_LINE: usize = 14;

/// Pixels of the whole text.
const TEXT_WIDTH: u32 = (COLUMNS * GLYPH_WIDTH) as u32;
const TEXT_HEIGHT: u32 = (ROWS * GLYPH_HEIGHT) as u32;

/// The largest multiple in which text is drawn: more would only take longer.
const MAX_SCALE: u32 = 3;

const MAX_PIXEL_BYTES: u32 = 4;

/// The most bytes of a line of a cell.
const MAX_CELL_LINE: usize = GLYPH_WIDTH * MAX_SCALE as usize * MAX_PIXEL_BYTES as usize;

/// The colours of VGA's text mode: red, green, blue.
const PALETTE: [[u8; 3]; 16] = [
    [0x00, 0x00, 0x00],
    [0x00, 0x00, 0xAA],
    [0x00, 0xAA, 0x00],
    [0x00, 0xAA, 0xAA],
    [0xAA, 0x00, 0x00],
    [0xAA, 0x00, 0xAA],
    [0xAA, 0x55, 0x00],
    [0xAA, 0xAA, 0xAA],
    [0x55, 0x55, 0x55],
    [0x55, 0x55, 0xFF],
    [0x55, 0xFF, 0x55],
    [0x55, 0xFF, 0xFF],
    [0xFF, 0x55, 0x55],
    [0xFF, 0x55, 0xFF],
    [0xFF, 0xFF, 0x55],
    [0xFF, 0xFF, 0xFF],
];

/// Where one colour's bits lie in a pixel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Channel {
    /// The lowest of them.
    pub position: u8,
    /// How many there are.
    pub bits: u8,
}

impl Channel {
    fn fits(self, pixel_bits: u8) -> bool {
        (1..=16).contains(&self.bits) && self.position.checked_add(self.bits).is_some_and(|end| end <= pixel_bits)
    }

    /// Returns the bits of this colour at `intensity`, from 0 to 255.
    fn at(self, intensity: u8) -> u32 {
        let most = (1 << self.bits) - 1;
        (u32::from(intensity) * most / 255) << self.position
    }
}

/// What a boot loader says about a framebuffer in which pixels have colours of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Description {
    /// Its physical address.
    pub address: u64,
    /// Bytes from a line to the next.
    pub pitch: u32,
    /// Pixels of a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// Bits of a pixel.
    pub pixel_bits: u8,
    /// Red, green and blue.
    pub channels: [Channel; 3],
}

/// A framebuffer that text can be drawn in.
///
/// It lies between 4 MiB and 4 GiB as a whole, and 80 by 25 cells fit in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Framebuffer {
    start: u32,
    pitch: u32,
    width: u32,
    height: u32,
    pixel_bytes: u32,
    channels: [Channel; 3],
}

/// Why a framebuffer can't be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unusable {
    /// It is of another kind (Multiboot's number) than pixels with colours of their own: 0 has a palette.
    Kind(u8),
    /// A pixel has this many bits.
    PixelBits(u8),
    /// Its colours aren't in the pixel.
    Channels,
    /// It is this wide and this high.
    Size(u32, u32),
    /// A line of it doesn't hold its pixels, but this many bytes.
    Pitch(u32),
    /// It lies here.
    Address(u64),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(0) => write!(f, "has a palette instead of red, green and blue"),
            Self::Kind(kind) => write!(f, "is of an unknown kind, {kind:#x}"),
            Self::PixelBits(bits) => write!(f, "has pixels of {bits:#x} bits instead of 15, 16, 24 or 32"),
            Self::Channels => write!(f, "has red, green and blue outside its pixels"),
            Self::Size(width, height) => {
                write!(f, "has {width} by {height} pixels, too few for {TEXT_WIDTH} by {TEXT_HEIGHT}")
            }
            Self::Pitch(pitch) => write!(f, "has lines of {pitch:#x} bytes, too few for its pixels"),
            Self::Address(address) => write!(f, "is at {address:#x}, not between 4 MiB and 4 GiB"),
        }
    }
}

impl Framebuffer {
    /// Takes a boot loader's word for a framebuffer, if text can be drawn in it.
    ///
    /// # Errors
    ///
    /// See [`Unusable`].
    pub fn new(told: &Description) -> Result<Self, Unusable> {
        let Description { address, pitch, width, height, pixel_bits, channels } = *told;
        if !matches!(pixel_bits, 15 | 16 | 24 | 32) {
            return Err(Unusable::PixelBits(pixel_bits));
        }
        if !channels.iter().all(|channel| channel.fits(pixel_bits)) {
            return Err(Unusable::Channels);
        }
        if width < TEXT_WIDTH || height < TEXT_HEIGHT {
            return Err(Unusable::Size(width, height));
        }
        let pixel_bytes = u32::from(pixel_bits).div_ceil(8);
        if width.checked_mul(pixel_bytes).is_none_or(|bytes| pitch < bytes) {
            return Err(Unusable::Pitch(pitch));
        }
        let end = address.saturating_add(u64::from(pitch) * u64::from(height));
        let start = u32::try_from(address).ok().filter(|&start| start >= IDENTITY.end.start().as_u32());
        match start {
            // The last byte of the 4 GiB stays out, so that every sum of bytes fits in a word.
            Some(start) if end <= u64::from(u32::MAX) => {
                Ok(Self { start, pitch, width, height, pixel_bytes, channels })
            }
            _ => Err(Unusable::Address(address)),
        }
    }

    /// Returns the frames that it touches.
    pub fn frames(&self) -> FrameRange {
        let end = (self.start + self.pitch * self.height).div_ceil(PAGE_SIZE);
        FrameRange::new(Frame::containing(PhysAddr::new(self.start)), Frame::new(end.min(PAGES_IN_SPACE)))
    }

    /// Makes all of it black. `write` puts bytes at an address.
    pub fn blank(&self, mut write: impl FnMut(PhysAddr, &[u8])) {
        let black = [0; 256];
        for line in 0..self.height {
            let start = self.start + line * self.pitch;
            let length = self.width * self.pixel_bytes;
            for offset in (0..length).step_by(black.len()) {
                let left = (length - offset) as usize;
                write(PhysAddr::new(start + offset), &black[..left.min(black.len())]);
            }
        }
    }

    /// Draws a run of `cells` from `row` and `column` on, line by line. `write` puts bytes at an address.
    ///
    /// # Panics
    ///
    /// If not all cells lie on the screen.
    pub fn draw(&self, row: usize, column: usize, cells: &[Cell], mut write: impl FnMut(PhysAddr, &[u8])) {
        assert!(row < ROWS && column + cells.len() <= COLUMNS, "no cells of the screen");
        let scale = self.scale();
        let left = (self.width - TEXT_WIDTH * scale) / 2 + (column * GLYPH_WIDTH) as u32 * scale;
        let top = (self.height - TEXT_HEIGHT * scale) / 2 + (row * GLYPH_HEIGHT) as u32 * scale;
        for line in 0..GLYPH_HEIGHT as u32 * scale {
            let mut address = self.start + (top + line) * self.pitch + left * self.pixel_bytes;
            for &cell in cells {
                let mut bytes = [0; MAX_CELL_LINE];
                let length = self.line_of(cell, (line / scale) as usize, &mut bytes);
                write(PhysAddr::new(address), &bytes[..length]);
                address += length as u32;
            }
        }
    }

    /// Returns how many pixels of the screen a pixel of a glyph has in each direction.
    fn scale(&self) -> u32 {
        (self.width / TEXT_WIDTH).min(self.height / TEXT_HEIGHT).min(MAX_SCALE)
    }

    /// Puts `line` of a cell's glyph into `bytes`. Returns how many there are.
    fn line_of(&self, cell: Cell, line: usize, bytes: &mut [u8; MAX_CELL_LINE]) -> usize {
        let glyph = get_raster(cell.character(), FONT.0, FONT.1);
        let (foreground, background) = (PALETTE[cell.foreground()], PALETTE[cell.background()]);
        let in_cursor = cell.has_cursor() && line >= CURSOR_LINE;
        let (scale, size) = (self.scale() as usize, self.pixel_bytes as usize);
        let mut pixels = bytes.chunks_exact_mut(size);
        for x in 0..GLYPH_WIDTH {
            let ink = if in_cursor { 255 } else { glyph.and_then(|glyph| glyph.pixel(x, line)).unwrap_or(0) };
            let pixel = self.pixel(foreground, background, ink).to_le_bytes();
            pixels.by_ref().take(scale).for_each(|place| place.copy_from_slice(&pixel[..size]));
        }
        GLYPH_WIDTH * scale * size
    }

    /// Returns the pixel that has `ink` of 255 parts of the foreground.
    fn pixel(&self, foreground: [u8; 3], background: [u8; 3], ink: u8) -> u32 {
        let mixed = |colour: usize| {
            let parts =
                u32::from(foreground[colour]) * u32::from(ink) + u32::from(background[colour]) * u32::from(255 - ink);
            self.channels[colour].at((parts / 255) as u8)
        };
        mixed(0) | mixed(1) | mixed(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::string::ToString;

    const RED_FIRST: [Channel; 3] = channels([(16, 8), (8, 8), (0, 8)]);

    const fn channels(of: [(u8, u8); 3]) -> [Channel; 3] {
        let [(red, reds), (green, greens), (blue, blues)] = of;
        [
            Channel { position: red, bits: reds },
            Channel { position: green, bits: greens },
            Channel { position: blue, bits: blues },
        ]
    }

    fn described(width: u32, height: u32, pixel_bits: u8, channels: [Channel; 3]) -> Description {
        let pitch = width * u32::from(pixel_bits).div_ceil(8) + 64;
        Description { address: 0x8000_0000, pitch, width, height, pixel_bits, channels }
    }

    /// The bytes that were written, each by its address.
    #[derive(Default)]
    struct Memory(BTreeMap<u32, u8>);

    impl Memory {
        fn write(&mut self, start: PhysAddr, bytes: &[u8]) {
            self.0.extend((start.as_u32()..).zip(bytes.iter().copied()));
        }

        /// Returns the pixel at a place, or `None` if not all its bytes were written.
        fn pixel(&self, told: &Description, x: u32, y: u32) -> Option<u32> {
            let size = u32::from(told.pixel_bits).div_ceil(8);
            let start = told.address as u32 + y * told.pitch + x * size;
            (0..size).try_fold(0, |pixel, byte| Some(pixel | u32::from(*self.0.get(&(start + byte))?) << (8 * byte)))
        }
    }

    fn drawn(told: &Description, row: usize, column: usize, text: &str, colours: u8) -> Memory {
        let cells: Vec<Cell> = text.chars().map(|character| Cell::new(character, colours)).collect();
        let mut memory = Memory::default();
        Framebuffer::new(told).unwrap().draw(row, column, &cells, |start, bytes| memory.write(start, bytes));
        memory
    }

    #[test]
    fn a_cell_is_its_glyph_in_its_colours() {
        for (scale, width, height) in [(1, 560, 400), (1, 1000, 700), (2, 1280, 800), (3, 3840, 2160)] {
            let told = described(width, height, 32, RED_FIRST);
            let memory = drawn(&told, 3, 5, "aW", 0x4F);
            assert_eq!(memory.0.len() as u32, 2 * 7 * 16 * scale * scale * 4);
            let (left, top) = ((width - 560 * scale) / 2 + 5 * 7 * scale, (height - 400 * scale) / 2 + 3 * 16 * scale);
            let glyph = get_raster('W', FONT.0, FONT.1).unwrap();
            for (x, y) in (0..7).flat_map(|x| (0..16).map(move |y| (x, y))) {
                let ink = u32::from(glyph.pixel(x as usize, y as usize).unwrap());
                let mixed = |on: u32, off: u32| (on * ink + off * (255 - ink)) / 255;
                let expected = mixed(0xFF, 0xAA) << 16 | mixed(0xFF, 0) << 8 | mixed(0xFF, 0);
                for (dx, dy) in (0..scale).flat_map(|dx| (0..scale).map(move |dy| (dx, dy))) {
                    let place = (left + (7 + x) * scale + dx, top + y * scale + dy);
                    assert_eq!(memory.pixel(&told, place.0, place.1), Some(expected), "{scale} {place:?}");
                }
            }
        }
    }

    #[test]
    fn a_pixel_has_the_masks_that_the_boot_loader_tells() {
        for (pixel_bits, of, expected) in [
            (32, [(16, 8), (8, 8), (0, 8)], 0x0055_FFFF),
            (32, [(0, 8), (8, 8), (16, 8)], 0x00FF_FF55),
            (32, [(20, 10), (10, 10), (0, 10)], 341 << 20 | 1023 << 10 | 1023),
            (24, [(16, 8), (8, 8), (0, 8)], 0x0055_FFFF),
            (16, [(11, 5), (5, 6), (0, 5)], 10 << 11 | 63 << 5 | 31),
            (15, [(10, 5), (5, 5), (0, 5)], 10 << 10 | 31 << 5 | 31),
        ] {
            let told = described(800, 600, pixel_bits, channels(of));
            let mut memory = Memory::default();
            let cell = Cell::new(' ', 0x0B);
            let mut cells = crate::screen::cells::Cells::BLANKS;
            cells.set_colours(0x0B);
            cells.write(" \r");
            let framebuffer = Framebuffer::new(&told).unwrap();
            cells.show_changes(|row, column, run| {
                if row == 0 {
                    framebuffer.draw(row, column, &run[..1], |start, bytes| memory.write(start, bytes));
                }
            });
            assert_eq!(cell.foreground(), 11);
            // The cursor is all foreground.
            assert_eq!(memory.pixel(&told, 120, 100 + 15), Some(expected), "{pixel_bits} {of:?}");
            assert_eq!(memory.pixel(&told, 120, 100), Some(0));
        }
    }

    #[test]
    fn every_cell_stays_on_the_screen() {
        for (width, height, pixel_bits) in [(560, 400, 32), (640, 480, 24), (1921, 1081, 16), (7680, 4320, 32)] {
            let of = if pixel_bits == 16 { channels([(11, 5), (5, 6), (0, 5)]) } else { RED_FIRST };
            let told = described(width, height, pixel_bits, of);
            let size = u32::from(pixel_bits / 8);
            let inside = |start: PhysAddr, bytes: &[u8]| {
                let offset = start.as_u32() - 0x8000_0000;
                let (line, x) = (offset / told.pitch, offset % told.pitch);
                assert!(line < height && x + bytes.len() as u32 <= width * size, "{offset:#x} of {told:?}");
            };
            let framebuffer = Framebuffer::new(&told).unwrap();
            for (row, column) in [(0, 0), (0, COLUMNS - 1), (ROWS - 1, 0), (ROWS - 1, COLUMNS - 1)] {
                framebuffer.draw(row, column, &[Cell::new('#', 7)], inside);
            }
            framebuffer.draw(ROWS - 1, 0, &[Cell::new('#', 7); COLUMNS], inside);
            framebuffer.blank(inside);
        }
    }

    #[test]
    fn blanking_leaves_no_pixel_out() {
        let told = described(800, 600, 24, RED_FIRST);
        let mut memory = Memory::default();
        Framebuffer::new(&told).unwrap().blank(|start, bytes| memory.write(start, bytes));
        assert_eq!((memory.0.len(), memory.0.values().all(|byte| *byte == 0)), (800 * 600 * 3, true));
    }

    #[test]
    fn the_frames_are_those_that_a_line_touches() {
        let told = Description { address: 0x8000_0800, ..described(800, 600, 32, RED_FIRST) };
        let frames = Framebuffer::new(&told).unwrap().frames();
        let end = 0x8000_0800u32 + told.pitch * 600;
        assert_eq!((frames.start.number(), frames.end.number()), (0x8_0000, (end - 1) / 4096 + 1));
    }

    #[test]
    fn what_text_cannot_be_drawn_in_has_a_name() {
        let good = described(800, 600, 32, RED_FIRST);
        for (told, why) in [
            (Description { pixel_bits: 8, ..good }, Unusable::PixelBits(8)),
            (Description { pixel_bits: 0, ..good }, Unusable::PixelBits(0)),
            (Description { channels: channels([(16, 8), (8, 8), (25, 8)]), ..good }, Unusable::Channels),
            (Description { channels: channels([(16, 0), (8, 8), (0, 8)]), ..good }, Unusable::Channels),
            (Description { channels: channels([(255, 255), (8, 8), (0, 8)]), ..good }, Unusable::Channels),
            (Description { width: 559, ..good }, Unusable::Size(559, 600)),
            (Description { height: 399, ..good }, Unusable::Size(800, 399)),
            (Description { pitch: 3199, ..good }, Unusable::Pitch(3199)),
            (Description { width: u32::MAX, ..good }, Unusable::Pitch(good.pitch)),
            (Description { address: 0x3F_F000, ..good }, Unusable::Address(0x3F_F000)),
            (Description { address: 0xFFFF_0000, ..good }, Unusable::Address(0xFFFF_0000)),
            (Description { address: 1 << 32, ..good }, Unusable::Address(1 << 32)),
            (Description { address: u64::MAX, ..good }, Unusable::Address(u64::MAX)),
            (Description { height: u32::MAX, ..good }, Unusable::Address(0x8000_0000)),
        ] {
            assert_eq!(Framebuffer::new(&told), Err(why));
        }
        assert_eq!(Unusable::Address(1 << 32).to_string(), "is at 0x100000000, not between 4 MiB and 4 GiB");
    }
}
