//! The report: one screen that says what went wrong, why, and where to look next.
//!
//! Lines are printed as they are computed, the safest first, so a second fault loses only the rest. Nothing here needs the heap or a lock.

mod screen;
mod trace;

pub use screen::{COLUMNS, Output, ROWS, Style};

use crate::addr::{Frame, Page, PageRange, VirtAddr};
use crate::events::{Event, Events};
use crate::fault::{Crash, Evidence, Layout, Location, Untrusted, Walk, addresses, cause, metadata_agrees};
use crate::memory_map::POOL_PAGES;
use crate::paging::{Mmu, MmuView};
use crate::symbols::Symbols;
use crate::text::Text;
use crate::vm::CurrentSpace;
use core::fmt;
use screen::Screen;
use trace::{Link, calls, place};

/// The registers of the code that was interrupted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[allow(missing_docs)]
pub struct Registers {
    pub eax: u32,
    pub ebx: u32,
    pub ecx: u32,
    pub edx: u32,
    pub esi: u32,
    pub edi: u32,
    pub ebp: u32,
    pub esp: u32,
    pub eip: u32,
    pub eflags: u32,
}

/// The memory as far as it can be looked at.
#[derive(Clone, Copy)]
pub struct View<'a, M> {
    /// The machine; the address space that it is about is the current one.
    pub mmu: &'a M,
    /// The last events.
    pub events: &'a Events,
    /// How many frames of the process pool are free.
    pub free_frames: u32,
    /// How many slots of the drive are free, if there is a drive for pages.
    pub free_slots: Option<u32>,
}

/// A crash, with all that its report needs.
#[derive(Clone, Copy)]
pub struct Report<'a> {
    /// The crash.
    pub crash: Crash<'a>,
    /// The source line, where it is known.
    pub source: Option<&'a dyn fmt::Display>,
    /// The registers at that moment, if the processor interrupted it.
    pub registers: Option<Registers>,
    /// Where the chain of callers starts: EBP.
    pub frame_pointer: u32,
    /// Where things are in the first 4 MiB.
    pub layout: Layout,
    /// The pages of the code that did it.
    pub code: PageRange,
    /// Whether that is a program, in ring 3.
    pub by_program: bool,
    /// Names of its functions.
    pub symbols: Symbols<'a>,
    /// Reads a word of the stack, where there is no page table to look at it through.
    pub stack_word: fn(VirtAddr) -> Option<u32>,
}

/// What the memory tells of a crash.
struct Seen {
    place: Option<Location>,
    walk: Option<Walk>,
    sound: bool,
    free_frames: u32,
    has_swap: bool,
}

impl Seen {
    const NOTHING: Self = Self { place: None, walk: None, sound: true, free_frames: 0, has_swap: false };
}

/// Events that a report shows.
const EVENTS: usize = 16;

