//! What demands are made of, in words: so that a failure says `refused: protection` and not a number.

use crate::frames::{MarkError, ReleaseError as FrameError};
use crate::paging::{FileError, OutOfFrames};
use crate::vm::{AddressSpace, AllocateError, MapError, Refusal, RegisterError, ReleaseError, VmPool};
use core::fmt;

/// A value in a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    /// A number, which prints in hex.
    Number(u32),
    /// What is no number.
    Words(&'static str),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number:#x}"),
            Self::Words(words) => f.write_str(words),
        }
    }
}

/// Something that a demand can be made of.
pub trait Word: PartialEq {
    /// Returns it as a failure shows it.
    fn word(&self) -> Value;
}

impl Word for u32 {
    fn word(&self) -> Value {
        Value::Number(*self)
    }
}

/// What has words for itself, whatever figures belong to it.
trait Named: PartialEq {
    fn name(&self) -> &'static str;
}

impl<T: Named> Word for T {
    fn word(&self) -> Value {
        Value::Words(self.name())
    }
}

impl Named for bool {
    fn name(&self) -> &'static str {
        if *self { "true" } else { "false" }
    }
}

/// Of something that may be missing.
impl Named for () {
    fn name(&self) -> &'static str {
        "none"
    }
}

/// An error that is expected.
impl<E: Named> Named for Option<E> {
    fn name(&self) -> &'static str {
        self.as_ref().map_or("success", E::name)
    }
}

/// An access.
impl Named for Result<(), Refusal> {
    fn name(&self) -> &'static str {
        self.as_ref().map_or_else(Refusal::name, |()| "granted")
    }
}

impl Named for Refusal {
    fn name(&self) -> &'static str {
        match self {
            Self::Protection => "refused: protection",
            Self::FirstPages => "refused: the first 4 MiB",
            Self::Window => "refused: a window",
            Self::Illegitimate => "refused: not legitimate",
            Self::OutOfFrames => "refused: out of frames",
        }
    }
}

impl Named for FrameError {
    fn name(&self) -> &'static str {
        match self {
            Self::Foreign(_) => "refused: a frame of no pool",
            Self::Free(_) => "refused: a free frame",
            Self::Inner(_) => "refused: a frame inside a sequence",
            Self::Inaccessible(_) => "refused: an inaccessible frame",
        }
    }
}

impl Named for MarkError {
    fn name(&self) -> &'static str {
        match self {
            Self::Outside(_) => "refused: a frame outside the pool",
            Self::InUse(_) => "refused: a frame in use",
        }
    }
}

impl Named for OutOfFrames {
    fn name(&self) -> &'static str {
        "out of frames"
    }
}

impl Named for FileError {
    fn name(&self) -> &'static str {
        match self {
            Self::Empty => "refused: 0 bytes",
            Self::PastDrive(_) => "refused: past the drive",
            Self::TooLarge => "refused: too large",
        }
    }
}

impl Named for MapError {
    fn name(&self) -> &'static str {
        match self {
            Self::NoFile => "refused: no such file",
            Self::ReadOnly => "refused: a file that is read-only",
            Self::Misaligned => "refused: misaligned",
            Self::Pool(error) => error.name(),
            Self::OutOfFrames => "refused: out of frames",
        }
    }
}

impl Named for AllocateError {
    fn name(&self) -> &'static str {
        match self {
            Self::NotCurrent => "refused: no pool of this space",
            Self::Empty => "refused: 0 bytes",
            Self::NoRoom(_) => "refused: no room",
            Self::OutOfFrames => "refused: out of frames",
        }
    }
}

impl Named for ReleaseError {
    fn name(&self) -> &'static str {
        match self {
            Self::NotCurrent => "refused: no pool of this space",
            Self::Unknown(_) => "refused: an unknown address",
            Self::Inner(..) => "refused: an inner address",
            Self::Metadata(_) => "refused: a metadata page",
        }
    }
}

impl Named for RegisterError {
    fn name(&self) -> &'static str {
        match self {
            Self::Misaligned => "refused: misaligned",
            Self::TooSmall => "refused: too small",
            Self::OutOfRange => "refused: out of range",
            Self::Overlaps(_) => "refused: over another pool",
            Self::Backed(_) => "refused: over a backed page",
            Self::OutOfFrames => "refused: out of frames",
        }
    }
}

/// A pool that was not dropped comes back.
impl Named for VmPool {
    fn name(&self) -> &'static str {
        "refused"
    }
}

/// An address space that was not destroyed comes back.
impl Named for AddressSpace {
    fn name(&self) -> &'static str {
        "refused"
    }
}
