//! A kernel, built in some tree, and the grader's word on it.

use crate::confinement::Confinement;
use grader::child::{Exit, Running};
use grader::manifest::Manifest;
use grader::marks::Results;
use serde_json::Value;
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
    /// In a tenth of the time, for a kernel that is thrown away: parts that didn't change are kept, and little is optimised.
    Quick,
    /// For no kernel at all, but to see whether the source has errors.
    Check,
}

impl Build {
    /// Returns the env that Cargo reads from the environment.
    fn env(self) -> &'static [(&'static str, &'static str)] {
        match self {
            // Of what GDB needs only functions and lines, which failures name.
            Self::Full => &[("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only")],
            Self::Check => &[],
            Self::Quick => &[("KERNEL_PROFILE", "quick"), ("CARGO_PROFILE_QUICK_DEBUG", "0")],
        }
    }
}

/// Where and how kernels are built.
#[derive(Clone, Copy)]
pub struct Builder<'a> {
    /// What was built before, to be used again.
    pub target: &'a Path,
    /// What a build spends its time on.
    pub how: Build,
    /// Hidden tests that are compiled in.
    pub overlay: Option<&'a Path>,
    /// What confines the build, if the tree is not the project's own.
    pub confinement: Option<&'a Confinement>,
    /// Becomes true when all is to end.
    pub stop: &'a AtomicBool,
}

/// What came of a build.
#[derive(PartialEq, Eq, Debug)]
pub enum Built {
    /// A kernel, or no error.
    Kernel,
    /// The compiler found errors in the source: its words.
    Errors(String),
    /// It reached a limit that builds have: which one, in a sentence.
    OverLimit(String),
    /// It failed for another reason: what was said.
    Failed(String),
}

/// What a program said until its end, or until the limit.
struct Said {
    exit: Option<Exit>,
    output: String,
    stderr: String,
}

impl Builder<'_> {
    /// Builds the kernel of `tree`, without network.
    ///
    /// # Errors
    ///
    /// If the build cannot be started, or was stopped.
    pub fn build(&self, tree: &Path) -> io::Result<Built> {
        // A kernel of the build before must not be taken for this one's.
        match fs::remove_file(tree.join(KERNEL)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if self.how == Build::Check {
            return self.cargo(tree, &["check"]);
        }
        // Make does not pass on what the compiler says for programs, so it only links what is compiled already.
        match self.cargo(tree, &["rustc", "--crate-type", "staticlib"])? {
            Built::Kernel => {}
            not_compiled => return Ok(not_compiled),
        }
        let said = self.run(tree, &["make", "--no-print-directory", KERNEL])?;
        Ok(match said.exit {
            Some(Exit::Status(0)) => Built::Kernel,
            Some(_) => match said.stderr.lines().find(|line| line.contains(IMAGE_TOO_LONG)) {
                Some(_) => Built::OverLimit(format!("the kernel is too large: {IMAGE_TOO_LONG}")),
                None => Built::Failed(said.stderr),
            },
            None => Built::OverLimit(over_time()),
        })
    }

    fn cargo(&self, tree: &Path, words: &[&str]) -> io::Result<Built> {
        let said = self.run(tree, &[&["scripts/cargo", "--kernel"], words, &["--message-format=json"]].concat())?;
        // Where a build writes is no word to a student.
        let words = |has_place| errors(&said.output, has_place).replace(&format!("{}/", self.target.display()), "");
        let errors = words(true);
        Ok(match said.exit {
            Some(Exit::Status(0)) => Built::Kernel,
            _ if !errors.is_empty() => Built::Errors(errors),
            Some(_) if OUT_OF_MEMORY.iter().any(|words| said.stderr.contains(words)) && self.confinement.is_some() => {
                Built::OverLimit("the compiler needs more memory than a build gets".into())
            }
            Some(_) => Built::Failed(words(false) + &said.stderr),
            None => Built::OverLimit(over_time()),
        })
    }

    /// Runs a program of the build in `tree`.
    fn run(&self, tree: &Path, command: &[&str]) -> io::Result<Said> {
        let target = std::path::absolute(self.target)?;
        let [temporary, output, stderr] = ["tmp", "output", "stderr"].map(|name| target.join(name));
        fs::create_dir_all(&temporary)?;
        // Written by the build, so made before rights are given up.
        fs::create_dir_all(tree.join("build"))?;
        // What make was told to make here is not what it makes there.
        let mut words: Vec<String> = ["-u", "MAKEFLAGS", "-u", "OVERLAY", "-C"].map(Into::into).into();
        words.push(tree.display().to_string());
        words.push("CARGO_NET_OFFLINE=true".into());
        words.push(format!("CARGO_TARGET_DIR={}", target.display()));
        words.push(format!("TMPDIR={}", temporary.display()));
        words.extend(self.overlay.map(|overlay| format!("OVERLAY={}", overlay.display())));
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        words.extend(match self.confinement {
            Some(confinement) => confinement.words(command)?,
            None => command,
        });
        let files = [File::create(&output)?, File::create(&stderr)?];
        let mut child = Running::start("env", &words, self.how.env(), Stdio::null(), files)?;
        let started = Instant::now();
        let exit = loop {
            match child.exit()? {
                Some(exit) => break Some(exit),
                None if self.stop.load(Ordering::Relaxed) => return Err(io::Error::other("the build was told to end")),
                None if started.elapsed() > LIMIT => break None,
                None => sleep(POLL),
            }
        };
        drop(child);
        let text = |path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok(Said { exit, output: text(output)?, stderr: text(stderr)? })
    }
}

