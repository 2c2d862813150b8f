//! The result on screen: a table for each condition, and the sweet spots.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::floors::{Floors, GLOMERS, is_standard};
use super::{Condition, Point, Spread, Sweep, spots};
use crate::report::text::{NONE, grouped, percent, plural, ratio, wrap};

/// The screen at the end of a sweep, at this width.
#[must_use]
pub fn screen(sweep: &Sweep, width: u16) -> String {
    let mut out = String::new();
    for condition in [Condition::Calm, Condition::Partition] {
        let points: Vec<&Point> = sweep.of(condition).map(|(_, point)| point).collect();
        if points.is_empty() {
            continue;
        }
        out.push_str(&format!("{}\n{}\n", title(sweep, condition), table(sweep, &points, condition, width)));
    }
    let per_cell = plural(usize::try_from(sweep.seeds).unwrap_or(usize::MAX), "run");
    let legend = format!("Each line: {per_cell}. {LEGEND}");
    out.push_str(&(wrap(&legend, usize::from(width)).join("\n") + "\n\n"));
    out.push_str(&sweet(sweep, width));
    out.push_str(&broken(sweep));
    out
}

/// A condition in words.
pub(super) fn title(sweep: &Sweep, condition: Condition) -> String {
    let s = &sweep.settings;
    let standing: Vec<&str> = s
        .faults
        .kinds
        .iter()
        .map(|kind| crate::report::timeline::kind_name(*kind))
        .filter(|name| *name != "partition")
        .collect();
    let with = if standing.is_empty() { String::new() } else { format!(" with {}", standing.join(", ")) };
    let every = format!("links cut and healed every {} s on average", s.faults.interval_us as f64 / 1e6);
    match condition {
        Condition::Calm if with.is_empty() => "CALM".to_owned(),
        Condition::Calm => format!("NO PARTITION{with}"),
        Condition::Partition => format!("PARTITION{with}: {every}"),
    }
}

/// The columns of a condition: their names and contents.
type Column = (&'static str, fn(&Point) -> String);

pub(super) fn columns(sweep: &Sweep, condition: Condition) -> Vec<Column> {
    let strategies = sweep.points.iter().any(|point| point.cell.strategy != sweep.points[0].cell.strategy);
    let sets = sweep.points.iter().any(|point| point.stable_max_ms.is_some());
    let mut columns: Vec<Column> = Vec::new();
    if strategies {
        columns.push(("strategy", |p| p.cell.strategy.clone()));
    }
    columns.push(("fan-\nout", |p| p.cell.fanout.to_string()));
    columns.push(("every\nms", |p| grouped(f64::from(p.cell.interval_ms))));
    columns.push(("msgs\n/op", |p| ratio(p.messages_per_op.mean)));
    if sets {
        columns.push(("true ms\nmedian", |p| mean(p.true_median_ms)));
        columns.push(("\nmax", |p| worst(p.true_max_ms)));
    }
    match condition {
        Condition::Calm if sets => {
            columns.push(("stable ms\nmedian", |p| mean(p.stable_median_ms)));
            columns.push(("\nmax", |p| worst(p.stable_max_ms)));
        }
        Condition::Partition if sets => columns.push(("caught\nup ms", |p| worst(p.catch_up_ms))),
        Condition::Calm | Condition::Partition => columns.push(("all equal\nms", |p| worst(p.converged_ms))),
    }
    columns.push(("stale\nreads", |p| p.stale_share.map_or_else(|| NONE.to_owned(), |s| percent(s.mean))));
    if sets {
        columns.push(("lack", |p| p.lacking.map_or_else(|| NONE.to_owned(), |s| ratio(s.mean))));
    }
    columns
        .push(("silent\ns", |p| p.last_message_ms.map_or_else(|| "0".to_owned(), |s| format!("{:.1}", s.max / 1e3))));
    columns
}

/// What the columns mean.
pub(super) const LEGEND: &str = "Messages and medians are means of the runs, other times the worst of all runs. true: \
     from the acknowledgement until the last node has a value; stable: as Maelstrom computes it; caught up: until \
     everything known before a heal is everywhere. stale reads: share of reads that lack something acknowledged before; \
     lack: how many values, in the mean. silent: after the load and all faults. \u{25cf} no other setting has fewer messages \
     and a smaller maximum (under partition: catch-up), \u{25cb} the same for the median; 3d, 3e: keeps the Gossip Glomers' limits in every run.";

fn mean(spread: Option<Spread>) -> String {
    spread.map_or_else(|| NONE.to_owned(), |spread| grouped(spread.mean))
}

fn worst(spread: Option<Spread>) -> String {
    spread.map_or_else(|| NONE.to_owned(), |spread| grouped(spread.max))
}

/// Front, limits kept, and runs that are not valid.
pub(super) fn marks(sweep: &Sweep, point: &Point) -> String {
    let mut marks = Vec::new();
    let dots = [(point.front_max, "●"), (point.front_median, "○")];
    let dots: String = dots.iter().filter(|(on, _)| *on).map(|(_, dot)| *dot).collect();
    if !dots.is_empty() {
        marks.push(dots);
    }
    if is_standard(&sweep.settings) && point.cell.condition == Condition::Calm {
        marks.extend(GLOMERS.iter().filter(|limits| spots::keeps(point, limits)).map(|limits| limits.name.to_owned()));
    }
    if point.valid < point.runs {
        marks.push(format!("{} of {} not valid", point.runs - point.valid, point.runs));
    }
    marks.join(" ")
}

fn table(sweep: &Sweep, points: &[&Point], condition: Condition, width: u16) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    let columns = columns(sweep, condition);
    table.set_header(columns.iter().map(|(name, _)| *name).chain(["best"]));
    for point in points {
        let number = |(_, show): &Column| Cell::new(show(point)).set_alignment(CellAlignment::Right);
        table.add_row(columns.iter().map(number).chain([Cell::new(marks(sweep, point))]));
    }
    table
}

