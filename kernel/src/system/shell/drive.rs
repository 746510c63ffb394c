//! The command that shows the drive, and moves pages to and from it.

use super::prompt_machine::ThisMachine;
use crate::addr::{Page, VirtAddr};
use crate::arch::x86::ata::Ata;
use crate::arch::x86::mmu::X86Mmu;
use crate::commands::{self, PromptMachine};
use crate::memory_map::POOL_PAGES;
use crate::paging::{Drive, DriveError, File, FileId, SECTOR_SIZE, SECTORS_A_PAGE};
use crate::system::console::println;
use crate::system::memory::{self, KernelMemory};
use crate::terminal::words::{BadWords, Words};
use alloc::boxed::Box;

/// `drive [read | write SECTOR ADDR | file SECTOR BYTES]`
pub fn drive(machine: &ThisMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let transfer = match words.word() {
        None => None,
        Some(direction @ ("read" | "write")) => Some((direction == "read", words.number()?, words.address()?)),
        Some("file") => {
            let (first, bytes) = (words.number()?, words.number()?);
            words.end()?;
            make_file(first, bytes);
            return Ok(());
        }
        Some(_) => return Err(BadWords),
    };
    words.end()?;
    let Some(mut drive) = Ata::find() else {
        println!("there is no drive; make run DRIVE=64 gives the machine one of 64 MiB");
        return Ok(());
    };
    match transfer {
        None => {
            let mebibytes = drive.sectors() / (1024 * 1024 / SECTOR_SIZE);
            println!("{}: {} sectors of {SECTOR_SIZE} bytes, {mebibytes} MiB", drive.model(), drive.sectors());
        }
        Some((reads, sector, address)) => {
            if let Some(page) = page(machine, address, reads) {
                let last = sector.wrapping_add(SECTORS_A_PAGE - 1);
                // Only now, since the touch may have sent another page to the drive.
                let used = |memory: &mut KernelMemory| memory.swap.as_ref()?.used_by_sectors(sector, SECTORS_A_PAGE);
                if !reads && let Some(file) = memory::with(|memory| file_at(memory, sector, SECTORS_A_PAGE)) {
                    println!("file {} has some of these sectors: map shows it, and sync writes it", file.number());
                    return Ok(());
                }
                if let Some(slot) = memory::with(used).filter(|_| !reads) {
                    println!("{slot:?} of these sectors holds a page: swap shows which are free");
                    return Ok(());
                }
                match move_page(&mut drive, reads, sector, page) {
                    Ok(()) if reads => println!("sectors {sector} to {last} are in {}", page.start()),
                    Ok(()) => println!("{} is in sectors {sector} to {last}", page.start()),
                    Err(error) => println!("{error}"),
                }
            }
        }
    }
    Ok(())
}

/// The name of files on the drive.
const ON_DRIVE: &str = "on the drive";

/// Returns a file on the drive that has one of the `count` sectors from `first` on.
fn file_at(memory: &KernelMemory, first: u32, count: u32) -> Option<FileId> {
    let overlaps = |file: &File<X86Mmu>| {
        let (start, sectors) = file.sectors();
        file.name() == ON_DRIVE && start < first.saturating_add(count) && first < start + sectors
    };
    memory.files.all().find_map(|(id, file)| overlaps(file).then_some(id))
}

/// Makes a file of some bytes of the drive, and keeps pages from there.
fn make_file(first: u32, bytes: u32) {
    let Some(drive) = Ata::find() else {
        println!("there is no drive; make run DRIVE=64 gives the machine one of 64 MiB");
        return;
    };
    let file = match File::new(Box::new(drive), first, bytes, true) {
        Ok(file) => file.named(ON_DRIVE),
        Err(error) => return println!("{error}"),
    };
    let (first, count) = file.sectors();
    if let Some(other) = memory::with(|memory| file_at(memory, first, count)) {
        return println!("file {} has some of these sectors", other.number());
    }
    let made = memory::with(|memory| {
        let is_free = memory.swap.as_mut().is_none_or(|swap| swap.set_aside(first, count));
        is_free.then(|| memory.files.add(file))
    });
    match made {
        Some(id) => {
            println!("file {}, of {count} sectors from {first} on; map {} ADDR shows it", id.number(), id.number())
        }
        None => println!("a slot of these sectors holds a page: swap shows which are free"),
    }
}

/// Returns the page of `address` if it is one of pools, touched now, and may be changed if it `is_changed`.
fn page(machine: &ThisMachine, address: VirtAddr, is_changed: bool) -> Option<Page> {
    let page = Page::containing(address);
    if !POOL_PAGES.contains(page) {
        println!("{address} is the kernel's own: only pages of pools go to the drive and come from it");
        return None;
    }
    (commands::records_agree(machine) && machine.touch(address, is_changed)).then_some(page)
}

fn move_page(drive: &mut Ata, reads: bool, sector: u32, page: Page) -> Result<(), DriveError> {
    memory::with(|memory| {
        if reads {
            return drive.read(&mut memory.mmu, sector, SECTORS_A_PAGE, page);
        }
        drive.write(&memory.mmu, sector, SECTORS_A_PAGE, page)?;
        drive.flush()
    })
}
