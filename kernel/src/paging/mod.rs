//! Page tables: entries, the recursive window, the seam to the machine, and the table itself.

mod entry;
mod mmu;
pub mod soft;
mod table;
mod window;

pub use entry::Entry;
pub use mmu::Mmu;
pub use table::{DestroyError, Memory, OutOfFrames, PageTable};
pub use window::{Slot, Window};