fn sweet(sweep: &Sweep, width: u16) -> String {
    let mut out = "SWEET SPOTS (fanout/interval in ms)\n".to_owned();
    for spot in spots(sweep) {
        let name = spot.point.map(|at| name(sweep, &sweep.points[at]));
        let text = match name {
            Some(name) => format!("{}: {name}, {}", spot.question, spot.answer),
            None => format!("{}: {}", spot.question, spot.answer),
        };
        let mut lines = wrap(&text, usize::from(width).saturating_sub(4)).into_iter();
        out.push_str(&format!("  {}\n", lines.next().unwrap_or_default()));
        lines.for_each(|line| out.push_str(&format!("    {line}\n")));
    }
    if let Some(floors) = Floors::new(&sweep.settings) {
        for (share, what, get) in
            [(1.0, "maximum", Point::max_ms as fn(&Point) -> Option<f64>), (0.5, "median", Point::median_ms)]
        {
            let ratio_to_floor = |point: &Point| {
                let floor = floors.any_design(get(point)? / 1e3, share)?;
                Some(point.messages_per_op.mean / floor)
            };
            let of_front = sweep.of(Condition::Calm).filter_map(|(_, point)| Some((point, ratio_to_floor(point)?)));
            if let Some((point, times)) = of_front.min_by(|a, b| a.1.total_cmp(&b.1)) {
                let name = name(sweep, point);
                out.push_str(&format!(
                    "  nearest to the floor of any design for its {what}: {name}, {times:.1} times the floor\n"
                ));
            }
        }
    }
    out.push('\n');
    out
}

/// The name of a point in texts.
pub(super) fn name(sweep: &Sweep, point: &Point) -> String {
    let several = sweep.points.iter().any(|other| other.cell.strategy != point.cell.strategy);
    if several { format!("{} {}", point.cell.strategy, point.cell.label()) } else { point.cell.label() }
}

/// A run that is not valid for each point that has one, with the options that repeat it.
fn broken(sweep: &Sweep) -> String {
    let mut out = String::new();
    for point in &sweep.points {
        let Some((seed, why)) = &point.first_invalid else { continue };
        let cell = &point.cell;
        let (strategy, condition) = (&cell.strategy, cell.condition.name());
        out.push_str(&format!("NOT VALID: {strategy} {}, {condition}, seed {seed}: {why}\n", cell.label()));
    }
    out
}
