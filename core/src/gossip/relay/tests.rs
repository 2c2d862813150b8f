//! Each rule of strategy `relay`: one scheduler, and neighbours made of messages.
//!
//! Unless a test says otherwise nobody's round trip is known, which then counts as 300 ms, and flushes are 460 ms apart.

use std::vec::Vec;

use super::*;
use crate::gossip::bench::{Bench, Message, SESSION, message, receivers, times};
use crate::gossip::common::Echo;
use crate::storage::Small;

const T: u64 = 460;
/// The time for an acknowledgement of a flush, and after that for an answer while no round trip is known.
const A: u64 = T + 1_000;
const RTO: u64 = 475;

/// Node `me` among nodes in one view. All have node 0 for their relay, if they are asked.
fn bench(nodes: usize, me: u32, off: &[Rule]) -> Bench<Relay<Small>> {
    let mut bench = Bench::new(nodes, me, off, |common| {
        let mut relay = Relay::unfilled(nodes, NodeIndex(me), &Small::LIMITS, common.rules);
        relay.fill(nodes);
        relay
    });
    let view = bench.common.view_name();
    for peer in bench.scheduler.peers() {
        bench.common.peers.showed_view(peer, view, (view, bench.common.view.version()), 0, bench.now);
    }
    bench.start();
    bench
}

/// The next message of a peer, which names node 0 as its relay and echoes all that it was sent.
fn next(bench: &Bench<Relay<Small>>, from: u32) -> Heard {
    let link = bench.scheduler.link(NodeIndex(from));
    let echoed = (link.sent_ord > 0).then_some(Echo { ord: link.sent_ord, held_ms: 0 });
    let control = Control { ord: link.heard_ord + 1, echoed, relay: Some(NodeIndex(0)), ..Control::default() };
    Heard { control: Some(control), ..message(from) }
}

/// The same with changes to the part that is about messages.
fn next_with(bench: &Bench<Relay<Small>>, from: u32, change: impl FnOnce(&mut Control)) -> Heard {
    let mut heard = next(bench, from);
    change(heard.control.as_mut().unwrap());
    heard
}

fn flush(bench: &Bench<Relay<Small>>, from: u32) -> Heard {
    next_with(bench, from, |control| control.flush_ms = Some(T as u32))
}

/// Time passes in which these peers show within 10 ms that they hold what they were sent.
fn run_with(bench: &mut Bench<Relay<Small>>, alive: &[u32], ms: u64) -> Vec<Message> {
    let mut written = Vec::new();
    for _ in 0..ms / 10 {
        let mut now = bench.run(10);
        let at = written.len();
        written.append(&mut now);
        let mut answered: Vec<u32> = written[at..].iter().map(|message: &Message| message.to).collect();
        answered.dedup();
        for peer in answered.into_iter().filter(|peer| alive.contains(peer)) {
            bench.common.peers.learn_all(NodeIndex(peer), &bench.rows);
            let heard = next(bench, peer);
            written.extend(bench.hear(heard));
        }
    }
    written
}

/// The round trip to a peer was the same so often that its deviation is below a millisecond.
fn measure(bench: &mut Bench<Relay<Small>>, peer: u32, rtt_ms: u64) {
    for _ in 0..40 {
        bench.scheduler.link_mut(NodeIndex(peer)).path.sample(rtt_ms * 1_000, Instant::ZERO);
    }
}

/// The round trip to a peer was one of these as often as the other.
fn vary(bench: &mut Bench<Relay<Small>>, peer: u32, rtts_ms: [u64; 2]) {
    for rtt_ms in (0..20).flat_map(|_| rtts_ms) {
        bench.scheduler.link_mut(NodeIndex(peer)).path.sample(rtt_ms * 1_000, Instant::ZERO);
    }
}

fn is_suspected(bench: &Bench<Relay<Small>>, peer: u32) -> bool {
    bench.scheduler.link(NodeIndex(peer)).suspected
}

fn to(messages: &[Message], peer: u32) -> Vec<Message> {
    messages.iter().filter(|message| message.to == peer).copied().collect()
}

fn asking(messages: &[Message], want: Want) -> Vec<Message> {
    messages.iter().filter(|message| message.want == want).copied().collect()
}

fn pauses(messages: &[Message]) -> Vec<u64> {
    times(messages).windows(2).map(|pair| pair[1] - pair[0]).collect()
}

// Up and down.

#[test]
fn only_a_root_sends_down_to_everybody_and_others_to_their_children() {
    for (off, receive) in [(&[][..], &[0, 3][..]), (&[Rule::Tree][..], &[0, 1, 3, 4][..])] {
        let mut bench = bench(5, 2, off);
        let child = next_with(&bench, 3, |control| control.relay = Some(NodeIndex(2)));
        bench.hear(child);
        let stranger = next(&bench, 4);
        bench.hear(stranger);
        bench.write();
        assert_eq!(receivers(&bench.run(0)), receive, "{off:?}");
    }
    let mut root = bench(5, 0, &[]);
    root.write();
    assert_eq!(receivers(&root.run(0)), [1, 2, 3, 4]);
}

#[test]
fn flushes_are_an_interval_apart_and_the_first_leaves_at_once() {
    let mut bench = bench(2, 0, &[]);
    let mut flushes = Vec::new();
    for _ in 0..100 {
        bench.write();
        flushes.extend(bench.run(10));
    }
    assert_eq!(times(&flushes), [0, T, 2 * T]);
    assert!(flushes.iter().all(|flush| flush.control.unwrap().flush_ms == Some(T as u32)));
}

