//! All that was measured.

use crate::tools::Tools;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::error::Error;

/// What samples of one operation amount to, in instructions.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Figure {
    /// How many there are.
    pub samples: u64,
    /// The middle one.
    pub median: u64,
    /// Their mean, to the hundredth.
    pub mean: f64,
    /// The one that 99 in 100 don't exceed.
    pub p99: u64,
    /// The worst.
    pub max: u64,
}

/// A point of a curve.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Point {
    /// Where on the axis.
    pub x: u64,
    /// The mean there.
    pub mean: f64,
    /// The worst there.
    pub max: u64,
}

/// All that was measured.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Results {
    /// By which tools.
    pub tools: Tools,
    /// Operations, by name.
    pub figures: BTreeMap<String, Figure>,
    /// Single numbers, by name.
    pub values: BTreeMap<String, u64>,
    /// Curves, by name.
    pub curves: BTreeMap<String, Vec<Point>>,
    /// The instructions of one fault by what they are for, in their order.
    pub split: Vec<(String, u64)>,
    /// What differs from run to run, by name: wall times, and what waits for a drive, which answers in the host's time.
    pub varying: BTreeMap<String, f64>,
    /// Wall times without counting, as multiples of the floor's in the same run. They differ from run to run.
    pub wall_of_floor: BTreeMap<String, f64>,
}

impl Results {
    /// Starts with nothing.
    pub fn new(tools: Tools) -> Self {
        Self {
            tools,
            figures: BTreeMap::new(),
            values: BTreeMap::new(),
            curves: BTreeMap::new(),
            split: Vec::new(),
            varying: BTreeMap::new(),
            wall_of_floor: BTreeMap::new(),
        }
    }

    /// Adds the kernel's records, a line each.
    ///
    /// # Errors
    ///
    /// The first record that isn't one.
    pub fn add_records(&mut self, records: &str) -> Result<(), Box<dyn Error>> {
        for line in records.lines() {
            self.add_record(line).ok_or_else(|| format!("not a record: {line}"))?;
        }
        Ok(())
    }

    fn add_record(&mut self, line: &str) -> Option<()> {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["measure", name, samples, median, mean, p99, max] => {
                let figure = Figure {
                    samples: field(samples, "samples=")?,
                    median: field(median, "median=")?,
                    mean: field(mean, "mean=")?,
                    p99: field(p99, "p99=")?,
                    max: field(max, "max=")?,
                };
                self.figures.insert(name.into(), figure);
            }
            ["value", name, value] => _ = self.values.insert(name.into(), value.parse().ok()?),
            ["point", curve, x, mean, max] => {
                let point = Point { x: x.parse().ok()?, mean: mean.parse().ok()?, max: max.parse().ok()? };
                self.curves.entry(curve.into()).or_default().push(point);
            }
            ["droste", "1"] | ["end", "pass"] => {}
            _ => return None,
        }
        Some(())
    }
}

fn field<T: std::str::FromStr>(word: &str, name: &str) -> Option<T> {
    word.strip_prefix(name)?.parse().ok()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Results with one figure.
    pub fn with_figure(name: &str, median: u64) -> Results {
        let mut results = Results::new(Tools { rustc: "rustc 1".into(), qemu: "qemu 1".into() });
        let figure = Figure { samples: 1, median, mean: median as f64, p99: median, max: median };
        results.figures.insert(name.into(), figure);
        results
    }

    #[test]
    fn the_kernels_records_are_read() {
        let mut results = with_figure("other", 1);
        let records =
            "droste 1\nmeasure a samples=2 median=3 mean=2.50 p99=3 max=4\nvalue b 7\npoint c 1 2.25 9\nend pass\n";
        results.add_records(records).expect("all are records");
        assert_eq!(results.figures["a"], Figure { samples: 2, median: 3, mean: 2.5, p99: 3, max: 4 });
        assert_eq!(results.values["b"], 7);
        assert_eq!(results.curves["c"], [Point { x: 1, mean: 2.25, max: 9 }]);
    }

    #[test]
    fn a_line_that_is_no_record_is_named() {
        for line in ["fail what it was", "measure a samples=2 median=x mean=2.50 p99=3 max=4", ""] {
            let error = with_figure("other", 1).add_records(&format!("{line}\n")).expect_err("it is no record");
            assert_eq!(error.to_string(), format!("not a record: {line}"));
        }
    }
}
