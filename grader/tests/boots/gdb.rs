//! Droste's own GDB commands, driven over real machines and checked against what must be there.
//!
//! Each session is one boot of one in-machine test, by scripts/debug. What the commands answer is compared with what the
//! test is known to do, and with what QEMU's monitor says, which walks the page tables by code of its own.

use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// When a session has failed. It takes a second or two.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// What GDB printed in a session: the answer to each command, and all that was refused.
struct Session {
    answers: BTreeMap<String, String>,
    refusals: String,
}

impl Session {
    /// Debugs `test` and gives GDB `commands`, once the machine has stopped where the test starts.
    fn new(test: &str, commands: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let kernel = "build/droste.elf";
        assert!(root.join(kernel).exists(), "{kernel} is missing: run `make build`");
        let scratch = tempfile::tempdir().expect("a temporary directory");
        let mut words = String::from("-batch");
        for command in commands {
            words += &format!(" -ex 'echo \\n<{command}>\\n' -ex '{command}'");
        }
        let mut script = Command::new("scripts/debug")
            .arg(kernel)
            .envs([("TEST", test), ("GDB_ARGS", &words)])
            .env("TMPDIR", scratch.path())
            .env("LOG", scratch.path().join("console"))
            .env_remove("ARGS")
            .env_remove("MEM")
            .current_dir(&root)
            .stdin(Stdio::null())
            .stdout(create(scratch.path(), "stdout"))
            .stderr(create(scratch.path(), "stderr"))
            .spawn()
            .expect("bash is there");
        let started = Instant::now();
        while script.try_wait().expect("it is a child").is_none() {
            if started.elapsed() > LIMIT {
                // Without its machine GDB ends, and so does the script.
                processes_told_of(scratch.path()).for_each(|(id, _)| _ = kill_process(id, Signal::KILL));
                script.wait().expect("it is a child");
                panic!("GDB had not ended after {LIMIT:?}: {}", read(scratch.path(), "stderr"));
            }
            sleep(POLL);
        }
        let refusals = read(scratch.path(), "stderr");
        assert_nothing_is_left(scratch.path());

        let said = read(scratch.path(), "stdout");
        let mut answers = BTreeMap::new();
        for command in commands {
            let heading = format!("\n<{command}>\n");
            let (_, answer) = said.split_once(&heading).unwrap_or_else(|| panic!("no {command}:\n{said}\n{refusals}"));
            let answer = answer.split("\n<").next().unwrap_or_default();
            answers.insert((*command).to_owned(), answer.to_owned());
        }
        Self { answers, refusals }
    }

    /// Returns the answer to `command`.
    fn answer(&self, command: &str) -> &str {
        &self.answers[command]
    }

    /// Demands that the answer to `command` holds each of `words`.
    #[track_caller]
    fn says(&self, command: &str, words: &[&str]) {
        let answer = self.answer(command);
        for words in words {
            assert!(answer.contains(words), "{command}: no \"{words}\" in:\n{answer}\n{}", self.refusals);
        }
    }

    /// Demands that one of the refusals holds `words`.
    #[track_caller]
    fn refuses(&self, words: &str) {
        assert!(self.refusals.contains(words), "no \"{words}\" in:\n{}", self.refusals);
    }

    /// Returns the answer to [`FRAME_BY_MONITOR`], as a frame's number.
    #[track_caller]
    fn frame_by_monitor(&self) -> u32 {
        let answer = self.answer(FRAME_BY_MONITOR);
        let digits = answer.trim().strip_prefix("gpa: 0x").unwrap_or_else(|| panic!("{answer}"));
        u32::from_str_radix(digits, 16).expect("a hexadecimal number") >> 12
    }
}

fn create(directory: &Path, name: &str) -> File {
    File::create(directory.join(name)).expect("the directory is ours")
}

/// Reads what a program printed, which may be any bytes.
fn read(directory: &Path, name: &str) -> String {
    String::from_utf8_lossy(&fs::read(directory.join(name)).expect("the file is ours")).into_owned()
}

/// Finds the processes that have `scratch` among their words: QEMU and GDB, by their socket.
fn processes_told_of(scratch: &Path) -> impl Iterator<Item = (Pid, String)> {
    let name = scratch.to_str().expect("a name in UTF-8").to_owned();
    fs::read_dir("/proc").expect("Linux").flatten().filter_map(move |process| {
        let id = Pid::from_raw(process.file_name().to_str()?.parse().ok()?)?;
        let words = String::from_utf8_lossy(&fs::read(process.path().join("cmdline")).ok()?).replace('\0', " ");
        words.contains(&name).then_some((id, words))
    })
}

