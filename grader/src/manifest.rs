//! The manifest: the one list of in-machine tests, `grader/tests.toml`.
//!
//! ```toml
//! [[test]]
//! group = "vm"                                # where reports put it
//! id = "release-twice"                        # the kernel's name for it: `test=release-twice`
//! sentence = "a region is released once"      # what must hold
//! memory = "512M"                             # of the machine, 32M if absent
//! limit = 3                                   # times the normal time limit, 1 if absent
//! dies = "illegal-access"                     # for a test that expects death: the kind of the diagnosis,
//! says = ["0x5000_0000", "no region"]         # and words that the console must show
//! ```

use crate::verdict::{Expects, Outcome};
use serde::Deserialize;
use std::collections::BTreeSet;

/// The manifest of this project.
const TESTS: &str = include_str!("../tests.toml");

/// Every in-machine test, in the order in which they are to be read.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The tests.
    #[serde(rename = "test")]
    pub tests: Vec<Test>,
}

/// One in-machine test.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// The kernel's name for it.
    pub id: String,
    /// What must hold.
    pub sentence: String,
    /// The group in which it is reported.
    pub group: String,
    /// The kind of death that it expects, if any.
    pub dies: Option<String>,
    /// Words that the console must show of that death.
    #[serde(default)]
    pub says: Vec<String>,
    /// The memory of its machine, as QEMU reads it.
    #[serde(default = "reference_memory")]
    pub memory: String,
    /// How many times the normal time limit it has.
    #[serde(default = "one")]
    pub limit: u32,
}

/// Returns the memory of the reference machine.
fn reference_memory() -> String {
    "32M".into()
}

fn one() -> u32 {
    1
}

impl Manifest {
    /// Reads the project's manifest.
    ///
    /// # Errors
    ///
    /// In words, if it is not well-formed.
    pub fn load() -> Result<Self, String> {
        Self::parse(TESTS)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = toml::from_str(text).map_err(|error| format!("grader/tests.toml: {error}"))?;
        let mut seen = BTreeSet::new();
        for test in &manifest.tests {
            test.check().map_err(|wrong| format!("grader/tests.toml: test `{}` {wrong}", test.id))?;
            if !seen.insert(test.id.as_str()) {
                return Err(format!("grader/tests.toml: test `{}` is there twice", test.id));
            }
        }
        Ok(manifest)
    }

    /// Returns the names that the kernel must list.
    pub fn names(&self) -> BTreeSet<String> {
        self.tests.iter().map(|test| test.id.clone()).collect()
    }
}

impl Test {
    /// Says what is wrong with it. Its name is a word of the kernel's command line and of its records.
    fn check(&self) -> Result<(), &'static str> {
        let is_word = |word: &str| {
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        if !is_word(&self.id) || !is_word(&self.group) || self.dies.as_deref().is_some_and(|kind| !is_word(kind)) {
            return Err("has an id, a group or a death that is not one word of letters, digits, - and _");
        }
        if self.id == "list" {
            return Err("has the name by which the kernel is asked for its list");
        }
        if self.sentence.is_empty() {
            return Err("does not say what must hold");
        }
        if self.dies.is_none() != self.says.is_empty() {
            return Err("has only one of `dies` and `says`");
        }
        if self.limit == 0 {
            return Err("has no time to run");
        }
        Ok(())
    }

    /// Returns what must be seen for it to pass.
    pub fn expects(&self) -> Expects {
        let outcome = match &self.dies {
            None => Outcome::Passes,
            Some(kind) => Outcome::Dies { kind: kind.clone(), says: self.says.clone() },
        };
        Expects::Test { name: self.id.clone(), outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_of_the_project_is_well_formed() {
        let manifest = Manifest::load().expect("it is");
        assert!(manifest.names().contains("noop"));
    }

    #[test]
    fn a_test_that_says_no_more_than_it_must_runs_on_the_reference_machine() {
        let manifest = Manifest::parse("[[test]]\nid = 'a'\ngroup = 'g'\nsentence = 's'\n").expect("well-formed");
        assert_eq!((manifest.tests[0].memory.as_str(), manifest.tests[0].limit), ("32M", 1));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let test = "[[test]]\ngroup = 'g'\nsentence = 's'\n";
        for (more, words) in [
            ("id = 'a b'", "not one word"),
            ("id = 'list'", "asked for its list"),
            ("id = 'a'\ndies = 'panic'", "only one of"),
            ("id = 'a'\nsays = ['words']", "only one of"),
            ("id = 'a'\nlimit = 0", "no time"),
            ("id = 'a'\npoints = 3", "unknown field"),
            ("id = 'a'\n[[test]]\nid = 'a'\ngroup = 'g'\nsentence = 's'", "there twice"),
        ] {
            let error = Manifest::parse(&format!("{test}{more}\n")).expect_err(more);
            assert!(error.contains(words), "{error}");
        }
    }
}
