//! Who is told what, and when: peers and what they are known to hold, fanout, rumor mongering, anti-entropy, relay, timers.
//!
//! Knows no data type, only dots and lanes; writes no bytes: it queues *intents* ("send this peer what it lacks"), and a
//! message is made of the state as it is when the intent is polled. [`Common`] is what every strategy works with; a
//! strategy is a [`Scheduler`]: [`Rumor`] and [`Relay`].

mod agreement;
mod common;
mod fanout;
mod peers;
mod relay;
mod rumor;

use rand_xorshift::XorShiftRng;

use crate::causality::{Dot, RowId, Rows};
use crate::id::NodeIndex;
use crate::output::Wakeup;
use crate::replicated::Lane;
use crate::storage::{Limits, Storage};
use crate::time::Instant;

pub use agreement::Agreement;
pub use common::{Assumed, Common, Control, Echo, Heard, Hot, Scheduler, Sent, is_news_to};
pub use fanout::{Draw, Sampler};
pub use peers::{Life, Peers, Pending, Resume, Want};
pub use relay::{Relay, Rule};
pub use rumor::Rumor;

/// The scheduler in charge. One at a time: a change of strategy makes the other one.
#[derive(Clone)]
enum Active<S: Storage> {
    Rumor(Rumor<S>),
    Relay(Relay<S>),
}

/// Calls the scheduler in charge.
macro_rules! scheduler {
    ($gossip:expr, $name:ident => $call:expr) => {
        match $gossip {
            Active::Rumor($name) => $call,
            Active::Relay($name) => $call,
        }
    };
}

/// Gossip of one node: what is known, and the scheduler of the strategy.
#[derive(Clone)]
pub struct Gossip<S: Storage> {
    /// Knowledge, randomness, choices.
    pub common: Common<S>,
    scheduler: Active<S>,
    limits: Limits,
    started: bool,
}

impl<S: Storage> Gossip<S> {
    /// For a cluster of `nodes` of which nothing is known; this node's digest, in short, is `sum`. Before [`Gossip::fill`].
    #[must_use]
    #[inline(always)]
    pub fn unfilled(nodes: usize, me: NodeIndex, limits: &Limits, rng: XorShiftRng, sum: u64) -> Self {
        let scheduler = Active::Rumor(Rumor::new(limits));
        Self { common: Common::unfilled(nodes, me, limits, rng, sum), scheduler, limits: *limits, started: false }
    }

    /// Fills the tables that are never empty, where they are to stay.
    pub fn fill(&mut self) {
        self.common.fill(&self.limits);
    }

    /// Changes fanout and interval at once, timers that run included.
    pub fn configure(&mut self, fanout: u8, interval_ms: Option<u32>, now: Instant) {
        self.common.configure(fanout, interval_ms);
        scheduler!(&mut self.scheduler, s => s.reconfigured(&self.common, now));
    }

    /// Puts the scheduler with a relay in charge, or the one without. It begins as after a change of which nobody knows.
    /// Takes the memory of the new one, if the storage is on the heap.
    #[inline(never)]
    pub fn use_relay(&mut self, relay: bool, now: Instant) {
        let nodes = self.common.agreement.nodes();
        match (&self.scheduler, relay) {
            (Active::Rumor(_), true) => {
                self.scheduler = Active::Relay(Relay::unfilled(nodes, self.common.me(), &self.limits));
                if let Active::Relay(relay) = &mut self.scheduler {
                    relay.fill(nodes);
                }
            }
            (Active::Relay(_), false) => self.scheduler = Active::Rumor(Rumor::new(&self.limits)),
            (Active::Rumor(_), false) | (Active::Relay(_), true) => return,
        }
        if self.started {
            scheduler!(&mut self.scheduler, s => {
                s.start(&self.common, now);
                s.took_over(&mut self.common, now);
            });
        }
    }

    /// Switches off a rule of the scheduler with a relay: for tests that show what it is for.
    #[doc(hidden)]
    pub fn switch_off(&mut self, rule: Rule) {
        match &mut self.scheduler {
            Active::Rumor(_) => {}
            Active::Relay(relay) => relay.switch_off(rule),
        }
    }

    /// See [`Scheduler::start`].
    pub fn start(&mut self, now: Instant) {
        self.started = true;
        scheduler!(&mut self.scheduler, s => s.start(&self.common, now));
    }