impl Report<'_> {
    /// Writes the report on `output`. Without a `view` there is no page table yet, and little to say. Returns the name of the
    /// cause, if there is one that fits.
    pub fn write<M: Mmu, P: Output>(&self, view: Option<View<'_, M>>, output: &mut P) -> Option<&'static str> {
        let mut screen = Screen::new(output);
        screen.headline(format_args!("{}: {}", self.crash.kind(), self.crash));
        if let Some(source) = self.source {
            screen.entry("source", Style::Plain, format_args!("{source}"));
        }
        let untrusted = view.as_ref().map(|view| (Untrusted::new(view.mmu), view));
        let cause = match &untrusted {
            Some((mmu, view)) => self.with_view(mmu, view, &mut screen),
            None => self.explain(Seen::NOTHING, &mut screen),
        };
        if let Some(registers) = &self.registers {
            screen.entry("regs", Style::Plain, format_args!("{}", registers.first_line()));
            screen.entry("", Style::Plain, format_args!("{}", registers.second_line()));
        }
        let events = untrusted.as_ref().map_or(0, |(mmu, view)| view.events.latest(mmu.root()).take(EVENTS).count());
        screen.keep(events.div_ceil(2) + 1);
        self.trace(untrusted.as_ref().map(|(mmu, _)| mmu), &mut screen);
        screen.keep(1);
        if let Some((mmu, view)) = &untrusted {
            last_events(view.events, mmu.root(), &mut screen);
        }
        screen.keep(0);
        if let Some(registers) = self.registers.filter(|_| !self.by_program) {
            screen.entry(
                "source",
                Style::Plain,
                format_args!("make where ADDR={:#x} names file and line", registers.eip),
            );
        }
        cause
    }

    fn with_view<M: Mmu, P: Output>(
        &self,
        mmu: &Untrusted<'_, M>,
        view: &View<'_, M>,
        screen: &mut Screen<'_, P>,
    ) -> Option<&'static str> {
        let address = self.crash.address();
        let place = address.map(|address| Location::new(mmu, view.events, &self.layout, address));
        let walk = address.map(|address| Walk::new(mmu, address));
        let sound = metadata_agrees(mmu);
        let cause = self.explain(
            Seen { place, walk, sound, free_frames: view.free_frames, has_swap: view.free_slots.is_some() },
            screen,
        );
        match walk {
            Some(walk) => {
                screen.entry("split", Style::Plain, format_args!("{}", walk.split()));
                screen.entry("walk", Style::Plain, format_args!("{}", walk.first_step()));
                screen.entry("", Style::Plain, format_args!("{}", walk.second_step()));
            }
            None => screen.entry("space", Style::Plain, format_args!("CR3 {:?}", mmu.root().start())),
        }
        let damage = if sound { "" } else { "; their metadata is damaged" };
        let slots = fmt::from_fn(|f| view.free_slots.map_or(Ok(()), |slots| write!(f, ", {slots} slots")));
        let (pools, frames) = (pools(mmu), view.free_frames);
        screen.entry("pools", Style::Plain, format_args!("{pools}{damage}; {frames} frames free{slots}"));
        cause
    }

    /// Writes where the address lies, and why that is wrong.
    fn explain<P: Output>(&self, seen: Seen, screen: &mut Screen<'_, P>) -> Option<&'static str> {
        let Seen { place, walk, sound, free_frames, has_swap } = seen;
        if let Some(place) = place {
            screen.entry("where", Style::Strong, format_args!("{place}"));
        }
        let eip = self.registers.map(|registers| VirtAddr::new(registers.eip));
        let by_program = self.by_program;
        let cause = cause(&Evidence { crash: self.crash, place, walk, eip, sound, free_frames, has_swap, by_program })?;
        screen.entry("why", Style::Strong, format_args!("{}: {}", cause.name, cause.why));
        screen.entry("next", Style::Plain, format_args!("{}", cause.next));
        Some(cause.name)
    }

    /// Writes where it happened, and who called that.
    fn trace<M: Mmu, P: Output>(&self, mmu: Option<&Untrusted<'_, M>>, screen: &mut Screen<'_, P>) {
        let code = self.code;
        let first = self.registers.map(|registers| VirtAddr::new(registers.eip));
        let words = fmt::from_fn(|f| {
            if let Some(eip) = first {
                write!(f, "{}", place(self.symbols, code, eip))?;
            }
            let mut between = if first.is_some() { " < " } else { "" };
            let look = |address| mmu.map_or_else(|| (self.stack_word)(address), |mmu| mmu.look(address));
            let mut links = calls(self.frame_pointer, code, look).peekable();
            while let Some(link) = links.next() {
                match link {
                    // The functions that carry out a panic say nothing.
                    Link::Call(back) if first.is_none() && between.is_empty() && self.is_of_a_panic(back) => continue,
                    // The call is the instruction before the one that it returns to.
                    Link::Call(back) => write!(f, "{between}{}", place(self.symbols, code, before(back)))?,
                    Link::Broken => write!(f, "{between}(the chain of frame pointers is broken)")?,
                }
                let mut times = 1;
                while links.next_if_eq(&link).is_some() {
                    times += 1;
                }
                if times > 1 {
                    write!(f, " ({times} times)")?;
                }
                between = " < ";
            }
            Ok(())
        });
        screen.entry("trace", Style::Plain, format_args!("{words}"));
    }

    fn is_of_a_panic(&self, back: VirtAddr) -> bool {
        let symbol = self.symbols.find(before(back));
        symbol.is_some_and(|symbol| ["panic", "rust_begin_unwind"].iter().any(|part| symbol.name.contains(part)))
    }
}

fn before(address: VirtAddr) -> VirtAddr {
    VirtAddr::new(address.as_u32().wrapping_sub(1))
}

/// Prints the pools of the current address space, the lowest first, as many as fit on a line.
fn pools(view: &impl MmuView) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        let mut from = POOL_PAGES.start;
        for number in 0.. {
            let pages = view.pool_at_or_after(from).and_then(|pool| pool.pages(view));
            match (pages, number) {
                (None, 0) => return write!(f, "none"),
                (None, _) => return Ok(()),
                (Some(_), 2) => return write!(f, " and more"),
                (Some(pages), _) => {
                    write!(f, "{}{}", if number == 0 { "" } else { ", " }, addresses(pages))?;
                    // A damaged pool may end before it starts.
                    from = pages.end.max(Page::new(from.number() + 1));
                }
            }
        }
        Ok(())
    })
}

/// Writes the last events in two columns, the latest at the top left.
fn last_events<P: Output>(events: &Events, current: Frame, screen: &mut Screen<'_, P>) {
    let mut last = [None; EVENTS];
    last.iter_mut().zip(events.latest(current)).for_each(|(kept, event)| *kept = Some(event));
    let count = last.iter().flatten().count();
    let rows = count.div_ceil(2);
    for row in 0..rows {
        let [left, right] = [row, row + rows].map(|place| last.get(place).copied().flatten());
        screen.entry(if row == 0 { "last" } else { "" }, Style::Plain, format_args!("{}{}", cell(left), cell(right)));
    }
}

/// Prints an event, padded to half a line.
fn cell(event: Option<Event>) -> impl fmt::Display {
    fmt::from_fn(move |f| match event {
        Some(event) => write!(f, "{:37}", Text::<36>::printed(format_args!("{event}")).as_str()),
        None => Ok(()),
    })
}

impl Registers {
    fn first_line(&self) -> impl fmt::Display {
        let Self { eip, esp, ebp, eax, ebx, .. } = *self;
        fmt::from_fn(move |f| write!(f, "EIP {eip:08x} ESP {esp:08x} EBP {ebp:08x} EAX {eax:08x} EBX {ebx:08x}"))
    }

    fn second_line(&self) -> impl fmt::Display {
        let Self { ecx, edx, esi, edi, eflags, .. } = *self;
        fmt::from_fn(move |f| write!(f, "ECX {ecx:08x} EDX {edx:08x} ESI {esi:08x} EDI {edi:08x} EFL {eflags:08x}"))
    }
}
