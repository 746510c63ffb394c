//! The book's page of figures: its tables, rewritten between markers, and its plots.

use crate::plots;
use crate::results::Results;
use crate::rows::{Filled, Goal, Group, Rows, TAIL, number};
use crate::table::{goals_met, last_of_first, misses};
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::Path;

const PAGE: &str = "docs/src/performance.md";
const PLOTS: &str = "docs/src/plots";

/// Writes `results` into the page and draws the plots.
///
/// # Errors
///
/// If a file cannot be written, or a marker is missing.
pub fn write(rows: &Rows, results: &Results) -> Result<(), Box<dyn Error>> {
    let mut page = fs::read_to_string(PAGE)?;
    for group in &rows.group {
        page = replaced(&page, &group.title, &table(group, results))?;
    }
    page = replaced(&page, "goals", &goals(rows, results)?)?;
    page = replaced(&page, "values", &values(rows, results))?;
    page = replaced(&page, "varying", &varying(results))?;
    fs::write(PAGE, page)?;
    plots::draw(Path::new(PLOTS), results)
}

/// Returns `page` with what lies between the two markers called `name` replaced.
fn replaced(page: &str, name: &str, text: &str) -> Result<String, Box<dyn Error>> {
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
    let missing = || format!("{PAGE}: the markers of {name} are missing");
    let (before, rest) = page.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(format!("{before}{begin}\n{text}\n{end}{after}"))
}

fn table(group: &Group, results: &Results) -> String {
    let filled: Vec<_> = group.filled(results).collect();
    let has = |column: &dyn Fn(&Filled<'_>) -> bool| filled.iter().any(column);
    let has_goals = has(&|row| row.row.goal.is_some());
    let has_floor = has(&|row| row.floor.is_some());
    let has_peers = has(&|row| !row.row.peers.is_empty());
    let mut heading = vec!["operation", "median", "mean", "p99", "max"];
    heading.extend(has_goals.then_some("goal"));
    heading.extend(has_floor.then_some("× floor"));
    heading.extend(has_peers.then_some("others, as recorded"));
    let mut out = line(&heading.iter().map(|word| (*word).into()).collect::<Vec<_>>());
    let rule =
        |word: &&str| String::from(if ["operation", "others, as recorded"].contains(word) { "---" } else { "--:" });
    out += &line(&heading.iter().map(rule).collect::<Vec<_>>());
    for row in filled {
        let mut cells = vec![row.row.what.clone()];
        cells.extend(row.costs.map(number));
        if has_goals {
            cells.push(goal(&row));
        }
        if has_floor {
            cells.push(row.floor.map(|floor| format!("{:.2}", row.median() / floor)).unwrap_or_default());
        }
        if has_peers {
            let peer = |peer: &crate::rows::Peer| {
                let cost = peer.cost as f64;
                format!("{}: {} ({}×)", peer.name, number(cost), multiple(cost / row.median()))
            };
            cells.push(row.row.peers.iter().map(peer).collect::<Vec<_>>().join("; "));
        }
        out += &line(&cells);
    }
    out
}

/// Writes how many times ours another's cost is.
fn multiple(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.1}") } else { number(ratio.round()) }
}

fn goal(row: &Filled<'_>) -> String {
    // That the goal for the median is met by the 99th percentile, too, goes without saying.
    let shown = row.goals().filter(|goal| goal.of != TAIL || row.row.tail.is_some() || !goal.is_met());
    let part = |goal: Goal| {
        let text = format!("≤ {} {}", number(goal.at_most), goal.of);
        let text = text.trim_end();
        if goal.is_met() { text.into() } else { format!("**{text}: {}×**", excess(goal.cost / goal.at_most)) }
    };
    shown.map(part).collect::<Vec<_>>().join(", ")
}

/// Writes how many times the goal something is.
fn excess(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.2}") } else { number(ratio.round()) }
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// Says how many goals are met, and of each that isn't, by how much and why.
fn goals(rows: &Rows, results: &Results) -> Result<String, Box<dyn Error>> {
    let mut out = goals_met(rows, results);
    if let Some(ratio) = last_of_first(results) {
        write!(out, " The fault that takes the last frame costs {ratio:.3} of the one that takes the first.")?;
    }
    let tools = &results.tools;
    writeln!(out, " Counted by {}; the kernel was made by {}.\n", tools.qemu, tools.rustc)?;
    misses(rows, results).iter().try_for_each(|miss| writeln!(out, "- {miss}"))?;
    Ok(out)
}

fn values(rows: &Rows, results: &Results) -> String {
    let head =
        line(&["what".into(), "value".into(), "goal".into()]) + &line(&["---".into(), "--:".into(), "--:".into()]);
    rows.value.iter().fold(head, |out, value| {
        let goal = value.goal.map(|goal| format!("≤ {}", number(goal as f64))).unwrap_or_default();
        let goal = if value.meets_goal(results) { goal } else { format!("**{goal}**") };
        out + &line(&[value.what.clone(), value.of(results).map_or("?".into(), number), goal])
    })
}

fn varying(results: &Results) -> String {
    let head = line(&["what".into(), "value".into()]) + &line(&["---".into(), "--:".into()]);
    results.varying.iter().fold(head, |out, (name, value)| out + &line(&[name.clone(), format!("{value:.0}")]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_the_markers_changes() {
        let page = "a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n";
        let new = replaced(page, "x", "new\n").expect("the markers are there");
        assert_eq!(new, "a\n<!-- begin x -->\n\nnew\n\n<!-- end x -->\nb\n");
        assert_eq!(replaced(&new, "x", "new\n").expect("the markers are there"), new);
        assert!(replaced(page, "y", "new").is_err());
    }
}
