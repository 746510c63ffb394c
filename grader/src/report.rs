//! The report: a line for each test as it ends, what a failure was, and the count.

use crate::plan::Job;
use crate::verdict::{Ended, Run, Verdict};
use std::io::{self, Write};

/// How many of the last lines of the console a failure shows.
const CONSOLE_LINES: usize = 20;

/// A report that is being written.
pub struct Report<W> {
    out: W,
    passed: usize,
    failed: usize,
}

impl<W: Write> Report<W> {
    /// Begins a report.
    pub fn new(out: W) -> Self {
        Self { out, passed: 0, failed: 0 }
    }

    /// Reports the end of one job.
    ///
    /// # Errors
    ///
    /// If the report cannot be written.
    pub fn add(&mut self, job: &Job, run: &Run, verdict: &Verdict) -> io::Result<()> {
        let passed = *verdict == Verdict::Pass;
        *if passed { &mut self.passed } else { &mut self.failed } += 1;
        let word = if passed { "pass" } else { "FAIL" };
        writeln!(self.out, "{word}  {}  {}  ({:.2} s)", job.name, job.sentence, run.took.as_secs_f64())?;
        if !passed {
            self.explain(job, run, verdict)?;
        }
        self.out.flush()
    }

    fn explain(&mut self, job: &Job, run: &Run, verdict: &Verdict) -> io::Result<()> {
        let mut line = |label: &str, text: &str| writeln!(self.out, "      {label:<10}  {text}");
        line("verdict", verdict.name())?;
        line("must hold", &job.sentence)?;
        for check in verdict.checks() {
            line("what", &check.what)?;
            line("expected", &check.expected)?;
            line("seen", &check.seen)?;
        }
        match &run.ended {
            Ended::Status(status) => line("ended", &format!("with exit status {status}"))?,
            Ended::Signal(signal) => line("ended", &format!("by signal {signal}"))?,
            Ended::OverLimit(_) => line("ended", "by the grader, at the time limit")?,
            Ended::NotStarted(_) => return Ok(()),
        }
        // QEMU complains of being ended too.
        if !matches!(run.ended, Ended::OverLimit(_)) {
            for complaint in run.complaints.lines().take(CONSOLE_LINES) {
                line("complaint", &printable(complaint))?;
            }
        }
        let console: Vec<&str> = run.console.lines().collect();
        for (row, text) in console[console.len().saturating_sub(CONSOLE_LINES)..].iter().enumerate() {
            line(if row == 0 { "console" } else { "" }, &printable(text))?;
        }
        line("repeat", &job.machine.repeat())
    }

    /// Ends the report: `planned` is the number of jobs that should have been reported. Returns whether all passed.
    ///
    /// # Errors
    ///
    /// If the report cannot be written.
    pub fn end(mut self, planned: usize) -> io::Result<bool> {
        let not_run = planned.saturating_sub(self.passed + self.failed);
        if not_run > 0 {
            writeln!(self.out, "{not_run} of {planned} tests were not run, which counts as failed")?;
        }
        writeln!(self.out, "{} passed, {} failed", self.passed, self.failed + not_run)?;
        self.out.flush()?;
        Ok(self.passed == planned && self.failed == 0)
    }
}

/// Replaces what could move the cursor or change the colours of the terminal.
fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { '·' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::verdict::{Check, Expects};
    use std::time::Duration;

    fn report(verdicts: &[Verdict], planned: usize) -> (String, bool) {
        let console: String = (1..=30).map(|n| format!("line {n}\u{1b}\n")).collect();
        let job = Job {
            name: "vm/edges".into(),
            sentence: "edges are exact".into(),
            limit: 1,
            expects: Expects::Boot { status: 33 },
            machine: Machine::by_script("scripts/run", &[], &[("UEFI", "1")]),
        };
        let run = Run {
            ended: Ended::Status(35),
            control: String::new(),
            console,
            complaints: String::new(),
            took: Duration::from_millis(214),
        };
        let mut out = Vec::new();
        let mut report = Report::new(&mut out);
        for verdict in verdicts {
            report.add(&job, &run, verdict).expect("a vector takes all");
        }
        let good = report.end(planned).expect("a vector takes all");
        (String::from_utf8(out).expect("text"), good)
    }

    fn failure() -> Verdict {
        Verdict::Fail(vec![Check { what: "frames".into(), expected: "0x2".into(), seen: "0x3".into() }])
    }

    #[test]
    fn a_pass_is_a_line_and_the_count_is_the_last() {
        let (text, good) = report(&[Verdict::Pass], 1);
        assert_eq!((text.as_str(), good), ("pass  vm/edges  edges are exact  (0.21 s)\n1 passed, 0 failed\n", true));
    }

    #[test]
    fn a_failure_says_what_and_shows_the_end_of_the_console_and_how_to_repeat_it() {
        let (text, good) = report(&[Verdict::Pass, failure()], 2);
        assert!(!good);
        for words in ["FAIL  vm/edges", "expected    0x2", "seen        0x3", "line 11·\n", "UEFI=1 scripts/run\n"] {
            assert!(text.contains(words), "{words:?} in {text}");
        }
        assert!(!text.contains("line 10·\n"));
        assert!(text.ends_with("\n1 passed, 1 failed\n"));
    }

    #[test]
    fn what_was_not_run_has_failed() {
        let (text, good) = report(&[Verdict::Pass], 3);
        assert!(!good && text.ends_with("2 of 3 tests were not run, which counts as failed\n1 passed, 2 failed\n"));
        let (_, good) = report(&[Verdict::Pass, Verdict::Pass], 1);
        assert!(!good);
    }
}
