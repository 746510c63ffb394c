//! Submissions of all kinds, graded as `make grade` does it. Two at a time, since they share what was built;
//! `make check-grading` runs them.

use boon::{Compiler, Schemas};
use grader::manifest::Manifest;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, mkdirat, openat};
use serde_json::Value;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use zip::write::{SimpleFileOptions, ZipWriter};

/// The root of the project.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A file of the students'.
const POOL: &str = "kernel/src/vm/pool.rs";

/// A directory for these tests, which keeps what was built the last time.
fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("submissions").join(name)
}

fn in_words(path: &Path) -> &str {
    path.to_str().expect("the directories of a build have plain names")
}

fn instructor(words: &[&str]) -> (Option<i32>, String) {
    instructor_with(&[], words)
}

/// As many places to build in as there are tests at a time, each with what was built there the last time.
static WORKPLACES: [Mutex<()>; 2] = [const { Mutex::new(()) }; 2];

/// Grades `submission` where no other test builds just now. What the results are, and what is said, is the caller's to
/// look at.
fn graded(env: &[(&str, &str)], results: &Path, more: &[&str], submission: &Path) -> (Option<i32>, String) {
    let free = WORKPLACES.iter().enumerate().find_map(|(number, place)| Some((number, place.try_lock().ok()?)));
    let (number, _taken) = free.unwrap_or_else(|| (0, WORKPLACES[0].lock().unwrap_or_else(PoisonError::into_inner)));
    let workplace = place(&format!("workplace-{number}"));
    let words = ["grade", "--workplace", in_words(&workplace), "--results", in_words(results), in_words(submission)];
    instructor_with(env, &[&words, more].concat())
}

/// Runs the instructor's program with more in its environment.
fn instructor_with(env: &[(&str, &str)], words: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_instructor"))
        .args(words)
        .current_dir(ROOT)
        .env_remove("OVERLAY")
        .envs(env.iter().copied())
        .output()
        .expect("cargo has built it");
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// Grades what is in `submission` and returns the results, which are valid by the schema.
fn grade(submission: &Path, passes: bool) -> Value {
    grade_with(&[], submission, passes).0
}

/// Grades with more arguments. Returns the results, and what was said.
fn grade_with(more: &[&str], submission: &Path, passes: bool) -> (Value, String) {
    let name = submission.file_name().unwrap_or_default();
    let results = place("results").join(name);
    let (status, said) = graded(&[], &results, more, submission);
    assert_eq!(status, Some(i32::from(!passes)), "{said}");
    let text = fs::read_to_string(results.join("results.json")).expect("each submission gets results");
    let json = serde_json::from_str(&text).expect("results are JSON");
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    let schema = Path::new(ROOT).join("grader/schema/gradescope.json");
    let index = compiler.compile(in_words(&schema), &mut schemas).expect("a schema");
    schemas.validate(&json, index).unwrap_or_else(|error| panic!("{error:#}"));
    (json, said)
}

/// Demands that the submission `name`, whose file is `text`, is not run, and told why in these `words`.
fn refused(name: &str, text: &str, words: &str) {
    let submission = place(name);
    let _ = fs::remove_dir_all(&submission);
    write(&submission.join(POOL), text);
    let results = grade(&submission, false);
    assert_eq!(results["score"], 0);
    let told = results["tests"][0]["output"].as_str().unwrap_or_default();
    assert!(told.starts_with(POOL) && told.contains(words), "{name}: {told}");
}

/// Makes a directory with one hidden test, which passes. Returns what it is worth, too.
fn overlay() -> (PathBuf, f64) {
    let overlay = place("overlay");
    let test = "[[group]]\nid = \"hidden\"\ntitle = \"Hidden\"\nhint = \"regions.md\"\ncause = \"none\"\n\n\
                [[test]]\ngroup = \"hidden\"\nid = \"hidden-secret\"\nsentence = \"a secret holds\"\npoints = 7\n\
                visibility = \"hidden\"\n";
    write(&overlay.join("tests.toml"), test);
    let code = "//! The words of the secret.\nuse crate::scenarios::{Machine, Outcome, Scenario, demand};\n\n\
                pub fn all<M: Machine>() -> [Scenario<M>; 1] {\n    [(\"hidden-secret\", secret)]\n}\n\n\
                fn secret<M: Machine>(machine: &mut M) -> Outcome {\n    \
                demand(\"faults before any touch\", 0, machine.faults())\n}\n";
    write(&overlay.join("secret.rs"), code);
    (overlay, 7.0)
}

/// Makes the submission `name` of one file, with `text` behind what the project has there.
fn submission_of(name: &str, text: &str) -> PathBuf {
    let submission = place(name);
    let _ = fs::remove_dir_all(&submission);
    let ours = fs::read_to_string(Path::new(ROOT).join(POOL)).expect("the file is the project's");
    write(&submission.join(POOL), &(ours + text));
    submission
}

/// Makes the submission `name` of all the students' files, as the project has them.
fn solution(name: &str) -> PathBuf {
    let submission = submission_of(name, "");
    for path in students_files() {
        let text = fs::read_to_string(Path::new(ROOT).join(&path)).expect("the file is the project's");
        write(&submission.join(path), &text);
    }
    submission
}

/// Returns the paths of the students' files.
fn students_files() -> Vec<String> {
    let list = fs::read_to_string(Path::new(ROOT).join("grader/handout.toml")).expect("it is there");
    let paths = list.lines().filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix('"'));
    paths.map(String::from).collect()
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it is below the submission")).expect("the directory is ours");
    fs::write(path, text).expect("the directory is ours");
}