/// Demands that a session has left no file in `scratch` but what it prints, and no process.
#[track_caller]
fn assert_nothing_is_left(scratch: &Path) {
    let entries = fs::read_dir(scratch).expect("it is there").flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    files.sort();
    assert_eq!(files, ["console", "stderr", "stdout"]);
    let left: Vec<_> = processes_told_of(scratch).collect();
    assert!(left.is_empty(), "still running: {left:?}");
}

/// What QEMU finds behind 0x4000_1000, and all that it finds mapped.
const FRAME_BY_MONITOR: &str = "monitor gva2gpa 0x40001000";
const MAPPED_BY_MONITOR: &str = "monitor info mem";

/// The test of a read 16 bytes past a region of two pages, of which the first is backed.
const PAST_A_REGION: &str = "dies-past-a-region";

#[test]
#[ignore = "starts machines: `make test` builds the kernel and runs it"]
fn gdb_explains_a_death() {
    let session =
        Session::new(PAST_A_REGION, &["continue", "fault", "backtrace", "tlbcheck $cr2", "info registers cr2"]);
    session.says("continue", &["droste::system::crash::die"]);
    session.says(
        "fault",
        &[
            "page fault: kernel read of an absent page at 0x4000_3010 (error code 0x0)",
            "droste::arch::x86::provoke::read, kernel/src/arch/x86/provoke.rs:",
            "0100000000 0000000011 000000010000: entries 256, 3, byte 0x10",
            "PTE   absent(0x00000000)",
            "seen at 0xFFD0_000C",
            "refused: 16 bytes past the end of region 0x4000_1000..0x4000_3000, in pool 0x4000_0000..0x4010_0000",
        ],
    );
    session.says(
        "backtrace",
        &["droste::system::tests::fatal::past_a_region", "droste::system::tests::run", "droste::system::kmain::kmain"],
    );
    session.says("tlbcheck $cr2", &["agreed: the processor faults there"]);
    session.says("info registers cr2", &["0x40003010"]);
}

#[test]
#[ignore = "starts machines: `make test` builds the kernel and runs it"]
fn gdb_sees_the_tables_that_the_machine_sees() {
    let session = Session::new(
        PAST_A_REGION,
        &[
            "continue",
            FRAME_BY_MONITOR,
            MAPPED_BY_MONITOR,
            "walk 0x4000_1ABC",
            "walk 0xFFD0_0004",
            "walk 0x1000_0000",
            "maps",
            "regions",
            "frames",
            "spaces",
            "events",
        ],
    );
    let frame = session.frame_by_monitor();
    let in_frame = format!("is    p0x{:04X}_{:X}ABC, read and write", frame >> 4, frame & 0xF);
    session.says("walk 0x4000_1ABC", &[&in_frame, "lies  in region 0x4000_1000..0x4000_3000 of pool 0x4000_0000"]);
    let entry = format!("PTE   p0x{:04X}_{:X}000 PW---AD--", frame >> 4, frame & 0xF);
    session.says("walk 0x4000_1ABC", &[&entry, "seen at 0xFFD0_0004"]);
    session.says("walk 0xFFD0_0004", &["the recursive window: table 256, entry 1, of page 0x4000_1000"]);
    session.says("walk 0x1000_0000", &["PDE   absent(0x00000000)", "stops here: no page table", "in no pool"]);

    let maps = session.answer("maps");
    let seen = maps.lines().filter(|line| line.contains(" page") && line.contains("read")).map(pages);
    assert_eq!(seen.sum::<u64>(), pages_by_monitor(session.answer(MAPPED_BY_MONITOR)), "{maps}");
    session.says("maps", &["read only    kernel text", "metadata: frame", "recursive window: 2 page tables"]);
    session.says("maps", &[&format!("region 0x4000_1000..0x4000_3000: frame {frame:#x}")]);

    session.says("regions", &["only pages of regions are backed", "256 pages, 2 backed, 1 region"]);
    session.says("regions", &["0x4000_0000..0x4000_1000      1 page, 1 backed  metadata"]);
    session.says("regions", &["0x4000_1000..0x4000_3000     2 pages, 1 backed  region"]);
    // Of 6912 frames: a directory, the table of the first 4 MiB, one of the pool's, the pool's record, a page.
    session.says("frames", &["6907 free", "D directory: 1", "T page table: 2", "M metadata of a pool: 1", "P page: 1"]);
    session.says("frames", &["x inaccessible: 256", "  0x00400  DTMTP\n", "none in use from 0x405 on\n"]);
    assert!(!session.answer("frames").contains("WRONG"), "{}", session.answer("frames"));
    session.says("spaces", &["1 pool, 1 page table, 2 pages"]);
    let accepted = session.answer("events").lines().filter(|line| !line.contains("refused"));
    let order = [
        format!("backed 0x4000_1000 by frame {frame:#x}"),
        "allocate 0x4000_1000, 2 pages".into(),
        "register 0x4000_0000, 256 pages".into(),
    ];
    for (line, words) in accepted.zip(order) {
        assert!(line.contains(&words), "no \"{words}\" in {line} of:\n{}", session.answer("events"));
    }
}

