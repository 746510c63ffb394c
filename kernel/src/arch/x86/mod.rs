//! 32-bit x86 on a PC: all of Droste's `unsafe` is in this directory.
//!
//! What safe code uses: the ends of a run ([`exit`]), locks ([`lock`]), the consoles ([`serial`], [`vga`], [`pixels`]), the right to
//! edit page tables ([`mmu`]), the places of the image ([`image`]), and the start of each part of the machine, which is
//! called once and in order by [`crate::system::kmain`].
//!
//! Every `SAFETY` comment here takes for granted, and doesn't repeat: (1) all code of the kernel runs in ring 0; (2) the segments are flat, so
//! an offset is a linear address; (3) there is one processor.
//!
//! This is the ground that `system` stands on, so it imports nothing of `system`. The one exception is `entry`: what the
//! processor itself calls. Decision: docs/src/decisions/0017-floors.md.
#![allow(unsafe_code)]

pub mod access;
pub mod ata;
pub mod boot_memory;
pub mod clock;
mod entry;
pub mod exit;
pub mod far_call;
pub mod floor;
pub mod gdt;
pub mod heap;
pub mod idt;
pub mod image;
pub mod interrupts;
pub mod kernel_pool;
pub mod keyboard;
pub mod lock;
mod memcpy;
pub mod mmu;
pub mod pic;
pub mod pit;
pub mod pixels;
pub mod provoke;
pub mod ring3;
pub mod serial;
pub mod stack;
pub mod trap_frame;
pub mod vga;
