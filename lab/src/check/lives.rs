//! When processes started and ended. From this follows which reads come from the same memory, and which nodes were up.

use std::collections::BTreeMap;

use crate::settings::Micros;
use crate::trace::{FaultChange, Misdeed, Trace};

/// Starts and ends of processes, for each node that has any.
#[derive(Default)]
pub(crate) struct Lives {
    /// The time of each change, and whether the process started then; in order of time.
    changes: BTreeMap<usize, Vec<(Micros, bool)>>,
}

impl Lives {
    pub(crate) fn new(trace: &Trace) -> Self {
        let mut changes: BTreeMap<usize, Vec<(Micros, bool)>> = BTreeMap::new();
        for event in &trace.faults {
            match event.what {
                FaultChange::Kill { node } => changes.entry(node).or_default().push((event.at_us, false)),
                FaultChange::Restart { node } => changes.entry(node).or_default().push((event.at_us, true)),
                FaultChange::Partition { .. }
                | FaultChange::Heal
                | FaultChange::Pause { .. }
                | FaultChange::Resume { .. }
                | FaultChange::Loss { .. }
                | FaultChange::Duplicate { .. }
                | FaultChange::Clock { .. }
                | FaultChange::Configure { .. } => {}
            }
        }
        for complaint in trace.complaints.iter().filter(|complaint| complaint.what == Misdeed::Exit) {
            changes.entry(complaint.node).or_default().push((complaint.at_us, false));
        }
        for list in changes.values_mut() {
            list.sort_by_key(|&(at, _)| at);
        }
        Self { changes }
    }

    /// The number of the process life in which an operation began and ended. `None` when the process ended in between.
    pub(crate) fn life(&self, node: usize, from: Micros, until: Micros) -> Option<usize> {
        let Some(changes) = self.changes.get(&node) else { return Some(0) };
        let ends = |at: Micros| changes.iter().filter(|&&(when, up)| !up && when < at).count();
        let life = ends(from);
        let meanwhile = changes.iter().any(|&(when, up)| !up && from <= when && when <= until);
        (!meanwhile).then_some(life)
    }

    /// Whether the process ended at or after this time.
    pub(crate) fn killed_since(&self, node: usize, at: Micros) -> bool {
        self.changes.get(&node).is_some_and(|changes| changes.iter().any(|&(when, up)| !up && when >= at))
    }

    /// Whether the process was up just after this time.
    pub(crate) fn alive_at(&self, node: usize, at: Micros) -> bool {
        let Some(changes) = self.changes.get(&node) else { return true };
        changes.iter().rev().find(|&&(when, _)| when <= at).is_none_or(|&(_, up)| up)
    }

    /// Whether the process was up in the end.
    pub(crate) fn alive_at_end(&self, node: usize) -> bool {
        self.alive_at(node, Micros::MAX)
    }

    /// Whether no process ever ended.
    pub(crate) fn is_quiet(&self) -> bool {
        self.changes.is_empty()
    }
}
