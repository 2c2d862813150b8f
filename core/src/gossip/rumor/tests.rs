//! Tests of strategy `rumor`, one rule each, with one scheduler and neighbours that exist only as messages.

use std::vec::Vec;

use super::*;
use crate::causality::RowId;
use crate::gossip::bench::{Bench, Message, message, receivers, times};
use crate::storage::Small;

fn bench(nodes: usize, off: &[Rule]) -> Bench<Rumor<Small>> {
    Bench::new(nodes, 0, off, |_| Rumor::new(&Small::LIMITS))
}

fn pushes(messages: Vec<Message>) -> Vec<Message> {
    messages.into_iter().filter(|message| message.rumors).collect()
}

fn questions(messages: Vec<Message>) -> Vec<Message> {
    messages.into_iter().filter(|message| !message.rumors && message.want == Want::Reply).collect()
}

// Push.

#[test]
fn the_first_push_after_a_quiet_interval_leaves_at_once_and_goes_to_fanout_peers() {
    let mut bench = bench(9, &[]);
    bench.write();
    let pushed = pushes(bench.run(0));
    assert_eq!(times(&pushed), [0, 0]);
    bench.common.configure(5, None);
    bench.run(400);
    bench.write();
    assert_eq!(times(&pushes(bench.run(0))), [400; 5]);
}

#[test]
fn under_load_news_is_gathered_and_leaves_once_per_interval() {
    let mut bench = bench(9, &[]);
    let mut pushed = Vec::new();
    for _ in 0..59 {
        bench.write();
        pushed.extend(pushes(bench.run(10)));
    }
    assert_eq!(times(&pushed), [0, 0, 200, 200, 400, 400]);
}

#[test]
fn a_rumor_does_not_go_back_to_the_peer_it_came_from() {
    let mut bench = bench(3, &[]);
    for _ in 0..10 {
        bench.change(1, Some(1), Lane::Push);
        assert_eq!(receivers(&pushes(bench.run(200))), [2]);
        bench.hear(message(2));
    }
}

#[test]
fn a_rumor_does_not_go_to_a_peer_that_shows_it() {
    let mut bench = bench(3, &[]);
    bench.shows(1, 0, 1);
    bench.write();
    assert_eq!(receivers(&pushes(bench.run(0))), [2]);
}

#[test]
fn a_rumor_does_not_go_to_a_peer_that_agrees() {
    let mut bench = bench(3, &[]);
    bench.write();
    bench.common.agreement.insert(NodeIndex(2));
    assert_eq!(receivers(&pushes(bench.run(0))), [1]);
}

#[test]
fn a_rumor_is_pushed_once() {
    let mut bench = bench(9, &[]);
    bench.write();
    assert_eq!(pushes(bench.run(10_000)).len(), 2);
    assert!(bench.scheduler.hot().is_empty());
}

#[test]
fn a_peer_that_was_pushed_to_twice_and_is_not_heard_is_asked_for_an_answer() {
    let mut bench = bench(2, &[]);
    let mut wants = Vec::new();
    for _ in 0..3 {
        bench.write();
        wants.extend(pushes(bench.run(200)).iter().map(|push| push.want));
    }
    assert_eq!(wants, [Want::Nothing, Want::Nothing, Want::Reply]);
}

#[test]
fn a_silent_peer_is_pushed_to_ever_more_rarely_until_it_is_heard() {
    let mut bench = bench(2, &[]);
    let mut pushed = Vec::new();
    for _ in 0..30 {
        bench.write();
        bench.scheduler.timers[Timer::AntiEntropy as usize] = None;
        pushed.extend(pushes(bench.run(200)));
    }
    let pauses: Vec<u64> = times(&pushed).windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses, [200, 200, 200, 600, 1_000, 1_000, 1_000, 1_000]);
    bench.hear(message(1));
    bench.write();
    assert_eq!(pushes(bench.run(0)).len(), 1);
}

