//! Kernel threads: just enough to see that faults and switches nest.
//!
//! Each thread has an address space and a stack of its own, and the timer switches from one to the next, round robin.
//! CR3 changes only where the space does. A thread that is interrupted goes on where it was, be it in the middle of a
//! loop of faults; inside the fault handler, and wherever a lock is held, interrupts are masked and no switch comes.
//!
//! There are no priorities and no policies: the exercises that follow this one are about those.

use crate::addr::{Frame, Page};
use crate::arch::x86::lock::{Locked, Masked};
use crate::arch::x86::stack::{PAGES, Stack, Switch};
use crate::arch::x86::{interrupts, kernel_pool, pit};
use crate::memory_map::IDENTITY;
use crate::paging::{Entry, Mmu, MmuView, Window};
use crate::system::memory;
use crate::vm::AddressSpace;
use alloc::vec::Vec;

/// A thread's work.
pub type Work = fn(u32);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    /// Until the timer has ticked so often.
    Asleep(u32),
    /// Until [`wake`].
    Waiting,
    Done,
}

struct Thread {
    number: u32,
    stack: Stack,
    /// The directory of its address space.
    root: Frame,
    work: Work,
    argument: u32,
    state: State,
}

impl Thread {
    fn can_run(&self) -> bool {
        match self.state {
            State::Ready => true,
            State::Asleep(until) => until.wrapping_sub(pit::ticks()) as i32 <= 0,
            State::Waiting | State::Done => false,
        }
    }
}

struct Threads {
    /// The first, number 0, is the one that started the others, which is always ready.
    all: Vec<Thread>,
    running: usize,
    /// How many threads were ever started.
    started: u32,
    switches: u32,
}

static THREADS: Locked<Threads> = Locked::new(Threads { all: Vec::new(), running: 0, started: 0, switches: 0 });

/// Why threads were not started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// Threads are running already.
    Running,
    /// The kernel pool has no frames left for a stack.
    OutOfFrames,
}

/// Runs a thread for each of `spaces`: it calls `work` with its number, in its own address space. Returns when all are
/// done how often the timer has switched meanwhile.
///
/// # Errors
///
/// [`StartError`]; no thread was started then.
pub fn run(spaces: &[&AddressSpace], work: Work) -> Result<u32, StartError> {
    if !THREADS.lock().all.is_empty() {
        return Err(StartError::Running);
    }
    let masked = Masked::new();
    let started = (0..).zip(spaces).try_for_each(|(number, space)| start(space.root(), work, number).map(|_| ()));
    if started.is_err() {
        THREADS.lock().all.iter_mut().skip(1).for_each(|thread| thread.state = State::Done);
        reap();
        return Err(StartError::OutOfFrames);
    }
    THREADS.lock().switches = 0;
    drop(masked);
    while !THREADS.lock().all.iter().skip(1).all(|thread| thread.state == State::Done) {
        interrupts::wait();
    }
    let switches = switches();
    reap();
    Ok(switches)
}

/// Lets other threads run, if one can, or else stands still until an interrupt has come. For the thread that started
/// the others.
pub fn give_way() {
    let masked = Masked::new();
    if THREADS.lock().all.iter().skip(1).any(Thread::can_run) {
        tick();
    } else {
        drop(masked);
        interrupts::wait();
    }
}

/// Starts a thread in the address space `root`, which calls `work` with `argument`. Returns its number.
///
/// # Errors
///
/// [`StartError::OutOfFrames`], also if the heap has no room for it.
pub fn start(root: Frame, work: Work, argument: u32) -> Result<u32, StartError> {
    let mut threads = THREADS.lock();
    threads.all.try_reserve(2).map_err(|_| StartError::OutOfFrames)?;
    let number = threads.started.wrapping_add(1).max(1);
    let stack = new_stack(number).ok_or(StartError::OutOfFrames)?;
    if threads.all.is_empty() {
        let starter = Thread {
            number: 0,
            stack: Stack::running(),
            root: memory::with(|memory| memory.root()),
            work,
            argument: 0,
            state: State::Ready,
        };
        threads.all.push(starter);
    }
    threads.started = number;
    threads.all.push(Thread { number, stack, root, work, argument, state: State::Ready });
    Ok(number)
}

