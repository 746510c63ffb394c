//! What a pool remembers of the last searches for runs, so that the next is spared.
//!
//! Whoever asks for runs mostly asks for several, or gives one back and asks again: so the rest of the last run found, or a
//! run that was released, is kept at hand. And a search that failed has shown that there is no run of that length, which
//! holds until frames come back that make one.

/// What is known of the runs of free frames without a search.
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

    /// Returns how many frames there are in the known run.
    pub fn run(&self) -> u32 {
        self.end.saturating_sub(self.start)
    }
}
