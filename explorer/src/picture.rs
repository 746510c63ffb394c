//! What the page draws: the machine's state, in numbers and in the kernel's own words.
//!
//! All of it is seen from outside, so that looking changes nothing, in the TLB either.

use crate::machine::Machine;
use crate::outside::Outside;
use crate::watched::Kept;
use droste::addr::{Frame, Page, PageRange, PhysAddr, VirtAddr};
use droste::commands::{Books, FrameMap, PromptMachine};
use droste::events::Events;
use droste::fault::{self, Layout, Location, Untrusted, Walk};
use droste::paging::{CurrentTable, Entry, MmuView};
use droste::vm::Kind;
use serde::Serialize;

/// Translations that are listed; all are counted.
const TRANSLATIONS: usize = 64;
/// Events that are listed.
pub(crate) const EVENTS: usize = 64;
/// Regions of a pool that are drawn; all are counted.
const EXTENTS: usize = 200;

/// The state of the machine.
#[derive(Serialize)]
pub struct Picture {
    /// The address of the current directory.
    pub root: String,
    /// The number of the current directory's frame.
    pub root_frame: u32,
    /// The address spaces.
    pub spaces: Vec<Space>,
    /// The process frame pool.
    pub frames: Frames,
    /// The pools of the current address space.
    pub pools: Vec<Pool>,
    /// Why the records of pools can't be followed any further.
    pub damage: Option<String>,
    /// What the TLB keeps, unless nobody can know.
    pub tlb: Option<Tlb>,
    /// What the kernel did to the machine in the last step.
    pub acts: Vec<String>,
    /// The last events, the latest first.
    pub events: Vec<String>,
    /// Free frames.
    pub free: u32,
    /// Faults that were answered.
    pub faults: u32,
    /// What is broken on purpose: names that `break` takes.
    pub broken: Vec<&'static str>,
}

/// An address space of the prompt.
#[derive(Serialize)]
pub struct Space {
    /// Its number.
    pub number: u32,
    /// The address of its directory.
    pub root: String,
    /// Whether it is the current one.
    pub current: bool,
}

/// The process frame pool.
#[derive(Serialize)]
pub struct Frames {
    /// The number of its first frame.
    pub start: u32,
    /// A letter a frame.
    pub letters: String,
    /// What the letters mean, and how many frames there are of each.
    pub uses: Vec<FrameUse>,
}

/// A use of frames.
#[derive(Serialize)]
pub struct FrameUse {
    /// Its letter.
    pub letter: char,
    /// Its name.
    pub name: &'static str,
    /// How many frames have it.
    pub count: u32,
}

/// A pool, or an extent of one.
#[derive(Serialize)]
pub struct Pool {
    /// The number of its first page.
    pub start: u32,
    /// One past the number of its last page.
    pub end: u32,
    /// Its addresses in words.
    pub addresses: String,
    /// What is in it: the first of its extents.
    pub extents: Vec<Extent>,
    /// How many extents there are.
    pub count: usize,
    /// Pages that are backed outside of all extents: there should be none.
    pub strays: Vec<u32>,
}

/// A region, or a page of a pool's own.
#[derive(Serialize)]
pub struct Extent {
    /// The number of its first page.
    pub start: u32,
    /// One past the number of its last page.
    pub end: u32,
    /// Whether it is a region, and not the pool's own.
    pub region: bool,
    /// How many of its pages are backed.
    pub backed: u32,
}

/// What the TLB keeps.
#[derive(Serialize)]
pub struct Tlb {
    /// How many translations.
    pub count: usize,
    /// How many of them are stale.
    pub stale: usize,
    /// The first of them, the stale ones before all others.
    pub kept: Vec<Translation>,
    /// Pages that were accessed by a stale translation in the last line.
    pub used: Vec<u32>,
}

/// A translation in the TLB.
#[derive(Serialize)]
pub struct Translation {
    /// The number of the page.
    pub page: u32,
    /// The entry that the TLB keeps.
    pub entry: String,
    /// The entry that the tables have now, if it is another.
    pub now: Option<String>,
}

