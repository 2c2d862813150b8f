//! Points that no other point beats.

use super::{Condition, Point};

/// Whether each point is on the front: no other point is smaller in one figure and not larger in the other. A point
/// without a figure is not on the front, and beats no other point.
#[must_use]
pub fn front(points: &[Option<(f64, f64)>]) -> Vec<bool> {
    let beats = |a: (f64, f64), b: (f64, f64)| a.0 <= b.0 && a.1 <= b.1 && (a.0 < b.0 || a.1 < b.1);
    let is_beaten = |b: (f64, f64)| points.iter().flatten().any(|a| beats(*a, b));
    points.iter().map(|point| point.is_some_and(|point| !is_beaten(point))).collect()
}

/// Marks the points on the fronts of messages per operation against median and maximum, each condition on its own.
pub(super) fn mark(points: &mut [Point]) {
    for condition in [Condition::Calm, Condition::Partition] {
        let figures = |get: fn(&Point) -> Option<f64>| -> Vec<Option<(f64, f64)>> {
            let of = |point: &Point| {
                let is_meant = point.cell.condition == condition && point.valid == point.runs;
                is_meant.then(|| Some((point.messages_per_op.mean, get(point)?))).flatten()
            };
            points.iter().map(of).collect()
        };
        let (median, max) = (front(&figures(Point::median_ms)), front(&figures(Point::max_ms)));
        for ((point, median), max) in points.iter_mut().zip(median).zip(max) {
            point.front_median |= median;
            point.front_max |= max;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt as _, SeedableRng as _};

    #[test]
    fn a_point_on_the_front_is_beaten_by_none_and_every_other_by_one_on_it() {
        for seed in 0..200 {
            let mut rng = rand_xorshift::XorShiftRng::seed_from_u64(seed);
            let mut coordinate = || f64::from(rng.random_range(0..12_u32));
            let points: Vec<_> = (0..40).map(|i| (i % 9 != 0).then(|| (coordinate(), coordinate()))).collect();
            let marked = front(&points);
            for (b, on_front) in points.iter().zip(&marked) {
                let Some(b) = b else {
                    assert!(!on_front, "seed {seed}");
                    continue;
                };
                // The definition, written out another way: neither coordinate worse, and not the same point.
                let beaten_by = |a: &(f64, f64)| a != b && a.0 <= b.0 && a.1 <= b.1;
                assert_eq!(*on_front, !points.iter().flatten().any(beaten_by), "seed {seed}: {b:?}");
                let front_beats =
                    points.iter().zip(&marked).any(|(a, front)| *front && a.as_ref().is_some_and(beaten_by));
                assert_eq!(!on_front, front_beats, "seed {seed}: {b:?}");
            }
        }
    }
}
