//! Droste: a Multiboot kernel for 32-bit x86 whose page directory contains itself.
//!
//! Read the modules in this order, which is also the order in which they stand on each other:
//!
//! 1. [`addr`], [`memory_map`] and [`text`]: the numbers everything else is made of, and their names.
//! 2. [`frames`]: which physical frames are free; [`events`]: what happened last.
//! 3. [`paging`]: entries, the recursive window, page tables, and where pages go when no frame is left.
//! 4. [`vm`]: regions of pages that get a frame when they are touched.
//! 5. [`screen`]: text, and how it becomes pixels; [`boot_info`]: what the boot loader left;
//!    [`programs`]: their calls and their files; [`symbols`]: names of functions; [`log_levels`]: how much each module logs.
//! 6. [`fault`]: faults in words; [`report`]: the screen that a crash ends with.
//! 7. [`scenarios`]: what must hold, on any machine; [`terminal`]: keys, line editing, words of a command;
//!    [`commands`]: those of the prompt, on any machine that has one.
//! 8. `arch/x86`: the processor and the PC, and all that is unsafe.
//! 9. `system`: where it all comes together, on the machine.
//!
//! Everything but the last two builds for any target. No file imports a file above it: `docs/src/decisions/0017-floors.md`.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

pub mod addr;
#[cfg(target_arch = "x86")]
pub mod arch;
pub mod boot_info;
pub mod commands;
pub mod events;
pub mod fault;
pub mod frames;
pub mod log_levels;
pub mod memory_map;
pub mod paging;
pub mod programs;
pub mod report;
pub mod scenarios;
pub mod screen;
pub mod symbols;
#[cfg(target_arch = "x86")]
pub mod system;
pub mod terminal;
pub mod text;
pub mod vm;

/// The seed of random tests on the host.
#[cfg(test)]
#[path = "../tests/seed/mod.rs"]
mod seed;
