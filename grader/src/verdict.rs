//! The verdict on one run: a pure function of what was expected and what the machine left behind.
//!
//! Words on the console never make a test pass: it takes the records of the control channel *and* the exit status
//! together. QEMU ends with status 0 when the guest resets itself, so a triple fault looks like success to whoever asks
//! for the status alone; and anything can print PASS.

use crate::records::{End, Transcript};
use std::collections::BTreeSet;
use std::time::Duration;

/// QEMU's exit status after the kernel said success at the exit device: (0x10 << 1) | 1.
pub const SUCCESS: i32 = 33;

/// QEMU's exit status after the kernel said failure at the exit device: (0x11 << 1) | 1.
pub const FAILURE: i32 = 35;

/// How a machine came to its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It ended by itself, with this exit status.
    Status(i32),
    /// The program that plays the machine was ended by this signal, which the grader did not send.
    Signal(i32),
    /// It was still running at its time limit, and was ended.
    OverLimit(Duration),
    /// It could not be started, for this reason.
    NotStarted(String),
}

/// What a machine leaves behind.
#[derive(Clone, Debug)]
pub struct Run {
    /// How it ended.
    pub ended: Ended,
    /// What came over the control channel.
    pub control: String,
    /// What a person would have seen.
    pub console: String,
    /// What the program that plays the machine complained about.
    pub complaints: String,
    /// How long it took.
    pub took: Duration,
}

/// What must be seen for a run to pass.
#[derive(Clone, Debug)]
pub enum Expects {
    /// The test of this name begins, and comes out like this.
    Test {
        /// The name of the test, as the kernel has it.
        name: String,
        /// How it comes out.
        outcome: Outcome,
    },
    /// A boot of the main job, which writes no records: the program that plays the machine ends with this status.
    Boot {
        /// The exit status.
        status: i32,
    },
}

/// How an in-machine test must come out.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Every check holds.
    Passes,
    /// The kernel dies of this kind of death, with these words on the console.
    Dies {
        /// The first word of the diagnosis.
        kind: String,
        /// Words that the console must show.
        says: Vec<String>,
    },
    /// The kernel lists exactly these tests.
    Lists(BTreeSet<String>),
}

/// A statement that does not hold: what it is about, what must be, what is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// What it is about.
    pub what: String,
    /// What must be.
    pub expected: String,
    /// What is.
    pub seen: String,
}

/// What a run is worth. Only [`Pass`](Self::Pass) is a pass.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// All that was expected was seen, and nothing else.
    Pass,
    /// Checks did not hold.
    Fail(Vec<Check>),
    /// The kernel died, though it should not have; the words are its own diagnosis.
    Died(String),
    /// The machine had to be ended at this limit.
    TimedOut(Duration),
    /// The machine was reset or switched off without a word at the exit device: a triple fault, as a rule.
    Reset,
    /// The machine ended in another way than the records say, or in none that is known.
    UnexpectedEnd(Check),
    /// The control channel does not tell the whole story.
    BrokenRecords(Check),
    /// There was no machine to judge: a tool is missing, or what it should boot is not bootable.
    Infrastructure(String),
}

impl Verdict {
    /// Returns its name, as reports print it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail(_) => "fail",
            Self::Died(_) => "died",
            Self::TimedOut(_) => "timed out",
            Self::Reset => "reset",
            Self::UnexpectedEnd(_) => "unexpected end",
            Self::BrokenRecords(_) => "broken records",
            Self::Infrastructure(_) => "infrastructure",
        }
    }

    /// Returns what did not hold, each with what must be and what is. A pass has none.
    pub fn checks(&self) -> Vec<Check> {
        let one = |what: &str, expected: &str, seen: String| vec![check(what, expected, seen)];
        match self {
            Self::Pass => Vec::new(),
            Self::Fail(checks) => checks.clone(),
            Self::Died(diagnosis) => one("the kernel", "alive to the end", diagnosis.clone()),
            Self::TimedOut(limit) => {
                one("the machine", "an end by itself", format!("still running after {} s", limit.as_secs()))
            }
            Self::Reset => one("the machine", "an end by the exit device", "a reset, as a triple fault causes".into()),
            Self::UnexpectedEnd(check) | Self::BrokenRecords(check) => vec![check.clone()],
            Self::Infrastructure(reason) => one("the grader's surroundings", "a machine to judge", reason.clone()),
        }
    }
}

/// Judges one run.
pub fn judge(expects: &Expects, run: &Run) -> Verdict {
    if let Ended::NotStarted(reason) = &run.ended {
        return Verdict::Infrastructure(reason.clone());
    }
    if let Some(reason) = refused_to_start(run) {
        return Verdict::Infrastructure(reason);
    }
    match expects {
        Expects::Boot { status } => judge_end(*status, &run.ended).unwrap_or(Verdict::Pass),
        Expects::Test { name, outcome } => judge_test(name, outcome, run),
    }
}

