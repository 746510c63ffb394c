//! A class: every folder and zip of a directory graded, two at a time.
//!
//! Each is graded by a process of its own, `instructor grade`, so that whatever ends it ends nothing else. What came of it
//! is noted when it has ended, and only then: the same command, given again, goes on after the last note. A note counts as
//! long as the submission, the project and the hidden tests are those that it was made of.

mod overview;
mod roster;
mod student;

use crate::submission::{self, Terms};
use crate::{plain, results, tree};
use clap::ValueEnum;
use grader::child::{Exit, Running};
use grader::provenance::Provenance;
use overview::Overview;
use roster::Entry;
use serde_json::Value;
use std::error::Error;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{available_parallelism, scope, sleep};
use std::time::{Duration, Instant};
use student::{Outcome, State, Student, results_of};

/// How many are graded at once.
const AT_ONCE: usize = 2;

/// What one may take beside its tests: four builds that reach their limit, and a copy or two.
const BESIDE_TESTS: Duration = Duration::from_secs(1500);

/// How often one that is being graded is asked whether it has ended.
const POLL: Duration = Duration::from_millis(50);

/// Where the note of a submission is, in the directory of its results; and what was said while it was graded.
const NOTE: &str = "outcome.json";
const LOG: &str = "log.txt";

#[derive(clap::Args)]
pub struct Arguments {
    /// A directory with a folder or a zip for each submission, as Gradescope, Canvas and Moodle export them or as they are
    submissions: PathBuf,
    /// Where the results go [default: build/classes/NAME]
    #[arg(long)]
    results: Option<PathBuf>,
    #[command(flatten)]
    terms: Terms,
    /// Where kernels are built [default: ~/.cache/droste/class]
    #[arg(long)]
    workplace: Option<PathBuf>,
}

/// Grades what `arguments` name. Returns whether every submission has marks.
///
/// # Errors
///
/// If there is nothing to grade, or results cannot be written.
pub fn grade(root: &Path, arguments: &Arguments, stop: &AtomicBool) -> Result<bool, Box<dyn Error>> {
    let submissions = &arguments.submissions;
    let submissions = submissions.canonicalize().map_err(|error| format!("{}: {error}", submissions.display()))?;
    let to = match &arguments.results {
        Some(to) => to.clone(),
        None => results::place(&root.join("build/classes"), &submissions)?,
    };
    let _claim = tree::claim(&to)?;
    let entries = roster::read(&submissions)?;
    if entries.is_empty() {
        return Err(format!("{} has no folder and no zip", submissions.display()).into());
    }
    let workplace = arguments.workplace.clone().map_or_else(|| submission::workplace("class"), Ok)?;
    let provenance = Provenance::gather(root, arguments.terms.overlay.as_deref()).0;
    let lab = arguments.terms.lab()?;
    let mut students = Vec::new();
    for entry in entries {
        let place = results::place(&to.join("students"), &entry.path)?;
        let made_of = made_of(&entry, &(&provenance, arguments.terms.seconds, lab));
        let note = fs::read(place.join(NOTE)).ok().and_then(|note| serde_json::from_slice::<Outcome>(&note).ok());
        let waiting = Outcome { made_of, state: State::Waiting, words: String::new() };
        let keeps = |note: &Outcome| note.made_of == made_of && note.state != State::NotGraded;
        students.push(Student { entry, place, outcome: note.filter(keeps).unwrap_or(waiting) });
    }
    let class = Class { arguments, workplace, stop, started: Instant::now(), next: AtomicUsize::new(0) };
    let overview = Overview::new(to.clone(), arguments.terms.overlay.as_deref(), lab)?;
    overview.write(&students)?;
    let left: Vec<usize> =
        (0..students.len()).filter(|place| students[*place].outcome.state == State::Waiting).collect();
    println!("{} submissions, {} of them graded before", students.len(), students.len() - left.len());
    let all = Mutex::new(students);
    scope(|scope| {
        let (class, left, all, overview) = (&class, &left, &all, &overview);
        let workers: Vec<_> =
            (1..=AT_ONCE).map(|lane| scope.spawn(move || class.work(lane, left, all, overview))).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or(Err(io::Error::other("a worker panicked"))))
    })?;
    let students = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    let have_marks = |student: &&Student| matches!(student.outcome.state, State::Graded | State::Refused);
    let done = students.iter().filter(have_marks).count();
    println!("{done} of {} have marks; the results are in {}", students.len(), to.display());
    if done < students.len() {
        println!("the same command goes on with the others");
    }
    Ok(done == students.len())
}

