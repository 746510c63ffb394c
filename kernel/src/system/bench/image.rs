//! The memory and time that the kernel itself takes.

use crate::addr::PAGE_SIZE;
use crate::arch::x86::{heap, image, kernel_pool};
use crate::memory_map::KERNEL_POOL;
use crate::scenarios::Outcome;
use crate::system::console::control;
use crate::system::real_machine::RealMachine;

/// Tells what is in use of the kernel pool, before the heap grows with what is measured.
pub fn tell_kernel_pool() {
    control!("value frames-kernel-pool {}", KERNEL_POOL.len() - kernel_pool::with(|pool| pool.free_frames()));
    control!("value heap-bytes {}", heap::frames() * PAGE_SIZE);
}

pub fn measure(_machine: &mut RealMachine) -> Outcome {
    control!("value frames-image {}", image::frames().len());
    // The first page table's directory and table.
    control!("value frames-page-table 2");
    Ok(())
}
