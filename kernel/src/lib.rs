//! Droste: a Multiboot kernel for 32-bit x86 whose page directory contains itself.
//!
//! Read the modules in this order:
//!
//! 1. [`addr`] and [`memory_map`]: the numbers everything else is made of.
//! 2. [`frames`]: which physical frames are free.
//! 3. [`paging`]: entries, the recursive window, page tables.
//! 4. [`vm`]: regions of pages that get a frame when they are touched; [`events`]: what happened last.
//! 5. [`fault`]: faults in words; [`report`]: the screen that a fault ends with; [`symbols`]: names of functions.
//! 6. `arch/x86`: the processor, and all that is unsafe.
//! 7. `machine`, `trap`, `kmain`: where it all comes together; then `job`, the coursework's main job.
//! 8. [`scenarios`]: what must hold, as stories that run on the host and in the machine; then `bench`: what it costs.
#![cfg_attr(not(test), no_std)]
#![deny(unsafe_code)]

extern crate alloc;

pub mod addr;
#[cfg(target_arch = "x86")]
pub mod arch;
#[cfg(target_arch = "x86")]
pub mod bench;
pub mod boot_info;
#[cfg(target_arch = "x86")]
pub mod claims;
#[cfg(target_arch = "x86")]
pub mod console;
pub mod events;
pub mod fault;
pub mod frames;
#[cfg(target_arch = "x86")]
pub mod job;
#[cfg(target_arch = "x86")]
pub mod kmain;
#[cfg(target_arch = "x86")]
pub mod last_words;
pub mod log_levels;
#[cfg(target_arch = "x86")]
pub mod machine;
pub mod memory_map;
pub mod paging;
pub mod report;
pub mod scenarios;
pub mod shell;
pub mod symbols;
#[cfg(target_arch = "x86")]
pub mod tests;
pub mod text;
#[cfg(target_arch = "x86")]
pub mod threads;
#[cfg(target_arch = "x86")]
pub mod trap;
pub mod vm;
