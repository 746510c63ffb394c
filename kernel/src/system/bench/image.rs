//! The memory and time that the kernel itself takes.

use crate::arch::x86::{heap, image};
use crate::memory_map::KERNEL_POOL;
use crate::scenarios::Outcome;
use crate::system::console::control;
use crate::system::memory;
use crate::system::real_machine::RealMachine;

pub fn measure(_machine: &mut RealMachine) -> Outcome {
    control!("value frames-image {}", image::frames().len());
    control!("value frames-kernel-pool {}", KERNEL_POOL.len() - memory::with_kernel_pool(|pool| pool.free_frames()));
    // The first page table's directory and table.
    control!("value frames-page-table 2");
    control!("value heap-bytes {}", heap::usage().1);
    Ok(())
}
