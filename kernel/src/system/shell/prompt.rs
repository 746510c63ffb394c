//! The table of commands, and the loop that reads and carries them out.

use super::drive::drive;
use super::programs;
use super::prompt_machine::{self, ThisMachine};
use crate::arch::x86::exit::{self, Verdict};
use crate::arch::x86::interrupts;
use crate::arch::x86::lock::{Dying, Locked};
use crate::arch::x86::stack;
use crate::boot_info::BootInfo;
use crate::commands::{self, Command};
use crate::log_levels::Levels;
use crate::system::console::{self, Console, print, println};
use crate::system::{self, crash, main_job, tests};
use crate::terminal::editor::{Editor, Input, LONGEST};
use crate::terminal::words::{BadWords, Words};
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

/// The commands that this machine has beside those of every machine with a prompt.
const OWN: &[Command<ThisMachine>] = &[
    Command::new("tlb", "", "see a stale entry, then flush it", tlb),
    Command::new(
        "drive",
        "[read | write SECTOR ADDR | file SECTOR BYTES]",
        "the drive; a page in or out; a file",
        drive,
    ),
    Command::new("log", "LEVEL", "tell more or less: info, or vm:debug,warn", log),
    Command::new("run", "[NAME] | PROGRAM ...", "the main job, a test, or a program", run),
    Command::new("ps", "", "the programs there are", programs::list),
    Command::new("kill", "NUMBER", "end a program", programs::kill),
    Command::new("tests", "", "the names of all tests", list_tests),
    Command::new("reboot", "", "restart the machine", reboot),
    Command::new("poweroff", "", "end; the status tells if all went well", poweroff),
];

/// The prompt, before a crash and after.
const PROMPT: &str = "droste> ";
const DEAD_PROMPT: &str = "dead> ";

/// The boot information, if there is to be a prompt.
static PREPARED: Locked<Option<&'static BootInfo>> = Locked::new(None);
static EDITOR: Locked<Editor> = Locked::new(Editor::EMPTY);
/// Whether a main job has failed, or the kernel crashed.
static FAILED: AtomicBool = AtomicBool::new(false);
static DEAD: AtomicBool = AtomicBool::new(false);

/// Says that somebody is there: from here on a crash ends at the prompt.
pub fn prepare(boot_info: &'static BootInfo) {
    *PREPARED.lock() = Some(boot_info);
    crash::set_afterwards(run_after_crash);
}

/// Reads commands and carries them out, until one ends the machine.
pub fn run_prompt(passed: bool) -> ! {
    FAILED.store(!passed, Ordering::Relaxed);
    commands::start(&ThisMachine);
    println!("\nType help for a list of commands.");
    read_commands()
}

/// Goes on at the prompt after a crash. Much of the kernel may be damaged.
fn run_after_crash(dying: &Dying) {
    PREPARED.force_unlock(dying);
    EDITOR.force_unlock(dying);
    prompt_machine::force_unlock(dying);
    FAILED.store(true, Ordering::Relaxed);
    DEAD.store(true, Ordering::Relaxed);
    stack::leave_crash(dying, read_commands)
}

extern "C" fn read_commands() -> ! {
    loop {
        let line = read_line();
        exit::reset_crash_depth();
        commands::carry_out(&ThisMachine, OWN, &line);
    }
}

fn read_line() -> String {
    let prompt = if DEAD.load(Ordering::Relaxed) { DEAD_PROMPT } else { PROMPT };
    print!("{prompt}");
    loop {
        let Some(key) = console::read_key() else {
            interrupts::wait();
            continue;
        };
        // The console takes everything.
        let input = EDITOR.lock().key(key, &mut Console, prompt, candidates).ok().flatten();
        match input {
            None => continue,
            Some(Input::Line(line)) => return line,
            Some(Input::TooLong) => println!("nothing done: a line has at most {LONGEST} characters"),
            Some(Input::GivenUp) => println!("Ctrl-C once more ends the machine"),
            Some(Input::End) => {
                println!("the machine ends");
                end();
            }
        }
        print!("{prompt}");
    }
}

/// Returns what the last word of `line` can become.
fn candidates(line: &str) -> Vec<&'static str> {
    let (before, word) = line.rsplit_once(' ').unwrap_or(("", line));
    let all: Vec<&'static str> = match before.trim() {
        "" | "help" => commands::names(OWN).collect(),
        "run" => tests::names().collect(),
        "drive" => Vec::from(["read", "write"]),
        "space" => Vec::from(["new", "load", "destroy"]),
        "log" => Vec::from(["off", "error", "warn", "info", "debug", "trace"]),
        _ => Vec::new(),
    };
    all.into_iter().filter(|candidate| candidate.starts_with(word)).collect()
}

fn tlb(_: &ThisMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    main_job::show_stale_translation();
    Ok(())
}

fn log(_: &ThisMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    match Levels::parse(words.needed()?) {
        Ok(levels) => console::set_levels(levels),
        Err(error) => println!("{error}"),
    }
    words.end()
}

fn run(_: &ThisMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let name = words.word();
    if let Some(name) = name.filter(|name| system::programs::is_known(name)) {
        _ = programs::run(name, &words.rest());
        return Ok(());
    }
    words.end()?;
    if programs::are_there() {
        println!("nothing done: programs run, and tests count frames; ps lists them, kill ends one");
        return Ok(());
    }
    let boot_info = *PREPARED.lock();
    commands::in_clean_kernel(&ThisMachine, || match (name, boot_info) {
        // It says itself how it went.
        (Some(name), _) => _ = tests::run_before_memory(name).unwrap_or_else(|| tests::run(name)),
        (None, Some(boot_info)) => _ = FAILED.fetch_or(!main_job::run(boot_info), Ordering::Relaxed),
        (None, None) => {}
    });
    Ok(())
}

fn list_tests(_: &ThisMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    let mut column = 0;
    for name in tests::names() {
        // Three columns; a longer name takes two.
        let width = (name.len() + 1).next_multiple_of(26);
        if column + width > 78 {
            println!();
            column = 0;
        }
        print!("{name:width$}");
        column += width;
    }
    println!();
    Ok(())
}

fn reboot(_: &ThisMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    exit::reboot()
}

fn poweroff(_: &ThisMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    end()
}

fn end() -> ! {
    exit::end(if FAILED.load(Ordering::Relaxed) { Verdict::Failure } else { Verdict::Success })
}