/// Returns the number of the running thread.
pub fn current() -> u32 {
    let threads = THREADS.lock();
    threads.all.get(threads.running).map_or(0, |thread| thread.number)
}

/// Lets the running thread sleep until the timer has ticked so often.
pub fn sleep_until(ticks: u32) {
    rest(State::Asleep(ticks));
}

/// Lets the running thread wait until another wakes it.
pub fn wait() {
    rest(State::Waiting);
}

/// Ends the running thread.
pub fn end() -> ! {
    rest(State::Done);
    unreachable!("a thread that was done went on")
}

fn rest(state: State) {
    let _masked = Masked::new();
    let running = {
        let mut threads = THREADS.lock();
        let running = threads.running;
        if let Some(thread) = threads.all.get_mut(running) {
            thread.state = state;
        }
        running
    };
    assert!(running > 0, "the thread that started the others has to go on");
    tick();
}

/// Wakes a thread that waits.
pub fn wake(number: u32) {
    set_state(number, |state| if state == State::Waiting { State::Ready } else { state });
}

/// Ends a thread that isn't running. What is on its stack is lost: it must need nothing of it.
pub fn kill(number: u32) {
    set_state(number, |_| State::Done);
}

fn set_state(number: u32, state: impl FnOnce(State) -> State) {
    if let Some(thread) = THREADS.lock().all.iter_mut().find(|thread| thread.number == number) {
        thread.state = state(thread.state);
    }
}

/// Gives back the stacks of all threads that are done, but that of the running one.
pub fn reap() {
    let mut threads = THREADS.lock();
    let mut index = 1;
    while index < threads.all.len() {
        if index == threads.running || threads.all[index].state != State::Done {
            index += 1;
            continue;
        }
        let thread = threads.all.remove(index);
        free_stack(&thread.stack);
        if threads.running > index {
            threads.running -= 1;
        }
    }
    if threads.all.len() == 1 {
        threads.all.clear();
    }
}

/// Returns how often one thread was switched to another since the threads that run now were started.
pub fn switches() -> u32 {
    THREADS.lock().switches
}

/// Says whether `page` is the guard page of a thread's stack. Finds nothing while the threads are being worked on.
pub fn is_guard_page(page: Page) -> bool {
    let threads = THREADS.try_lock();
    threads.is_some_and(|threads| threads.all.iter().any(|thread| thread.stack.guard_page() == Some(page)))
}

/// Switches to the next thread that can run. Called at every tick, with interrupts masked, until a crash begins, and by
/// a thread that gives way.
pub fn tick() {
    let Some(mut threads) = THREADS.try_lock() else {
        return;
    };
    let count = threads.all.len();
    let running = threads.running;
    let next = (1..count).map(|step| (running + step) % count).find(|other| threads.all[*other].can_run());
    let Some(next) = next else {
        return;
    };
    threads.running = next;
    threads.switches += 1;
    let root = threads.all[next].root;
    // A thread may have changed its own: the prompt does.
    threads.all[running].root = memory::with(|memory| {
        let before = memory.root();
        if before != root {
            memory.mmu.set_root(root);
        }
        before
    });
    let switch = match threads.all.get_disjoint_mut([running, next]) {
        Ok([from, to]) => Switch::between(&mut from.stack, &to.stack),
        Err(_) => return,
    };
    // No lock is held across the switch: the other thread may want it.
    drop(threads);
    switch.make();
}

extern "C" fn enter(number: u32) -> ! {
    let found =
        THREADS.lock().all.iter().find(|thread| thread.number == number).map(|thread| (thread.work, thread.argument));
    if let Some((work, argument)) = found {
        work(argument);
    }
    end()
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
