//! Axes: where values and ticks are on them.

use crate::report::text::grouped;

/// An axis of numbers, linear or logarithmic.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The quantity on the axis with its unit: "latency, ms".
    pub label: String,
    from: f64,
    to: f64,
    log: bool,
    /// Whether values below the beginning are drawn at it. The tick says so.
    below: bool,
}

impl Axis {
    /// A linear axis. An empty range becomes one of length 1.
    #[must_use]
    pub fn linear(label: &str, from: f64, to: f64) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        Self { label: label.to_owned(), from, to, log: false, below: false }
    }

    /// A linear axis from 0 to a little above the largest value.
    #[must_use]
    pub fn up_to(label: &str, largest: f64) -> Self {
        Self::linear(label, 0.0, if largest > 0.0 { largest * 1.06 } else { 1.0 })
    }

    /// A logarithmic axis. Values below `from`, zero too, are drawn at its beginning.
    ///
    /// # Panics
    /// `from` is not above 0.
    #[must_use]
    pub fn log(label: &str, from: f64, to: f64) -> Self {
        assert!(from > 0.0, "a logarithmic axis begins above 0");
        let to = if to > from { to } else { from * 10.0 };
        Self { label: label.to_owned(), from, to, log: true, below: false }
    }

    /// An axis that fits these values. It is logarithmic if a linear axis would press most of them against 0. `least`
    /// is the beginning of the logarithmic axis, and smaller values are drawn there.
    #[must_use]
    pub fn fitting(label: &str, values: &[f64], least: f64) -> Self {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let largest = sorted.last().copied().unwrap_or(0.0);
        let middle = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
        if largest > 20.0 * middle.max(least) {
            let smallest = sorted.first().copied().unwrap_or(least);
            let from = if smallest < least { least } else { 10f64.powf(smallest.log10().floor()) };
            Self { below: smallest < from, ..Self::log(label, from, largest * 1.3) }
        } else {
            Self::up_to(label, largest)
        }
    }

    /// Whether it is logarithmic.
    #[must_use]
    pub const fn is_log(&self) -> bool {
        self.log
    }

    /// Where it begins.
    #[must_use]
    pub const fn from(&self) -> f64 {
        self.from
    }

    /// Where it ends.
    #[must_use]
    pub const fn to(&self) -> f64 {
        self.to
    }

    /// Where a value lies, 0 at the beginning and 1 at the end. Values outside lie at the nearer end.
    #[must_use]
    pub fn share(&self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(self.from).ln() - self.from.ln()) / (self.to.ln() - self.from.ln())
        } else {
            (value - self.from) / (self.to - self.from)
        };
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }

    /// About so many ticks at most, at round values, with their labels.
    #[must_use]
    pub fn ticks(&self, most: usize) -> Vec<(f64, String)> {
        if self.log { self.log_ticks(most) } else { self.linear_ticks(most) }
    }

    fn linear_ticks(&self, most: usize) -> Vec<(f64, String)> {
        let least_step = (self.to - self.from) / most.max(1) as f64;
        let power = 10f64.powf(least_step.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= least_step * 0.999);
        let step = step.unwrap_or(least_step);
        let decimals = usize::try_from(-step.log10().floor() as i64).unwrap_or(0);
        let first = (self.from / step - 1e-9).ceil() as i64;
        let last = (self.to / step + 1e-9).floor() as i64;
        (first..=last).map(|i| i as f64 * step).map(|value| (value, label(value, decimals))).collect()
    }

    fn log_ticks(&self, most: usize) -> Vec<(f64, String)> {
        let (first, last) = (self.from.log10().floor() as i32, self.to.log10().ceil() as i32);
        let decades = (last - first).unsigned_abs() as usize;
        let multiples: &[f64] = if decades * 3 <= most { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let every = decades.div_ceil(most.max(1)).max(1);
        let mut ticks = Vec::new();
        for exponent in (first..=last).step_by(every) {
            for multiple in multiples {
                let value = multiple * 10f64.powi(exponent);
                if value >= self.from * 0.999 && value <= self.to * 1.001 {
                    ticks.push((value, label(value, usize::try_from(-exponent).unwrap_or(0))));
                }
            }
        }
        let first = ticks.first_mut().filter(|(value, _)| self.below && *value <= self.from * 1.001);
        if let Some((_, label)) = first {
            label.insert_str(0, "≤ ");
        }
        ticks
    }
}

fn label(value: f64, decimals: usize) -> String {
    if decimals == 0 { grouped(value) } else { format!("{value:.decimals$}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, most: usize) -> Vec<String> {
        axis.ticks(most).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_at_round_values() {
        assert_eq!(labels(&Axis::linear("s", 0.0, 31.0), 8), ["0", "5", "10", "15", "20", "25", "30"]);
        assert_eq!(labels(&Axis::linear("s", 0.0, 0.9), 5), ["0.0", "0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(labels(&Axis::linear("n", -40.0, 25.0), 5), ["-40", "-20", "0", "20"]);
        assert_eq!(labels(&Axis::log("ms", 0.1, 6000.0), 6), ["0.1", "1", "10", "100", "1,000"]);
        assert_eq!(labels(&Axis::log("ms", 1.0, 30.0), 8), ["1", "2", "5", "10", "20"]);
        assert_eq!(labels(&Axis::up_to("n", 0.0), 4), ["0.0", "0.5", "1.0"]);
    }

    #[test]
    fn an_axis_is_logarithmic_only_where_most_values_would_vanish() {
        assert!(!Axis::fitting("ms", &[100.0, 200.0, 900.0], 0.1).is_log());
        assert!(Axis::fitting("ms", &[0.5, 0.6, 0.7, 5000.0], 0.1).is_log());
        assert_eq!(labels(&Axis::fitting("ms", &[0.0, 0.0, 0.0, 5000.0], 0.1), 5)[0], "≤ 0.1");
        assert_eq!(labels(&Axis::fitting("ms", &[3.0, 3.0, 3.0, 5000.0], 0.1), 5)[0], "1");
        assert!(!Axis::fitting("ms", &[], 0.1).is_log());
        assert!(!Axis::fitting("ms", &[0.0, 0.0], 0.1).is_log());
    }

    #[test]
    fn values_outside_lie_at_the_nearer_end() {
        let axis = Axis::log("ms", 1.0, 100.0);
        assert_eq!([0.0, 1.0, 10.0, 100.0, 1e9].map(|v| axis.share(v)), [0.0, 0.0, 0.5, 1.0, 1.0]);
    }
}
