//! Tests of set-full: the definition case by case, and against a literal transcription of it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::set_full::{Fortune, fortunes};
use super::sets::Sets;
use crate::check::testing::{Run, histories};
use crate::history::{Answer, Call, History, Op, Outcome};
use crate::judgement::{SetFigures, Validity};
use crate::settings::{Micros, Workload};

fn figures(run: &Run) -> SetFigures {
    run.judge().set.unwrap()
}

/// 7 is acknowledged by n0 from 0.10 to 0.11 s.
fn seven() -> Run {
    let mut run = Run::new(Workload::Broadcast, 2);
    run.add(0, 100, 110, 7);
    run
}

#[test]
fn a_value_that_every_later_read_shows_is_stable_without_latency() {
    let mut run = seven();
    run.read(1, 120, 121, &[7]);
    run.end(&[7]);
    run.passes();
    let figures = figures(&run);
    assert_eq!((figures.attempted, figures.acknowledged, figures.stable, figures.stale), (1, 1, 1, 0));
    assert_eq!(figures.stable_latency_ms.max, 0.0);
}

#[test]
fn stable_latency_lasts_from_the_acknowledgement_to_the_invocation_of_the_last_read_without() {
    let mut run = seven();
    run.read(1, 150, 158, &[]);
    run.read(0, 152, 153, &[7]);
    run.read(1, 160, 161, &[]);
    run.end(&[7]);
    let figures = figures(&run);
    assert_eq!((figures.stable, figures.stale, figures.stable_latency_ms.median), (1, 1, 50.0));
}

#[test]
fn a_value_is_known_from_a_read_that_shows_it_before_its_acknowledgement() {
    let mut run = seven();
    run.read(1, 103, 104, &[7]);
    run.read(1, 105, 106, &[]);
    run.end(&[7]);
    assert_eq!(figures(&run).stable_latency_ms.median, 1.0);
}

#[test]
fn a_value_of_unknown_outcome_that_is_shown_is_known() {
    let mut run = Run::new(Workload::Broadcast, 2);
    run.info(0, 100, Call::Add(7));
    run.read(1, 200, 210, &[7]);
    run.read(1, 250, 251, &[]);
    run.end(&[7]);
    let figures = figures(&run);
    assert_eq!((figures.acknowledged, figures.stable, figures.stable_latency_ms.median), (0, 1, 40.0));
}

#[test]
fn a_value_that_a_later_read_lacks_is_lost_and_told_with_its_acknowledgement() {
    let mut run = seven();
    run.add(0, 100, 110, 8);
    run.read(1, 150, 151, &[7]);
    run.end(&[8]);
    run.finds(
        "set-full",
        Validity::Invalid,
        &["1 value was lost: 7 (acknowledged by n0 at 0.11 s", "of n1 at 20.00 s"],
    );
    assert_eq!(figures(&run).lost, [7]);
}

#[test]
fn a_value_of_unknown_outcome_that_is_never_shown_is_not_lost() {
    let mut run = seven();
    run.info(0, 100, Call::Add(8));
    run.end(&[7]);
    run.is_silent("set-full");
    assert_eq!(figures(&run).never_read, [8]);
}

#[test]
fn a_read_that_overlaps_the_add_can_not_lose_its_value() {
    let mut run = Run::new(Workload::Broadcast, 1);
    run.add(0, 100, 110, 8);
    run.add(0, 20_001, 20_010, 7);
    run.read(0, 20_005, 20_020, &[8]);
    run.read(0, 20_010, 20_020, &[8]);
    run.finds("set-full", Validity::Valid, &["1 acknowledged value was never read"]);
    assert_eq!(figures(&run).never_read, [7]);
    run.read(0, 20_011, 20_020, &[8]);
    run.finds("set-full", Validity::Invalid, &["lost: 7"]);
}

#[test]
fn the_later_invoked_of_two_reads_decides_although_it_completes_earlier() {
    let mut run = seven();
    run.read(0, 200, 300, &[]);
    run.read(1, 210, 220, &[7]);
    assert_eq!(figures(&run).stable, 1);
    let mut run = seven();
    run.read(0, 200, 300, &[7]);
    run.read(1, 210, 220, &[]);
    assert_eq!(figures(&run).lost, [7]);
}