/// Returns what stands for all that the results of `entry` are made of: its files, and `conditions`.
fn made_of(entry: &Entry, conditions: &impl Hash) -> u64 {
    let mut hash = DefaultHasher::new();
    conditions.hash(&mut hash);
    let mut add = |path: &Path| {
        let metadata = fs::symlink_metadata(path).ok();
        (path, metadata.map(|metadata| (metadata.len(), metadata.modified().ok()))).hash(&mut hash);
    };
    add(&entry.path);
    submission::zip_of(&entry.path).iter().for_each(|zip| add(zip));
    if let Ok(directory) = submission::inner_directory(&entry.path) {
        tree::below(&directory, Path::new("kernel/src")).iter().for_each(|file| add(&directory.join(file)));
    }
    hash.finish()
}

/// A class that is being graded.
struct Class<'a> {
    arguments: &'a Arguments,
    workplace: PathBuf,
    stop: &'a AtomicBool,
    started: Instant,
    /// The place of the next one, among those that are left.
    next: AtomicUsize,
}

impl Class<'_> {
    /// Grades one after the other of those that are `left`, in a workplace of its own, and tells what comes of each.
    fn work(&self, lane: usize, left: &[usize], all: &Mutex<Vec<Student>>, overview: &Overview) -> io::Result<()> {
        while let Some(place) = left.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let student = all.lock().unwrap_or_else(PoisonError::into_inner)[*place].clone();
            let Some((state, words)) = self.grade(lane, &student)? else { return Ok(()) };
            let outcome = Outcome { state, words, ..student.outcome.clone() };
            let student = Student { outcome, ..student };
            overview.write_report(&student)?;
            tree::replace(&student.place.join(NOTE), &serde_json::to_string(&student.outcome)?)?;
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            all[*place] = student;
            overview.write(&all)?;
            let student = &all[*place];
            let ended = all.iter().filter(|student| student.outcome.state != State::Waiting).count();
            let (name, minutes) = (plain::name(&student.entry.student), self.started.elapsed().as_secs_f64() / 60.0);
            println!("{ended:>4} of {}  {minutes:>6.1} min  {name}: {}", all.len(), student.outcome.words);
        }
        Ok(())
    }

    /// Grades a submission. Returns what happened, unless it was stopped.
    fn grade(&self, lane: usize, student: &Student) -> io::Result<Option<(State, String)>> {
        let place = &student.place;
        for file in [NOTE, LOG, overview::REPORT] {
            match fs::remove_file(place.join(file)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        results::clear(place)?;
        let text = |path: &Path| path.display().to_string();
        let workers = available_parallelism()?.get().div_ceil(AT_ONCE);
        let mut words = vec!["grade".into(), "--jobs".into(), workers.to_string()];
        let workplace = self.workplace.join(lane.to_string());
        words.extend(["--workplace".into(), text(&workplace), "--results".into(), text(place)]);
        words.extend(["--seconds".into(), self.arguments.terms.seconds.to_string()]);
        words.extend(self.arguments.terms.overlay.iter().flat_map(|overlay| ["--overlay".into(), text(overlay)]));
        words.extend(self.arguments.terms.lab.iter().flat_map(|lab| ["--lab".into(), lab.to_string()]));
        let wall = self.arguments.terms.wall.and_then(|wall| wall.to_possible_value());
        words.extend(wall.iter().flat_map(|wall| ["--wall".into(), wall.get_name().into()]));
        words.extend(["--".into(), text(&student.entry.path)]);
        let log = File::create(place.join(LOG))?;
        let started = Instant::now();
        let program = text(&std::env::current_exe()?);
        let mut child = Running::start(&program, &words, &[], Stdio::null(), [log.try_clone()?, log])?;
        let limit = Duration::from_secs(self.arguments.terms.seconds) + BESIDE_TESTS;
        let exit = loop {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            match child.exit()? {
                Some(exit) => break Some(exit),
                None if started.elapsed() > limit => break None,
                None => sleep(POLL),
            }
        };
        drop(child);
        let in_time = started.elapsed() < Duration::from_secs(self.arguments.terms.seconds);
        Ok(Some(match exit {
            Some(Exit::Status(0 | 1)) => judged(&results_of(place), in_time),
            Some(Exit::Status(_)) => {
                let log = fs::read(place.join(LOG))?;
                let log = String::from_utf8_lossy(&log);
                let why = log.lines().find_map(|line| line.strip_prefix("instructor: ")).or(log.lines().last());
                (State::NotGraded, format!("grading failed: {}", plain::name(why.unwrap_or("nothing was said"))))
            }
            Some(Exit::Signal(signal)) => (State::NotGraded, format!("grading was ended by signal {signal}")),
            None => (State::NotGraded, format!("grading did not end within {} s", limit.as_secs())),
        }))
    }
}

/// Says what `results` are those of. One that was not run to the end although there was time has been ended by somebody.
fn judged(results: &Value, in_time: bool) -> (State, String) {
    let Some(tests) = results["tests"].as_array().filter(|tests| !tests.is_empty()) else {
        return (State::NotGraded, "grading left no results".into());
    };
    let refusal = tests[0]["extra_data"]["id"].as_str().is_some_and(|id| id.starts_with("submission/"));
    if refusal {
        let rule = tests[0]["name"].as_str().and_then(|name| name.split_once(": ")).map_or("", |(_, rule)| rule);
        let why = tests[0]["output"].as_str().and_then(|output| output.lines().next()).unwrap_or_default();
        return (State::Refused, format!("not run, it does not hold that {rule}: {}", plain::name(why)));
    }
    let verdicts = |name: &str| tests.iter().filter(|test| test["extra_data"]["verdict"] == name).count();
    let (passed, not_run) = (verdicts("PASS"), verdicts("NOT RUN"));
    let not_judged = tests.iter().filter(|test| test["score"].is_null()).count();
    if not_judged > 0 {
        return (State::NotGraded, format!("{not_judged} tests could not be judged, for want of a tool or a file"));
    }
    if not_run > 0 && in_time {
        return (State::NotGraded, "grading was ended before its time".into());
    }
    let rest = if not_run > 0 { format!(", {not_run} not run in time") } else { String::new() };
    (State::Graded, format!("{passed} of {} tests passed{rest}", tests.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn results(verdicts: &[&str]) -> Value {
        let test = |verdict: &&str| json!({ "score": 1, "extra_data": { "id": "a/b", "verdict": verdict } });
        json!({ "tests": verdicts.iter().map(test).collect::<Vec<_>>() })
    }

    #[test]
    fn a_mark_takes_results_that_are_whole() {
        assert_eq!(judged(&Value::Null, true).0, State::NotGraded);
        assert_eq!(judged(&results(&["PASS", "FAIL"]), true), (State::Graded, "1 of 2 tests passed".into()));
        assert_eq!(judged(&results(&["PASS", "NOT RUN"]), true).0, State::NotGraded);
        let late = judged(&results(&["PASS", "NOT RUN"]), false);
        assert_eq!(late, (State::Graded, "1 of 2 tests passed, 1 not run in time".into()));
        let no_machine = json!({ "tests": [{ "extra_data": { "id": "a/b", "verdict": "INFRASTRUCTURE" } }] });
        assert_eq!(judged(&no_machine, true).0, State::NotGraded);
    }

    #[test]
    fn what_was_submitted_again_is_graded_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("lab/kernel/src/vm/pool.rs");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "old").unwrap();
        let entry = &roster::read(directory.path()).unwrap()[0];
        let before = made_of(entry, &"a commit");
        assert_eq!(before, made_of(entry, &"a commit"));
        assert_ne!(before, made_of(entry, &"another commit"));
        fs::write(&file, "newer").unwrap();
        assert_ne!(before, made_of(entry, &"a commit"));

        let moodle = tempfile::tempdir().unwrap();
        let zip = moodle.path().join("Ann_1_assignsubmission_file/lab.zip");
        fs::create_dir_all(zip.parent().unwrap()).unwrap();
        fs::write(&zip, "old").unwrap();
        let entry = &roster::read(moodle.path()).unwrap()[0];
        let before = made_of(entry, &"a commit");
        fs::write(&zip, "newer").unwrap();
        assert_ne!(before, made_of(entry, &"a commit"));
    }
}
