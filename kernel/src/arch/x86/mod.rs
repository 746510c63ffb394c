//! 32-bit x86 on a PC: all of Droste's `unsafe` is in this directory.
#![allow(unsafe_code)]

pub mod exit;
pub mod heap;
pub mod lock;
mod memory;
pub mod mmu;
pub mod serial;
mod start;
pub mod vga;
