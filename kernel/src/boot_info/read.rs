//! Which version of Multiboot it was.

use super::{BootError, BootInfo, PhysicalMemory, multiboot1};
use crate::addr::PhysAddr;
use crate::screen::Display;

impl BootInfo {
    /// Copies everything out. `magic` and `info` are what the boot loader left in EAX and EBX.
    ///
    /// # Errors
    ///
    /// See [`BootError`].
    pub fn read(magic: u32, info: PhysAddr, memory: &impl PhysicalMemory) -> Result<Self, BootError> {
        match magic {
            multiboot1::MAGIC => multiboot1::read(info, memory),
            #[cfg(not(target_family = "wasm"))]
            super::multiboot2::MAGIC => super::multiboot2::read(info, memory),
            _ => Err(BootError::Magic(magic)),
        }
    }

    /// Finds out what text can be shown on: even if [`read`](Self::read) fails, since that has to be shown, too.
    pub fn display(magic: u32, info: PhysAddr, memory: &impl PhysicalMemory) -> Display {
        let display = match magic {
            multiboot1::MAGIC => multiboot1::display(info, memory),
            #[cfg(not(target_family = "wasm"))]
            super::multiboot2::MAGIC => super::multiboot2::display(info, memory),
            _ => None,
        };
        display.unwrap_or_default()
    }
}
