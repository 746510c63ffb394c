//! The four outputs of a run, each read by a parser of its format that knows nothing of the grader; and what is left of
//! them when the grader is killed.

use boon::{Compiler, Schemas};
use grader::job::Job;
use grader::manifest::{Group, Visibility};
use grader::marks::{Conditions, Results};
use grader::outputs::Outputs;
use grader::plan::Plan;
use grader::provenance::Provenance;
use grader::qemu::Reference;
use grader::run::{Check, Ended, Run};
use grader::symbols::CodeLocation;
use grader::verdict::{Expects, Outcome, Verdict};
use grader::vm::{Judged, Machine, Script};
use junit_parser::TestStatus;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;
use tap_parser::{TapParser, TapStatement};
use tempfile::TempDir;

fn job(id: &str, points: u32) -> Job {
    let machine = Machine::Script(Script { program: "scripts/run".into(), args: Vec::new(), env: Vec::new() });
    Job {
        group: "g".into(),
        id: id.into(),
        sentence: "a # sentence with <marks> & \"quotes\"\nand a second line".into(),
        points,
        lab: matches!(id, "0" | "1").then_some(3),
        partial: false,
        needs: Vec::new(),
        visibility: Visibility::AfterDueDate,
        hint: "testing.md".into(),
        cause: "a cause".into(),
        limit: 1,
        expects: Expects::Boot { status: 0 },
        machine,
    }
}

/// What a kernel may print: every character below U+0100, and those that are none.
fn any_words() -> String {
    let characters: String = (0..0x100).filter_map(char::from_u32).collect();
    format!("words\u{1b}[31m & <more> [link](there) ]]> *loud* \u{FFFE}\u{FFFF}\u{1FFFE}\u{2028} {characters}\n")
}

fn judged(verdict: Verdict) -> Judged {
    let console = any_words();
    let run = Run { console, took: Duration::from_millis(1234), ..Run::nothing(Ended::Status(1)) };
    Judged { run, verdict, post_mortem: None }
}

/// One job for each verdict, worth 2 points, and one that was not run.
fn results() -> Results {
    let place =
        CodeLocation { address: 0x10_0000, function: "droste::spin".into(), line: Some("kernel/src/a.rs:7".into()) };
    let limit = Duration::from_secs(8);
    let verdicts = [
        Verdict::Pass,
        Verdict::Fail(vec![Check::new("frames", "0x2", "0x3")]),
        Verdict::Panic(any_words()),
        Verdict::IllegalAccess("illegal-access words".into()),
        Verdict::TripleFault(vec!["#PF".into(), "#DF".into()]),
        Verdict::Reset("it asked to be reset"),
        Verdict::Halted(place.clone()),
        Verdict::Hang(place.clone(), limit),
        Verdict::FaultLoop { address: 0x50_0000, place, times: 99 },
        Verdict::Timeout(limit),
        Verdict::Skipped("g/1".into()),
        Verdict::Infrastructure(any_words()),
    ];
    let mut jobs: Vec<Job> = (0..=verdicts.len()).map(|number| job(&number.to_string(), 2)).collect();
    jobs[8].expects = Expects::Test { name: "loops".into(), outcome: Outcome::Passes, checkpoints: Vec::new() };
    jobs[8].machine = Machine::Reference(Reference {
        programs: false,
        drive: None,
        kernel: "build/droste.elf".into(),
        memory: "64M".into(),
        command_line: "test=loops".into(),
        deterministic: false,
    });
    let group =
        Group { id: "g".into(), title: "G".into(), hint: "testing.md".into(), cause: "c".into(), points: 1, lab: None };
    let conditions = Conditions { seed: 7, deterministic: true, overlay: Some("hidden tests".into()) };
    let provenance = Provenance([("commit", "0123abc".into())].into());
    let mut results = Results::new(Plan { groups: vec![group], jobs }, conditions, provenance);
    for (place, verdict) in verdicts.into_iter().enumerate() {
        results.judged[place] = Some(judged(verdict));
    }
    results
}

fn written() -> (TempDir, Results) {
    let directory = TempDir::new().expect("a temporary directory");
    let outputs = Outputs::new(&directory.path().join("results")).expect("a directory");
    let results = results();
    outputs.write(&results).expect("written");
    (0..results.judged.len()).for_each(|place| outputs.write_failure(&results, place).expect("written"));
    (directory, results)
}

fn read(directory: &TempDir, name: &str) -> String {
    fs::read_to_string(directory.path().join("results").join(name)).expect("it is there")
}

#[test]
fn results_json_is_valid_by_the_schema() {
    let (directory, _) = written();
    let json: Value = serde_json::from_str(&read(&directory, "results.json")).expect("JSON");
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/gradescope.json");
    let index = compiler.compile(schema.to_str().expect("text"), &mut schemas).expect("a schema");
    schemas.validate(&json, index).unwrap_or_else(|error| panic!("{error:#}"));
    assert!(schemas.validate(&serde_json::json!({ "score": -1 }), index).is_err());
    // 2 of 24: what could not be judged is not counted.
    assert_eq!((json["score"].as_f64(), json["extra_data"]["possible"].as_f64()), (Some(2.0), Some(24.0)));
    assert_eq!(json["tests"][11].get("max_score"), None);
    assert_eq!(json["tests"][12]["extra_data"]["verdict"], "NOT RUN");
    // Nobody sees a test, or what it printed, before its time.
    assert!(json["tests"].as_array().expect("a list").iter().all(|test| test["visibility"] == "after_due_date"));
    assert_eq!(json["stdout_visibility"], "hidden");
    assert_eq!((&json["extra_data"]["made_by"]["commit"], &json["extra_data"]["seed"]), (&"0123abc".into(), &7.into()));
}

