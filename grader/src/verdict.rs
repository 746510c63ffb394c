//! The verdict on one run: a pure function of what was expected and what the machine left behind.
//!
//! What is on the console is for people and is not looked at: it takes the records of the control channel, the end of the
//! machine and what the auditor found in its memory together. A reset looks like success to whoever asks for QEMU's exit status alone;
//! and anything can print PASS.
//!
//! Decision: docs/src/decisions/0013-records-and-status-together.md.

use crate::records::{End, Transcript};
use crate::run::{Check, Checkpoint, Ended, Run};
use crate::symbols::CodeLocation;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// QEMU's exit status after the kernel said success at the exit device: (0x10 << 1) | 1.
pub const SUCCESS: i32 = 33;

/// QEMU's exit status after the kernel said failure at the exit device: (0x11 << 1) | 1.
pub const FAILURE: i32 = 35;

/// What must be seen for a run to pass.
#[derive(Clone, Debug)]
pub enum Expects {
    /// The test of this name begins, and comes out like this.
    Test {
        /// The name of the test, as the kernel has it.
        name: String,
        /// How it comes out.
        outcome: Outcome,
        /// The checkpoints at which the auditor looks, in order.
        checkpoints: Vec<Checkpoint>,
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
    /// The kernel dies one of these deaths.
    Dies(Vec<Death>),
    /// The kernel lists exactly these tests.
    Lists(BTreeSet<String>),
}

/// How a kernel dies as it should.
#[derive(Clone, PartialEq, Eq, Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub struct Death {
    /// The first word of the diagnosis.
    #[serde(rename = "dies")]
    pub kind: String,
    /// Words that lines of the report must have. What is in braces is a name that the kernel gives to an address.
    pub says: Vec<String>,
}

/// What a run is worth. Only [`Pass`](Self::Pass) is a pass.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// All that was expected was seen, and nothing else.
    Pass,
    /// Checks did not hold.
    Fail(Vec<Check>),
    /// The kernel gave up, though it should not have; the words are its own diagnosis.
    Panic(String),
    /// The kernel ended itself since something touched what it may not; the words are its own diagnosis.
    IllegalAccess(String),
    /// An exception could not be delivered: the exceptions that led there, oldest first.
    TripleFault(Vec<String>),
    /// The machine was reset or switched off without a word.
    Reset(&'static str),
    /// The machine waited for an interrupt with interrupts off.
    Halted(CodeLocation),
    /// The machine ran around here, up to the limit, and its test did not get on.
    Hang(CodeLocation, Duration),
    /// The machine faulted at this address for ever.
    FaultLoop {
        /// The address.
        address: u32,
        /// The instruction.
        place: CodeLocation,
        /// How often it was seen in a moment.
        times: usize,
    },
    /// The machine was at work, here and there or in a test that got on, up to the limit.
    Timeout(Duration),
    /// It was not run, since this test, which must hold first, has not passed.
    Skipped(String),
    /// There was no machine to judge: a tool is missing, or what it should boot is not bootable.
    Infrastructure(String),
}

impl Verdict {
    /// Returns its name, as reports print it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail(_) => "FAIL",
            Self::Panic(_) => "PANIC",
            Self::IllegalAccess(_) => "ILLEGAL ACCESS",
            Self::TripleFault(_) => "TRIPLE FAULT",
            Self::Reset(_) => "RESET",
            Self::Halted(_) => "HALTED",
            Self::Hang(..) => "HANG",
            Self::FaultLoop { .. } => "FAULT LOOP",
            Self::Timeout(_) => "TIMEOUT",
            Self::Skipped(_) => "SKIPPED",
            Self::Infrastructure(_) => "INFRASTRUCTURE",
        }
    }

    /// Returns what did not hold, each with what must be and what is. A pass has none.
    pub fn checks(&self) -> Vec<Check> {
        let ends = |seen: String| vec![Check::new("the machine", "an end by itself", seen)];
        let lives = |diagnosis: &String| {
            let (words, at) =
                diagnosis.rsplit_once(" at=").map_or((&**diagnosis, None), |(words, at)| (words, Some(at)));
            // Its kind, and what it says.
            let words = words.replacen(' ', ": ", 1);
            vec![Check { at: at.map(String::from), ..Check::new("the kernel", "alive to the end", words) }]
        };
        match self {
            Self::Pass => Vec::new(),
            Self::Fail(checks) => checks.clone(),
            Self::Panic(diagnosis) | Self::IllegalAccess(diagnosis) => lives(diagnosis),
            Self::TripleFault(chain) => vec![Check::new("the kernel", "alive to the end", chain.join("; then "))],
            Self::Reset(how) => ends((*how).into()),
            Self::Halted(place) => ends(format!("waits for an interrupt with interrupts off, after {place}")),
            Self::Hang(place, limit) => ends(format!("after {} s it still runs around {place}", limit.as_secs())),
            Self::FaultLoop { address, place, times } => ends(format!(
                "the instruction {place} faults at {address:#010x} again and again, {times} times in a moment"
            )),
            Self::Timeout(limit) => ends(format!("still at work after {} s", limit.as_secs())),
            Self::Skipped(need) => vec![Check::new("what must hold first", format!("{need} passes"), "it does not")],
            Self::Infrastructure(reason) => {
                vec![Check::new("what the grader needs", "a machine to judge", reason)]
            }
        }
    }

    /// Returns where the machine was, if the verdict says it.
    pub fn place(&self) -> Option<&CodeLocation> {
        match self {
            Self::Halted(place) | Self::Hang(place, _) | Self::FaultLoop { place, .. } => Some(place),
            _ => None,
        }
    }
}

