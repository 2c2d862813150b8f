//! The rules that faults need: acknowledgements, questions, suspicion, probes, random digests, gaps.

use super::link::{NEVER, after, since};
use super::{LONGEST_US, Relay, Rule, SOURCE_US, Want};
use crate::causality::Rows;
use crate::gossip::common::{Common, Heard};
use crate::gossip::fanout::Draw;
use crate::id::NodeIndex;
use crate::storage::Storage;
use crate::time::Instant;

/// A root probes its suspects in turn. The pause between two probes, in microseconds, is `PROBE_ONE_US` divided by the
/// number of suspects, and at least `PROBE_LEAST_US`.
const PROBE_ONE_US: u64 = 500_000;
const PROBE_LEAST_US: u64 = 250_000;
/// Other nodes probe the suspects that are ranked before their relay. This is the first pause, in microseconds.
const PROBE_UP_US: u64 = 2_000_000;
/// When a suspect answers, all others are probed at once, but at most once in this time, in microseconds.
const PROBE_ALL_US: u64 = 500_000;
/// The first pause between two random digests, in microseconds.
const DIGEST_US: u64 = 1_500_000;
/// If delays vary more than this, in microseconds, a gap is not asked for at once: it may close by itself.
const JITTER_US: u64 = 30_000;
/// After this many questions for a gap that stays open, the pause between two of them doubles each time.
const GAP_TRIES: u8 = 4;
/// The least time between two answers to one peer, in microseconds. Answers that would leave sooner become one.
const APART_US: u64 = 100_000;
/// How much longer than the time for an answer a node waits before it asks for a gap again, in microseconds.
const GAP_SLACK_US: u64 = 200_000;

impl<S: Storage> Relay<S> {
    /// The age of the second vector in a random digest, in microseconds.
    pub(super) fn old_us(&self) -> u64 {
        self.interval_us + 2 * self.path.rtt_us() + 100_000
    }

    /// Notes that entries or sessions came, which have to be acknowledged.
    pub(super) fn hear_data(&mut self, heard: &Heard, now: Instant) {
        if !heard.data && !heard.lives {
            return;
        }
        let from = heard.from;
        if self.is_target(from) {
            self.link_mut(from).unanswered = true;
            self.flush.dirty = true;
            return;
        }
        let flushed = heard.control.is_some_and(|control| control.flush_ms.is_some());
        // The flush with which a relay hands its rank on names the next relay. It is acknowledged to that one.
        let handed_on = flushed && heard.control.is_some_and(|control| control.relay == Some(self.relay));
        let to = if handed_on { self.relay } else { from };
        let hold_us = if to == self.relay && flushed { self.acknowledged_us() } else { self.interval_us };
        let link = self.link_mut(to);
        link.ack_due = link.ack_due.min(after(now, hold_us));
        self.links_at = self.links_at.min(self.link(to).ack_due);
    }

    /// Looks for entries that are missing here, or at the peer.
    pub(super) fn hear_gaps(&mut self, common: &mut Common<S>, heard: &Heard, rows: &Rows<S>, now: Instant) {
        let from = heard.from;
        let path = self.path(from);
        let long_behind = heard.long_behind || !self.keeps(Rule::OldDigest);
        let acknowledged_us = self.acknowledged_us();
        let elsewhere = common.source(now).is_some_and(|source| source != from);
        let link = self.link_mut(from);
        link.unknown = heard.unknown;
        if heard.news {
            link.gap_tries = 0;
        }
        if !heard.behind {
            link.gap_due = NEVER;
            link.gap_tries = 0;
        } else if heard.cut && heard.news {
            // The rest comes only when it is asked for, and one peer is enough.
            link.gap_due = if elsewhere { after(now, SOURCE_US) } else { now.max(after(link.sent_at, APART_US)) };
        } else if link.gap_due == NEVER {
            let told = heard.control.is_some_and(|control| control.stable);
            if heard.full && !elsewhere {
                let wait_us = if path.var_us() > JITTER_US { 4 * path.var_us() } else { 0 };
                link.gap_due = after(now, wait_us);
            } else if told || (long_behind && heard.control.is_some_and(|control| control.old)) {
                link.gap_due = now;
            } else {
                // The missing entries may still come from the relay.
                link.gap_due = after(now, acknowledged_us);
            }
        }
        if self.link(from).gap_due <= now {
            self.ask_for_gap(common, from, now);
        }
        self.links_at = self.links_at.min(self.link(from).gap_due);
        self.fill_gaps(common, heard, rows, now);
    }

