//! A workshop: a copy of the tree in which mistakes are planted, one at a time.

use super::list::Mutant;
use crate::kernel::{self, Build, Builder, Built, KERNEL};
use crate::source::Edit;
use crate::tree;
use grader::job::Job;
use grader::manifest::Manifest;
use grader::marks::{Conditions, Results};
use grader::provenance::Provenance;
use grader::report::{self, Report};
use grader::session::{FIXED_SEED, Request};
use grader::verdict::Verdict;
use grader::vm::Judged;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// What went wrong, told from any thread.
pub type Failure = Box<dyn Error + Send + Sync>;

/// What came of a mutant.
#[derive(PartialEq, Eq, Debug)]
pub enum Fate {
    /// Each test that must catch it did, with the right verdict.
    Caught,
    /// A test did not: its name, the verdict that it must give, the one that it gave.
    Survived(Vec<String>),
    /// It doesn't fit the code, or doesn't build.
    Unfit(String),
}

/// A copy of the tree, and what is built in it.
pub struct Workshop<'a> {
    tree: PathBuf,
    target: PathBuf,
    results: PathBuf,
    /// Becomes true when all is to end.
    stop: &'a AtomicBool,
}

impl<'a> Workshop<'a> {
    /// Copies the tree at `root` to `place` and builds its kernel as it is.
    ///
    /// # Errors
    ///
    /// If one of these fails.
    pub fn open(root: &Path, place: &Path, stop: &'a AtomicBool) -> Result<Self, Failure> {
        let [tree, target, results] = ["tree", "target", "results"].map(|name| place.join(name));
        tree::copy(root, &tree, &[])?;
        let workshop = Self { tree, target, results, stop };
        workshop.build()?.map_err(|words| format!("without a mistake the kernel doesn't build:\n{words}"))?;
        Ok(workshop)
    }

    /// Builds the kernel as the tree is now. Returns what was said if it doesn't build.
    fn build(&self) -> io::Result<Result<(), String>> {
        let Self { tree, target, stop, .. } = self;
        let builder = Builder { target, how: Build::Quick, overlay: None, confinement: None, stop };
        Ok(match builder.build(tree)? {
            Built::Kernel => Ok(()),
            Built::Errors(words) | Built::OverLimit(words) | Built::Failed(words) => Err(words),
        })
    }

    /// Plants `mutant`, has it judged, and takes it out again.
    ///
    /// # Errors
    ///
    /// If something cannot be read, written or started.
    pub fn try_out(&self, mutant: &Mutant) -> Result<Fate, Failure> {
        let mut originals = BTreeMap::new();
        if let Some(design) = &mutant.design {
            self.lay_over(design, &mut originals)?;
        }
        let planted = mutant.edits.iter().try_for_each(|edit| self.plant(edit, &mut originals));
        let fate = match planted {
            Ok(()) => self.judge(mutant),
            Err(why) => Ok(Fate::Unfit(why)),
        };
        for (path, text) in originals {
            fs::write(path, text)?;
        }
        fate
    }

    /// Puts the files of `design` in the place of the tree's.
    fn lay_over(&self, design: &Path, originals: &mut BTreeMap<PathBuf, String>) -> Result<(), Failure> {
        for file in tree::below(design, Path::new("")) {
            let path = self.tree.join(&file);
            originals.insert(path.clone(), fs::read_to_string(&path)?);
            fs::write(path, fs::read_to_string(design.join(file))?)?;
        }
        Ok(())
    }

    fn plant(&self, edit: &Edit, originals: &mut BTreeMap<PathBuf, String>) -> Result<(), String> {
        let path = self.tree.join(&edit.file);
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", edit.file))?;
        let changed = edit.apply(&text)?;
        originals.entry(path.clone()).or_insert(text);
        fs::write(path, changed).map_err(|error| format!("{}: {error}", edit.file))
    }

    fn judge(&self, mutant: &Mutant) -> Result<Fate, Failure> {
        if let Err(words) = self.build()? {
            return Ok(Fate::Unfit(format!("it doesn't build:\n{words}")));
        }
        let misses = match mutant.caught_by.first_key_value().filter(|_| mutant.design.is_some()) {
            Some(wanted) => self.first_misses(wanted, &mutant.shows)?,
            None => self.misses(&mutant.caught_by, &mutant.shows, 1)?,
        };
        Ok(if misses.is_empty() { Fate::Caught } else { Fate::Survived(misses) })
    }

