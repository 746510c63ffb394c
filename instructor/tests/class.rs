//! A class of twelve submissions of all kinds, killed in the middle and graded to the end by the same command;
//! `make check-grading` runs it.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};
use zip::write::{SimpleFileOptions, ZipWriter};

/// The root of the project.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Files of the students'.
const POOL: &str = "kernel/src/vm/pool.rs";
const SPACE: &str = "kernel/src/vm/space.rs";

/// A folder as Moodle exports it, with nothing but a zip in it.
const MOODLE: &str = "Jane Doe_4711_assignsubmission_file";

/// How long half a class may take.
const PATIENCE: Duration = Duration::from_secs(900);

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("class").join(name)
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it is below a directory")).expect("the directory is ours");
    fs::write(path, text).expect("the directory is ours");
}

/// Returns the students' files as the project has them.
fn solution() -> BTreeMap<String, String> {
    let list = fs::read_to_string(Path::new(ROOT).join("grader/handout.toml")).expect("it is there");
    let paths = list.lines().filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix('"'));
    let text = |path: &str| fs::read_to_string(Path::new(ROOT).join(path)).expect("the file is the project's");
    paths.map(|path| (path.to_owned(), text(path))).collect()
}

/// Returns the solution with `statement` at the start of the function that begins so.
fn changed(file: &str, function: &str, statement: &str) -> BTreeMap<String, String> {
    let mut files = solution();
    let text = files.get_mut(file).expect("it is the students'");
    let start = text.find(function).unwrap_or_else(|| panic!("{file} has no {function}"));
    let body = start + text[start..].find("{\n").expect("it has a body") + "{\n".len();
    text.insert_str(body, statement);
    files
}

fn zip(path: &Path, fill: impl FnOnce(&mut ZipWriter<File>)) {
    let mut zip = ZipWriter::new(File::create(path).expect("the directory is ours"));
    fill(&mut zip);
    zip.finish().expect("the zip takes it");
}

fn add(zip: &mut ZipWriter<File>, name: &str, text: &[u8]) {
    zip.start_file(name, SimpleFileOptions::default()).expect("the zip takes it");
    zip.write_all(text).expect("the zip takes it");
}

/// Makes the class.
fn class() -> PathBuf {
    let class = place("twelve/submissions");
    let folder = |name: &str, files: BTreeMap<String, String>| {
        files.iter().for_each(|(path, text)| write(&class.join(name).join(path), text));
    };
    fs::create_dir_all(class.join("a-empty")).expect("the directory is ours");
    write(&class.join("b-text.txt"), "my homework\n");
    write(&class.join("c-broken").join(POOL), "pub fn broken() -> u32 { \"text\" }\n");
    fs::create_dir_all(class.join(MOODLE)).expect("the directory is ours");
    zip(&class.join(MOODLE).join("lab.zip"), |zip| add(zip, &format!("lab/{POOL}"), b"unsafe fn f() {}\n"));
    zip(&class.join("e-leaves.zip"), |zip| add(zip, &format!("../../{POOL}"), b"// outside\n"));
    zip(&class.join("f-link.zip"), |zip| {
        zip.add_symlink(POOL, "/etc/passwd", SimpleFileOptions::default()).expect("the zip takes it");
    });
    zip(&class.join("g-bomb.zip"), |zip| {
        add(zip, "bomb", b"");
        (0..100).for_each(|_| zip.write_all(&vec![0; 1 << 20]).expect("the zip takes it"));
    });
    write(&class.join("h-damaged.zip"), "PK\u{3}\u{4} and no more");
    folder("i-good", solution());
    zip(&class.join("doejane_LATE_12_34_lab.zip"), |zip| {
        solution().iter().for_each(|(path, text)| add(zip, &format!("lab/{path}"), text.as_bytes()));
    });
    folder("submission_7", changed(SPACE, "pub fn free_page(", "        loop { core::hint::spin_loop() }\n"));
    folder("=bad", changed(POOL, "pub fn is_legitimate(", "        return true;\n"));
    write(
        &class.join("submission_metadata.yml"),
        "submission_7:\n  :submitters:\n  - :name: Hang, Hana\n    :sid: '77'\n    :email: hana@example.org\n",
    );
    class
}

