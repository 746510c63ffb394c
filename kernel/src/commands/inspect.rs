//! Commands that show the memory of the current address space.

use super::machine::{PromptMachine, PromptMemory, say};
use crate::addr::{Page, PageRange, VirtAddr};
use crate::events::{Event, EventKind};
use crate::fault::{
    self, Crash, Damaged, Evidence, FaultError, Location, Untrusted, Walk, addresses, cause, follow_records,
};
use crate::memory_map::{OTHER_WINDOW_ENTRY, RECURSIVE_ENTRY};
use crate::paging::{CurrentTable, Entry, Fault, MmuView, PageTable};
use crate::terminal::words::{BadWords, Words};
use crate::text::plural;
use crate::vm::{CurrentSpace, Kind, Refusal};
use core::iter;

/// Lines after which a list is cut off, so that it fits on the screen: who wants more asks for less.
const LINES: usize = 20;

/// `walk ADDR`
pub fn walk(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let address = words.address()?;
    words.end()?;
    let (walk, place) = look_at(machine, address);
    say!(machine, "{address} is {}", walk.split());
    say!(machine, "{}", walk.first_step());
    say!(machine, "{}", walk.second_step());
    match place {
        Ok(place) => say!(machine, "{place}"),
        Err(damaged) => say!(machine, "{damaged}"),
    }
    Ok(())
}

/// `pde ADDR`
pub fn pde(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let address = words.address()?;
    words.end()?;
    let entry = machine.with(|memory| memory.pde(Page::containing(address)));
    say!(machine, "PDE of {address} at {}: {entry:?}", PageTable::pde_address(address));
    Ok(())
}

/// `pte ADDR`
pub fn pte(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let address = words.address()?;
    words.end()?;
    let entry = machine.with(|memory| memory.pte(Page::containing(address)));
    let at = PageTable::pte_address(address);
    match entry {
        Some(entry) => say!(machine, "PTE of {address} at {at}: {entry:?}"),
        None => say!(machine, "PTE of {address} at {at}: not to be seen, there is no page table"),
    }
    Ok(())
}

/// Looks at an address: the way to it, and where it lies, if the pools' records can tell.
fn look_at(machine: &impl PromptMachine, address: VirtAddr) -> (Walk, Result<Location, Damaged>) {
    machine.with(|memory| {
        let view = Untrusted::new(memory);
        let place = || Location::new(&view, &memory.events, &machine.layout(Some(address)), address);
        (Walk::new(&view, address), follow_records(&view).map(|()| place()))
    })
}

/// What helps against damaged records.
const SOUND_ONES: &str = "; space new makes a space with sound ones";

/// Says whether the records of the current address space's pools can be worked with, and if not, tells so: whoever follows
/// them then may go in circles.
pub fn records_agree(machine: &impl PromptMachine) -> bool {
    // Records that can be followed lead in no circle, so the check ends.
    let agree = machine.with(|memory| {
        let view = Untrusted::new(memory);
        follow_records(&view).map(|()| view.afresh().check_pools())
    });
    match agree {
        Ok(true) => return true,
        Ok(false) => say!(machine, "the records of the pools contradict each other{SOUND_ONES}"),
        Err(damaged) => say!(machine, "{damaged}{SOUND_ONES}"),
    }
    false
}