    /// Has the grader run the tests that `wanted` names, `workers` at a time. Returns those that don't give the verdict
    /// that is wanted of them, in words, and those of `shows` that no failure shows.
    ///
    /// # Errors
    ///
    /// If the grader fails.
    pub fn misses(
        &self,
        wanted: &BTreeMap<String, String>,
        shows: &[String],
        workers: usize,
    ) -> Result<Vec<String>, Failure> {
        let results = self.results_of(wanted.keys().cloned().collect(), workers)?;
        let mut misses = misses(wanted, |test| kernel::verdict(&results, test));
        let told: Vec<String> = results
            .all()
            .filter_map(|(job, judged)| Some((job, judged.filter(|judged| judged.verdict != Verdict::Pass)?)))
            .map(|(job, judged)| told(job, judged, &results.conditions))
            .collect();
        let not_shown = shows.iter().filter(|words| !told.iter().any(|told| told.contains(*words)));
        misses.extend(not_shown.map(|words| format!("{words:?} expected, {told:?} seen")));
        Ok(misses)
    }

    /// Has the grader run all tests up to the group of the one that is wanted with its verdict. Returns what is missing, in
    /// words, if that is not the first failure, or does not show these words.
    fn first_misses(&self, (test, verdict): (&String, &String), shows: &[String]) -> Result<Vec<String>, Failure> {
        let last = test.split('/').next().unwrap_or_default();
        let mut groups: Vec<String> = Vec::new();
        for group in Manifest::load(None)?.groups {
            groups.push(format!("{}/", group.id));
            if group.id == last {
                break;
            }
        }
        let results = self.results_of(groups, 1)?;
        let Some((job, judged)) = results.first_failure() else {
            return Ok(vec!["every test passes".into()]);
        };
        let told = told(job, judged, &results.conditions);
        let is_shown = shows.iter().all(|words| told.contains(words));
        let is_right = job.name() == *test && judged.verdict.name() == verdict && is_shown;
        let seen = || format!("{test}: {verdict} expected first, with {shows:?}; {} seen: {told:?}", job.name());
        Ok(if is_right { Vec::new() } else { vec![seen()] })
    }

    fn results_of(&self, filters: Vec<String>, workers: usize) -> Result<Results, Failure> {
        let request = Request {
            kernel: self.tree.join(KERNEL),
            overlay: None,
            provenance: Provenance::default(),
            conditions: Conditions { seed: FIXED_SEED, deterministic: false, overlay: None },
            deadline: None,
            workers,
            results: self.results.clone(),
            told: None,
            lab: None,
            filters,
        };
        // Between threads, the error itself cannot go, its words can.
        let results = request.run(&mut Report::new(io::sink(), false), self.stop).map_err(|error| error.to_string())?;
        if self.stop.load(Ordering::Relaxed) {
            return Err("it was told to end".into());
        }
        Ok(results)
    }
}

/// Returns what is told of a job that did not pass.
fn told(job: &Job, judged: &Judged, conditions: &Conditions) -> String {
    let lines = report::message(job, judged, conditions).map(|(label, text)| format!("{label}: {text}"));
    lines.join("\n")
}

/// Returns where what is `seen` is not what is `wanted`, in words.
fn misses<'a>(wanted: &BTreeMap<String, String>, seen: impl Fn(&str) -> &'a str) -> Vec<String> {
    let pairs = wanted.iter().map(|(test, wanted)| (test, wanted, seen(test)));
    let missed = pairs.filter(|(_, wanted, seen)| wanted != seen);
    missed.map(|(test, wanted, seen)| format!("{test}: {wanted} expected, {seen} seen")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_wanted_verdict_of_every_named_test_is_a_catch() {
        let wanted = [("a/1", "FAIL"), ("a/2", "HANG")].map(|(test, verdict)| (test.into(), verdict.into())).into();
        let seen = |second: &'static str| misses(&wanted, move |test| if test == "a/1" { "FAIL" } else { second });
        assert!(seen("HANG").is_empty());
        // The mistake was not seen, was seen as something else, or the test was not even run.
        for second in ["PASS", "PANIC", "NOT RUN"] {
            assert_eq!(seen(second), [format!("a/2: HANG expected, {second} seen")]);
        }
    }
}