#[test]
fn dots_that_follow_each_other_wait_as_one_rumor() {
    let mut bench = bench(3, &[]);
    (0..3).for_each(|_| bench.write());
    bench.change(1, Some(1), Lane::Push);
    let of = |row, to, source| Hot { row: RowId(row), from: 0, to, source };
    assert_eq!(bench.scheduler.hot[..], [of(0, 3, None), of(1, 1, Some(NodeIndex(1)))]);
}

#[test]
fn a_rumor_that_joins_during_a_push_waits_for_the_next_one() {
    let mut bench = bench(3, &[]);
    bench.write();
    let now = bench.now;
    bench.scheduler.timeout(&mut bench.common, &bench.rows, now);
    bench.write();
    assert_eq!(bench.scheduler.hot().len(), 1, "the push under way is as it was");
    assert_eq!(times(&pushes(bench.drain())), [0, 0]);
    assert_eq!(times(&pushes(bench.run(200))), [200, 200]);
}

#[test]
fn when_too_many_rumors_wait_the_oldest_is_forgotten() {
    let mut bench = bench(3, &[]);
    let limit = Small::LIMITS.rumors as u32;
    for at in 0..=limit {
        bench.change(at % 2, Some(at % 2), Lane::Push);
    }
    assert_eq!(bench.scheduler.forgotten(), 1);
    assert_eq!(bench.scheduler.hot.len(), limit as usize);
    assert_eq!(bench.scheduler.hot[0].row, RowId(1));
    let last = bench.scheduler.hot[limit as usize - 1];
    assert_eq!((last.row, last.to), (RowId(0), u64::from(limit / 2) + 1), "the newest waits");
}

#[test]
fn a_rumor_that_is_forgotten_during_a_push_is_no_part_of_it_any_more() {
    let mut bench = bench(3, &[]);
    bench.write();
    let now = bench.now;
    bench.scheduler.timeout(&mut bench.common, &bench.rows, now);
    assert_eq!(bench.scheduler.hot().len(), 1);
    for at in 0..Small::LIMITS.rumors as u32 {
        bench.change(1 + at % 2, Some(1 + at % 2), Lane::Push);
    }
    assert!(bench.scheduler.forgotten() == 1 && bench.scheduler.sealed == 0);
    bench.drain();
    assert_eq!(bench.scheduler.hot.len(), Small::LIMITS.rumors, "those that wait were not told");
}

#[test]
fn a_round_on_command_takes_the_rumors_that_wait_with_it() {
    let mut bench = bench(3, &[]);
    bench.write();
    bench.run(0);
    bench.write();
    let now = bench.now;
    assert_eq!(bench.scheduler.round_now(&mut bench.common, &bench.rows, now), (2, 2));
    assert_eq!(bench.scheduler.hot().len(), 1);
    assert_eq!(receivers(&pushes(bench.drain())), [1, 2]);
    assert!(bench.scheduler.hot.is_empty());
}

// Tick.

#[test]
fn a_change_of_the_counter_waits_for_the_next_tick() {
    let mut bench = bench(5, &[]);
    bench.change(0, None, Lane::Tick);
    assert!(bench.run(99).is_empty());
    let ticked = bench.run(1);
    assert_eq!((times(&ticked), ticked[0].lane), (std::vec![100, 100], Some(Lane::Tick)));
}

#[test]
fn ticks_are_an_interval_apart_and_go_to_fanout_peers_each() {
    let mut bench = bench(9, &[]);
    let mut ticked = Vec::new();
    for _ in 0..30 {
        bench.change(0, None, Lane::Tick);
        ticked.extend(bench.run(10));
    }
    assert_eq!(times(&ticked), [100, 100, 200, 200, 300, 300]);
}

