//! Counts the reads of the main phase that lacked something that had been acknowledged anywhere before they were invoked.
//!
//! A count and no demand: under eventual consistency reads may be stale. What died with a killed process is not missed.

use std::collections::BTreeMap;

use super::view::View;
use super::{Figures, Found};
use crate::history::{Answer, Call, Op, Phase};
use crate::settings::{Micros, Workload};
use crate::workload::counter::sums::{Asked, increment};

pub(crate) fn check(view: &View<'_>) -> Found {
    let (reads, stale) = match view.settings.workload {
        Workload::Broadcast | Workload::GSet => sets(view),
        Workload::GCounter | Workload::PnCounter => totals(view),
        Workload::Kv => stamps(view),
        Workload::UniqueIds | Workload::Echo | Workload::TxnRwRegister => (0, 0),
    };
    Found { figures: Figures::Reads { reads, stale }, ..Found::default() }
}

fn sets(view: &View<'_>) -> (usize, usize) {
    let sets = &view.sets;
    let mut acknowledged: Vec<(Micros, usize)> = Vec::new();
    for (number, element) in sets.elements.iter().enumerate() {
        acknowledged.extend(element.acknowledged_us.filter(|_| view.excused(number).is_none()).map(|at| (at, number)));
    }
    acknowledged.sort_unstable();
    let mut done = acknowledged.into_iter().peekable();
    let mut expected = vec![0_u64; sets.words()];
    let (mut reads, mut stale) = (0, 0);
    for (number, read) in sets.reads.iter().enumerate().filter(|(_, read)| read.phase == Phase::Main) {
        while let Some((_, element)) = done.next_if(|&(at, _)| at < read.invoked_us) {
            expected[element / 64] |= 1 << (element % 64);
        }
        reads += 1;
        stale += usize::from(expected.iter().zip(sets.row(number)).any(|(all, word)| all & !word != 0));
    }
    (reads, stale)
}

fn totals(view: &View<'_>) -> (usize, usize) {
    let asked = Asked::new(view);
    // Completion; all acknowledged by then, those of them that lower, those that raise.
    let mut acknowledged: Vec<(Micros, i128)> = Vec::new();
    for op in view.history.ops.iter().filter(|op| op.answer().is_some() && view.died(op).is_none()) {
        acknowledged.extend(increment(op).map(|delta| (op.completed_us, delta)));
    }
    acknowledged.sort_unstable();
    let (mut least, mut most) = (0, 0);
    let sums: Vec<(Micros, i128, i128)> = acknowledged
        .into_iter()
        .map(|(at, delta)| {
            least += delta.min(0);
            most += delta.max(0);
            (at, least, most)
        })
        .collect();
    let (mut reads, mut stale) = (0, 0);
    for op in view.history.ops.iter().filter(|op| op.phase == Phase::Main) {
        let Some(&Answer::Total(total)) = op.answer() else { continue };
        let before = sums.partition_point(|&(at, ..)| at < op.invoked_us);
        let (lowering, raising) = before.checked_sub(1).map_or((0, 0), |last| (sums[last].1, sums[last].2));
        let (least, most) = asked.until(op.completed_us);
        // What was acknowledged is in, whatever else was asked for may be.
        let possible = least + raising..=most + lowering;
        reads += 1;
        stale += usize::from(!possible.contains(&i128::from(total)));
    }
    (reads, stale)
}

fn stamps(view: &View<'_>) -> (usize, usize) {
    let mut writes: Vec<(Micros, u64, u64)> = Vec::new();
    for op in view.history.ops.iter().filter(|op| view.died(op).is_none()) {
        if let (&Call::Write { key, .. }, Some(&Answer::Stamp(stamp))) = (&op.call, op.answer()) {
            writes.push((op.completed_us, key, stamp));
        }
    }
    writes.sort_unstable();
    let mut done = writes.into_iter().peekable();
    let mut latest: BTreeMap<u64, u64> = BTreeMap::new();
    let (mut reads, mut stale) = (0, 0);
    for (op, key, stamp) in view.history.ops.iter().filter(|op| op.phase == Phase::Main).filter_map(stamp_read) {
        while let Some((_, key, stamp)) = done.next_if(|&(at, ..)| at < op.invoked_us) {
            let entry = latest.entry(key).or_insert(stamp);
            *entry = stamp.max(*entry);
        }
        reads += 1;
        stale += usize::from(stamp < latest.get(&key).copied());
    }
    (reads, stale)
}

