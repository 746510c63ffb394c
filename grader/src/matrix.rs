//! The boot matrix: whole boots of the main job, by every way in and on machines of several sizes.
//!
//! Ways that take more than a kernel and QEMU are those of `make run` and `make bochs`, so the scripts are tested too.

use crate::job::Job;
use crate::manifest::{Group, Visibility};
use crate::qemu::Reference;
use crate::verdict::{Expects, SUCCESS};
use crate::vm::{Machine, Script};
use std::path::Path;

/// Returns a job of `group` for each way to boot `kernel`.
pub fn jobs(kernel: &Path, deterministic: bool, group: &Group) -> Vec<Job> {
    let boot = |id: &str, sentence: &str, limit, status, machine| Job {
        group: group.id.clone(),
        id: id.into(),
        sentence: format!("the main job completes, {sentence}"),
        points: 1,
        lab: None,
        partial: false,
        needs: Vec::new(),
        visibility: Visibility::Visible,
        hint: group.hint.clone(),
        cause: group.cause.clone(),
        limit,
        expects: Expects::Boot { status },
        machine,
    };
    let in_qemu = |id, sentence, memory: &str| {
        let command_line = "interactive=no".into();
        let (kernel, memory) = (kernel.into(), memory.into());
        let reference = Reference { kernel, memory, command_line, programs: true, drive: None, deterministic };
        boot(id, sentence, 2, SUCCESS, Machine::Reference(reference))
    };
    // The scripts end with status 0 after the kernel said success, and only then. Their own time limit is the last resort.
    let by_script = |id, sentence, limit, program: &str, env: &[(&'static str, &'static str)]| {
        let env: Vec<_> = env.iter().copied().chain([("TIMEOUT", "600")]).collect();
        let args = vec![kernel.display().to_string()];
        boot(id, sentence, limit, 0, Machine::Script(Script { program: program.into(), args, env }))
    };
    let run = "scripts/run-qemu";
    let (multiboot, multiboot2, uefi) = (("PROTOCOL", "multiboot"), ("PROTOCOL", "multiboot2"), ("UEFI", "1"));
    vec![
        in_qemu("kernel", "loaded by QEMU itself", "32M"),
        in_qemu("memory-64M", "on a machine of 64 MiB", "64M"),
        in_qemu("memory-1G", "on a machine of 1 GiB", "1G"),
        in_qemu("memory-3G", "on a machine of 3 GiB", "3G"),
        by_script("grub-multiboot", "loaded by GRUB with `multiboot`", 3, run, &[multiboot]),
        by_script("grub-multiboot2", "loaded by GRUB with `multiboot2`", 3, run, &[multiboot2]),
        by_script("uefi-multiboot", "loaded by GRUB with `multiboot` on UEFI", 8, run, &[multiboot, uefi]),
        by_script("uefi-multiboot2", "loaded by GRUB with `multiboot2` on UEFI", 8, run, &[multiboot2, uefi]),
        by_script("bochs", "in Bochs, loaded by GRUB", 10, "scripts/run-bochs", &[]),
    ]
}
