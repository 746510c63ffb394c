//! Random choices that a seed repeats.

/// A small generator of pseudo-random numbers: 32-bit xorshift.
#[derive(Clone, Debug)]
pub struct Random(u32);

impl Random {
    /// Starts a sequence; the same seed gives the same one.
    pub const fn new(seed: u32) -> Self {
        Self(if seed == 0 { 1 } else { seed })
    }

    /// Returns the next number of the sequence.
    pub fn word(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    /// Returns a number below `end`, which is at least 1.
    pub fn below(&mut self, end: u32) -> u32 {
        self.word() % end
    }

    /// Puts `items` into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u32 + 1) as usize);
        }
    }
}
