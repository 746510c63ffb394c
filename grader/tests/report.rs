//! What a person sees: reports as they stand on the screen, and sessions at the prompt.
//!
//! Each test boots build/droste.elf by itself. Screens are compared as a whole; what differs from build to build is masked.

use std::fs::{self, File};
use std::io::{Read, Write};
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

/// Pipes `commands` into the prompt. Returns what it answered, and whether the run was a success.
fn session(commands: &str) -> (String, bool) {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    fs::write(scratch.path().join("commands"), commands).expect("the directory is ours");
    let run = Command::new("scripts/run-qemu")
        .arg("build/droste.elf")
        .env("KERNEL", "1")
        .env("TMPDIR", scratch.path())
        .env_remove("ARGS")
        .env_remove("MEM")
        .current_dir(root())
        .stdin(File::open(scratch.path().join("commands")).expect("it was just written"))
        .output()
        .expect("bash is there");
    let said = String::from_utf8_lossy(&run.stdout).replace('\r', "");
    let (_, answers) = said.split_once("list of commands.\n").unwrap_or_else(|| panic!("no prompt:\n{said}"));
    (answers.into(), run.status.success())
}

#[track_caller]
fn says(said: &str, words: &[&str]) {
    let mut rest = said;
    for words in words {
        (_, rest) = rest.split_once(words).unwrap_or_else(|| panic!("no \"{words}\" from there on in:\n{said}"));
    }
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn the_prompt_shows_the_memory() {
    let (said, success) = session(
        "walk 0x4000_0000\npde 40000000\npte 4000_0000\npte 80000000\nalloc 0x4000_0000 16K\ntouch 0x4000_1000 3\n\
         regions 4000_0000\nwrite 4000_1004 0xCAFE\nread 4000_1004\nwhy 4000_1000 write\nwhy 4000_4000\nwhy 0x4000_5000\n\
         maps\nframes\nfree 4000_1000\nfree 4000_1000\nevents\nfaults\n",
    );
    assert!(success, "{said}");
    says(
        &said,
        &[
            "0100000000 0000000000 000000000000 = entry 256, entry 0, byte 0\nCR3 p0x",
            "in a metadata page of pool 0x4000_0000\n",
            "PDE of 0x4000_0000 at 0xFFFF_F400: p0x",
            "PTE of 0x4000_0000 at 0xFFD0_0000: p0x",
            "PTE of 0x8000_0000 at 0xFFE0_0000: not to be seen",
            "16K\n0x4000_1000\n",
            "3 faults, 3 frames\n",
            "0x4000_1000..0x4000_5000      4 pages, 3 backed\n",
            "read 4000_1004\n0x0000cafe\n",
            "yes: it is backed, p0x",
            "yes: the first touch gives it a frame of zeros\n",
            "no: off by one: ",
            "0x4000_0000..0x4000_4000       4 pages  read, write\n",
            "  0x00400  DTDMTMTPPP\na letter is 1 frame; none in use from 0x40a on\n",
            "P page: 3\n",
            "released; 3 of its pages were backed\n",
            "no region at 0x4000_1000\n",
            "release 0x4000_1000, 4 pages\n",
            "backed 0x4000_3000 by frame ",
        ],
    );
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn the_prompt_has_address_spaces_and_a_stale_entry_to_show() {
    let (said, success) = session(
        "spaces\nspace new\nspace load 2\nalloc 4000_0000 4K\nspace load 1\nwhy 4000_1000\nspace destroy 2\nspace destroy 1\n\
         tlb\nrun standard-pools\nrun\nspaces\n",
    );
    assert!(success, "{said}");
    says(
        &said,
        &[
            "*  1  directory p0x",
            "space 2, with pools of 256 MiB at 0x2000_0000 and 0x4000_0000\n",
            "load 2\ndroste> alloc 4000_0000 4K\n0x4000_1000\n",
            "no: never allocated: ",
            "destroy 2\n5 frames came back\n",
            "space 1 is the current one",
            "read without a flush: 0xcafe, stale",
            "read after invlpg:    0xd00d\n",
            "run standard-pools\npassed, with the time-stamp counter at ",
            "PASS: every figure is as expected\n",
            "*  1  directory p0x",
        ],
    );
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn an_illegal_touch_is_reported_and_the_prompt_goes_on() {
    let (said, success) = session("alloc 0x4000_0000 8K\ntouch 0x4000_3010\nwrite 0x10_0000 1\nspaces\n");
    assert!(success, "{said}");
    says(
        &said,
        &[
            "illegal-access: kernel write to an absent page",
            "16 bytes past the end of region 0x4000_1000..0x4000_3000",
            "names file and line\ndroste> write",
            "protection: kernel write to a read-only page",
            "names file and line\ndroste> spaces\n",
        ],
    );
}

/// The words at +4 and +8 of the only region's node are its neighbours in the tree.
#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn damaged_records_are_told_and_not_followed() {
    let damaged = "the records of the pools are damaged";
    let commands =
        "pools\nregions\nwhy 4000_1000\nwalk 4000_1000\ntouch 4000_1000\nalloc 4000_0000 4K\nfree 4000_1000\n";
    for (place, neighbour) in [("4000_0064", "0x4000_0060"), ("4000_0068", "0x4000_0060"), ("4000_0068", "0x1234_5678")]
    {
        let (said, success) = session(&format!(
            "alloc 4000_0000 4K\nwrite {place} {neighbour}\n{commands}space new\nspace load 2\nalloc 4000_0000 4K\n"
        ));
        assert!(success, "{said}");
        let told: Vec<String> = commands.lines().map(|command| format!("droste> {command}\n")).collect();
        let told: Vec<&str> = told.iter().flat_map(|command| [command.as_str(), damaged]).collect();
        says(&said, &told);
        says(&said, &["space load 2\n", "0x4000_1000\n"]);
    }
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn deaths_at_the_prompt_do_not_pile_up() {
    const DEATHS: usize = 12;
    let (said, success) = session(&"run dies-null-pointer\nrun dies-stack-overflow\n".repeat(DEATHS));
    assert!(!success, "{said}");
    for death in ["illegal-access: ", "stack-overflow: "] {
        let reports = said.lines().filter(|line| line.starts_with(death)).count();
        assert_eq!(reports, DEATHS, "{death}in {said}");
    }
}

/// As on the terminal of `make run`, which `script` provides.
#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn control_c_on_a_terminal_is_a_key_of_the_prompt() {
    let command = "KERNEL=1 scripts/run-qemu build/droste.elf";
    let mut run = Command::new("timeout");
    run.args(["60", "script", "--quiet", "--return", "--command", command, "/dev/null"]).current_dir(root());
    let mut run = run.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script starts");
    let (mut keys, mut said) = (run.stdin.take().expect("piped"), run.stdout.take().expect("piped"));
    let mut wait_for = |end: &str| {
        let mut seen = Vec::new();
        while !seen.ends_with(end.as_bytes()) {
            let mut byte = [0];
            said.read_exact(&mut byte).unwrap_or_else(|_| panic!("no {end} in {}", String::from_utf8_lossy(&seen)));
            seen.push(byte[0]);
        }
    };
    wait_for("droste> ");
    keys.write_all(b"half a line\x03").expect("a key is typed");
    wait_for("Ctrl-C once more ends the machine");
    wait_for("droste> ");
    keys.write_all(b"\x03").expect("a key is typed");
    wait_for("the machine ends");
    assert!(run.wait().expect("it ends").success());
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn a_death_at_the_prompt_ends_at_a_prompt_and_with_a_failing_status() {
    let (said, success) =
        session("run dies-stack-overflow\nspaces\nrun dies-fault-under-lock\nwalk 0\nrun standard-pools\n");
    assert!(!success, "{said}");
    says(
        &said,
        &[
            "stack-overflow: kernel stack overflow",
            "names file and line\ndead> spaces\n*  0  directory",
            "why    lock held:",
            "dead> walk 0\n",
            "run standard-pools\npassed, with the time-stamp counter at ",
        ],
    );
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn control_keys_do_what_they_do_in_a_shell() {
    let long = "x".repeat(100);
    let (said, success) = session(&format!("{long}\nhalf\x03spaces\x0C\n\x03\x03walk 0\n"));
    assert!(success, "{said}");
    says(
        &said,
        &[
            "\nnothing done: a line has at most 68 characters\n",
            "half^C\nCtrl-C once more ends the machine\n",
            "\x1B[H\x1B[2Jdroste> spaces\n   0  directory",
            "droste> ^C\nCtrl-C once more ends the machine\ndroste> ^C\nthe machine ends\n",
        ],
    );
    assert!(!said.contains("walk"), "{said}");
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn lists_stop_at_a_screen() {
    let (said, success) = session(
        "space new\nspace new\nspace new\ntouch 0x2100_0000\nalloc 4000_0000 256K\n\
                                   touch 4000_1000 64\nevents\nevents 2\n",
    );
    assert!(success, "{said}");
    says(
        &said,
        &["events\n  1 back", " 20 back", "\nand 44 more events\n", "events 2\n  1 back", "  2 back", "\nand 62 more"],
    );
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn a_touch_at_the_end_of_addresses_stays_there() {
    let (said, success) = session("touch 0xFFFF_FFFF\n");
    assert!(success, "{said}");
    says(&said, &["touch 0xFFFF_FFFF\n0 faults, 0 frames\n"]);
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn bad_input_gets_a_line_of_help() {
    let (said, success) = session("walk\nwalk 0xZZ\nalloc 4000_0000 4G\nspace fly 3\nfly\nread 3\nlog loud\n");
    assert!(success, "{said}");
    says(
        &said,
        &[
            "walk\nusage: walk ADDR: ",
            "0xZZ\nusage: walk ADDR: ",
            "4G\nusage: alloc POOL BYTES: ",
            "3\nusage: space new | load N | destroy N: ",
            "fly\nfly: no such command; help lists them\n",
            "read 3\nusage: read ADDR: ",
            "log loud\nlog=loud: expected LEVEL",
        ],
    );
}
