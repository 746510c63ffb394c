//! The words that the parts of the grader share: a run and its end, a check that did not hold, a checkpoint.
//!
//! Whoever watches a machine, audits it or reads its records writes them; the verdict judges them.

use crate::child::Exit;
use crate::symbols::CodeLocation;
use serde::Deserialize;
use signal_hook::consts::{SIGKILL, SIGTERM};
use std::time::Duration;

/// How a machine came to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It ended by itself, with this exit status.
    Status(i32),
    /// The program that plays the machine was ended by this signal, which the grader did not send.
    Signal(i32),
    /// It stood still of its own accord, at the freeze port, and was not let go on.
    Frozen,
    /// It was reset by its own wish.
    Reset,
    /// It could not deliver an exception, which resets it: the exceptions that led there, oldest first.
    TripleFault(Vec<String>),
    /// It stood still for good: it waited for an interrupt with interrupts off.
    Halted(CodeLocation),
    /// At its time limit it ran around in few functions, here most of the time, and its test did not get on.
    Spinning(CodeLocation, Duration),
    /// At its time limit it did nothing but fault at one address.
    FaultLoop {
        /// The address.
        address: u32,
        /// The instruction.
        place: CodeLocation,
        /// How often it was seen in a moment.
        times: usize,
    },
    /// It was still at work at its time limit.
    OverLimit(Duration),
    /// It could not be started, for this reason.
    NotStarted(String),
}

impl From<Exit> for Ended {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Status(status) => Self::Status(status),
            Exit::Signal(signal) => Self::Signal(signal),
        }
    }
}

/// What a machine leaves behind.
#[derive(Clone, Debug)]
pub struct Run {
    /// How it ended.
    pub ended: Ended,
    /// Whether the kernel is known to have run: what went wrong with the machine from then on is the kernel's doing.
    pub ran: bool,
    /// What came over the control channel.
    pub control: String,
    /// What a person would have seen.
    pub console: String,
    /// What the program that plays the machine complained about.
    pub stderr: String,
    /// What the auditor found wrong.
    pub findings: Vec<Check>,
    /// The checkpoints at which the auditor found nothing wrong.
    pub held: Vec<String>,
    /// Whether the auditor saw the kernel where a pass is said.
    pub passed: bool,
    /// How long it took.
    pub took: Duration,
    /// How long processors worked for it, if that is known.
    pub worked: Duration,
}

impl Run {
    /// Says whether somebody else has ended the program that plays the machine: a user, or a system without memory.
    pub fn was_killed(&self) -> bool {
        matches!(self.ended, Ended::Signal(SIGKILL | SIGTERM))
    }

    /// Makes what a machine leaves behind that did nothing but end.
    pub fn nothing(ended: Ended) -> Self {
        Self {
            ended,
            ran: false,
            control: String::new(),
            console: String::new(),
            stderr: String::new(),
            findings: Vec::new(),
            held: Vec::new(),
            passed: false,
            took: Duration::ZERO,
            worked: Duration::ZERO,
        }
    }
}

/// A statement that does not hold: what it is about, what must be, what is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// What it is about.
    pub what: String,
    /// What must be.
    pub expected: String,
    /// What is.
    pub seen: String,
    /// File and line of the demand, if the kernel made it.
    pub at: Option<String>,
}

impl Check {
    /// Makes a statement that does not hold.
    pub fn new(what: impl Into<String>, expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { what: what.into(), expected: expected.into(), seen: seen.into(), at: None }
    }
}

/// A checkpoint that a test must come to, and what the manifest says of it.
#[derive(Clone, PartialEq, Eq, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Its name.
    pub name: String,
    /// How many page faults there were up to here, if that does not depend on the seed.
    pub faults: Option<u32>,
    /// How many pages the claims call backed, if that does not depend on the seed.
    pub backed: Option<u32>,
    /// How many claims there are about pages.
    pub claims: usize,
}

impl Checkpoint {
    /// Returns the checkpoint at the end of every scenario: nothing is claimed there but what every kernel knows.
    pub fn end() -> Self {
        Self { name: "end".into(), faults: None, backed: None, claims: 0 }
    }

    /// Says whether what is claimed there can be held against QEMU's log of exceptions and the frame pools' maps.
    pub fn is_close(&self) -> bool {
        *self != Self::end()
    }
}
