//! Files: which there are, where they are seen, and writing them back.

use super::inspect;
use super::machine::{PromptMachine, say};
use crate::addr::{PAGE_SIZE, Page, VirtAddr};
use crate::paging::{FileId, MmuView, View};
use crate::terminal::words::{BadWords, Words};
use crate::text::plural;
use alloc::string::String;
use alloc::vec::Vec;

/// `files`
pub fn files(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    let files: Vec<_> = machine.with(|memory| {
        let files = memory.files.all().map(|(id, file)| {
            let users = |view| {
                let tables = memory.files.tables().iter().filter(|table| table.file == id && table.view == view);
                tables.filter(|table| table.number == 0).map(|table| table.users).sum::<u32>()
            };
            let views = [View::Private, View::Shared].map(users);
            (id, file.bytes(), file.is_writable(), String::from(file.name()), views, file.counts())
        });
        files.collect()
    });
    for (id, bytes, is_writable, name, [private, shared], counts) in &files {
        let rights = if *is_writable { "" } else { ", read-only" };
        say!(machine, "file {}: {bytes} {}{rights}  {name}", id.number(), plural(*bytes, "byte", "bytes"));
        let [read, written] = [counts.reads, counts.writes].map(|count| (count, plural(count, "page", "pages")));
        say!(
            machine,
            "  seen {private} times private, {shared} shared; {} {} read, {} {} written, {} failed",
            read.0,
            read.1,
            written.0,
            written.1,
            counts.failures
        );
    }
    if files.is_empty() {
        say!(machine, "there are no files; a boot module is one, and drive file SECTOR BYTES makes one of the drive");
    }
    Ok(())
}

/// `map FILE ADDR [shared] [read-only]`
pub fn map(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let (file, start) = (FileId::new(words.number()?), words.address()?);
    let (mut view, mut writable) = (View::Private, true);
    while let Some(word) = words.word() {
        match word {
            "shared" => view = View::Shared,
            "read-only" => writable = false,
            _ => return Err(BadWords),
        }
    }
    if machine.with_spaces(|spaces| spaces.home) == machine.with(|memory| memory.root()) {
        say!(machine, "the kernel's first space stays without pools; spaces lists others");
        return Ok(());
    }
    if !inspect::records_agree(machine) {
        return Ok(());
    }
    let base = VirtAddr::new(start.as_u32().wrapping_sub(PAGE_SIZE));
    match machine.with(|memory| memory.map_file(base, file, view, writable)) {
        Ok(pool) => {
            let region = Page::new(pool.base().number() + 1).start();
            say!(machine, "a region at {region}, in a pool of its own at {base}; nothing is read before it is touched");
        }
        Err(error) => say!(machine, "{error}"),
    }
    Ok(())
}

/// `sync FILE`
pub fn sync(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    let file = FileId::new(words.number()?);
    words.end()?;
    if machine.with(|memory| memory.files.get(file).is_none()) {
        say!(machine, "there is no such file; files lists them");
        return Ok(());
    }
    match machine.with(|memory| memory.sync(file)) {
        Ok(pages) => say!(machine, "{pages} {} written", plural(pages, "page", "pages")),
        Err(error) => say!(machine, "{error}: what was not written stays in memory"),
    }
    Ok(())
}
