//! Extents of pages in order: a balanced tree that knows its gaps.
//!
//! An extent is a run of pages with a start and a length; extents of one tree don't overlap. The tree answers, each in
//! one walk from the root: which extent holds a page, which gap is the lowest that `n` pages fit into. Regions of a pool
//! are such a tree, and the pools of an address space are another.
//!
//! It is an AVL tree. Each node keeps the *gap* between its own start and the end of the extent before it, and the
//! largest gap on each of its sides, which leads the search for room. What the last extent leaves up to the end of its
//! area is the owner's to know.
//!
//! A node is drawn in `node`.
//!
//! Decision: docs/src/decisions/0002-regions-balanced-tree-with-gaps.md.

use super::node::{EVEN, GAP, LARGEST, LEFT, NIL, Node, PAGES, PARENT, RIGHT, START, other};
use crate::addr::{Page, PageRange};
use crate::paging::{Mmu, MmuView};

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
    pub fn find(self, view: &impl MmuView, page: Page) -> Option<Node> {
        // The last extent that starts at or below the page is the only one that can hold it. To look at lengths once, at the
        // end, is less work than to look at each on the way, though the way is then always a whole one.
        let (mut node, mut last) = (self.root, NIL);
        while node != NIL {
            if page.number() < node.get(view, START) {
                node = node.child(view, LEFT);
                continue;
            }
            last = node;
            node = node.child(view, RIGHT);
        }
        let holds = last != NIL && page.number().wrapping_sub(last.get(view, START)) < last.get(view, PAGES);
        holds.then_some(last)
    }

    /// Finds the lowest node whose extent ends above `page`: the one that holds it, or the next.
    pub fn at_or_after(self, view: &impl MmuView, page: Page) -> Option<Node> {
        let (mut node, mut found) = (self.root, None);
        while node != NIL {
            if node.extent(view).end > page {
                found = Some(node);
                node = node.child(view, LEFT);
            } else {
                node = node.child(view, RIGHT);
            }
        }
        found
    }

    /// Finds the highest node whose extent starts below `page`.
    pub fn before(self, view: &impl MmuView, page: Page) -> Option<Node> {
        let (mut node, mut found) = (self.root, None);
        while node != NIL {
            if node.extent(view).start < page {
                found = Some(node);
                node = node.child(view, RIGHT);
            } else {
                node = node.child(view, LEFT);
            }
        }
        found
    }

    /// Finds the lowest `pages` pages of `area` that no extent holds. All extents lie inside `area`.
    #[inline]
    pub fn find_room(self, view: &impl MmuView, area: PageRange, pages: u32) -> Option<Room> {
        if self.root == NIL || self.root.largest_gap(view) < pages {
            return self.room_at_the_end(view, area, pages);
        }
        let mut node = self.root;
        loop {
            if node.get(view, LEFT + LARGEST) >= pages {
                node = node.child(view, LEFT);
            } else if node.get(view, GAP) >= pages {
                // A new node goes right before this one in the order.
                let (parent, side) = match node.child(view, LEFT) {
                    NIL => (node, LEFT),
                    left => (left.furthest(view, RIGHT), RIGHT),
                };
                let start = Page::new(node.get(view, START).wrapping_sub(node.get(view, GAP)));
                return Some(Room { start, gap: 0, parent, side, after: node });
            } else {
                node = node.child(view, RIGHT);
            }
        }
    }

    #[inline]
    fn room_at_the_end(self, view: &impl MmuView, area: PageRange, pages: u32) -> Option<Room> {
        let (start, parent) = match self.root {
            NIL => (area.start, NIL),
            root => {
                let last = root.furthest(view, RIGHT);
                (last.extent(view).end, last)
            }
        };
        let fits = pages <= area.end.number() - start.number();
        fits.then_some(Room { start, gap: 0, parent, side: RIGHT, after: NIL })
    }

    /// Finds the place of an extent that starts at `start` in an area that starts at `area_start`. No extent may be there.
    pub fn room_at(self, view: &impl MmuView, area_start: Page, start: Page) -> Room {
        let (mut node, mut before_end, mut after) = (self.root, area_start, NIL);
        let (mut parent, mut side) = (NIL, RIGHT);
        while node != NIL {
            let extent = node.extent(view);
            parent = node;
            if start < extent.start {
                (side, after) = (LEFT, node);
            } else {
                (side, before_end) = (RIGHT, extent.end);
            }
            node = node.child(view, side);
        }
        Room { start, gap: start.number() - before_end.number(), parent, side, after }
    }

    /// Inserts `new`, an extent of `pages` pages of this `kind`, into `room`. Returns the tree, whose root may have changed.
    #[inline]
    #[must_use = "the root may be another one now: keep the tree where its owner keeps it"]
    pub fn insert(mut self, mmu: &mut impl Mmu, new: Node, room: Room, pages: u32, kind: u32) -> Self {
        let Room { start, gap, parent, side, after } = room;
        for (field, word) in [(START, start.number()), (PAGES, pages), (GAP, gap), (PARENT, parent.0 | kind)] {
            new.set(mmu, field, word);
        }
        for side in [LEFT, RIGHT] {
            new.set(mmu, side, NIL.0);
            new.set(mmu, side + LARGEST, 0);
        }
        if parent == NIL {
            self.root = new;
            return self;
        }
        parent.set(mmu, side, new.0);
        if gap > 0 {
            Self::propagate_gap(mmu, new);
        }
        if after != NIL {
            after.set(mmu, GAP, after.get(mmu, START) - start.number() - pages);
            Self::propagate_gap(mmu, after);
        }
        self.grown(mmu, parent, side);
        self
    }

    /// Removes `old`, which is in the tree: its pages go to the gap of the node after it. Returns the tree, whose root may have
    /// changed.
    #[must_use = "the root may be another one now: keep the tree where its owner keeps it"]
    pub fn remove(mut self, mmu: &mut impl Mmu, old: Node) -> Self {
        let freed = old.get(mmu, GAP) + old.get(mmu, PAGES);
        let (left, right, parent) = (old.child(mmu, LEFT), old.child(mmu, RIGHT), old.parent(mmu));
        if right == NIL {
            let after = Self::first_above(mmu, old);
            if after != NIL {
                after.set(mmu, GAP, after.get(mmu, GAP) + freed);
            }
            let side = self.replace(mmu, parent, old, left);
            if parent != NIL {
                Self::set_gap(mmu, parent, side, old.get(mmu, LEFT + LARGEST));
                if after != NIL {
                    Self::propagate_gap(mmu, after);
                }
                self.shrunk(mmu, parent, side);
            }
            return self;
        }
        // The lowest node on the right is the one after `old`, and takes its place.
        let heir = right.furthest(mmu, LEFT);
        let above = heir.parent(mmu);
        let (orphan, orphan_gap) = (heir.child(mmu, RIGHT), heir.get(mmu, RIGHT + LARGEST));
        heir.set_child(mmu, LEFT, left);
        heir.set(mmu, LEFT + LARGEST, old.get(mmu, LEFT + LARGEST));
        heir.set(mmu, GAP, heir.get(mmu, GAP) + freed);
        heir.set_taller(mmu, old.taller(mmu));
        self.replace(mmu, parent, old, heir);
        if heir == right {
            Self::propagate_gap(mmu, heir);
            self.shrunk(mmu, heir, RIGHT);
        } else {
            above.set_child(mmu, LEFT, orphan);
            heir.set_child(mmu, RIGHT, right);
            heir.set(mmu, RIGHT + LARGEST, old.get(mmu, RIGHT + LARGEST));
            Self::set_gap(mmu, above, LEFT, orphan_gap);
            Self::propagate_gap(mmu, heir);
            self.shrunk(mmu, above, LEFT);
        }
        self
    }

    /// Returns the nearest node above `node` whose left side it is on: the next in order if `node` has no right child.
    fn first_above(view: &impl MmuView, node: Node) -> Node {
        let (mut node, mut above) = (node, node.parent(view));
        while above != NIL && above.child(view, RIGHT) == node {
            (node, above) = (above, above.parent(view));
        }
        above
    }

    /// Puts `new`, which may be absent, in the place of `old` below `parent`, which is absent above the root. Returns the side.
    #[inline]
    fn replace(&mut self, mmu: &mut impl Mmu, parent: Node, old: Node, new: Node) -> u32 {
        if parent == NIL {
            self.root = new;
            if new != NIL {
                new.set_parent(mmu, NIL);
            }
            return LEFT;
        }
        let side = parent.side_of(mmu, old);
        parent.set_child(mmu, side, new);
        side
    }

    /// Propagates the largest gap of `node` upwards, to the first node whose own value does not change.
    #[inline]
    fn propagate_gap(mmu: &mut impl Mmu, node: Node) {
        let above = node.parent(mmu);
        if above != NIL {
            let (side, largest) = (above.side_of(mmu, node), node.largest_gap(mmu));
            Self::set_gap(mmu, above, side, largest);
        }
    }

    /// Stores `largest` as the largest gap on this `side` of `node`, and propagates what follows from it upwards.
    #[inline]
    fn set_gap(mmu: &mut impl Mmu, node: Node, side: u32, largest: u32) {
        let (mut node, mut side, mut largest) = (node, side, largest);
        while node.get(mmu, side + LARGEST) != largest {
            node.set(mmu, side + LARGEST, largest);
            let above = node.parent(mmu);
            if above == NIL {
                return;
            }
            largest = node.largest_gap(mmu);
            side = above.side_of(mmu, node);
            node = above;
        }
    }

    /// Rebalances upwards after this `side` of `node` became one level taller.
    #[inline]
    fn grown(&mut self, mmu: &mut impl Mmu, node: Node, side: u32) {
        let (mut node, mut side) = (node, side);
        loop {
            let (taller, above) = node.taller_and_parent(mmu);
            if taller != EVEN {
                if taller == side {
                    let top = node.rebalance(mmu, side);
                    self.replace(mmu, above, node, top);
                } else {
                    node.set_taller(mmu, EVEN);
                }
                return;
            }
            node.set_taller(mmu, side);
            if above == NIL {
                return;
            }
            side = above.side_of(mmu, node);
            node = above;
        }
    }

    /// Rebalances upwards after this `side` of `node` became one level lower.
    #[inline]
    fn shrunk(&mut self, mmu: &mut impl Mmu, node: Node, side: u32) {
        let (mut node, mut side) = (node, side);
        loop {
            let (taller, above) = node.taller_and_parent(mmu);
            let mut top = node;
            if taller == EVEN {
                node.set_taller(mmu, other(side));
                return;
            } else if taller == side {
                node.set_taller(mmu, EVEN);
            } else {
                top = node.rebalance(mmu, taller);
                self.replace(mmu, above, node, top);
                if top.taller(mmu) != EVEN {
                    return;
                }
            }
            if above == NIL {
                return;
            }
            side = above.side_of(mmu, top);
            node = above;
        }
    }

    /// Says whether order, balance and gaps are as they must be inside the area that starts at `area_start`.
    pub fn check(self, view: &impl MmuView, area_start: Page) -> bool {
        (self.root == NIL || self.root.parent(view) == NIL) && Self::check_node(view, self.root, area_start).is_some()
    }

    /// Returns where the last extent below `node` ends and how many levels there are, if all is well there.
    fn check_node(view: &impl MmuView, node: Node, before_end: Page) -> Option<(Page, u32)> {
        if node == NIL {
            return Some((before_end, 0));
        }
        let children = [LEFT, RIGHT].map(|side| (side, node.child(view, side)));
        let (gap_start, left_levels) = Self::check_node(view, children[0].1, before_end)?;
        let extent = node.extent(view);
        let (end, right_levels) = Self::check_node(view, children[1].1, extent.end)?;
        let leaning = match left_levels.abs_diff(right_levels) {
            0 => EVEN,
            1 if left_levels > right_levels => LEFT,
            1 => RIGHT,
            _ => return None,
        };
        let sound = extent.start >= gap_start
            && !extent.is_empty()
            && node.get(view, GAP) == extent.start.number() - gap_start.number()
            && node.taller(view) == leaning
            && children.into_iter().all(|(side, child)| {
                let (parent, largest) =
                    if child == NIL { (node, 0) } else { (child.parent(view), child.largest_gap(view)) };
                parent == node && node.get(view, side + LARGEST) == largest
            });
        sound.then_some((end, 1 + left_levels.max(right_levels)))
    }
}
