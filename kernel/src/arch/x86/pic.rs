//! The two 8259A interrupt controllers: 16 lines, the second eight of which arrive through line 2 of the first.
//!
//! Source: Intel 8259A data sheet.

use super::idt::Idt;
use x86::io::{inb, outb};

/// The timer's line.
pub const TIMER: u8 = 0;
/// The keyboard's line.
pub const KEYBOARD: u8 = 1;

/// First vector of line 0. The vectors below belong to the processor's exceptions.
const FIRST_VECTOR: u8 = 0x20;
const LINES: u8 = 16;

/// A controller: its ports, and the line that rises by itself when a request vanishes before it is acknowledged.
struct Controller {
    command: u16,
    data: u16,
    first_vector: u8,
    /// How it is wired to the other: as a mask of lines in the first, as a number in the second.
    cascade: u8,
}

const FIRST: Controller = Controller { command: 0x20, data: 0x21, first_vector: FIRST_VECTOR, cascade: 1 << 2 };
const SECOND: Controller = Controller { command: 0xA0, data: 0xA1, first_vector: FIRST_VECTOR + 8, cascade: 2 };

/// Initialization: edge triggered, cascaded, four words.
const INITIALIZE: u8 = 0x11;
/// Fourth word: 8086 mode, end of interrupt by command.
const MODE_8086: u8 = 0x01;
const END_OF_INTERRUPT: u8 = 0x20;
/// Makes the next read of the command port give the in-service register.
const READ_IN_SERVICE: u8 = 0x0B;
/// Line 7 of either controller: the one that a spurious interrupt claims to come from.
const SPURIOUS: u8 = 7;

/// The knowledge that every interrupt has a gate, and comes at its vector.
#[derive(Debug)]
pub struct Pic(());

/// Moves the lines to vectors 0x20 to 0x2F, where the IDT has gates, and masks all of them but the timer's and the
/// keyboard's.
pub fn start(_: Idt) -> Pic {
    for controller in [FIRST, SECOND] {
        controller.send_command(INITIALIZE);
        controller.send_data(controller.first_vector);
        controller.send_data(controller.cascade);
        controller.send_data(MODE_8086);
    }
    FIRST.send_data(!(1 << TIMER | 1 << KEYBOARD));
    SECOND.send_data(!0);
    Pic(())
}

/// Returns which line a vector belongs to.
pub fn line_of(vector: u8) -> Option<u8> {
    vector.checked_sub(FIRST_VECTOR).filter(|&line| line < LINES)
}

/// Calls `handler` if `line` really asks for it. The controllers are told before: the handler may switch to another thread
/// and come back much later, and interrupts are masked meanwhile anyway.
pub fn serve(line: u8, handler: impl FnOnce(u8)) {
    let from_second = line >= 8;
    let controller = if from_second { SECOND } else { FIRST };
    let spurious = line % 8 == SPURIOUS && !controller.in_service(SPURIOUS);
    // The first controller saw a genuine request on its line 2 even if the second's was spurious.
    if from_second {
        FIRST.send_command(END_OF_INTERRUPT);
    }
    if !spurious {
        controller.send_command(END_OF_INTERRUPT);
        handler(line);
    }
}

impl Controller {
    fn in_service(&self, line: u8) -> bool {
        self.send_command(READ_IN_SERVICE);
        // SAFETY: reading the in-service register changes nothing.
        unsafe { inb(self.command) & (1 << line) != 0 }
    }

    fn send_command(&self, command: u8) {
        // SAFETY: the commands of this file make no vector below 0x20 appear.
        unsafe { outb(self.command, command) };
    }

    fn send_data(&self, data: u8) {
        // SAFETY: as above.
        unsafe { outb(self.data, data) };
    }
}
