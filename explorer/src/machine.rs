//! The machine with its prompt: the kernel's own code on the software machine, 32 MiB of memory as the reference machine has.

use crate::trace::Act;
use crate::watched::WatchedMmu;
use droste::addr::{Frame, FrameRange, Page, PageRange, VirtAddr};
use droste::commands::{self, Command, PromptMachine, PromptMemory, Spaces};
use droste::events::{EventKind, WRITE as WROTE};
use droste::fault::{Crash, FaultError, Layout, WRITE};
use droste::frames::FramePool;
use droste::memory_map::{HOLE, PROCESS_POOL_START};
use droste::paging::soft::SoftMmu;
use droste::paging::{Entry, Fault, Memory, Mmu, MmuView, PageTable, Uses};
use droste::report::{Output, Report, Style, View};
use droste::symbols::Symbols;
use droste::terminal::words::{BadWords, Words};
use droste::vm::{CurrentSpace, Refusal};
use std::cell::{Cell, RefCell};
use std::fmt::{self, Write};

/// One past the last frame of memory: 32 MiB.
const MEMORY_END: Frame = Frame::new(8192);
/// Where the boot stub's directory is.
const BOOT_DIRECTORY: Frame = Frame::new(300);
/// The first 4 MiB, as the linker script would lay them out.
const LAYOUT: Layout = Layout {
    text: PageRange::new(Page::new(256), Page::new(272)),
    rodata: PageRange::new(Page::new(272), Page::new(280)),
    guard: Page::new(290),
};

/// What this machine's prompt has beside the kernel's commands.
const OWN: &[Command<Machine>] = &[
    Command::new("break", "flush | clear | legitimacy", "break the kernel on purpose", break_),
    Command::new("mend", "", "end all that break began", mend),
];

/// A machine with the kernel in it.
pub struct Machine {
    memory: RefCell<Memory<WatchedMmu, FramePool<'static>>>,
    spaces: RefCell<Spaces>,
    console: RefCell<Console>,
    faults: Cell<u32>,
    /// Whether whatever lies in the range of a pool counts as legitimate.
    by_range: Cell<bool>,
}

#[derive(Default)]
struct Console(String);

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_str(text)
    }
}

impl Output for Console {
    fn set_style(&mut self, _: Style) {}
}

impl Machine {
    /// Starts the kernel on a machine, up to its prompt, as on the real one: boot directory, recursive entry, process pool,
    /// real page table, a first address space with two pools.
    ///
    /// # Panics
    ///
    /// Never: 32 MiB are enough.
    pub fn start() -> Self {
        let range = FrameRange::new(PROCESS_POOL_START, MEMORY_END);
        let storage = vec![0; FramePool::storage_words(range.len())].leak();
        let frames = FramePool::new(range, storage).map(|mut frames| {
            let marked = frames.mark_inaccessible(HOLE.start, HOLE.len());
            marked.map(|()| frames)
        });
        let Some(Ok(frames)) = frames else { panic!("the process pool has a hole at 15 MiB and all storage it needs") };
        let mut mmu = WatchedMmu::new(SoftMmu::booted(MEMORY_END.number(), BOOT_DIRECTORY));
        mmu.install_recursive_entry();
        let uses = Uses::new(range, vec![0; range.len() as usize].leak());
        let Some(uses) = uses else { panic!("there is a byte for each frame") };
        let mut memory = Memory::new(mmu, frames, uses);
        match PageTable::first(&mut memory, identity_entry) {
            Ok(table) => table.load(&mut memory.mmu),
            Err(error) => panic!("the first page table: {error}"),
        }
        let machine = Self {
            memory: RefCell::new(memory),
            spaces: RefCell::new(Spaces::NONE),
            console: RefCell::default(),
            faults: Cell::new(0),
            by_range: Cell::new(false),
        };
        commands::start(&machine);
        machine.with(|memory| memory.mmu.begin_step());
        machine
    }

    /// Carries out a line typed at the prompt, and returns what the machine says.
    pub fn carry_out(&self, line: &str) -> String {
        self.with(|memory| memory.mmu.begin_step());
        commands::carry_out(self, OWN, line);
        std::mem::take(&mut self.console.borrow_mut().0)
    }

