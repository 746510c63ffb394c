//! Metadata pages: where a pool keeps itself and its regions.
//!
//! The first page of a pool holds the pool's record and the first nodes of its region tree. When they are used up,
//! another page of the pool becomes a metadata page, and goes back when its nodes are no longer needed: so a pool's
//! metadata grows and shrinks with the regions in use. Every metadata page gets its frame when it becomes one, never by
//! a fault (rule **eager-metadata**).
//!
//! ```text
//!          first page                       further page
//! +0x00    header                           header
//! +0x20    the pool's node among the pools  the node of this page among the regions
//! +0x40    root of regions, list of pages   free for nodes from here on
//!          with room, when the pool was born,
//!          the spare page
//! +0x60    free for nodes from here on
//!
//! header: +0 nodes in use   +4 first free node   +8 next   +12 previous page with room
//! ```
//!
//! Pages with room are a list in both directions. A free node's first word leads to the next free one; zero stands for the
//! node right behind, so that a new page, which is zeros, is a list of free nodes already. The end of the page ends it.
//!
//! Decision: docs/src/decisions/0002-regions-balanced-tree-with-gaps.md.

use super::node::{NODE_BYTES, Node};
use super::tree::Tree;
use crate::addr::{PAGE_SIZE, Page, VirtAddr};
use crate::paging::{Mmu, MmuView};

const USED: u32 = 0;
const FREE: u32 = 4;
const NEXT: u32 = 8;
const PREVIOUS: u32 = 12;

const OWN_NODE: u32 = NODE_BYTES;

const REGIONS: u32 = 0x40;
const WITH_ROOM: u32 = 0x44;
const BORN: u32 = 0x48;
const SPARE: u32 = 0x4C;

const FIRST_PAGE_NODES: u32 = 0x60;
const FURTHER_PAGE_NODES: u32 = 0x40;

/// Half the nodes of a page.
const HALF: u32 = PAGE_SIZE / NODE_BYTES / 2;

/// Says whether a list of free nodes ends with the word `free`.
const fn is_end(free: u32) -> bool {
    free.is_multiple_of(PAGE_SIZE)
}

/// A metadata page.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Metadata(u32);

impl Metadata {
    fn containing(node: Node) -> Self {
        Self(Page::containing(node.address()).start().as_u32())
    }

    #[inline]
    fn get(self, view: &impl MmuView, field: u32) -> u32 {
        view.read(VirtAddr::new(self.0.wrapping_add(field)))
    }

    #[inline]
    fn set(self, mmu: &mut impl Mmu, field: u32, value: u32) {
        mmu.write(VirtAddr::new(self.0.wrapping_add(field)), value);
    }
}

/// The record of a pool, in its first page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Record(Metadata);

impl Record {
    /// Returns the record of the pool that starts with `base`.
    pub fn at(base: Page) -> Self {
        Self(Metadata(base.start().as_u32()))
    }

    /// Writes the record of an empty pool into `base`, whose frame is zeros.
    pub fn create(mmu: &mut impl Mmu, base: Page) -> Self {
        let record = Self::at(base);
        record.0.set(mmu, FREE, record.0.0 + FIRST_PAGE_NODES);
        record.set_with_room(mmu, record.0.0);
        record.0.set(mmu, SPARE, record.0.0);
        record
    }

    /// Keeps when the pool was born, in events: no other pool has the same number.
    pub fn set_born(self, mmu: &mut impl Mmu, born: u32) {
        self.0.set(mmu, BORN, born);
    }

    /// Returns when the pool was born.
    #[inline]
    pub fn born(self, view: &impl MmuView) -> u32 {
        self.0.get(view, BORN)
    }

    /// Returns the pool's node among the pools of its address space.
    pub fn pool_node(self) -> Node {
        Node::at(VirtAddr::new(self.0.0 + OWN_NODE))
    }

    /// Returns the pool's regions, metadata pages among them.
    #[inline]
    pub fn regions(self, view: &impl MmuView) -> Tree {
        Tree::from_word(self.0.get(view, REGIONS))
    }

    /// Keeps the pool's regions.
    pub fn set_regions(self, mmu: &mut impl Mmu, regions: Tree) {
        self.0.set(mmu, REGIONS, regions.word());
    }

    /// Returns how many nodes of the metadata page `page` are in use: a node a region.
    pub fn nodes_in(view: &impl MmuView, page: Page) -> u32 {
        Metadata(page.start().as_u32()).get(view, USED)
    }

