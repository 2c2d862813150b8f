//! Tests of what is known about a peer, one rule each.

use std::vec::Vec;

use super::*;
use crate::gossip::bench::{peers, rows};
use crate::storage::Small;

const A: NodeIndex = NodeIndex(1);
const B: NodeIndex = NodeIndex(2);
const ROW: RowId = RowId(0);
const MS: fn(u64) -> Instant = Instant::from_millis;
const PATIENCE_US: u64 = 500_000;

#[test]
fn a_newer_session_voids_all_that_was_known_of_a_peer() {
    let mut peers = peers(3);
    peers.begin_session(A, 1);
    peers.hear(A, MS(10));
    peers.sent(A, 7, MS(20));
    peers.learn(A, ROW, 9);
    peers.learn_own(A, 9);
    peers.is_newest(A, Some(50));
    peers.showed_view(A, 3, (3, 4), PATIENCE_US, MS(20));
    peers.set_listed(A, Some(6), 2);
    peers.set_resume(A, Resume { row: 5, repaired_to: 5 });
    peers.set_no_row(A, true);
    peers.note_divergence(A, true, 7);
    peers.note_divergence(A, true, 7);
    peers.filled(A, (ROW, 12), 1 << 20, 1, MS(20));

    peers.begin_session(A, 2);
    assert_eq!(peers.session(A), Some(2));
    assert!(!peers.was_heard(A), "heard");
    assert!(!peers.was_sent(A, 7) && peers.sent_at(A).is_none() && peers.unheard(A) == 0, "sent");
    assert_eq!((peers.vector(A), peers.own_acked(A)), (Some(&[][..]), 0), "held");
    assert!(peers.is_newest(A, Some(1)), "numbers of messages");
    assert_eq!((peers.lacks_view(A, 3), peers.view_version(A)), (true, 0), "view");
    assert_eq!((peers.listed(A), peers.resume(A)), ((0, false, 0), Resume::default()), "listed");
    assert!(!peers.any_without_row() && !peers.is_diverged(A) && peers.may_fill(A, MS(21)), "the rest");
}

#[test]
fn a_reason_to_write_outlives_the_session_of_the_peer() {
    let mut peers = peers(3);
    peers.want_to_send(A, Pending { want: Want::Gap, ..Pending::default() });
    peers.begin_session(A, 2);
    assert_eq!(peers.first(), Some((A, Pending { want: Want::Gap, ..Pending::default() })));
}

#[test]
fn a_message_is_newest_when_its_number_is_above_all_before_it() {
    let mut peers = peers(3);
    let numbers = [Some(3), Some(3), Some(2), Some(9), Some(8), None, Some(10)];
    let newest: Vec<bool> = numbers.into_iter().map(|number| peers.is_newest(A, number)).collect();
    assert_eq!(newest, [true, false, false, true, false, true, true]);
    assert!(peers.is_newest(B, Some(1)), "each peer counts for itself");
}

#[test]
fn a_peer_is_told_a_view_once() {
    let mut peers = peers(3);
    assert!(peers.is_untold(A, 7));
    peers.told_view(A, 7, MS(0));
    assert!(!peers.is_untold(A, 7) && peers.lacks_view(A, 7), "told, but it has not shown the view");
    assert!(peers.is_untold(A, 8), "another view");
}

#[test]
fn a_peer_that_shows_the_view_is_not_told_it() {
    let mut peers = peers(3);
    peers.showed_view(A, 7, (7, 4), PATIENCE_US, MS(0));
    assert!(!peers.is_untold(A, 7) && !peers.lacks_view(A, 7));
    assert_eq!(peers.view_version(A), 4);
}

#[test]
fn a_view_that_was_told_and_does_not_show_in_time_was_lost() {
    let mut peers = peers(3);
    peers.told_view(A, 7, MS(0));
    peers.showed_view(A, 3, (7, 4), PATIENCE_US, MS(500));
    assert!(!peers.is_untold(A, 7), "it may be under way");
    peers.showed_view(A, 3, (7, 4), PATIENCE_US, MS(501));
    assert!(peers.is_untold(A, 7));
}

#[test]
fn a_peer_that_shows_another_view_still_includes_what_it_showed_before() {
    let mut peers = peers(3);
    peers.showed_view(A, 7, (7, 4), PATIENCE_US, MS(0));
    peers.showed_view(A, 3, (8, 5), PATIENCE_US, MS(0));
    assert_eq!((peers.view_version(A), peers.lacks_view(A, 8)), (4, true));
}

