//! The prompt: commands for whoever sits at the console, on the serial line or at the keyboard.
//!
//! [`crate::terminal`] makes keys, lines and words of what is typed. The commands are in the table in `prompt`: those in
//! `inspect` show the memory, `frame_map` draws the frame pool, those in `modify` change the memory.

mod frame_map;
mod inspect;
mod modify;
mod prompt;

pub use prompt::{prepare, run_prompt};
