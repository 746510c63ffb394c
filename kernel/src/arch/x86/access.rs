//! Accesses to memory of VM pools, as any program makes them: they may fault, and the fault may be refused.

use super::trap_frame::TrapFrame;
use crate::addr::{Page, VirtAddr};
use crate::memory_map::{POOL_PAGES, WINDOWS};
use core::arch::{asm, global_asm};
use core::num::NonZero;

global_asm!(include_str!("../../../../boot/probe.s"));
global_asm!(include_str!("../../../../boot/registers.s"));

unsafe extern "fastcall" {
    fn probe_read(address: u32) -> u32;
    fn probe_write(address: u32) -> u32;
    fn probe_copy(to: u32, from: u32, bytes: u32) -> u32;
    fn registers_survive(address: u32) -> u32;
}

unsafe extern "C" {
    /// Where the two accesses are, and where a refused one goes on; the same of the copy.
    static probe_places: [u32; 5];
}

fn assert_apart(address: VirtAddr, readable: bool) {
    let page = Page::containing(address);
    let apart = POOL_PAGES.contains(page) || readable && WINDOWS.contains(page);
    assert!(apart && address.as_u32().is_multiple_of(4), "{address:?} is not a word of VM pools");
}

/// Reads the word at `address`.
///
/// # Panics
///
/// If it is not an aligned word above the first 4 MiB.
#[inline]
pub fn read(address: VirtAddr) -> u32 {
    assert_apart(address, true);
    // SAFETY: (1) none of Rust's objects lie above the first 4 MiB; (2) the address is aligned; (3) if the page is absent,
    // the fault gives it a frame or ends the machine.
    unsafe { (address.as_u32() as *const u32).read_volatile() }
}

/// Writes the word at `address`.
///
/// # Panics
///
/// If it is not an aligned word of pages that VM pools may hold.
#[inline]
pub fn write(address: VirtAddr, word: u32) {
    assert_apart(address, false);
    // SAFETY: as for `read`, and (4) the page is none of the windows'.
    unsafe { (address.as_u32() as *mut u32).write_volatile(word) }
}

/// Reads the word at `address`, or reads and writes back a byte of it, which lies in one page wherever it is.
///
/// # Errors
///
/// The reason that [`recover`] was given, if the access was refused.
pub fn probe(address: VirtAddr, write: bool) -> Result<(), NonZero<u32>> {
    // SAFETY: (1) reading any address changes nothing, and a write writes back what was there in one instruction; (2) a
    // refused access goes on at the end of the function, by `recover`.
    let refused = unsafe { if write { probe_write(address.as_u32()) } else { probe_read(address.as_u32()) } };
    NonZero::new(refused).map_or(Ok(()), Err)
}

/// Copies `bytes` to `address`, where pages of pools are. They get frames as they are touched.
///
/// # Errors
///
/// As [`probe`]. Some bytes may have been copied.
///
/// # Panics
///
/// If they don't all lie in pages that VM pools may hold.
pub fn copy_out(address: VirtAddr, bytes: &[u8]) -> Result<(), NonZero<u32>> {
    assert_inside(address, bytes.len());
    // SAFETY: (1) no object lies in such pages; (2) `bytes` can be read; (3) as in `probe`.
    let refused = unsafe { probe_copy(address.as_u32(), bytes.as_ptr() as u32, bytes.len() as u32) };
    NonZero::new(refused).map_or(Ok(()), Err)
}

/// Fills `bytes` with what is at `address`, where pages of pools are.
///
/// # Errors
///
/// As [`copy_out`].
///
/// # Panics
///
/// As [`copy_out`].
pub fn copy_in(bytes: &mut [u8], address: VirtAddr) -> Result<(), NonZero<u32>> {
    assert_inside(address, bytes.len());
    // SAFETY: (1) reading such pages changes nothing; (2) `bytes` can be written, and any byte is one; (3) as in `probe`.
    let refused = unsafe { probe_copy(bytes.as_mut_ptr() as u32, address.as_u32(), bytes.len() as u32) };
    NonZero::new(refused).map_or(Ok(()), Err)
}

fn assert_inside(address: VirtAddr, bytes: usize) {
    let last = address.as_u32().checked_add((bytes as u32).saturating_sub(1));
    let is_inside = last.is_some_and(|last| POOL_PAGES.contains(Page::containing(VirtAddr::new(last))));
    assert!(
        is_inside && POOL_PAGES.contains(Page::containing(address)),
        "{bytes:#x} bytes at {address:?} are not VM pools'"
    );
}

/// Says whether the access of [`probe`] that faulted was to write, as far as that is known without the processor;
/// `None` if it was another access that faulted.
pub fn probe_writes(frame: &TrapFrame) -> Option<bool> {
    let [read, write, _, copy, _] = places();
    if frame.eip == write { Some(true) } else { (frame.eip == read || frame.eip == copy).then_some(false) }
}

/// Lets a refused access of [`probe`] go on, which returns `reason`.
pub fn recover(frame: &mut TrapFrame, reason: NonZero<u32>) {
    let [_, _, refused, copy, copy_refused] = places();
    (frame.eip, frame.eax) = (if frame.eip == copy { copy_refused } else { refused }, reason.get());
}

fn places() -> [u32; 5] {
    // SAFETY: the assembly defines the words and nothing changes them.
    unsafe { probe_places }
}

/// Moves the word at `from` to `to` by one instruction. Neither needs to be aligned; each may lie in two pages.
///
/// # Panics
///
/// If a byte of either is not in a page that VM pools may hold.
pub fn move_word(from: VirtAddr, to: VirtAddr) {
    for address in [from, to] {
        let last = VirtAddr::new(address.as_u32().wrapping_add(3));
        let is_ours = [address, last].map(Page::containing).iter().all(|page| POOL_PAGES.contains(*page));
        assert!(is_ours, "{address:?} is not in pages of VM pools");
    }
    // SAFETY: (1) no object of Rust's lies in such pages; (2) a fault there is answered, or ends the machine. `esi` is the
    // compiler's own, so it is put back.
    unsafe {
        asm!(
            "xchg esi, edx",
            "movsd",
            "mov esi, edx",
            inout("edx") from.as_u32() => _,
            inout("edi") to.as_u32() => _,
            options(nostack, preserves_flags)
        );
    }
}

/// Faults at two pages from `address` on with known values in all registers and flags. Returns 0 if all survive, otherwise
/// which did not.
///
/// # Panics
///
/// If the first page is not one that VM pools may hold.
pub fn registers_after_faults(address: VirtAddr) -> u32 {
    assert_apart(address, false);
    // SAFETY: (1) the function keeps to the calling convention; (2) it writes above the first 4 MiB only.
    unsafe { registers_survive(address.as_u32()) }
}
