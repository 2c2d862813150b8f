//! Tests of what a peer is sent. The page takes as many entries as the test says.

use rand_core::SeedableRng;
use rand_xorshift::XorShiftRng;
use std::vec::Vec;

use super::*;
use crate::causality::{Arg, Dot, Entry};
use crate::gossip::Strategy;
use crate::gossip::bench::{SESSION, members};
use crate::storage::{Small, Storage as _};

const ME: NodeIndex = NodeIndex(0);
const PEER: NodeIndex = NodeIndex(1);
const OTHER: NodeIndex = NodeIndex(2);
const OWN_ROW: RowId = RowId(0);
const NOW: Instant = Instant::from_millis(1_000);
/// The size of a message, in bytes: far less than a window.
const MOST: usize = 1_000;

/// A node, and what it says to its peers.
struct Talk {
    gossip: Gossip<Small>,
    replica: Replica<Small>,
    /// How long its messages are.
    bytes: usize,
}

/// A message as it was written.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    to: NodeIndex,
    /// Rows that the digest listed.
    digest: Vec<u32>,
    /// Row and dot of each entry.
    entries: Vec<(u32, u64)>,
    want: Want,
}

/// A page that takes a given number of entries.
struct Sheet {
    room: usize,
    chunk: (u32, u64),
    entries: Vec<(u32, u64)>,
    begun: bool,
}

impl Page for Sheet {
    fn bound(&mut self, _: usize) {}

    fn begin(&mut self, row: RowId, from: u64) {
        (self.chunk, self.begun) = ((row.0, from), false);
    }

    fn entry(&mut self, superseded: u64, _: &Entry<'_>) -> bool {
        if self.entries.len() == self.room {
            return false;
        }
        self.chunk.1 += superseded + 1;
        self.entries.push(self.chunk);
        self.begun = true;
        true
    }

    fn skip(&mut self, superseded: u64) -> bool {
        if self.entries.len() == self.room {
            return false;
        }
        self.chunk.1 += superseded;
        self.begun = true;
        true
    }

    fn end(&mut self) -> bool {
        self.begun
    }
}

impl Talk {
    /// A node of a cluster of `nodes` nodes, which has made `changes` changes.
    fn new(nodes: usize, changes: i64) -> Self {
        let mut replica = Replica::<Small>::new(&Small::LIMITS, 0);
        replica.causality.members = members(nodes, ME.0);
        replica.begin(SESSION).unwrap();
        let rng = XorShiftRng::seed_from_u64(1);
        let mut gossip = Gossip::unfilled(nodes, ME, &Small::LIMITS, rng, SESSION);
        gossip.fill(&replica.causality.members, NOW);
        gossip.start(NOW);
        let mut talk = Self { gossip, replica, bytes: 100 };
        (0..changes).for_each(|value| talk.change(value));
        talk
    }

    fn change(&mut self, value: i64) {
        let dot = self.replica.update(&Entry::bare(Arg::Int(value))).unwrap().unwrap();
        self.gossip.news(Lane::Push, Hot::dot(dot, None), NOW);
    }

    /// Merges changes that another node has made.
    fn merge(&mut self, node: NodeIndex, changes: u64) {
        let row = self.replica.open(node, SESSION).unwrap();
        for seq in 1..=changes {
            self.replica.merge(Dot { row, seq }, &Entry::bare(Arg::Int(-(seq as i64))));
        }
        assert_eq!(self.replica.close(row), Some(row));
    }

    fn send(&mut self, peer: NodeIndex, delta: bool, burst: u8) {
        self.gossip.common.peers.want_to_send(peer, Pending { delta, burst, rumors: !delta, ..Pending::default() });
    }

    /// The next message, with room for `room` entries and a digest of `rows` rows.
    fn write(&mut self, room: usize, rows: usize) -> Option<Message> {
        let plan = self.gossip.plan(&self.replica, MOST, NOW)?;
        let delta = self.gossip.delta(&plan, &self.replica);
        let named = delta.lives(|_, _| true);
        let mut digest = Vec::new();
        let listed = delta.digest(|row, _| {
            let fits = digest.len() < rows;
            digest.extend(fits.then_some(row.0));
            fits
        });
        let mut sheet = Sheet { room, chunk: (0, 0), entries: Vec::new(), begun: false };
        let ended = delta.entries(listed, &mut sheet);
        let message = Message { to: plan.to(), digest, entries: sheet.entries, want: ended.want };
        self.gossip.written(plan, named, ended, self.bytes, &mut self.replica);
        Some(message)
    }

