//! The figures that are kept of a run, and of all runs of a cell.

use serde::{Deserialize, Serialize};

use super::{Cell, Condition};
use crate::history::{Answer, Call, History, Outcome, Phase};
use crate::judgement::{Judgement, Quantiles, Validity};
use crate::sim::Simulated;
use crate::trace::NEVER;

/// The most places at which the coverage of a cell is kept.
const COVERAGE_PLACES: usize = 200;

/// The figures of one run.
#[derive(Clone, Debug)]
pub(super) struct Figures {
    seed: u64,
    valid: bool,
    reason: Option<String>,
    messages_per_op: f64,
    bytes_per_op: f64,
    true_median_ms: Option<f64>,
    true_max_ms: Option<f64>,
    stable_median_ms: Option<f64>,
    stable_max_ms: Option<f64>,
    stale_share: Option<f64>,
    lacking: Option<f64>,
    catch_up_ms: Option<f64>,
    converged_ms: Option<f64>,
    last_message_ms: Option<f64>,
    /// Milliseconds until the median value was held by so many nodes: see [`places`].
    coverage_ms: Vec<Option<f64>>,
}

impl Figures {
    pub(super) fn of(done: &Simulated, judgement: &Judgement) -> Self {
        let set = judgement.set.as_ref();
        // The latency of a value that never reached all nodes has no bound.
        let followed = set.filter(|set| set.true_latency_ms.count > 0 && set.incomplete == 0);
        let stable = set.map(|set| set.stable_latency_ms).filter(|quantiles: &Quantiles| quantiles.count > 0);
        let worst = judgement.findings.iter().find(|finding| finding.validity == judgement.validity);
        let valid = judgement.validity == Validity::Valid;
        Self {
            seed: done.settings.seed,
            valid,
            reason: worst.filter(|_| !valid).map(|finding| format!("{}: {}", finding.checker, finding.message)),
            messages_per_op: judgement.messages_per_op,
            bytes_per_op: judgement.bytes_per_op,
            true_median_ms: followed.map(|set| set.true_latency_ms.median),
            true_max_ms: followed.map(|set| set.true_latency_ms.max),
            stable_median_ms: stable.map(|stable| stable.median),
            stable_max_ms: stable.map(|stable| stable.max),
            stale_share: (judgement.reads > 0).then(|| judgement.stale_reads as f64 / judgement.reads as f64),
            lacking: lacking(&done.history),
            catch_up_ms: judgement.catch_up_ms.iter().copied().reduce(f64::max),
            converged_ms: judgement.converged_ms,
            last_message_ms: judgement.last_message_ms,
            coverage_ms: coverage(done),
        }
    }
}

/// The numbers of nodes at which coverage is kept: all from 1 to `nodes`, or evenly spaced ones.
pub(super) fn places(nodes: usize) -> Vec<usize> {
    let count = nodes.min(COVERAGE_PLACES);
    (1..=count).map(|i| i * nodes / count).collect()
}

/// For each of [`places`] the time after the acknowledgement at which the median value was held by that many nodes.
fn coverage(done: &Simulated) -> Vec<Option<f64>> {
    let mut delays: Vec<Vec<f64>> = Vec::new();
    for op in done.history.counted() {
        let (Call::Add(value), Outcome::Ok { .. }) = (&op.call, &op.outcome) else { continue };
        let Some(arrivals) = done.trace.arrivals.get(value) else { continue };
        let delay = |at: &u64| {
            if *at == NEVER { f64::INFINITY } else { at.saturating_sub(op.completed_us) as f64 / 1e3 }
        };
        let mut sorted: Vec<f64> = arrivals.iter().map(delay).collect();
        sorted.sort_by(f64::total_cmp);
        delays.push(sorted);
    }
    if delays.is_empty() {
        return Vec::new();
    }
    let median = |place: usize| {
        let mut column: Vec<f64> = delays.iter().filter_map(|sorted| sorted.get(place - 1).copied()).collect();
        column.sort_by(f64::total_cmp);
        column.get(column.len() / 2).copied().filter(|delay| delay.is_finite())
    };
    places(done.settings.nodes).into_iter().map(median).collect()
}

/// The mean number of values that a read of the main phase lacked although they had been acknowledged before it was
/// invoked. `None` if there were no reads of a set.
fn lacking(history: &History) -> Option<f64> {
    let mut acknowledged: Vec<(u64, i64)> = Vec::new();
    for op in &history.ops {
        if let (Call::Add(value), Some(_)) = (&op.call, op.answer()) {
            acknowledged.push((op.completed_us, *value));
        }
    }
    acknowledged.sort_unstable();
    let (mut reads, mut lacked) = (0_usize, 0_usize);
    for op in history.ops.iter().filter(|op| op.phase == Phase::Main) {
        let Some(Answer::Elements(shown)) = op.answer() else { continue };
        let before = acknowledged.partition_point(|(at, _)| *at < op.invoked_us);
        let shown: std::collections::HashSet<i64> = shown.with(|shown| shown.iter().copied().collect());
        lacked += acknowledged[..before].iter().filter(|(_, value)| !shown.contains(value)).count();
        reads += 1;
    }
    (reads > 0).then(|| lacked as f64 / reads as f64)
}

/// A figure over the runs of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean of the runs.
    pub mean: f64,
    /// Least of any run.
    pub min: f64,
    /// Most of any run.
    pub max: f64,
}

