//! The map of a pool: what each frame is, at two bits a frame, and where the lowest free one is.
//!
//! Decisions: docs/src/decisions/0001-frames-bitmap-and-tree-of-runs.md, 0016-one-bit-a-frame-and-sides-of-nodes.md.

use super::source::FrameState;
use crate::addr::PAGES_IN_SPACE;
use core::num::NonZero;
use core::ops::Range;

// Three levels, 32 of each under a bit of the next, end in one word.
const _: () = assert!(PAGES_IN_SPACE == 32 * 32 * 32 * 32);

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
/// A bit of `with_free` is set if its word of the map has a free frame; a bit of a level above it is set if its word of the
/// level below is not zero. Bits of the map past the end of the pool are inaccessible.
pub struct Map<'a> {
    words: &'a mut [[u32; 2]],
    with_free: &'a mut [u32],
    above: [u32; 32],
    top: u32,
    /// The lowest word with a free frame, or the number of words if there is none.
    lowest: usize,
}

impl<'a> Map<'a> {
    /// Returns how many words of two times 32 bits the map of `frames` frames has.
    pub const fn words_needed(frames: u32) -> usize {
        frames.div_ceil(32) as usize
    }

    /// Returns how many 32-bit words the lowest level of the tree over `frames` frames has.
    pub const fn bits_needed(frames: u32) -> usize {
        Self::words_needed(frames).div_ceil(32)
    }

