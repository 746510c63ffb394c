//! Sessions at the prompt: commands are piped in, or typed on a terminal.
//!
//! Each test boots build/droste.elf by itself.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Pipes `commands` into the prompt. Returns what it answered, and whether the run was a success.
fn session(commands: &str) -> (String, bool) {
    session_with(commands, None, "")
}

/// The same, with a drive, and with so many frames at most.
fn session_with(commands: &str, drive: Option<&Path>, frames: &str) -> (String, bool) {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    fs::write(scratch.path().join("commands"), commands).expect("the directory is ours");
    let run = Command::new("scripts/run-qemu")
        .arg("build/droste.elf")
        .env("KERNEL", "1")
        .env("TMPDIR", scratch.path())
        .env_remove("ARGS")
        .env_remove("MEM")
        .env("DRIVE", drive.unwrap_or(Path::new("")))
        .env("FRAMES", frames)
        .current_dir(root())
        .stdin(File::open(scratch.path().join("commands")).expect("it was just written"))
        .output()
        .expect("bash is there");
    let said = String::from_utf8_lossy(&run.stdout).replace('\r', "");
    assert!(said.contains("list of commands.\n"), "no prompt:\n{said}");
    let answers =
        if frames.is_empty() { said.split_once("list of commands.\n").map_or("", |(_, rest)| rest) } else { &said };
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
            "0x4000_0000..0x4000_1000      1 page, 1 backed  metadata\n0x4000_1000..0x4000_5000      4 pages, 3 backed  region\n",
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
fn the_prompt_clones_a_space_and_shows_what_is_shared() {
    let (said, success) = session(
        "alloc 4000_0000 8K\nwrite 4000_1004 0xCAFE\nduplicate\nframes\nwhy 4000_1000 write\nmaps\nspace load 2\n\
         write 4000_1004 0xD00D\nwalk 4000_1000\nevents 2\nspace load 1\nread 4000_1004\nwhy 4000_1000 write\n\
         touch 4000_1000\nspace destroy 2\nframes\n",
    );
    assert!(success, "{said}");
    says(
        &said,
        &[
            "space 2, a clone of this one, for 5 frames\n",
            "S page that clones share: 1\n",
            "yes: 1 other page shares its frame, so the first write copies it\n",
            "       1 page   read, write a copy\n",
            "PTE at 0xFFD0_0004: p0x",
            "unshared 0x4000_1004, frame 0x",
            "read 4000_1004\n0x0000cafe\n",
            "yes: it was shared, and the first write makes it writable\n",
            "1 fault, 0 frames\n",
            "6 frames came back\n",
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

/// A region's node has its neighbours in the tree at +4 and +8. The nodes lie side by side in the pool's first page.
#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn damaged_records_are_told_and_not_followed() {
    let damaged = "the records of the pools are damaged: no telling what lies from 0x4";
    let commands =
        "pools\nregions\nwhy 4000_1000\nwalk 4000_1000\ntouch 4000_1000\nalloc 4000_0000 4K\nfree 4000_1000\n";
    for (regions, place, neighbour) in [
        (1, "4000_0064", "0x4000_0060"),
        (1, "4000_0068", "0x4000_0060"),
        (1, "4000_0068", "0x1234_5678"),
        (100, "4000_0CC8", "0x4000_0CC0"),
    ] {
        let regions = "alloc 4000_0000 4K\n".repeat(regions);
        let (said, success) = session(&format!(
            "{regions}write {place} {neighbour}\n{commands}frames\nspace new\nspace load 2\nalloc 4000_0000 4K\n"
        ));
        assert!(success, "{said}");
        let told: Vec<String> = commands.lines().map(|command| format!("droste> {command}\n")).collect();
        let told: Vec<&str> = told.iter().flat_map(|command| [command.as_str(), damaged]).collect();
        says(&said, &told);
        says(&said, &["droste> frames\n  0x00400  DT", "space load 2\n", "0x4000_1000\n"]);
    }
}

/// A node has the one above it at +28: here a region's is its own.
#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn records_that_contradict_each_other_are_not_worked_with() {
    let (said, success) = session(
        "alloc 4000_0000 4K\nalloc 4000_0000 4K\nwrite 4000_009C 0x4000_0080\nfree 4000_1000\nalloc 4000_0000 4K\nregions\n",
    );
    assert!(success, "{said}");
    let contradict = "the records of the pools contradict each other; space new makes a space";
    says(
        &said,
        &[
            "free 4000_1000\n",
            contradict,
            "alloc 4000_0000 4K\n",
            contradict,
            "regions\n",
            "metadata\n0x4000_1000..0x4000_2000",
        ],
    );
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn pages_go_to_the_drive_when_there_are_three_times_as_many_as_frames_and_when_somebody_says_so() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let drive = scratch.path().join("drive");
    fs::write(&drive, vec![0; 1 << 20]).expect("the directory is ours");
    let (said, success) = session_with(
        "alloc 4000_0000 8K\nwrite 4000_1000 0xCAFE\nevict 4000_1000\nevict 4000_1000\nevict 4000_2000\nevict 4000_0000\n\
         walk 4000_1000\nwhy 4000_1000\nmaps\nswap\ndrive write 8 4000_2000\nread 4000_1000\nevents 4\nswap\n",
        Some(&drive),
        "100",
    );
    assert!(success, "{said}");
    says(
        &said,
        &[
            "the standard runs, the spaces and the tour are left out",
            "three times memory",
            "294 pages: ",
            "PASS: every figure is as expected",
            "0x4000_1000 is in slot 0x1 of the drive; the next touch reads it back\n",
            "0x4000_1000 is on the drive already, in slot 0x1\n",
            "0x4000_2000 was not touched yet: there is nothing to send\n",
            "0x4000_0000 is the kernel's own: only pages that a fault has backed go to the drive\n",
            "absent(0x00001002, slot 0x1)  <- stops here\n",
            "yes: it is on the drive, in slot 0x1, and the next touch reads it\n",
            "1 page   on the drive\n",
            "0x00000  xP\n",
            "slot 0x1 of these sectors holds a page",
            "read 4000_1000\n0x0000cafe\n",
            "swapped in 0x4000_1000 from slot 0x1\n",
            "0x00000  x\n",
        ],
    );
    let image = fs::read(&drive).expect("the drive is there");
    assert_eq!(image[4096..4100], [0xFE, 0xCA, 0, 0], "the page in slot 1");
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn a_file_of_the_drive_is_a_region_and_goes_back_there() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let drive = scratch.path().join("drive");
    let mut image: Vec<u8> = (0..1 << 20).map(|at: u32| (at / 512) as u8).collect();
    fs::write(&drive, &image).expect("the directory is ours");
    let (said, success) = session_with(
        "files\ndrive file 2048 1\ndrive file 16 5000\ndrive file 25 1\nmap 1 5000_0000\nmap 1 6000_0000 shared\n\
         map 1 6100_0000 shared read-only\nwhy 6000_1000\nread 6100_1000\nread 6000_1388\nwrite 6000_0004 0xCAFE\n\
         read 6100_0004\nmaps\nfiles\nsync 1\nsync 1\nwrite 6100_0000 1\nwrite 6000_1000 2\nevict 6000_1000\n\
         walk 6000_1000\nread 6000_2000\nmap 9 6080_0000\nsync 9\nmap 1\npool drop 5FFF_F000\npool drop 60FF_F000\nfiles\n",
        Some(&drive),
        "",
    );
    assert!(success, "{said}");
    says(
        &said,
        &[
            "there are no files; a boot module is one",
            "the drive ends after 2048 sectors, and the file does not\n",
            "file 1, of 10 sectors from 16 on; map 1 ADDR shows it\n",
            "file 1 has some of these sectors\n",
            "the pool at 0x4000_0000 is in the way\n",
            "a region at 0x6000_0000, in a pool of its own at 0x5FFF_F000; nothing is read before it is touched\n",
            "a region at 0x6100_0000",
            "yes: it is in a file, and the next touch reads it\n",
            "read 6100_1000\n0x18181818\n",
            // Behind the end there are zeros.
            "read 6000_1388\n0x00000000\n",
            "read 6100_0004\n0x0000cafe\n",
            "0x5FFF_F000..0x6000_2000       3 pages  read, write\n",
            "0x6100_0000..0x6100_2000       2 pages  read only\n",
            "file 1: 5000 bytes  on the drive\n",
            "seen 0 times private, 2 shared; 2 pages read, 0 pages written, 0 failed\n",
            "1 page written\n",
            "0 pages written\n",
            "why    read-only file:",
            "0x6000_1000 is in its file; the next touch reads it back\n",
            "in its file)  <- stops here\n",
            "why    past the end of a file:",
            "there is no such file\n",
            "there is no such file; files lists them\n",
            "usage: map",
            "dropped; ",
            "dropped; ",
            "seen 0 times private, 0 shared; 2 pages read, 2 pages written, 0 failed\n",
        ],
    );
    image[16 * 512 + 4..][..4].copy_from_slice(&0xCAFE_u32.to_le_bytes());
    image[24 * 512..][..4].copy_from_slice(&2_u32.to_le_bytes());
    assert!(fs::read(&drive).expect("the drive") == image, "the drive has what was written, and nothing else");
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn a_page_goes_to_the_drive_and_another_comes_from_it() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let drive = scratch.path().join("a drive, with a comma");
    let mut image: Vec<u8> = (0..1 << 20).map(|at: u32| (at / 512) as u8).collect();
    fs::write(&drive, &image).expect("the directory is ours");
    let (said, success) = session_with(
        "drive\nalloc 4000_0000 8K\ndrive read 2040 4000_1000\nread 4000_1000\nread 4000_1FFC\n\
         write 4000_1FFC 0x12345678\ndrive write 9 4000_1000\ndrive read 2041 4000_2000\ndrive read 4294967295 4000_2000\n\
         read 4000_2000\ndrive write 0 1000\ndrive read\n",
        Some(&drive),
        "",
    );
    assert!(success, "{said}");
    says(
        &said,
        &[
            "QEMU HARDDISK: 2048 sectors of 512 bytes, 1 MiB\n",
            "sectors 2040 to 2047 are in 0x4000_1000\n",
            "0xf8f8f8f8\n",
            "0xffffffff\n",
            "0x4000_1000 is in sectors 9 to 16\n",
            "no such sectors from 2041 on\n",
            "no such sectors from 4294967295 on\n",
            "read 4000_2000\n0x00000000\n",
            "0x0000_1000 is the kernel's own",
            "usage: drive",
        ],
    );
    image.copy_within(2040 * 512.., 9 * 512);
    image[17 * 512 - 4..17 * 512].copy_from_slice(&0x1234_5678_u32.to_le_bytes());
    assert!(fs::read(&drive).expect("it is there still") == image, "nothing but those sectors has changed");

    let (said, success) = session("drive\n");
    assert!(success, "{said}");
    says(&said, &["there is no drive; make run DRIVE=64"]);
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
fn control_c_on_a_terminal_ends_the_program_and_is_a_key_of_the_prompt() {
    let command = "KERNEL=1 PROGRAM=hello scripts/run-qemu build/droste.elf";
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
    keys.write_all(b"run crimes endless\r").expect("a key is typed");
    wait_for("\ncrime endless");
    keys.write_all(b"\x03").expect("a key is typed");
    wait_for("crimes killed");
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
fn a_page_of_a_region_gives_its_frame_back_and_is_zero_again() {
    let (said, success) = session(
        "alloc 4000_0000 8K\nwrite 4000_1000 7\nfree 4000_1000 page\nfree 4000_1000 page\nread 4000_1000\n\
                                   free 4000_0000 page\nfree 4000_1000\n",
    );
    assert!(success, "{said}");
    says(
        &said,
        &[
            "page\nframe 0x",
            " came back; the next touch gets one of zeros\n",
            "page\nno frame of a region is behind 0x4000_1000\n",
            "read 4000_1000\n0x00000000\n",
            "page\nno frame of a region is behind 0x4000_0000\n",
            "released; 1 of its pages were backed\n",
        ],
    );
}

#[test]
#[ignore = "boots build/droste.elf, as part of `make test`"]
fn pools_come_and_go() {
    let (said, success) = session(
        "pool new 8000_0000 1M\nalloc 8000_0000 8K\ntouch 8000_1000 2\npools\npool new 7FFF_0000 128K\n\
         pool drop 8000_0000\nwhy 8000_1000\npool drop 8000_0000\npool new 8000_0800 1M\npool drop 2000_0000\n\
         pool drop 4000_0000\npools\nspace load 0\npool new 8000_0000 1M\npool new\npool drown 8000_0000\n",
    );
    assert!(success, "{said}");
    says(
        &said,
        &[
            "1M\na pool, with its first page for its records\n",
            "8K\n0x8000_1000\n",
            "0x8000_0000..0x8010_0000 1 region, 2 pages backed, 1 of its own\n",
            "128K\nthe pool at 0x8000_0000 is in the way\n",
            // Two pages, the pool's own and the table of all three.
            "drop 8000_0000\ndropped; 4 frames came back\n",
            "no: use after drop: ",
            "drop 8000_0000\n0x8000_0000 is in no pool; pools lists them\n",
            "1M\nbase and size must be multiples of 0x1000\n",
            "pools\nnone: without a pool",
            "1M\nthe kernel's first space stays without pools; spaces lists others\n",
            "new\nusage: pool new ADDR BYTES | drop POOL: ",
            "drown 8000_0000\nusage: pool new",
        ],
    );
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
