//! Set-up by apt, with packages of a few bytes in a system of their own: what is installed, what stays, and what is
//! said where it cannot be done. apt and dpkg are the real ones; no network and none of this machine's packages is used.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// Programs without which there is nothing to test.
const NEEDED: [&str; 5] = ["apt-get", "apt-cache", "dpkg", "dpkg-deb", "script"];

fn is_here(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// A system with packages of its own, and one source of more.
struct System(TempDir);

impl System {
    /// Makes an empty one; `None`, and says so, where apt is not at home.
    fn new() -> Option<Self> {
        if let Some(missing) = NEEDED.into_iter().find(|program| !is_here(program)) {
            eprintln!("skipped: there is no {missing} here");
            return None;
        }
        let system = Self(TempDir::new().expect("a temporary directory"));
        let root = system.0.path().display();
        for directory in ["etc/apt", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "var/log/apt"] {
            fs::create_dir_all(system.path(directory)).expect("a directory");
        }
        for directory in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "source", "bin"] {
            fs::create_dir_all(system.path(directory)).expect("a directory");
        }
        system.write("var/lib/dpkg/status", "");
        system.write("source/Packages", "");
        system.write("etc/apt/sources.list", &format!("deb [trusted=yes] file:{root}/source ./\n"));
        system.write(
            "apt.conf",
            &format!(
                "Dir \"{root}\";\nDir::State \"{root}/var/lib/apt\";\nDir::State::status \"{root}/var/lib/dpkg/status\";\n\
                 Dir::Cache \"{root}/var/cache/apt\";\nDir::Etc \"{root}/etc/apt\";\nDir::Log \"{root}/var/log/apt\";\n\
                 Dir::Bin::dpkg \"/usr/bin/dpkg\";\nAPT::Sandbox::User \"\";\nAPT::Architecture \"amd64\";\n\
                 APT::Architectures {{ \"amd64\"; }};\nAcquire::Languages \"none\";\n\
                 DPkg::Options {{ \"--root={root}\"; \"--force-not-root\"; \"--force-bad-path\"; }};\n"
            ),
        );
        // Who is not root asks sudo, which here lets everybody do everything.
        system.write("bin/sudo", "#!/bin/sh\n[ \"$1\" != -n ] || shift\nexec \"$@\"\n");
        Command::new("chmod").arg("+x").arg(system.path("bin/sudo")).status().expect("it is there");
        Some(system)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    /// Makes a package, with more `fields` than those that each has.
    fn package(&self, name: &str, version: &str, fields: &str) -> (PathBuf, String) {
        let control = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <nobody@localhost>\n\
             Description: a package of a test\n{fields}"
        );
        let (tree, file) =
            (self.path(&format!("{name}_{version}")), self.path(&format!("source/{name}_{version}.deb")));
        fs::create_dir_all(tree.join("DEBIAN")).expect("a directory");
        fs::write(tree.join("DEBIAN/control"), &control).expect("written");
        succeed(Command::new("dpkg-deb").args(["--build", "-Znone"]).args([&tree, &file]));
        (file, control)
    }

    /// Puts a package into the source.
    fn publish(&self, name: &str, version: &str, fields: &str) {
        let (file, control) = self.package(name, version, fields);
        let size = fs::metadata(&file).expect("it is there").len();
        let sum = succeed(Command::new("sha256sum").arg(&file));
        let sum = sum.split(' ').next().expect("a word");
        let entry = format!("{control}Filename: ./{name}_{version}.deb\nSize: {size}\nSHA256: {sum}\n\n");
        let packages = fs::read_to_string(self.path("source/Packages")).expect("it is there");
        self.write("source/Packages", &(packages + &entry));
    }

    /// Installs a package that no source has, as one is that came from backports.
    fn has(&self, name: &str, version: &str, fields: &str) {
        let (file, _) = self.package(name, version, fields);
        succeed(
            self.command("dpkg")
                .arg(format!("--root={}", self.0.path().display()))
                .args(["--force-not-root", "--force-bad-path", "--install"])
                .arg(file),
        );
    }

    /// Makes a command that sees this system in place of the machine's.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("APT_CONFIG", self.path("apt.conf")).env("DPKG_ADMINDIR", self.path("var/lib/dpkg"));
        command.env("PATH", format!("{}:{path}", self.path("bin").display())).env_remove("CI").stdin(Stdio::null());
        command
    }

    /// Has the script install `packages`, with nobody to ask.
    fn install(&self, packages: &[&str]) -> Said {
        Said::new(self.command(&script().display().to_string()).args(packages).output().expect("it starts"))
    }

    /// Has the script install `packages` on a terminal, where somebody answers.
    fn install_asked(&self, packages: &[&str], answer: &str) -> Said {
        let line = format!("{} {}", script().display(), packages.join(" "));
        let mut terminal = self.command("script");
        terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        let mut terminal = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script is there");
        let mut keys = terminal.stdin.take().expect("a pipe");
        keys.write_all(answer.as_bytes()).expect("it reads");
        let said = Said::new(terminal.wait_with_output().expect("it is a child"));
        drop(keys);
        said
    }

    /// Returns all packages that are installed, as `NAME VERSION`.
    fn installed(&self) -> Vec<String> {
        let format = "${Package} ${Version} ${db:Status-Status}\n";
        let lines = succeed(self.command("dpkg-query").args(["--show", "-f", format]));
        lines.lines().filter_map(|line| line.strip_suffix(" installed")).map(String::from).collect()
    }
}

