//! An autograder for Gradescope: a zip with the tree, the script that prepares a container, and the one that grades.
//!
//! The platform unpacks the zip as `/autograder/source`, runs `setup.sh` once, while the container's image is made, and
//! `run_autograder` for each submission, in a container of its own. The submission is in `/autograder/submission`; the
//! results are expected in `/autograder/results/results.json`.
//!
//! Source: <https://gradescope-autograders.readthedocs.io/en/latest/specs/>.

use crate::handout::Handout;
use crate::tree;
use grader::provenance::{COMMIT, Provenance};
use std::error::Error;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Where the tree is made that is packed, from the root of the project.
const WORKPLACE: &str = "build/gradescope";

/// The scripts at the top of the zip, by the names that the platform wants.
const SCRIPTS: [(&str, &str); 2] = [
    ("setup.sh", include_str!("../gradescope/setup.sh")),
    ("run_autograder", include_str!("../gradescope/run_autograder")),
];

/// The mode of a plain file; and of a script.
const PLAIN: u32 = 0o644;
const SCRIPT: u32 = 0o755;

/// Packs the autograder of the project at `root` into the zip `to`, with the hidden tests of `overlay`. What is asked for is
/// not in it solved: everything, or `lab` and what comes after it.
///
/// # Errors
///
/// If something cannot be read or written.
pub fn pack(root: &Path, to: &Path, overlay: Option<&Path>, lab: Option<u32>) -> Result<(), Box<dyn Error>> {
    let workplace = root.join(WORKPLACE);
    Handout::load(root)?.make_for_grading(root, &workplace, lab)?;
    if let Some(directory) = to.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut zip = ZipWriter::new(File::create(to)?);
    for (name, text) in SCRIPTS {
        zip.start_file(name, options(SCRIPT))?;
        zip.write_all(text.as_bytes())?;
    }
    add(&mut zip, &workplace, "tree")?;
    if let Some(commit) = Provenance::gather(root, None).0.get("commit") {
        zip.start_file(format!("tree/{COMMIT}"), options(PLAIN))?;
        zip.write_all(commit.as_bytes())?;
    }
    if let Some(overlay) = overlay {
        add(&mut zip, overlay, "hidden")?;
    }
    zip.finish()?;
    Ok(())
}

/// Adds the files of `directory` to the zip, below `name`.
fn add(zip: &mut ZipWriter<File>, directory: &Path, name: &str) -> Result<(), Box<dyn Error>> {
    for file in tree::files(directory)? {
        let path = directory.join(&file);
        let is_script = fs::metadata(&path)?.permissions().mode() & 0o100 != 0;
        zip.start_file(format!("{name}/{}", file.display()), options(if is_script { SCRIPT } else { PLAIN }))?;
        zip.write_all(&fs::read(path)?)?;
    }
    Ok(())
}

fn options(mode: u32) -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(mode)
}