#[test]
fn junit_xml_is_read_by_a_parser() {
    let (directory, _) = written();
    let suites = junit_parser::from_reader(read(&directory, "junit.xml").as_bytes()).expect("JUnit");
    let cases = &suites.suites[0].cases;
    let failures = cases.iter().filter(|case| matches!(case.status, TestStatus::Failure(_))).count();
    let errors = cases.iter().filter(|case| matches!(case.status, TestStatus::Error(_))).count();
    let skipped = cases.iter().filter(|case| matches!(case.status, TestStatus::Skipped(_))).count();
    assert_eq!((cases.len(), failures, errors, skipped), (13, 9, 2, 1));
}

#[test]
fn junit_xml_is_well_formed_whatever_a_kernel_prints() {
    let (directory, _) = written();
    let text = read(&directory, "junit.xml");
    let document = roxmltree::Document::parse(&text).expect("XML 1.0");
    let console = document.descendants().find(|node| node.has_tag_name("system-out")).and_then(|node| node.text());
    assert!(console.is_some_and(|words| words.contains("& <more> [link](there) ]]>")), "{console:?}");
}

#[test]
fn results_tap_has_only_what_yaml_has_whatever_a_kernel_prints() {
    let (directory, _) = written();
    let text = read(&directory, "results.tap");
    // YAML 1.2, production 1.
    let is_yaml =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{A0}'..='\u{FFFD}' | '\u{10000}'..);
    assert_eq!(text.chars().find(|c| !is_yaml(*c)), None);
    assert!(
        text.lines().all(|line| ["TAP ", "1..", "ok ", "not ok ", "  "].iter().any(|start| line.starts_with(start)))
    );
}

#[test]
fn results_json_has_the_words_as_they_were_printed() {
    let (directory, _) = written();
    let json: Value = serde_json::from_str(&read(&directory, "results.json")).expect("JSON");
    let words = json["tests"][2]["output"].as_str().expect("text");
    assert!(words.contains("& <more> [link](there) ]]> *loud*"), "{words}");
}

#[test]
fn summary_md_is_no_markup_whatever_a_kernel_prints() {
    let (directory, _) = written();
    let text = read(&directory, "summary.md");
    assert!(text.contains(r"\& \<more\> \[link\](there) \]\]\> \*loud\*"), "{text}");
    assert!(!text.contains(" <more"));
    assert_eq!(text.chars().find(|c| *c != '\n' && c.is_control() && *c != '\t'), None);
}

#[test]
fn results_tap_is_read_by_a_parser() {
    let (directory, _) = written();
    let text = read(&directory, "results.tap");
    let statements = TapParser::new().parse(&text).expect("TAP 14");
    let points: Vec<bool> = statements
        .iter()
        .filter_map(|statement| if let TapStatement::TestPoint(test) = statement { Some(test.result) } else { None })
        .collect();
    assert_eq!((points.len(), points.iter().filter(|good| **good).count()), (13, 1));
    let plan = statements
        .iter()
        .find_map(|statement| if let TapStatement::Plan(plan) = statement { Some(plan) } else { None });
    assert_eq!(plan.expect("a plan").count, 13);
}

#[test]
fn summary_md_has_the_marks_and_every_failure() {
    let (directory, _) = written();
    let text = read(&directory, "summary.md");
    for row in
        ["| 3 | G | 1 of 2 | 2 | 4 |", "|  | G | 0 of 11 | 0 | 20 |", "| | **total** | 1 of 13 | **2** | **24** |"]
    {
        assert!(text.contains(row), "{row} in {text}");
    }
    for heading in ["## g/8: FAULT LOOP", "## g/12: not run"] {
        assert!(text.contains(heading), "{heading} in {text}");
    }
}

#[test]
fn a_failure_leaves_its_console_and_the_commands_that_repeat_it() {
    let (directory, _) = written();
    assert!(
        read(&directory, "failed/g-7/repeat.txt")
            .contains("make test ONLY=g/7 SEED=0x00000007 DET=1 OVERLAY='hidden tests'")
    );
    assert!(read(&directory, "failed/g-8/repeat.txt").ends_with("\nmake explore TEST=loops MEM=64 ARGS=seed=7\n"));
    assert!(!read(&directory, "failed/g-7/repeat.txt").contains("make explore"));
    assert!(read(&directory, "failed/g-7/console.txt").contains("words"));
    let message = read(&directory, "failed/g-7/message.txt");
    for words in ["HANG", "must hold", "kernel/src/a.rs:7", "a loop whose end never comes", "docs/src/testing.md"] {
        assert!(message.contains(words), "{words} in {message}");
    }
}
