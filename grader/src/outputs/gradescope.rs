//! `results.json`, which Gradescope reads (its autograder documentation, "Output format"). The part of the format that is
//! used here is in `grader/schema/gradescope.json`.

use crate::job::Job;
use crate::marks::{Conditions, Marks, Results, hundredths};
use crate::report;
use crate::verdict::Verdict;
use crate::vm::Judged;
use serde_json::{Map, Value, json};

/// Returns the results as JSON.
pub fn text(results: &Results) -> String {
    let marks = results.marks(None);
    let (passed, failed) = results.count();
    let mut output = format!("{passed} of {} tests passed, {}", passed + failed, results.conditions);
    if results.not_judged() > 0 {
        output += "\nSome tests could not be judged, for want of a tool or a file: ask for another run.";
    }
    if results.not_run() > 0 {
        output += &format!("\n{} tests were not run.", results.not_run());
    }
    let tests: Vec<Value> = results.all().map(|(job, judged)| test(job, judged, &results.conditions)).collect();
    let all = json!({
        "score": hundredths(marks.earned),
        "execution_time": results.started.elapsed().as_secs(),
        "output": output,
        "output_format": "text",
        "stdout_visibility": "hidden",
        "tests": tests,
        "extra_data": {
            "possible": hundredths(marks.possible),
            "seed": results.conditions.seed,
            "not_run": results.not_run(),
            "made_by": results.provenance.0,
        },
    });
    format!("{all:#}\n")
}

fn test(job: &Job, judged: Option<&Judged>, conditions: &Conditions) -> Value {
    let mut test = Map::new();
    let mut set = |key: &str, value: Value| test.insert(key.into(), value);
    set("name", format!("{}: {}", job.name(), job.sentence).into());
    set("name_format", "text".into());
    set("visibility", json!(job.visibility));
    set("tags", json!([job.group]));
    let verdict = judged.map_or("NOT RUN", |judged| judged.verdict.name());
    set("extra_data", json!({ "id": job.name(), "lab": job.lab, "verdict": verdict }));
    if let Some(judged) = judged.filter(|judged| judged.verdict != Verdict::Pass) {
        let lines = report::message(job, judged, conditions).map(|(label, text)| format!("{label}: {text}"));
        set("output", format!("{verdict}\n{}\n\n{}", lines.join("\n"), report::console(judged)).into());
        set("output_format", "text".into());
    } else if judged.is_none() {
        set("output", "not run".into());
        set("output_format", "text".into());
    }
    // Without score and status a test is shown, and counts for nothing.
    if !judged.is_some_and(|judged| matches!(judged.verdict, Verdict::Infrastructure(_))) {
        let marks = Marks::new(job, judged);
        let passed = judged.is_some_and(|judged| judged.verdict == Verdict::Pass);
        set("score", hundredths(marks.earned).into());
        set("max_score", hundredths(marks.possible).into());
        set("status", if passed { "passed" } else { "failed" }.into());
    }
    Value::Object(test)
}
