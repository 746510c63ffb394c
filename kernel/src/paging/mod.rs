//! Page tables: entries, the recursive window, the seam to the machine, and the table itself.

mod entry;
mod mmu;
#[cfg(not(target_arch = "x86"))]
pub mod soft;
mod table;
mod window;

pub use entry::Entry;
pub use mmu::Mmu;
pub use table::{DestroyError, Memory, OutOfFrames, PageTable};
pub use window::{Slot, Window};
