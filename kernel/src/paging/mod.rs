//! Page tables: entries, the recursive window, the seam to the machine, and the table itself.

mod entry;
mod mmu;
mod window;

pub use entry::Entry;
pub use mmu::Mmu;
pub use window::{Slot, Window};
