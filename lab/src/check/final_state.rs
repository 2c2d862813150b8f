//! In the end all nodes show the same: in the final reads, in the lab's own look, and in simulation in their memory.
//!
//! Who wins a key of the store is a matter of the checker `lww`; here only the memories are compared for it.

use std::collections::{BTreeMap, BTreeSet};

use super::Found;
use super::view::{View, count, examples};
use crate::history::{Answer, Call, Micro, Op, Phase};
use crate::settings::Workload;
use crate::workload::set::sets::for_each_bit;

pub(crate) fn check(view: &View<'_>) -> Found {
    let mut found = Found::default();
    match view.settings.workload {
        Workload::Broadcast | Workload::GSet => sets(view, &mut found),
        Workload::GCounter | Workload::PnCounter => totals(view, &mut found),
        Workload::TxnRwRegister => registers(view, &mut found),
        Workload::Kv | Workload::UniqueIds | Workload::Echo => {}
    }
    if !view.trace.diverged.is_empty() {
        let (n, hint) = (count(view.trace.diverged.len(), "node"), view.quiet_hint());
        let list = examples(view.trace.diverged.iter().cloned());
        let message = format!("In the end {n} held another state than the first{hint}: {list}.");
        found.note(view.in_the_end(), message);
    }
    silent(view, &mut found);
    found
}