fn handout(name: &str) -> PathBuf {
    let handout = place(name);
    let (status, said) = instructor(&["handout", in_words(&handout)]);
    assert_eq!(status, Some(0), "{said}");
    handout
}

#[test]
fn what_names_the_graders_channel_is_not_run() {
    let cheat = submission_of("cheat", "pub fn cheat() { crate::system::console::control!(\"end pass\"); }\n");
    let results = grade(&cheat, false);
    assert_eq!(results["score"], 0);
    let words = results["tests"][0]["output"].as_str().unwrap_or_default();
    assert!(words.starts_with(POOL) && words.contains("`crate::system`"), "{results:#}");
}

#[test]
fn what_the_compiler_would_read_in_another_way_is_not_run() {
    let solution = "const SOLUTION: &str = include_str!(\"/solution/pool.rs\");\n";
    for (name, text, words) in [
        ("shebang", format!("#!/\"\n{solution}"), "line 1: `#!` starts a script"),
        ("carriage-return", format!("const A: &str = \"a\\\r  b\";\n{solution}"), "line 1: a carriage return"),
        ("no-end", format!("/* {solution}"), "not Rust from here on"),
    ] {
        refused(name, &text, words);
    }
}

#[test]
fn attributes_that_memory_management_has_no_use_for_are_not_run() {
    refused("raw-path", "#[r#path = \"/solution/pool.rs\"]\nmod solution;\n", "the attribute `path`");
    let visualizer = "#![debugger_visualizer(gdb_script_file = \"/dev/zero\")]\n";
    refused("visualizer", visualizer, "the attribute `debugger_visualizer`");
    refused("cfg-attr", "#[cfg_attr(all(), path = \"/solution/pool.rs\")]\nmod s;\n", "the attribute `cfg_attr`");
}

#[test]
fn no_submission_ends_the_grader() {
    let (open, close) = ("(".repeat(500_000), ")".repeat(500_000));
    refused("brackets", &format!("const N: u32 = {open}1{close};\n"), "brackets in each other");

    let folders = place("folders");
    write(&folders.join(POOL), "unsafe fn f() {}\n");
    // The path gets longer than a system takes, so they are made one from within the other.
    let rights = Mode::RWXU;
    let mut around: OwnedFd = File::open(folders.join("kernel/src/vm")).expect("it was made").into();
    for _ in 0..3000 {
        let _ = mkdirat(&around, "d", rights);
        around = openat(&around, "d", OFlags::DIRECTORY, rights).expect("it was made");
    }
    let results = grade(&folders, false);
    assert_eq!(results["score"], 0);
}

#[test]
fn nothing_of_a_submission_acts_on_the_terminal() {
    let escapes = place("escapes");
    write(&escapes.join("kernel/src/vm/\u{1B}[2J\u{7}.rs"), "// theirs\n");
    write(&escapes.join(POOL), &"unsafe fn f() {}\n".repeat(50_000));
    let (results, said) = grade_with(&[], &escapes, false);
    assert!(!said.contains(['\u{1B}', '\u{7}']) && said.contains("\\u{1b}[2J"), "{said}");
    assert!(said.len() < 100_000, "{} bytes", said.len());
    assert!(results["output"].as_str().is_some_and(|words| words.contains("\\u{1b}[2J")), "{results:#}");
}

#[test]
fn the_total_of_what_is_not_run_has_the_hidden_tests_in_it() {
    let (overlay, points) = overlay();
    let cheat = submission_of("cheat-hidden", "unsafe fn f() {}\n");
    let total = |results: Value| results["extra_data"]["possible"].as_f64().expect("points");
    let (results, said) = grade_with(&["--overlay", in_words(&overlay)], &cheat, false);
    assert!(!said.contains(in_words(&overlay)) && !format!("{results}").contains("secret"), "{said}\n{results:#}");
    assert_eq!(total(results), total(grade(&cheat, false)) + points);
}