#[test]
fn a_tick_goes_only_to_peers_that_are_not_known_to_agree() {
    let mut bench = bench(4, &[]);
    bench.change(0, None, Lane::Tick);
    for peer in [1, 3] {
        bench.common.agreement.insert(NodeIndex(peer));
    }
    assert_eq!(receivers(&bench.run(100)), [2]);
}

#[test]
fn a_peer_that_was_ticked_the_same_is_not_ticked_again_for_half_a_second_and_then_asked() {
    let mut bench = bench(2, &[]);
    bench.change(0, None, Lane::Tick);
    let ticked: Vec<_> = bench.run(700).into_iter().filter(|message| message.lane == Some(Lane::Tick)).collect();
    assert_eq!(times(&ticked), [100, 600]);
    assert_eq!((ticked[0].want, ticked[1].want), (Want::Nothing, Want::Reply));
}

#[test]
fn after_a_tick_the_next_one_is_timed_from_it_and_not_from_the_change() {
    let mut bench = bench(3, &[]);
    bench.change(0, None, Lane::Tick);
    bench.run(100);
    bench.common.agreement.join_all();
    assert!(bench.scheduler.settle(&bench.common));
    bench.run(30);
    bench.change(0, None, Lane::Tick);
    assert_eq!(times(&bench.run(100)), [200, 200]);
}

#[test]
fn ticks_that_follow_each_other_go_to_peers_that_had_none() {
    let mut bench = bench(4, &[]);
    bench.change(0, None, Lane::Tick);
    let mut ticked = bench.run(400);
    ticked.retain(|message| message.lane == Some(Lane::Tick));
    assert_eq!((receivers(&ticked), times(&ticked)), (std::vec![1, 2, 3], std::vec![100, 100, 200]));
}

#[test]
fn a_counter_that_differs_at_a_peer_is_ticked_without_a_change_here() {
    let mut bench = bench(2, &[]);
    bench.hear(Heard { lane: Lane::Tick, ..message(1) });
    assert_eq!(bench.run(100).iter().filter(|message| message.lane == Some(Lane::Tick)).count(), 1);
}

// Anti-entropy.

#[test]
fn under_load_digests_are_exchanged_every_fifth_interval() {
    let mut bench = bench(9, &[]);
    bench.start();
    let mut asked = Vec::new();
    for _ in 0..300 {
        bench.write();
        asked.extend(questions(bench.run(100)));
        // No peer is silent.
        (1..9).for_each(|peer| bench.common.peers.hear(NodeIndex(peer), bench.now));
    }
    assert!((26..=34).contains(&asked.len()), "{}", asked.len());
}

#[test]
fn once_the_news_has_ceased_digests_are_exchanged_every_interval() {
    let mut bench = bench(9, &[]);
    bench.write();
    bench.run(1_400);
    let asked = questions(bench.run(200));
    assert_eq!(asked.len(), 1, "{asked:?}");
}

#[test]
fn the_longer_nothing_has_changed_the_rarer_digests_are_exchanged() {
    let mut bench = bench(9, &[]);
    bench.write();
    bench.run(80_000);
    let pauses = |asked: &[Message]| -> Vec<u64> { times(asked).windows(2).map(|pair| pair[1] - pair[0]).collect() };
    let after_80_s = pauses(&questions(bench.run(80_000)));
    assert!(after_80_s.iter().all(|pause| (7_500..=25_000).contains(pause)), "{after_80_s:?}");
    bench.run(1_000_000);
    let after_1_000_s = pauses(&questions(bench.run(600_000)));
    assert!(after_1_000_s.iter().all(|pause| (22_500..=37_500).contains(pause)), "{after_1_000_s:?}");
}

#[test]
fn only_peers_that_are_not_known_to_agree_are_asked() {
    let mut bench = bench(5, &[]);
    bench.start();
    for peer in [1, 2, 4] {
        bench.hear(Heard { equal: true, ..message(peer) });
    }
    let asked = questions(bench.run(5_000));
    assert!(!asked.is_empty() && asked.iter().all(|question| question.to == 3), "{asked:?}");
}

