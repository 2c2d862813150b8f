//! No node forgets what it has shown: its later reads show at least as much as its earlier ones, while its process lives.
//!
//! Later means invoked after the earlier one had completed. A process that was killed starts from nothing, and a read
//! during which its process ended says nothing.

use std::collections::BTreeMap;

use super::Found;
use super::view::{View, count, examples};
use crate::history::{Answer, Call, Op};
use crate::settings::Workload;
use crate::workload::set::sets::for_each_bit;

pub(crate) fn check(view: &View<'_>) -> Found {
    let mut found = Found::default();
    let broken = match view.settings.workload {
        Workload::Broadcast | Workload::GSet => sets(view),
        Workload::GCounter => totals(view),
        Workload::Kv => stamps(view),
        Workload::PnCounter | Workload::UniqueIds | Workload::Echo | Workload::TxnRwRegister => Vec::new(),
    };
    if !broken.is_empty() {
        let what = count(broken.len(), "read");
        found.invalid(format!("{what} showed less than the same process had shown before: {}.", examples(broken)));
    }
    found
}

/// Acknowledged operations of one process life, in order of invocation, and the same in order of completion.
struct Life<'a> {
    invoked: Vec<&'a Op>,
    completed: Vec<&'a Op>,
}

/// Calls `each` with every operation of a life, after `past` with all that had completed before it was invoked.
pub(crate) fn replay<'a, K: Ord, S: Default>(
    view: &View<'a>,
    relevant: impl Fn(&'a Op) -> Option<K>,
    mut past: impl FnMut(&mut S, &'a Op),
    mut each: impl FnMut(&S, &'a Op),
) {
    let mut lives: BTreeMap<(usize, usize, K), Life<'a>> = BTreeMap::new();
    for op in view.history.ops.iter().filter(|op| op.answer().is_some()) {
        let (Some(key), Some(life)) = (relevant(op), view.lives.life(op.node, op.invoked_us, op.completed_us)) else {
            continue;
        };
        let life = lives.entry((op.node, life, key)).or_insert_with(|| Life { invoked: vec![], completed: vec![] });
        life.invoked.push(op);
        life.completed.push(op);
    }
    for mut life in lives.into_values() {
        life.completed.sort_by_key(|op| op.completed_us);
        let mut state = S::default();
        let mut done = life.completed.into_iter().peekable();
        for op in life.invoked {
            while let Some(before) = done.next_if(|before| before.completed_us < op.invoked_us) {
                past(&mut state, before);
            }
            each(&state, op);
        }
    }
}

fn sets(view: &View<'_>) -> Vec<String> {
    let sets = &view.sets;
    let numbers: BTreeMap<usize, usize> =
        sets.reads.iter().enumerate().map(|(number, read)| (read.op, number)).collect();
    let row = |op: &Op| numbers.get(&op.index).map_or(&[][..], |&read| sets.row(read));
    let mut broken = Vec::new();
    replay(
        view,
        |op| numbers.contains_key(&op.index).then_some(()),
        |shown: &mut Vec<u64>, op| {
            shown.resize(sets.words(), 0);
            shown.iter_mut().zip(row(op)).for_each(|(all, word)| *all |= word);
        },
        |shown, op| {
            let missing = shown.iter().zip(row(op)).enumerate().map(|(place, (all, word))| (place, all & !word));
            let mut values = Vec::new();
            for (place, word) in missing {
                for_each_bit(place, word, |element| values.push(sets.elements[element].value.to_string()));
            }
            if !values.is_empty() {
                let what = count(values.len(), "value");
                let (node, at) = (view.node(op.node), view.time(op.completed_us));
                broken.push(format!("{node} at {at} lacked {what} ({})", examples(values)));
            }
        },
    );
    broken
}

fn totals(view: &View<'_>) -> Vec<String> {
    let total = |op: &Op| match op.answer() {
        Some(Answer::Total(total)) => Some(*total),
        Some(_) | None => None,
    };
    let mut broken = Vec::new();
    replay(
        view,
        |op| total(op).map(|_| ()),
        |most: &mut Option<i64>, op| *most = (*most).max(total(op)),
        |most, op| {
            if let (Some(most), Some(now)) = (*most, total(op))
                && now < most
            {
                let (node, at) = (view.node(op.node), view.time(op.completed_us));
                broken.push(format!("{node} showed {now} at {at} after {most}"));
            }
        },
    );
    broken
}

fn stamps(view: &View<'_>) -> Vec<String> {
    // A key without a value comes before every stamp.
    let stamp = |op: &Op| match op.answer() {
        Some(Answer::Value(_, stamp)) => Some(*stamp),
        Some(_) | None => None,
    };
    let mut broken = Vec::new();
    replay(
        view,
        |op| match op.call {
            Call::KvRead(key) => Some(key),
            _ => None,
        },
        |latest: &mut Option<u64>, op| *latest = (*latest).max(stamp(op)),
        |latest, op| {
            if stamp(op) < *latest {
                let (node, at) = (view.node(op.node), view.time(op.completed_us));
                let now = stamp(op).map_or("no value".to_owned(), |stamp| format!("stamp {stamp}"));
                let key = if let Call::KvRead(key) = op.call { key } else { 0 };
                broken.push(format!("{node} showed {now} for k{key} at {at} after stamp {}", latest.unwrap_or(0)));
            }
        },
    );
    broken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::check::testing::{Run, histories};
    use crate::check::view::View;
    use crate::history::{Answer, Call, History, Op};
    use crate::judgement::Validity;
    use crate::settings::Workload;

    fn two_values() -> Run {
        let mut run = Run::new(Workload::Broadcast, 2);
        run.add(0, 100, 101, 7);
        run.add(0, 110, 111, 8);
        run.read(0, 200, 201, &[7, 8]);
        run
    }

    #[test]
    fn a_node_that_keeps_what_it_showed_passes() {
        let mut run = two_values();
        run.read(1, 300, 301, &[7]);
        run.end(&[7, 8]);
        run.is_silent("monotonic");
    }

    #[test]
    fn a_node_that_forgets_a_value_is_invalid() {
        let mut run = two_values();
        run.read(0, 300, 301, &[8]);
        run.end(&[7, 8]);
        run.finds("monotonic", Validity::Invalid, &["n0 at 0.30 s lacked 1 value (7)"]);
    }

    #[test]
    fn a_read_that_overlaps_the_earlier_one_may_show_less() {
        let mut run = Run::new(Workload::Broadcast, 1);
        run.add(0, 100, 101, 7);
        run.read(0, 200, 210, &[7]);
        run.read(0, 205, 220, &[]);
        run.read(0, 210, 220, &[]);
        run.is_silent("monotonic");
    }

    #[test]
    fn a_killed_process_starts_from_nothing() {
        let mut run = two_values();
        run.kill(0, 250, &[], &[]);
        run.read(0, 1300, 1301, &[]);
        run.is_silent("monotonic");
        run.read(0, 1400, 1401, &[8]);
        run.read(0, 1500, 1501, &[7]);
        run.finds("monotonic", Validity::Invalid, &["1 read", "1.50 s", "(8)"]);
    }

    #[test]
    fn a_read_during_which_the_process_ended_says_nothing() {
        let mut run = two_values();
        run.read(0, 240, 1300, &[]);
        run.kill(0, 250, &[], &[]);
        run.is_silent("monotonic");
    }

    #[test]
    fn a_grow_only_counter_that_goes_back_is_invalid() {
        let mut run = Run::new(Workload::GCounter, 1);
        run.increment(0, 100, 3);
        run.total(0, 200, 201, 3);
        run.total(0, 300, 301, 2);
        run.end_total(3);
        run.finds("monotonic", Validity::Invalid, &["n0 showed 2 at 0.30 s after 3"]);
    }

    #[test]
    fn a_key_whose_stamp_goes_back_is_invalid_and_other_keys_are_not_concerned() {
        let mut run = Run::new(Workload::Kv, 1);
        run.ok(0, 200, 201, Call::KvRead(1), Answer::Value(5, 20));
        run.ok(0, 300, 301, Call::KvRead(2), Answer::Value(6, 10));
        run.is_silent("monotonic");
        run.ok(0, 400, 401, Call::KvRead(1), Answer::Value(4, 19));
        run.finds("monotonic", Validity::Invalid, &["stamp 19 for k1 at 0.40 s after stamp 20"]);
    }

    #[test]
    fn a_key_that_loses_its_value_is_invalid() {
        let mut run = Run::new(Workload::Kv, 1);
        run.ok(0, 200, 201, Call::KvRead(1), Answer::Value(5, 20));
        run.ok(0, 400, 401, Call::KvRead(1), Answer::Missing);
        run.finds("monotonic", Validity::Invalid, &["showed no value for k1"]);
    }

    /// Reads that lack an element which an earlier read of the same process shows, by comparing all with all.
    fn literally(history: &History, kills: &[(usize, u64)]) -> usize {
        let elements = |op: &Op| match op.answer() {
            Some(Answer::Elements(values)) => Some(values.to_vec()),
            _ => None,
        };
        let added = |value: &i64| history.ops.iter().any(|op| op.call == Call::Add(*value));
        let killed = |from: &Op, until: &Op| {
            kills.iter().any(|&(node, at)| node == until.node && from.invoked_us <= at && at <= until.completed_us)
        };
        let reads: Vec<_> = history.ops.iter().filter_map(|op| Some((op, elements(op)?))).collect();
        let broken = reads.iter().filter(|(later, shown)| {
            reads.iter().any(|(earlier, before)| {
                let after = earlier.node == later.node && earlier.completed_us < later.invoked_us;
                after && !killed(earlier, later) && before.iter().any(|value| !shown.contains(value) && added(value))
            })
        });
        broken.count()
    }

    proptest! {
        #[test]
        fn the_fast_way_finds_what_comparing_all_reads_finds(
            history in histories(),
            kills in proptest::collection::vec((0_usize..3, 0_u64..150), 0..4),
        ) {
            let mut run = Run::new(Workload::GSet, 3);
            run.history = history;
            for &(node, at) in &kills {
                run.kill(node, at, &[], &[]);
            }
            run.trace.faults.sort_by_key(|event| event.at_us);
            let kills: Vec<_> = kills.into_iter().map(|(node, at)| (node, at * 1000)).collect();
            let view = View::new(&run.settings, &run.history, &run.trace);
            prop_assert_eq!(super::sets(&view).len(), literally(&run.history, &kills));
        }
    }
}
