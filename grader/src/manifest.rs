//! The manifest: the one list of tests and marks, `grader/tests.toml`.
//!
//! ```toml
//! [[group]]
//! id = "pools"
//! title = "VM pools"                          # as reports print it
//! hint = "regions.md"                         # the page of the book that helps, in docs/src
//! cause = "the bound of a region ..."         # what is wrong most often where a test fails that says nothing of it
//! points = 2                                  # what a test is worth that says nothing of it; 1 if absent
//! lab = 3                                     # the lab whose test it is, if it says nothing of it; absent, it is in each
//!
//! [[test]]
//! group = "pools"
//! id = "release-twice"                        # the kernel's name for it: `test=release-twice`
//! sentence = "a region is released once"      # what must hold
//! points = 3                                  # if it is not what the group says
//! lab = 4                                     # likewise
//! needs = ["lazy-region"]                     # tests that must pass first, or it is skipped
//! visibility = "hidden"                       # in Gradescope's words; "visible" if absent
//! hint = "frame-pools.md"                     # if it is not the group's
//! cause = "..."                               # what is wrong most often where it fails
//! memory = "512M"                             # of the machine, 32M if absent
//! programs = true                             # its machine has the programs, as modules
//! drive = 4                                   # and a drive of so many MiB, empty at first
//! limit = 3                                   # times the normal time limit, 1 if absent
//! dies = "illegal-access"                     # for a test that expects death: the kind of the diagnosis,
//! says = ["0x5000_0000", "of {start}"]        # and words of its report; the kernel itself says what {start} is
//! or = { dies = "locked", says = ["damaged"] } # a death that is as right
//! partial = true                              # each checkpoint that holds earns its share of the points
//! alone = true                                # it runs without a memory, so it is not audited at its end
//! checkpoints = [                             # where it is audited before its end, and what must be seen there
//!     { name = "filled", faults = 256, backed = 256, claims = 2 },
//! ]
//! ```
//!
//! The boot matrix is listed by name in `matrix`; a group of that name says the rest. A tree that is handed out for one lab
//! has `lab = N` before all groups: there, tests of later labs do not count.

use crate::run::Checkpoint;
use crate::verdict::{Death, Expects, Outcome};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The manifest of this project.
const TESTS: &str = include_str!("../tests.toml");

/// The group of the boot matrix: it is listed in `matrix`, and no test of the manifest is in it.
pub const MATRIX: &str = "matrix";

/// The book's table of contents.
const CONTENTS: &str = include_str!("../../docs/src/SUMMARY.md");

/// Every group, and every in-machine test, in the order in which they are to be read.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The lab for which this tree was handed out, if it was for one.
    pub lab: Option<u32>,
    /// The groups.
    #[serde(rename = "group", default)]
    pub groups: Vec<Group>,
    /// The tests.
    #[serde(rename = "test", default)]
    pub tests: Vec<Test>,
}

/// A group of tests.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name, the first part of its tests' names.
    pub id: String,
    /// Its name for people.
    pub title: String,
    /// The page of the book that helps.
    pub hint: String,
    /// What is wrong most often where a test fails that says nothing of it.
    pub cause: String,
    /// What a test is worth that says nothing of it.
    #[serde(default = "one")]
    pub points: u32,
    /// The lab whose test it is, of a test that says nothing of it; without one it is in each.
    pub lab: Option<u32>,
}