#[test]
#[ignore = "starts machines: `make test` builds the kernel and runs it"]
fn gdb_gets_long_answers_of_the_monitor_to_their_end() {
    let commands =
        ["continue", "monitor info tlb", MAPPED_BY_MONITOR, "monitor nonsense", "monitor quit", "monitor info mem "];
    let session = Session::new(PAST_A_REGION, &commands);
    // A line a page, `VIRTUAL: PHYSICAL RIGHTS`: the first 4 MiB, without page 0 and the guard page, and more above.
    let lines = session.answer("monitor info tlb").lines();
    let pages = lines.filter_map(|line| u64::from_str_radix(line.split_once(": ")?.0, 16).ok());
    let below_the_windows = pages.filter(|page| *page < 0xFF80_0000).count() as u64;
    assert!(below_the_windows > 1000, "{}", session.answer("monitor info tlb"));
    assert_eq!(below_the_windows, pages_by_monitor(session.answer(MAPPED_BY_MONITOR)));
    session.says("monitor nonsense", &["unknown command: 'nonsense'"]);
    session.refuses("the machine is gone");
}

/// Returns how many pages a line of `maps` counts.
fn pages(line: &str) -> u64 {
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = words.iter().position(|word| word.starts_with("page")).map(|at| words[at - 1]);
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no number of pages in {line}"))
}

/// Counts the pages below the windows in what QEMU says of the page tables: `START-END BYTES RIGHTS`, a line a run.
fn pages_by_monitor(answer: &str) -> u64 {
    let runs = answer.lines().filter_map(|line| {
        let (start, end) = line.split_whitespace().next()?.split_once('-')?;
        Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
    });
    runs.filter(|(start, _)| *start < 0xFF80_0000).map(|(start, end)| (end - start) >> 12).sum()
}

#[test]
#[ignore = "starts machines: `make test` builds the kernel and runs it"]
fn gdb_follows_a_tree_of_many_regions() {
    // 2000 regions of a page are alive there; 125 nodes fit into the pool's first page and 126 into each of 15 more.
    let stop = format!(
        "break scenarios/metadata.rs:{}",
        line_of("metadata.rs", "fn metadata_grows_and_shrinks", "demand(\"metadata within")
    );
    let session = Session::new("metadata-grows-and-shrinks", &[&stop, "continue", "regions", "frames"]);
    session.says("regions", &["65536 pages, 16 backed, 2000 regions"]);
    let extents = session.answer("regions").lines().filter_map(|line| line.strip_prefix("  ")?.split_once("  "));
    let (bounds, kinds): (Vec<&str>, Vec<&str>) = extents.unzip();
    assert_eq!(kinds.iter().filter(|kind| kind.ends_with("1 page, 1 backed  metadata")).count(), 16, "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| kind.ends_with("1 page, 0 backed  region")).count(), 2000, "{kinds:?}");
    let bounds: Vec<(&str, &str)> = bounds.iter().filter_map(|bounds| bounds.split_once("..")).collect();
    assert_eq!((bounds.len(), bounds[0].0), (2016, "0x4000_0000"));
    assert!(bounds.windows(2).all(|pair| pair[0].1 == pair[1].0), "not in order: {bounds:?}");
    session.says("frames", &["M metadata of a pool: 16"]);
}

/// Returns the line of a file of scenarios that holds `words`, the first after the one that holds `before`.
fn line_of(file: &str, before: &str, words: &str) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kernel/src/scenarios").join(file);
    let source = fs::read_to_string(path).expect("the kernel's source is there");
    let mut lines = source.lines().enumerate().skip_while(|(_, line)| !line.contains(before));
    1 + lines.find(|(_, line)| line.contains(words)).expect("the scenario has such a line").0
}

