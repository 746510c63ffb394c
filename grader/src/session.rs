//! A run of the grader: what is asked of it, and what comes of it.

use crate::job::Job;
use crate::manifest::Manifest;
use crate::marks::{Conditions, Results};
use crate::outputs::Outputs;
use crate::plan::{FIRST, Plan};
use crate::provenance::Provenance;
use crate::queue::{RunSettings, run_all};
use crate::report::Report;
use crate::verdict::Verdict;
use crate::vm::Judged;
use std::error::Error;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How many boots that do nothing are measured. The median counts.
const MEASURED_BOOTS: usize = 3;

/// The normal limit of processor time, in boots that do nothing.
const BOOTS_IN_LIMIT: u32 = 60;

/// The least normal limit, and the highest.
const LIMITS: RangeInclusive<Duration> = Duration::from_secs(8)..=Duration::from_secs(30);

/// The least and the highest stretch of time on the clock that is reckoned with.
const STRETCHES: RangeInclusive<u32> = 2..=20;

/// The time limit of a boot that does nothing, before anything is measured.
const FIRST_LIMIT: Duration = Duration::from_secs(60);

/// The seed of a run that is to be the same each time.
pub const FIXED_SEED: u32 = 0x00D5_05E5;

/// What is asked of the grader.
#[derive(Clone, Debug)]
pub struct Request {
    /// The kernel.
    pub kernel: PathBuf,
    /// The directory of hidden tests, which the kernel was built with.
    pub overlay: Option<PathBuf>,
    /// The seed, the way time is counted, and what of the hidden tests is told.
    pub conditions: Conditions,
    /// What makes the results.
    pub provenance: Provenance,
    /// When all must be done, if anybody waits.
    pub deadline: Option<Instant>,
    /// How many machines run at once.
    pub workers: usize,
    /// Where results are written.
    pub results: PathBuf,
    /// Where people find them, if that is another place.
    pub told: Option<PathBuf>,
    /// The lab whose tests are run and marked.
    pub lab: Option<u32>,
    /// Parts of the names of the tests to run; all if there are none.
    pub filters: Vec<String>,
}

impl Request {
    /// Makes the plan of what is asked for. In a tree that was handed out for one lab, that is the lab's tests if nothing
    /// else is asked for.
    ///
    /// # Errors
    ///
    /// In words, if a manifest is not well-formed, or this tree has no such lab or no such test.
    pub fn plan(&self) -> Result<Plan, String> {
        self.plan_of(&Manifest::load(self.overlay.as_deref())?)
    }

    fn plan_of(&self, manifest: &Manifest) -> Result<Plan, String> {
        let mut plan = Plan::new(manifest, &self.kernel, self.conditions.deterministic)?;
        if let Some(lab) = manifest.lab {
            plan.select_up_to_lab(lab);
        }
        let lab = self.lab.or(manifest.lab.filter(|_| self.filters.is_empty()));
        if let Some(lab) = lab {
            manifest.check_lab(lab)?;
            plan.select_lab(lab);
        }
        if !self.filters.is_empty() && !plan.jobs.iter().any(|job| job.is_named(&self.filters)) {
            let of_lab = lab.map_or(String::new(), |lab| format!("of lab {lab} "));
            return Err(format!("no test {of_lab}has any of these in its GROUP/ID: {}", self.filters.join(", ")));
        }
        plan.select(&self.filters);
        Ok(plan)
    }