#[test]
fn whoever_writes_from_an_old_session_is_told_so_once_in_half_a_second() {
    let mut peers = peers(3);
    assert!(peers.wrote_from_old_session(A, MS(0)) && peers.is_old_session(A));
    peers.told_view(A, 7, MS(10));
    assert!(!peers.is_old_session(A), "it was told");
    assert!(!peers.wrote_from_old_session(A, MS(509)) && !peers.is_old_session(A));
    assert!(peers.wrote_from_old_session(A, MS(510)) && peers.is_old_session(A));
}

#[test]
fn what_was_listed_in_part_only_is_listed_again() {
    let mut peers = peers(3);
    peers.set_listed(A, Some(5), 3);
    peers.set_listed(A, None, 4);
    assert_eq!(peers.listed(A), (5, false, 4));
    peers.set_list_all(A, true);
    peers.list_again(A, 7);
    assert_eq!(peers.listed(A), (5, true, 4), "nothing has moved since that it was not listed");
    peers.list_again(A, 2);
    assert_eq!(peers.listed(A), (2, true, 4));
}

#[test]
fn equal_vectors_with_unequal_states_call_for_repair_when_seen_twice_in_a_row() {
    let mut peers = peers(3);
    assert!(!peers.note_divergence(A, true, 1) && !peers.is_diverged(A), "a message may have crossed another");
    assert!(!peers.note_divergence(A, true, 2) && !peers.is_diverged(A), "something changed in between");
    assert!(peers.note_divergence(A, true, 2) && peers.is_diverged(A));
    assert!(!peers.note_divergence(A, true, 2) && peers.is_diverged(A), "it begins once");
    assert!(!peers.note_divergence(A, false, 2) && !peers.is_diverged(A), "it ends with an equal state");
}

#[test]
fn what_a_peer_holds_never_shrinks_within_a_session() {
    let mut peers = peers(3);
    peers.learn(A, RowId(2), 9);
    peers.learn(A, RowId(2), 5);
    assert_eq!(peers.vector(A), Some(&[0, 0, 9][..]));
    peers.learn_own(A, 9);
    peers.learn_own(A, 5);
    assert_eq!(peers.own_acked(A), 9);
}

#[test]
fn a_new_row_of_this_node_was_acknowledged_by_nobody() {
    let mut peers = peers(3);
    peers.learn_own(A, 9);
    peers.forget_own();
    assert_eq!(peers.own_acked(A), 0);
}

#[test]
fn the_vector_of_the_peer_that_was_used_longest_ago_makes_room() {
    let mut peers = Peers::<Small>::unfilled(4, &Limits { known_peers: 2, ..Small::LIMITS });
    peers.fill(4, &Limits { known_peers: 2, ..Small::LIMITS });
    peers.learn(A, ROW, 1);
    peers.learn(B, ROW, 2);
    peers.learn(A, ROW, 3);
    peers.learn(NodeIndex(3), ROW, 4);
    let vectors = [A, B, NodeIndex(3)].map(|peer| peers.vector(peer).map(<[u64]>::to_vec));
    assert_eq!(vectors, [Some(std::vec![3]), None, Some(std::vec![4])]);
    peers.learn(B, ROW, 1);
    assert_eq!(peers.vector(B), Some(&[1][..]), "nothing is left of the one before");
}

#[test]
fn a_peer_without_room_for_a_row_is_news_when_it_says_so_first_and_last() {
    let mut peers = peers(3);
    let said: Vec<bool> = [true, true, false, false].into_iter().map(|no_row| peers.set_no_row(A, no_row)).collect();
    assert_eq!(said, [true, false, true, false]);
    peers.set_no_row(B, true);
    assert!(peers.any_without_row());
}

#[test]
fn a_peer_is_handed_no_more_than_a_window_before_it_shows_the_last_of_it() {
    let mut peers = peers(3);
    let window = peers.window(A);
    peers.learn(A, ROW, 3);
    peers.filled(A, (ROW, 9), window, 1, MS(0));
    peers.look_at_filling(A, MS(100));
    assert!(!peers.may_fill(A, MS(100)) && peers.may_fill(B, MS(100)));
    peers.learn(A, ROW, 9);
    peers.look_at_filling(A, MS(100));
    assert!(peers.may_fill(A, MS(100)));
    assert_eq!(peers.window(A), 2 * window, "it arrived quickly");
}

#[test]
fn a_peer_that_is_known_to_hold_all_has_nothing_under_way() {
    let mut peers = peers(3);
    peers.filled(A, (ROW, 9), peers.window(A), 1, MS(0));
    peers.learn_all(A, &rows(3));
    assert!(peers.may_fill(A, MS(1)));
}

