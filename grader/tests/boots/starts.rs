//! Machines and boot loaders that are not the usual ones: the kernel starts, or says why it cannot.

use grader::qemu::{QEMU, Time};
use grader::verdict::{Expects, FAILURE, SUCCESS, Verdict};
use grader::vm::{Judged, Machine, RunContext, Script};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tempfile::TempDir;

/// Time enough for any of these boots, and no longer than a person would wait.
const LIMIT: Duration = Duration::from_secs(120);

/// The words of a machine that ends by the kernel's verdict, shows its console, and is not started anew by a triple fault.
const MACHINE: &str = "-accel tcg -nodefaults -vga std -display none -serial stdio -no-reboot \
                       -device isa-debug-exit,iobase=0xf4,iosize=4";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn kernel() -> String {
    root().join("build/droste.elf").display().to_string()
}

/// Runs a program that plays a machine, and demands that it ends with `status`. Returns what a person sees.
#[track_caller]
fn run(script: Script, status: i32) -> String {
    let directory = TempDir::new().expect("a temporary directory");
    let stop = AtomicBool::new(false);
    let context = RunContext {
        dir: directory.path().join("room"),
        time: Time { limit: LIMIT, clock: LIMIT },
        seed: 1,
        stop: &stop,
    };
    let judged = Machine::Script(script).run(&Expects::Boot { status }, &context);
    let Judged { run, verdict, .. } = judged.expect("nobody stops it");
    assert_eq!(verdict, Verdict::Pass, "{}{}", run.console, run.stderr);
    run.console
}

/// Boots the kernel's file, or another, in QEMU, on a machine that `words` say more about.
#[track_caller]
fn boot(kernel: &str, words: &str, status: i32) -> String {
    let words = [MACHINE, words].into_iter().flat_map(str::split_whitespace).map(String::from);
    let kernel = ["-kernel", kernel, "-append", "interactive=no"].map(String::from);
    run(Script { program: QEMU.into(), args: words.chain(kernel).collect(), env: Vec::new() }, status)
}

