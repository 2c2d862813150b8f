//! Tests: how all nodes learn that all members agree, and what ends that.

use super::*;

/// All `peers` show that they hold what this node holds.
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

#[test]
fn only_the_relay_has_the_word_and_only_when_it_says_it() {
    for (from, said, equal, counts) in
        [(0, true, true, true), (0, false, true, false), (1, true, true, false), (0, true, false, false)]
    {
        let mut bench = bench(3, 2, &[Rule::StableByAll]);
        let word = next_with(&bench, from, |control| control.stable = said);
        bench.scheduler.hear_stable(&bench.common, &Heard { equal, ..word });
        assert_eq!(bench.scheduler.quiet.stable, counts, "{from} {said} {equal}");
    }
}

#[test]
fn a_relay_that_agrees_is_asked_only_by_a_node_that_asks_nobody_else() {
    for (agrees, asks_anybody, sends_digests, asked) in
        [(true, false, false, 1), (true, true, false, 0), (true, false, true, 0), (false, true, true, 1)]
    {
        let mut bench = bench(3, 2, &[]);
        if agrees {
            bench.common.agreement.insert(NodeIndex(0));
        }
        let later = bench.now.plus_ms(1_000);
        bench.scheduler.ask_at = if asks_anybody { later } else { NEVER };
        bench.scheduler.watch.digest_at = if sends_digests { later } else { NEVER };
        bench.scheduler.ask_for_silence(&mut bench.common, bench.now);
        assert_eq!(to(&bench.drain(), 0).len(), asked, "{agrees} {asks_anybody} {sends_digests}");
    }
}
