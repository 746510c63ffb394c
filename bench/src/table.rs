//! The tables on a terminal.

use crate::results::Results;
use crate::rows::{Filled, Rows, number};
use std::fmt::Write;

/// Returns everything that was measured, as tables.
pub fn text(rows: &Rows, results: &Results) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_all(&mut out, rows, results);
    out
}

fn write_all(out: &mut String, rows: &Rows, results: &Results) -> std::fmt::Result {
    writeln!(out, "Guest instructions, counted by {}; made by {}.", results.tools.qemu, results.tools.rustc)?;
    writeln!(
        out,
        "Goals are for the median and the 99th percentile. What others need was recorded once, by the same method."
    )?;
    for group in &rows.group {
        writeln!(
            out,
            "\n{:52} {:>9} {:>11} {:>9} {:>9} {:>7} {:>6} {:>7} {:>6}  others, as recorded",
            group.title, "median", "mean", "p99", "max", "goal", "of it", "floor", "of it"
        )?;
        for filled in group.filled(results) {
            writeln!(out, "{}", line(&filled).trim_end())?;
        }
    }
    writeln!(out, "\n{}", goals_met(rows, results))?;
    misses(rows, results).iter().try_for_each(|miss| writeln!(out, "! {miss}"))?;
    write_growth(out, results)?;
    write_split(out, results)?;
    if !results.values.is_empty() {
        writeln!(out, "\nValues")?;
        for value in &rows.value {
            let mark = if value.meets_goal(results) { ' ' } else { '!' };
            if let Some(cost) = value.of(results) {
                writeln!(out, "{mark} {:70} {:>12}", value.what, number(cost))?;
            }
        }
    }
    if !results.varying.is_empty() {
        writeln!(out, "\nOf this run, on this machine: these differ from run to run and are never checked")?;
        for (name, value) in &results.varying {
            writeln!(out, "  {name:50} {value:>9.0}")?;
        }
        for (name, multiple) in &results.wall_of_floor {
            writeln!(out, "  {name:50} {multiple:>9.1} times the floor's wall time")?;
        }
    }
    Ok(())
}

fn line(filled: &Filled<'_>) -> String {
    let row = filled.row;
    let [median, mean, p99, max] = filled.costs;
    let ratio = |to: f64| format!("{:.2}", median / to);
    let goal = row.goal.map(|goal| [number(goal as f64), ratio(goal as f64)]).unwrap_or_default();
    let floor = filled.floor.map(|floor| [number(floor), ratio(floor)]).unwrap_or_default();
    let peers: Vec<_> = row.peers.iter().map(|peer| format!("{}: {}", peer.name, number(peer.cost as f64))).collect();
    format!(
        "{} {:50} {:>9} {:>11.2} {:>9} {:>9} {:>7} {:>6} {:>7} {:>6}  {}",
        if filled.meets_goal() { ' ' } else { '!' },
        row.what,
        number(median),
        mean,
        number(p99),
        number(max),
        goal[0],
        goal[1],
        floor[0],
        floor[1],
        peers.join(", ")
    )
}

/// Says how many goals are met, and how many the median and the maximum alone would meet.
pub fn goals_met(rows: &Rows, results: &Results) -> String {
    let filled = rows.group.iter().flat_map(|group| group.filled(results));
    let goals: Vec<_> = filled.filter_map(|filled| Some((filled.row.goal? as f64, filled))).collect();
    let by = |part: usize| goals.iter().filter(|(goal, filled)| filled.costs[part] <= *goal).count();
    let (all, met) = (goals.len(), goals.iter().filter(|(_, filled)| filled.meets_goal()).count());
    let [median, max] = [0, 3].map(by);
    let values = rows.value.iter().filter(|value| value.goal.is_some() && value.of(results).is_some());
    let (good, bad): (Vec<_>, Vec<_>) = values.partition(|value| value.meets_goal(results));
    let of_values = match good.len() + bad.len() {
        0 => String::new(),
        values => format!(" Of {values} goals for single numbers, {} are met.", good.len()),
    };
    format!(
        "{met} of {all} goals are met, by the median and by the 99th percentile. By the median alone it would be \
         {median}, by the maximum {max}.{of_values}"
    )
}

