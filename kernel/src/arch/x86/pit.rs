//! The 8254 timer: ticks at a fixed rate on interrupt line 0.
//!
//! Source: Intel 8254 data sheet.

use x86::io::outb;

/// Ticks a second.
pub const HERTZ: u32 = 100;

/// What the counter counts, in hertz.
const CLOCK: u32 = 1_193_182;

/// The nearest divisor. The rate is off by less than 0.01 %.
const DIVISOR: u16 = ((CLOCK + HERTZ / 2) / HERTZ) as u16;

const CHANNEL_0: u16 = 0x40;
const COMMAND: u16 = 0x43;
/// Channel 0 (bits 7, 6), low byte then high byte (5, 4), mode 2, a rate generator (3 to 1), in binary (0).
const RATE_GENERATOR: u8 = 0b0011_0100;

/// Starts the ticks.
pub fn start() {
    let [low, high] = DIVISOR.to_le_bytes();
    // SAFETY: (1) ring 0; (2) channel 0 drives interrupt line 0 and nothing else.
    unsafe {
        outb(COMMAND, RATE_GENERATOR);
        outb(CHANNEL_0, low);
        outb(CHANNEL_0, high);
    }
}
