//! What is on the drive, and sending a page there.

use super::inspect;
use super::machine::{PromptMachine, say};
use crate::addr::{Page, SwapSlot};
use crate::memory_map::POOL_PAGES;
use crate::paging::{CurrentTable, Entry, Mmu, Swap};
use crate::terminal::words::{BadWords, Words};
use crate::text::plural;
use alloc::vec::Vec;

const COLUMNS: u32 = 64;
const ROWS: u32 = 8;

/// The use of a slot: on the map, of several the first counts.
const USES: [(u8, &str); 4] =
    [(b'S', "page that clones share"), (b'P', "page"), (b'x', "never used: the first, or bad"), (b'.', "free")];

fn letter<M: Mmu>(swap: &Swap<M>, slot: u32) -> u8 {
    match SwapSlot::new(slot) {
        Some(slot) if swap.is_used(slot) => b"PS"[usize::from(swap.beyond_first(slot) > 0)],
        Some(slot) if swap.is_free(slot) => b'.',
        _ => b'x',
    }
}

/// `swap`
pub fn swap(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    let looked = machine.with(|memory| {
        let swap = memory.swap.as_ref()?;
        let letters: Vec<u8> = (0..swap.slots()).map(|slot| letter(swap, slot)).collect();
        Some((letters, swap.counts()))
    });
    let Some((letters, counts)) = looked else {
        say!(machine, "there is no drive for pages: all stay in memory");
        return Ok(());
    };
    // Behind the last slot in use there is nothing to see.
    let drawn = letters.iter().rposition(|letter| *letter != b'.').map_or(0, |last| last + 1);
    let scale = (drawn as u32).div_ceil(COLUMNS * ROWS).max(1);
    let rank = |letter: &u8| USES.iter().position(|(other, _)| other == letter);
    let cells: Vec<u8> =
        letters[..drawn].chunks(scale as usize).filter_map(|slots| slots.iter().copied().min_by_key(rank)).collect();
    for (row, cells) in (0..).zip(cells.chunks(COLUMNS as usize)) {
        let first = row * COLUMNS * scale;
        say!(machine, "  {first:#07x}  {}", str::from_utf8(cells).unwrap_or_default());
    }
    say!(machine, "a letter is {scale} {}; none in use from {drawn:#x} on", plural(scale, "slot", "slots"));
    for (use_, name) in USES {
        let count = letters.iter().filter(|letter| **letter == use_).count();
        if count > 0 {
            say!(machine, "{} {count:6} {name}", char::from(use_));
        }
    }
    let [read, written] = [counts.reads, counts.writes].map(|count| (count, plural(count, "page", "pages")));
    say!(machine, "{} {} read, {} {} written, {} failed", read.0, read.1, written.0, written.1, counts.failures);
    Ok(())
}

/// `evict ADDR`
pub fn evict(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let address = words.address()?;
    words.end()?;
    if !inspect::records_agree(machine) {
        return Ok(());
    }
    let page = Page::containing(address);
    let (has_drive, entry) = machine.with(|memory| {
        let is_of_file = memory.pde(page).has(Entry::FILE);
        (memory.swap.is_some() || is_of_file, memory.pte(page).unwrap_or(Entry::ABSENT))
    });
    if entry.is_in_file() {
        say!(machine, "{address} is in its file, and nowhere else");
    } else if !has_drive {
        say!(machine, "there is no drive for pages; make run DRIVE=64 gives the machine one of 64 MiB");
    } else if let Some(slot) = entry.slot() {
        say!(machine, "{address} is on the drive already, in {slot:?}");
    } else if !POOL_PAGES.contains(page) || entry.has(Entry::KEPT) {
        say!(machine, "{address} is the kernel's own: only pages that a fault has backed go to the drive");
    } else if !entry.is_present() {
        say!(machine, "{address} was not touched yet: there is nothing to send");
    } else {
        match machine.with(|memory| memory.evict(page)).map(Entry::slot) {
            Some(Some(slot)) => {
                say!(machine, "{} is in {slot:?} of the drive; the next touch reads it back", page.start())
            }
            Some(None) => say!(machine, "{} is in its file; the next touch reads it back", page.start()),
            None => say!(machine, "the drive is full, or does not take it; swap says more"),
        }
    }
    Ok(())
}
