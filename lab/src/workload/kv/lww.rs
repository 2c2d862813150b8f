//! The last writer wins: all nodes show the same winner, no acknowledged write is later than it, and stamps never go
//! back.

use std::collections::BTreeMap;

use crate::check::Found;
use crate::check::final_state::differing;
use crate::check::monotonic::replay;
use crate::check::view::View;
use crate::check::words::{count, examples, were};
use crate::history::{Answer, Call, Op};

pub(crate) fn check(view: &View<'_>) -> Found {
    let mut found = Found::default();
    let written = view.history.ops.iter().any(|op| matches!(op.answer(), Some(Answer::Stamp(_))));
    if !written {
        found
            .unknown("No write was acknowledged: a longer time limit or a higher share of writes may help.".to_owned());
    }
    one_winner(view, &mut found);
    maximal(view, &mut found);
    authentic(view, &mut found);
    advancing(view, &mut found);
    distinct(view, &mut found);
    found
}

/// The key of a read, and the value and stamp that it shows if the key has a value.
fn shown(op: &Op) -> Option<(u64, Option<(i64, u64)>)> {
    match (&op.call, op.answer()) {
        (&Call::KvRead(key), Some(&Answer::Value(value, stamp))) => Some((key, Some((value, stamp)))),
        (&Call::KvRead(key), Some(Answer::Missing)) => Some((key, None)),
        (_, _) => None,
    }
}

/// Key, value and stamp of an acknowledged write.
fn written(op: &Op) -> Option<(u64, i64, u64)> {
    match (&op.call, op.answer()) {
        (&Call::Write { key, value }, Some(&Answer::Stamp(stamp))) => Some((key, value, stamp)),
        (_, _) => None,
    }
}

fn name((value, stamp): (i64, u64)) -> String {
    format!("{value} with stamp {stamp}")
}

/// In the end all nodes show the same value and stamp for a key.
fn one_winner(view: &View<'_>, found: &mut Found) {
    let mut keys: BTreeMap<u64, Vec<(String, usize)>> = BTreeMap::new();
    for op in view.closing() {
        if let Some((key, winner)) = shown(op) {
            keys.entry(key).or_default().push((winner.map_or("no value".to_owned(), name), op.node));
        }
    }
    let (differ, n, hint) = differing(view, keys);
    if !differ.is_empty() {
        let message = format!("In the end nodes had different winners for {n}{hint}: {}.", examples(differ));
        found.note(view.in_the_end(), message);
    }
}

/// In the end no acknowledged write of a key has a later stamp than the winner of the key. Keys whose latest write died
/// with its process are left out: before it died, that write may have superseded the others wherever they were held.
fn maximal(view: &View<'_>, found: &mut Found) {
    let mut latest: BTreeMap<u64, (u64, &Op)> = BTreeMap::new();
    for op in &view.history.ops {
        if let Some((key, _, stamp)) = written(op)
            && latest.get(&key).is_none_or(|&(last, _)| last < stamp)
        {
            latest.insert(key, (stamp, op));
        }
    }
    latest.retain(|_, (_, op)| view.died(op).is_none());
    let mut lost: BTreeMap<u64, String> = BTreeMap::new();
    for op in view.closing() {
        let Some((key, winner)) = shown(op) else { continue };
        let Some(&(stamp, write)) = latest.get(&key) else { continue };
        if winner.is_none_or(|(_, winner)| winner < stamp) {
            let shows = winner.map_or("no value".to_owned(), name);
            let Call::Write { value, .. } = write.call else { continue };
            let text = format!(
                "{} shows {shows} for k{key}, and {} acknowledged {} at {}",
                view.node(op.node),
                view.node(write.node),
                name((value, stamp)),
                view.time(write.completed_us)
            );
            lost.entry(key).or_insert(text);
        }
    }
    if !lost.is_empty() {
        let (n, hint) = (count(lost.len(), "key"), view.quiet_hint());
        let message = format!("The latest write did not win for {n}{hint}: {}.", examples(lost.into_values()));
        found.note(view.in_the_end(), message);
    }
}

