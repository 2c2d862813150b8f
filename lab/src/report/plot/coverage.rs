//! Share of nodes that hold a value against the time since it was acknowledged.

use super::{Axis, Colour, Layer, Panel, Sheet, at_share};
use crate::history::{Call, Outcome};
use crate::report::Run;
use crate::settings::Micros;
use crate::trace::NEVER;

/// The number of moments at which coverage is computed.
const STEPS: usize = 160;

/// The most pairs of a value and a node that are looked at. More values are thinned out.
const MOST_ARRIVALS: usize = 2_000_000;

/// The beginning of a logarithmic axis, in seconds.
const LEAST: f64 = 0.01;

/// The plot. `None` if no values were followed, or if there is one node only.
pub(super) fn sheet(run: &Run<'_>) -> Option<Sheet> {
    let values = delays(run);
    if values.is_empty() || run.settings.nodes < 2 {
        return None;
    }
    let mut last: Vec<f64> =
        values.iter().filter_map(|delays| delays.iter().copied().rfind(|d| d.is_finite())).collect();
    last.sort_by(f64::total_cmp);
    let axis = Axis::fitting("seconds since the value was acknowledged", &last, LEAST);
    let axis = if axis.is_log() { Axis::log(&axis.label, LEAST, axis.to()) } else { axis };
    let mut band = Vec::new();
    let mut median = Vec::new();
    for step in 0..=STEPS {
        let share = step as f64 / STEPS as f64;
        let at = if axis.is_log() { axis.from() * (axis.to() / axis.from()).powf(share) } else { axis.to() * share };
        let mut held: Vec<f64> = values.iter().map(|delays| coverage(delays, at)).collect();
        held.sort_by(f64::total_cmp);
        band.push((at, at_share(&held, 0.05), at_share(&held, 0.95)));
        median.push((at, at_share(&held, 0.5)));
    }
    let panel = Panel::new(Axis::linear("nodes that hold a value, %", 0.0, 102.0))
        .layer(Layer::band(&band, Colour::Blue).named("5 % to 95 % of all values"))
        .layer(Layer::line(median, Colour::Blue).large().named("median value"));
    let caption = "How a value spreads: the line is the share of nodes that hold the median value so long after its \
                   acknowledgement, the band where nine values of ten are. Steeper and further left is better.";
    Some(Sheet::new("coverage", "How values spread", axis).caption(caption).panel(panel))
}

/// For each acknowledged value the sorted times in seconds until each node had it. A time is infinite if the value was
/// never seen at the node.
fn delays(run: &Run<'_>) -> Vec<Vec<f64>> {
    let mut values: Vec<(Micros, &Vec<Micros>)> = Vec::new();
    for op in run.history.counted() {
        if let (Call::Add(value), Outcome::Ok { .. }) = (&op.call, &op.outcome) {
            values.extend(run.trace.arrivals.get(value).filter(|a| !a.is_empty()).map(|a| (op.completed_us, a)));
        }
    }
    let seconds = |from: Micros, at: Micros| {
        if at == NEVER { f64::INFINITY } else { super::in_seconds(at.saturating_sub(from)) }
    };
    let sorted = |(from, arrivals): (Micros, &Vec<Micros>)| {
        let mut delays: Vec<f64> = arrivals.iter().map(|at| seconds(from, *at)).collect();
        delays.sort_by(f64::total_cmp);
        delays
    };
    super::thinned(&values, (MOST_ARRIVALS / run.settings.nodes.max(1)).max(100)).into_iter().map(sorted).collect()
}

/// The share of nodes, in percent, that hold a value so many seconds after its acknowledgement.
fn coverage(delays: &[f64], at: f64) -> f64 {
    100.0 * delays.partition_point(|delay| *delay <= at) as f64 / delays.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_is_the_share_of_nodes_that_have_the_value() {
        let delays = [0.0, 0.1, 0.2, f64::INFINITY];
        assert_eq!([0.0, 0.15, 9.0].map(|at| coverage(&delays, at)), [25.0, 50.0, 75.0]);
    }
}