/// An acknowledged read of a key; no stamp where the key had no value.
fn stamp_read(op: &Op) -> Option<(&Op, u64, Option<u64>)> {
    match (&op.call, op.answer()) {
        (&Call::KvRead(key), Some(&Answer::Value(_, stamp))) => Some((op, key, Some(stamp))),
        (&Call::KvRead(key), Some(Answer::Missing)) => Some((op, key, None)),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::check::testing::{Run, histories};
    use crate::history::{Answer, Call, Op, Phase};
    use crate::settings::Workload;

    fn counts(run: &Run) -> (usize, usize) {
        let judgement = run.judge();
        (judgement.reads, judgement.stale_reads)
    }

    #[test]
    fn a_read_of_a_set_is_stale_when_it_lacks_what_was_acknowledged_before() {
        let mut run = Run::new(Workload::Broadcast, 2);
        run.add(0, 100, 110, 7);
        run.read(1, 105, 106, &[]);
        run.read(1, 110, 111, &[]);
        run.read(1, 111, 112, &[]);
        run.read(1, 120, 121, &[7]);
        run.end(&[]);
        assert_eq!(counts(&run), (4, 1));
    }

    #[test]
    fn what_died_with_a_process_is_not_missed() {
        let mut run = Run::new(Workload::Broadcast, 2);
        let add = run.add(0, 100, 110, 7);
        run.trace.arrivals.clear();
        run.kill(0, 115, &[add], &[]);
        run.read(1, 200, 201, &[]);
        run.end(&[]);
        assert_eq!(counts(&run), (1, 0));
    }

    #[test]
    fn a_total_is_stale_when_it_cannot_include_what_was_acknowledged_before() {
        let mut run = Run::new(Workload::PnCounter, 1);
        run.increment(0, 100, 4);
        run.info(0, 150, Call::Increment(-3));
        run.total(0, 200, 201, 4);
        run.total(0, 210, 211, 1);
        run.total(0, 220, 221, 0);
        run.total(0, 230, 231, 5);
        assert_eq!(counts(&run), (4, 2));
    }

    #[test]
    fn a_read_of_a_key_is_stale_when_its_stamp_is_older_than_an_acknowledged_write() {
        let mut run = Run::new(Workload::Kv, 2);
        run.ok(0, 100, 101, Call::Write { key: 1, value: 5 }, Answer::Stamp(10));
        run.ok(1, 200, 201, Call::KvRead(1), Answer::Missing);
        run.ok(1, 210, 211, Call::KvRead(1), Answer::Value(5, 10));
        run.ok(1, 220, 221, Call::KvRead(1), Answer::Value(6, 11));
        run.ok(1, 230, 231, Call::KvRead(1), Answer::Value(4, 9));
        run.ok(1, 240, 241, Call::KvRead(2), Answer::Missing);
        assert_eq!(counts(&run), (5, 2));
    }

    proptest! {
        #[test]
        fn the_fast_way_counts_what_the_definition_says(history in histories()) {
            let mut run = Run::new(Workload::GSet, 3);
            run.history = history;
            let lacks = |read: &&Op| run.history.ops.iter().any(|add| match (&add.call, read.answer()) {
                (Call::Add(value), Some(Answer::Elements(shown))) => {
                    add.answer().is_some() && add.completed_us < read.invoked_us && !shown.to_vec().contains(value)
                }
                _ => false,
            });
            let is_read = |op: &&Op| op.call == Call::Read && op.phase == Phase::Main && op.answer().is_some();
            let reads = run.history.ops.iter().filter(is_read);
            prop_assert_eq!(counts(&run), (reads.clone().count(), reads.filter(lacks).count()));
        }
    }
}
