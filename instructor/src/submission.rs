//! A submission: the students' files, laid over a clean tree, built without network, and graded.

use crate::archive;
use crate::confinement::{Confinement, Wall};
use crate::handout::{Handout, Part};
use crate::kernel::{self, Build, Builder, Built, KERNEL};
use crate::plain;
use crate::results::{self, Refusal};
use crate::scan;
use crate::tree;
use grader::manifest::Manifest;
use grader::marks::Conditions;
use grader::provenance::Provenance;
use grader::report::Report;
use grader::session::Request;
use std::collections::hash_map::RandomState;
use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::hash::BuildHasher;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{available_parallelism, sleep, spawn};
use std::time::{Duration, Instant};

/// The longest file that is taken. The longest of the project is a twentieth of it.
const LONGEST: u64 = 1 << 20;

/// How many files are named where there are many.
const LISTED: usize = 20;

#[derive(clap::Args)]
pub struct Arguments {
    /// What was submitted: the students' files at their places in the tree, or with one directory around; a directory or a zip
    submission: PathBuf,
    /// Where the results go [default: build/grades/NAME]
    #[arg(long)]
    results: Option<PathBuf>,
    #[command(flatten)]
    terms: Terms,
    /// How many machines run at once [default: the number of cores]
    #[arg(short, long)]
    jobs: Option<usize>,
    /// Where kernels are built; what it holds is used again by the next submission [default: ~/.cache/droste/grade]
    #[arg(long)]
    workplace: Option<PathBuf>,
}

/// The terms on which a submission is graded, whether by itself or in a class.
#[derive(clap::Args)]
pub struct Terms {
    /// The lab whose tests are run and marked [default: all, or that of a tree which was made for one]
    #[arg(long)]
    pub lab: Option<u32>,
    /// A directory with hidden tests
    #[arg(long)]
    pub overlay: Option<PathBuf>,
    /// Grading of a submission ends after so many seconds; what was not run earns nothing
    #[arg(long, default_value_t = 1800)]
    pub seconds: u64,
    /// What hides files from the build [default: the first that works]
    #[arg(long, value_enum)]
    pub wall: Option<Wall>,
}

impl Terms {
    /// Returns the lab whose tests are run.
    ///
    /// # Errors
    ///
    /// In words, if there is no such lab.
    pub fn lab(&self) -> Result<Option<u32>, String> {
        let manifest = Manifest::load(None)?;
        let lab = self.lab.or(manifest.lab);
        lab.map_or(Ok(()), |lab| manifest.check_lab(lab))?;
        Ok(lab)
    }
}

/// Grades what `arguments` name against the project at `root`. Returns whether every test passed. Once `stop` is true, it
/// ends as soon as it can, with the results so far.
///
/// # Errors
///
/// If the grading itself fails, which says nothing about the submission: then it has no results.
pub fn grade(root: &Path, arguments: &Arguments, stop: Arc<AtomicBool>) -> Result<bool, Box<dyn Error>> {
    let started = Instant::now();
    let Arguments { submission, workplace, .. } = arguments;
    let nothing = |error| format!("{}: {error}: SUBMISSION is a directory or a zip", submission.display());
    let submission = submission.canonicalize().map_err(nothing)?;
    let workplace = workplace.clone().map_or_else(|| self::workplace("grade"), Ok)?;
    let _claim = tree::claim(&workplace)?;
    let workplace = workplace.canonicalize()?;
    let to = match &arguments.results {
        Some(to) => to.clone(),
        None => results::place(&root.join("build/grades"), &submission)?,
    };
    results::clear(&to)?;
    let no_tests = |error| format!("the hidden tests cannot be read: {error}");
    let overlay =
        arguments.terms.overlay.as_ref().map(|overlay| overlay.canonicalize()).transpose().map_err(no_tests)?;
    let wall = match arguments.terms.wall {
        Some(wall) if !wall.works() => return Err(format!("this system can't build so: {wall}").into()),
        Some(wall) => wall,
        None => Wall::best(),
    };
    let lab = arguments.terms.lab()?;
    let mut provenance = Provenance::gather(root, overlay.as_deref());
    provenance.0.insert("protection", wall.to_string());
    let refuse = |refusal, told: &str, words: &str| {
        let words = plain::plain(words);
        println!("it is not run:\n{words}");
        results::refuse(&to, refusal, told, &words, (overlay.as_deref(), lab), &provenance)?;
        println!("the results are in {}", to.display());
        Ok(false)
    };
    let mut directory = submission.clone();
    if let Some(zip) = zip_of(&submission) {
        directory = workplace.join("submitted");
        if let Err(words) = archive::unpack(&zip, &directory)? {
            return refuse(Refusal::Unpacked, "", &words);
        }
    }
    let directory = inner_directory(&directory)?;
    let handout = Handout::load(root)?;
    let tree = workplace.join("tree");
    handout.make(root, &tree, Part::new(lab))?;
    let taken = lay_over(&handout, lab, &directory, &tree)?;
    let told = taken.words();
    println!("{told}");
    if taken.files.is_empty() && taken.findings.is_empty() {
        let words = format!(
            "None of these is in {}: {}",
            plain::name(submission.file_name().unwrap_or_default()),
            taken.missing.join(", ")
        );
        return refuse(Refusal::Empty, &told, &words);
    }
    if !taken.findings.is_empty() {
        return refuse(Refusal::Forbidden, &told, &taken.findings.join("\n"));
    }
    println!("it is built, with {wall}");
    let workshop = Workshop { root, handout: &handout, lab, workplace: &workplace, wall, stop: &stop };
    if let Some(words) = workshop.build(&tree, overlay.as_deref())? {
        return refuse(Refusal::Broken, &told, &words);
    }
    let deadline = started + Duration::from_secs(arguments.terms.seconds);
    let in_time = stop.clone();
    spawn(move || {
        sleep(deadline.saturating_duration_since(Instant::now()));
        in_time.store(true, Ordering::Relaxed);
    });
    // The standard library's hasher starts with the system's random numbers.
    let seed = RandomState::new().hash_one(()) as u32;
    let written = workplace.join("results");
    let request = Request {
        kernel: tree.join(KERNEL),
        lab,
        filters: kernel::groups(overlay.as_deref())?,
        // Where the hidden tests are is told to nobody.
        conditions: Conditions { seed, deterministic: false, overlay: None },
        overlay,
        provenance,
        deadline: Some(deadline),
        workers: arguments.jobs.map_or_else(|| available_parallelism().map(usize::from), Ok)?.max(1),
        results: written.clone(),
        told: Some(to.clone()),
    };
    let graded = request.run(&mut Report::new(io::stdout().lock(), io::stdout().is_terminal()), &stop)?;
    results::copy(&written, &to)?;
    println!("the results are in {}", to.display());
    Ok(graded.count().1 == 0)
}

