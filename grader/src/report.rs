//! The report: a line for each test as it ends, five more for a failure, marks and count at the end.

use crate::job::Job;
use crate::marks::{Conditions, Marks, Results};
use crate::run::{Check, Ended};
use crate::verdict::Verdict;
use crate::vm::{Judged, quoted};
use std::io::{self, Write};

/// The five lines of a failure: a label and a text each.
pub type Message = [(&'static str, String); 5];

/// Returns what there is to say of a job that did not pass: what must hold, expected and seen, where, the likely cause,
/// how to repeat it.
pub fn message(job: &Job, judged: &Judged, conditions: &Conditions) -> Message {
    let checks = judged.verdict.checks();
    let seen = checks.first().map_or(String::new(), |check| {
        let more = if checks.len() > 1 { format!(" (and {} more)", checks.len() - 1) } else { String::new() };
        format!("{}: expected {}, seen {}{more}", check.what, check.expected, check.seen)
    });
    let located = checks.iter().find_map(|check| check.at.clone());
    let place = judged.verdict.place().or_else(|| judged.post_mortem.as_ref()?.place()).map(ToString::to_string);
    let place = located.or(place).unwrap_or_else(|| match judged.run.ended {
        Ended::NotStarted(_) => "nowhere: it was not started".into(),
        _ => "see its console".into(),
    });
    let cause = cause(&judged.verdict).map_or_else(|| job.cause.clone(), String::from);
    [
        ("must hold", job.sentence.clone()),
        ("seen", printable(&seen)),
        ("where", printable(&place)),
        ("likely", format!("{cause} (docs/src/{})", job.hint)),
        ("repeat", repeat(job, conditions)),
    ]
}

/// Returns the command that runs a job once more.
pub fn repeat(job: &Job, conditions: &Conditions) -> String {
    format!("make test ONLY={} {conditions}", quoted(&job.name()))
}

/// Returns the likely cause of a verdict that says more about it than the test does.
fn cause(verdict: &Verdict) -> Option<&'static str> {
    Some(match verdict {
        Verdict::TripleFault(_) => "the stack, the IDT or the handler's own page was not mapped when a fault came",
        Verdict::Reset(_) => "something jumped to where no code is, or asked the keyboard controller for a reset",
        Verdict::Halted(_) => "an error path that stops the processor instead of returning an error",
        Verdict::Hang(..) => "a loop whose end never comes, such as a failure that is tried again for ever",
        Verdict::FaultLoop { .. } => {
            "the handler returned without a page, or the entry that it wrote is not the one in use"
        }
        Verdict::Timeout(_) => "an operation whose cost grows with memory or regions, or a very busy computer",
        Verdict::Skipped(_) => "see the test that must hold first",
        Verdict::Infrastructure(_) => "a tool or a file is missing; this is not counted",
        _ => return None,
    })
}

/// How many of the last lines of a console are shown, and how much of each; `failed/` has all of it.
const LINES: usize = 100;
const COLUMNS: usize = 200;

/// Returns the last lines of what a machine said to people.
pub fn console(judged: &Judged) -> String {
    let lines: Vec<&str> = judged.run.console.lines().collect();
    let cut = lines.len().saturating_sub(LINES);
    let note = (cut > 0).then(|| format!("... {cut} lines before these"));
    let shown = lines[cut..].iter().map(|line| printable(&line.chars().take(COLUMNS).collect::<String>()));
    note.into_iter().chain(shown).collect::<Vec<_>>().join("\n")
}

/// Replaces what could move the cursor or change the colours of the terminal, and the two that are no characters, which
/// neither XML nor YAML has.
pub fn printable(line: &str) -> String {
    let is_printable = |c: char| c == '\t' || !c.is_control() && !matches!(c, '\u{FFFE}' | '\u{FFFF}');
    line.trim_end_matches('\r').chars().map(|c| if is_printable(c) { c } else { '·' }).collect()
}

/// Returns points as people write them: `3`, `2.5`.
pub fn points(points: f64) -> String {
    let text = format!("{points:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Writes the line of a job that ended, and its message if it did not pass.
///
/// # Errors
///
/// If it cannot be written.
pub fn write_job(out: &mut impl Write, job: &Job, judged: &Judged, conditions: &Conditions) -> io::Result<()> {
    let took = judged.run.took.as_secs_f64();
    let Marks { earned, possible } = Marks::new(job, Some(judged));
    if judged.verdict == Verdict::Pass {
        writeln!(out, "pass  {}  {}  ({took:.2} s)", job.name(), job.sentence)?;
    } else {
        let word = match judged.verdict {
            Verdict::Skipped(_) => "skip",
            Verdict::Infrastructure(_) => "none",
            _ => "FAIL",
        };
        let (name, verdict) = (job.name(), judged.verdict.name());
        let (earned, possible) = (points(earned), points(possible));
        writeln!(out, "{word}  {name}  {verdict}, {earned} of {possible} points  ({took:.2} s)")?;
        for (label, text) in message(job, judged, conditions) {
            writeln!(out, "      {label:<9}  {text}")?;
        }
    }
    out.flush()
}

/// Writes the marks, what was not run, and last the count.
///
/// # Errors
///
/// If it cannot be written.
pub fn write_end(out: &mut impl Write, results: &Results) -> io::Result<()> {
    writeln!(out)?;
    for group in &results.plan.groups {
        let marks = results.marks(Some(&group.id));
        if marks.possible > 0.0 {
            writeln!(out, "marks  {:<28} {:>6} of {:>6}", group.title, points(marks.earned), points(marks.possible))?;
        }
    }
    let marks = results.marks(None);
    let (earned, possible) = (points(marks.earned), points(marks.possible));
    let percent = marks.percent().map_or(String::new(), |percent| format!("  {} %", points(percent)));
    writeln!(out, "marks  {:<28} {earned:>6} of {possible:>6}{percent}", "total")?;
    let not_judged = results.not_judged();
    if not_judged > 0 {
        writeln!(
            out,
            "{not_judged} tests could not be judged here: no points are lost by that, but they count as failed"
        )?;
    }
    let (passed, failed) = results.count();
    let not_run = results.not_run();
    if not_run > 0 {
        let planned = passed + failed;
        writeln!(out, "{not_run} of {planned} tests were not run, which counts as failed")?;
    }
    writeln!(out, "{passed} passed, {failed} failed")?;
    out.flush()
}

/// Returns all that did not hold, a line each.
pub fn details(checks: &[Check]) -> String {
    checks
        .iter()
        .map(|check| format!("{}: expected {}, seen {}", check.what, check.expected, check.seen))
        .map(|line| printable(&line))
        .collect::<Vec<_>>()
        .join("\n")
}
