//! Common to all groups: the seed, and the largest pool.

use crate::memory_map::POOL_PAGES;
use crate::scenarios::{self, Failure, Machine};
use crate::system::real_machine::RealMachine;
use crate::vm::VmPool;

/// Where random choices start: always the same, so that two runs measure the same.
pub const SEED: u32 = 0x00D5_05E5;

/// Registers a pool of every page that pools may hold.
pub fn largest_pool(machine: &mut RealMachine) -> Result<VmPool, Failure> {
    let bytes = POOL_PAGES.len() << 12;
    let registered = machine.with(|memory| memory.register_pool(POOL_PAGES.start.start(), bytes));
    scenarios::done("pool registered", registered)
}