#[test]
fn a_flush_goes_to_those_that_lack_something_or_wait_for_an_echo() {
    let mut bench = bench(4, 0, &[]);
    bench.shows(1, 0, 1);
    bench.shows(2, 0, 1);
    let uplink = Heard { data: true, ..next(&bench, 2) };
    bench.write();
    assert_eq!(receivers(&bench.hear(uplink)), [2, 3]);
}

#[test]
fn the_child_of_another_relay_gets_every_other_flush() {
    for (off, flushes) in [(&[][..], &[0, 2 * T][..]), (&[Rule::EveryOther][..], &[0, T, 2 * T][..])] {
        let mut bench = bench(3, 0, off);
        let elsewhere = next_with(&bench, 2, |control| control.relay = Some(NodeIndex(1)));
        bench.hear(elsewhere);
        let mut written = Vec::new();
        for _ in 0..100 {
            bench.write();
            written.extend(bench.run(10));
        }
        assert_eq!(times(&to(&written, 2)), flushes, "{off:?}");
        assert_eq!(times(&to(&written, 1)), [0, T, 2 * T]);
    }
}

#[test]
fn an_uplink_leaves_so_that_it_arrives_just_before_the_flush() {
    for (off, at) in [(&[][..], T - 200 - 15), (&[Rule::Alignment][..], 10)] {
        let mut bench = bench(3, 2, off);
        measure(&mut bench, 0, 200);
        let down = flush(&bench, 0);
        bench.hear(down);
        bench.run(10);
        bench.write();
        assert_eq!(times(&bench.run(T)), [at], "{off:?}");
    }
}

#[test]
fn what_comes_too_late_for_a_flush_waits_for_it_and_is_timed_to_the_next() {
    let mut bench = bench(3, 2, &[]);
    measure(&mut bench, 0, 200);
    let down = flush(&bench, 0);
    bench.hear(down);
    bench.run(300);
    bench.write();
    assert!(bench.run(160).is_empty());
    let down = flush(&bench, 0);
    bench.hear(down);
    assert_eq!(times(&bench.run(T)), [T + T - 200 - 15]);
}

#[test]
fn a_flush_that_does_not_come_is_not_waited_for() {
    let mut bench = bench(3, 2, &[]);
    measure(&mut bench, 0, 200);
    let down = flush(&bench, 0);
    bench.hear(down);
    bench.run(300);
    bench.write();
    assert_eq!(times(&bench.run(300)), [T + 15 + 10]);
}

#[test]
fn where_delays_vary_much_an_uplink_leaves_at_once() {
    let mut bench = bench(3, 2, &[]);
    vary(&mut bench, 0, [20, 80]);
    let down = flush(&bench, 0);
    bench.hear(down);
    bench.run(10);
    bench.write();
    assert_eq!(times(&bench.run(T)), [10]);
}

#[test]
fn where_delays_vary_much_uplinks_are_a_third_of_an_interval_apart() {
    for (off, expected) in [(&[][..], &[10, 163, 316][..]), (&[Rule::Pacing][..], &[10, 20, 30][..])] {
        let mut bench = bench(3, 2, off);
        vary(&mut bench, 0, [100, 300]);
        let down = flush(&bench, 0);
        bench.hear(down);
        let mut uplinks = Vec::new();
        for _ in 0..40 {
            uplinks.extend(bench.run(10));
            bench.write();
        }
        assert_eq!(times(&uplinks)[..3], *expected, "{off:?}");
    }
}

#[test]
fn while_the_relay_is_overdue_one_uplink_leaves_in_an_interval() {
    for (off, most) in [(&[][..], 3), (&[Rule::Pacing][..], 100)] {
        let mut bench = bench(3, 2, off);
        measure(&mut bench, 0, 200);
        let down = flush(&bench, 0);
        bench.hear(down);
        let mut uplinks = Vec::new();
        for _ in 0..95 {
            bench.write();
            uplinks.extend(asking(&bench.run(10), Want::Nothing));
        }
        if off.is_empty() {
            assert_eq!(times(&uplinks), [T - 215, T + 25, T + 25 + T]);
        }
        assert!(uplinks.len() <= most && uplinks.len() >= most / 3, "{off:?}: {}", uplinks.len());
    }
}

#[test]
fn while_the_round_trip_is_unknown_a_few_uplinks_go_for_the_next_flush_and_then_one_waits_for_its_echo() {
    for (off, least) in [(&[][..], 7), (&[Rule::Pacing][..], 60)] {
        let mut bench = bench(3, 2, off);
        let down = flush(&bench, 0);
        bench.hear(down);
        let mut uplinks = Vec::new();
        for _ in 0..80 {
            bench.write();
            uplinks.extend(asking(&bench.run(10), Want::Nothing));
        }
        if off.is_empty() {
            // 300 ms and a deviation of 18.75 ms are assumed.
            assert_eq!(times(&uplinks)[0], 113);
            assert_eq!(pauses(&uplinks), [60; 6]);
        }
        assert!(uplinks.len() >= least, "{off:?}: {}", uplinks.len());
    }
}

#[test]
fn whichever_of_those_uplinks_the_flush_echoes_the_round_trip_is_measured() {
    for echoed in 1..=8 {
        let mut bench = bench(3, 2, &[]);
        let down = flush(&bench, 0);
        bench.hear(down);
        for _ in 0..46 {
            bench.write();
            bench.run(10);
        }
        let sent = bench.scheduler.link(NodeIndex(0)).sent_ord;
        let down = next_with(&bench, 0, |control| {
            control.flush_ms = Some(T as u32);
            control.echoed = Some(Echo { ord: echoed, held_ms: 0 });
        });
        bench.hear(down);
        assert_eq!(bench.scheduler.path(NodeIndex(0)).is_measured(), echoed <= sent, "{echoed} of {sent}");
    }
}

