//! Knowledge about each peer: its session, what it holds, which view it has, when it was heard, what is under way to
//! it, and the reasons to write to it next.
//!
//! All of this is knowledge about one session of the peer. A newer session voids it.
//!
//! Memory is bounded: the version vector is kept only for the [`crate::storage::Limits::known_peers`] peers that were
//! heard last; of the others only the digest in short remains. There is no queue of data per peer, so nothing grows
//! while a peer is away.

mod record;

use crate::causality::{RowId, Rows};
use crate::id::NodeIndex;
use crate::replicated::Lane;
use crate::storage::{Buf, Limits, Storage};
use crate::time::Instant;

pub(super) use record::Peer;
use record::{NOWHERE, Records, STRANGER};

/// What a message asks of its receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    /// Nothing.
    #[default]
    Nothing,
    /// An answer, whatever it holds.
    Reply,
    /// The entries that the sender lacks.
    Gap,
}

/// Whether a message comes from the newest known session of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// An older one. Its entries and the sessions that it names count, and nothing else.
    Old,
    /// The one known.
    Present,
    /// A newer one. Knowledge of what the peer holds is dropped.
    New,
}

/// The reasons to write to a peer. Reasons are collected until one message serves all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pending {
    /// The lane of the message.
    pub lane: Option<Lane>,
    /// Send the waiting rumors first.
    pub rumors: bool,
    /// Send all that the peer lacks.
    pub delta: bool,
    /// What to ask for.
    pub want: Want,
    /// How many messages may be sent at once, when one after the other is cut.
    pub burst: u8,
}

/// Where the next message to a peer begins. The place rotates over the rows, since the last rows would never be sent if
/// each message began with the first one and was cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Resume {
    /// The row.
    pub row: u32,
    /// A repair has sent its dots up to this one.
    pub repaired_to: u64,
}

/// A slot for the version vector of one peer, as far as it is known.
#[derive(Clone)]
struct Known<S: Storage> {
    peer: Option<NodeIndex>,
    used: u64,
    frontiers: S::PerRow<u64>,
}

/// All peers.
#[derive(Clone)]
pub(super) struct Peers<S: Storage> {
    peers: Records<S>,
    known: S::PerKnown<Known<S>>,
    queue: S::PerNode<u32>,
    head: usize,
    rows: usize,
    clock: u64,
}

/// A peer that has not answered this many messages counts as silent.
const SILENT_AFTER: u8 = 4;
/// This many messages in a row that show the same vector with another state begin a repair.
const REPAIR_AFTER: u8 = 2;
/// The shortest time between two messages with the same digest to a peer that has not answered, in milliseconds.
const REPEAT_MS: u64 = 500;
/// The longest time between two messages to a silent peer, while there is no news, in milliseconds.
const LONGEST_MS: u64 = 30_000;
/// The same while there is news.
const LONGEST_BUSY_MS: u64 = 1_000;

impl<S: Storage> Peers<S> {
    /// The peers of a cluster of `nodes`, of which nothing is known yet. [`Peers::fill`] has to follow.
    #[must_use]
    #[inline(always)]
    pub(super) fn unfilled(nodes: usize, limits: &Limits) -> Self {
        Self {
            peers: Records::unfilled(nodes),
            known: S::PerKnown::with_limit(limits.known_peers.min(nodes)),
            queue: S::PerNode::with_limit(nodes),
            head: 0,
            rows: limits.rows,
            clock: 0,
        }
    }

    /// Takes the memory for all peers, so that none is taken when one is heard. Called once.
    pub(super) fn fill(&mut self, nodes: usize, limits: &Limits) {
        self.peers.places.fill_to(nodes, NOWHERE);
        for _ in 0..limits.known_peers.min(nodes) {
            // There is a place for each slot.
            let _ = self.known.push(Known { peer: None, used: 0, frontiers: S::PerRow::with_limit(limits.rows) });
        }
    }

    /// Where the next message to a peer begins.
    #[must_use]
    pub(super) fn resume(&self, peer: NodeIndex) -> Resume {
        self.peers.get(peer).resume
    }

    /// Notes where the next message to a peer begins.
    pub(super) fn set_resume(&mut self, peer: NodeIndex, resume: Resume) {
        self.peers.get_mut(peer).resume = resume;
    }

