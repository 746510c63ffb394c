//! A kernel, built in some tree, and the grader's word on it.

use grader::manifest::Manifest;
use grader::marks::Results;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where a build leaves the kernel, from the root of its tree.
pub const KERNEL: &str = "build/droste.elf";

/// How many minutes a build may take. The slowest that is seen takes two, on half a core.
const MINUTES: u32 = 5;

/// The status with which `timeout` says that it ended what it started.
const TIMED_OUT: i32 = 124;

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
    // A build ends with this process, and in any case.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "timeout", "--kill-after=10", &(60 * MINUTES).to_string()]);
    command.args(["make", "--no-print-directory", KERNEL]).current_dir(tree).stdin(Stdio::null());
    command.env("CARGO_TARGET_DIR", std::path::absolute(target)?).env("CARGO_NET_OFFLINE", "true");
    command.envs(how.settings().iter().copied());
    // What make was told to make here is not what it makes there.
    command.env_remove("MAKEFLAGS");
    match overlay {
        Some(overlay) => command.env("OVERLAY", overlay),
        None => command.env_remove("OVERLAY"),
    };
    // A kernel of the build before must not be taken for this one's.
    match std::fs::remove_file(tree.join(KERNEL)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(match output.status.code() {
        Some(0) => Ok(()),
        Some(TIMED_OUT) => Err(format!("the build did not end within {MINUTES} minutes\n{said}")),
        _ => Err(said),
    })
}

/// Returns the names of the manifest's groups, and of those of `overlay`, as filters. Whole boots by boot loaders are in
/// none of them: they are not the students' work.
///
/// # Errors
///
/// In words, if a manifest is not well-formed.
pub fn groups(overlay: Option<&Path>) -> Result<Vec<String>, String> {
    let tests = Manifest::load(overlay)?.tests;
    let groups: BTreeSet<String> = tests.into_iter().map(|test| test.group + "/").collect();
    Ok(groups.into_iter().collect())
}

/// Returns the name of the verdict on the test `name`.
pub fn verdict<'a>(results: &'a Results, name: &str) -> &'a str {
    let judged = results.all().find(|(job, _)| job.name() == name).and_then(|(_, judged)| judged);
    judged.map_or("NOT RUN", |judged| judged.verdict.name())
}
