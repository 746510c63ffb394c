//! Common to all groups: the seed, and the largest pool.

use crate::memory_map::POOL_PAGES;
use crate::scenarios::{self, Failure, Machine};
use crate::system::real_machine::RealMachine;
use crate::vm::VmPool;

/// Where random choices start: always the same, so that two runs measure the same.
pub const SEED: u32 = 0x00D5_05E5;

/// Turns an unexpected error of an operation into a failure, without the error's words: what keeps them until then would be
/// measured, too.
///
/// # Errors
///
/// A [`Failure`] of the caller's, if `result` is an error.
#[track_caller]
pub fn done<T, E>(what: &'static str, result: Result<T, E>) -> Result<T, Failure> {
    scenarios::done(what, result.map_err(|_| ()))
}

/// Registers a pool of every page that pools may hold.
pub fn largest_pool(machine: &mut RealMachine) -> Result<VmPool, Failure> {
    let bytes = POOL_PAGES.len() << 12;
    let registered = machine.with(|memory| memory.register_pool(POOL_PAGES.start.start(), bytes));
    done("pool registered", registered)
}
