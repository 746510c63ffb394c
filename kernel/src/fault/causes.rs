//! Why something went wrong: a table of causes, each with the evidence that it matches, its explanation, and where to look
//! next.
//!
//! Add a cause to [`CAUSES`] above every more general one: the first match wins.

use super::crash::{Crash, FaultError, PRESENT, RESERVED_BIT};
use super::location::Location;
use super::walk::Walk;
use crate::addr::VirtAddr;
use crate::paging::{Entry, Fault};
use crate::vm::Refusal;

/// The evidence that causes are matched with.
#[derive(Clone, Copy)]
pub struct Evidence<'a> {
    /// The crash.
    pub crash: Crash<'a>,
    /// Where the address lies that was touched, if it is about one.
    pub place: Option<Location>,
    /// How far the processor got with that address.
    pub walk: Option<Walk>,
    /// The instruction that did it.
    pub eip: Option<VirtAddr>,
    /// Whether the metadata of all pools of the current address space agrees.
    pub sound: bool,
    /// How many frames of the process pool are free.
    pub free_frames: u32,
    /// Whether there is a drive for pages that make way.
    pub has_swap: bool,
    /// Whether it was a program, in ring 3.
    pub by_program: bool,
}

/// A cause, and the words for it.
pub struct Cause {
    /// Its name.
    pub name: &'static str,
    matches: fn(&Evidence<'_>) -> bool,
    /// Why that is wrong.
    pub why: &'static str,
    /// Where to look next.
    pub next: &'static str,
}

/// Returns the first cause that matches.
pub fn cause(evidence: &Evidence<'_>) -> Option<&'static Cause> {
    CAUSES.iter().find(|cause| (cause.matches)(evidence))
}

impl Evidence<'_> {
    fn fault(&self) -> Option<(Fault, u32, FaultError)> {
        match self.crash {
            Crash::PageFault { fault, code, error } => Some((fault, code, error)),
            _ => None,
        }
    }

    fn is(&self, wanted: FaultError) -> bool {
        self.fault().is_some_and(|(.., error)| error == wanted)
    }

    /// Says whether an absent page was touched in such a place.
    fn absent(&self, place: impl FnOnce(Location) -> bool) -> bool {
        self.fault().is_some_and(|(fault, ..)| !fault.present) && self.place.is_some_and(place)
    }

    /// Says whether a page that is present was written to in such a place.
    fn read_only(&self, place: impl FnOnce(Location) -> bool) -> bool {
        self.fault().is_some_and(|(fault, ..)| fault.present && fault.write) && self.place.is_some_and(place)
    }

    fn exception(&self, name: &str) -> bool {
        matches!(self.crash, Crash::Exception { mnemonic, .. } if mnemonic == name)
    }

    fn panic(&self, words: &str) -> bool {
        matches!(self.crash, Crash::Panic(message) if contains(message, words))
    }
}

/// Every cause that is known, the special ones before the general.
pub const CAUSES: &[Cause] = &[
    Cause {
        name: "stack overflow",
        matches: |evidence| matches!(evidence.crash, Crash::DoubleFault { overflow: true, .. }),
        why: "the stack is used up: a recursion without end, or more on the stack than it holds.",
        next: "the function that repeats in the trace: what ends it? Move large arrays to the heap.",
    },
    Cause {
        name: "stack pointer gone",
        matches: |evidence| matches!(evidence.crash, Crash::DoubleFault { .. }),
        why: "the processor could not push the first fault's frame: the stack pointer leads to no stack.",
        next: "ESP below, and the last instruction before EIP that set it: a switch of stacks, a pop.",
    },
    Cause {
        name: "too early",
        matches: |evidence| evidence.is(FaultError::TooEarly),
        why: "the first page table is not made yet: only the first 4 MiB are mapped, and nothing is lazy.",
        next: "the order of things in kmain: this has to come after memory::start.",
    },
    Cause {
        name: "metadata damaged",
        matches: |evidence| {
            !evidence.sound && (evidence.is(FaultError::Locked) || matches!(evidence.crash, Crash::Panic(_)))
        },
        why: "the metadata of a pool is damaged, and the kernel followed it: something wrote into a metadata page.",
        next: "stores to the first page of a pool: what lies below it overran, or its base was taken for a region.",
    },
    Cause {
        name: "lock held",
        matches: |evidence| evidence.is(FaultError::Locked),
        why: "the kernel touched a lazy page while it held the memory's lock; such a fault has no answer (rule \
              no-lock-across-touch).",
        next: "the closure given to `with`, in the trace: touch or copy the page before it, or after.",
    },
    Cause {
        name: "the kernel's page",
        matches: |evidence| {
            let is_own = matches!(evidence.place, Some(Location::Region(_)));
            evidence.by_program && !is_own && evidence.fault().is_some_and(|(fault, ..)| fault.present)
        },
        why: "ring 3 may touch pages of regions only. This one is of the kernel's image, its pools, its windows, or the first \
              page of a pool, which is the guard below the stack, too.",
        next: "the first function in the trace; if ESP is close by, what is large on the stack, or what calls itself?",
    },
    Cause {
        name: "wild jump",
        matches: |evidence| {
            evidence
                .fault()
                .is_some_and(|(fault, ..)| !fault.present && !fault.write && evidence.eip == Some(fault.address))
        },
        why: "the processor was sent there to execute: a function pointer or a return address is wrong.",
        next: "the first function in the trace: what does it call by pointer, and did it overrun an array on its stack?",
    },
    Cause {
        name: "reserved bit",
        matches: |evidence| {
            evidence.fault().is_some_and(|(_, code, _)| code & PRESENT != 0 && code & RESERVED_BIT != 0)
        },
        why: "an entry on the way has a bit set that must be zero: it was not written as an entry.",
        next: "the two entries of the walk: who stored this word?",
    },
    Cause {
        name: "stale translation",
        matches: |evidence| match (evidence.fault(), evidence.walk) {
            (Some((fault, ..)), Some(walk)) => walk.allows(fault.write),
            _ => false,
        },
        why: "the tables allow this access, yet the processor refused it: it remembers an older entry. Whoever changed \
              the entry did not flush it (rule flush-inside).",
        next: "the store to this entry: `flush` of the page belongs right behind it.",
    },
    Cause {
        name: "null pointer",
        matches: |evidence| evidence.absent(|place| matches!(place, Location::Null(_))),
        why: "a pointer was used that was never set, or an index into an array that starts at a null pointer.",
        next: "the first function in the trace: where does its pointer come from?",
    },
    Cause {
        name: "guard page",
        matches: |evidence| evidence.absent(|place| place == Location::Guard),
        why: "an array on the stack was overrun downwards, or the stack is nearly used up.",
        next: "arrays in the functions of the trace, and indices that become negative.",
    },
    Cause {
        name: "write to code",
        matches: |evidence| evidence.read_only(|place| place == Location::Code),
        why: "code is read-only, for the kernel too: CR0.WP is set.",
        next: "the pointer: it is a function's address, or garbage.",
    },
    Cause {
        name: "write to constants",
        matches: |evidence| evidence.read_only(|place| place == Location::Constants),
        why: "constants, string literals among them, are read-only, for the kernel too: CR0.WP is set.",
        next: "the pointer: does it come from a `static` or a literal? Copy that before changing it.",
    },
    Cause {
        name: "no frame for a copy",
        matches: |evidence| {
            evidence.fault().is_some_and(|(fault, ..)| fault.present)
                && evidence.is(FaultError::Refused(Refusal::OutOfFrames))
        },
        why: "other address spaces share the page, so the first write needs a frame for a copy, and none is free.",
        next: "`frames` and the events: who holds them? A clone that nobody needs any more, not destroyed?",
    },
    Cause {
        name: "read-only file",
        matches: |evidence| {
            evidence.read_only(|_| true) && evidence.walk.is_some_and(|walk| walk.directory.is_of_file())
        },
        why: "the region is a file, mapped read-only: the W flag is missing, above the table if the file is shared.",
        next: "the `map_file` that made it: a private view may be writable, even if the file is not.",
    },
    Cause {
        name: "read-only table",
        matches: |evidence| {
            evidence.read_only(|_| true) && evidence.walk.is_some_and(|walk| !walk.directory.is_writable())
        },
        why: "the directory entry lacks the W flag, so all of its 4 MiB are read-only, whatever the page table says.",
        next: "who stored the directory entry; Droste's own are all writable.",
    },
    Cause {
        name: "read-only page",
        matches: |evidence| evidence.read_only(|_| true),
        why: "the page is there, but its entry lacks the W flag: it was made read-only after it was backed.",
        next: "who changed the entry: lazily backed pages are always writable.",
    },
    Cause {
        name: "absent table",
        matches: |evidence| evidence.absent(|place| matches!(place, Location::Window(_, false))),
        why: "an entry of a page table was asked for, but there is no such table: its directory entry is absent.",
        next: "look at the directory entry first (`pde`); only where it is present is there a `pte`.",
    },
    Cause {
        name: "closed window",
        matches: |evidence| evidence.absent(|place| place == Location::OtherWindow),
        why: "the second window shows another space's tables only while directory entry 1022 leads there.",
        next: "Window::Other is for the inside of paging; for a page of the current space use Window::Own.",
    },
    Cause {
        name: "unreadable file",
        matches: |evidence| {
            // There was a frame to read it into.
            let is_in_file = evidence.walk.is_some_and(|walk| walk.table.is_some_and(Entry::is_in_file));
            is_in_file && evidence.free_frames > 0 && evidence.is(FaultError::Refused(Refusal::OutOfFrames))
        },
        why: "the page is in a file, and the file's drive can't read it, or the file is gone.",
        next: "`files` says how many reads failed; the next touch tries again.",
    },
    Cause {
        name: "unreadable slot",
        matches: |evidence| {
            // There was a frame to read it into.
            let is_on_drive = evidence.walk.and_then(|walk| walk.table?.slot()).is_some();
            is_on_drive && evidence.free_frames > 0 && evidence.is(FaultError::Refused(Refusal::OutOfFrames))
        },
        why: "the page went to the drive when frames ran out, and the drive can't read it back.",
        next: "the drive: `swap` says how many reads and writes failed. What was on the page is lost.",
    },
    Cause {
        name: "drive full",
        matches: |evidence| evidence.has_swap && evidence.is(FaultError::Refused(Refusal::OutOfFrames)),
        why: "no frame is free, and no page can make way for another: the drive has no free slot, or does not take what is \
              written.",
        next: "`swap` says which it is; a larger drive (make run DRIVE=MiB), or less that is kept.",
    },
    Cause {
        name: "out of frames",
        matches: |evidence| evidence.is(FaultError::Refused(Refusal::OutOfFrames)),
        why: "the page is legitimate, but no frame is free to back it.",
        next: "`frames` and the events: who holds them? Regions released, pages freed, spaces destroyed?",
    },
    Cause {
        name: "use after release",
        matches: |evidence| evidence.absent(|place| matches!(place, Location::Released(..))),
        why: "the region was given back, and its frames with it: the pointer outlived it.",
        next: "the `release` among the events, and who still had the pointer.",
    },
    Cause {
        name: "use after drop",
        matches: |evidence| evidence.absent(|place| matches!(place, Location::Dropped(..))),
        why: "the pool was taken out of use with all of its regions: the pointer outlived it.",
        next: "the `drop` among the events, and who still had the pointer.",
    },
    Cause {
        name: "past the end of a file",
        matches: |evidence| {
            let is_view = evidence.walk.is_some_and(|walk| walk.directory.is_of_file());
            is_view && evidence.absent(|place| !matches!(place, Location::Region(_)))
        },
        why: "the page is behind the last one of the file that is mapped there.",
        next: "`files` says how many bytes it has; only to the end of its last page are there zeros.",
    },
    Cause {
        name: "off by one",
        matches: |evidence| evidence.absent(|place| matches!(place, Location::Past(0..4, ..))),
        why: "the first word past the end of a region: one element too many.",
        next: "the condition that ends the loop: `<=` where `<` was meant?",
    },
    Cause {
        name: "past a region",
        matches: |evidence| evidence.absent(|place| matches!(place, Location::Past(..))),
        why: "the access ran past the end of a region: an index or a length is too large.",
        next: "the bytes asked for in `allocate`, against the index in the first function of the trace.",
    },
    Cause {
        name: "before a region",
        matches: |evidence| evidence.absent(|place| matches!(place, Location::Before(..))),
        why: "the access is below the start of a region: an index is negative, or a pointer was moved back too far.",
        next: "subtractions in the first function of the trace.",
    },
    Cause {
        name: "never allocated",
        matches: |evidence| evidence.absent(|place| matches!(place, Location::Unallocated(_))),
        why: "the address is in a pool, but no region holds it, nor did one as far back as is remembered.",
        next: "`regions` says what is allocated: is the address computed, or kept from another run?",
    },
    Cause {
        name: "outside pools",
        matches: |evidence| evidence.absent(|place| matches!(place, Location::OutsidePools | Location::NoPools)),
        why: "from its first pool on, an address space backs nothing outside of regions (rule strict-after-register).",
        next: "`pools` says what there is: was the right address space loaded?",
    },
    Cause {
        name: "first 4 MiB",
        matches: |evidence| evidence.absent(|place| place == Location::FirstPages),
        why: "the first 4 MiB are mapped once and for all; a page that is absent there stays so.",
        next: "who took the page away: guard pages of stacks are, and nothing else.",
    },
    Cause {
        name: "division",
        matches: |evidence| evidence.exception("#DE"),
        why: "a division by zero, or a quotient too large for its register.",
        next: "the divisor in the first function of the trace. Rust checks its own: this was assembly.",
    },
    Cause {
        name: "invalid opcode",
        matches: |evidence| evidence.exception("#UD"),
        why: "what EIP points at is no instruction: a wild jump, or a place that was never to be reached.",
        next: "EIP: is it inside a function? Else the return address or pointer that led there.",
    },
    Cause {
        name: "not for programs",
        matches: |evidence| evidence.by_program && evidence.exception("#GP"),
        why: "an instruction, a selector or a vector that ring 3 may not use: what the kernel does for programs it does at \
              int 0x80.",
        next: "the instruction at EIP. The error code, if it is not 0, names the selector, or the vector as 8 times its number \
               plus 2.",
    },
    Cause {
        name: "no FPU",
        matches: |evidence| evidence.exception("#NM"),
        why: "an instruction of the FPU: no thread has a place for its registers, so it is turned off.",
        next: "floating-point numbers, or a compiler that was not told to do without the FPU.",
    },
    Cause {
        name: "general protection",
        matches: |evidence| evidence.exception("#GP"),
        why: "a rule of protected mode was broken: a bad selector, a reserved bit of a control register, an interrupt \
              vector without a gate.",
        next: "the error code: if it is not 0 it names the selector, or the vector as 8 times its number plus 2.",
    },
    Cause {
        name: "breakpoint",
        matches: |evidence| evidence.exception("#BP") || evidence.exception("#DB"),
        why: "a breakpoint or a single step, and no debugger to catch it.",
        next: "`make debug` runs the kernel under one.",
    },
    Cause {
        name: "exception",
        matches: |evidence| matches!(evidence.crash, Crash::Exception { .. }),
        why: "the processor could not carry out the instruction at EIP.",
        next: "the exception in the processor's manual (Intel SDM volume 3, chapter 6).",
    },
    Cause {
        name: "arithmetic overflow",
        matches: |evidence| evidence.panic("with overflow"),
        why: "a number left the range of its type; Droste checks that in every build.",
        next: "the source line above: is the input checked before it is computed with?",
    },
    Cause {
        name: "index out of bounds",
        matches: |evidence| evidence.panic("out of bounds") || evidence.panic("out of range"),
        why: "an index is not below the length of what it indexes.",
        next: "the source line above: where do index and length come from?",
    },
    Cause {
        name: "heap used up",
        matches: |evidence| evidence.panic("memory allocation of"),
        why: "the kernel heap has no block of this size left, and the kernel's frame pool no frames for one.",
        next: "what grows: a Vec that is never cleared? Large things belong in regions of a pool.",
    },
    Cause {
        name: "lock taken",
        matches: |evidence| evidence.panic("a lock is taken"),
        why: "the code holds a lock and asks for it again: on one processor nobody else can give it back.",
        next: "the closure given to `with`, in the trace: it must not call `with` itself.",
    },
    Cause {
        name: "panic",
        matches: |evidence| matches!(evidence.crash, Crash::Panic(_)),
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