    /// Sends a peer what it lacks, if it asked for that or has lacked it for long.
    fn fill_gaps(&mut self, common: &mut Common<S>, heard: &Heard, rows: &Rows<S>, now: Instant) {
        let from = heard.from;
        let path = self.path(from);
        let may_fill = common.peers.may_fill(from, now) || !self.keeps(Rule::Window);
        let random = heard.control.is_some_and(|control| control.old);
        let link = self.link(from);
        // A peer sees a gap by a message that has arrived, so only an earlier answer under way can fill it. If that
        // answer was cut, the peer asks for the next part.
        let answered = since(now, link.filled_at) <= path.rtt_us() + 2 * path.var_us() && link.data_ord > 0;
        let gap = heard.want == Want::Gap && !answered;
        let lacks_long = random && !link.in_flight(path, now) && self.had_long(common, from, rows);
        let repair = common.peers.is_diverged(from);
        if may_fill && (gap || lacks_long || repair) {
            let link = self.link_mut(from);
            link.snapshot = 0;
            link.filled_at = now;
            Self::write_full(common, from, Want::Nothing);
        } else if heard.want == Want::Gap {
            self.answer(common, from, now);
        }
    }

    /// Answers with a message that has a digest and no entries.
    fn answer(&mut self, common: &mut Common<S>, to: NodeIndex, now: Instant) {
        let link = self.link_mut(to);
        let at = after(link.sent_at, APART_US);
        if link.sent_ord > 0 && at > now {
            link.ack_due = link.ack_due.min(at);
            self.links_at = self.links_at.min(at);
        } else {
            Self::write(common, to, Want::Nothing);
        }
    }

    fn ask_for_gap(&mut self, common: &mut Common<S>, peer: NodeIndex, now: Instant) {
        let pause_us =
            (self.path(peer).rto_us() + GAP_SLACK_US) << self.link(peer).gap_tries.saturating_sub(GAP_TRIES).min(6);
        let link = self.link_mut(peer);
        link.gap_tries = link.gap_tries.saturating_add(1);
        link.gap_due = after(now, pause_us.min(LONGEST_US));
        if self.keeps(Rule::Gaps) {
            Self::write(common, peer, Want::Gap);
        }
    }

    /// Whether a peer has shown all that it is assumed to hold. True also if its vector is not kept, since then nobody
    /// can tell.
    pub(super) fn has_shown(&self, common: &Common<S>, rows: &Rows<S>, peer: NodeIndex) -> bool {
        let assumed = self.assumed_of(common, peer);
        let Some(vector) = common.peers.vector(peer) else { return true };
        rows.iter().all(|(id, row)| {
            let frontier = assumed.frontier(peer, id, row);
            frontier == u64::MAX || frontier <= vector.get(id.at()).copied().unwrap_or(0)
        })
    }

    /// Whether a peer has shown all that this node holds.
    pub(super) fn covers(&self, common: &Common<S>, rows: &Rows<S>, peer: NodeIndex) -> bool {
        let vector = common.peers.vector(peer).unwrap_or(&[]);
        rows.iter().all(|(id, row)| row.frontier <= vector.get(id.at()).copied().unwrap_or(0))
    }

    /// Whether a peer lacks entries that this node has had for some time.
    fn had_long(&self, common: &Common<S>, peer: NodeIndex, rows: &Rows<S>) -> bool {
        let vector = common.peers.vector(peer).unwrap_or(&[]);
        let life = common.peers.life(peer);
        !common.agreement.contains(peer)
            && rows.iter().any(|(id, row)| {
                let own = row.node == peer && Some(row.incarnation) == life;
                let held = if self.keeps(Rule::OldDigest) { self.aged.frontier(id) } else { row.frontier };
                !own && held > vector.get(id.at()).copied().unwrap_or(0)
            })
    }

