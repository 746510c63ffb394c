//! A kernel, built in some tree, and the grader's word on it.

use grader::child::{Exit, Running};
use grader::manifest::Manifest;
use grader::marks::Results;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Where a build leaves the kernel, from the root of its tree.
pub const KERNEL: &str = "build/droste.elf";

/// How long a build may take. The slowest that is seen takes one minute, on half a core.
const LIMIT: Duration = Duration::from_secs(300);

/// How often a build is asked whether it has ended.
const POLL: Duration = Duration::from_millis(10);

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
/// If the build cannot be started, or was stopped since `stop` became true.
pub fn build(
    tree: &Path,
    target: &Path,
    how: Build,
    overlay: Option<&Path>,
    stop: &AtomicBool,
) -> io::Result<Result<(), String>> {
    fs::create_dir_all(target)?;
    let (target, said) = (std::path::absolute(target)?, target.join("said"));
    // A kernel of the build before must not be taken for this one's.
    match fs::remove_file(tree.join(KERNEL)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // What make was told to make here is not what it makes there.
    let mut words: Vec<String> = ["-u", "MAKEFLAGS", "-u", "OVERLAY", "CARGO_NET_OFFLINE=true"].map(Into::into).into();
    words.push(format!("CARGO_TARGET_DIR={}", target.display()));
    words.extend(overlay.map(|overlay| format!("OVERLAY={}", overlay.display())));
    let make = ["make", "--no-print-directory", "-C", &tree.display().to_string(), KERNEL].map(Into::into);
    words.extend(make);
    let output = [File::create(target.join("echoed"))?, File::create(&said)?];
    let mut child = Running::start("env", &words, how.settings(), Stdio::null(), output)?;
    let started = Instant::now();
    let exit = loop {
        match child.exit()? {
            Some(exit) => break Some(exit),
            None if stop.load(Ordering::Relaxed) => return Err(io::Error::other("the build was told to end")),
            None if started.elapsed() > LIMIT => break None,
            None => sleep(POLL),
        }
    };
    drop(child);
    let said = String::from_utf8_lossy(&fs::read(said)?).into_owned();
    Ok(match exit {
        Some(Exit::Status(0)) => Ok(()),
        Some(_) => Err(said),
        None => Err(format!("the build did not end within {} s\n{said}", LIMIT.as_secs())),
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
