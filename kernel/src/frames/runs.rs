//! Runs of free frames: what a block of frames must tell so that a run can be found without looking inside.
//!
//! Three numbers are enough: how many frames are free at its start, in its longest run, and at its end. They join: two
//! neighbours' numbers give those of both together. So a tree of blocks, each twice as long as its children, finds the
//! lowest run of any length by one walk from the root (a *segment tree*).
//!
//! A node is an answer that was worked out before. Single frames come and go far more often than runs are asked for, so a
//! frame that comes back only marks the answers above it as [`STALE`], which costs a store or two, and one that is taken
//! does nothing: the answers above it then promise more than there is. The next request for a run works out again those
//! that it meets. A node above a stale one is stale too, which is what lets marking stop early.
//!
//! Decisions: docs/src/decisions/0001-frames-bitmap-and-tree-of-runs.md, 0023-a-search-repairs-what-it-meets.md,
//! 0031-a-node-may-promise-too-much.md.

use super::map::Map;

/// Frames in the smallest block of the tree: eight words of the map.
pub const LEAF_FRAMES: u32 = 256;

const LEAF_WORDS: usize = (LEAF_FRAMES / 32) as usize;

/// In place of a node's longest run: the node has to be worked out again.
const STALE: u32 = u32::MAX;

/// The three numbers of a block of frames, or bounds that they do not exceed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Runs {
    /// Free frames at the start of the block.
    first: u32,
    /// Free frames in the longest run inside the block.
    longest: u32,
    /// Free frames at the end of the block.
    last: u32,
}

impl Runs {
    const NONE: Self = Self { first: 0, longest: 0, last: 0 };

    fn from_words([first, longest, last]: [u32; 3]) -> Self {
        Self { first, longest, last }
    }

    /// Returns the numbers of a block of 32 frames; a set bit is a free frame.
    fn of_word(free: u32) -> Self {
        Self { first: free.trailing_ones(), longest: longest_run(free), last: free.leading_ones() }
    }

    /// Joins a block of `len` frames with a word of the map, the 32 frames that follow; a set bit of `free` is a free frame.
    #[inline(always)] // eight times a leaf
    fn join_word(self, len: u32, free: u32) -> Self {
        if free == u32::MAX {
            return self.join(len, Self { first: 32, longest: 32, last: 32 }, 32);
        }
        let first = free.trailing_ones();
        let around = self.last.wrapping_add(first);
        Self {
            first: if self.first == len { around } else { self.first },
            longest: self.longest.max(around).max(longest_run(free)),
            last: free.leading_ones(),
        }
    }

    /// Joins a block of `len` frames with its right neighbour of `right_len` frames.
    fn join(self, len: u32, right: Self, right_len: u32) -> Self {
        Self {
            first: if self.first == len { len.wrapping_add(right.first) } else { self.first },
            longest: self.longest.max(right.longest).max(self.last.wrapping_add(right.first)),
            last: if right.last == right_len { right_len.wrapping_add(self.last) } else { right.last },
        }
    }

    /// Says whether these are bounds of `runs`.
    fn bound(self, runs: Self) -> bool {
        self.first >= runs.first && self.longest >= runs.longest && self.last >= runs.last
    }
}

/// Returns the length of the longest run of ones.
fn longest_run(mut bits: u32) -> u32 {
    if bits == u32::MAX {
        return 32;
    }
    let mut longest = 0;
    // Each round takes one off the end of every run.
    while bits != 0 {
        bits &= bits << 1;
        longest = u32::wrapping_add(longest, 1);
    }
    longest
}

/// Returns where the lowest run of `n` ones starts: 32 if there is none.
fn find_in_word(bits: u32, n: u32) -> u32 {
    let mut starts = bits;
    let mut found = 1;
    while found < n && starts != 0 {
        // A bit that stays has `found` ones from itself upwards; look twice as far, or as far as is still missing.
        let step = found.min(n - found);
        starts &= starts.checked_shr(step).unwrap_or(0);
        found += step;
    }
    starts.trailing_zeros()
}

