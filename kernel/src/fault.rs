//! Faults in words: what was touched, and why that is wrong.
//!
//! [`decode`] reads the error code, [`AddressSpace::handle_fault`](crate::vm::AddressSpace::handle_fault) decides, and
//! [`Place::of`] finds out where a refused address lies, which says more than that it was refused.

use crate::addr::{Page, PageRange, VirtAddr};
use crate::memory_map::{IDENTITY, WINDOWS};
use crate::paging::Mmu;
use crate::vm::{AddressSpace, Fault, Kind, Refusal, VmPool};
use core::fmt;

/// Bits of a page fault's error code (Intel SDM volume 3, section 4.7).
const PRESENT: u32 = 1 << 0;
const WRITE: u32 = 1 << 1;

/// Reads a page fault's error code.
#[inline]
pub const fn decode(error_code: u32, address: VirtAddr) -> Fault {
    Fault { address, present: error_code & PRESENT != 0, write: error_code & WRITE != 0 }
}

/// Returns the kind of fault that a refusal is, in one word.
pub const fn kind(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Protection => "protection",
        Refusal::FirstPages | Refusal::Window | Refusal::Illegitimate => "illegal-access",
        Refusal::OutOfFrames => "out-of-frames",
    }
}

/// Where an address lies in the current address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In page 0.
    Null,
    /// Elsewhere in the first 4 MiB.
    FirstPages,
    /// In one of the windows.
    Window,
    /// In no pool.
    OutsidePools,
    /// In a pool's own page.
    Metadata,
    /// In this region.
    Region(PageRange),
    /// So many bytes past the end of this region, where nothing is allocated.
    PastRegion(u32, PageRange),
    /// In a pool, of which nothing below is allocated.
    Unallocated(PageRange),
}

impl Place {
    /// Finds out where `address` lies.
    pub fn of(mmu: &impl Mmu, address: VirtAddr) -> Self {
        let page = Page::containing(address);
        if page == Page::new(0) {
            Self::Null
        } else if IDENTITY.contains(page) {
            Self::FirstPages
        } else if WINDOWS.contains(page) {
            Self::Window
        } else {
            match AddressSpace::pool_of(mmu, page) {
                Some(pool) => Self::in_pool(mmu, &pool, address),
                None => Self::OutsidePools,
            }
        }
    }

    fn in_pool(mmu: &impl Mmu, pool: &VmPool, address: VirtAddr) -> Self {
        let page = Page::containing(address);
        if page == pool.base() {
            return Self::Metadata;
        }
        match pool.extent_at_or_after(mmu, page) {
            Some((extent, Kind::Metadata)) if extent.contains(page) => return Self::Metadata,
            Some((extent, Kind::Region)) if extent.contains(page) => return Self::Region(extent),
            _ => {}
        }
        match pool.extent_before(mmu, page) {
            Some((region, Kind::Region)) => Self::PastRegion(address.as_u32() - region.end.start().as_u32(), region),
            _ => Self::Unallocated(pool.pages(mmu).unwrap_or(PageRange::new(page, page))),
        }
    }
}

/// A range of pages as addresses.
struct Addresses(PageRange);

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.0.start.start(), self.0.end.start())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Null => write!(f, "a null pointer: page 0 is never present"),
            Self::FirstPages => write!(f, "in the first 4 MiB, of which nothing is backed lazily"),
            Self::Window => write!(f, "in the window on the page tables, where a table is absent"),
            Self::OutsidePools => write!(f, "in no pool of this address space"),
            Self::Metadata => write!(f, "in a pool's own page"),
            Self::Region(region) => write!(f, "in region {}", Addresses(region)),
            Self::PastRegion(bytes, region) => {
                write!(f, "{bytes} bytes past the end of region {}", Addresses(region))
            }
            Self::Unallocated(pool) => write!(f, "in pool {}, where nothing is allocated", Addresses(pool)),
        }
    }
}