/// Who sees how a test went, in Gradescope's words.
#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, Debug)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everybody.
    #[default]
    Visible,
    /// Instructors alone.
    Hidden,
    /// Everybody, after the due date.
    AfterDueDate,
    /// Everybody, when the grades are published.
    AfterPublished,
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
    /// What it is worth, if it is not what the group says.
    pub points: Option<u32>,
    /// The lab whose test it is, if it is not what the group says.
    pub lab: Option<u32>,
    /// Whether each checkpoint that holds earns its share.
    #[serde(default)]
    pub partial: bool,
    /// The tests that must pass first.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Who sees how it went.
    #[serde(default)]
    pub visibility: Visibility,
    /// The page of the book that helps, if it is not the group's.
    pub hint: Option<String>,
    /// What is wrong most often where it fails, if it is not the group's.
    pub cause: Option<String>,
    /// The kind of death that it expects, if any.
    pub dies: Option<String>,
    /// Words that lines of its report must have.
    #[serde(default)]
    pub says: Vec<String>,
    /// Another death that is as right.
    pub or: Option<Death>,
    /// The memory of its machine, as QEMU reads it.
    #[serde(default = "reference_memory")]
    pub memory: String,
    /// Whether its machine has the programs, as modules.
    #[serde(default)]
    pub programs: bool,
    /// How many MiB the drive of its machine has, if it has one.
    pub drive: Option<u32>,
    /// How many times the normal time limit it has.
    #[serde(default = "one")]
    pub limit: u32,
    /// Whether it runs before there is a memory. All others that pass are audited at their end.
    #[serde(default)]
    pub alone: bool,
    /// Where it is audited before its end.
    #[serde(default)]
    pub checkpoints: Vec<Checkpoint>,
}

/// Returns the memory of the reference machine.
fn reference_memory() -> String {
    "32M".into()
}

fn one() -> u32 {
    1
}

impl Manifest {
    /// Reads the project's manifest, and that of the `overlay` directory of further tests.
    ///
    /// # Errors
    ///
    /// In words, if one is not well-formed.
    pub fn load(overlay: Option<&Path>) -> Result<Self, String> {
        let mut manifest = Self::parse("grader/tests.toml", TESTS)?;
        if let Some(directory) = overlay {
            let file = directory.join("tests.toml");
            let name = file.display().to_string();
            let text = std::fs::read_to_string(&file).map_err(|error| format!("{name}: {error}"))?;
            let more = Self::parse(&name, &text)?;
            manifest.groups.extend(more.groups);
            manifest.tests.extend(more.tests);
        }
        // What is wrong now is in the overlay: a test of the grader's own sees to the project's manifest.
        let name = overlay.map_or(Path::new("grader"), |overlay| overlay).join("tests.toml");
        manifest.check().map_err(|wrong| format!("{}: {wrong}", name.display()))?;
        Ok(manifest)
    }

