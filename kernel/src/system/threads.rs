//! Kernel threads: just enough to see that faults and switches nest.
//!
//! Each thread has an address space and a stack of its own, and the timer switches from one to the next, round robin. CR3
//! changes only where the space does. A thread that is interrupted goes on where it was, be it in the middle of a loop of
//! faults; inside the fault handler, and wherever a lock is held, interrupts are masked and no switch comes.
//!
//! There are no priorities, no waiting and no policies: the exercises that follow this one are about those.

use crate::addr::{Frame, Page};
use crate::arch::x86::lock::Locked;
use crate::arch::x86::stack::{PAGES, Stack, Switch};
use crate::arch::x86::{interrupts, kernel_pool};
use crate::memory_map::IDENTITY;
use crate::paging::{Entry, Mmu, MmuView, Window};
use crate::system::memory;
use crate::vm::AddressSpace;
use alloc::vec::Vec;

/// A thread's work.
pub type Work = fn(u32);

struct Thread {
    stack: Stack,
    /// The directory of its address space.
    root: Frame,
    work: Work,
    argument: u32,
    done: bool,
}

struct Threads {
    /// The first is the one that started the others. The list does not change while they run.
    all: Vec<Thread>,
    running: usize,
    switches: u32,
}

static THREADS: Locked<Threads> = Locked::new(Threads { all: Vec::new(), running: 0, switches: 0 });

/// Why threads were not started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// Threads are running already.
    Running,
    /// The kernel pool has no frames left for a stack.
    OutOfFrames,
}

/// Runs a thread for each of `spaces`: it calls `work` with its number, in its own address space. Returns when all are done
/// how often the timer has switched meanwhile.
///
/// # Errors
///
/// [`StartError`]; no thread was started then.
pub fn run(spaces: &[&AddressSpace], work: Work) -> Result<u32, StartError> {
    let home = memory::with(|memory| memory.root());
    let starter = Thread { stack: Stack::running(), root: home, work, argument: 0, done: false };
    let mut all = Vec::from([starter]);
    for (number, space) in (0..).zip(spaces) {
        match new_stack(all.len() as u32) {
            Some(stack) => all.push(Thread { stack, root: space.root(), work, argument: number, done: false }),
            None => {
                all.iter().for_each(|thread| free_stack(&thread.stack));
                return Err(StartError::OutOfFrames);
            }
        }
    }
    {
        let mut threads = THREADS.lock();
        if !threads.all.is_empty() {
            all.iter().for_each(|thread| free_stack(&thread.stack));
            return Err(StartError::Running);
        }
        *threads = Threads { all, running: 0, switches: 0 };
    }
    while !THREADS.lock().all.iter().skip(1).all(|thread| thread.done) {
        interrupts::wait();
    }
    let mut threads = THREADS.lock();
    let switches = threads.switches;
    let all = core::mem::take(&mut threads.all);
    drop(threads);
    all.iter().for_each(|thread| free_stack(&thread.stack));
    Ok(switches)
}

/// Returns how often the timer has switched since the threads that run now were started.
pub fn switches() -> u32 {
    THREADS.lock().switches
}

/// Says whether `page` is the guard page of a thread's stack. Finds nothing while the threads are being worked on.
pub fn is_guard_page(page: Page) -> bool {
    let threads = THREADS.try_lock();
    threads.is_some_and(|threads| threads.all.iter().any(|thread| thread.stack.guard_page() == Some(page)))
}

/// Switches to the next thread that isn't done. Called at every tick, with interrupts masked, until a crash begins.
pub fn tick() {
    let Some(mut threads) = THREADS.try_lock() else {
        return;
    };
    let count = threads.all.len();
    let running = threads.running;
    let next = (1..count).map(|step| (running + step) % count).find(|other| !threads.all[*other].done);
    let Some(next) = next else {
        return;
    };
    threads.running = next;
    threads.switches += 1;
    let root = threads.all[next].root;
    let switch = match threads.all.get_disjoint_mut([running, next]) {
        Ok([from, to]) => Switch::between(&mut from.stack, &to.stack),
        Err(_) => return,
    };
    // No lock is held across the switch: the other thread may want it.
    drop(threads);
    memory::with(|memory| {
        if memory.root() != root {
            memory.mmu.set_root(root);
        }
    });
    switch.make();
}

extern "C" fn enter(number: u32) -> ! {
    let (work, argument) = {
        let threads = THREADS.lock();
        let thread = &threads.all[number as usize];
        (thread.work, thread.argument)
    };
    work(argument);
    THREADS.lock().all[number as usize].done = true;
    loop {
        // The next tick switches away for good.
        interrupts::wait();
    }
}

/// Makes a stack for thread `number`, with its guard page absent in every address space: they share the first 4 MiB.
fn new_stack(number: u32) -> Option<Stack> {
    let first = kernel_pool::with(|pool| pool.get_frames(PAGES))?;
    let stack = Stack::new(first, enter, number);
    set_guard_page(&stack, |_| Entry::ABSENT);
    Some(stack)
}

fn free_stack(stack: &Stack) {
    set_guard_page(stack, Entry::writable);
    if let Some(first) = stack.first_frame() {
        let released = kernel_pool::with(|pool| pool.release_frames(first));
        assert!(released.is_ok(), "a stack was not released: {released:?}");
    }
}

fn set_guard_page(stack: &Stack, entry: impl FnOnce(Frame) -> Entry) {
    if let Some(page) = stack.guard_page() {
        debug_assert!(IDENTITY.contains(page));
        memory::with(|memory| {
            memory.mmu.store(Window::Own.pte_slot(page), entry(Frame::new(page.number())));
            memory.mmu.flush(page);
        });
    }
}
