//! What stands behind a page that has no frame: a slot of a drive.
//!
//! A present entry names a frame; an absent one names a slot in the same 20 bits, or is 0, and then its region says that the
//! page is zeros (rule **zero-asks-the-region**).
//!
//! [`Swap`] keeps the slots, and what is in them on a [`Drive`]. When no frame is free, the *hand* sweeps over the page tables
//! and sends a page there that was not used lately; the page's next touch reads it back. Without a drive nothing of this
//! happens.
//!
//! Decision: docs/src/decisions/0028-a-hand-over-page-tables.md.

mod drive;
mod hand;
mod swap;

pub use drive::{Drive, DriveError, MemoryDrive, SECTOR_SIZE, SECTORS_A_PAGE, check_sectors};
pub use swap::{Swap, SwapCounts};
