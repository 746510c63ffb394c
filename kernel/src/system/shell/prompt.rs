//! The table of commands, and the loop that reads and carries them out.

use super::{frame_map, inspect, modify};
use crate::arch::x86::exit::{self, Verdict};
use crate::arch::x86::interrupts;
use crate::arch::x86::lock::{Dying, Locked};
use crate::arch::x86::stack;
use crate::boot_info::BootInfo;
use crate::log_levels::Levels;
use crate::system::console::{self, Console, print, println};
use crate::system::{crash, main_job, tests};
use crate::terminal::editor::{Editor, Input, LONGEST};
use crate::terminal::words::{BadWords, Words};
use alloc::string::String;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

/// A command.
struct Command {
    name: &'static str,
    arguments: &'static str,
    help: &'static str,
    run: fn(&mut Words<'_>) -> Result<(), BadWords>,
}

const COMMANDS: &[Command] = &[
    Command { name: "help", arguments: "[COMMAND]", help: "this list", run: help },
    Command { name: "walk", arguments: "ADDR", help: "the way from an address to its page", run: inspect::walk },
    Command { name: "pde", arguments: "ADDR", help: "its directory entry, and where it is seen", run: inspect::pde },
    Command { name: "pte", arguments: "ADDR", help: "its page-table entry, and where it is seen", run: inspect::pte },
    Command { name: "why", arguments: "ADDR [write]", help: "may it be touched, and if not, why", run: inspect::why },
    Command { name: "maps", arguments: "", help: "what this address space maps", run: inspect::maps },
    Command { name: "pools", arguments: "", help: "its pools", run: inspect::pools },
    Command { name: "regions", arguments: "[POOL]", help: "the regions of a pool, or of all", run: inspect::regions },
    Command { name: "frames", arguments: "", help: "a map of the process frame pool", run: frame_map::frames },
    Command { name: "spaces", arguments: "", help: "the address spaces of this prompt", run: modify::spaces },
    Command { name: "space", arguments: "new | load N | destroy N", help: "make, enter, end one", run: modify::space },
    Command { name: "alloc", arguments: "POOL BYTES", help: "allocate a region", run: modify::alloc },
    Command { name: "free", arguments: "ADDR", help: "release the region that starts there", run: modify::free },
    Command {
        name: "touch",
        arguments: "ADDR [PAGES]",
        help: "write to pages without changing them",
        run: modify::touch,
    },
    Command { name: "read", arguments: "ADDR", help: "the word there", run: modify::read },
    Command { name: "write", arguments: "ADDR VALUE", help: "change the word there", run: modify::write },
    Command { name: "tlb", arguments: "", help: "see a stale entry, then flush it", run: modify::tlb },
    Command { name: "events", arguments: "[COUNT]", help: "what happened to the memory last", run: inspect::events },
    Command {
        name: "faults",
        arguments: "[COUNT]",
        help: "the last faults, answered and refused",
        run: inspect::faults,
    },
    Command { name: "log", arguments: "LEVEL", help: "tell more or less: info, or vm:debug,warn", run: log },
    Command { name: "run", arguments: "[NAME]", help: "the main job, or a test, in a clean kernel", run },
    Command { name: "tests", arguments: "", help: "the names of all tests", run: list_tests },
    Command { name: "reboot", arguments: "", help: "restart the machine", run: reboot },
    Command { name: "poweroff", arguments: "", help: "end; the status tells if all went well", run: poweroff },
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
    modify::start();
    println!("\nType help for a list of commands.");
    read_commands()
}

/// Goes on at the prompt after a crash. Much of the kernel may be damaged.
fn run_after_crash(dying: &Dying) {
    PREPARED.force_unlock(dying);
    EDITOR.force_unlock(dying);
    modify::force_unlock(dying);
    FAILED.store(true, Ordering::Relaxed);
    DEAD.store(true, Ordering::Relaxed);
    stack::leave_crash(dying, read_commands)
}

extern "C" fn read_commands() -> ! {
    loop {
        let line = read_line();
        exit::reset_crash_depth();
        let mut words = Words::new(&line);
        let Some(name) = words.word() else {
            continue;
        };
        match COMMANDS.iter().find(|command| command.name == name) {
            Some(command) if (command.run)(&mut words).is_ok() => {}
            Some(command) => usage(command),
            None => println!("{name}: no such command; help lists them"),
        }
    }
}

/// Says in a line how a command is used.
fn usage(command: &Command) {
    let Command { name, arguments, help, .. } = command;
    println!("usage: {name} {arguments}: {help} (ADDR and POOL in hex, sizes as 4096, 4K, 16M)");
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
        "" | "help" => COMMANDS.iter().map(|command| command.name).collect(),
        "run" => tests::names().collect(),
        "space" => Vec::from(["new", "load", "destroy"]),
        "log" => Vec::from(["off", "error", "warn", "info", "debug", "trace"]),
        _ => Vec::new(),
    };
    all.into_iter().filter(|candidate| candidate.starts_with(word)).collect()
}

fn help(words: &mut Words<'_>) -> Result<(), BadWords> {
    let wanted = words.word();
    words.end()?;
    for command in COMMANDS.iter().filter(|command| wanted.is_none_or(|name| name == command.name)) {
        println!("{:9}{:28}{}", command.name, command.arguments, command.help);
    }
    Ok(())
}

fn log(words: &mut Words<'_>) -> Result<(), BadWords> {
    match Levels::parse(words.needed()?) {
        Ok(levels) => console::set_levels(levels),
        Err(error) => println!("{error}"),
    }
    words.end()
}

fn run(words: &mut Words<'_>) -> Result<(), BadWords> {
    let name = words.word();
    words.end()?;
    let boot_info = *PREPARED.lock();
    modify::in_clean_kernel(|| match (name, boot_info) {
        // It says itself how it went.
        (Some(name), _) => _ = tests::run_before_memory(name).unwrap_or_else(|| tests::run(name)),
        (None, Some(boot_info)) => _ = FAILED.fetch_or(!main_job::run(boot_info), Ordering::Relaxed),
        (None, None) => {}
    });
    Ok(())
}

fn list_tests(words: &mut Words<'_>) -> Result<(), BadWords> {
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

fn reboot(words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    exit::reboot()
}

fn poweroff(words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    end()
}

fn end() -> ! {
    exit::end(if FAILED.load(Ordering::Relaxed) { Verdict::Failure } else { Verdict::Success })
}
