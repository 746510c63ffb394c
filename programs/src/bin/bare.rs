//! A program in assembly alone: `programs/src/bare.s`.
#![no_std]
#![no_main]

use programs as _; // what every program must have for a panic, though this one has none

core::arch::global_asm!(include_str!("../bare.s"));
