//! Each lab by itself, handed out and graded as `make handout LAB=N` and `make grade LAB=N` do it: with nothing done it has
//! nothing, and everything with the solution; and a plain design is as good as that. `make check-grading` runs these.

use grader::manifest::Manifest;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the project.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A directory for these tests, which keeps what was built the last time.
fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("labs").join(name)
}

fn instructor(words: &[&str]) -> (Option<i32>, String) {
    let mut instructor = Command::new(env!("CARGO_BIN_EXE_instructor"));
    let output = instructor.args(words).current_dir(ROOT).env_remove("OVERLAY").output().expect("cargo has built it");
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn labs() -> std::ops::RangeInclusive<u32> {
    1..=Manifest::load(None).expect("it is well-formed").last_lab()
}

/// Makes the tree of `lab`, with `more` words. Returns where it is.
fn handout(lab: u32, name: &str, more: &[&str]) -> PathBuf {
    let to = place(name);
    let words = ["handout", "--lab", &lab.to_string(), to.to_str().expect("a plain name")];
    let (status, said) = instructor(&[&words, more].concat());
    assert_eq!(status, Some(0), "{said}");
    to
}

/// Grades `submission`, by the name of `of`, in `lab`. Returns the results. Nothing is built where another test builds.
fn grade(lab: u32, of: &str, submission: &Path) -> Value {
    let (results, workplace) = (place("results").join(format!("{of}-{lab}")), place("workplaces").join(of));
    let [results_words, workplace_words, submission] =
        [&results, &workplace, submission].map(|path| path.to_str().expect("a plain name"));
    let words = ["grade", "--lab", &lab.to_string(), "--workplace", workplace_words, "--results", results_words];
    let (status, said) = instructor(&[&words[..], &[submission]].concat());
    assert!(matches!(status, Some(0 | 1)), "{said}");
    let text = fs::read_to_string(results.join("results.json")).expect("each submission gets results");
    let results: Value = serde_json::from_str(&text).expect("results are JSON");
    let possible = f64::from(Manifest::load(None).expect("it is well-formed").possible(Some(lab)));
    assert_eq!(results["extra_data"]["possible"].as_f64(), Some(possible), "lab {lab}");
    results
}

/// Returns the names of the tests that did not pass, but of those of cost that only took too long.
fn missed(results: &Value) -> Vec<String> {
    let tests = results["tests"].as_array().into_iter().flatten();
    let missed = tests.filter(|test| {
        let id = test["extra_data"]["id"].as_str().unwrap_or_default();
        let verdict = &test["extra_data"]["verdict"];
        verdict != "PASS" && !(id.starts_with("cost/") && verdict == "TIMEOUT")
    });
    missed.map(|test| format!("{}: {}", test["name"], test["output"])).collect()
}

#[test]
fn with_nothing_done_a_lab_has_no_points() {
    for lab in labs() {
        let handout = handout(lab, &format!("handout-{lab}"), &[]);
        let results = grade(lab, "nothing", &handout);
        assert_eq!(results["score"].as_f64(), Some(0.0), "lab {lab}: {results:#}");
        let boots = results["tests"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|test| test["extra_data"]["id"] == "boot/noop" && test["extra_data"]["verdict"] == "PASS");
        assert!(boots.is_some(), "lab {lab}: it boots: {results:#}");
        // A lab without points has none with everything done, either.
        let is_open = |output: &Value| output.as_str().is_some_and(|words| words.contains("to do: "));
        let open = results["tests"].as_array().into_iter().flatten().filter(|test| is_open(&test["output"])).count();
        assert!(open > 0, "lab {lab}: nothing in it is to be done: {results:#}");
    }
}

#[test]
fn the_solution_has_all_points_of_each_lab() {
    for lab in labs() {
        let results = grade(lab, "solution", Path::new(ROOT));
        assert_eq!(missed(&results), [""; 0], "lab {lab}");
        assert_eq!(results["score"], results["extra_data"]["possible"], "lab {lab}");
    }
}

/// A student goes on with what is theirs: what was written for the labs before, on which the next one is graded.
#[test]
fn plain_designs_have_all_points_of_labs_1_to_3_but_those_for_cost() {
    let designs = Path::new(ROOT).join("instructor/designs");
    for (design, labs) in [("array", &[1, 2, 3][..]), ("list", &[3])] {
        for lab in labs {
            // The design as the student's own, in the files of labs that are over; and in this one's as it is handed in.
            let own = place(&format!("{design}-own"));
            for file in files() {
                let text = [&designs.join(design), Path::new(ROOT)].map(|tree| fs::read_to_string(tree.join(&file)));
                let text = text.into_iter().find_map(Result::ok).expect("it is in the solution");
                fs::create_dir_all(own.join(&file).with_file_name("")).expect("the directory is ours");
                fs::write(own.join(&file), text).expect("the directory is ours");
            }
            let from = own.to_str().expect("a plain name");
            let submission = handout(*lab, &format!("{design}-{lab}"), &["--from", from]);
            for file in files().filter(|file| is_open(&submission.join(file))) {
                fs::copy(own.join(&file), submission.join(&file)).expect("the directory is ours");
            }
            assert_eq!(missed(&grade(*lab, "designs", &submission)), [""; 0], "{design}, lab {lab}");
        }
    }
}

/// Returns the students' files.
fn files() -> impl Iterator<Item = String> {
    let list = fs::read_to_string(Path::new(ROOT).join("grader/handout.toml")).expect("it is there");
    let paths = list.lines().filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix('"'));
    paths.map(String::from).collect::<Vec<_>>().into_iter()
}

/// Says whether something in `file` is still to be written.
fn is_open(file: &Path) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.contains("panic!(\"to do: "))
}
