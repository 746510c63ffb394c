//! The queue: the jobs of a plan run, several at once, each with its time.

use crate::job::Job;
use crate::manifest::Visibility;
use crate::qemu::Time;
use crate::verdict::Verdict;
use crate::vm::{Judged, Machine, RunContext};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How everything is run.
#[derive(Clone, Debug)]
pub struct RunSettings<'a> {
    /// The normal limit of processor time.
    pub limit: Duration,
    /// How many times longer things take on the clock than processors work for them.
    pub stretch: u32,
    /// When all must be done, if anybody waits.
    pub deadline: Option<Instant>,
    /// What random tests start with.
    pub seed: u32,
    /// A directory for the machines' files and sockets. Its name should be short: a socket's has 108 bytes at most.
    pub directory: &'a Path,
    /// Becomes true when the grader is to end.
    pub stop: &'a AtomicBool,
}

impl RunSettings<'_> {
    /// Runs `job` in the directory of this number. Returns `None` if it was stopped.
    pub fn run(&self, number: usize, job: &Job) -> Option<Judged> {
        let dir = self.directory.join(number.to_string());
        let context = RunContext { dir, time: self.time(job), seed: self.seed, stop: self.stop };
        job.machine.run(&job.expects, &context)
    }

    fn time(&self, job: &Job) -> Time {
        let limit = self.limit * job.limit;
        let clock = match job.machine {
            Machine::Reference(_) => limit * LONGEST_STRETCH,
            Machine::Script(_) => limit * self.stretch,
        };
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        Time { limit, clock: left.map_or(clock, |left| clock.min(left / OF_WHAT_IS_LEFT)) }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A machine that has got less of the processors than this part of one is not judged by what it has got.
const LONGEST_STRETCH: u32 = 20;

/// Of the time until the deadline a job gets one of so many parts: so that one which never ends leaves time for many others.
const OF_WHAT_IS_LEFT: u32 = 20;

/// What is known of a job while all are run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Passed,
    NotPassed,
}

/// The jobs that are being run, and how far they are.
struct Queue<'a> {
    jobs: &'a [Job],
    /// The places of the jobs each one needs, as far as they are run at all.
    needs: Vec<Vec<usize>>,
    /// The order in which they are taken: the long ones first, so that no worker is left alone with one at the end.
    order: Vec<usize>,
    states: Mutex<Vec<State>>,
    changed: Condvar,
}

/// What a worker does next.
enum Next {
    Run(usize),
    Skip(usize, String),
}

impl<'a> Queue<'a> {
    /// Makes the queue of `jobs`: those with the highest limits first, so that none runs alone at the end; or last, if they
    /// might take the time that is left for the others.
    fn new(jobs: &'a [Job], long_last: bool) -> Self {
        let names: BTreeMap<String, usize> = jobs.iter().map(Job::name).zip(0..).collect();
        let places = |job: &Job| job.needs.iter().filter_map(|need| names.get(need).copied()).collect();
        let mut order: Vec<usize> = (0..jobs.len()).collect();
        order.sort_by_key(|place| jobs[*place].limit);
        if !long_last {
            order.sort_by_key(|place| Reverse(jobs[*place].limit));
        }
        Self {
            jobs,
            needs: jobs.iter().map(places).collect(),
            order,
            states: Mutex::new(vec![State::Waiting; jobs.len()]),
            changed: Condvar::new(),
        }
    }

    /// Takes the next job that can be run, or is to be skipped, waiting for one; `None` if there is none left.
    fn next(&self) -> Option<Next> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let waiting = self.order.iter().copied().filter(|place| states[*place] == State::Waiting);
            for place in waiting.clone() {
                let needs = &self.needs[place];
                if let Some(failed) = needs.iter().find(|need| states[**need] == State::NotPassed) {
                    states[place] = State::Running;
                    return Some(Next::Skip(place, self.name_for(place, *failed)));
                }
                if needs.iter().all(|need| states[*need] == State::Passed) {
                    states[place] = State::Running;
                    return Some(Next::Run(place));
                }
            }
            waiting.clone().next()?;
            // What it waits for runs: needs come before those that need them.
            states = self.changed.wait(states).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Returns the name of the job at `needed`, as whoever sees the job at `reader` may know it.
    fn name_for(&self, reader: usize, needed: usize) -> String {
        let [reader, needed] = [reader, needed].map(|place| &self.jobs[place]);
        let is_known = needed.visibility == Visibility::Visible || needed.visibility == reader.visibility;
        if is_known { needed.name() } else { "a hidden test".into() }
    }

    fn settle(&self, place: usize, state: State) {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)[place] = state;
        self.changed.notify_all();
    }
}

