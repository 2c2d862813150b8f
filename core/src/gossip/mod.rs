//! Who is told what, and when: peers and what they are known to hold, fanout, rumor mongering, anti-entropy, timers.
//!
//! Knows no data type, only dots and lanes; writes no bytes: it queues *intents* ("send this peer what it lacks"), and a
//! message is made of the state as it is when the intent is polled. [`Common`] is what every strategy works with; a
//! strategy is a [`Scheduler`], and [`Rumor`] is the first.

mod agreement;
mod common;
mod fanout;
mod peers;
mod rumor;

use rand_xorshift::XorShiftRng;

use crate::causality::{Dot, Rows};
use crate::id::NodeIndex;
use crate::output::Wakeup;
use crate::replicated::Lane;
use crate::storage::{Limits, Storage};
use crate::time::Instant;

pub use agreement::Agreement;
pub use common::{Common, Heard, Hot, Scheduler, is_news_to};
pub use fanout::{Draw, Sampler};
pub use peers::{Life, Peers, Pending, Resume, Want};
pub use rumor::Rumor;

/// Gossip of one node: what is known, and the scheduler of the strategy.
pub struct Gossip<S: Storage> {
    /// Knowledge, randomness, choices.
    pub common: Common<S>,
    scheduler: Rumor<S>,
}

impl<S: Storage> Gossip<S> {
    /// For a cluster of `nodes` of which nothing is known; this node's digest, in short, is `sum`.
    #[must_use]
    pub fn new(nodes: usize, me: NodeIndex, limits: &Limits, rng: XorShiftRng, sum: u64) -> Self {
        Self { common: Common::new(nodes, me, limits, rng, sum), scheduler: Rumor::new(limits) }
    }

    /// Changes fanout and interval at once, timers that run included.
    pub fn configure(&mut self, fanout: u8, interval_ms: Option<u32>, now: Instant) {
        self.common.configure(fanout, interval_ms);
        self.scheduler.reconfigured(&self.common, now);
    }

    /// See [`Scheduler::start`].
    pub fn start(&mut self, now: Instant) {
        self.scheduler.start(&self.common, now);
    }

    /// See [`Scheduler::news`].
    #[inline]
    pub fn news(&mut self, lane: Lane, dot: Dot, source: Option<NodeIndex>, now: Instant) {
        self.scheduler.news(&mut self.common, lane, dot, source, now);
    }

    /// See [`Scheduler::heard`]. `sum` is this node's digest in short.
    pub fn heard(&mut self, heard: Heard, sum: u64, now: Instant) {
        self.common.refresh(sum);
        self.scheduler.heard(&mut self.common, heard, now);
    }

    /// A peer began a new life: whatever it was known to hold is void.
    pub fn reborn(&mut self, peer: NodeIndex, now: Instant) {
        self.common.agreement.remove(peer);
        self.scheduler.reborn(now);
    }

    /// See [`Scheduler::next_timeout`].
    #[must_use]
    #[inline]
    pub fn next_timeout(&self) -> Option<Wakeup> {
        self.scheduler.next_timeout()
    }

    /// See [`Scheduler::is_due`].
    #[must_use]
    #[inline]
    pub fn is_due(&self, now: Instant) -> bool {
        self.scheduler.is_due(now)
    }

    /// See [`Scheduler::timeout`].
    pub fn timeout(&mut self, sum: u64, now: Instant) {
        self.common.refresh(sum);
        self.scheduler.timeout(&mut self.common, sum, now);
    }

    /// See [`Scheduler::settle`].
    pub fn settle(&mut self, sum: u64) -> bool {
        self.common.refresh(sum);
        self.scheduler.settle(&self.common)
    }

    /// See [`Scheduler::round_now`].
    pub fn round_now(&mut self, sum: u64, rows: &Rows<S>, now: Instant) -> (u64, u64) {
        self.common.refresh(sum);
        self.scheduler.round_now(&mut self.common, rows, now)
    }

    /// See [`Scheduler::finish`].
    pub fn finish(&mut self, sum: u64, now: Instant) {
        self.common.refresh(sum);
        self.scheduler.finish(&mut self.common, sum, now);
    }

    /// See [`Scheduler::hot`].
    #[must_use]
    pub fn hot(&self) -> &[Hot] {
        self.scheduler.hot()
    }

    /// The first peer of the send queue was written to.
    pub fn sent_to_first(&mut self) {
        if self.common.peers.done() {
            self.scheduler.all_sent();
        }
    }

    /// Rounds run so far: pushes, ticks and exchanges of digests.
    #[must_use]
    pub fn rounds(&self) -> u64 {
        self.scheduler.rounds()
    }

    /// Rumors that were forgotten because too many waited.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.scheduler.forgotten()
    }
}
