//! The commands of the prompt, on any machine that has one.
//!
//! Those in `inspect` show the memory, `frame_map` draws the frame pool, those in `modify` change the memory, and those in
//! `spaces` make and enter address spaces, and `swap` knows the drive. What only one machine can do, such as ending, it adds itself.

mod frame_map;
mod inspect;
mod machine;
mod modify;
mod space_list;
mod spaces;
mod swap;

pub use frame_map::{Books, FrameMap};
pub use inspect::records_agree;
pub use machine::{PromptMachine, PromptMemory};
pub use space_list::Spaces;
pub use spaces::{in_clean_kernel, start};

use crate::terminal::words::{BadWords, Words};
use machine::say;

/// A command.
pub struct Command<M> {
    /// Its first word.
    pub name: &'static str,
    /// What comes behind it.
    pub arguments: &'static str,
    /// What it does, in a few words.
    pub help: &'static str,
    /// Carries it out.
    pub run: fn(&M, &mut Words<'_>) -> Result<(), BadWords>,
}

/// Returns the commands that every machine has.
pub fn all<M: PromptMachine>() -> [Command<M>; 21] {
    [
        Command { name: "walk", arguments: "ADDR", help: "the way from an address to its page", run: inspect::walk },
        Command {
            name: "pde",
            arguments: "ADDR",
            help: "its directory entry, and where it is seen",
            run: inspect::pde,
        },
        Command {
            name: "pte",
            arguments: "ADDR",
            help: "its page-table entry, and where it is seen",
            run: inspect::pte,
        },
        Command {
            name: "why",
            arguments: "ADDR [write]",
            help: "may it be touched, and if not, why",
            run: inspect::why,
        },
        Command { name: "maps", arguments: "", help: "what this address space maps", run: inspect::maps },
        Command { name: "pools", arguments: "", help: "its pools", run: inspect::pools },
        Command {
            name: "regions",
            arguments: "[POOL]",
            help: "the regions of a pool, or of all",
            run: inspect::regions,
        },
        Command { name: "frames", arguments: "", help: "a map of the process frame pool", run: frame_map::frames },
        Command { name: "spaces", arguments: "", help: "the address spaces of this prompt", run: spaces::spaces },
        Command {
            name: "space",
            arguments: "new | load N | destroy N",
            help: "make, enter, end one",
            run: spaces::space,
        },
        Command {
            name: "duplicate",
            arguments: "",
            help: "a clone of this space; a first write copies a page",
            run: spaces::duplicate,
        },
        Command {
            name: "pool",
            arguments: "new ADDR BYTES | drop POOL",
            help: "register one, or drop it with all in it",
            run: modify::pool,
        },
        Command { name: "alloc", arguments: "POOL BYTES", help: "allocate a region", run: modify::alloc },
        Command {
            name: "free",
            arguments: "ADDR [page]",
            help: "release a region, or a page's frame",
            run: modify::free,
        },
        Command {
            name: "touch",
            arguments: "ADDR [PAGES]",
            help: "write to pages without changing them",
            run: modify::touch,
        },
        Command { name: "read", arguments: "ADDR", help: "the word there", run: modify::read },
        Command { name: "write", arguments: "ADDR VALUE", help: "change the word there", run: modify::write },
        Command { name: "swap", arguments: "", help: "a map of the drive's slots, for pages", run: swap::swap },
        Command { name: "evict", arguments: "ADDR", help: "send a page to the drive", run: swap::evict },
        Command {
            name: "events",
            arguments: "[COUNT]",
            help: "what happened to the memory last",
            run: inspect::events,
        },
        Command {
            name: "faults",
            arguments: "[COUNT]",
            help: "the last faults, answered and refused",
            run: inspect::faults,
        },
    ]
}

/// Name, arguments and purpose of the command that lists all others.
const HELP: (&str, &str, &str) = ("help", "[COMMAND]", "this list");

/// Carries out a line: `help`, or a command of [`all`] or of the machine's `own`. An empty line does nothing.
pub fn carry_out<M: PromptMachine>(machine: &M, own: &[Command<M>], line: &str) {
    let mut words = Words::new(line);
    let Some(name) = words.word() else {
        return;
    };
    let shared = all();
    match shared.iter().chain(own).find(|command| command.name == name) {
        Some(command) if (command.run)(machine, &mut words).is_ok() => {}
        Some(command) => usage(machine, (command.name, command.arguments, command.help)),
        None if name != HELP.0 => say!(machine, "{name}: no such command; help lists them"),
        None if list(machine, shared.iter().chain(own), &mut words).is_ok() => {}
        None => usage(machine, HELP),
    }
}

/// Returns the names of all commands that [`carry_out`] knows.
pub fn names<M: PromptMachine>(own: &[Command<M>]) -> impl Iterator<Item = &'static str> {
    let shared = all::<M>().into_iter().map(|command| command.name);
    [HELP.0].into_iter().chain(shared).chain(own.iter().map(|command| command.name))
}

fn list<'a, M: PromptMachine + 'a>(
    machine: &M,
    commands: impl Iterator<Item = &'a Command<M>>,
    words: &mut Words<'_>,
) -> Result<(), BadWords> {
    let wanted = words.word();
    words.end()?;
    let commands = commands.map(|command| (command.name, command.arguments, command.help));
    for (name, arguments, help) in [HELP].into_iter().chain(commands) {
        if wanted.is_none_or(|wanted| wanted == name) {
            say!(machine, "{name:9}{arguments:28}{help}");
        }
    }
    Ok(())
}

/// Says in a line how a command is used.
fn usage(machine: &impl PromptMachine, (name, arguments, help): (&str, &str, &str)) {
    say!(machine, "usage: {name} {arguments}: {help} (ADDR and POOL in hex, sizes as 4096, 4K, 16M)");
}
