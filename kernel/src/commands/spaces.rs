//! The address spaces of the prompt: each begins with a code pool and a heap pool as the coursework has them. Number 0 is the
//! kernel's first, which has no pools.

use super::inspect::records_agree;
use super::machine::{PromptMachine, say};
use super::modify::free_frames;
use crate::addr::VirtAddr;
use crate::paging::{Mmu, MmuView};
use crate::terminal::words::{BadWords, Words};
use crate::text::plural;
use crate::vm::AddressSpace;

/// Where the two pools of a new space are, and how large.
const POOLS: [VirtAddr; 2] = [VirtAddr::new(0x2000_0000), VirtAddr::new(0x4000_0000)];
const POOL_BYTES: u32 = 256 << 20;

/// Makes the first address space of the prompt, and enters it.
pub fn start(machine: &impl PromptMachine) {
    let home = machine.with(|memory| memory.root());
    machine.with_spaces(|spaces| spaces.home = home);
    enter_first(machine);
}

fn enter_first(machine: &impl PromptMachine) {
    if let Some(number) = make(machine) {
        load(machine, number);
    }
}

/// Does `work` in the kernel's first address space with all others destroyed, and then makes a new one.
pub fn in_clean_kernel(machine: &impl PromptMachine, work: impl FnOnce()) {
    load(machine, 0);
    let made = machine.with_spaces(|spaces| core::mem::take(&mut spaces.made));
    for (_, space) in made {
        // None of them is the current one.
        let _ = machine.with(|memory| space.destroy(memory));
    }
    machine.with_spaces(|spaces| spaces.next = 1);
    work();
    enter_first(machine);
}

/// Makes an address space with two pools, and returns its number; `None` if there are no frames for it.
fn make(machine: &impl PromptMachine) -> Option<u32> {
    let space = machine.with(AddressSpace::create).ok()?;
    let registered = machine.with(|memory| {
        let before = memory.root();
        space.load(memory);
        let registered = POOLS.map(|base| memory.register_pool(base, POOL_BYTES).is_ok());
        memory.mmu.set_root(before);
        registered
    });
    if registered.contains(&false) {
        let _ = machine.with(|memory| space.destroy(memory));
        return None;
    }
    Some(add(machine, space))
}

/// Lists an address space, and returns its number.
fn add(machine: &impl PromptMachine, space: AddressSpace) -> u32 {
    machine.with_spaces(|spaces| {
        let number = spaces.next;
        spaces.next += 1;
        spaces.made.push((number, space));
        number
    })
}

fn load(machine: &impl PromptMachine, number: u32) -> bool {
    machine.with_spaces(|spaces| {
        match spaces.made.iter().find(|(other, _)| *other == number) {
            Some((_, space)) => machine.with(|memory| space.load(memory)),
            None if number == 0 => machine.with(|memory| memory.mmu.set_root(spaces.home)),
            None => return false,
        }
        true
    })
}

/// `spaces`
pub fn spaces(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    let current = machine.with(|memory| memory.root());
    for (number, root) in machine.with_spaces(|spaces| spaces.roots()) {
        let what = if number == 0 { "  the kernel's first, without pools" } else { "" };
        say!(machine, "{}{number:3}  directory {:?}{what}", if root == current { '*' } else { ' ' }, root.start());
    }
    Ok(())
}

/// `space new | load N | destroy N`
pub fn space(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let verb = words.needed()?;
    let number = if verb == "new" { 0 } else { words.number()? };
    words.end()?;
    match verb {
        "new" => match make(machine) {
            Some(number) => {
                let (mebibytes, [code, heap]) = (POOL_BYTES >> 20, POOLS);
                say!(machine, "space {number}, with pools of {mebibytes} MiB at {code} and {heap}");
            }
            None => say!(machine, "no frames left for an address space"),
        },
        "load" if load(machine, number) => {}
        "destroy" if number != 0 => destroy(machine, number),
        "load" | "destroy" => say!(machine, "no such space, or not yours to destroy; spaces lists them"),
        _ => return Err(BadWords),
    }
    Ok(())
}

/// `duplicate`
pub fn duplicate(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    if !records_agree(machine) {
        return Ok(());
    }
    let before = free_frames(machine);
    match machine.with(AddressSpace::duplicate) {
        Ok(space) => {
            let frames = before - free_frames(machine);
            let number = add(machine, space);
            say!(machine, "space {number}, a clone of this one, for {frames} {}", plural(frames, "frame", "frames"));
        }
        Err(error) => say!(machine, "{error}"),
    }
    Ok(())
}

fn destroy(machine: &impl PromptMachine, number: u32) {
    machine.with_spaces(|spaces| {
        let Some(place) = spaces.made.iter().position(|(other, _)| *other == number) else {
            say!(machine, "no space {number}; spaces lists them");
            return;
        };
        let (number, space) = spaces.made.swap_remove(place);
        let before = free_frames(machine);
        match machine.with(|memory| space.destroy(memory)) {
            Ok(()) => {
                let frames = free_frames(machine) - before;
                say!(machine, "{frames} {} came back", plural(frames, "frame", "frames"));
            }
            Err(space) => {
                say!(machine, "space {number} is the current one: load another first");
                spaces.made.push((number, space));
            }
        }
    });
}
