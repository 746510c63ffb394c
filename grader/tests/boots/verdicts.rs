//! Every verdict, earned: for each a kernel of a few instructions that does what the verdict is named after.
//!
//! They are assembled when the tests run, from `verdicts/*.s`.

use grader::qemu::{Reference, Time};
use grader::run::Checkpoint;
use grader::verdict::{Expects, Outcome, Verdict};
use grader::vm::{Judged, Machine, RunContext};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tempfile::TempDir;

/// Processor time enough for any of these kernels, which take a tenth of it, and short enough to wait for.
const LIMIT: Duration = Duration::from_millis(600);

/// Assembles and links `verdicts/NAME.s` in `directory`.
fn assemble(directory: &Path, name: &str) -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verdicts");
    let (object, kernel) = (directory.join("kernel.o"), directory.join("kernel.elf"));
    let run = |program: &str, words: &[&Path]| {
        let output = Command::new(program).args(words).current_dir(&sources).output().expect("binutils are there");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run("as", &["--32".as_ref(), "-o".as_ref(), &object, &sources.join(format!("{name}.s"))]);
    let link = ["-m", "elf_i386", "-Ttext=0x100000", "-o"].map(Path::new);
    run("ld", &[link.as_slice(), &[&kernel, &object]].concat());
    kernel
}

fn checkpoint() -> Vec<Checkpoint> {
    vec![Checkpoint { name: "filled".into(), faults: Some(256), backed: Some(256), claims: 1 }]
}

fn judge(directory: &TempDir, kernel: PathBuf, checkpoints: Vec<Checkpoint>) -> Judged {
    let reference = Reference {
        kernel,
        memory: "32M".into(),
        command_line: String::new(),
        programs: false,
        drive: None,
        deterministic: false,
    };
    let expects = Expects::Test { name: "t".into(), outcome: Outcome::Passes, checkpoints };
    let stop = AtomicBool::new(false);
    let context = RunContext {
        dir: directory.path().join("room"),
        time: Time { limit: LIMIT, clock: 20 * LIMIT },
        seed: 1,
        stop: &stop,
    };
    Machine::Reference(reference).run(&expects, &context).expect("nobody stops it")
}

/// Runs the kernel `name`, as a test that should simply pass.
fn run(name: &str) -> Judged {
    let directory = TempDir::new().expect("a temporary directory");
    let kernel = assemble(directory.path(), name);
    judge(&directory, kernel, Vec::new())
}

#[test]
fn pass() {
    assert_eq!(run("pass").verdict, Verdict::Pass);
}

#[test]
fn a_pass_that_is_not_seen_where_tests_are_run_is_none() {
    assert_eq!(run("pass-elsewhere").verdict.checks()[0].what, "a pass is said");
    assert_eq!(run("pass-on-another-stack").verdict.checks()[0].expected, "on the kernel's stack");
    assert_eq!(run("pass-unseen").verdict.checks()[0].what, "the end");
}

#[test]
fn a_pass_by_code_that_is_not_the_kernels_is_none() {
    let expected = |name| run(name).verdict.checks()[0].expected.clone();
    assert_eq!(expected("pass-written-code"), "never written");
    assert_eq!(expected("pass-by-other-code"), "the kernel's code");
}

#[test]
fn fail_with_expected_and_seen_and_where() {
    let checks = run("fail").verdict.checks();
    assert_eq!((checks[0].expected.as_str(), checks[0].seen.as_str()), ("0x2", "0x3"));
    assert_eq!(checks[0].at.as_deref(), Some("scenario.rs:7"));
}

#[test]
fn fail_by_the_status_whatever_the_records_say() {
    assert_eq!(run("says-pass").verdict.name(), "FAIL");
}

#[test]
fn panic_in_the_kernels_words() {
    let judged = run("panic");
    let checks = judged.verdict.checks();
    assert_eq!((judged.verdict.name(), checks[0].seen.as_str()), ("PANIC", "panic: no frame left"));
    assert_eq!(checks[0].at.as_deref(), Some("pool.rs:7"));
    let post_mortem = judged.post_mortem.expect("the machine stood still");
    assert!(post_mortem.picture.is_some() && post_mortem.place().is_some());
}

