//! What people and the test harness read: text on COM1 and the screen, records on COM2, log lines by way of [`log`].

use crate::arch::x86::exit::Dying;
use crate::arch::x86::serial::{COM1, COM2};
use crate::arch::x86::vga::SCREEN;
use crate::arch::x86::{keyboard, lock::Locked, pit};
use crate::log_levels::Levels;
use crate::report::{COLUMNS, Ink, Paper};
use crate::shell::keys::{self, Key, Keys};
use crate::text::Text;
use crate::trap;
use core::fmt::{self, Arguments, Write};
use core::mem;
use core::sync::atomic::{AtomicBool, Ordering};
use log::{Log, Metadata, Record};
use pc_keyboard::layouts::Us104Key;
use pc_keyboard::{DecodedKey, HandleControl, KeyCode, PS2Keyboard, ScancodeSet1};

/// Prints for people, on the console, without a prefix.
macro_rules! print {
    ($($words:tt)*) => { $crate::console::write(format_args!($($words)*)) };
}

/// Prints a line for people, on the console, without a prefix.
macro_rules! println {
    () => { $crate::console::print!("\n") };
    ($($words:tt)*) => { $crate::console::print!("{}\n", format_args!($($words)*)) };
}

/// Sends a record, which is a line, to the test harness, if there is one: see [`open_control`].
macro_rules! control {
    ($($words:tt)*) => { $crate::console::write_control(format_args!($($words)*)) };
}

pub(crate) use {control, print, println};

static LEVELS: Locked<Levels> = Locked::new(Levels::DEFAULT);
static COLOURS: AtomicBool = AtomicBool::new(false);
static CONTROL_OPEN: AtomicBool = AtomicBool::new(false);

/// Starts the ports and the screen, and makes `log` come here. A missing device is done without.
pub fn start() {
    COM1.lock().start();
    COM2.lock().start();
    SCREEN.lock().clear();
    keyboard::start();
    if log::set_logger(&Logger).is_ok() {
        set_levels(Levels::DEFAULT);
    }
}

/// Sets how much each module tells.
pub fn set_levels(levels: Levels) {
    log::set_max_level(levels.max());
    *LEVELS.lock() = levels;
}

/// Lets `control!` records out, the first being their version. Until then they are dropped: they make sense to a test
/// harness only.
pub fn open_control() {
    CONTROL_OPEN.store(true, Ordering::Relaxed);
    write_control(format_args!("droste 1"));
}

/// Says whether the terminal at COM1 wants colours.
pub fn set_colours(wanted: bool) {
    COLOURS.store(wanted, Ordering::Relaxed);
}

/// The console as something that reports are written on: the screen is cleared first, a terminal scrolls. The test harness,
/// which does not read what is meant for people, gets each line as a record too, once it is whole.
pub struct ReportPaper {
    line: Text<COLUMNS>,
}

impl ReportPaper {
    /// Clears the screen.
    pub fn fresh() -> Self {
        SCREEN.lock().clear();
        let _ = COM1.lock().write_str("\n");
        Self { line: Text::EMPTY }
    }
}

impl Write for ReportPaper {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive('\n') {
            let end = part.strip_suffix('\n');
            self.line.write_str(end.unwrap_or(part))?;
            if end.is_some() {
                control!("report {}", mem::replace(&mut self.line, Text::EMPTY).as_str());
            }
        }
        Console.write_str(text)
    }
}

impl Paper for ReportPaper {
    fn ink(&mut self, ink: Ink) {
        SCREEN.lock().ink(ink);
        if COLOURS.load(Ordering::Relaxed) {
            let _ = COM1.lock().write_str(match ink {
                Ink::Plain => "\x1B[0m",
                Ink::Alarm => "\x1B[1;37;41m",
                Ink::Strong => "\x1B[1m",
                Ink::Label => "\x1B[36m",
            });
        }
    }
}

/// Frees the locks of everything that the console needs after a death.
pub fn break_open(dying: &Dying) {
    COM1.break_open(dying);
    COM2.break_open(dying);
    SCREEN.break_open(dying);
    LEVELS.break_open(dying);
    TYPED.break_open(dying);
}

/// Writes to the console. For `print!` and `println!`.
pub fn write(words: Arguments<'_>) {
    // Both ports take any text: what they cannot show they replace, and a missing one takes all.
    let _ = COM1.lock().write_fmt(words);
    let _ = SCREEN.lock().write_fmt(words);
}

/// Writes a record to the control channel. For `control!`.
pub fn write_control(record: Arguments<'_>) {
    if control_is_open() {
        let mut port = COM2.lock();
        // A record is a line, whatever is in it.
        let _ = write!(OneLine(&mut *port), "{record}");
        let _ = port.write_str("\n");
    }
}

/// A writer without line ends.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.split_inclusive('\n').try_for_each(|part| match part.strip_suffix('\n') {
            Some(line) => write!(self.0, "{line} "),
            None => self.0.write_str(part),
        })
    }
}

/// Says whether there is a test harness to tell records.
pub fn control_is_open() -> bool {
    CONTROL_OPEN.load(Ordering::Relaxed)
}

/// Returns the next byte that the test harness sent, if there is one.
pub fn read_control_byte() -> Option<u8> {
    COM2.lock().receive()
}

/// The console as something to write on.
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write(format_args!("{text}"));
        Ok(())
    }
}

/// What is typed, while it is not a key yet.
struct Typed {
    serial: Keys,
    keyboard: PS2Keyboard<Us104Key, ScancodeSet1>,
}

static TYPED: Locked<Typed> = Locked::new(Typed {
    serial: Keys::NONE,
    keyboard: PS2Keyboard::new(ScancodeSet1::new(), Us104Key, HandleControl::MapLettersToUnicode),
});

/// Returns the next key that somebody pressed, on the serial line or at the keyboard, if there is one.
pub fn read_key() -> Option<Key> {
    let mut typed = TYPED.lock();
    while let Some(byte) = COM1.lock().receive() {
        if let Some(key) = typed.serial.add(byte) {
            return Some(key);
        }
    }
    while let Some(byte) = keyboard::receive() {
        // A byte that is no scan code is dropped.
        let event = typed.keyboard.add_byte(byte).ok().flatten();
        if let Some(key) = event.and_then(|event| typed.keyboard.process_keyevent(event)).and_then(key) {
            return Some(key);
        }
    }
    None
}

fn key(decoded: DecodedKey) -> Option<Key> {
    match decoded {
        DecodedKey::Unicode(character) => u8::try_from(character).ok().and_then(keys::of_byte),
        DecodedKey::RawKey(code) => match code {
            KeyCode::ArrowLeft => Some(Key::Left),
            KeyCode::ArrowRight => Some(Key::Right),
            KeyCode::ArrowUp => Some(Key::Up),
            KeyCode::ArrowDown => Some(Key::Down),
            KeyCode::Home => Some(Key::Home),
            KeyCode::End => Some(Key::End),
            _ => None,
        },
    }
}

/// Prints log records as `[seconds] LEVEL module: words`.
struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= LEVELS.lock().of(metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let ticks = trap::ticks();
        let (seconds, hundredths) = (ticks / pit::HERTZ, ticks % pit::HERTZ);
        let module = record.target().strip_prefix("droste::").unwrap_or(record.target());
        println!("[{seconds:4}.{hundredths:02}] {:5} {module}: {}", record.level(), record.args());
    }

    fn flush(&self) {}
}
