//! A run of another machine: after each event of the memory, or each line typed at its prompt, the words that changed.
//! `scripts/record` takes down one of QEMU's, and the page one of v86's, which runs in it, while it goes on.
//!
//! What is recorded are the frames that tell of the current address space (directory, page tables, pages of pools' own) and
//! the kernel's two books of frames. So the same is drawn from them as of a machine that runs here, by the same code; but
//! nobody can look into a real TLB, and the contents of pages are not there.

use crate::outside::Outside;
use crate::picture::{self, EVENTS, Frames, Picture, Space, Way};
use droste::addr::{ENTRIES, Frame, FrameRange, Page, PageRange, PhysAddr, VirtAddr};
use droste::commands::Books;
use droste::events::{EventKind, Events};
use droste::fault::Layout;
use droste::frames::FrameState;
use droste::memory_map::OTHER_WINDOW_ENTRY;
use droste::paging::{Entry, PageTable, Uses};
use droste::text::plural;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Changed entries that are listed; more are counted.
const LISTED: usize = 200;

/// The kinds of events that the kernel records.
const KINDS: [EventKind; 16] = [
    EventKind::Allocate,
    EventKind::Release,
    EventKind::Backed,
    EventKind::Refused,
    EventKind::FreePage,
    EventKind::Register,
    EventKind::Drop,
    EventKind::Create,
    EventKind::Destroy,
    EventKind::Unshared,
    EventKind::Duplicate,
    EventKind::SwapOut,
    EventKind::SwapIn,
    EventKind::FileIn,
    EventKind::FreeSlot,
    EventKind::FileOut,
];
// That is all but the one which is never recorded, and the last.
const _: () = assert!(KINDS.len() == EventKind::Load as usize);

/// What `scripts/gdb/record.py` writes, and `explorer/page/emulated.js` begins with.
#[derive(Deserialize)]
struct Recording {
    /// The name of the test, or of the emulator.
    test: String,
    /// The process pool: its first frame, and one past its last.
    pool: [u32; 2],
    /// The physical address of the pool's map.
    map: u32,
    /// The physical address of a byte for each of its frames, as [`Uses`] has them.
    uses: u32,
    layout: Image,
    steps: Vec<Step>,
}

/// Where the kernel's image lies: numbers of pages.
#[derive(Deserialize)]
struct Image {
    text: [u32; 2],
    rodata: [u32; 2],
    guard: u32,
}

#[derive(Deserialize)]
struct Step {
    /// Kind, address, amount and space of its last event; the begin and the end of a run have none.
    event: Option<[u32; 4]>,
    /// The frame of the current directory.
    root: u32,
    /// The words that changed, by their frame and their place in it.
    words: Vec<(u32, Vec<(u32, u32)>)>,
    /// What came on the console.
    said: String,
    /// What was typed, if that is what made the step.
    #[serde(default)]
    typed: Option<String>,
    /// Events of the step before its last one.
    #[serde(default)]
    before: Vec<[u32; 4]>,
}

/// A recording that is played.
pub struct Replay {
    recording: Recording,
    /// How many steps it is past the first.
    at: usize,
    /// The recorded frames, as they are after this step.
    frames: BTreeMap<u32, [u32; ENTRIES as usize]>,
    /// The directories of the address spaces that were the current one and are still there.
    roots: Vec<Frame>,
    events: Events,
    /// Faults that were answered.
    faults: u32,
    /// Whether the last step has another directory than the one before.
    entered: bool,
}

