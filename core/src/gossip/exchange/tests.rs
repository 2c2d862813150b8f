//! Tests of what a node learns from a message, one rule each.

use rand_core::SeedableRng;
use rand_xorshift::XorShiftRng;

use super::*;
use crate::causality::{Arg, Dot, Entry};
use crate::gossip::bench::{SESSION, members};
use crate::storage::{Small, Storage as _};

const ME: NodeIndex = NodeIndex(0);
const PEER: NodeIndex = NodeIndex(1);
const OTHER: NodeIndex = NodeIndex(2);
const OWN_ROW: RowId = RowId(0);
const NOW: Instant = Instant::from_millis(1_000);

fn cluster() -> (Gossip<Small>, Replica<Small>) {
    let mut replica = Replica::<Small>::new(&Small::LIMITS, 0);
    replica.causality.members = members(3, ME.0);
    replica.begin(SESSION).unwrap();
    let mut gossip = Gossip::unfilled(3, ME, &Small::LIMITS, XorShiftRng::seed_from_u64(1), SESSION);
    gossip.fill(&replica.causality.members, NOW);
    gossip.start(NOW);
    (gossip, replica)
}

fn change(replica: &mut Replica<Small>, value: i64) {
    replica.update(&Entry::bare(Arg::Int(value))).unwrap().unwrap();
}

/// A message that shows a digest, in this node's view, and nothing else.
fn said(gossip: &Gossip<Small>, sum: Sum, number: i64) -> Said<core::iter::Empty<u8>> {
    Said {
        lane: Lane::Push,
        sum: Some(sum),
        view: Some(gossip.view_name()),
        holders: Holders::Sender,
        number: Some(number),
        want: Want::Nothing,
        refuses: false,
        no_row: false,
        data: false,
        full: false,
        control: None,
    }
}

#[test]
fn who_shows_the_same_state_in_the_same_view_agrees_and_holds_all_of_it() {
    let (mut gossip, mut replica) = cluster();
    change(&mut replica, 1);
    let exchange = gossip.meet(PEER, SESSION, NOW);
    let said = said(&gossip, replica.sum(), 1);
    gossip.learned(exchange, said, &replica);
    assert!(gossip.agreement().contains(PEER));
    assert_eq!((gossip.known(PEER, OWN_ROW), gossip.common.peers.own_acked(PEER)), (1, 1));
}

#[test]
fn who_shows_another_state_since_agrees_no_more_and_an_older_message_does_not_matter() {
    let (mut gossip, mut replica) = cluster();
    let nothing = replica.sum();
    change(&mut replica, 1);
    for (number, sum, agrees) in [(5, replica.sum(), true), (4, nothing, true), (6, nothing, false)] {
        let exchange = gossip.meet(PEER, SESSION, NOW);
        let said = said(&gossip, sum, number);
        gossip.learned(exchange, said, &replica);
        assert_eq!(gossip.agreement().contains(PEER), agrees, "{number}");
    }
}

#[test]
fn who_agreed_on_a_state_before_a_change_does_not_agree_on_the_one_after_it() {
    let (mut gossip, mut replica) = cluster();
    let before = replica.sum();
    gossip.holds_the_same(OTHER, before.short());
    assert_eq!(gossip.peers_that_agree(before.short()), 1);
    change(&mut replica, 1);
    assert_eq!(gossip.peers_that_agree(replica.sum().short()), 0);
    gossip.holds_the_same(OTHER, before.short());
    let exchange = gossip.meet(PEER, SESSION, NOW);
    let said = said(&gossip, before, 1);
    gossip.learned(exchange, said, &replica);
    assert_eq!(gossip.agreement().count(), 1, "only this node");
}

#[test]
fn what_is_claimed_for_this_node_is_handed_back_and_not_learned() {
    let (mut gossip, mut replica) = cluster();
    change(&mut replica, 1);
    let mut exchange = gossip.meet(PEER, SESSION, NOW);
    assert_eq!(gossip.digest_shown(&mut exchange, &replica, (ME, SESSION), 9), Some(OWN_ROW));
    assert_eq!(gossip.known(PEER, OWN_ROW), 1, "what was made it may hold");
    assert_eq!((exchange.rows_behind, exchange.lacking), (0, false));
}

