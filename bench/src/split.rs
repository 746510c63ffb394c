//! Where the instructions of one fault go: a trace of the machine, each instruction put down to the stage that its source
//! line belongs to.
//!
//! Nothing in the kernel takes part, so the sum is exactly what the kernel measures of the same fault.

use crate::qemu::{COUNTING, Kernel};
use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::Command;

/// The symbol where the measured access is, and how far that goes.
const TOUCH: &str = "floor_touch";
const TOUCH_BYTES: u32 = 64;
/// The symbol where a page fault enters the kernel.
const ENTRY: &str = "page_fault_entry";

/// Where the kernel's code lies.
const CODE: &str = "0x100000..0x1fffff";

/// The stages, in the order in which they begin.
const STAGES: [&str; 8] = ["entry", "lock", "look-up", "frame", "map", "zero", "event", "exit"];

/// A function and its source file.
type CodeLocation = (String, String);

/// Counts the instructions of one demand-zero fault by stage.
///
/// # Errors
///
/// If the machine or the tools of the linker's package fail.
pub fn one_fault(kernel: &Kernel) -> Result<Vec<(String, u64)>, Box<dyn Error>> {
    let trace = last_fault(kernel)?;
    let places = places(kernel, &trace)?;
    let mut counts = [0; STAGES.len()];
    let mut has_frame = false;
    for address in &trace {
        let stage = stage(&places[address], has_frame);
        has_frame |= STAGES[stage] == "frame";
        counts[stage] += 1;
    }
    Ok(STAGES.iter().map(|stage| (*stage).into()).zip(counts).collect())
}

/// Returns the stage that an instruction belongs to, by the functions that it was inlined into, innermost first, and by
/// whether the fault has its frame already.
fn stage(places: &[CodeLocation], has_frame: bool) -> usize {
    let is_in = |part| places.iter().any(|(_, file)| file.contains(part));
    let is_zeroing = places.iter().any(|(function, file)| function.contains("zero") && file.ends_with("mmu.rs"));
    let name = if is_zeroing {
        "zero"
    } else if is_in("/src/events") {
        "event"
    } else if is_in("/src/frames/") {
        "frame"
    } else if is_in("/src/vm/") || is_in("/src/paging/") {
        if has_frame { "map" } else { "look-up" }
    } else if is_in("/src/system/memory.rs") || is_in("/lock.rs") || is_in("/spin-") {
        "lock"
    } else if has_frame {
        "exit"
    } else {
        "entry"
    };
    STAGES.iter().position(|stage| *stage == name).unwrap_or_default()
}

/// Traces a boot with one fault to look at, and returns the addresses of that one's instructions, from its entry to where
/// it returns to the access.
fn last_fault(kernel: &Kernel) -> Result<Vec<u32>, Box<dyn Error>> {
    let symbols = symbols(kernel)?;
    let symbol = |name: &str| symbols.get(name).copied().ok_or_else(|| format!("the kernel has no symbol {name}"));
    let (touch, entry) = (symbol(TOUCH)?, symbol(ENTRY)?);
    let directory = tempfile::tempdir()?;
    let log = directory.path().join("trace");
    let words = ["-d", "exec,nochain", "-dfilter", CODE, "-D", &log.to_string_lossy()];
    kernel.machine("32", "bench=one-fault").with(&COUNTING).stepping()?.with(&words).run()?;

    let (mut running, mut last) = (None, Vec::new());
    for line in BufReader::new(File::open(log)?).lines() {
        let Some(address) = executed(&line?) else { continue };
        if address == entry {
            running = Some(Vec::new());
        }
        if (touch..touch + TOUCH_BYTES).contains(&address) {
            last = running.take().unwrap_or(last);
        } else if let Some(running) = &mut running {
            running.push(address);
        }
    }
    if last.is_empty() { Err("no fault in the trace".into()) } else { Ok(last) }
}

/// Reads `Trace 0: 0x… [CS base/EIP/…] …`.
fn executed(line: &str) -> Option<u32> {
    let (_, bracket) = line.strip_prefix("Trace ")?.split_once('[')?;
    u32::from_str_radix(bracket.split('/').nth(1)?, 16).ok()
}

fn symbols(kernel: &Kernel) -> Result<HashMap<String, u32>, Box<dyn Error>> {
    let listing = output(Command::new("nm").arg(kernel.path()))?;
    Ok(listing
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (address, _, name) = (words.next()?, words.next()?, words.next()?);
            Some((name.into(), u32::from_str_radix(address, 16).ok()?))
        })
        .collect())
}

/// Finds the functions that each instruction was inlined into, innermost first.
fn places(kernel: &Kernel, trace: &[u32]) -> Result<HashMap<u32, Vec<CodeLocation>>, Box<dyn Error>> {
    let mut addresses = trace.to_vec();
    addresses.sort_unstable();
    addresses.dedup();
    let mut command = Command::new("addr2line");
    command.args(["--addresses", "--functions", "--inlines", "--demangle", "--exe"]).arg(kernel.path());
    let listing = output(command.args(addresses.iter().map(|address| format!("{address:#x}"))))?;
    let mut places: HashMap<u32, Vec<CodeLocation>> = HashMap::new();
    let (mut lines, mut address) = (listing.lines(), 0);
    while let Some(line) = lines.next() {
        if let Some(digits) = line.strip_prefix("0x") {
            address = u32::from_str_radix(digits, 16)?;
        } else {
            let file = lines.next().unwrap_or_default().split(':').next().unwrap_or_default();
            places.entry(address).or_default().push((line.into(), file.into()));
        }
    }
    match addresses.iter().find(|address| !places.contains_key(address)) {
        Some(address) => Err(format!("addr2line says nothing about {address:#x}").into()),
        None => Ok(places),
    }
}

/// Runs `command` and returns what it prints.
pub fn output(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}: run `make setup`"))?;
    if !output.status.success() {
        return Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage_of(places: &[(&str, &str)], has_frame: bool) -> &'static str {
        let places: Vec<_> = places.iter().map(|(function, file)| ((*function).into(), (*file).into())).collect();
        STAGES[stage(&places, has_frame)]
    }

    #[test]
    fn an_instruction_belongs_to_the_stage_of_its_source() {
        let handle = ("handle_fault", "kernel/src/vm/space.rs");
        assert_eq!(stage_of(&[("page_fault_entry", "??")], false), "entry");
        assert_eq!(stage_of(&[("page_fault_entry", "??")], true), "exit");
        assert_eq!(stage_of(&[("read", "kernel/src/arch/x86/mmu.rs"), handle], false), "look-up");
        assert_eq!(stage_of(&[("get", "kernel/src/frames/pool.rs"), handle], false), "frame");
        assert_eq!(stage_of(&[("back", "kernel/src/paging/table.rs"), handle], true), "map");
        assert_eq!(stage_of(&[("zero", "kernel/src/arch/x86/mmu.rs"), handle], true), "zero");
        assert_eq!(stage_of(&[("record", "kernel/src/events.rs"), handle], true), "event");
        assert_eq!(stage_of(&[("try_lock", "/crates/spin-0.12.3/src/mutex.rs")], false), "lock");
    }

    #[test]
    fn a_line_of_the_trace_names_the_instruction() {
        assert_eq!(executed("Trace 0: 0x7f1c44000100 [00000000/0010a0e0/00000010/ff021000] main"), Some(0x10_A0E0));
        assert_eq!(executed("cpu_reset"), None);
    }
}
