//! What is taken of a submission: the students' files, and nothing else, without trust in what lies there.

use crate::handout::Handout;
use crate::{plain, scan, tree};
use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The longest file that is taken. The longest of the project is a twentieth of it.
const LONGEST: u64 = 1 << 20;

/// How many files are named where there are many.
const LISTED: usize = 20;

/// Returns the zip that was submitted, if it was one: the file itself, or the only one in a directory around it, as Moodle
/// exports it.
pub fn zip_of(submission: &Path) -> Option<PathBuf> {
    if !submission.is_dir() {
        return Some(submission.to_owned());
    }
    let mut there = fs::read_dir(submission).ok()?.flatten().filter(|entry| !is_beside(&entry.file_name()));
    let (zip, more) = (there.next()?.path(), there.next());
    let is_zip = zip.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip"));
    (more.is_none() && is_zip && tree::is_file(&zip)).then_some(zip)
}

/// Says whether a name in a submission is one that systems put beside what people submit.
fn is_beside(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(['.', '_'])
}

/// Returns the directory in which the tree of a submission starts: it is submitted with a directory around it, or without.
///
/// # Errors
///
/// If it cannot be read.
pub fn inner_directory(submission: &Path) -> io::Result<PathBuf> {
    let mut directories = Vec::new();
    for entry in fs::read_dir(submission)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !is_beside(&entry.file_name()) {
            directories.push(entry.path());
        }
    }
    match directories.as_slice() {
        [one] if one.join("kernel/src").is_dir() => Ok(one.clone()),
        _ => Ok(submission.to_owned()),
    }
}

/// What was taken from a submission.
pub(super) struct Taken {
    /// The students' files that are there.
    pub files: Vec<String>,
    /// Those that are not, so that they stay as they were handed out.
    pub missing: Vec<String>,
    /// Files that differ from the project's, or are none of its sources, and are not the students' to change or add.
    pub ignored: Vec<String>,
    /// What the files say and may not.
    pub findings: Vec<String>,
}

impl Taken {
    /// Tells what was taken, a line each.
    pub fn words(&self) -> String {
        let list = |what: &str, files: &[String]| match files.len() {
            0 => String::new(),
            1..=LISTED => format!("{what}: {}\n", files.join(", ")),
            n => format!("{what}: {} and {} more\n", files[..LISTED].join(", "), n - LISTED),
        };
        let words = list("taken", &self.files)
            + &list("not there, so as handed out", &self.missing)
            + &list("changed or added, but not the students' to change, so ignored", &self.ignored);
        words.trim_end().into()
    }
}

/// Copies the students' files of `lab` and of those before it from `directory` over `tree`.
pub(super) fn lay_over(
    handout: &Handout,
    lab: Option<u32>,
    directory: &Path,
    tree: &Path,
) -> Result<Taken, Box<dyn Error>> {
    let mut taken = Taken { files: Vec::new(), missing: Vec::new(), ignored: Vec::new(), findings: Vec::new() };
    for file in handout.files(lab) {
        let Some(text) = read(directory, Path::new(&file.path)) else {
            taken.missing.push(file.path.clone());
            continue;
        };
        match text {
            Ok(text) => {
                taken.findings.extend(scan::findings(&text).iter().map(|finding| format!("{}, {finding}", file.path)));
                fs::write(tree.join(&file.path), text)?;
                taken.files.push(file.path.clone());
            }
            Err(why) => taken.findings.push(format!("{}: {why}", file.path)),
        }
    }
    let is_theirs = |path: &Path| handout.files(lab).any(|file| Path::new(&file.path) == path);
    for path in tree::files(tree)?.into_iter().filter(|path| !is_theirs(path)) {
        if read(directory, &path).is_some_and(|text| text.ok() != fs::read_to_string(tree.join(&path)).ok()) {
            taken.ignored.push(plain::name(path));
        }
    }
    for watched in &handout.watch {
        let added = tree::below(directory, Path::new(watched)).into_iter();
        taken.ignored.extend(added.filter(|path| !tree.join(path).exists()).map(plain::name));
    }
    Ok(taken)
}

