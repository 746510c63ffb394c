//! Results of submissions: the grader's own, or why there are none.
//!
//! `results.json` is in the form that Gradescope takes: <https://gradescope-autograders.readthedocs.io/en/latest/specs/>.

use grader::manifest::Manifest;
use grader::provenance::Provenance;
use serde_json::json;
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What the grader leaves in a directory of results.
const FILES: [&str; 4] = ["results.json", "junit.xml", "results.tap", "summary.md"];

/// The directory in it that has a directory for each failure.
const FAILED: &str = "failed";

/// The file in it that says whose results they are: where the submission is.
const OWNER: &str = "submission";

/// Why a submission was not run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It is neither a directory nor a zip, or the zip is not to be trusted.
    Unpacked,
    /// None of the students' files is there.
    Empty,
    /// A file is none that can be taken, or says what it may not.
    Forbidden,
    /// It doesn't compile.
    Broken,
}

impl Refusal {
    /// Returns a name for programs, and what does not hold.
    fn words(self) -> [&'static str; 2] {
        match self {
            Self::Unpacked => ["unpacks", "it is a directory, or a zip that unpacks to plain files"],
            Self::Empty => ["files", "a file of the students' is there"],
            Self::Forbidden => ["words", "the submission says only what memory management needs"],
            Self::Broken => ["compiles", "the submission compiles"],
        }
    }
}

/// Returns the directory in `grades` for what was submitted at `submission`: it has the name of that, and a number where
/// another submission of the same name was graded before. Whoever asks has claimed the workplace, so no other asks too.
///
/// # Errors
///
/// If it cannot be made.
pub fn place(grades: &Path, submission: &Path) -> io::Result<PathBuf> {
    let name = submission.file_name().unwrap_or_default();
    let owner = submission.as_os_str().as_encoded_bytes();
    let mut number = 1;
    loop {
        let mut numbered = name.to_owned();
        if number > 1 {
            numbered.push(format!("-{number}"));
        }
        let place = grades.join(numbered);
        fs::create_dir_all(&place)?;
        match fs::read(place.join(OWNER)) {
            Ok(found) if found == owner => return Ok(place),
            Ok(_) => number += 1,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::write(place.join(OWNER), owner)?;
                return Ok(place);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Takes the results of whatever was graded before out of `to`, and leaves what else is there.
///
/// # Errors
///
/// If that cannot be done.
pub fn clear(to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    let files = FILES.iter().map(|file| fs::remove_file(to.join(file)));
    for removed in files.chain([fs::remove_dir_all(to.join(FAILED))]) {
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Writes the results of a submission that was not run, for `refusal`, which `words` explain. `taken` says what was taken of
/// it. What could have been earned is that of `lab`, the hidden tests of `overlay` included; `provenance` is what made the
/// results.
///
/// # Errors
///
/// If they cannot be written.
pub fn refuse(
    to: &Path,
    refusal: Refusal,
    taken: &str,
    words: &str,
    (overlay, lab): (Option<&Path>, Option<u32>),
    provenance: &Provenance,
) -> Result<(), Box<dyn Error>> {
    let [name, rule] = refusal.words();
    let possible = Manifest::load(overlay)?.possible(lab);
    let results = json!({
        "score": 0,
        "output": format!("No test was run: it does not hold that {rule}.\n{taken}"),
        "output_format": "text",
        "tests": [{
            "name": format!("submission/{name}: {rule}"),
            "name_format": "text",
            "score": 0,
            "max_score": possible,
            "status": "failed",
            "output": words,
            "output_format": "text",
            "visibility": "visible",
            "extra_data": { "id": format!("submission/{name}"), "verdict": "FAIL" },
        }],
        "extra_data": { "possible": possible, "made_by": provenance.0 },
    });
    fs::write(to.join("results.json"), format!("{results:#}\n"))?;
    let summary =
        format!("# 0 of {possible} points\n\nIt does not hold that {rule}.\n\n```\n{words}\n```\n\n{taken}\n");
    fs::write(to.join("summary.md"), summary)?;
    Ok(())
}

/// Copies the grader's results from `from` to `to`.
///
/// # Errors
///
/// If they cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submissions_of_one_name_have_results_of_their_own() {
        let directory = tempfile::tempdir().unwrap();
        let place = |submission: &str| place(directory.path(), Path::new(submission)).unwrap();
        let [ann, ben] = ["/ann/droste", "/ben/droste"];
        assert_eq!(place(ann), directory.path().join("droste"));
        assert_eq!(place(ben), directory.path().join("droste-2"));
        assert_eq!((place(ann), place(ben)), (directory.path().join("droste"), directory.path().join("droste-2")));
    }
}
