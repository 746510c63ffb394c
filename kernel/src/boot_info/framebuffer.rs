//! The display that text can be shown on. Both versions describe a framebuffer by the same fields, one behind the other.
//!
//! Source: Multiboot Specification 0.6.96, section 3.3; Multiboot2 Specification 2.0, section 3.6.12.

use super::word;
use crate::screen::Display;
use crate::screen::framebuffer::{Channel, Description, Framebuffer, Unusable};

const ADDRESS: usize = 0;
const PITCH: usize = 8;
const WIDTH: usize = 12;
const HEIGHT: usize = 16;
const PIXEL_BITS: usize = 20;
const KIND: usize = 21;

/// Pixels with colours of their own: position and number of bits, for red, green and blue.
const COLOURS: u8 = 1;
/// Text, as on VGA.
const TEXT: u8 = 2;

/// Reads the fields of a framebuffer; those about its colours start at the offset `colours`. Returns `None` if there are
/// too few bytes.
pub(super) fn parse(fields: &[u8], colours: usize) -> Option<Display> {
    match *fields.get(KIND)? {
        TEXT => Some(Display::Text),
        COLOURS => {
            let &[red, reds, green, greens, blue, blues] = fields.get(colours..)?.first_chunk()?;
            let channel = |position, bits| Channel { position, bits };
            let told = Description {
                address: u64::from_le_bytes(*fields.get(ADDRESS..)?.first_chunk()?),
                pitch: word(fields, PITCH)?,
                width: word(fields, WIDTH)?,
                height: word(fields, HEIGHT)?,
                pixel_bits: *fields.get(PIXEL_BITS)?,
                channels: [channel(red, reds), channel(green, greens), channel(blue, blues)],
            };
            Some(Framebuffer::new(&told).map_or_else(Display::Unusable, Display::Pixels))
        }
        kind => Some(Display::Unusable(Unusable::Kind(kind))),
    }
}
