//! The rows of the tables, from rows.toml: goals, floors, and what others need.

use crate::results::Results;
use serde::Deserialize;

/// The tables.
#[derive(Debug, Deserialize)]
pub struct Rows {
    /// One after the other.
    pub group: Vec<Group>,
    /// Single numbers.
    pub value: Vec<Value>,
}

/// A single number.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Value {
    /// What it is, for people.
    pub what: String,
    /// Its name among the values.
    pub name: String,
    /// What it is divided by.
    #[serde(default = "one")]
    pub per: u64,
    /// It should be at most this.
    pub goal: Option<u64>,
    /// Why the goal is missed, if it is.
    pub reason: Option<String>,
}

/// A table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its heading, which is also its name in the book's markers.
    pub title: String,
    /// Its rows.
    pub row: Vec<Row>,
}

/// A row.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The operation, for people.
    pub what: String,
    /// The name of its figure.
    pub figure: String,
    /// What the figure is divided by.
    #[serde(default = "one")]
    pub per: u64,
    /// The median should be at most this, and the 99th percentile, too, if there is no `tail`.
    pub goal: Option<u64>,
    /// The 99th percentile should be at most this.
    pub tail: Option<u64>,
    /// The mean should be at most this.
    pub mean: Option<u64>,
    /// The maximum should be at most this: for searches, of which each may be the slow one.
    pub max: Option<u64>,
    /// The name of the figure whose median is taken off.
    pub beside: Option<String>,
    /// Why a goal is missed, if one is.
    pub reason: Option<String>,
    /// The name of the floor's figure.
    pub floor: Option<String>,
    /// What others need, as recorded once.
    #[serde(default)]
    pub peers: Vec<Peer>,
}

fn one() -> u64 {
    1
}

/// What another system needs for the same.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Which, and under which conditions.
    pub name: String,
    /// Instructions.
    pub cost: u64,
}

/// The name of the 99th percentile.
pub const TAIL: &str = "p99";

/// What a part of a row's costs should be.
#[derive(Clone, Copy, Debug)]
pub struct Goal {
    /// The name of the part; nothing for the median.
    pub of: &'static str,
    /// It should be at most this.
    pub at_most: f64,
    /// What it is.
    pub cost: f64,
}

impl Goal {
    /// Says whether it is met.
    pub fn is_met(&self) -> bool {
        self.cost <= self.at_most
    }
}

/// A row with its numbers.
pub struct Filled<'a> {
    /// The row.
    pub row: &'a Row,
    /// Median, mean, 99th percentile, maximum, each for one of what is counted.
    pub costs: [f64; 4],
    /// What the floor needs.
    pub floor: Option<f64>,
}

impl Rows {
    /// Reads what was built in.
    ///
    /// # Errors
    ///
    /// Where the file is wrong.
    pub fn read() -> Result<Self, toml::de::Error> {
        toml::from_str(include_str!("../rows.toml"))
    }

    /// Returns the name of something that was measured and has no row, if there is such a thing.
    pub fn missing<'a>(&self, results: &'a Results) -> Option<&'a str> {
        let has_row = |name: &str| self.group.iter().flat_map(|group| &group.row).any(|row| row.figure == name);
        let has_value = |name: &str| self.value.iter().any(|value| value.name == name);
        let figure = results.figures.keys().find(|name| !has_row(name));
        figure.or_else(|| results.values.keys().find(|name| !has_value(name))).map(String::as_str)
    }
}

impl Value {
    /// Returns the value, for one of what is counted, if it was measured.
    pub fn of(&self, results: &Results) -> Option<f64> {
        results.values.get(&self.name).map(|value| *value as f64 / self.per as f64)
    }

    /// Says whether the goal, if there is one, is met.
    pub fn meets_goal(&self, results: &Results) -> bool {
        let (Some(value), Some(goal)) = (self.of(results), self.goal) else {
            return true;
        };
        value <= goal as f64
    }
}

