//! Crashes: a page fault that was not answered, another exception, a panic.

use crate::addr::VirtAddr;
use crate::paging::Fault;
use crate::vm::Refusal;
use core::fmt;

/// Bits of a page fault's error code (Intel SDM volume 3, section 4.7).
pub(super) const PRESENT: u32 = 1 << 0;
/// The bit of an error code that says that the access was a write.
pub const WRITE: u32 = 1 << 1;
/// Bits that no access of the kernel should set.
const USER: u32 = 1 << 2;
pub(super) const RESERVED_BIT: u32 = 1 << 3;

/// Reads a page fault's error code.
#[inline]
pub const fn decode(error_code: u32, address: VirtAddr) -> Fault {
    Fault { address, present: error_code & PRESENT != 0, write: error_code & WRITE != 0 }
}

/// Why a fault was not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultError {
    /// The memory is being worked on: the kernel itself faulted in the middle of it (rule **no-lock-across-touch**).
    Locked,
    /// There is no page table of the kernel's own yet.
    TooEarly,
    /// The address space says no.
    Refused(Refusal),
}

/// An event that ends the kernel, or an access.
#[derive(Clone, Copy)]
pub enum Crash<'a> {
    /// A page fault that was not answered.
    PageFault {
        /// The access.
        fault: Fault,
        /// The processor's error code.
        code: u32,
        /// Why there was no answer.
        error: FaultError,
    },
    /// Another exception of the processor's.
    Exception {
        /// Its short name, such as `#DE`.
        mnemonic: &'a str,
        /// Its name in words.
        description: &'a str,
        /// The processor's error code, or 0.
        code: u32,
    },
    /// A fault that could not even be reported as one.
    DoubleFault {
        /// Where the last page fault was.
        address: VirtAddr,
        /// Whether that is in the guard page below a stack, or the stack pointer is.
        overflow: bool,
    },
    /// The kernel gave up by itself.
    Panic(fmt::Arguments<'a>),
}

impl Crash<'_> {
    /// Returns its kind in one word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::PageFault { error: FaultError::Refused(refusal), .. } => match refusal {
                Refusal::Protection => "protection",
                Refusal::FirstPages | Refusal::Window | Refusal::Illegitimate => "illegal-access",
                Refusal::OutOfFrames => "out-of-frames",
            },
            Self::PageFault { error: FaultError::Locked, .. } => "locked",
            Self::PageFault { error: FaultError::TooEarly, .. } => "too-early",
            Self::Exception { .. } => "exception",
            Self::DoubleFault { overflow: true, .. } => "stack-overflow",
            Self::DoubleFault { overflow: false, .. } => "double-fault",
            Self::Panic(_) => "panic",
        }
    }

    /// Returns the address that was touched, if it is about one.
    pub const fn address(&self) -> Option<VirtAddr> {
        match self {
            Self::PageFault { fault, .. } => Some(fault.address),
            Self::DoubleFault { address, .. } => Some(*address),
            Self::Exception { .. } | Self::Panic(_) => None,
        }
    }
}

/// Prints what happened, without its kind.
impl fmt::Display for Crash<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PageFault { fault, code, error } => {
                write!(f, "{} at {}", Access(*code), fault.address)?;
                match error {
                    FaultError::Locked => write!(f, " by the kernel, while it worked on the memory"),
                    FaultError::TooEarly => write!(f, ", before there was a page table"),
                    FaultError::Refused(Refusal::OutOfFrames) => write!(f, ", which is legitimate"),
                    FaultError::Refused(_) => Ok(()),
                }
            }
            Self::Exception { mnemonic, description, code } => {
                write!(f, "{description} ({mnemonic}), error code {code:#x}")
            }
            Self::DoubleFault { address, overflow: true } => write!(f, "kernel stack overflow at {address}"),
            Self::DoubleFault { address, .. } => write!(f, "double fault; the last page fault was at {address}"),
            Self::Panic(message) => write!(f, "{message}"),
        }
    }
}

/// A page fault's error code in words.
struct Access(u32);

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |bit| self.0 & bit != 0;
        let who = if has(USER) { "user" } else { "kernel" };
        let what = if has(WRITE) { "write to" } else { "read of" };
        let page = match (has(PRESENT), has(RESERVED_BIT), has(WRITE)) {
            (false, ..) => "an absent page",
            (true, true, _) => "a page whose entry has a reserved bit set",
            (true, false, true) => "a read-only page",
            (true, false, false) => "a protected page",
        };
        write!(f, "{who} {what} {page} (error code {:#x})", self.0)
    }
}
