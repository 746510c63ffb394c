//! What an instructor does with Droste: hands it out, grades what comes back, and makes sure that the grader sees what
//! goes wrong.
//!
//! It is run at the root of the project. Read the modules in this order:
//!
//! 1. [`source`] and [`tree`]: text with places in it, files of a project.
//! 2. [`handout`]: what students start from; [`labs`]: for one lab.
//! 3. [`kernel`]: a kernel built in a tree, and the grader's word on it.
//! 4. [`submission`]: what comes back; [`archive`]: a zip of it; [`confinement`]: where it is built; [`scan`]: what it may not say; [`results`]: what is told of it.
//! 5. [`class`]: many of them, one after the other.
//! 6. [`gradescope`]: all of that, packed for a platform.
//! 7. [`mutants`]: mistakes that the grader must catch.
#![forbid(unsafe_code)]

mod archive;
mod class;
mod confinement;
mod gradescope;
mod handout;
mod kernel;
mod labs;
mod mutants;
mod plain;
mod results;
mod scan;
mod source;
mod submission;
mod tree;

use clap::{Parser, Subcommand};
use grader::child;
use handout::{Handout, Part};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Hands Droste out as an exercise, grades what comes back, and tests the grader itself.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes the tree that students start from
    Handout {
        /// For this lab: earlier ones are solved, later ones not there
        #[arg(long)]
        lab: Option<u32>,
        /// Where the files of earlier labs are, if they are not to be the solution's: a tree as it was handed in
        #[arg(long, requires = "lab")]
        from: Option<PathBuf>,
        /// Where it goes [default: build/handout, or build/handout-lab-N]
        to: Option<PathBuf>,
    },
    /// Grades a submission
    Grade(submission::Arguments),
    /// Grades every folder and zip of a directory, and goes on where it was interrupted
    GradeClass(class::Arguments),
    /// Packs an autograder for Gradescope
    Gradescope {
        /// For this lab
        #[arg(long)]
        lab: Option<u32>,
        /// A directory with hidden tests
        #[arg(long)]
        overlay: Option<PathBuf>,
        /// The zip
        #[arg(default_value = "build/autograder.zip")]
        to: PathBuf,
    },
    /// Becomes a build that reads and writes only what is named
    #[command(hide = true)]
    Confined(confinement::Arguments),
    /// Plants mistakes, one at a time, and demands that the grader catches each
    Mutants(mutants::Arguments),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("instructor: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs `command`. Returns whether all is as it must be.
fn run(command: Command) -> Result<bool, Box<dyn Error>> {
    let root = Path::new(".");
    // What is asked to end takes its machines and builds with it.
    let stop = child::asked_to_end()?;
    match command {
        Command::Handout { lab, from, to } => {
            let default = || lab.map_or("build/handout".into(), |lab| format!("build/handout-lab-{lab}")).into();
            let to: PathBuf = to.unwrap_or_else(default);
            let inner = |from: &Path| {
                let nothing = |error| format!("FROM={}: {error}: it is a tree as it was handed in", from.display());
                submission::inner_directory(from).map_err(nothing)
            };
            let own = from.as_deref().map(inner).transpose()?;
            Handout::load(root)?.make(root, &to, Part { lab, own: own.as_deref() })?;
            println!("the handout is in {}", to.display());
            Ok(true)
        }
        Command::Grade(arguments) => submission::grade(root, &arguments, stop),
        Command::GradeClass(arguments) => class::grade(root, &arguments, &stop),
        Command::Gradescope { lab, overlay, to } => {
            gradescope::pack(root, &to, overlay.as_deref(), lab)?;
            println!("the autograder is {}", to.display());
            Ok(true)
        }
        Command::Confined(arguments) => match confinement::confine(&arguments)? {},
        Command::Mutants(arguments) => mutants::run(root, &arguments, &stop),
    }
}
