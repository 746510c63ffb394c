//! What an audit finds wrong.

use crate::run::Check;

/// How many findings of one checkpoint are told. A machine may be wrong in a million places.
const TOLD: usize = 5;

/// The first few things that were found wrong.
#[derive(Default, Debug)]
pub struct Findings(Vec<Check>);

impl Findings {
    /// Notes that `what` should be `expected` and is not.
    pub fn add(&mut self, what: impl Into<String>, expected: impl Into<String>, seen: impl Into<String>) {
        if self.0.len() < TOLD {
            self.0.push(Check::new(what, expected, seen));
        }
    }

    /// Returns them, the first one first; none if all is right.
    pub fn told(self) -> Vec<Check> {
        self.0
    }
}
