//! What only the outside can see: wall times, sizes, the least memory.

use crate::qemu::{COUNTING, Kernel, Machine, Times};
use crate::results::Results;
use crate::rows::Rows;
use crate::split::output;
use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Boots that a median of wall times is taken of.
const BOOTS: usize = 7;

/// Adds what takes its time, and the ISO's size, which the tools of GRUB decide.
///
/// # Errors
///
/// If a machine fails that should not.
pub fn add(results: &mut Results, kernel: &Kernel, iso: &Path) -> Result<(), Box<dyn Error>> {
    let iso_size = iso.metadata().map_err(|error| format!("{}: {error}", iso.display()))?.len();
    results.values.insert("iso-bytes".into(), iso_size);
    add_least_memory(results, kernel)?;
    add_boots(results, kernel)?;
    add_wall_of_floor(results, kernel)
}

/// Adds the sizes of the kernel's parts.
///
/// # Errors
///
/// If `size` is missing.
pub fn add_sizes(results: &mut Results, kernel: &Kernel) -> Result<(), Box<dyn Error>> {
    let listing = output(Command::new("size").arg(kernel.path()))?;
    let sizes = listing.lines().nth(1).unwrap_or_default().split_whitespace();
    for (name, size) in ["text-bytes", "data-bytes", "bss-bytes"].iter().zip(sizes) {
        results.values.insert((*name).into(), size.parse()?);
    }
    Ok(())
}

/// Finds, by trying, the least memory with which the main job ends well.
fn add_least_memory(results: &mut Results, kernel: &Kernel) -> Result<(), Box<dyn Error>> {
    const STEP: u64 = 64;
    let works = |steps: u64| kernel.machine(&format!("{}K", steps * STEP), "interactive=no").succeeds();
    let (mut too_little, mut enough) = (1024 / STEP, 32 * 1024 / STEP);
    while enough - too_little > 1 {
        let middle = (too_little + enough) / 2;
        if works(middle) { enough = middle } else { too_little = middle }
    }
    results.values.insert("least-memory-KiB".into(), enough * STEP);
    Ok(())
}

/// Measures the way to the end of the boot, by `-kernel` and from the CD.
fn add_boots(results: &mut Results, kernel: &Kernel) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let cd = directory.path().join("bench.iso").to_string_lossy().into_owned();
    let kernel_path = kernel.path().to_string_lossy().into_owned();
    output(Command::new("scripts/make-iso").args([&kernel_path, &cd, "multiboot2", "bench=boot"]))?;
    let by_cd = || Machine::new("32").with(&["-cdrom", &cd, "-boot", "d"]);
    let by_kernel = || kernel.machine("32", "bench=boot");

    let mut counted = Results::new(results.tools.clone());
    counted.add_records(&by_cd().with(&COUNTING).run()?.0)?;
    let instructions = *counted.values.get("boot-ready").ok_or("no record of the boot")?;
    let name = "end of boot from CD by GRUB, million instructions";
    results.varying.insert(name.into(), instructions as f64 / 1e6);
    add_wall(results, "by -kernel", by_kernel)?;
    add_wall(results, "from CD by GRUB", by_cd)
}

fn add_wall(results: &mut Results, how: &str, machine: impl Fn() -> Machine) -> Result<(), Box<dyn Error>> {
    let times: Result<Vec<Times>, _> = (0..BOOTS).map(|_| machine().run().map(|(_, times)| times)).collect();
    let times = times?;
    let mut add = |name: &str, of: fn(&Times) -> Duration| {
        let mut sorted: Vec<_> = times.iter().map(of).collect();
        sorted.sort_unstable();
        results.varying.insert(format!("{name} {how}, ms"), sorted[BOOTS / 2].as_secs_f64() * 1e3);
    };
    add("first record", |times| times.first);
    add("end of boot", |times| times.last);
    Ok(())
}

/// Measures once more without counting: then a tick is a tick of the host's clock, and only ratios within the run mean
/// something.
fn add_wall_of_floor(results: &mut Results, kernel: &Kernel) -> Result<(), Box<dyn Error>> {
    let mut timed = Results::new(results.tools.clone());
    timed.add_records(&kernel.machine("32", "bench=all").run()?.0)?;
    let rows = Rows::read()?;
    for filled in rows.group.iter().flat_map(|group| group.filled(&timed)) {
        if let Some(floor) = filled.floor.filter(|floor| *floor > 0.0) {
            results.wall_of_floor.insert(filled.row.figure.clone(), filled.median() / floor);
        }
    }
    Ok(())
}
