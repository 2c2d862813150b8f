//! In the end all nodes show the same state: in the final reads, when the lab inspects them, and in simulation in their
//! memory.
//!
//! Each data type compares what its nodes show. This file has the parts that all data types share.

use std::collections::{BTreeMap, BTreeSet};

use super::view::View;
use super::words::{count, examples};
use super::{Checker, Found};
use crate::history::Call;

/// The checker of a data type.
pub(crate) const fn checker(run: fn(&View<'_>) -> Found) -> Checker {
    Checker { name: "final-state", meaning: "in the end all nodes show the same state", run }
}

/// The part that needs no data type: nodes whose memories differ, and nodes that do not answer. `shows` tells the calls
/// that only show the state.
pub(crate) fn common(view: &View<'_>, shows: impl Fn(&Call) -> bool, found: &mut Found) {
    if !view.trace.diverged.is_empty() {
        let (n, hint) = (count(view.trace.diverged.len(), "node"), view.quiet_hint());
        let list = examples(view.trace.diverged.iter().cloned());
        let message = format!("In the end {n} held another state than the first{hint}: {list}.");
        found.note(view.in_the_end(), message);
    }
    silent(view, shows, found);
}

/// Nodes that were asked for their state in the end and did not answer.
fn silent(view: &View<'_>, shows: impl Fn(&Call) -> bool, found: &mut Found) {
    let mut answered: BTreeMap<usize, bool> = BTreeMap::new();
    for op in view.closing().filter(|op| shows(&op.call)) {
        *answered.entry(op.node).or_default() |= op.answer().is_some();
    }
    let silent: Vec<String> = answered
        .iter()
        .filter(|&(&node, &answered)| !answered && view.lives.alive_at_end(node))
        .map(|(&node, _)| view.node(node))
        .collect();
    if !silent.is_empty() {
        let n = count(silent.len(), "node");
        found.invalid(format!("{n} answered no read in the end, after all faults were over: {}.", examples(silent)));
    } else if !answered.values().any(|&answered| answered) {
        found.unknown("No read was answered in the end, so the final state is not known.".to_owned());
    }
}

/// Three parts of a sentence: a text for each key for which nodes show different things, the number of these keys, and
/// a hint where the end of the run cannot be judged.
pub(crate) fn differing(view: &View<'_>, keys: BTreeMap<u64, Vec<(String, usize)>>) -> (Vec<String>, String, String) {
    let differ: Vec<String> = keys
        .into_iter()
        .filter_map(|(key, shown)| disagreement(view, shown).map(|who| format!("k{key} is {who}")))
        .collect();
    let n = count(differ.len(), "key");
    (differ, n, view.quiet_hint())
}

/// What nodes show, and which nodes: `41 at n0, n1, n2 and 4 more; 40 at n3`. The most frequent comes first. `None`
/// when all show the same.
pub(crate) fn disagreement(view: &View<'_>, shown: impl IntoIterator<Item = (String, usize)>) -> Option<String> {
    let mut groups: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (what, node) in shown {
        groups.entry(what).or_default().insert(node);
    }
    if groups.len() < 2 {
        return None;
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, nodes)| std::cmp::Reverse(nodes.len()));
    let rest = groups.len().saturating_sub(3);
    let list: Vec<String> = groups
        .into_iter()
        .take(3)
        .map(|(what, nodes)| format!("{what} at {}", examples(nodes.into_iter().map(|node| view.node(node)))))
        .collect();
    let list = list.join("; ");
    Some(if rest == 0 { list } else { format!("{list}; and {rest} more") })
}

#[cfg(test)]
mod tests {
    use crate::check::testing::Run;
    use crate::history::Call;
    use crate::judgement::Validity;
    use crate::settings::Workload;
    use crate::trace::FaultChange;

    #[test]
    fn memories_that_differ_are_invalid_though_all_reads_agree() {
        let mut run = Run::new(Workload::Broadcast, 2);
        run.add(0, 100, 101, 7);
        run.end(&[7]);
        run.trace.diverged.push("n1: a dot of n0 less".to_owned());
        run.finds("final-state", Validity::Invalid, &["n1: a dot of n0 less"]);
    }

    #[test]
    fn a_node_that_does_not_answer_in_the_end_is_invalid_unless_it_is_down() {
        let mut run = Run::new(Workload::Broadcast, 2);
        run.add(0, 100, 101, 7);
        run.read(0, 20_000, 20_001, &[7]);
        run.info(1, 20_000, Call::Read);
        run.finds("final-state", Validity::Invalid, &["1 node answered no read", "n1"]);
        run.fault(5000, FaultChange::Kill { node: 1 });
        run.is_silent("final-state");
    }

    #[test]
    fn without_any_final_read_the_state_is_unknown() {
        let mut run = Run::new(Workload::Broadcast, 2);
        run.add(0, 100, 101, 7);
        run.finds("final-state", Validity::Unknown, &["No read was answered"]);
    }
}
