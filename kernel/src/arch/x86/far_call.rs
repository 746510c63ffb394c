//! One instruction that needs eight pages.
//!
//! A far call whose code and whose operand lie in two pages each, through a gate that does, too, to a segment whose descriptor
//! does: gate and descriptor are in a local descriptor table, which may lie where pages come and go. For a fault the processor
//! needs the global one, which stays.
//!
//! Source: Intel SDM volume 3, sections 3.5 and 5.8.

use super::access;
use crate::addr::{PAGE_SIZE, Page, VirtAddr};
use crate::memory_map::POOL_PAGES;
use core::arch::{asm, global_asm};
use core::mem::size_of_val;
use x86::Ring;
use x86::dtables::{DescriptorTablePointer, lgdt, load_ldtr, sgdt};
use x86::segmentation::SegmentSelector;

/// How many pages it needs.
pub const PAGES: u32 = 8;

/// Entries of the local table: the gate lies in its pages 0 and 1, the segment's descriptor in 2 and 3.
const GATE: u32 = 511;
const SEGMENT: u32 = 1535;

/// Entries that a global table has at most here.
const MOST_ENTRIES: usize = 16;

// A section of its own: else it lies in whichever the assembly before it ended with.
global_asm!(".section .text.far_called, \"ax\"", ".globl far_called", "far_called: inc eax", "retf");

unsafe extern "C" {
    /// Where the call leads: it counts in EAX, and returns.
    static far_called: u8;
}

/// Returns the words that it is made of, and where they are, counted from the start of the pages.
fn words(start: VirtAddr) -> [(u32, u32); 8] {
    let (code, operand) = (5 * PAGE_SIZE, 7 * PAGE_SIZE);
    let selector = |entry: u32| entry << 3 | 4;
    let target = &raw const far_called as u32;
    let at = start.as_u32() + operand - 3;
    [
        (4 + 8 * GATE, selector(SEGMENT) << 16 | target & 0xFFFF),
        (8 + 8 * GATE, target & 0xFFFF_0000 | 0x8C00),
        // All 4 GiB, code.
        (4 + 8 * SEGMENT, 0x0000_FFFF),
        (8 + 8 * SEGMENT, 0x00CF_9B00),
        // `call far [at]`, from the page's third last byte on, and `ret`.
        (code - 4, at << 24 | 0x001D_FF00),
        (code, at >> 8 | 0xC300_0000),
        (operand - 4, 0),
        (operand, selector(GATE) << 8),
    ]
}

/// Writes the instruction and what it needs into the pages from `start` on, gives them to `others`, who must not write there, and
/// carries it out. Returns what `others` returns, and 1.
///
/// # Panics
///
/// If these are not all pages that VM pools may hold.
pub fn call<R>(start: VirtAddr, others: impl FnOnce() -> R) -> (R, u32) {
    let first = Page::containing(start);
    assert!([0, PAGES - 1].iter().all(|page| POOL_PAGES.contains(Page::new(first.number() + page))), "{start:?}");
    let at = |offset| VirtAddr::new(start.as_u32() + offset);
    words(start).iter().for_each(|(offset, word)| access::write(at(*offset), *word));
    let others = others();
    let base = start.as_u32() + 4;
    let limit = 8 * SEGMENT + 7;
    let local = u64::from(base & 0xFF00_0000 | base >> 16 & 0xFF | 0x8200) << 32 | u64::from(base << 16 | limit);
    let mut table = [0_u64; MOST_ENTRIES];
    let mut before = DescriptorTablePointer::<u64>::default();
    let mut calls = 0_u32;
    // SAFETY: (1) the table has the entries of the one before, as long as it is loaded, and one more behind them; (2) the local table
    // and the code are what was written above, in pages of VM pools, where no object of Rust's lies; (3) a fault there is answered,
    // or ends the machine; (4) the code counts in EAX, and changes flags alone beside.
    unsafe {
        sgdt(&mut before);
        let entries = (usize::from(before.limit) + 1) / 8;
        assert!(entries < MOST_ENTRIES, "a global table of {entries} entries");
        before.base.copy_to_nonoverlapping(table.as_mut_ptr(), entries);
        table[entries] = local;
        lgdt(&DescriptorTablePointer { limit: size_of_val(&table) as u16 - 1, base: table.as_ptr() });
        load_ldtr(SegmentSelector::new(entries as u16, Ring::Ring0));
        asm!("call {code}", code = in(reg) start.as_u32() + 5 * PAGE_SIZE - 3, inout("eax") calls);
        load_ldtr(SegmentSelector::new(0, Ring::Ring0));
        lgdt(&before);
    }
    (others, calls)
}