#[test]
fn what_does_not_compile_gets_the_compilers_words_and_its_build_script_is_not_run() {
    let broken = submission_of("broken", "pub fn broken() -> u32 { \"text\" }\n");
    write(&broken.join("kernel/build.rs"), "fn main() { panic!(\"the build script was run\") }");
    write(&broken.join(".cargo/config.toml"), "build.rustc-wrapper = \"false\"");
    let results = grade(&broken, false);
    assert_eq!(results["score"], 0);
    let words = results["tests"][0]["output"].as_str().unwrap_or_default();
    assert!(words.contains("mismatched types") && !words.contains("build script"), "{results:#}");
    let taken = results["output"].as_str().unwrap_or_default();
    assert!(taken.contains("ignored: .cargo/config.toml, kernel/build.rs"), "{taken}");
}

/// The compiler writes types that are too long for a line into a file, and says where.
#[test]
fn the_compilers_words_say_nothing_of_where_it_was_built() {
    let tower = "pub struct P<T>(T, T);\npub trait Deep {\n    fn deep(&self) -> u32;\n}\n\
        impl<T> Deep for P<T>\nwhere\n    P<P<T>>: Deep,\n{\n    fn deep(&self) -> u32 {\n        1\n    }\n}\n\
        pub fn tower() -> u32 {\n    P(1_u8, 1_u8).deep()\n}\n";
    let results = format!("{}", grade(&submission_of("tower", tower), false));
    assert!(results.contains("long-type") && !results.contains(in_words(&place("workplace-"))), "{results}");
}

#[test]
fn it_is_built_behind_whichever_wall_is_asked_for() {
    for (wall, protection) in
        [("landlock", "hidden by Landlock"), ("bubblewrap", "hidden by bubblewrap"), ("other-user", "by another user")]
    {
        let broken = submission_of(&format!("behind-{wall}"), "pub fn broken() -> u32 { \"text\" }\n");
        let (status, said) = graded(&[], &place("results").join(wall), &["--wall", wall], &broken);
        if said.contains("this system can't build so") {
            assert_eq!(status, Some(2), "{said}");
            continue;
        }
        assert!(status == Some(1) && said.contains(protection) && said.contains("mismatched types"), "{said}");
    }
}

/// Demands that with `env` the submission of the project's own file is not graded, has no results, and that these `words`
/// are told.
fn not_graded(name: &str, env: &[(&str, &str)], more: &[&str], words: &str) {
    let submission = submission_of(name, "");
    let results = place("results").join(name);
    write(&results.join("results.json"), "those of the one before\n");
    let (status, said) = graded(env, &results, more, &submission);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains(words), "{said}");
    assert!(!results.join("results.json").exists(), "{said}");
}