#[test]
fn of_two_operations_at_one_moment_the_one_with_the_smaller_index_came_first() {
    let mut run = Run::new(Workload::Broadcast, 1);
    run.add(0, 100, 110, 7);
    run.read(0, 100, 100, &[7]);
    assert_eq!(figures(&run).stable, 1);
    let mut run = Run::new(Workload::Broadcast, 1);
    run.read(0, 100, 100, &[7]);
    run.add(0, 100, 110, 7);
    assert_eq!(figures(&run).stable, 0);
}

#[test]
fn a_value_that_is_added_twice_is_known_from_the_first_acknowledgement() {
    let mut run = Run::new(Workload::Broadcast, 2);
    run.add(0, 100, 180, 7);
    run.add(1, 120, 150, 7);
    run.add(1, 130, 190, 7);
    run.read(0, 160, 161, &[]);
    run.end(&[7]);
    assert_eq!((figures(&run).attempted, figures(&run).stable_latency_ms.max), (1, 10.0));
}

#[test]
fn a_read_that_completed_before_the_add_was_invoked_says_nothing() {
    let mut run = Run::new(Workload::Broadcast, 1);
    run.read(0, 50, 60, &[]);
    run.add(0, 100, 110, 7);
    run.end(&[7]);
    assert_eq!(figures(&run).stable_latency_ms.max, 0.0);
}

#[test]
fn the_own_look_in_the_end_is_not_maelstroms() {
    let mut run = seven();
    run.end(&[7]);
    run.read(1, 20_600, 20_601, &[]);
    run.is_silent("set-full");
}

#[test]
fn reads_without_an_answer_say_nothing() {
    let mut run = seven();
    run.end(&[7]);
    run.info(1, 20_100, Call::Read);
    run.fail(1, 20_100, Call::Read);
    run.is_silent("set-full");
}

#[test]
fn without_an_acknowledged_add_the_run_is_unknown() {
    let mut run = Run::new(Workload::Broadcast, 1);
    run.info(0, 100, Call::Add(7));
    run.end(&[]);
    run.finds("set-full", Validity::Unknown, &["1 value was asked", "none was acknowledged"]);
}

#[test]
fn without_a_stable_value_the_run_is_unknown() {
    let mut run = seven();
    run.read(0, 105, 108, &[]);
    assert_eq!(run.judge().validity, Validity::Unknown);
    assert!(run.findings("set-full").iter().any(|finding| finding.message.contains("more reads are needed")));
}

#[test]
fn a_value_that_died_with_its_only_holder_is_counted_apart() {
    for (unsent, validity) in [(true, "before a message"), (false, "before any message with them had arrived")] {
        let mut run = seven();
        run.add(1, 100, 110, 8);
        run.trace.arrivals.insert(7, vec![110_000, Micros::MAX]);
        if unsent {
            run.kill(0, 200, &[0], &[]);
        } else {
            run.kill(0, 200, &[], &[0]);
        }
        run.end(&[8]);
        run.finds("set-full", Validity::Valid, &[validity, "7"]);
        assert_eq!(run.judge().validity, Validity::Valid, "{:?}", run.judge().findings);
        let figures = figures(&run);
        assert_eq!((figures.lost.len(), figures.died_unsent.len(), figures.incomplete), (0, usize::from(unsent), 0));
    }
}

#[test]
fn a_value_that_survived_its_holder_and_is_lost_later_is_lost() {
    let mut run = seven();
    run.add(1, 100, 110, 8);
    run.trace.arrivals.insert(7, vec![110_000, 250_000]);
    run.kill(0, 200, &[], &[0]);
    run.end(&[8]);
    run.finds("set-full", Validity::Invalid, &["lost: 7"]);
}