/// Returns where submissions are built if nobody says: far from any solution, and kept for the next one.
///
/// # Errors
///
/// In words, if there is no home.
pub fn workplace(name: &str) -> Result<PathBuf, &'static str> {
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|cache| !cache.is_empty()).map(PathBuf::from);
    let cache = cache.or_else(|| Some(std::env::home_dir()?.join(".cache")));
    Ok(cache.ok_or("HOME is not set: --workplace says where submissions are built")?.join("droste").join(name))
}

/// Where submissions are built.
struct Workshop<'a> {
    root: &'a Path,
    handout: &'a Handout,
    lab: Option<u32>,
    workplace: &'a Path,
    wall: Wall,
    stop: &'a AtomicBool,
}

impl Workshop<'_> {
    /// Builds the kernel of `tree` with the hidden tests of `overlay`. Returns why the submission doesn't compile, if it is
    /// the submission's fault.
    ///
    /// # Errors
    ///
    /// If it fails for any other reason.
    fn build(&self, tree: &Path, overlay: Option<&Path>) -> Result<Option<String>, Box<dyn Error>> {
        // First without hidden tests: no source that is compiled beside them has been able to read them.
        if overlay.is_some()
            && let Some(words) = self.fault(self.with(tree, None, Build::Check)?)?
        {
            return Ok(Some(words));
        }
        let built = self.with(tree, overlay, Build::Full)?;
        if let (Built::Errors(words), Some(_)) = (&built, overlay)
            && self.with(tree, None, Build::Full)? == Built::Kernel
        {
            return Err(
                format!("the hidden tests do not compile with this submission:\n{}", plain::plain(words)).into()
            );
        }
        self.fault(built)
    }

    /// Says what is the submission's fault in what came of its build, if anything is.
    fn fault(&self, built: Built) -> Result<Option<String>, Box<dyn Error>> {
        let (words, how) = match built {
            Built::Kernel => return Ok(None),
            Built::Errors(words) => (words, Build::Check),
            Built::OverLimit(words) => (words, Build::Full),
            Built::Failed(said) => {
                let said = plain::plain(&said);
                return Err(format!(
                    "the build failed, and not for an error in the source, so nothing is graded:\n{said}"
                )
                .into());
            }
        };
        // Only if what was handed out builds here and now.
        let untouched = self.workplace.join("handout");
        self.handout.make(self.root, &untouched, Part::new(self.lab))?;
        match self.with(&untouched, None, how)? {
            Built::Kernel => Ok(Some(words)),
            Built::Errors(said) | Built::OverLimit(said) | Built::Failed(said) => {
                let said = plain::plain(&said);
                Err(format!("what is handed out does not build either, so nothing is graded:\n{said}").into())
            }
        }
    }

    /// Builds the kernel of `tree`, confined to it.
    fn with(&self, tree: &Path, overlay: Option<&Path>, how: Build) -> io::Result<Built> {
        let target = self.workplace.join("target");
        // Cargo reads its configuration in all directories above, too.
        let configurations: Vec<PathBuf> = tree.ancestors().map(|above| above.join(".cargo/config.toml")).collect();
        let reads: Vec<&Path> =
            [tree].into_iter().chain(overlay).chain(configurations.iter().map(AsRef::as_ref)).collect();
        // Cargo leaves out of its lock what the handout leaves out of the tree.
        let writes = [&tree.join("build"), &tree.join("Cargo.lock"), &target];
        let confinement = Confinement::new(self.wall, &reads, &writes.map(PathBuf::as_path));
        Builder { target: &target, how, overlay, confinement: Some(&confinement), stop: self.stop }.build(tree)
    }
}

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
struct Taken {
    /// The students' files that are there.
    files: Vec<String>,
    /// Those that are not, so that they stay as they were handed out.
    missing: Vec<String>,
    /// Files that differ from the project's, or are none of its sources, and are not the students' to change or add.
    ignored: Vec<String>,
    /// What the files say and may not.
    findings: Vec<String>,
}

impl Taken {
    /// Tells what was taken, a line each.
    fn words(&self) -> String {
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
fn lay_over(handout: &Handout, lab: Option<u32>, directory: &Path, tree: &Path) -> Result<Taken, Box<dyn Error>> {
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
