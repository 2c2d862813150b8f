//! Faults as intervals, from the changes that the trace lists.

use crate::settings::{FaultKind, Micros};
use crate::trace::{FaultChange, FaultEvent, Trace};

/// A fault from beginning to end.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Interval {
    pub(super) kind: FaultKind,
    /// The node, if the fault concerns one.
    pub(super) node: Option<usize>,
    pub(super) from_us: Micros,
    pub(super) until_us: Micros,
    /// The fault in two words, for a bar in a plot.
    pub(super) short: String,
    /// The label that the trace has.
    pub(super) label: String,
}

/// The word for a kind of fault.
pub(crate) fn kind_name(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Partition => "partition",
        FaultKind::Kill => "kill",
        FaultKind::Pause => "pause",
        FaultKind::Loss => "loss",
        FaultKind::Duplicate => "duplicate",
    }
}

/// All kinds, in the order in which they are shown.
pub(super) const KINDS: [FaultKind; 5] =
    [FaultKind::Partition, FaultKind::Kill, FaultKind::Pause, FaultKind::Loss, FaultKind::Duplicate];

/// The faults of a run in order of their beginning. A fault that is never taken back lasts until the heal, or until the
/// end.
pub(super) fn intervals(trace: &Trace) -> Vec<Interval> {
    let mut all: Vec<(Interval, bool)> = Vec::new();
    for event in &trace.faults {
        let Some((kind, node, begins)) = read(event) else { continue };
        for (interval, open) in &mut all {
            if *open && interval.kind == kind && interval.node == node {
                interval.until_us = event.at_us.max(interval.from_us);
                *open = false;
            }
        }
        if begins {
            let interval = Interval {
                kind,
                node,
                from_us: event.at_us,
                until_us: Micros::MAX,
                short: short(event),
                label: event.label.clone(),
            };
            all.push((interval, true));
        }
    }
    let finish = |(mut interval, open): (Interval, bool)| {
        if open {
            let end = if trace.healed_us > interval.from_us { trace.healed_us } else { trace.end_us };
            interval.until_us = end.max(interval.from_us);
        }
        interval
    };
    all.into_iter().map(finish).collect()
}

/// The kind and node of an event, and whether a fault begins or ends. `None` for clocks that jump and requests to
/// configure, because these do not last.
fn read(event: &FaultEvent) -> Option<(FaultKind, Option<usize>, bool)> {
    Some(match event.what {
        FaultChange::Partition { cuts } => (FaultKind::Partition, None, cuts > 0),
        FaultChange::Heal => (FaultKind::Partition, None, false),
        FaultChange::Kill { node } => (FaultKind::Kill, Some(node), true),
        FaultChange::Restart { node } => (FaultKind::Kill, Some(node), false),
        FaultChange::Pause { node } => (FaultKind::Pause, Some(node), true),
        FaultChange::Resume { node } => (FaultKind::Pause, Some(node), false),
        FaultChange::Loss { rate } => (FaultKind::Loss, None, rate > 0.0),
        FaultChange::Duplicate { rate } => (FaultKind::Duplicate, None, rate > 0.0),
        FaultChange::Clock { .. } | FaultChange::Configure { .. } => return None,
    })
}

fn short(event: &FaultEvent) -> String {
    match event.what {
        FaultChange::Partition { .. } | FaultChange::Heal => {
            event.label.split(':').next().unwrap_or_default().trim().to_owned()
        }
        FaultChange::Kill { node }
        | FaultChange::Restart { node }
        | FaultChange::Pause { node }
        | FaultChange::Resume { node }
        | FaultChange::Clock { node, .. } => format!("n{node}"),
        FaultChange::Configure { .. } => "configure".to_owned(),
        FaultChange::Loss { rate } | FaultChange::Duplicate { rate } => format!("{} %", (rate * 1000.0).round() / 10.0),
    }
}

/// How often a kind of fault happened, and how long at least one fault of the kind was in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Total {
    pub(super) kind: FaultKind,
    pub(super) times: usize,
    pub(super) lasted_us: Micros,
}

/// Kinds that happened, each with its count and duration.
pub(super) fn totals(intervals: &[Interval]) -> Vec<Total> {
    let mut totals = Vec::new();
    for kind in KINDS {
        let (mut times, mut lasted_us, mut covered_us) = (0, 0, 0);
        for interval in intervals.iter().filter(|interval| interval.kind == kind) {
            times += 1;
            lasted_us += interval.until_us.saturating_sub(interval.from_us.max(covered_us));
            covered_us = covered_us.max(interval.until_us);
        }
        if times > 0 {
            totals.push(Total { kind, times, lasted_us });
        }
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(at_us: Micros, what: FaultChange) -> FaultEvent {
        FaultEvent { at_us, what, label: "one: n3 cut off".to_owned() }
    }

    #[test]
    fn a_fault_ends_where_it_is_taken_back_or_replaced_or_everything_is_healed() {
        let trace = Trace {
            healed_us: 90,
            end_us: 100,
            faults: vec![
                at(10, FaultChange::Partition { cuts: 4 }),
                at(20, FaultChange::Partition { cuts: 2 }),
                at(25, FaultChange::Kill { node: 1 }),
                at(30, FaultChange::Heal),
                at(35, FaultChange::Kill { node: 2 }),
                at(40, FaultChange::Restart { node: 1 }),
                at(50, FaultChange::Loss { rate: 0.1 }),
            ],
            ..Trace::default()
        };
        let all = intervals(&trace);
        let spans: Vec<_> = all.iter().map(|i| (i.kind, i.from_us, i.until_us)).collect();
        assert_eq!(
            spans,
            [
                (FaultKind::Partition, 10, 20),
                (FaultKind::Partition, 20, 30),
                (FaultKind::Kill, 25, 40),
                (FaultKind::Kill, 35, 90),
                (FaultKind::Loss, 50, 90),
            ]
        );
        assert_eq!(all[0].short, "one");
        assert_eq!(all[3].short, "n2");
        assert_eq!(totals(&all)[1], Total { kind: FaultKind::Kill, times: 2, lasted_us: 65 });
    }
}
