//! A class's marks: a table for programs, and pages for people.
//!
//! All is written anew after each submission, each file by a rename.

use super::student::{State, Student, results_of};
use crate::tree;
use grader::manifest::Manifest;
use grader::marks::hundredths;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The table, and the page that shows what is in it.
const TABLE: &str = "marks.csv";
const PAGE: &str = "index.html";

/// The page of one submission, in the directory of its results.
pub const REPORT: &str = "report.html";

/// What a submission earned: nothing is known of one without results.
struct Marks {
    earned: Option<f64>,
    /// The points of each test, and its verdict, by name.
    tests: BTreeMap<String, (Option<f64>, String)>,
}

impl Marks {
    fn of(student: &Student) -> Self {
        let results = match student.outcome.state {
            State::Graded | State::Refused => results_of(&student.place),
            State::NotGraded | State::Waiting => Value::Null,
        };
        let mut tests = BTreeMap::new();
        for test in results["tests"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let (id, verdict) = (text(&test["extra_data"]["id"]), text(&test["extra_data"]["verdict"]));
            tests.insert(id, (test["score"].as_f64(), verdict));
        }
        Self { earned: results["score"].as_f64(), tests }
    }
}

/// Where a class's marks are written.
pub struct Overview {
    to: PathBuf,
    /// Names of the tests and what must hold, in the order of the manifest.
    tests: Vec<(String, String)>,
    /// The labs that are graded, and the names of each one's tests.
    labs: BTreeMap<u32, Vec<String>>,
    possible: f64,
}

impl Overview {
    /// Makes the overview of a class that is graded in `lab`, with the hidden tests of `overlay`.
    ///
    /// # Errors
    ///
    /// In words, if a manifest is not well-formed.
    pub fn new(to: PathBuf, overlay: Option<&Path>, lab: Option<u32>) -> Result<Self, String> {
        let manifest = Manifest::load(overlay)?;
        let possible = f64::from(manifest.possible(lab));
        let groups = manifest.groups();
        let (mut tests, mut labs) = (Vec::new(), BTreeMap::<u32, Vec<String>>::new());
        for test in manifest.tests_of(lab) {
            let name = format!("{}/{}", test.group, test.id);
            tests.push((name.clone(), test.sentence.clone()));
            if let Some(lab) = test.lab(groups[test.group.as_str()]) {
                labs.entry(lab).or_default().push(name);
            }
        }
        Ok(Self { to, tests, labs, possible })
    }

    /// Writes the table and the page.
    ///
    /// # Errors
    ///
    /// If that cannot be done.
    pub fn write(&self, students: &[Student]) -> io::Result<()> {
        let marks: Vec<Marks> = students.iter().map(Marks::of).collect();
        tree::replace(&self.to.join(TABLE), &self.table(students, &marks)?)?;
        tree::replace(&self.to.join(PAGE), &self.page(students, &marks))
    }

    /// Writes the page of one submission.
    ///
    /// # Errors
    ///
    /// If that cannot be done.
    pub fn write_report(&self, student: &Student) -> io::Result<()> {
        let results = results_of(&student.place);
        let mut body = format!("<p>{}</p>\n<p><a href=\"log.txt\">log</a></p>\n", escaped(&student.outcome.words));
        for test in results["tests"].as_array().into_iter().flatten() {
            let text = |name: &str| escaped(test[name].as_str().unwrap_or_default());
            let number = |name: &str| test[name].as_f64().unwrap_or_default();
            let verdict = escaped(test["extra_data"]["verdict"].as_str().unwrap_or_default());
            let hidden = if test["visibility"] == "visible" { "" } else { " (hidden from students)" };
            let (name, output) = (text("name"), text("output"));
            let (earned, possible) = (number("score"), number("max_score"));
            body += &format!(
                "<details><summary>{verdict}, {earned} of {possible}: {name}{hidden}</summary><pre>{output}</pre></details>\n"
            );
        }
        tree::replace(&student.place.join(REPORT), &html(&student.entry.student, &body))
    }

