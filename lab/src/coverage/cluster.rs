//! Nodes, a network and a clock, and the nodes that hold the value. There are no clients, faults and checkers, which
//! only runs have.

use rand::{RngExt as _, SeedableRng as _};
use rand_xorshift::XorShiftRng;
use rumormill_core::storage::{Heap, Limits};
use rumormill_core::{Config, Member};
use rumormill_sim::EPOCH_US;

use super::Case;
use crate::net;
use crate::settings::{Micros, NetworkMode, Settings};
use crate::sim::{Program, limits_for};

/// The value that spreads.
const VALUE: i64 = 7;

/// A cluster in virtual time.
pub(super) struct Cluster {
    nodes: rumormill_sim::Cluster<Member<Heap>>,
    holds: Vec<bool>,
    arrivals: Vec<Micros>,
    origin: usize,
    events: u64,
}

impl Cluster {
    /// A cluster whose nodes have just been introduced to each other.
    pub(super) fn new(case: Case, interval_ms: u32, program: &Program) -> Result<Self, String> {
        let settings = Settings {
            nodes: case.nodes,
            latency_us: case.latency_us,
            network: NetworkMode::Precise,
            seed: case.seed,
            writers: 1,
            ..Settings::default()
        };
        // There is one value from one node, so tables are small. Otherwise 10,000 nodes would need too much memory.
        let small =
            Limits { rows: 4, values: 16, dense_values: 64, keys: 1, payload_bytes: 64, ..limits_for(&settings) };
        let limits = program.limits.unwrap_or(small);
        let config = Config {
            fanout: case.fanout,
            gossip_interval_ms: Some(interval_ms),
            seed: case.seed,
            incarnation: EPOCH_US / 1_000,
            ..program.config
        };
        let ids = (0..case.nodes).map(|node| settings.id(node));
        let mut rng = XorShiftRng::seed_from_u64(case.seed ^ 0x6f72_6967_696e);
        let mut nodes = rumormill_sim::Cluster::vacant(ids, net::links(&settings), case.seed);
        for at in 0..case.nodes {
            nodes.try_start(at, |seat| {
                Member::join_with_limits(config, limits, seat.id, seat.ids(), seat.now)
                    .map_err(|why| format!("the built-in node {}: {why}", seat.id))
            })?;
        }
        Ok(Self {
            nodes,
            holds: vec![false; case.nodes],
            arrivals: Vec::new(),
            origin: rng.random_range(0..case.nodes),
            events: case.nodes as u64,
        })
    }

    /// A client broadcasts the value at a node. Returns the moment.
    pub(super) fn broadcast(&mut self) -> Micros {
        let at = self.origin;
        let line = format!(
            r#"{{"id":0,"src":"c1","dest":"n{at}","body":{{"type":"broadcast","message":{VALUE},"msg_id":1}}}}"#
        );
        // A node counts what it refuses. It refuses none of these lines.
        let _ = self.nodes.deliver(at, line.as_bytes());
        self.note(at);
        self.nodes.now_us()
    }

    /// Runs to a moment, whether or not anything happens.
    pub(super) fn run_until(&mut self, until: Micros) {
        self.run_while(until + 1, |_| true);
        self.nodes.run_until(until);
    }

    /// Runs while something happens before `until` and `goes_on` is true.
    pub(super) fn run_while(&mut self, until: Micros, goes_on: impl Fn(&Self) -> bool) {
        while goes_on(self) && self.step(until - 1) {
            // All messages that arrive at one moment are one step.
            while self.nodes.next_arrival_us() == Some(self.nodes.now_us()) && self.step(self.nodes.now_us()) {}
        }
    }

    fn step(&mut self, until: Micros) -> bool {
        let stepped = self.nodes.step(until);
        stepped.into_iter().for_each(|at| self.note(at));
        stepped.is_some()
    }

    fn note(&mut self, at: usize) {
        self.events += 1;
        if !self.holds[at] && !self.nodes.node(at).store().set.is_empty() {
            self.holds[at] = true;
            self.arrivals.push(self.nodes.now_us());
        }
    }

    /// How many nodes hold the value.
    pub(super) fn reached(&self) -> usize {
        self.arrivals.len()
    }

    /// When the nodes got the value, in order.
    pub(super) fn arrivals(&self) -> &[Micros] {
        &self.arrivals
    }

    /// Messages between nodes so far.
    pub(super) fn messages(&self) -> u64 {
        self.nodes.counts().sent
    }

    /// When the last message was sent.
    pub(super) fn last_message_us(&self) -> Micros {
        self.nodes.last_sent_us()
    }

    /// Whether messages are under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.nodes.is_under_way()
    }

    /// Whether nothing is under way and no timer is set.
    pub(super) fn is_silent(&mut self) -> bool {
        self.nodes.is_silent()
    }

    /// Lines and timers handled so far.
    pub(super) fn events(&self) -> u64 {
        self.events
    }
}
