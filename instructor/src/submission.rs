//! A submission: the students' files, laid over a clean tree, built without network, and graded.

use crate::handout::Handout;
use crate::kernel::{self, Build, KERNEL};
use crate::results;
use crate::scan;
use crate::tree;
use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The longest file that is taken. The longest of the project is a twentieth of it.
const LONGEST: u64 = 1 << 20;

#[derive(clap::Args)]
pub struct Arguments {
    /// What was submitted: a directory with the students' files at their places in the tree, or with one directory around
    submission: PathBuf,
    /// Where the results go [default: build/results/NAME]
    #[arg(long)]
    results: Option<PathBuf>,
    /// A directory with hidden tests
    #[arg(long)]
    overlay: Option<PathBuf>,
    /// Where kernels are built; what it holds is used again by the next submission
    #[arg(long, default_value = "build/grade")]
    workplace: PathBuf,
}

/// Grades what `arguments` name against the project at `root`. Returns whether every test passed.
///
/// # Errors
///
/// If the grading itself fails, which says nothing about the submission.
pub fn grade(root: &Path, arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let Arguments { submission, workplace, .. } = arguments;
    let directory = inner_directory(submission)
        .map_err(|error| format!("{}: {error}: SUBMISSION is a directory", submission.display()))?;
    let overlay = arguments.overlay.as_ref().map(|overlay| overlay.canonicalize()).transpose()?;
    let name = directory.file_name().unwrap_or_default();
    let to = arguments.results.clone().unwrap_or_else(|| root.join("build/results").join(name));
    fs::create_dir_all(&to)?;

    let handout = Handout::load(root)?;
    let (tree, target) = (workplace.join("tree"), workplace.join("target"));
    handout.make(root, &tree)?;
    let taken = lay_over(&handout, &directory, &tree)?;
    println!("{}", taken.words());
    if !taken.findings.is_empty() {
        let words = taken.findings.join("\n");
        println!("not built, since it says what memory management does not need:\n{words}");
        return results::refused(&to, "the submission names only what it may", &taken.words(), &words);
    }
    // A kernel of the submission before must not be graded.
    match fs::remove_file(tree.join(KERNEL)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    if let Err(words) = kernel::build(&tree, &target, Build::Full, overlay.as_deref())? {
        println!("it does not compile:\n{words}");
        return results::refused(&to, "the submission compiles", &taken.words(), &words);
    }
    let passed = kernel::test(&kernel::grader()?, &tree, overlay.as_deref())?;
    results::move_to(&tree, &to)?;
    println!("the results are in {}", to.display());
    Ok(passed)
}

/// Returns the directory in which the tree of a submission starts: it is submitted with a directory around it, or without.
fn inner_directory(submission: &Path) -> io::Result<PathBuf> {
    let submission = submission.canonicalize()?;
    let mut directories = Vec::new();
    for entry in fs::read_dir(&submission)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && !entry.file_name().to_string_lossy().starts_with(['.', '_']) {
            directories.push(entry.path());
        }
    }
    match directories.as_slice() {
        [one] if one.join("kernel/src").is_dir() => Ok(one.clone()),
        _ => Ok(submission),
    }
}

/// What was taken from a submission.
struct Taken {
    /// The students' files that are there.
    files: Vec<String>,
    /// Those that are not, so that they stay as they were handed out.
    missing: Vec<String>,
    /// Files that differ from the project's and are not the students' to change.
    ignored: Vec<String>,
    /// What the files say and may not.
    findings: Vec<String>,
}

impl Taken {
    /// Tells what was taken, a line each.
    fn words(&self) -> String {
        let list = |what: &str, files: &[String]| match files {
            [] => String::new(),
            _ => format!("{what}: {}\n", files.join(", ")),
        };
        let words = list("taken", &self.files)
            + &list("not there, so as handed out", &self.missing)
            + &list("changed, but not the students' to change, so ignored", &self.ignored);
        words.trim_end().into()
    }
}

/// Copies the students' files from `directory` over `tree`.
fn lay_over(handout: &Handout, directory: &Path, tree: &Path) -> Result<Taken, Box<dyn Error>> {
    let mut taken = Taken { files: Vec::new(), missing: Vec::new(), ignored: Vec::new(), findings: Vec::new() };
    for file in &handout.files {
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
    let is_theirs = |path: &Path| handout.files.iter().any(|file| Path::new(&file.path) == path);
    for path in tree::files(tree)?.into_iter().filter(|path| !is_theirs(path)) {
        if read(directory, &path).is_some_and(|text| text.ok() != fs::read_to_string(tree.join(&path)).ok()) {
            taken.ignored.push(path.display().to_string());
        }
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
