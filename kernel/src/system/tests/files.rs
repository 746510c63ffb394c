//! Boot modules, which are files.

use crate::addr::{PAGE_SIZE, VirtAddr};
use crate::paging::{FileId, View};
use crate::scenarios::{Failure, Machine, Outcome, demand, done};
use crate::system::memory;
use crate::system::real_machine::RealMachine;
use alloc::vec::Vec;

/// Where a file is seen: from the start of a page table on.
const VIEW: u32 = 0x5000_0000;

/// The first word of an ELF file.
const ELF: u32 = u32::from_le_bytes(*b"\x7FELF");

/// Reads each module as a file, before and after every frame that is to be had was cleared for a page.
pub fn boot_modules_are_files(machine: &mut RealMachine) -> Outcome {
    let files: Vec<_> = machine.with(|memory| memory.files.all().map(|(id, file)| (id, file.bytes())).collect());
    demand("programs among the modules", true, files.len() > 3)?;
    let sums = |machine: &mut RealMachine| files.iter().map(|(file, bytes)| sum(machine, *file, *bytes)).collect();
    let before: Result<Vec<_>, Failure> = sums(machine);
    let before = before?;
    let start = VirtAddr::new(0x0040_0000);
    let mut pool = done("pool registered", machine.with(|memory| memory.register_pool(start, 256 << 20)))?;
    let region = done("region allocated", machine.with(|memory| pool.allocate(memory, 255 << 20)))?;
    let mut pages = (region.as_u32()..).step_by(PAGE_SIZE as usize).map(VirtAddr::new);
    // Each gets a frame of zeros.
    while pages.next().is_some_and(|page| machine.probe(page, true).is_ok()) {}
    demand("free frames", 0, memory::free_frames())?;
    done("pool dropped", machine.with(|memory| memory.drop_pool(pool)))?;
    let after: Result<Vec<_>, Failure> = sums(machine);
    before.into_iter().zip(after?).try_for_each(|(before, after)| demand("sum of a module's words", before, after))
}

/// Reads a file of which nothing but ELF is known. Returns a sum of its words in their order.
fn sum(machine: &mut RealMachine, file: FileId, bytes: u32) -> Result<u32, Failure> {
    let base = VirtAddr::new(VIEW - PAGE_SIZE);
    let pool = done("file mapped", machine.with(|memory| memory.map_file(base, file, View::Private, false)))?;
    demand("its first word", ELF, machine.read(VirtAddr::new(VIEW)))?;
    let mut sum = 0_u32;
    for at in (0..bytes.next_multiple_of(PAGE_SIZE)).step_by(4) {
        let word = machine.read(VirtAddr::new(VIEW + at));
        if at >= bytes {
            demand("a word behind its end", 0, word)?;
        }
        sum = sum.rotate_left(1) ^ word;
    }
    done("pool dropped", machine.with(|memory| memory.drop_pool(pool)))?;
    Ok(sum)
}
