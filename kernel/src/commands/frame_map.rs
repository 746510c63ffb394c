//! A map of the process frame pool: a letter a frame, or for a few frames each.
//!
//! GDB's command draws the same (scripts/gdb/guest/frames.py).

use super::machine::{PromptMachine, say};
use crate::addr::{Frame, FrameRange, Page, PageRange};
use crate::fault::{Untrusted, follow_records};
use crate::frames::FrameState;
use crate::memory_map::OTHER_WINDOW_ENTRY;
use crate::paging::{CurrentTable, Mmu, MmuView};
use crate::terminal::words::{BadWords, Words};
use crate::text::plural;
use crate::vm::CurrentSpace;
use alloc::vec;
use alloc::vec::Vec;

const COLUMNS: u32 = 64;
const ROWS: u32 = 15;

/// The use of a frame: on the map, of several the first counts.
const USES: [(u8, &str); 8] = [
    (b'D', "directory"),
    (b'T', "page table"),
    (b'M', "metadata of a pool"),
    (SHARED, "page that clones share"),
    (b'P', "page"),
    (UNKNOWN, "handed out, in no space of this prompt"),
    (b'.', "free"),
    (b'x', "inaccessible"),
];

const UNKNOWN: u8 = b'?';
const SHARED: u8 = b'S';

/// What the kernel's books say of each frame of the process pool.
pub struct Books<'a> {
    /// The frames of the pool.
    pub pool: FrameRange,
    /// What the pool says of a frame.
    pub state: &'a dyn Fn(Frame) -> Option<FrameState>,
    /// Whether more than one entry leads to a frame.
    pub is_shared: &'a dyn Fn(Frame) -> bool,
}

/// The letters of a map, and how often each use was seen.
pub struct FrameMap {
    /// The frames of the pool, which are counted.
    pool: FrameRange,
    /// Those of them that are drawn.
    frames: FrameRange,
    /// Frames that one letter stands for.
    scale: u32,
    cells: Vec<u8>,
    counts: [u32; USES.len()],
    taken: u32,
}

impl FrameMap {
    /// Draws the part `frames` of a pool in at most `letters` letters, as far as the books know: what is handed out has no use
    /// yet, unless it is shared.
    pub fn new(books: &Books<'_>, frames: FrameRange, letters: u32) -> Self {
        let scale = frames.len().div_ceil(letters).max(1);
        let cells = vec![b' '; frames.len().div_ceil(scale) as usize];
        let mut map = Self { pool: books.pool, frames, scale, cells, counts: [0; USES.len()], taken: 0 };
        for frame in map.pool.iter() {
            match (books.state)(frame) {
                Some(FrameState::Free) => map.mark(frame, b'.'),
                Some(FrameState::Inaccessible) => map.mark(frame, b'x'),
                _ => {
                    map.taken += 1;
                    map.mark(frame, if (books.is_shared)(frame) { SHARED } else { UNKNOWN });
                }
            }
        }
        map
    }

    /// Returns a letter for each frame, or each few frames, that are drawn.
    pub fn letters(&self) -> &str {
        str::from_utf8(&self.cells).unwrap_or_default()
    }

    /// Returns each use with its letter, and how many frames of the pool have it.
    pub fn counts(&self) -> impl Iterator<Item = (char, &'static str, u32)> {
        let known: u32 = self.counts[..5].iter().sum();
        USES.into_iter().zip(self.counts).map(move |((letter, name), count)| {
            let count = if letter == UNKNOWN { self.taken.saturating_sub(known) } else { count };
            (char::from(letter), name, count)
        })
    }

    fn mark(&mut self, frame: Frame, letter: u8) {
        if !self.pool.contains(frame) {
            return;
        }
        let place = |letter| USES.iter().position(|(other, _)| *other == letter);
        if let Some(letter_use) = place(letter) {
            self.counts[letter_use] += 1;
        }
        if !self.frames.contains(frame) {
            return;
        }
        let cell = &mut self.cells[((frame.number() - self.frames.start.number()) / self.scale) as usize];
        if *cell == b' ' || place(letter) < place(*cell) {
            *cell = letter;
        }
    }

    /// Marks what the current address space leads to, but for the table of the first 4 MiB, and for what it shares.
    pub fn mark_space(&mut self, view: &impl MmuView, books: &Books<'_>) {
        self.mark(view.root(), b'D');
        // Damaged records can't tell a pool's own pages from others.
        let told = follow_records(&Untrusted::new(view)).is_ok();
        for table in (1..OTHER_WINDOW_ENTRY).map(PageRange::of_table) {
            let Some(frame) = view.pde(table.start).frame() else {
                continue;
            };
            self.mark(frame, b'T');
            for page in table.iter() {
                let frame = view.pte(page).and_then(|entry| entry.frame());
                if let Some(frame) = frame.filter(|frame| !(books.is_shared)(*frame)) {
                    self.mark(frame, if told && is_metadata(view, page) { b'M' } else { b'P' });
                }
            }
        }
    }

    /// Marks the table of the first 4 MiB, which all address spaces share.
    pub fn mark_first_table(&mut self, view: &impl MmuView) {
        if let Some(frame) = view.pde(Page::new(0)).frame() {
            self.mark(frame, b'T');
        }
    }
}

fn is_metadata(view: &impl MmuView, page: Page) -> bool {
    view.pool_of(page).is_some_and(|pool| !pool.is_legitimate(view, page.start()))
}

/// `frames`
pub fn frames(machine: &impl PromptMachine, words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    let roots = machine.with_spaces(|spaces| spaces.roots());
    let map = machine.with(|memory| {
        let books = Books {
            pool: memory.frames.range(),
            state: &|frame| memory.frames.state(frame),
            is_shared: &|frame| memory.uses.beyond_first(frame) > 0,
        };
        let pool = books.pool;
        let is_in_use = |state| !matches!(state, Some(FrameState::Free | FrameState::Inaccessible));
        let last = pool.iter().rfind(|frame| is_in_use((books.state)(*frame)));
        let drawn = FrameRange::new(pool.start, last.map_or(pool.start, |last| Frame::new(last.number() + 1)));
        let mut map = FrameMap::new(&books, drawn, COLUMNS * ROWS);
        let current = memory.mmu.root();
        for (_, root) in roots {
            memory.mmu.set_root(root);
            map.mark_space(&memory.mmu, &books);
        }
        memory.mmu.set_root(current);
        map.mark_first_table(memory);
        map
    });
    show(machine, &map);
    Ok(())
}

fn show(machine: &impl PromptMachine, map: &FrameMap) {
    for (row, cells) in map.cells.chunks(COLUMNS as usize).enumerate() {
        let first = map.frames.start.number() + row as u32 * COLUMNS * map.scale;
        say!(machine, "  {first:#07x}  {}", str::from_utf8(cells).unwrap_or_default());
    }
    let (scale, frame) = (map.scale, plural(map.scale, "frame", "frames"));
    say!(machine, "a letter is {scale} {frame}; none in use from {:#x} on", map.frames.end.number());
    for (letter, name, count) in map.counts().filter(|(.., count)| *count > 0) {
        say!(machine, "  {letter} {name}: {count}");
    }
}
