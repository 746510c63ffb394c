//! The tree of the pools of the current address space, which its directory's note leads to.
//!
//! Decision: docs/src/decisions/0003-an-address-space-is-its-directory.md.

use super::tree::Tree;
use crate::paging::{CurrentTable, Mmu, MmuView, set_note};

/// The bit of the note that says that a pool was registered once. The other bits are the root of the tree of pools.
const STRICT: u32 = 2;

/// Returns the pools of the current address space.
#[inline]
pub fn pools(view: &impl MmuView) -> Tree {
    Tree::from_word(view.note() & !STRICT)
}

/// Keeps the pools of the current address space, which from now on is strict.
pub fn set_pools(mmu: &mut impl Mmu, pools: Tree) {
    set_note(mmu, pools.word() | STRICT);
}

/// Says whether a pool was registered once with the current address space (rule **strict-after-register**).
#[inline]
pub fn is_strict(view: &impl MmuView) -> bool {
    view.note() & STRICT != 0
}
