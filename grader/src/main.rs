//! The grader: starts Droste in virtual machines, judges them from outside and reports.
//!
//! It is run at the root of the project. Read the modules in this order:
//!
//! 1. [`verdict`]: what a run is worth; with [`records`], what the kernel says on the control channel.
//! 2. [`machine`]: starting a virtual machine, and making sure that it ends.
//! 3. [`manifest`] and [`matrix`]: what there is to run; [`plan`]: the running of it.
//! 4. [`report`]: what people and scripts get to see.
#![forbid(unsafe_code)]

mod machine;
mod manifest;
mod matrix;
mod plan;
mod records;
mod report;
mod verdict;

use clap::{Args, Parser, Subcommand};
use manifest::Manifest;
use plan::{Job, Plan, run_all};
use report::Report;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;
use verdict::{Run, Verdict, judge};

/// How many boots that do nothing are measured. The slowest counts.
const MEASURED_BOOTS: u32 = 3;

/// The normal time limit, in boots that do nothing.
const BOOTS_IN_LIMIT: u32 = 60;

/// The least normal time limit: other programs may slow a machine down at any time.
const LEAST_LIMIT: Duration = Duration::from_secs(8);

/// The time limit of a boot that does nothing, before anything is measured.
const FIRST_LIMIT: Duration = Duration::from_secs(60);

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
    /// How many machines run at once [default: the number of cores]
    #[arg(short)]
    jobs: Option<usize>,
    /// Lists the tests instead of running them
    #[arg(long)]
    list: bool,
    /// Runs only tests whose GROUP/ID contains one of these words
    filters: Vec<String>,
}

fn main() -> ExitCode {
    let Command::Test(arguments) = Cli::parse().command;
    match test(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("grader: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs the tests that the arguments select. Returns whether all of them passed.
fn test(arguments: &TestArguments) -> Result<bool, Box<dyn Error>> {
    let mut plan = Plan::new(&Manifest::load()?, &arguments.kernel)?;
    plan.select(&arguments.filters);
    if arguments.list {
        for job in plan.all() {
            println!("{}  {}", job.name, job.sentence);
        }
        return Ok(true);
    }

    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, stop.clone())?;
    }
    let workers = arguments.jobs.map_or_else(|| available_parallelism().map_or(1, usize::from), |jobs| jobs.max(1));
    let directory = tempfile::Builder::new().prefix("droste-grader-").tempdir()?;
    let mut report = Report::new(io::stdout().lock());

    if let Some((run, verdict)) = run_noop(&plan.noop, directory.path(), &stop) {
        report.add(&plan.noop, &run, &verdict)?;
        // Where nothing boots, every other test would only wait for its time limit.
        if verdict == Verdict::Pass {
            let limit = LEAST_LIMIT.max(run.took * BOOTS_IN_LIMIT);
            let mut written = Ok(());
            let mut add = |job: &Job, run: &Run| {
                if written.is_ok() {
                    written = report.add(job, run, &judge(&job.expects, run));
                    // Nobody reads the report any more.
                    stop.fetch_or(written.is_err(), Ordering::Relaxed);
                }
            };
            run_all(std::slice::from_ref(&plan.list), 1, limit, directory.path(), &stop, &mut add);
            run_all(&plan.jobs, workers, limit, directory.path(), &stop, &mut add);
            written?;
        }
    }
    Ok(report.end(plan.all().count())?)
}

/// Boots machines that do nothing, one after the other. Returns the slowest, or the first that does not pass.
fn run_noop(noop: &Job, directory: &Path, stop: &AtomicBool) -> Option<(Run, Verdict)> {
    let mut slowest: Option<Run> = None;
    for _ in 0..MEASURED_BOOTS {
        let run = noop.machine.run(&directory.join(&noop.name), FIRST_LIMIT, stop)?;
        let verdict = judge(&noop.expects, &run);
        if verdict != Verdict::Pass {
            return Some((run, verdict));
        }
        if slowest.as_ref().is_none_or(|slowest| slowest.took < run.took) {
            slowest = Some(run);
        }
    }
    slowest.map(|run| (run, Verdict::Pass))
}