    /// Says whether the next node can be had without a further page.
    #[inline]
    pub fn has_node(self, view: &impl MmuView) -> bool {
        self.with_room(view) != 0
    }

    /// Takes a free node. There must be one.
    #[inline]
    pub fn take_node(self, mmu: &mut impl Mmu) -> Node {
        let page = Metadata(self.with_room(mmu));
        let node = page.get(mmu, FREE);
        let next = match mmu.read(VirtAddr::new(node)) {
            0 => node.wrapping_add(NODE_BYTES),
            next => next,
        };
        page.set(mmu, FREE, next);
        page.set(mmu, USED, page.get(mmu, USED).wrapping_add(1));
        if is_end(next) {
            self.unlink(mmu, page);
        }
        Node::at(VirtAddr::new(node))
    }

    /// Gives back a node that [`take_node`](Self::take_node) returned. Returns the further page that is no longer needed,
    /// if there is one; the caller gives it back by [`remove_page`](Self::remove_page).
    #[inline]
    pub fn free_node(self, mmu: &mut impl Mmu, node: Node) -> Option<Page> {
        let page = Metadata::containing(node);
        let next = page.get(mmu, FREE);
        mmu.write(node.address(), next);
        page.set(mmu, FREE, node.address().as_u32());
        // It counts the node that comes back.
        let used = page.get(mmu, USED).wrapping_sub(1);
        page.set(mmu, USED, used);
        if is_end(next) {
            self.link(mmu, page);
        }
        // It is used by half, or not at all.
        if used.is_multiple_of(HALF) { self.page_to_spare(mmu, page, used) } else { None }
    }

    /// Returns the further page that is no longer needed now that `used` nodes of `page` are in use: half of them, or none.
    ///
    /// The spare stays the spare when it is used again. So an unused page, of which there is never more than one, is the
    /// spare, but a spare may be any page. The first one never goes.
    #[cold]
    fn page_to_spare(self, mmu: &mut impl Mmu, page: Metadata, used: u32) -> Option<Page> {
        let spare = self.0.get(mmu, SPARE);
        let is_unused = spare != page.0 && Metadata(spare).get(mmu, USED) == 0;
        let goes = if is_unused && spare == self.0.0 {
            (used == 0).then_some(page.0)
        } else {
            self.0.set(mmu, SPARE, page.0);
            is_unused.then_some(spare)
        };
        goes.map(|page| Page::containing(VirtAddr::new(page)))
    }

    /// Makes `page`, whose frame is zeros, a metadata page, and returns the node that stands for it among the regions.
    pub fn add_page(self, mmu: &mut impl Mmu, page: Page) -> Node {
        let page = Metadata(page.start().as_u32());
        page.set(mmu, FREE, page.0 + FURTHER_PAGE_NODES);
        self.link(mmu, page);
        Self::page_node(page)
    }

    /// Stops using a further page without nodes in use, and returns the node that stands for it among the regions.
    pub fn remove_page(self, mmu: &mut impl Mmu, page: Page) -> Node {
        let page = Metadata(page.start().as_u32());
        self.unlink(mmu, page);
        Self::page_node(page)
    }

    fn page_node(page: Metadata) -> Node {
        Node::at(VirtAddr::new(page.0 + OWN_NODE))
    }

    fn with_room(self, view: &impl MmuView) -> u32 {
        self.0.get(view, WITH_ROOM)
    }

    fn set_with_room(self, mmu: &mut impl Mmu, page: u32) {
        self.0.set(mmu, WITH_ROOM, page);
    }

    #[cold]
    fn link(self, mmu: &mut impl Mmu, page: Metadata) {
        let next = Metadata(self.with_room(mmu));
        page.set(mmu, NEXT, next.0);
        page.set(mmu, PREVIOUS, 0);
        if next.0 != 0 {
            next.set(mmu, PREVIOUS, page.0);
        }
        self.set_with_room(mmu, page.0);
    }

    fn unlink(self, mmu: &mut impl Mmu, page: Metadata) {
        let (next, previous) = (Metadata(page.get(mmu, NEXT)), Metadata(page.get(mmu, PREVIOUS)));
        if next.0 != 0 {
            next.set(mmu, PREVIOUS, previous.0);
        }
        match previous.0 {
            0 => self.set_with_room(mmu, next.0),
            _ => previous.set(mmu, NEXT, next.0),
        }
    }
}