#[test]
#[ignore = "starts machines: `make test` builds the kernel and runs it"]
fn gdb_finds_what_was_not_flushed() {
    let clear = "with language c -- set {int}0xffd00004 = 0";
    let session = Session::new(
        PAST_A_REGION,
        &[
            "continue",
            "tlbcheck 0x40001000",
            "info registers",
            clear,
            "up 3",
            "tlbcheck 0x4000_1000",
            "down 3",
            // GDB writes a register only if it changes; QEMU flushes at any write to CR3.
            "set $cr3 = $cr3 ^ 8",
            "set $cr3 = $cr3 ^ 8",
            "tlbcheck 0x40001004",
            "tlbcheck 0xFFFFF000",
            "info registers eip",
            "kill",
        ],
    );
    session.says("tlbcheck 0x40001000", &["agreed: the processor uses frame 0x"]);
    session.says(
        "tlbcheck 0x4000_1000",
        &["STALE: the tables map nothing there, but the processor still loads 0x00000001"],
    );
    session.says("tlbcheck 0x40001004", &["stops here: no frame", "agreed: the processor faults there"]);
    session.says("tlbcheck 0xFFFFF000", &["agreed: the processor uses frame 0x"]);
    // The loads that it made have left no trace.
    let eip = session.answer("info registers eip").trim();
    assert!(eip.contains("droste::system::crash::die") && session.answer("info registers").contains(eip), "{eip}");
}

#[test]
#[ignore = "starts machines: `make test` builds the kernel and runs it"]
fn gdb_stops_at_the_first_touch_of_a_page() {
    let session = Session::new(
        PAST_A_REGION,
        &["break-fault 0x4000_1FFF", "break-fault 0x4000_0000", "continue", "fault", "continue 1", "info breakpoints"],
    );
    session.says("continue", &["page fault: kernel write to an absent page at 0x4000_1000"]);
    session.says("fault", &["legitimate: in region 0x4000_1000..0x4000_3000"]);
    // A metadata page never faults (rule eager-metadata), so the next stop is the death.
    session.says("continue 1", &["droste::system::crash::die"]);
    assert!(!session.answer("continue 1").contains("page fault:"), "{}", session.answer("continue 1"));
}

#[test]
#[ignore = "starts machines: `make test` builds the kernel and runs it"]
fn gdb_tells_what_a_write_to_a_shared_page_does() {
    let session = Session::new(
        "last-owner-writes",
        &[
            "break-fault 0x4000_1000",
            "continue",
            "continue 1",
            "fault",
            "walk 0x4000_1000",
            "maps",
            "walk 0x10_0000",
            "continue  1",
            "walk 0x4000_1000 ",
            "fault ",
        ],
    );
    let copies = "1 other page has its frame, so the first write copies it";
    let writable = "nobody else has its frame any more, so the first write makes it writable";
    session.says("continue", &["kernel write to an absent page at 0x4000_1000"]);
    session.says("continue 1", &["kernel write to a read-only page at 0x4000_1004"]);
    session.says("fault", &["PDE   p0x", " shares  at ", " shared  at ", &format!("why   answered: {copies}")]);
    session.says("walk 0x4000_1000", &[", read, write a copy\n", &format!("  share {copies}\n")]);
    session.says("maps", &["read, write a copy  region 0x4000_1000..0x4000_5000", "metadata"]);
    session.says("walk 0x10_0000", &[", read only\n"]);
    session.says("continue  1", &["kernel write to a read-only page at 0x4000_1004"]);
    session.says("walk 0x4000_1000 ", &[&format!("  share {writable}\n")]);
    session.says("fault ", &[&format!("why   answered: {writable}")]);
}