    fn entries(&mut self, room: usize) -> Vec<Vec<(u32, u64)>> {
        core::iter::from_fn(|| self.write(room, usize::MAX).map(|message| message.entries)).collect()
    }
}

#[test]
fn where_nobody_waits_nothing_is_planned() {
    let mut talk = Talk::new(3, 1);
    assert_eq!(talk.write(9, 9), None);
}

#[test]
fn what_was_cut_goes_on_behind_its_last_entry() {
    let mut talk = Talk::new(3, 5);
    talk.send(PEER, true, 6);
    assert_eq!(talk.entries(2), [&[(0, 1), (0, 2)][..], &[(0, 3), (0, 4)], &[(0, 5)]]);
}

#[test]
fn the_last_message_that_was_cut_asks_where_to_go_on() {
    let mut talk = Talk::new(3, 5);
    talk.send(PEER, true, 2);
    assert_eq!(talk.write(2, 9).unwrap().want, Want::Nothing);
    assert_eq!(talk.write(2, 9).unwrap().want, Want::Reply);
    assert_eq!(talk.write(2, 9), None);
}

#[test]
fn a_peer_that_has_shown_dots_is_sent_those_behind_them() {
    let mut talk = Talk::new(3, 5);
    talk.gossip.common.peers.learn(PEER, OWN_ROW, 3);
    talk.send(PEER, true, 1);
    assert_eq!(talk.entries(9), [[(0, 4), (0, 5)]]);
}

#[test]
fn a_peer_that_agrees_is_sent_a_digest_only() {
    let mut talk = Talk::new(3, 5);
    let sum = talk.replica.sum().short();
    talk.gossip.holds_the_same(PEER, sum);
    talk.send(PEER, true, 1);
    talk.send(OTHER, true, 1);
    assert_eq!(talk.entries(1), [&[][..], &[(0, 1)]]);
}

#[test]
fn who_agreed_before_a_change_is_sent_the_change() {
    let mut talk = Talk::new(3, 1);
    let sum = talk.replica.sum().short();
    talk.gossip.holds_the_same(PEER, sum);
    talk.gossip.common.peers.learn(PEER, OWN_ROW, 1);
    talk.change(7);
    talk.send(PEER, true, 1);
    assert_eq!(talk.entries(9), [[(0, 2)]]);
}

#[test]
fn entries_of_a_row_that_the_digest_does_not_list_wait_for_the_next_message() {
    let mut talk = Talk::new(3, 1);
    talk.merge(OTHER, 2);
    talk.send(PEER, true, 6);
    let first = talk.write(9, 1).unwrap();
    assert_eq!((first.digest, first.entries), (std::vec![0], std::vec![(0, 1)]));
    let second = talk.write(9, 9).unwrap();
    assert_eq!((second.digest, second.entries), (std::vec![1, 0], std::vec![(1, 1), (1, 2)]));
}

#[test]
fn a_row_that_takes_all_the_room_does_not_keep_the_others_from_a_peer() {
    let mut talk = Talk::new(3, 5);
    talk.merge(OTHER, 1);
    let mut rows = Vec::new();
    for _ in 0..2 {
        talk.send(PEER, true, 1);
        rows.push(talk.write(1, 9).unwrap().entries);
    }
    assert_eq!(rows, [[(0, 1)], [(1, 1)]]);
}

#[test]
fn two_entries_under_one_dot_both_travel() {
    let mut talk = Talk::new(3, 0);
    talk.merge(OTHER, 2);
    // A liar names another change under the first dot, of another data type.
    let row = talk.replica.open(OTHER, SESSION).unwrap();
    let _ = talk.replica.merge(Dot { row, seq: 1 }, &Entry::one(crate::replicated::Sign::P.tag(), Arg::Int(9)));
    assert_eq!(talk.replica.close(row), Some(row));
    talk.send(PEER, true, 0);
    assert_eq!(talk.entries(9), [[(row.0, 1), (row.0, 1), (row.0, 2)]]);
}

#[test]
fn a_single_value_is_told_apart() {
    for (changes, value) in [(0, None), (1, Some(Value::Int(0))), (2, None)] {
        let mut talk = Talk::new(3, changes);
        talk.send(PEER, true, 1);
        let plan = talk.gossip.plan(&talk.replica, MOST, NOW).unwrap();
        assert_eq!(talk.gossip.delta(&plan, &talk.replica).only_value(), value, "{changes}");
    }
}

