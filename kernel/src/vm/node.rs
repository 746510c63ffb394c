//! Nodes of the trees of extents: an extent, its place in the tree, and what the tree must know below it.
//!
//! Nodes lie in metadata pages, which are always backed (rule **eager-metadata**), and are reached a word at a time
//! through the [`Mmu`]. A node is 32 bytes:
//!
//! ```text
//! +0 start   +4 left   +8 right   +12 largest gap on the left   +16 on the right   +20 pages   +24 gap
//! +28 parent; the taller side in bits 2 and 3, the kind in bits 0 and 1
//! ```
//!
//! A node says of each side how large the largest gap there is, and which side is one level taller than the other. So a
//! walk never looks at a child that it doesn't enter, and a change stops at the first node that need not hear of it.
//!
//! Decisions: docs/src/decisions/0002-regions-balanced-tree-with-gaps.md, 0016-one-bit-a-frame-and-sides-of-nodes.md.

use crate::addr::{Page, PageRange, VirtAddr};
use crate::paging::{Mmu, MmuView};

/// Bytes in a node, and its alignment.
pub const NODE_BYTES: u32 = 32;

pub(super) const START: u32 = 0;
/// A side: where its child is in a node, and how the last word says that it is the taller one.
pub(super) const LEFT: u32 = 4;
pub(super) const RIGHT: u32 = 8;
/// From a side's child to the largest gap on that side.
pub(super) const LARGEST: u32 = 8;
pub(super) const PAGES: u32 = 20;
pub(super) const GAP: u32 = 24;
pub(super) const PARENT: u32 = 28;

/// In place of the taller side: there is none.
pub(super) const EVEN: u32 = 0;

const SIDE_BITS: u32 = LEFT | RIGHT;

/// The bits of the last word that hold the kind. The parent is aligned to 32 bytes.
const KIND_BITS: u32 = 0b11;

/// Where a node lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Node(pub(super) u32);

/// What an absent child and an empty tree look like: no metadata page lies at address 0.
pub(super) const NIL: Node = Node(0);

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
    pub(super) fn get(self, view: &impl MmuView, field: u32) -> u32 {
        view.read(VirtAddr::new(self.0.wrapping_add(field)))
    }

    #[inline]
    pub(super) fn set(self, mmu: &mut impl Mmu, field: u32, value: u32) {
        mmu.write(VirtAddr::new(self.0.wrapping_add(field)), value);
    }

    #[inline]
    pub(super) fn child(self, view: &impl MmuView, side: u32) -> Self {
        Self(self.get(view, side))
    }

    /// Follows the children on `side` to the last one, which may be this node.
    #[inline]
    pub(super) fn furthest(self, view: &impl MmuView, side: u32) -> Self {
        let mut node = self;
        loop {
            match node.child(view, side) {
                NIL => return node,
                child => node = child,
            }
        }
    }

    #[inline]
    pub(super) fn parent(self, view: &impl MmuView) -> Self {
        Self(self.get(view, PARENT) & !(SIDE_BITS | KIND_BITS))
    }

    #[inline]
    pub(super) fn set_parent(self, mmu: &mut impl Mmu, parent: Self) {
        let rest = self.get(mmu, PARENT) & (SIDE_BITS | KIND_BITS);
        self.set(mmu, PARENT, parent.0 | rest);
    }

    /// Returns the side that is one level taller than the other, or [`EVEN`].
    #[inline]
    pub(super) fn taller(self, view: &impl MmuView) -> u32 {
        self.get(view, PARENT) & SIDE_BITS
    }

    /// Returns [`taller`](Self::taller) and [`parent`](Self::parent), which share a word.
    #[inline]
    pub(super) fn taller_and_parent(self, view: &impl MmuView) -> (u32, Self) {
        let word = self.get(view, PARENT);
        (word & SIDE_BITS, Self(word & !(SIDE_BITS | KIND_BITS)))
    }

    #[inline]
    pub(super) fn set_taller(self, mmu: &mut impl Mmu, side: u32) {
        let rest = self.get(mmu, PARENT) & !SIDE_BITS;
        self.set(mmu, PARENT, rest | side);
    }

    /// Returns the side of this node that `child` is on.
    #[inline]
    pub(super) fn side_of(self, view: &impl MmuView, child: Self) -> u32 {
        if self.child(view, LEFT) == child { LEFT } else { RIGHT }
    }

    /// Makes `child`, which may be absent, this node's child on `side`.
    #[inline]
    pub(super) fn set_child(self, mmu: &mut impl Mmu, side: u32, child: Self) {
        self.set(mmu, side, child.0);
        if child != NIL {
            child.set_parent(mmu, self);
        }
    }

    /// Returns the pages of the extent.
    #[inline]
    pub fn extent(self, view: &impl MmuView) -> PageRange {
        // Wraps where the record is damaged: a report looks at that too.
        let start = self.get(view, START);
        PageRange::new(Page::new(start), Page::new(start.wrapping_add(self.get(view, PAGES))))
    }

    /// Returns what the owner said the extent is: 0 to 3.
    #[inline]
    pub fn kind(self, view: &impl MmuView) -> u32 {
        self.get(view, PARENT) & KIND_BITS
    }

    /// Returns the largest gap in the tree below this node, its own among them.
    #[inline]
    pub(super) fn largest_gap(self, view: &impl MmuView) -> u32 {
        self.get(view, GAP).max(self.get(view, LEFT + LARGEST)).max(self.get(view, RIGHT + LARGEST))
    }

    /// Lifts the child on `side` above this node and returns it. The link from above is the caller's to set, and so is which
    /// sides are taller.
    fn rotate(self, mmu: &mut impl Mmu, side: u32) -> Self {
        let (lifted, other) = (self.child(mmu, side), other(side));
        let (inner, gap) = (lifted.child(mmu, other), lifted.get(mmu, other + LARGEST));
        self.set_child(mmu, side, inner);
        self.set(mmu, side + LARGEST, gap);
        lifted.set_child(mmu, other, self);
        lifted.set(mmu, other + LARGEST, self.largest_gap(mmu));
        lifted
    }

    /// Brings a node whose `heavy` side is two levels taller than the other into balance. Returns the node now in its place.
    ///
    /// The whole is one level lower than before, unless the returned node still has a taller side.
    #[cold]
    pub(super) fn rebalance(self, mmu: &mut impl Mmu, heavy: u32) -> Self {
        let (child, light) = (self.child(mmu, heavy), other(heavy));
        let leaning = child.taller(mmu);
        if leaning == light {
            // The inner grandchild comes to the top, and its two sides to the two nodes below it.
            let top = child.rotate(mmu, light);
            self.set_child(mmu, heavy, top);
            self.rotate(mmu, heavy);
            let was = top.taller(mmu);
            self.set_taller(mmu, if was == heavy { light } else { EVEN });
            child.set_taller(mmu, if was == light { heavy } else { EVEN });
            top.set_taller(mmu, EVEN);
            return top;
        }
        self.rotate(mmu, heavy);
        let is_even = leaning == EVEN;
        self.set_taller(mmu, if is_even { heavy } else { EVEN });
        child.set_taller(mmu, if is_even { light } else { EVEN });
        child
    }
}

/// Returns the side across from `side`.
#[inline]
pub(super) const fn other(side: u32) -> u32 {
    side ^ SIDE_BITS
}
