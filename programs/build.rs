//! Tells the linker where a program lies.

fn main() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/link.ld");
    println!("cargo::rerun-if-changed={script}");
    for argument in ["-m", "elf_i386", "--build-id=none", "--no-eh-frame-hdr", "-z", "norelro", "-T", script] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}
