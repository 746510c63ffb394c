//! Threads, each in an address space of its own.

use crate::addr::{Page, VirtAddr};
use crate::arch::x86::{access, kernel_pool, pit};
use crate::memory_map::KERNEL_POOL;
use crate::paging::{CurrentTable, Entry, Mmu, MmuView};
use crate::scenarios::{self, Machine, Outcome, demand};
use crate::system::real_machine::RealMachine;
use crate::system::{memory, threads};
use crate::vm::{AddressSpace, CurrentSpace};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

/// Where each thread works, and how much: the same addresses, 2 MiB as a rule.
const REGION_BASE: VirtAddr = VirtAddr::new(0x4000_0000);
pub static WORK_PAGES: AtomicU32 = AtomicU32::new(512);

const THREADS: usize = 4;
const SWITCHES_WANTED: u32 = 10_000;

/// How often each thread has filled its pages and found them right.
static ROUNDS: [AtomicU32; THREADS] = [const { AtomicU32::new(0) }; THREADS];
static ROUNDS_GONE_WRONG: AtomicU32 = AtomicU32::new(0);

/// Fills and checks a region, and gives it back, until the timer has switched often enough.
fn fill_and_check(number: u32) {
    let rounds = &ROUNDS[number as usize];
    while threads::switches() < SWITCHES_WANTED {
        let round = rounds.fetch_add(1, Ordering::Relaxed);
        if fill_once(number << 24 | (round & 0xFFF) << 12).is_err() {
            ROUNDS_GONE_WRONG.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Writes `mark` and its number to each page of a region, reads all back, and releases the region.
fn fill_once(mark: u32) -> Outcome {
    let pool = memory::with(|memory| memory.pool_of(Page::containing(REGION_BASE)));
    let mut pool = scenarios::done("pool found", pool.ok_or(()))?;
    let pages = WORK_PAGES.load(Ordering::Relaxed);
    let region = memory::with(|memory| pool.allocate(memory, 4096 * pages));
    let region = scenarios::done("region allocated", region)?;
    let address = |page| VirtAddr::new(region.as_u32() + 4096 * page);
    for page in 0..pages {
        access::write(address(page), mark | page);
    }
    for page in 0..pages {
        demand("word of a page", mark | page, access::read(address(page)))?;
    }
    let released = memory::with(|memory| pool.release(memory, region));
    demand("pages released", pages, released.unwrap_or(0))
}

/// Lets four threads in four spaces fill and check the same addresses until the timer has switched often enough.
pub fn in_their_spaces(machine: &mut RealMachine) -> Outcome {
    let home = machine.with(|memory| memory.root());
    let kernel_frames = kernel_pool::with(|pool| pool.free_frames());
    let mut spaces = Vec::new();
    for _ in 0..THREADS {
        let space = machine.with(AddressSpace::create);
        let Ok(space) = space else {
            return demand("address space created", true, false);
        };
        let registered = machine.with(|memory| {
            space.load(memory);
            memory.register_pool(REGION_BASE, 16 << 20).is_ok()
        });
        demand("pool registered", true, registered)?;
        spaces.push(space);
    }
    machine.with(|memory| memory.mmu.set_root(home));
    // A hundred times as fast as otherwise.
    pit::start(100 * pit::HERTZ);
    let switches = threads::run(&spaces.iter().collect::<Vec<_>>(), fill_and_check);
    pit::start(pit::HERTZ);
    demand("threads ran", true, switches.is_ok_and(|switches| switches >= SWITCHES_WANTED))?;
    demand("rounds gone wrong", 0, ROUNDS_GONE_WRONG.load(Ordering::Relaxed))?;
    for rounds in &ROUNDS {
        demand("a thread had its turn", true, rounds.load(Ordering::Relaxed) > 0)?;
    }
    demand("kernel frames, the stacks given back", kernel_frames, kernel_pool::with(|pool| pool.free_frames()))?;
    for frame in KERNEL_POOL.iter() {
        let entry = machine.with(|memory| memory.pte(Page::new(frame.number()))).unwrap_or(Entry::ABSENT);
        demand("a page of the kernel pool, which may have been a guard page, is writable", true, entry.is_writable())?;
    }
    demand("home again", home.number(), machine.with(|memory| memory.root()).number())?;
    for space in spaces {
        demand("space destroyed", true, machine.with(|memory| space.destroy(memory)).is_ok())?;
    }
    Ok(())
}
