//! Programs, as people start them: by every way of booting, and at the prompt.

use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `script` with a program instead of the main job. Returns what is seen, and whether it was a success.
fn run(script: &str, program: &str, env: &[(&str, &str)], commands: &str) -> (String, bool) {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let input = scratch.path().join("commands");
    std::fs::write(&input, commands).expect("the directory is ours");
    let input = std::fs::File::open(input).expect("it was just written");
    let run = Command::new(script)
        .arg("build/droste.elf")
        .env("TMPDIR", scratch.path())
        .env("LOG", scratch.path().join("console"))
        .env_remove("ARGS")
        .env_remove("MEM")
        .env("PROGRAM", program)
        .envs(env.iter().copied())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .stdin(if commands.is_empty() { Stdio::null() } else { input.into() })
        .output()
        .expect("bash is there");
    (String::from_utf8_lossy(&run.stdout).replace('\r', ""), run.status.success())
}

#[test]
#[ignore = "needs the kernel: make test"]
fn a_program_runs_by_every_way_of_booting() {
    let qemu = "scripts/run-qemu";
    let ways = [
        (qemu, ("KERNEL", "1")),
        (qemu, ("PROTOCOL", "multiboot")),
        (qemu, ("PROTOCOL", "multiboot2")),
        (qemu, ("UEFI", "1")),
        ("scripts/run-bochs", ("PROTOCOL", "multiboot")),
        ("scripts/run-bochs", ("PROTOCOL", "multiboot2")),
    ];
    for (script, way) in ways {
        let (said, passed) = run(script, "calls", &[way], "");
        assert!(passed && said.contains("calls exited with status 0"), "{script} {way:?}:\n{said}");
    }
}

#[test]
#[ignore = "needs the kernel: make test"]
fn modules_that_grub_loads_are_files_by_both_protocols() {
    for protocol in ["multiboot", "multiboot2"] {
        let env = [("PROTOCOL", protocol), ("ARGS", "test=boot-modules-are-files")];
        let (said, passed) = run("scripts/run-qemu", "hello", &env, "");
        assert!(passed && said.contains("passed, with the time-stamp counter at "), "{protocol}:\n{said}");
    }
}

#[test]
#[ignore = "needs the kernel: make test"]
fn a_null_data_segment_ends_a_program_where_the_processor_looks() {
    let (said, passed) = run("scripts/run-bochs", "crimes ds-null", &[("PROTOCOL", "multiboot")], "");
    assert!(!passed && said.contains("crimes ended by the kernel: not for programs"), "{said}");
}

#[test]
#[ignore = "needs the kernel: make test"]
fn gdb_stops_at_a_programs_fault_and_knows_its_functions() {
    let words = "-batch -ex 'break primes::main' -ex continue -ex 'break-fault 0x40001000' -ex continue -ex backtrace";
    let (said, _) = run("scripts/debug", "primes 9000", &[("GDB_ARGS", words)], "");
    let at = said.find("user read of an absent page at 0x4000_1").unwrap_or_else(|| panic!("no fault in:\n{said}"));
    assert!(said[at..].contains("(a program's)") && said[at..].contains("primes::main"), "{said}");
}

#[test]
#[ignore = "needs the kernel: make test"]
fn the_prompt_runs_programs_lists_them_and_ends_them() {
    let commands =
        "run primes 1000\nrun crimes stack-overflow\nrun primes 20000000 &\nps\nkill 4\nps\nkill 4\nrun nobody\n";
    let (said, passed) = run("scripts/run-qemu", "hello from afar", &[("KERNEL", "1")], commands);
    let mut rest = said.as_str();
    for words in [
        "hello from ring 3: from afar\nhello exited with status 0",
        "droste> run primes 1000\n168 primes below 1000, 1 pages touched\nprimes exited with status 0",
        "program 3, crimes, is ended:",
        "why    the kernel's page:",
        "trace  crimes::recurse",
        "crimes ended by the kernel: the kernel's page",
        "primes is program 4\ndroste> ps\n    4 primes\n",
        "droste> ps\n    4 primes killed\n",
        "no program 4 runs",
        "no test has this name",
    ] {
        (_, rest) = rest.split_once(words).unwrap_or_else(|| panic!("no \"{words}\" from there on in:\n{said}"));
    }
    assert!(passed);
}
