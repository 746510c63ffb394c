//! The keyboard controller: bytes of scan codes, set 1, at interrupt line 1.
//!
//! Source: IBM PC/AT Technical Reference, keyboard controller (8042).

use super::lock::Locked;
use x86::io::inb;

const DATA: u16 = 0x60;
const STATUS: u16 = 0x64;
/// Bit 0 of the status: a byte is there. Bit 5: it is the mouse's.
const FULL: u8 = 1 << 0;
const MOUSE: u8 = 1 << 5;

/// Bytes that wait to be read; more are lost.
const WAITING: usize = 32;

struct Queue {
    bytes: [u8; WAITING],
    first: usize,
    count: usize,
}

static QUEUE: Locked<Queue> = Locked::new(Queue { bytes: [0; WAITING], first: 0, count: 0 });

/// Drops what was typed before anybody listened: a byte that stays in the controller keeps its line from rising again.
pub fn start() {
    interrupt();
    *QUEUE.lock() = Queue { bytes: [0; WAITING], first: 0, count: 0 };
}

/// Called when the keyboard's line has risen.
pub fn interrupt() {
    // A controller that isn't there reads as all ones for ever.
    for _ in 0..WAITING {
        // SAFETY: reading the status changes nothing.
        let status = unsafe { inb(STATUS) };
        if status & FULL == 0 {
            return;
        }
        // SAFETY: reading the data takes the byte out of the controller.
        let byte = unsafe { inb(DATA) };
        let mut queue = QUEUE.lock();
        if status & MOUSE == 0 && queue.count < WAITING {
            let place = (queue.first + queue.count) % WAITING;
            queue.bytes[place] = byte;
            queue.count += 1;
        }
    }
}

/// Returns the next byte that came from the keyboard, if there is one.
pub fn receive() -> Option<u8> {
    let mut queue = QUEUE.lock();
    queue.count = queue.count.checked_sub(1)?;
    let byte = queue.bytes[queue.first];
    queue.first = (queue.first + 1) % WAITING;
    Some(byte)
}
