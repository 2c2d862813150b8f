//! Tests of the rules that do not depend on the strategy: when a node begins to speak, and what it does about sessions.

use rand_core::SeedableRng;

use super::bench::{members, message, rows};
use super::*;
use crate::causality::Rows;
use crate::storage::Small;

const ME: NodeIndex = NodeIndex(0);
const PEER: NodeIndex = NodeIndex(1);
const OTHER: NodeIndex = NodeIndex(2);
const MS: fn(u64) -> Instant = Instant::from_millis;
const SESSION: u64 = 5;

fn gossip(off: &[Rule]) -> Gossip<Small> {
    let rng = XorShiftRng::seed_from_u64(1);
    let mut gossip = Gossip::unfilled(3, ME, &Small::LIMITS, rng, SESSION);
    gossip.fill(&members(3, ME.0), MS(0));
    off.iter().for_each(|rule| gossip.switch_off(*rule));
    gossip
}

fn written(gossip: &mut Gossip<Small>) -> std::vec::Vec<(NodeIndex, Want)> {
    let mut written = std::vec::Vec::new();
    while let Some((to, why)) = gossip.common.peers.first() {
        written.push((to, why.want));
        gossip.sent_to_first();
    }
    written
}

fn nothing() -> Rows<Small> {
    rows(3)
}

#[test]
fn a_node_that_nobody_speaks_to_speaks_after_12_s() {
    for strategy in Strategy::ALL {
        let mut gossip = gossip(&[]);
        gossip.use_strategy(strategy, MS(0));
        assert_eq!(gossip.next_timeout(), Some(Wakeup { at: MS(12_000), why: Timer::Session }));
        assert!(!gossip.is_due(MS(11_999)) && gossip.is_due(MS(12_000)));
        gossip.timeout(1, &nothing(), MS(12_000));
        assert!(gossip.is_started());
        assert_eq!(written(&mut gossip).len(), 1, "it asks somebody at once");
    }
}

#[test]
fn a_node_that_was_spoken_to_does_not_ask_at_once() {
    for strategy in Strategy::ALL {
        let mut gossip = gossip(&[]);
        gossip.use_strategy(strategy, MS(0));
        gossip.start(MS(100));
        gossip.timeout(1, &nothing(), MS(100));
        assert!(written(&mut gossip).is_empty());
        let next = gossip.next_timeout().unwrap();
        assert!(next.why != Timer::Session && next.at < MS(12_000));
    }
}

#[test]
fn who_sees_a_number_above_its_own_with_its_name_takes_one_above_that() {
    for (off, session) in [(&[][..], 10), (&[Rule::HigherSession][..], SESSION)] {
        let mut gossip = gossip(off);
        gossip.named(ME, 9, MS(100));
        assert_eq!(gossip.is_due(MS(100)), off.is_empty());
        assert_eq!(gossip.take_session(MS(100)), off.is_empty().then_some(10));
        assert_eq!(gossip.common.own.session(), session, "{off:?}");
        assert_eq!(gossip.common.view.session(ME), Some(session), "{off:?}");
    }
}

#[test]
fn who_sees_its_own_number_or_one_below_keeps_it() {
    let mut gossip = gossip(&[]);
    gossip.named(ME, SESSION, MS(100));
    gossip.named(ME, SESSION - 1, MS(100));
    assert_eq!(gossip.take_session(MS(100)), None);
}

#[test]
fn a_larger_session_has_a_row_of_its_own_that_nobody_has_acknowledged() {
    let mut gossip = gossip(&[]);
    gossip.common.peers.learn_own(PEER, 7);
    gossip.named(ME, 9, MS(100));
    gossip.take_session(MS(100));
    assert_eq!(gossip.common.peers.own_acked(PEER), 0);
}

#[test]
fn a_session_that_somebody_names_voids_what_was_known_of_that_member() {
    let mut gossip = gossip(&[]);
    gossip.start(MS(0));
    gossip.meet(OTHER, 3, MS(0));
    gossip.common.peers.learn_own(OTHER, 7);
    let before = gossip.common.view_name();
    gossip.named(OTHER, 4, MS(0));
    assert_eq!((gossip.common.peers.own_acked(OTHER), gossip.common.peers.was_heard(OTHER)), (0, false));
    assert_ne!(gossip.common.view_name(), before);
}

#[test]
fn a_settled_node_is_settled_no_more_when_a_newer_session_is_known() {
    for strategy in Strategy::ALL {
        let mut gossip = gossip(&[]);
        gossip.use_strategy(strategy, MS(0));
        gossip.start(MS(0));
        gossip.common.refresh(1);
        gossip.common.agreement.join_all();
        assert!(gossip.settle(1));
        gossip.named(PEER, 4, MS(0));
        assert!(!gossip.settle(1));
        assert!(gossip.next_timeout().is_some());
    }
}

#[test]
fn a_peer_in_an_older_session_is_told_once_in_half_a_second() {
    let mut gossip = gossip(&[]);
    gossip.answer_old_session(PEER, MS(0));
    let (_, why) = gossip.common.peers.first().unwrap();
    assert_eq!(why.lane, Some(Lane::Push), "whatever is to be said later");
    assert_eq!(written(&mut gossip), [(PEER, Want::Nothing)]);
    gossip.common.peers.told_view(PEER, 7, MS(0));
    gossip.answer_old_session(PEER, MS(499));
    assert!(written(&mut gossip).is_empty());
    gossip.answer_old_session(PEER, MS(500));
    assert_eq!(written(&mut gossip), [(PEER, Want::Nothing)]);
}

#[test]
fn another_strategy_goes_on_telling_what_this_node_holds() {
    let pairs = Strategy::ALL.map(|strategy| Strategy::ALL.map(|other| (strategy, other)));
    for (strategy, other) in pairs.into_iter().flatten().filter(|(strategy, other)| strategy != other) {
        let mut gossip = gossip(&[]);
        gossip.use_strategy(other, MS(0));
        gossip.start(MS(0));
        gossip.use_strategy(strategy, MS(1_000));
        let (at, why) = match strategy {
            Strategy::Rumor => (MS(1_100), Timer::Tick),
            Strategy::Relay => (MS(1_000), Timer::Relay),
        };
        assert_eq!(gossip.next_timeout(), Some(Wakeup { at, why }), "{strategy:?} after {other:?}");
    }
}

#[test]
fn a_node_alone_has_nobody_to_tell() {
    let rng = XorShiftRng::seed_from_u64(1);
    let mut gossip = Gossip::<Small>::unfilled(1, ME, &Small::LIMITS, rng, SESSION);
    gossip.fill(&members(1, ME.0), MS(0));
    gossip.start(MS(0));
    gossip.news(Lane::Push, Hot { row: RowId(0), from: 0, to: 1, source: None }, MS(0));
    assert_eq!(gossip.next_timeout(), None);
    assert!(gossip.settle(1));
    assert_eq!(gossip.next_timeout(), None);
}

#[test]
fn an_equal_peer_that_does_not_know_that_all_agree_is_told() {
    let mut gossip = gossip(&[]);
    gossip.start(MS(0));
    gossip.common.refresh(1);
    gossip.common.agreement.join_all();
    gossip.heard(Heard { equal: true, ..message(PEER.0) }, 1, &nothing(), MS(0));
    assert_eq!(written(&mut gossip), [(PEER, Want::Nothing)]);
}