    /// Returns a line for each submission, with a column for each lab and each test.
    fn table(&self, students: &[Student], marks: &[Marks]) -> io::Result<String> {
        let mut table = csv::Writer::from_writer(Vec::new());
        let first = ["student", "id", "submission", "late", "state", "what", "earned", "possible"];
        let labs = self.labs.keys().map(|lab| format!("lab {lab}")).collect::<Vec<_>>();
        let first = first.into_iter().chain(labs.iter().map(String::as_str));
        table.write_record(first.chain(self.tests.iter().map(|(name, _)| name.as_str())))?;
        for (student, marks) in students.iter().zip(marks) {
            let Student { entry, outcome, .. } = student;
            let file = entry.path.file_name().unwrap_or_default().to_string_lossy();
            let late = if entry.late { "late" } else { "" };
            let number = |points: Option<f64>| points.map_or(String::new(), |points| points.to_string());
            let mut line = [&entry.student, &entry.id, &*file, late].map(no_formula).to_vec();
            line.extend([state(outcome.state).into(), no_formula(&outcome.words)]);
            line.extend([number(marks.earned), self.possible.to_string()]);
            // What was refused has earned nothing anywhere; of what has no marks nothing is known.
            let nothing = (outcome.state == State::Refused).then_some(0.0);
            let points = |name: &String| marks.tests.get(name).map_or(nothing, |(points, _)| *points);
            // No sum where one of its tests has no points.
            let sum = |names: &Vec<String>| names.iter().map(points).sum::<Option<f64>>().map(hundredths);
            line.extend(self.labs.values().map(|names| number(sum(names))));
            line.extend(self.tests.iter().map(|(name, _)| number(points(name))));
            table.write_record(line)?;
        }
        let bytes = table.into_inner().map_err(|error| error.into_error())?;
        String::from_utf8(bytes).map_err(io::Error::other)
    }

    /// Returns the page: how marks are distributed, which tests fail most, and every submission.
    fn page(&self, students: &[Student], marks: &[Marks]) -> String {
        let earned: Vec<f64> = marks.iter().filter_map(|marks| marks.earned).collect();
        let mut body = format!("<p>{} of {} submissions have marks.</p>\n", earned.len(), students.len());
        body += &distribution(&earned, self.possible);
        body += "<h2>Tests that fail most</h2>\n\
                 <table><tr><th>test<th>what must hold<th>failed<th>skipped for another<th>passed</tr>\n";
        let count = |name: &String, is: &dyn Fn(&str) -> bool| {
            let verdicts = marks.iter().filter_map(|marks| marks.tests.get(name));
            verdicts.filter(|(_, verdict)| is(verdict)).count()
        };
        let failed = |name| count(name, &|verdict| verdict != "PASS" && verdict != "SKIPPED");
        let mut tests: Vec<_> = self.tests.iter().map(|test| (failed(&test.0), test)).collect();
        tests.sort_by_key(|(failed, _)| std::cmp::Reverse(*failed));
        for (failed, (name, sentence)) in tests.into_iter().filter(|(failed, _)| *failed > 0) {
            let (skipped, passed) =
                (count(name, &|verdict| verdict == "SKIPPED"), count(name, &|verdict| verdict == "PASS"));
            let (name, sentence) = (escaped(name), escaped(sentence));
            body += &format!("<tr><td>{name}<td>{sentence}<td>{failed}<td>{skipped}<td>{passed}</tr>\n");
        }
        body += "</table>\n<h2>Submissions</h2>\n<table><tr><th>student<th>state<th>points<th>what happened</tr>\n";
        for (student, marks) in students.iter().zip(marks) {
            let Student { entry, outcome, place } = student;
            let mut name = escaped(&entry.student);
            if outcome.state != State::Waiting {
                let inside = place.strip_prefix(&self.to).unwrap_or(place).join(REPORT);
                name = format!("<a href=\"{}\">{name}</a>", link(&inside));
            }
            let (state, words, late) =
                (state(outcome.state), escaped(&outcome.words), if entry.late { ", late" } else { "" });
            let points = marks.earned.map_or(String::new(), |points| format!("{points} of {}", self.possible));
            body += &format!("<tr><td>{name}<td>{state}{late}<td>{points}<td>{words}</tr>\n");
        }
        html("Class", &(body + "</table>\n"))
    }
}

/// Returns how many earned how much of what is possible; nothing, where no points are.
fn distribution(earned: &[f64], possible: f64) -> String {
    if possible == 0.0 {
        return String::new();
    }
    let mut table = "<h2>Marks</h2>\n<table><tr><th>percent<th>submissions<th></tr>\n".to_owned();
    let tenth = |points: &f64| ((10.0 * points / possible) as usize).min(9);
    for bin in 0..10 {
        let many = earned.iter().filter(|points| tenth(points) == bin).count();
        let (low, high, bar) = (10 * bin, if bin == 9 { 100 } else { 10 * bin + 9 }, "█".repeat(many));
        table += &format!("<tr><td>{low} to {high}<td>{many}<td>{bar}</tr>\n");
    }
    table + "</table>\n"
}

