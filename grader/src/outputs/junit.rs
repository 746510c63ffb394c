//! `junit.xml`: a suite for each group.

use crate::job::Job;
use crate::marks::{Conditions, Results};
use crate::report;
use crate::verdict::Verdict;
use crate::vm::Judged;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::io;

/// Returns the results as JUnit's XML.
///
/// # Errors
///
/// If a text cannot be written as XML.
pub fn text(results: &Results) -> io::Result<String> {
    let mut report = Report::new("droste");
    for group in &results.plan.groups {
        let mut suite = TestSuite::new(group.id.clone());
        for (job, judged) in results.all().filter(|(job, _)| job.group == group.id) {
            suite.add_test_case(case(job, judged, &results.conditions));
        }
        report.add_test_suite(suite);
    }
    report.to_string().map(|text| text.replace(NO_XML, "\u{FFFD}")).map_err(io::Error::other)
}

/// Characters that XML does not have, not even escaped (XML 1.0, production 2): a kernel may print any. The other ones,
/// control characters, are left out by `quick_junit`.
const NO_XML: [char; 2] = ['\u{FFFE}', '\u{FFFF}'];

fn case(job: &Job, judged: Option<&Judged>, conditions: &Conditions) -> TestCase {
    let mut status = match judged.map(|judged| &judged.verdict) {
        Some(Verdict::Pass) => TestCaseStatus::success(),
        Some(Verdict::Skipped(_)) => TestCaseStatus::skipped(),
        Some(Verdict::Infrastructure(_)) | None => TestCaseStatus::non_success(NonSuccessKind::Error),
        Some(_) => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    if let Some(judged) = judged.filter(|judged| judged.verdict != Verdict::Pass) {
        let message = report::message(job, judged, conditions);
        status.set_type(judged.verdict.name()).set_message(message[1].1.clone());
        status.set_description(message.map(|(label, text)| format!("{label}: {text}")).join("\n"));
    } else if judged.is_none() {
        status.set_type("NOT RUN").set_message("not run");
    }
    let mut case = TestCase::new(job.id.clone(), status);
    case.set_classname(job.group.clone());
    if let Some(judged) = judged {
        case.set_time(judged.run.took);
        case.set_system_out(report::console(judged));
    }
    case
}
