//! A grader that is killed leaves no process behind, and results that are true as far as they go; one that is stopped
//! for a while judges as if it had not been. Two runs of a deterministic machine are the same.

use grader::manifest::Manifest;
use grader::plan::Plan;
use grader::queue::RunSettings;
use grader::verdict::Verdict;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// When the grader should have run a test, or a machine should have ended.
const PATIENCE: Duration = Duration::from_secs(60);

fn kernel() -> PathBuf {
    let kernel = Path::new(env!("CARGO_MANIFEST_DIR")).join("../build/droste.elf");
    assert!(kernel.exists(), "build/droste.elf is missing: run `make`");
    kernel
}

/// Starts the grader on `tests`, with all of its files in `scratch`.
fn start(scratch: &Path, tests: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_grader"))
        .args(["test", "-j", "2", "--results"])
        .arg(scratch.join("results"))
        .arg("--kernel")
        .arg(kernel())
        .args(tests)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .env("TMPDIR", scratch)
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts")
}

fn wait_for(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(5));
    }
}

/// Returns how the tests in the results so far went, by verdict.
fn verdicts(scratch: &Path) -> Vec<String> {
    let Ok(text) = fs::read_to_string(scratch.join("results/results.json")) else { return Vec::new() };
    let json: Value = serde_json::from_str(&text).expect("whole, at any moment");
    let tests = json["tests"].as_array().expect("a list").iter();
    tests.map(|test| test["extra_data"]["verdict"].as_str().expect("a word").into()).collect()
}

/// Returns all processes that the grader started, or that these started, as their directories in `/proc` and their command
/// lines: its `TMPDIR` is theirs too.
fn children(scratch: &Path) -> Vec<(PathBuf, String)> {
    let setting = format!("TMPDIR={}", scratch.display());
    let is_set = |environment: &[u8]| environment.split(|byte| *byte == 0).any(|word| word == setting.as_bytes());
    let processes = fs::read_dir("/proc").expect("it is there").flatten().map(|process| process.path());
    let started = processes.filter(|process| fs::read(process.join("environ")).is_ok_and(|words| is_set(&words)));
    let line = |process: &PathBuf| fs::read(process.join("cmdline")).ok();
    let lines = started.filter_map(|process| line(&process).map(|line| (process, line)));
    lines.map(|(process, line)| (process, String::from_utf8_lossy(&line).replace('\0', " "))).collect()
}

fn a_killed_grader_leaves_no_machine(signal: Signal) {
    let scratch = TempDir::new().expect("a temporary directory");
    // These take a while.
    let mut grader = start(scratch.path(), &["pools/", "matrix/bochs"]);
    let passed_so_far = || verdicts(scratch.path()).iter().filter(|verdict| *verdict == "PASS").count();
    let runs = |program: &str| children(scratch.path()).iter().any(|(_, line)| line.contains(program));
    // What a script starts has the longest limit, and so comes first.
    wait_for("three tests passed", || passed_so_far() >= 3 && runs("qemu-system-i386") && runs("bochs"));
    kill_process(Pid::from_child(&grader), signal).expect("it runs");
    grader.wait().expect("it is a child");
    wait_for("no machine runs", || children(scratch.path()).is_empty());
    let read = |name: &str| fs::read_to_string(scratch.path().join("results").join(name)).expect("it is there");
    let verdicts = verdicts(scratch.path());
    let (passed, all) = (passed_so_far(), verdicts.len());
    assert!(passed >= 3 && passed < all, "{verdicts:?}");
    assert!(verdicts.iter().all(|verdict| verdict == "PASS" || verdict == "NOT RUN"), "{verdicts:?}");
    let tap = read("results.tap");
    let junit = junit_parser::from_reader(read("junit.xml").as_bytes()).expect("JUnit");
    let not_run_by_others = [
        tap.lines().filter(|line| line.starts_with("not ok ")).count(),
        read("summary.md").lines().filter(|line| line.ends_with(": not run")).count(),
        junit.errors as usize,
    ];
    // They are written one after the other, so the others may be one test behind.
    let behind = usize::from(signal == Signal::KILL);
    for not_run in not_run_by_others {
        assert!(
            (all - passed..=all - passed + behind).contains(&not_run),
            "{not_run} of {all} by one, {passed} passed"
        );
    }
    assert_eq!((tap.lines().next(), junit.tests, junit.failures), (Some("TAP version 14"), all as u64, 0));
}

#[test]
fn a_grader_that_is_killed_leaves_no_machine_and_true_results() {
    a_killed_grader_leaves_no_machine(Signal::KILL);
}

#[test]
fn a_grader_that_is_interrupted_leaves_no_machine_and_true_results() {
    a_killed_grader_leaves_no_machine(Signal::INT);
}

#[test]
fn a_grader_that_is_ended_leaves_no_machine_and_true_results() {
    a_killed_grader_leaves_no_machine(Signal::TERM);
}

/// A machine runs on, and may come to its end, while the grader gets no processor.
#[test]
fn a_grader_that_is_stopped_after_it_started_a_machine_judges_it_all_the_same() {
    let scratch = TempDir::new().expect("a temporary directory");
    let tests = ["boot/noop", "pools/random-operations", "deaths/dies-panic", "audit/audited-lazy-region"];
    let mut grader = start(scratch.path(), &tests);
    let mut seen = BTreeSet::new();
    while grader.try_wait().expect("it is a child").is_none() {
        let machines = children(scratch.path()).into_iter().filter(|(_, line)| line.contains("qemu-system-i386"));
        if machines.fold(false, |new, (process, _)| seen.insert(process) || new) {
            let signal = |signal| kill_process(Pid::from_child(&grader), signal).expect("it has not been waited for");
            signal(Signal::STOP);
            sleep(Duration::from_secs(1));
            signal(Signal::CONT);
        }
    }
    let verdicts = verdicts(scratch.path());
    assert!(verdicts.len() == tests.len() + 1 && verdicts.iter().all(|verdict| verdict == "PASS"), "{verdicts:?}");
}

/// What says how many instructions a machine has executed: the main job, which prints what its faults took, a test that ends
/// with the time-stamp counter, and a death with the registers in its report.
#[test]
fn two_deterministic_runs_are_the_same_to_the_last_instruction() {
    let directory = TempDir::new().expect("a temporary directory");
    let manifest = Manifest::load(None).expect("well-formed");
    let plan = Plan::new(&manifest, &kernel(), true).expect("a plan");
    let stop = AtomicBool::new(false);
    let setting =
        RunSettings { limit: PATIENCE, stretch: 1, deadline: None, seed: 1, directory: directory.path(), stop: &stop };
    for name in ["matrix/kernel", "pools/random-operations", "deaths/dies-past-a-region"] {
        let job = plan.jobs.iter().find(|job| job.name() == name).expect("it is there");
        let run = || setting.run(0, job).expect("nobody stops it");
        let (first, second) = (run(), run());
        assert_eq!(first.verdict, Verdict::Pass, "{name}");
        assert_eq!(first.run.console, second.run.console, "{name}");
        assert_eq!(first.run.control, second.run.control, "{name}");
    }
}