    /// Notes whether a peer showed the same version vector as this node, but another state; `sum` is this node's digest
    /// in short. A message that was under way while the peer changed may show that once. A repair begins when it is
    /// seen twice while nothing changes here: then the result is true.
    pub(super) fn note_divergence(&mut self, peer: NodeIndex, diverged: bool, sum: u64) -> bool {
        let record = &mut self.peers.get_mut(peer).diverged;
        *record = match *record {
            _ if !diverged => (0, 0),
            (before, times) if before == sum => (sum, times.saturating_add(1)),
            _ => (sum, 1),
        };
        record.1 == REPAIR_AFTER
    }

    /// Whether a peer is being repaired: it is sent all entries.
    #[must_use]
    pub(super) fn is_diverged(&self, peer: NodeIndex) -> bool {
        self.peers.get(peer).diverged.1 >= REPAIR_AFTER
    }

    /// Whether a peer was heard in its present session.
    #[must_use]
    pub(super) fn was_heard(&self, peer: NodeIndex) -> bool {
        self.peers.get(peer).heard_at.is_some()
    }

    /// A newer session of a peer is known. All knowledge about the session before is dropped.
    pub(super) fn begin_session(&mut self, peer: NodeIndex, session: u64) {
        let record = self.peers.get_mut(peer);
        let Peer { pending, known, .. } = *record;
        *record = Peer { session: Some(session), pending, known, ..STRANGER };
        if let Some(known) = known.and_then(|slot| self.known.get_mut(slot as usize)) {
            known.frontiers.clear();
        }
    }

    /// The session of a peer that all knowledge about it belongs to.
    #[must_use]
    pub(super) fn session(&self, peer: NodeIndex) -> Option<u64> {
        self.peers.get(peer).session
    }

    /// The life in which a peer makes its dots. Without a disk it is equal to the session.
    #[must_use]
    pub(super) fn life(&self, peer: NodeIndex) -> Option<u64> {
        self.session(peer)
    }

    /// Notes the number of a message. True if the message is newer than all others from this session; a message without
    /// a number counts as newer.
    pub(super) fn is_newest(&mut self, peer: NodeIndex, number: Option<i64>) -> bool {
        let record = self.peers.get_mut(peer);
        match number {
            Some(number) if number <= record.newest => false,
            Some(number) => {
                record.newest = number;
                true
            }
            None => true,
        }
    }

    /// Notes the view that the newest message of a peer showed. `mine` is the name of this node's view and its version.
    /// If the peer was sent that view more than `patience_us` ago and does not show it, the message counts as lost.
    pub(super) fn showed_view(&mut self, peer: NodeIndex, view: u64, mine: (u64, u64), patience_us: u64, now: Instant) {
        let record = self.peers.get_mut(peer);
        record.view = view;
        if view == mine.0 {
            record.view_version = mine.1;
        } else if now.as_micros().saturating_sub(record.told.1.as_micros()) > patience_us {
            record.told.0 = 0;
        }
    }

    /// Whether a peer is not known to have the view `name`.
    #[must_use]
    pub(super) fn lacks_view(&self, peer: NodeIndex, name: u64) -> bool {
        self.peers.get(peer).view != name
    }

    /// Whether a peer is not known to have the view `name`, and was not sent it.
    #[must_use]
    pub(super) fn is_untold(&self, peer: NodeIndex, name: u64) -> bool {
        let Peer { view, told, .. } = *self.peers.get(peer);
        view != name && told.0 != name
    }

    /// The version of this node's view that a peer is known to include.
    #[must_use]
    pub(super) fn view_version(&self, peer: NodeIndex) -> u64 {
        self.peers.get(peer).view_version
    }

    /// The member with which the next list of sessions to a peer begins.
    #[must_use]
    pub(super) fn lives_from(&self, peer: NodeIndex) -> u32 {
        self.peers.get(peer).lives_from
    }

    /// Notes that a list of sessions to a peer was cut before this member. The next list begins with it.
    pub(super) fn set_lives_from(&mut self, peer: NodeIndex, member: u32) {
        self.peers.get_mut(peer).lives_from = member;
    }

