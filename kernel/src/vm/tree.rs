//! Extents of pages in order: a balanced tree that knows its gaps.
//!
//! An extent is a run of pages with a start and a length; extents of one tree don't overlap. The tree answers, each in
//! one walk from the root: which extent holds a page, which gap is the lowest that `n` pages fit into. Regions of a pool
//! are such a tree, and the pools of an address space are another.
//!
//! It is an AVL tree. Each node keeps the *gap* between its own start and the end of the extent before it, and the
//! largest gap in its subtree, which leads the search for room. What the last extent leaves up to the end of its area is
//! the owner's to know.
//!
//! Nodes lie in metadata pages, which are always backed (rule **eager-metadata**), and are reached a word at a time
//! through the [`Mmu`]. A node is 32 bytes:
//!
//! ```text
//! +0 start   +4 pages   +8 gap   +12 largest gap   +16 left   +20 right   +24 height   +28 kind
//! ```

use crate::addr::{Page, PageRange, VirtAddr};
use crate::paging::Mmu;

/// Bytes in a node, and its alignment.
pub const NODE_BYTES: u32 = 32;

const START: u32 = 0;
const PAGES: u32 = 4;
const GAP: u32 = 8;
const MAX_GAP: u32 = 12;
const LEFT: u32 = 16;
const RIGHT: u32 = 20;
const HEIGHT: u32 = 24;
const KIND: u32 = 28;

/// Nodes on the longest way down: an AVL tree of a million nodes is at most 29 high.
const MAX_HEIGHT: usize = 32;

/// Where a node lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Node(u32);

/// What an absent child and an empty tree look like: no metadata page lies at address 0.
const NIL: Node = Node(0);

impl Node {
    /// Takes the node at `address`.
    pub const fn at(address: VirtAddr) -> Self {
        Self(address.as_u32())
    }

    /// Returns where the node lies.
    pub const fn address(self) -> VirtAddr {
        VirtAddr::new(self.0)
    }

    #[inline]
    fn get(self, mmu: &impl Mmu, field: u32) -> u32 {
        mmu.read(VirtAddr::new(self.0.wrapping_add(field)))
    }

    #[inline]
    fn set(self, mmu: &mut impl Mmu, field: u32, value: u32) {
        mmu.write(VirtAddr::new(self.0.wrapping_add(field)), value);
    }

    #[inline]
    fn child(self, mmu: &impl Mmu, side: u32) -> Self {
        Self(self.get(mmu, side))
    }

    /// Returns the pages of the extent.
    #[inline]
    pub fn extent(self, mmu: &impl Mmu) -> PageRange {
        let start = self.get(mmu, START);
        PageRange::new(Page::new(start), Page::new(start + self.get(mmu, PAGES)))
    }

    /// Returns what the owner said the extent is.
    #[inline]
    pub fn kind(self, mmu: &impl Mmu) -> u32 {
        self.get(mmu, KIND)
    }

    /// Writes the extent and its kind into a node that is in no tree.
    #[inline]
    pub fn write(self, mmu: &mut impl Mmu, extent: PageRange, kind: u32) {
        self.set(mmu, START, extent.start.number());
        self.set(mmu, PAGES, extent.len());
        self.set(mmu, KIND, kind);
    }

    #[inline]
    fn height(self, mmu: &impl Mmu) -> u32 {
        if self == NIL { 0 } else { self.get(mmu, HEIGHT) }
    }

    #[inline]
    fn max_gap(self, mmu: &impl Mmu) -> u32 {
        if self == NIL { 0 } else { self.get(mmu, MAX_GAP) }
    }

    /// Works out height and largest gap from the children, and says whether either changed.
    #[inline]
    fn update(self, mmu: &mut impl Mmu) -> bool {
        let (left, right) = (self.child(mmu, LEFT), self.child(mmu, RIGHT));
        let height = 1 + left.height(mmu).max(right.height(mmu));
        let max_gap = self.get(mmu, GAP).max(left.max_gap(mmu)).max(right.max_gap(mmu));
        let changed = height != self.get(mmu, HEIGHT) || max_gap != self.get(mmu, MAX_GAP);
        if changed {
            self.set(mmu, HEIGHT, height);
            self.set(mmu, MAX_GAP, max_gap);
        }
        changed
    }

    /// Lifts the child on `side` into this node's place and returns it.
    fn rotate(self, mmu: &mut impl Mmu, side: u32) -> Self {
        let lifted = self.child(mmu, side);
        let other = LEFT + RIGHT - side;
        self.set(mmu, side, lifted.get(mmu, other));
        lifted.set(mmu, other, self.0);
        self.update(mmu);
        lifted.update(mmu);
        lifted
    }