/// A walk from the first frame on, in search of a run.
struct Walk {
    /// How many frames the run has.
    n: u32,
    /// Where the walk is: before the frame with this index.
    at: u32,
    /// How many frames right before that one are free, at most: a block that was passed may have promised too much.
    run: u32,
}

impl Walk {
    /// Passes a block of `len` frames, unless the run ends in it, or may end if the block is stale. Says whether it did.
    fn pass(&mut self, block: Runs, len: u32) -> bool {
        if block.longest >= self.n || self.run.wrapping_add(block.first) >= self.n {
            return false;
        }
        self.run = if block.first == len { self.run.wrapping_add(len) } else { block.last };
        self.at = self.at.wrapping_add(len);
        true
    }

    /// Passes words of the map up to the run, and says whether it is there.
    fn find_in_words(&mut self, words: impl Iterator<Item = u32>) -> bool {
        for free in words {
            let word = Runs::of_word(free);
            if self.pass(word, 32) {
                continue;
            }
            if self.run + word.first < self.n {
                self.at += find_in_word(free, self.n);
                self.run = 0;
            }
            return true;
        }
        false
    }
}

/// The tree over a pool's map.
///
/// Nodes are stored as a heap: node 1 is the root, the children of node `i` are `2·i` and `2·i + 1`, and the leaves start
/// at `leaves`, a power of two. Leaves past the end of the pool have nothing free.
pub struct RunTree<'a> {
    nodes: &'a mut [[u32; 3]],
    leaves: usize,
    /// The leaf that was marked stale last, if it still is: most marks come again and again for the same one.
    marked: u32,
}

/// No leaf.
const NO_LEAF: u32 = u32::MAX;

impl<'a> RunTree<'a> {
    /// Returns how many nodes the tree over `frames` frames has.
    pub const fn nodes_needed(frames: u32) -> usize {
        2 * (frames.div_ceil(LEAF_FRAMES) as usize).next_power_of_two()
    }

    /// Makes the tree over `frames` frames in `nodes`, all of it stale.
    pub fn new(frames: u32, nodes: &'a mut [[u32; 3]]) -> Self {
        let leaves = Self::nodes_needed(frames) / 2;
        nodes.fill([0, STALE, 0]);
        Self { nodes, leaves, marked: NO_LEAF }
    }

    /// Notes that frame `index` is free now.
    #[inline(always)] // on the fault path
    pub fn mark_stale(&mut self, index: u32) {
        let leaf = index / LEAF_FRAMES;
        if leaf != self.marked {
            self.mark_leaf_stale(leaf);
        }
    }

    fn mark_leaf_stale(&mut self, leaf: u32) {
        self.marked = leaf;
        let mut node = self.leaves | leaf as usize;
        // Above the root is node 0, which is always stale.
        while let Some([_, longest, _]) = self.nodes.get_mut(node)
            && *longest != STALE
        {
            *longest = STALE;
            node /= 2;
        }
    }

    /// Finds the lowest run of `n` free frames and returns the index of its first one. `n` is at least 1.
    ///
    /// Works out what is stale on its way from the left, up to where it finds the run, and leaves the rest stale.
    pub fn find(&mut self, map: &Map<'_>, n: u32) -> Option<u32> {
        let len = LEAF_FRAMES * self.leaves as u32;
        loop {
            let mut walk = Walk { n, at: 0, run: 0 };
            if walk.pass(self.node(1), len) || !self.walk(map, &mut walk, 1, len) {
                return None;
            }
            let start = walk.at - walk.run;
            match map.last_in_use(start..walk.at) {
                None => return Some(start),
                // A block that was passed has promised this one: the next walk enters it.
                Some(index) => self.mark_stale(index),
            }
        }
    }

    /// Returns the length of the longest run of free frames.
    pub fn longest(&mut self, map: &Map<'_>) -> u32 {
        // There is no such run, so this leaves nothing stale; then each search without success lowers the promise.
        self.find(map, u32::MAX);
        loop {
            let promised = self.node(1).longest;
            if promised == 0 || self.find(map, promised).is_some() {
                return promised;
            }
        }
    }

