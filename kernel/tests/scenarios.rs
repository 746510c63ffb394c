//! Every scenario on the software machine, as a test of its own: those that the kernel has, by the names that they have
//! there, so that there is no list to keep here. Then some that are too long for the kernel.
#![allow(clippy::unwrap_used)] // a helper that fails fails its test

mod machine;

use droste::scenarios::{self, Machine, Outcome};
use libtest_mimic::{Arguments, Failed, Trial};
use machine::{SoftMachine, seed};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{sleep, spawn};
use std::time::Duration;
use toml::{Table, Value};

fn main() -> ExitCode {
    let manifest: Table = include_str!("../../grader/tests.toml").parse().unwrap();
    let own_size = |name: &str| trial(name, megabytes(&manifest, name), find(name));
    let names = scenarios::all::<SoftMachine>().map(|(name, _)| name);
    let frame_pools = scenarios::FRAME_POOLS.iter().map(|(name, scenario)| {
        Trial::test(*name, move || within(LIMIT, move || scenario().map_err(|failure| failure.to_string())))
    });
    let of_tables = scenarios::of_tables::<SoftMachine>()
        .map(|(name, scenario)| trial_of(name, 32, move |machine| scenarios::run_without_faults(machine, scenario)));
    let longer = [
        trial("fifty-thousand-random-operations-agree-with-the-model", 32, |machine| {
            scenarios::random_operations(machine, 50_000)
        }),
        trial("a-hundred-thousand-random-operations-on-several-spaces-agree-with-the-model", 64, |machine| {
            scenarios::random_spaces(machine, 100_000)
        }),
        trial("a-hundred-thousand-random-operations-on-clones-agree-with-the-model", 32, |machine| {
            scenarios::random_clones(machine, 100_000)
        }),
        trial("a-hundred-thousand-random-operations-on-a-drive-agree-with-the-model", 32, |machine| {
            scenarios::random_swap(machine, 100_000)
        }),
        trial("a-hundred-thousand-random-operations-on-files-agree-with-the-model", 32, |machine| {
            scenarios::random_files(machine, 100_000)
        }),
        trial("each-read-fails-in-every-story", 32, |machine| scenarios::each_read_fails(machine, |read| read + 1)),
        trial("each-write-fails-in-every-story", 32, |machine| scenarios::each_write_fails(machine, |write| write + 1)),
    ];
    let trials = frame_pools.chain(of_tables).chain(names.map(own_size)).chain(longer).chain([limits()]);
    // A tree that was handed out for one lab has not what later ones ask for.
    let lab = manifest.get("lab").and_then(Value::as_integer);
    let is_there = |trial: &Trial| lab.is_none_or(|lab| lab_of(&manifest, trial.name()) <= lab);
    let trials = trials.filter(is_there).collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Returns how many MiB the machine of a test has, by the manifest. Hidden tests are not in it.
fn megabytes(manifest: &Table, name: &str) -> u32 {
    let tests = manifest.get("test").and_then(Value::as_array);
    let test = tests.into_iter().flatten().find(|test| test.get("id").and_then(Value::as_str) == Some(name));
    let memory = test.and_then(|test| test.get("memory")?.as_str()).unwrap_or("32M");
    memory.strip_suffix('M').and_then(|digits| digits.parse().ok()).unwrap()
}

/// Returns the lab whose test this is, by the manifest; for what is not in it, the last one.
fn lab_of(manifest: &Table, name: &str) -> i64 {
    let find = |list: &str, name: &str| {
        let all = manifest.get(list).and_then(Value::as_array).into_iter().flatten();
        all.clone().find(|entry| entry.get("id").and_then(Value::as_str) == Some(name))
    };
    let lab = |entry: &Value| entry.get("lab").and_then(Value::as_integer);
    find("test", name)
        .and_then(|test| lab(test).or_else(|| lab(find("group", test.get("group")?.as_str()?)?)))
        .unwrap_or(i64::MAX)
}

fn find(name: &str) -> fn(&mut SoftMachine) -> Outcome {
    let (_, scenario) = scenarios::all::<SoftMachine>().find(|(other, _)| *other == name).unwrap();
    scenario
}

/// Makes a test of a scenario in an address space of a machine of its own.
fn trial(name: &str, megabytes: u32, scenario: fn(&mut SoftMachine) -> Outcome) -> Trial {
    trial_of(name, megabytes, move |machine| scenarios::run(machine, scenario))
}

/// Makes a test of what happens on a machine of its own.
fn trial_of(name: &str, megabytes: u32, run: impl FnOnce(&mut SoftMachine) -> Outcome + Send + 'static) -> Trial {
    let test = name.to_owned();
    Trial::test(name, move || within(LIMIT, move || outcome(&test, megabytes, run)))
}

/// Runs it on a machine of its own. What went wrong is in words.
fn outcome(test: &str, megabytes: u32, run: impl FnOnce(&mut SoftMachine) -> Outcome) -> Result<(), String> {
    let mut machine = SoftMachine::start(megabytes);
    let failure = match catch_unwind(AssertUnwindSafe(|| run(&mut machine))) {
        Ok(Ok(())) if machine.with(|memory| memory.frames.check()) => return Ok(()),
        Ok(Ok(())) => "the frame pool's records disagree".into(),
        Ok(Err(failure)) => failure.to_string(),
        Err(panic) => format!("a panic: {}", words(&*panic)),
    };
    let repeat = if machine.seed_asked.get() { seed::command(test) } else { format!("cargo test -p droste {test}") };
    Err(format!("{failure}\n{}repeat: {repeat}", machine.said))
}

/// How long a test may take: the longest takes two seconds where nothing else runs.
const LIMIT: Duration = Duration::from_secs(60);

/// Does `work` in a thread of its own, which is left to itself after `limit`: it ends with the others.
fn within(limit: Duration, work: impl FnOnce() -> Result<(), String> + Send + 'static) -> Result<(), Failed> {
    let (sender, receiver) = channel();
    // Nobody may be listening any more.
    spawn(move || sender.send(work()).ok());
    match receiver.recv_timeout(limit) {
        Ok(done) => done.map_err(Failed::from),
        Err(RecvTimeoutError::Timeout) => {
            Err(format!("still at work after {} s: a loop whose end never comes, or far too slow", limit.as_secs())
                .into())
        }
        Err(RecvTimeoutError::Disconnected) => Err("its thread has died".into()),
    }
}

/// Shows the limit, a shorter one, on what never ends.
fn limits() -> Trial {
    Trial::test("a-test-that-never-ends-fails-and-the-others-go-on", || {
        let endless = || loop {
            sleep(LIMIT);
        };
        let failed = within(Duration::from_millis(10), endless).is_err();
        if failed && within(LIMIT, || Ok(())).is_ok() { Ok(()) } else { Err("it did not fail".into()) }
    })
}

/// Returns what a panic says.
fn words(panic: &dyn Any) -> &str {
    let literal = panic.downcast_ref::<&str>().copied();
    literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without words")
}