    /// Notes that a peer was sent the view `name`.
    pub(super) fn told_view(&mut self, peer: NodeIndex, name: u64, now: Instant) {
        let record = self.peers.get_mut(peer);
        record.told = (name, now);
        record.old_session = false;
    }

    /// Notes a message from an older session than the newest known. True if the peer is to be told so now: at most once
    /// in half a second.
    pub(super) fn wrote_from_old_session(&mut self, peer: NodeIndex, now: Instant) -> bool {
        let record = self.peers.get_mut(peer);
        let due = record.told.0 == 0 || now.ms_since(record.told.1) >= REPEAT_MS;
        record.old_session |= due;
        due
    }

    /// Whether a peer has to be told that a newer session of its name is known.
    #[must_use]
    pub(super) fn is_old_session(&self, peer: NodeIndex) -> bool {
        self.peers.get(peer).old_session
    }

    /// Which rows were listed to a peer: the version up to which all rows that moved were listed; whether all rows are
    /// to be listed; and the row of a past life that is next.
    #[must_use]
    pub(super) fn listed(&self, peer: NodeIndex) -> (u64, bool, u32) {
        let Peer { listed, list_all, past_from, .. } = *self.peers.get(peer);
        (listed, list_all, past_from)
    }

    /// Notes that all rows that moved up to `version` were listed to a peer (`None`: not all were), and which row of a
    /// past life is next.
    pub(super) fn set_listed(&mut self, peer: NodeIndex, version: Option<u64>, past_from: u32) {
        let record = self.peers.get_mut(peer);
        record.listed = version.unwrap_or(record.listed);
        record.past_from = past_from;
    }

    /// A peer does not seem to know this node's frontier of a row that moved last in the version after `version`. Rows
    /// that moved since are listed to it again.
    pub(super) fn list_again(&mut self, peer: NodeIndex, version: u64) {
        let record = self.peers.get_mut(peer);
        record.listed = record.listed.min(version);
    }

    /// Sets whether all rows are listed to a peer, in turn.
    pub(super) fn set_list_all(&mut self, peer: NodeIndex, all: bool) {
        self.peers.get_mut(peer).list_all = all;
    }

    /// Notes whether a peer says that it has no room for a row of this node. True if that has changed.
    pub(super) fn set_no_row(&mut self, peer: NodeIndex, no_row: bool) -> bool {
        core::mem::replace(&mut self.peers.get_mut(peer).no_row, no_row) != no_row
    }

    /// Whether any peer has no room for a row of this node. O(peers met).
    #[must_use]
    pub(super) fn any_without_row(&self) -> bool {
        self.peers.met().any(|peer| peer.no_row)
    }

    /// Learns that a peer holds all that this node holds. O(rows).
    pub(super) fn learn_all(&mut self, peer: NodeIndex, rows: &Rows<S>) {
        for (id, row) in rows.iter() {
            self.learn(peer, id, row.frontier);
        }
        self.peers.get_mut(peer).filling.done();
    }

    /// Whether a peer may be handed more: the window is not full, or what is under way is overdue.
    #[must_use]
    pub(super) fn may_fill(&self, peer: NodeIndex, now: Instant) -> bool {
        self.peers.get(peer).filling.may_go_on(now)
    }

    /// How many bytes may be under way to a peer.
    #[must_use]
    pub(super) fn window(&self, peer: NodeIndex) -> usize {
        self.peers.get(peer).filling.window()
    }

    /// Whether several messages may be sent to a peer at once.
    #[must_use]
    pub(super) fn may_burst(&self, peer: NodeIndex, now: Instant) -> bool {
        self.peers.get(peer).filling.may_burst(now)
    }

    /// Notes that `messages` messages were sent to a peer at once.
    pub(super) fn burst(&mut self, peer: NodeIndex, messages: u8, now: Instant) {
        self.peers.get_mut(peer).filling.burst(messages, now);
    }

    /// When a peer was written to last.
    #[must_use]
    pub(super) fn sent_at(&self, peer: NodeIndex) -> Option<Instant> {
        self.peers.get(peer).sent_at
    }

    /// Notes that a peer was handed entries of `bytes` bytes in `messages` messages at once. The last entry has the dot
    /// `last`.
    pub(super) fn filled(&mut self, peer: NodeIndex, last: (RowId, u64), bytes: usize, messages: u8, now: Instant) {
        self.peers.get_mut(peer).filling.sent(last, bytes, messages, now);
    }

