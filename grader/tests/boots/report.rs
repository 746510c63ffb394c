//! What a person sees: reports as they stand on the screen, and the prompt by the keyboard.
//!
//! Each test boots build/droste.elf by itself. Screens are compared as a whole; what differs from build to build is masked.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// When a machine has failed to say what is waited for.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

const COLUMNS: usize = 80;
const ROWS: usize = 25;
/// Where the cells of the text screen are: a character and its colours each.
const CELLS: usize = 0xB_8000;
const WHITE_ON_RED: u8 = 0x4F;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A machine whose monitor the test holds. It ends with the test.
struct Machine {
    qemu: Child,
    scratch: TempDir,
}

impl Machine {
    /// Boots the kernel with `words` on its command line.
    fn boot(words: &str) -> Self {
        let kernel = root().join("build/droste.elf");
        assert!(kernel.exists(), "build/droste.elf is missing: run `make build`");
        let scratch = tempfile::tempdir().expect("a temporary directory");
        let qemu = Command::new("qemu-system-i386")
            .args(["-machine", "pc,acpi=off", "-accel", "tcg", "-m", "32", "-nodefaults", "-vga", "std"])
            .args(["-display", "none", "-monitor", "stdio", "-no-reboot", "-no-shutdown", "-append", words])
            .arg("-serial")
            .arg(format!("file:{}", scratch.path().join("console").display()))
            .arg("-kernel")
            .arg(kernel)
            .stdin(Stdio::piped())
            .stdout(File::create(scratch.path().join("monitor")).expect("the directory is ours"))
            .spawn()
            .expect("qemu-system-i386 is there");
        Self { qemu, scratch }
    }

    /// Gives the monitor a command.
    fn command(&mut self, command: &str) {
        let monitor = self.qemu.stdin.as_mut().expect("it is piped");
        writeln!(monitor, "{command}").expect("QEMU runs");
    }

    /// Types `line` at the keyboard, and the enter key.
    fn press(&mut self, line: &str) {
        for character in line.chars() {
            let name = if character == ' ' { "spc".into() } else { character.to_string() };
            self.command(&format!("sendkey {name}"));
        }
        self.command("sendkey ret");
    }

    /// Waits until the serial line has said `words`, and returns all that it said.
    #[track_caller]
    fn wait_for(&self, words: &str) -> String {
        self.wait_until(words, || {
            let said = fs::read(self.scratch.path().join("console")).unwrap_or_default();
            let said = String::from_utf8_lossy(&said).replace('\r', "");
            said.contains(words).then_some(said)
        })
    }

    #[track_caller]
    fn wait_until<T>(&self, what: &str, done: impl Fn() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(done) = done() {
                return done;
            }
            assert!(started.elapsed() < LIMIT, "{what}: not seen after {LIMIT:?}");
            sleep(POLL);
        }
    }

    /// Reads the text screen: characters and colours.
    fn screen(&mut self) -> Vec<[u8; 2]> {
        let file = self.scratch.path().join("screen");
        self.command(&format!("pmemsave {CELLS:#x} {} \"{}\"", 2 * COLUMNS * ROWS, file.display()));
        self.wait_until("the text screen", || {
            let cells = fs::read(&file).ok()?;
            (cells.len() == 2 * COLUMNS * ROWS).then(|| cells.as_chunks().0.to_vec())
        })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// Returns the report with which the machine dies, as the serial line shows it.
fn report(machine: &Machine) -> String {
    let said = machine.wait_for("names file and line\n");
    let (_, report) = said.rsplit_once("\n\n").expect("an empty line comes before a report");
    report.trim_end().into()
}

/// Masks what differs from build to build: registers, the callers, the address of the source line; and which frames the
/// process pool gave.
fn masked(report: &str) -> String {
    let mut masked = String::new();
    let mut label = "";
    for line in report.lines() {
        let own = line.get(..7).unwrap_or_default().trim_end();
        label = if own.is_empty() { label } else { own };
        match label {
            "trace" if own.is_empty() => continue,
            "trace" => masked += "trace  ...",
            _ => {
                let mut before = "";
                for word in line.split(' ') {
                    let is_register = label == "regs" && word.len() == 8;
                    let is_frame = word.starts_with("p0x") || before == "frame" || before == "space";
                    let is_count = word.parse::<u32>().is_ok() && label == "pools";
                    let is_line = word.starts_with("ADDR=");
                    masked += if is_register || is_frame || is_count || is_line { "#" } else { word };
                    masked.push(' ');
                    before = word;
                }
            }
        }
        masked.truncate(masked.trim_end().len());
        masked.push('\n');
    }
    masked
}

/// Compares the whole report of the in-machine test `name` with the one that is kept.
#[track_caller]
fn report_is_as_kept(name: &str) {
    let report = report(&Machine::boot(&format!("test={name}")));
    assert!(report.lines().count() < ROWS, "it does not fit on the screen with a prompt:\n{report}");
    assert!(report.lines().all(|line| line.len() <= COLUMNS), "it is wider than the screen:\n{report}");
    let file = root().join(format!("grader/tests/screens/{name}.txt"));
    let kept = fs::read_to_string(&file).unwrap_or_default();
    let seen = masked(&report);
    assert!(seen == kept, "{} has:\n{kept}\nbut seen was:\n{seen}", file.display());
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn a_miss_of_a_region_is_explained_on_one_screen() {
    report_is_as_kept("dies-past-a-region");
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn a_use_after_release_is_explained_on_one_screen() {
    report_is_as_kept("dies-after-release");
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn a_write_to_code_is_explained_on_one_screen() {
    report_is_as_kept("dies-write-to-code");
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn the_screen_shows_what_the_serial_line_does() {
    let mut machine = Machine::boot("test=dies-past-a-region");
    let report = report(&machine);
    let screen = machine.screen();
    let rows = screen.chunks(COLUMNS).map(|row| row.iter().map(|[character, _]| char::from(*character)).collect());
    let rows: Vec<String> = rows.map(|row: String| row.trim_end().into()).collect();
    assert_eq!(rows.join("\n").trim_end(), report);
    assert_eq!(screen[0], [b'i', WHITE_ON_RED]);
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn a_terminal_that_wants_colours_gets_them() {
    let machine = Machine::boot("test=dies-past-a-region color=yes");
    let said = machine.wait_for("names file and line");
    assert!(said.contains("\x1B[1;37;41millegal-access: kernel read"), "{said}");
    assert!(said.contains("\x1B[36mwhere  \x1B[1m16 bytes past"), "{said}");
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn the_keyboard_reaches_the_prompt() {
    let mut machine = Machine::boot("");
    machine.wait_for("droste> ");
    machine.press("pools");
    machine.wait_for("0x4000_0000..0x5000_0000 0 regions");
    // A part of a word, and the tab key.
    for key in ["s", "p", "a", "tab", "tab"] {
        machine.command(&format!("sendkey {key}"));
    }
    machine.wait_for("\nspaces space \ndroste> space");
    machine.press("s");
    machine.wait_for("*  1  directory");
}
