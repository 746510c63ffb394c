//! Trees of files: what belongs to the project, copied to where it can be changed.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a build leaves behind; never part of a tree.
pub const BUILT: [&str; 3] = ["target", "build", ".git"];

/// How deep directories of a submission are looked into, and how many files and directories are looked at.
const DEEPEST: usize = 8;
const MOST: usize = 1000;

/// Returns the files of the project at `root`, relative to it: those that git knows or would know, all but what a build
/// leaves behind where there is no git.
///
/// # Errors
///
/// If the tree cannot be read.
pub fn files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if root.join(".git").exists() {
        let words = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let output = Command::new("git").arg("-C").arg(root).args(words).output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let names = String::from_utf8_lossy(&output.stdout).into_owned();
        found.extend(names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from));
        // A file may be deleted, and git not told yet.
        found.retain(|file| is_file(&root.join(file)));
    } else {
        walk(root, Path::new(""), &mut found)?;
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Says whether `path` is a file, and no link to one.
pub fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// Returns the files in the directory `inside` of `root`, relative to `root`, without trust in either: of what is nested
/// deeper than [`DEEPEST`] the directory stands for its files, what cannot be read is left out, as are links, and after
/// [`MOST`] it ends.
pub fn below(root: &Path, inside: &Path) -> Vec<PathBuf> {
    let (mut found, mut left) = (Vec::new(), vec![(inside.to_owned(), 0)]);
    while let Some((directory, depth)) = left.pop() {
        let whole = root.join(&directory);
        let is_directory = fs::symlink_metadata(&whole).is_ok_and(|metadata| metadata.is_dir());
        let Some(entries) = is_directory.then(|| fs::read_dir(whole).ok()).flatten() else { continue };
        for entry in entries.flatten().take(MOST.saturating_sub(found.len() + left.len())) {
            let path = directory.join(entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < DEEPEST => left.push((path, depth + 1)),
                Ok(kind) if kind.is_dir() || kind.is_file() => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

fn walk(root: &Path, inside: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(inside))? {
        let entry = entry?;
        let path = inside.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() && !BUILT.iter().any(|name| path == Path::new(name)) {
            walk(root, &path, found)?;
        } else if kind.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

/// Makes `to` a copy of the project at `from`, without what `leave_out` names: files, or directories with all in them.
/// What was in `to` is gone, but for what a build left behind there.
///
/// # Errors
///
/// If something cannot be read or written.
pub fn copy(from: &Path, to: &Path, leave_out: &[String]) -> io::Result<()> {
    let to_copy: Vec<PathBuf> =
        files(from)?.into_iter().filter(|file| !leave_out.iter().any(|name| file.starts_with(name))).collect();
    clear(to)?;
    for file in to_copy {
        let target = to.join(&file);
        fs::create_dir_all(target.parent().unwrap_or(to))?;
        fs::copy(from.join(&file), target)?;
    }
    Ok(())
}

/// Makes the directory `workplace` and claims it for as long as the returned file is kept: two that build in the same place
/// would build a mixture. Waits for whoever has it.
///
/// # Errors
///
/// If it cannot be made or claimed.
pub fn claim(workplace: &Path) -> io::Result<File> {
    fs::create_dir_all(workplace)?;
    let file = File::create(workplace.join("lock"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            eprintln!("waiting for another that works in {}", workplace.display());
            file.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(file)
}

/// Writes a file so that whoever reads it meanwhile sees the old one or the new one.
///
/// # Errors
///
/// If it cannot be written.
pub fn replace(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(&new, file)
}

fn clear(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if BUILT.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) }?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_what_belongs_to_the_project_and_replaces_what_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        for file in ["kept/a", "kept/build/b", "left/c", "build/d"] {
            let file = from.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "text").unwrap();
        }
        for file in ["old", "build"] {
            fs::create_dir_all(to.join(file)).unwrap();
        }
        copy(&from, &to, &["left".into()]).unwrap();
        assert_eq!(files(&to).unwrap(), [PathBuf::from("kept/a"), PathBuf::from("kept/build/b")]);
        assert!(!to.join("old").exists() && to.join("build").exists());
    }

    #[test]
    fn neither_depth_nor_number_of_a_submissions_files_ends_the_look_at_them() {
        let directory = tempfile::tempdir().unwrap();
        let deep = PathBuf::from("in/".to_owned() + &"d/".repeat(900));
        fs::create_dir_all(directory.path().join(&deep)).unwrap();
        assert_eq!(
            below(directory.path(), Path::new("in")),
            [PathBuf::from("in/".to_owned() + &"d/".repeat(DEEPEST + 1))]
        );
        for number in 0..MOST + 10 {
            fs::write(directory.path().join(format!("in/{number}")), "").unwrap();
        }
        assert!(below(directory.path(), Path::new("in")).len() <= MOST);
        assert!(below(directory.path(), Path::new("none")).is_empty());
    }
}