#[test]
fn a_relay_that_has_not_flushed_yet_gets_one_uplink_in_a_round_trip() {
    for (off, paced) in [(&[][..], true), (&[Rule::Pacing][..], false)] {
        let mut bench = bench(3, 2, off);
        measure(&mut bench, 0, 200);
        let mut uplinks = Vec::new();
        for _ in 0..45 {
            bench.write();
            uplinks.extend(bench.run(10));
        }
        assert_eq!(times(&uplinks) == [0, 200, 400], paced, "{off:?}: {:?}", times(&uplinks));
    }
}

#[test]
fn a_node_that_hears_its_relay_sends_up_nothing_that_the_relay_shows() {
    let mut bench = bench(3, 2, &[]);
    bench.change(0, Some(0), Lane::Push);
    bench.shows(0, 0, 1);
    assert!(bench.run(900).is_empty());
}

#[test]
fn a_message_that_comes_twice_is_held_since_it_came_first() {
    let mut bench = bench(4, 2, &[]);
    let first = next_with(&bench, 3, |control| control.ord = 7);
    bench.hear(first);
    bench.run(100);
    bench.hear(first);
    let echoed = bench.scheduler.control(NodeIndex(3), bench.now).unwrap().echoed;
    assert_eq!(echoed, Some(Echo { ord: 7, held_ms: 100 }));
}

#[test]
fn only_the_messages_of_a_flush_say_when_the_next_one_leaves() {
    let mut bench = bench(2, 0, &[]);
    bench.write();
    assert!(bench.run(0)[0].control.unwrap().flush_ms.is_some());
    let question = Heard { want: Want::Reply, equal: true, ..next(&bench, 1) };
    bench.run(200);
    assert_eq!(bench.hear(question)[0].control.unwrap().flush_ms, None);
}

#[test]
fn whoever_was_written_to_waits_for_no_echo() {
    let mut bench = bench(2, 0, &[]);
    let uplink = Heard { data: true, ..next(&bench, 1) };
    assert_eq!(bench.hear(uplink).len(), 1);
    bench.write();
    bench.shows(1, 0, 1);
    assert!(bench.run(900).is_empty());
}

#[test]
fn an_empty_answer_to_the_relay_is_no_uplink() {
    let mut bench = bench(3, 2, &[]);
    measure(&mut bench, 0, 200);
    let down = flush(&bench, 0);
    bench.hear(down);
    bench.write();
    let question = Heard { want: Want::Reply, ..next(&bench, 0) };
    assert!(!bench.hear(question)[0].full);
    assert_eq!(times(&bench.run(T)), [T - 200 - 15]);
}

#[test]
fn with_a_new_relay_those_ranked_behind_it_are_suspected_no_more() {
    let mut bench = bench(4, 1, &[]);
    let child = next_with(&bench, 3, |control| control.relay = Some(NodeIndex(1)));
    bench.hear(child);
    bench.write();
    run_with(&mut bench, &[0], A + 2 * RTO + 100);
    assert!(is_suspected(&bench, 3) && bench.scheduler.watch.suspects == 1);
    bench.write();
    bench.run(T + 2 * RTO + T);
    assert!(bench.scheduler.is_root());
    assert!(is_suspected(&bench, 0) && !is_suspected(&bench, 3));
}

#[test]
fn a_message_that_comes_out_of_order_changes_neither_echo_nor_child() {
    let mut bench = bench(4, 2, &[]);
    let early = next_with(&bench, 3, |control| (control.ord, control.relay) = (7, Some(NodeIndex(2))));
    bench.hear(early);
    let late = next_with(&bench, 3, |control| control.ord = 6);
    bench.hear(late);
    assert!(bench.scheduler.is_target(NodeIndex(3)));
    let echoed = bench.scheduler.control(NodeIndex(3), bench.now).unwrap().echoed;
    assert_eq!(echoed, Some(Echo { ord: 7, held_ms: 0 }));
}

#[test]
fn a_peer_of_another_strategy_is_nobodys_relay() {
    let mut bench = bench(3, 2, &[]);
    bench.hear(message(0));
    assert_eq!(bench.scheduler.relay, NodeIndex(1));
    let again = next(&bench, 0);
    bench.hear(again);
    assert_eq!(bench.scheduler.relay, NodeIndex(0), "it has the strategy after all");
}

#[test]
fn who_cannot_take_everything_is_nobodys_relay() {
    for (off, relay) in [(&[][..], 1), (&[Rule::FitRelay][..], 0)] {
        let mut bench = bench(3, 2, off);
        let unfit = Heard { refuses: true, ..next(&bench, 0) };
        bench.hear(unfit);
        assert_eq!(bench.scheduler.relay, NodeIndex(relay), "{off:?}");
        let fit = next(&bench, 0);
        bench.hear(fit);
        assert_eq!(bench.scheduler.relay, NodeIndex(0), "it can again");
    }
}

#[test]
fn a_node_that_cannot_take_everything_is_not_its_own_relay() {
    for (off, relay) in [(&[][..], 1), (&[Rule::FitRelay][..], 0)] {
        let mut bench = bench(3, 0, off);
        bench.common.note_refusals(true, false, bench.now);
        bench.write();
        bench.run(0);
        assert_eq!(bench.scheduler.relay, NodeIndex(relay), "{off:?}");
    }
}

