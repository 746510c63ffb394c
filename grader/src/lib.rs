//! The grader: starts Droste in virtual machines, judges them from outside and reports.
//!
//! It is run at the root of the project. Read the modules in this order:
//!
//! 1. [`run`]: the words that all share; [`records`], what the kernel says on the control channel; [`verdict`]: what a run
//!    is worth.
//! 2. [`vm`]: what can be run, and the running of one; with [`qemu`], the watch over it, and [`child`], which makes
//!    sure that it ends; [`preflight`], what both need.
//! 3. [`audit`]: what is seen in the machine's memory; [`backtrace`]: who called whom; [`post_mortem`], what is told of a
//!    machine that did not pass.
//! 4. [`manifest`] and [`matrix`]: the [`job`]s that there are; [`plan`]: those that are asked for; [`queue`]: the running of
//!    them; [`session`]: a run of the grader.
//! 5. [`marks`], [`provenance`], [`report`] and [`outputs`]: what people and programs get to see.
#![forbid(unsafe_code)]

pub mod audit;
pub mod backtrace;
pub mod child;
pub mod job;
pub mod manifest;
pub mod marks;
pub mod matrix;
pub mod memory;
pub mod outputs;
pub mod plan;
pub mod post_mortem;
pub mod preflight;
pub mod provenance;
pub mod qemu;
pub mod queue;
pub mod records;
pub mod report;
pub mod run;
pub mod session;
pub mod symbols;
pub mod verdict;
pub mod vm;
