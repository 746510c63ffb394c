//! Commands that change the memory: pools, regions, touches, words.

use super::inspect;
use super::machine::{PromptMachine, say};
use crate::addr::{PAGE_SIZE, Page, VirtAddr};
use crate::memory_map::POOL_PAGES;
use crate::paging::MmuView;
use crate::paging::{CurrentTable, Entry};
use crate::terminal::words::{BadWords, Words};
use crate::text::plural;
use crate::vm::{CurrentSpace, VmPool};

/// Returns how many frames of the process pool are free.
pub fn free_frames(machine: &impl PromptMachine) -> u32 {
    machine.with(|memory| memory.frames.free_frames())
}

fn pool_of(machine: &impl PromptMachine, address: VirtAddr) -> Option<VmPool> {
    if !inspect::records_agree(machine) {
        return None;
    }
    let pool = machine.with(|memory| memory.pool_of(Page::containing(address)));
    if pool.is_none() {
        say!(machine, "{address} is in no pool; pools lists them");
    }
    pool
}

/// `pool new ADDR BYTES | drop POOL`
pub fn pool(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let (verb, address) = (words.needed()?, words.address()?);
    match verb {
        "new" => {
            let bytes = words.number()?;
            words.end()?;
            register(machine, address, bytes);
        }
        "drop" => {
            words.end()?;
            drop_pool(machine, address);
        }
        _ => return Err(BadWords),
    }
    Ok(())
}

fn register(machine: &impl PromptMachine, base: VirtAddr, bytes: u32) {
    // The tests that a prompt may run expect to find it so.
    if machine.with_spaces(|spaces| spaces.home) == machine.with(|memory| memory.root()) {
        say!(machine, "the kernel's first space stays without pools; spaces lists others");
    } else if inspect::records_agree(machine) {
        match machine.with(|memory| memory.register_pool(base, bytes)) {
            Ok(_) => say!(machine, "a pool, with its first page for its records"),
            Err(error) => say!(machine, "{error}"),
        }
    }
}

fn drop_pool(machine: &impl PromptMachine, address: VirtAddr) {
    if let Some(pool) = pool_of(machine, address) {
        let before = free_frames(machine);
        match machine.with(|memory| memory.drop_pool(pool)) {
            Ok(()) => {
                let frames = free_frames(machine) - before;
                say!(machine, "dropped; {frames} {} came back", plural(frames, "frame", "frames"));
            }
            Err(pool) => say!(machine, "the pool at {} is not one of this space", pool.base().start()),
        }
    }
}

/// `alloc POOL BYTES`
pub fn alloc(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let (address, bytes) = (words.address()?, words.number()?);
    words.end()?;
    if let Some(mut pool) = pool_of(machine, address) {
        match machine.with(|memory| pool.allocate(memory, bytes)) {
            Ok(region) => say!(machine, "{region}"),
            Err(error) => say!(machine, "{error}"),
        }
    }
    Ok(())
}

/// `free ADDR [page]`
pub fn free(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let address = words.address()?;
    let only_page = match words.word() {
        None => false,
        Some("page") => true,
        Some(_) => return Err(BadWords),
    };
    words.end()?;
    if only_page {
        free_page(machine, address);
        return Ok(());
    }
    if let Some(mut pool) = pool_of(machine, address) {
        match machine.with(|memory| pool.release(memory, address)) {
            Ok(backed) => say!(machine, "released; {backed} of its pages were backed"),
            Err(error) => say!(machine, "{error}"),
        }
    }
    Ok(())
}

fn free_page(machine: &impl PromptMachine, address: VirtAddr) {
    if inspect::records_agree(machine) {
        let page = Page::containing(address);
        let (slot, is_of_file) =
            machine.with(|memory| (memory.pte(page).and_then(Entry::slot), memory.pde(page).is_of_file()));
        match machine.with(|memory| memory.free_page(page)) {
            _ if is_of_file => {
                say!(machine, "what it has of its own is gone; a shared page of a file stays, another comes from there")
            }
            None if let Some(slot) = slot => say!(machine, "{slot:?} came back; the next touch gets a frame of zeros"),
            Some(frame) => say!(machine, "frame {:#x} came back; the next touch gets one of zeros", frame.number()),
            None => say!(machine, "no frame of a region is behind {address}"),
        }
    }
}

/// `touch ADDR [PAGES]`
pub fn touch(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let (address, pages) = (words.address()?, words.number_or(1)?);
    words.end()?;
    if !inspect::records_agree(machine) {
        return Ok(());
    }
    let (faults, frames) = (machine.faults(), free_frames(machine));
    let addresses = (0..pages).map_while(|page| address.as_u32().checked_add(page.checked_mul(PAGE_SIZE)?));
    // A refusal is a screen of its own, with nothing behind it.
    if addresses.map(VirtAddr::new).all(|address| machine.touch(address, true)) {
        let (faults, frames) = (machine.faults() - faults, frames - free_frames(machine));
        let [fault, frame] = [plural(faults, "fault", "faults"), plural(frames, "frame", "frames")];
        say!(machine, "{faults} {fault}, {frames} {frame}");
    }
    Ok(())
}

/// Takes the address of a word.
fn word_address(words: &mut Words<'_>) -> Result<VirtAddr, BadWords> {
    words.address().and_then(|address| if address.as_u32().is_multiple_of(4) { Ok(address) } else { Err(BadWords) })
}

/// `read ADDR`
pub fn read(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let address = word_address(words)?;
    words.end()?;
    if inspect::records_agree(machine)
        && let Some(word) = machine.read(address)
    {
        say!(machine, "{word:#010x}");
    }
    Ok(())
}

/// `write ADDR VALUE`
pub fn write(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let (address, word) = (word_address(words)?, words.number()?);
    words.end()?;
    if inspect::records_agree(machine) && machine.touch(address, true) {
        if POOL_PAGES.contains(Page::containing(address)) {
            machine.write(address, word);
        } else {
            say!(machine, "{address} is the kernel's own: from here only pages of pools are written to");
        }
    }
    Ok(())
}
