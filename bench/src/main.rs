//! Measures Droste in an emulator that counts instructions, and compares with goals, floor, peers and baseline.
//!
//! The kernel measures itself (`bench=all` on its command line) and sends records; this program starts the machines,
//! collects ([`results`]), adds what only the outside can see ([`outside`], [`split`]), prints ([`table`]), and judges
//! ([`baseline`]). With the feature `plots` it also writes the book's page of figures.

mod baseline;
#[cfg(feature = "plots")]
mod book;
mod outside;
#[cfg(feature = "plots")]
mod plots;
mod qemu;
mod results;
mod rows;
mod split;
mod table;
mod tools;

use clap::Parser;
use qemu::Kernel;
use results::Results;
use rows::Rows;
use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use tools::Tools;

/// Measures Droste, prints the tables and writes build/results/bench.json.
#[derive(Parser)]
struct Arguments {
    /// The kernel
    #[arg(long, default_value = "build/droste.elf")]
    kernel: PathBuf,
    /// The bootable CD image of it
    #[arg(long, default_value = "build/droste.iso")]
    iso: PathBuf,
    /// Where all results go
    #[arg(long, default_value = "build/results/bench.json")]
    results: PathBuf,
    /// What the results are compared with
    #[arg(long, default_value = "bench/baseline.json")]
    baseline: PathBuf,
    /// Fail if a figure is more than 2 % worse than in the baseline
    #[arg(long)]
    check: bool,
    /// Make the results the new baseline
    #[arg(long)]
    accept: bool,
    /// Write the figures into docs/src/performance.md, and its plots
    #[cfg(feature = "plots")]
    #[arg(long)]
    docs: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, and returns whether the results are as good as they have to be.
fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let rows = Rows::read()?;
    let kernel = Kernel::at(&arguments.kernel)?;
    let mut results = Results::new(Tools::present()?);
    eprintln!("bench: counting every operation in a virtual machine, some ten seconds");
    results.add_records(&kernel.count("bench=all")?)?;
    // In a machine of their own, since modules take frames from where others are counted.
    results.add_records(&kernel.count_programs()?)?;
    eprintln!("bench: following one fault");
    results.split = split::one_fault(&kernel)?;
    outside::add_sizes(&mut results, &kernel)?;
    if let Some(name) = rows.missing(&results) {
        return Err(format!("bench/rows.toml has no row for {name}").into());
    }
    // What follows is not worth its time where only the comparison is asked for.
    if !arguments.check {
        eprintln!("bench: starting machines: the least memory, and wall times; some twenty seconds");
        outside::add(&mut results, &kernel, &arguments.iso)?;
    }
    print!("{}", table::text(&rows, &results));
    if let Some(directory) = arguments.results.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(&arguments.results, serde_json::to_string_pretty(&results)? + "\n")?;
    #[cfg(feature = "plots")]
    if arguments.docs {
        book::write(&rows, &results)?;
    }
    if arguments.accept {
        baseline::accept(&arguments.baseline, &results)?;
    }
    if arguments.check { baseline::check(&arguments.baseline, &results) } else { Ok(true) }
}
