//! What `make bochs` says of a run: by its status, and at once.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// When a run in Bochs should have ended. It takes three seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Boots the kernel in Bochs with a time limit beyond all patience. Returns what came of it.
fn bochs(env: &[(&str, &str)]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    assert!(root.join("build/droste.elf").exists(), "build/droste.elf is missing: run `make build`");
    let started = Instant::now();
    let output = Command::new("scripts/run-bochs")
        .arg("build/droste.elf")
        .current_dir(root)
        .env_remove("PROTOCOL")
        .env("TIMEOUT", "120")
        .envs(env.iter().copied())
        .output()
        .expect("bash is there");
    assert!(started.elapsed() < PATIENCE, "it ended by its time limit");
    output
}

#[test]
#[ignore = "starts machines: `make test` builds the kernel and runs it"]
fn a_test_that_passes_in_bochs_ends_with_status_0() {
    let output = bochs(&[("ARGS", "test=noop")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
#[ignore = "starts machines: `make test` builds the kernel and runs it"]
fn a_test_that_fails_in_bochs_ends_with_status_1_and_says_so() {
    let output = bochs(&[("ARGS", "test=there-is-no-such-test")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said.contains("the kernel says that something failed"), "{said}");
}

#[test]
#[ignore = "starts machines: `make test` builds the kernel and runs it"]
fn a_kernel_that_refuses_to_start_ends_bochs_at_once() {
    let output = bochs(&[("CPU", "pentium")]);
    let (console, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(console, "Droste cannot start: this processor lacks CMOV. A Pentium Pro or later is needed.\r\n");
    assert!(said.contains("the kernel has stopped, without switching the machine off"), "{said}");
}
