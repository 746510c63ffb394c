//! Submissions of all kinds, graded as `make grade` does it: `make check-grading` runs this, since it takes minutes.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the project.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A directory for this test, which keeps what was built the last time.
fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("submissions").join(name)
}

fn in_words(path: &Path) -> &str {
    path.to_str().expect("the directories of a build have plain names")
}

fn instructor(words: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_instructor"))
        .args(words)
        .current_dir(ROOT)
        .output()
        .expect("cargo has built it");
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// Grades what is in `submission` and returns the results.
fn grade(submission: &Path, passes: bool) -> Value {
    let (results, workplace) = (place("results"), place("workplace"));
    let words = ["grade", "--workplace", in_words(&workplace), "--results", in_words(&results), in_words(submission)];
    let (status, said) = instructor(&words);
    assert_eq!(status, Some(i32::from(!passes)), "{said}");
    let text = fs::read_to_string(results.join("results.json")).expect("each submission gets results");
    serde_json::from_str(&text).expect("results are JSON")
}

/// Makes a submission of one file, with `text` behind what the project has there.
fn submission_of(file: &str, text: &str) -> PathBuf {
    let submission = place("submission");
    let path = submission.join(file);
    let _ = fs::remove_dir_all(&submission);
    fs::create_dir_all(path.parent().expect("it is below the submission")).expect("the directory is ours");
    let ours = fs::read_to_string(Path::new(ROOT).join(file)).expect("the file is the project's");
    fs::write(&path, ours + text).expect("the directory is ours");
    submission
}

fn words_of_first_test(results: &Value) -> &str {
    results["tests"][0]["output"].as_str().unwrap_or_default()
}

#[test]
#[ignore = "takes minutes"]
fn each_submission_gets_what_it_deserves() {
    // One after the other, since they share what was built.
    let cheat = submission_of("kernel/src/vm/pool.rs", "pub fn cheat() { crate::console::control!(\"end pass\"); }\n");
    let results = grade(&cheat, false);
    assert_eq!(results["score"], 0.0);
    assert!(words_of_first_test(&results).contains("`crate::console`"), "{results:#}");

    let broken = submission_of("kernel/src/vm/pool.rs", "pub fn broken() -> u32 { \"text\" }\n");
    let results = grade(&broken, false);
    assert_eq!(results["score"], 0.0);
    assert!(words_of_first_test(&results).contains("mismatched types"), "{results:#}");

    let handout = place("handout");
    let (status, said) = instructor(&["handout", handout.to_str().unwrap()]);
    assert_eq!(status, Some(0), "{said}");
    let results = grade(&handout, false);
    let (score, possible) = (results["score"].as_f64().unwrap(), results["extra_data"]["possible"].as_f64().unwrap());
    assert!(0.0 < score && score < 0.1 * possible, "{score} of {possible}");
    let output = results["tests"].to_string();
    assert!(output.contains("to do: FramePool::new"), "{output}");

    let results = grade(Path::new(ROOT), true);
    assert_eq!(results["score"], results["extra_data"]["possible"]);
    assert_eq!(results["extra_data"]["not_run"], 0);
}

#[test]
#[ignore = "takes minutes"]
fn the_handout_builds_without_a_warning() {
    let handout = place("handout-built");
    let (status, said) = instructor(&["handout", handout.to_str().unwrap()]);
    assert_eq!(status, Some(0), "{said}");
    let output = Command::new("make")
        .args(["build/droste.elf"])
        .current_dir(&handout)
        .env("CARGO_TARGET_DIR", handout.join("target"))
        .env("CARGO_NET_OFFLINE", "true")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("warning"), "{said}");
}