#[test]
fn a_peer_that_hands_over_what_is_missing_in_parts_is_the_only_one_to_be_asked() {
    for (off, alone) in [(&[][..], true), (&[Rule::Window][..], false)] {
        let mut bench = bench(9, off);
        bench.start();
        bench.change(3, Some(3), Lane::Push);
        bench.hear(Heard { news: true, cut: true, data: true, ..message(3) });
        let asked = questions(bench.run(4_900));
        assert!(asked.len() > 2 && (asked.len() < 8 || !alone), "{asked:?}");
        assert_eq!(asked.iter().all(|question| question.to == 3), alone, "{off:?}: {asked:?}");
        let later = questions(bench.run(10_000));
        assert!(later.iter().any(|question| question.to != 3), "not for ever");
    }
}

#[test]
fn the_first_who_hands_over_goes_on_with_it_although_another_does_the_same() {
    let mut bench = bench(9, &[]);
    bench.start();
    for peer in [3, 5] {
        bench.change(3, Some(peer), Lane::Push);
        bench.hear(Heard { news: true, cut: true, data: true, ..message(peer) });
    }
    let asked = questions(bench.run(4_900));
    assert!(!asked.is_empty() && asked.iter().all(|question| question.to == 3), "{asked:?}");
}

#[test]
fn what_is_handed_over_in_parts_is_no_rumor_and_what_others_sent_is() {
    for (off, sources) in
        [(&[][..], &[Some(NodeIndex(5))][..]), (&[Rule::Window][..], &[Some(NodeIndex(3)), Some(NodeIndex(5))][..])]
    {
        let mut bench = bench(9, off);
        bench.change(3, Some(3), Lane::Push);
        bench.change(5, Some(5), Lane::Push);
        bench.hear(Heard { news: true, cut: true, data: true, ..message(3) });
        let waiting: Vec<_> = bench.scheduler.hot.iter().map(|hot| hot.source).collect();
        assert_eq!(waiting, sources, "{off:?}");
    }
}

#[test]
fn what_is_handed_over_in_parts_takes_no_rumor_out_of_the_push_under_way() {
    let mut bench = bench(9, &[]);
    bench.change(3, Some(3), Lane::Push);
    let now = bench.now;
    bench.scheduler.timeout(&mut bench.common, &bench.rows, now);
    assert_eq!(bench.scheduler.hot().len(), 1);
    bench.hear(Heard { news: true, cut: true, data: true, ..message(3) });
    bench.change(5, Some(5), Lane::Push);
    assert_eq!(pushes(bench.run(200)).len(), 2, "what waits is pushed in its turn");
}

#[test]
fn a_question_that_brings_nothing_is_not_answered_with_one() {
    let mut bench = bench(3, &[]);
    let asks = |want, news| Heard { want, news, lacking: true, ..message(1) };
    for (want, news, asked) in
        [(Want::Reply, false, Want::Gap), (Want::Gap, true, Want::Gap), (Want::Gap, false, Want::Nothing)]
    {
        assert_eq!(bench.hear(asks(want, news))[0].want, asked, "{want:?} {news}");
    }
}

#[test]
fn who_may_be_asked_first_is_asked_first() {
    for lately in 1..9 {
        let mut bench = bench(9, &[]);
        bench.start();
        bench.now = bench.now.plus_ms(100_000);
        // All peers are silent, but for one that was written to just now.
        for peer in 1..9 {
            let times = if peer == lately { 1 } else { 20 };
            (0..times).for_each(|_| bench.common.peers.sent(NodeIndex(peer), bench.common.key(), bench.now));
        }
        assert!(questions(bench.run(0)).is_empty());
        let asked = questions(bench.run(16_000));
        assert_eq!(receivers(&asked), [lately]);
    }
}

