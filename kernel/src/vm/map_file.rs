//! Files in address spaces: a pool whose one region is a file.
//!
//! Decision: docs/src/decisions/0029-a-file-is-its-page-tables.md.

use super::pool::{AllocateError, VmPool};
use super::space::RegisterError;
use crate::addr::{ENTRIES, PAGE_SIZE, Page, VirtAddr};
use crate::frames::FrameSource;
use crate::paging::{FileId, Memory, Mmu, OutOfFrames, View};
use core::fmt;

/// Why a file was not mapped. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// There is no such file.
    NoFile,
    /// The file is read-only, so nobody writes to it.
    ReadOnly,
    /// The file would not start at a multiple of 4 MiB.
    Misaligned,
    /// The pool can't be registered.
    Pool(RegisterError),
    /// No frame was left for a page table of the file.
    OutOfFrames,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFile => write!(f, "there is no such file"),
            Self::ReadOnly => {
                write!(f, "the file is read-only: it can be shared read-only, or written to in a private view")
            }
            Self::Misaligned => {
                write!(f, "the pool must start one page below a multiple of 4 MiB, where the file begins")
            }
            Self::Pool(error) => error.fmt(f),
            Self::OutOfFrames => write!(f, "no frame left for a page table of the file"),
        }
    }
}

impl<M: Mmu, F: FrameSource> Memory<M, F> {
    /// Registers a pool at `base` whose one region, from the page behind it on, is `file`: a page of it is read when it
    /// is touched, and behind its last byte are zeros. Writes are allowed if it is `writable`: those to a shared view
    /// reach the file and whoever sees it, by [`sync`](Self::sync) at the latest when the last view goes; those to a
    /// private one never do.
    ///
    /// The pool has page tables of its own, up to a multiple of 4 MiB; what else is allocated in them can't be touched.
    /// The view goes when its region is released, or the pool by [`drop_pool`](Self::drop_pool). Records the events
    /// [`EventKind::Register`](crate::events::EventKind::Register) and
    /// [`EventKind::Allocate`](crate::events::EventKind::Allocate).
    ///
    /// Costs a frame for the pool and one for each 4 MiB of the file, but of a shared view only if it is the first one.
    ///
    /// # Errors
    ///
    /// [`MapError`]; nothing has changed then.
    pub fn map_file(&mut self, base: VirtAddr, file: FileId, view: View, writable: bool) -> Result<VmPool, MapError> {
        let known = self.files.get(file).ok_or(MapError::NoFile)?;
        if writable && view == View::Shared && !known.is_writable() {
            return Err(MapError::ReadOnly);
        }
        let pages = known.pages();
        let start = Page::new(Page::containing(base).number() + 1);
        if base.offset() != 0 || start.table_index() != 0 {
            return Err(MapError::Misaligned);
        }
        let bytes = (1 + pages.next_multiple_of(ENTRIES)) * PAGE_SIZE;
        let mut pool = self.register_pool(base, bytes).map_err(MapError::Pool)?;
        let shown = match pool.allocate(self, pages * PAGE_SIZE) {
            Ok(region) if region == start.start() => {
                self.show_file(start, file, view, writable).map_err(|OutOfFrames| MapError::OutOfFrames)
            }
            Ok(_) => Err(MapError::Misaligned),
            Err(AllocateError::OutOfFrames) => Err(MapError::OutOfFrames),
            Err(_) => Err(MapError::Pool(RegisterError::TooSmall)),
        };
        if let Err(error) = shown {
            if self.drop_pool(pool).is_err() {
                unreachable!("the pool was registered a moment ago");
            }
            return Err(error);
        }
        Ok(pool)
    }
}
