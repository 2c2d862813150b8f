//! Tests of `Common`, one rule each.

use super::*;
use crate::gossip::bench::{SESSION, common, rows};
use crate::storage::Small;

const PEER: NodeIndex = NodeIndex(1);
const OTHER: NodeIndex = NodeIndex(2);
const MS: fn(u64) -> Instant = Instant::from_millis;

fn holding(nodes: usize, node: u32, seqs: u64) -> Rows<Small> {
    let mut rows = rows(nodes);
    for seq in 1..=seqs {
        rows.mark(Dot { row: RowId(node), seq });
    }
    rows
}

#[test]
fn who_agrees_agrees_in_one_view() {
    for (off, agrees) in [(&[][..], false), (&[Rule::Views][..], true)] {
        let mut common = common(3, 0, off);
        common.refresh(1);
        common.agreement.insert(PEER);
        common.learn_session(OTHER, SESSION + 1);
        common.refresh(1);
        assert_eq!(common.agreement.contains(PEER), agrees, "{off:?}");
    }
}

#[test]
fn who_agrees_agrees_on_one_state() {
    let mut common = common(3, 0, &[]);
    common.refresh(1);
    common.agreement.join_all();
    common.refresh(1);
    assert!(common.is_settled(), "nothing has changed");
    common.refresh(2);
    assert!(!common.is_settled() && common.agreement.count() == 1);
}

#[test]
fn a_message_of_an_older_session_is_known_as_such_and_makes_nobody_heard() {
    let mut common = common(3, 0, &[]);
    assert_eq!(common.meet(PEER, SESSION - 1, MS(0)), Session::Old);
    assert!(!common.peers.was_heard(PEER));
    assert_eq!(common.meet(PEER, SESSION, MS(0)), Session::Present);
    assert!(common.peers.was_heard(PEER));
}

#[test]
fn a_message_of_a_newer_session_voids_what_was_known_and_is_heard() {
    let mut common = common(3, 0, &[]);
    common.peers.learn_own(PEER, 9);
    let before = common.view_name();
    assert_eq!(common.meet(PEER, SESSION + 1, MS(0)), Session::New);
    assert_eq!((common.peers.own_acked(PEER), common.peers.was_heard(PEER)), (0, true));
    assert_ne!(common.view_name(), before);
}

#[test]
fn a_session_of_this_node_is_learned_from_nobody() {
    let mut common = common(3, 0, &[]);
    let before = common.view_name();
    assert!(!common.learn_session(NodeIndex(0), SESSION + 5));
    assert_eq!(common.view_name(), before);
}

#[test]
fn what_stands_for_digest_and_view_changes_with_each_of_them() {
    let mut common = common(3, 0, &[]);
    common.refresh(1);
    let first = common.key();
    common.refresh(2);
    let second = common.key();
    common.learn_session(PEER, SESSION + 1);
    common.refresh(2);
    assert!(first != second && second != common.key());
}

#[test]
fn a_node_that_refused_entries_says_so_for_a_minute_or_until_it_has_all() {
    let mut common = common(3, 0, &[]);
    assert!(!common.refuses(MS(0)));
    common.note_refusals(true, false, MS(0));
    common.note_refusals(false, false, MS(10));
    assert!(common.refuses(MS(59_999)) && !common.refuses(MS(60_000)));
    common.note_refusals(true, false, MS(30_000));
    assert!(common.refuses(MS(89_999)), "a minute after the last of them");
    common.note_refusals(false, true, MS(30_001));
    assert!(!common.refuses(MS(30_001)));
}

#[test]
fn a_peer_lacks_what_it_has_not_shown_unless_it_agrees() {
    let mut common = common(3, 0, &[]);
    let rows = holding(3, 0, 4);
    assert!(common.lacks(PEER, &rows));
    common.peers.learn(PEER, RowId(0), 3);
    assert!(common.lacks(PEER, &rows));
    common.peers.learn(PEER, RowId(0), 4);
    assert!(!common.lacks(PEER, &rows));
    common.agreement.insert(OTHER);
    assert!(!common.lacks(OTHER, &rows));
}

#[test]
fn a_dot_beyond_the_frontier_is_lacking_too() {
    let common = common(3, 0, &[]);
    let mut rows = rows(3);
    rows.mark(Dot { row: RowId(0), seq: 2 });
    assert!(common.lacks(PEER, &rows));
}

#[test]
fn a_rumor_is_news_to_whoever_did_not_send_or_show_it() {
    let hot = Hot { row: RowId(1), from: 2, to: 4, source: Some(PEER) };
    assert!(!is_news_to(&hot, PEER, &[]));
    assert!(is_news_to(&hot, OTHER, &[]) && is_news_to(&hot, OTHER, &[9, 3]));
    assert!(!is_news_to(&hot, OTHER, &[0, 4]));
}

#[test]
fn everybody_has_what_the_peer_with_the_least_has() {
    let mut common = common(3, 0, &[]);
    common.peers.learn_own(PEER, 7);
    assert_eq!(common.everybody_has(9), 0);
    common.peers.learn_own(OTHER, 5);
    assert_eq!(common.everybody_has(9), 5);
    common.agreement.insert(OTHER);
    assert_eq!(common.everybody_has(9), 7);
}

#[test]
fn a_peer_is_assumed_to_hold_what_it_made_in_its_present_life() {
    let rows = holding(3, 1, 4);
    let row = rows.get(RowId(1));
    let assumed = |life| Assumed { frontiers: &[[0; SNAPSHOTS], [3; SNAPSHOTS]], at: Some(0), life };
    assert_eq!(assumed(Some(SESSION)).frontier(PEER, RowId(1), row), u64::MAX);
    assert_eq!(assumed(Some(SESSION + 1)).frontier(PEER, RowId(1), row), 3, "an earlier one is forgotten");
    assert_eq!(assumed(Some(SESSION)).frontier(OTHER, RowId(1), row), 3);
}

#[test]
fn jitter_is_a_quarter_either_way() {
    let mut common = common(3, 0, &[]);
    let drawn: std::vec::Vec<u64> = (0..1_000).map(|_| common.jittered(400)).collect();
    assert!(drawn.iter().all(|ms| (300..=500).contains(ms)));
    assert!(drawn.iter().any(|ms| *ms < 310) && drawn.iter().any(|ms| *ms > 490));
    assert!((0..100).any(|_| common.jittered(2) == 3), "both ends are drawn");
}

#[test]
fn no_pause_is_too_long_to_be_drawn() {
    let mut common = common(3, 0, &[]);
    let ms = u64::MAX / 2;
    assert!(common.jittered(ms) >= ms - ms / 4);
}

#[test]
fn the_source_is_the_same_peer_for_five_seconds_after_its_last_part() {
    let mut common = common(4, 0, &[]);
    assert!(common.handed_over(PEER, MS(0)));
    assert!(!common.handed_over(OTHER, MS(1_000)) && common.handed_over(PEER, MS(1_000)));
    assert_eq!([5_999, 6_000].map(|ms| common.source(MS(ms))), [Some(PEER), None]);
    assert!(common.handed_over(OTHER, MS(6_000)));
}