#[test]
fn rows_that_are_longer_or_new_at_a_peer_are_what_this_node_lacks() {
    let (mut gossip, mut replica) = cluster();
    let row = replica.open(OTHER, SESSION).unwrap();
    replica.merge(Dot { row, seq: 1 }, &Entry::bare(Arg::Int(1)));
    replica.close(row);
    let mut exchange = gossip.meet(PEER, SESSION, NOW);
    assert_eq!(gossip.digest_shown(&mut exchange, &replica, (OTHER, SESSION), 1), None);
    assert_eq!((exchange.rows_behind, exchange.lacking), (0, false));
    gossip.digest_shown(&mut exchange, &replica, (OTHER, SESSION), 2);
    assert_eq!((exchange.rows_behind, exchange.lacking, exchange.unknown), (1, true, false));
    gossip.digest_shown(&mut exchange, &replica, (PEER, SESSION), 2);
    assert_eq!((exchange.rows_behind, exchange.unknown), (2, true));
    gossip.old_shown(&mut exchange, &replica.causality.rows, row, 1);
    gossip.old_shown(&mut exchange, &replica.causality.rows, row, 2);
    assert_eq!(exchange.recent, 1, "what it held some time ago and is not here is no news of a moment");
}

#[test]
fn entries_of_which_none_was_news_are_not_asked_for_again() {
    let (mut gossip, replica) = cluster();
    let rows = &replica.causality.rows;
    let mut exchange = gossip.meet(PEER, SESSION, NOW);
    assert!(!exchange.is_in_vain(), "there were none");
    exchange.begin_chunk();
    gossip.end_chunk(&mut exchange, rows, None, 3);
    assert!(exchange.is_in_vain());
    let mut exchange = gossip.meet(PEER, SESSION, NOW);
    exchange.begin_chunk();
    gossip.merged(&mut exchange, Outcome::News, Lane::Push, Hot { row: OWN_ROW, from: 0, to: 1, source: Some(PEER) });
    gossip.end_chunk(&mut exchange, rows, None, 3);
    exchange.refuse();
    assert!(!exchange.is_in_vain());
}

#[test]
fn whoever_sends_changes_of_its_present_life_has_made_those_before_them() {
    let (mut gossip, mut replica) = cluster();
    let mut row = |node, life| {
        let row = replica.open(node, life).unwrap();
        replica.merge(Dot { row, seq: 1 }, &Entry::bare(Arg::Int(i64::from(row.0))));
        replica.close(row).unwrap()
    };
    let (present, past, other) = (row(PEER, SESSION), row(PEER, SESSION - 1), row(OTHER, SESSION));
    let mut exchange = gossip.meet(PEER, SESSION, NOW);
    for row in [present, past, other] {
        exchange.begin_chunk();
        gossip.end_chunk(&mut exchange, &replica.causality.rows, Some(row), 7);
    }
    assert_eq!([present, past, other].map(|row| gossip.known(PEER, row)), [7, 0, 0]);
}

#[test]
fn of_an_older_session_nothing_is_believed_that_it_shows() {
    let (mut gossip, replica) = cluster();
    let present = gossip.meet(PEER, SESSION, NOW);
    gossip.frontier_shown(&present, OWN_ROW, 4);
    assert_eq!(gossip.shown(&present, OWN_ROW), 4);
    let mut old = gossip.meet(PEER, SESSION - 1, NOW);
    assert!(old.is_old() && !old.has_to_learn_digest());
    assert_eq!(gossip.shown(&old, OWN_ROW), 0);
    gossip.end_chunk(&mut old, &replica.causality.rows, Some(OWN_ROW), 9);
    assert_eq!(gossip.known(PEER, OWN_ROW), 4);
    gossip.learned_from_old_session(&old);
    assert!(gossip.is_waiting(), "it is told");
}

#[test]
fn a_digest_is_learned_once_and_searched_32_times() {
    let (mut gossip, _) = cluster();
    let mut exchange = gossip.meet(PEER, SESSION, NOW);
    assert!(exchange.has_to_learn_digest() && !exchange.has_to_learn_digest());
    assert_eq!((0..100).filter(|_| exchange.may_search_digest()).count(), SCANS_MOST as usize);
}

#[test]
fn equal_vectors_with_unequal_states_begin_a_repair_when_shown_twice() {
    let (mut gossip, mut replica) = cluster();
    change(&mut replica, 1);
    let other = Sum { state: 7, ..replica.sum() };
    let begins = [1, 2, 3].map(|number| {
        let exchange = gossip.meet(PEER, SESSION, NOW);
        let said = said(&gossip, other, number);
        gossip.learned(exchange, said, &replica).repair_begins
    });
    assert_eq!(begins, [false, true, false]);
}