#[test]
fn while_one_peer_hands_over_no_other_is_asked_for_the_same_in_an_answer() {
    for (off, want) in [(&[][..], Want::Nothing), (&[Rule::Window][..], Want::Gap)] {
        let mut bench = bench(9, off);
        bench.change(3, Some(3), Lane::Push);
        bench.hear(Heard { news: true, cut: true, data: true, ..message(3) });
        let asks = |peer| Heard { want: Want::Reply, lacking: true, ..message(peer) };
        assert_eq!(bench.hear(asks(5))[0].want, want, "{off:?}");
        assert_eq!(bench.hear(asks(3))[0].want, Want::Gap);
    }
}

#[test]
fn a_node_that_speaks_by_itself_asks_at_once() {
    let mut bench = bench(5, &[]);
    bench.scheduler.start(&mut bench.common, crate::gossip::common::Began::ByItself, bench.now);
    assert_eq!(questions(bench.run(0)).len(), 1);
}

#[test]
fn a_node_that_starts_asks_after_five_intervals_give_or_take_a_quarter() {
    let mut bench = bench(5, &[]);
    bench.start();
    assert!(bench.run(749).is_empty());
    assert_eq!(questions(bench.run(501)).len(), 1);
}

#[test]
fn a_new_session_goes_on_asking_until_it_is_settled_whoever_it_has_heard() {
    for (off, asks) in [(&[][..], true), (&[Rule::Asking][..], false)] {
        let mut bench = bench(5, off);
        bench.start();
        bench.hear(Heard { equal: true, ..message(1) });
        assert_eq!(!questions(bench.run(3_000)).is_empty(), asks, "{off:?}");
    }
}

#[test]
fn an_equal_state_in_another_view_is_no_reason_to_stop_asking() {
    for (off, asks) in [(&[][..], true), (&[Rule::Asking][..], false)] {
        let mut bench = bench(2, off);
        bench.hear(Heard { equal: true, same_view: false, ..message(1) });
        assert_eq!(!questions(bench.run(40_000)).is_empty(), asks, "{off:?}");
    }
}

// Silence and answers.

#[test]
fn a_node_that_knows_all_to_agree_has_no_timer_and_no_rumors() {
    let mut bench = bench(3, &[]);
    bench.start();
    bench.write();
    bench.change(0, None, Lane::Tick);
    assert!(!bench.scheduler.settle(&bench.common) && bench.scheduler.next_timeout().is_some());
    bench.common.agreement.join_all();
    assert!(bench.scheduler.settle(&bench.common));
    assert_eq!(bench.scheduler.next_timeout(), None);
    assert!(bench.scheduler.hot.is_empty());
}

#[test]
fn a_push_that_is_under_way_keeps_its_rumors_when_the_node_settles() {
    let mut bench = bench(3, &[]);
    bench.write();
    let now = bench.now;
    bench.scheduler.timeout(&mut bench.common, &bench.rows, now);
    bench.common.agreement.join_all();
    assert!(bench.scheduler.settle(&bench.common));
    assert_eq!(bench.scheduler.hot().len(), 1);
}

#[test]
fn a_settled_node_tells_a_peer_that_does_not_know_once() {
    let mut bench = bench(3, &[]);
    bench.common.agreement.join_all();
    let unsettled = Heard { equal: true, ..message(1) };
    assert_eq!(receivers(&bench.hear(unsettled)), [1]);
    assert!(bench.hear(unsettled).is_empty());
}

#[test]
fn a_settled_node_says_nothing_to_a_peer_that_knows() {
    let mut bench = bench(3, &[]);
    bench.common.agreement.join_all();
    assert!(bench.hear(Heard { equal: true, peer_settled: true, ..message(1) }).is_empty());
}

#[test]
fn a_node_that_is_not_settled_says_nothing_to_a_peer_that_agrees() {
    let mut bench = bench(3, &[]);
    assert!(bench.hear(Heard { equal: true, ..message(1) }).is_empty());
}

