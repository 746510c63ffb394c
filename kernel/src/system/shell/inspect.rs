//! Commands that show the memory of the current address space.

use crate::addr::{Page, PageRange, VirtAddr};
use crate::events::{Event, EventKind};
use crate::fault::{
    Crash, Evidence, FaultError, Location, Untrusted, Walk, addresses, cause, follows, metadata_agrees,
};
use crate::memory_map::{OTHER_WINDOW_ENTRY, POOL_PAGES, RECURSIVE_ENTRY};
use crate::paging::{CurrentTable, Fault, Memory, Mmu, MmuView, PageTable};
use crate::system::console::println;
use crate::system::crash;
use crate::system::memory::{self, KernelMemory};
use crate::terminal::words::{BadWords, Words};
use crate::text::plural;
use crate::vm::{CurrentSpace, Kind, Refusal, VmPool};

/// Lines after which a list is cut off, so that it fits on the screen: who wants more asks for less.
const LINES: usize = 20;

/// `walk ADDR`
pub fn walk(words: &mut Words<'_>) -> Result<(), BadWords> {
    let address = words.address()?;
    words.end()?;
    let (walk, place, sound) = look_at(address);
    println!("{address} is {}", walk.split());
    println!("{}", walk.first_step());
    println!("{}", walk.second_step());
    if sound {
        println!("{place}")
    } else {
        println!("where it lies is not to be told: {DAMAGED}")
    }
    Ok(())
}

/// `pde ADDR`
pub fn pde(words: &mut Words<'_>) -> Result<(), BadWords> {
    let address = words.address()?;
    words.end()?;
    let entry = memory::with(|memory| memory.pde(Page::containing(address)));
    println!("PDE of {address} at {}: {entry:?}", PageTable::pde_address(address));
    Ok(())
}

/// `pte ADDR`
pub fn pte(words: &mut Words<'_>) -> Result<(), BadWords> {
    let address = words.address()?;
    words.end()?;
    let entry = memory::with(|memory| memory.pte(Page::containing(address)));
    let at = PageTable::pte_address(address);
    match entry {
        Some(entry) => println!("PTE of {address} at {at}: {entry:?}"),
        None => println!("PTE of {address} at {at}: not to be seen, there is no page table"),
    }
    Ok(())
}

/// Looks at an address: the way to it, where it lies, and whether the pools' records make sense.
fn look_at(address: VirtAddr) -> (Walk, Location, bool) {
    memory::with(|memory| {
        let view = Untrusted::new(memory);
        let walk = Walk::new(&view, address);
        let place = Location::new(&view.afresh(), &memory.events, &crash::layout(Some(address)), address);
        (walk, place, metadata_agrees(&view))
    })
}

/// Says whether the records of the current address space's pools make sense, and if not, tells so: whoever uses them then
/// may go in circles.
pub fn records_agree() -> bool {
    let agree = memory::with(|memory| metadata_agrees(&Untrusted::new(memory)));
    if !agree {
        println!("{DAMAGED}; space new makes a space with sound ones");
    }
    agree
}

const DAMAGED: &str = "the records of the pools are damaged";

/// `why ADDR [write]`
pub fn why(words: &mut Words<'_>) -> Result<(), BadWords> {
    let address = words.address()?;
    let write = match words.word() {
        None => false,
        Some("write") => true,
        Some(_) => return Err(BadWords),
    };
    words.end()?;
    let (walk, place, sound) = look_at(address);
    let legitimate = memory::with(|memory| Untrusted::new(memory).is_legitimate(address));
    if !sound {
        println!("not to be told: {DAMAGED}");
        return Ok(());
    }
    println!("{address} is {place}");
    if walk.allows(write) {
        println!("yes: it is backed, {:?}", walk.page_entry().unwrap_or_default());
    } else if legitimate && walk.page_entry().is_none() {
        println!("yes: the first touch gives it a frame of zeros");
    } else {
        let fault = Fault { address, present: walk.page_entry().is_some(), write };
        let error = FaultError::Refused(Refusal::Illegitimate);
        let crash = Crash::PageFault { fault, code: 0, error };
        let evidence = Evidence { crash, place: Some(place), walk: Some(walk), eip: None, sound: true };
        if let Some(cause) = cause(&evidence) {
            println!("no: {}: {}\nlook at: {}", cause.name, cause.why, cause.next);
        }
    }
    Ok(())
}

/// `maps`
pub fn maps(words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    let mut list = List::default();
    memory::with(|memory| {
        let mut range: Option<(PageRange, bool)> = None;
        for table in (0..OTHER_WINDOW_ENTRY).map(PageRange::of_table) {
            if !memory.pde(table.start).is_present() {
                continue;
            }
            for page in table.iter() {
                let Some(entry) = memory.pte(page).filter(|entry| entry.is_present()) else {
                    continue;
                };
                let next = PageRange::new(page, Page::new(page.number() + 1));
                range = Some(match range {
                    Some((pages, writable)) if pages.end == page && writable == entry.is_writable() => {
                        (PageRange::new(pages.start, next.end), writable)
                    }
                    before => {
                        mapped(&mut list, before);
                        (next, entry.is_writable())
                    }
                });
            }
        }
        mapped(&mut list, range);
    });
    list.end("ranges");
    let window = PageRange::of_table(RECURSIVE_ENTRY);
    println!("{:24} the recursive window: all page tables, the directory last", addresses(window));
    Ok(())
}

