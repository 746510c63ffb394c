//! Virtual memory: regions of pages, pools of regions, address spaces of pools.
//!
//! A region that [`VmPool::allocate`] returns is a promise: no page of it has a frame until it is touched. The touch
//! faults, and [`Memory::handle_fault`](crate::paging::Memory::handle_fault) looks for the region and keeps the
//! promise. Everything that it reads on the way, the pools and their trees of regions (`tree`), lies in pages that are
//! always backed (`metadata`).
//!
//! Nothing here knows a port, an interrupt or a thread; `paging` below knows nothing of regions.

mod duplicate;
mod map_file;
mod metadata;
mod node;
mod pool;
mod pools;
mod space;
mod tree;
mod user;

pub use map_file::MapError;
pub use pool::{AllocateError, Kind, ReleaseError, VmPool};
pub use space::{AddressSpace, CurrentSpace, Refusal, RegisterError};