/// `why ADDR [write]`
pub fn why(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let address = words.address()?;
    let write = match words.word() {
        None => false,
        Some("write") => true,
        Some(_) => return Err(BadWords),
    };
    words.end()?;
    let (walk, place) = look_at(machine, address);
    let place = match place {
        Ok(place) => place,
        Err(damaged) => {
            say!(machine, "{damaged}");
            return Ok(());
        }
    };
    let legitimate = machine.with(|memory| memory.is_legitimate(address));
    let is_allowed = !write || walk.directory.is_writable();
    say!(machine, "{address} is {place}");
    if walk.allows(write) {
        say!(machine, "yes: it is backed, {:?}", walk.page_entry().unwrap_or_default());
    } else if let Some(frame) =
        walk.page_entry().filter(|entry| is_allowed && entry.has(Entry::SHARED)).and_then(Entry::frame)
    {
        match machine.with(|memory| memory.uses.beyond_first(frame)) {
            0 => say!(machine, "yes: it was shared, and the first write makes it writable"),
            1 => say!(machine, "yes: 1 other page shares its frame, so the first write copies it"),
            others => say!(machine, "yes: {others} other pages share its frame, so the first write copies it"),
        }
    } else if walk.table.is_some_and(|entry| entry.is_in_file() && (!write || entry.has(Entry::WRITABLE)))
        && legitimate
        && is_allowed
    {
        say!(machine, "yes: it is in a file, and the next touch reads it");
    } else if let Some(slot) = walk.table.and_then(Entry::slot) {
        say!(machine, "yes: it is on the drive, in {slot:?}, and the next touch reads it");
    } else if legitimate && walk.page_entry().is_none() {
        say!(machine, "yes: the first touch gives it a frame of zeros");
    } else {
        let fault = Fault { address, present: walk.page_entry().is_some(), write };
        let error = FaultError::Refused(Refusal::Illegitimate);
        let crash = Crash::PageFault { fault, code: 0, error };
        let evidence = Evidence {
            crash,
            place: Some(place),
            walk: Some(walk),
            eip: None,
            sound: true,
            free_frames: 0,
            has_swap: false,
            by_program: false,
        };
        if let Some(cause) = cause(&evidence) {
            say!(machine, "no: {}: {}\nlook at: {}", cause.name, cause.why, cause.next);
        }
    }
    Ok(())
}

/// `maps`
pub fn maps(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    let mut list = List::default();
    machine.with(|memory| {
        let mut range: Option<(PageRange, &str)> = None;
        for table in (0..OTHER_WINDOW_ENTRY).map(PageRange::of_table) {
            if !memory.pde(table.start).is_present() {
                continue;
            }
            for page in table.iter() {
                let Some(entry) = memory.pte(page).filter(|entry| *entry != Entry::ABSENT) else {
                    continue;
                };
                // A table of a file says so behind the file's end, too.
                if entry.is_in_file() && !memory.is_legitimate(page.start()) {
                    continue;
                }
                let next = PageRange::new(page, Page::new(page.number() + 1));
                let rights = rights(memory.pde(page), entry);
                range = Some(match range {
                    Some((pages, same)) if pages.end == page && same == rights => {
                        (PageRange::new(pages.start, next.end), rights)
                    }
                    before => {
                        mapped(machine, &mut list, before);
                        (next, rights)
                    }
                });
            }
        }
        mapped(machine, &mut list, range);
    });
    list.end(machine, "ranges");
    let window = PageRange::of_table(RECURSIVE_ENTRY);
    say!(machine, "{:24} the recursive window: all page tables, the directory last", addresses(window));
    Ok(())
}

/// Returns what may be done with a page that has a frame, and else where it is.
fn rights(table: Entry, entry: Entry) -> &'static str {
    match entry.is_writable() && table.is_writable() {
        _ if entry.is_in_file() => "in a file",
        _ if !entry.is_present() => "on the drive",
        true => "read, write",
        false if entry.has(Entry::SHARED) => "read, write a copy",
        false => "read only",
    }
}

fn mapped(machine: &impl PromptMachine, list: &mut List, range: Option<(PageRange, &str)>) {
    if let Some((pages, rights)) = range
        && list.line()
    {
        say!(machine, "{} {:7} {:5}  {rights}", addresses(pages), pages.len(), plural(pages.len(), "page", "pages"));
    }
}

/// `pools`
pub fn pools(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    let mut list = List::default();
    let looked = machine.with(|memory| {
        let view = Untrusted::new(memory);
        for pool in fault::pools(&view) {
            let (pool, pages) = pool?;
            let (mut regions, mut own) = (0, 1);
            for extent in fault::extents(&view, &pool, pages) {
                match extent?.0 {
                    Kind::Region => regions += 1,
                    Kind::Metadata => own += 1,
                }
            }
            if list.line() {
                let backed = backed(memory, pages).saturating_sub(own);
                let [region, page] = [plural(regions, "region", "regions"), plural(backed, "page", "pages")];
                say!(machine, "{} {regions} {region}, {backed} {page} backed, {own} of its own", addresses(pages));
            }
        }
        Ok(())
    });
    list.end_of_walk(
        machine,
        "pools",
        looked,
        "none: without a pool, any page from 4 MiB up to the windows is backed when it is touched",
    );
    Ok(())
}

