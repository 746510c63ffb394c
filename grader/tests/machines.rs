//! The grader's tests for those who know cargo: `cargo test -p grader --test machines -- machine/pools` runs some,
//! `-- --list` lists them all. `make test` leaves them out here, since there the grader itself runs them.

use grader::job::Job;
use grader::marks::Conditions;
use grader::plan::Plan;
use grader::provenance::Provenance;
use grader::queue::RunSettings;
use grader::report;
use grader::session::{FIXED_SEED, Request};
use grader::verdict::Verdict;
use grader::vm::Judged;
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const KERNEL: &str = "build/droste.elf";

/// The normal time limit. Nothing is measured here.
const LIMIT: Duration = Duration::from_secs(15);

/// On the clock, for all that machines share.
const STRETCH: u32 = 4;

fn conditions() -> Conditions {
    Conditions { seed: FIXED_SEED, deterministic: false, overlay: None }
}

fn main() -> ExitCode {
    // The scripts of the boot matrix are named from the root of the project.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if let Err(error) = std::env::set_current_dir(&root) {
        eprintln!("{}: {error}", root.display());
        return ExitCode::FAILURE;
    }
    let request = Request {
        kernel: KERNEL.into(),
        overlay: None,
        provenance: Provenance::default(),
        conditions: conditions(),
        deadline: None,
        workers: 1,
        results: "build/results".into(),
        told: None,
        lab: None,
        filters: Vec::new(),
    };
    match (request.plan(), tempfile::Builder::new().prefix("droste-").tempdir()) {
        (Ok(Plan { jobs, .. }), Ok(directory)) => {
            let dir: Arc<Path> = directory.path().into();
            let trials = (0..).zip(jobs).map(|(number, job)| trial(number, job, dir.clone())).collect();
            libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
        }
        (Err(error), _) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
        (_, Err(error)) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn trial(number: usize, job: Job, directory: Arc<Path>) -> Trial {
    let is_built = Path::new(KERNEL).exists();
    let trial = Trial::test(format!("machine/{}", job.name()), move || {
        let stop = AtomicBool::new(false);
        let setting = RunSettings {
            limit: LIMIT,
            stretch: STRETCH,
            deadline: None,
            seed: FIXED_SEED,
            directory: &directory,
            stop: &stop,
        };
        match setting.run(number, &job) {
            Some(Judged { verdict: Verdict::Pass, .. }) => Ok(()),
            Some(judged) => {
                let lines =
                    report::message(&job, &judged, &conditions()).map(|(label, text)| format!("{label:<9}  {text}"));
                Err(Failed::from(format!("{}\n{}", judged.verdict.name(), lines.join("\n"))))
            }
            None => Err(Failed::from("stopped")),
        }
    });
    // `cargo test` alone needs no kernel.
    trial.with_ignored_flag(!is_built)
}
