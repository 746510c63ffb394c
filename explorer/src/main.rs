//! Makes one file of the page: the wasm, the code that loads it, and the page's own modules and style.
//!
//! `explorer WASM PAGE OUTPUT [RECORDING]`: the compiled library, the directory of the page, the file to be written, and the
//! recording that it is to play. With `EMULATOR KERNEL` after it, the recording says where the kernel keeps what is drawn,
//! and the page boots that kernel in the emulator, v86, whose package is the directory EMULATOR.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};
use wasm_bindgen_cli_support::Bindgen;

/// What wasm-bindgen's two files are called.
const NAME: &str = "droste";

/// Returns the JavaScript that loads the library, and the library as it is loaded.
fn bind(wasm: &Path) -> Result<(String, Vec<u8>), Box<dyn Error>> {
    let mut output = Bindgen::new()
        .input_path(wasm)
        .out_name(NAME)
        .web(true)
        .and_then(|bindgen| bindgen.typescript(false).generate_output())
        .map_err(|error| format!("{error:#}"))?;
    Ok((output.js().to_owned(), output.wasm_mut().emit_wasm()))
}

/// Returns the page's modules, by the names that they import each other by.
fn modules(page: &Path) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let mut files: Vec<PathBuf> = fs::read_dir(page)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "js"));
    files.sort();
    let name = |file: &Path| file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    files.iter().map(|file| Ok((name(file), fs::read_to_string(file)?))).collect()
}

/// Makes an import map in which each module is its own address: the page needs no other file, and no server.
fn import_map(modules: &[(String, String)]) -> String {
    let mut map = String::new();
    for (name, source) in modules {
        let comma = if map.is_empty() { "" } else { "," };
        // Writing to a string never fails.
        let _ = write!(map, "{comma}\n\"{name}\":\"data:text/javascript;base64,{}\"", BASE64_STANDARD.encode(source));
    }
    format!("{{\"imports\":{{{map}}}}}")
}

fn pack(wasm: &Path, page: &Path, more: &[PathBuf]) -> Result<String, Box<dyn Error>> {
    let (loader, wasm) = bind(wasm)?;
    let mut modules = modules(page)?;
    modules.push((NAME.to_owned(), loader));
    let (mut emulator, mut kernel) = (String::new(), String::new());
    if let [_, package, elf] = more {
        let build = package.join("build");
        modules.push(("v86".to_owned(), fs::read_to_string(build.join("libv86.mjs"))?));
        emulator = BASE64_STANDARD.encode(fs::read(build.join("v86.wasm"))?);
        kernel = BASE64_STANDARD.encode(fs::read(elf)?);
    }
    let parts = [
        ("/* style */", fs::read_to_string(page.join("style.css"))?),
        ("/* modules */", import_map(&modules)),
        ("/* wasm */", BASE64_STANDARD.encode(wasm)),
        // No word of the machine's may end the element.
        ("/* emulator */", emulator),
        ("/* kernel */", kernel),
        (
            "/* recording */",
            more.first().map(fs::read_to_string).transpose()?.unwrap_or_default().replace('<', "\\u003c"),
        ),
    ];
    let mut html = fs::read_to_string(page.join("index.html"))?;
    for (place, part) in parts {
        if html.matches(place).count() != 1 {
            return Err(format!("index.html has to have one {place}").into());
        }
        html = html.replace(place, &part);
    }
    Ok(html)
}

fn run() -> Result<(), Box<dyn Error>> {
    let words: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [wasm, page, output, more @ ..] = words.as_slice() else {
        return Err("usage: explorer WASM PAGE OUTPUT [RECORDING [EMULATOR KERNEL]]".into());
    };
    let html = pack(wasm, page, more)?;
    fs::write(output, &html).map_err(|error| format!("{}: {error}", output.display()))?;
    println!("{}: {} KiB, complete in itself", output.display(), html.len().div_ceil(1024));
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("explorer: {error}");
            ExitCode::FAILURE
        }
    }
}
