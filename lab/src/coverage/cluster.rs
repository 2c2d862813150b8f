//! Nodes, a network and a clock. No clients, faults or checkers: those are the matter of a run.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use rand::{RngExt as _, SeedableRng as _};
use rand_xorshift::XorShiftRng;
use rumormill_core::storage::{Heap, Limits};
use rumormill_core::{Config, Instant, Node, Now, Transmit};

use super::Case;
use crate::net::Network;
use crate::settings::{Micros, NetworkMode, Settings};
use crate::sim::{Program, limits_for};

/// Wall time at the start, in microseconds since 1970.
const EPOCH_US: u64 = 1_700_000_000_000_000;
/// The value that spreads.
const VALUE: i64 = 7;

/// A cluster in virtual time.
pub(super) struct Cluster {
    nodes: Vec<Node<Heap>>,
    network: Network<Arc<[u8]>>,
    timers: BinaryHeap<Reverse<(Micros, usize)>>,
    /// What each node's timer is set to.
    due: Vec<Option<Micros>>,
    holds: Vec<bool>,
    arrivals: Vec<Micros>,
    origin: usize,
    now: Micros,
    last_message_us: Micros,
    events: u64,
    line: Vec<u8>,
}

impl Cluster {
    /// Nodes that have just been introduced to each other.
    pub(super) fn new(case: Case, interval_ms: u32, program: &Program) -> Result<Self, String> {
        let settings = Settings {
            nodes: case.nodes,
            latency_us: case.latency_us,
            network: NetworkMode::Precise,
            seed: case.seed,
            writers: 1,
            ..Settings::default()
        };
        // One value from one node: small tables, or 10,000 nodes need more memory than there is.
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
        let ids: Vec<String> = (0..case.nodes).map(|node| settings.id(node)).collect();
        let mut rng = XorShiftRng::seed_from_u64(case.seed ^ 0x6f72_6967_696e);
        let mut cluster = Self {
            nodes: Vec::with_capacity(case.nodes),
            network: Network::new(&settings),
            timers: BinaryHeap::new(),
            due: vec![None; case.nodes],
            holds: vec![false; case.nodes],
            arrivals: Vec::new(),
            origin: rng.random_range(0..case.nodes),
            now: 0,
            last_message_us: 0,
            events: 0,
            line: Vec::new(),
        };
        // In the order in which nodes keep them, so that none has to sort 10,000 names.
        let mut sorted: Vec<&str> = ids.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        for id in &ids {
            let mut node = Node::with_limits(config, limits).map_err(|error| format!("the built-in node: {error}"))?;
            node.join(id, sorted.iter().copied(), cluster.clock())
                .map_err(|error| format!("{id} does not take the list of nodes: {error:?}"))?;
            cluster.nodes.push(node);
        }
        (0..case.nodes).for_each(|node| cluster.after_step(node, 0));
        Ok(cluster)
    }

    /// A client broadcasts the value at some node; when.
    pub(super) fn broadcast(&mut self) -> Micros {
        let at = self.origin;
        let line = format!(
            r#"{{"id":0,"src":"c1","dest":"n{at}","body":{{"type":"broadcast","message":{VALUE},"msg_id":1}}}}"#
        );
        self.deliver(at, line.as_bytes());
        self.now
    }

    /// Runs to a moment, whether anything happens or not.
    pub(super) fn run_until(&mut self, until: Micros) {
        self.run_while(until, |_| true);
        self.now = self.now.max(until);
    }

    /// Runs as long as something happens before `until` and `goes_on` says so.
    pub(super) fn run_while(&mut self, until: Micros, goes_on: impl Fn(&Self) -> bool) {
        while goes_on(self) {
            let message = self.network.poll_timeout();
            let timer = self.next_timer();
            // What arrives at a moment is handled before the timers of that moment.
            let Some(next) = [message, timer].into_iter().flatten().min().filter(|next| *next < until) else { return };
            self.now = self.now.max(next);
            if message == Some(next) {
                while let Some(arrival) = self.network.poll(self.now) {
                    self.deliver(arrival.to, &arrival.payload);
                }
            } else if let Some(Reverse((_, node))) = self.timers.pop() {
                self.due[node] = None;
                let now = self.clock();
                self.nodes[node].handle_timeout(now);
                // A timer that was due is not due again at this moment, or time would stand still.
                self.after_step(node, self.now + 1);
            }
        }
    }

    /// The earliest timer; those that were set to another time since are dropped.
    fn next_timer(&mut self) -> Option<Micros> {
        while let Some(Reverse((at, node))) = self.timers.peek().copied() {
            if self.due[node] == Some(at) {
                return Some(at);
            }
            self.timers.pop();
        }
        None
    }

    fn deliver(&mut self, to: usize, line: &[u8]) {
        let now = self.clock();
        // What it refuses it counts; nothing that comes here is refused.
        let _ = self.nodes[to].handle_line(now, line);
        self.after_step(to, self.now);
    }

    /// Sends what a node has to say, and sets its timer, to `earliest` at the earliest.
    fn after_step(&mut self, at: usize, earliest: Micros) {
        self.events += 1;
        let now = self.clock();
        loop {
            self.line.clear();
            // A `Vec` takes everything.
            let Ok(Some(sent)) = self.nodes[at].poll_transmit(now, &mut self.line) else { break };
            let Transmit::Gossip(peer) = sent else { continue };
            let Some(member) = self.nodes[at].member() else { break };
            let id = member.replica().causality.members.id(peer);
            let Some(to) = id.strip_prefix('n').and_then(|digits| digits.parse().ok()) else { continue };
            let bytes = self.line.len();
            let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
            self.network.send(self.now, at, to, bytes, Arc::from(line));
            self.last_message_us = self.now;
        }
        if !self.holds[at] && self.nodes[at].member().is_some_and(|member| !member.store().set.is_empty()) {
            self.holds[at] = true;
            self.arrivals.push(self.now);
        }
        let timer = self.nodes[at].poll_timeout().map(|wakeup| wakeup.at.as_micros().max(earliest));
        if timer != self.due[at] {
            self.due[at] = timer;
            self.timers.extend(timer.map(|due| Reverse((due, at))));
        }
    }

    fn clock(&self) -> Now {
        Now { at: Instant::from_micros(self.now), wall_us: Some(EPOCH_US + self.now) }
    }

    /// How many nodes hold the value.
    pub(super) fn reached(&self) -> usize {
        self.arrivals.len()
    }

    /// When they came to hold it, in order.
    pub(super) fn arrivals(&self) -> &[Micros] {
        &self.arrivals
    }

    /// Messages between nodes so far.
    pub(super) fn messages(&self) -> u64 {
        self.network.counts().peer_sent
    }

    /// When the last of them was sent.
    pub(super) fn last_message_us(&self) -> Micros {
        self.last_message_us
    }

    /// Whether messages are under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.network.poll_timeout().is_some()
    }

    /// Whether nothing is under way and no timer is set.
    pub(super) fn is_silent(&mut self) -> bool {
        !self.is_under_way() && self.next_timer().is_none()
    }

    /// Lines and timers handled so far.
    pub(super) fn events(&self) -> u64 {
        self.events
    }
}
