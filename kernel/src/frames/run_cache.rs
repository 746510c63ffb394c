//! The run cache: what the last searches for runs have shown, so that the next one is spared.
//!
//! Whoever asks for runs mostly asks for several, or gives one back and asks again: so the rest of the last run found, or a
//! run that was released, is cached. And a search that failed has shown that there is no run of that length, which
//! holds until frames come back that make one.
//!
//! Decisions: docs/src/decisions/0001-frames-bitmap-and-tree-of-runs.md, 0023-a-search-repairs-what-it-meets.md.

/// A known free run, and an upper bound on the length of all runs.
pub struct RunCache {
    /// Indices of frames that are free and lie together: the next run is taken from here, if they are enough.
    pub start: u32,
    pub end: u32,
    /// No run is longer than this.
    pub no_longer_than: u32,
}

/// In place of the length of the longest run.
pub const UNKNOWN: u32 = u32::MAX;

impl RunCache {
    /// Nothing is known.
    pub const NOTHING: Self = Self { start: u32::MAX, end: u32::MAX, no_longer_than: UNKNOWN };

    /// Notes that frame `index` was taken, the lowest of all: it is the first of the known run, or not in it.
    #[inline(always)] // on the fault path
    pub fn single_taken(&mut self, index: u32) {
        if index == self.start {
            self.start = if index + 1 < self.end { index + 1 } else { u32::MAX };
        }
    }

    /// Notes that the frames with these indices are free; there may be none.
    pub fn set_run(&mut self, start: u32, end: u32) {
        (self.start, self.end) = if start < end { (start, end) } else { (u32::MAX, u32::MAX) };
    }

    /// Notes that there is a run of this length now; `None` if its length is not known.
    #[inline]
    pub fn raise_bound(&mut self, run: Option<u32>) {
        self.no_longer_than = run.map_or(UNKNOWN, |run| self.no_longer_than.max(run));
    }

    /// Returns how many frames there are in the known run.
    pub fn run(&self) -> u32 {
        self.end.saturating_sub(self.start)
    }
}