/// Judges one run.
pub fn judge(expects: &Expects, run: &Run) -> Verdict {
    if let Ended::NotStarted(reason) = &run.ended {
        return Verdict::Infrastructure(reason.clone());
    }
    if let (Ended::Signal(signal), true) = (&run.ended, run.was_killed()) {
        return Verdict::Infrastructure(format!(
            "somebody ended the program that plays the machine, by signal {signal}"
        ));
    }
    if let Some(reason) = refused_to_start(run) {
        return Verdict::Infrastructure(reason);
    }
    // A kernel can bring a machine to an end that no machine should come to. It does not gain by that.
    if let (Some(words), Ended::Signal(_) | Ended::Status(1)) = (run.stderr.lines().last(), &run.ended)
        && run.ran
    {
        let check = Check::new("the machine", "an end by the kernel's word", format!("QEMU gave up: {words}"));
        return Verdict::Fail(vec![check]);
    }
    match expects {
        Expects::Boot { status } => judge_end(*status, &run.ended).unwrap_or(Verdict::Pass),
        Expects::Test { name, outcome, checkpoints } => judge_test(name, outcome, checkpoints, run),
    }
}

/// Returns the words with which QEMU refused what a script gave it to boot, or `scripts/need` named what is missing.
fn refused_to_start(run: &Run) -> Option<String> {
    let is_refusal =
        |line: &&str| line.starts_with("need: ") || line.starts_with("qemu-system-") && !line.contains(": warning: ");
    let refusal = run.stderr.lines().find(is_refusal)?;
    (run.ended == Ended::Status(1) && !run.ran).then(|| refusal.into())
}

/// Judges an in-machine test. What the auditor has seen comes first, then what the kernel says of itself, since it says
/// most.
fn judge_test(name: &str, outcome: &Outcome, checkpoints: &[Checkpoint], run: &Run) -> Verdict {
    let transcript = Transcript::read(&run.control);
    let wrong: Vec<Check> = run.findings.iter().chain(&transcript.failed).cloned().collect();
    if !wrong.is_empty() {
        return Verdict::Fail(wrong);
    }
    let (deaths, status, end, end_record) = match outcome {
        Outcome::Dies(deaths) => (deaths.as_slice(), FAILURE, End::Died, "`end died`"),
        Outcome::Passes | Outcome::Lists(_) => (&[][..], SUCCESS, End::Pass, "`end pass`"),
    };
    if let Some(diagnosis) = transcript.diagnosis
        && death_of(deaths, diagnosis).is_none()
    {
        return death(diagnosis);
    }
    // Records of another end than the wanted one explain more than the status that goes with them.
    if transcript.end.is_none_or(|seen| seen == end)
        && let Some(verdict) = judge_end(status, &run.ended)
    {
        return verdict;
    }
    if let Some(broken) = transcript.broken {
        return Verdict::Fail(vec![Check::new("the control channel", "records in order", broken)]);
    }
    if transcript.begun != Some(name) {
        let seen = transcript.begun.map_or("none".into(), |seen| format!("`begin {seen}`"));
        return Verdict::Fail(vec![Check::new("the test that began", format!("`begin {name}`"), seen)]);
    }
    if transcript.end != Some(end) {
        let seen = transcript.end.map_or("none".into(), |seen| format!("`end {seen:?}`").to_lowercase());
        return Verdict::Fail(vec![Check::new("the last record", end_record, seen)]);
    }
    let mut missing = missing_from(outcome, &transcript);
    let planned: Vec<&str> = checkpoints.iter().map(|checkpoint| checkpoint.name.as_str()).collect();
    if run.held != planned {
        missing.push(Check::new("audited checkpoints", planned.join(", "), run.held.join(", ")));
    }
    if run.ran && !run.passed && !matches!(outcome, Outcome::Dies(_)) {
        missing.push(Check::new("the end", "a stand-still where a pass is said", "none"));
    }
    if missing.is_empty() { Verdict::Pass } else { Verdict::Fail(missing) }
}

