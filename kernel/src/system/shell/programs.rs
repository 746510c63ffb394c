//! The commands about programs.

use super::prompt_machine::ThisMachine;
use crate::system::console::{self, println};
use crate::system::programs::{self, End};
use crate::terminal::words::{BadWords, Words};
use alloc::vec::Vec;

/// Runs the program that `line` begins with, with the rest as arguments. Says whether it ended with status 0.
pub fn run_line(line: &str) -> bool {
    let (name, arguments) = line.split_once(' ').unwrap_or((line, ""));
    run(name, arguments) == Some(End::Exited(0))
}

/// Runs a program until it ends, which is returned, or Ctrl-C ends it. Behind arguments that end with `&` the prompt goes on beside it.
pub fn run(name: &str, arguments: &str) -> Option<End> {
    let (arguments, in_background) = match arguments.strip_suffix('&') {
        Some(arguments) => (arguments.trim_end(), true),
        None => (arguments, false),
    };
    match programs::start(name, arguments) {
        Err(error) => println!("{name}: {error}"),
        Ok(number) if in_background => println!("{name} is program {number}"),
        Ok(number) => {
            let end = programs::finish(number, console::is_cancelled);
            end.into_iter().for_each(|end| println!("{name} {end}"));
            return end;
        }
    }
    None
}

/// Says whether there are programs, of those that have ended none.
pub fn are_there() -> bool {
    programs::reap();
    let mut any = false;
    programs::each(|_, _, end| any |= end.is_none());
    any
}

/// `ps`: those that have ended are told once.
pub fn list(_: &ThisMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    programs::reap();
    let mut ended = Vec::new();
    programs::each(|number, name, end| match end {
        None => println!("{number:>5} {name}"),
        Some(end) => {
            println!("{number:>5} {name} {end}");
            ended.push(number);
        }
    });
    ended.into_iter().for_each(|number| _ = programs::finish(number, || false));
    Ok(())
}

/// `kill NUMBER`
pub fn kill(_: &ThisMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let number = words.number()?;
    words.end()?;
    if !programs::kill(number) {
        println!("no program {number} runs");
    }
    Ok(())
}