#[test]
fn sessions_that_did_not_fit_come_first_in_the_next_message() {
    let mut talk = Talk::new(5, 0);
    (1..5).for_each(|node| talk.gossip.named(NodeIndex(node), 9, NOW));
    let mut told = Vec::new();
    for _ in 0..2 {
        talk.send(PEER, true, 1);
        let plan = talk.gossip.plan(&talk.replica, MOST, NOW).unwrap();
        let delta = talk.gossip.delta(&plan, &talk.replica);
        let mut nodes = Vec::new();
        let named = delta.lives(|node, _| {
            let fits = nodes.len() < 2;
            nodes.extend(fits.then_some(node.0));
            fits
        });
        let listed = delta.digest(|_, _| true);
        let mut sheet = Sheet { room: 9, chunk: (0, 0), entries: Vec::new(), begun: false };
        let ended = delta.entries(listed, &mut sheet);
        talk.gossip.written(plan, named, ended, 100, &mut talk.replica);
        told.push(nodes);
    }
    assert_eq!(told, [[2, 3], [4, 2]]);
}

#[test]
fn rows_of_past_lives_are_listed_when_they_moved_and_then_four_at_a_time() {
    let mut talk = Talk::new(3, 1);
    for life in 1..=6 {
        talk.replica.take_life(SESSION + life).unwrap();
        talk.change(life as i64);
    }
    (0..7).for_each(|row| talk.gossip.common.peers.learn(OTHER, RowId(row), 1));
    let digests: Vec<Vec<u32>> = (0..3)
        .map(|_| {
            talk.send(OTHER, true, 1);
            talk.write(9, 9).unwrap().digest
        })
        .collect();
    assert_eq!(digests, [&[0, 1, 2, 3, 4, 5, 6][..], &[6, 0, 1, 2, 3], &[6, 4, 5, 0, 1]]);
}

/// A node with five changes of its own and three of another, all of which a peer shows with another state.
fn with_a_diverged_peer() -> Talk {
    let mut talk = Talk::new(3, 5);
    talk.merge(OTHER, 3);
    talk.gossip.common.peers.learn(PEER, OWN_ROW, 5);
    talk.gossip.common.peers.learn(PEER, RowId(1), 3);
    (0..2).for_each(|_| _ = talk.gossip.common.peers.note_divergence(PEER, true, 7));
    talk
}

#[test]
fn a_repair_that_was_done_begins_anew_with_the_first_dot() {
    let mut talk = with_a_diverged_peer();
    let rooms = [2, 9, 2].map(|room| {
        talk.send(PEER, true, 1);
        talk.entries(room).concat()
    });
    let rest = [(0, 3), (0, 4), (0, 5), (1, 1), (1, 2), (1, 3)];
    assert_eq!(rooms, [&[(0, 1), (0, 2)][..], &rest, &[(0, 1), (0, 2)]]);
}

#[test]
fn a_message_that_is_no_part_of_a_repair_does_not_move_the_place_where_it_goes_on() {
    let mut talk = with_a_diverged_peer();
    talk.send(PEER, true, 1);
    assert_eq!(talk.entries(2).concat(), [(0, 1), (0, 2)]);
    talk.send(PEER, false, 1);
    assert_eq!(talk.entries(9).concat(), []);
    talk.send(PEER, true, 1);
    assert_eq!(talk.entries(2).concat(), [(0, 3), (0, 4)]);
}

#[test]
fn where_a_digest_was_cut_at_another_row_the_repair_goes_on_with_that_row_from_its_first_dot() {
    let mut talk = with_a_diverged_peer();
    talk.send(PEER, true, 1);
    assert_eq!(talk.entries(2).concat(), [(0, 1), (0, 2)]);
    talk.send(PEER, false, 1);
    let message = talk.write(9, 1).unwrap();
    assert_eq!((message.digest, message.want), (std::vec![0], Want::Nothing), "all that the peer lacks is in it");
    talk.send(PEER, true, 1);
    assert_eq!(talk.entries(3).concat(), [(1, 1), (1, 2), (1, 3)]);
}

#[test]
fn a_full_window_holds_back_entries_unless_the_strategy_sees_to_losses_itself() {
    for (strategy, entries) in [(Strategy::Rumor, &[][..]), (Strategy::Relay, &[(0, 1), (0, 2)][..])] {
        let mut talk = Talk::new(3, 2);
        talk.gossip.use_strategy(strategy, NOW);
        let window = talk.gossip.common.peers.window(PEER);
        talk.gossip.common.peers.filled(PEER, (OWN_ROW, 1), window, 1, NOW);
        talk.send(PEER, true, 1);
        assert_eq!(talk.entries(9).concat(), entries, "{strategy:?}");
    }
}

