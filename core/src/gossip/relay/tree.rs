//! The rules of a cluster without faults: which node is the relay, when an uplink leaves, when a flush leaves and to
//! which peers.

use super::link::{NEVER, after, since};
use super::{FLUSHES_PER_TURN, Relay, Rule, Want};
use crate::causality::Rows;
use crate::gossip::common::{Common, Heard};
use crate::id::NodeIndex;
use crate::storage::Storage;
use crate::time::Instant;

/// An uplink is timed to arrive at least this long before the flush that it is meant for, in microseconds.
const GUARD_US: u64 = 15_000;
/// The longest time to its next flush that a relay is believed, in intervals of this node. Without a bound a relay
/// could hold back the values of this node for ever.
const FLUSHES_WAITED: u64 = 4;
/// How much later than expected a flush may arrive before it is no longer waited for, in microseconds.
const LATE_US: u64 = 10_000;
/// How many uplinks may leave within the assumed round trip while no round trip was measured.
const UNMEASURED: u64 = 5;
/// The shortest time before entries are taken for lost again, in microseconds.
const REFILL_US: u64 = 500_000;

impl<S: Storage> Relay<S> {
    /// The rank of a node among those that may be the relay. Rank 0 is first.
    pub(super) fn rank(&self, node: NodeIndex) -> u32 {
        let nodes = self.nodes();
        (node.0 + nodes - self.turn % nodes) % nodes
    }

    fn of_rank(&self, rank: u32) -> NodeIndex {
        NodeIndex((rank + self.turn % self.nodes()) % self.nodes())
    }

    /// The lowest-ranked node that is not suspected, uses this strategy and refuses nothing.
    fn lowest(&self, refuses: bool) -> NodeIndex {
        let fit = |node: &NodeIndex| {
            if *node == self.me {
                return !refuses;
            }
            let link = self.link(*node);
            !(link.suspected || link.unordered || link.unfit)
        };
        (0..self.nodes()).map(|rank| self.of_rank(rank)).find(fit).unwrap_or(self.me)
    }

    pub(super) fn choose_relay(&mut self, common: &mut Common<S>, now: Instant) {
        let planned = core::mem::take(&mut self.handed_on);
        let lowest = self.lowest(common.refuses(now) && self.keeps(Rule::FitRelay));
        if lowest == self.relay {
            return;
        }
        let before = core::mem::replace(&mut self.relay, lowest);
        let rank = self.rank(lowest);
        // Suspicions of nodes ranked behind the new relay are dropped: such a node may be silent only because it is, or
        // was, the child of another relay.
        for peer in self.peers() {
            if self.link(peer).suspected && self.rank(peer) > rank {
                self.forgive(peer);
            }
        }
        if before != self.me && self.keeps(Rule::TakeOver) {
            self.take_over(common, before);
        }
        if !planned {
            self.uplink.down_at = None;
            self.uplink.slot = NEVER;
            self.uplink.urgent = lowest != self.me;
        } else if lowest == self.me {
            // This node continues the flushes of the old relay, at the same times.
            let flushed_us = now.as_micros().saturating_sub(self.path(before).rtt_us() / 2);
            self.flush.last = Some(Instant::from_micros(flushed_us));
            self.flush.at = NEVER;
        }
        self.uplink.dirty = true;
        self.flush.dirty = true;
        self.flush.count = 0;
        self.no_longer_stable(now);
    }

    /// The old relay has sent all that it held to all peers. So a new root assumes that all peers hold it, and any
    /// other node assumes it of its new relay.
    fn take_over(&mut self, common: &Common<S>, before: NodeIndex) {
        let number = self.snapshots.take_over(common.peers.vector(before).unwrap_or(&[]));
        let (root, relay) = (self.is_root(), self.relay);
        for peer in self.peers().filter(|peer| root || *peer == relay) {
            let link = self.link_mut(peer);
            if link.snapshot == 0 && !link.suspected {
                link.snapshot = number;
            }
        }
    }

    /// After enough flushes the first rank moves on to the next node, which continues the flushes at the same times. It
    /// does not move while any peer is suspected, since that peer might be the next relay.
    fn hand_on(&mut self, common: &mut Common<S>, now: Instant) {
        self.flush.count += 1;
        if self.flush.count < FLUSHES_PER_TURN || self.watch.suspects > 0 || self.turn == u32::MAX {
            return;
        }
        self.turn += 1;
        self.handed_on = true;
        self.choose_relay(common, now);
        let relay = self.relay;
        for peer in self.peers() {
            self.link_mut(peer).relay = Some(relay);
        }
        let path = self.path(relay);
        self.uplink.down_at = Some(after(now, path.rtt_us() / 2));
        self.uplink.next_us = self.interval_us;
    }

