//! The frame pool and a pool of regions, compiled for the host, beside what others wrote for the same work, in one run.
//!
//! What counts are the ratios at the end: times differ from machine to machine.

mod frames;
mod regions;

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use droste::scenarios::Random;
use std::env;
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An allocator of numbered units: frames, or pages.
trait Units {
    /// Takes `count` units in a row.
    fn get(&mut self, count: u32) -> Option<u32>;
    /// Gives back what [`get`](Self::get) returned.
    fn release(&mut self, first: u32, count: u32);
}

/// Who comes first in each comparison.
const OURS: &str = "droste";

/// What is compared, in one group of measurements.
trait Comparison {
    /// What is done, as the group's name: at most 64 characters, which criterion would cut off.
    fn name(&self) -> String;
    /// Measures each allocator that can do it.
    fn measure(&self, group: &mut BenchmarkGroup<'_, WallTime>);
    /// Who can't do it, or only in part, and why.
    fn limits(&self) -> &'static [(&'static str, &'static str)];
}

/// Measures taking `count` units and giving them back.
fn measure_pair(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, units: &mut impl Units, count: u32) {
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let first = units.get(black_box(count)).expect("there is such a run");
            units.release(black_box(first), count);
        });
    });
}

/// Measures traffic: one of `live`, its first unit and how many it has, goes at random, and another comes, of at most `most`
/// units, before each `extra`.
fn measure_traffic<U: Units>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    units: &mut U,
    live: &mut [(u32, u32)],
    most: u32,
    mut extra: impl FnMut(&mut U),
) {
    let mut random = Random::new(1);
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            let one = &mut live[random.below(live.len() as u32) as usize];
            units.release(one.0, one.1);
            let count = 1 + random.below(most);
            *one = (units.get(count).expect("there is room"), count);
            extra(units);
        });
    });
}

/// Prints each median as a multiple of Droste's, from what criterion has left in its directory, and who can't do it.
fn print_ratios(directory: &Path, comparison: &dyn Comparison) -> Result<(), Box<dyn Error>> {
    let mut medians = Vec::new();
    for entry in fs::read_dir(directory.join(comparison.name()))? {
        let file = entry?.path().join("new/estimates.json");
        if let Ok(text) = fs::read_to_string(&file) {
            let estimates: serde_json::Value = serde_json::from_str(&text)?;
            let name = file.ancestors().nth(2).and_then(Path::file_name).unwrap_or_default();
            let median = estimates["median"]["point_estimate"].as_f64().ok_or("no median")?;
            medians.push((name.to_string_lossy().into_owned(), median));
        }
    }
    medians.sort_by(|one, other| one.0.cmp(&other.0));
    let ours = medians.iter().find(|(name, _)| name == OURS).ok_or("Droste's was not measured")?.1;
    println!("  {}", comparison.name());
    for (name, median) in &medians {
        let limit = comparison.limits().iter().find(|(who, _)| who == name).map_or("", |(_, limit)| limit);
        println!("    {name:24} {:>12.2}  {limit}", median / ours);
    }
    for (name, limit) in comparison.limits().iter().filter(|(who, _)| medians.iter().all(|(name, _)| name != who)) {
        println!("    {name:24} {:>12}  {limit}", "-");
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    // Both of these are criterion's own default and way.
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("../target"), PathBuf::from);
    let directory = target.join("criterion");
    let mut criterion = Criterion::default().without_plots().output_directory(&directory).configure_from_args();
    let comparisons: Vec<Box<dyn Comparison>> = frames::comparisons().chain(regions::comparisons()).collect();
    for comparison in &comparisons {
        let mut group = criterion.benchmark_group(comparison.name());
        group.sample_size(20).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(600));
        comparison.measure(&mut group);
        group.finish();
    }
    criterion.final_summary();
    println!("\nMedian times as multiples of Droste's");
    comparisons.iter().try_for_each(|comparison| print_ratios(&directory, comparison.as_ref()))
}
