//! Commands that change the memory: regions, touches, and the address spaces of the prompt.
//!
//! The prompt has address spaces of its own, each with a code pool and a heap pool as the coursework has them. Number 0 is
//! the kernel's first, which has no pools.

use super::inspect;
use crate::addr::{Frame, PAGE_SIZE, Page, VirtAddr};
use crate::arch::x86::access;
use crate::arch::x86::lock::{Dying, Locked};
use crate::fault::Untrusted;
use crate::memory_map::POOL_PAGES;
use crate::paging::{Mmu, MmuView};
use crate::system::console::println;
use crate::system::{main_job, memory, trap};
use crate::terminal::words::{BadWords, Words};
use crate::text::plural;
use crate::vm::{AddressSpace, CurrentSpace, VmPool};
use alloc::vec::Vec;

/// Where the two pools of each space are, and how large.
const POOLS: [VirtAddr; 2] = [VirtAddr::new(0x2000_0000), VirtAddr::new(0x4000_0000)];
const POOL_BYTES: u32 = 256 << 20;

struct Spaces {
    /// The kernel's first directory.
    home: Frame,
    /// The others, with their numbers.
    made: Vec<(u32, AddressSpace)>,
    next: u32,
}

static SPACES: Locked<Spaces> = Locked::new(Spaces { home: Frame::new(0), made: Vec::new(), next: 1 });

/// Frees the lock of the list after a crash.
pub fn force_unlock(dying: &Dying) {
    SPACES.force_unlock(dying);
}

/// Makes the first address space of the prompt, and enters it.
pub fn start() {
    SPACES.lock().home = memory::with(|memory| memory.root());
    enter_first();
}

fn enter_first() {
    if let Some(number) = make() {
        load(number);
    }
}

/// Does `work` in the kernel's first address space with all others destroyed, and then makes a new one.
pub fn in_clean_kernel(work: impl FnOnce()) {
    load(0);
    let made = core::mem::take(&mut SPACES.lock().made);
    for (_, space) in made {
        // None of them is the current one.
        let _ = memory::with(|memory| space.destroy(memory));
    }
    SPACES.lock().next = 1;
    work();
    enter_first();
}

/// Makes an address space with two pools, and returns its number; `None` if there are no frames for it.
fn make() -> Option<u32> {
    let space = memory::with(AddressSpace::create).ok()?;
    let registered = memory::with(|memory| {
        let before = memory.root();
        space.load(memory);
        let registered = POOLS.map(|base| memory.register_pool(base, POOL_BYTES).is_ok());
        memory.mmu.set_root(before);
        registered
    });
    if registered.contains(&false) {
        let _ = memory::with(|memory| space.destroy(memory));
        return None;
    }
    let mut spaces = SPACES.lock();
    let number = spaces.next;
    spaces.next += 1;
    spaces.made.push((number, space));
    Some(number)
}

fn load(number: u32) -> bool {
    let spaces = SPACES.lock();
    match spaces.made.iter().find(|(other, _)| *other == number) {
        Some((_, space)) => memory::with(|memory| space.load(memory)),
        None if number == 0 => memory::with(|memory| memory.mmu.set_root(spaces.home)),
        None => return false,
    }
    true
}

/// Returns the directories of all address spaces of the prompt, number 0 first.
pub fn roots() -> Vec<(u32, Frame)> {
    let spaces = SPACES.lock();
    let made = spaces.made.iter().map(|(number, space)| (*number, space.root()));
    [(0, spaces.home)].into_iter().chain(made).collect()
}

/// `spaces`
pub fn spaces(words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    let current = memory::with(|memory| memory.root());
    for (number, root) in roots() {
        let what = if number == 0 { "the kernel's first, without pools" } else { "two pools" };
        println!("{}{number:3}  directory {:?}  {what}", if root == current { '*' } else { ' ' }, root.start());
    }
    Ok(())
}

/// `space new | load N | destroy N`
pub fn space(words: &mut Words<'_>) -> Result<(), BadWords> {
    let verb = words.needed()?;
    let number = if verb == "new" { 0 } else { words.number()? };
    words.end()?;
    match verb {
        "new" => match make() {
            Some(number) => {
                println!("space {number}, with pools of {} MiB at {} and {}", POOL_BYTES >> 20, POOLS[0], POOLS[1])
            }
            None => println!("no frames left for an address space"),
        },
        "load" if load(number) => {}
        "destroy" if number != 0 => destroy(number),
        "load" | "destroy" => println!("no such space, or not yours to destroy; spaces lists them"),
        _ => return Err(BadWords),
    }
    Ok(())
}

