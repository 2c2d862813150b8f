//! Checkers of what reads of keys show. A read shows nothing that nobody wrote, and no older stamp than an earlier
//! read. Stale reads are counted.
//!
//! [`super::lww`] decides who wins a key. So in the end only the memories of the nodes are compared here.

use std::collections::BTreeMap;

use crate::check::monotonic::replay;
use crate::check::view::View;
use crate::check::{Found, final_state, monotonic, phantom, staleness};
use crate::history::{Answer, Call, Op, Phase};
use crate::settings::Micros;

pub(super) fn final_state(view: &View<'_>) -> Found {
    let mut found = Found::default();
    final_state::common(view, |call| matches!(call, Call::KvRead(_)), &mut found);
    found
}

pub(super) fn phantom(view: &View<'_>) -> Found {
    let written = |op: &Op| match op.call {
        Call::Write { key, value } => vec![(key, value)],
        _ => Vec::new(),
    };
    let shown = |op: &Op| match (&op.call, op.answer()) {
        (&Call::KvRead(key), Some(&Answer::Value(value, _))) => vec![(key, value)],
        (_, _) => Vec::new(),
    };
    phantom::under_keys(view, written, shown).told()
}

pub(super) fn monotonic(view: &View<'_>) -> Found {
    monotonic::told(set_back(view))
}

/// Reads that show an older stamp than an earlier read of the same process.
fn set_back(view: &View<'_>) -> Vec<String> {
    // No value counts as older than every stamp.
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

pub(super) fn staleness(view: &View<'_>) -> Found {
    staleness::told(stale(view))
}

/// How many reads there were, and how many of them were stale.
fn stale(view: &View<'_>) -> (usize, usize) {
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

/// An acknowledged read: its key, and the stamp if the key had a value.
fn stamp_read(op: &Op) -> Option<(&Op, u64, Option<u64>)> {
    match (&op.call, op.answer()) {
        (&Call::KvRead(key), Some(&Answer::Value(_, stamp))) => Some((op, key, Some(stamp))),
        (&Call::KvRead(key), Some(Answer::Missing)) => Some((op, key, None)),
        (_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::Run;
    use crate::history::{Answer, Call};
    use crate::judgement::Validity;
    use crate::settings::Workload;

    #[test]
    fn a_key_that_shows_what_nobody_wrote_to_it_is_invalid() {
        let mut run = Run::new(Workload::Kv, 1);
        run.ok(0, 100, 101, Call::Write { key: 1, value: 5 }, Answer::Stamp(10));
        run.ok(0, 200, 201, Call::KvRead(2), Answer::Value(5, 10));
        run.finds("phantom", Validity::Invalid, &["k2=5 by n0"]);
    }

    #[test]
    fn a_key_that_shows_a_refused_write_is_invalid() {
        let mut run = Run::new(Workload::Kv, 1);
        run.fail(0, 100, Call::Write { key: 1, value: 5 });
        run.ok(0, 200, 201, Call::KvRead(1), Answer::Value(5, 10));
        run.finds("phantom", Validity::Invalid, &["had failed", "k1=5 by n0"]);
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

    fn counts(run: &Run) -> (usize, usize) {
        let judgement = run.judge();
        (judgement.reads, judgement.stale_reads)
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
}
