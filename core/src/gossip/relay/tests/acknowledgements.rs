//! Tests: what counts as an acknowledgement, which peer owes one, and what is sent again if none comes.

use super::*;

#[test]
fn an_echo_acknowledges_whatever_else_the_peer_lacks_by_then() {
    for (off, asked) in [(&[][..], 0), (&[Rule::Echo][..], 1)] {
        let mut bench = bench(2, 0, off);
        bench.write();
        bench.run(200);
        bench.write();
        let echo = next(&bench, 1);
        bench.hear(echo);
        bench.scheduler.flush.dirty = false;
        let written = bench.run(A + RTO - 200);
        assert_eq!(asking(&written, Want::Reply).iter().filter(|question| question.at_ms < 1_940).count(), asked);
    }
}

#[test]
fn entries_from_a_peer_are_acknowledged_within_an_interval_by_an_empty_message() {
    for (off, full) in [(&[][..], false), (&[Rule::EmptyAcknowledgements][..], true)] {
        let mut bench = bench(5, 2, off);
        let data = Heard { data: true, ..next(&bench, 4) };
        assert!(bench.hear(data).is_empty());
        let written = bench.run(900);
        assert_eq!((times(&written), written[0].to, written[0].full), (std::vec![T], 4, full), "{off:?}");
    }
}

#[test]
fn an_acknowledgement_that_is_due_is_not_put_off_by_further_entries() {
    let mut bench = bench(5, 2, &[]);
    let data = |bench: &Bench<_>| Heard { data: true, ..next(bench, 4) };
    let first = data(&bench);
    bench.hear(first);
    bench.run(300);
    let second = data(&bench);
    bench.hear(second);
    assert_eq!(times(&to(&bench.run(400), 4)), [T]);
}

#[test]
fn a_flush_is_acknowledged_by_a_full_message_within_an_interval_and_a_second() {
    let mut bench = bench(5, 2, &[]);
    let down = Heard { data: true, ..flush(&bench, 0) };
    bench.hear(down);
    let acknowledgements = to(&asking(&bench.run(A), Want::Nothing), 0);
    assert_eq!((times(&acknowledgements), acknowledgements[0].full), (std::vec![A], true));
}

#[test]
fn sessions_are_acknowledged_like_entries() {
    let mut bench = bench(5, 2, &[]);
    let lives = Heard { lives: true, ..next(&bench, 4) };
    bench.hear(lives);
    assert_eq!(receivers(&bench.run(T)), [4]);
}

#[test]
fn whatever_else_is_written_acknowledges() {
    let mut bench = bench(5, 2, &[]);
    let data = Heard { data: true, ..next(&bench, 4) };
    bench.hear(data);
    bench.run(300);
    let question = Heard { want: Want::Reply, ..next(&bench, 4) };
    assert_eq!(receivers(&bench.hear(question)), [4]);
    assert!(to(&bench.run(500), 4).is_empty());
}

#[test]
fn the_echo_of_a_later_message_shows_that_entries_were_lost() {
    for (off, again) in [(&[][..], 1), (&[Rule::HiddenLoss][..], 0)] {
        let mut bench = bench(2, 0, off);
        bench.write();
        bench.run(100);
        let question = next_with(&bench, 1, |control| control.echoed = None);
        assert_eq!(bench.hear(Heard { want: Want::Reply, ..question }).len(), 1);
        bench.run(50);
        let later = next(&bench, 1);
        bench.hear(later);
        let written = bench.run(T);
        let repeated = written.iter().filter(|message| message.data).count();
        assert_eq!(repeated, again, "{off:?}");
    }
}

#[test]
fn what_was_taken_for_lost_is_sent_again_at_growing_intervals() {
    for (off, expected) in [(&[][..], &[0, 500, 1_500, 3_500][..]), (&[Rule::Window][..], &[0, 10, 20, 30][..])] {
        let mut bench = bench(2, 0, off);
        let mut refilled = Vec::new();
        while refilled.len() < 4 {
            if bench.scheduler.refill(NodeIndex(1), bench.now) {
                refilled.push(bench.ms());
            }
            bench.now = bench.now.plus_ms(10);
        }
        assert_eq!(refilled, expected, "{off:?}");
    }
}

#[test]
fn a_peer_that_shows_all_it_was_sent_begins_the_intervals_anew() {
    let mut bench = bench(2, 0, &[]);
    bench.write();
    bench.run(0);
    assert!((0..3).all(|_| {
        bench.now = bench.now.plus_ms(5_000);
        bench.scheduler.refill(NodeIndex(1), bench.now)
    }));
    bench.shows(1, 0, 1);
    let shown = next(&bench, 1);
    bench.hear(shown);
    assert!(bench.scheduler.refill(NodeIndex(1), bench.now));
    bench.now = bench.now.plus_ms(500);
    assert!(bench.scheduler.refill(NodeIndex(1), bench.now));
}

#[test]
fn an_echo_of_entries_that_the_digest_does_not_show_is_no_reason_to_send_them_again() {
    let mut bench = bench(2, 0, &[]);
    bench.write();
    bench.run(10);
    for _ in 0..2 {
        let echo = next(&bench, 1);
        assert!(bench.hear(echo).is_empty());
    }
    assert!(bench.run(T + 10).iter().all(|message| !message.data));
}

#[test]
fn a_view_that_was_told_may_take_a_round_trip_and_two_deviations_to_show() {
    let mut bench = bench(2, 0, &[]);
    let patience_us = |bench: &Bench<Relay<Small>>| Scheduler::<Small>::patience_us(&bench.scheduler, NodeIndex(1));
    assert_eq!(patience_us(&bench), 337_500);
    bench.scheduler.link_mut(NodeIndex(1)).path.sample(160_000, Instant::ZERO);
    assert_eq!(patience_us(&bench), 180_000);
}

#[test]
fn a_flush_of_another_relay_and_entries_of_the_own_one_are_acknowledged_within_an_interval() {
    for (from, relay, flush_ms) in [(4, 4, Some(T as u32)), (0, 0, None)] {
        let mut bench = bench(5, 2, &[]);
        let heard = next_with(&bench, from, |control| {
            (control.relay, control.flush_ms) = (Some(NodeIndex(relay)), flush_ms);
        });
        assert!(bench.hear(Heard { data: true, ..heard }).is_empty());
        assert_eq!(times(&to(&bench.run(A), from))[0], T, "{from}");
    }
}

#[test]
fn what_a_peer_does_not_show_a_round_trip_later_is_sent_again() {
    for (ms, again) in [(330, 0), (340, 1)] {
        let mut bench = bench(2, 0, &[]);
        bench.write();
        bench.run(ms);
        let silent = next_with(&bench, 1, |control| control.echoed = None);
        let mut written = bench.hear(silent);
        written.extend(bench.run(T + 10));
        assert_eq!(written.iter().filter(|message| message.data).count(), again, "{ms}");
    }
}

#[test]
fn an_echo_of_an_earlier_message_gives_the_later_one_its_own_time() {
    let mut bench = bench(2, 0, &[]);
    bench.write();
    bench.run(10);
    bench.write();
    bench.run(T);
    let early = next_with(&bench, 1, |control| control.echoed = Some(Echo { ord: 1, held_ms: 0 }));
    bench.hear(early);
    let asked = asking(&bench.run(A + 2 * RTO), Want::Reply);
    assert_eq!(times(&asked)[0], T + 10 + A + RTO);
}
