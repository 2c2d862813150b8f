//! Tests: what a node asks for when it sees that it lacks entries, and what the answer to such a question holds.

use super::*;

#[test]
fn what_a_full_message_does_not_fill_is_asked_for_at_once() {
    for (off, asked) in [(&[][..], 1), (&[Rule::Gaps][..], 0)] {
        let mut bench = bench(3, 2, off);
        bench.shows(0, 0, 5);
        let gap = Heard { full: true, behind: true, data: true, ..next(&bench, 0) };
        assert_eq!(asking(&bench.hear(gap), Want::Gap).len(), asked, "{off:?}");
    }
}

#[test]
fn where_delays_vary_much_a_gap_may_close_by_itself_first() {
    let mut bench = bench(3, 2, &[]);
    vary(&mut bench, 0, [100, 300]);
    bench.shows(0, 0, 5);
    let gap = Heard { full: true, behind: true, data: true, ..next(&bench, 0) };
    assert!(bench.hear(gap).is_empty());
    assert_eq!(asking(&bench.run(600), Want::Gap).len(), 1);
}

#[test]
fn what_a_message_that_is_not_full_does_not_fill_may_come_from_the_relay_in_time() {
    let mut bench = bench(5, 2, &[]);
    bench.shows(4, 0, 5);
    let gap = Heard { behind: true, data: true, ..next(&bench, 4) };
    bench.hear(gap);
    assert_eq!(times(&asking(&to(&bench.run(A), 4), Want::Gap)), [A]);
}

#[test]
fn a_gap_that_stays_open_is_asked_for_ever_more_rarely() {
    let mut bench = bench(5, 2, &[]);
    bench.shows(4, 0, 5);
    let gap = Heard { full: true, behind: true, data: true, ..next(&bench, 4) };
    let mut asked = asking(&bench.hear(gap), Want::Gap);
    asked.extend(asking(&to(&run_with(&mut bench, &[0], 20_000), 4), Want::Gap));
    assert_eq!(pauses(&asked)[..7], [675, 675, 675, 675, 675, 1_350, 2_700], "{:?}", pauses(&asked));
}

#[test]
fn a_gap_that_has_closed_is_not_asked_for_again() {
    let mut bench = bench(5, 2, &[]);
    bench.shows(4, 0, 1);
    let gap = Heard { full: true, behind: true, data: true, ..next(&bench, 4) };
    bench.hear(gap);
    bench.change(0, Some(4), Lane::Push);
    assert!(asking(&to(&run_with(&mut bench, &[0], 4_000), 4), Want::Gap).is_empty());
}

#[test]
fn the_rest_of_a_message_that_was_cut_is_asked_for_but_not_within_100_ms_of_the_last_message() {
    let mut bench = bench(5, 2, &[]);
    bench.shows(4, 0, 5);
    let part = |bench: &Bench<_>| Heard { behind: true, data: true, news: true, cut: true, ..next(bench, 4) };
    let first = part(&bench);
    assert_eq!(times(&asking(&bench.hear(first), Want::Gap)), [0]);
    bench.run(30);
    let second = part(&bench);
    assert!(bench.hear(second).is_empty());
    assert_eq!(times(&asking(&bench.run(100), Want::Gap)), [100]);
}

#[test]
fn while_one_peer_hands_over_in_parts_no_other_is_asked() {
    let mut bench = bench(5, 2, &[]);
    bench.shows(4, 0, 5);
    bench.shows(3, 0, 5);
    let part = Heard { behind: true, data: true, news: true, cut: true, ..next(&bench, 4) };
    bench.hear(part);
    let other = Heard { full: true, behind: true, ..next(&bench, 3) };
    assert!(bench.hear(other).is_empty());
}

#[test]
fn the_first_who_hands_over_goes_on_with_it_although_another_does_the_same() {
    let mut bench = bench(5, 2, &[]);
    for peer in [4, 3] {
        bench.shows(peer, 0, 5);
        let part = Heard { behind: true, data: true, news: true, cut: true, ..next(&bench, peer) };
        assert_eq!(asking(&bench.hear(part), Want::Gap).len(), usize::from(peer == 4));
    }
    assert_eq!(bench.common.source(bench.now), Some(NodeIndex(4)));
}

#[test]
fn a_question_for_a_gap_is_answered_unless_an_answer_may_be_under_way() {
    let mut bench = bench(4, 2, &[]);
    bench.write();
    bench.shows(0, 2, 1);
    let ask = |bench: &mut Bench<_>| {
        let question = next_with(bench, 3, |control| control.echoed = None);
        let answers = bench.hear(Heard { want: Want::Gap, ..question });
        to(&answers, 3).iter().filter(|message| message.data).count()
    };
    assert_eq!(ask(&mut bench), 1);
    bench.run(200);
    assert_eq!(ask(&mut bench), 0);
    bench.run(200);
    assert_eq!(ask(&mut bench), 1);
}

#[test]
fn answers_to_one_peer_are_100_ms_apart_and_those_that_come_sooner_become_one() {
    let mut bench = bench(5, 2, &[]);
    let question = |bench: &Bench<_>| Heard { want: Want::Reply, equal: true, ..next(bench, 4) };
    let first = question(&bench);
    assert_eq!(bench.hear(first).len(), 1);
    for _ in 0..3 {
        bench.run(20);
        let soon = question(&bench);
        assert!(bench.hear(soon).is_empty());
    }
    assert_eq!(times(&bench.run(500)), [100]);
}