fn mapped(list: &mut List, range: Option<(PageRange, bool)>) {
    if let Some((pages, writable)) = range
        && list.line()
    {
        let rights = if writable { "read, write" } else { "read only" };
        println!("{} {:7} {:5}  {rights}", addresses(pages), pages.len(), plural(pages.len(), "page", "pages"));
    }
}

/// `pools`
pub fn pools(words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    let mut list = List::default();
    each_pool(|mmu, pool, pages| {
        let (mut regions, mut own) = (0, 1);
        each_extent(mmu, pool, pages, |_, kind| match kind {
            Kind::Region => regions += 1,
            Kind::Metadata => own += 1,
        });
        if list.line() {
            let backed = backed(mmu, pages).saturating_sub(own);
            let [region, page] = [plural(regions, "region", "regions"), plural(backed, "page", "pages")];
            println!("{} {regions} {region}, {backed} {page} backed, {own} of its own", addresses(pages));
        }
    });
    if list.lines == 0 {
        println!("none: without a pool, any page from 4 MiB up to the windows is backed when it is touched");
    }
    list.end("pools");
    Ok(())
}

/// `regions [POOL]`
pub fn regions(words: &mut Words<'_>) -> Result<(), BadWords> {
    let wanted = match words.clone().word() {
        Some(_) => Some(Page::containing(words.address()?)),
        None => None,
    };
    words.end()?;
    let mut list = List::default();
    each_pool(|mmu, pool, pages| {
        if wanted.is_some_and(|page| !pages.contains(page)) {
            return;
        }
        each_extent(mmu, pool, pages, |extent, kind| {
            if list.line() {
                match kind {
                    Kind::Region => {
                        let backed = backed(mmu, extent);
                        let page = plural(extent.len(), "page", "pages");
                        println!("{} {:6} {page}, {backed} backed", addresses(extent), extent.len());
                    }
                    Kind::Metadata => println!("{} the pool's own", addresses(extent)),
                }
            }
        });
    });
    if list.lines == 0 {
        println!("none");
    }
    list.end("regions");
    Ok(())
}

fn each_pool(mut show: impl FnMut(&KernelMemory, &VmPool, PageRange)) {
    memory::with(|memory| {
        let mut from = POOL_PAGES.start;
        loop {
            let view = Untrusted::new(memory);
            let found = view.pool_at_or_after(from);
            if tell_misled(&view) {
                return;
            }
            let Some(pool) = found else {
                return;
            };
            match pool.pages(&view).filter(|pages| follows(*pages, from, POOL_PAGES.end)) {
                Some(pages) => {
                    show(memory, &pool, pages);
                    from = pages.end;
                }
                None => return println!("{DAMAGED}: a pool at {}", pool.base().start()),
            }
        }
    });
}

fn each_extent(memory: &KernelMemory, pool: &VmPool, pages: PageRange, mut show: impl FnMut(PageRange, Kind)) {
    let mut from = pages.start;
    loop {
        let view = Untrusted::new(memory);
        match pool.extent_at_or_after(&view, from) {
            _ if tell_misled(&view) => return,
            Some((extent, kind)) if follows(extent, from, pages.end) => {
                show(extent, kind);
                from = extent.end;
            }
            Some((extent, _)) => return println!("{DAMAGED}: a region {}", addresses(extent)),
            None => return,
        }
    }
}

/// Says whether the records led `view` in a circle or to where nothing is, and if so, tells it.
fn tell_misled(view: &Untrusted<'_, KernelMemory>) -> bool {
    if view.is_misled() {
        println!("{DAMAGED}: they lead in a circle, or to where nothing is");
    }
    view.is_misled()
}

/// Counts the pages in `pages` that are present.
fn backed(view: &impl MmuView, pages: PageRange) -> u32 {
    let mut count = 0;
    let mut from = pages.start;
    while let Some(page) = view.first_present(PageRange::new(from, pages.end)) {
        count += 1;
        from = Page::new(page.number() + 1);
    }
    count
}

/// `events [COUNT]`
pub fn events(words: &mut Words<'_>) -> Result<(), BadWords> {
    let count = words.number_or(LINES as u32)?;
    words.end()?;
    memory::with(|memory| show_events(memory, count, |_| true));
    Ok(())
}

/// `faults [COUNT]`
pub fn faults(words: &mut Words<'_>) -> Result<(), BadWords> {
    let count = words.number_or(LINES as u32)?;
    words.end()?;
    let (faults, were) = (memory::faults(), plural(memory::faults(), "fault was", "faults were"));
    println!("{faults} {were} answered with a frame since the start; of the last events:");
    memory::with(|memory| {
        show_events(memory, count, |event| matches!(event.kind, EventKind::Backed | EventKind::Refused));
    });
    Ok(())
}

/// Shows the latest `count` of the events that are `wanted`, and says how many more there are.
fn show_events<M: Mmu, F>(memory: &Memory<M, F>, count: u32, wanted: impl Fn(&Event) -> bool) {
    let mut list = List { lines: 0, most: count as usize };
    let latest = memory.events.latest(memory.root());
    for (back, event) in (1..).zip(latest).filter(|(_, event)| wanted(event)) {
        if list.line() {
            println!("{back:3} back, in space {}: {event}", event.space.start());
        }
    }
    list.end("events");
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

    /// Says how many lines were not shown.
    fn end(&self, of: &str) {
        if self.lines > self.most {
            println!("and {} more {of}", self.lines - self.most);
        }
    }
}
