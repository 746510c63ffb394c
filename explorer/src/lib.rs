//! Droste's memory in a browser: the kernel's own code, on the software machine that host tests run on.
//!
//! Read the modules in this order:
//!
//! 1. [`outside`]: a machine's memory as it is seen from outside: CR3 and frames, past all translation.
//! 2. [`trace`]: what the kernel does to the machine in one step.
//! 3. [`watched`]: an MMU that notices that, and the use of stale translations, and can be broken on purpose.
//! 4. [`machine`]: the machine with its prompt: the commands are the kernel's.
//! 5. [`picture`]: what the page draws of it.
//! 6. [`recording`]: a run of the real machine, drawn the same way.
//! 7. `browser`: what the page calls. In wasm alone.
//!
//! The page itself is in `page/`, and `main.rs` makes one file of it all.
#![deny(unsafe_code)]

#[cfg(target_family = "wasm")]
mod browser;
pub mod machine;
pub mod outside;
pub mod picture;
pub mod recording;
pub mod trace;
pub mod watched;