#[test]
fn after_many_flushes_a_root_hands_its_rank_on() {
    let mut bench = bench(3, 0, &[]);
    for _ in 1..FLUSHES_PER_TURN {
        bench.write();
        run_with(&mut bench, &[1, 2], T);
    }
    assert_eq!(bench.scheduler.turn, 0);
    bench.write();
    let control = bench.run(T)[0].control.unwrap();
    assert_eq!((control.turn, control.relay, bench.scheduler.relay), (1, Some(NodeIndex(1)), NodeIndex(1)));
    assert!(!bench.scheduler.is_target(NodeIndex(2)), "the others are children of the next relay");
}

#[test]
fn a_root_that_is_one_again_counts_its_flushes_from_the_start() {
    let mut bench = bench(2, 0, &[]);
    for _ in 0..FLUSHES_PER_TURN {
        bench.write();
        run_with(&mut bench, &[1], T);
    }
    assert_eq!(bench.scheduler.turn, 1);
    let back = next_with(&bench, 1, |control| (control.turn, control.relay) = (2, Some(NodeIndex(0))));
    bench.hear(back);
    assert!(bench.scheduler.is_root());
    for _ in 0..3 {
        bench.write();
        run_with(&mut bench, &[1], T);
    }
    assert_eq!(bench.scheduler.turn, 2);
}

#[test]
fn a_root_that_suspects_somebody_keeps_its_rank() {
    let mut bench = bench(3, 0, &[]);
    for _ in 0..2 * FLUSHES_PER_TURN {
        bench.write();
        run_with(&mut bench, &[1], T);
    }
    assert_eq!(bench.scheduler.turn, 0);
}

#[test]
fn a_rank_that_was_handed_on_is_taken_over_with_the_message_that_says_so() {
    let mut bench = bench(3, 2, &[]);
    let handed_on = next_with(&bench, 0, |control| (control.turn, control.relay) = (1, Some(NodeIndex(1))));
    bench.hear(handed_on);
    assert_eq!(bench.scheduler.relay, NodeIndex(1));
    let late = next(&bench, 0);
    bench.hear(late);
    assert_eq!(bench.scheduler.relay, NodeIndex(1), "an older turn changes nothing");
}

// Acknowledgements.

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

// Suspicion.

#[test]
fn a_peer_that_does_not_acknowledge_is_asked_before_it_is_suspected() {
    for (off, asked) in [(&[][..], true), (&[Rule::Question][..], false)] {
        let mut bench = bench(2, 0, off);
        bench.write();
        let questions = asking(&bench.run(A + RTO), Want::Reply);
        assert_eq!(times(&questions), if asked { std::vec![A + RTO] } else { Vec::new() });
        assert!(questions.iter().all(|question| question.data), "what may be lost goes with the question");
        assert_eq!(is_suspected(&bench, 1), !asked, "{off:?}");
        bench.run(RTO);
        assert!(is_suspected(&bench, 1));
    }
}

#[test]
fn further_entries_do_not_put_the_question_off() {
    let mut bench = bench(2, 0, &[]);
    let mut written = Vec::new();
    for _ in 0..8 {
        bench.write();
        written.extend(bench.run(300));
    }
    assert_eq!(times(&asking(&written, Want::Reply)), [A + RTO]);
}

#[test]
fn an_answer_to_the_question_ends_it() {
    let mut bench = bench(2, 0, &[]);
    bench.write();
    bench.run(A + RTO);
    let answer = next(&bench, 1);
    bench.hear(answer);
    bench.run(RTO + 10);
    assert!(!is_suspected(&bench, 1));
}

#[test]
fn an_answer_to_a_question_has_no_time_beyond_that_of_the_way() {
    let mut bench = bench(2, 0, &[]);
    // A new session asks after a second.
    assert_eq!(times(&asking(&bench.run(1_000 + 2 * RTO - 1), Want::Gap)), [1_000]);
    assert!(!is_suspected(&bench, 1));
    bench.run(1);
    assert!(is_suspected(&bench, 1));
}

#[test]
fn who_is_neither_relay_nor_child_is_not_suspected() {
    let mut bench = bench(4, 2, &[]);
    let question = Heard { want: Want::Gap, ..next(&bench, 3) };
    bench.write();
    bench.shows(0, 2, 1);
    assert_eq!(bench.hear(question).iter().filter(|message| message.to == 3 && message.data).count(), 1);
    assert_eq!(bench.scheduler.link(NodeIndex(3)).deadline, NEVER);
    bench.run(10_000);
    assert!(!is_suspected(&bench, 3));
}

#[test]
fn who_is_no_child_any_more_is_not_suspected() {
    let mut bench = bench(4, 2, &[]);
    let child = next_with(&bench, 3, |control| control.relay = Some(NodeIndex(2)));
    bench.hear(child);
    bench.write();
    bench.shows(0, 2, 1);
    assert!(to(&bench.run(0), 3)[0].data);
    let elsewhere = next_with(&bench, 3, |control| control.echoed = None);
    bench.hear(elsewhere);
    bench.run(A + 2 * RTO);
    assert!(!is_suspected(&bench, 3));
}

