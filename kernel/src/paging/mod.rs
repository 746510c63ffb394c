//! Page tables: entries, the recursive window, the seam to the machine, and the table itself; frames that several entries lead
//! to; the drive to which pages go when no frame is left; and files.

mod drive;
mod entry;
mod files;
mod hand;
mod memory;
mod mmu;
mod share;
mod shown;
pub mod soft;
mod swap;
mod table;
mod uses;
mod view;
mod window;

pub use drive::{Drive, DriveError, LoadedDrive, MemoryDrive, SECTOR_SIZE, SECTORS_A_PAGE, check_sectors};
pub use entry::Entry;
pub use files::{File, FileCounts, FileError, FileId, FileTable, Files, View};
pub use memory::Memory;
pub use mmu::{Fault, Mmu, MmuView};
pub use shown::Shown;
pub use swap::{Purpose, Swap, SwapCounts};
pub use table::{CurrentTable, DestroyError, OutOfFrames, PageTable, set_note};
pub use uses::Uses;
pub use window::{Slot, Window};
