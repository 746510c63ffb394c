//! The tools that the measured code was made and run by.

use serde::{Deserialize, Serialize};
use std::env;
use std::error::Error;
use std::process::Command;

/// The program that plays the machine.
pub const QEMU: &str = "qemu-system-i386";

/// What the measured code was made and run by: other ones give other digits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tools {
    /// The compiler and its version.
    pub rustc: String,
    /// The emulator and its version.
    pub qemu: String,
}

impl Tools {
    /// Asks the tools that are here.
    ///
    /// # Errors
    ///
    /// If one is missing.
    pub fn present() -> Result<Self, Box<dyn Error>> {
        Ok(Self { rustc: first_line(&compiler(), "--version")?, qemu: first_line(QEMU, "--version")? })
    }

    /// Says whether `other` give the same digits for the same code: the same compiler, and the same series of the emulator,
    /// such as 7.2, whoever packaged it and whatever was mended since.
    pub fn count_like(&self, other: &Self) -> bool {
        let series = |tools: &Self| tools.qemu.split('.').take(2).map(String::from).collect::<Vec<_>>();
        self.rustc == other.rustc && series(self) == series(other)
    }
}

/// Returns the first line that `program` prints with `argument`.
///
/// # Errors
///
/// If it is missing.
pub fn first_line(program: &str, argument: &str) -> Result<String, Box<dyn Error>> {
    let output = Command::new(program).arg(argument).output();
    let output = output.map_err(|error| format!("{program}: {error}: run `make setup`"))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().into())
}

/// Returns the compiler that cargo uses here.
pub fn compiler() -> String {
    env::var("RUSTC").unwrap_or_else(|_| "rustc".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_packaged_the_emulator_makes_no_difference() {
        let tools = |rustc: &str, qemu: &str| Tools { rustc: rustc.into(), qemu: qemu.into() };
        let ours = tools("rustc 1.95.0", "QEMU emulator version 7.2.22 (Debian 1:7.2+b3)");
        assert!(ours.count_like(&tools("rustc 1.95.0", "QEMU emulator version 7.2.22 (Debian 1:7.2+b4)")));
        assert!(ours.count_like(&tools("rustc 1.95.0", "QEMU emulator version 7.2.23 (Debian 1:7.2+b5)")));
        assert!(!ours.count_like(&tools("rustc 1.95.0", "QEMU emulator version 8.2.22")));
        assert!(!ours.count_like(&tools("rustc 1.96.0", "QEMU emulator version 7.2.22")));
    }
}
