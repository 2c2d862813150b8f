//! The result as files. The same sweep gives the same bytes.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use serde::Serialize;

use super::{Point, Spot, Spread, Sweep, page, plots, spots};
use crate::settings::Settings;

/// The figures in the CSV, each with mean, least and most of the runs.
type Column = (&'static str, fn(&Point) -> Option<Spread>);
const COLUMNS: [Column; 11] = [
    ("messages_per_op", |p| Some(p.messages_per_op)),
    ("bytes_per_op", |p| Some(p.bytes_per_op)),
    ("true_median_ms", |p| p.true_median_ms),
    ("true_max_ms", |p| p.true_max_ms),
    ("stable_median_ms", |p| p.stable_median_ms),
    ("stable_max_ms", |p| p.stable_max_ms),
    ("stale_share", |p| p.stale_share),
    ("lacking", |p| p.lacking),
    ("catch_up_ms", |p| p.catch_up_ms),
    ("converged_ms", |p| p.converged_ms),
    ("last_message_ms", |p| p.last_message_ms),
];

/// One line for each point. A figure that does not exist is an empty cell.
#[must_use]
pub fn csv(sweep: &Sweep) -> String {
    let mut out = "strategy,fanout,interval_ms,condition,runs,valid".to_owned();
    for (name, _) in COLUMNS {
        let _ = write!(out, ",{name}_mean,{name}_min,{name}_max");
    }
    out.push_str(",front_median,front_max\n");
    for point in &sweep.points {
        let cell = &point.cell;
        let (strategy, condition) = (&cell.strategy, cell.condition.name());
        // To write to a string cannot fail.
        let _ =
            write!(out, "{strategy},{},{},{condition},{},{}", cell.fanout, cell.interval_ms, point.runs, point.valid);
        for (_, get) in COLUMNS {
            match get(point) {
                Some(Spread { mean, min, max }) => _ = write!(out, ",{mean},{min},{max}"),
                None => out.push_str(",,,"),
            }
        }
        let _ = writeln!(out, ",{},{}", point.front_median, point.front_max);
    }
    out
}

#[derive(Serialize)]
struct Document<'a> {
    command: &'a str,
    seeds: u64,
    settings: &'a Settings,
    spots: Vec<Spot>,
    points: &'a [Point],
}

/// Everything, as one JSON document.
///
/// # Errors
/// No input causes one, because numbers that are not finite are written as `null`.
pub fn json(sweep: &Sweep) -> io::Result<String> {
    let document = Document {
        command: &sweep.command,
        seeds: sweep.seeds,
        settings: &sweep.settings,
        spots: spots(sweep),
        points: &sweep.points,
    };
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

/// Writes `sweep.csv`, `sweep.json`, the plots and `sweep.html` into a folder that exists.
///
/// # Errors
/// A file cannot be written. The files before it stay.
pub fn write_folder(folder: &Path, sweep: &Sweep) -> io::Result<()> {
    std::fs::write(folder.join("sweep.csv"), csv(sweep))?;
    std::fs::write(folder.join("sweep.json"), json(sweep)?)?;
    let sheets = plots::sheets(sweep);
    for sheet in &sheets {
        std::fs::write(folder.join(format!("{}.svg", sheet.name)), sheet.standalone()?)?;
    }
    std::fs::write(folder.join("sweep.html"), page::page(sweep, &sheets)?)
}
