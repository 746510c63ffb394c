//! Where an address lies, which says more than that it was refused.

use crate::addr::{PAGES_IN_SPACE, Page, PageRange, VirtAddr};
use crate::events::{EventKind, Events};
use crate::memory_map::{IDENTITY, OTHER_WINDOW_ENTRY, RECURSIVE_ENTRY, WINDOWS};
use crate::paging::{CurrentTable, MmuView};
use crate::text::plural;
use crate::vm::{CurrentSpace, Kind, VmPool};
use core::fmt;

/// The parts of the first 4 MiB that a report tells apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// The kernel's code.
    pub text: PageRange,
    /// Its constants.
    pub rodata: PageRange,
    /// The page below the stack that runs, which is never present.
    pub guard: Page,
}

/// Where an address lies in the current address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Location {
    /// In page 0, so many bytes from its start.
    Null(u32),
    /// In the guard page below a kernel stack.
    Guard,
    /// In the kernel's code.
    Code,
    /// In the kernel's constants.
    Constants,
    /// Elsewhere in the first 4 MiB.
    FirstPages,
    /// In the recursive window, where the page table of these pages would be seen; whether it is there.
    Window(PageRange, bool),
    /// In the second window.
    OtherWindow,
    /// In no pool: there is none.
    NoPools,
    /// In no pool.
    OutsidePools,
    /// In a metadata page of a pool; the pool's first page.
    Metadata(Page),
    /// In this region.
    Region(PageRange),
    /// In this region, which was released so many operations ago.
    Released(PageRange, u32),
    /// In this pool, which was dropped so many operations ago.
    Dropped(PageRange, u32),
    /// So many bytes past the end of this region, where nothing is allocated; the pool's first page.
    Past(u32, PageRange, Page),
    /// So many bytes before the start of this region, where nothing is allocated; the pool's first page.
    Before(u32, PageRange, Page),
    /// In this pool, of which nothing near is allocated.
    Unallocated(PageRange),
}

/// How many bytes from the edge of a region still look like a miss of that region.
const NEAR: u32 = 0x1_0000;

impl Location {
    /// Finds out where `address` lies.
    pub fn new(view: &impl MmuView, events: &Events, layout: &Layout, address: VirtAddr) -> Self {
        let page = Page::containing(address);
        if page == Page::new(0) {
            Self::Null(address.as_u32())
        } else if page == layout.guard {
            Self::Guard
        } else if layout.text.contains(page) {
            Self::Code
        } else if layout.rodata.contains(page) {
            Self::Constants
        } else if IDENTITY.contains(page) {
            Self::FirstPages
        } else if WINDOWS.contains(page) {
            Self::in_windows(view, address)
        } else {
            match view.pool_of(page) {
                Some(pool) => Self::in_pool(view, events, &pool, address),
                None => Self::outside(view, events, page),
            }
        }
    }

    fn in_windows(view: &impl MmuView, address: VirtAddr) -> Self {
        let page = Page::containing(address);
        match page.directory_index() {
            RECURSIVE_ENTRY => {
                let pages = PageRange::of_table(page.table_index());
                Self::Window(pages, view.pde(pages.start).is_present())
            }
            index => {
                debug_assert_eq!(index, OTHER_WINDOW_ENTRY);
                Self::OtherWindow
            }
        }
    }

    fn outside(view: &impl MmuView, events: &Events, page: Page) -> Self {
        let first = IDENTITY.end;
        match gone(view, events, page, EventKind::Drop) {
            Some((pool, ago)) => Self::Dropped(pool, ago),
            None if view.pool_at_or_after(first).is_none() => Self::NoPools,
            None => Self::OutsidePools,
        }
    }

