//! The prompt: commands for whoever sits at the console, on the serial line or at the keyboard.
//!
//! What is typed becomes [`keys`], keys become a line in the [`editor`], its [`words`] become a command's arguments. The
//! commands are in the table in `prompt`: those in `look` show the memory, those in `act` change it.

pub mod editor;
pub mod keys;
pub mod words;

#[cfg(target_arch = "x86")]
mod act;
#[cfg(target_arch = "x86")]
mod look;
#[cfg(target_arch = "x86")]
mod picture;
#[cfg(target_arch = "x86")]
mod prompt;

#[cfg(target_arch = "x86")]
pub use prompt::{prepare, run_after_death, run_prompt};