#[test]
fn a_silent_peer_is_written_to_at_times_that_double() {
    let mut peers = peers(3);
    let mut pauses = Vec::new();
    for _ in 0..12 {
        peers.sent(A, 7, MS(100_000));
        let next = peers.next_push(A, MS(0));
        pauses.push(if next == Instant::ZERO { 0 } else { next.ms_since(MS(100_000)) });
    }
    assert_eq!(pauses, [0, 0, 0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
}

#[test]
fn the_pause_of_a_silent_peer_is_bounded_by_the_time_from_the_last_news_to_the_last_message() {
    let mut peers = peers(3);
    (0..20).for_each(|_| peers.sent(A, 7, MS(100_000)));
    let pause = |last_change| peers.next_push(A, MS(last_change)).ms_since(MS(100_000));
    assert_eq!([pause(100_000), pause(99_500), pause(95_000), pause(0)], [1_000, 1_000, 5_000, 30_000]);
    assert_eq!(pause(160_000), 1_000, "news after the last message ends a long pause");
}

#[test]
fn when_a_silent_peer_is_heard_the_other_silent_ones_get_another_chance() {
    let mut peers = peers(3);
    for _ in 0..10 {
        peers.sent(A, 7, MS(100_000));
        peers.sent(B, 7, MS(100_000));
    }
    peers.hear(A, MS(100_000));
    assert_eq!([peers.next_push(A, MS(0)), peers.next_push(B, MS(0))], [Instant::ZERO; 2]);
}

#[test]
fn a_peer_that_was_not_silent_says_nothing_about_the_others() {
    let mut peers = peers(3);
    peers.sent(A, 7, MS(0));
    (0..10).for_each(|_| peers.sent(B, 7, MS(100_000)));
    peers.hear(A, MS(100_000));
    assert!(peers.next_push(B, MS(0)) > MS(100_000));
}

#[test]
fn the_same_digest_does_not_go_to_a_peer_twice_in_half_a_second_unless_it_was_heard() {
    let mut peers = peers(3);
    peers.sent(A, 7, MS(1_000));
    assert_eq!(peers.next_digest(A, 7, MS(0)), MS(1_500));
    assert_eq!(peers.next_digest(A, 8, MS(0)), Instant::ZERO, "another one may");
    peers.hear(A, MS(1_100));
    assert_eq!(peers.next_digest(A, 7, MS(0)), Instant::ZERO);
}

#[test]
fn a_peer_is_fresh_while_it_was_heard_lately_or_had_no_time_to_answer() {
    let mut peers = peers(3);
    (0..3).for_each(|_| peers.sent(A, 7, MS(0)));
    assert!(peers.is_fresh(A, MS(90_000), 1_000), "three messages are no proof");
    peers.sent(A, 7, MS(0));
    assert!(!peers.is_fresh(A, MS(0), 1_000));
    peers.hear(A, MS(0));
    assert!(peers.is_fresh(A, MS(1_000), 1_000) && !peers.is_fresh(A, MS(1_001), 1_000));
}

#[test]
fn reasons_to_write_are_collected_and_one_message_answers_all() {
    let mut peers = peers(3);
    peers.want_to_send(A, Pending { rumors: true, lane: Some(Lane::Tick), want: Want::Gap, ..Pending::default() });
    peers.want_to_send(B, Pending::default());
    peers.want_to_send(A, Pending { delta: true, lane: Some(Lane::Push), burst: 3, ..Pending::default() });
    let all = Pending { lane: Some(Lane::Tick), rumors: true, delta: true, want: Want::Gap, burst: 3 };
    assert_eq!(peers.first(), Some((A, all)));
    assert!(!peers.done());
    assert_eq!(peers.first(), Some((B, Pending::default())));
    assert!(peers.done() && !peers.is_waiting());
}

#[test]
fn a_peer_whose_pauses_are_still_short_gets_no_other_chance() {
    let mut peers = peers(3);
    (0..10).for_each(|_| peers.sent(A, 7, MS(100_000)));
    (0..SILENT_AFTER).for_each(|_| peers.sent(B, 7, MS(100_000)));
    peers.hear(A, MS(100_000));
    assert_eq!(peers.unheard(B), SILENT_AFTER);
}

#[test]
fn what_a_peer_was_sent_last_counts() {
    let mut peers = peers(3);
    assert!(!peers.was_sent(A, 0));
    peers.sent(A, 7, MS(0));
    assert!(peers.was_sent(A, 7) && !peers.was_sent(A, 8));
}