#[test]
fn a_value_that_died_with_every_process_that_got_it_is_counted_apart() {
    let mut run = seven();
    run.add(1, 100, 110, 8);
    run.trace.arrivals.insert(7, vec![110_000, 250_000]);
    run.kill(0, 200, &[], &[0]);
    run.kill(1, 300, &[], &[]);
    run.end(&[8]);
    assert_eq!(figures(&run).died_undelivered, [7]);
}

#[test]
fn a_value_that_one_node_still_shows_did_not_die() {
    let mut run = seven();
    run.trace.arrivals.clear();
    run.kill(0, 200, &[0], &[]);
    run.read(1, 20_000, 20_001, &[7]);
    run.read(0, 20_001, 20_002, &[]);
    run.finds("set-full", Validity::Invalid, &["lost: 7"]);
}

#[test]
fn an_acknowledgement_that_was_read_after_the_kill_does_not_make_its_author_a_survivor() {
    let mut run = seven();
    run.add(1, 100, 110, 8);
    run.trace.arrivals.insert(7, vec![110_000, Micros::MAX]);
    run.kill(0, 109, &[0], &[]);
    run.end(&[8]);
    assert_eq!(figures(&run).died_unsent, [7]);
}

#[test]
fn a_value_that_was_killed_without_being_listed_is_lost() {
    let mut run = seven();
    run.add(1, 100, 110, 8);
    run.kill(0, 200, &[], &[]);
    run.end(&[8]);
    run.finds("set-full", Validity::Invalid, &["lost: 7"]);
}

/// A literal transcription of Jepsen's checker. Each invocation and completion is an event, and each read updates all
/// elements.
fn literally(history: &History) -> BTreeMap<i64, Fortune> {
    #[derive(Clone, Default)]
    struct Element {
        known: Option<Micros>,
        present: Option<usize>,
        absent: Option<usize>,
    }
    let mut events: Vec<(Micros, bool, &Op)> = Vec::new();
    for op in history.counted() {
        events.push((op.invoked_us, false, op));
        events.push((op.completed_us, true, op));
    }
    // Times are unique in these histories, so that this is the only order.
    events.sort_by_key(|&(at, ..)| at);
    let mut elements: BTreeMap<i64, Element> = BTreeMap::new();
    for (at, completed, op) in events {
        match (&op.call, completed, &op.outcome) {
            (Call::Add(value), false, _) => {
                elements.entry(*value).or_default();
            }
            (Call::Add(value), true, Outcome::Ok { .. }) => {
                let element = elements.get_mut(value).unwrap();
                element.known = element.known.or(Some(at));
            }
            (Call::Read, true, Outcome::Ok { answer: Answer::Elements(values) }) => {
                for (value, element) in &mut elements {
                    if values.with(|values| values.contains(value)) {
                        element.known = element.known.or(Some(at));
                        element.present = element.present.max(Some(op.index));
                    } else {
                        element.absent = element.absent.max(Some(op.index));
                    }
                }
            }
            _ => {}
        }
    }
    let invoked = |read: usize| history.ops[read].invoked_us;
    let fortune = |Element { known, present, absent }: Element| {
        if present.is_some() && absent < present {
            return Fortune::Stable(absent.map_or(0, |read| invoked(read).saturating_sub(known.unwrap())));
        }
        match (known, absent) {
            (Some(known), Some(read)) if present < absent && known < invoked(read) => Fortune::Lost(read),
            _ => Fortune::NeverRead,
        }
    };
    elements.into_iter().map(|(value, element)| (value, fortune(element))).collect()
}

proptest! {
    #[test]
    fn the_fast_way_gives_what_the_definition_says(history in histories()) {
        let sets = Sets::new(&history);
        let fast: BTreeMap<i64, Fortune> = fortunes(&sets)
            .into_iter()
            .enumerate()
            .map(|(number, fortune)| {
                let fortune = match fortune {
                    Fortune::Lost(read) => Fortune::Lost(sets.reads[read].op),
                    Fortune::Stable(_) | Fortune::NeverRead => fortune,
                };
                (sets.elements[number].value, fortune)
            })
            .collect();
        prop_assert_eq!(fast, literally(&history));
    }
}
