//! Whether pools' metadata makes sense, as far as can be told without trusting it.

use super::untrusted::Untrusted;
use crate::addr::{Page, PageRange};
use crate::memory_map::POOL_PAGES;
use crate::paging::MmuView;
use crate::vm::{CurrentSpace, VmPool};

/// How many pools are looked at, and how many regions of each. Damage is seldom choosy.
const POOLS: u32 = 16;
const REGIONS: u32 = 64;

/// Says whether the pools of the current address space, and the regions in each, are ranges in ascending order that lie
/// where they may, and no record leads to where nothing is. Only the first few are looked at.
///
/// [`CurrentSpace::check_pools`](crate::vm::CurrentSpace::check_pools) looks at everything, but may go in circles if something is wrong; this never does.
pub fn metadata_agrees<V: MmuView>(view: &Untrusted<'_, V>) -> bool {
    let view = &view.afresh();
    let mut from = POOL_PAGES.start;
    for _ in 0..POOLS {
        let Some(pool) = view.pool_at_or_after(from) else {
            return !view.is_misled();
        };
        match pool.pages(view) {
            Some(pages) if follows(pages, from, POOL_PAGES.end) && regions_agree(view, &pool, pages) => {
                from = pages.end
            }
            _ => return false,
        }
    }
    !view.is_misled()
}

fn regions_agree<V: MmuView>(view: &Untrusted<'_, V>, pool: &VmPool, pages: PageRange) -> bool {
    let mut from = Page::new(pages.start.number() + 1);
    for _ in 0..REGIONS {
        match pool.extent_at_or_after(view, from) {
            None => return !view.is_misled(),
            Some((extent, _)) if follows(extent, from, pages.end) => from = extent.end,
            Some(_) => return false,
        }
    }
    true
}

/// Says whether `extent`, the next one found from `from` on, lies where it may: before `end`, and with a page at least.
pub fn follows(extent: PageRange, from: Page, end: Page) -> bool {
    extent.start >= from && !extent.is_empty() && extent.end <= end
}
