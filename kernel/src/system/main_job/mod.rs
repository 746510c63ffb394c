//! The main job: the coursework's two standard runs, a clone and a drive, measured, a tour of the recursive window, and three
//! programs.
//!
//! It prints what a person can follow and ends with PASS or FAIL; every figure is checked against what a correct system
//! shows.

mod clone;
mod file;
mod part;
mod programs;
mod run;
mod standard;
mod swap;
mod tour;

pub use run::run;
pub use tour::show_stale_translation;