#[test]
fn a_newer_session_that_others_name_leaves_a_suspect_one() {
    let mut bench = bench(3, 0, &[]);
    bench.write();
    bench.run(A + 2 * RTO);
    bench.common.learn_session(NodeIndex(1), SESSION + 1);
    bench.scheduler.reborn(&mut bench.common, NodeIndex(1), bench.now);
    let suspected = [1, 2].map(|peer| is_suspected(&bench, peer));
    assert_eq!((suspected, bench.scheduler.watch.suspects), ([true; 2], 2), "nobody has heard it");
}

#[test]
fn any_message_of_a_suspect_clears_it() {
    let mut bench = bench(3, 0, &[]);
    bench.write();
    bench.run(A + 2 * RTO);
    assert!(is_suspected(&bench, 1) && is_suspected(&bench, 2));
    let heard = next_with(&bench, 1, |control| control.echoed = None);
    bench.hear(heard);
    assert!(!is_suspected(&bench, 1) && is_suspected(&bench, 2));
    assert_eq!(bench.scheduler.watch.suspects, 1);
}

#[test]
fn a_relay_that_is_suspected_is_followed_by_the_next_rank_which_hears_at_once() {
    let mut bench = bench(4, 2, &[]);
    bench.write();
    let before = bench.run(T + 2 * RTO - 1);
    assert!(to(&before, 1).is_empty());
    let after = bench.run(1);
    assert_eq!((bench.scheduler.relay, receivers(&to(&after, 1)).len()), (NodeIndex(1), 1));
}

#[test]
fn a_new_relay_hears_at_once_although_it_lacks_nothing() {
    let mut bench = bench(4, 2, &[]);
    bench.write();
    bench.shows(1, 2, 1);
    let written = bench.run(T + 2 * RTO);
    assert_eq!(times(&to(&written, 1)), [T + 2 * RTO]);
}

#[test]
fn only_the_first_message_to_a_new_relay_is_urgent() {
    let mut bench = bench(4, 2, &[]);
    bench.write();
    assert_eq!(to(&bench.run(T + 2 * RTO), 1).len(), 1);
    measure(&mut bench, 1, 200);
    bench.run(200);
    let down = flush(&bench, 1);
    bench.hear(down);
    let heard_at = bench.ms();
    bench.run(10);
    bench.write();
    assert_eq!(times(&to(&bench.run(T), 1)), [heard_at + T - 200 - 15]);
}

#[test]
fn a_new_relay_is_assumed_to_have_sent_what_the_old_one_held() {
    for (off, assumed) in [(&[][..], 5), (&[Rule::TakeOver][..], 0)] {
        let mut bench = bench(3, 1, off);
        (0..5).for_each(|_| bench.change(0, Some(0), Lane::Push));
        bench.shows(0, 0, 5);
        bench.write();
        bench.run(T + 2 * RTO - 1);
        bench.now = bench.now.plus_ms(1);
        bench.scheduler.links_due(&mut bench.common, &bench.rows, bench.now);
        bench.scheduler.choose_relay(&mut bench.common, bench.now);
        assert!(bench.scheduler.is_root());
        let held = bench.scheduler.assumed_of(&bench.common, NodeIndex(2));
        assert_eq!(held.frontier(NodeIndex(2), RowId(0), bench.rows.get(RowId(0))), assumed, "{off:?}");
    }
}

#[test]
fn of_a_suspect_nothing_is_assumed_when_the_relay_changes() {
    let mut bench = bench(4, 2, &[]);
    bench.write();
    run_with(&mut bench, &[1], T + 2 * RTO + 100);
    assert!(is_suspected(&bench, 0) && bench.scheduler.relay == NodeIndex(1));
    (0..5).for_each(|_| bench.change(3, Some(1), Lane::Push));
    bench.shows(1, 3, 5);
    bench.write();
    bench.run(2 * T + 3 * RTO);
    assert!(bench.scheduler.is_root() && is_suspected(&bench, 0));
    let assumed = bench.scheduler.assumed_of(&bench.common, NodeIndex(0));
    let frontier = assumed.frontier(NodeIndex(0), RowId(3), bench.rows.get(RowId(3)));
    assert_eq!(frontier, 0, "what n1 held it sent to those that it did not suspect");
}

#[test]
fn a_root_looks_for_its_suspects_in_turn_and_ever_more_rarely() {
    for (off, probes) in [(&[][..], true), (&[Rule::Probes][..], false)] {
        let mut bench = bench(3, 0, off);
        bench.write();
        bench.run(A + 2 * RTO);
        let soon = asking(&bench.run(1_000), Want::Reply);
        assert_eq!(!soon.is_empty(), probes, "{off:?}");
        if probes {
            assert!((2..=5).contains(&soon.len()), "{soon:?}");
            assert!(soon.windows(2).all(|pair| pair[0].to != pair[1].to), "{soon:?}");
            bench.run(100_000);
            let late = pauses(&asking(&bench.run(300_000), Want::Reply));
            assert!(late.iter().all(|pause| (22_500..=37_500).contains(pause)), "{late:?}");
            assert!(late.windows(2).any(|pair| pair[0].abs_diff(pair[1]) > 500), "no two roots stay in step: {late:?}");
        }
    }
}

#[test]
fn when_one_suspect_answers_all_others_are_probed_at_once_but_not_twice_in_half_a_second() {
    let mut bench = bench(5, 0, &[]);
    bench.write();
    bench.run(A + 2 * RTO);
    let first = next(&bench, 1);
    assert_eq!(receivers(&asking(&bench.hear(first), Want::Reply)), [2, 3, 4]);
    bench.scheduler.watch.probe_at = NEVER;
    bench.run(100);
    bench.scheduler.watch.probe_at = NEVER;
    let second = next(&bench, 2);
    assert!(asking(&bench.hear(second), Want::Reply).is_empty());
    bench.scheduler.watch.probe_at = bench.scheduler.watch.all_at.plus_ms(500);
    let later = asking(&bench.run(400), Want::Reply);
    assert_eq!((receivers(&later), later[0].at_ms), (std::vec![3, 4], A + 2 * RTO + 500));
}