/// Returns what the outcome asks for beside the right end.
fn missing_from(outcome: &Outcome, transcript: &Transcript<'_>) -> Vec<Check> {
    match outcome {
        Outcome::Passes => Vec::new(),
        Outcome::Dies(deaths) => match transcript.diagnosis.and_then(|diagnosis| death_of(deaths, diagnosis)) {
            None => {
                let kinds: Vec<&str> = deaths.iter().map(|death| death.kind.as_str()).collect();
                vec![Check::new("the diagnosis", kinds.join(" or "), "none")]
            }
            Some(death) => death
                .says
                .iter()
                .map(|words| with_names(words, &transcript.names))
                .filter(|words| !transcript.reported.iter().any(|line| line.contains(words)))
                .map(|words| Check::new("the report", format!("\"{words}\""), "not there"))
                .collect(),
        },
        Outcome::Lists(names) => compare_lists(names, &transcript.listed),
    }
}

/// Returns which of `deaths` a kernel with this diagnosis has died.
fn death_of<'a>(deaths: &'a [Death], diagnosis: &str) -> Option<&'a Death> {
    let kind = diagnosis.split(' ').next();
    deaths.iter().find(|death| kind == Some(&death.kind))
}

/// Puts what the kernel called by a name last in the place of each name in braces.
fn with_names(words: &str, names: &[(&str, &str)]) -> String {
    names.iter().rev().fold(words.into(), |words, (name, meant)| words.replace(&format!("{{{name}}}"), meant))
}

/// Returns the verdict on a kernel that died by its own word.
fn death(diagnosis: &str) -> Verdict {
    match diagnosis.split(' ').next() {
        Some("illegal-access" | "protection") => Verdict::IllegalAccess(diagnosis.into()),
        _ => Verdict::Panic(diagnosis.into()),
    }
}

/// Judges the end of the machine alone; `None` if it is the one that was `wanted`.
fn judge_end(wanted: i32, ended: &Ended) -> Option<Verdict> {
    let seen = match ended.clone() {
        Ended::Status(status) if status == wanted => return None,
        // A kernel that fails stands still before it comes to its exit status, where there is a freeze port.
        Ended::Frozen if wanted == FAILURE => return None,
        Ended::Frozen => "it stood still at the freeze port: the kernel says failure".into(),
        Ended::Status(0) => return Some(Verdict::Reset("it ended without a word at the exit device")),
        Ended::Reset => return Some(Verdict::Reset("it asked to be reset")),
        Ended::TripleFault(chain) => return Some(Verdict::TripleFault(chain)),
        Ended::Halted(place) => return Some(Verdict::Halted(place)),
        Ended::Spinning(place, limit) => return Some(Verdict::Hang(place, limit)),
        Ended::FaultLoop { address, place, times } => return Some(Verdict::FaultLoop { address, place, times }),
        Ended::OverLimit(limit) => return Some(Verdict::Timeout(limit)),
        Ended::NotStarted(reason) => return Some(Verdict::Infrastructure(reason)),
        Ended::Status(FAILURE) => format!("exit status {FAILURE}: the kernel says failure"),
        Ended::Status(SUCCESS) => format!("exit status {SUCCESS}: the kernel says success"),
        Ended::Status(status) => format!("exit status {status}"),
        Ended::Signal(signal) => format!("ended by signal {signal}"),
    };
    Some(Verdict::Fail(vec![Check::new("the machine", format!("exit status {wanted}"), seen)]))
}

/// Returns a check for each name that only one side has, and for each that the kernel lists twice.
fn compare_lists(manifest: &BTreeSet<String>, listed: &[&str]) -> Vec<Check> {
    let kernel: BTreeSet<String> = listed.iter().map(|&name| name.into()).collect();
    let mut checks: Vec<Check> = manifest
        .difference(&kernel)
        .map(|name| Check::new(name, "in the kernel's list", "in the manifest alone"))
        .collect();
    checks.extend(
        kernel.difference(manifest).map(|name| Check::new(name, "in the manifest", "in the kernel's list alone")),
    );
    if listed.len() != kernel.len() {
        let twice = format!("{} names twice", listed.len() - kernel.len());
        checks.push(Check::new("the kernel's list", "each name once", twice));
    }
    checks
}

#[cfg(test)]
mod tests;