/// The way to an address.
#[derive(Serialize)]
pub struct Way {
    /// The address, as the kernel writes it.
    pub address: String,
    /// The split into 10, 10 and 12 bits, in words.
    pub split: String,
    /// The three parts.
    pub parts: [u32; 3],
    /// CR3 and the directory entry, in words.
    pub first: String,
    /// The page-table entry, in words.
    pub second: String,
    /// Whether the directory entry is present, and the page-table entry.
    pub present: [bool; 2],
    /// Where the byte is in memory, if it is anywhere.
    pub physical: Option<String>,
    /// Where the address lies, in words.
    pub place: String,
}

impl Picture {
    /// Draws `machine`.
    pub fn new(machine: &Machine) -> Self {
        let roots = machine.with_spaces(|spaces| spaces.roots());
        let faults = machine.faults();
        machine.with(|memory| {
            let root = memory.root();
            let outside = memory.mmu.outside(root);
            let books = Books {
                pool: memory.frames.range(),
                state: &|frame| memory.frames.state(frame),
                is_shared: &|frame| memory.uses.beyond_first(frame) > 0,
            };
            let spaces = roots.iter().map(|(_, root)| memory.mmu.outside(*root));
            let (pools, damage) = pools(&outside);
            let mut kept: Vec<Kept> = memory.mmu.tlb().collect();
            kept.sort_by_key(|kept| !kept.is_stale());
            let broken = [
                ("flush", memory.mmu.broken.flush),
                ("clear", memory.mmu.broken.clear),
                ("legitimacy", machine.is_legitimacy_broken()),
            ];
            Self {
                root: format!("{:?}", root.start()),
                root_frame: root.number(),
                spaces: roots.iter().map(|(number, space)| Space::new(*number, *space, root)).collect(),
                frames: Frames::new(&books, spaces),
                pools,
                damage,
                tlb: Some(Tlb::new(&kept, memory.mmu.stale_uses())),
                acts: memory.mmu.acts(),
                events: memory.events.latest(root).take(EVENTS).map(|event| event.to_string()).collect(),
                free: memory.frames.free_frames(),
                faults,
                broken: broken.into_iter().filter_map(|(name, on)| on.then_some(name)).collect(),
            }
        })
    }
}

/// Returns the entries of the table of directory entry `index` of the current address space: none if there is no table. That
/// of entry 1023 is the directory.
pub fn table(machine: &Machine, index: u32) -> Vec<u32> {
    machine.with(|memory| entries(&memory.mmu.outside(memory.root()), index))
}

/// Returns the entries of a table of an address space.
pub(crate) fn entries<P: Fn(PhysAddr) -> u32>(outside: &Outside<P>, index: u32) -> Vec<u32> {
    outside.table(index).map(|entries| entries.map(Entry::bits).collect()).unwrap_or_default()
}

/// Returns which entries of that table the last step has changed.
pub fn changed(machine: &Machine, index: u32) -> Vec<u32> {
    machine.with(|memory| memory.mmu.changed(index))
}

/// Walks to `address`.
pub fn way(machine: &Machine, address: VirtAddr) -> Way {
    machine.with(|memory| {
        let outside = memory.mmu.outside(memory.root());
        Way::new(&outside, &memory.events, &machine.layout(Some(address)), address)
    })
}