#[test]
fn illegal_access_in_the_kernels_words() {
    assert_eq!(run("illegal-access").verdict, Verdict::IllegalAccess("illegal-access write to 0x5000_0000".into()));
}

#[test]
fn triple_fault_with_its_chain_of_exceptions() {
    let judged = run("triple-fault");
    let Verdict::TripleFault(chain) = &judged.verdict else { panic!("{:?}", judged.verdict) };
    assert!(chain[0].starts_with("#UD") && chain[1].starts_with("#GP") && chain[2].starts_with("#DF"), "{chain:?}");
    let post_mortem = judged.post_mortem.expect("the machine stood still");
    assert!(post_mortem.picture.is_some() && !post_mortem.exceptions.is_empty());
}

#[test]
fn reset() {
    assert_eq!(run("reset").verdict, Verdict::Reset("it asked to be reset"));
}

#[test]
fn halted_and_where_at_once() {
    let judged = run("halted");
    let Verdict::Halted(place) = &judged.verdict else { panic!("{:?}", judged.verdict) };
    assert_eq!(place.function, "stand_still");
    assert!(judged.post_mortem.expect("it stands still").picture.is_some());
}

#[test]
fn hang_and_where() {
    let judged = run("hang");
    let Verdict::Hang(place, LIMIT) = &judged.verdict else { panic!("{:?}", judged.verdict) };
    assert_eq!(place.function, "spin");
    let post_mortem = judged.post_mortem.expect("it was stopped");
    assert!(post_mortem.picture.is_some() && !post_mortem.backtrace.is_empty());
}

#[test]
fn fault_loop_with_address_and_instruction() {
    let judged = run("fault-loop");
    let Verdict::FaultLoop { address: 0x50_0000, place, .. } = &judged.verdict else { panic!("{:?}", judged.verdict) };
    assert_eq!(place.function, "touch");
    let post_mortem = judged.post_mortem.expect("it was stopped");
    let walk = post_mortem.walk;
    assert!(post_mortem.picture.is_some());
    assert!(walk[0].starts_with("directory entry 0x1,") && walk[0].ends_with("absent"), "{walk:?}");
}

/// A log of exceptions that has no end neither fills the disk nor hides what comes again and again.
#[test]
fn fault_loop_in_a_machine_whose_exceptions_are_logged() {
    let directory = TempDir::new().expect("a temporary directory");
    let kernel = assemble(directory.path(), "fault-loop");
    assert_eq!(judge(&directory, kernel, checkpoint()).verdict.name(), "FAULT LOOP");
    let log = std::fs::metadata(directory.path().join("room/log")).expect("it is there");
    assert!(log.len() < 256 << 20, "{} bytes", log.len());
}

#[test]
fn timeout() {
    let judged = run("timeout");
    assert_eq!(judged.verdict, Verdict::Timeout(LIMIT));
    assert!(judged.post_mortem.expect("it was stopped").picture.is_some());
}

#[test]
fn claims_without_the_memory_to_match_fail() {
    let directory = TempDir::new().expect("a temporary directory");
    let kernel = assemble(directory.path(), "claims");
    let judged = judge(&directory, kernel, checkpoint());
    assert_eq!(judged.verdict.name(), "FAIL");
    assert!(judged.run.held.is_empty() && !judged.run.findings.is_empty(), "{judged:?}");
}

#[test]
fn an_audited_test_that_never_comes_to_its_checkpoint_fails() {
    let directory = TempDir::new().expect("a temporary directory");
    let kernel = assemble(directory.path(), "pass");
    assert_eq!(judge(&directory, kernel, checkpoint()).verdict.name(), "FAIL");
}

#[test]
fn infrastructure_where_there_is_no_kernel_to_boot() {
    let directory = TempDir::new().expect("a temporary directory");
    let [missing, text] = ["missing.elf", "text.elf"].map(|name| directory.path().join(name));
    std::fs::write(&text, "no kernel at all\n").expect("a file");
    for kernel in [missing, text] {
        let verdict = judge(&directory, kernel, Vec::new()).verdict;
        assert_eq!(verdict.name(), "INFRASTRUCTURE", "{verdict:?}");
    }
}
