//! Tests: which node sends down to which peers and when, when a node sends up to its relay, and which node is the
//! relay.

use super::*;

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
