//! QEMU's own log, of exceptions and of the code that is run: what really happened, whatever the kernel says.

use super::registers::number_after;
use std::fmt;

/// What is logged of exceptions and interrupts, as `-d` takes it.
pub const EXCEPTIONS: &str = "int,cpu_reset";

/// What is logged of code, as `-d` takes it: where each block of instructions lies, when it is translated to be run for the
/// first time, and each write to a page from which something was translated.
pub const CODE: &str = "trace:translate_block,trace:memory_notdirty_write_access";

const PAGE_FAULT: u32 = 14;
const DOUBLE_FAULT: u32 = 8;

/// An exception or interrupt that the processor delivered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Its vector.
    pub vector: u32,
    /// Its error code, or 0.
    pub error: u32,
    /// Where the interrupted instruction is.
    pub eip: u32,
    /// Where the page fault was, if it was one.
    pub address: Option<u32>,
    /// The general registers at that moment, as QEMU prints them.
    registers: String,
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", name(self.vector))?;
        if let Some(address) = self.address {
            write!(f, " at {address:#010x}")?;
        }
        write!(f, " (error code {:#x}) by the instruction at {:#010x}", self.error, self.eip)
    }
}

/// Returns the short name of an exception.
fn name(vector: u32) -> String {
    const NAMES: [&str; 20] = [
        "#DE",
        "#DB",
        "NMI",
        "#BP",
        "#OF",
        "#BR",
        "#UD",
        "#NM",
        "#DF",
        "vector 9",
        "#TS",
        "#NP",
        "#SS",
        "#GP",
        "#PF",
        "vector 15",
        "#MF",
        "#AC",
        "#MC",
        "#XM",
    ];
    NAMES.get(vector as usize).map_or_else(|| format!("vector {vector:#x}"), |&name| name.into())
}

/// Reads everything that the processor delivered, in order.
pub fn deliveries(log: &str) -> Vec<Delivery> {
    let mut found: Vec<Delivery> = Vec::new();
    for line in log.lines() {
        if let Some((_, rest)) = line.split_once(": v=") {
            let hex = |name| number_after(rest, name);
            let vector = rest.get(..2).and_then(|digits| u32::from_str_radix(digits, 16).ok());
            let (Some(vector), Some(error), Some(eip)) = (vector, hex("e="), hex(" pc=")) else { continue };
            let address = hex("CR2=").filter(|_| vector == PAGE_FAULT);
            found.push(Delivery { vector, error, eip, address, registers: String::new() });
        } else if (line.starts_with("EAX=") || line.starts_with("ESI="))
            && let Some(last) = found.last_mut()
        {
            last.registers += line;
        }
    }
    found
}

/// Returns the address of each page fault in `log`, in order.
///
/// Only what the processor raised counts: QEMU says so in the line before. An `int` instruction or a device can deliver the
/// same vector.
pub fn page_faults(log: &str) -> Vec<u32> {
    let raised = |line: &str| line.starts_with("check_exception") && line.trim_end().ends_with("new 0xe");
    let lines = log.lines().zip(log.lines().skip(1));
    let faults = lines.filter(|(before, line)| raised(before) && line.contains(": v=0e "));
    faults.filter_map(|(_, line)| number_after(line, "CR2=")).collect()
}

/// Returns the address of each block of instructions that was run since the one at `entry`, that one first.
pub fn code_run(log: &str, entry: u32) -> impl Iterator<Item = u32> {
    let blocks = log.lines().filter(|line| line.starts_with("translate_block "));
    blocks.filter_map(|line| number_after(line, "pc:0x")).skip_while(move |&address| address != entry)
}

/// Returns the physical address of each write to a page of code, since the instruction at `entry` was run.
pub fn code_written(log: &str, entry: u32) -> impl Iterator<Item = u32> {
    let at_entry = format!(", pc:{entry:#x},");
    let lines = log.lines().skip_while(move |line| !line.contains(&at_entry));
    lines.filter_map(|line| number_after(line.strip_prefix("memory_notdirty_write_access ")?, "ram_addr 0x"))
}

/// Returns the exceptions that led to a triple fault, oldest first, in words; `None` if there was none.
pub fn triple_fault(log: &str) -> Option<Vec<String>> {
    let (before, _) = log.rsplit_once("Triple fault")?;
    let all = deliveries(before);
    // Each comes up while the one before it is being delivered, so at the same instruction.
    let same = all.iter().rev().take_while(|one| Some(one.eip) == all.last().map(|last| last.eip)).take(LONGEST_CHAIN);
    let mut chain: Vec<String> = same.map(Delivery::to_string).collect();
    chain.reverse();
    let refused = before.lines().rev().find(|line| line.starts_with("check_exception"));
    let vector = refused.and_then(|line| number_after(line, "new 0x"));
    chain.extend(vector.map(|vector| format!("{}, with {} not yet delivered", name(vector), name(DOUBLE_FAULT))));
    Some(chain)
}