/// All reads show a value with the stamp that its write was given.
fn authentic(view: &View<'_>, found: &mut Found) {
    let mut stamps: BTreeMap<(u64, i64), Vec<u64>> = BTreeMap::new();
    // A write of unknown outcome can account for one further stamp.
    let mut unknown: BTreeMap<(u64, i64), usize> = BTreeMap::new();
    for op in &view.history.ops {
        if let Some((key, value, stamp)) = written(op) {
            stamps.entry((key, value)).or_default().push(stamp);
        } else if let (&Call::Write { key, value }, true) = (&op.call, op.may_have_happened()) {
            *unknown.entry((key, value)).or_default() += 1;
        }
    }
    let mut wrong = Vec::new();
    for op in &view.history.ops {
        let Some((key, Some((value, stamp)))) = shown(op) else { continue };
        let known = stamps.entry((key, value)).or_default();
        if known.contains(&stamp) {
            continue;
        }
        if let Some(left) = unknown.get_mut(&(key, value)).filter(|left| **left > 0) {
            *left -= 1;
            known.push(stamp);
        } else if let Some(first) = known.first() {
            let (node, at) = (view.node(op.node), view.time(op.completed_us));
            wrong.push(format!("{node} shows k{key}={} at {at}, elsewhere it has stamp {first}", name((value, stamp))));
        }
    }
    if !wrong.is_empty() {
        let n = count(wrong.len(), "read");
        found.invalid(format!("{n} showed a value with a stamp that it was not written with: {}.", examples(wrong)));
    }
}

/// A write has a later stamp than everything that its process had shown or acknowledged before it was invoked.
fn advancing(view: &View<'_>, found: &mut Found) {
    let stamp = |op: &Op| {
        let read = shown(op).and_then(|(_, winner)| winner).map(|(_, stamp)| stamp);
        read.max(written(op).map(|(.., stamp)| stamp))
    };
    let mut wrong = Vec::new();
    replay(
        view,
        |op| stamp(op).map(|_| ()),
        |latest: &mut Option<u64>, op| *latest = (*latest).max(stamp(op)),
        |latest, op| {
            if let (Some((key, value, stamp)), Some(latest)) = (written(op), *latest)
                && stamp <= latest
            {
                let (node, at) = (view.node(op.node), view.time(op.completed_us));
                wrong.push(format!("{node} wrote k{key}={} at {at} after stamp {latest}", name((value, stamp))));
            }
        },
    );
    if !wrong.is_empty() {
        let n = count(wrong.len(), "write");
        found.invalid(format!("{n} got no later stamp than the same process had shown before: {}.", examples(wrong)));
    }
}

