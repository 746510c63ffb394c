//! `results.tap`: the Test Anything Protocol, version 14 (testanything.org).

use crate::job::Job;
use crate::marks::{Conditions, Results};
use crate::report::{self, printable};
use crate::verdict::Verdict;
use crate::vm::Judged;
use serde_json::json;

/// Returns the results as TAP.
pub fn text(results: &Results) -> String {
    let mut text = format!("TAP version 14\n1..{}\n", results.plan.jobs.len());
    for (number, (job, judged)) in (1..).zip(results.all()) {
        text += &point(number, job, judged, &results.conditions);
    }
    text
}

fn point(number: usize, job: &Job, judged: Option<&Judged>, conditions: &Conditions) -> String {
    // A number sign would start a directive, and a backslash takes the sense out of what follows.
    let description = printable(&format!("{} - {}", job.name(), job.sentence));
    let description = description.replace('\\', "\\\\").replace('#', "\\#");
    match judged {
        Some(judged) if judged.verdict == Verdict::Pass => format!("ok {number} - {description}\n"),
        Some(judged) => {
            let lines = report::message(job, judged, conditions);
            let lines =
                lines.map(|(label, text)| format!("  {}: {}\n", label.replace(' ', "_"), json!(printable(&text))));
            format!(
                "not ok {number} - {description}\n  ---\n  verdict: {}\n{}  ...\n",
                json!(judged.verdict.name()),
                lines.concat()
            )
        }
        None => format!("not ok {number} - {description}\n  ---\n  verdict: \"NOT RUN\"\n  ...\n"),
    }
}
