//! A job: a test or a boot, with all that running and reporting it takes.

use crate::manifest::Visibility;
use crate::verdict::Expects;
use crate::vm::Machine;

/// Where in the results the folders of those that failed are.
pub const FAILED: &str = "failed";

/// Something that is run on a machine of its own and judged.
#[derive(Clone, Debug)]
pub struct Job {
    /// The group in which it is reported.
    pub group: String,
    /// Its name in the group.
    pub id: String,
    /// What must hold.
    pub sentence: String,
    /// What it is worth.
    pub points: u32,
    /// The lab whose test it is. What is in no lab, or in each, has none.
    pub lab: Option<u32>,
    /// Whether each checkpoint that holds earns its share.
    pub partial: bool,
    /// The names of the jobs that must pass first.
    pub needs: Vec<String>,
    /// Who sees how it went.
    pub visibility: Visibility,
    /// The page of the book that helps.
    pub hint: String,
    /// What is wrong most often where it fails.
    pub cause: String,
    /// How many times the normal time limit it has.
    pub limit: u32,
    /// What must be seen for it to pass.
    pub expects: Expects,
    /// The machine.
    pub machine: Machine,
}

impl Job {
    /// Returns its group and its name in it: `pools/release-twice`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.group, self.id)
    }

    /// Says whether its name contains one of `words`.
    pub fn is_named(&self, words: &[String]) -> bool {
        words.iter().any(|word| self.name().contains(word))
    }

    /// Returns the name of its folder, should it fail.
    pub fn folder(&self) -> String {
        format!("{}-{}", self.group, self.id)
    }
}