    /// Runs everything, reports and writes the results. Once `stop` is true it ends as soon as it can.
    ///
    /// # Errors
    ///
    /// If there is nothing to run, or results cannot be written.
    pub fn run(&self, report: &mut Report<impl Write>, stop: &AtomicBool) -> Result<Results, Box<dyn Error>> {
        let directory = tempfile::Builder::new()
            .prefix("droste-")
            .tempdir()
            .map_err(|error| format!("the machines' files have no place, TMPDIR says where: {error}"))?;
        let plan = self.plan()?;
        let unwritten =
            |error: io::Error| format!("the results cannot be written to {}: {error}", self.results.display());
        let outputs = Outputs::new(&self.results).map_err(unwritten)?;
        let mut results = Results::new(plan, self.conditions.clone(), self.provenance.clone());
        outputs.write(&results).map_err(unwritten)?;
        report.begin(&self.conditions)?;

        let (seed, deadline) = (self.conditions.seed, self.deadline);
        let mut setting =
            RunSettings { limit: FIRST_LIMIT, stretch: 1, deadline, seed, directory: directory.path(), stop };
        let jobs = results.plan.jobs.clone();
        let mut written = Ok(());
        let mut settle = |place: usize, judged: Judged| {
            let mut write = || -> Result<(), String> {
                results.judged[place] = Some(judged.clone());
                if judged.verdict != Verdict::Pass {
                    outputs.write_failure(&results, place).map_err(unwritten)?;
                }
                outputs.write(&results).map_err(unwritten)?;
                let written = report.job(&jobs[place], &judged, jobs.len());
                written.map_err(|error| format!("nobody reads the report: {error}"))
            };
            if written.is_ok() {
                written = write();
                // Nobody reads the report any more, or the disk is full.
                stop.fetch_or(written.is_err(), Ordering::Relaxed);
            }
        };
        if let Some(noop) = measure(&setting, &jobs) {
            let verdict = noop.verdict.clone();
            setting.limit = (noop.run.worked * BOOTS_IN_LIMIT).clamp(*LIMITS.start(), *LIMITS.end());
            let stretch = noop.run.took.as_secs_f64() / noop.run.worked.as_secs_f64();
            // One that is not to be told, for want of any work, is the highest.
            setting.stretch = (stretch.ceil() as u32).clamp(*STRETCHES.start(), *STRETCHES.end());
            settle(0, noop);
            if verdict == Verdict::Pass {
                run_all(&jobs[1..FIRST], 1, &setting, |place, judged| settle(1 + place, judged));
                run_all(&jobs[FIRST..], self.workers, &setting, |place, judged| settle(FIRST + place, judged));
            } else {
                // Where nothing boots, every other test would only wait for its time limit.
                for place in 1..jobs.len() {
                    let judged = match &verdict {
                        Verdict::Infrastructure(reason) => Verdict::Infrastructure(reason.clone()),
                        _ => Verdict::Skipped(jobs[0].name()),
                    };
                    settle(place, Judged::unstarted(judged));
                }
            }
        }
        written?;
        report.end(&results, self.told.as_ref().unwrap_or(&self.results))?;
        Ok(results)
    }
}

/// Boots machines that do nothing, one after the other. Returns the one for which processors worked neither longest nor
/// shortest, or the first that does not pass; `None` if it was stopped.
fn measure(setting: &RunSettings<'_>, jobs: &[Job]) -> Option<Judged> {
    let mut boots = Vec::new();
    for _ in 0..MEASURED_BOOTS {
        let judged = setting.run(0, &jobs[0])?;
        if judged.verdict != Verdict::Pass {
            return Some(judged);
        }
        boots.push(judged);
    }
    boots.sort_by_key(|judged| judged.run.worked);
    Some(boots.swap_remove(MEASURED_BOOTS / 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Plans in the whole tree, or in one that was handed out for the lab `tree`. Returns the labs whose tests are run.
    fn labs(tree: Option<u32>, lab: Option<u32>, filters: &[&str]) -> Result<Vec<u32>, String> {
        let manifest = Manifest { lab: tree, ..Manifest::load(None).expect("well-formed") };
        let request = Request {
            kernel: "droste.elf".into(),
            overlay: None,
            conditions: Conditions { seed: 0, deterministic: false, overlay: None },
            provenance: Provenance::default(),
            deadline: None,
            workers: 1,
            results: PathBuf::new(),
            told: None,
            lab,
            filters: filters.iter().map(|filter| (*filter).into()).collect(),
        };
        let labs: BTreeSet<u32> = request.plan_of(&manifest)?.jobs.iter().filter_map(|job| job.lab).collect();
        Ok(labs.into_iter().collect())
    }

    #[test]
    fn a_tree_runs_the_tests_of_its_lab_and_those_of_an_earlier_one_if_asked() {
        let last = Manifest::load(None).expect("well-formed").last_lab();
        assert_eq!(labs(None, None, &[]), Ok((1..=last).collect()));
        assert_eq!(labs(None, Some(3), &[]), Ok(vec![3]));
        assert_eq!(labs(Some(2), None, &[]), Ok(vec![2]));
        assert_eq!(labs(Some(2), Some(1), &[]), Ok(vec![1]));
        assert_eq!(labs(Some(2), None, &["frames/"]), Ok(vec![1, 2]));
    }

    #[test]
    fn a_tree_for_one_lab_refuses_a_later_one_and_says_so() {
        let words = labs(Some(2), Some(4), &[]).expect_err("nothing of it can be run");
        assert!(words.contains("handed out for lab 2") && words.contains("LAB is 1 to 2 here"), "{words}");
        assert!(labs(Some(2), Some(9), &[]).expect_err("there is none").contains("there is no lab 9"));
    }

    #[test]
    fn names_that_no_test_has_are_refused() {
        let words = |tree, lab, filter| labs(tree, lab, &[filter]).expect_err("there is none");
        assert_eq!(words(None, None, "pagse/"), "no test has any of these in its GROUP/ID: pagse/");
        assert_eq!(words(None, Some(1), "pools/"), "no test of lab 1 has any of these in its GROUP/ID: pools/");
        assert!(words(Some(2), None, "spaces/").starts_with("no test has"));
    }
}