/// Boots the kernel by the loader of `starts/loader.s`, on a machine of 64 MiB.
#[track_caller]
fn boot_by_loader(information: u32, pieces: u32) -> String {
    let directory = TempDir::new().expect("a temporary directory");
    let [object, loader] = ["loader.o", "loader.elf"].map(|name| directory.path().join(name).display().to_string());
    let source = root().join("grader/tests/starts/loader.s").display().to_string();
    let symbols = [format!("INFORMATION={information}"), format!("PIECES={pieces}")];
    let run = |program: &str, words: &[&str]| {
        let output = Command::new(program).args(words).output().expect("binutils are there");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run("as", &["--32", "--defsym", &symbols[0], "--defsym", &symbols[1], "-o", &object, &source]);
    run("ld", &["-m", "elf_i386", "-N", "-Ttext=0x1800000", "-o", &loader, &object]);
    boot(&loader, &format!("-machine pc,acpi=off -m 64 -initrd {}", kernel()), SUCCESS)
}

#[test]
#[ignore = "needs the kernel: make test"]
fn a_processor_that_lacks_what_the_code_needs_is_told_so() {
    let lacks = |missing: &str| {
        format!("Droste cannot start: this processor lacks {missing}. A Pentium Pro or later is needed.\r\n")
    };
    for (processor, missing) in [
        ("486", "CMOV"),
        ("pentium", "CMOV"),
        ("pentium,+cmov", "NOPL"),
        ("pentium2,-cx8", "CMPXCHG8B"),
        ("pentium2,-tsc", "TSC"),
        ("pentium2,-pse", "PSE"),
    ] {
        let console = boot(&kernel(), &format!("-machine pc,acpi=off -m 32 -cpu {processor}"), FAILURE);
        assert_eq!(console, lacks(missing), "{processor}");
    }
    // A 486 on a board without PCI.
    assert_eq!(boot(&kernel(), "-machine isapc -m 32", FAILURE), lacks("CMOV"));
    // In Bochs: see `a_kernel_that_refuses_to_start_ends_bochs_at_once`.
}

#[test]
#[ignore = "needs the kernel: make test"]
fn a_pentium_2_on_a_board_without_pci_does_the_main_job() {
    boot(&kernel(), "-machine isapc -m 32 -cpu pentium2", SUCCESS);
}

#[test]
#[ignore = "needs the kernel: make test"]
fn boot_information_is_read_wherever_it_lies() {
    for address in [0, 0xFFF, 0x9_0000, 0x3FF_0000] {
        boot_by_loader(address, 0);
    }
}

#[test]
#[ignore = "needs the kernel: make test"]
fn memory_in_more_pieces_than_there_is_room_for_is_used_all_the_same() {
    let console = boot_by_loader(0x9_0000, 300);
    assert!(console.contains("memory lies in more than 64 pieces: the smallest, 956 KiB, unused"), "{console}");
}

#[test]
#[ignore = "needs the kernel: make test"]
fn a_loader_that_does_not_say_its_name_is_unnamed() {
    assert!(boot_by_loader(0x9_0000, 0).contains("started by an unnamed loader"));
}

/// Makes a file of zeros that takes no room on the disk, and returns where it is.
fn module(directory: &TempDir, megabytes: u64) -> PathBuf {
    let path = directory.path().join("module");
    let made = File::create(&path).and_then(|file| file.set_len(megabytes << 20));
    made.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    path
}

#[test]
#[ignore = "needs the kernel: make test"]
fn a_module_of_200_mib_leaves_the_kernel_its_pool() {
    let directory = TempDir::new().expect("a temporary directory");
    let words = format!("-machine pc,acpi=off -m 512 -initrd {}", module(&directory, 200).display());
    let console = boot(&kernel(), &words, SUCCESS);
    assert!(console.contains("module, 204800 KiB at 0x0040_1000"), "{console}");
}

#[test]
#[ignore = "needs the kernel: make test"]
fn modules_that_grub_loads_leave_the_kernel_its_pool() {
    for protocol in ["multiboot", "multiboot2"] {
        let directory = TempDir::new().expect("a temporary directory");
        let (tree, iso) = (directory.path().join("tree"), directory.path().join("cd.iso"));
        let grub = tree.join("boot/grub");
        let menu = format!(
            "{protocol} /boot/droste.elf interactive=no\n{} /boot/module named\nboot\n",
            protocol.replace("multiboot", "module")
        );
        let made = fs::create_dir_all(&grub)
            .and_then(|()| fs::copy(module(&directory, 4), tree.join("boot/module")))
            .and_then(|_| fs::copy(kernel(), tree.join("boot/droste.elf")))
            .and_then(|_| fs::write(grub.join("grub.cfg"), menu));
        made.unwrap_or_else(|error| panic!("{}: {error}", tree.display()));
        let modules = format!("--install-modules=normal iso9660 {protocol}");
        let packed = Command::new("grub-mkrescue")
            .args(["-d", "/usr/lib/grub/i386-pc", &modules, "--locales=", "--fonts=", "--themes=", "-o"])
            .args([&iso, &tree])
            .output()
            .expect("grub-mkrescue is there");
        assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
        let words = format!("{MACHINE} -machine pc,acpi=off -m 64 -cdrom {}", iso.display());
        let words = words.split_whitespace().map(String::from).collect();
        let console = run(Script { program: QEMU.into(), args: words, env: Vec::new() }, SUCCESS);
        assert!(console.contains("module named, 4096 KiB at "), "{console}");
    }
}

#[test]
#[ignore = "needs the kernel: make test"]
fn a_module_that_leaves_no_memory_is_named_with_its_size() {
    let directory = TempDir::new().expect("a temporary directory");
    let words = format!("-machine pc,acpi=off -m 32 -initrd {}", module(&directory, 28).display());
    let console = boot(&kernel(), &words, FAILURE);
    assert!(console.contains("module, 28672 KiB at 0x0040_1000"), "{console}");
    assert!(console.contains("Droste cannot start: available memory ends at 0x0040_1000"), "{console}");
}

#[test]
#[ignore = "needs the kernel: make test"]
fn a_command_line_that_is_too_long_is_refused_with_its_length() {
    let words = format!("{MACHINE} -kernel {} -append", kernel());
    let mut words: Vec<String> = words.split_whitespace().map(String::from).collect();
    words.push(format!("interactive=no {}", "x".repeat(600)));
    let console = run(Script { program: QEMU.into(), args: words, env: Vec::new() }, FAILURE);
    assert!(console.contains("Droste cannot start: the command line has "), "{console}");
    assert!(console.contains(" bytes, but 512 are the most: shorten it"), "{console}");
}