#[test]
#[ignore = "starts machines: `make test` builds the kernel and runs it"]
fn gdb_looks_into_every_space() {
    let session = Session::new(
        "threads",
        &[
            "break droste::system::threads::run",
            "continue",
            "spaces",
            "walk 0x4000_0000 0x403000",
            "walk 0x4000_0000",
            "maps 0x403000",
        ],
    );
    let spaces = session.answer("spaces");
    let with_pool = spaces.lines().filter(|line| line.ends_with("1 pool, 1 page table, 1 page")).count();
    assert_eq!(with_pool, 4, "{spaces}");
    let current: Vec<&str> = spaces.lines().filter(|line| line.starts_with("* p0x")).collect();
    assert!(current.len() == 1 && current[0].ends_with("0 pools, 0 page tables, 0 pages"), "{spaces}");
    session.says("walk 0x4000_0000 0x403000", &["(not the current one)", "is    p0x", "keeps its records in"]);
    session.says("walk 0x4000_0000", &["stops here: no page table", "there never was one"]);
    session.says("maps 0x403000", &["space p0x0040_3000", "metadata: frame"]);
}

#[test]
#[ignore = "starts machines: `make test` builds the kernel and runs it"]
fn gdb_explains_a_lost_stack() {
    let session = Session::new("dies-stack-overflow", &["continue", "fault"]);
    let why =
        ["double fault", "droste::arch::x86::provoke::overflow_stack", "is in the guard page below a kernel stack"];
    session.says("fault", &why);
}

#[test]
#[ignore = "starts machines: `make test` builds the kernel and runs it"]
fn gdb_finds_what_is_wrong_with_frames_and_trees() {
    // The second page of the region gets the first one's frame; then one that is free; then the tree of regions a ring.
    let twice = "with language c -- set {int}0xffd00008 = *(int *)0xffd00004";
    let free = "with language c -- set {int}0xffd00008 = 0x600063";
    let ring = "with language c -- set {int}0x40000064 = 0x40000060";
    let session = Session::new(
        PAST_A_REGION,
        &[
            "continue",
            FRAME_BY_MONITOR,
            twice,
            "frames",
            free,
            "frames 0x600",
            "frames ",
            ring,
            "regions",
            "walk 0x4000_1000",
            "walk",
            "walk 0x1_0000_0000",
            "walk nothing",
            "walk 0 0x400123",
            "frames 9000000",
            "tlbcheck 1 2",
            "spaces",
        ],
    );
    let frame = session.frame_by_monitor();
    session.says("frames", &[&format!("WRONG: used twice: {frame:#x}\n")]);
    session.says("frames 0x600", &["frame 0x600: free", "page 0x40002 of space p0x"]);
    session.says("frames ", &["WRONG: in use by an address space, but free: 0x600\n"]);
    session.says("frames 9000000", &["frame 0x895440 is in no frame pool"]);
    session.refuses("the tree leads back to its node at 0x4000_0060");
    session.says("walk 0x4000_1000", &["  lies  not to be told: the tree leads back to its node at 0x4000_0060"]);
    session.refuses("usage: walk ADDRESS [SPACE]");
    session.refuses("0x1_0000_0000: 0x100000000 is not a 32-bit address");
    session.refuses("nothing: not an address");
    session.refuses("0x400123: no directory lies at p0x0040_0123; `spaces` lists them");
    session.refuses("usage: tlbcheck ADDRESS");
    assert_eq!(session.refusals.matches("usage: ").count(), 2, "{}", session.refusals);
    assert!(!session.refusals.contains("Python Exception"), "{}", session.refusals);
}

#[test]
#[ignore = "starts machines: `make test` builds the kernel and runs it"]
fn the_last_events_of_a_run_are_recorded() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let recording = scratch.path().join("recording.json");
    let recorded = Command::new("scripts/record")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .arg("build/droste.elf")
        .arg(&recording)
        .envs([("TEST", "standard-pages"), ("LAST", "3")])
        .env_remove("ARGS")
        .output()
        .expect("sh is there");
    assert!(recorded.status.success(), "{recorded:?}");
    let text = fs::read_to_string(recording).expect("it was written");
    let recording: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let steps = recording["steps"].as_array().expect("it has steps");
    // The test touches 256 pages in order, and each gets a frame: kind 2, from the address that was touched.
    let touched: Vec<_> = steps.iter().filter_map(|step| step["event"][1].as_u64()).collect();
    assert_eq!(touched, [0x4F_D000, 0x4F_E000, 0x4F_F000]);
    // Each step has the entry that it changed, so the state before the first is not yet that after it.
    assert!(steps[1]["words"].as_array().is_some_and(|words| !words.is_empty()), "{}", steps[1]);
    let end = steps[4]["said"].as_str().expect("words of the console");
    assert!(steps.len() == 5 && end.starts_with("passed"), "{end}");
}