    /// Brings a node whose subtrees are balanced, and differ by at most two in height, into balance. Returns the node now
    /// in its place, and whether anything changed.
    fn rebalance(self, mmu: &mut impl Mmu) -> (Self, bool) {
        let left = self.child(mmu, LEFT).height(mmu);
        let right = self.child(mmu, RIGHT).height(mmu);
        let heavy = if left > right + 1 {
            LEFT
        } else if right > left + 1 {
            RIGHT
        } else {
            return (self, self.update(mmu));
        };
        let child = self.child(mmu, heavy);
        let inner = LEFT + RIGHT - heavy;
        if child.child(mmu, inner).height(mmu) > child.child(mmu, heavy).height(mmu) {
            let lifted = child.rotate(mmu, inner);
            self.set(mmu, heavy, lifted.0);
        }
        (self.rotate(mmu, heavy), true)
    }
}

/// A tree, by its root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tree {
    root: Node,
}

/// The nodes from the root down to where something changes.
struct Path {
    nodes: [Node; MAX_HEIGHT],
    len: usize,
}

impl Path {
    fn new() -> Self {
        Self { nodes: [NIL; MAX_HEIGHT], len: 0 }
    }

    #[inline]
    fn push(&mut self, node: Node) {
        self.nodes[self.len] = node;
        self.len += 1;
    }
}

impl Tree {
    /// Takes the tree whose root word an owner has kept; 0 is the empty tree.
    pub const fn from_word(word: u32) -> Self {
        Self { root: Node(word) }
    }

    /// Returns the word to keep.
    pub const fn word(self) -> u32 {
        self.root.0
    }

    /// Finds the node whose extent holds `page`.
    #[inline]
    pub fn find(self, mmu: &impl Mmu, page: Page) -> Option<Node> {
        let mut node = self.root;
        while node != NIL {
            let start = node.get(mmu, START);
            if page.number() < start {
                node = node.child(mmu, LEFT);
            } else if page.number() - start < node.get(mmu, PAGES) {
                return Some(node);
            } else {
                node = node.child(mmu, RIGHT);
            }
        }
        None
    }

    /// Finds the lowest node whose extent ends above `page`: the one that holds it, or the next.
    pub fn at_or_after(self, mmu: &impl Mmu, page: Page) -> Option<Node> {
        let (mut node, mut found) = (self.root, None);
        while node != NIL {
            if node.extent(mmu).end > page {
                found = Some(node);
                node = node.child(mmu, LEFT);
            } else {
                node = node.child(mmu, RIGHT);
            }
        }
        found
    }

    /// Finds the highest node whose extent starts below `page`.
    pub fn before(self, mmu: &impl Mmu, page: Page) -> Option<Node> {
        let (mut node, mut found) = (self.root, None);
        while node != NIL {
            if node.extent(mmu).start < page {
                found = Some(node);
                node = node.child(mmu, RIGHT);
            } else {
                node = node.child(mmu, LEFT);
            }
        }
        found
    }

    /// Finds the lowest `pages` pages of `area` that no extent holds. All extents lie inside `area`.
    #[inline]
    pub fn find_room(self, mmu: &impl Mmu, area: PageRange, pages: u32) -> Option<PageRange> {
        let start = match self.find_gap(mmu, pages) {
            Some(node) => node.get(mmu, START) - node.get(mmu, GAP),
            None => self.end(mmu).map_or(area.start, |end| end).number(),
        };
        (pages <= area.end.number() - start).then(|| PageRange::new(Page::new(start), Page::new(start + pages)))
    }

    /// Finds the lowest node with at least `pages` pages free before it.
    #[inline]
    fn find_gap(self, mmu: &impl Mmu, pages: u32) -> Option<Node> {
        let mut node = self.root;
        if node.max_gap(mmu) < pages {
            return None;
        }
        loop {
            let left = node.child(mmu, LEFT);
            if left.max_gap(mmu) >= pages {
                node = left;
            } else if node.get(mmu, GAP) >= pages {
                return Some(node);
            } else {
                node = node.child(mmu, RIGHT);
            }
        }
    }

    /// Returns where the last extent ends.
    fn end(self, mmu: &impl Mmu) -> Option<Page> {
        let mut node = self.root;
        if node == NIL {
            return None;
        }
        loop {
            match node.child(mmu, RIGHT) {
                NIL => return Some(node.extent(mmu).end),
                right => node = right,
            }
        }
    }