/// No process gives two writes the same stamp, not even if they overlap.
fn distinct(view: &View<'_>, found: &mut Found) {
    let mut given: BTreeMap<(usize, usize, u64), Vec<&Op>> = BTreeMap::new();
    for op in &view.history.ops {
        let Some((.., stamp)) = written(op) else { continue };
        let Some(life) = view.lives.life(op.node, op.invoked_us, op.completed_us) else { continue };
        given.entry((op.node, life, stamp)).or_default().push(op);
    }
    // Writes that do not overlap are a matter of `advancing`.
    let overlap = |ops: &[&Op]| ops.windows(2).any(|pair| pair[1].invoked_us <= pair[0].completed_us);
    let twice = given.into_iter().filter(|(_, ops)| overlap(ops));
    let twice: Vec<String> = twice
        .map(|((node, _, stamp), ops)| format!("{stamp} by {} to {} writes", view.node(node), ops.len()))
        .collect();
    if !twice.is_empty() {
        let n = were(twice.len(), "stamp");
        found.invalid(format!("{n} given to more than one write of a process: {}.", examples(twice)));
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::Run;
    use crate::history::{Answer, Call, Outcome, Phase};
    use crate::judgement::Validity;
    use crate::settings::Workload;

    fn write(run: &mut Run, node: usize, at: u64, value: i64, stamp: u64) -> usize {
        run.ok(node, at, at + 1, Call::Write { key: 1, value }, Answer::Stamp(stamp))
    }

    fn read(run: &mut Run, node: usize, at: u64, value: i64, stamp: u64) {
        run.ok(node, at, at + 1, Call::KvRead(1), Answer::Value(value, stamp));
    }

    /// n0 writes 5 with stamp 10, n1 writes 6 with stamp 12; both show this in the end.
    fn ends_with(value: i64, stamp: u64) -> Run {
        let mut run = Run::new(Workload::Kv, 2);
        write(&mut run, 0, 100, 5, 10);
        write(&mut run, 1, 200, 6, 12);
        for node in 0..2 {
            read(&mut run, node, 20_600, value, stamp);
        }
        run
    }

    #[test]
    fn the_latest_write_everywhere_passes() {
        ends_with(6, 12).passes();
    }

    #[test]
    fn an_older_winner_is_invalid() {
        let parts = &["n0 shows 5 with stamp 10 for k1", "n1 acknowledged 6 with stamp 12 at 0.20 s"];
        ends_with(5, 10).finds("lww", Validity::Invalid, parts);
    }

    #[test]
    fn a_key_without_a_value_in_the_end_is_invalid() {
        let mut run = Run::new(Workload::Kv, 1);
        write(&mut run, 0, 100, 5, 10);
        run.ok(0, 20_600, 20_601, Call::KvRead(1), Answer::Missing);
        run.finds("lww", Validity::Invalid, &["n0 shows no value for k1"]);
    }

    #[test]
    fn different_winners_are_invalid_even_with_one_stamp() {
        let mut run = Run::new(Workload::Kv, 2);
        write(&mut run, 0, 100, 5, 10);
        write(&mut run, 1, 100, 6, 10);
        read(&mut run, 0, 20_600, 5, 10);
        read(&mut run, 1, 20_600, 6, 10);
        run.finds("lww", Validity::Invalid, &["k1 is 5 with stamp 10 at n0; 6 with stamp 10 at n1"]);
    }

    #[test]
    fn of_two_writes_with_one_stamp_either_may_win() {
        let mut run = Run::new(Workload::Kv, 2);
        write(&mut run, 0, 100, 5, 10);
        write(&mut run, 1, 100, 6, 10);
        read(&mut run, 0, 20_600, 5, 10);
        read(&mut run, 1, 20_600, 5, 10);
        run.is_silent("lww");
    }

    #[test]
    fn a_write_of_unknown_outcome_may_win_with_one_stamp() {
        let mut run = Run::new(Workload::Kv, 2);
        write(&mut run, 0, 100, 5, 10);
        run.info(1, 200, Call::Write { key: 1, value: 6 });
        read(&mut run, 0, 20_600, 6, 15);
        read(&mut run, 1, 20_600, 6, 15);
        run.is_silent("lww");
        read(&mut run, 1, 20_700, 6, 16);
        let findings = run.findings("lww");
        assert!(
            findings.iter().any(|f| f.message.contains("6 with stamp 16") && f.message.contains("it has stamp 15"))
        );
    }

    #[test]
    fn a_value_with_another_stamp_than_it_was_written_with_is_invalid() {
        ends_with(6, 13).finds("lww", Validity::Invalid, &["6 with stamp 13", "elsewhere it has stamp 12"]);
    }

    #[test]
    fn a_write_that_died_with_its_process_need_not_win() {
        let mut run = ends_with(5, 10);
        run.kill(1, 300, &[1], &[]);
        run.is_silent("lww");
    }

    #[test]
    fn what_a_write_that_died_had_superseded_may_be_gone_with_it_and_nothing_else() {
        for (died, is_excused) in [(1, true), (0, false)] {
            let mut run = ends_with(5, 10);
            for op in run.history.ops.iter_mut().filter(|op| op.phase != Phase::Main) {
                op.outcome = Outcome::Ok { answer: Answer::Missing };
            }
            run.kill(1, 300, &[died], &[]);
            if is_excused {
                run.is_silent("lww");
            } else {
                run.finds("lww", Validity::Invalid, &["no value"]);
            }
        }
    }

    #[test]
    fn a_node_whose_stamps_do_not_increase_is_invalid() {
        for stamp in [10, 9] {
            let mut run = Run::new(Workload::Kv, 1);
            write(&mut run, 0, 100, 5, 10);
            write(&mut run, 0, 200, 6, stamp);
            run.finds("lww", Validity::Invalid, &["n0 wrote k1=6", "at 0.20 s after stamp 10"]);
        }
    }

    #[test]
    fn a_write_after_a_later_stamp_was_shown_must_be_later_still() {
        let mut run = Run::new(Workload::Kv, 2);
        write(&mut run, 0, 100, 5, 10);
        read(&mut run, 1, 200, 5, 10);
        write(&mut run, 1, 300, 6, 8);
        run.finds("lww", Validity::Invalid, &["n1 wrote k1=6 with stamp 8 at 0.30 s after stamp 10"]);
    }

    #[test]
    fn stamps_may_go_back_with_a_new_process() {
        let mut run = Run::new(Workload::Kv, 1);
        write(&mut run, 0, 100, 5, 10);
        run.kill(0, 200, &[], &[]);
        write(&mut run, 0, 1300, 6, 8);
        run.is_silent("lww");
    }

    #[test]
    fn writes_at_the_same_time_must_not_share_a_stamp_of_one_process() {
        let mut run = Run::new(Workload::Kv, 1);
        run.ok(0, 100, 150, Call::Write { key: 1, value: 5 }, Answer::Stamp(10));
        run.ok(0, 110, 140, Call::Write { key: 2, value: 6 }, Answer::Stamp(9));
        run.is_silent("lww");
        run.ok(0, 120, 130, Call::Write { key: 3, value: 7 }, Answer::Stamp(10));
        run.finds("lww", Validity::Invalid, &["10 by n0 to 2 writes"]);
    }

    #[test]
    fn without_an_acknowledged_write_the_run_is_unknown() {
        let mut run = Run::new(Workload::Kv, 1);
        run.ok(0, 100, 101, Call::KvRead(1), Answer::Missing);
        run.finds("lww", Validity::Unknown, &["No write was acknowledged"]);
    }
}
