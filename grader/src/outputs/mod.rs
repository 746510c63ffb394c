//! What programs read: every run's results, in four formats, and a directory for each failure.
//!
//! All of it is written anew after each test, each file by a rename, so a grader that is killed leaves true, partial
//! results: what was not run says so.

mod failures;
mod gradescope;
mod junit;
mod summary;
mod tap;

use crate::job::FAILED;
use crate::marks::Results;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The directory of one run's results.
#[derive(Debug)]
pub struct Outputs(PathBuf);

impl Outputs {
    /// Takes the failures of an earlier run out of the directory, and leaves alone what is not the grader's.
    ///
    /// # Errors
    ///
    /// If that cannot be done.
    pub fn new(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        match fs::remove_dir_all(directory.join(FAILED)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(Self(directory.into())),
        }
    }

    /// Writes the results so far.
    ///
    /// # Errors
    ///
    /// If that cannot be done.
    pub fn write(&self, results: &Results) -> io::Result<()> {
        replace(&self.0.join("results.json"), &gradescope::text(results))?;
        replace(&self.0.join("junit.xml"), &junit::text(results)?)?;
        replace(&self.0.join("results.tap"), &tap::text(results))?;
        replace(&self.0.join("summary.md"), &summary::text(results))
    }

    /// Writes what is known of the failure of the job at `place` of the plan.
    ///
    /// # Errors
    ///
    /// If that cannot be done.
    pub fn write_failure(&self, results: &Results, place: usize) -> io::Result<()> {
        match &results.judged[place] {
            Some(judged) => {
                failures::write(&self.0.join(FAILED), &results.plan.jobs[place], judged, &results.conditions)
            }
            None => Ok(()),
        }
    }
}

/// Writes a file so that whoever reads it meanwhile sees the old one or the new one.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(&new, file)
}
