//! The prompt: a few commands for whoever sits at the console.

use crate::arch::x86::exit::{self, Verdict};
use crate::arch::x86::trap;
use crate::boot_info::BootInfo;
use crate::console::{self, print, println};
use crate::job;
use alloc::string::String;

/// The longest line that is taken.
const MAX_LINE: usize = 200;

/// Reads commands and carries them out, until one ends the machine.
pub fn run(boot_info: &BootInfo, mut verdict: Verdict) -> ! {
    println!("\nType help for a list of commands.");
    loop {
        print!("droste> ");
        let line = read_line();
        match line.trim() {
            "" => {}
            "help" => help(),
            "run" => verdict = if job::run(boot_info) { Verdict::Success } else { Verdict::Failure },
            "reboot" => exit::reboot(),
            "poweroff" => exit::end(verdict),
            other => println!("{other}: no such command; help lists them"),
        }
    }
}

/// Goes on after a death, if there was to be a prompt.
pub fn run_after_death() {}

fn help() {
    println!("help       this list");
    println!("run        the main job once more");
    println!("reboot     restart the machine");
    println!("poweroff   end; the status says whether the last main job passed");
}

/// Reads a line, echoing what is typed. Backspace takes the last character back.
fn read_line() -> String {
    let mut line = String::new();
    loop {
        let Some(byte) = console::read_byte() else {
            trap::wait_for_interrupt();
            continue;
        };
        match byte {
            b'\r' | b'\n' => {
                println!();
                return line;
            }
            0x08 | 0x7F if line.pop().is_some() => print!("\x08 \x08"),
            b' '..=b'~' if line.len() < MAX_LINE => {
                line.push(char::from(byte));
                print!("{}", char::from(byte));
            }
            _ => {}
        }
    }
}
