//! Mutants: kernels with one mistake each, to show that the grader catches it.
//!
//! `grader/mutants/*.toml` plant the mistakes that are seen in practice, and some cheats. For each, the tree is copied, the
//! mistake is planted, the kernel is built, and the tests that must catch it are run. A mistake that no longer fits the
//! code, or that survives, fails the whole.

mod list;
mod table;

use crate::kernel::{self, Build, KERNEL};
use crate::source::Edit;
use crate::tree;
use list::Mutant;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

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

/// What came of a mutant.
enum Fate {
    /// Each test that must catch it did, with the right verdict.
    Caught,
    /// A test did not: its name, the verdict it must give, the one it gave.
    Survived(Vec<(String, String, String)>),
    /// It doesn't fit the code, or doesn't build.
    Unfit(String),
}

/// Plants the mutants that `arguments` select. Returns whether all were caught.
///
/// # Errors
///
/// If the list is not well-formed, or what is needed cannot be started.
pub fn run(root: &Path, arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let all = list::load(root)?;
    let is_chosen =
        |mutant: &Mutant| arguments.only.is_empty() || arguments.only.iter().any(|word| mutant.name.contains(word));
    let chosen: Vec<&Mutant> = all.iter().filter(|mutant| is_chosen(mutant)).collect();
    let started = Instant::now();
    let workshop = Workshop::open(root)?;
    let mut caught = 0;
    for (number, mutant) in (1..).zip(&chosen) {
        print!("{number:3} of {}  {:32}  ", chosen.len(), mutant.name);
        std::io::stdout().flush()?;
        let clock = Instant::now();
        let fate = workshop.try_out(mutant)?;
        let took = clock.elapsed().as_secs_f64();
        match fate {
            Fate::Caught => {
                caught += 1;
                println!("caught by {} ({took:.1} s)", mutant.catchers());
            }
            Fate::Survived(misses) => {
                println!("SURVIVED ({took:.1} s): {}", mutant.mistake);
                for (test, wanted, seen) in misses {
                    println!("        {test}: {wanted} expected, {seen} seen");
                }
            }
            Fate::Unfit(why) => println!("UNFIT: {why}"),
        }
    }
    if let (Some(file), true) = (&arguments.table, caught == chosen.len()) {
        fs::write(file, table::page(&all))?;
    }
    println!("{caught} of {} mutants caught in {:.0} s", chosen.len(), started.elapsed().as_secs_f64());
    Ok(caught == chosen.len())
}

/// A copy of the tree in which mistakes are planted, and the grader.
struct Workshop {
    tree: PathBuf,
    target: PathBuf,
    grader: PathBuf,
}

impl Workshop {
    /// Copies the tree at `root`, builds its kernel as it is, and demands that it passes a test.
    fn open(root: &Path) -> Result<Self, Box<dyn Error>> {
        let place = root.join(WORKPLACE);
        let workshop = Self { tree: place.join("tree"), target: place.join("target"), grader: kernel::grader()? };
        let clock = Instant::now();
        tree::copy(root, &workshop.tree, &[])?;
        kernel::build(&workshop.tree, &workshop.target, Build::Quick, None)?
            .map_err(|words| format!("without a mistake the kernel doesn't build:\n{words}"))?;
        println!("the tree is copied and built ({:.1} s)", clock.elapsed().as_secs_f64());
        Ok(workshop)
    }

    /// Plants `mutant`, has it judged, and takes it out again.
    fn try_out(&self, mutant: &Mutant) -> Result<Fate, Box<dyn Error>> {
        let mut originals = BTreeMap::new();
        let planted = mutant.edits.iter().try_for_each(|edit| self.plant(edit, &mut originals));
        let fate = match planted {
            Ok(()) => self.judge(mutant),
            Err(why) => Ok(Fate::Unfit(why)),
        };
        for (path, text) in originals {
            fs::write(path, text)?;
        }
        fate
    }

    fn plant(&self, edit: &Edit, originals: &mut BTreeMap<PathBuf, String>) -> Result<(), String> {
        let path = self.tree.join(&edit.file);
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", edit.file))?;
        let changed = edit.apply(&text)?;
        originals.entry(path.clone()).or_insert(text);
        fs::write(path, changed).map_err(|error| format!("{}: {error}", edit.file))
    }

    fn judge(&self, mutant: &Mutant) -> Result<Fate, Box<dyn Error>> {
        // Should the build fail without a word, there must be no kernel of the mutant before.
        fs::remove_file(self.tree.join(KERNEL))?;
        if let Err(words) = kernel::build(&self.tree, &self.target, Build::Quick, None)? {
            fs::write(self.tree.join(KERNEL), "")?;
            return Ok(Fate::Unfit(format!("it doesn't build:\n{words}")));
        }
        let tests: Vec<&str> = mutant.caught_by.keys().map(String::as_str).collect();
        let verdicts = kernel::verdicts(&self.grader, &self.tree, &tests)?;
        let misses: Vec<_> = mutant
            .caught_by
            .iter()
            .map(|(test, wanted)| (test, wanted, verdicts.get(test).map_or("no verdict", String::as_str)))
            .filter(|(_, wanted, seen)| wanted.as_str() != *seen)
            .map(|(test, wanted, seen)| (test.clone(), wanted.clone(), seen.to_owned()))
            .collect();
        Ok(if misses.is_empty() { Fate::Caught } else { Fate::Survived(misses) })
    }
}