fn state(state: State) -> &'static str {
    match state {
        State::Graded => "graded",
        State::Refused => "refused",
        State::NotGraded => "not graded",
        State::Waiting => "waiting",
    }
}

/// Returns `text` as a cell that no spreadsheet calculates.
fn no_formula(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.into() }
}

/// Returns `text` so that HTML reads nothing in it as its own.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// Returns `path` as a link has it.
fn link(path: &Path) -> String {
    let byte = |byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/' => char::from(*byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    path.as_os_str().as_encoded_bytes().iter().map(byte).collect()
}

fn html(title: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <style>body {{ font-family: sans-serif; margin: 2em }} td, th {{ text-align: left; padding-right: 1em; \
         vertical-align: top }} pre {{ white-space: pre-wrap }}</style>\n<h1>{title}</h1>\n{body}</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::super::roster::Entry;
    use super::super::student::Outcome;
    use super::*;
    use serde_json::json;
    use std::fs;

    /// Writes the overview of a student of this name whose first test failed, and of one who was refused.
    fn written(name: &str) -> (tempfile::TempDir, String, String) {
        let directory = tempfile::tempdir().unwrap();
        let to = directory.path().to_owned();
        let overview = Overview::new(to.clone(), None, None).unwrap();
        let id = overview.tests[0].0.clone();
        let student = |file: &str, state, results: Value| {
            let place = to.join("students").join(file);
            fs::create_dir_all(&place).unwrap();
            fs::write(place.join("results.json"), results.to_string()).unwrap();
            let entry = Entry { path: file.into(), student: name.into(), id: String::new(), late: false };
            Student { entry, place, outcome: Outcome { made_of: 0, state, words: "what & why".into() } }
        };
        let test =
            json!({ "name": "<b>", "score": 0.5, "extra_data": { "id": id, "verdict": "FAIL" }, "output": "</pre>" });
        let graded = student("a b.zip", State::Graded, json!({ "score": 142, "tests": [test] }));
        let refused = student("c", State::Refused, json!({ "score": 0, "tests": [] }));
        overview.write_report(&graded).unwrap();
        overview.write(&[graded, refused]).unwrap();
        let text = |file| fs::read_to_string(to.join(file)).unwrap();
        let (table, page) = (text(TABLE), text(PAGE));
        assert!(!text("students/a b.zip/report.html").contains("</pre></pre>"));
        (directory, table, page)
    }

    #[test]
    fn a_line_has_the_points_of_each_test_and_zeros_where_nothing_was_run() {
        let (_directory, table, page) = written("Ann");
        let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(lines[1][..8], ["Ann", "", "a b.zip", "", "graded", "what & why", "142", "284"]);
        assert_eq!(lines[2][4..8], ["refused", "what & why", "0", "284"]);
        // The labs, of which not all points are known, and the tests.
        assert_eq!((lines[0][8], lines[1][8], lines[2][8]), ("lab 1", "", "0"));
        let first = lines[0].iter().position(|column| *column == "boot/noop").unwrap();
        assert_eq!(lines[1][first..first + 2], ["0.5", ""]);
        assert_eq!(lines[2][first..first + 2], ["0", "0"]);
        assert!(lines.iter().all(|line| line.len() == lines[0].len()));
        assert!(page.contains("<tr><td>50 to 59<td>1<td>█</tr>") && page.contains("students/a%20b.zip/report.html"));
        assert!(page.contains("<td>1<td>0<td>0</tr>"), "{page}");
    }

    #[test]
    fn a_lab_without_points_has_no_percents() {
        let directory = tempfile::tempdir().unwrap();
        let page = |lab| {
            let overview = Overview::new(directory.path().to_owned(), None, lab).unwrap();
            overview.write(&[]).unwrap();
            fs::read_to_string(directory.path().join(PAGE)).unwrap()
        };
        let manifest = Manifest::load(None).unwrap();
        for lab in 1..=manifest.last_lab() {
            assert_eq!(page(Some(lab)).contains("<th>percent"), manifest.possible(Some(lab)) > 0, "lab {lab}");
        }
    }

    #[test]
    fn no_name_is_a_formula_or_a_tag() {
        let (_directory, table, page) = written("=<script>&\"");
        assert!(table.contains("\"'=<script>&\"\"\","), "{table}");
        assert!(!page.contains("<script>") && page.contains("=&lt;script&gt;&amp;&quot;"));
    }
}
