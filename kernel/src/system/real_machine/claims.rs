//! Claims to the grader at a checkpoint, and the questions that it answers.
//!
//! Records go out on the control channel; then the machine stands still, and the grader looks at it or puts an answer into
//! the channel before it goes on. Where nobody watches, nothing stands still and nothing is answered.

use crate::addr::Frame;
use crate::arch::x86::lock::Masked;
use crate::arch::x86::{exit, heap, interrupts, kernel_pool, pit};
use crate::frames::FramePool;
use crate::paging::MmuView;
use crate::scenarios::Claim;
use crate::system::console::{self, control};
use crate::system::{memory, programs};

/// How many ticks an answer is waited for. It is there at once, if somebody answers.
const SEED_TIMEOUT: u32 = 10;

/// Asks the grader for a seed.
pub fn ask_seed() -> Option<u32> {
    if !console::control_is_open() {
        return None;
    }
    control!("ask seed");
    stand_still();
    let (asked, mut seed) = (pit::ticks(), None);
    while pit::ticks() - asked < SEED_TIMEOUT {
        match console::read_control_byte() {
            Some(digit @ b'0'..=b'9') => {
                let so_far: u32 = seed.unwrap_or(0);
                seed = Some(so_far.wrapping_mul(10).wrapping_add(u32::from(digit - b'0')));
            }
            Some(b'\n') => return seed,
            _ => {}
        }
    }
    None
}

/// Claims what is in the memory and stands still to be audited. `home` is the directory of the kernel's first address
/// space; `others` are alive beside that and the current one.
pub fn checkpoint(name: &str, home: Frame, others: &[Frame], claims: &[Claim]) {
    if !console::control_is_open() {
        return;
    }
    // Programs change the memory, too, but none runs until the machine has stood still.
    let _masked = Masked::new();
    kernel_pool::with(|pool| claim_pool(pool));
    control!("claim heap {:#x}", heap::frames());
    let current = memory::with(|memory| {
        claim_pool(&memory.frames);
        let counted = memory.frames.range();
        let (start, end) = (counted.start.number(), counted.end.number());
        control!("claim uses {start:#x} {end:#x} {:#x}", memory.uses.address());
        control!("claim free {:#x}", memory.frames.free_frames());
        if let Some(swap) = &memory.swap {
            let (slots, [map, counts]) = (swap.slots(), swap.addresses());
            match swap.drive_address() {
                Some(drive) => control!("claim slots {slots:#x} {map:#x} {counts:#x} {drive:#x}"),
                None => control!("claim slots {slots:#x} {map:#x} {counts:#x}"),
            }
        }
        for table in memory.files.tables() {
            control!("claim table {:#x} {:#x}", table.frame.number(), table.users);
        }
        memory.root()
    });
    for root in [home, current].iter().chain(others.iter().filter(|other| **other != current)) {
        control!("claim directory {:#x}", root.number());
    }
    programs::roots(|root| control!("claim program {:#x}", root.number()));
    control!("claim faults {:#x}", memory::faults());
    claims.iter().for_each(|claim| control!("claim {claim}"));
    control!("audit {name}");
    stand_still();
}

/// Stands still, and then waits for the second tick of the timer. Where time is counted in instructions, a machine that
/// stands still may or may not leap to the next tick; the one after that finds every run in the same place.
fn stand_still() {
    let before = pit::ticks();
    exit::freeze();
    while pit::ticks() - before < 2 {
        interrupts::wait();
    }
}

fn claim_pool(pool: &FramePool<'_>) {
    let range = pool.range();
    control!("claim pool {:#x} {:#x} {:#x}", range.start.number(), range.end.number(), pool.map_address());
}
