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

#[test]
fn a_flush_to_a_child_is_no_uplink() {
    let mut bench = bench(4, 2, &[]);
    measure(&mut bench, 0, 200);
    let child = next_with(&bench, 3, |control| control.relay = Some(NodeIndex(2)));
    bench.hear(child);
    let down = flush(&bench, 0);
    bench.hear(down);
    bench.run(10);
    bench.write();
    let written = bench.run(T);
    assert_eq!(times(&to(&written, 3)), [10]);
    assert_eq!(times(&to(&written, 0)), [T - 200 - 15]);
}

#[test]
fn what_was_sent_is_not_sent_again_when_the_peer_changes_something_itself() {
    let mut bench = bench(2, 0, &[]);
    bench.write();
    assert_eq!(bench.run(10).len(), 1);
    bench.change(1, Some(1), Lane::Push);
    assert!(bench.run(T + 10).is_empty());
}

#[test]
fn the_next_root_continues_the_flushes_of_the_one_before_at_the_same_times() {
    let mut bench = bench(3, 1, &[]);
    measure(&mut bench, 0, 200);
    let last = next_with(&bench, 0, |control| (control.turn, control.relay) = (1, Some(NodeIndex(1))));
    bench.hear(last);
    assert!(bench.scheduler.is_root());
    bench.run(10);
    bench.write();
    assert_eq!(times(&bench.run(T)), [T - 100; 2], "half a round trip ago it left");
}

#[test]
fn a_root_that_has_handed_on_times_its_uplinks_to_the_flushes_of_the_next_one() {
    let mut bench = bench(3, 0, &[]);
    for _ in 1..FLUSHES_PER_TURN {
        bench.write();
        run_with(&mut bench, &[1, 2], T);
    }
    let handed_on_at = bench.ms();
    bench.write();
    run_with(&mut bench, &[1, 2], 100);
    assert_eq!(bench.scheduler.relay, NodeIndex(1));
    bench.write();
    // The round trip is 10 ms: the next root has the flush 5 ms later.
    assert_eq!(times(&to(&bench.run(T), 1)), [handed_on_at + 5 + T - 10 - 15]);
}

#[test]
fn a_node_that_was_the_root_assumes_nothing_of_the_relay_that_is_back() {
    let mut bench = bench(3, 1, &[]);
    bench.scheduler.relay = NodeIndex(1);
    bench.scheduler.choose_relay(&mut bench.common, bench.now);
    assert_eq!((bench.scheduler.relay, bench.scheduler.link(NodeIndex(0)).snapshot), (NodeIndex(0), 0));
}

#[test]
fn a_relay_that_is_chosen_because_the_one_before_refuses_entries_hears_at_once() {
    let mut bench = bench(3, 2, &[]);
    let down = flush(&bench, 0);
    bench.hear(down);
    bench.run(10);
    let unfit = Heard { refuses: true, ..next(&bench, 0) };
    let written = bench.hear(unfit);
    assert_eq!(receivers(&written), [1]);
}

#[test]
fn rounds_are_flushes_and_uplinks() {
    let mut root = bench(3, 0, &[]);
    root.write();
    root.run(0);
    assert_eq!(Scheduler::<Small>::rounds(&root.scheduler), 1);
    let mut other = bench(3, 2, &[]);
    other.write();
    assert_eq!(other.run(0).len(), 1);
    assert_eq!(Scheduler::<Small>::rounds(&other.scheduler), 1);
    other.write();
    other.scheduler.round_now(&mut other.common, &other.rows, other.now);
    assert_eq!(Scheduler::<Small>::rounds(&other.scheduler), 3, "an uplink, and a flush to nobody");
}

#[test]
fn whatever_a_relay_says_is_of_the_lane_of_pushes() {
    let mut bench = bench(2, 0, &[]);
    bench.write();
    let mut written = bench.run(0);
    bench.run(200);
    let question = Heard { want: Want::Reply, equal: true, ..next(&bench, 1) };
    written.extend(bench.hear(question));
    assert_eq!(
        written.iter().map(|message| (message.full, message.lane)).collect::<Vec<_>>(),
        [(true, Some(Lane::Push)), (false, Some(Lane::Push))]
    );
}

