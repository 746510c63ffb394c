//! A grader that is killed leaves no process behind, and results that are true as far as they go. Two runs of a
//! deterministic machine are the same.

use grader::machine::{Machine, Place};
use grader::qemu::Reference;
use grader::verdict::{Expects, SUCCESS, Verdict};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
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

/// Starts the grader on tests that take a while, with all of its files in `scratch`.
fn start(scratch: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_grader"))
        .args(["test", "-j", "2", "--results"])
        .arg(scratch.join("results"))
        .arg("--kernel")
        .arg(kernel())
        .args(["spaces/", "pools/"])
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

/// Says whether a machine has files in `scratch`.
fn a_machine_runs(scratch: &Path) -> bool {
    let scratch = scratch.to_str().expect("text").as_bytes();
    let processes = fs::read_dir("/proc").expect("it is there").flatten();
    processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok()).any(|words| {
        let program = words.split(|byte| *byte == 0).next().unwrap_or_default();
        program.ends_with(b"qemu-system-i386") && words.windows(scratch.len()).any(|window| window == scratch)
    })
}

fn a_killed_grader_leaves_no_machine(signal: Signal) {
    let scratch = TempDir::new().expect("a temporary directory");
    let mut grader = start(scratch.path());
    let passed = || verdicts(scratch.path()).iter().filter(|verdict| *verdict == "PASS").count();
    wait_for("three tests passed", || passed() >= 3 && a_machine_runs(scratch.path()));
    kill_process(Pid::from_child(&grader), signal).expect("it runs");
    grader.wait().expect("it is a child");
    wait_for("no machine runs", || !a_machine_runs(scratch.path()));
    let verdicts = verdicts(scratch.path());
    assert!(verdicts.iter().any(|verdict| verdict == "NOT RUN"), "{verdicts:?}");
    assert!(verdicts.iter().all(|verdict| verdict == "PASS" || verdict == "NOT RUN"), "{verdicts:?}");
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
fn two_deterministic_runs_are_the_same_to_the_last_instruction() {
    let directory = TempDir::new().expect("a temporary directory");
    // The main job prints how many instructions its faults took.
    let command_line = "interactive=no".into();
    let reference = Reference { kernel: kernel(), memory: "32M".into(), command_line, deterministic: true };
    let stop = AtomicBool::new(false);
    let place = Place { room: directory.path().join("room"), limit: PATIENCE, seed: 1, stop: &stop };
    let machine = Machine::Reference(reference);
    let run = || machine.run(&Expects::Boot { status: SUCCESS }, &place).expect("nobody stops it");
    let (first, second) = (run(), run());
    assert_eq!(first.verdict, Verdict::Pass);
    assert_eq!(first.run.console, second.run.console);
}
