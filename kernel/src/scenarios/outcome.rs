//! Demands of scenarios, and their outcomes.

use super::words::{Value, Word};
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
    pub expected: Value,
    /// Its value.
    pub seen: Value,
    /// Where the demand is made.
    pub at: &'static Location<'static>,
}

impl Failure {
    /// Makes the failure of a demand of the caller's.
    #[track_caller]
    pub fn new(what: &'static str, expected: Value, seen: Value) -> Self {
        Self { what, expected, seen, at: Location::caller() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, expected, seen, at } = self;
        // The same words of something else: of another address, or another number of pages.
        let other = if expected == seen { ", but another" } else { "" };
        write!(f, "{what} expected={expected} seen={seen}{other} at={}:{}", at.file(), at.line())
    }
}

/// The result of a scenario.
pub type Outcome = Result<(), Failure>;

/// A scenario's name and what it does.
pub type Scenario<M> = (&'static str, fn(&mut M) -> Outcome);

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
pub fn done<T, E: Word>(what: &'static str, result: Result<T, E>) -> Result<T, Failure> {
    // A closure would be the caller that is named.
    match result {
        Ok(value) => {
            DEMANDS_MET.fetch_add(1, Ordering::Relaxed);
            Ok(value)
        }
        Err(error) => Err(Failure::new(what, Value::Words("success"), error.word())),
    }
}