    /// Answers a peer that asks for a reply. Questions for a gap are answered in `fill_gaps`.
    pub(super) fn hear_questions(&mut self, common: &mut Common<S>, heard: &Heard, now: Instant) {
        if heard.want != Want::Reply {
            return;
        }
        // While there is traffic, entries take the usual way, with uplinks and flushes.
        let quiet = since(now, self.quiet.last_change) > self.acknowledged_us();
        let in_flight = self.link(heard.from).in_flight(self.path(heard.from), now);
        if quiet && !heard.equal && !in_flight && self.refill(heard.from, now) {
            Self::write_full(common, heard.from, Want::Nothing);
        } else {
            self.answer(common, heard.from, now);
        }
    }

    /// Runs the deadlines of links that are due. O(peers).
    pub(super) fn links_due(&mut self, common: &mut Common<S>, rows: &Rows<S>, now: Instant) {
        self.links_at = NEVER;
        for peer in self.peers() {
            if self.link(peer).next() <= now {
                self.link_due(common, rows, peer, now);
            }
            self.links_at = self.links_at.min(self.link(peer).next());
        }
    }

    fn link_due(&mut self, common: &mut Common<S>, rows: &Rows<S>, peer: NodeIndex, now: Instant) {
        let rto_us = self.path(peer).rto_us();
        let watched = self.is_watched(peer);
        let full = peer == self.relay || !self.keeps(Rule::EmptyAcknowledgements);
        let asks = self.keeps(Rule::Question);
        let link = self.link_mut(peer);
        if link.ack_due <= now {
            link.ack_due = NEVER;
            if full {
                Self::write_full(common, peer, Want::Nothing);
            } else {
                Self::write(common, peer, Want::Nothing);
            }
        }
        if link.deadline <= now {
            if !watched {
                link.deadline = NEVER;
                link.asked = false;
            } else if link.asked || !asks {
                self.suspect(common, peer, now);
            } else {
                // The entries may be lost, so the question carries them again.
                link.asked = true;
                link.deadline = after(now, rto_us);
                if self.refill(peer, now) {
                    Self::write_full(common, peer, Want::Reply);
                } else {
                    Self::write(common, peer, Want::Reply);
                }
            }
        }
        if self.link(peer).gap_due <= now {
            let vector = common.peers.vector(peer).unwrap_or(&[]);
            let behind = rows.iter().any(|(id, row)| vector.get(id.at()).is_some_and(|theirs| *theirs > row.frontier));
            if behind || self.link(peer).unknown {
                self.ask_for_gap(common, peer, now);
            } else {
                self.link_mut(peer).gap_due = NEVER;
            }
        }
    }

    fn suspect(&mut self, common: &mut Common<S>, peer: NodeIndex, now: Instant) {
        self.link_mut(peer).suspect();
        self.watch.suspects += 1;
        self.watch.last_suspicion = now;
        self.watch.probe_pause_us = PROBE_UP_US;
        self.flush.dirty = true;
        self.uplink.dirty = true;
        self.hurry_digests(common, now);
    }

    pub(super) fn forgive(&mut self, peer: NodeIndex) {
        if core::mem::take(&mut self.link_mut(peer).suspected) {
            self.watch.suspects -= 1;
            self.flush.dirty = true;
            self.uplink.dirty = true;
            self.quiet.tell = true;
        }
    }

    /// Any message from a suspect clears the suspicion. The fault may be over for other suspects too, so a root probes
    /// them.
    pub(super) fn clear_suspicion(&mut self, common: &mut Common<S>, from: NodeIndex, now: Instant) {
        if !self.link(from).suspected {
            return;
        }
        self.forgive(from);
        if self.is_root() {
            self.quiet.stable = false;
            let next = after(self.watch.all_at, PROBE_ALL_US);
            if next <= now {
                self.probe_all(common, now);
            } else if self.watch.suspects > 0 {
                self.watch.all_wanted = true;
                self.watch.probe_at = self.watch.probe_at.min(next);
            }
        }
    }