/// Starts grading the class at `class`, with results and all else at the place `name`, and `env` in the environment.
fn grade(class: &Path, name: &str, env: &[(&str, &str)]) -> Child {
    let (results, workplace, log) = (place(name).join("results"), place("workplace"), place(name).join("log"));
    let log = File::options().create(true).append(true).open(log).expect("the directory is ours");
    let words = ["grade-class", "--seconds", "400", "--results"].map(Into::into);
    let paths = [results, "--workplace".into(), workplace, class.to_owned()];
    Command::new(env!("CARGO_BIN_EXE_instructor"))
        .args(words.into_iter().chain(paths))
        .current_dir(ROOT)
        .env_remove("OVERLAY")
        .envs(env.iter().copied())
        .stdout(log.try_clone().map_or(Stdio::null(), Stdio::from))
        .stderr(log)
        .spawn()
        .expect("cargo has built it")
}

/// Returns the lines of the table at the place `name`, by submission: a cell for each column. None while there is no table.
fn table(name: &str) -> Option<BTreeMap<String, BTreeMap<String, String>>> {
    let mut table = csv::Reader::from_path(place(name).join("results/marks.csv")).ok()?;
    let lines = table.deserialize::<BTreeMap<String, String>>().map(|line| line.expect("a line of the table"));
    Some(lines.map(|line| (line["submission"].clone(), line)).collect())
}

fn having_marks() -> usize {
    table("twelve").map_or(0, |marks| marks.values().filter(|line| !line["earned"].is_empty()).count())
}

/// Returns when each submission that has a note got it.
fn notes() -> BTreeMap<PathBuf, SystemTime> {
    let students = fs::read_dir(place("twelve/results/students")).expect("there are results");
    let notes = students.map(|entry| entry.expect("an entry").path().join("outcome.json"));
    let when = |note: &PathBuf| fs::metadata(note).and_then(|metadata| metadata.modified()).ok();
    notes.filter_map(|note| Some((note.clone(), when(&note)?))).collect()
}