impl Group {
    /// Returns the rows whose figures were measured, with their numbers.
    pub fn filled<'a>(&'a self, results: &'a Results) -> impl Iterator<Item = Filled<'a>> {
        self.row.iter().filter_map(|row| {
            let figure = results.figures.get(&row.figure)?;
            let costs = [figure.median as f64, figure.mean, figure.p99 as f64, figure.max as f64];
            let beside = row.beside.as_ref().and_then(|beside| results.figures.get(beside));
            let beside = beside.map_or(0.0, |beside| beside.median as f64);
            let floor = row.floor.as_ref().and_then(|floor| results.figures.get(floor));
            Some(Filled {
                row,
                costs: costs.map(|cost| (cost - beside) / row.per as f64),
                floor: floor.map(|floor| floor.median as f64),
            })
        })
    }
}

impl Filled<'_> {
    /// Returns the median.
    pub fn median(&self) -> f64 {
        self.costs[0]
    }

    /// Returns the row's goals. Where the median misses its own, the 99th percentile does, too, and needs none.
    pub fn goals(&self) -> impl Iterator<Item = Goal> {
        let Row { goal, mean, tail, max, .. } = self.row;
        let implied = goal.filter(|goal| self.costs[0] <= *goal as f64);
        let parts = [("", *goal), ("mean", *mean), (TAIL, tail.or(implied)), ("max", *max)];
        let with_costs = parts.into_iter().zip(self.costs);
        with_costs.filter_map(|((of, goal), cost)| Some(Goal { of, at_most: goal? as f64, cost }))
    }

    /// Says whether all its goals, if there are any, are met.
    pub fn meets_goal(&self) -> bool {
        self.goals().all(|goal| goal.is_met())
    }
}

/// Writes a number as people read it: groups of three, and one decimal where it matters.
pub fn number(value: f64) -> String {
    let decimals = if value < 100.0 && value.fract().abs() > 0.049 { 1 } else { 0 };
    let digits = format!("{value:.decimals$}");
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::with_figure;

    #[test]
    fn what_was_measured_and_has_no_row_is_named() {
        let rows = Rows::read().expect("rows.toml is right");
        let mut results = with_figure("tick", 1);
        assert_eq!(rows.missing(&results), None);
        results.values.insert("boot".into(), 1);
        assert_eq!(rows.missing(&results), Some("boot"));
        assert_eq!(rows.missing(&with_figure("tock", 1)), Some("tock"));
    }

    #[test]
    fn a_tail_misses_a_goal_that_the_median_meets() {
        let rows = Rows::read().expect("rows.toml is right");
        let mut results = with_figure("frames-release-1-empty", 50);
        let misses =
            |results: &Results| rows.group.iter().flat_map(|group| group.filled(results)).any(|row| !row.meets_goal());
        assert!(!misses(&results));
        results.figures.values_mut().for_each(|figure| figure.p99 = 141);
        assert!(misses(&results));
        // A row without a tail of its own has that of its goal.
        let mut results = with_figure("frames-get-1-empty", 70);
        assert!(!misses(&results));
        results.figures.values_mut().for_each(|figure| figure.p99 = 71);
        assert!(misses(&results));
    }

    #[test]
    fn the_rows_can_be_read_and_no_figure_has_two_alike() {
        let rows = Rows::read().expect("rows.toml is right");
        let rows = rows.group.iter().flat_map(|group| &group.row);
        let mut figures: Vec<_> = rows.map(|row| (&row.figure, &row.beside)).collect();
        let count = figures.len();
        figures.sort();
        figures.dedup();
        assert_eq!(figures.len(), count);
    }

    #[test]
    fn a_price_a_page_is_the_figure_divided() {
        let row = Row {
            what: "x".into(),
            figure: "f".into(),
            per: 4,
            goal: Some(25),
            tail: None,
            mean: None,
            max: None,
            beside: None,
            reason: None,
            floor: None,
            peers: Vec::new(),
        };
        let group = Group { title: "G".into(), row: vec![row] };
        let results = with_figure("f", 101);
        let filled: Vec<_> = group.filled(&results).collect();
        assert_eq!(filled[0].median(), 25.25);
        assert!(!filled[0].meets_goal());
    }

    #[test]
    fn numbers_are_written_in_groups() {
        let values = [0.0, 7.25, 25.0, 1206.4, 154_671_518.0];
        assert_eq!(values.map(number), ["0", "7.2", "25", "1 206", "154 671 518"]);
    }
}