#[test]
fn the_first_rank_moves_on_with_each_turn() {
    let mut bench = bench(4, 3, &[]);
    for (turn, ranks) in [(0, [0, 1, 2, 3]), (1, [3, 0, 1, 2]), (7, [1, 2, 3, 0]), (u32::MAX, [1, 2, 3, 0])] {
        bench.scheduler.turn = turn;
        assert_eq!([0, 1, 2, 3].map(|node| bench.scheduler.rank(NodeIndex(node))), ranks);
        bench.scheduler.choose_relay(&mut bench.common, bench.now);
        assert_eq!(bench.scheduler.rank(bench.scheduler.relay), 0, "{turn}");
    }
}

#[test]
fn a_change_that_only_the_children_lack_does_not_wait_for_the_uplink() {
    let mut bench = bench(4, 2, &[]);
    measure(&mut bench, 0, 200);
    let child = next_with(&bench, 3, |control| control.relay = Some(NodeIndex(2)));
    bench.hear(child);
    bench.shows(3, 2, 1);
    let down = flush(&bench, 0);
    bench.hear(down);
    bench.run(10);
    bench.write();
    bench.run(40);
    bench.write();
    assert_eq!(times(&to(&bench.run(T), 3)), [50]);
}

#[test]
fn a_change_that_only_the_relay_lacks_does_not_wait_for_the_flush() {
    let mut bench = bench(4, 2, &[]);
    let child = next_with(&bench, 3, |control| control.relay = Some(NodeIndex(2)));
    bench.hear(child);
    bench.shows(0, 2, 2);
    bench.write();
    assert_eq!(receivers(&bench.run(10)), [3]);
    bench.write();
    assert!(bench.run(10).is_empty(), "a flush is to come");
    bench.write();
    assert_eq!(times(&to(&bench.run(T - 30), 0)), [20]);
}

#[test]
fn an_uplink_that_is_in_time_for_the_next_flush_is_not_put_off_by_one_that_comes_early() {
    let mut bench = bench(3, 2, &[]);
    measure(&mut bench, 0, 200);
    let down = flush(&bench, 0);
    bench.hear(down);
    bench.run(10);
    bench.write();
    bench.run(90);
    let early = flush(&bench, 0);
    bench.hear(early);
    assert_eq!(times(&bench.run(T)), [T - 200 - 15]);
}

#[test]
fn an_uplink_that_is_due_when_the_flush_comes_leaves() {
    let mut bench = bench(3, 2, &[]);
    measure(&mut bench, 0, 200);
    let down = flush(&bench, 0);
    bench.hear(down);
    bench.now = bench.now.plus_ms(T);
    bench.change(2, None, Lane::Push);
    bench.scheduler.uplink.slot = bench.now;
    let down = flush(&bench, 0);
    assert_eq!(receivers(&bench.hear(down)), [0]);
}

#[test]
fn a_relay_is_believed_that_its_next_flush_is_up_to_four_intervals_away() {
    for (said, waited) in [(3, 3), (4, 4), (10, 4)] {
        let mut bench = bench(3, 2, &[]);
        measure(&mut bench, 0, 200);
        let down = next_with(&bench, 0, |control| control.flush_ms = Some(said * T as u32));
        bench.hear(down);
        bench.run(10);
        bench.write();
        assert_eq!(times(&bench.run(5 * T))[0], waited * T - 200 - 15);
    }
}

#[test]
fn the_child_of_another_relay_was_served_by_a_flush_within_one_and_a_half_intervals() {
    let mut bench = bench(2, 0, &[]);
    let elsewhere = next_with(&bench, 1, |control| control.relay = Some(NodeIndex(1)));
    bench.hear(elsewhere);
    bench.write();
    bench.run(T * 3 / 2);
    bench.write();
    assert_eq!(times(&bench.run(10)), [T * 3 / 2]);
}

