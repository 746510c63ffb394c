//! Who called whom in a machine that stands still: the chain of frame pointers, read through its page tables.

use crate::memory::Ram;
use crate::qemu::registers::Registers;

/// The bit of an entry that leads to something.
pub const PRESENT: u32 = 1;

/// The bit of a directory entry that leads to 4 MiB.
pub const LARGE: u32 = 1 << 7;

/// The longest chain that is followed.
const CALLERS: usize = 24;

/// Returns the address of the current instruction and of those after each call that led there, by the frame pointers.
pub fn backtrace(ram: &Ram, registers: &Registers) -> Vec<u32> {
    let mut found = vec![registers.eip];
    let mut frame = registers.ebp;
    while frame != 0 && found.len() <= CALLERS {
        let (Some(next), Some(back)) = (word(ram, registers, frame), word(ram, registers, frame.wrapping_add(4)))
        else {
            break;
        };
        if back == 0 {
            break;
        }
        found.push(back);
        if next <= frame {
            break;
        }
        frame = next;
    }
    found
}

/// Reads the word at a virtual address.
fn word(ram: &Ram, registers: &Registers, address: u32) -> Option<u32> {
    let physical = if registers.paging() { translate(ram, registers.cr3, address)? } else { address };
    ram.words(physical, 1).ok().map(|words| words[0])
}

fn translate(ram: &Ram, cr3: u32, address: u32) -> Option<u32> {
    let entry = |table: u32, index: u32| {
        let entry = ram.words((table & !0xFFF) + 4 * index, 1).ok()?[0];
        (entry & PRESENT != 0).then_some(entry)
    };
    let directory = entry(cr3, address >> 22)?;
    if directory & LARGE != 0 {
        return Some(directory & 0xFFC0_0000 | address & 0x003F_FFFF);
    }
    Some(entry(directory, address >> 12 & 0x3FF)? & !0xFFF | address & 0xFFF)
}
