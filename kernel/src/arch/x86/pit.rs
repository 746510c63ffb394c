//! The 8254 timer: ticks at a fixed rate on interrupt line 0.
//!
//! Source: Intel 8254 data sheet.

use core::sync::atomic::{AtomicU32, Ordering};
use x86::io::outb;

/// Ticks a second, unless a test sets them.
pub const HERTZ: u32 = 100;

/// The frequency of the counter, in hertz.
const CLOCK: u32 = 1_193_182;

const CHANNEL_0: u16 = 0x40;
const COMMAND: u16 = 0x43;
/// Channel 0 (bits 7, 6), low byte then high byte (5, 4), mode 2, a rate generator (3 to 1), in binary (0).
const RATE_GENERATOR: u8 = 0b0011_0100;

static TICKS: AtomicU32 = AtomicU32::new(0);

/// Returns how often the timer has ticked since interrupts were turned on: [`HERTZ`] times a second.
pub fn ticks() -> u32 {
    TICKS.load(Ordering::Relaxed)
}

/// Counts a tick. Called when the timer's line has risen.
pub(super) fn count_tick() {
    TICKS.fetch_add(1, Ordering::Relaxed);
}

/// Starts the ticks: `hertz` a second, 19 to 596 591, by the nearest divisor of the clock.
///
/// # Panics
///
/// If the rate is out of range.
pub fn start(hertz: u32) {
    let divisor = u16::try_from((CLOCK + hertz / 2) / hertz);
    assert!(divisor.is_ok_and(|divisor| divisor > 1), "the timer cannot tick {hertz} times a second");
    let [low, high] = divisor.unwrap_or_default().to_le_bytes();
    // SAFETY: channel 0 drives interrupt line 0 and nothing else.
    unsafe {
        outb(COMMAND, RATE_GENERATOR);
        outb(CHANNEL_0, low);
        outb(CHANNEL_0, high);
    }
}
