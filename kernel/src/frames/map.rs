//! The map of a pool: what each frame is, at two bits a frame, and where the lowest free one is.

use super::FrameState;
use core::num::NonZero;

/// Levels of summaries over the map: enough for a million frames, 32 of each level under a bit of the next.
const LEVELS: usize = 3;

/// Two bits a frame, and above them a tree of bits that leads to the lowest free frame.
///
/// A word of the map is a pair: in the first the bit says *free*, in the second *head*.
///
/// ```text
/// free head
///  1    1    free
///  0    1    head: the first frame of a sequence that was handed out
///  0    0    inner: a further frame of the sequence that starts at the nearest head below
///  1    0    inaccessible: not this pool's to hand out
/// ```
///
/// So a single frame comes and goes by one bit.
///
/// A bit of level 0 of the summary is set if its word of the map has a free frame; a bit of a higher level is set if its
/// word of the level below is not zero. Bits of the map past the end of the pool are inaccessible.
pub struct Map<'a> {
    words: &'a mut [[u32; 2]],
    summary: [&'a mut [u32]; LEVELS],
    /// The lowest word with a free frame, or the number of words if there is none.
    lowest: usize,
}

impl<'a> Map<'a> {
    /// Returns how many words of two times 32 bits the map of `frames` frames has.
    pub const fn words_needed(frames: u32) -> usize {
        frames.div_ceil(32) as usize
    }

    /// Returns how many 32-bit words the summaries of `frames` frames have.
    pub const fn summary_needed(frames: u32) -> usize {
        let level0 = Self::words_needed(frames).div_ceil(32);
        let level1 = level0.div_ceil(32);
        level0 + level1 + level1.div_ceil(32)
    }

    /// Makes the map of `frames` frames, all free, in `words` and `summary`.
    pub fn new(frames: u32, words: &'a mut [[u32; 2]], summary: &'a mut [u32]) -> Self {
        let level0 = words.len().div_ceil(32);
        let (summary0, rest) = summary.split_at_mut(level0);
        let (summary1, summary2) = rest.split_at_mut(level0.div_ceil(32));
        words.fill([u32::MAX, u32::MAX]);
        if let (Some(last), true) = (words.last_mut(), !frames.is_multiple_of(32)) {
            last[1] = (1 << (frames % 32)) - 1;
        }
        fill_ones(summary0, words.len());
        fill_ones(summary1, summary0.len());
        fill_ones(summary2, summary1.len());
        Self { words, summary: [summary0, summary1, summary2], lowest: 0 }
    }

    /// Returns where the words are, for whoever reads them from outside.
    pub fn address(&self) -> usize {
        self.words.as_ptr().addr()
    }

    /// Returns how many words the map has.
    pub fn words(&self) -> usize {
        self.words.len()
    }

    /// Makes the lowest free frame a head, a sequence of one, and returns its index.
    #[inline(always)] // on the fault path
    pub fn take_lowest(&mut self) -> Option<u32> {
        let word = self.lowest;
        let [free, head] = self.words.get_mut(word)?;
        let candidates = NonZero::new(*free & *head)?;
        let bit = candidates.get() & candidates.get().wrapping_neg();
        *free ^= bit;
        if candidates.get() == bit {
            self.note_full(word);
        }
        Some((word as u32) << 5 | candidates.trailing_zeros())
    }

    /// Frees frame `index` if it is a sequence of one, and says whether it was.
    #[inline]
    pub fn free_single(&mut self, index: u32) -> bool {
        let word = (index >> 5) as usize;
        let [free, head] = &mut self.words[word];
        let bit = 1 << (index & 31);
        let inner = !(*free | *head);
        // Of the highest frame of a word it can't be seen here whether the next one is inner.
        if !*free & *head & bit == 0 || (inner | 1) & bit.rotate_left(1) != 0 {
            return false;
        }
        let was_free = *free & *head;
        *free |= bit;
        if was_free == 0 {
            self.note_free(word);
        }
        true
    }

    /// Returns how many free frames lie together around the free frame `index`, if the neighbouring words show it.
    pub fn run_around(&self, index: u32) -> Option<u32> {
        let (word, bit) = ((index >> 5) as usize, index & 31);
        let bits = self.free_bits(word);
        let mut below = (bits << (31 - bit)).leading_ones() - 1;
        if below == bit && word > 0 {
            below += self.free_bits(word - 1).leading_ones();
        }
        let mut above = (bits >> bit).trailing_ones();
        if bit + above == 32 && word + 1 < self.words.len() {
            above += self.free_bits(word + 1).trailing_ones();
        }
        (below < bit + 32 && bit + above < 64).then_some(below + above)
    }

    /// Returns how many free frames lie together from frame `index` on, up to the end of the 16th word.
    pub fn run_from(&self, index: u32) -> u32 {
        let (first, bit) = ((index >> 5) as usize, index & 31);
        if first >= self.words.len() {
            return 0;
        }
        let mut run = (self.free_bits(first) >> bit).trailing_ones();
        let mut words = first + 1..self.words.len().min(first + 16);
        while (bit + run) & 31 == 0 && run > 0 {
            match words.next().map(|word| self.free_bits(word).trailing_ones()) {
                Some(more) if more > 0 => run += more,
                _ => break,
            }
        }
        run
    }

