//! The report: what is told while tests run and when all have ended, and the lines that every output has of a failure.

use crate::job::{FAILED, Job};
use crate::marks::{Conditions, Marks, Results};
use crate::run::{Check, Ended};
use crate::verdict::Verdict;
use crate::vm::{Judged, quoted};
use std::io::{self, Write};
use std::path::Path;

/// The five lines of a failure: a label and a text each.
pub type Message = [(&'static str, String); 5];

/// Returns what there is to say of a job that did not pass: what must hold, expected and seen, where, the likely cause,
/// how to repeat it.
pub fn message(job: &Job, judged: &Judged, conditions: &Conditions) -> Message {
    let checks = judged.verdict.checks();
    let seen = checks.first().map_or(String::new(), |check| {
        let more = if checks.len() > 1 { format!(" (and {} more)", checks.len() - 1) } else { String::new() };
        match judged.verdict {
            // That it should live goes without saying.
            Verdict::Panic(_) | Verdict::IllegalAccess(_) | Verdict::TripleFault(_) => check.seen.clone(),
            _ => format!("{}: expected {}, seen {}{more}", check.what, check.expected, check.seen),
        }
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
        Verdict::Panic(words) if words.starts_with("panic to do: ") => {
            "it is still to be written: its documentation says what it must do"
        }
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

/// The report of a run: a line for each test as it ends; then the failure to look at first, marks and count.
pub struct Report<W> {
    out: W,
    /// Whether a person watches, who needs no line for what passed.
    folded: bool,
    ended: usize,
    failed: usize,
}

/// How many failures have a line of their own where a person watches.
const LISTED: usize = 8;

/// Says what a lab earned.
fn lab_line(results: &Results, lab: u32) -> String {
    let marks = results.marks_where(|job| job.lab == Some(lab));
    format!("lab {lab}: {} of {}", points(marks.earned), points(marks.possible))
}

/// Goes to the start of the line, and empties it.
const AGAIN: &str = "\r\x1B[K";

impl<W: Write> Report<W> {
    /// Makes the report to `out`. If it is to be `folded`, tests that pass share one line, which is written anew each time,
    /// and the whole fits on a screen.
    pub fn new(out: W, folded: bool) -> Self {
        Self { out, folded, ended: 0, failed: 0 }
    }

    /// Writes with what the tests are run.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn begin(&mut self, conditions: &Conditions) -> io::Result<()> {
        writeln!(self.out, "{conditions}")
    }

    /// Writes the line of a job that ended, one of `all`.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn job(&mut self, job: &Job, judged: &Judged, all: usize) -> io::Result<()> {
        self.ended += 1;
        let again = if self.folded { AGAIN } else { "" };
        if judged.verdict == Verdict::Pass {
            if !self.folded {
                let took = judged.run.took.as_secs_f64();
                writeln!(self.out, "pass  {}  {}  ({took:.2} s)", job.name(), job.sentence)?;
            }
        } else {
            self.failed += 1;
            if !self.folded || self.failed <= LISTED {
                writeln!(self.out, "{again}{}", line(job, judged))?;
            }
        }
        if self.folded {
            write!(self.out, "{AGAIN}{} of {all} ended, {} not passed: {}", self.ended, self.failed, job.name())?;
        }
        self.out.flush()
    }

    /// Writes which failure to look at first, the marks, what was not run, and last the count.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn end(&mut self, results: &Results, place: &Path) -> io::Result<()> {
        let (passed, failed) = results.count();
        let out = &mut self.out;
        if self.folded {
            write!(out, "{AGAIN}")?;
            if self.failed > LISTED {
                writeln!(out, "and {} more", self.failed - LISTED)?;
            }
        }
        if let Some((job, judged)) = results.first_failure() {
            writeln!(out, "\nStart here\n{}", line(job, judged))?;
            for (label, text) in message(job, judged, &results.conditions) {
                writeln!(out, "      {label:<9}  {text}")?;
            }
            writeln!(out, "      more       {}", place.join(FAILED).join(job.folder()).display())?;
            let others = self.failed - 1;
            if others > 0 {
                writeln!(
                    out,
                    "{others} more did not pass, which may follow from this one; each has a folder beside it"
                )?;
            }
        }
        writeln!(out)?;
        for group in &results.plan.groups {
            let marks = results.marks(Some(&group.id));
            if marks.possible > 0.0 {
                let (earned, possible) = (points(marks.earned), points(marks.possible));
                writeln!(out, "marks  {:<28} {earned:>6} of {possible:>6}", group.title)?;
            }
        }
        let labs: Vec<String> = results.labs().into_iter().map(|lab| lab_line(results, lab)).collect();
        if labs.len() > 1 {
            writeln!(out, "marks  {}", labs.join(", "))?;
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
        let not_run = results.not_run();
        if not_run > 0 {
            let planned = passed + failed;
            writeln!(out, "{not_run} of {planned} tests were not run, which counts as failed")?;
        }
        writeln!(out, "{passed} passed, {failed} failed")?;
        out.flush()
    }
}

/// Returns the line of a job that did not pass.
fn line(job: &Job, judged: &Judged) -> String {
    let took = judged.run.took.as_secs_f64();
    let Marks { earned, possible } = Marks::new(job, Some(judged));
    let word = match judged.verdict {
        Verdict::Skipped(_) => "skip",
        Verdict::Infrastructure(_) => "none",
        _ => "FAIL",
    };
    let (name, verdict) = (job.name(), judged.verdict.name());
    let (earned, possible) = (points(earned), points(possible));
    format!("{word}  {name}  {verdict}, {earned} of {possible} points  ({took:.2} s)")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Manifest;
    use crate::plan::Plan;
    use crate::provenance::Provenance;
    use crate::run::Run;

    /// Reports a run of all that there is, in which those fail that `fails` says.
    fn report(folded: bool, fails: impl Fn(&Job) -> bool) -> String {
        let plan = Plan::new(&Manifest::load(None).unwrap(), Path::new("droste.elf"), false).unwrap();
        let conditions = Conditions { seed: 7, deterministic: false, overlay: None };
        let mut results = Results::new(plan, conditions, Provenance::default());
        let jobs = results.plan.jobs.clone();
        let mut written = Vec::new();
        let mut report = Report::new(&mut written, folded);
        report.begin(&results.conditions).unwrap();
        for (place, job) in jobs.iter().enumerate() {
            let check = Check::new("frames", "0x2", "0x3");
            let verdict = if fails(job) { Verdict::Fail(vec![check]) } else { Verdict::Pass };
            let judged = Judged { run: Run::nothing(Ended::Frozen), verdict, post_mortem: None };
            report.job(job, &judged, jobs.len()).unwrap();
            results.judged[place] = Some(judged);
        }
        report.end(&results, Path::new("results")).unwrap();
        String::from_utf8(written).unwrap()
    }

    /// Returns the lines that are left on a terminal.
    fn on_a_terminal(written: &str) -> Vec<&str> {
        written.lines().map(|line| line.rsplit(AGAIN).next().unwrap_or_default()).collect()
    }

    #[test]
    fn whatever_fails_a_terminal_shows_a_screen_and_where_to_start() {
        for fails in [|_: &Job| true, |job: &Job| job.group != "boot", |job: &Job| job.id == "free-page"] {
            let written = report(true, fails);
            let lines = on_a_terminal(&written);
            assert!(lines.len() <= 40, "{} lines:\n{}", lines.len(), lines.join("\n"));
            assert!(lines.iter().all(|line| !line.starts_with("pass")), "{lines:?}");
            assert!(lines.contains(&"Start here"), "{lines:?}");
        }
        assert!(!report(true, |_| false).contains("Start here"));
    }

    #[test]
    fn the_failure_to_start_with_is_what_the_others_rest_on() {
        let written =
            report(false, |job| ["audited-release", "half-touched-region", "standard-pools"].contains(&&*job.id));
        let (lines, end) = written.split_once("\nStart here\n").expect("some failed");
        assert_eq!(lines.matches("\nFAIL  ").count(), 3);
        assert!(end.starts_with("FAIL  pools/half-touched-region  FAIL, 0 of 2 points"), "{end}");
        assert!(end.contains("      more       results/failed/pools-half-touched-region\n"), "{end}");
        assert!(end.contains("2 more did not pass, which may follow from this one; each has a folder"), "{end}");
        assert!(end.ends_with(" passed, 3 failed\n"), "{end}");
    }
}