/// Draws the pools, as far as their records can be followed, and says why no further.
pub(crate) fn pools<P: Fn(PhysAddr) -> u32>(outside: &Outside<P>) -> (Vec<Pool>, Option<String>) {
    let view = Untrusted::new(outside);
    let mut drawn = Vec::new();
    for pool in fault::pools(&view) {
        let (pool, pages) = match pool {
            Ok(pool) => pool,
            Err(damaged) => return (drawn, Some(damaged.to_string())),
        };
        // The first page is the pool's own, and no extent.
        let own = PageRange::new(pages.start, Page::new(pages.start.number() + 1));
        let mut extents = vec![Extent::new(outside, Kind::Metadata, own)];
        let mut damage = None;
        for extent in fault::extents(&view, &pool, pages) {
            match extent {
                Ok((kind, extent)) => extents.push(Extent::new(outside, kind, extent)),
                Err(damaged) => damage = Some(damaged.to_string()),
            }
        }
        let strays = backed(outside, pages).filter(|page| !extents.iter().any(|extent| extent.holds(*page)));
        let (strays, count) = (strays.map(Page::number).collect(), extents.len());
        extents.truncate(EXTENTS);
        let [start, end] = [pages.start.number(), pages.end.number()];
        drawn.push(Pool { start, end, addresses: fault::addresses(pages).to_string(), extents, count, strays });
        if damage.is_some() {
            return (drawn, damage);
        }
    }
    (drawn, None)
}

/// Walks through the pages in `pages` that are present.
fn backed(view: &impl MmuView, pages: PageRange) -> impl Iterator<Item = Page> {
    let mut from = pages.start;
    std::iter::from_fn(move || {
        let page = view.first_present(PageRange::new(from, pages.end))?;
        from = Page::new(page.number() + 1);
        Some(page)
    })
}

impl Way {
    pub(crate) fn new<P: Fn(PhysAddr) -> u32>(
        outside: &Outside<P>,
        events: &Events,
        layout: &Layout,
        address: VirtAddr,
    ) -> Self {
        let walk = Walk::new(outside, address);
        let page = Page::containing(address);
        let place =
            fault::follow_records(&Untrusted::new(outside)).map(|()| Location::new(outside, events, layout, address));
        let frame = walk.page_entry().and_then(|entry| entry.frame());
        Self {
            address: address.to_string(),
            split: walk.split().to_string(),
            parts: [page.directory_index(), page.table_index(), address.offset()],
            first: walk.first_step().to_string(),
            second: walk.second_step().to_string(),
            present: [walk.directory.is_present(), frame.is_some()],
            physical: frame.map(|frame| {
                let byte = PhysAddr::new(frame.start().as_u32() + address.offset());
                format!("{byte:?}, in frame {:#x}", frame.number())
            }),
            place: place.map_or_else(|damaged| damaged.to_string(), |place| place.to_string()),
        }
    }
}

impl Space {
    pub(crate) fn new(number: u32, root: Frame, current: Frame) -> Self {
        Self { number, root: format!("{:?}", root.start()), current: root == current }
    }
}

impl Frames {
    /// Draws the process pool, with the uses that these address spaces tell.
    pub(crate) fn new<V: MmuView>(books: &Books<'_>, spaces: impl IntoIterator<Item = V>) -> Self {
        let mut map = FrameMap::new(books, books.pool, u32::MAX);
        for (number, space) in spaces.into_iter().enumerate() {
            map.mark_space(&space, books);
            // All have the same.
            if number == 0 {
                map.mark_first_table(&space);
            }
        }
        let uses = map.counts().map(|(letter, name, count)| FrameUse { letter, name, count });
        Self { start: books.pool.start.number(), letters: map.letters().to_owned(), uses: uses.collect() }
    }
}

impl Extent {
    fn new(view: &impl MmuView, kind: Kind, pages: PageRange) -> Self {
        let backed = backed(view, pages).count() as u32;
        Self { start: pages.start.number(), end: pages.end.number(), region: kind == Kind::Region, backed }
    }

    fn holds(&self, page: Page) -> bool {
        (self.start..self.end).contains(&page.number())
    }
}

impl Tlb {
    fn new(kept: &[Kept], used: Vec<u32>) -> Self {
        let stale = kept.iter().filter(|kept| kept.is_stale()).count();
        Self { count: kept.len(), stale, kept: kept.iter().take(TRANSLATIONS).map(Translation::new).collect(), used }
    }
}

impl Translation {
    fn new(kept: &Kept) -> Self {
        let now = kept.is_stale().then(|| format!("{:?}", kept.now.unwrap_or_default()));
        Self { page: kept.page.number(), entry: format!("{:?}", kept.entry), now }
    }
}
