//! Where the kernel's parts lie, by the symbols of its ELF file.

use object::elf::{PF_W, PF_X};
use object::{Object, ObjectSegment, ObjectSymbol, SegmentFlags};
use std::ops::{Range, RangeInclusive};
use std::path::Path;

/// Pages of the image that are not like the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// The page below the stack, which is never present.
    pub stack_guard: u32,
    /// The stack that the kernel boots on, and runs tests on.
    pub stack: Range<u32>,
    /// The pages of code and constants, which are read-only.
    pub read_only: Range<u32>,
    /// Where the kernel stands still: from the start of the function up to where it goes on. QEMU stops behind the write to
    /// the port, at the next instruction or after the jump that follows.
    pub frozen: RangeInclusive<u32>,
    /// Code and constants, as they are loaded: from which address on, and their bytes.
    pub constant: Vec<(u32, Vec<u8>)>,
    /// Where code is.
    pub code: Vec<Range<u32>>,
    /// The first instruction.
    pub entry: u32,
}

impl Image {
    /// Says whether there is code at this address.
    pub fn is_code(&self, address: u32) -> bool {
        self.code.iter().any(|code| code.contains(&address))
    }

    /// Reads the symbols that `linker.ld` defines.
    ///
    /// # Errors
    ///
    /// In words, if the file is none, or a symbol is not there.
    pub fn read(kernel: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(kernel).map_err(|error| format!("{}: {error}", kernel.display()))?;
        let elf = object::File::parse(bytes.as_slice()).map_err(|error| format!("{}: {error}", kernel.display()))?;
        let address = |name: &str| {
            let symbol = elf.symbols().find(|symbol| symbol.name() == Ok(name));
            let symbol = symbol.ok_or_else(|| format!("{} has no symbol {name}", kernel.display()))?;
            Ok::<u32, String>(symbol.address() as u32)
        };
        let page = |name: &str| address(name).map(|address| address >> 12);
        let is_constant = |flags| matches!(flags, SegmentFlags::Elf { p_flags, .. } if p_flags.0 & PF_W.0 == 0);
        let segments = elf.segments().filter(|segment| is_constant(segment.flags()));
        let constant = segments.map(|segment| Ok((segment.address() as u32, segment.data()?.to_vec())));
        let is_code = |flags| matches!(flags, SegmentFlags::Elf { p_flags, .. } if p_flags.0 & PF_X.0 != 0);
        let code = elf.segments().filter(|segment| is_code(segment.flags()));
        Ok(Self {
            stack_guard: page("stack_guard")?,
            stack: address("stack_bottom")?..address("stack_top")?,
            read_only: page("text_start")?..page("rodata_end")?,
            frozen: address("freeze_port")?..=address("frozen")?,
            constant: constant.collect::<object::Result<_>>().map_err(|error| error.to_string())?,
            code: code.map(|segment| segment.address() as u32..(segment.address() + segment.size()) as u32).collect(),
            entry: elf.entry() as u32,
        })
    }
}
