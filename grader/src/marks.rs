//! Marks: what was earned of what could be.

use crate::job::Job;
use crate::plan::Plan;
use crate::provenance::Provenance;
use crate::verdict::{Expects, Verdict};
use crate::vm::{Judged, quoted};
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Instant;

/// Points, earned and possible.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
pub struct Marks {
    /// What was earned.
    pub earned: f64,
    /// What could have been.
    pub possible: f64,
}

impl Marks {
    /// Returns the marks of one job; of one that was not run, `None` as its judgement.
    ///
    /// Where there was no machine to judge, nothing was possible: that is never held against the kernel.
    pub fn new(job: &Job, judged: Option<&Judged>) -> Self {
        let possible = f64::from(job.points);
        let share = match judged.map(|judged| (&judged.verdict, &judged.run)) {
            Some((Verdict::Infrastructure(_), _)) => return Self::default(),
            Some((Verdict::Pass, _)) => 1.0,
            // The end of the test counts too, so one that failed never earns everything.
            Some((_, run)) if job.partial => match &job.expects {
                Expects::Test { checkpoints, .. } => run.held.len() as f64 / (1 + checkpoints.len()) as f64,
                Expects::Boot { .. } => 0.0,
            },
            _ => 0.0,
        };
        // To a hundredth, so that sums are what they look like.
        let earned = (possible * share * 100.0).floor() / 100.0;
        Self { earned, possible }
    }

    /// Adds up.
    pub fn sum(all: impl Iterator<Item = Self>) -> Self {
        all.fold(Self::default(), |sum, marks| Self {
            earned: sum.earned + marks.earned,
            possible: sum.possible + marks.possible,
        })
    }

    /// Returns how much of the possible was earned, in percent, if anything was possible.
    pub fn percent(&self) -> Option<f64> {
        (self.possible > 0.0).then(|| 100.0 * self.earned / self.possible)
    }
}

/// Rounds points to a hundredth: sums of hundredths are not exact in binary.
pub fn hundredths(points: f64) -> f64 {
    (points * 100.0).round() / 100.0
}

/// What makes a run what it is, beside the kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conditions {
    /// What random tests start with.
    pub seed: u32,
    /// Whether time is counted in instructions.
    pub deterministic: bool,
    /// The directory of hidden tests, where that is told.
    pub overlay: Option<PathBuf>,
}

/// Prints as make reads them.
impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SEED={:#010x}", self.seed)?;
        if self.deterministic {
            write!(f, " DET=1")?;
        }
        self.overlay.as_ref().map_or(Ok(()), |overlay| write!(f, " OVERLAY={}", quoted(&overlay.display().to_string())))
    }
}

/// How all jobs of a plan went, as far as they were run.
pub struct Results {
    /// The plan.
    pub plan: Plan,
    /// A judgement for each of its jobs that was run.
    pub judged: Vec<Option<Judged>>,
    /// What they were run with.
    pub conditions: Conditions,
    /// What made them.
    pub provenance: Provenance,
    /// When the run began.
    pub started: Instant,
}

impl Results {
    /// Makes the results of a plan that nothing was run of yet.
    pub fn new(plan: Plan, conditions: Conditions, provenance: Provenance) -> Self {
        let judged = plan.jobs.iter().map(|_| None).collect();
        Self { plan, judged, conditions, provenance, started: Instant::now() }
    }

    /// Returns every job, with its judgement if it was run.
    pub fn all(&self) -> impl Iterator<Item = (&Job, Option<&Judged>)> {
        self.plan.jobs.iter().zip(self.judged.iter().map(Option::as_ref))
    }

    /// Returns the failure to look at first: none of those before it in the plan, where what others rest on comes first.
    /// What was skipped or could not be judged says nothing of its own.
    pub fn first_failure(&self) -> Option<(&Job, &Judged)> {
        let judged = self.all().filter_map(|(job, judged)| Some((job, judged?)));
        let mut failures = judged.filter(|(_, judged)| {
            !matches!(judged.verdict, Verdict::Pass | Verdict::Skipped(_) | Verdict::Infrastructure(_))
        });
        failures.next()
    }

    /// Returns the marks of a group; of all, for `None`.
    pub fn marks(&self, group: Option<&str>) -> Marks {
        self.marks_where(|job| group.is_none_or(|group| job.group == group))
    }

    /// Returns the marks of those jobs.
    pub fn marks_where(&self, is_one: impl Fn(&Job) -> bool) -> Marks {
        Marks::sum(self.all().filter(|(job, _)| is_one(job)).map(|(job, judged)| Marks::new(job, judged)))
    }

    /// Returns the labs of which tests were planned.
    pub fn labs(&self) -> BTreeSet<u32> {
        self.plan.jobs.iter().filter_map(|job| job.lab).collect()
    }

    /// Returns how many passed, and how many did not or were not run.
    pub fn count(&self) -> (usize, usize) {
        let passed = self.judged.iter().flatten().filter(|judged| judged.verdict == Verdict::Pass).count();
        (passed, self.judged.len() - passed)
    }

    /// Returns how many were not run.
    pub fn not_run(&self) -> usize {
        self.judged.iter().filter(|judged| judged.is_none()).count()
    }

    /// Returns how many could not be judged for want of what the grader needs.
    pub fn not_judged(&self) -> usize {
        self.judged.iter().flatten().filter(|judged| matches!(judged.verdict, Verdict::Infrastructure(_))).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;
    use crate::run::{Ended, Run};
    use std::path::Path;

    /// Returns what `points` earn where `held` of two checkpoints did, and the test ended so.
    fn marks(points: u32, partial: bool, held: usize, verdict: Verdict) -> Marks {
        let plan = Plan::new(&crate::manifest::Manifest::load(None).unwrap(), Path::new("droste.elf"), false).unwrap();
        let mut audited = plan.jobs.into_iter().find(|job| job.name() == "audit/audited-release").unwrap();
        let Expects::Test { checkpoints, .. } = &mut audited.expects else { unreachable!("it is a test") };
        checkpoints.truncate(2);
        let held = checkpoints[..held].iter().map(|checkpoint| checkpoint.name.clone()).collect();
        let run = Run { held, ..Run::nothing(Ended::Frozen) };
        Marks::new(&Job { points, partial, ..audited }, Some(&Judged { run, verdict, post_mortem: None }))
    }

    #[test]
    fn each_checkpoint_and_the_end_earn_a_share_where_marks_are_partial() {
        let failed = || Verdict::Fail(Vec::new());
        for (held, earned) in [(0, 0.0), (1, 2.0), (2, 4.0)] {
            assert_eq!(marks(6, true, held, failed()), Marks { earned, possible: 6.0 });
            assert_eq!(marks(6, false, held, failed()), Marks { earned: 0.0, possible: 6.0 });
        }
        assert_eq!(marks(6, true, 2, Verdict::Pass), Marks { earned: 6.0, possible: 6.0 });
    }

    #[test]
    fn a_share_is_rounded_down_to_a_hundredth() {
        assert_eq!(marks(1, true, 1, Verdict::Fail(Vec::new())).earned, 0.33);
        assert_eq!(marks(1, true, 2, Verdict::Fail(Vec::new())).earned, 0.66);
        assert_eq!(marks(5, true, 1, Verdict::Fail(Vec::new())).earned, 1.66);
    }

    #[test]
    fn where_there_was_no_machine_nothing_was_possible() {
        assert_eq!(marks(6, true, 2, Verdict::Infrastructure("no machine".into())), Marks::default());
    }
}
