//! Tests: which peers a node suspects, which it asks before that, and how it probes suspects.

use super::*;

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
    // A new session asks after 1 s.
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
    bench.scheduler.view_changed(&mut bench.common, NodeIndex(1), bench.now);
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

/// A random digest of node 3 comes, which echoes nothing.
fn hear_random(bench: &mut Bench<Relay<Small>>) -> Vec<Message> {
    let random = next_with(bench, 3, |control| (control.old, control.echoed) = (true, None));
    to(&bench.hear(random), 3)
}

/// What this node holds now it has held for long.
fn age(bench: &mut Bench<Relay<Small>>) {
    run_with(bench, &[0], 4_000);
}

#[test]
fn a_random_digest_is_answered_once_while_the_answer_may_be_under_way() {
    let mut bench = bench(4, 2, &[]);
    bench.write();
    age(&mut bench);
    assert!(hear_random(&mut bench)[0].data);
    // The round trip over all peers is 10 ms.
    bench.run(5);
    assert!(hear_random(&mut bench).is_empty());
    bench.run(50);
    assert!(hear_random(&mut bench)[0].data);
}

#[test]
fn who_lacks_only_changes_that_it_made_in_its_present_life_lacks_nothing() {
    for (life, answered) in [(SESSION, false), (SESSION + 1, true)] {
        let mut bench = bench(4, 2, &[]);
        bench.change(3, Some(0), Lane::Push);
        age(&mut bench);
        bench.common.learn_session(NodeIndex(3), life);
        assert_eq!(hear_random(&mut bench).iter().any(|message| message.full), answered, "{life}");
    }
}

#[test]
fn who_shows_all_that_is_here_is_sent_nothing_for_its_random_digest() {
    let mut bench = bench(4, 2, &[]);
    bench.write();
    age(&mut bench);
    bench.shows(3, 2, 1);
    assert!(hear_random(&mut bench).iter().all(|message| !message.full));
}

#[test]
fn a_suspect_that_this_node_does_not_need_is_left_alone() {
    let mut bench = bench(4, 1, &[]);
    let child = next_with(&bench, 3, |control| control.relay = Some(NodeIndex(1)));
    bench.hear(child);
    bench.write();
    run_with(&mut bench, &[0, 2], A + 2 * RTO);
    assert!(is_suspected(&bench, 3) && !bench.scheduler.is_root());
    assert_eq!([bench.scheduler.watch.probe_at, bench.scheduler.watch.digest_at], [NEVER; 2]);
}

#[test]
fn when_the_last_suspect_is_heard_nobody_is_left_to_be_probed() {
    let mut bench = bench(2, 0, &[]);
    bench.write();
    bench.run(A + 2 * RTO);
    assert!(is_suspected(&bench, 1));
    bench.scheduler.watch.all_at = bench.now;
    let heard = next(&bench, 1);
    bench.hear(heard);
    assert!(!bench.scheduler.watch.all_wanted && bench.scheduler.watch.probe_at == NEVER);
}

#[test]
fn a_single_suspect_is_probed_twice_a_second_and_later_after_half_the_time_since_the_last_change() {
    let mut bench = bench(2, 0, &[]);
    bench.write();
    bench.run(A + 2 * RTO);
    let soon = pauses(&asking(&bench.run(1_200), Want::Reply));
    assert!(soon.iter().all(|pause| (375..=800).contains(pause)), "{soon:?}");
    let mut pause_ms = |quiet_ms: u64| {
        bench.scheduler.quiet.last_change = bench.now;
        bench.scheduler.watch.last_suspicion = bench.now;
        let now = bench.now.plus_ms(quiet_ms);
        bench.scheduler.watch.probe_at = NEVER;
        bench.scheduler.look_for_suspects(&mut bench.common, now);
        bench.scheduler.watch.probe_at.ms_since(now)
    };
    for _ in 0..20 {
        assert!((375..=625).contains(&pause_ms(500)));
        assert!((3_750..=6_250).contains(&pause_ms(10_000)));
        assert!((22_500..=37_500).contains(&pause_ms(100_000)));
    }
}

#[test]
fn a_change_puts_off_no_random_digest_that_is_due_soon() {
    for (left_us, stays) in [(1_800_000, true), (1_875_000, true), (1_875_001, false)] {
        let mut bench = bench(4, 0, &[]);
        let at = after(bench.now, left_us);
        bench.scheduler.watch.digest_at = at;
        bench.scheduler.hurry_digests(&mut bench.common, bench.now);
        assert_eq!(bench.scheduler.watch.digest_at == at, stays, "{left_us}");
    }
}

#[test]
fn the_pauses_between_random_digests_grow_by_a_half_to_half_a_minute() {
    let mut bench = bench(4, 0, &[]);
    bench.scheduler.watch.digest_pause_us = 1_500_000;
    let pauses: Vec<u64> = (0..10)
        .map(|_| {
            bench.scheduler.random_digest(&mut bench.common, bench.now);
            bench.scheduler.watch.digest_pause_us / 1_000
        })
        .collect();
    assert_eq!(pauses, [2_250, 3_375, 5_062, 7_593, 11_390, 17_085, 25_628, 30_000, 30_000, 30_000]);
}

#[test]
fn who_lacks_what_this_node_has_had_for_long_and_does_not_ask_is_sent_nothing() {
    let mut bench = bench(4, 2, &[]);
    bench.write();
    age(&mut bench);
    let heard = next(&bench, 3);
    assert!(to(&bench.hear(heard), 3).is_empty());
}

#[test]
fn only_suspects_are_probed() {
    let mut bench = bench(3, 0, &[]);
    bench.write();
    run_with(&mut bench, &[1], A + 2 * RTO);
    assert!(is_suspected(&bench, 2) && !is_suspected(&bench, 1));
    let probes = asking(&run_with(&mut bench, &[1], 1_500), Want::Reply);
    assert!(probes.len() > 1 && probes.iter().all(|probe| probe.to == 2), "{probes:?}");
}

#[test]
fn a_peer_of_another_strategy_is_not_suspected() {
    let mut bench = bench(3, 0, &[]);
    bench.hear(message(1));
    bench.write();
    assert_eq!(receivers(&bench.run(0)), [1, 2]);
    bench.run(A + 2 * RTO);
    assert_eq!([1, 2].map(|peer| is_suspected(&bench, peer)), [false, true]);
}

#[test]
fn only_of_its_new_relay_a_node_assumes_that_it_holds_what_the_old_one_held() {
    let mut bench = bench(4, 2, &[]);
    bench.shows(0, 0, 5);
    bench.scheduler.link_mut(NodeIndex(0)).suspected = true;
    bench.scheduler.watch.suspects = 1;
    bench.scheduler.choose_relay(&mut bench.common, bench.now);
    let assumed = [1, 3].map(|peer| bench.scheduler.link(NodeIndex(peer)).snapshot > 0);
    assert_eq!((bench.scheduler.relay, assumed), (NodeIndex(1), [true, false]));
}