    /// Checks whether the entries that a peer was handed have arrived.
    pub(super) fn look_at_filling(&mut self, peer: NodeIndex, now: Instant) {
        let Peer { known, filling, .. } = *self.peers.get(peer);
        let Some((row, seq)) = filling.goal() else { return };
        let known = known.and_then(|slot| self.known.get(slot as usize));
        if known.and_then(|known| known.frontiers.get(row.at())).is_some_and(|frontier| *frontier >= seq) {
            self.peers.get_mut(peer).filling.arrived(now);
        }
    }

    /// This node's own row is a new one. No peer has acknowledged a change of it.
    pub(super) fn forget_own(&mut self) {
        self.peers.met_mut().for_each(|peer| peer.own_acked = 0);
    }

    /// Notes that a peer was heard. If it was silent before, other silent peers are written to again at once: the
    /// partition that kept this one away may be over for them too.
    pub(super) fn hear(&mut self, peer: NodeIndex, now: Instant) {
        let record = self.peers.get_mut(peer);
        let was_silent = record.unheard >= SILENT_AFTER;
        record.heard_at = Some(now);
        record.unheard = 0;
        if was_silent {
            for other in self.peers.met_mut().filter(|other| other.unheard > SILENT_AFTER) {
                other.unheard = SILENT_AFTER - 1;
            }
        }
    }

    /// Notes that a message was sent.
    pub(super) fn sent(&mut self, peer: NodeIndex, sum: u64, now: Instant) {
        let record = self.peers.get_mut(peer);
        record.sent_at = Some(now);
        record.sent_sum = sum;
        record.unheard = record.unheard.saturating_add(1);
    }

    /// Whether the digest `sum` is what a peer was sent last.
    #[must_use]
    pub(super) fn was_sent(&self, peer: NodeIndex, sum: u64) -> bool {
        let Peer { sent_at, sent_sum, .. } = *self.peers.get(peer);
        sent_at.is_some() && sent_sum == sum
    }

    /// Learns that a peer holds all dots of a row up to `frontier`.
    pub(super) fn learn(&mut self, peer: NodeIndex, row: RowId, frontier: u64) {
        let slot = self.slot_of(peer);
        let rows = self.rows;
        let Some(Known { frontiers, .. }) = self.known.get_mut(slot) else { return };
        while frontiers.len() <= row.at() && frontiers.len() < rows {
            let _ = frontiers.push(0);
        }
        if let Some(known) = frontiers.get_mut(row.at()) {
            *known = (*known).max(frontier);
        }
    }

    /// Learns that a peer holds this node's own changes up to the dot `seq`.
    pub(super) fn learn_own(&mut self, peer: NodeIndex, seq: u64) {
        let record = self.peers.get_mut(peer);
        record.own_acked = record.own_acked.max(seq);
    }

    /// This node's own changes that the peer is known to hold.
    #[must_use]
    pub(super) fn own_acked(&self, peer: NodeIndex) -> u64 {
        self.peers.get(peer).own_acked
    }

    /// The version vector of a peer: for each row the frontier that it is known to hold. A row beyond the slice counts
    /// as 0. `None` if no vector is kept for this peer.
    #[must_use]
    pub(super) fn vector(&self, peer: NodeIndex) -> Option<&[u64]> {
        let slot = self.peers.get(peer).known?;
        Some(&self.known.get(slot as usize)?.frontiers)
    }

    /// Gives the peer a slot for its version vector. If all are in use, it gets that of the peer heard longest ago.
    pub(super) fn remember(&mut self, peer: NodeIndex) {
        self.slot_of(peer);
    }

    fn slot_of(&mut self, peer: NodeIndex) -> usize {
        self.clock += 1;
        let used = self.clock;
        if let Some(slot) = self.peers.get(peer).known {
            if let Some(known) = self.known.get_mut(slot as usize) {
                known.used = used;
            }
            return slot as usize;
        }
        // There is at least one slot. A slot that no peer has counts as the oldest.
        let oldest = self.known.iter_mut().enumerate().min_by_key(|(_, known)| known.used);
        let Some((slot, known)) = oldest else { return 0 };
        if let Some(before) = known.peer.replace(peer) {
            self.peers.get_mut(before).known = None;
        }
        known.used = used;
        known.frontiers.clear();
        self.peers.get_mut(peer).known = Some(slot as u32);
        slot
    }

