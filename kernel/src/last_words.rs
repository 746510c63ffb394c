//! What the kernel says when something went wrong, and what it does then: a report, the diagnosis for the test harness, the
//! prompt if somebody is there, the end.

use crate::addr::{Frame, Page, VirtAddr};
use crate::arch::x86::exit::{self, Dying};
use crate::arch::x86::heap;
use crate::arch::x86::image;
use crate::arch::x86::mmu::X86Mmu;
use crate::arch::x86::trap::TrapFrame;
use crate::console::{self, ReportPaper, control, print, println};
use crate::fault::{Happening, Layout, is_directory};
use crate::frames::FramePool;
use crate::machine::{self, Kernel};
use crate::paging::{Memory, Mmu};
use crate::report::{Registers, Report, View};
use crate::scenarios::Machine;
use crate::shell;
use crate::threads;
use core::fmt;

/// Something that went wrong, and where.
#[derive(Clone, Copy)]
pub struct Trouble<'a> {
    /// What happened.
    pub happening: Happening<'a>,
    /// The registers, if the processor interrupted something.
    pub registers: Option<Registers>,
    /// EBP: where the chain of callers starts.
    pub frame_pointer: u32,
    /// The source line, where it is known.
    pub source: Option<&'a dyn fmt::Display>,
    /// The directory, if it isn't the current one.
    pub root: Option<Frame>,
}

impl<'a> Trouble<'a> {
    /// Makes it from what a trap left.
    pub fn in_trap(happening: Happening<'a>, frame: &TrapFrame) -> Self {
        let registers = Registers {
            eax: frame.eax,
            ebx: frame.ebx,
            ecx: frame.ecx,
            edx: frame.edx,
            esi: frame.esi,
            edi: frame.edi,
            ebp: frame.ebp,
            esp: frame.stack_pointer(),
            eip: frame.eip,
            eflags: frame.eflags,
        };
        Self { happening, registers: Some(registers), frame_pointer: frame.ebp, source: None, root: None }
    }

    fn report(&self) -> Report<'a> {
        Report {
            happening: self.happening,
            source: self.source,
            registers: self.registers,
            frame_pointer: self.frame_pointer,
            layout: layout(self.happening.address()),
            symbols: image::symbols(),
            stack_word: image::stack_word,
        }
    }
}

/// Returns what lies where; the guard page is that of whichever stack `address` is below.
pub fn layout(address: Option<VirtAddr>) -> Layout {
    let guard = address.map(Page::containing).filter(|page| threads::is_guard_page(*page));
    Layout { text: image::text(), rodata: image::rodata(), guard: guard.unwrap_or(image::stack_guard_page()) }
}

/// The memory of the kernel's machine.
pub type KernelMemory = Memory<X86Mmu, FramePool<'static>>;

fn view(memory: &KernelMemory) -> View<'_, X86Mmu> {
    View { mmu: &memory.mmu, events: &memory.events, free_frames: memory.frames.free_frames() }
}

/// Reports something that went wrong and is survived.
#[cold]
pub fn tell(trouble: &Trouble<'_>) {
    Kernel.with(|memory| trouble.report().write(Some(view(memory)), &mut ReportPaper::fresh()));
}

/// Reports something that is not survived. Then come the prompt, if somebody is there, and the end.
#[cold]
pub fn die(trouble: &Trouble<'_>) -> ! {
    exit::die(|dying| last_words(trouble, dying), |dying| short_words(trouble, dying))
}

fn last_words(trouble: &Trouble<'_>, dying: &Dying) {
    console::break_open(dying);
    heap::break_open(dying);
    machine::autopsy(dying, |mut memory| {
        // A double fault's task has a directory of its own; what was interrupted is seen in its own.
        if let (Some(root), Some(memory)) = (trouble.root, memory.as_deref_mut())
            && is_directory(&mut memory.mmu, root)
        {
            memory.mmu.set_root(root);
        }
        trouble.report().write(memory.map(|memory| view(memory)), &mut ReportPaper::fresh());
    });
    let happening = trouble.happening;
    control!("diagnosis {} {happening}", happening.kind());
    control!("end died");
    shell::run_after_death(dying);
}

fn short_words(trouble: &Trouble<'_>, dying: &Dying) {
    console::break_open(dying);
    let happening = trouble.happening;
    print!("\nwhile that was being reported: {}: {happening}", happening.kind());
    if let Some(Registers { eip, .. }) = trouble.registers {
        print!(", EIP {eip:#x}");
    }
    match trouble.source {
        Some(source) => println!(", {source}"),
        None => println!(),
    }
    control!("report while that was being reported: {}: {happening}", happening.kind());
    control!("diagnosis fault-while-reporting {happening}");
    control!("end died");
}