    /// Takes the walk through the block of `len` frames of `node`, where the run may end, and says whether it has found it.
    fn walk(&mut self, map: &Map<'_>, walk: &mut Walk, node: usize, len: u32) -> bool {
        if node >= self.leaves {
            let stale = self.node(node).longest == STALE;
            if !stale && walk.find_in_words(self.leaf_words(map, node)) {
                return true;
            }
            // Nobody knows what is in it, or it has promised too much.
            let leaf = self.leaf(map, node);
            self.store(node, leaf);
            self.marked = NO_LEAF;
            return stale && !walk.pass(leaf, len) && walk.find_in_words(self.leaf_words(map, node));
        }
        let len = len / 2;
        let [left, right] = self.children(node);
        if !walk.pass(left, len) && self.walk(map, walk, node << 1, len)
            || !walk.pass(right, len) && self.walk(map, walk, node << 1 | 1, len)
        {
            return true;
        }
        // Both are known now.
        let [left, right] = self.children(node);
        self.store(node, left.join(len, right, len));
        false
    }

    fn store(&mut self, node: usize, runs: Runs) {
        self.nodes[node] = [runs.first, runs.longest, runs.last];
    }

    fn leaf(&self, map: &Map<'_>, leaf: usize) -> Runs {
        let (runs, len) = self
            .leaf_words(map, leaf)
            .fold((Runs::NONE, 0), |(runs, len), free| (runs.join_word(len, free), u32::wrapping_add(len, 32)));
        // The map may end inside the leaf: then no run reaches the leaf's end.
        if len < LEAF_FRAMES { Runs { last: 0, ..runs } } else { runs }
    }

    fn leaf_words(&self, map: &Map<'_>, leaf: usize) -> impl Iterator<Item = u32> {
        let start = (leaf - self.leaves) * LEAF_WORDS;
        map.free_in(start..start + LEAF_WORDS)
    }

    fn node(&self, node: usize) -> Runs {
        Runs::from_words(self.nodes[node])
    }

    #[inline]
    fn children(&self, node: usize) -> [Runs; 2] {
        self.nodes.as_chunks().0[node].map(Runs::from_words)
    }

    /// Says whether each node that isn't stale promises no less than there is, and each node above a stale one is stale.
    pub fn is_sound(&self, map: &Map<'_>) -> bool {
        (1..2 * self.leaves).all(|node| {
            let known = self.node(node);
            if known.longest == STALE {
                return true;
            }
            if node >= self.leaves {
                return known.bound(self.leaf(map, node));
            }
            let len = LEAF_FRAMES * (self.leaves as u32 >> node.ilog2()) / 2;
            let (left, right) = (self.node(2 * node), self.node(2 * node + 1));
            left.longest != STALE && right.longest != STALE && known.bound(left.join(len, right, len))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_run_of_a_word_is_found() {
        assert_eq!([0, 1, 0b1011_1001, u32::MAX, u32::MAX - 1].map(longest_run), [0, 1, 3, 32, 31]);
    }

    #[test]
    fn the_lowest_run_in_a_word_is_found() {
        assert_eq!([2, 3, 4].map(|n| find_in_word(0b1110_0110_0001, n)), [5, 9, 32]);
        assert_eq!([32, 33].map(|n| find_in_word(u32::MAX, n)), [0, 32]);
        assert_eq!(find_in_word(0, 1), 32);
    }

    #[test]
    fn a_run_across_the_join_of_two_blocks_counts() {
        let joined = Runs::of_word(0xF000_0001).join(32, Runs::of_word(0x0000_0007), 32);
        assert_eq!(joined, Runs { first: 1, longest: 7, last: 0 });
    }

    #[test]
    fn a_free_block_hands_its_whole_length_on() {
        let joined = Runs::of_word(u32::MAX).join(32, Runs::of_word(1), 32);
        assert_eq!(joined, Runs { first: 33, longest: 33, last: 0 });
    }
}