#[test]
fn others_look_for_those_ranked_before_their_relay_at_pauses_that_double() {
    for (off, expected) in [(&[][..], &[2_000, 4_000, 8_000][..]), (&[Rule::Probes][..], &[][..])] {
        let mut bench = bench(3, 2, off);
        bench.write();
        let mut written = run_with(&mut bench, &[1], 20_000);
        assert_eq!(bench.scheduler.relay, NodeIndex(1));
        written.retain(|message| message.to == 0 && message.at_ms > T + 2 * RTO);
        let probes = asking(&written, Want::Reply);
        assert_eq!(pauses(&probes).get(..2).unwrap_or(&[]), expected.get(1..).unwrap_or(&[]), "{off:?}: {probes:?}");
        assert_eq!(probes.is_empty(), !off.is_empty());
    }
}

#[test]
fn whoever_suspects_somebody_it_needs_sends_digests_to_random_peers() {
    for (off, digests) in [(&[][..], true), (&[Rule::RandomDigests][..], false)] {
        let mut bench = bench(4, 0, off);
        bench.write();
        let written = run_with(&mut bench, &[2, 3], A + 2 * RTO + 60_000);
        let random: Vec<_> = written.iter().filter(|message| message.control.unwrap().old).copied().collect();
        assert_eq!(!random.is_empty(), digests, "{off:?}");
        if digests {
            let first = random[0].at_ms - (A + 2 * RTO);
            assert!((1_125..=1_885).contains(&first), "{first}");
            assert!(random.iter().all(|message| message.to != 1), "not to the suspect");
            let pauses = pauses(&random);
            assert!(pauses.windows(2).all(|pair| pair[1] * 10 > pair[0] * 8), "they grow: {pauses:?}");
        }
    }
}

#[test]
fn what_may_be_under_way_is_not_old() {
    let bench = bench(4, 2, &[]);
    assert_eq!(bench.scheduler.old_us(), (T + 2 * 300 + 100) * 1_000);
}

#[test]
fn a_random_digest_is_answered_with_what_this_node_has_had_for_long() {
    for (off, at_once) in [(&[][..], false), (&[Rule::OldDigest][..], true)] {
        let mut bench = bench(4, 2, off);
        bench.write();
        let random = next_with(&bench, 3, |control| control.old = true);
        let written = bench.hear(random);
        assert_eq!(to(&written, 3).iter().any(|message| message.data), at_once, "{off:?}");
    }
    let mut bench = bench(4, 2, &[]);
    bench.write();
    for _ in 0..2 {
        bench.run(1_500);
        let heard = next(&bench, 0);
        bench.hear(heard);
    }
    let random = next_with(&bench, 3, |control| control.old = true);
    assert!(to(&bench.hear(random), 3)[0].data);
}

// Gaps and answers.

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

// Sessions.

#[test]
fn a_new_session_asks_whoever_does_not_agree_until_it_is_settled() {
    let mut bench = bench(9, 8, &[]);
    (0..9).filter(|peer| *peer != 5).for_each(|peer| bench.common.agreement.insert(NodeIndex(peer)));
    let asked = asking(&bench.run(5_000), Want::Gap);
    assert_eq!((times(&asked), receivers(&asked)), (std::vec![1_000, 3_000], std::vec![5, 5]));
    bench.common.agreement.insert(NodeIndex(5));
    assert!(bench.run(60_000).is_empty());
}

#[test]
fn a_new_session_goes_on_asking_although_somebody_was_heard() {
    for (off, asks) in [(&[][..], true), (&[Rule::Asking][..], false)] {
        let mut bench = bench(5, 2, off);
        bench.run(100);
        let heard = next(&bench, 4);
        bench.hear(heard);
        assert_eq!(!asking(&bench.run(2_000), Want::Gap).is_empty(), asks, "{off:?}");
    }
}

#[test]
fn a_new_session_that_is_in_touch_with_its_relay_asks_nobody_else() {
    let mut bench = bench(5, 2, &[]);
    bench.run(100);
    let heard = next(&bench, 0);
    bench.hear(heard);
    assert!(asking(&bench.run(2_500), Want::Gap).is_empty());
}

#[test]
fn a_new_session_that_is_handed_over_what_it_lacks_in_parts_asks_nobody_else() {
    let mut bench = bench(5, 2, &[]);
    bench.shows(4, 0, 5);
    let part = Heard { behind: true, data: true, news: true, cut: true, ..next(&bench, 4) };
    bench.hear(part);
    bench.common.agreement.insert(NodeIndex(4));
    let asked = asking(&bench.run(4_900), Want::Gap);
    assert!(asked.iter().all(|question| question.to == 4), "{asked:?}");
}

#[test]
fn a_node_that_speaks_by_itself_asks_at_once() {
    let mut bench = bench(5, 2, &[]);
    bench.scheduler.start(&mut bench.common, true, bench.now);
    assert_eq!(times(&asking(&bench.run(10), Want::Gap)), [0]);
}

