//! What a drive of a test is told.

use crate::paging::DriveError;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

/// What a drive is told: which reads and writes fail.
#[derive(Default)]
pub struct Orders {
    pub(super) reads: Order,
    pub(super) writes: Order,
}

/// Those of one kind.
#[derive(Default)]
pub(super) struct Order {
    /// How many of the next ones fail.
    next: AtomicU32,
    /// One that fails later, counted from 1, and whether it has.
    once: AtomicU32,
    has_failed: AtomicBool,
}

impl Order {
    pub(super) fn carry_out(&self) -> Result<(), DriveError> {
        let take = |left: &AtomicU32| left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).unwrap_or(0);
        if take(&self.once) == 1 {
            self.has_failed.store(true, Relaxed);
        } else if take(&self.next) == 0 {
            return Ok(());
        }
        Err(DriveError::Failed(0x51, 0x40))
    }
}

impl Orders {
    /// Lets the next `count` reads fail.
    pub fn fail_reads(&self, count: u32) {
        self.reads.next.store(count, Relaxed);
    }

    /// Lets the next `count` writes fail.
    pub fn fail_writes(&self, count: u32) {
        self.writes.next.store(count, Relaxed);
    }

    /// Lets this read and this write fail, counted from 1; 0 is none.
    pub(super) fn fail_once(&self, (read, write): (u32, u32)) {
        self.reads.once.store(read, Relaxed);
        self.writes.once.store(write, Relaxed);
    }

    /// Says whether what [`fail_once`](Self::fail_once) said has failed.
    pub(super) fn has_failed(&self) -> bool {
        self.reads.has_failed.load(Relaxed) || self.writes.has_failed.load(Relaxed)
    }
}