#[test]
fn a_peer_that_was_heard_and_whose_vector_is_not_kept_is_sent_what_it_asks_for() {
    for (heard, delta, entries) in [(true, false, 0), (true, true, 2), (false, false, 2), (false, true, 2)] {
        let mut talk = Talk::new(3, 2);
        if heard {
            talk.gossip.common.peers.hear(PEER, NOW);
        }
        talk.send(PEER, delta, 1);
        assert_eq!(talk.entries(9).concat().len(), entries, "{heard} {delta}");
    }
}

#[test]
fn a_row_without_a_frontier_is_not_listed() {
    let mut talk = Talk::new(3, 1);
    let row = talk.replica.open(OTHER, SESSION).unwrap();
    talk.replica.merge(Dot { row, seq: 2 }, &Entry::bare(Arg::Int(7)));
    assert_eq!(talk.replica.close(row), Some(row));
    talk.send(PEER, true, 1);
    let message = talk.write(9, 9).unwrap();
    assert_eq!((message.digest, message.entries), (std::vec![0], std::vec![(0, 1), (1, 2)]));
}

#[test]
fn rows_are_listed_in_their_order_from_the_one_on_at_which_the_last_message_was_cut() {
    let mut talk = Talk::new(5, 1);
    (1..5).for_each(|node| talk.merge(NodeIndex(node), 1));
    let digests = [2, 9].map(|rows| {
        talk.send(PEER, true, 1);
        talk.write(9, rows).unwrap().digest
    });
    assert_eq!(digests, [&[0, 1][..], &[2, 3, 4, 0, 1]]);
}

/// Merges single changes of another node, beyond those that are missing.
fn merge_beyond(talk: &mut Talk, node: NodeIndex, seqs: &[u64]) -> RowId {
    let row = talk.replica.open(node, SESSION).unwrap();
    for seq in seqs {
        talk.replica.merge(Dot { row, seq: *seq }, &Entry::bare(Arg::Int(-(*seq as i64))));
    }
    talk.replica.close(row).unwrap()
}

/// The push that is due: what the peer is sent.
fn pushed(talk: &mut Talk) -> Vec<(u32, u64)> {
    let sum = talk.replica.sum().short();
    talk.gossip.timeout(sum, &talk.replica.causality.rows, NOW);
    let mut entries = Vec::new();
    while let Some(message) = talk.write(99, 99) {
        entries.extend(message.entries.into_iter().filter(|_| message.to == PEER));
    }
    entries
}

#[test]
fn what_was_cut_beyond_a_gap_goes_on_behind_its_last_entry() {
    let mut talk = Talk::new(3, 0);
    merge_beyond(&mut talk, OTHER, &[2, 3, 4, 6]);
    talk.send(PEER, true, 6);
    assert_eq!(talk.entries(2), [[(1, 2), (1, 3)], [(1, 4), (1, 6)]]);
}

#[test]
fn a_push_to_a_peer_that_was_heard_holds_what_it_lacks_of_other_rows() {
    let mut talk = Talk::new(3, 0);
    talk.merge(OTHER, 2);
    talk.gossip.common.peers.hear(PEER, NOW);
    talk.gossip.common.peers.remember(PEER);
    talk.change(7);
    assert_eq!(pushed(&mut talk), [(0, 1), (1, 1), (1, 2)]);
}

#[test]
fn a_rumor_from_beyond_a_gap_is_sent_once_beside_what_lies_before_it() {
    let mut talk = Talk::new(3, 0);
    let row = merge_beyond(&mut talk, OTHER, &[3, 5]);
    talk.gossip.common.peers.hear(PEER, NOW);
    talk.gossip.common.peers.remember(PEER);
    talk.gossip.news(Lane::Push, Hot { row, from: 4, to: 5, source: None }, NOW);
    assert_eq!(pushed(&mut talk), [(1, 5), (1, 3)]);
}

#[test]
fn a_peer_that_agrees_meanwhile_is_not_sent_the_rumors_for_which_it_was_chosen() {
    let mut talk = Talk::new(3, 1);
    let sum = talk.replica.sum().short();
    talk.gossip.timeout(sum, &talk.replica.causality.rows, NOW);
    talk.gossip.holds_the_same(PEER, sum);
    let entries = pushed(&mut talk);
    assert_eq!(entries, []);
}

#[test]
fn what_goes_beyond_what_the_peer_is_assumed_to_hold_is_not_bounded_by_the_window() {
    for (strategy, bounded) in [(Strategy::Rumor, [true, true]), (Strategy::Relay, [true, false])] {
        let mut talk = Talk::new(3, 1);
        talk.gossip.use_strategy(strategy, NOW);
        let windows = [0, 1].map(|_| {
            talk.send(PEER, true, 1);
            let plan = talk.gossip.plan(&talk.replica, MOST, NOW).unwrap();
            let window = talk.gossip.delta(&plan, &talk.replica).walk.window;
            talk.write(9, 9);
            window < usize::MAX
        });
        assert_eq!(windows, bounded, "{strategy:?}");
    }
}

