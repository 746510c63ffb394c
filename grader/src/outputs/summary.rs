//! `summary.md`: the marks as a table, and every failure, for people.

use crate::job::Job;
use crate::marks::Results;
use crate::report::{self, points, printable};
use crate::verdict::Verdict;
use std::fmt::Write;

/// Returns the results as Markdown.
pub fn text(results: &Results) -> String {
    let (passed, failed) = results.count();
    let marks = results.marks(None);
    let mut text = String::from("# Results\n\n| lab | group | passed | points | of |\n|---|---|---:|---:|---:|\n");
    // What is of no lab comes last.
    for lab in results.labs().into_iter().map(Some).chain([None]) {
        for group in &results.plan.groups {
            let is_one = |job: &Job| job.group == group.id && job.lab == lab;
            let (mut all, mut good) = (0, 0);
            for (_, judged) in results.all().filter(|(job, _)| is_one(job)) {
                all += 1;
                good += usize::from(judged.is_some_and(|judged| judged.verdict == Verdict::Pass));
            }
            if all > 0 {
                let marks = results.marks_where(is_one);
                let (earned, possible) = (points(marks.earned), points(marks.possible));
                let lab = lab.map_or(String::new(), |lab| lab.to_string());
                // Writing to a string never fails.
                let _ = writeln!(text, "| {lab} | {} | {good} of {all} | {earned} | {possible} |", group.title);
            }
        }
    }
    let (earned, possible) = (points(marks.earned), points(marks.possible));
    let _ = writeln!(text, "| | **total** | {passed} of {} | **{earned}** | **{possible}** |", passed + failed);
    let _ = writeln!(text, "\n{}\n", results.conditions);
    for (name, value) in &results.provenance.0 {
        let _ = writeln!(text, "- {name}: {value}");
    }
    for (job, judged) in results.all() {
        match judged {
            Some(judged) if judged.verdict != Verdict::Pass => {
                let _ = writeln!(text, "\n## {}: {}\n", job.name(), judged.verdict.name());
                for (label, line) in report::message(job, judged, &results.conditions) {
                    let _ = writeln!(text, "- **{label}** {}", plain(&line));
                }
            }
            Some(_) => {}
            None => {
                let _ = writeln!(text, "\n## {}: not run", job.name());
            }
        }
    }
    text
}

/// Takes the sense out of what Markdown would read as HTML, links, emphasis or cells: the words are a kernel's. Names
/// between backticks stay code.
fn plain(line: &str) -> String {
    let mut text = String::new();
    for c in printable(line).chars() {
        if r"\*[]<>&|~".contains(c) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}
