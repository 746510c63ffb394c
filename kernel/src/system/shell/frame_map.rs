//! A map of the process frame pool: a letter a frame, or for a few frames each, up to the last one in use.
//!
//! GDB's command draws the same (scripts/gdb/guest/frames.py).

use super::modify;
use crate::addr::{Frame, FrameRange, Page, PageRange};
use crate::fault::{Untrusted, follow_records};
use crate::frames::FrameState;
use crate::memory_map::OTHER_WINDOW_ENTRY;
use crate::paging::{CurrentTable, Mmu, MmuView};
use crate::system::console::println;
use crate::system::memory;
use crate::terminal::words::{BadWords, Words};
use crate::text::plural;
use crate::vm::CurrentSpace;
use alloc::vec;
use alloc::vec::Vec;

const COLUMNS: u32 = 64;
const ROWS: u32 = 15;

/// The use of a frame: on the map, of several the first counts.
const USES: [(u8, &str); 7] = [
    (b'D', "directory"),
    (b'T', "page table"),
    (b'M', "metadata of a pool"),
    (b'P', "page"),
    (b'?', "handed out, in no space of this prompt"),
    (b'.', "free"),
    (b'x', "inaccessible"),
];

/// The letters of a map, and how often each use was seen.
struct FrameMap {
    /// The frames of the pool, which are counted.
    pool: FrameRange,
    /// Those of them that are drawn.
    frames: FrameRange,
    /// Frames that one letter stands for.
    scale: u32,
    cells: Vec<u8>,
    counts: [u32; USES.len()],
}

impl FrameMap {
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

    /// Marks what the current address space leads to.
    fn mark_space(&mut self, view: &impl MmuView) {
        self.mark(view.root(), b'D');
        // Damaged records can't tell a pool's own pages from others.
        let told = follow_records(&Untrusted::new(view)).is_ok();
        for table in (1..OTHER_WINDOW_ENTRY).map(PageRange::of_table) {
            let Some(frame) = view.pde(table.start).frame() else {
                continue;
            };
            self.mark(frame, b'T');
            for page in table.iter() {
                if let Some(frame) = view.pte(page).and_then(|entry| entry.frame()) {
                    self.mark(frame, if told && is_metadata(view, page) { b'M' } else { b'P' });
                }
            }
        }
    }
}

fn is_metadata(view: &impl MmuView, page: Page) -> bool {
    view.pool_of(page).is_some_and(|pool| !pool.is_legitimate(view, page.start()))
}

/// `frames`
pub fn frames(words: &mut Words<'_>) -> Result<(), BadWords> {
    words.end()?;
    let roots = modify::roots();
    let pool = memory::with(|memory| memory.frames.range());
    let is_in_use = |state| !matches!(state, Some(FrameState::Free | FrameState::Inaccessible));
    let last = memory::with(|memory| pool.iter().rfind(|frame| is_in_use(memory.frames.state(*frame))));
    let frames = FrameRange::new(pool.start, last.map_or(pool.start, |last| Frame::new(last.number() + 1)));
    let scale = frames.len().div_ceil(COLUMNS * ROWS).max(1);
    let cells = vec![b' '; frames.len().div_ceil(scale) as usize];
    let mut map = FrameMap { pool, frames, scale, cells, counts: [0; USES.len()] };
    memory::with(|memory| {
        let current = memory.root();
        let mut taken = 0;
        for frame in pool.iter() {
            match memory.frames.state(frame) {
                Some(FrameState::Free) => map.mark(frame, b'.'),
                Some(FrameState::Inaccessible) => map.mark(frame, b'x'),
                _ => {
                    taken += 1;
                    map.mark(frame, b'?');
                }
            }
        }
        for (_, root) in roots {
            memory.mmu.set_root(root);
            map.mark_space(memory);
        }
        memory.mmu.set_root(current);
        // The table of the first 4 MiB is in all address spaces.
        if let Some(frame) = memory.pde(Page::new(0)).frame() {
            map.mark(frame, b'T');
        }
        let known: u32 = map.counts[..4].iter().sum();
        map.counts[4] = taken - known;
    });
    show(&map);
    Ok(())
}

fn show(map: &FrameMap) {
    for (row, cells) in map.cells.chunks(COLUMNS as usize).enumerate() {
        let first = map.frames.start.number() + row as u32 * COLUMNS * map.scale;
        println!("  {first:#07x}  {}", str::from_utf8(cells).unwrap_or_default());
    }
    let (scale, frame) = (map.scale, plural(map.scale, "frame", "frames"));
    println!("a letter is {scale} {frame}; none in use from {:#x} on", map.frames.end.number());
    for ((letter, name), count) in USES.iter().zip(map.counts).filter(|(_, count)| *count > 0) {
        println!("  {} {name}: {count}", char::from(*letter));
    }
}