/// Makes the program `name` out of a shell script. Returns the search path on which it comes first.
fn instead_of(name: &str, script: &str) -> String {
    let directory = place("programs").join(name);
    write(&directory.join(name), &format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(directory.join(name), Permissions::from_mode(0o755)).expect("the file is ours");
    format!("{}:{}", directory.display(), std::env::var("PATH").expect("there is one"))
}

#[test]
fn what_is_not_the_students_is_no_zero() {
    // No linker that works, and a compiler that the system ends. Neither is a finding about the submission.
    let path = instead_of("ld", "echo ld: no space left on device >&2; exit 1");
    not_graded("no-linker", &[("PATH", &path)], &[], "not for an error in the source");
    instead_of("rustc", "kill -9 $$");
    let rustc = place("programs").join("rustc/rustc");
    not_graded("no-memory", &[("RUSTC", in_words(&rustc))], &[], "not for an error in the source");
    // Errors in the source, but of what was handed out too.
    not_graded("handout-broken", &[("RUSTFLAGS", "-Dunused_results")], &[], "what is handed out does not build either");
    not_graded("no-hidden-tests", &[], &["--overlay", "/no/such/directory"], "the hidden tests cannot be read");
}

#[test]
fn a_signature_that_was_changed_is_the_students_fault_wherever_it_shows() {
    let submission = submission_of("signature", "");
    let text = fs::read_to_string(submission.join(POOL)).expect("it was written");
    let changed = text.replace("pub fn is_legitimate(&self,", "pub fn is_legitimate(&self, _more: u32,");
    assert_ne!(text, changed);
    write(&submission.join(POOL), &changed);
    let results = grade(&submission, false);
    let words = results["tests"][0]["output"].as_str().unwrap_or_default();
    assert!(words.contains("this method takes"), "{results:#}");
}

#[test]
fn a_kernel_for_which_there_is_no_room_is_the_students_fault() {
    let large = solution("large");
    let text = fs::read_to_string(large.join(POOL)).expect("it was written");
    let asks = "        self.record(view)";
    let uses =
        format!("        static LARGE: [u32; 1 << 19] = [7; 1 << 19];\n        core::hint::black_box(&LARGE);\n{asks}");
    let changed = text.replacen(asks, &uses, 1);
    assert_ne!(text, changed);
    write(&large.join(POOL), &changed);
    let results = grade(&large, false);
    let words = results["tests"][0]["output"].as_str().unwrap_or_default();
    assert!(words.contains("the kernel is too large"), "{results:#}");
}

#[test]
fn hidden_tests_are_compiled_in_and_told_to_nobody() {
    let (overlay, points) = overlay();
    let (results, said) = grade_with(&["--overlay", in_words(&overlay)], &solution("with-hidden"), true);
    assert_eq!(results["score"], results["extra_data"]["possible"]);
    let tests = results["tests"].as_array().expect("tests");
    let hidden = tests.iter().find(|test| test["extra_data"]["id"] == "hidden/hidden-secret").expect("it was run");
    assert_eq!((hidden["visibility"].as_str(), hidden["score"].as_f64()), (Some("hidden"), Some(points)));
    let made_by = &results["extra_data"]["made_by"];
    assert_eq!(made_by["hidden_tests"].as_str().map(str::len), Some(64), "{made_by:#}");
    for name in ["commit", "protection", "qemu", "rustc"] {
        assert!(made_by[name].is_string(), "{name}: {made_by:#}");
    }
    let place = in_words(&overlay);
    assert!(!said.contains(place) && !format!("{results}").contains(place), "{said}\n{results:#}");
}

#[test]
fn an_empty_submission_says_what_to_hand_in() {
    let empty = place("empty");
    fs::create_dir_all(&empty).expect("the directory is ours");
    let results = grade(&empty, false);
    let words = results["tests"][0]["output"].as_str().unwrap_or_default();
    assert!(words.contains(POOL), "{results:#}");
}

#[test]
fn a_zip_is_graded_as_what_is_in_it_and_one_that_is_hostile_is_not_run() {
    let zip = place("zip").join("submission.zip");
    fs::create_dir_all(place("zip")).expect("the directory is ours");
    let pack = |name: &str, text: &str| {
        let mut writer = ZipWriter::new(File::create(&zip).expect("the directory is ours"));
        writer.start_file(name, SimpleFileOptions::default()).expect("the zip takes it");
        writer.write_all(text.as_bytes()).expect("the zip takes it");
        writer.finish().expect("the zip takes it");
    };
    let told = || grade(&zip, false)["tests"][0]["output"].as_str().unwrap_or_default().to_owned();
    pack(&format!("lab/{POOL}"), "unsafe fn f() {}\n");
    assert!(told().starts_with(POOL) && told().contains("`unsafe`"), "{}", told());
    pack(&format!("../../{POOL}"), "");
    assert_eq!(told(), format!("../../{POOL}: its path leaves the zip"));
    write(&zip, "a text\n");
    assert!(told().starts_with("it is neither a directory nor a zip"), "{}", told());
}

#[test]
fn the_handout_earns_nothing_and_its_failures_name_functions() {
    let results = grade(&handout("handout"), false);
    assert_eq!(results["score"].as_f64(), Some(0.0));
    for test in results["tests"].as_array().expect("tests") {
        let verdict = test["extra_data"]["verdict"].as_str().unwrap_or_default();
        let words = test["output"].as_str().unwrap_or_default();
        assert!(matches!(verdict, "PASS" | "SKIPPED") || words.contains("to do: "), "{test:#}");
    }
}

#[test]
fn the_whole_tree_earns_everything() {
    let results = grade(&Path::new(ROOT).canonicalize().expect("it is there"), true);
    assert_eq!(results["score"], results["extra_data"]["possible"]);
    assert_eq!(results["extra_data"]["not_run"], 0);
}

#[test]
fn no_handout_has_a_warning() {
    let labs = Manifest::load(None).expect("it is well-formed").last_lab();
    for lab in std::iter::once(None).chain((1..=labs).map(Some)) {
        let handout = place("handout-checked");
        let number = lab.map(|lab| lab.to_string());
        let words: Vec<&str> = number.iter().flat_map(|number| ["--lab", number]).collect();
        let (status, said) = instructor(&[&["handout", in_words(&handout)], &words[..]].concat());
        assert_eq!(status, Some(0), "{said}");
        // The linker's warnings are errors, and so known from the handouts that are graded.
        let output = Command::new("scripts/cargo")
            .args(["--kernel", "check"])
            .current_dir(&handout)
            .env("CARGO_TARGET_DIR", place("handout-checked-target"))
            .env("CARGO_NET_OFFLINE", "true")
            .env_remove("OVERLAY")
            .output()
            .expect("cargo is there");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("warning"), "{lab:?}: {said}");
    }
}
