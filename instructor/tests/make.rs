//! What make does with what an instructor sets, and with what the instructor's program says.

use std::path::Path;
use std::process::{Command, Output};

/// Runs make with `words`. For the instructor's program stands one that ends with `status` and prints its words, one a line.
fn make(status: u32, words: &[&str]) -> Output {
    let mut make = Command::new("make");
    make.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    make.arg(format!("INSTRUCTOR=sh -c 'printf \"<%s>\\n\" \"$$@\"; exit {status}' instructor")).args(words);
    for name in
        ["MAKEFLAGS", "MAKELEVEL", "LAB", "FROM", "OVERLAY", "RESULTS", "STRICT", "SUBMISSION", "SUBMISSIONS", "ONLY"]
    {
        make.env_remove(name);
    }
    make.output().expect("make is there")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_submission_may_have_any_name() {
    for name in ["O'Brien, Pat", "x'; touch mark; echo '", "a \"b\" $(shell echo c) $HOME `echo d`", "-rf *"] {
        let output = make(0, &["grade", &format!("SUBMISSION={name}"), "RESULTS=the results", "OVERLAY=hidden tests"]);
        let words = ["grade", "--results", "the results", "--overlay", "hidden tests", "--", name];
        assert_eq!(said(&output), words.map(|word| format!("<{word}>\n")).concat());
    }
}

#[test]
fn a_class_may_have_any_name_and_fails_as_its_grading_does() {
    let words = ["grade-class", "SUBMISSIONS=O'Brien's class", "RESULTS=the results"];
    let told = ["grade-class", "--results", "the results", "--", "O'Brien's class"];
    assert_eq!(said(&make(0, &words)), told.map(|word| format!("<{word}>\n")).concat());
    assert!(!make(1, &words).status.success() && !make(0, &words[..1]).status.success());
}

#[test]
fn what_is_made_and_graded_may_be_for_one_lab() {
    let words = |words: &[&str]| said(&make(0, words));
    assert_eq!(words(&["handout"]), "<handout>\n");
    assert_eq!(words(&["handout", "LAB=3", "FROM=Pat's tree"]), "<handout>\n<--lab>\n<3>\n<--from>\n<Pat's tree>\n");
    assert_eq!(words(&["grade", "LAB=3", "SUBMISSION=a"]), "<grade>\n<--lab>\n<3>\n<-->\n<a>\n");
    assert_eq!(words(&["grade-class", "LAB=3", "SUBMISSIONS=a"]), "<grade-class>\n<--lab>\n<3>\n<-->\n<a>\n");
    assert_eq!(words(&["gradescope", "LAB=3"]), "<gradescope>\n<--lab>\n<3>\n");
}

#[test]
fn names_of_mistakes_are_words_and_no_patterns() {
    let output = make(0, &["mutants", "ONLY=flush *  $(shell echo c)"]);
    assert_eq!(said(&output), "<mutants>\n<flush>\n<*>\n<$(shell>\n<echo>\n<c)>\n");
    assert_eq!(said(&make(0, &["mutants"])), "<mutants>\n<--table>\n<docs/src/mutants.md>\n");
}

#[test]
fn make_tells_failed_tests_from_failed_grading() {
    let succeeds =
        |status, words: &[&str]| make(status, &[&["grade", "SUBMISSION=name"], words].concat()).status.success();
    assert!(succeeds(0, &[]) && succeeds(1, &[]));
    assert!(succeeds(0, &["STRICT=1"]) && !succeeds(1, &["STRICT=1"]));
    for status in [2, 101] {
        assert!(!succeeds(status, &[]) && !succeeds(status, &["STRICT=1"]));
    }
}

#[test]
fn grading_asks_what_is_to_be_graded() {
    let output = make(0, &["grade"]);
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("SUBMISSION=dir"));
}

#[test]
fn the_book_shows_the_workflow_as_it_is() {
    let page = include_str!("../../docs/src/instructors.md");
    assert!(page.contains(include_str!("../github/grade.yml")));
}