fn destroy(number: u32) {
    let mut spaces = SPACES.lock();
    let Some(place) = spaces.made.iter().position(|(other, _)| *other == number) else {
        println!("no space {number}; spaces lists them");
        return;
    };
    let (number, space) = spaces.made.swap_remove(place);
    let before = memory::free_frames();
    match memory::with(|memory| space.destroy(memory)) {
        Ok(()) => {
            let frames = memory::free_frames() - before;
            println!("{frames} {} came back", plural(frames, "frame", "frames"));
        }
        Err(space) => {
            println!("space {number} is the current one: load another first");
            spaces.made.push((number, space));
        }
    }
}

fn pool_of(address: VirtAddr) -> Option<VmPool> {
    if !inspect::records_agree() {
        return None;
    }
    let pool = memory::with(|memory| memory.pool_of(Page::containing(address)));
    if pool.is_none() {
        println!("{address} is in no pool; pools lists them");
    }
    pool
}

/// `alloc POOL BYTES`
pub fn alloc(words: &mut Words<'_>) -> Result<(), BadWords> {
    let (address, bytes) = (words.address()?, words.number()?);
    words.end()?;
    if let Some(mut pool) = pool_of(address) {
        match memory::with(|memory| pool.allocate(memory, bytes)) {
            Ok(region) => println!("{region}"),
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}

/// `free ADDR`
pub fn free(words: &mut Words<'_>) -> Result<(), BadWords> {
    let address = words.address()?;
    words.end()?;
    if let Some(mut pool) = pool_of(address) {
        match memory::with(|memory| pool.release(memory, address)) {
            Ok(backed) => println!("released; {backed} of its pages were backed"),
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}

/// Touches a word as a program would. If that is refused, the report is shown.
fn granted(address: VirtAddr, write: bool) -> bool {
    trap::tell_refusals(true);
    let granted = access::probe(address, write).is_ok();
    trap::tell_refusals(false);
    granted
}

/// `touch ADDR [PAGES]`
pub fn touch(words: &mut Words<'_>) -> Result<(), BadWords> {
    let (address, pages) = (words.address()?, words.number_or(1)?);
    words.end()?;
    if !inspect::records_agree() {
        return Ok(());
    }
    let (faults, frames) = (memory::faults(), memory::free_frames());
    let addresses = (0..pages).map_while(|page| address.as_u32().checked_add(page.checked_mul(PAGE_SIZE)?));
    // A refusal is a screen of its own, with nothing behind it.
    if addresses.map(VirtAddr::new).all(|address| granted(address, true)) {
        let (faults, frames) = (memory::faults() - faults, frames - memory::free_frames());
        let [fault, frame] = [plural(faults, "fault", "faults"), plural(frames, "frame", "frames")];
        println!("{faults} {fault}, {frames} {frame}");
    }
    Ok(())
}

/// Takes the address of a word.
fn word_address(words: &mut Words<'_>) -> Result<VirtAddr, BadWords> {
    words.address().and_then(|address| if address.as_u32().is_multiple_of(4) { Ok(address) } else { Err(BadWords) })
}

/// `read ADDR`
pub fn read(words: &mut Words<'_>) -> Result<(), BadWords> {
    let address = word_address(words)?;
    words.end()?;
    if inspect::records_agree()
        && granted(address, false)
        && let Some(word) = memory::with(|memory| Untrusted::new(memory).look(address))
    {
        println!("{word:#010x}");
    }
    Ok(())
}

/// `write ADDR VALUE`
pub fn write(words: &mut Words<'_>) -> Result<(), BadWords> {
    let (address, word) = (word_address(words)?, words.number()?);
    words.end()?;
    if inspect::records_agree() && granted(address, true) {
        if POOL_PAGES.contains(Page::containing(address)) {
            access::write(address, word);
        } else {
            println!("{address} is the kernel's own: from here only pages of pools are written to");
        }
    }
    Ok(())
}

/// `tlb`
pub fn tlb(words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    main_job::show_stale_translation();
    Ok(())
}