/// What linker.ld says of a kernel for which there is no room.
const IMAGE_TOO_LONG: &str = "the kernel image must end at or below 2 MiB, where the kernel frame pool starts";

/// What a compiler says, or Cargo says of it, that got no more memory. One that the system ended says none of it.
const OUT_OF_MEMORY: [&str; 3] = ["memory allocation of", "out of memory", "SIGABRT"];

fn over_time() -> String {
    format!("the build did not end within {} s", LIMIT.as_secs())
}

/// Returns the errors in `output`, a message of Cargo's in each line, as the compiler words them: those that have a place in
/// the source, which are the source's, or those that have none.
fn errors(output: &str, has_place: bool) -> String {
    let messages = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let errors = messages.filter(|message| message["reason"] == "compiler-message").filter_map(|message| {
        let message = &message["message"];
        let is_meant = message["spans"].as_array().is_some_and(|spans| !spans.is_empty()) == has_place;
        (message["level"] == "error" && is_meant).then(|| message["rendered"].as_str().map(String::from)).flatten()
    });
    errors.collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_with_a_place_are_the_sources() {
        let message = |level: &str, spans: &str, words: &str| {
            format!(
                "{{\"reason\":\"compiler-message\",\"message\":{{\"level\":\"{level}\",\"spans\":{spans},\"rendered\":\"{words}\"}}}}\n"
            )
        };
        let place = "[{\"file_name\":\"kernel/src/vm/pool.rs\"}]";
        let output = "no message\n{\"reason\":\"build-finished\",\"success\":false}\n".to_owned()
            + &message("warning", place, "a warning")
            + &message("error", "[]", "aborting due to 1 previous error")
            + &message("error", place, "error: mismatched types");
        assert_eq!(errors(&output, true), "error: mismatched types");
        let no_place = message("error", "[]", "cannot write: no space left");
        assert_eq!(errors(&no_place, true), "");
        assert_eq!(errors(&no_place, false), "cannot write: no space left");
    }

    #[test]
    fn the_linkers_word_for_a_kernel_that_is_too_large_is_known() {
        assert!(include_str!("../../linker.ld").contains(IMAGE_TOO_LONG));
    }
}
