//! The plots of the book, as SVG.

use crate::results::Results;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::Path;

type Drawn = Result<(), Box<dyn Error>>;

const SIZE: (u32, u32) = (760, 420);

/// Colours that differ for everybody's eyes (Okabe and Ito).
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(213, 94, 0);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const GREY: RGBColor = RGBColor(120, 120, 120);

/// The colours of a fault's stages, in turn.
const STAGES: [RGBColor; 8] = [
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    GREEN,
    ORANGE,
    BLUE,
    RGBColor(200, 200, 200),
    RGBColor(204, 121, 167),
    RGBColor(120, 160, 60),
];

/// Draws all plots into `directory`.
///
/// # Errors
///
/// If a file cannot be written.
pub fn draw(directory: &Path, results: &Results) -> Drawn {
    std::fs::create_dir_all(directory)?;
    fault_by_fill(&directory.join("fault-by-fill.svg"), results)?;
    cost_by_regions(&directory.join("cost-by-regions.svg"), results)?;
    fault_split(&directory.join("fault-split.svg"), results)
}

/// A curve.
struct Curve {
    name: String,
    color: RGBColor,
    points: Vec<(f64, f64)>,
}

/// Draws curves into a coordinate system, each named at its end.
fn curves<X, Y>(file: &Path, captions: [&str; 3], axes: (X, Y), curves: &[Curve]) -> Drawn
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let [title, x, y] = captions;
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .margin_right(200)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(axes.0, axes.1)?;
    let plain = |value: &f64| crate::rows::number(*value);
    chart
        .configure_mesh()
        .x_desc(x)
        .y_desc(y)
        .x_label_formatter(&plain)
        .y_label_formatter(&plain)
        .light_line_style(WHITE)
        .label_style(("sans-serif", 13))
        .draw()?;
    let mut ends = Vec::new();
    for curve in curves {
        chart.draw_series(LineSeries::new(curve.points.iter().copied(), curve.color.stroke_width(2)))?;
        ends.extend(curve.points.last().map(|last| (chart.backend_coord(last), curve)));
    }
    ends.sort_by_key(|((_, down), _)| *down);
    let mut above = 0;
    for ((right, down), curve) in ends {
        // Two names never share a line.
        above = down.max(above + 16);
        let style = ("sans-serif", 13).into_font().color(&curve.color).pos(Pos::new(HPos::Left, VPos::Center));
        root.draw(&Text::new(curve.name.clone(), (right + 8, above), style))?;
    }
    Ok(root.present()?)
}

fn fault_by_fill(file: &Path, results: &Results) -> Drawn {
    let Some(points) = results.curves.get("fault-by-fill") else {
        return Err("the curve fault-by-fill was not measured".into());
    };
    let floor = results.figures.get("floor-fault-zeroed").map_or(0.0, |figure| figure.median as f64);
    let curve = |name: &str, color, of: &dyn Fn(f64, u64) -> f64| Curve {
        name: name.into(),
        color,
        // A point stands for the faults from there up to the next per cent.
        points: points.iter().map(|point| ((point.x + 1) as f64, of(point.mean, point.max))).collect(),
    };
    let drawn = [
        curve("worst in each per cent", ORANGE, &|_, max| max as f64),
        curve("mean in each per cent", BLUE, &|mean, _| mean),
        curve("the bare processor", GREY, &|_, _| floor),
    ];
    let captions = ["A demand-zero fault, by fill of the frame pool", "% of frames in use", "instructions"];
    curves(file, captions, (0.0..100.0, 0.0..1600.0), &drawn)
}

/// Recorded once, by the same method: Linux 6.1 on i686.
const LINUX_ALLOCATE: [(f64, f64); 4] = [(10.0, 6060.0), (1e3, 9857.0), (1e4, 10320.0), (6e4, 13000.0)];
const LINUX_RELEASE: [(f64, f64); 4] = [(10.0, 7652.0), (1e3, 11451.0), (1e4, 12860.0), (6e4, 14800.0)];

fn cost_by_regions(file: &Path, results: &Results) -> Drawn {
    let curve = |name: &str, color, figure: &dyn Fn(u32) -> String| {
        let counts = [1, 10, 100, 1_000, 10_000, 60_000];
        let median = |count| results.figures.get(&figure(count)).map(|figure| (f64::from(count), figure.median as f64));
        Curve { name: name.into(), color, points: counts.into_iter().filter_map(median).collect() }
    };
    let recorded =
        |name: &str, points: &[(f64, f64)]| Curve { name: name.into(), color: GREY, points: points.to_vec() };
    let drawn = [
        recorded("Linux: release", &LINUX_RELEASE),
        recorded("Linux: allocate", &LINUX_ALLOCATE),
        curve("demand-zero fault", BLUE, &|count| format!("fault-among-{count}-regions")),
        curve("release 64 KiB, untouched", ORANGE, &|count| format!("release-64k-{count}")),
        curve("allocate 64 KiB", GREEN, &|count| format!("allocate-64k-{count}")),
        curve("is_legitimate", RGBColor(204, 121, 167), &|count| format!("legitimate-inside-{count}")),
    ];
    let captions = ["Cost by number of live regions (median)", "live regions", "instructions"];
    let axes = ((1f64..6e4).log_scale(), (10f64..1e5).log_scale());
    curves(file, captions, axes, &drawn)
}

/// Draws one fault as a bar, a part for each stage but the zeroing, which would hide the rest.
fn fault_split(file: &Path, results: &Results) -> Drawn {
    let is_zeroing = |stage: &str| stage == "zero";
    let zeroing: u64 = results.split.iter().filter(|(stage, _)| is_zeroing(stage)).map(|(_, count)| count).sum();
    let rest: Vec<_> = results.split.iter().filter(|(stage, count)| !is_zeroing(stage) && *count > 0).collect();
    let whole: u64 = rest.iter().map(|(_, count)| count).sum();
    let (width, height) = (SIZE.0 as i32, 190);
    let (left, right, top, bottom) = (24, width - 24, 70, 116);
    let root = SVGBackend::new(file, (SIZE.0, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let title = format!("One demand-zero fault: {whole} instructions beside the {zeroing} that clear the page");
    let centered = |size| ("sans-serif", size).into_font().color(&BLACK).pos(Pos::new(HPos::Center, VPos::Center));
    root.draw(&Text::new(title, (width / 2, 26), centered(18)))?;
    let mut start = 0;
    for (index, (stage, count)) in rest.iter().enumerate() {
        let at = |instructions: u64| left + ((right - left) as u64 * instructions / whole.max(1)) as i32;
        let (from, to) = (at(start), at(start + count));
        start += count;
        root.draw(&Rectangle::new([(from, top), (to, bottom)], STAGES[index % STAGES.len()].filled()))?;
        let middle = (from + to) / 2;
        root.draw(&Text::new(count.to_string(), (middle, (top + bottom) / 2), centered(14)))?;
        // Names of neighbours stand on two lines, so that short parts have room for theirs.
        let line = if index.is_multiple_of(2) { bottom + 16 } else { bottom + 40 };
        root.draw(&PathElement::new([(middle, bottom), (middle, line - 8)], GREY))?;
        root.draw(&Text::new(stage.clone(), (middle, line), centered(14)))?;
    }
    Ok(root.present()?)
}