#[test]
fn whoever_asks_is_answered_with_what_it_lacks() {
    let mut bench = bench(3, &[]);
    for (equal, want) in [(false, Want::Reply), (false, Want::Gap), (true, Want::Reply)] {
        let answers = bench.hear(Heard { equal, want, ..message(1) });
        assert_eq!((receivers(&answers), answers[0].full, answers[0].want), (std::vec![1], true, Want::Nothing));
    }
    assert!(bench.hear(message(1)).is_empty(), "nobody else is");
}

#[test]
fn an_answer_asks_for_what_is_lacking_here() {
    let mut bench = bench(3, &[]);
    let asked = Heard { want: Want::Reply, lacking: true, ..message(1) };
    assert_eq!(bench.hear(asked)[0].want, Want::Gap);
}

#[test]
fn a_newer_session_of_a_peer_makes_a_silent_node_ask_again() {
    for (off, asks) in [(&[][..], true), (&[Rule::Asking][..], false)] {
        let mut bench = bench(3, off);
        bench.start();
        bench.common.agreement.join_all();
        bench.scheduler.settle(&bench.common);
        bench.common.learn_session(NodeIndex(2), 2);
        bench.common.refresh(bench.sum);
        bench.scheduler.view_changed(&mut bench.common, NodeIndex(2), bench.now);
        assert_eq!(!questions(bench.run(3_000)).is_empty(), asks, "{off:?}");
    }
}

#[test]
fn a_session_that_was_taken_makes_a_silent_node_ask_again() {
    let mut bench = bench(3, &[]);
    let me = bench.common.me();
    bench.scheduler.view_changed(&mut bench.common, me, bench.now);
    assert!(!questions(bench.run(3_000)).is_empty());
}

// Choices and commands.

#[test]
fn a_shorter_interval_shortens_timers_that_run() {
    let mut bench = bench(3, &[]);
    bench.common.configure(2, Some(5_000));
    bench.write();
    bench.run(0);
    bench.write();
    bench.common.configure(2, Some(50));
    bench.scheduler.reconfigured(&bench.common, bench.now);
    assert_eq!(times(&pushes(bench.run(60))), [50, 50]);
}

#[test]
fn a_longer_interval_leaves_timers_that_run_as_they_are() {
    let mut bench = bench(3, &[]);
    bench.write();
    bench.run(0);
    bench.write();
    bench.common.configure(2, Some(5_000));
    bench.scheduler.reconfigured(&bench.common, bench.now);
    assert_eq!(times(&pushes(bench.run(1_000))), [200, 200]);
}

#[test]
fn a_round_on_command_sends_what_is_lacking_to_fanout_peers_and_nothing_else() {
    let mut bench = bench(9, &[]);
    let now = bench.now;
    assert_eq!(bench.scheduler.round_now(&mut bench.common, &bench.rows, now), (2, 0));
    bench.write();
    assert_eq!(bench.scheduler.round_now(&mut bench.common, &bench.rows, now), (2, 2));
    assert_eq!(bench.drain().len(), 2);
    assert!(pushes(bench.run(100)).is_empty(), "the push that waited has left");
}

#[test]
fn after_a_round_on_command_the_next_push_is_an_interval_later() {
    let mut bench = bench(9, &[]);
    bench.write();
    bench.scheduler.round_now(&mut bench.common, &bench.rows, bench.now);
    bench.drain();
    bench.write();
    assert_eq!(times(&pushes(bench.run(200))), [200, 200]);
}

#[test]
fn at_the_end_of_input_what_waits_leaves_once_and_no_timer_runs() {
    let mut bench = bench(9, &[]);
    bench.start();
    bench.write();
    bench.run(0);
    bench.write();
    bench.change(0, None, Lane::Tick);
    let now = bench.now;
    bench.scheduler.finish(&mut bench.common, &bench.rows, now);
    let left = bench.drain();
    assert_eq!(pushes(left.clone()).len(), 2);
    assert!(left.iter().any(|message| message.lane == Some(Lane::Tick) || message.rumors));
    assert_eq!(bench.scheduler.next_timeout(), None);
}