#[test]
fn a_peer_without_room_for_a_row_is_told_of_when_that_changes() {
    let (mut gossip, replica) = cluster();
    let changes = [(1, true), (2, true), (3, false)].map(|(number, no_row)| {
        let exchange = gossip.meet(PEER, SESSION, NOW);
        let said = Said { refuses: no_row, no_row, ..said(&gossip, replica.sum(), number) };
        gossip.learned(exchange, said, &replica).is_without_row
    });
    assert_eq!(changes, [Some(true), None, Some(false)]);
}

#[test]
fn who_shows_an_equal_state_in_another_view_agrees_no_more() {
    for (view, sum, agrees) in
        [(Some(7), true, false), (None, true, true), (None, false, false), (Some(7), false, false)]
    {
        let (mut gossip, mut replica) = cluster();
        change(&mut replica, 1);
        let exchange = gossip.meet(PEER, SESSION, NOW);
        let equal = said(&gossip, replica.sum(), 1);
        gossip.learned(exchange, equal, &replica);
        assert!(gossip.agreement().contains(PEER));
        let exchange = gossip.meet(PEER, SESSION, NOW);
        let other = if sum { replica.sum() } else { Sum { state: 7, ..replica.sum() } };
        let later = Said { view, ..said(&gossip, other, 2) };
        gossip.learned(exchange, later, &replica);
        assert_eq!(gossip.agreement().contains(PEER), agrees, "{view:?} {sum}");
    }
}

#[test]
fn a_view_that_was_told_counts_as_lost_when_it_does_not_show_after_half_a_second() {
    let (mut gossip, replica) = cluster();
    let exchange = gossip.meet(PEER, SESSION, NOW);
    let first = said(&gossip, replica.sum(), 1);
    gossip.learned(exchange, first, &replica);
    gossip.named(OTHER, 9, NOW);
    gossip.common.peers.told_view(PEER, gossip.view_name(), NOW);
    for (number, later_ms, untold) in [(2, 500, false), (3, 501, true)] {
        let exchange = gossip.meet(PEER, SESSION, NOW.plus_ms(later_ms));
        let other = Said { view: Some(7), ..said(&gossip, replica.sum(), number) };
        gossip.learned(exchange, other, &replica);
        assert_eq!(gossip.is_untold(PEER), untold, "{later_ms}");
    }
}

#[test]
fn each_chunk_counts_for_itself_as_known_or_new() {
    let (mut gossip, replica) = cluster();
    let rows = &replica.causality.rows;
    let mut exchange = gossip.meet(PEER, SESSION, NOW);
    exchange.begin_chunk();
    gossip.merged(&mut exchange, Outcome::News, Lane::Push, Hot { row: OWN_ROW, from: 0, to: 1, source: Some(PEER) });
    gossip.end_chunk(&mut exchange, rows, None, 1);
    assert_eq!(exchange.known, None);
    exchange.begin_chunk();
    gossip.end_chunk(&mut exchange, rows, None, 3);
    assert_eq!(exchange.known, Some(u64::MAX));
}

#[test]
fn a_vector_is_kept_for_whoever_writes_from_its_present_session() {
    let (mut gossip, _) = cluster();
    gossip.named(PEER, SESSION, NOW);
    assert!(gossip.meet(PEER, SESSION - 1, NOW).is_old());
    assert_eq!(gossip.common.peers.vector(PEER), None);
    let _ = gossip.meet(PEER, SESSION, NOW);
    assert_eq!(gossip.common.peers.vector(PEER), Some(&[][..]));
}

#[test]
fn a_row_in_which_both_are_equal_says_nothing_about_what_is_under_way() {
    let (mut gossip, mut replica) = cluster();
    let row = replica.open(OTHER, SESSION).unwrap();
    replica.merge(Dot { row, seq: 1 }, &Entry::bare(Arg::Int(1)));
    replica.close(row);
    let mut exchange = gossip.meet(PEER, SESSION, NOW);
    gossip.digest_shown(&mut exchange, &replica, (OTHER, SESSION), 1);
    gossip.old_shown(&mut exchange, &replica.causality.rows, row, 0);
    assert_eq!(exchange.recent, 0);
}
