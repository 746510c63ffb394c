//! Faults in words: what was touched, and why that is wrong.
//!
//! [`decode`] reads the error code, [`Memory::handle_fault`](crate::paging::Memory::handle_fault) decides. If the
//! answer is no, [`Location`] says where the address lies, [`Walk`] how far the processor got with it, and the table of
//! [`causes`](cause) why that happens. All three look at the memory through [`Untrusted`], since it may be damaged.

mod causes;
mod consistency;
mod crash;
mod location;
mod untrusted;
mod walk;

pub use causes::{CAUSES, Cause, Evidence, cause};
pub use consistency::{Damaged, extents, follow_records, metadata_agrees, pools};
pub use crash::{Crash, FaultError, WRITE, decode};
pub use location::{Layout, Location, addresses};
pub use untrusted::Untrusted;
pub use walk::{Walk, is_directory};