/// How many exceptions that led to a triple fault are told.
const LONGEST_CHAIN: usize = 4;

/// How many page faults in a row, all the same, are a loop.
const LOOP: usize = 20;

/// Returns the fault that comes again and again with nothing done in between, if `log` has only that one, and how often.
///
/// All registers are the same each time, so that a program that faults at one address in many rounds is none.
pub fn fault_loop(log: &str) -> Option<(Delivery, usize)> {
    let all = deliveries(log);
    // The first may have been logged in part; ticks of the timer come in between.
    let mut faults = all.into_iter().filter(|delivery| delivery.vector == PAGE_FAULT).skip(1);
    let first = faults.next()?;
    let mut count = 1;
    for fault in faults {
        // The last may have been cut off.
        if fault != first && !fault.registers.is_empty() {
            return None;
        }
        count += 1;
    }
    (count >= LOOP).then_some((first, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIPLE: &str = "Servicing hardware INT=0x08\n\
        check_exception old: 0xffffffff new 0xe\n\
        \x20    1: v=0e e=0002 i=0 cpl=0 IP=0008:00100013 pc=00100013 SP=0010:00006f08 CR2=00500000\n\
        EAX=2badb002 EBX=00009500 ECX=0010000c EDX=00000511\n\
        check_exception old: 0xe new 0xd\n\
        \x20    2: v=08 e=0000 i=0 cpl=0 IP=0008:00100013 pc=00100013 SP=0010:00006f08 env->regs[R_EAX]=2badb002\n\
        check_exception old: 0x8 new 0xd\nTriple fault\n";

    fn fault(eax: u32) -> String {
        format!(
            "     7: v=0e e=0002 i=0 cpl=0 IP=0008:00100020 pc=00100020 SP=0010:00006f08 CR2=00500000\n\
             EAX={eax:08x} EBX=00000000 ECX=00000000 EDX=00000000\nESI=00000000 EDI=00000000\n"
        )
    }

    #[test]
    fn the_chain_to_a_triple_fault_is_told_in_order() {
        let chain = triple_fault(TRIPLE).expect("there is one");
        assert_eq!(
            chain,
            [
                "#PF at 0x00500000 (error code 0x2) by the instruction at 0x00100013",
                "#DF (error code 0x0) by the instruction at 0x00100013",
                "#GP, with #DF not yet delivered"
            ]
        );
        assert_eq!(triple_fault("CPU Reset (CPU 0)\n"), None);
    }

    #[test]
    fn only_what_the_processor_raised_is_a_page_fault() {
        assert_eq!(page_faults(TRIPLE), [0x50_0000]);
        let by_instruction = "     1: v=0e e=0000 i=1 cpl=0 IP=0008:00100013 pc=00100013 CR2=00500000\n";
        let by_a_device = format!("Servicing hardware INT=0x0e\n{}", by_instruction.replace("i=1", "i=0"));
        assert_eq!(page_faults(&format!("{by_instruction}{by_a_device}{TRIPLE}")), [0x50_0000]);
    }

    #[test]
    fn code_is_looked_at_from_the_kernels_entry_on() {
        let log = "memory_notdirty_write_access 0x100008 ram_addr 0x100008 size 4\n\
            translate_block tb:0x7f0000000040, pc:0xfe05b, tb_code:0x7f0000000100\n\
            translate_block tb:0x7f0000000180, pc:0x10021b, tb_code:0x7f0000000240\n\
            memory_notdirty_write_access 0x40100008 ram_addr 0x100004 size 4\n\
            translate_block tb:0x7f0000000340, pc:0x100137, tb_code:0x7f0000000400\n";
        assert_eq!(code_run(log, 0x10_021B).collect::<Vec<_>>(), [0x10_021B, 0x10_0137]);
        assert_eq!(code_written(log, 0x10_021B).collect::<Vec<_>>(), [0x10_0004]);
        assert_eq!(code_run(log, 0x10_021C).count() + code_written(log, 0x10_021C).count(), 0);
    }

    #[test]
    fn the_same_fault_again_and_again_is_a_loop() {
        let (fault_again, count) = fault_loop(&fault(1).repeat(30)).expect("a loop");
        assert_eq!((fault_again.address, count), (Some(0x50_0000), 29));
        assert_eq!(fault_loop(&fault(1).repeat(10)), None);
    }

    #[test]
    fn faults_at_one_address_with_work_in_between_are_no_loop() {
        let rounds: String = (0..30).map(fault).collect();
        assert_eq!(fault_loop(&rounds), None);
    }
}
