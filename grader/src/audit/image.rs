//! Where the kernel's parts lie, by the symbols of its ELF file.

use object::{Object, ObjectSymbol};
use std::ops::Range;
use std::path::Path;

/// Pages of the image that are not like the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// The page below the stack, which is never present.
    pub stack_guard: u32,
    /// The pages of code and constants, which are read-only.
    pub read_only: Range<u32>,
}

impl Image {
    /// Reads the symbols that `linker.ld` defines.
    ///
    /// # Errors
    ///
    /// In words, if the file or a symbol is not there.
    pub fn read(kernel: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(kernel).map_err(|error| format!("{}: {error}", kernel.display()))?;
        let elf = object::File::parse(bytes.as_slice()).map_err(|error| format!("{}: {error}", kernel.display()))?;
        let page = |name: &str| {
            let symbol = elf.symbols().find(|symbol| symbol.name() == Ok(name));
            let symbol = symbol.ok_or_else(|| format!("{} has no symbol {name}", kernel.display()))?;
            Ok::<u32, String>((symbol.address() >> 12) as u32)
        };
        Ok(Self { stack_guard: page("stack_guard")?, read_only: page("text_start")?..page("rodata_end")? })
    }
}
