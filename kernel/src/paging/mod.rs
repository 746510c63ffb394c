//! Page tables: entries, the recursive window, the seam to the machine, and the table itself.

mod entry;
mod memory;
mod mmu;
mod share;
mod shown;
pub mod soft;
mod table;
mod uses;
mod window;

pub use entry::Entry;
pub use memory::Memory;
pub use mmu::{Fault, Mmu, MmuView};
pub use shown::Shown;
pub use table::{CurrentTable, DestroyError, OutOfFrames, PageTable, set_note};
pub use uses::Uses;
pub use window::{Slot, Window};
