//! Why something went wrong: a table of causes, each with its sign, its explanation, and where to look next.
//!
//! To teach the kernel another cause, put it into [`CAUSES`] before all that are less special: the first whose sign is
//! there is the one that is told.

use super::{Happening, PRESENT, Place, RESERVED_BIT, Unanswered, Walk};
use crate::addr::VirtAddr;
use crate::vm::{Fault, Refusal};

/// What is known when something has gone wrong.
#[derive(Clone, Copy)]
pub struct Signs<'a> {
    /// What happened.
    pub happening: Happening<'a>,
    /// Where the address lies that was touched, if it is about one.
    pub place: Option<Place>,
    /// How far the processor got with that address.
    pub walk: Option<Walk>,
    /// The instruction that did it.
    pub eip: Option<VirtAddr>,
    /// Whether the records of all pools of the current address space agree.
    pub sound: bool,
}

/// A cause of trouble.
pub struct Cause {
    /// Its name.
    pub name: &'static str,
    sign: fn(&Signs<'_>) -> bool,
    /// Why that is wrong.
    pub why: &'static str,
    /// Where to look next.
    pub next: &'static str,
}

/// Returns the first cause whose sign is there.
pub fn cause(signs: &Signs<'_>) -> Option<&'static Cause> {
    CAUSES.iter().find(|cause| (cause.sign)(signs))
}

impl Signs<'_> {
    fn fault(&self) -> Option<(Fault, u32, Unanswered)> {
        match self.happening {
            Happening::PageFault { fault, error, unanswered } => Some((fault, error, unanswered)),
            _ => None,
        }
    }

    fn is(&self, wanted: Unanswered) -> bool {
        self.fault().is_some_and(|(_, _, unanswered)| unanswered == wanted)
    }

    /// Says whether an absent page was touched in such a place.
    fn absent(&self, place: impl FnOnce(Place) -> bool) -> bool {
        self.fault().is_some_and(|(fault, ..)| !fault.present) && self.place.is_some_and(place)
    }

    /// Says whether a page that is present was written to in such a place.
    fn read_only(&self, place: impl FnOnce(Place) -> bool) -> bool {
        self.fault().is_some_and(|(fault, ..)| fault.present && fault.write) && self.place.is_some_and(place)
    }

    fn exception(&self, name: &str) -> bool {
        matches!(self.happening, Happening::Exception { mnemonic, .. } if mnemonic == name)
    }

    fn panic(&self, words: &str) -> bool {
        matches!(self.happening, Happening::Panic(message) if contains(message, words))
    }
}

/// Every cause that is known, the special ones before the general.
pub const CAUSES: &[Cause] = &[
    Cause {
        name: "stack overflow",
        sign: |signs| matches!(signs.happening, Happening::DoubleFault { overflow: true, .. }),
        why: "the stack is used up: a recursion without end, or more on the stack than it holds.",
        next: "the function that repeats in the trace: what ends it? Move large arrays to the heap.",
    },
    Cause {
        name: "stack pointer gone",
        sign: |signs| matches!(signs.happening, Happening::DoubleFault { .. }),
        why: "the processor could not push the first fault's frame: the stack pointer leads to no stack.",
        next: "ESP below, and the last instruction before EIP that set it: a switch of stacks, a pop.",
    },
    Cause {
        name: "too early",
        sign: |signs| signs.is(Unanswered::TooEarly),
        why: "the first page table is not made yet: only the first 4 MiB are mapped, and nothing is lazy.",
        next: "the order of things in kmain: this has to come after machine::start.",
    },
    Cause {
        name: "records damaged",
        sign: |signs| !signs.sound && (signs.is(Unanswered::Locked) || matches!(signs.happening, Happening::Panic(_))),
        why: "the records of a pool are damaged, and the kernel followed them: something wrote into a page of the \
              pool's own.",
        next: "stores to the first page of a pool: what lies below it overran, or its base was taken for a region.",
    },
    Cause {
        name: "lock held",
        sign: |signs| signs.is(Unanswered::Locked),
        why: "the kernel touched a lazy page while it held the memory's lock; such a fault has no answer (rule \
              no-lock-across-touch).",
        next: "the closure given to `with`, in the trace: touch or copy the page before it, or after.",
    },
    Cause {
        name: "wild jump",
        sign: |signs| {
            signs.fault().is_some_and(|(fault, ..)| !fault.present && !fault.write && signs.eip == Some(fault.address))
        },
        why: "the processor was sent there to execute: a function pointer or a return address is wrong.",
        next: "the first function in the trace: what does it call by pointer, and did it overrun an array on its stack?",
    },
    Cause {
        name: "reserved bit",
        sign: |signs| signs.fault().is_some_and(|(_, error, _)| error & PRESENT != 0 && error & RESERVED_BIT != 0),
        why: "an entry on the way has a bit set that must be zero: it was not written as an entry.",
        next: "the two entries of the walk: who stored this word?",
    },
    Cause {
        name: "stale translation",
        sign: |signs| match (signs.fault(), signs.walk) {
            (Some((fault, ..)), Some(walk)) => walk.allows(fault.write),
            _ => false,
        },
        why: "the tables allow this access, yet the processor refused it: it remembers an older entry. Whoever changed \
              the entry did not flush it (rule flush-inside).",
        next: "the store to this entry: `flush` of the page belongs right behind it.",
    },
    Cause {
        name: "null pointer",
        sign: |signs| signs.absent(|place| matches!(place, Place::Null(_))),
        why: "a pointer was used that was never set, or an index into an array that starts at a null pointer.",
        next: "the first function in the trace: where does its pointer come from?",
    },
    Cause {
        name: "guard page",
        sign: |signs| signs.absent(|place| place == Place::Guard),
        why: "an array on the stack was overrun downwards, or the stack is nearly used up.",
        next: "arrays in the functions of the trace, and indices that become negative.",
    },
    Cause {
        name: "write to code",
        sign: |signs| signs.read_only(|place| place == Place::Code),
        why: "code is read-only, for the kernel too: CR0.WP is set.",
        next: "the pointer: it is a function's address, or garbage.",
    },
    Cause {
        name: "write to constants",
        sign: |signs| signs.read_only(|place| place == Place::Constants),
        why: "constants, string literals among them, are read-only, for the kernel too: CR0.WP is set.",
        next: "the pointer: does it come from a `static` or a literal? Copy that before changing it.",
    },
    Cause {
        name: "read-only table",
        sign: |signs| signs.read_only(|_| true) && signs.walk.is_some_and(|walk| !walk.directory.is_writable()),
        why: "the directory entry lacks the W flag, so all of its 4 MiB are read-only, whatever the page table says.",
        next: "who stored the directory entry; Droste's own are all writable.",
    },
    Cause {
        name: "read-only page",
        sign: |signs| signs.read_only(|_| true),
        why: "the page is there, but its entry lacks the W flag: it was made read-only after it was backed.",
        next: "who changed the entry: lazily backed pages are always writable.",
    },
    Cause {
        name: "absent table",
        sign: |signs| signs.absent(|place| matches!(place, Place::Window(_, false))),
        why: "an entry of a page table was asked for, but there is no such table: its directory entry is absent.",
        next: "look at the directory entry first (`pde`); only where it is present is there a `pte`.",
    },
    Cause {
        name: "closed window",
        sign: |signs| signs.absent(|place| place == Place::OtherWindow),
        why: "the second window shows another space's tables only while directory entry 1022 leads there.",
        next: "Window::Other is for the inside of paging; for an own page use Window::Own.",
    },
    Cause {
        name: "out of frames",
        sign: |signs| signs.is(Unanswered::Refused(Refusal::OutOfFrames)),
        why: "the page is legitimate, but no frame is free to back it.",
        next: "`frames` and the events: who holds them? Regions released, pages freed, spaces destroyed?",
    },
    Cause {
        name: "use after release",
        sign: |signs| signs.absent(|place| matches!(place, Place::Released(..))),
        why: "the region was given back, and its frames with it: the pointer outlived it.",
        next: "the `release` among the events, and who still had the pointer.",
    },
    Cause {
        name: "use after drop",
        sign: |signs| signs.absent(|place| matches!(place, Place::Dropped(..))),
        why: "the pool was taken out of use with all of its regions: the pointer outlived it.",
        next: "the `drop` among the events, and who still had the pointer.",
    },
    Cause {
        name: "off by one",
        sign: |signs| signs.absent(|place| matches!(place, Place::Past(0..4, ..))),
        why: "the first word past the end of a region: one element too many.",
        next: "the condition that ends the loop: `<=` where `<` was meant?",
    },
    Cause {
        name: "past a region",
        sign: |signs| signs.absent(|place| matches!(place, Place::Past(..))),
        why: "the access ran past the end of a region: an index or a length is too large.",
        next: "the bytes asked for in `allocate`, against the index in the first function of the trace.",
    },
    Cause {
        name: "before a region",
        sign: |signs| signs.absent(|place| matches!(place, Place::Before(..))),
        why: "the access is below the start of a region: an index is negative, or a pointer was moved back too far.",
        next: "subtractions in the first function of the trace.",
    },
    Cause {
        name: "never allocated",
        sign: |signs| signs.absent(|place| matches!(place, Place::Unallocated(_))),
        why: "the address is in a pool, but no region holds it, nor did one as far back as is remembered.",
        next: "`regions` says what is allocated: is the address computed, or kept from another run?",
    },
    Cause {
        name: "outside pools",
        sign: |signs| signs.absent(|place| matches!(place, Place::OutsidePools | Place::NoPools)),
        why: "from its first pool on, an address space backs nothing outside of regions (rule strict-after-register).",
        next: "`pools` says what there is: was the right address space loaded?",
    },
    Cause {
        name: "first 4 MiB",
        sign: |signs| signs.absent(|place| place == Place::FirstPages),
        why: "the first 4 MiB are mapped once and for all; a page that is absent there stays so.",
        next: "who took the page away: guard pages of stacks are, and nothing else.",
    },
    Cause {
        name: "division",
        sign: |signs| signs.exception("#DE"),
        why: "a division by zero, or a quotient too large for its register.",
        next: "the divisor in the first function of the trace. Rust checks its own: this was assembly.",
    },
    Cause {
        name: "invalid opcode",
        sign: |signs| signs.exception("#UD"),
        why: "what EIP points at is no instruction: a wild jump, or a place that was never to be reached.",
        next: "EIP: is it inside a function? Else the return address or pointer that led there.",
    },
    Cause {
        name: "general protection",
        sign: |signs| signs.exception("#GP"),
        why: "a rule of protected mode was broken: a bad selector, a reserved bit of a control register, an interrupt \
              vector without a gate.",
        next: "the error code: if it is not 0 it names the selector, or the vector as 8 times its number plus 2.",
    },
    Cause {
        name: "breakpoint",
        sign: |signs| signs.exception("#BP") || signs.exception("#DB"),
        why: "a breakpoint or a single step, and no debugger to catch it.",
        next: "`make debug` runs the kernel under one.",
    },
    Cause {
        name: "exception",
        sign: |signs| matches!(signs.happening, Happening::Exception { .. }),
        why: "the processor could not carry out the instruction at EIP.",
        next: "the exception in the processor's manual (Intel SDM volume 3, chapter 6).",
    },
    Cause {
        name: "arithmetic overflow",
        sign: |signs| signs.panic("with overflow"),
        why: "a number left the range of its type; Droste checks that in every build.",
        next: "the source line above: is the input checked before it is computed with?",
    },
    Cause {
        name: "index out of bounds",
        sign: |signs| signs.panic("out of bounds") || signs.panic("out of range"),
        why: "an index is not below the length of what it indexes.",
        next: "the source line above: where do index and length come from?",
    },
    Cause {
        name: "heap used up",
        sign: |signs| signs.panic("memory allocation of"),
        why: "the kernel heap, of 1 MiB, has no block of this size left.",
        next: "what grows: a Vec that is never cleared? Large things belong in regions of a pool.",
    },
    Cause {
        name: "lock taken",
        sign: |signs| signs.panic("a lock is taken"),
        why: "the code holds a lock and asks for it again: on one processor nobody else can give it back.",
        next: "the closure given to `with`, in the trace: it must not call `with` itself.",
    },
    Cause {
        name: "panic",
        sign: |signs| matches!(signs.happening, Happening::Panic(_)),
        why: "the kernel found that something which must hold does not, and stopped.",
        next: "the source line above, and its callers in the trace.",
    },
];

/// Says whether `message` contains `words`.
fn contains(message: core::fmt::Arguments<'_>, words: &str) -> bool {
    let mut search = Search { words: words.as_bytes(), matched: 0 };
    core::fmt::write(&mut search, message).is_err()
}

/// A writer that fails as soon as it has seen the words.
struct Search<'a> {
    words: &'a [u8],
    matched: usize,
}

impl core::fmt::Write for Search<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for byte in text.bytes() {
            // No word that is searched for starts with a part of itself that also occurs later in it.
            self.matched = match () {
                () if byte == self.words[self.matched] => self.matched + 1,
                () if byte == self.words[0] => 1,
                () => 0,
            };
            if self.matched == self.words.len() {
                return Err(core::fmt::Error);
            }
        }
        Ok(())
    }
}