    /// Returns the names of all commands.
    pub fn commands() -> impl Iterator<Item = &'static str> {
        commands::names(OWN)
    }

    /// Says whether whatever lies in the range of a pool counts as legitimate now.
    pub fn is_legitimacy_broken(&self) -> bool {
        self.by_range.get()
    }

    /// Answers a fault as the kernel's trap does.
    fn answer(&self, fault: Fault) -> Result<(), Refusal> {
        self.with(|memory| match memory.handle_fault(fault) {
            Err(Refusal::Illegitimate) if self.by_range.get() => {
                let page = Page::containing(fault.address);
                memory.pool_of(page).ok_or(Refusal::Illegitimate)?;
                memory.back(page).map(drop).map_err(|_| Refusal::OutOfFrames)
            }
            answered => answered,
        })?;
        self.faults.set(self.faults.get() + 1);
        Ok(())
    }

    /// Makes an access until its fault is answered, or refused, which is reported.
    fn access<T>(&self, access: impl Fn(&WatchedMmu) -> Result<T, Fault>) -> Option<T> {
        // A fault that is answered must not come again.
        for _ in 0..2 {
            let fault = match self.with(|memory| access(&memory.mmu)) {
                Ok(value) => return Some(value),
                Err(fault) => fault,
            };
            self.note(Act::Trap(fault));
            if let Err(refusal) = self.answer(fault) {
                self.note(Act::Refuse);
                self.refuse(fault, refusal);
                return None;
            }
            self.note(Act::Return);
        }
        self.print(format_args!("the fault was answered and came again\n"));
        None
    }

    fn note(&self, act: Act) {
        self.with(|memory| memory.mmu.note(act));
    }

    fn refuse(&self, fault: Fault, refusal: Refusal) {
        self.with(|memory| {
            let wrote = if fault.write { WROTE } else { 0 };
            memory.events.record(EventKind::Refused, fault.address, wrote, memory.mmu.root());
            let code = u32::from(fault.present) | if fault.write { WRITE } else { 0 };
            let report = Report {
                crash: Crash::PageFault { fault, code, error: FaultError::Refused(refusal) },
                source: None,
                registers: None,
                frame_pointer: 0,
                layout: LAYOUT,
                code: LAYOUT.text,
                by_program: false,
                symbols: Symbols::new(&[]),
                stack_word: |_| None,
            };
            let view = View {
                mmu: &memory.mmu,
                events: &memory.events,
                free_frames: memory.frames.free_frames(),
                free_slots: memory.swap.as_ref().map(|swap| swap.free_slots()),
            };
            report.write(Some(view), &mut *self.console.borrow_mut());
        });
    }
}

impl PromptMachine for Machine {
    type Mmu = WatchedMmu;

    fn with<R>(&self, work: impl FnOnce(&mut PromptMemory<Self>) -> R) -> R {
        work(&mut self.memory.borrow_mut())
    }

    fn with_spaces<R>(&self, work: impl FnOnce(&mut Spaces) -> R) -> R {
        work(&mut self.spaces.borrow_mut())
    }

    fn faults(&self) -> u32 {
        self.faults.get()
    }

    fn layout(&self, _: Option<VirtAddr>) -> Layout {
        LAYOUT
    }

    fn touch(&self, address: VirtAddr, write: bool) -> bool {
        // The processor touches one byte; the machine knows words.
        let word = VirtAddr::new(address.as_u32() & !3);
        let granted = self.access(|mmu| {
            let fault = |fault| Fault { address, write, ..fault };
            let there = mmu.try_read(word);
            if write { mmu.try_write(word, there.unwrap_or_default()) } else { there.map(drop) }.map_err(fault)
        });
        granted.is_some()
    }

    fn read(&self, address: VirtAddr) -> Option<u32> {
        self.access(|mmu| mmu.try_read(address))
    }

    fn write(&self, address: VirtAddr, word: u32) {
        self.access(|mmu| mmu.try_write(address, word));
    }

    fn print(&self, words: fmt::Arguments<'_>) {
        // A string takes everything.
        let _ = self.console.borrow_mut().write_fmt(words);
    }
}

/// Returns the entry that identity-maps `page` of the first 4 MiB, as the kernel's.
fn identity_entry(page: Page) -> Entry {
    let frame = Frame::new(page.number());
    if page == Page::new(0) || page == LAYOUT.guard {
        Entry::ABSENT
    } else if LAYOUT.text.contains(page) || LAYOUT.rodata.contains(page) {
        Entry::read_only(frame)
    } else {
        Entry::writable(frame)
    }
}

/// `break flush | clear | legitimacy`
fn break_(machine: &Machine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let what = words.needed()?;
    words.end()?;
    match what {
        "flush" => machine.with(|memory| memory.mmu.broken.flush = true),
        "clear" => machine.with(|memory| memory.mmu.broken.clear = true),
        "legitimacy" => machine.by_range.set(true),
        _ => return Err(BadWords),
    }
    machine.print(format_args!("broken until mend\n"));
    Ok(())
}

/// `mend`
fn mend(machine: &Machine, words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    machine.with(|memory| memory.mmu.broken = Default::default());
    machine.by_range.set(false);
    Ok(())
}
