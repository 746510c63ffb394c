//! The grader's command line.
#![forbid(unsafe_code)]

use clap::{Args, Parser, Subcommand};
use grader::child;
use grader::marks::Conditions;
use grader::provenance::Provenance;
use grader::report::Report;
use grader::session::{FIXED_SEED, Request};
use std::collections::hash_map::RandomState;
use std::error::Error;
use std::hash::BuildHasher;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::available_parallelism;

/// Starts Droste in virtual machines, judges them from outside and reports.
#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the tests, each on a machine of its own
    Test(TestArguments),
}

#[derive(Args)]
struct TestArguments {
    /// The kernel
    #[arg(long, default_value = "build/droste.elf")]
    kernel: PathBuf,
    /// A directory with hidden tests, which the kernel was built with
    #[arg(long)]
    overlay: Option<PathBuf>,
    /// Counts time in instructions and takes a fixed seed, so that two runs are the same
    #[arg(long)]
    deterministic: bool,
    /// What random tests start with [default: different each time]
    #[arg(long, value_parser = number)]
    seed: Option<u32>,
    /// How many machines run at once [default: the number of cores]
    #[arg(short)]
    jobs: Option<usize>,
    /// Where the results are written
    #[arg(long, default_value = "build/results")]
    results: PathBuf,
    /// One line for all that pass, and no more in all than a screen has
    #[arg(long)]
    fold: bool,
    /// Runs only the tests of this lab
    #[arg(long)]
    lab: Option<u32>,
    /// Lists the tests instead of running them
    #[arg(long)]
    list: bool,
    /// Runs only tests whose GROUP/ID contains one of these words
    filters: Vec<String>,
}

/// Reads a number in decimal or as 0x….
fn number(words: &str) -> Result<u32, std::num::ParseIntError> {
    match words.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => words.parse(),
    }
}

fn main() -> ExitCode {
    let Command::Test(arguments) = Cli::parse().command;
    match test(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("grader: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs the tests that the arguments select. Returns whether all of them passed.
fn test(arguments: TestArguments) -> Result<bool, Box<dyn Error>> {
    let cores = || available_parallelism().map_or(1, usize::from);
    // The standard library's hasher starts with the system's random numbers.
    let random = || if arguments.deterministic { FIXED_SEED } else { RandomState::new().hash_one(()) as u32 };
    let request = Request {
        provenance: Provenance::gather(Path::new("."), arguments.overlay.as_deref()),
        overlay: arguments.overlay.clone(),
        conditions: Conditions {
            seed: arguments.seed.unwrap_or_else(random),
            deterministic: arguments.deterministic,
            overlay: arguments.overlay,
        },
        deadline: None,
        workers: arguments.jobs.map_or_else(cores, |jobs| jobs.max(1)),
        kernel: arguments.kernel,
        results: arguments.results,
        told: None,
        lab: arguments.lab,
        filters: arguments.filters,
    };
    if arguments.list {
        for job in request.plan()?.jobs {
            println!("{}  {}", job.name(), job.sentence);
        }
        return Ok(true);
    }
    let stop = child::asked_to_end()?;
    let results = request.run(&mut Report::new(io::stdout().lock(), arguments.fold), &stop)?;
    Ok(results.count().1 == 0)
}
