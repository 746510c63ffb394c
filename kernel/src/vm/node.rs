//! Nodes of the trees of extents: an extent, its place in the tree, and what the tree must know below it.
//!
//! Nodes lie in metadata pages, which are always backed (rule **eager-metadata**), and are reached a word at a time
//! through the [`Mmu`]. A node is 32 bytes:
//!
//! ```text
//! +0 start   +4 pages   +8 gap   +12 largest gap   +16 left   +20 right   +24 height   +28 parent, kind in bits 0 and 1
//! ```

use crate::addr::{Page, PageRange, VirtAddr};
use crate::paging::Mmu;

/// Bytes in a node, and its alignment.
pub const NODE_BYTES: u32 = 32;

pub(super) const START: u32 = 0;
pub(super) const PAGES: u32 = 4;
pub(super) const GAP: u32 = 8;
pub(super) const MAX_GAP: u32 = 12;
pub(super) const LEFT: u32 = 16;
pub(super) const RIGHT: u32 = 20;
pub(super) const HEIGHT: u32 = 24;
pub(super) const PARENT: u32 = 28;

/// The bits of the last word that hold the kind: the parent is aligned to 32 bytes.
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
    pub(super) fn get(self, mmu: &impl Mmu, field: u32) -> u32 {
        mmu.read(VirtAddr::new(self.0.wrapping_add(field)))
    }

    #[inline]
    pub(super) fn set(self, mmu: &mut impl Mmu, field: u32, value: u32) {
        mmu.write(VirtAddr::new(self.0.wrapping_add(field)), value);
    }

    #[inline]
    pub(super) fn child(self, mmu: &impl Mmu, side: u32) -> Self {
        Self(self.get(mmu, side))
    }

    /// Follows the children on `side` to the last one, which may be this node.
    #[inline]
    pub(super) fn furthest(self, mmu: &impl Mmu, side: u32) -> Self {
        let mut node = self;
        loop {
            match node.child(mmu, side) {
                NIL => return node,
                child => node = child,
            }
        }
    }

    #[inline]
    pub(super) fn parent(self, mmu: &impl Mmu) -> Self {
        Self(self.get(mmu, PARENT) & !KIND_BITS)
    }

    #[inline]
    pub(super) fn set_parent(self, mmu: &mut impl Mmu, parent: Self) {
        let kind = self.get(mmu, PARENT) & KIND_BITS;
        self.set(mmu, PARENT, parent.0 | kind);
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
    pub fn extent(self, mmu: &impl Mmu) -> PageRange {
        // Wraps where the record is damaged: a report looks at that too.
        let start = self.get(mmu, START);
        PageRange::new(Page::new(start), Page::new(start.wrapping_add(self.get(mmu, PAGES))))
    }

    /// Returns what the owner said the extent is: 0 to 3.
    #[inline]
    pub fn kind(self, mmu: &impl Mmu) -> u32 {
        self.get(mmu, PARENT) & KIND_BITS
    }

    #[inline]
    pub(super) fn height(self, mmu: &impl Mmu) -> u32 {
        if self == NIL { 0 } else { self.get(mmu, HEIGHT) }
    }

    #[inline]
    pub(super) fn max_gap(self, mmu: &impl Mmu) -> u32 {
        if self == NIL { 0 } else { self.get(mmu, MAX_GAP) }
    }

    /// Works out height and largest gap from the children, and says whether either changed. `heights` are the children's.
    #[inline]
    pub(super) fn update(self, mmu: &mut impl Mmu, [left, right]: [Self; 2], heights: [u32; 2]) -> bool {
        let height = 1 + heights[0].max(heights[1]);
        let max_gap = self.get(mmu, GAP).max(left.max_gap(mmu)).max(right.max_gap(mmu));
        let changed = height != self.get(mmu, HEIGHT) || max_gap != self.get(mmu, MAX_GAP);
        if changed {
            self.set(mmu, HEIGHT, height);
            self.set(mmu, MAX_GAP, max_gap);
        }
        changed
    }

    pub(super) fn update_from_children(self, mmu: &mut impl Mmu) {
        let children = [LEFT, RIGHT].map(|side| self.child(mmu, side));
        let heights = children.map(|child| child.height(mmu));
        self.update(mmu, children, heights);
    }

    /// Lifts the child on `side` above this node and returns it. The link from above is the caller's to set.
    pub(super) fn rotate(self, mmu: &mut impl Mmu, side: u32) -> Self {
        let lifted = self.child(mmu, side);
        let other = LEFT + RIGHT - side;
        let inner = lifted.child(mmu, other);
        self.set_child(mmu, side, inner);
        lifted.set_child(mmu, other, self);
        self.update_from_children(mmu);
        lifted.update_from_children(mmu);
        lifted
    }

    /// Brings a node whose `heavy` side is two higher than the other into balance. Returns the node now in its place.
    #[cold]
    pub(super) fn rebalance(self, mmu: &mut impl Mmu, heavy: u32) -> Self {
        let child = self.child(mmu, heavy);
        let inner = LEFT + RIGHT - heavy;
        if child.child(mmu, inner).height(mmu) > child.child(mmu, heavy).height(mmu) {
            let lifted = child.rotate(mmu, inner);
            self.set_child(mmu, heavy, lifted);
        }
        self.rotate(mmu, heavy)
    }
}