#[test]
fn a_newer_session_of_a_peer_is_sent_everything_again() {
    let mut bench = bench(2, 0, &[]);
    bench.write();
    run_with(&mut bench, &[1], T);
    assert!(bench.run(T).is_empty());
    bench.common.learn_session(NodeIndex(1), SESSION + 1);
    bench.scheduler.reborn(&mut bench.common, NodeIndex(1), bench.now);
    let again = bench.run(T);
    assert!(again[0].to == 1 && again[0].data);
    let control = again[0].control.unwrap();
    assert_eq!((control.echoed, control.ord), (None, 2), "ordinals go on, echoes do not");
}

#[test]
fn a_view_that_a_peer_was_not_told_is_a_reason_to_write_to_it() {
    let mut bench = bench(3, 0, &[]);
    bench.write();
    run_with(&mut bench, &[1, 2], 2 * T);
    bench.common.learn_session(NodeIndex(2), SESSION + 1);
    bench.scheduler.reborn(&mut bench.common, NodeIndex(2), bench.now);
    let written = bench.run(T);
    assert_eq!(receivers(&written), [1, 2]);
    assert!(!to(&written, 1)[0].data, "it lacks nothing else");
}

#[test]
fn after_a_larger_session_no_answer_to_the_former_one_is_waited_for() {
    let mut bench = bench(2, 0, &[]);
    bench.write();
    bench.run(A);
    bench.scheduler.session_taken(&mut bench.common, bench.now);
    bench.run(2 * RTO + 10);
    assert!(!is_suspected(&bench, 1));
    assert_eq!(bench.scheduler.link(NodeIndex(1)).deadline, NEVER);
}

// Silence.

/// All others have shown that they hold what this node holds.
fn settle(bench: &mut Bench<Relay<Small>>, peers: &[u32]) -> Vec<Message> {
    let mut written = Vec::new();
    for peer in peers {
        let heard = Heard { equal: true, ..next(bench, *peer) };
        written.extend(bench.hear(heard));
    }
    written
}

#[test]
fn a_root_that_is_settled_says_so_once_to_each_and_then_nothing() {
    let mut bench = bench(3, 0, &[]);
    bench.write();
    bench.run(0);
    let told = settle(&mut bench, &[1, 2]);
    assert_eq!(receivers(&told), [1, 2]);
    assert!(told.iter().all(|message| message.control.unwrap().stable));
    assert_eq!([bench.scheduler.ask_at, bench.scheduler.quiet.ask_at], [NEVER; 2]);
    assert!(bench.run(100_000).is_empty());
    assert_eq!(bench.scheduler.next_timeout(), None);
}

#[test]
fn a_suspect_that_comes_back_is_told_that_all_is_well_and_nobody_else_is_told_again() {
    let mut bench = bench(3, 0, &[]);
    bench.write();
    run_with(&mut bench, &[1], A + 2 * RTO);
    assert!(is_suspected(&bench, 2));
    let all = Heard { equal: true, peer_settled: true, ..next(&bench, 1) };
    assert_eq!(receivers(&bench.hear(all)), [1]);
    let back = Heard { equal: true, ..next(&bench, 2) };
    assert_eq!(receivers(&bench.hear(back)), [2]);
}

#[test]
fn a_change_ends_the_word_that_all_is_well() {
    let mut bench = bench(3, 0, &[]);
    settle(&mut bench, &[1, 2]);
    assert!(bench.scheduler.quiet.stable);
    bench.write();
    assert!(!bench.run(0)[0].control.unwrap().stable);
    assert!(!settle(&mut bench, &[1, 2]).is_empty(), "and it is said again");
}

#[test]
fn a_peer_that_shows_another_state_ends_the_word_that_all_is_well() {
    let mut bench = bench(3, 0, &[]);
    settle(&mut bench, &[1, 2]);
    let other = next(&bench, 2);
    bench.hear(other);
    assert!(!bench.scheduler.quiet.stable && bench.scheduler.next_timeout().is_some());
}

#[test]
fn a_root_says_that_all_is_well_only_when_all_members_agree() {
    for (off, says) in [(&[][..], false), (&[Rule::StableByAll][..], true)] {
        let mut bench = bench(3, 0, off);
        bench.write();
        run_with(&mut bench, &[1], A + 2 * RTO + 100);
        assert!(is_suspected(&bench, 2));
        let told = settle(&mut bench, &[1]);
        assert_eq!(told.iter().any(|message| message.control.unwrap().stable), says, "{off:?}");
    }
}

#[test]
fn the_word_of_the_relay_counts_when_all_members_agree() {
    for (off, counts) in [(&[][..], false), (&[Rule::StableByAll][..], true)] {
        let mut bench = bench(3, 2, off);
        let word = next_with(&bench, 0, |control| control.stable = true);
        bench.scheduler.hear_stable(&bench.common, &Heard { equal: true, ..word });
        assert_eq!(bench.scheduler.quiet.stable, counts, "{off:?}");
    }
}

#[test]
fn the_word_of_a_relay_that_differs_does_not_count() {
    let mut bench = bench(3, 2, &[Rule::StableByAll]);
    let word = next_with(&bench, 0, |control| control.stable = true);
    bench.hear(word);
    assert!(!bench.scheduler.quiet.stable);
}

#[test]
fn who_has_not_heard_that_all_is_well_asks_its_relay() {
    for (off, asks) in [(&[][..], true), (&[Rule::StableWord][..], false)] {
        let mut bench = bench(3, 2, off);
        bench.write();
        let written = run_with(&mut bench, &[0, 1], 7_000);
        let asked = to(&asking(&written, Want::Reply), 0);
        assert_eq!(!asked.is_empty(), asks, "{off:?}");
        if asks {
            assert_eq!((asked[0].at_ms, asked[0].full), (3 * A + 1_000, true));
        }
    }
}

