//! Checkers: whether what was seen is right, and the figures.

use crate::history::History;
use crate::judgement::{Judgement, Validity};
use crate::settings::Settings;
use crate::trace::Trace;

/// Judges a run.
#[must_use]
pub fn judge(_settings: &Settings, _history: &History, _trace: &Trace) -> Judgement {
    Judgement {
        validity: Validity::Unknown,
        findings: Vec::new(),
        passed: Vec::new(),
        operations: Vec::new(),
        invocations: 0,
        messages_per_op: 0.0,
        bytes_per_op: 0.0,
        busiest_node_share: 0.0,
        worst_second: 0,
        set: None,
        reads: 0,
        stale_reads: 0,
        last_message_ms: None,
        converged_ms: None,
        catch_up_ms: Vec::new(),
        slowest: Vec::new(),
    }
}

/// Names of the checkers.
pub fn names() -> impl Iterator<Item = &'static str> {
    std::iter::empty()
}
