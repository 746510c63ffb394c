//! Hidden tests: compiles the Rust files of the directory that `OVERLAY` names into the kernel, as further scenarios.
//! Without it there are none. docs/src/grading.md says what such a file looks like.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=OVERLAY");
    let mut files = Vec::new();
    if let Some(overlay) = env::var_os("OVERLAY").filter(|overlay| !overlay.is_empty()) {
        // As make was told, from the root of the project.
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(&overlay);
        files = rust_files(&directory).map_err(|error| format!("OVERLAY={}: {error}", overlay.display()))?;
        println!("cargo::rerun-if-changed={}", directory.display());
    }
    let mut source = String::new();
    let mut calls = String::new();
    for (number, file) in files.iter().enumerate() {
        // Writing to a string never fails.
        let _ = writeln!(source, "#[path = {file:?}]\nmod file{number};");
        let _ = writeln!(calls, "        .chain(file{number}::all())");
    }
    let _ = write!(
        source,
        "pub fn all<M: super::Machine>() -> impl Iterator<Item = super::Scenario<M>> {{\n    core::iter::empty()\n{calls}}}\n"
    );
    let out = env::var_os("OUT_DIR").map(PathBuf::from).ok_or("cargo sets OUT_DIR")?;
    Ok(fs::write(out.join("overlay.rs"), source)?)
}

fn rust_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let all = fs::read_dir(directory.canonicalize()?)?.map(|entry| Ok(entry?.path()));
    let mut files = all.collect::<io::Result<Vec<PathBuf>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    Ok(files)
}
