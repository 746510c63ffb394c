//! The entries that the processor calls: the boot stub's arrival, and traps.
//!
//! Nothing imports this. It alone in `arch` calls up, into [`crate::system`]: everything else here is ground that `system`
//! stands on.

mod boot;
mod traps;