#[test]
fn a_class_that_is_killed_in_the_middle_is_graded_to_the_end() {
    let _ = fs::remove_dir_all(place("twelve"));
    let class = class();
    let log = || fs::read_to_string(place("twelve/log")).unwrap_or_default();

    // Once asked to end, and once not even asked.
    for (signal, wanted) in [("TERM", 1), ("KILL", 6)] {
        let (mut first, started) = (grade(&class, "twelve", &[]), Instant::now());
        while having_marks() < wanted {
            assert!(started.elapsed() < PATIENCE, "{}", log());
            assert_eq!(first.try_wait().expect("it is ours"), None, "{}", log());
            sleep(Duration::from_millis(20));
        }
        let kill = Command::new("kill").args([&format!("-{signal}"), &first.id().to_string()]).status();
        assert!(kill.expect("kill is there").success());
        let status = first.wait().expect("it is ours");
        assert_eq!(status.code(), (signal == "TERM").then_some(1), "{}", log());
        assert!(having_marks() < 12, "it was too late to kill it");
        assert_eq!(table("twelve").expect("a table").len(), 12);
    }
    let before = notes();
    assert!(before.len() >= 6, "{before:?}");
    let status = grade(&class, "twelve", &[]).wait().expect("it is ours");
    assert_eq!(status.code(), Some(0), "{}", log());
    let after = notes();
    assert!(before.iter().all(|(note, when)| after[note] == *when), "what had marks was graded again");

    let marks = table("twelve").expect("a table");
    assert_eq!((marks.len(), having_marks()), (12, 12));
    let cell = |name: &str, column: &str| marks[name][column].as_str();
    for (name, words) in [
        ("a-empty", "a file of the students' is there"),
        ("b-text.txt", "neither a directory nor a zip"),
        ("c-broken", "it does not hold that the submission compiles: error"),
        (MOODLE, "kernel/src/vm/pool.rs, line 1: `unsafe`"),
        ("e-leaves.zip", "its path leaves the zip"),
        ("f-link.zip", "kernel/src/vm/pool.rs: not a plain file"),
        ("g-bomb.zip", "bomb: with it the zip has more than 64 MiB"),
        ("h-damaged.zip", "neither a directory nor a zip"),
    ] {
        assert_eq!((cell(name, "state"), cell(name, "earned"), cell(name, "boot/noop")), ("refused", "0", "0"));
        assert!(cell(name, "what").contains(words), "{name}: {}", cell(name, "what"));
    }
    let earned = |name: &str| cell(name, "earned").parse::<f64>().expect("points");
    let possible: f64 = cell("i-good", "possible").parse().expect("points");
    let zipped = "doejane_LATE_12_34_lab.zip";
    for name in ["i-good", zipped] {
        assert_eq!((cell(name, "state"), earned(name)), ("graded", possible), "{}", cell(name, "what"));
    }
    assert_eq!((cell(zipped, "student"), cell(zipped, "id"), cell(zipped, "late")), ("doejane", "12", "late"));
    assert_eq!((cell("submission_7", "student"), cell("submission_7", "id")), ("Hang, Hana", "77"));
    assert_eq!((cell(MOODLE, "student"), cell(MOODLE, "id")), ("Jane Doe", "4711"));
    assert_eq!(cell("'=bad", "student"), "'=bad");
    for name in ["submission_7", "'=bad"] {
        assert_eq!(cell(name, "state"), "graded");
        assert!(0.0 < earned(name) && earned(name) < possible, "{name}: {}", earned(name));
    }
    // A column a lab and a column a test, both of which add up.
    let labs = marks["'=bad"].iter().filter(|(column, _)| column.starts_with("lab "));
    let sum: f64 = labs.map(|(_, points)| points.parse::<f64>().expect("points")).sum();
    assert!((sum - earned("'=bad")).abs() < 0.01, "{sum}");
    let tests = marks["'=bad"].iter().filter(|(column, _)| column.contains('/'));
    let sum: f64 = tests.map(|(_, points)| points.parse::<f64>().expect("points")).sum();
    assert!((sum - earned("'=bad")).abs() < 0.01, "{sum}");

    let page = fs::read_to_string(place("twelve/results/index.html")).expect("there is a page");
    assert!(page.contains("12 of 12 submissions have marks"), "{page}");
    let links: Vec<&str> = page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(links.len(), 12);
    for link in links {
        assert!(place("twelve/results").join(link.replace("%3D", "=").replace("%20", " ")).is_file(), "{link}");
    }
}

#[test]
fn what_ends_the_grader_ends_nothing_else_gets_no_zero_and_is_tried_again() {
    let _ = fs::remove_dir_all(place("two"));
    let class = place("two/submissions");
    for name in ["a", "b"] {
        write(&class.join(name).join(POOL), "unsafe fn f() {}\n");
    }
    // The program by which all others are started, as if the system had ended what it starts.
    let programs = place("two/programs");
    write(&programs.join("setpriv"), "#!/bin/sh\nkill -9 $$\n");
    fs::set_permissions(programs.join("setpriv"), Permissions::from_mode(0o755)).expect("the file is ours");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("there is one"));
    for (env, status, state, what, points) in [
        (&[("PATH", path.as_str())][..], 1, "not graded", "ended by signal 9", ""),
        (&[], 0, "refused", "line 1: `unsafe`", "0"),
    ] {
        assert_eq!(grade(&class, "two", env).wait().expect("it is ours").code(), Some(status));
        let table = table("two").expect("a table");
        assert_eq!(table.len(), 2);
        for line in table.values() {
            assert_eq!([&line["state"], &line["earned"], &line["boot/noop"]], [state, points, points]);
            assert!(line["what"].contains(what), "{}", line["what"]);
        }
    }
}
