//! The result of a run: whether it is valid, why not, and the figures.

use serde::Serialize;

use crate::settings::Micros;

/// Whether a run is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Validity {
    /// Everything that was checked holds.
    Valid,
    /// It could not be judged: nothing was acknowledged, no node came up.
    Unknown,
    /// Something that must hold does not.
    Invalid,
}

/// What one checker found.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Name of the checker, as `--ignore` takes it.
    pub checker: &'static str,
    /// How bad: `Valid` is a remark.
    pub validity: Validity,
    /// One sentence for a person, with the first examples: "3 values were lost: 17 (acknowledged by n3 at 4.21 s), …".
    pub message: String,
}

/// Minimum, quantiles and maximum of a latency in milliseconds: `sorted[min(n - 1, floor(n · q))]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many there were.
    pub count: usize,
    /// Smallest.
    pub min: f64,
    /// Median.
    pub median: f64,
    /// 95 %.
    pub p95: f64,
    /// 99 %.
    pub p99: f64,
    /// Largest.
    pub max: f64,
}

/// Operations of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct OpCount {
    /// `broadcast`, `read`, …
    pub kind: String,
    /// Acknowledged.
    pub ok: usize,
    /// Certainly not done.
    pub fail: usize,
    /// Unknown.
    pub info: usize,
    /// From invocation to acknowledgement, milliseconds.
    pub latency: Quantiles,
}

/// One element that took long, or never got everywhere.
#[derive(Clone, Debug, Serialize)]
pub struct Slow {
    /// The value.
    pub value: i64,
    /// The node that acknowledged it.
    pub node: usize,
    /// When.
    pub acknowledged_us: Micros,
    /// Until the last node had it; `None` if that was never seen.
    pub latency_ms: Option<f64>,
    /// The last node to get it.
    pub last_node: usize,
}

/// The figures of Maelstrom's set-full, and figures about what it does not see.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SetFigures {
    /// Adds invoked.
    pub attempted: usize,
    /// Adds acknowledged.
    pub acknowledged: usize,
    /// Elements with a stable latency.
    pub stable: usize,
    /// Elements that were known, and are missing from a later read.
    pub lost: Vec<i64>,
    /// Elements that are neither stable nor lost.
    pub never_read: Vec<i64>,
    /// Stable elements that some read lacked after they were known.
    pub stale: usize,
    /// Elements that are lost because their only holder was killed before it sent them. They are counted apart.
    pub died_unsent: Vec<i64>,
    /// Elements that are lost because their only holder was killed before any message with them had arrived. They are
    /// counted apart.
    pub died_undelivered: Vec<i64>,
    /// Stable latency as Maelstrom computes it.
    pub stable_latency_ms: Quantiles,
    /// From the acknowledgement until the last node had the value, from arrivals.
    pub true_latency_ms: Quantiles,
    /// Acknowledged values that were not seen to reach every node.
    pub incomplete: usize,
}

/// All results of a run, from which it is reported. `results.json` is its serialized form.
#[derive(Clone, Debug, Serialize)]
pub struct Judgement {
    /// The worst of the findings that are not ignored.
    pub validity: Validity,
    /// What was found, worst first.
    pub findings: Vec<Finding>,
    /// Checkers that ran and found nothing.
    pub passed: Vec<&'static str>,
    /// Operations by kind.
    pub operations: Vec<OpCount>,
    /// Operations in all, final reads included.
    pub invocations: usize,
    /// Messages between nodes per operation, as Maelstrom counts: up to the end of the run.
    pub messages_per_op: f64,
    /// Bytes of messages between nodes per operation.
    pub bytes_per_op: f64,
    /// Share of all messages that the busiest node sent.
    pub busiest_node_share: f64,
    /// Most messages that one node sent within one second.
    pub worst_second: u64,
    /// Most messages that one node sent to one peer within one second.
    pub worst_link_second: u64,
    /// Bytes of messages between nodes that were delivered to the node that got most.
    pub delivered_bytes_max: u64,
    /// In simulation: bytes of the state that the first live node holds in the end, as it would stand in a message.
    pub state_bytes: u64,
    /// For the workloads with sets.
    pub set: Option<SetFigures>,
    /// Acknowledged reads in the main phase.
    pub reads: usize,
    /// How many of these reads lacked something that some node had acknowledged before they were invoked.
    pub stale_reads: usize,
    /// The time of the last message between nodes, counted from the last operation or the heal, whichever was later.
    /// `None` if there was no later message.
    pub last_message_ms: Option<f64>,
    /// In simulation: the time until all nodes held the same state, counted from the last operation or the heal,
    /// whichever was later.
    pub converged_ms: Option<f64>,
    /// For each heal of a partition: milliseconds until every value acknowledged before it was at every node.
    pub catch_up_ms: Vec<f64>,
    /// Values that took longest.
    pub slowest: Vec<Slow>,
}
