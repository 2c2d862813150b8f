//! The end of traffic: each node is told that all members hold the same state, and then no node sends anything.
//!
//! A node says `stable` only when it knows that all members hold its state in one view. If it said so while one member
//! was cut off, it would stop the timers of the others; if the relay died then, that member would lack a value for
//! ever.

use super::link::{NEVER, after};
use super::{LONGEST_US, PATIENCE_US, Relay, Rule, Want};
use crate::gossip::common::{Common, Heard};
use crate::storage::Storage;
use crate::time::Instant;

impl<S: Storage> Relay<S> {
    /// Something has changed: it is no longer known that all members agree.
    pub(super) fn no_longer_stable(&mut self, now: Instant) {
        self.quiet.ask_pause_us = 4 * self.acknowledged_us();
        if !self.keeps(Rule::StableWord) {
            return;
        }
        self.quiet.ask_at = after(now, 3 * self.acknowledged_us() + PATIENCE_US);
        if core::mem::take(&mut self.quiet.stable) {
            for link in self.links.iter_mut() {
                link.told = false;
            }
        }
    }

    /// The relay says `stable`, and this node passes that on. It does so only if it has the same digest and view as the
    /// relay, and so has learned itself that all members agree.
    pub(super) fn hear_stable(&mut self, common: &Common<S>, heard: &Heard) {
        let said = heard.control.is_some_and(|control| control.stable);
        let known = common.is_settled() || !self.keeps(Rule::StableByAll);
        if said && heard.from == self.relay && heard.equal && known && !self.quiet.stable {
            self.quiet.stable = true;
            self.quiet.tell = true;
        }
    }

    pub(super) fn look_for_silence(&mut self, common: &mut Common<S>, now: Instant) {
        let busy = self.flush.at != NEVER || self.flush.dirty;
        if self.is_root() && !self.quiet.stable && !busy && !self.keeps(Rule::StableByAll) {
            let targets = self.peers().filter(|peer| !self.link(*peer).suspected);
            self.quiet.stable = targets.into_iter().all(|peer| common.agreement.contains(peer));
            self.quiet.tell = self.quiet.stable;
        }
        if common.is_settled() && !self.quiet.stable {
            self.quiet.stable = true;
            self.quiet.tell = true;
            self.ask_at = NEVER;
        } else if self.quiet.stable && !common.is_settled() && self.keeps(Rule::StableByAll) {
            // Some member has shown another digest or view since.
            self.no_longer_stable(now);
        }
        if self.quiet.stable {
            self.quiet.ask_at = NEVER;
            if core::mem::take(&mut self.quiet.tell) {
                for peer in self.peers() {
                    if self.is_target(peer) && !self.link(peer).told {
                        Self::write(common, peer, Want::Nothing);
                    }
                }
            }
        }
    }

    /// Traffic has ended, but nobody has said `stable`: asks for what is missing.
    pub(super) fn ask_for_silence(&mut self, common: &mut Common<S>, now: Instant) {
        self.quiet.ask_at = after(now, self.quiet.ask_pause_us);
        self.quiet.ask_pause_us = (2 * self.quiet.ask_pause_us).min(LONGEST_US);
        if !self.is_root() {
            // A relay that agrees with this node waits for another member. It is not asked while this node asks others
            // already: whether the relay is still alive matters only at the next change.
            let asks_others = self.watch.digest_at != NEVER || self.ask_at != NEVER;
            if !common.agreement.contains(self.relay) || !asks_others {
                Self::write_full(common, self.relay, Want::Reply);
            }
            return;
        }
        for peer in self.peers() {
            if self.is_target(peer) && !common.agreement.contains(peer) {
                Self::write_full(common, peer, Want::Reply);
            }
        }
    }
}
