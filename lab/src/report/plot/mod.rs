//! Plots. Each plot is a [`Sheet`]: plain data that is drawn as SVG at two widths, in colours for light and dark.
//!
//! | module | owns |
//! |---|---|
//! | [`theme`] | colours, sizes, how they change on a dark background |
//! | `axis`, `sheet` | the parts of plots, from which others can be built |
//! | `render` | how that becomes SVG |
//! | `latency`, `messages`, `convergence`, `coverage` | the plots of a run |

mod axis;
mod convergence;
mod coverage;
mod latency;
mod messages;
mod notes;
mod render;
mod sheet;
pub mod theme;

pub use axis::Axis;
pub use sheet::{Bar, Colour, Lane, Layer, Mark, Moment, Panel, Sheet};

use super::Run;
use super::timeline::{KINDS, intervals, kind_name};
use crate::settings::{FaultKind, Micros, SECOND};
use crate::trace::Trace;

/// The most marks of one series of points in a plot. More are thinned out.
const MOST_MARKS: usize = 3000;

/// All plots of a run that have something to show.
#[must_use]
pub fn sheets(run: &Run<'_>) -> Vec<Sheet> {
    let plots = [latency::sheet(run), messages::sheet(run), convergence::sheet(run), coverage::sheet(run)];
    plots.into_iter().flatten().collect()
}

/// Faults as lanes over an axis of seconds. Each kind has a lane, and a bar names the node that is killed or paused.
#[must_use]
pub fn fault_lanes(trace: &Trace) -> Vec<Lane> {
    let intervals = intervals(trace);
    let lane = |kind: FaultKind| Lane {
        name: kind_name(kind).to_owned(),
        colour: fault_colour(kind),
        bars: intervals
            .iter()
            .filter(|interval| interval.kind == kind)
            .map(|i| Bar { from: in_seconds(i.from_us), to: in_seconds(i.until_us), label: i.short.clone() })
            .collect(),
    };
    KINDS.into_iter().map(lane).filter(|lane| !lane.bars.is_empty()).collect()
}

/// The colour of a kind of fault.
#[must_use]
pub const fn fault_colour(kind: FaultKind) -> Colour {
    match kind {
        FaultKind::Partition => Colour::Purple,
        FaultKind::Kill => Colour::Red,
        FaultKind::Pause => Colour::Yellow,
        FaultKind::Loss => Colour::Sky,
        FaultKind::Duplicate => Colour::Green,
    }
}

/// The phases of a run on an axis of seconds: end of the load, heal, final reads.
#[must_use]
pub fn phases(run: &Run<'_>) -> Vec<Moment> {
    let trace = run.trace;
    let mut moments = vec![(trace.main_until_us, "load ends")];
    if !trace.faults.is_empty() {
        moments.push((trace.healed_us, "healed"));
    }
    if run.settings.workload.is_replicated() {
        moments.push((trace.final_us, "final reads"));
    }
    let shown = moments.into_iter().filter(|(at_us, _)| *at_us > 0 && *at_us <= trace.end_us);
    shown.map(|(at_us, label)| Moment { at: in_seconds(at_us), label: label.to_owned() }).collect()
}

/// The time of a run, from its start to its end.
#[must_use]
pub fn time_axis(run: &Run<'_>) -> Axis {
    let last = run.history.ops.iter().map(|op| op.completed_us).max().unwrap_or(0);
    Axis::linear("seconds since the start", 0.0, in_seconds(run.trace.end_us.max(last)))
}

/// Microseconds as seconds.
#[must_use]
pub fn in_seconds(us: Micros) -> f64 {
    us as f64 / SECOND as f64
}

/// At most `most` of the items, evenly spaced. The first item is among them.
fn thinned<T: Copy>(items: &[T], most: usize) -> Vec<T> {
    if items.len() <= most {
        return items.to_vec();
    }
    (0..most).map(|i| items[i * items.len() / most]).collect()
}

/// The quantile of sorted values at a share, as the judgement computes it.
fn at_share(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get(last.min((sorted.len() as f64 * share) as usize)).copied().unwrap_or(0.0)
}
