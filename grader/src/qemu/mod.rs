//! The reference machine in QEMU, and the watch over it.
//!
//! What is seen of a machine is seen from outside: its memory is a file that the grader reads, its registers and events
//! come from QEMU. Of its two serial ports COM1 is the console, for people, and is never read for a verdict; COM2 is the
//! control channel, lines of text in both directions, and is QEMU's own standard input and output. Both ports write to
//! files: a socket could be full, and the machine would wait for it, for a different number of instructions each time.
//!
//! A machine that resets or powers off stands still instead, and so does one that writes to the freeze port (the ISA
//! device `pvpanic`), at that very instruction. So what it was about to do can be looked at. It stands still before its
//! first instruction too, until QEMU's events reach the grader: none is missed, however late the grader comes to it.

pub mod log;
pub mod qmp;
pub mod registers;
mod session;
mod watch;

pub use session::{DRIVE, QEMU, Reference, Session, read};
pub use watch::{FreezeHandler, Step, Time};
