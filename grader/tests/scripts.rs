//! What make and the scripts do where something is missing, and with what people set.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Makes a directory with all programs of the `PATH` but these.
fn programs_without(missing: &[&str]) -> TempDir {
    let directory = TempDir::new().expect("a temporary directory");
    let mut known: BTreeSet<_> = missing.iter().map(Into::into).collect();
    let path = env::var_os("PATH").expect("there is a PATH");
    for program in env::split_paths(&path).filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten() {
        if known.insert(program.file_name()) {
            symlink(program.path(), directory.path().join(program.file_name())).expect("the directory is ours");
        }
    }
    directory
}

/// Runs make, which has what is built for up to date, with `words`.
fn make(words: &[&str], env: &[(&str, &str)]) -> Output {
    let mut make = Command::new("make");
    make.current_dir(root()).args(["-o", "build/droste.elf"]).args(words).envs(env.iter().copied());
    for name in ["MAKEFLAGS", "MAKELEVEL", "SEED", "ONLY"] {
        make.env_remove(name);
    }
    make.output().expect("make is there")
}

#[test]
#[ignore = "needs the kernel: `make test` builds it and runs this"]
fn a_table_of_functions_without_awk_is_a_failure() {
    let path = programs_without(&["awk", "mawk", "gawk", "original-awk"]);
    let output = Command::new("scripts/symbols")
        .arg("build/droste.elf")
        .current_dir(root())
        .env("PATH", path.path())
        .output()
        .expect("bash is there");
    assert!(!output.status.success(), "{output:?}");

    let output = Command::new("scripts/need").arg("awk").current_dir(root()).env("PATH", path.path()).output();
    let output = output.expect("a shell is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("awk is missing (Debian package mawk)"), "{said}");
}

#[test]
#[ignore = "needs the kernel: `make test` builds it and runs this"]
fn a_table_of_functions_without_nm_is_a_failure() {
    let path = programs_without(&["nm"]);
    let output = Command::new("scripts/symbols")
        .arg("build/droste.elf")
        .current_dir(root())
        .env("PATH", path.path())
        .output()
        .expect("bash is there");
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn neither_make_nor_a_shell_reads_what_people_set() {
    let scratch = TempDir::new().expect("a temporary directory");
    let mark = scratch.path().join("mark");
    let mark = mark.to_str().expect("a name in UTF-8");
    for words in [format!("0; touch {mark}"), format!("0'; touch {mark}; echo '"), format!("$(shell touch {mark})")] {
        make(&["where", &format!("ADDR={words}")], &[]);
        make(&["where"], &[("ADDR", &words)]);
        make(&["-n", "run", "test", "debug", &format!("ARGS={words}"), &format!("ONLY={words}")], &[("TEST", &words)]);
        assert!(!Path::new(mark).exists(), "it was carried out: {words}");
    }
}

#[test]
fn make_where_takes_an_address_only() {
    let output = make(&["where"], &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("make where ADDR=0x10abcd"), "{said}");
}
