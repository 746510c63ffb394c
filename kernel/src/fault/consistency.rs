//! Whether pools' metadata makes sense, as far as can be told without trusting it.

use super::untrusted::Untrusted;
use crate::addr::{Page, PageRange};
use crate::memory_map::POOL_PAGES;
use crate::paging::MmuView;
use crate::vm::{CurrentSpace, Kind, VmPool};
use core::{fmt, iter};

/// How many pools a report looks at, and how many regions of each. Damage is seldom choosy.
const POOLS: usize = 16;
const REGIONS: usize = 64;

/// Records of pools that lead in a circle or to where nothing is, or that say what cannot be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Damaged {
    /// The first page of which they can't tell what it is.
    from: Page,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the records of the pools are damaged: no telling what lies from {} on", self.from.start())
    }
}

/// Walks through the pools of the current address space, in order.
pub fn pools<V: MmuView>(view: &Untrusted<'_, V>) -> impl Iterator<Item = Result<(VmPool, PageRange), Damaged>> {
    steps(view, POOL_PAGES, |view, from| {
        let pool = view.pool_at_or_after(from)?;
        let pages = pool.pages(view).unwrap_or(PageRange::new(from, from));
        Some((pool, pages))
    })
}

/// Walks through what is in `pool`, which has these `pages`, in order.
pub fn extents<V: MmuView>(
    view: &Untrusted<'_, V>,
    pool: &VmPool,
    pages: PageRange,
) -> impl Iterator<Item = Result<(Kind, PageRange), Damaged>> {
    steps(view, pages, |view, from| pool.extent_at_or_after(view, from).map(|(extent, kind)| (kind, extent)))
}

/// Walks through `area` by `look`, which returns what is in it at or after a page. A step that is led astray, or that does
/// not get on inside the area, is the last.
fn steps<V: MmuView, T>(
    view: &Untrusted<'_, V>,
    area: PageRange,
    look: impl Fn(&Untrusted<'_, V>, Page) -> Option<(T, PageRange)>,
) -> impl Iterator<Item = Result<(T, PageRange), Damaged>> {
    let mut next = Some(area.start);
    iter::from_fn(move || {
        let from = next.take()?;
        let view = view.afresh();
        let found = look(&view, from);
        if view.is_misled() {
            return Some(Err(Damaged { from }));
        }
        let (what, extent) = found?;
        if extent.start < from || extent.is_empty() || extent.end > area.end {
            return Some(Err(Damaged { from }));
        }
        next = Some(extent.end);
        Some(Ok((what, extent)))
    })
}

/// Says whether the records of the current address space's pools can be followed from end to end.
///
/// [`CurrentSpace::check_pools`](crate::vm::CurrentSpace::check_pools) looks at more of each record, but may go in circles if
/// something is wrong; this never does.
///
/// # Errors
///
/// [`Damaged`], if they can't.
pub fn follow_records<V: MmuView>(view: &Untrusted<'_, V>) -> Result<(), Damaged> {
    follow_first(view, usize::MAX, usize::MAX)
}

/// Says whether the first of the pools and regions can be followed, as many as a report has time for.
pub fn metadata_agrees<V: MmuView>(view: &Untrusted<'_, V>) -> bool {
    follow_first(view, POOLS, REGIONS).is_ok()
}

fn follow_first<V: MmuView>(view: &Untrusted<'_, V>, most_pools: usize, most_regions: usize) -> Result<(), Damaged> {
    pools(view).take(most_pools).try_for_each(|pool| {
        let (pool, pages) = pool?;
        extents(view, &pool, pages).take(most_regions).try_for_each(|extent| extent.map(drop))
    })
}
