//! Results of submissions: the grader's own, or why there are none.
//!
//! `results.json` is in the form that Gradescope takes: <https://gradescope-autograders.readthedocs.io/en/latest/specs/>.

use crate::kernel::RESULTS;
use serde_json::json;
use std::error::Error;
use std::fs;
use std::path::Path;

/// How much of what a compiler says is kept: the first errors, which cause the rest.
const WORDS_KEPT: usize = 20_000;

/// Writes the results of a submission that was not run, since `rule` does not hold: `words` say why. Returns that it did
/// not pass.
///
/// # Errors
///
/// If they cannot be written.
pub fn refused(to: &Path, rule: &str, taken: &str, words: &str) -> Result<bool, Box<dyn Error>> {
    let kept: String = words.chars().take(WORDS_KEPT).collect();
    let results = json!({
        "score": 0.0,
        "output": format!("No test was run: it does not hold that {rule}.\n{taken}"),
        "tests": [{ "name": rule, "score": 0.0, "status": "failed", "output": kept, "visibility": "visible" }],
    });
    fs::write(to.join("results.json"), format!("{results:#}\n"))?;
    fs::write(
        to.join("summary.md"),
        format!("# 0 points\n\nIt does not hold that {rule}.\n\n```\n{kept}\n```\n\n{taken}\n"),
    )?;
    Ok(false)
}

/// Moves the grader's results from `tree` to `to`.
///
/// # Errors
///
/// If they cannot be read or written.
pub fn move_to(tree: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    copy_all(&tree.join(RESULTS), to).map_err(|error| format!("{RESULTS}: {error}"))?;
    Ok(())
}

fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?
        } else {
            _ = fs::copy(entry.path(), target)?
        }
    }
    Ok(())
}
