//! The commands of the prompt, on any machine that has one.
//!
//! Those in `inspect` show the memory, `frame_map` draws the frame pool, those in `modify` change the memory, and those in
//! `spaces` make and enter address spaces, and `swap` knows the drive. What only one machine can do, such as ending, it adds
//! itself.

mod files;
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

/// What carries a command out: it takes the words behind the command's own.
type Run<M> = fn(&M, &mut Words<'_>) -> Result<(), BadWords>;

/// A command.
pub struct Command<M> {
    name: &'static str,
    arguments: &'static str,
    help: &'static str,
    run: Run<M>,
}

impl<M> Command<M> {
    /// Makes the command with the first word `name` and `arguments` behind it, which does what `help` says in a few words, by
    /// `run`.
    pub const fn new(name: &'static str, arguments: &'static str, help: &'static str, run: Run<M>) -> Self {
        Self { name, arguments, help, run }
    }
}

/// Returns the commands that every machine has.
pub fn all<M: PromptMachine>() -> [Command<M>; 24] {
    [
        Command::new("walk", "ADDR", "the way from an address to its page", inspect::walk),
        Command::new("pde", "ADDR", "its directory entry, and where it is seen", inspect::pde),
        Command::new("pte", "ADDR", "its page-table entry, and where it is seen", inspect::pte),
        Command::new("why", "ADDR [write]", "may it be touched, and if not, why", inspect::why),
        Command::new("maps", "", "what this address space maps", inspect::maps),
        Command::new("pools", "", "its pools", inspect::pools),
        Command::new("regions", "[POOL]", "the regions of a pool, or of all", inspect::regions),
        Command::new("frames", "", "a map of the process frame pool", frame_map::frames),
        Command::new("spaces", "", "the address spaces of this prompt", spaces::spaces),
        Command::new("space", "new | load N | destroy N", "make, enter, end one", spaces::space),
        Command::new("duplicate", "", "a clone of this space; a first write copies a page", spaces::duplicate),
        Command::new("pool", "new ADDR BYTES | drop POOL", "register one, or drop it with all in it", modify::pool),
        Command::new("alloc", "POOL BYTES", "allocate a region", modify::alloc),
        Command::new("free", "ADDR [page]", "release a region, or a page's frame", modify::free),
        Command::new("touch", "ADDR [PAGES]", "write to pages without changing them", modify::touch),
        Command::new("read", "ADDR", "the word there", modify::read),
        Command::new("write", "ADDR VALUE", "change the word there", modify::write),
        Command::new("swap", "", "a map of the drive's slots, for pages", swap::swap),
        Command::new("evict", "ADDR", "send a page to the drive", swap::evict),
        Command::new("files", "", "the files, and where they are seen", files::files),
        Command::new("map", "FILE ADDR [shared] [read-only]", "see a file as a region", files::map),
        Command::new("sync", "FILE", "write a shared file's changed pages back", files::sync),
        Command::new("events", "[COUNT]", "what happened to the memory last", inspect::events),
        Command::new("faults", "[COUNT]", "the last faults, answered and refused", inspect::faults),
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
