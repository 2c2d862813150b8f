//! Tests of what reads of a set show.

use proptest::prelude::*;

use crate::check::testing::{Run, histories};
use crate::check::view::View;
use crate::history::{Answer, Call, History, Op, Phase};
use crate::judgement::Validity;
use crate::settings::Workload;

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
fn a_value_of_unknown_outcome_may_appear() {
    let mut run = Run::new(Workload::Broadcast, 1);
    run.info(0, 100, Call::Add(7));
    run.read(0, 200, 201, &[7]);
    run.is_silent("phantom");
}

#[test]
fn a_value_that_nobody_added_is_invalid() {
    let mut run = Run::new(Workload::Broadcast, 1);
    run.add(0, 100, 101, 7);
    run.read(0, 200, 201, &[7, 99]);
    run.finds("phantom", Validity::Invalid, &["nobody ever wrote", "99 by n0 at 0.20 s"]);
}

#[test]
fn a_value_whose_add_failed_is_invalid() {
    let mut run = Run::new(Workload::Broadcast, 1);
    run.fail(0, 100, Call::Add(7));
    run.read(0, 200, 201, &[7]);
    run.finds("phantom", Validity::Invalid, &["whose write had failed", "7 by n0"]);
}

#[test]
fn a_value_shown_before_it_was_added_is_invalid() {
    let mut run = Run::new(Workload::Broadcast, 1);
    run.read(0, 100, 101, &[7]);
    run.add(0, 200, 201, 7);
    run.finds("phantom", Validity::Invalid, &["before anybody had asked", "7 by n0 at 0.10 s"]);
}

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
        prop_assert_eq!(super::forgotten(&view).len(), literally(&run.history, &kills));
    }

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
