//! The confinement of builds: what a program that is started so can reach, and what not.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// What hides all that is not named, and the network.
const WALLS: [&str; 2] = ["landlock", "bubblewrap"];

/// Runs `program` behind a wall, where only `read` can be read beside the tools, and only `write` be written.
fn confined(wall: &str, read: &Path, write: &Path, program: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_instructor"))
        .args(["confined", "--wall", wall, "--read", "/usr", "--read", "/bin", "--read", "/lib", "--read", "/lib64"])
        .args(["--read", "/etc/ld.so.cache", "--read"])
        .arg(read)
        .arg("--write")
        .arg(write)
        .arg("--")
        .args(program)
        .env("SECRET", "secret")
        .env("CARGO_REGISTRY_TOKEN", "secret")
        .output()
        .expect("cargo has built it")
}

/// Says whether this system has the wall. A test of one that is missing shows nothing; one that is here and fails is no
/// missing one.
fn is_here(wall: &str) -> bool {
    let output = confined(wall, Path::new("/usr"), Path::new("/nothing"), &["true"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let is_missing = match wall {
        "landlock" => said.contains("this system has no Landlock"),
        "bubblewrap" => said.contains("bwrap: "),
        "other-user" => said.contains("Operation not permitted") || said.contains("Invalid argument"),
        _ => false,
    };
    assert!(output.status.success() || is_missing, "{wall}: {said}");
    if is_missing {
        eprintln!("not tested: {said}");
    }
    !is_missing
}

/// Runs `script` with three directories, `read`, `write` and `other`, the last for its owner alone. Returns what it printed,
/// and whether it could.
fn try_out(wall: &str, script: &str) -> (String, bool) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let [read, write, other] = ["read", "write", "other"].map(|name| directory.path().join(name));
    for place in [&read, &write, &other] {
        fs::create_dir(place).expect("made");
        fs::write(place.join("file"), place.file_name().expect("a name").as_encoded_bytes()).expect("written");
    }
    for (place, rights) in [(directory.path(), 0o755), (&other, 0o700)] {
        fs::set_permissions(place, Permissions::from_mode(rights)).expect("the directory is ours");
    }
    let script = format!("cd {} && {script}", read.display());
    let output = confined(wall, &read, &write, &["bash", "-c", &script]);
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success())
}

#[test]
fn it_reads_what_it_is_given_and_nothing_else() {
    for wall in WALLS.into_iter().filter(|wall| is_here(wall)) {
        assert_eq!(try_out(wall, "cat file ../write/file"), ("readwrite".into(), true), "{wall}");
        for secret in ["../other/file", "/etc/passwd", env!("CARGO_MANIFEST_DIR")] {
            let script = format!("if [ -d {secret} ]; then ls {secret}; else head -c 4 {secret} | grep .; fi");
            assert_eq!(try_out(wall, &script), (String::new(), false), "{wall}: {secret}");
        }
    }
}

#[test]
fn it_writes_where_it_is_told_and_nowhere_else() {
    for wall in WALLS.into_iter().filter(|wall| is_here(wall)) {
        let script = "echo new >../write/new && cat ../write/new && rm ../write/file";
        assert_eq!(try_out(wall, script), ("new\n".into(), true), "{wall}");
        for script in ["echo new >new", "echo new >../other/new", "rm ../other/file", "ln file ../write/link"] {
            assert_eq!(try_out(wall, script), (String::new(), false), "{wall}: {script}");
        }
    }
}

#[test]
fn it_has_no_network() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    for wall in WALLS.into_iter().filter(|wall| is_here(wall)) {
        assert!(!try_out(wall, &format!("exec 3<>/dev/tcp/127.0.0.1/{port}")).1, "{wall}");
    }
}

#[test]
fn it_is_told_no_secret_of_whoever_grades() {
    for wall in WALLS.into_iter().chain(["other-user", "nothing"]).filter(|wall| is_here(wall)) {
        assert_eq!(try_out(wall, "env | grep -c secret"), ("0\n".into(), false), "{wall}");
    }
    // The first process of a view of its own is another one than that of whoever grades.
    for wall in WALLS.into_iter().filter(|wall| is_here(wall)) {
        assert_eq!(try_out(wall, "grep -q secret /proc/1/environ"), (String::new(), false), "{wall}");
    }
}

#[test]
fn another_user_has_what_was_given_to_it_and_what_everybody_may_read() {
    let wall = "other-user";
    if !is_here(wall) {
        return;
    }
    let script = "cat file ../write/file && echo new >../write/new && rm ../write/file";
    assert_eq!(try_out(wall, script), ("readwrite".into(), true));
    for script in ["cat ../other/file", "cat /proc/1/environ", "echo new >new", "echo new >../other/new"] {
        assert_eq!(try_out(wall, script), (String::new(), false), "{script}");
    }
}

#[test]
fn it_has_limits_of_memory_and_of_files() {
    for wall in WALLS.into_iter().chain(["other-user", "nothing"]).filter(|wall| is_here(wall)) {
        let (said, _) = try_out(wall, "ulimit -v; ulimit -f; ulimit -c");
        assert_eq!(said, "4194304\n1048576\n0\n", "{wall}");
    }
}
