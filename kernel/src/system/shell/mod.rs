//! The prompt: commands for whoever sits at the console, on the serial line or at the keyboard.
//!
//! [`crate::terminal`] makes keys, lines and words of what is typed, and [`crate::commands`] has most of the commands. The
//! table in `prompt` adds those of this machine alone.

mod drive;
mod programs;
mod prompt;
mod prompt_machine;

pub use programs::run_line as run_program;
pub use prompt::{prepare, run_prompt};
