//! Fatal tests, one for each cause that a report can name. Each must be reported, and end the machine.

use crate::addr::{PAGE_SIZE, Page, VirtAddr};
use crate::arch::x86::mmu::X86Mmu;
use crate::arch::x86::{access, image, provoke};
use crate::frames::FramePool;
use crate::paging::{Drive, DriveError, Entry, File, MemoryDrive, Mmu, MmuView, Slot, Swap, View, Window};
use crate::system::console::control;
use crate::system::{memory, threads};
use crate::vm::{AddressSpace, VmPool};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::hint::black_box;

/// The name of a test, and what provokes the crash.
pub type FatalTest = (&'static str, fn());

/// Tests that need nothing but the processor and a stack.
pub const BEFORE_MEMORY: &[FatalTest] = &[
    ("dies-divide-by-zero", provoke::divide_by_zero),
    ("dies-invalid-opcode", provoke::invalid_opcode),
    ("dies-too-early", || _ = provoke::read(HEAP)),
];

/// All others.
pub const ALL: &[FatalTest] = &[
    ("dies-null-pointer", || _ = provoke::read(VirtAddr::new(0))),
    ("dies-off-by-one", off_by_one),
    ("dies-past-a-region", past_a_region),
    ("dies-before-a-region", before_a_region),
    ("dies-after-release", after_release),
    ("dies-after-drop", after_drop),
    ("dies-never-allocated", never_allocated),
    ("dies-outside-pools", outside_pools),
    ("dies-inner-metadata", inner_metadata),
    ("dies-absent-table", || _ = provoke::read(VirtAddr::new(0xFFC8_0000))),
    ("dies-closed-window", || _ = provoke::read(VirtAddr::new(0xFF80_0000))),
    ("dies-first-pages", first_pages),
    ("dies-guard-page", || _ = provoke::read(image::stack_guard_page().start())),
    ("dies-wild-jump", wild_jump),
    ("dies-write-to-code", || provoke::write(image::text().start.start())),
    ("dies-write-to-constants", || provoke::write(image::rodata().start.start())),
    ("dies-read-only-page", || write_to_changed(Window::pte_slot, Entry::WRITABLE)),
    ("dies-read-only-table", || write_to_changed(Window::pde_slot, Entry::WRITABLE)),
    ("dies-out-of-frames", out_of_frames),
    ("dies-no-frame-for-a-copy", no_frame_for_a_copy),
    ("dies-unreadable-slot", || push_out(true)),
    ("dies-drive-full", || push_out(false)),
    ("dies-past-the-end-of-a-file", || touch_file(MemoryDrive::new(1), PAGE_SIZE, false)),
    ("dies-read-only-file", || touch_file(MemoryDrive::new(1), 0, true)),
    ("dies-unreadable-file", || touch_file(OneWay(MemoryDrive::new(1)), 0, false)),
    ("dies-stack-overflow", || _ = black_box(provoke::overflow_stack(0))),
    ("dies-push-below-the-stack", || provoke::lose_stack(stack_bottom())),
    ("dies-thread-stack-overflow", overflow_a_threads_stack),
    ("dies-stack-pointer-gone", || provoke::lose_stack(HEAP)),
    ("dies-general-protection", provoke::load_bad_selector),
    ("dies-breakpoint", provoke::breakpoint),
    ("dies-overflow-trap", provoke::overflow_trap),
    ("dies-fault-under-lock", || _ = memory::with(|_| provoke::read(VirtAddr::new(0x40_0000)))),
    ("dies-lock-taken", || memory::with(|_| memory::with(|_| ()))),
    ("dies-arithmetic-overflow", || _ = black_box(black_box(u32::MAX) + black_box(1))),
    ("dies-index-out-of-bounds", || _ = black_box([1, 2, 3][black_box(3)])),
    ("dies-heap-used-up", use_heap_up),
    ("dies-panic", || panic!("nothing goes on from here")),
    ("dies-fault-in-the-report", || panic!("{}", Unspeakable)),
];

const HEAP: VirtAddr = VirtAddr::new(0x4000_0000);

/// Takes blocks that don't fit into what the heap has at the start, so it grows, and then one that fits nowhere.
fn use_heap_up() {
    let blocks: Vec<Vec<u8>> = (1..=3).map(|filling| vec![filling; 0x3_0000]).collect();
    for (filling, block) in (1..).zip(&blocks) {
        assert!(block.iter().all(|byte| *byte == filling), "a block of the heap was written over");
    }
    drop(blocks);
    let again: Vec<u8> = black_box(Vec::with_capacity(black_box(0x3_0000)));
    drop(again);
    _ = black_box(Vec::<u8>::with_capacity(black_box(2 << 20)));
}

/// Tells the grader which region a test is about: its report must name it, and only the kernel knows where it lies.
fn name_region(start: VirtAddr, bytes: u32) {
    control!("name start {start}");
    control!("name end {}", above(start, bytes));
}

/// Tells the grader which address is touched now.
fn named(address: VirtAddr) -> VirtAddr {
    control!("name touched {address}");
    address
}

fn above(address: VirtAddr, bytes: u32) -> VirtAddr {
    VirtAddr::new(address.as_u32() + bytes)
}

/// Registers a pool with the current address space and allocates a region of two pages, whose first word is written.
fn pool_and_region() -> Option<(VmPool, VirtAddr)> {
    let made = memory::with(|memory| {
        let mut pool = memory.register_pool(HEAP, 1 << 20).ok()?;
        let region = pool.allocate(memory, 8192).ok()?;
        Some((pool, region))
    });
    if let Some((_, region)) = made {
        name_region(region, 8192);
        access::write(region, 1);
    }
    made
}

fn off_by_one() {
    if let Some((_, region)) = pool_and_region() {
        provoke::read(named(above(region, 8192)));
    }
}

fn past_a_region() {
    if let Some((_, region)) = pool_and_region() {
        provoke::read(named(above(region, 8192 + 16)));
    }
}

fn before_a_region() {
    let Some((mut pool, region)) = pool_and_region() else {
        return;
    };
    let next = memory::with(|memory| {
        let next = pool.allocate(memory, 4096).ok();
        let _ = pool.release(memory, region);
        // As long ago as nobody remembers.
        for _ in 0..64 {
            let far = pool.allocate(memory, 16 << 10).ok();
            let _ = far.map(|far| pool.release(memory, far));
        }
        next
    });
    if let Some(next) = next {
        name_region(next, 4096);
        provoke::read(VirtAddr::new(next.as_u32() - 4));
    }
}

fn after_release() {
    if let Some((mut pool, region)) = pool_and_region() {
        let _ = memory::with(|memory| pool.release(memory, region));
        provoke::read(region);
    }
}

fn after_drop() {
    if let Some((pool, region)) = pool_and_region() {
        let _ = memory::with(|memory| memory.drop_pool(pool));
        provoke::write(named(region));
    }
}

fn never_allocated() {
    if pool_and_region().is_some() {
        provoke::read(above(HEAP, 0x8_0000));
    }
}

fn outside_pools() {
    if pool_and_region().is_some() {
        provoke::read(VirtAddr::new(0x2000_0000));
    }
}

/// Overwrites the pool's first metadata page as if it were a region, and goes on.
fn inner_metadata() {
    if let Some((_, region)) = pool_and_region() {
        for word in 0..1024 {
            access::write(above(HEAP, 4 * word), 0xDEAD_BEE0);
        }
        access::write(named(above(region, 4096)), 1);
    }
}

/// Takes a page of the first 4 MiB away, as nobody should.
fn first_pages() {
    let page = Page::new(8);
    memory::with(|memory| {
        memory.mmu.store(Window::Own.pte_slot(page), Entry::ABSENT);
        memory.mmu.flush(page);
    });
    provoke::read(page.start());
}

fn wild_jump() {
    if pool_and_region().is_some() {
        provoke::jump(VirtAddr::new(0x5EED_0000));
    }
}

/// Takes a bit out of an entry of a page that is backed, and writes to the page.
fn write_to_changed(slot: fn(Window, Page) -> Slot, bit: u32) {
    if let Some((_, region)) = pool_and_region() {
        let page = Page::containing(region);
        memory::with(|memory| {
            let slot = slot(Window::Own, page);
            let entry = memory.mmu.load(slot);
            memory.mmu.store(slot, Entry::from_bits(entry.bits() & !bit));
            memory.mmu.flush_all();
        });
        provoke::write(region);
    }
}

fn out_of_frames() {
    while memory::with(|memory| memory.frames.get_frame()).is_some() {}
    access::write(VirtAddr::new(0x40_0000), 1);
}

fn no_frame_for_a_copy() {
    if let Some((_, region)) = pool_and_region() {
        // It is never destroyed, and neither is this space.
        let _clone = memory::with(AddressSpace::duplicate);
        while memory::with(|memory| memory.frames.get_frame()).is_some() {}
        access::write(region, 2);
    }
}

/// A drive of one slot beside the first and the last, which pages don't get. It takes everything, and gives nothing back.
struct OneWay(MemoryDrive);

impl Drive<X86Mmu> for OneWay {
    fn sectors(&self) -> u32 {
        Drive::<X86Mmu>::sectors(&self.0)
    }

    fn read(&mut self, _: &mut X86Mmu, _: u32, _: u32, _: Page) -> Result<(), DriveError> {
        Err(DriveError::Failed(0x51, 0x40))
    }

    fn write(&mut self, mmu: &X86Mmu, first: u32, count: u32, page: Page) -> Result<(), DriveError> {
        self.0.write(mmu, first, count, page)
    }
}

/// Sends the first page of a region to a drive that gives nothing back, and touches it again, or one for which neither a frame
/// nor a slot is left.
fn push_out(again: bool) {
    let (Some((_, region)), drive) = (pool_and_region(), Box::new(OneWay(MemoryDrive::new(3)))) else { return };
    let swap = Swap::new(drive, vec![0; FramePool::storage_words(3)].leak(), vec![0; 3].leak());
    access::write(region, 1);
    let slot = memory::with(|memory| {
        memory.swap = swap;
        memory.evict(Page::containing(region))
    });
    if slot.is_some() && !again {
        while memory::with(|memory| memory.frames.get_frame()).is_some() {}
        access::write(VirtAddr::new(region.as_u32() + PAGE_SIZE), 2);
    }
    access::write(region, 2);
}

/// Touches a file of one page, mapped read-only, `bytes` bytes from its start.
fn touch_file(drive: impl Drive<X86Mmu> + Send + 'static, bytes: u32, write: bool) {
    const START: VirtAddr = VirtAddr::new(0x5000_0000);
    let Ok(file) = File::new(Box::new(drive), 0, PAGE_SIZE, true) else { return };
    let mapped = memory::with(|memory| {
        let file = memory.files.add(file);
        memory.map_file(VirtAddr::new(START.as_u32() - PAGE_SIZE), file, View::Shared, false)
    });
    let address = VirtAddr::new(START.as_u32() + bytes);
    match mapped {
        Ok(_) if write => provoke::write(address),
        Ok(_) => _ = provoke::read(address),
        Err(_) => {}
    }
}

/// Returns the address of the lowest word of the stack: a word that is pushed there lies in the guard page.
fn stack_bottom() -> VirtAddr {
    Page::new(image::stack_guard_page().number() + 1).start()
}

/// Gives a thread a space with a pool, which no other space has, and lets it use up its stack.
fn overflow_a_threads_stack() {
    let space = memory::with(|memory| {
        let (home, space) = (memory.root(), AddressSpace::create(memory).ok()?);
        space.load(memory);
        let registered = memory.register_pool(HEAP, 1 << 20);
        memory.mmu.set_root(home);
        registered.ok().map(|_| space)
    });
    if let Some(space) = space {
        threads::run(&[&space], |number| _ = black_box(provoke::overflow_stack(number))).ok();
    }
}

/// Something that cannot be printed without a fault.
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", provoke::read(VirtAddr::new(0)))
    }
}
