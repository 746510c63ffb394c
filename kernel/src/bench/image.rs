//! What the kernel itself takes of the machine.

use crate::arch::x86::{heap, image};
use crate::console::control;
use crate::machine::Kernel;
use crate::memory_map::KERNEL_POOL;
use crate::scenarios::Outcome;

pub fn measure(_kernel: &mut Kernel) -> Outcome {
    control!("value frames-image {}", image::frames().len());
    control!("value frames-kernel-pool {}", KERNEL_POOL.len() - Kernel::with_kernel_pool(|pool| pool.free_frames()));
    // The first page table's directory and table.
    control!("value frames-page-table 2");
    control!("value heap-bytes {}", heap::usage().1);
    Ok(())
}
