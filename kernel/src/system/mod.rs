//! The machine at work: what runs on x86 alone, and what `arch` is the ground of.
//!
//! From the ground up: `console`, `memory`, `threads`, `crash`, `programs`, `trap`; then what is done with them: `real_machine` (the
//! scenarios' machine), `main_job`, `bench`, `tests`, `shell`; at the top `kmain`, the kernel's life in order.

pub mod bench;
pub mod console;
pub mod crash;
pub mod kmain;
pub mod main_job;
pub mod memory;
pub mod programs;
pub mod real_machine;
pub mod shell;
pub mod tests;
pub mod threads;
pub mod trap;