/// Returns a sentence for each goal that is missed: by which figure, how far, and why.
pub fn misses(rows: &Rows, results: &Results) -> Vec<String> {
    let why = |reason: &Option<String>| reason.clone().unwrap_or("bench/rows.toml doesn't say why".into());
    let missed = |cost: f64, goal: f64, of: &str| {
        let of = if of.is_empty() { String::new() } else { format!(" as {of}") };
        format!("{} instead of {}{of}", number(cost), number(goal))
    };
    let filled = rows.group.iter().flat_map(|group| group.filled(results)).filter(|filled| !filled.meets_goal());
    let figures = filled.map(|filled| {
        let row = filled.row;
        let parts = filled.goals().filter(|goal| !goal.is_met());
        let parts = parts.map(|goal| missed(goal.cost, goal.at_most, goal.of)).collect::<Vec<_>>().join(", ");
        let beside = if row.beside.is_some() { " beside the zeroing" } else { "" };
        format!("`{}`{beside} takes {parts}: {}", row.figure, why(&row.reason))
    });
    let values = rows.value.iter().filter_map(|value| {
        let (cost, goal) = (value.of(results)?, value.goal? as f64);
        let text = || format!("`{}` is {}: {}", value.name, missed(cost, goal, ""), why(&value.reason));
        (cost > goal).then(text)
    });
    figures.chain(values).collect()
}

/// The goal for the last page's fault, as a multiple of the first one's.
pub const LAST_OF_FIRST: f64 = 1.05;

/// Returns what the last frame's fault costs, as a multiple of the first one's.
pub fn last_of_first(results: &Results) -> Option<f64> {
    let value = |name| results.values.get(name).map(|value| *value as f64);
    Some(value("fault-last-page")? / value("fault-first-page")?)
}

fn write_growth(out: &mut String, results: &Results) -> std::fmt::Result {
    let Some(ratio) = last_of_first(results) else {
        return Ok(());
    };
    let mark = if ratio <= LAST_OF_FIRST { ' ' } else { '!' };
    writeln!(out, "{mark} the last frame's fault costs {ratio:.3} of the first one's; goal {LAST_OF_FIRST}")
}

fn write_split(out: &mut String, results: &Results) -> std::fmt::Result {
    if results.split.is_empty() {
        return Ok(());
    }
    let whole: u64 = results.split.iter().map(|(_, count)| count).sum();
    writeln!(out, "\nOne fault's {} instructions, by what they are for", number(whole as f64))?;
    results.split.iter().try_for_each(|(stage, count)| writeln!(out, "  {stage:50} {:>9}", number(*count as f64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::with_figure;

    #[test]
    fn a_row_that_misses_its_goal_is_marked_and_counted() {
        let rows = Rows::read().expect("rows.toml is right");
        let [bad, good] = [71, 70].map(|median| with_figure("frames-get-1-empty", median));
        assert!(goals_met(&rows, &bad).starts_with("0 of 1 goals are met,"));
        assert!(goals_met(&rows, &good).starts_with("1 of 1 goals are met,"));
        let mut slow_at_times = good.clone();
        slow_at_times.figures.values_mut().for_each(|figure| figure.max = u64::MAX);
        assert!(goals_met(&rows, &slow_at_times).starts_with("1 of 1"));
        assert!(goals_met(&rows, &slow_at_times).ends_with("By the median alone it would be 1, by the maximum 0."));
        assert!(text(&rows, &bad).contains("\n! get 1, empty"));
        assert!(text(&rows, &good).contains("\n  get 1, empty"));
    }
}
