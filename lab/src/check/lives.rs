//! When processes came and went: which reads come from one memory, and who was up.

use std::collections::BTreeMap;

use crate::settings::Micros;
use crate::trace::{FaultChange, Misdeed, Trace};

/// Comings and goings, per node that has any.
#[derive(Default)]
pub(crate) struct Lives {
    /// Time, and whether it came up; in order of time.
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

    /// The number of the process life in which all of an operation took place; `None` when the process ended meanwhile.
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
