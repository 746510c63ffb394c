//! Output for people and for the test harness: text on COM1 and the screen, records on COM2, log lines by way of [`log`].

mod input;

pub use input::{is_cancelled, read_key};

use crate::arch::x86::lock::{Dying, Locked};
use crate::arch::x86::serial::{COM1, COM2};
use crate::arch::x86::vga::SCREEN;
use crate::arch::x86::{keyboard, pit};
use crate::log_levels::Levels;
use crate::report::{COLUMNS, Output, Style};
use crate::screen::Display;
use crate::screen::cells::{Colours, PLAIN};
use crate::terminal::editor::CLEAR;
use crate::text::Text;
use core::fmt::{self, Arguments, Write};
use core::mem;
use core::sync::atomic::{AtomicBool, Ordering};
use log::{Log, Metadata, Record};

/// Prints for people, on the console, without a prefix.
macro_rules! print {
    ($($words:tt)*) => { $crate::system::console::write(format_args!($($words)*)) };
}

/// Prints a line for people, on the console, without a prefix.
macro_rules! println {
    () => { $crate::system::console::print!("\n") };
    ($($words:tt)*) => { $crate::system::console::print!("{}\n", format_args!($($words)*)) };
}

/// Sends a record, which is a line, to the test harness, if there is one: see [`open_control`].
macro_rules! control {
    ($($words:tt)*) => { $crate::system::console::write_control(format_args!($($words)*)) };
}

pub(crate) use {control, print, println};

static LEVELS: Locked<Levels> = Locked::new(Levels::DEFAULT);
static COLOURS: AtomicBool = AtomicBool::new(false);
static CONTROL_OPEN: AtomicBool = AtomicBool::new(false);

/// Starts the ports, and the screen on `display`, and makes `log` come here. A missing device is done without.
pub fn start(display: Display) {
    COM1.lock().start();
    COM2.lock().start();
    SCREEN.lock().start(display);
    keyboard::start();
    if log::set_logger(&Logger).is_ok() {
        set_levels(Levels::DEFAULT);
    }
    match display {
        Display::Text | Display::Pixels(_) => {}
        Display::Unusable(why) => println!("The screen shows nothing: the framebuffer {why}."),
        Display::Nothing => {
            println!(
                "The screen shows nothing: the boot loader gave no framebuffer. GRUB does after insmod all_video."
            );
        }
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
pub struct ReportOutput {
    line: Text<COLUMNS>,
}

impl ReportOutput {
    /// Clears the screen.
    pub fn fresh() -> Self {
        SCREEN.lock().clear();
        let _ = COM1.lock().write_str("\n");
        Self { line: Text::EMPTY }
    }
}

impl Write for ReportOutput {
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

impl Output for ReportOutput {
    fn set_style(&mut self, style: Style) {
        let (colours, escape) = appearance(style);
        SCREEN.lock().set_colours(colours);
        if COLOURS.load(Ordering::Relaxed) {
            let _ = COM1.lock().write_str(escape);
        }
    }
}

/// Returns what a style is on the screen, and the escape sequence that a terminal takes for it.
const fn appearance(style: Style) -> (Colours, &'static str) {
    match style {
        Style::Plain => (PLAIN, "\x1B[0m"),
        // White on red.
        Style::Alarm => (0x4F, "\x1B[1;37;41m"),
        // White.
        Style::Strong => (0x0F, "\x1B[1m"),
        // Light cyan.
        Style::Label => (0x0B, "\x1B[36m"),
    }
}

/// Frees the locks of everything that the console needs after a death.
pub fn force_unlock(dying: &Dying) {
    COM1.force_unlock(dying);
    COM2.force_unlock(dying);
    SCREEN.force_unlock(dying);
    LEVELS.force_unlock(dying);
    input::force_unlock(dying);
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

/// The console as something to write on; [`CLEAR`] alone clears the screen, and a terminal.
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text == CLEAR {
            SCREEN.lock().clear();
            let _ = COM1.lock().write_str("\x1B[H\x1B[2J");
        } else {
            write(format_args!("{text}"));
        }
        Ok(())
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
        let ticks = pit::ticks();
        let (seconds, hundredths) = (ticks / pit::HERTZ, ticks % pit::HERTZ);
        let module = record.target().strip_prefix("droste::").unwrap_or(record.target());
        println!("[{seconds:4}.{hundredths:02}] {:5} {module}: {}", record.level(), record.args());
    }

    fn flush(&self) {}
}
