//! Programs: each a thread with an address space of its own, in ring 3, and what becomes of them.
//!
//! All that the kernel does for a program happens with interrupts masked, and no switch comes in between but where the
//! thread gives way itself. So a program that does not run has nothing half done, and can be ended at any time.
//!
//! A program that has ended keeps its number and how it ended until whoever made it has asked. Its address space and
//! its stack go back as soon as another thread runs ([`reap`]).

mod calls;
mod load;
mod table;

pub use calls::answer;
pub use load::StartError;
pub use table::{End, crash, each, finish, is_known, kill, reap, roots, set_files, start};