/// Nodes that were asked in the end, and did not say what they hold.
fn silent(view: &View<'_>, found: &mut Found) {
    let mut answered: BTreeMap<usize, bool> = BTreeMap::new();
    for op in view.closing().filter(|op| is_look(op)) {
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

/// Whether an operation only looks at the state.
fn is_look(op: &Op) -> bool {
    match &op.call {
        Call::Read | Call::KvRead(_) => true,
        Call::Txn(micros) => micros.iter().all(|micro| matches!(micro, Micro::Read(..))),
        Call::Echo(_) | Call::Generate | Call::Add(_) | Call::Increment(_) | Call::Write { .. } => false,
    }
}

fn sets(view: &View<'_>, found: &mut Found) {
    let sets = &view.sets;
    let closing: Vec<usize> = (0..sets.reads.len()).filter(|&read| sets.reads[read].phase != Phase::Main).collect();
    let mut all = vec![0; sets.words()];
    for &read in &closing {
        all.iter_mut().zip(sets.row(read)).for_each(|(all, word)| *all |= word);
    }
    let mut strangers: BTreeMap<usize, BTreeSet<i64>> = BTreeMap::new();
    for &(read, value) in sets.strangers.iter().filter(|(read, _)| sets.reads[*read].phase != Phase::Main) {
        strangers.entry(read).or_default().insert(value);
    }
    let all_strangers: BTreeSet<i64> = strangers.values().flatten().copied().collect();
    let mut lacking: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    for &read in &closing {
        let mut missing = Vec::new();
        for (place, (all, word)) in all.iter().zip(sets.row(read)).enumerate() {
            for_each_bit(place, all & !word, |element| missing.push(sets.elements[element].value));
        }
        let own = strangers.get(&read);
        missing.extend(all_strangers.iter().filter(|value| own.is_none_or(|own| !own.contains(value))));
        if !missing.is_empty() {
            lacking.insert(sets.reads[read].node, missing);
        }
    }
    if !lacking.is_empty() {
        let (n, hint) = (count(lacking.len(), "node"), view.quiet_hint());
        let list = examples(lacking.into_iter().map(|(node, values)| {
            let what = count(values.len(), "value");
            format!("{} lacked {what} ({})", view.node(node), examples(values.iter().map(i64::to_string)))
        }));
        found.note(view.in_the_end(), format!("In the end {n} lacked what others showed{hint}: {list}."));
    }
}

fn totals(view: &View<'_>, found: &mut Found) {
    let totals = view.closing().filter_map(|op| match op.answer() {
        Some(Answer::Total(total)) => Some((total.to_string(), op.node)),
        Some(_) | None => None,
    });
    if let Some(who) = disagreement(view, totals) {
        let message = format!("In the end nodes showed different totals{}: {who}.", view.quiet_hint());
        found.note(view.in_the_end(), message);
    }
}

fn registers(view: &View<'_>, found: &mut Found) {
    let mut keys: BTreeMap<u64, Vec<(String, usize)>> = BTreeMap::new();
    for op in view.closing().filter(|op| is_look(op)) {
        let Some(Answer::Txn(micros)) = op.answer() else { continue };
        for micro in micros {
            if let Micro::Read(key, value) = micro {
                let value = value.map_or("no value".to_owned(), |value| value.to_string());
                keys.entry(*key).or_default().push((value, op.node));
            }
        }
    }
    let (differ, n, hint) = differing(view, keys);
    if !differ.is_empty() {
        let message = format!("In the end nodes showed different values for {n}{hint}: {}.", examples(differ));
        found.note(view.in_the_end(), message);
    }
}

/// The keys for which nodes show different things, each with who shows what; how many, and a hint why it may be.
pub(crate) fn differing(view: &View<'_>, keys: BTreeMap<u64, Vec<(String, usize)>>) -> (Vec<String>, String, String) {
    let differ: Vec<String> = keys
        .into_iter()
        .filter_map(|(key, shown)| disagreement(view, shown).map(|who| format!("k{key} is {who}")))
        .collect();
    let n = count(differ.len(), "key");
    (differ, n, view.quiet_hint())
}

/// Who shows what, the most frequent first, unless all show the same: `41 at n0, n1, n2 and 4 more; 40 at n3`.
fn disagreement(view: &View<'_>, shown: impl IntoIterator<Item = (String, usize)>) -> Option<String> {
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
    use crate::history::{Answer, Call, Micro};
    use crate::judgement::Validity;
    use crate::settings::Workload;
    use crate::trace::FaultChange;

    #[test]
    fn equal_sets_in_any_order_pass() {
        let mut run = Run::new(Workload::GSet, 2);
        run.add(0, 100, 101, 7);
        run.add(0, 110, 111, 8);
        run.read(0, 20_000, 20_001, &[7, 8]);
        run.read(1, 20_000, 20_001, &[8, 7]);
        run.passes();
    }

    #[test]
    fn a_node_that_lacks_what_others_show_is_invalid_even_if_it_was_never_acknowledged() {
        let mut run = Run::new(Workload::GSet, 2);
        run.info(0, 100, Call::Add(7));
        run.read(0, 20_000, 20_001, &[7]);
        run.read(1, 20_000, 20_001, &[]);
        run.finds("final-state", Validity::Invalid, &["n1 lacked 1 value (7)"]);
    }

    #[test]
    fn a_value_of_nobody_at_one_node_is_a_difference_too() {
        let mut run = Run::new(Workload::GSet, 2);
        run.read(0, 20_000, 20_001, &[]);
        run.read(1, 20_000, 20_001, &[99]);
        run.finds("final-state", Validity::Invalid, &["n0 lacked 1 value (99)"]);
    }

    #[test]
    fn the_own_look_counts_like_a_final_read() {
        let mut run = Run::new(Workload::GSet, 2);
        run.add(0, 100, 101, 7);
        run.end(&[7]);
        run.read(1, 20_600, 20_601, &[]);
        run.finds("final-state", Validity::Invalid, &["n1 lacked"]);
    }

    #[test]
    fn different_totals_are_invalid_and_told_by_node() {
        let mut run = Run::new(Workload::PnCounter, 3);
        for (node, total) in [(0, 41), (1, 40), (2, 41)] {
            run.total(node, 20_000, 20_001, total);
        }
        run.finds("final-state", Validity::Invalid, &["41 at n0, n2; 40 at n1"]);
    }

    #[test]
    fn different_registers_are_invalid() {
        let mut run = Run::new(Workload::TxnRwRegister, 2);
        for (node, value) in [(0, Some(5)), (1, None)] {
            let look = Call::Txn(vec![Micro::Read(3, None)]);
            run.ok(node, 20_600, 20_601, look, Answer::Txn(vec![Micro::Read(3, value)]));
        }
        run.finds("final-state", Validity::Invalid, &["k3 is 5 at n0; no value at n1"]);
    }

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
