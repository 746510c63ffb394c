//! Preflight: what a run needs of the system. What is missing there is never held against the kernel.

use crate::qemu::QEMU;
use rustix::fs::statvfs;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A loader looks for the Multiboot header in so many bytes (Multiboot specification, section 3.1).
const SEARCHED: u64 = 8192;

/// What the header starts with.
const MULTIBOOT: u32 = 0x1BAD_B002;

/// The first bytes of a 32-bit ELF file for machines of this byte order.
const ELF32: [u8; 6] = *b"\x7FELF\x01\x01";

/// Less free space than this is none: machines are about to write.
const LEAST_SPACE: u64 = 1 << 20;

/// Says what is missing to run `kernel`, and how to get it.
pub fn missing(kernel: &Path) -> Option<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &str| std::env::split_paths(&path).any(|directory| directory.join(program).is_file());
    if let Some(program) = [QEMU, "setpriv"].into_iter().find(|program| !is_there(program)) {
        return Some(format!("{program} is missing: run `make setup`"));
    }
    unbootable(kernel)
}

/// Says why QEMU will not boot `kernel`.
fn unbootable(kernel: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let name = kernel.display();
    match File::open(kernel).and_then(|file| file.take(SEARCHED).read_to_end(&mut bytes)) {
        Err(error) => Some(format!("{name}: {error}: run `make build`")),
        Ok(_) if !bytes.starts_with(&ELF32) => Some(format!("{name} is no 32-bit ELF file: run `make build`")),
        Ok(_) if !has_header(&bytes) => Some(format!(
            "{name} has no Multiboot header in its first {SEARCHED} bytes: see boot/multiboot.s, linker.ld"
        )),
        Ok(_) => None,
    }
}

/// Says whether a word of `bytes` starts a header: magic number, flags and checksum, whose sum is 0.
fn has_header(bytes: &[u8]) -> bool {
    let (words, _) = bytes.as_chunks();
    let words: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
    let is_header =
        |header: &[u32]| header[0] == MULTIBOOT && header.iter().fold(0, |sum: u32, word| sum.wrapping_add(*word)) == 0;
    words.windows(3).any(is_header)
}

/// Says so if there is no room for files in `directory`: what a machine left there may have been cut off.
pub fn full(directory: &Path) -> Option<String> {
    let system = statvfs(directory).ok()?;
    let free = system.f_bavail.saturating_mul(system.f_frsize);
    (free < LEAST_SPACE).then(|| {
        format!("no space is left in {}, where machines have their files: TMPDIR says where", directory.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_no_kernel_is_told_from_what_lacks_a_header() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("kernel.elf");
        assert!(unbootable(&file).is_some_and(|words| words.contains("No such file")));
        let header = |checksum: u32| [MULTIBOOT, 3, checksum].map(u32::to_le_bytes).concat();
        let good = header(0_u32.wrapping_sub(MULTIBOOT + 3));
        let elf = |start: usize, header: &[u8]| [&ELF32, vec![0; start - ELF32.len()].as_slice(), header].concat();
        for (bytes, words) in [
            (b"no kernel at all".to_vec(), Some("is no 32-bit ELF file")),
            (elf(64, &header(0)), Some("has no Multiboot header")),
            (elf(66, &good), Some("has no Multiboot header")),
            (elf(8192, &good), Some("has no Multiboot header")),
            (elf(8180, &good), None),
        ] {
            fs::write(&file, bytes).expect("written");
            let seen = unbootable(&file);
            assert!(
                seen.as_deref().map(|seen| words.is_some_and(|words| seen.contains(words))) != Some(false),
                "{seen:?}"
            );
            assert_eq!(seen.is_some(), words.is_some());
        }
    }

    #[test]
    fn a_place_with_room_is_not_full() {
        assert_eq!(full(&std::env::temp_dir()), None);
    }
}