    /// Frees the frames in `mask` of `word` if each is a sequence of one, and says whether they were.
    #[inline]
    pub fn free_singles(&mut self, word: usize, mask: u32) -> bool {
        let next_is_inner = mask >> 31 != 0 && self.inner_bits(word + 1) & 1 != 0;
        let [free, head] = &mut self.words[word];
        let inner = !(*free | *head);
        if !*free & *head & mask != mask || inner & mask << 1 != 0 || next_is_inner {
            return false;
        }
        let was_free = *free & *head;
        *free |= mask;
        if was_free == 0 {
            self.note_free(word);
        }
        true
    }

    /// Returns the free frames of a word as bits.
    #[inline]
    pub fn free_bits(&self, word: usize) -> u32 {
        let [free, head] = self.words[word];
        free & head
    }

    /// Returns the inner frames of a word as bits; of a word past the end, none.
    #[inline]
    pub fn inner_bits(&self, word: usize) -> u32 {
        self.words.get(word).map_or(0, |[free, head]| !(free | head))
    }

    /// Returns what frame `index` is.
    #[inline]
    pub fn state(&self, index: u32) -> FrameState {
        let [free, head] = self.words[index as usize / 32];
        let bit = 1 << (index % 32);
        match (free & bit != 0, head & bit != 0) {
            (true, true) => FrameState::Free,
            (false, true) => FrameState::Head,
            (false, false) => FrameState::Inner,
            (true, false) => FrameState::Inaccessible,
        }
    }

    /// Makes the frames in `mask` of `word` all `state`.
    #[inline]
    pub fn set(&mut self, word: usize, mask: u32, state: FrameState) {
        let was_free = self.free_bits(word);
        let [free, head] = &mut self.words[word];
        match state {
            FrameState::Free => (*free, *head) = (*free | mask, *head | mask),
            FrameState::Head => (*free, *head) = (*free & !mask, *head | mask),
            FrameState::Inner => (*free, *head) = (*free & !mask, *head & !mask),
            FrameState::Inaccessible => (*free, *head) = (*free | mask, *head & !mask),
        }
        let is_free = self.free_bits(word);
        if was_free == 0 && is_free != 0 {
            self.note_free(word);
        } else if was_free != 0 && is_free == 0 {
            self.note_full(word);
        }
    }

    #[cold]
    fn note_free(&mut self, word: usize) {
        self.lowest = self.lowest.min(word);
        let mut index = word;
        for level in &mut self.summary {
            let was = level[index / 32];
            level[index / 32] = was | 1 << (index % 32);
            if was != 0 {
                break;
            }
            index /= 32;
        }
    }

    /// Notes that a word has no free frame any more.
    #[inline]
    fn note_full(&mut self, word: usize) {
        let bits = &mut self.summary[0][word >> 5];
        *bits &= !(1 << (word & 31));
        let left = *bits;
        if left == 0 {
            self.note_empty(word >> 5);
        } else if word == self.lowest {
            // None lower is left in this word of the summary, nor before it.
            self.lowest = (word & !31) | left.trailing_zeros() as usize;
        }
    }

    /// Notes that word `index` of level 0 of the summary is zero now.
    fn note_empty(&mut self, index: usize) {
        let bits = &mut self.summary[1][index >> 5];
        *bits &= !(1 << (index & 31));
        let left = *bits;
        if left == 0 {
            let above = index >> 5;
            self.summary[2][above >> 5] &= !(1 << (above & 31));
            self.lowest = self.find_lowest();
        } else if self.lowest >> 5 == index {
            let next = (index & !31) | left.trailing_zeros() as usize;
            self.lowest = next << 5 | self.summary[0][next].trailing_zeros() as usize;
        }
    }

    /// Walks down the summaries: at each level the lowest set bit names the word to look at below.
    fn find_lowest(&self) -> usize {
        let Some(top) = self.summary[LEVELS - 1].iter().position(|bits| *bits != 0) else {
            return self.words.len();
        };
        let mut index = top;
        for level in self.summary.iter().rev() {
            index = 32 * index + level[index].trailing_zeros() as usize;
        }
        index
    }

    /// Says whether the summaries tell the truth.
    pub fn is_sound(&self) -> bool {
        let level0 = (0..self.words.len()).all(|word| self.bit(0, word) == (self.free_bits(word) != 0));
        let above = (1..LEVELS).all(|level| {
            let below = &self.summary[level - 1];
            (0..below.len()).all(|index| self.bit(level, index) == (below[index] != 0))
        });
        level0 && above && self.lowest == self.find_lowest()
    }

    fn bit(&self, level: usize, index: usize) -> bool {
        self.summary[level][index / 32] & 1 << (index % 32) != 0
    }
}

/// Sets the lowest `count` bits.
fn fill_ones(words: &mut [u32], count: usize) {
    words.fill(u32::MAX);
    if let (Some(last), true) = (words.last_mut(), !count.is_multiple_of(32)) {
        *last = (1 << (count % 32)) - 1;
    }
}