/// Runs `jobs`, up to `workers` of them at once, and calls `done` in this thread with the place of each one that ends.
///
/// Once it is stopped, machines are ended and no more are started; what was not run is not reported.
pub fn run_all(jobs: &[Job], workers: usize, setting: &RunSettings<'_>, mut done: impl FnMut(usize, Judged)) {
    let queue = Queue::new(jobs, setting.deadline.is_some());
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..workers {
            let sender = sender.clone();
            let queue = &queue;
            scope.spawn(move || {
                while let Some(next) = queue.next() {
                    let (place, judged) = match next {
                        Next::Skip(place, need) => (place, Some(Judged::unstarted(Verdict::Skipped(need)))),
                        Next::Run(place) => (place, setting.run(place, &jobs[place])),
                    };
                    let passed = judged.as_ref().is_some_and(|judged| judged.verdict == Verdict::Pass);
                    queue.settle(place, if passed { State::Passed } else { State::NotPassed });
                    // Once it is stopped, every other job comes back as soon as it is taken.
                    if let Some(judged) = judged.filter(|_| !setting.is_stopped())
                        && sender.send((place, judged)).is_err()
                    {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (place, judged) in receiver {
            done(place, judged);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;
    use crate::plan::Plan;
    use crate::verdict::Expects;
    use crate::vm::Script;

    fn plan() -> Plan {
        let manifest = Manifest::load(None).expect("well-formed");
        Plan::new(&manifest, Path::new("droste.elf"), false).expect("a plan")
    }

    fn script(id: &str, script: &str, needs: &[&str]) -> Job {
        let machine =
            Machine::Script(Script { program: "sh".into(), args: vec!["-c".into(), script.into()], env: vec![] });
        let needs = needs.iter().map(|need| format!("boot/{need}")).collect();
        Job { id: id.into(), limit: 1, expects: Expects::Boot { status: 33 }, machine, needs, ..plan().jobs[0].clone() }
    }

    fn setting<'a>(limit: Duration, directory: &'a Path, stop: &'a AtomicBool) -> RunSettings<'a> {
        RunSettings { limit, stretch: 1, deadline: None, seed: 0, directory, stop }
    }

    fn run(jobs: &[Job], workers: usize, stopped: bool) -> Vec<(String, String)> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let stop = AtomicBool::new(stopped);
        let setting = setting(Duration::from_secs(60), directory.path(), &stop);
        let mut seen = Vec::new();
        run_all(jobs, workers, &setting, |place, judged| {
            seen.push((jobs[place].id.clone(), judged.verdict.name().to_owned()));
        });
        seen.sort();
        seen
    }

    #[test]
    fn every_job_is_run_once_whatever_the_number_of_workers() {
        let jobs: Vec<Job> = (0..7).map(|n| script(&n.to_string(), &format!("exit {}", 30 + n), &[])).collect();
        for workers in [1, 3, 20] {
            let verdict = |n| if n == 3 { "PASS" } else { "FAIL" };
            let expected: Vec<_> = (0..7).map(|n| (n.to_string(), verdict(n).to_owned())).collect();
            assert_eq!(run(&jobs, workers, false), expected);
        }
    }

    #[test]
    fn what_needs_a_job_that_fails_is_skipped_and_so_is_what_needs_that() {
        let jobs = [
            script("a", "exit 33", &[]),
            script("b", "exit 1", &[]),
            script("c", "exit 33", &["a"]),
            script("d", "exit 33", &["a", "b"]),
            script("e", "exit 33", &["d"]),
            script("f", "exit 33", &["not run"]),
        ];
        let expected = [("a", "PASS"), ("b", "FAIL"), ("c", "PASS"), ("d", "SKIPPED"), ("e", "SKIPPED"), ("f", "PASS")];
        for workers in [1, 4] {
            assert_eq!(run(&jobs, workers, false), expected.map(|(id, verdict)| (id.into(), verdict.into())));
        }
    }

    #[test]
    fn what_is_skipped_names_no_test_that_its_reader_does_not_see() {
        let hidden = |job| Job { visibility: Visibility::Hidden, ..job };
        let jobs = [
            hidden(script("secret", "exit 1", &[])),
            script("seen", "exit 33", &["secret"]),
            hidden(script("unseen", "exit 33", &["secret"])),
        ];
        let queue = Queue::new(&jobs, false);
        queue.settle(0, State::NotPassed);
        let names: Vec<String> = (1..3).map(|reader| queue.name_for(reader, 0)).collect();
        assert_eq!(names, ["a hidden test", "boot/secret"]);
    }

    #[test]
    fn a_job_has_as_many_times_the_normal_limit_as_it_says() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (limit, stop) = (Duration::from_millis(10), AtomicBool::new(false));
        let setting = RunSettings { stretch: 2, ..setting(limit, directory.path(), &stop) };
        let job = Job { limit: 3, ..script("a", "sleep 1000", &[]) };
        let judged = setting.run(0, &job).expect("it was not stopped");
        assert_eq!(judged.verdict, Verdict::Timeout(3 * 2 * limit));
        let plan = plan();
        assert_eq!(setting.time(&plan.jobs[0]), Time { limit, clock: 20 * limit });
    }

    #[test]
    fn no_job_gets_more_than_a_part_of_what_is_left_and_long_ones_come_last() {
        let (directory, stop) = (Path::new("."), AtomicBool::new(false));
        let (limit, left) = (Duration::from_secs(8), Duration::from_secs(30));
        let setting = RunSettings { deadline: Some(Instant::now() + left), ..setting(limit, directory, &stop) };
        let time = setting.time(&plan().jobs[0]);
        assert!(time.limit == limit && time.clock <= left / 20, "{time:?}");
        let jobs = [3, 1, 2, 1].map(|limit| Job { limit, ..script("a", "exit 33", &[]) });
        assert_eq!(Queue::new(&jobs, true).order, [1, 3, 2, 0]);
        assert_eq!(Queue::new(&jobs, false).order, [0, 2, 1, 3]);
    }

    #[test]
    fn after_a_stop_nothing_is_run() {
        let jobs = [script("a", "sleep 1000", &[]), script("b", "sleep 1000", &["a"])];
        assert_eq!(run(&jobs, 2, true), []);
    }
}