#[test]
fn a_node_passes_the_word_on_to_its_children() {
    let mut bench = bench(4, 2, &[]);
    let child = next_with(&bench, 3, |control| control.relay = Some(NodeIndex(2)));
    bench.hear(child);
    let word = next_with(&bench, 0, |control| control.stable = true);
    let told = bench.hear(Heard { equal: true, peer_settled: true, ..word });
    assert_eq!(receivers(&told), [3]);
    assert!(told[0].control.unwrap().stable);
}

#[test]
fn a_root_asks_those_that_do_not_agree_at_pauses_that_double_to_half_a_minute() {
    let mut bench = bench(3, 0, &[]);
    bench.common.agreement.insert(NodeIndex(1));
    let asked = asking(&run_with(&mut bench, &[1, 2], 100_000), Want::Reply);
    assert!(asked.iter().all(|question| question.to == 2));
    assert_eq!(times(&asked)[..5], [5_380, 11_220, 22_900, 46_260, 76_260]);
}

#[test]
fn what_a_peer_knows_to_be_everywhere_and_is_not_here_is_asked_for_at_once() {
    let mut bench = bench(5, 2, &[]);
    bench.shows(0, 0, 5);
    let word = next_with(&bench, 0, |control| control.stable = true);
    assert_eq!(asking(&bench.hear(Heard { behind: true, ..word }), Want::Gap).len(), 1);
}

#[test]
fn what_the_sender_of_a_random_digest_has_had_for_long_is_asked_for_at_once() {
    for (long_behind, asked) in [(true, 1), (false, 0)] {
        let mut bench = bench(5, 2, &[]);
        bench.shows(4, 0, 5);
        let random = next_with(&bench, 4, |control| control.old = true);
        let written = bench.hear(Heard { behind: true, long_behind, ..random });
        assert_eq!(asking(&written, Want::Gap).len(), asked);
    }
}

#[test]
fn a_gap_in_rows_that_are_unknown_here_is_asked_for_again() {
    let mut bench = bench(5, 2, &[]);
    let gap = Heard { full: true, behind: true, unknown: true, ..next(&bench, 4) };
    bench.hear(gap);
    assert_eq!(times(&asking(&to(&bench.run(700), 4), Want::Gap)), [675]);
}

#[test]
fn the_flush_with_which_a_relay_hands_on_is_acknowledged_to_the_next_one() {
    let mut bench = bench(4, 3, &[]);
    let last = next_with(&bench, 0, |control| {
        (control.turn, control.relay, control.flush_ms) = (1, Some(NodeIndex(1)), Some(T as u32));
    });
    bench.hear(Heard { data: true, ..last });
    let acknowledged = asking(&bench.run(A), Want::Nothing);
    assert_eq!((receivers(&acknowledged), times(&acknowledged)), (std::vec![1], std::vec![A]));
}

#[test]
fn news_makes_random_digests_worth_their_price_again() {
    let mut bench = bench(4, 0, &[]);
    bench.write();
    run_with(&mut bench, &[2, 3], 40_000);
    let is_random = |message: &Message| message.control.unwrap().old;
    let rare = run_with(&mut bench, &[2, 3], 4_000).iter().filter(|message| is_random(message)).count();
    assert_eq!(rare, 0);
    bench.write();
    let soon = run_with(&mut bench, &[2, 3], 1_900);
    assert!(soon.iter().any(is_random));
    let next = run_with(&mut bench, &[2, 3], 3_000);
    assert!(next.iter().any(is_random), "the pauses begin anew");
    let last = next.iter().rfind(|message| is_random(message)).unwrap().to;
    let question = Heard { want: Want::Reply, equal: true, ..self::next(&bench, last) };
    bench.run(200);
    assert!(!to(&bench.hear(question), last)[0].control.unwrap().old, "what follows is no random digest");
}

// Choices and commands.

#[test]
fn a_shorter_interval_shortens_timers_that_run() {
    let mut bench = bench(2, 0, &[]);
    bench.write();
    bench.run(0);
    bench.write();
    bench.run(0);
    bench.common.configure(2, Some(50));
    bench.scheduler.reconfigured(&bench.common, bench.now);
    assert_eq!(times(&bench.run(60)), [50]);
}

#[test]
fn a_round_on_command_sends_what_is_lacking_and_nothing_else() {
    let mut bench = bench(5, 2, &[]);
    let now = bench.now;
    assert_eq!(bench.scheduler.round_now(&mut bench.common, &bench.rows, now), (1, 0));
    assert!(bench.drain().is_empty());
    bench.write();
    assert_eq!(bench.scheduler.round_now(&mut bench.common, &bench.rows, now), (1, 1));
    assert_eq!(receivers(&bench.drain()), [0]);
}

#[test]
fn at_the_end_of_input_what_waits_leaves_once_and_no_timer_runs() {
    let mut bench = bench(3, 0, &[]);
    bench.write();
    bench.run(0);
    bench.write();
    let (now, sum) = (bench.now, bench.sum);
    bench.scheduler.finish(&mut bench.common, sum, &bench.rows, now);
    assert_eq!(receivers(&bench.drain()), [1, 2]);
    assert_eq!(bench.scheduler.next_timeout(), None);
    assert!(!bench.scheduler.is_due(NEVER));
}