#[test]
fn a_question_of_a_peer_that_differs_is_answered_in_full_when_there_is_no_traffic() {
    let mut bench = bench(5, 2, &[]);
    let question = |bench: &Bench<_>| Heard { want: Want::Reply, ..next(bench, 4) };
    let busy = question(&bench);
    bench.write();
    assert!(!to(&bench.hear(busy), 4)[0].full, "data goes its usual way");
    bench.run(A + 1);
    let quiet = question(&bench);
    assert!(to(&bench.hear(quiet), 4)[0].full);
    bench.run(1_000);
    let equal = Heard { equal: true, ..question(&bench) };
    assert!(!to(&bench.hear(equal), 4)[0].full);
}

#[test]
fn a_peer_that_diverged_is_sent_everything() {
    let mut bench = bench(5, 2, &[]);
    bench.common.peers.note_divergence(NodeIndex(4), true, 1);
    bench.common.peers.note_divergence(NodeIndex(4), true, 1);
    let heard = next(&bench, 4);
    assert!(to(&bench.hear(heard), 4)[0].full);
}

#[test]
fn a_peer_is_handed_nothing_while_a_window_is_under_way() {
    for (off, full) in [(&[][..], false), (&[Rule::Window][..], true)] {
        let mut bench = bench(5, 2, off);
        bench.write();
        let window = bench.common.peers.window(NodeIndex(4));
        bench.common.peers.filled(NodeIndex(4), (RowId(2), 1), window, 1, bench.now);
        let question = Heard { want: Want::Gap, ..next(&bench, 4) };
        assert_eq!(to(&bench.hear(question), 4)[0].full, full, "{off:?}");
    }
}

#[test]
fn a_change_that_comes_with_a_new_session_is_traffic_as_any_other() {
    let mut bench = bench(5, 2, &[]);
    bench.run(10_000);
    bench.common.learn_session(NodeIndex(4), SESSION + 1);
    bench.scheduler.view_changed(&mut bench.common, NodeIndex(4), bench.now);
    bench.change(4, Some(4), Lane::Push);
    let question = Heard { want: Want::Reply, ..next(&bench, 3) };
    assert!(!to(&bench.hear(question), 3)[0].full, "data goes its usual way");
}

#[test]
fn a_gap_is_waited_for_during_four_deviations_if_these_are_above_30_ms() {
    // The deviation is a sixteenth of a single sample.
    for (sample_us, at) in [(480_000, 0), (496_000, 124)] {
        let mut bench = bench(3, 2, &[]);
        bench.scheduler.link_mut(NodeIndex(0)).path.sample(sample_us, Instant::ZERO);
        bench.shows(0, 0, 5);
        let gap =
            Heard { full: true, behind: true, data: true, ..next_with(&bench, 0, |control| control.echoed = None) };
        let mut written = bench.hear(gap);
        written.extend(bench.run(400));
        assert_eq!(times(&asking(&written, Want::Gap)), [at]);
    }
}

#[test]
fn an_answer_to_a_question_is_under_way_for_a_round_trip_and_two_deviations_or_until_its_echo() {
    for (ms, echoes, answered) in [(337, false, false), (338, false, true), (50, true, true)] {
        let mut bench = bench(4, 2, &[]);
        bench.write();
        bench.shows(0, 2, 1);
        let silent = |bench: &Bench<_>| next_with(bench, 3, |control| control.echoed = None);
        let first = Heard { want: Want::Gap, ..silent(&bench) };
        assert!(to(&bench.hear(first), 3)[0].data);
        bench.run(ms);
        let second = if echoes { next(&bench, 3) } else { silent(&bench) };
        let answers = bench.hear(Heard { want: Want::Gap, ..second });
        assert_eq!(to(&answers, 3).iter().any(|message| message.full), answered, "{ms}");
    }
}

#[test]
fn answers_to_one_peer_may_be_exactly_100_ms_apart() {
    let mut bench = bench(5, 2, &[]);
    for (ms, answers) in [(0, 1), (99, 0), (200, 1), (100, 1)] {
        bench.run(ms);
        let question = Heard { want: Want::Reply, equal: true, ..next(&bench, 4) };
        assert_eq!(bench.hear(question).len(), answers, "{ms}");
    }
}

#[test]
fn there_is_traffic_until_a_change_may_be_acknowledged() {
    for (ms, full) in [(A, false), (A + 1, true)] {
        let mut bench = bench(5, 2, &[]);
        bench.write();
        bench.run(ms);
        let question = Heard { want: Want::Reply, ..next(&bench, 4) };
        assert_eq!(to(&bench.hear(question), 4)[0].full, full, "{ms}");
    }
}

#[test]
fn what_a_cut_message_without_news_and_news_without_a_cut_leave_open_is_not_asked_for_at_once() {
    for (cut, news) in [(true, false), (false, true)] {
        let mut bench = bench(5, 2, &[]);
        bench.shows(4, 0, 5);
        let gap = Heard { behind: true, data: true, cut, news, ..next(&bench, 4) };
        assert!(bench.hear(gap).is_empty(), "{cut} {news}");
        assert_eq!(bench.common.source(bench.now), None, "{cut} {news}");
    }
}