/// Returns the words with which QEMU refused what it was given to boot, or `scripts/need` named what is missing.
fn refused_to_start(run: &Run) -> Option<String> {
    let is_silent = run.control.is_empty() && run.console.is_empty();
    let complaint = run.complaints.lines().next()?;
    let refused = complaint.starts_with("qemu-system-") || complaint.starts_with("need: ");
    (run.ended == Ended::Status(1) && is_silent && refused).then(|| complaint.into())
}

/// Judges an in-machine test. What the kernel says of itself comes first, since it says most.
fn judge_test(name: &str, outcome: &Outcome, run: &Run) -> Verdict {
    let transcript = Transcript::read(&run.control);
    if !transcript.failed.is_empty() {
        return Verdict::Fail(transcript.failed);
    }
    let (wanted_death, status, end, end_record) = match outcome {
        Outcome::Dies { kind, .. } => (Some(kind.as_str()), FAILURE, End::Died, "`end died`"),
        Outcome::Passes | Outcome::Lists(_) => (None, SUCCESS, End::Pass, "`end pass`"),
    };
    if let Some(diagnosis) = transcript.diagnosis
        && diagnosis.split(' ').next() != wanted_death
    {
        return Verdict::Died(diagnosis.into());
    }
    // Records of another end than the wanted one explain more than the status that goes with them.
    if transcript.end.is_none_or(|seen| seen == end)
        && let Some(verdict) = judge_end(status, &run.ended)
    {
        return verdict;
    }
    if let Some(broken) = transcript.broken {
        return Verdict::BrokenRecords(check("the control channel", "records in order", broken));
    }
    let begin = format!("`begin {name}`");
    if transcript.begun != Some(name) {
        let seen = transcript.begun.map_or("none".into(), |seen| format!("`begin {seen}`"));
        return Verdict::BrokenRecords(check("the test that began", &begin, seen));
    }
    if transcript.end != Some(end) {
        let Some(seen) = transcript.end else {
            return Verdict::BrokenRecords(check("the last record", end_record, "none".into()));
        };
        return Verdict::Fail(vec![check("the last record", end_record, format!("`end {seen:?}`").to_lowercase())]);
    }
    let missing = match outcome {
        Outcome::Passes => Vec::new(),
        Outcome::Dies { kind, .. } if transcript.diagnosis.is_none() => {
            vec![check("the diagnosis", kind, "none".into())]
        }
        Outcome::Dies { says, .. } => says
            .iter()
            .filter(|words| !run.console.contains(words.as_str()))
            .map(|words| check("the console", &format!("\"{words}\""), "not there".into()))
            .collect(),
        Outcome::Lists(names) => compare_lists(names, &transcript.listed),
    };
    if missing.is_empty() { Verdict::Pass } else { Verdict::Fail(missing) }
}

/// Judges the end of the machine alone; `None` if it is the one that was `wanted`.
fn judge_end(wanted: i32, ended: &Ended) -> Option<Verdict> {
    let seen = match ended {
        Ended::Status(status) if *status == wanted => return None,
        Ended::Status(0) => return Some(Verdict::Reset),
        Ended::Status(FAILURE) => format!("exit status {FAILURE}: the kernel says failure"),
        Ended::Status(SUCCESS) => format!("exit status {SUCCESS}: the kernel says success"),
        Ended::Status(status) => format!("exit status {status}"),
        Ended::Signal(signal) => format!("ended by signal {signal}"),
        Ended::OverLimit(limit) => return Some(Verdict::TimedOut(*limit)),
        Ended::NotStarted(reason) => return Some(Verdict::Infrastructure(reason.clone())),
    };
    Some(Verdict::UnexpectedEnd(check("the machine", &format!("exit status {wanted}"), seen)))
}

/// Returns a check for each name that only one side has, and for each that the kernel lists twice.
fn compare_lists(manifest: &BTreeSet<String>, listed: &[&str]) -> Vec<Check> {
    let kernel: BTreeSet<String> = listed.iter().map(|&name| name.into()).collect();
    let mut checks: Vec<Check> = manifest
        .difference(&kernel)
        .map(|name| check(name, "in the kernel's list", "in the manifest alone".into()))
        .collect();
    checks.extend(
        kernel.difference(manifest).map(|name| check(name, "in the manifest", "in the kernel's list alone".into())),
    );
    if listed.len() != kernel.len() {
        checks.push(check(
            "the kernel's list",
            "each name once",
            format!("{} names twice", listed.len() - kernel.len()),
        ));
    }
    checks
}

fn check(what: &str, expected: &str, seen: String) -> Check {
    Check { what: what.into(), expected: expected.into(), seen }
}

#[cfg(test)]
mod tests;
