//! Latency of every operation over time.

use super::{Axis, Colour, Layer, MOST_MARKS, Mark, Panel, Sheet, fault_lanes, in_seconds, phases, thinned, time_axis};
use crate::history::{Op, Outcome};
use crate::report::Run;
use crate::report::text::count;
use crate::settings::Workload;

/// Latencies below this, in milliseconds, are drawn at the edge of a logarithmic axis.
const LEAST_MS: f64 = 0.1;

/// The marks of operations that succeeded, by kind. Crosses and triangles are for the others.
const SHAPES: [Mark; 3] = [Mark::Dot, Mark::Ring, Mark::Square];

/// The plot. `None` if there were no operations.
pub(super) fn sheet(run: &Run<'_>) -> Option<Sheet> {
    let ops: Vec<&Op> = run.history.counted().collect();
    if ops.is_empty() {
        return None;
    }
    let drawn = chosen(&ops);
    let latencies: Vec<f64> = ops.iter().map(|op| latency_ms(op)).collect();
    let mut panel = Panel::new(Axis::fitting("latency, ms", &latencies, LEAST_MS));
    let mut unusual = Vec::new();
    for (i, kind) in kinds(&ops, run.settings.workload).into_iter().enumerate() {
        let colour = Colour::SERIES[i % Colour::SERIES.len()];
        let series = |wanted: fn(&Outcome) -> bool| -> Vec<(f64, f64)> {
            let mine = drawn.iter().filter(|op| run.settings.workload.request(&op.call) == kind && wanted(&op.outcome));
            mine.map(|op| (in_seconds(op.invoked_us), latency_ms(op))).collect()
        };
        let ok = Layer::marks(series(|outcome| matches!(outcome, Outcome::Ok { .. })), colour).opacity(0.6);
        panel = panel.layer(ok.shaped(SHAPES[i % SHAPES.len()]).named(kind));
        unusual.push(odd(series(|o| matches!(o, Outcome::Fail { .. })), colour, Mark::Cross, kind, "failed"));
        unusual.push(odd(series(|o| matches!(o, Outcome::Info { .. })), colour, Mark::Triangle, kind, "unknown"));
    }
    // These are drawn above the many that succeeded.
    for layer in unusual {
        panel = panel.layer(layer);
    }
    let mut caption =
        "One mark per operation, at the moment it was invoked: the higher, the longer its client waited. \
                       Crosses failed, triangles have an unknown outcome."
            .to_owned();
    if drawn.len() < ops.len() {
        let shown = count(drawn.len());
        caption.push_str(&format!(
            " {shown} of {} are shown: the odd and the slowest, the rest thinned out.",
            count(ops.len())
        ));
    }
    let sheet = Sheet::new("latency", "Latency of every operation", time_axis(run)).caption(&caption);
    Some(sheet.lanes(fault_lanes(run.trace)).moments(phases(run)).panel(panel))
}

fn odd(points: Vec<(f64, f64)>, colour: Colour, mark: Mark, kind: &str, what: &str) -> Layer {
    Layer::marks(points, colour).shaped(mark).large().named(&format!("{kind}, {what}"))
}

fn latency_ms(op: &Op) -> f64 {
    op.completed_us.saturating_sub(op.invoked_us) as f64 / 1000.0
}

/// The operations that are drawn: all of them or, if there are too many, those that did not succeed, the slowest, and
/// some of the others.
fn chosen<'a>(ops: &[&'a Op]) -> Vec<&'a Op> {
    if ops.len() <= MOST_MARKS {
        return ops.to_vec();
    }
    let (usual, unusual): (Vec<&Op>, Vec<&Op>) = ops.iter().partition(|op| op.answer().is_some());
    let mut kept = thinned(&unusual, MOST_MARKS / 4);
    let mut slowest = usual.clone();
    slowest.sort_by(|a, b| latency_ms(b).total_cmp(&latency_ms(a)).then(a.index.cmp(&b.index)));
    kept.extend(slowest.iter().take(MOST_MARKS / 10));
    kept.extend(thinned(&usual, MOST_MARKS - kept.len()));
    kept.sort_by_key(|op| op.index);
    kept.dedup_by_key(|op| op.index);
    kept
}

/// Kinds of operations in the order of their first appearance.
fn kinds(ops: &[&Op], workload: Workload) -> Vec<&'static str> {
    let mut kinds = Vec::new();
    for op in ops {
        let kind = workload.request(&op.call);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}