    /// Puts `new`, whose extent overlaps no other and lies inside the area that starts at `area_start`, into the tree.
    pub fn insert(&mut self, mmu: &mut impl Mmu, new: Node, area_start: Page) {
        let extent = new.extent(mmu);
        let mut path = Path::new();
        let (mut node, mut before_end, mut after) = (self.root, area_start.number(), None);
        let mut side = LEFT;
        while node != NIL {
            let start = node.get(mmu, START);
            if extent.start.number() < start {
                (side, after) = (LEFT, Some(path.len));
            } else {
                (side, before_end) = (RIGHT, start + node.get(mmu, PAGES));
            }
            path.push(node);
            node = node.child(mmu, side);
        }
        new.set(mmu, GAP, extent.start.number() - before_end);
        new.set(mmu, LEFT, NIL.0);
        new.set(mmu, RIGHT, NIL.0);
        new.update(mmu);
        if let Some(after) = after {
            let after = path.nodes[after];
            after.set(mmu, GAP, after.get(mmu, START) - extent.end.number());
        }
        match path.len {
            0 => self.root = new,
            len => path.nodes[len - 1].set(mmu, side, new.0),
        }
        self.retrace(mmu, &path, after.unwrap_or(path.len));
    }

    /// Takes `old`, which is in the tree, out of it. Its pages go to the gap of the node after it.
    pub fn remove(&mut self, mmu: &mut impl Mmu, old: Node) {
        let start = old.get(mmu, START);
        let freed = old.get(mmu, GAP) + old.get(mmu, PAGES);
        let mut path = Path::new();
        let (mut node, mut after) = (self.root, None);
        while node != old {
            let left = start < node.get(mmu, START);
            if left {
                after = Some(path.len);
            }
            path.push(node);
            node = node.child(mmu, if left { LEFT } else { RIGHT });
        }
        let place = path.len;
        let (left, right) = (old.child(mmu, LEFT), old.child(mmu, RIGHT));
        let heir = if right == NIL {
            if let Some(after) = after {
                let after = path.nodes[after];
                after.set(mmu, GAP, after.get(mmu, GAP) + freed);
            }
            left
        } else {
            // The lowest node on the right is the one after `old`, and takes its place.
            path.push(old);
            let mut heir = right;
            while heir.child(mmu, LEFT) != NIL {
                path.push(heir);
                heir = heir.child(mmu, LEFT);
            }
            if heir != right {
                path.nodes[path.len - 1].set(mmu, LEFT, heir.get(mmu, RIGHT));
                heir.set(mmu, RIGHT, right.0);
            }
            heir.set(mmu, LEFT, left.0);
            heir.set(mmu, GAP, heir.get(mmu, GAP) + freed);
            // The nodes above know the heights and gaps of `old`: that is what the heir's are compared with.
            heir.set(mmu, HEIGHT, old.get(mmu, HEIGHT));
            heir.set(mmu, MAX_GAP, old.get(mmu, MAX_GAP));
            path.nodes[place] = heir;
            after = Some(place);
            heir
        };
        match place {
            0 => self.root = heir,
            _ => {
                let parent = path.nodes[place - 1];
                let side = if parent.child(mmu, LEFT) == old { LEFT } else { RIGHT };
                parent.set(mmu, side, heir.0);
            }
        }
        self.retrace(mmu, &path, after.unwrap_or(path.len));
    }

    /// Updates and rebalances the nodes of `path`, from the lowest up. It may stop where nothing changes any more, but
    /// not before it has passed the node `changed` of the path, whose gap was changed.
    fn retrace(&mut self, mmu: &mut impl Mmu, path: &Path, changed: usize) {
        for index in (0..path.len).rev() {
            let node = path.nodes[index];
            let (top, differs) = node.rebalance(mmu);
            if top != node {
                match index {
                    0 => self.root = top,
                    _ => {
                        let parent = path.nodes[index - 1];
                        let side = if parent.child(mmu, LEFT) == node { LEFT } else { RIGHT };
                        parent.set(mmu, side, top.0);
                    }
                }
            }
            if !differs && index <= changed {
                break;
            }
        }
    }

    /// Says whether order, balance, heights and gaps are as they must be inside the area that starts at `area_start`.
    pub fn check(self, mmu: &impl Mmu, area_start: Page) -> bool {
        Self::check_node(mmu, self.root, area_start).is_some()
    }

    /// Returns where the last extent below `node` ends, if all is well there.
    fn check_node(mmu: &impl Mmu, node: Node, before_end: Page) -> Option<Page> {
        if node == NIL {
            return Some(before_end);
        }
        let (left, right) = (node.child(mmu, LEFT), node.child(mmu, RIGHT));
        let gap_start = Self::check_node(mmu, left, before_end)?;
        let extent = node.extent(mmu);
        let heights = [left.height(mmu), right.height(mmu)];
        let gaps = [node.get(mmu, GAP), left.max_gap(mmu), right.max_gap(mmu)];
        let sound = extent.start >= gap_start
            && !extent.is_empty()
            && node.get(mmu, GAP) == extent.start.number() - gap_start.number()
            && heights[0].abs_diff(heights[1]) <= 1
            && Some(node.get(mmu, HEIGHT) - 1) == heights.into_iter().max()
            && Some(node.get(mmu, MAX_GAP)) == gaps.into_iter().max();
        if sound { Self::check_node(mmu, right, extent.end) } else { None }
    }
}
