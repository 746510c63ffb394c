//! Extents of pages in order, in a list: each question is a walk from the first to the one that answers it.
//!
//! A node's words are those of `node`, of which a list needs five: where the extent starts and how many pages it has, the
//! node before and the one after, and the kind.

use super::node::{LEFT as BEFORE, NIL, Node, PAGES, PARENT as KIND, RIGHT as AFTER, START};
use crate::addr::{Page, PageRange};
use crate::paging::{Mmu, MmuView};
use core::iter;

/// A place in a list where a node can go: pages that no extent holds, and the nodes on both sides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// The first page.
    pub start: Page,
    before: Node,
    after: Node,
}

/// A list, by its first node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tree {
    first: Node,
}

impl Tree {
    /// Takes the list whose first word an owner has kept; 0 is the empty list.
    pub const fn from_word(word: u32) -> Self {
        Self { first: Node(word) }
    }

    /// Returns the word to keep.
    pub const fn word(self) -> u32 {
        self.first.0
    }

    fn nodes(self, view: &impl MmuView) -> impl Iterator<Item = Node> {
        let some = |node| (node != NIL).then_some(node);
        iter::successors(some(self.first), move |node| some(node.child(view, AFTER)))
    }

    /// Finds the node whose extent holds `page`.
    pub fn find(self, view: &impl MmuView, page: Page) -> Option<Node> {
        self.at_or_after(view, page).filter(|node| node.extent(view).contains(page))
    }

    /// Finds the lowest node whose extent ends above `page`: the one that holds it, or the next.
    pub fn at_or_after(self, view: &impl MmuView, page: Page) -> Option<Node> {
        self.nodes(view).find(|node| node.extent(view).end > page)
    }

    /// Finds the highest node whose extent starts below `page`.
    pub fn before(self, view: &impl MmuView, page: Page) -> Option<Node> {
        self.nodes(view).take_while(|node| node.extent(view).start < page).last()
    }

    /// Finds the lowest `pages` pages of `area` that no extent holds.
    pub fn find_room(self, view: &impl MmuView, area: PageRange, pages: u32) -> Option<Room> {
        let mut room = Room { start: area.start, before: NIL, after: NIL };
        for node in self.nodes(view) {
            let extent = node.extent(view);
            if extent.start.number() - room.start.number() >= pages {
                return Some(Room { after: node, ..room });
            }
            room = Room { start: extent.end, before: node, after: NIL };
        }
        (area.end.number() - room.start.number() >= pages).then_some(room)
    }

    /// Finds the place of an extent that starts at `start`. No extent may be there.
    pub fn room_at(self, view: &impl MmuView, _area_start: Page, start: Page) -> Room {
        let before = self.before(view, start).unwrap_or(NIL);
        let after = if before == NIL { self.first } else { before.child(view, AFTER) };
        Room { start, before, after }
    }

    /// Inserts `new`, an extent of `pages` pages of this `kind`, into `room`. Returns the list, whose first node may have
    /// changed.
    #[must_use = "the first node may be another one now: keep the list where its owner keeps it"]
    pub fn insert(self, mmu: &mut impl Mmu, new: Node, room: Room, pages: u32, kind: u32) -> Self {
        for (field, word) in [(START, room.start.number()), (PAGES, pages), (KIND, kind)] {
            new.set(mmu, field, word);
        }
        self.link(mmu, room.before, new).link(mmu, new, room.after)
    }

    /// Removes `old`, which is in the list. Returns the list, whose first node may have changed.
    #[must_use = "the first node may be another one now: keep the list where its owner keeps it"]
    pub fn remove(self, mmu: &mut impl Mmu, old: Node) -> Self {
        let (before, after) = (old.child(mmu, BEFORE), old.child(mmu, AFTER));
        self.link(mmu, before, after)
    }

    /// Makes `after` follow `before`; either may be absent.
    fn link(self, mmu: &mut impl Mmu, before: Node, after: Node) -> Self {
        if after != NIL {
            after.set(mmu, BEFORE, before.0);
        }
        if before == NIL {
            return Self { first: after };
        }
        before.set(mmu, AFTER, after.0);
        self
    }

    /// Says whether the list is in order, from `area_start` on, and leads back as it leads on.
    pub fn check(self, view: &impl MmuView, area_start: Page) -> bool {
        let (mut from, mut before) = (area_start, NIL);
        self.nodes(view).all(|node| {
            let extent = node.extent(view);
            let is_right = extent.start >= from && !extent.is_empty() && node.child(view, BEFORE) == before;
            (from, before) = (extent.end, node);
            is_right
        })
    }
}