    /// Makes the map of `frames` frames, all free, in `words` and `with_free`.
    pub fn new(frames: u32, words: &'a mut [[u32; 2]], with_free: &'a mut [u32]) -> Self {
        words.fill([u32::MAX, u32::MAX]);
        if let (Some(last), true) = (words.last_mut(), !frames.is_multiple_of(32)) {
            last[1] = (1 << (frames % 32)) - 1;
        }
        fill_ones(with_free, words.len());
        let mut above = [0; 32];
        fill_ones(&mut above, with_free.len());
        let top = above.iter().rev().fold(0, |top, word| top << 1 | u32::from(*word != 0));
        Self { words, with_free, above, top, lowest: 0 }
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
            self.note_lowest_full();
        }
        Some((word as u32) << 5 | candidates.trailing_zeros())
    }

    /// Frees frame `index` if it is a sequence of one and not the last frame of a word, which [`free_last`](Self::free_last)
    /// frees. Says whether it was. It may be past the end.
    #[inline]
    pub fn free_single(&mut self, index: u32) -> bool {
        let word = (index >> 5) as usize;
        let Some([free, head]) = self.words.get_mut(word) else {
            return false;
        };
        let bit = 1 << (index & 31);
        // Heads with no inner frame behind them. For bit 31 the next frame is in the next word, so this returns false.
        let singles = (*free | *head) >> 1 & *head & !*free;
        if singles & bit == 0 {
            return false;
        }
        let was_free = *free & *head;
        *free |= bit;
        if was_free == 0 {
            self.note_free(word);
        }
        true
    }

    /// Frees frame `index` if it is the last of a word and a sequence of one, and says whether it was. It may be past the end.
    pub fn free_last(&mut self, index: u32) -> bool {
        let word = (index >> 5) as usize;
        index & 31 == 31 && word < self.words.len() && self.free_singles(word, 1 << 31)
    }

    /// Returns how many free frames lie together around those from `first` to `last`, if the neighbouring words show it.
    #[inline(always)]
    pub fn run_around(&self, first: u32, last: u32) -> Option<u32> {
        let (word, bit) = ((first >> 5) as usize, first & 31);
        let mut below = (self.free_bits(word) << (31 - bit)).leading_ones();
        if below > bit {
            below += self.free_from_end(word.wrapping_sub(1), u32::leading_ones)?;
        }
        let (word, bit) = ((last >> 5) as usize, last & 31);
        let mut above = (self.free_bits(word) >> bit).trailing_ones();
        if bit + above > 31 {
            above += self.free_from_end(word + 1, u32::trailing_ones)?;
        }
        // Both have counted one of these themselves.
        Some(below.wrapping_add(above).wrapping_add(last.wrapping_sub(first)).wrapping_sub(1))
    }

    /// Counts free frames from an end of `word` on, or returns `None` if they reach the other end. There may be no such word.
    #[cold]
    fn free_from_end(&self, word: usize, count: fn(u32) -> u32) -> Option<u32> {
        let Some([free, head]) = self.words.get(word) else {
            return Some(0);
        };
        Some(count(free & head)).filter(|free| *free < 32)
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

    /// Returns the highest of `frames` that is not free.
    pub fn last_in_use(&self, frames: Range<u32>) -> Option<u32> {
        let mut end = frames.end;
        while end > frames.start {
            let last = end - 1;
            let free = (self.free_bits((last >> 5) as usize) << (31 - (last & 31))).leading_ones();
            if free <= last & 31 {
                return Some(last - free).filter(|index| *index >= frames.start);
            }
            end -= free;
        }
        None
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

    /// Returns the free frames of some words as bits. The range may go past the end.
    pub fn free_in(&self, words: Range<usize>) -> impl Iterator<Item = u32> {
        let end = words.end.min(self.words.len());
        self.words[words.start.min(end)..end].iter().map(|[free, head]| free & head)
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
        let index = word >> 5;
        let was = self.with_free[index];
        self.with_free[index] = was | 1 << (word & 31);
        if was == 0 {
            let above = (index >> 5) & 31;
            self.above[above] |= 1 << (index & 31);
            self.top |= 1 << above;
        }
    }

    /// Notes that the lowest word with a free frame has none any more.
    #[inline(always)] // on the fault path
    fn note_lowest_full(&mut self) {
        let index = self.lowest >> 5;
        let bits = &mut self.with_free[index];
        // Its bit is the lowest that is set.
        *bits &= bits.wrapping_sub(1);
        if let Some(left) = NonZero::new(*bits) {
            self.lowest = index << 5 | left.trailing_zeros() as usize;
        } else {
            self.note_empty(index);
            self.lowest = self.find_lowest();
        }
    }

    /// Notes that a word has no free frame any more.
    fn note_full(&mut self, word: usize) {
        if word == self.lowest {
            self.note_lowest_full();
            return;
        }
        let index = word >> 5;
        let bits = &mut self.with_free[index];
        *bits &= !(1 << (word & 31));
        if *bits == 0 {
            self.note_empty(index);
        }
    }

    /// Notes that word `index` of the lowest level of the tree is zero now.
    fn note_empty(&mut self, index: usize) {
        let above = (index >> 5) & 31;
        let bits = &mut self.above[above];
        *bits &= !(1 << (index & 31));
        if *bits == 0 {
            self.top &= !(1 << above);
        }
    }

    /// Walks down the tree: at each level the lowest set bit names the word to look at below.
    fn find_lowest(&self) -> usize {
        if self.top == 0 {
            return self.words.len();
        }
        let above = self.top.trailing_zeros() as usize;
        let index = above << 5 | self.above[above].trailing_zeros() as usize;
        index << 5 | self.with_free[index].trailing_zeros() as usize
    }

    /// Says whether the tree tells the truth.
    pub fn is_sound(&self) -> bool {
        let is_set = |bits: &[u32], index: usize| bits[index / 32] & 1 << (index % 32) != 0;
        (0..self.words.len()).all(|word| is_set(self.with_free, word) == (self.free_bits(word) != 0))
            && (0..self.with_free.len()).all(|index| is_set(&self.above, index) == (self.with_free[index] != 0))
            && (0..32).all(|index| is_set(&[self.top], index) == (self.above[index] != 0))
            && self.lowest == self.find_lowest()
    }
}

/// Sets the lowest `count` bits.
fn fill_ones(words: &mut [u32], count: usize) {
    words.fill(0);
    words[..count / 32].fill(u32::MAX);
    if !count.is_multiple_of(32) {
        words[count / 32] = (1 << (count % 32)) - 1;
    }
}
