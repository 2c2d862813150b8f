//! The points a person asks for.

use serde::Serialize;

use super::floors::{GLOMERS, Limits, is_standard};
use super::{Condition, Point, Sweep};
use crate::report::text::{ms, percent, ratio};

/// A question, and the point that answers it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spot {
    /// "cheapest inside 3e's limits"
    pub question: String,
    /// The place in the list of points. `None` if no point answers the question.
    pub point: Option<usize>,
    /// The figures of the point, or why there is none.
    pub answer: String,
}

/// The sweet spots of a sweep.
#[must_use]
pub fn spots(sweep: &Sweep) -> Vec<Spot> {
    let mut spots = Vec::new();
    if is_standard(&sweep.settings) && sweep.of(Condition::Calm).next().is_some() {
        spots.extend(GLOMERS.iter().map(|limits| inside(sweep, limits)));
    }
    let calm = |get: fn(&Point) -> Option<f64>| least(sweep, Condition::Calm, get);
    let cut = |get: fn(&Point) -> Option<f64>| least(sweep, Condition::Partition, get);
    let cost = |point: &Point| format!("{} msgs/op", ratio(point.messages_per_op.mean));
    let mut add = |question: &str, found: Option<(usize, f64)>, figure: fn(f64) -> String| {
        if let Some((at, value)) = found {
            let answer = format!("{} for {}", figure(value), cost(&sweep.points[at]));
            spots.push(Spot { question: question.to_owned(), point: Some(at), answer });
        }
    };
    add("fewest messages", calm(|point| Some(point.messages_per_op.mean)), |value| format!("{} msgs/op", ratio(value)));
    if sweep.points.iter().any(|point| point.true_max_ms.is_some()) {
        add("fastest in the median", calm(Point::median_ms), ms);
        add("fastest at worst", calm(Point::max_ms), ms);
    } else {
        add("soonest equal after the load, at worst", calm(Point::max_ms), ms);
        add("soonest equal after load and heal, at worst", cut(Point::max_ms), ms);
    }
    if sweep.points.iter().any(|point| point.lacking.is_some()) {
        add("freshest reads", calm(|point| point.lacking.map(|s| s.mean)), lacks);
        add("freshest reads under partition", cut(|point| point.lacking.map(|s| s.mean)), lacks);
    } else {
        add("fewest stale reads", calm(|point| point.stale_share.map(|s| s.mean)), percent);
        add("fewest stale reads under partition", cut(|point| point.stale_share.map(|s| s.mean)), percent);
    }
    add("fastest under partition: caught up after a heal, at worst", cut(|point| point.catch_up_ms.map(|s| s.max)), ms);
    add("fewest messages under partition", cut(|point| Some(point.messages_per_op.mean)), |value| {
        format!("{} msgs/op", ratio(value))
    });
    for spot in &mut spots {
        if let Some(at) = spot.point.filter(|_| spot.question.starts_with("fewest messages")) {
            let point = &sweep.points[at];
            let (median, max) = (point.median_ms().map(ms), point.max_ms().map(ms));
            let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
            spot.answer = format!("{}, median {}, max {}", cost(point), or_dash(median), or_dash(max));
        }
    }
    spots
}

/// What reads lack, in words.
fn lacks(values: f64) -> String {
    format!("{} values missing in a read", ratio(values))
}

/// The point of a condition with the least figure. Of equal points, the one with fewer messages. Points with an invalid
/// run are left out.
fn least(sweep: &Sweep, condition: Condition, get: fn(&Point) -> Option<f64>) -> Option<(usize, f64)> {
    sweep
        .of(condition)
        .filter(|(_, point)| point.valid == point.runs)
        .filter_map(|(at, point)| Some((at, get(point)?)))
        .min_by(|(a, x), (b, y)| {
            let cost = |at: usize| sweep.points[at].messages_per_op.mean;
            x.total_cmp(y).then(cost(*a).total_cmp(&cost(*b)))
        })
}

/// Whether every run of a point keeps limits.
pub(super) fn keeps(point: &Point, limits: &Limits) -> bool {
    let below = |spread: Option<super::Spread>, limit: f64| spread.is_some_and(|spread| spread.max < limit);
    point.valid == point.runs
        && point.messages_per_op.max < limits.messages_per_op
        && below(point.stable_median_ms, limits.median_ms)
        && below(point.stable_max_ms, limits.max_ms)
}

fn inside(sweep: &Sweep, limits: &Limits) -> Spot {
    let question = format!("cheapest inside {}'s limits", limits.name);
    let cost = |point: &Point| point.messages_per_op.mean;
    let kept = sweep.of(Condition::Calm).filter(|(_, point)| keeps(point, limits));
    if let Some((at, point)) = kept.min_by(|(_, a), (_, b)| cost(a).total_cmp(&cost(b))) {
        let (median, max) = (point.stable_median_ms.map(|s| s.max), point.stable_max_ms.map(|s| s.max));
        let answer = format!(
            "{} msgs/op, stable median {}, max {} in the worst of {} runs",
            ratio(cost(point)),
            ms(median.unwrap_or_default()),
            ms(max.unwrap_or_default()),
            point.runs
        );
        return Spot { question, point: Some(at), answer };
    }
    // The point that is nearest in its worst figure is named.
    let miss = |point: &Point| -> Option<f64> {
        let parts = [
            point.messages_per_op.max / limits.messages_per_op,
            point.stable_median_ms?.max / limits.median_ms,
            point.stable_max_ms?.max / limits.max_ms,
        ];
        parts.into_iter().reduce(f64::max)
    };
    let nearest = sweep.of(Condition::Calm).filter_map(|(_, point)| Some((point, miss(point)?)));
    let answer = match nearest.min_by(|(_, a), (_, b)| a.total_cmp(b)) {
        None => "none of these points".to_owned(),
        Some((point, _)) => format!(
            "none of these points in every run; nearest is {} with {} msgs/op, stable median {}, max {}",
            point.cell.label(),
            ratio(point.messages_per_op.max),
            ms(point.stable_median_ms.map_or(f64::NAN, |s| s.max)),
            ms(point.stable_max_ms.map_or(f64::NAN, |s| s.max)),
        ),
    };
    Spot { question, point: None, answer }
}
