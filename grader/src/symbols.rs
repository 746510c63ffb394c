//! From addresses to the kernel's functions and lines, by the debug information of its ELF file.

use addr2line::Loader;
use std::cell::OnceCell;
use std::fmt;
use std::path::{Path, PathBuf};

/// The symbols of a kernel, as far as it has any. They are read when they are first asked for.
pub struct Symbols {
    kernel: PathBuf,
    loader: OnceCell<Option<Loader>>,
}

/// Where an instruction is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CodeLocation {
    /// Its address.
    pub address: u32,
    /// The function that it was compiled into, or its address if there is no knowing.
    pub function: String,
    /// File and line of what it was written as, if known.
    pub line: Option<String>,
}

impl fmt::Display for CodeLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.address)?;
        if !self.function.starts_with("0x") {
            write!(f, " in {}", self.function)?;
        }
        self.line.as_ref().map_or(Ok(()), |line| write!(f, " at {line}"))
    }
}

impl Symbols {
    /// Returns the symbols of `kernel`. Without any, places are addresses.
    pub fn read(kernel: &Path) -> Self {
        Self { kernel: kernel.into(), loader: OnceCell::new() }
    }

    fn loader(&self) -> Option<&Loader> {
        self.loader.get_or_init(|| Loader::new(&self.kernel).ok()).as_ref()
    }

    /// Returns where `address` is.
    pub fn place(&self, address: u32) -> CodeLocation {
        let symbol = self.loader().and_then(|loader| loader.find_symbol(u64::from(address)));
        let function = symbol.map_or_else(|| format!("{address:#010x}"), demangled);
        CodeLocation { address, function, line: self.line(address) }
    }

    fn line(&self, address: u32) -> Option<String> {
        let location = self.loader()?.find_location(u64::from(address)).ok()??;
        Some(format!("{}:{}", shortened(location.file?), location.line?))
    }
}

impl fmt::Debug for Symbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Symbols({})", self.kernel.display())
    }
}

fn demangled(symbol: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(symbol))
}

/// Returns the part of a path that is in the project, or in the library that it came with.
fn shortened(file: &str) -> &str {
    ["kernel/src/", "library/", "boot/"].iter().find_map(|part| file.find(part)).map_or(file, |start| &file[start..])
}
