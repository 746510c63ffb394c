//! The two serial ports: COM1 is the console, COM2 the control channel of the test harness.

use super::lock::Locked;
use core::fmt;
use uart_16550::backend::PioBackend;
use uart_16550::spec::registers::LSR;
use uart_16550::{BaudRate, Config, Uart16550};

/// The console.
pub static COM1: Locked<Port> = Locked::new(Port::new(0x3F8));

/// The control channel.
pub static COM2: Locked<Port> = Locked::new(Port::new(0x2F8));

/// A serial port, which may be missing: then everything written to it is lost, and nothing is ever read.
pub struct Port {
    uart: Uart16550<PioBackend>,
    present: bool,
}

impl Port {
    const fn new(base: u16) -> Self {
        // SAFETY: (1) the two standard bases have a UART or nothing; (2) each is named once, in this file.
        match unsafe { Uart16550::new_port(base) } {
            Ok(uart) => Self { uart, present: false },
            Err(_) => panic!("the port's registers do not fit below 0xFFFF"),
        }
    }

    /// Sets the port up: 115200 baud, 8 data bits, no parity, one stop bit, FIFO on, interrupts off. Returns whether a
    /// port is there.
    pub fn start(&mut self) -> bool {
        let config = Config { baud_rate: BaudRate::Baud115200, ..Config::DEFAULT };
        self.present = self.uart.init(config).is_ok();
        self.present
    }

    /// Writes `bytes`, waiting while the port is busy. A port that is present is never busy for ever.
    pub fn send(&mut self, bytes: &[u8]) {
        if self.present {
            self.uart.send_bytes_exact(bytes);
        }
    }

    /// Returns the next byte received, if one is there.
    pub fn receive(&mut self) -> Option<u8> {
        if self.present { self.uart.try_receive_byte().ok() } else { None }
    }

    fn drain(&mut self) {
        while self.present && !self.uart.lsr().contains(LSR::TRANSMITTER_EMPTY) {}
    }
}

/// Writes text with a carriage return before each line feed, as terminals want it.
impl fmt::Write for Port {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for line in text.split_inclusive('\n') {
            match line.strip_suffix('\n') {
                Some(line) => {
                    self.send(line.as_bytes());
                    self.send(b"\r\n");
                }
                None => self.send(line.as_bytes()),
            }
        }
        Ok(())
    }
}

/// Waits until everything written has left both ports.
pub fn drain() {
    for port in [&COM1, &COM2] {
        if let Some(mut port) = port.try_lock() {
            port.drain();
        }
    }
}