#[test]
fn a_full_window_holds_back_a_repair() {
    let mut talk = with_a_diverged_peer();
    let window = talk.gossip.common.peers.window(PEER);
    talk.gossip.common.peers.filled(PEER, (OWN_ROW, 9), window, 1, NOW);
    talk.send(PEER, true, 1);
    assert_eq!(talk.entries(9).concat(), []);
}

#[test]
fn sixteen_messages_with_entries_fill_a_window_and_those_without_do_not() {
    let mut talk = Talk::new(3, 1);
    for at in 1..=16 {
        assert!(talk.gossip.common.peers.may_fill(PEER, NOW), "{at}");
        talk.change(at);
        talk.send(PEER, true, 1);
        assert!(!talk.write(99, 9).unwrap().entries.is_empty());
        talk.gossip.common.peers.learn(PEER, OWN_ROW, at as u64 + 1);
        // A digest only.
        talk.send(PEER, false, 1);
        assert_eq!(talk.write(99, 9).unwrap().entries, []);
    }
    assert!(!talk.gossip.common.peers.may_fill(PEER, NOW));
}

#[test]
fn after_several_messages_at_once_there_is_a_pause_for_each_of_them() {
    let mut talk = Talk::new(3, 5);
    talk.send(PEER, true, 6);
    assert_eq!(talk.entries(2).len(), 3);
    let may_burst = |ms| talk.gossip.common.peers.may_burst(PEER, NOW.plus_ms(ms));
    assert_eq!([299, 300].map(may_burst), [false, true]);
}

#[test]
fn a_message_without_entries_takes_nothing_of_the_window() {
    let mut talk = Talk::new(3, 3);
    talk.send(PEER, true, 6);
    let window = talk.gossip.common.peers.window(PEER);
    for (room, bytes, want) in [(0, window, Want::Nothing), (1, 100, Want::Nothing), (9, 100, Want::Nothing)] {
        talk.bytes = bytes;
        assert_eq!(talk.write(room, 9).unwrap().want, want);
    }
}

#[test]
fn rumors_are_under_way_as_other_entries_are() {
    let mut talk = Talk::new(3, 0);
    // Its vector is not kept.
    talk.gossip.common.peers.hear(PEER, NOW);
    talk.bytes = talk.gossip.common.peers.window(PEER);
    talk.change(7);
    assert_eq!(pushed(&mut talk), [(0, 1)]);
    assert!(!talk.gossip.common.peers.may_fill(PEER, NOW));
}

#[test]
fn entries_beyond_a_gap_in_a_row_after_the_cut_of_the_digest_wait_unless_the_peer_has_them() {
    for (shown, entries, want) in
        [(0, &[(0, 1)][..], Want::Reply), (2, &[(0, 1)], Want::Nothing), (5, &[(0, 1)], Want::Nothing)]
    {
        let mut talk = Talk::new(4, 1);
        talk.merge(NodeIndex(3), 1);
        merge_beyond(&mut talk, OTHER, &[2]);
        talk.gossip.common.peers.learn(PEER, RowId(1), 1);
        talk.gossip.common.peers.learn(PEER, RowId(2), shown);
        talk.send(PEER, true, 1);
        let message = talk.write(9, 1).unwrap();
        assert_eq!((&message.entries[..], message.want), (entries, want), "{shown}");
    }
}

#[test]
fn a_row_of_a_past_life_that_the_peer_lacks_is_listed() {
    let mut talk = Talk::new(3, 1);
    for life in 1..=12 {
        talk.replica.take_life(SESSION + life).unwrap();
        talk.change(life as i64);
    }
    (0..13).filter(|row| *row != 7).for_each(|row| talk.gossip.common.peers.learn(OTHER, RowId(row), 1));
    for _ in 0..4 {
        talk.send(OTHER, true, 1);
        let message = talk.write(9, 99).unwrap();
        assert!(message.digest.contains(&7) && message.entries == [(7, 1)], "{message:?}");
    }
}

#[test]
fn a_message_that_its_last_entry_fills_was_not_cut() {
    let mut talk = Talk::new(3, 2);
    talk.send(PEER, true, 1);
    let message = talk.write(2, 9).unwrap();
    assert_eq!((message.entries.len(), message.want), (2, Want::Nothing));
}