#[test]
fn an_uplink_is_timed_where_the_round_trip_leaves_room_for_it_in_an_interval() {
    for (rtt_ms, at) in [(410, T - 410 - 15), (411, 10)] {
        let mut bench = bench(3, 2, &[]);
        measure(&mut bench, 0, rtt_ms);
        let down = flush(&bench, 0);
        bench.hear(down);
        bench.run(10);
        bench.write();
        assert_eq!(times(&bench.run(T)), [at]);
    }
}

#[test]
fn while_the_round_trip_is_unknown_a_flush_is_overdue_from_the_moment_on_at_which_it_was_to_leave() {
    for (ms, at) in [(459, 460), (460, 860)] {
        let mut bench = bench(3, 2, &[]);
        let down = flush(&bench, 0);
        bench.hear(down);
        bench.run(400);
        bench.write();
        assert_eq!(times(&bench.run(ms - 400)), [400]);
        bench.write();
        assert_eq!(times(&asking(&bench.run(A), Want::Nothing))[0], at);
    }
}

#[test]
fn uplinks_are_at_least_a_sixth_of_an_interval_apart_where_delays_vary_much() {
    let mut bench = bench(3, 2, &[]);
    vary(&mut bench, 0, [20, 80]);
    let down = flush(&bench, 0);
    bench.hear(down);
    let mut uplinks = Vec::new();
    for _ in 0..30 {
        uplinks.extend(bench.run(10));
        bench.write();
    }
    assert_eq!(times(&uplinks)[..3], [10, 86, 163]);
}

#[test]
fn an_overdue_flush_holds_up_nothing_while_all_uplinks_were_acknowledged() {
    let mut bench = bench(3, 2, &[]);
    measure(&mut bench, 0, 200);
    let down = flush(&bench, 0);
    bench.hear(down);
    bench.run(10);
    bench.write();
    assert_eq!(times(&bench.run(435)), [T - 215]);
    let echo = next(&bench, 0);
    bench.hear(echo);
    bench.run(55);
    bench.write();
    assert_eq!(times(&bench.run(100)), [500]);
}

#[test]
fn a_new_relay_hears_at_once_although_it_was_written_to_just_now() {
    let mut bench = bench(4, 2, &[]);
    bench.write();
    bench.shows(0, 2, 1);
    let question = Heard { want: Want::Gap, ..next(&bench, 1) };
    assert_eq!(to(&bench.hear(question), 1).len(), 1);
    bench.run(50);
    let unfit = Heard { refuses: true, ..next(&bench, 0) };
    assert_eq!(receivers(&to(&bench.hear(unfit), 1)), [1]);
}

#[test]
fn a_flush_does_not_go_to_a_peer_that_agrees() {
    let mut bench = bench(3, 0, &[]);
    bench.write();
    bench.common.agreement.insert(NodeIndex(1));
    assert_eq!(receivers(&bench.run(0)), [2]);
}

#[test]
fn a_node_alone_has_no_timer() {
    let mut bench = bench(1, 0, &[]);
    bench.write();
    assert_eq!(bench.scheduler.next_timeout(), None);
}

#[test]
fn a_flush_is_waited_for_until_it_is_late_and_then_one_uplink_leaves_in_an_interval() {
    for (ms, at) in [(484, 485), (485, T - 215 + T)] {
        let mut bench = bench(3, 2, &[]);
        measure(&mut bench, 0, 200);
        let down = flush(&bench, 0);
        bench.hear(down);
        bench.run(10);
        bench.write();
        assert_eq!(times(&bench.run(ms - 10)), [T - 215]);
        bench.write();
        assert_eq!(times(&bench.run(2 * T))[0], at, "{ms}");
    }
}

#[test]
fn an_uplink_is_timed_where_delays_vary_by_up_to_an_eighth_of_an_interval() {
    // The least guard is 15 ms.
    for (interval_ms, at) in [(120, 120 - 50 - 15), (119, 10)] {
        let mut bench = bench(3, 2, &[]);
        bench.common.configure(2, Some(interval_ms));
        bench.scheduler.reconfigured(&bench.common, bench.now);
        measure(&mut bench, 0, 50);
        let down = next_with(&bench, 0, |control| control.flush_ms = Some(interval_ms));
        bench.hear(down);
        bench.run(10);
        bench.write();
        assert_eq!(times(&bench.run(100))[0], at);
    }
}
