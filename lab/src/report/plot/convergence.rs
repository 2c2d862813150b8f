//! How soon nodes agree. For values that are followed, the plot shows how long each took to get to all nodes. For
//! totals, it shows the total at every replica.

use super::{
    Axis, Colour, Layer, MOST_MARKS, Mark, Moment, Panel, Sheet, at_share, fault_lanes, in_seconds, phases, thinned,
    time_axis,
};
use crate::history::{Call, Outcome};
use crate::report::Run;
use crate::report::text::count;
use crate::trace::NEVER;

/// The number of values on each side that a running median looks at.
const WINDOW: usize = 15;

/// The most replicas that are drawn one by one.
const MOST_REPLICAS: usize = 25;

/// The most points of one replica.
const MOST_STEPS: usize = 400;

/// The plot. `None` if the run has neither values that are followed nor totals.
pub(super) fn sheet(run: &Run<'_>) -> Option<Sheet> {
    let sheet = if run.trace.totals.is_empty() { set(run)? } else { counter(run) };
    let mut moments = phases(run);
    if let Some(at_us) = run.trace.converged_us {
        moments.push(Moment { at: in_seconds(at_us), label: "all equal".to_owned() });
    }
    Some(sheet.lanes(fault_lanes(run.trace)).moments(moments))
}

/// For each acknowledged value that was followed: when it was acknowledged, and the milliseconds until the last node
/// had it, if that was seen.
fn followed(run: &Run<'_>) -> Vec<(f64, Option<f64>)> {
    let mut values = Vec::new();
    for op in run.history.counted() {
        let (Call::Add(value), Outcome::Ok { .. }) = (&op.call, &op.outcome) else { continue };
        let Some(last) = run.trace.arrivals.get(value).and_then(|arrivals| arrivals.iter().max()) else { continue };
        let latency = (*last != NEVER).then(|| last.saturating_sub(op.completed_us) as f64 / 1000.0);
        values.push((in_seconds(op.completed_us), latency));
    }
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    values
}

fn set(run: &Run<'_>) -> Option<Sheet> {
    let values = followed(run);
    if values.is_empty() {
        return None;
    }
    let arrived: Vec<(f64, f64)> = values.iter().filter_map(|(at, latency)| Some((*at, (*latency)?))).collect();
    let latencies: Vec<f64> = arrived.iter().map(|(_, latency)| *latency).collect();
    let axis = Axis::fitting("until the last node has it, ms", &latencies, 1.0);
    let missing: Vec<_> =
        values.iter().filter(|(_, latency)| latency.is_none()).map(|(at, _)| (*at, axis.to())).collect();
    let mut caption =
        "One mark per value, at the moment it was acknowledged: the higher, the later the last node had it. \
                       The line is the median of 31 values in a row."
            .to_owned();
    if !missing.is_empty() {
        caption.push_str(" Crosses at the top were not seen to reach every node.");
    }
    let drawn = thinned(&arrived, MOST_MARKS);
    if drawn.len() < arrived.len() {
        caption.push_str(&format!(" {} of {} marks are shown.", count(drawn.len()), count(arrived.len())));
    }
    let panel = Panel::new(axis)
        .layer(Layer::marks(drawn, Colour::Blue).opacity(0.55).named("a value, until the last node has it"))
        .layer(Layer::line(running_median(&arrived), Colour::Orange).large().named("running median"))
        .layer(Layer::marks(missing, Colour::Red).shaped(Mark::Cross).large().named("not seen at every node"));
    Some(
        Sheet::new("convergence", "How long values take to get everywhere", time_axis(run))
            .caption(&caption)
            .panel(panel),
    )
}

fn running_median(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let median = |i: usize| {
        let window = &points[i.saturating_sub(WINDOW)..points.len().min(i + WINDOW + 1)];
        let mut values: Vec<f64> = window.iter().map(|(_, value)| *value).collect();
        values.sort_by(f64::total_cmp);
        (points[i].0, at_share(&values, 0.5))
    };
    thinned(&(0..points.len()).collect::<Vec<_>>(), 4 * MOST_STEPS).into_iter().map(median).collect()
}

