//! The plan: what is run, in the order in which people read it, and the running of it.

use crate::job::Job;
use crate::manifest::{Group, MATRIX, Manifest, Visibility, is_of};
use crate::matrix;
use crate::qemu::{Reference, Time};
use crate::verdict::{Expects, Outcome, Verdict};
use crate::vm::{Judged, Machine, RunContext};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;
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
}

/// A machine that has got less of the processors than this part of one is not judged by what it has got.
const LONGEST_STRETCH: u32 = 20;

/// Of the time until the deadline a job gets one of so many parts: so that one which never ends leaves time for many others.
const OF_WHAT_IS_LEFT: u32 = 20;

/// All that could be run. The first two jobs come before the rest, and are run whatever is selected.
pub struct Plan {
    /// Groups in reading order.
    pub groups: Vec<Group>,
    /// All jobs. The first is a boot that does nothing: what a machine costs, and so what time limits are made of. The
    /// second compares the kernel's list of tests with the manifest.
    pub jobs: Vec<Job>,
}

/// How many jobs come before the rest.
pub const FIRST: usize = 2;

impl Plan {
    /// Makes the plan for `kernel`. With `deterministic`, time is counted in instructions.
    ///
    /// # Errors
    ///
    /// In words, if the manifest lacks a group or the test `noop`.
    pub fn new(manifest: &Manifest, kernel: &Path, deterministic: bool) -> Result<Self, String> {
        let reference = |memory: &str, command_line: String| {
            Machine::Reference(Reference { kernel: kernel.into(), memory: memory.into(), command_line, deterministic })
        };
        let group_of: BTreeMap<&str, &str> =
            manifest.tests.iter().map(|test| (test.id.as_str(), test.group.as_str())).collect();
        let groups = manifest.groups();
        let group = |id: &str| groups.get(id).copied().ok_or_else(|| format!("the manifest lacks the group {id}"));
        let mut jobs = Vec::new();
        for test in &manifest.tests {
            let group = group(&test.group)?;
            jobs.push(Job {
                group: test.group.clone(),
                id: test.id.clone(),
                sentence: test.sentence.clone(),
                points: test.worth(group),
                lab: test.lab(group),
                partial: test.partial,
                needs: test.needs.iter().map(|need| format!("{}/{need}", group_of[need.as_str()])).collect(),
                visibility: test.visibility,
                hint: test.hint.clone().unwrap_or_else(|| group.hint.clone()),
                cause: test.cause.clone().unwrap_or_else(|| group.cause.clone()),
                limit: test.limit,
                expects: test.expects(),
                machine: reference(&test.memory, format!("test={}", test.id)),
            });
        }
        let noop = jobs.iter().position(|job| job.id == "noop").ok_or("the manifest lacks the test noop")?;
        jobs[..=noop].rotate_right(1);
        let list = Job {
            id: "list".into(),
            sentence: "the kernel has the tests of the manifest, and no others".into(),
            points: 0,
            hint: "testing.md".into(),
            cause: "a test that only one of the kernel and the manifest has, or a kernel built with another overlay"
                .into(),
            expects: Expects::Test {
                name: "list".into(),
                outcome: Outcome::Lists(manifest.names()),
                checkpoints: Vec::new(),
            },
            machine: reference("32M", "test=list".into()),
            ..jobs[0].clone()
        };
        jobs.insert(1, list);
        jobs.extend(matrix::jobs(kernel, deterministic, group(MATRIX)?));
        Ok(Self { groups: manifest.groups.clone(), jobs })
    }

    /// Keeps the tests of `lab` and those that are in each lab, but no whole boots.
    pub fn select_lab(&mut self, lab: u32) {
        self.jobs.retain(|job| job.group != MATRIX && is_of(lab, job.lab));
    }

    /// Keeps what there is to run in a tree that was handed out for `lab`: nothing of later labs, and no whole boots, which
    /// need all of them.
    pub fn select_up_to_lab(&mut self, lab: u32) {
        self.jobs.retain(|job| job.group != MATRIX && job.lab.is_none_or(|own| own <= lab));
    }

    /// Keeps the jobs whose name contains one of `filters`, and the first two; all of them if there is no filter.
    pub fn select(&mut self, filters: &[String]) {
        let mut index = 0;
        self.jobs.retain(|job| {
            index += 1;
            index <= FIRST || filters.is_empty() || job.is_named(filters)
        });
    }
}

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

impl RunSettings<'_> {
    fn is_stopped(&self) -> bool {
        self.stop.load(std::sync::atomic::Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn two_thirds_of_the_points_rest_on_what_the_auditor_saw() {
        let kernel = Path::new("none");
        let plan = Plan::new(&Manifest::load(None).expect("well-formed"), kernel, false).expect("a plan");
        let points = |jobs: &mut dyn Iterator<Item = &Job>| jobs.map(|job| job.points).sum::<u32>();
        let is_audited =
            |job: &&Job| matches!(&job.expects, Expects::Test { checkpoints, .. } if !checkpoints.is_empty());
        let (audited, all) = (points(&mut plan.jobs.iter().filter(is_audited)), points(&mut plan.jobs.iter()));
        assert!(3 * audited >= 2 * all, "{audited} of {all}");
    }

    #[test]
    fn every_test_says_what_is_wrong_most_often_where_it_fails() {
        let without: Vec<String> = Manifest::load(None)
            .expect("it is well-formed")
            .tests
            .into_iter()
            .filter(|test| test.cause.is_none())
            .map(|test| test.id)
            .collect();
        assert_eq!(without, [""; 0]);
    }

    #[test]
    fn names_in_a_plan_differ() {
        let plan = plan();
        let names: std::collections::BTreeSet<String> = plan.jobs.iter().map(Job::name).collect();
        assert_eq!(names.len(), plan.jobs.len());
    }

    #[test]
    fn a_filter_keeps_what_it_names_and_the_first_two() {
        let mut plan = plan();
        plan.select(&["matrix/memory-1G".into()]);
        let names: Vec<String> = plan.jobs.iter().map(Job::name).collect();
        assert_eq!(names, ["boot/noop", "boot/list", "matrix/memory-1G"]);
    }

    #[test]
    fn a_lab_keeps_its_tests_and_a_tree_for_one_what_led_there() {
        let labs = |select: fn(&mut Plan)| {
            let mut plan = plan();
            select(&mut plan);
            assert!(plan.jobs[0].id == "noop" && plan.jobs.iter().all(|job| job.group != MATRIX));
            plan.jobs
                .iter()
                .map(|job| job.lab)
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>()
        };
        assert_eq!(labs(|plan| plan.select_lab(2)), [None, Some(2)]);
        assert_eq!(labs(|plan| plan.select_up_to_lab(2)), [None, Some(1), Some(2)]);
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
    fn a_job_says_what_its_test_does_of_limit_marks_and_who_sees_it() {
        let mut manifest = Manifest::load(None).expect("well-formed");
        let test = manifest.tests.last_mut().expect("there are tests");
        (test.limit, test.points, test.partial, test.visibility) = (7, Some(9), true, Visibility::Hidden);
        let id = test.id.clone();
        let plan = Plan::new(&manifest, Path::new("droste.elf"), false).expect("a plan");
        let job = plan.jobs.iter().find(|job| job.id == id).expect("each test is a job");
        assert_eq!((job.limit, job.points, job.partial, job.visibility), (7, 9, true, Visibility::Hidden));
    }

    #[test]
    fn after_a_stop_nothing_is_run() {
        let jobs = [script("a", "sleep 1000", &[]), script("b", "sleep 1000", &["a"])];
        assert_eq!(run(&jobs, 2, true), []);
    }
}