    /// See [`Scheduler::news`]. Nothing is done where there is nobody to tell.
    #[inline]
    pub fn news(&mut self, lane: Lane, dot: Dot, source: Option<NodeIndex>, now: Instant) {
        if self.common.has_peers() {
            self.spread(lane, dot, source, now);
        }
    }

    #[inline(never)]
    fn spread(&mut self, lane: Lane, dot: Dot, source: Option<NodeIndex>, now: Instant) {
        scheduler!(&mut self.scheduler, s => s.news(&mut self.common, lane, dot, source, now));
    }

    /// See [`Scheduler::heard`]. `sum` is this node's digest in short.
    pub fn heard(&mut self, heard: Heard, sum: u64, rows: &Rows<S>, now: Instant) {
        self.common.refresh(sum);
        scheduler!(&mut self.scheduler, s => s.heard(&mut self.common, heard, rows, now));
    }

    /// A peer began a new life: whatever it was known to hold is void.
    pub fn reborn(&mut self, peer: NodeIndex, now: Instant) {
        self.common.agreement.remove(peer);
        scheduler!(&mut self.scheduler, s => Scheduler::<S>::reborn(s, peer, now));
    }

    /// See [`Scheduler::next_timeout`].
    #[must_use]
    #[inline]
    pub fn next_timeout(&self) -> Option<Wakeup> {
        scheduler!(&self.scheduler, s => s.next_timeout())
    }

    /// See [`Scheduler::is_due`].
    #[must_use]
    #[inline]
    pub fn is_due(&self, now: Instant) -> bool {
        scheduler!(&self.scheduler, s => s.is_due(now))
    }

    /// See [`Scheduler::timeout`].
    pub fn timeout(&mut self, sum: u64, rows: &Rows<S>, now: Instant) {
        self.common.refresh(sum);
        scheduler!(&mut self.scheduler, s => s.timeout(&mut self.common, sum, rows, now));
    }

    /// See [`Scheduler::settle`].
    pub fn settle(&mut self, sum: u64) -> bool {
        self.common.refresh(sum);
        scheduler!(&mut self.scheduler, s => s.settle(&self.common))
    }

    /// See [`Scheduler::round_now`].
    pub fn round_now(&mut self, sum: u64, rows: &Rows<S>, now: Instant) -> (u64, u64) {
        self.common.refresh(sum);
        scheduler!(&mut self.scheduler, s => s.round_now(&mut self.common, rows, now))
    }

    /// See [`Scheduler::finish`].
    pub fn finish(&mut self, sum: u64, rows: &Rows<S>, now: Instant) {
        self.common.refresh(sum);
        scheduler!(&mut self.scheduler, s => s.finish(&mut self.common, sum, rows, now));
    }

    /// See [`Scheduler::hot`].
    #[must_use]
    pub fn hot(&self) -> &[Hot] {
        scheduler!(&self.scheduler, s => Scheduler::<S>::hot(s))
    }

    /// See [`Scheduler::control`].
    #[must_use]
    pub fn control(&self, to: NodeIndex, now: Instant) -> Option<Control> {
        scheduler!(&self.scheduler, s => Scheduler::<S>::control(s, to, now))
    }

    /// See [`Scheduler::assumed`].
    #[must_use]
    pub fn assumed(&self, peer: NodeIndex) -> Option<Assumed<'_>> {
        scheduler!(&self.scheduler, s => s.assumed(&self.common, peer))
    }

    /// See [`Scheduler::old_frontier`].
    #[must_use]
    pub fn old_frontier(&self, row: RowId) -> u64 {
        scheduler!(&self.scheduler, s => Scheduler::<S>::old_frontier(s, row))
    }

    /// See [`Scheduler::sent`].
    pub fn sent(&mut self, sent: Sent, sum: u64, rows: &Rows<S>, now: Instant) {
        scheduler!(&mut self.scheduler, s => s.sent(&mut self.common, sent, sum, rows, now));
    }

    /// The first peer of the send queue was written to.
    pub fn sent_to_first(&mut self) {
        if self.common.peers.done() {
            scheduler!(&mut self.scheduler, s => Scheduler::<S>::all_sent(s));
        }
    }

    /// Rounds run so far: pushes, ticks and exchanges of digests, or flushes and uplinks.
    #[must_use]
    pub fn rounds(&self) -> u64 {
        scheduler!(&self.scheduler, s => Scheduler::<S>::rounds(s))
    }

    /// Rumors that were forgotten because too many waited.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        scheduler!(&self.scheduler, s => Scheduler::<S>::forgotten(s))
    }
}