impl Spread {
    /// Mean, least and most of these figures. `None` if there are none.
    #[must_use]
    pub fn of(figures: &[f64]) -> Option<Self> {
        let min = figures.iter().copied().reduce(f64::min)?;
        let max = figures.iter().copied().reduce(f64::max)?;
        let mean = figures.iter().sum::<f64>() / figures.len() as f64;
        Some(Self { mean: rounded(mean), min: rounded(min), max: rounded(max) })
    }
}

/// A number rounded to six decimals. No figure is more exact, and a number so short is read back as the same number.
fn rounded(figure: f64) -> f64 {
    (figure * 1e6).round() / 1e6
}

/// A cell with its figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The cell.
    #[serde(flatten)]
    pub cell: Cell,
    /// The number of runs, each with another seed.
    pub runs: usize,
    /// The number of valid runs.
    pub valid: usize,
    /// The first run that is not valid: its seed, and the reason.
    pub first_invalid: Option<(u64, String)>,
    /// Messages between nodes per operation.
    pub messages_per_op: Spread,
    /// Bytes of these messages.
    pub bytes_per_op: Spread,
    /// Median over the values of a run, from the acknowledgement until the last node has it.
    pub true_median_ms: Option<Spread>,
    /// The slowest value of a run. `None` if in some run a value never reached all nodes.
    pub true_max_ms: Option<Spread>,
    /// Median as Maelstrom computes it.
    pub stable_median_ms: Option<Spread>,
    /// Maximum as Maelstrom computes it.
    pub stable_max_ms: Option<Spread>,
    /// Share of reads that lacked something acknowledged before, 0 to 1.
    pub stale_share: Option<Spread>,
    /// For sets: the mean number of values that a read lacked although they had been acknowledged before it was
    /// invoked.
    pub lacking: Option<Spread>,
    /// The slowest catch-up of a run: the time from a heal until everything acknowledged before it was at every node.
    pub catch_up_ms: Option<Spread>,
    /// The time from the last operation or heal until all nodes held the same.
    pub converged_ms: Option<Spread>,
    /// The time from the last operation or heal until the last message.
    pub last_message_ms: Option<Spread>,
    /// Milliseconds until the median value was held by 1, 2, … nodes (at most 200 places, evenly spaced), mean of runs.
    pub coverage_ms: Vec<Option<f64>>,
    /// Whether no other point of its condition has fewer messages and a smaller median.
    pub front_median: bool,
    /// Whether no other point of its condition has fewer messages and a smaller [`Point::max_ms`].
    pub front_max: bool,
}

impl Point {
    pub(super) fn of(cell: Cell, runs: &[Figures]) -> Self {
        let spread = |get: fn(&Figures) -> Option<f64>| {
            let all: Option<Vec<f64>> = runs.iter().map(get).collect();
            all.and_then(|all| Spread::of(&all))
        };
        // A run without a heal, and one that is silent at once, have no such figure. The other runs count.
        let where_any = |get: fn(&Figures) -> Option<f64>| Spread::of(&runs.iter().filter_map(get).collect::<Vec<_>>());
        let none = Spread { mean: 0.0, min: 0.0, max: 0.0 };
        let invalid = runs.iter().find(|run| !run.valid);
        Self {
            cell,
            runs: runs.len(),
            valid: runs.iter().filter(|run| run.valid).count(),
            first_invalid: invalid.map(|run| (run.seed, run.reason.clone().unwrap_or_default())),
            messages_per_op: spread(|run| Some(run.messages_per_op)).unwrap_or(none),
            bytes_per_op: spread(|run| Some(run.bytes_per_op)).unwrap_or(none),
            true_median_ms: spread(|run| run.true_median_ms),
            true_max_ms: spread(|run| run.true_max_ms),
            stable_median_ms: spread(|run| run.stable_median_ms),
            stable_max_ms: spread(|run| run.stable_max_ms),
            stale_share: spread(|run| run.stale_share),
            lacking: spread(|run| run.lacking),
            catch_up_ms: where_any(|run| run.catch_up_ms),
            converged_ms: spread(|run| run.converged_ms),
            last_message_ms: where_any(|run| run.last_message_ms),
            coverage_ms: mean_coverage(runs),
            front_median: false,
            front_max: false,
        }
    }

    /// The median time that a person waits: the true latency or, for workloads without sets, the convergence.
    #[must_use]
    pub fn median_ms(&self) -> Option<f64> {
        self.true_median_ms.or(self.converged_ms.filter(|_| self.stable_max_ms.is_none())).map(|spread| spread.mean)
    }

    /// The longest time that a person waits, in the worst run. Under partition it is the catch-up after a heal, because
    /// the slowest value is as slow as the partition is long, whatever the setting.
    #[must_use]
    pub fn max_ms(&self) -> Option<f64> {
        let set = match self.cell.condition {
            Condition::Calm => self.true_max_ms,
            Condition::Partition => self.catch_up_ms,
        };
        set.or(self.converged_ms.filter(|_| self.stable_max_ms.is_none())).map(|spread| spread.max)
    }
}

fn mean_coverage(runs: &[Figures]) -> Vec<Option<f64>> {
    let places = runs.iter().map(|run| run.coverage_ms.len()).max().unwrap_or(0);
    let mean = |place: usize| {
        let all: Option<Vec<f64>> = runs.iter().map(|run| run.coverage_ms.get(place).copied().flatten()).collect();
        all.and_then(|all| Spread::of(&all)).map(|spread| spread.mean)
    };
    (0..places).map(mean).collect()
}