    fn probe_all(&mut self, common: &mut Common<S>, now: Instant) {
        self.watch.all_at = now;
        self.watch.all_wanted = false;
        for peer in self.peers().filter(|peer| self.link(*peer).suspected) {
            Self::write(common, peer, Want::Reply);
        }
    }

    /// Whether a peer is suspected and this node needs it: a root needs all peers, another node those ranked before its
    /// relay.
    fn is_relevant(&self, peer: NodeIndex) -> bool {
        self.link(peer).suspected && (self.is_root() || self.rank(peer) < self.rank(self.relay))
    }

    /// Sets or clears the timers of probes and random digests.
    pub(super) fn look_for_suspects(&mut self, common: &mut Common<S>, now: Instant) {
        let relevant = self.watch.suspects > 0 && self.peers().any(|peer| self.is_relevant(peer));
        if !relevant {
            self.watch.probe_at = NEVER;
            self.watch.digest_at = NEVER;
            return;
        }
        if self.watch.probe_at == NEVER && self.keeps(Rule::Probes) {
            self.watch.probe_at = after(now, self.probe_pause_us(common, now));
        }
        if self.watch.digest_at == NEVER && self.keeps(Rule::RandomDigests) {
            self.watch.digest_pause_us = DIGEST_US;
            self.watch.digest_at = after(now, jittered(common, DIGEST_US));
        }
    }

    fn probe_pause_us(&mut self, common: &mut Common<S>, now: Instant) -> u64 {
        if !self.is_root() {
            let pause = self.watch.probe_pause_us.max(PROBE_UP_US);
            self.watch.probe_pause_us = (2 * pause).min(LONGEST_US);
            return pause;
        }
        let base = (PROBE_ONE_US / self.watch.suspects.max(1) as u64).max(PROBE_LEAST_US);
        let quiet = since(now, self.quiet.last_change.max(self.watch.last_suspicion));
        jittered(common, base.max((quiet / 2).min(LONGEST_US)))
    }

    pub(super) fn probe(&mut self, common: &mut Common<S>, now: Instant) {
        self.watch.probe_at = NEVER;
        if self.watch.all_wanted && self.is_root() {
            self.probe_all(common, now);
            return;
        }
        let nodes = self.nodes();
        let turns = (1..=nodes).map(|step| NodeIndex((self.watch.cursor + step) % nodes));
        let Some(peer) = turns.into_iter().find(|peer| *peer != self.me && self.is_relevant(*peer)) else {
            return;
        };
        self.watch.cursor = peer.0;
        Self::write(common, peer, Want::Reply);
        self.watch.probe_at = after(now, self.probe_pause_us(common, now));
    }

    /// After a change, random digests are sent at short intervals again.
    pub(super) fn hurry_digests(&mut self, common: &mut Common<S>, now: Instant) {
        self.watch.digest_pause_us = DIGEST_US;
        if self.watch.digest_at != NEVER && self.watch.digest_at > after(now, DIGEST_US * 5 / 4) {
            self.watch.digest_at = after(now, jittered(common, DIGEST_US));
        }
    }

    pub(super) fn random_digest(&mut self, common: &mut Common<S>, now: Instant) {
        let mut draw = Draw::default();
        while let Some(peer) = common.draw(&mut draw) {
            if !self.link(peer).suspected {
                self.link_mut(peer).random = true;
                Self::write(common, peer, Want::Nothing);
                break;
            }
        }
        let pause = self.watch.digest_pause_us;
        self.watch.digest_pause_us = (pause * 3 / 2).min(LONGEST_US);
        self.watch.digest_at = after(now, jittered(common, pause));
    }
}

fn jittered<S: Storage>(common: &mut Common<S>, us: u64) -> u64 {
    common.jittered(us / 1_000) * 1_000
}
