//! What the kernel does to the machine in one step, in order.

use droste::addr::{Frame, Page};
use droste::paging::{Entry, Fault, Slot};
use droste::text::plural;
use std::fmt;

/// Acts that are kept; more are counted.
const KEPT: usize = 200;

/// Something that the kernel, or the processor, does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// The processor traps into the kernel.
    Trap(Fault),
    /// The kernel returns from a trap.
    Return,
    /// The kernel has no answer to a fault.
    Refuse,
    /// An entry is written through a window.
    Store(Slot, Entry),
    /// A page is filled with zeros.
    Clear(Page),
    /// A page is copied into another.
    Copy(Page, Page),
    /// The translation of a page is forgotten.
    Flush(Page),
    /// All translations are forgotten.
    FlushAll,
    /// Another directory becomes the current one.
    Load(Frame),
    /// So many words are written, all in records of pools.
    Words(u32),
    /// A flush that is left out on purpose.
    NoFlush(Page),
    /// The clearing of a table that is left out on purpose.
    NoClear(Page),
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trap(Fault { address, present, write }) => {
                let access = if *write { "write to" } else { "read of" };
                let page = if *present { "a protected" } else { "an absent" };
                write!(f, "trap: {access} {page} page at {address}")
            }
            Self::Return => write!(f, "return: the access is tried again"),
            Self::Refuse => write!(f, "no answer: the access is reported"),
            Self::Store(slot, entry) => write!(f, "entry at {}: {entry:?}", slot.address()),
            Self::Clear(page) => write!(f, "clear the page at {}", page.start()),
            Self::Copy(from, to) => write!(f, "copy the page at {} to {}", from.start(), to.start()),
            Self::Flush(page) => write!(f, "flush the page at {}", page.start()),
            Self::FlushAll => write!(f, "flush all: CR3 is loaded again"),
            Self::Load(root) => write!(f, "load CR3: {:?}", root.start()),
            Self::Words(count) => write!(f, "{count} {} of pools' records", plural(*count, "word", "words")),
            Self::NoFlush(page) => write!(f, "left out: a flush of the page at {}", page.start()),
            Self::NoClear(page) => write!(f, "left out: clearing the page at {}", page.start()),
        }
    }
}

/// The acts of a step.
#[derive(Default)]
pub struct Trace {
    kept: Vec<Act>,
    more: usize,
}

impl Trace {
    /// Adds an act. Words that are written one after the other are one act.
    pub fn add(&mut self, act: Act) {
        if let (Some(Act::Words(count)), Act::Words(more)) = (self.kept.last_mut(), act) {
            *count += more;
        } else if self.kept.len() < KEPT {
            self.kept.push(act);
        } else {
            self.more += 1;
        }
    }

    /// Returns the acts in words, and at the end how many more there were.
    pub fn in_words(&self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        self.kept.iter().map(ToString::to_string).chain(more).collect()
    }
}