    /// Whether this node sends down to a peer.
    pub(super) fn is_target(&self, peer: NodeIndex) -> bool {
        let link = self.link(peer);
        let below = self.is_root() || link.relay == Some(self.me) || !self.keeps(Rule::Tree);
        !link.suspected && peer != self.me && peer != self.relay && below
    }

    /// Whether a peer has to acknowledge entries, and is suspected if it does not.
    pub(super) fn is_watched(&self, peer: NodeIndex) -> bool {
        let link = self.link(peer);
        !link.suspected && !link.unordered && (peer == self.relay || self.is_target(peer))
    }

    /// How long a peer may keep back its acknowledgement, in microseconds.
    pub(super) fn hold_us(&self, peer: NodeIndex) -> u64 {
        if peer == self.relay { self.interval_us } else { self.acknowledged_us() }
    }

    /// A local change, or news from a peer.
    pub(super) fn changed(&mut self, common: &mut Common<S>, now: Instant) {
        self.quiet.last_change = now;
        self.no_longer_stable(now);
        self.flush.dirty = true;
        self.uplink.dirty = true;
        self.hurry_digests(common, now);
        if self.look_at == NEVER && (self.flush.at == NEVER || self.uplink.slot == NEVER) {
            self.look_at = now;
        }
    }

    /// Learns from the part of a header that is about messages: from each peer its relay, ordinal and echo, and from
    /// this node's relay the time of its next flush.
    pub(super) fn hear_control(&mut self, common: &Common<S>, heard: &Heard, rows: &Rows<S>, now: Instant) {
        let from = heard.from;
        let acknowledged = self.keeps(Rule::Echo) || self.covers(common, rows, from);
        let hold_us = self.hold_us(from);
        let rto_us = self.path(from).rto_us();
        let path = self.path(from);
        let link = self.link_mut(from);
        let Some(control) = heard.control else {
            // The peer acknowledges nothing, so it is assumed to hold only what it has shown.
            link.unordered = true;
            link.relay = None;
            link.deadline = NEVER;
            link.data_ord = 0;
            link.snapshot = 0;
            return;
        };
        link.unordered = false;
        if control.ord > link.heard_ord {
            link.heard_ord = control.ord;
            link.heard_at = now;
            link.relay = control.relay;
        }
        let later = control.echoed.is_some_and(|echo| link.data_ord > 0 && echo.ord > link.data_ord);
        let sample = control.echoed.and_then(|echo| link.echoed(echo, acknowledged, now, hold_us + rto_us));
        let counts = sample.is_some_and(|sample| link.path.sample(sample, now));
        // Entries count as lost if the peer answers after a round trip without having shown them, or if it echoes a
        // later message and its digest does not show them.
        let overdue = link.data_ord > 0 && !link.in_flight(path, now);
        let shown = self.has_shown(common, rows, from);
        if shown {
            self.link_mut(from).refills = 0;
            self.link_mut(from).refill_at = now;
        } else if (overdue || (later && self.keeps(Rule::HiddenLoss))) && self.refill(from, now) {
            self.flush.dirty = true;
            self.uplink.dirty = true;
        }
        if let Some(sample) = sample.filter(|_| counts) {
            self.path.sample(sample, now);
        }
        self.links_at = self.links_at.min(self.link(from).next());
        if control.turn > self.turn {
            self.turn = control.turn;
            self.handed_on = true;
        }
        if from == self.relay
            && let Some(flush_ms) = control.flush_ms
        {
            let waited = self.uplink.slot != NEVER
                && self.uplink.down_at.is_none_or(|down_at| self.uplink.slot > after(down_at, self.uplink.next_us));
            self.uplink.down_at = Some(now);
            self.uplink.next_us = (u64::from(flush_ms) * 1_000).min(FLUSHES_WAITED * self.interval_us);
            if waited {
                self.uplink.slot = NEVER;
                self.uplink.dirty = true;
            }
        }
    }

    /// Takes entries for lost that a peer was sent and has not shown, so that they are sent again. The intervals grow
    /// while that has no effect.
    pub(super) fn refill(&mut self, peer: NodeIndex, now: Instant) -> bool {
        let least_us = if self.keeps(Rule::Window) { REFILL_US } else { 0 };
        self.link_mut(peer).refill(least_us, now)
    }

    /// Whether a peer is the child of another relay and got the flush before this one. Such a peer gets only every
    /// other flush.
    fn is_served(&self, peer: NodeIndex, now: Instant) -> bool {
        let link = self.link(peer);
        let elsewhere = link.relay.is_some_and(|relay| relay != self.me);
        elsewhere && since(now, link.data_at) < self.interval_us * 3 / 2 && self.keeps(Rule::EveryOther)
    }

