//! A map of the process frame pool: a letter for a few frames each.

use super::modify;
use crate::addr::{Frame, FrameRange, Page, PageRange};
use crate::frames::FrameState;
use crate::memory_map::OTHER_WINDOW_ENTRY;
use crate::paging::{CurrentTable, Mmu, MmuView};
use crate::system::console::{print, println};
use crate::system::memory;
use crate::terminal::words::{BadWords, Words};
use crate::vm::CurrentSpace;
use alloc::vec;
use alloc::vec::Vec;

const COLUMNS: u32 = 64;
const ROWS: u32 = 16;

/// The use of a frame: on the map, of several the first counts.
const USES: [(u8, &str); 7] = [
    (b'D', "directory"),
    (b'T', "page table"),
    (b'M', "a pool's own"),
    (b'P', "page"),
    (b'?', "handed out, and in none of these spaces"),
    (b'.', "free"),
    (b'x', "inaccessible"),
];

/// The letters of a map, and how often each use was seen.
struct FrameMap {
    frames: FrameRange,
    /// Frames that one letter stands for.
    scale: u32,
    cells: Vec<u8>,
    counts: [u32; USES.len()],
}

impl FrameMap {
    fn mark(&mut self, frame: Frame, letter: u8) {
        if !self.frames.contains(frame) {
            return;
        }
        let place = |letter| USES.iter().position(|(other, _)| *other == letter);
        if let Some(letter_use) = place(letter) {
            self.counts[letter_use] += 1;
        }
        let cell = &mut self.cells[((frame.number() - self.frames.start.number()) / self.scale) as usize];
        if *cell == b' ' || place(letter) < place(*cell) {
            *cell = letter;
        }
    }

    /// Marks what the current address space leads to.
    fn mark_space(&mut self, view: &impl MmuView) {
        self.mark(view.root(), b'D');
        for table in (1..OTHER_WINDOW_ENTRY).map(PageRange::of_table) {
            let Some(frame) = view.pde(table.start).frame() else {
                continue;
            };
            self.mark(frame, b'T');
            for page in table.iter() {
                if let Some(frame) = view.pte(page).and_then(|entry| entry.frame()) {
                    self.mark(frame, if is_metadata(view, page) { b'M' } else { b'P' });
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
    let frames = memory::with(|memory| memory.frames.range());
    let scale = frames.len().div_ceil(COLUMNS * ROWS).max(1);
    let cells = vec![b' '; frames.len().div_ceil(scale) as usize];
    let mut map = FrameMap { frames, scale, cells, counts: [0; USES.len()] };
    memory::with(|memory| {
        let current = memory.root();
        let mut taken = 0;
        for frame in frames.iter() {
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
        println!("{first:#8x} {}", str::from_utf8(cells).unwrap_or_default());
    }
    println!("a letter is {} frames, what is rarest in them:", map.scale);
    for ((letter, name), count) in USES.iter().zip(map.counts).filter(|(_, count)| *count > 0) {
        print!("{} {name} ({count})  ", char::from(*letter));
    }
    println!();
}
