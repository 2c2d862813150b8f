//! Tests of what a peer is sent. The page takes as many entries as the test says.

use rand_core::SeedableRng;
use rand_xorshift::XorShiftRng;
use std::vec::Vec;

use super::*;
use crate::causality::{Arg, Dot, Entry};
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
        let mut talk = Self { gossip, replica };
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
        self.gossip.written(plan, named, ended, 100, &mut self.replica);
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
