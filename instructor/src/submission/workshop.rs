//! The workshop: a submission built behind a wall, and whose fault it is if that fails.

use crate::confinement::{Confinement, Wall};
use crate::handout::{Handout, Part};
use crate::kernel::{Build, Builder, Built};
use crate::plain;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Where submissions are built.
pub(super) struct Workshop<'a> {
    pub root: &'a Path,
    pub handout: &'a Handout,
    pub lab: Option<u32>,
    pub workplace: &'a Path,
    pub wall: Wall,
    pub stop: &'a AtomicBool,
}

impl Workshop<'_> {
    /// Builds the kernel of `tree` with the hidden tests of `overlay`. Returns why the submission doesn't compile, if it is
    /// the submission's fault.
    ///
    /// # Errors
    ///
    /// If it fails for any other reason.
    pub fn build(&self, tree: &Path, overlay: Option<&Path>) -> Result<Option<String>, Box<dyn Error>> {
        // First without hidden tests: no source that is compiled beside them has been able to read them.
        if overlay.is_some()
            && let Some(words) = self.fault(self.with(tree, None, Build::Check)?)?
        {
            return Ok(Some(words));
        }
        let built = self.with(tree, overlay, Build::Full)?;
        if let (Built::Errors(words), Some(_)) = (&built, overlay)
            && self.with(tree, None, Build::Full)? == Built::Kernel
        {
            return Err(
                format!("the hidden tests do not compile with this submission:\n{}", plain::plain(words)).into()
            );
        }
        self.fault(built)
    }

    /// Says what is the submission's fault in what came of its build, if anything is.
    fn fault(&self, built: Built) -> Result<Option<String>, Box<dyn Error>> {
        let (words, how) = match built {
            Built::Kernel => return Ok(None),
            Built::Errors(words) => (words, Build::Check),
            Built::OverLimit(words) => (words, Build::Full),
            Built::Failed(said) => {
                let said = plain::plain(&said);
                return Err(format!(
                    "the build failed, and not for an error in the source, so nothing is graded:\n{said}"
                )
                .into());
            }
        };
        // Only if what was handed out builds here and now.
        let untouched = self.workplace.join("handout");
        self.handout.make(self.root, &untouched, Part::new(self.lab))?;
        match self.with(&untouched, None, how)? {
            Built::Kernel => Ok(Some(words)),
            Built::Errors(said) | Built::OverLimit(said) | Built::Failed(said) => {
                let said = plain::plain(&said);
                Err(format!("what is handed out does not build either, so nothing is graded:\n{said}").into())
            }
        }
    }

    /// Builds the kernel of `tree`, confined to it.
    fn with(&self, tree: &Path, overlay: Option<&Path>, how: Build) -> io::Result<Built> {
        let target = self.workplace.join("target");
        // Cargo reads its configuration in all directories above, too.
        let configurations: Vec<PathBuf> = tree.ancestors().map(|above| above.join(".cargo/config.toml")).collect();
        let reads: Vec<&Path> =
            [tree].into_iter().chain(overlay).chain(configurations.iter().map(AsRef::as_ref)).collect();
        // Cargo leaves out of its lock what the handout leaves out of the tree.
        let writes = [&tree.join("build"), &tree.join("Cargo.lock"), &target];
        let confinement = Confinement::new(self.wall, &reads, &writes.map(PathBuf::as_path));
        Builder { target: &target, how, overlay, confinement: Some(&confinement), stop: self.stop }.build(tree)
    }
}
