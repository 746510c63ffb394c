//! What made results: recorded with them, so that they can be made again and disputed.

use crate::qemu::QEMU;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What results were made with, by name.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Provenance(pub BTreeMap<&'static str, String>);

impl Provenance {
    /// Asks the tools for their versions, git for the commit of the tree at `root`, and takes the hash of the hidden tests of
    /// `overlay`. What does not answer is left out.
    pub fn gather(root: &Path, overlay: Option<&Path>) -> Self {
        let first_line = |program: &str, words: &[&str]| {
            let output = Command::new(program).args(words).current_dir(root).output().ok()?;
            let said = String::from_utf8_lossy(&output.stdout).lines().next().map(String::from);
            said.filter(|_| output.status.success())
        };
        let changed = || first_line("git", &["status", "--porcelain", "--untracked-files=no"]).is_some();
        // A tree that was packed has no history, but a note of where it comes from.
        let commit = if root.join(".git").exists() {
            first_line("git", &["rev-parse", "HEAD"])
                .map(|commit| commit + if changed() { ", and changes" } else { "" })
        } else {
            fs::read_to_string(root.join(COMMIT)).ok()
        };
        let known = [
            ("commit", commit),
            ("qemu", first_line(QEMU, &["--version"])),
            ("rustc", first_line("sh", &["-c", RUSTC_VERSION])),
            ("hidden_tests", overlay.and_then(|overlay| hash(overlay).ok())),
        ];
        Self(known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
    }
}

/// Where a tree without a history of its own has the commit that it was made from.
pub const COMMIT: &str = ".commit";

/// Asks the compiler that builds the kernel, not another one.
const RUSTC_VERSION: &str = "eval \"export $(scripts/toolchain)\" && \"${RUSTC:-${CARGO%/*}/rustc}\" --version";

/// Returns the SHA-256 of the files in `directory`: of their names and contents, in the order of the names.
fn hash(directory: &Path) -> io::Result<String> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    files.retain(|file| file.is_file());
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let content = fs::read(&file)?;
        hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update([0]);
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(content);
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_hidden_tests_is_that_of_their_names_and_contents() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (a, b) = (directory.path().join("a.rs"), directory.path().join("b.rs"));
        let hash = || hash(directory.path()).expect("it is there");
        fs::write(&a, "1").expect("written");
        let first = hash();
        assert_eq!((first.len(), &first), (64, &hash()));
        fs::write(&a, "2").expect("written");
        assert_ne!(first, hash());
        fs::write(&a, "1").expect("written");
        fs::rename(&a, &b).expect("renamed");
        assert_ne!(first, hash());
    }

    #[test]
    fn the_tools_that_are_here_are_named() {
        let Provenance(known) = Provenance::gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), None);
        assert!(known.get("rustc").is_some_and(|rustc| rustc.starts_with("rustc 1.")), "{known:?}");
        assert!(!known.contains_key("hidden_tests"));
    }
}
