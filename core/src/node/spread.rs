//! Gossip as requests see it: service knows no gossip, only the trait that it needs.

use crate::causality::Dot;
use crate::config::{Config, Strategy};
use crate::gossip::{Gossip, Hot};
use crate::replicated::{Lane, Replica};
use crate::service::Spread;
use crate::storage::Storage;
use crate::time::Instant;

/// Gossip as requests see it, at the moment of the request.
pub(super) struct GossipSpread<'r, S: Storage> {
    pub(super) gossip: &'r mut Gossip<S>,
    pub(super) now: Instant,
}

impl<S: Storage> Spread<S> for GossipSpread<'_, S> {
    #[inline]
    fn news(&mut self, lane: Lane, dot: Dot) {
        self.gossip.news(lane, Hot::dot(dot, None), self.now);
    }

    fn configure(&mut self, config: &Config) {
        self.gossip.use_relay(config.strategy == Strategy::Relay, self.now);
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
