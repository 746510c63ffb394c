//! A kernel, built in some tree, and the grader's word on it.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where a build leaves the kernel, from the root of its tree.
pub const KERNEL: &str = "build/droste.elf";

/// Where the grader leaves its results.
pub const RESULTS: &str = "build/results";

/// What a build spends its time on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Build {
    /// As students and everybody else build: optimised as a whole.
    Full,
    /// In a sixth of the time, for a kernel that is thrown away: parts that didn't change are kept, and little is optimised.
    Quick,
}

impl Build {
    /// Returns the settings that Cargo reads from the environment.
    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Full => &[],
            Self::Quick => &[
                ("CARGO_PROFILE_RELEASE_LTO", "off"),
                ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
                ("CARGO_PROFILE_RELEASE_INCREMENTAL", "true"),
                ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
                ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
            ],
        }
    }
}

/// Builds the kernel of `tree`, without network, with what was built before in `target`, and with the hidden tests of
/// `overlay`. Returns what the build said if it failed.
///
/// # Errors
///
/// If the build cannot be started.
pub fn build(tree: &Path, target: &Path, how: Build, overlay: Option<&Path>) -> io::Result<Result<(), String>> {
    let mut command = child("make");
    if let Some(overlay) = overlay {
        command.env("OVERLAY", overlay);
    }
    let output = command
        .args(["--no-print-directory", KERNEL])
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", std::path::absolute(target)?)
        .env("CARGO_NET_OFFLINE", "true")
        .envs(how.settings().iter().copied())
        .output()?;
    if output.status.success() {
        return Ok(Ok(()));
    }
    Ok(Err(String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// Has the grader run the tests of `tree`'s kernel that `filters` select. Returns the name of the verdict on each test.
///
/// # Errors
///
/// If the grader cannot be started, or found something wrong with its own surroundings.
pub fn verdicts(grader: &Path, tree: &Path, filters: &[&str]) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let output = grader_in(grader, tree)?.args(filters).output()?;
    if !matches!(output.status.code(), Some(0 | 1)) {
        return Err(format!("the grader failed: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    let results: Results = serde_json::from_str(&fs::read_to_string(tree.join(RESULTS).join("results.json"))?)?;
    Ok(results.tests.into_iter().map(|test| (test.extra_data.id, test.extra_data.verdict)).collect())
}

/// The part of the grader's results that says what each test is worth.
#[derive(Deserialize)]
struct Results {
    tests: Vec<TestResult>,
}

#[derive(Deserialize)]
struct TestResult {
    extra_data: Extra,
}

#[derive(Deserialize)]
struct Extra {
    id: String,
    verdict: String,
}

/// Has the grader run every test inside the machine of `tree`'s kernel, hidden ones of `overlay` too, and leave its results
/// there. Returns whether all passed.
///
/// # Errors
///
/// If the grader cannot be started, or found something wrong with its own surroundings.
pub fn test(grader: &Path, tree: &Path, overlay: Option<&Path>) -> Result<bool, Box<dyn Error>> {
    let mut command = grader_in(grader, tree)?;
    if let Some(overlay) = overlay {
        command.arg("--overlay").arg(overlay);
    }
    let status = command.args(groups(tree, overlay)?).status()?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => Err(format!("the grader failed: {status}").into()),
    }
}

fn grader_in(grader: &Path, tree: &Path) -> io::Result<Command> {
    let mut command = child(&std::path::absolute(grader)?.display().to_string());
    command.arg("test").current_dir(tree);
    Ok(command)
}

/// Returns the groups of the manifest's tests. Whole boots by boot loaders are in none of them: they are not the students'
/// work.
fn groups(tree: &Path, overlay: Option<&Path>) -> Result<BTreeSet<String>, Box<dyn Error>> {
    #[derive(Deserialize)]
    struct Manifest {
        test: Vec<Test>,
    }
    #[derive(Deserialize)]
    struct Test {
        group: String,
    }
    let mut groups = BTreeSet::new();
    let files = [Some(tree.join("grader/tests.toml")), overlay.map(|overlay| overlay.join("tests.toml"))];
    for file in files.into_iter().flatten() {
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let manifest: Manifest = toml::from_str(&text)?;
        groups.extend(manifest.test.into_iter().map(|test| test.group + "/"));
    }
    Ok(groups)
}

/// Returns the command `program`, whose process ends if this one is ended.
fn child(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", program]).stdin(Stdio::null());
    command
}

/// Returns the grader: it was built with this program and lies beside it.
///
/// # Errors
///
/// If this program's own place is not known.
pub fn grader() -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("grader"))
}
