//! A zip that was submitted, unpacked without trust in it.
//!
//! Only plain files come out, only below the directory that is named, and only so much of them: what a zip says of its own
//! sizes counts for nothing.

use crate::plain;
use crate::tree;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;

/// The longest zip that is looked into, in MiB. Gradescope takes none that is longer.
const LONGEST: u64 = 100;

/// How much is unpacked, in MiB. The project's own files are a tenth of it.
const UNPACKED: u64 = 64;

/// How many files are unpacked.
const MOST: usize = 10_000;

/// What macOS puts beside the files of a zip.
const OF_MACOS: &str = "__MACOSX";

/// Unpacks `zip` into the directory `to`, which it empties first. What a build leaves behind stays packed. Returns what is
/// wrong with the zip, in words, if something is; then not everything was unpacked.
///
/// # Errors
///
/// If it fails for another reason than the zip.
pub fn unpack(zip: &Path, to: &Path) -> io::Result<Result<(), String>> {
    match fs::remove_dir_all(to) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => fs::create_dir_all(to)?,
    }
    let file = File::open(zip)?;
    if file.metadata()?.len() > LONGEST << 20 {
        return Ok(Err(format!("the zip is longer than {LONGEST} MiB: leave out what builds leave behind")));
    }
    let mut archive = match ZipArchive::new(file) {
        Ok(archive) => archive,
        Err(error) => return wrong(error, "it is neither a directory nor a zip"),
    };
    let (mut left, mut files) = (UNPACKED << 20, 0);
    for index in 0..archive.len() {
        let entry = match archive.by_index(index) {
            Ok(entry) => entry,
            Err(error) => return wrong(error, &format!("file {index} of the zip cannot be unpacked")),
        };
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        let told = plain::name(&name);
        let Some(path) = entry.enclosed_name() else {
            return Ok(Err(format!("{told}: its path leaves the zip")));
        };
        // The tree may have a directory around it.
        let mut first = path.components().take(2).map(|component| component.as_os_str());
        if entry.is_dir() || first.any(|part| part == OF_MACOS || tree::BUILT.iter().any(|built| part == *built)) {
            continue;
        }
        if !entry.is_file() || entry.is_symlink() {
            return Ok(Err(format!("{told}: not a plain file")));
        }
        files += 1;
        let mut bytes = Vec::new();
        if let Err(error) = entry.take(left + 1).read_to_end(&mut bytes) {
            return wrong(ZipError::Io(error), &format!("{told}: cannot be unpacked"));
        }
        if bytes.len() as u64 > left || files > MOST {
            return Ok(Err(format!("{told}: with it the zip has more than {UNPACKED} MiB or {MOST} files")));
        }
        left -= bytes.len() as u64;
        if let Err(error) = put(&to.join(path), &bytes) {
            return wrong(ZipError::Io(error), &format!("{told}: no file can have this name here"));
        }
    }
    Ok(Ok(()))
}

/// Writes a file, in directories that are made for it.
fn put(file: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(file, bytes)
}

/// Tells what is the zip's fault, in `words`, from what is the system's.
fn wrong(error: ZipError, words: &str) -> io::Result<Result<(), String>> {
    match error {
        ZipError::Io(error) if !IN_THE_ZIP.contains(&error.kind()) => Err(error),
        error => Ok(Err(format!("{words}: {}", plain::name(error.to_string())))),
    }
}

