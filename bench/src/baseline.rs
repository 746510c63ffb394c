//! The baseline: results that were accepted once, and the judgement whether new ones are as good.

use crate::results::{Figure, Results};
use crate::tools::Tools;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

/// What may be lost, as a part of what was needed before.
const TOLERANCE: f64 = 0.02;

/// Values that are not measured where only the comparison is asked for.
const NOT_COMPARED: [&str; 2] = ["iso-bytes", "least-memory-KiB"];

/// What is kept of results: nothing that differs from run to run.
#[derive(PartialEq, Debug, Serialize, Deserialize)]
struct Baseline {
    tools: Tools,
    figures: BTreeMap<String, Figure>,
    values: BTreeMap<String, u64>,
}

/// Makes `results` the baseline.
///
/// # Errors
///
/// If the file cannot be written.
pub fn accept(file: &Path, results: &Results) -> Result<(), Box<dyn Error>> {
    let Results { tools, figures, mut values, .. } = results.clone();
    values.retain(|name, _| !NOT_COMPARED.contains(&name.as_str()));
    let baseline = Baseline { tools, figures, values };
    fs::write(file, serde_json::to_string_pretty(&baseline)? + "\n")?;
    println!("\nThese are the new baseline, {}", file.display());
    Ok(())
}

/// Compares `results` with the baseline, says what is worse, and returns whether nothing is. What other tools counted cannot
/// be compared, so it does not pass.
///
/// # Errors
///
/// If there is no baseline.
pub fn check(file: &Path, results: &Results) -> Result<bool, Box<dyn Error>> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let baseline: Baseline = serde_json::from_str(&text)?;
    if !baseline.tools.count_like(&results.tools) {
        let line = |tools: &Tools| format!("{}; {}", tools.rustc, tools.qemu);
        println!("\nNot compared: other tools count other instructions.");
        println!("  the baseline's: {}\n  these:          {}", line(&baseline.tools), line(&results.tools));
        println!("  To compare what you change: make bench ACCEPT=1 before, make bench CHECK=1 after.");
        return Ok(false);
    }
    let mut worse = worse(&baseline.figures, &results.figures);
    worse.extend(larger(&baseline.values, &results.values));
    let compared = baseline.figures.len() + baseline.values.len();
    println!("\nCompared with the baseline: {compared} figures, {} worse", worse.len());
    worse.iter().for_each(|line| println!("! {line}"));
    Ok(worse.is_empty())
}

/// Returns a line for each figure that is worse than it was, or gone.
fn worse(before: &BTreeMap<String, Figure>, now: &BTreeMap<String, Figure>) -> Vec<String> {
    let mut worse = Vec::new();
    for (name, before) in before {
        let Some(now) = now.get(name) else {
            worse.push(format!("{name}: was not measured"));
            continue;
        };
        let pairs = [
            ("median", before.median as f64, now.median as f64),
            ("mean", before.mean, now.mean),
            ("p99", before.p99 as f64, now.p99 as f64),
            ("max", before.max as f64, now.max as f64),
        ];
        worse.extend(pairs.iter().filter_map(|(part, before, now)| lost(&format!("{name}: {part}"), *before, *now)));
    }
    worse
}

/// Returns a line for each value that is larger than it was, or gone.
fn larger(before: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>) -> Vec<String> {
    let compared = before.iter().filter_map(|(name, before)| match now.get(name) {
        Some(now) => lost(name, *before as f64, *now as f64),
        None => Some(format!("{name}: was not measured")),
    });
    compared.collect()
}

/// Says so if `now` is more than is tolerated.
fn lost(name: &str, before: f64, now: f64) -> Option<String> {
    let more = || format!("{name} {now} instead of {before}, {:.1} % more", 100.0 * (now / before - 1.0));
    (now > before * (1.0 + TOLERANCE)).then(more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::with_figure;
    use crate::rows::Rows;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_is_compared_and_everything_compared_has_a_row() {
        let baseline: Baseline = serde_json::from_str(include_str!("../baseline.json")).expect("it is a baseline");
        let rows = Rows::read().expect("rows.toml is right");
        let figures: BTreeSet<_> = rows.group.iter().flat_map(|group| &group.row).map(|row| &row.figure).collect();
        assert_eq!(figures, baseline.figures.keys().collect());
        let values: BTreeSet<_> = rows.value.iter().map(|value| value.name.as_str()).collect();
        let compared = baseline.values.keys().map(String::as_str);
        assert_eq!(values, compared.chain(NOT_COMPARED).collect());
    }

    fn compare(before: u64, now: u64) -> usize {
        worse(&with_figure("f", before).figures, &with_figure("f", now).figures).len()
    }

    #[test]
    fn two_per_cent_are_tolerated_and_three_are_not() {
        assert_eq!(compare(1000, 1020), 0);
        // Median, mean, p99 and maximum.
        assert_eq!(compare(1000, 1030), 4);
    }

    #[test]
    fn a_maximum_alone_is_worse_and_so_is_a_value() {
        let before = with_figure("f", 1000).figures;
        let mut now = before.clone();
        now.get_mut("f").expect("it was put there").max = 400_000;
        assert_eq!(worse(&before, &now), ["f: max 400000 instead of 1000, 39900.0 % more"]);
        let values = |boot: u64| BTreeMap::from([("boot-ready".into(), boot)]);
        assert!(larger(&values(7_000_000), &values(7_100_000)).is_empty());
        assert_eq!(larger(&values(7_000_000), &values(11_000_000)).len(), 1);
        assert_eq!(larger(&values(7_000_000), &BTreeMap::new()), ["boot-ready: was not measured"]);
    }

    #[test]
    fn what_is_better_is_not_worse() {
        assert_eq!(compare(1000, 10), 0);
    }

    #[test]
    fn a_figure_that_is_gone_is_worse_and_a_new_one_is_not() {
        let [one, other] = ["one", "other"].map(|name| with_figure(name, 1).figures);
        assert_eq!(worse(&one, &other), ["one: was not measured"]);
        assert!(worse(&BTreeMap::new(), &other).is_empty());
    }

    #[test]
    fn an_accepted_result_passes_and_what_other_tools_counted_does_not() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("baseline.json");
        assert!(check(&file, &with_figure("f", 100)).is_err());
        accept(&file, &with_figure("f", 100)).expect("it can be written");
        assert!(check(&file, &with_figure("f", 100)).expect("it can be read"));
        assert!(!check(&file, &with_figure("f", 103)).expect("it can be read"));
        let mut by_others = with_figure("f", 100);
        by_others.tools.rustc.push('2');
        assert!(!check(&file, &by_others).expect("it can be read"));
    }
}
