//! Demands of scenarios, and their outcomes.

use crate::vm::Refusal;
use core::fmt;
use core::panic::Location;
use core::sync::atomic::{AtomicU32, Ordering};

/// How many demands were met. Nobody here reads it: at a time limit, the grader tells by it a scenario that gets on,
/// however slowly, from one that does not.
static DEMANDS_MET: AtomicU32 = AtomicU32::new(0);

/// A demand that was not met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The thing that was looked at.
    pub what: &'static str,
    /// Its expected value.
    pub expected: u32,
    /// Its value.
    pub seen: u32,
    /// Where the demand is made.
    pub at: &'static Location<'static>,
}

impl Failure {
    /// Makes the failure of a demand of the caller's.
    #[track_caller]
    pub fn new(what: &'static str, expected: u32, seen: u32) -> Self {
        Self { what, expected, seen, at: Location::caller() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} expected={:#x} seen={:#x} at={}:{}",
            self.what,
            self.expected,
            self.seen,
            self.at.file(),
            self.at.line()
        )
    }
}

/// The result of a scenario.
pub type Outcome = Result<(), Failure>;

/// A scenario's name and what it does.
pub type Scenario<M> = (&'static str, fn(&mut M) -> Outcome);

/// Something that a demand can be made of: it prints as a word.
pub trait Word: PartialEq {
    /// Returns the word.
    fn word(&self) -> u32;
}

impl Word for u32 {
    fn word(&self) -> u32 {
        *self
    }
}

impl Word for bool {
    fn word(&self) -> u32 {
        u32::from(*self)
    }
}

/// Granted is 0; a refusal is its code.
impl Word for Result<(), Refusal> {
    fn word(&self) -> u32 {
        self.map_or_else(|refusal| refusal.code().get(), |()| 0)
    }
}

/// Demands that `seen` is `expected`.
///
/// # Errors
///
/// A [`Failure`] with both, if not.
#[track_caller]
pub fn demand<T: Word>(what: &'static str, expected: T, seen: T) -> Outcome {
    if expected != seen {
        return Err(Failure::new(what, expected.word(), seen.word()));
    }
    DEMANDS_MET.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Turns an unexpected error of an operation into a failure.
///
/// # Errors
///
/// A [`Failure`] of the caller's, if `result` is an error.
#[track_caller]
pub fn done<T, E>(what: &'static str, result: Result<T, E>) -> Result<T, Failure> {
    // A closure would be the caller that is named.
    match result {
        Ok(value) => {
            DEMANDS_MET.fetch_add(1, Ordering::Relaxed);
            Ok(value)
        }
        Err(_) => Err(Failure::new(what, 1, 0)),
    }
}