/// `regions [POOL]`
pub fn regions(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let wanted = match words.clone().word() {
        Some(_) => Some(Page::containing(words.address()?)),
        None => None,
    };
    words.end()?;
    let mut list = List::default();
    let looked = machine.with(|memory| {
        let view = Untrusted::new(memory);
        for pool in fault::pools(&view) {
            let (pool, pages) = pool?;
            if wanted.is_some_and(|page| !pages.contains(page)) {
                continue;
            }
            let first = PageRange::new(pages.start, Page::new(pages.start.number() + 1));
            for extent in iter::once(Ok((Kind::Metadata, first))).chain(fault::extents(&view, &pool, pages)) {
                let (kind, extent) = extent?;
                if list.line() {
                    let (len, backed) = (extent.len(), backed(memory, extent));
                    let what = if kind == Kind::Region { "region" } else { "metadata" };
                    say!(
                        machine,
                        "{} {len:6} {}, {backed} backed  {what}",
                        addresses(extent),
                        plural(len, "page", "pages")
                    );
                }
            }
        }
        Ok(())
    });
    list.end_of_walk(machine, "regions", looked, "none");
    Ok(())
}

/// Counts the pages in `pages` that have a frame or a slot.
fn backed(view: &impl MmuView, pages: PageRange) -> u32 {
    let mut count = 0;
    let mut from = pages.start;
    while let Some(page) = view.first_present(PageRange::new(from, pages.end)) {
        count += u32::from(!view.pte(page).is_some_and(Entry::is_in_file));
        from = Page::new(page.number() + 1);
    }
    count
}

/// `events [COUNT]`
pub fn events(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let count = words.number_or(LINES as u32)?;
    words.end()?;
    machine.with(|memory| show_events(machine, memory, count, |_| true));
    Ok(())
}

/// `faults [COUNT]`
pub fn faults(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let count = words.number_or(LINES as u32)?;
    words.end()?;
    let (faults, were) = (machine.faults(), plural(machine.faults(), "fault was", "faults were"));
    say!(machine, "{faults} {were} answered with a frame since the start; of the last events:");
    machine.with(|memory| {
        show_events(machine, memory, count, |event| matches!(event.kind, EventKind::Backed | EventKind::Refused));
    });
    Ok(())
}

/// Shows the latest `count` of the events that are `wanted`, and says how many more there are.
fn show_events<M: PromptMachine>(machine: &M, memory: &PromptMemory<M>, count: u32, wanted: impl Fn(&Event) -> bool) {
    let mut list = List { lines: 0, most: count as usize };
    let latest = memory.events.latest(memory.root());
    for (back, event) in (1..).zip(latest).filter(|(_, event)| wanted(event)) {
        if list.line() {
            say!(machine, "{back:3} back, in space {}: {event}", event.space.start());
        }
    }
    list.end(machine, "events");
}

/// A list on the console that is cut off when it gets too long.
struct List {
    lines: usize,
    /// How many of them are shown.
    most: usize,
}

impl Default for List {
    fn default() -> Self {
        Self { lines: 0, most: LINES }
    }
}

impl List {
    /// Counts a line, and says whether it is to be shown.
    fn line(&mut self) -> bool {
        self.lines += 1;
        self.lines <= self.most
    }

    /// Ends a list of what the pools' records tell: says if there is `none`, or if they are damaged.
    fn end_of_walk(&self, machine: &impl PromptMachine, of: &str, looked: Result<(), Damaged>, none: &str) {
        self.end(machine, of);
        match looked {
            Ok(()) if self.lines == 0 => say!(machine, "{none}"),
            Ok(()) => {}
            Err(damaged) => say!(machine, "{damaged}"),
        }
    }

    /// Says how many lines were not shown.
    fn end(&self, machine: &impl PromptMachine, of: &str) {
        if self.lines > self.most {
            say!(machine, "and {} more {of}", self.lines - self.most);
        }
    }
}
