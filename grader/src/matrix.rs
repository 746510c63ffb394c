//! The boot matrix: whole boots of the main job, by every way in and on machines of several sizes.
//!
//! Ways that take more than a kernel and QEMU are those of `make run` and `make bochs`, so the scripts are tested too.

use crate::machine::Machine;
use crate::plan::Job;
use crate::verdict::{Expects, SUCCESS};
use std::path::Path;

/// Returns a job for each way to boot `kernel`.
pub fn jobs(kernel: &Path) -> Vec<Job> {
    let in_qemu = |name: &str, sentence: &str, memory| {
        let machine = Machine::by_kernel(kernel, memory, "interactive=no");
        boot(name, sentence, 2, SUCCESS, machine)
    };
    // The scripts end with status 0 after the kernel said success, and only then. Their own time limit is the last resort.
    let by_script = |name: &str, sentence: &str, limit, script, settings: &[(&'static str, &'static str)]| {
        let settings: Vec<_> = settings.iter().copied().chain([("TIMEOUT", "600")]).collect();
        boot(name, sentence, limit, 0, Machine::by_script(script, &[&kernel.display().to_string()], &settings))
    };
    let run = "scripts/run-qemu";
    vec![
        in_qemu("matrix/kernel", "the main job completes, loaded by QEMU itself", "32M"),
        in_qemu("matrix/memory-64M", "the main job completes on a machine of 64 MiB", "64M"),
        in_qemu("matrix/memory-1G", "the main job completes on a machine of 1 GiB", "1G"),
        in_qemu("matrix/memory-3G", "the main job completes on a machine of 3 GiB", "3G"),
        by_script(
            "matrix/grub-multiboot",
            "the main job completes, loaded by GRUB with `multiboot`",
            3,
            run,
            &[("PROTOCOL", "multiboot")],
        ),
        by_script(
            "matrix/grub-multiboot2",
            "the main job completes, loaded by GRUB with `multiboot2`",
            3,
            run,
            &[("PROTOCOL", "multiboot2")],
        ),
        by_script(
            "matrix/uefi-multiboot",
            "the main job completes, loaded by GRUB with `multiboot` on UEFI",
            8,
            run,
            &[("PROTOCOL", "multiboot"), ("UEFI", "1")],
        ),
        by_script(
            "matrix/uefi-multiboot2",
            "the main job completes, loaded by GRUB with `multiboot2` on UEFI",
            8,
            run,
            &[("PROTOCOL", "multiboot2"), ("UEFI", "1")],
        ),
        by_script("matrix/bochs", "the main job completes in Bochs, loaded by GRUB", 10, "scripts/run-bochs", &[]),
    ]
}

fn boot(name: &str, sentence: &str, limit: u32, status: i32, machine: Machine) -> Job {
    Job { name: name.into(), sentence: sentence.into(), limit, expects: Expects::Boot { status }, machine }
}
