//! From addresses to the kernel's functions and lines, by the debug information of its ELF file.

use addr2line::Loader;
use object::{Object, ObjectSymbol};
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
        CodeLocation { address, function: self.function(address), line: self.line(address) }
    }

    /// Returns the function that `address` is in, or the address if there is no knowing. Lines, which take a hundred times as
    /// long to find, are left alone.
    pub fn function(&self, address: u32) -> String {
        let symbol = self.loader().and_then(|loader| loader.find_symbol(u64::from(address)));
        symbol.map_or_else(|| format!("{address:#010x}"), demangled)
    }

    /// Returns where the variable whose path ends with `name` is, if the kernel has one.
    pub fn variable(&self, name: &str) -> Option<u32> {
        let bytes = std::fs::read(&self.kernel).ok()?;
        let elf = object::File::parse(bytes.as_slice()).ok()?;
        let variable =
            elf.symbols().find(|symbol| symbol.name().is_ok_and(|mangled| demangled(mangled).ends_with(name)));
        variable.and_then(|symbol| u32::try_from(symbol.address()).ok())
    }

    /// Returns the innermost line that is the project's: what a library was compiled into is of more use than the library.
    fn line(&self, address: u32) -> Option<String> {
        let mut frames = self.loader()?.find_frames(u64::from(address)).ok()?;
        let mut innermost = None;
        while let Some(frame) = frames.next().ok()? {
            let location = frame.location.and_then(|location| Some((shortened(location.file?), location.line?)));
            let Some((file, line)) = location else { continue };
            let line = format!("{file}:{line}");
            if OURS.iter().any(|part| file.starts_with(part)) {
                return Some(line);
            }
            innermost.get_or_insert(line);
        }
        innermost
    }
}

impl fmt::Debug for Symbols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Symbols({})", self.kernel.display())
    }
}

/// Where the project's own lines are.
const OURS: [&str; 2] = ["kernel/src/", "boot/"];

fn demangled(symbol: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(symbol))
}

/// Returns the part of a path that is in the project, or in the library that it came with.
fn shortened(file: &str) -> &str {
    OURS.iter().chain(&["library/"]).find_map(|part| file.find(part)).map_or(file, |start| &file[start..])
}
