//! The tests of programs, by every other way of booting than the grader's: `make check-programs`.

use grader::manifest::Manifest;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs each test of programs by `script`, booted as `way` says.
fn every_test_passes(script: &str, (name, value): (&str, &str)) {
    let manifest = Manifest::load(None).expect("it is well-formed");
    let tests: Vec<&str> =
        manifest.tests.iter().filter(|test| test.group == "programs").map(|test| test.id.as_str()).collect();
    assert!(tests.len() > 10, "{tests:?}");
    for test in tests {
        let scratch = tempfile::tempdir().expect("a temporary directory");
        let run = Command::new(script)
            .arg("build/droste.elf")
            .env("TMPDIR", scratch.path())
            .env("LOG", scratch.path().join("console"))
            .env("TIMEOUT", "300")
            .env_remove("MEM")
            .env("PROGRAM", "hello")
            .env("ARGS", format!("test={test}"))
            .env(name, value)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .stdin(Stdio::null())
            .output()
            .expect("bash is there");
        let said = String::from_utf8_lossy(&run.stdout);
        let passed = run.status.success() && said.contains("passed, with the time-stamp counter at ");
        assert!(passed, "{script} {name}={value} {test}:\n{said}{}", String::from_utf8_lossy(&run.stderr));
        println!("{script} {name}={value} {test}");
    }
}

#[test]
#[ignore = "needs the kernel: make check-programs"]
fn every_test_of_programs_passes_by_multiboot() {
    every_test_passes("scripts/run-qemu", ("PROTOCOL", "multiboot"));
}

#[test]
#[ignore = "needs the kernel: make check-programs"]
fn every_test_of_programs_passes_by_multiboot2() {
    every_test_passes("scripts/run-qemu", ("PROTOCOL", "multiboot2"));
}

#[test]
#[ignore = "needs the kernel: make check-programs"]
fn every_test_of_programs_passes_under_uefi() {
    every_test_passes("scripts/run-qemu", ("UEFI", "1"));
}

#[test]
#[ignore = "needs the kernel: make check-programs"]
fn every_test_of_programs_passes_in_bochs() {
    every_test_passes("scripts/run-bochs", ("PROTOCOL", "multiboot2"));
}