    fn parse(name: &str, text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| format!("{name}: {error}"))
    }

    fn check(&self) -> Result<(), String> {
        let mut groups = BTreeSet::new();
        for group in &self.groups {
            if !groups.insert(group.id.as_str()) {
                return Err(format!("group `{}` is there twice", group.id));
            }
            check_hint(&group.hint).map_err(|wrong| format!("group `{}` {wrong}", group.id))?;
        }
        let mut seen = BTreeSet::new();
        for test in &self.tests {
            let wrong = |what: &str| Err(format!("test `{}` {what}", test.id));
            test.check().or_else(wrong)?;
            test.hint.as_deref().map_or(Ok(()), check_hint).or_else(|what| wrong(&what))?;
            if test.group == MATRIX {
                return wrong("is in the group of the boot matrix, which is not listed here");
            }
            if !groups.contains(test.group.as_str()) {
                return wrong("is in a group that is not listed");
            }
            // So there is no circle either.
            if !test.needs.iter().all(|need| seen.contains(need.as_str())) {
                return wrong("needs a test that is not listed before it");
            }
            if !seen.insert(test.id.as_str()) {
                return wrong("is there twice");
            }
        }
        Ok(())
    }

    /// Returns the names that the kernel must list.
    pub fn names(&self) -> BTreeSet<String> {
        self.tests.iter().map(|test| test.id.clone()).collect()
    }

    /// Returns the tests of `lab`, and those that are in each; all for `None`.
    pub fn tests_of(&self, lab: Option<u32>) -> impl Iterator<Item = &Test> {
        let groups = self.groups();
        self.tests.iter().filter(move |test| lab.is_none_or(|lab| is_of(lab, test.lab(groups[test.group.as_str()]))))
    }

    /// Returns what all tests of `lab` are worth together; all that there are for `None`.
    pub fn possible(&self, lab: Option<u32>) -> u32 {
        let groups = self.groups();
        self.tests_of(lab).map(|test| test.worth(groups[test.group.as_str()])).sum()
    }

    /// Returns the last of the labs.
    pub fn last_lab(&self) -> u32 {
        let groups = self.groups();
        self.tests.iter().filter_map(|test| test.lab(groups[test.group.as_str()])).max().unwrap_or(0)
    }

    /// Says so if `lab` is none of the labs, or comes after the one for which this tree was handed out.
    ///
    /// # Errors
    ///
    /// In words.
    pub fn check_lab(&self, lab: u32) -> Result<(), String> {
        let last = self.last_lab();
        if !(1..=last).contains(&lab) {
            return Err(format!("there is no lab {lab}: they are 1 to {last}"));
        }
        match self.lab {
            Some(own) if lab > own => Err(format!(
                "this tree was handed out for lab {own}, so nothing of lab {lab} can be run in it: LAB is 1 to {own} here, and \
                 lab {lab} has a tree of its own"
            )),
            _ => Ok(()),
        }
    }

    /// Returns the groups by name.
    pub fn groups(&self) -> BTreeMap<&str, &Group> {
        self.groups.iter().map(|group| (group.id.as_str(), group)).collect()
    }
}

/// Says whether what is of the lab `own` is run in `lab`: what is of none is in each.
pub fn is_of(lab: u32, own: Option<u32>) -> bool {
    own.is_none_or(|own| own == lab)
}