fn counter(run: &Run<'_>) -> Sheet {
    let replicas = replicas(run);
    let acknowledged = acknowledged(run);
    let all = replicas.iter().flatten().chain(&acknowledged).map(|(_, value)| *value);
    let (low, high) = all.fold((0.0f64, 0.0f64), |(low, high), value| (low.min(value), high.max(value)));
    let margin = (high - low).max(1.0) * 0.06;
    let from = if low < 0.0 { low - margin } else { 0.0 };
    let mut panel = Panel::new(Axis::linear("value of the counter", from, high + margin));
    let drawn = thinned(&replicas.iter().collect::<Vec<_>>(), MOST_REPLICAS);
    let mut caption =
        "Each thin line is the value at one replica, the dashed one the sum of what was acknowledged by then. \
                       Lines apart are replicas that know different things; in the end they should be one."
            .to_owned();
    if drawn.len() < replicas.len() {
        caption.push_str(&format!(" {} of {} replicas are shown.", drawn.len(), count(replicas.len())));
    }
    for points in drawn {
        panel = panel.layer(Layer::steps(&spaced(points), Colour::Blue).small().opacity(0.6).named("a replica"));
    }
    panel = panel.layer(Layer::steps(&spaced(&acknowledged), Colour::Orange).dashed().named("acknowledged in all"));
    Sheet::new("convergence", "Value of the counter at every replica", time_axis(run)).caption(&caption).panel(panel)
}

/// The value at each node that was ever seen, over time, up to the end of the run.
fn replicas(run: &Run<'_>) -> Vec<Vec<(f64, f64)>> {
    let nodes = run.trace.totals.iter().map(|(_, node, _)| node + 1).max().unwrap_or(0);
    let mut replicas = vec![Vec::new(); nodes];
    for (at_us, node, value) in &run.trace.totals {
        replicas[*node].push((in_seconds(*at_us), *value as f64));
    }
    replicas.retain(|points| !points.is_empty());
    for points in &mut replicas {
        if let Some((at, value)) = points.last().copied() {
            points.push((at.max(in_seconds(run.trace.end_us)), value));
        }
    }
    replicas
}

/// Sum of acknowledged increments over time.
fn acknowledged(run: &Run<'_>) -> Vec<(f64, f64)> {
    let mut steps = Vec::new();
    for op in run.history.counted() {
        if let (Call::Increment(delta), Outcome::Ok { .. }) = (&op.call, &op.outcome) {
            steps.push((op.completed_us, *delta));
        }
    }
    steps.sort_unstable();
    let mut sum = 0i64;
    let mut points: Vec<_> = steps
        .into_iter()
        .map(|(at_us, delta)| {
            sum = sum.saturating_add(delta);
            (in_seconds(at_us), sum as f64)
        })
        .collect();
    if !points.is_empty() {
        points.push((in_seconds(run.trace.end_us), sum as f64));
    }
    points
}

/// Thins out changes: of several changes within a short time only the last is kept, so the value after each of them is
/// right.
fn spaced(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let width = (last.0 - first.0) / MOST_STEPS as f64;
    let place = |at: f64| if width > 0.0 { ((at - first.0) / width) as usize } else { 0 };
    let mut kept = vec![*first];
    for (i, point) in points.iter().enumerate().skip(1) {
        if points.get(i + 1).is_none_or(|next| place(next.0) != place(point.0)) {
            kept.push(*point);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_a_counter_keeps_where_it_comes_to_rest() {
        let mut points: Vec<(f64, f64)> = (0..5000).map(|i| (f64::from(i) * 0.004, f64::from(i))).collect();
        points.push((31.0, 4999.0));
        let kept = spaced(&points);
        assert!(kept.len() <= MOST_STEPS + 2, "{}", kept.len());
        assert_eq!(kept[kept.len() - 2..], [(4999.0 * 0.004, 4999.0), (31.0, 4999.0)]);
    }
}