    pub(super) fn look_down(&mut self, common: &mut Common<S>, rows: &Rows<S>, now: Instant) {
        if self.flush.dirty && self.flush.at == NEVER {
            self.flush.dirty = false;
            let needs = |peer: NodeIndex| {
                self.is_target(peer) && (self.link(peer).unanswered || self.lacks(common, rows, peer))
            };
            if self.peers().any(needs) {
                self.flush.at = self.flush.last.map_or(now, |last| after(last, self.interval_us).max(now));
            }
        }
        if self.flush.at <= now {
            self.flush(common, rows, now);
        }
    }

    /// Sends a flush to exactly those children (or, as a root, peers) that lack something or wait for an answer. Peers
    /// that another relay serves may wait for the next flush.
    fn flush(&mut self, common: &mut Common<S>, rows: &Rows<S>, now: Instant) {
        self.flush.at = NEVER;
        self.flush.dirty = false;
        self.flush.last = Some(now);
        self.rounds += 1;
        for peer in self.peers() {
            if !self.is_target(peer) || !(self.link(peer).unanswered || self.lacks(common, rows, peer)) {
                continue;
            }
            if self.is_served(peer, now) {
                self.flush.dirty = true;
            } else {
                self.link_mut(peer).flushed = true;
                Self::write_full(common, peer, Want::Nothing);
            }
        }
        if self.is_root() {
            self.hand_on(common, now);
        }
    }

    pub(super) fn look_up(&mut self, common: &mut Common<S>, rows: &Rows<S>, now: Instant) {
        if self.is_root() {
            self.uplink.slot = NEVER;
            return;
        }
        if self.uplink.dirty && self.uplink.slot == NEVER {
            self.uplink.dirty = false;
            if self.uplink.urgent || self.lacks(common, rows, self.relay) {
                self.uplink.slot = self.slot(now);
            }
        }
        if self.uplink.slot <= now {
            self.uplink.slot = NEVER;
            self.uplink.dirty = false;
            self.rounds += 1;
            Self::write_full(common, self.relay, Want::Nothing);
        }
    }

    /// When an uplink leaves for which there is a reason now: just in time for the next flush.
    fn slot(&self, now: Instant) -> Instant {
        // While no round trip is measured, a long one is assumed, and the uplink does not wait beyond the next flush.
        let path = self.path(self.relay);
        let Some(down_at) = self.uplink.down_at.filter(|_| !self.uplink.urgent && self.keeps(Rule::Alignment)) else {
            return self.paced(now);
        };
        let guard_us = GUARD_US.max(path.var_us() * 5 / 2);
        let early_us = path.rtt_us() + guard_us;
        if guard_us > self.interval_us / 8 || self.interval_us < early_us + guard_us + 20_000 {
            return self.paced(now);
        }
        let next_down = after(down_at, self.uplink.next_us);
        let late = after(next_down, guard_us + LATE_US);
        let cut = Instant::from_micros(next_down.as_micros().saturating_sub(early_us));
        if now <= cut {
            cut
        } else if now < late && path.is_measured() {
            late
        } else {
            self.paced(now)
        }
    }

    /// When an uplink leaves that is not timed to a flush: at once in general. While the flush of the relay is overdue,
    /// one uplink per interval is enough, since the relay may be unreachable. If the relay has not flushed yet, the
    /// next uplink waits a round trip for an answer to the last one.
    fn paced(&self, now: Instant) -> Instant {
        let link = self.link(self.relay);
        let path = self.path(self.relay);
        let (due, pause_us) = match self.uplink.down_at {
            // While no round trip is measured, the last moment for an uplink to be in time for the next flush is not
            // known. So a few uplinks leave before it. The flush then echoes the last of them, which measures the round
            // trip.
            Some(down_at) if !path.is_measured() => {
                let awaited = now < after(down_at, self.uplink.next_us);
                (now, if awaited { path.rtt_us() / UNMEASURED } else { self.interval_us })
            }
            Some(down_at) => (after(down_at, self.uplink.next_us), self.interval_us),
            None => (now, path.rtt_us().min(self.interval_us)),
        };
        // If delays vary too much to time uplinks, there is still a pause between two of them.
        let longest_us = self.interval_us / 3;
        let apart_us = path.rtt_us().min(longest_us);
        let apart_us = apart_us.max(longest_us / 2);
        let overdue = link.asked || (due <= now && link.data_ord > 0);
        if overdue && !self.uplink.urgent && self.keeps(Rule::Pacing) {
            now.max(after(link.data_at, pause_us))
        } else if link.sent_ord > 0 && !self.uplink.urgent && self.keeps(Rule::Pacing) {
            now.max(after(link.data_at, apart_us))
        } else {
            now
        }
    }

    /// Sends everything that waits now.
    pub(super) fn leave_now(&mut self, common: &mut Common<S>, rows: &Rows<S>, now: Instant) {
        if !self.is_root() && self.lacks(common, rows, self.relay) {
            self.uplink.slot = NEVER;
            self.rounds += 1;
            Self::write_full(common, self.relay, Want::Nothing);
        }
        self.flush(common, rows, now);
    }
}