/// How a run of the script went.
#[derive(Debug)]
struct Said {
    succeeded: bool,
    words: String,
}

impl Said {
    fn new(output: Output) -> Self {
        let words = [output.stdout, output.stderr].concat();
        Self { succeeded: output.status.success(), words: String::from_utf8_lossy(&words).into_owned() }
    }

    /// Returns what the script itself says, beside apt.
    fn own(&self) -> Vec<&str> {
        self.words.lines().map(str::trim_end).filter(|line| line.starts_with("setup: ")).collect()
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/apt-install")
}

fn succeed(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A system like a Debian 12 with a package of backports: `tool` of this release needs `common`, which the newer `extra`
/// of the same source does not go with.
fn with_a_newer_package() -> Option<System> {
    let system = System::new()?;
    system.publish("tool", "7.2", "Source: emulator\nDepends: common (= 7.2)\n");
    system.publish("common", "7.2", "Source: emulator\n");
    system.publish("extra", "7.2", "Source: emulator\n");
    system.has("extra", "10.0~bpo12+1", "Source: emulator\nBreaks: common (<< 10)\n");
    system.has("bystander", "1", "");
    Some(system)
}

const BEFORE: [&str; 2] = ["bystander 1", "extra 10.0~bpo12+1"];
const SET_BACK: [&str; 4] = ["bystander 1", "common 7.2", "extra 7.2", "tool 7.2"];

#[test]
fn the_plain_way_removes_nothing_and_asks_nothing() {
    let Some(system) = System::new() else { return };
    system.publish("tool", "7.2", "Depends: common (= 7.2)\nRecommends: bells\n");
    system.publish("common", "7.2", "");
    system.publish("bells", "7.2", "");
    system.publish("bystander", "2", "");
    system.has("bystander", "1", "");
    let said = system.install(&["tool"]);
    assert!(said.succeeded && said.own().is_empty(), "{said:?}");
    assert_eq!(system.installed(), ["bystander 1", "common 7.2", "tool 7.2"]);
}

#[test]
fn a_newer_package_in_the_way_is_set_back_where_nobody_can_be_asked() {
    let Some(system) = with_a_newer_package() else { return };
    let said = system.install(&["tool"]);
    assert!(said.succeeded, "{said:?}");
    assert_eq!(said.own(), ["setup: extra 10.0~bpo12+1 is in the way of tool: it can be set back to 7.2"]);
    assert_eq!(system.installed(), SET_BACK);
}

#[test]
fn a_package_is_set_back_to_what_its_release_has_even_with_backports_among_the_sources() {
    let Some(system) = with_a_newer_package() else { return };
    system.publish("extra", "9.0~bpo12+1", "Breaks: common (<< 9)\n");
    system.write("etc/apt/preferences", "Package: extra\nPin: version 9*\nPin-Priority: 100\n");
    let said = system.install(&["tool"]);
    assert!(said.succeeded, "{said:?}");
    assert_eq!(system.installed(), SET_BACK);
}

#[test]
fn a_package_that_another_one_set_back_brings_out_is_set_back_too() {
    let Some(system) = with_a_newer_package() else { return };
    system.publish("more", "7.2", "");
    system.has("more", "10", "Breaks: extra (<< 10~)\n");
    let said = system.install(&["tool"]);
    assert!(said.succeeded && said.own().len() == 2, "{said:?}");
    assert_eq!(system.installed(), ["bystander 1", "common 7.2", "extra 7.2", "more 7.2", "tool 7.2"]);
}

#[test]
fn a_package_whose_exact_version_is_needed_is_set_back() {
    let Some(system) = System::new() else { return };
    system.publish("tool", "7.2", "Depends: common (= 7.2)\n");
    system.publish("common", "7.2", "");
    system.has("common", "10", "");
    let said = system.install(&["tool"]);
    assert!(said.succeeded && said.own().len() == 1, "{said:?}");
    assert_eq!(system.installed(), ["common 7.2", "tool 7.2"]);
}

#[test]
fn where_nothing_fits_it_says_what_is_in_the_way_and_the_command() {
    let Some(system) = with_a_newer_package() else { return };
    system.has("rival", "1", "Conflicts: tool\n");
    let said = system.install(&["tool"]);
    assert!(!said.succeeded, "{said:?}");
    let expected = "setup: rival 1 is in the way of tool, and no older version that the sources have fits; the command that \
                    removes what has to go is: apt-get install --no-install-recommends --allow-downgrades tool extra=7.2";
    assert_eq!(said.own(), [expected]);
    assert_eq!(system.installed(), ["bystander 1", "extra 10.0~bpo12+1", "rival 1"]);
}

#[test]
fn a_package_on_hold_stays_and_is_named() {
    let Some(system) = with_a_newer_package() else { return };
    succeed(system.command("apt-mark").args(["hold", "extra"]));
    let said = system.install(&["tool"]);
    assert!(!said.succeeded, "{said:?}");
    let [own] = said.own()[..] else { panic!("{said:?}") };
    assert!(own.contains("extra 10.0~bpo12+1 ") && own.contains("apt-mark unhold extra"), "{own}");
    assert_eq!(system.installed(), BEFORE);
}

#[test]
fn a_package_that_no_source_has_is_an_error_in_apts_words() {
    let Some(system) = with_a_newer_package() else { return };
    let said = system.install(&["unheard-of"]);
    assert!(!said.succeeded && said.words.contains("Unable to locate package unheard-of"), "{said:?}");
    assert_eq!(said.own(), ["setup: apt-get install unheard-of failed: see its words above"]);
    assert_eq!(system.installed(), BEFORE);
}

#[test]
fn on_a_terminal_it_asks_and_no_changes_nothing() {
    let Some(system) = with_a_newer_package() else { return };
    let said = system.install_asked(&["tool"], "n\n");
    assert!(!said.succeeded && said.words.contains("set them back? [y/N]"), "{said:?}");
    let command = "apt-get install --allow-downgrades tool extra=7.2";
    assert!(said.words.contains(&format!("nothing was changed; the command is: {command}")), "{said:?}");
    assert_eq!(system.installed(), BEFORE);
}

#[test]
fn on_a_terminal_it_asks_and_yes_sets_back() {
    let Some(system) = with_a_newer_package() else { return };
    let said = system.install_asked(&["tool"], "y\n");
    assert!(said.succeeded && said.words.contains("set them back? [y/N]"), "{said:?}");
    assert_eq!(system.installed(), SET_BACK);
}
