//! Virtual machines that run the kernel and hand out what it says on the control channel.

use crate::tools::{QEMU, first_line};
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Makes the time-stamp counter count instructions.
pub const COUNTING: [&str; 2] = ["-icount", "shift=0,sleep=off"];

/// Seconds after which a machine has failed.
const LIMIT: &str = "300";

/// QEMU's exit status when the kernel says that all is well.
const SUCCESS: i32 = 33;

/// The kernel's ELF file.
pub struct Kernel {
    directory: PathBuf,
    file: String,
}

impl Kernel {
    /// Takes the kernel at `path`.
    ///
    /// # Errors
    ///
    /// If there is no such file.
    pub fn at(path: &Path) -> Result<Self, Box<dyn Error>> {
        let missing = || format!("{} is missing: run `make build`", path.display());
        let full = path.canonicalize().map_err(|_| missing())?;
        let (Some(directory), Some(file)) = (full.parent(), full.file_name()) else {
            return Err(missing().into());
        };
        Ok(Self { directory: directory.into(), file: file.to_string_lossy().into_owned() })
    }

    /// Returns where it is.
    pub fn path(&self) -> PathBuf {
        self.directory.join(&self.file)
    }

    /// Returns the machine that boots it without a boot loader. It is named without its directory, which is part of the
    /// command line that the kernel sees: the same digits wherever the project lies.
    pub fn machine(&self, memory: &str, words: &str) -> Machine {
        Machine::new(memory).with(&["-kernel", &self.file, "-append", words]).within(&self.directory)
    }

    /// Runs it with `words` on its command line, counting instructions, and returns its records.
    ///
    /// # Errors
    ///
    /// If it does not end well.
    pub fn count(&self, words: &str) -> Result<String, Box<dyn Error>> {
        Ok(self.machine("32", words).with(&COUNTING).run()?.0)
    }
}

impl Kernel {
    /// Does what [`count`](Self::count) does for programs, which are modules. Returns the records about them alone.
    ///
    /// # Errors
    ///
    /// As there, or if there are none.
    pub fn count_programs(&self) -> Result<String, Box<dyn Error>> {
        let files = std::fs::read_dir(self.directory.join("programs"))?.collect::<Result<Vec<_>, _>>()?;
        let mut names: Vec<String> =
            files.iter().map(|file| format!("programs/{}", file.file_name().to_string_lossy())).collect();
        names.sort();
        let machine = self.machine("32", "bench=programs").with(&["-initrd", &names.join(",")]);
        let (records, _) = machine.with(&COUNTING).run()?;
        // What is said of the boot, and of the whole, belongs to the machine without modules.
        let own = records.lines().filter(|line| line.starts_with("measure program-"));
        Ok(own.fold(String::new(), |records, line| records + line + "\n"))
    }
}

/// When something was heard of a machine, from its start on.
pub struct Times {
    /// The first record.
    pub first: Duration,
    /// The last.
    pub last: Duration,
}

/// A machine that can be started.
pub struct Machine {
    words: Vec<String>,
    accelerator: &'static str,
    directory: PathBuf,
}

impl Machine {
    /// Makes the reference machine with `memory`, which takes a kernel or a CD yet. ACPI is off because its tables would
    /// take frames from the end of memory.
    pub fn new(memory: &str) -> Self {
        let words = [
            ["-machine", "pc,acpi=off"],
            ["-m", memory],
            ["-display", "none"],
            ["-serial", "null"],
            ["-serial", "stdio"],
            ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
        ];
        Self { words: Vec::new(), accelerator: "tcg", directory: ".".into() }
            .with(words.as_flattened())
            .with(&["-nodefaults", "-no-reboot"])
    }

    /// Adds words of QEMU's.
    pub fn with(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|word| String::from(*word)));
        self
    }

    /// Makes the machine translate one instruction at a time, so that a trace shows each.
    ///
    /// # Errors
    ///
    /// If QEMU is missing.
    pub fn stepping(mut self) -> Result<Self, Box<dyn Error>> {
        if is_since_8_1(&first_line(QEMU, "--version")?) {
            self.accelerator = "tcg,one-insn-per-tb=on";
            Ok(self)
        } else {
            Ok(self.with(&["-singlestep"]))
        }
    }

    fn within(mut self, directory: &Path) -> Self {
        self.directory = directory.into();
        self
    }

    /// Runs the machine and returns its records, and when they came.
    ///
    /// # Errors
    ///
    /// If it does not end well.
    pub fn run(self) -> Result<(String, Times), Box<dyn Error>> {
        let mut command = Command::new("timeout");
        command.args(["--foreground", LIMIT, QEMU, "-accel", self.accelerator]).args(&self.words);
        command.current_dir(self.directory).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn().map_err(|error| format!("timeout: {error}"))?;
        let (mut records, mut times) = (String::new(), Vec::new());
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).lines() {
                times.push(started.elapsed());
                records += line?.trim_end();
                records.push('\n');
            }
        }
        let output = child.wait_with_output()?;
        if output.status.code() != Some(SUCCESS) {
            let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            let last = records.lines().last().unwrap_or("nothing");
            return Err(format!("{}; last record: {last}; {complaint}\n  {command:?}", output.status).into());
        }
        let at = |index: Option<&Duration>| index.copied().unwrap_or_default();
        Ok((records, Times { first: at(times.first()), last: at(times.last()) }))
    }

    /// Runs the machine and says whether it ends well.
    pub fn succeeds(self) -> bool {
        self.run().is_ok()
    }
}

/// Says whether QEMU, which names its version like this, is new enough to have a property for single steps.
fn is_since_8_1(version: &str) -> bool {
    let digits = version.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let mut numbers = digits.split(|letter: char| !letter.is_ascii_digit()).map(str::parse);
    let mut next = || numbers.next().and_then(Result::ok).unwrap_or(0);
    (next(), next()) >= (8, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qemus_version_is_read() {
        assert!(!is_since_8_1("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)"));
        assert!(is_since_8_1("QEMU emulator version 8.1.0"));
        assert!(is_since_8_1("QEMU emulator version 10.0.2"));
    }
}