/// Failures to read and write that come from what is in a zip: that it ends too early or says nonsense, and names that are
/// too long or are of a file and a directory both.
const IN_THE_ZIP: [ErrorKind; 8] = [
    ErrorKind::AlreadyExists,
    ErrorKind::InvalidData,
    ErrorKind::InvalidFilename,
    ErrorKind::InvalidInput,
    ErrorKind::IsADirectory,
    ErrorKind::NotADirectory,
    ErrorKind::Other,
    ErrorKind::UnexpectedEof,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, SeekFrom, Write};
    use std::path::PathBuf;
    use zip::write::{SimpleFileOptions, ZipWriter};

    /// Makes a zip of what `fill` adds, and unpacks it. Returns what was said, and where it was unpacked.
    fn unpacked(fill: impl FnOnce(&mut ZipWriter<File>)) -> (tempfile::TempDir, Result<(), String>, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let (zip, to) = (directory.path().join("submission.zip"), directory.path().join("in/unpacked"));
        let mut writer = ZipWriter::new(File::create(&zip).unwrap());
        fill(&mut writer);
        writer.finish().unwrap();
        let said = unpack(&zip, &to).unwrap();
        (directory, said, to)
    }

    fn add(writer: &mut ZipWriter<File>, name: &str, bytes: &[u8]) {
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }

    #[test]
    fn plain_files_come_out_and_what_builds_leave_behind_does_not() {
        let (_directory, said, to) = unpacked(|zip| {
            add(zip, "droste/kernel/src/vm/pool.rs", b"// theirs\n");
            add(zip, "droste\\kernel\\src\\vm\\space.rs", b"// packed on Windows\n");
            for left in ["droste/target/a", "build/a", "droste/.git/config", "__MACOSX/droste/._kernel"] {
                add(zip, left, b"");
            }
            zip.add_symlink("droste/target/link", "/etc", SimpleFileOptions::default()).unwrap();
        });
        assert_eq!(said, Ok(()));
        let files = ["droste/kernel/src/vm/pool.rs", "droste/kernel/src/vm/space.rs"].map(PathBuf::from);
        assert_eq!(tree::below(&to, Path::new("")), files);
        assert_eq!(fs::read(to.join(&files[0])).unwrap(), b"// theirs\n");
    }

    #[test]
    fn nothing_comes_out_beside_the_directory() {
        for name in ["../outside", "a/../../outside", "..\\outside"] {
            let (directory, said, _) = unpacked(|zip| add(zip, name, b"outside"));
            assert!(said.unwrap_err().ends_with("its path leaves the zip"), "{name}");
            assert!(!directory.path().join("in/outside").exists() && !directory.path().join("outside").exists());
        }
        let (_directory, said, to) = unpacked(|zip| add(zip, "/absolute", b"inside"));
        assert_eq!((said, fs::read(to.join("absolute")).unwrap()), (Ok(()), b"inside".into()));
    }

    #[test]
    fn a_link_is_no_plain_file() {
        let (_directory, said, to) =
            unpacked(|zip| zip.add_symlink("kernel", "/etc", SimpleFileOptions::default()).unwrap());
        assert_eq!(said, Err("kernel: not a plain file".into()));
        assert!(fs::symlink_metadata(to.join("kernel")).is_err());
    }

    #[test]
    fn a_bomb_ends_at_the_limit_whatever_it_says_of_its_size() {
        let zeros = vec![0; 1 << 20];
        let bomb = |zip: &mut ZipWriter<File>| {
            add(zip, "small", b"small");
            zip.start_file("bomb", SimpleFileOptions::default()).unwrap();
            (0..2 * UNPACKED).for_each(|_| zip.write_all(&zeros).unwrap());
        };
        let (directory, said, to) = unpacked(bomb);
        assert_eq!(said, Err("bomb: with it the zip has more than 64 MiB or 10000 files".into()));
        assert!(to.join("small").exists() && !to.join("bomb").exists());

        // The sizes of the second file in the central directory, made small.
        let zip = directory.path().join("submission.zip");
        let bytes = fs::read(&zip).unwrap();
        let header = bytes.windows(4).rposition(|four| four == b"PK\x01\x02").unwrap();
        let mut file = File::options().write(true).open(&zip).unwrap();
        file.seek(SeekFrom::Start(header as u64 + 24)).unwrap();
        file.write_all(&[5, 0, 0, 0]).unwrap();
        assert!(unpack(&zip, &to).unwrap().is_err());
        assert!(!to.join("bomb").exists());
    }

    #[test]
    fn a_zip_of_very_many_files_ends_at_the_limit() {
        let (_directory, said, _) = unpacked(|zip| (0..=MOST).for_each(|number| add(zip, &number.to_string(), b"")));
        assert_eq!(said, Err("10000: with it the zip has more than 64 MiB or 10000 files".into()));
    }

    #[test]
    fn what_is_no_zip_or_half_of_one_says_so() {
        let (directory, _, to) = unpacked(|zip| add(zip, "file", &[1; 1000]));
        let zip = directory.path().join("submission.zip");
        let whole = fs::read(&zip).unwrap();
        let mut damaged = whole.clone();
        damaged[40] ^= 0xFF;
        for (bytes, words) in [
            (&b"a text"[..], "it is neither a directory nor a zip: "),
            (&whole[..whole.len() / 2], "it is neither a directory nor a zip: "),
            (&damaged, "file: cannot be unpacked: "),
        ] {
            fs::write(&zip, bytes).unwrap();
            let said = unpack(&zip, &to).unwrap().unwrap_err();
            assert!(said.starts_with(words), "{said}");
        }
        assert!(unpack(&directory.path().join("none"), &to).is_err());
    }

    #[test]
    fn names_that_no_file_can_have_are_the_zips_fault() {
        let long = "n".repeat(300);
        for names in [vec![long.as_str()], vec!["a", "a/b"], vec!["a/b", "a"]] {
            let (_directory, said, _) = unpacked(|zip| names.iter().for_each(|name| add(zip, name, b"")));
            assert!(said.unwrap_err().contains("no file can have this name here"), "{names:?}");
        }
    }
}