/// Says so if `hint` is no page of the book.
fn check_hint(hint: &str) -> Result<(), String> {
    let is_page = CONTENTS.contains(&format!("]({hint})"));
    if is_page { Ok(()) } else { Err(format!("has the hint `{hint}`, which is no page of docs/src/SUMMARY.md")) }
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
        if self.dies.is_none() && self.or.is_some() {
            return Err("has another death, and none at first");
        }
        if self.limit == 0 {
            return Err("has no time to run");
        }
        if self.alone && !self.checkpoints.is_empty() {
            return Err("runs alone, without a memory that could be audited");
        }
        if self.partial && self.checkpoints.is_empty() {
            return Err("has nothing that its points could be parted by");
        }
        Ok(())
    }

    /// Returns what it is worth in its group.
    pub fn worth(&self, group: &Group) -> u32 {
        self.points.unwrap_or(group.points)
    }

    /// Returns the lab whose test it is, in its group; `None` if it is in each.
    pub fn lab(&self, group: &Group) -> Option<u32> {
        self.lab.or(group.lab)
    }

    /// Returns what must be seen for it to pass.
    pub fn expects(&self) -> Expects {
        let outcome = match &self.dies {
            None => Outcome::Passes,
            Some(kind) => {
                let first = Death { kind: kind.clone(), says: self.says.clone() };
                Outcome::Dies([first].into_iter().chain(self.or.clone()).collect())
            }
        };
        let has_end = self.dies.is_none() && !self.alone;
        let checkpoints = self.checkpoints.iter().cloned().chain(has_end.then(Checkpoint::end)).collect();
        Expects::Test { name: self.id.clone(), outcome, checkpoints }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = "[[group]]\nid = 'g'\ntitle = 'G'\nhint = 'testing.md'\ncause = 'c'\n";

    fn parse(text: &str) -> Result<Manifest, String> {
        let manifest = Manifest::parse("text", &format!("{GROUP}{text}"))?;
        manifest.check()?;
        Ok(manifest)
    }

    #[test]
    fn the_manifest_of_the_project_is_well_formed() {
        let manifest = Manifest::load(None).expect("it is");
        assert!(manifest.names().contains("noop"));
    }

    #[test]
    fn no_two_tests_name_the_same_cause() {
        let manifest = Manifest::load(None).expect("it is");
        let mut seen = BTreeSet::new();
        for test in &manifest.tests {
            let Some(cause) = &test.cause else { continue };
            assert!(seen.insert(cause), "{} names a cause that another test names: {cause}", test.id);
        }
    }

    #[test]
    fn every_page_in_the_contents_of_the_book_is_there() {
        let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src");
        let pages = CONTENTS.split("](").skip(1).filter_map(|link| link.split(')').next());
        pages.for_each(|page| assert!(book.join(page).is_file(), "{page} is not there"));
    }

    #[test]
    fn each_test_is_of_one_lab_or_of_all() {
        let manifest = Manifest::load(None).expect("it is");
        assert!(manifest.check_lab(1).is_ok() && manifest.check_lab(0).is_err() && manifest.check_lab(9).is_err());
        let of = |lab| manifest.tests_of(lab).map(|test| test.id.as_str()).collect::<Vec<_>>();
        let all: usize = (1..=manifest.last_lab()).map(|lab| of(Some(lab)).len() - 1).sum();
        assert_eq!(all + 1, of(None).len(), "`noop` is in each");
        // What a test needs is of its own lab: else it would be skipped for what is not run.
        for lab in 1..=manifest.last_lab() {
            let all = of(Some(lab));
            let needs = manifest.tests_of(Some(lab)).flat_map(|test| &test.needs);
            needs.for_each(|need| assert!(all.contains(&need.as_str()), "lab {lab}: {need}"));
        }
    }

    #[test]
    fn a_test_that_says_no_more_than_it_must_runs_on_the_reference_machine() {
        let manifest = parse("[[test]]\nid = 'a'\ngroup = 'g'\nsentence = 's'\n").expect("well-formed");
        let test = &manifest.tests[0];
        assert_eq!((test.memory.as_str(), test.limit, test.points), ("32M", 1, None));
        assert_eq!(test.visibility, Visibility::Visible);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let test = "[[test]]\ngroup = 'g'\nsentence = 's'\n";
        for (more, words) in [
            ("id = 'a b'", "not one word"),
            ("id = 'list'", "asked for its list"),
            ("id = 'a'\ndies = 'panic'", "only one of"),
            ("id = 'a'\nsays = ['words']", "only one of"),
            ("id = 'a'\nor = { dies = 'panic', says = ['words'] }", "none at first"),
            ("id = 'a'\nlimit = 0", "no time"),
            ("id = 'a'\npartial = true", "nothing that its points"),
            ("id = 'a'\nalone = true\ncheckpoints = [{ name = 'c', claims = 1 }]", "without a memory"),
            ("id = 'a'\nneeds = ['a']", "not listed before"),
            ("id = 'a'\ncolour = 3", "unknown field"),
            ("id = 'a'\nhint = 'h.md'", "no page of"),
            ("id = 'a'\nvisibility = 'secret'", "unknown variant"),
            ("id = 'a'\n[[test]]\nid = 'a'\ngroup = 'g'\nsentence = 's'", "there twice"),
            ("id = 'a'\n[[test]]\nid = 'b'\ngroup = 'f'\nsentence = 's'", "not listed"),
        ] {
            let error = parse(&format!("{test}{more}\n")).expect_err(more);
            assert!(error.contains(words), "{error}");
        }
        assert!(parse(GROUP).expect_err("twice").contains("there twice"));
        let matrix = GROUP.replace("'g'", "'matrix'");
        let test = "[[test]]\nid = 'a'\ngroup = 'matrix'\nsentence = 's'\n";
        assert!(parse(&format!("{matrix}{test}")).expect_err("not listed").contains("boot matrix"));
    }
}
