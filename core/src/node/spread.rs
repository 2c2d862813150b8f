//! Gossip as requests see it: service knows no gossip, only the trait that it needs.

use super::events::{Events, Noted};
use crate::config::Config;
use crate::gossip::{Gossip, Hot};
use crate::id::NodeIndex;
use crate::replicated::{Made, Replica};
use crate::service::{Application, Spread};
use crate::time::Instant;

/// Gossip as requests see it, at the moment of the request.
pub(super) struct GossipSpread<'r, S: Application> {
    pub(super) gossip: &'r mut Gossip<S>,
    /// `None` when nobody wants events.
    pub(super) events: Option<&'r mut Events<S>>,
    pub(super) now: Instant,
}

impl<S: Application> GossipSpread<'_, S> {
    /// A local change was made: the one place from which gossip and events learn of it. `source`: the peer that asked for it,
    /// which need not be told.
    #[cfg_attr(feature = "fast", inline(always))]
    pub(super) fn made(&mut self, made: Made, source: Option<NodeIndex>) {
        self.gossip.news(made.lane, Hot::dot(made.dot, source), self.now);
        if let Some(events) = &mut self.events {
            events.push(Noted::Applied(made.dot));
        }
    }
}

impl<S: Application> Spread<S> for GossipSpread<'_, S> {
    #[cfg_attr(feature = "fast", inline(always))]
    fn made(&mut self, made: Made) {
        self.made(made, None);
    }

    fn configure(&mut self, config: &Config) {
        self.gossip.use_strategy(config.strategy, self.now);
        self.gossip.configure(config.fanout, config.gossip_interval_ms, self.now);
    }

    fn round_now(&mut self, replica: &Replica<S>) -> (u64, u64) {
        self.gossip.round_now(replica.sum().short(), &replica.causality.rows, self.now)
    }

    fn rounds(&self) -> u64 {
        self.gossip.rounds()
    }

    fn peers_synced(&mut self, replica: &Replica<S>) -> u64 {
        self.gossip.peers_that_agree(replica.sum().short()) as u64
    }
}
