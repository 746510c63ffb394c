//! The confinement of builds: what a program that is started so can reach, and what not.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a shell with the `script` where only `read` can be read beside the tools, and only `write` be written. `None` where
/// the system has no Landlock.
fn confined(read: &Path, write: &Path, script: &str) -> Option<Output> {
    let output = Command::new(env!("CARGO_BIN_EXE_instructor"))
        .args(["confined", "--landlock", "--read", "/usr", "--read", "/bin", "--read", "/lib", "--read", "/lib64"])
        .args(["--read", "/etc/ld.so.cache", "--read"])
        .arg(read)
        .arg("--write")
        .arg(write)
        .args(["--", "bash", "-c", script])
        .output()
        .expect("cargo has built it");
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("this system has no Landlock") {
        eprintln!("not tested: {said}");
        return None;
    }
    Some(output)
}

/// Runs `script` with three directories, `read`, `write` and `other`, as `$1`. Returns what it printed, and whether it could.
fn try_out(script: &str) -> Option<(String, bool)> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let [read, write, other] = ["read", "write", "other"].map(|name| directory.path().join(name));
    for place in [&read, &write, &other] {
        fs::create_dir(place).expect("made");
        fs::write(place.join("file"), place.file_name().expect("a name").as_encoded_bytes()).expect("written");
    }
    let script = format!("cd {} && {script}", read.display());
    let output = confined(&read, &write, &script)?;
    Some((String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success()))
}

#[test]
fn it_reads_what_it_is_given_and_nothing_else() {
    let Some(seen) = try_out("cat file ../write/file") else { return };
    assert_eq!(seen, ("readwrite".into(), true));
    for secret in ["../other/file", "/etc/passwd", "/dev/zero", "/proc/1/environ", env!("CARGO_MANIFEST_DIR")] {
        let script = format!("if [ -d {secret} ]; then ls {secret}; else head -c 4 {secret}; fi");
        assert_eq!(try_out(&script), Some((String::new(), false)), "{secret}");
    }
}

#[test]
fn it_writes_where_it_is_told_and_nowhere_else() {
    let Some(seen) = try_out("echo new >../write/new && cat ../write/new && rm ../write/file") else { return };
    assert_eq!(seen, ("new\n".into(), true));
    for script in ["echo new >new", "echo new >../other/new", "rm ../other/file", "ln file ../write/link"] {
        assert_eq!(try_out(script), Some((String::new(), false)), "{script}");
    }
}

#[test]
fn it_has_no_network() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let Some((_, could)) = try_out(&format!("exec 3<>/dev/tcp/127.0.0.1/{port}")) else { return };
    assert!(!could);
}

#[test]
fn it_has_limits_of_memory_and_of_files() {
    let Some((said, _)) = try_out("ulimit -v; ulimit -f; ulimit -c") else { return };
    assert_eq!(said, "4194304\n1048576\n0\n");
}
