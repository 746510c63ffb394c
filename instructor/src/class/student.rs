//! A submission of a class, and what came of it.

use super::roster::Entry;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A submission, where its results are, and what came of it.
#[derive(Clone, Debug)]
pub struct Student {
    pub entry: Entry,
    pub place: PathBuf,
    pub outcome: Outcome,
}

/// What came of a submission.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Stands for all that it was made of.
    pub made_of: u64,
    /// What happened, in a word.
    pub state: State,
    /// And in a sentence.
    pub words: String,
}

/// What happened to a submission.
#[derive(Clone, Copy, Serialize, Deserialize, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Its tests were run.
    Graded,
    /// No test was run, and that is the submission's own fault.
    Refused,
    /// Grading failed, so it has no marks; the next run tries again.
    NotGraded,
    /// Its turn has not come.
    Waiting,
}

/// Returns the results in `place`; nothing, where there are none.
pub fn results_of(place: &Path) -> Value {
    let text = fs::read(place.join("results.json")).ok();
    text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or(Value::Null)
}
