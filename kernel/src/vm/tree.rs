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
//! A node is drawn in `node`.

use super::node::{GAP, HEIGHT, LEFT, MAX_GAP, NIL, Node, PAGES, PARENT, RIGHT, START};
use crate::addr::{Page, PageRange};
use crate::paging::Mmu;

/// A place in a tree where a node can go: pages that no extent holds, and where they belong in the order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// The first page.
    pub start: Page,
    /// Pages between the end of the extent before and `start`.
    gap: u32,
    /// The node below which a new one goes, and on which side; absent in an empty tree.
    parent: Node,
    side: u32,
    /// The node after, if there is one. It is `parent` or above it.
    after: Node,
}

/// A tree, by its root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tree {
    root: Node,
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
        // The last extent that starts at or below the page is the only one that can hold it. To look at lengths once, at the
        // end, is less work than to look at each on the way, though the way is then always a whole one.
        let (mut node, mut last) = (self.root, NIL);
        while node != NIL {
            if page.number() < node.get(mmu, START) {
                node = node.child(mmu, LEFT);
            } else {
                last = node;
                node = node.child(mmu, RIGHT);
            }
        }
        let holds = last != NIL && page.number().wrapping_sub(last.get(mmu, START)) < last.get(mmu, PAGES);
        holds.then_some(last)
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
    pub fn find_room(self, mmu: &impl Mmu, area: PageRange, pages: u32) -> Option<Room> {
        if self.root.max_gap(mmu) < pages {
            return self.room_at_the_end(mmu, area, pages);
        }
        let mut node = self.root;
        loop {
            let left = node.child(mmu, LEFT);
            if left.max_gap(mmu) >= pages {
                node = left;
            } else if node.get(mmu, GAP) >= pages {
                // A new node goes right before this one in the order.
                let (parent, side) = if left == NIL { (node, LEFT) } else { (left.furthest(mmu, RIGHT), RIGHT) };
                let start = Page::new(node.get(mmu, START) - node.get(mmu, GAP));
                return Some(Room { start, gap: 0, parent, side, after: node });
            } else {
                node = node.child(mmu, RIGHT);
            }
        }
    }

    #[inline]
    fn room_at_the_end(self, mmu: &impl Mmu, area: PageRange, pages: u32) -> Option<Room> {
        let (start, parent) = match self.root {
            NIL => (area.start, NIL),
            root => {
                let last = root.furthest(mmu, RIGHT);
                (last.extent(mmu).end, last)
            }
        };
        let fits = pages <= area.end.number() - start.number();
        fits.then_some(Room { start, gap: 0, parent, side: RIGHT, after: NIL })
    }

    /// Finds the place of an extent that starts at `start` in an area that starts at `area_start`. No extent may be there.
    pub fn room_at(self, mmu: &impl Mmu, area_start: Page, start: Page) -> Room {
        let (mut node, mut before_end, mut after) = (self.root, area_start, NIL);
        let (mut parent, mut side) = (NIL, RIGHT);
        while node != NIL {
            let extent = node.extent(mmu);
            parent = node;
            if start < extent.start {
                (side, after) = (LEFT, node);
            } else {
                (side, before_end) = (RIGHT, extent.end);
            }
            node = node.child(mmu, side);
        }
        Room { start, gap: start.number() - before_end.number(), parent, side, after }
    }

    /// Puts `new`, an extent of `pages` pages of this `kind`, into `room`.
    #[inline]
    pub fn insert(&mut self, mmu: &mut impl Mmu, new: Node, room: Room, pages: u32, kind: u32) {
        let Room { start, gap, parent, side, after } = room;
        new.set(mmu, START, start.number());
        new.set(mmu, PAGES, pages);
        new.set(mmu, GAP, gap);
        new.set(mmu, MAX_GAP, gap);
        new.set(mmu, LEFT, NIL.0);
        new.set(mmu, RIGHT, NIL.0);
        new.set(mmu, HEIGHT, 1);
        new.set(mmu, PARENT, parent.0 | kind);
        if after != NIL {
            after.set(mmu, GAP, after.get(mmu, START) - start.number() - pages);
        }
        if parent == NIL {
            self.root = new;
        } else {
            parent.set(mmu, side, new.0);
            self.retrace(mmu, parent, after);
        }
    }

    /// Takes `old`, which is in the tree, out of it. Its pages go to the gap of the node after it.
    pub fn remove(&mut self, mmu: &mut impl Mmu, old: Node) {
        let freed = old.get(mmu, GAP) + old.get(mmu, PAGES);
        let (left, right, parent) = (old.child(mmu, LEFT), old.child(mmu, RIGHT), old.parent(mmu));
        if right == NIL {
            let after = self.first_above(mmu, old);
            if after != NIL {
                after.set(mmu, GAP, after.get(mmu, GAP) + freed);
            }
            self.replace(mmu, parent, old, left);
            self.retrace(mmu, parent, after);
            return;
        }
        // The lowest node on the right is the one after `old`, and takes its place.
        let heir = right.furthest(mmu, LEFT);
        let lowest_changed = if heir == right {
            heir
        } else {
            let above = heir.parent(mmu);
            let orphan = heir.child(mmu, RIGHT);
            above.set_child(mmu, LEFT, orphan);
            heir.set_child(mmu, RIGHT, right);
            above
        };
        heir.set_child(mmu, LEFT, left);
        heir.set(mmu, GAP, heir.get(mmu, GAP) + freed);
        // The nodes above know the height and gaps of `old`: that is what the heir's are compared with.
        heir.set(mmu, HEIGHT, old.get(mmu, HEIGHT));
        heir.set(mmu, MAX_GAP, old.get(mmu, MAX_GAP));
        self.replace(mmu, parent, old, heir);
        self.retrace(mmu, lowest_changed, heir);
    }

    /// Returns the nearest node above `node` whose left side it is on: the next in order if `node` has no right child.
    fn first_above(self, mmu: &impl Mmu, node: Node) -> Node {
        let (mut node, mut above) = (node, node.parent(mmu));
        while above != NIL && above.child(mmu, RIGHT) == node {
            (node, above) = (above, above.parent(mmu));
        }
        above
    }

    /// Puts `new`, which may be absent, in the place of `old` below `parent`, which is absent above the root.
    #[inline]
    fn replace(&mut self, mmu: &mut impl Mmu, parent: Node, old: Node, new: Node) {
        if parent != NIL {
            let side = if parent.child(mmu, LEFT) == old { LEFT } else { RIGHT };
            parent.set_child(mmu, side, new);
        } else {
            self.root = new;
            if new != NIL {
                new.set_parent(mmu, NIL);
            }
        }
    }

    /// Updates and rebalances `node` and all above it. It stops where nothing changes any more, but not before it has passed
    /// the node `changed`, whose gap was changed, if there is one.
    #[inline]
    fn retrace(&mut self, mmu: &mut impl Mmu, node: Node, changed: Node) {
        let (mut node, mut passed) = (node, changed == NIL);
        while node != NIL {
            passed |= node == changed;
            let children = [LEFT, RIGHT].map(|side| node.child(mmu, side));
            let heights = children.map(|child| child.height(mmu));
            let above = node.parent(mmu);
            if heights[0].abs_diff(heights[1]) > 1 {
                let heavy = if heights[0] > heights[1] { LEFT } else { RIGHT };
                let top = node.rebalance(mmu, heavy);
                self.replace(mmu, above, node, top);
            } else if !node.update(mmu, children, heights) && passed {
                return;
            }
            node = above;
        }
    }

    /// Says whether order, balance, heights and gaps are as they must be inside the area that starts at `area_start`.
    pub fn check(self, mmu: &impl Mmu, area_start: Page) -> bool {
        (self.root == NIL || self.root.parent(mmu) == NIL) && Self::check_node(mmu, self.root, area_start).is_some()
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
            && [left, right].into_iter().all(|child| child == NIL || child.parent(mmu) == node)
            && !extent.is_empty()
            && node.get(mmu, GAP) == extent.start.number() - gap_start.number()
            && heights[0].abs_diff(heights[1]) <= 1
            && Some(node.get(mmu, HEIGHT) - 1) == heights.into_iter().max()
            && Some(node.get(mmu, MAX_GAP)) == gaps.into_iter().max();
        if sound { Self::check_node(mmu, right, extent.end) } else { None }
    }
}
