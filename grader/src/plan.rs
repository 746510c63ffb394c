//! The plan: what is run, in the order in which people read it, and the running of it.

use crate::machine::Machine;
use crate::manifest::Manifest;
use crate::matrix;
use crate::verdict::{Expects, Outcome, Run};
use std::cmp::Reverse;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Something that is run on a machine of its own and judged.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its group and its name: `vm/release-twice`.
    pub name: String,
    /// What must hold.
    pub sentence: String,
    /// How many times the normal time limit it has.
    pub limit: u32,
    /// What must be seen for it to pass.
    pub expects: Expects,
    /// The machine.
    pub machine: Machine,
}

/// All that could be run. The first two jobs come before the rest, and are run whatever is selected.
pub struct Plan {
    /// A boot that does nothing: what a machine costs, and so what time limits are made of.
    pub noop: Job,
    /// The comparison of the kernel's list of tests with the manifest.
    pub list: Job,
    /// The rest.
    pub jobs: Vec<Job>,
}

impl Plan {
    /// Makes the plan for `kernel`.
    ///
    /// # Errors
    ///
    /// In words, if the manifest has no test `noop`.
    pub fn new(manifest: &Manifest, kernel: &Path) -> Result<Self, String> {
        let mut jobs: Vec<Job> = manifest
            .tests
            .iter()
            .map(|test| Job {
                name: format!("{}/{}", test.group, test.id),
                sentence: test.sentence.clone(),
                limit: test.limit,
                expects: test.expects(),
                machine: Machine::by_kernel(kernel, &test.memory, &format!("test={}", test.id)),
            })
            .collect();
        let noop = jobs.iter().position(|job| job.name == "boot/noop").ok_or("the manifest lacks boot/noop")?;
        let noop = jobs.remove(noop);
        let list = Job {
            name: "boot/list".into(),
            sentence: "the kernel has the tests of the manifest, and no others".into(),
            limit: 1,
            expects: Expects::Test { name: "list".into(), outcome: Outcome::Lists(manifest.names()) },
            machine: Machine::by_kernel(kernel, "32M", "test=list"),
        };
        jobs.extend(matrix::jobs(kernel));
        Ok(Self { noop, list, jobs })
    }

    /// Keeps the jobs whose name contains one of `filters`; all of them if there is no filter.
    pub fn select(&mut self, filters: &[String]) {
        self.jobs.retain(|job| filters.is_empty() || filters.iter().any(|filter| job.name.contains(filter)));
    }

    /// Returns every job in reading order.
    pub fn all(&self) -> impl Iterator<Item = &Job> {
        [&self.noop, &self.list].into_iter().chain(&self.jobs)
    }
}

/// Runs `jobs`, up to `workers` of them at once, and calls `done` in this thread as each one ends.
///
/// `limit` is the normal time limit. Each job has a directory of its own in `directory`. Once `stop` is true, machines
/// are ended and no more are started; what was not run is not reported.
pub fn run_all(
    jobs: &[Job],
    workers: usize,
    limit: Duration,
    directory: &Path,
    stop: &AtomicBool,
    mut done: impl FnMut(&Job, &Run),
) {
    // The long ones first, so that no worker is left alone with one at the end.
    let mut order: Vec<&Job> = jobs.iter().collect();
    order.sort_by_key(|job| Reverse(job.limit));
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..workers {
            let sender = sender.clone();
            let (order, next) = (&order, &next);
            scope.spawn(move || {
                while let Some(job) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let Some(run) = job.machine.run(&directory.join(&job.name), limit * job.limit, stop) else { break };
                    if sender.send((*job, run)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (job, run) in receiver {
            done(job, &run);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Verdict, judge};

    fn plan() -> Plan {
        let manifest = Manifest::load().expect("well-formed");
        Plan::new(&manifest, Path::new("droste.elf")).expect("a plan")
    }

    fn script(name: &str, script: &str) -> Job {
        let machine = Machine::by_script("sh", &["-c", script], &[]);
        let expects = Expects::Boot { status: 33 };
        Job { name: name.into(), sentence: String::new(), limit: 1, expects, machine }
    }

    #[test]
    fn names_in_a_plan_differ() {
        let plan = plan();
        let names: std::collections::BTreeSet<&str> = plan.all().map(|job| job.name.as_str()).collect();
        assert_eq!(names.len(), plan.all().count());
    }

    #[test]
    fn a_filter_keeps_what_it_names_and_the_first_two() {
        let mut plan = plan();
        plan.select(&["matrix/memory-1G".into()]);
        let names: Vec<&str> = plan.all().map(|job| job.name.as_str()).collect();
        assert_eq!(names, ["boot/noop", "boot/list", "matrix/memory-1G"]);
    }

    #[test]
    fn every_job_is_run_once_whatever_the_number_of_workers() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let jobs: Vec<Job> = (0..7).map(|n| script(&format!("t/{n}"), &format!("exit {}", 30 + n))).collect();
        for workers in [1, 3, 20] {
            let mut seen = Vec::new();
            let limit = Duration::from_secs(60);
            run_all(&jobs, workers, limit, directory.path(), &AtomicBool::new(false), |job, run| {
                seen.push((job.name.clone(), judge(&job.expects, run) == Verdict::Pass));
            });
            seen.sort();
            let expected: Vec<_> = (0..7).map(|n| (format!("t/{n}"), n == 3)).collect();
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn after_a_stop_nothing_is_run() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let jobs = [script("t/a", "sleep 1000"), script("t/b", "sleep 1000")];
        run_all(&jobs, 2, Duration::from_secs(60), directory.path(), &AtomicBool::new(true), |job, _| {
            panic!("{} was run", job.name)
        });
    }
}
