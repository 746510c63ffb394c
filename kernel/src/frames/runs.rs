//! Runs of free frames: what a block of frames must tell so that a run can be found without looking inside.
//!
//! Three numbers are enough: how many frames are free at its start, in its longest run, and at its end. They join: two
//! neighbours' numbers give those of both together. So a tree of blocks, each twice as long as its children, finds the
//! lowest run of any length by one walk from the root (a *segment tree*).
//!
//! A node is an answer that was worked out before. Single frames come and go far more often than runs are asked for, so
//! they only mark the answers above them as [`STALE`], which costs a store or two; the next request for a run works the
//! stale ones out again. A node above a stale one is stale too, which is what lets marking stop early.
//!
//! Decision: docs/src/decisions/0001-frames-bitmap-and-tree-of-runs.md.

use super::map::Map;

/// Frames in the smallest block of the tree: eight words of the map.
pub const LEAF_FRAMES: u32 = 256;

const LEAF_WORDS: usize = (LEAF_FRAMES / 32) as usize;

/// In place of a node's longest run: the node has to be worked out again.
const STALE: u32 = u32::MAX;

/// The three numbers of a block of frames.
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

    /// Returns the numbers of a block of 32 frames; a set bit is a free frame.
    fn of_word(free: u32) -> Self {
        Self { first: free.trailing_ones(), longest: longest_run(free), last: free.leading_ones() }
    }

    /// Joins a block of `len` frames with its right neighbour of `right_len` frames.
    fn join(self, len: u32, right: Self, right_len: u32) -> Self {
        Self {
            first: if self.first == len { len + right.first } else { self.first },
            longest: self.longest.max(right.longest).max(self.last + right.first),
            last: if right.last == right_len { right_len + self.last } else { right.last },
        }
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
        longest += 1;
    }
    longest
}

/// Returns where the lowest run of `n` ones starts.
fn find_in_word(bits: u32, n: u32) -> Option<u32> {
    let mut starts = bits;
    let mut found = 1;
    while found < n && starts != 0 {
        // A bit that stays has `found` ones from itself upwards; look twice as far, or as far as is still missing.
        let step = found.min(n - found);
        starts &= starts.checked_shr(step).unwrap_or(0);
        found += step;
    }
    (starts != 0).then(|| starts.trailing_zeros())
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

    /// Notes that something changed at frame `index`.
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
    pub fn find(&mut self, map: &Map<'_>, n: u32) -> Option<u32> {
        let mut len = LEAF_FRAMES * self.leaves as u32;
        if self.refresh(map, 1, len).longest < n {
            return None;
        }
        let (mut node, mut start) = (1, 0);
        while node < self.leaves {
            len /= 2;
            let (left, right) = (self.node(2 * node), self.node(2 * node + 1));
            if left.longest >= n {
                node *= 2;
            } else if left.last + right.first >= n {
                return Some(start + len - left.last);
            } else {
                node = 2 * node + 1;
                start += len;
            }
        }
        self.find_in_leaf(map, node, n).map(|inside| start + inside)
    }

    /// Returns the length of the longest run of free frames.
    pub fn longest(&mut self, map: &Map<'_>) -> u32 {
        self.refresh(map, 1, LEAF_FRAMES * self.leaves as u32).longest
    }

    fn find_in_leaf(&self, map: &Map<'_>, leaf: usize, n: u32) -> Option<u32> {
        let mut run = 0;
        for (word, free) in (0..).zip(self.leaf_words(map, leaf)) {
            let start = 32 * word;
            if run + free.trailing_ones() >= n {
                return Some(start - run);
            }
            if let Some(inside) = find_in_word(free, n) {
                return Some(start + inside);
            }
            run = if free == u32::MAX { run + 32 } else { free.leading_ones() };
        }
        None
    }

    /// Works out what is stale at `node`, a block of `len` frames, and below it.
    fn refresh(&mut self, map: &Map<'_>, node: usize, len: u32) -> Runs {
        let known = self.node(node);
        if known.longest != STALE {
            return known;
        }
        self.marked = NO_LEAF;
        let runs = if node >= self.leaves {
            self.leaf(map, node)
        } else {
            let left = self.refresh(map, 2 * node, len / 2);
            let right = self.refresh(map, 2 * node + 1, len / 2);
            left.join(len / 2, right, len / 2)
        };
        self.nodes[node] = [runs.first, runs.longest, runs.last];
        runs
    }

    fn leaf(&self, map: &Map<'_>, leaf: usize) -> Runs {
        let (runs, len) = self
            .leaf_words(map, leaf)
            .fold((Runs::NONE, 0), |(runs, len), free| (runs.join(len, Runs::of_word(free), 32), len + 32));
        // The map may end inside the leaf: then no run reaches the leaf's end.
        if len < LEAF_FRAMES { Runs { last: 0, ..runs } } else { runs }
    }

    fn leaf_words(&self, map: &Map<'_>, leaf: usize) -> impl Iterator<Item = u32> {
        let start = (leaf - self.leaves) * LEAF_WORDS;
        (start..(start + LEAF_WORDS).min(map.words())).map(|word| map.free_bits(word))
    }

    fn node(&self, node: usize) -> Runs {
        let [first, longest, last] = self.nodes[node];
        Runs { first, longest, last }
    }

    /// Says whether each node that isn't stale tells the truth, and each node above a stale one is stale.
    pub fn is_sound(&self, map: &Map<'_>) -> bool {
        (1..2 * self.leaves).all(|node| {
            let known = self.node(node);
            if known.longest == STALE {
                return true;
            }
            if node >= self.leaves {
                return known == self.leaf(map, node);
            }
            let len = LEAF_FRAMES * (self.leaves as u32 >> node.ilog2()) / 2;
            let (left, right) = (self.node(2 * node), self.node(2 * node + 1));
            left.longest != STALE && right.longest != STALE && known == left.join(len, right, len)
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
        assert_eq!(find_in_word(0b1110_0110_0001, 2), Some(5));
        assert_eq!(find_in_word(0b1110_0110_0001, 3), Some(9));
        assert_eq!(find_in_word(0b1110_0110_0001, 4), None);
        assert_eq!(find_in_word(u32::MAX, 32), Some(0));
        assert_eq!(find_in_word(u32::MAX, 33), None);
        assert_eq!(find_in_word(0, 1), None);
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
