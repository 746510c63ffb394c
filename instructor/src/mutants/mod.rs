//! Mutants: kernels with one mistake each, to show that the grader catches it.
//!
//! `grader/mutants/*.toml` plant the mistakes that are seen in practice, and some cheats. For each, the mistake is planted in
//! a copy of the tree, the kernel is built, and the tests that must catch it are run. A mistake that no longer fits the
//! code, or that survives, fails the whole. So does a test that catches what is no mistake: before all, the tests are run
//! with nothing planted, and must pass.

mod list;
mod table;
mod workshop;

use list::Mutant;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{available_parallelism, scope};
use std::time::Instant;
use workshop::{Failure, Fate, Workshop};

/// What the mutants are built in, from the root of the tree.
const WORKPLACE: &str = "build/mutants";

#[derive(clap::Args)]
pub struct Arguments {
    /// Writes the table of which test catches which mistake to this file, if all are caught
    #[arg(long)]
    table: Option<PathBuf>,
    /// Only mutants whose name contains one of these words
    only: Vec<String>,
}

/// Plants the mutants that `arguments` select. Returns whether all were caught.
///
/// # Errors
///
/// If the list is not well-formed, what is needed cannot be started, or it was stopped since `stop` became true.
pub fn run(root: &Path, arguments: &Arguments, stop: &AtomicBool) -> Result<bool, Box<dyn Error>> {
    let all = list::load(root)?;
    let is_chosen =
        |mutant: &Mutant| arguments.only.is_empty() || arguments.only.iter().any(|word| mutant.name.contains(word));
    let chosen: Vec<&Mutant> = all.iter().filter(|mutant| is_chosen(mutant)).collect();
    if chosen.is_empty() {
        return Err(format!("no mutant's name contains {}", arguments.only.join(" or ")).into());
    }
    let started = Instant::now();
    let workplace = root.join(WORKPLACE);
    let _claim = crate::tree::claim(&workplace)?;
    let workers = available_parallelism()?.get().min(chosen.len());
    println!("the tree is copied and built, {workers} times");
    let places: Vec<PathBuf> = (0..workers).map(|number| workplace.join(number.to_string())).collect();
    let workshops: Vec<Workshop<'_>> = in_parallel(&places, |place| Workshop::open(root, place, stop))?;

    println!("nothing is planted, so every test must pass");
    let passes: BTreeMap<String, String> =
        chosen.iter().flat_map(|mutant| mutant.caught_by.keys()).map(|test| (test.clone(), "PASS".into())).collect();
    let misses = workshops[0].misses(&passes, &[], workers).map_err(|failure| failure as Box<dyn Error>)?;
    if !misses.is_empty() {
        return Err(format!("a test fails without a mistake:\n{}", misses.join("\n")).into());
    }

    let next = AtomicUsize::new(0);
    let finished = AtomicUsize::new(0);
    let caught = in_parallel(&workshops, |workshop| {
        let mut caught = 0;
        while let Some(mutant) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
            let clock = Instant::now();
            let fate = workshop.try_out(mutant)?;
            caught += usize::from(matches!(fate, Fate::Caught));
            let number = 1 + finished.fetch_add(1, Ordering::Relaxed);
            let took = clock.elapsed().as_secs_f64();
            println!("{number:3} of {}  {:26} ({took:4.1} s)  {}", chosen.len(), mutant.name, words(mutant, &fate));
        }
        Ok(caught)
    })?;
    let caught: usize = caught.into_iter().sum();
    if let (Some(file), true) = (&arguments.table, caught == chosen.len()) {
        fs::write(file, table::page(&all))?;
    }
    println!("{caught} of {} mutants caught in {:.0} s", chosen.len(), started.elapsed().as_secs_f64());
    Ok(caught == chosen.len())
}

/// Does `work` on all `things` at the same time.
fn in_parallel<T: Sync, R: Send>(
    things: &[T],
    work: impl Fn(&T) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Box<dyn Error>> {
    let done: Result<Vec<R>, Failure> = scope(|scope| {
        let workers: Vec<_> = things.iter().map(|thing| scope.spawn(|| work(thing))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err("a worker panicked".into()))).collect()
    });
    done.map_err(|failure| failure as Box<dyn Error>)
}

/// Tells what came of `mutant`.
fn words(mutant: &Mutant, fate: &Fate) -> String {
    match fate {
        Fate::Caught => {
            let catchers = mutant.caught_by.iter().map(|(test, verdict)| format!("{test}: {verdict}"));
            format!("caught by {}", catchers.collect::<Vec<_>>().join(", "))
        }
        Fate::Survived(misses) => format!("SURVIVED: {}\n        {}", mutant.mistake, misses.join("\n        ")),
        Fate::Unfit(why) => format!("UNFIT: {why}"),
    }
}
