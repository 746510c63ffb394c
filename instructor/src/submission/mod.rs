//! A submission: the students' files, laid over a clean tree, built without network, and graded.
//!
//! [`taken`] says what is read of it, [`workshop`] builds it.

mod taken;
mod workshop;

pub use taken::{inner_directory, zip_of};

use crate::confinement::Wall;
use crate::handout::{Handout, Part};
use crate::kernel::{self, KERNEL};
use crate::results::{self, Refusal};
use crate::{archive, plain, tree};
use grader::manifest::Manifest;
use grader::marks::Conditions;
use grader::provenance::Provenance;
use grader::report::Report;
use grader::session::Request;
use std::collections::hash_map::RandomState;
use std::error::Error;
use std::hash::BuildHasher;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{available_parallelism, sleep, spawn};
use std::time::{Duration, Instant};
use taken::lay_over;
use workshop::Workshop;

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