/// Reads a file of a submission: `None` if it isn't there, an error in words if it isn't a plain file of text inside.
fn read(directory: &Path, file: &Path) -> Option<Result<String, &'static str>> {
    let path = directory.join(file);
    let metadata = fs::symlink_metadata(&path).ok()?;
    // A directory on the way may be a link, too.
    let is_inside = path.canonicalize().is_ok_and(|real| real == path);
    Some(if !metadata.is_file() || !is_inside {
        Err("not a plain file of the submission")
    } else if metadata.len() > LONGEST {
        Err("longer than 1 MiB")
    } else {
        fs::read_to_string(&path).map_err(|_| "not text")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

    /// Makes a tree of the project's with these files, and a submission.
    fn trees() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let (tree, submission) = (root.join("tree"), root.join("submission"));
        for file in ["kernel/build.rs", ".cargo/config.toml", "kernel/src/vm/pool.rs", "kernel/src/frames/pool.rs"] {
            put(&tree, file, "// the project's\n");
        }
        put(&submission, "kernel/src/vm/node.rs", "// theirs\n");
        (directory, tree, submission)
    }

    fn put(root: &Path, file: &str, text: impl AsRef<[u8]>) {
        let path = root.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn taken(submission: &Path, tree: &Path) -> Taken {
        taken_in(None, submission, tree)
    }

    fn taken_in(lab: Option<u32>, submission: &Path, tree: &Path) -> Taken {
        lay_over(&Handout::load(Path::new(ROOT)).unwrap(), lab, submission, tree).unwrap()
    }

    #[test]
    fn what_configures_the_build_is_not_taken_and_named() {
        let (_directory, tree, submission) = trees();
        fs::create_dir_all(tree.join("kernel/src/vm")).unwrap();
        for file in ["kernel/build.rs", ".cargo/config.toml", "kernel/src/vm/extra.rs"] {
            put(&submission, file, "// theirs\n");
        }
        let taken = taken(&submission, &tree);
        assert_eq!(taken.files, ["kernel/src/vm/node.rs"]);
        assert_eq!(taken.ignored, [".cargo/config.toml", "kernel/build.rs", "kernel/src/vm/extra.rs"]);
        assert_eq!(taken.findings, [""; 0]);
        for file in ["kernel/build.rs", ".cargo/config.toml"] {
            assert_eq!(fs::read_to_string(tree.join(file)).unwrap(), "// the project's\n");
        }
    }

    #[test]
    fn what_belongs_to_a_later_lab_is_not_taken() {
        let (_directory, tree, submission) = trees();
        for file in ["kernel/src/vm/pool.rs", "kernel/src/frames/pool.rs"] {
            put(&submission, file, "// theirs\n");
        }
        let taken = taken_in(Some(2), &submission, &tree);
        assert_eq!((taken.files, taken.ignored.len()), (vec!["kernel/src/frames/pool.rs".into()], 2));
        assert_eq!(fs::read_to_string(tree.join("kernel/src/vm/pool.rs")).unwrap(), "// the project's\n");
    }

    #[test]
    fn links_and_files_that_are_no_text_of_that_size_are_not_taken() {
        let (_directory, tree, submission) = trees();
        put(&submission, "../outside/pool.rs", "// outside\n");
        symlink(submission.join("../outside/pool.rs"), submission.join("kernel/src/vm/pool.rs")).unwrap();
        symlink("../../../outside", submission.join("kernel/src/frames")).unwrap();
        put(&submission, "kernel/src/vm/space.rs", vec![b' '; 1 + LONGEST as usize]);
        put(&submission, "kernel/src/vm/tree.rs", [0xFF]);
        let taken = taken(&submission, &tree);
        assert_eq!(taken.files, ["kernel/src/vm/node.rs"]);
        assert_eq!(
            taken.findings,
            [
                "kernel/src/frames/pool.rs: not a plain file of the submission",
                "kernel/src/vm/pool.rs: not a plain file of the submission",
                "kernel/src/vm/space.rs: longer than 1 MiB",
                "kernel/src/vm/tree.rs: not text",
            ]
        );
        assert_eq!(fs::read_to_string(tree.join("kernel/src/vm/pool.rs")).unwrap(), "// the project's\n");
    }

    #[test]
    fn names_of_files_cannot_act_on_a_terminal_and_folders_in_each_other_are_no_failure() {
        let (_directory, tree, submission) = trees();
        put(&submission, "kernel/src/vm/\u{1B}[2Jx.rs", "// theirs\n");
        fs::create_dir_all(submission.join("kernel/src/frames").join("d/".repeat(900))).unwrap();
        let taken = taken(&submission, &tree);
        assert!(taken.ignored.iter().any(|name| name == "kernel/src/vm/\\u{1b}[2Jx.rs"), "{:?}", taken.ignored);
        assert!(taken.ignored.iter().any(|name| name.starts_with("kernel/src/frames/d/d/")));
    }

    #[test]
    fn a_zip_may_be_alone_in_a_directory_and_what_else_is_there_says_that_it_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let zip = directory.path().join("Lab 3.ZIP");
        assert_eq!(zip_of(directory.path()), None);
        fs::write(&zip, "").unwrap();
        fs::create_dir(directory.path().join("__MACOSX")).unwrap();
        assert_eq!(zip_of(directory.path()), Some(zip.clone()));
        assert_eq!(zip_of(&zip), Some(zip.clone()));
        fs::create_dir(directory.path().join("kernel")).unwrap();
        assert_eq!(zip_of(directory.path()), None);
        fs::remove_dir(directory.path().join("kernel")).unwrap();
        fs::remove_file(&zip).unwrap();
        symlink("/etc/passwd", &zip).unwrap();
        assert_eq!(zip_of(directory.path()), None);
    }

    #[test]
    fn a_submission_may_have_a_directory_around_it() {
        let (_directory, _, submission) = trees();
        assert_eq!(inner_directory(&submission).unwrap(), submission);
        let around = submission.parent().unwrap().join("around");
        fs::create_dir(&around).unwrap();
        fs::rename(&submission, around.join("name")).unwrap();
        assert_eq!(inner_directory(&around).unwrap(), around.join("name"));
        assert!(inner_directory(&around.join("none")).is_err());
    }
}
