//! What make and the scripts do where something is missing, and with what people set.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
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
    for name in ["MAKEFLAGS", "MAKELEVEL", "SEED", "ONLY", "LAB", "RELEASE"] {
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

/// Runs scripts/test in a tree whose list of tests begins with `first`, where cargo only prints its words and a result.
fn said_by_test(first: &str, env: &[(&str, &str)]) -> String {
    let tree = TempDir::new().expect("a temporary directory");
    let put = |file: &str, text: &str| {
        let path = tree.path().join(file);
        fs::create_dir_all(path.with_file_name("")).expect("the directory is ours");
        fs::write(&path, text).expect("the directory is ours");
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("the file is ours");
    };
    put("grader/tests.toml", first);
    put("scripts/test", &fs::read_to_string(root().join("scripts/test")).expect("it is there"));
    put("scripts/need", "#!/bin/sh\n");
    put("scripts/cargo", "#!/bin/sh\necho \"cargo $*\"\necho '3 passed, 0 failed'\n");
    let mut test = Command::new(tree.path().join("scripts/test"));
    test.arg("kernel.elf").env("SEED", "0x1").envs(env.iter().copied());
    for name in ["ONLY", "LAB", "DET", "OVERLAY"].iter().filter(|name| env.iter().all(|(set, _)| set != *name)) {
        test.env_remove(name);
    }
    let output = test.output().expect("bash is there");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_lab_is_graded_without_cargos_tests_on_a_quickly_built_kernel() {
    let said = said_by_test("# All.", &[("LAB", "3")]);
    assert_eq!(
        said,
        "cargo run --quiet --package grader -- test --kernel kernel.elf --seed 0x1 --lab 3\n3 passed, 0 failed\n"
    );
    let kernel = |words: &[&str]| {
        let said = make(&[&["-n", "test"], words].concat(), &[]);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let run = said.lines().find_map(|line| line.strip_prefix("scripts/test ")).map(String::from);
        run.unwrap_or_else(|| panic!("{said}"))
    };
    assert_eq!(kernel(&["LAB=3"]), "build/quick/droste.elf");
    assert_eq!(kernel(&["LAB=3", "RELEASE=1"]), "build/droste.elf");
    assert_eq!(kernel(&[]), "build/droste.elf");
}

#[test]
fn a_tree_for_one_lab_runs_its_scenarios_on_the_host_and_the_whole_tree_all_tests() {
    let of_a_lab = said_by_test("lab = 2\n", &[]);
    assert!(of_a_lab.starts_with("cargo test --package droste --test scenarios -- --test-threads="), "{of_a_lab}");
    let all = said_by_test("# All.", &[]);
    assert!(all.starts_with("cargo test --no-fail-fast --workspace "), "{all}");
    for said in [of_a_lab, all] {
        assert!(
            said.contains(
                " passed, 0 failed\ncargo run --quiet --package grader -- test --kernel kernel.elf --seed 0x1\n"
            ),
            "{said}"
        );
        assert!(said.ends_with("\n6 passed, 0 failed\n"), "{said}");
    }
}
