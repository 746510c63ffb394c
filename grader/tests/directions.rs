//! Which file imports which: arrows go one way, and only the upper floors know the processor.
//!
//! Decision: docs/src/decisions/0017-floors.md.

mod imports;

use imports::{Arrow, Crate};
use std::path::Path;
use std::{fs, io};

/// What `arch/x86` may import beside itself: the numbers, and the seams that it stands behind.
const BELOW_ARCH: [&str; 8] = ["addr", "boot_info", "frames", "memory_map", "paging", "screen", "symbols", "text"];

/// The only modules of the kernel that may name `arch`.
const ABOVE_ARCH: [&str; 2] = ["arch", "system"];

/// The floors of the kernel from the ground up, as `lib.rs` lists them. `arch/x86/entry` stands on the highest one.
const FLOORS: [&[&str]; 9] = [
    &["addr", "memory_map", "text"],
    &["frames", "events"],
    &["paging"],
    &["vm"],
    &["screen", "boot_info", "symbols", "log_levels", "programs"],
    &["fault", "report"],
    &["scenarios", "terminal", "commands"],
    &["arch"],
    &["system"],
];

fn read(name: &str) -> Crate {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    Crate::read(&root).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Returns the number of the floor on which `module` stands; `None` for the crate's root, which only declares.
fn floor(module: &[String]) -> Option<usize> {
    let is_entry = module.get(..3).is_some_and(|start| start == ["arch", "x86", "entry"]);
    let name = if is_entry { "system" } else { module.first()? };
    Some(FLOORS.iter().position(|floor| floor.contains(&name)).unwrap_or_else(|| panic!("{name} stands on no floor")))
}

/// Returns the arrows from a floor to a higher one.
fn up_a_floor(kernel: &Crate) -> Vec<&Arrow> {
    kernel.arrows().iter().filter(|arrow| floor(&arrow.to) > floor(&arrow.from)).collect()
}

/// Returns the arrows from `arch/x86`, outside its `entry`, to what stands above it.
fn upward(kernel: &Crate) -> Vec<&Arrow> {
    let is_above = |to: &[String]| match to {
        [arch, x86, entry, ..] if arch == "arch" && x86 == "x86" => entry == "entry",
        [first, ..] => first != "arch" && !BELOW_ARCH.contains(&first.as_str()),
        [] => true,
    };
    let inside = |from: &[String]| matches!(from, [arch, rest @ ..] if arch == "arch" && !rest.starts_with(&["x86".into(), "entry".into()]));
    kernel.arrows().iter().filter(|arrow| inside(&arrow.from) && is_above(&arrow.to)).collect()
}

/// Returns the arrows to `arch` from where it may not be named.
fn to_arch(kernel: &Crate) -> Vec<&Arrow> {
    let is_arch = |module: &[String]| module.first().is_some_and(|first| first == "arch");
    let may = |module: &[String]| module.first().is_some_and(|first| ABOVE_ARCH.contains(&first.as_str()));
    kernel.arrows().iter().filter(|arrow| is_arch(&arrow.to) && !may(&arrow.from)).collect()
}

fn demand_none(what: &str, arrows: &[&Arrow]) {
    let lines: Vec<String> = arrows.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "{what}:\n  {}", lines.join("\n  "));
}

#[test]
fn no_file_imports_another_in_a_loop() {
    for name in ["kernel", "grader", "instructor", "bench", "book", "explorer"] {
        // A handout has no instructor's crate.
        if Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).exists() {
            let tree = read(name);
            demand_none(&format!("{name}: these files import each other in a loop"), &tree.a_loop());
        }
    }
}

#[test]
fn no_floor_imports_a_higher_one() {
    demand_none("these files import what stands on a higher floor", &up_a_floor(&read("kernel")));
}

#[test]
fn the_processor_calls_nothing_above_itself() {
    demand_none("arch/x86 imports what stands above it", &upward(&read("kernel")));
}

#[test]
fn only_arch_and_system_name_arch() {
    demand_none("only `arch` and `system` may name `arch`", &to_arch(&read("kernel")));
}

/// A crate made up of files with these paths and texts.
fn made_up(files: &[(&str, &str)]) -> Crate {
    let made = || {
        let directory = tempfile::tempdir()?;
        for (path, text) in files {
            let file = directory.path().join("src").join(path);
            fs::create_dir_all(file.parent().unwrap_or(directory.path()))?;
            fs::write(file, text)?;
        }
        Crate::read(directory.path()).map_err(io::Error::other)
    };
    made().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_loop_is_found_however_it_is_written() {
    let imports = [
        "use crate::b::B;",
        "use super::b::{self, B};",
        "fn f() -> crate::b::B { loop {} }",
        "fn f() { println!(\"{}\", super::b::B); }",
        "mod inner { use super::super::b::B; }",
        "pub use crate::{addr::Addr, b::B};",
    ];
    for import in imports {
        let files =
            [("lib.rs", "mod a; mod b; mod addr;"), ("a.rs", import), ("b.rs", "use crate::a;"), ("addr.rs", "")];
        let tree = made_up(&files);
        let found: Vec<String> = tree.a_loop().iter().map(ToString::to_string).collect();
        assert_eq!(found, ["src/a.rs:1 imports src/b.rs", "src/b.rs:1 imports src/a.rs"], "{import}");
    }
}

#[test]
fn a_directory_and_its_files_are_a_loop_if_these_import_it() {
    let tree = |import| made_up(&[("lib.rs", "mod m;"), ("m/mod.rs", "mod a; pub use a::A;"), ("m/a.rs", import)]);
    assert_eq!(tree("use super::B;").a_loop().len(), 2);
    assert_eq!(tree("#[cfg(test)] mod tests { use super::*; }").a_loop().len(), 0);
}

#[test]
fn a_file_with_many_imports_and_no_loop_passes() {
    let tree = made_up(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::{b::B, c}; use std::fmt;"),
        ("b.rs", "use super::c::{self, C};"),
        ("c.rs", "//! Not [`crate::a`].\nconst TEXT: &str = \"crate::a\";"),
    ]);
    assert_eq!(tree.arrows().len(), 3);
    assert!(tree.a_loop().is_empty());
}

#[test]
fn a_call_upwards_and_a_name_from_outside_are_found() {
    let tree = made_up(&[
        ("lib.rs", "mod addr; mod arch; mod report; mod system;"),
        ("addr.rs", ""),
        ("arch/mod.rs", "mod x86;"),
        ("arch/x86/mod.rs", "mod entry; mod mmu; mod vga;"),
        ("arch/x86/entry.rs", "use crate::system;"),
        ("arch/x86/mmu.rs", "use crate::addr;\n\nuse crate::report;"),
        ("arch/x86/vga.rs", "use crate::arch::x86::{entry, mmu};"),
        ("report.rs", "fn f() { crate::arch::x86::vga::clear() }"),
        ("system.rs", "use crate::arch::x86::mmu;"),
    ]);
    let words = |arrows: Vec<&Arrow>| arrows.iter().map(ToString::to_string).collect::<Vec<_>>();
    let up = ["src/arch/x86/mmu.rs:3 imports src/report.rs", "src/arch/x86/vga.rs:1 imports src/arch/x86/entry.rs"];
    assert_eq!(words(upward(&tree)), up);
    assert_eq!(words(to_arch(&tree)), ["src/report.rs:1 imports src/arch/x86/vga.rs"]);
    let up = ["src/arch/x86/vga.rs:1 imports src/arch/x86/entry.rs", "src/report.rs:1 imports src/arch/x86/vga.rs"];
    assert_eq!(words(up_a_floor(&tree)), up);
}