    fn in_pool(view: &impl MmuView, events: &Events, pool: &VmPool, address: VirtAddr) -> Self {
        let page = Page::containing(address);
        let base = pool.base();
        let next = pool.extent_at_or_after(view, page);
        match next {
            _ if page == base => return Self::Metadata(base),
            Some((extent, Kind::Metadata)) if extent.contains(page) => return Self::Metadata(base),
            Some((extent, Kind::Region)) if extent.contains(page) => return Self::Region(extent),
            _ => {}
        }
        let before = pool.extent_before(view, page).filter(|(_, kind)| *kind == Kind::Region).map(|(extent, _)| extent);
        let next = next.filter(|(_, kind)| *kind == Kind::Region).map(|(extent, _)| extent);
        let past = before.map(|region| (address.as_u32().wrapping_sub(region.end.start().as_u32()), region));
        let short = next.map(|region| (region.start.start().as_u32().wrapping_sub(address.as_u32()), region));
        // Right behind a region it is a miss of that region, whatever was there before.
        match (past, gone(view, events, page, EventKind::Release), short) {
            (Some((bytes, region)), None, _) if bytes < NEAR => Self::Past(bytes, region, base),
            (Some((bytes @ 0..4, region)), Some(_), _) => Self::Past(bytes, region, base),
            (_, Some((region, ago)), _) => Self::Released(region, ago),
            (_, _, Some((bytes, region))) if bytes < NEAR => Self::Before(bytes, region, base),
            _ => Self::Unallocated(pool.pages(view).unwrap_or(PageRange::new(base, base))),
        }
    }
}

/// Finds what held `page` of the current address space and went, by events of `kind`: its pages, and how many
/// operations ago.
fn gone(view: &impl MmuView, events: &Events, page: Page, kind: EventKind) -> Option<(PageRange, u32)> {
    let root = view.root();
    let operations = events.latest(root).filter(|event| event.kind != EventKind::Refused);
    // A space that was destroyed may have had the same directory, and a pool that was dropped the same pages.
    let lived = operations.take_while(|event| match event.kind {
        EventKind::Create => event.amount != root.number(),
        EventKind::Register => event.space != root || !event.pages().contains(page),
        _ => true,
    });
    let here = (1..).zip(lived).filter(|(_, event)| event.kind == kind && event.space == root);
    here.map(|(ago, event)| (event.pages(), ago)).find(|(pages, _)| pages.contains(page))
}

/// Prints a range of pages as addresses.
pub fn addresses(pages: PageRange) -> impl fmt::Display {
    fmt::from_fn(move |f| match pages.end.number() {
        // The end of the address space has no address.
        PAGES_IN_SPACE => write!(f, "{}..4 GiB", pages.start.start()),
        _ => write!(f, "{}..{}", pages.start.start(), pages.end.start()),
    })
}

/// Prints how long ago something was.
fn ago(operations: u32) -> impl fmt::Display {
    fmt::from_fn(move |f| write!(f, "{operations} {} ago", plural(operations, "operation", "operations")))
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Null(0) => write!(f, "a null pointer: page 0 is never present"),
            Self::Null(bytes) => write!(f, "{bytes} bytes from a null pointer: page 0 is never present"),
            Self::Guard => write!(f, "in the guard page below a kernel stack, which is never present"),
            Self::Code => write!(f, "in the kernel's code, which is read-only"),
            Self::Constants => write!(f, "in the kernel's constants, which are read-only"),
            Self::FirstPages => write!(f, "in the first 4 MiB, of which nothing is backed lazily"),
            Self::Window(pages, present) => {
                let state = if present { "is there" } else { "is absent" };
                write!(f, "in the window on the page tables, where the table of {} {state}", addresses(pages))
            }
            Self::OtherWindow => write!(f, "in the window on another space's tables, which is closed"),
            Self::NoPools => write!(f, "in no pool: this address space has none"),
            Self::OutsidePools => write!(f, "in no pool of this address space"),
            Self::Metadata(base) => write!(f, "in a metadata page of pool {}", base.start()),
            Self::Region(region) => write!(f, "in region {}", addresses(region)),
            Self::Released(region, operations) => {
                write!(f, "in region {}, which was released {}", addresses(region), ago(operations))
            }
            Self::Dropped(pool, operations) => {
                write!(f, "in pool {}, which was dropped {}", addresses(pool), ago(operations))
            }
            Self::Past(bytes, region, pool) => {
                write!(f, "{bytes} bytes past the end of region {} of pool {}", addresses(region), pool.start())
            }
            Self::Before(bytes, region, pool) => {
                write!(f, "{bytes} bytes before region {} of pool {}", addresses(region), pool.start())
            }
            Self::Unallocated(pool) => write!(f, "in pool {}, never allocated", addresses(pool)),
        }
    }
}