    /// Whether a peer was heard within the last `ms`, or has not had the time to answer yet.
    #[must_use]
    pub(super) fn is_fresh(&self, peer: NodeIndex, now: Instant, ms: u64) -> bool {
        let Peer { heard_at, unheard, .. } = *self.peers.get(peer);
        heard_at.map_or(unheard < SILENT_AFTER, |heard_at| now.ms_since(heard_at) <= ms)
    }

    /// How many messages went to the peer since it was heard.
    #[must_use]
    pub(super) fn unheard(&self, peer: NodeIndex) -> u8 {
        self.peers.get(peer).unheard
    }

    /// When news may be sent to a peer: at once, unless the peer is silent. To a silent peer the time between messages
    /// doubles, from 0.5 s on. Its upper bound is the time from the last news to the last message to this peer, but at
    /// least 1 s and at most 30 s.
    #[must_use]
    pub(super) fn next_push(&self, peer: NodeIndex, last_change: Instant) -> Instant {
        let Peer { sent_at, unheard, .. } = *self.peers.get(peer);
        match sent_at {
            Some(sent_at) if unheard >= SILENT_AFTER => {
                let longest_ms = sent_at.ms_since(last_change).clamp(LONGEST_BUSY_MS, LONGEST_MS);
                sent_at.plus_ms(backoff_ms(unheard, longest_ms))
            }
            Some(_) | None => Instant::ZERO,
        }
    }

    /// When the digest `sum` may be sent to a peer: as [`Peers::next_push`], and at most once in half a second unless
    /// the peer was heard in between.
    #[must_use]
    pub(super) fn next_digest(&self, peer: NodeIndex, sum: u64, last_change: Instant) -> Instant {
        let Peer { sent_at, sent_sum, unheard, .. } = *self.peers.get(peer);
        let repeated =
            sent_at.filter(|_| unheard > 0 && sent_sum == sum).map_or(Instant::ZERO, |at| at.plus_ms(REPEAT_MS));
        repeated.max(self.next_push(peer, last_change))
    }

    /// Adds a reason to write to a peer.
    pub(super) fn want_to_send(&mut self, peer: NodeIndex, why: Pending) {
        let record = self.peers.get_mut(peer);
        match &mut record.pending {
            Some(pending) => {
                pending.lane = pending.lane.or(why.lane);
                pending.rumors |= why.rumors;
                pending.delta |= why.delta;
                pending.want = pending.want.max(why.want);
                pending.burst = pending.burst.max(why.burst);
            }
            pending @ None => {
                *pending = Some(why);
                // A peer is in the queue at most once, and the queue has room for all of them.
                if self.queue.push(peer.0).is_err() {
                    record.pending = None;
                }
            }
        }
    }

    /// Whether a message to any peer waits.
    #[must_use]
    #[inline]
    pub(super) fn is_waiting(&self) -> bool {
        self.head < self.queue.len()
    }

    /// The next peer to write to, which stays first in the queue until [`Peers::done`].
    #[must_use]
    pub(super) fn first(&self) -> Option<(NodeIndex, Pending)> {
        let peer = NodeIndex(*self.queue.get(self.head)?);
        Some((peer, self.peers.get(peer).pending.unwrap_or_default()))
    }

    /// Takes the first peer out of the queue. True if the queue is empty afterwards.
    pub(super) fn done(&mut self) -> bool {
        if let Some(peer) = self.queue.get(self.head) {
            self.peers.get_mut(NodeIndex(*peer)).pending = None;
            self.head += 1;
        }
        let empty = self.head >= self.queue.len();
        if empty {
            self.queue.clear();
            self.head = 0;
        }
        empty
    }
}

fn backoff_ms(unheard: u8, longest_ms: u64) -> u64 {
    let doublings = u32::from(unheard - SILENT_AFTER).min(16);
    (REPEAT_MS << doublings).min(longest_ms)
}

#[cfg(test)]
mod tests;
