//! How a node comes to be: made, and told of its cluster.

use rand_core::SeedableRng;
use rand_xorshift::XorShiftRng;

use super::{Node, Refusals, check_twice};
use crate::causality::HybridClock;
use crate::config::{Config, ConfigError, Strategy};
use crate::gossip::Gossip;
use crate::id::{NotACluster, mix2};
use crate::output::Events;
use crate::replicated::Replica;
use crate::service::{self, Answer, Head, Problem, Reply, Service};
use crate::stats::Stats;
use crate::storage::{Limits, Storage};
use crate::time::{Instant, Now};
use crate::wire::{Message, Out, Serial};

impl<S: Storage> Node<S> {
    /// A node with the capacities its storage comes with.
    ///
    /// # Errors
    /// A choice outside of its bounds.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with_limits(config, S::LIMITS)
    }

    /// A node with capacities of choice. Only the storage on the heap takes other capacities than its own.
    ///
    /// # Errors
    /// A choice outside of its bounds, or capacities that the storage cannot have.
    pub fn with_limits(config: Config, limits: Limits) -> Result<Self, ConfigError> {
        Self::check(&config, &limits)?;
        let mut node = Self::unfilled(&limits);
        node.fill(config);
        Ok(node)
    }

    /// Makes a node with the capacities its storage comes with in the place where it is to stay: for static memory, so that a
    /// value of this size does not go over the stack more often than it has to.
    ///
    /// # Errors
    /// A choice outside of its bounds; `place` is as it was.
    pub fn new_in(place: &mut Option<Self>, config: Config) -> Result<&mut Self, ConfigError> {
        config.check(&S::LIMITS)?;
        let node = place.insert(Self::unfilled(&S::LIMITS));
        node.fill(config);
        Ok(node)
    }

    fn check(config: &Config, limits: &Limits) -> Result<(), ConfigError> {
        if !S::ADJUSTABLE && *limits != S::LIMITS {
            return Err(ConfigError::Capacity { name: "capacities of fixed storage", min: 0, max: 0 });
        }
        config.check(limits)
    }

    /// A node whose tables are empty: nothing of them goes over the stack.
    #[inline(always)]
    fn unfilled(limits: &Limits) -> Self {
        Self {
            replica: Replica::unfilled(limits),
            gossip: None,
            service: Service::unfilled(limits),
            predictor: Default::default(),
            reply: Reply::default(),
            reply_waits: false,
            events: Events::default(),
            stats: Stats::default(),
            refusals: Refusals::default(),
            head: Head::default(),
            next_msg_id: Serial::default(),
            settled: false,
            config: Config::default(),
            limits: *limits,
        }
    }

    /// Fills the tables that are never empty, in place.
    fn fill(&mut self, config: Config) {
        self.replica.causality.clock = HybridClock::new(config.max_clock_ahead_ms.saturating_mul(1_000));
        self.config = config;
        // The seed itself shows in whom this node speaks to.
        self.replica.store.fill(&self.limits, mix2(config.seed, u64::from_be_bytes(*b"hashkeys")));
        self.service.bench.fill();
    }

    /// Joins the cluster of `ids` as `me`, as a line with `init` does.
    ///
    /// # Errors
    /// What is wrong with the list; nothing changed.
    pub fn join<'a>(&mut self, me: &str, ids: impl Iterator<Item = &'a str>, now: Now) -> Result<(), NotACluster> {
        if self.gossip.is_some() {
            return Err(NotACluster::JoinedAlready);
        }
        self.replica.causality.members.set(me, ids)?;
        self.begin(now);
        self.start(now);
        Ok(())
    }

    /// The request that makes the cluster known.
    pub(super) fn init(&mut self, now: Now, message: &Message<'_>) -> Result<Answer, Problem> {
        check_twice(message)?;
        service::init(message, &mut self.replica.causality.members, &self.limits)?;
        self.begin(now);
        Ok(Answer::Init)
    }

    /// The cluster is known: this life begins.
    #[cold]
    #[inline(never)]
    fn begin(&mut self, now: Now) {
        let members = &self.replica.causality.members;
        let (nodes, me) = (members.len(), members.me());
        self.head.clear();
        let mut out = Out::new(&mut self.head);
        out.head(members.id(me));
        // An id is at most half as long as the room for the head.
        let _ = out.finish();
        let salt = crate::id::hash_bytes(members.id(me).as_bytes());
        // An empty table has room for a row.
        let _ = self.replica.begin(self.config.incarnation);
        let rng = XorShiftRng::seed_from_u64(mix2(self.config.seed ^ salt, self.config.incarnation));
        let session = self.config.incarnation;
        let gossip = self.gossip.insert(Gossip::unfilled(nodes, me, &self.limits, rng, session));
        gossip.fill(&self.replica.causality.members, now.at);
        gossip.use_relay(self.config.strategy == Strategy::Relay, Instant::ZERO);
        gossip.configure(self.config.fanout, self.config.gossip_interval_ms, Instant::ZERO);
        self.settled = nodes == 1;
    }
}