#[test]
fn a_node_alone_has_no_timer() {
    let mut bench = bench(1, &[]);
    bench.scheduler.start(&mut bench.common, crate::gossip::common::Began::ByItself, bench.now);
    bench.write();
    bench.change(0, None, Lane::Tick);
    assert_eq!(bench.scheduler.next_timeout(), None);
}

#[test]
fn rounds_are_pushes_ticks_and_exchanges_of_digests() {
    let mut bench = bench(9, &[]);
    bench.write();
    bench.run(0);
    assert_eq!(Scheduler::<Small>::rounds(&bench.scheduler), 1);
    bench.change(0, None, Lane::Tick);
    bench.run(100);
    assert_eq!(Scheduler::<Small>::rounds(&bench.scheduler), 2);
    bench.scheduler.timers = [None; Timer::ALL.len()];
    bench.start();
    while questions(bench.run(10)).is_empty() {}
    assert_eq!(Scheduler::<Small>::rounds(&bench.scheduler), 3);
    bench.scheduler.round_now(&mut bench.common, &bench.rows, bench.now);
    assert_eq!(Scheduler::<Small>::rounds(&bench.scheduler), 4);
}

#[test]
fn a_change_in_the_moment_of_a_tick_waits_for_the_next_one() {
    let mut bench = bench(3, &[]);
    bench.change(0, None, Lane::Tick);
    bench.run(100);
    bench.common.agreement.join_all();
    assert!(bench.scheduler.settle(&bench.common));
    bench.run(100);
    bench.change(0, None, Lane::Tick);
    assert_eq!(times(&bench.run(100)), [300, 300]);
}

#[test]
fn a_push_of_a_peer_that_differs_is_no_reason_for_a_tick() {
    let mut bench = bench(3, &[]);
    bench.hear(message(1));
    bench.hear(Heard { lane: Lane::Tick, equal: true, same_view: false, ..message(2) });
    assert!(bench.run(700).is_empty());
}

#[test]
fn the_pause_between_two_exchanges_follows_from_the_time_since_the_last_change() {
    let mut bench = bench(3, &[]);
    bench.write();
    let pause = |bench: &Bench<Rumor<Small>>, lane, quiet_ms| {
        bench.scheduler.pause_ms(&bench.common, lane, bench.now.plus_ms(quiet_ms))
    };
    let pushes = [0, 399, 400, 1_600, 1_608, 8_000, 240_000, 900_000].map(|quiet| pause(&bench, Lane::Push, quiet));
    assert_eq!(pushes, [1_000, 1_000, 200, 200, 201, 1_000, 30_000, 30_000]);
    assert_eq!([0, 100, 8_000].map(|quiet| pause(&bench, Lane::Tick, quiet)), [100, 100, 1_000]);
}

#[test]
fn a_push_finds_the_one_peer_of_32_that_lacks_the_rumor() {
    let nodes = Small::LIMITS.nodes;
    let mut bench = bench(nodes, &[]);
    bench.common.configure(1, None);
    // All but one hold the value.
    (1..nodes as u32 - 1).for_each(|peer| bench.shows(peer, 0, 1));
    bench.write();
    assert_eq!(receivers(&pushes(bench.run(0))), [nodes as u32 - 1]);
}

#[test]
fn a_peer_that_was_written_to_less_than_an_interval_ago_is_not_ticked() {
    let mut bench = bench(2, &[]);
    bench.change(0, None, Lane::Tick);
    bench.run(50);
    bench.write();
    assert_eq!(times(&bench.run(10)), [50]);
    bench.hear(message(1));
    assert_eq!(times(&bench.run(140)), [200]);
}
