//! The processor's registers, as QEMU's monitor prints them.

use std::fmt;

/// The registers that matter here, and all of them as text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registers {
    /// The general registers, EIP, flags and control registers, as QEMU prints them.
    pub text: String,
    /// The instruction pointer.
    pub eip: u32,
    /// The frame pointer.
    pub ebp: u32,
    /// The flags.
    pub eflags: u32,
    /// Whether the processor waits for an interrupt.
    pub halted: bool,
    /// CR0: paging and write protection.
    pub cr0: u32,
    /// CR2: where the last page fault was.
    pub cr2: u32,
    /// CR3: where the directory is.
    pub cr3: u32,
    /// CR4: large pages and the like.
    pub cr4: u32,
}

const INTERRUPTS_ON: u32 = 1 << 9;
const PAGING: u32 = 1 << 31;

impl Registers {
    /// Reads what `info registers` prints.
    pub fn read(text: &str) -> Option<Self> {
        let hex = |name: &str| number_after(text, name);
        let kept = |line: &&str| ["EAX", "ESI", "EIP", "CS ", "SS ", "CR0"].iter().any(|name| line.starts_with(name));
        Some(Self {
            text: text.lines().filter(kept).collect::<Vec<_>>().join("\n"),
            eip: hex("EIP=")?,
            ebp: hex("EBP=")?,
            eflags: hex("EFL=")?,
            halted: hex("HLT=")? == 1,
            cr0: hex("CR0=")?,
            cr2: hex("CR2=")?,
            cr3: hex("CR3=")?,
            cr4: hex("CR4=")?,
        })
    }

    /// Says whether nothing can ever wake the processor but a reset.
    pub fn halted_for_good(&self) -> bool {
        self.halted && self.eflags & INTERRUPTS_ON == 0
    }

    /// Says whether addresses are translated.
    pub fn paging(&self) -> bool {
        self.cr0 & PAGING != 0
    }
}

impl fmt::Display for Registers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Returns the hexadecimal number that follows `name` in `text`.
pub fn number_after(text: &str, name: &str) -> Option<u32> {
    let (_, rest) = text.split_once(name)?;
    let digits = rest.split(|c: char| !c.is_ascii_hexdigit()).next()?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\nCPU#0\nEAX=2badb002 EBX=00009500 ECX=0010000c EDX=00000511\n\
        ESI=00000000 EDI=00f00f00 EBP=00000020 ESP=00006f08\n\
        EIP=0010000e EFL=00000006 [-----P-] CPL=0 II=0 A20=1 SMM=0 HLT=1\n\
        ES =0010 00000000 ffffffff 00cf9300 DPL=0 DS   [-WA]\n\
        CR0=80010011 CR2=00400000 CR3=00401000 CR4=00000010\nEFER=0000000000000000\n";

    #[test]
    fn registers_are_read() {
        let registers = Registers::read(TEXT).expect("all there");
        assert_eq!(
            (registers.eip, registers.ebp, registers.cr2, registers.cr3),
            (0x10_000E, 0x20, 0x40_0000, 0x40_1000)
        );
        assert!(registers.halted_for_good() && registers.paging());
        assert_eq!(registers.to_string().lines().count(), 4);
    }

    #[test]
    fn text_without_registers_has_none() {
        assert_eq!(Registers::read("EIP=zz"), None);
    }
}