impl Replay {
    /// Reads a recording, and plays it to its first state.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn new(json: &str) -> Result<Self, String> {
        let recording: Recording =
            serde_json::from_str(json).map_err(|error| format!("this is no recording: {error}"))?;
        if recording.steps.is_empty() {
            return Err("the recording has no step".into());
        }
        let mut replay = Self {
            recording,
            at: 0,
            frames: BTreeMap::new(),
            roots: Vec::new(),
            events: Events::NONE,
            faults: 0,
            entered: true,
        };
        replay.step(0);
        Ok(replay)
    }

    /// Returns the name of the test.
    pub fn test(&self) -> &str {
        &self.recording.test
    }

    /// Adds a step at the end.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn add(&mut self, json: &str) -> Result<(), String> {
        let step = serde_json::from_str(json).map_err(|error| format!("this is no step: {error}"))?;
        self.recording.steps.push(step);
        Ok(())
    }

    /// Returns what happened at each step past the first, in words.
    pub fn steps(&self) -> impl Iterator<Item = String> {
        self.recording.steps.iter().skip(1).map(|step| {
            if let Some(typed) = &step.typed {
                return typed.clone();
            }
            let mut events = Events::NONE;
            step.record(&mut events);
            let event = events.latest(Frame::new(step.root)).find(|event| event.kind != EventKind::Load);
            event.map_or_else(|| "the end of the run".into(), |event| event.to_string())
        })
    }

    /// Returns what came on the console up to this step.
    pub fn said(&self) -> String {
        self.recording.steps[..=self.at].iter().map(|step| step.said.as_str()).collect()
    }

    /// Goes to the state so many steps past the first, or to the last one.
    pub fn go_to(&mut self, step: usize) {
        let step = step.min(self.recording.steps.len() - 1);
        if step < self.at {
            self.frames.clear();
            self.roots.clear();
            (self.events, self.faults) = (Events::NONE, 0);
            self.step(0);
        }
        while self.at < step {
            self.step(self.at + 1);
        }
    }

    /// Takes in what a step changed.
    fn step(&mut self, number: usize) {
        self.at = number;
        let step = &self.recording.steps[number];
        for (frame, words) in &step.words {
            let contents = self.frames.entry(*frame).or_insert([0; ENTRIES as usize]);
            for (at, word) in words {
                if let Some(place) = contents.get_mut(*at as usize) {
                    *place = *word;
                }
            }
        }
        step.record(&mut self.events);
        for [kind, _, amount, _] in step.before.iter().chain(&step.event) {
            let answers = [EventKind::Backed, EventKind::Unshared, EventKind::SwapIn];
            self.faults += u32::from(answers.into_iter().any(|answer| *kind == answer as u32));
            if *kind == EventKind::Destroy as u32 {
                self.roots.retain(|root| root.number() != *amount);
            }
        }
        let root = Frame::new(step.root);
        if !self.roots.contains(&root) {
            self.roots.push(root);
        }
        self.entered = number == 0 || self.recording.steps[number - 1].root != step.root;
    }

    fn peek(&self, at: PhysAddr) -> u32 {
        let frame = self.frames.get(&Frame::containing(at).number());
        frame.map_or(0, |words| words[at.offset() as usize / 4])
    }

    fn root(&self) -> Frame {
        Frame::new(self.recording.steps[self.at].root)
    }

    fn outside(&self, root: Frame) -> Outside<impl Fn(PhysAddr) -> u32> {
        Outside::new(root, |at| self.peek(at))
    }

    /// Returns what the pool's map says of a frame: a word of *free* and a word of *head* for 32 frames, a bit each.
    fn state(&self, frame: Frame) -> Option<FrameState> {
        let index = frame.number() - self.recording.pool[0];
        let word = self.recording.map + 8 * (index / 32);
        let bit = |word| self.peek(PhysAddr::new(word)) >> (index % 32) & 1 == 1;
        Some(match (bit(word), bit(word + 4)) {
            (true, true) => FrameState::Free,
            (false, true) => FrameState::Head,
            (false, false) => FrameState::Inner,
            (true, false) => FrameState::Inaccessible,
        })
    }

    fn is_shared(&self, frame: Frame) -> bool {
        let at = self.recording.uses + (frame.number() - self.recording.pool[0]);
        Uses::is_shared((self.peek(PhysAddr::new(at & !3)) >> (8 * (at % 4))) as u8)
    }

    /// Draws the state.
    pub fn picture(&self) -> Picture {
        let root = self.root();
        let [start, end] = self.recording.pool.map(Frame::new);
        let books = Books {
            pool: FrameRange::new(start, end),
            state: &|frame| self.state(frame),
            is_shared: &|frame| self.is_shared(frame),
        };
        let (pools, damage) = picture::pools(&self.outside(root));
        let free = books.pool.iter().filter(|frame| self.state(*frame) == Some(FrameState::Free)).count() as u32;
        Picture {
            root: format!("{:?}", root.start()),
            root_frame: root.number(),
            spaces: (0..).zip(&self.roots).map(|(number, space)| Space::new(number, *space, root)).collect(),
            frames: Frames::new(&books, self.roots.iter().map(|root| self.outside(*root))),
            pools,
            damage,
            tlb: None,
            acts: self.changes(),
            events: self.events.latest(root).take(EVENTS).map(|event| event.to_string()).collect(),
            free,
            faults: self.faults,
            broken: Vec::new(),
        }
    }

    /// Returns the entries of the table of directory entry `index`, or none.
    pub fn table(&self, index: u32) -> Vec<u32> {
        picture::entries(&self.outside(self.root()), index)
    }

    /// Returns which entries of that table the last step has changed; none if it entered another address space.
    pub fn changed(&self, index: u32) -> Vec<u32> {
        let outside = self.outside(self.root());
        let table = outside.entry(self.root(), index).frame().filter(|_| !self.entered);
        let mut changed = self.recording.steps[self.at].words.iter();
        let changed = table.and_then(|table| changed.find(|(frame, _)| *frame == table.number()));
        changed.map_or_else(Vec::new, |(_, words)| words.iter().map(|(at, _)| *at).collect())
    }

    /// Walks to `address`.
    pub fn way(&self, address: VirtAddr) -> Way {
        let Image { text, rodata, guard } = &self.recording.layout;
        let pages = |[start, end]: [u32; 2]| PageRange::new(Page::new(start), Page::new(end));
        let layout = Layout { text: pages(*text), rodata: pages(*rodata), guard: Page::new(*guard) };
        Way::new(&self.outside(self.root()), &self.events, &layout, address)
    }

    /// Returns in words what the last step changed: entries of the current address space, and how many other words.
    fn changes(&self) -> Vec<String> {
        let outside = self.outside(self.root());
        let tables = (0..ENTRIES).filter(|index| *index != OTHER_WINDOW_ENTRY);
        let tables: BTreeMap<u32, u32> =
            tables.filter_map(|index| Some((outside.entry(self.root(), index).frame()?.number(), index))).collect();
        let mut lines = Vec::new();
        if self.entered {
            lines.push(format!("CR3: {:?}", self.root().start()));
        }
        let mut others = 0;
        for (frame, words) in &self.recording.steps[self.at].words {
            match tables.get(frame) {
                Some(index) if !self.entered => {
                    // The directory, too, is seen as a table: that of its last entry.
                    let first = PageTable::pte_address(VirtAddr::new(*index << 22)).as_u32();
                    let words = words.iter().map(|(at, word)| (VirtAddr::new(first + 4 * at), Entry::from_bits(*word)));
                    lines.extend(words.map(|(at, entry)| format!("entry at {at}: {entry:?}")));
                }
                _ => others += words.len() as u32,
            }
        }
        let more = lines.len().saturating_sub(LISTED);
        lines.truncate(LISTED);
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        if others > 0 {
            let words = plural(others, "word", "words");
            lines.push(format!("{others} {words} of records, books of frames, and tables seen for the first time"));
        }
        lines
    }
}

impl Step {
    /// Records its events as the kernel did.
    fn record(&self, events: &mut Events) {
        for [number, address, amount, space] in self.before.iter().chain(&self.event) {
            if let Some(kind) = KINDS.into_iter().find(|kind| *kind as u32 == *number) {
                events.record(kind, VirtAddr::new(*address), *amount, Frame::new(*space));
            }
        }
    }
}
