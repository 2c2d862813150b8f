//! Clusters of nodes on the heap, with the operations of clients and the questions of these tests. Nodes, network and
//! time are those of `rumormill-sim`.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

pub mod one;

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use rumormill_core::gossip::Rule;
use rumormill_core::storage::{Heap, Limits};
use rumormill_core::{Config, Member};
use rumormill_sim::{Cluster, Delay, Delivery, Links, Seat, State};

/// The limits of a simulated node. They are small, so that thousands of nodes fit into memory.
pub fn limits(nodes: usize) -> Limits {
    Limits {
        nodes,
        rows: nodes * 4,
        known_peers: nodes,
        values: 8_192,
        set_text_bytes: 8_192,
        dense_values: 8_192,
        keys: 64,
        text_bytes: 16,
        store_text_bytes: 8_192,
        id_bytes: 8,
        rumors: 256,
        events: 32,
        payload_bytes: 1_024,
    }
}

/// SplitMix64, the random generator of a test, apart from those of the network and the nodes.
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        rumormill_core::id::mix(self.0)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }
}

/// Every message arrives once, after 100 ms.
pub const CALM: Links = Links {
    delay: Delay::Constant(100_000),
    loss: 0.0,
    duplicates: 0.0,
    bytes_per_second: None,
    delivery: Delivery::Precise,
};
pub const HOSTILE: Links =
    Links { delay: Delay::Uniform { least_us: 1_000, most_us: 250_000 }, loss: 0.3, duplicates: 0.1, ..CALM };

pub struct Sim {
    cluster: Cluster<Member<Heap>>,
    pub rng: Rng,
    /// Rules that are switched off in all nodes, also after a restart.
    without: Vec<Rule>,
    configs: Vec<Config>,
    limits: Limits,
    msg_id: u64,
}

impl Deref for Sim {
    type Target = Cluster<Member<Heap>>;

    fn deref(&self) -> &Self::Target {
        &self.cluster
    }
}

impl DerefMut for Sim {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.cluster
    }
}

/// A node for this seat, in the life that its configuration names.
fn joined(seat: Seat<'_>, config: Config, limits: Limits) -> Member<Heap> {
    Member::join_with_limits(config, limits, seat.id, seat.ids(), seat.now).unwrap()
}

impl Sim {
    pub fn new(nodes: usize, seed: u64, links: Links, config: Config) -> Self {
        Self::with_limits(nodes, seed, links, config, limits(nodes))
    }

    pub fn with_limits(nodes: usize, seed: u64, links: Links, config: Config, limits: Limits) -> Self {
        let configs: Vec<Config> =
            (0..nodes as u64).map(|at| Config { seed: seed ^ at, incarnation: 1_000_000 + at, ..config }).collect();
        let cluster = Cluster::new(nodes, links, seed, |seat| joined(seat, configs[seat.at], limits));
        Self { cluster, rng: Rng(seed), without: Vec::new(), configs, limits, msg_id: 0 }
    }

    fn start(&mut self, at: usize, limits: Limits) {
        let config = self.configs[at];
        self.cluster.start(at, |seat| joined(seat, config, limits));
        let without = self.without.clone();
        self.with(at, |node, _| without.iter().for_each(|rule| node.switch_off(*rule)));
    }

    /// Switches rules off in all nodes, and in those that start later.
    pub fn switch_off(&mut self, rules: &[Rule]) {
        self.without.extend_from_slice(rules);
        for at in 0..self.len() {
            self.with(at, |node, _| rules.iter().for_each(|rule| node.switch_off(*rule)));
        }
    }

    /// The process dies and starts again. Its memory is lost, and its life is a new one unless `incarnation` says
    /// otherwise.
    pub fn restart(&mut self, at: usize, incarnation: Option<u64>) {
        self.configs[at].incarnation = incarnation.unwrap_or(self.configs[at].incarnation + 1_000);
        self.start(at, self.limits);
    }

    /// Replaces a node by one with other capacities, from the start.
    pub fn replace(&mut self, at: usize, limits: Limits) {
        self.start(at, limits);
    }

    /// Cuts the links between the two sides, or only those from the first to the second.
    pub fn cut(&mut self, side: &[usize], one_way: bool) {
        if one_way { self.mute(side) } else { self.partition(side) }
    }

    /// Sends a request of a client, without delay. Returns the reply as JSON.
    pub fn ask(&mut self, at: usize, body: &str) -> serde_json::Value {
        self.msg_id += 1;
        let line = format!(r#"{{"src":"c1","dest":"n{at}","body":{{{body},"msg_id":{}}}}}"#, self.msg_id);
        let reply = self.deliver(at, line.as_bytes()).unwrap().unwrap_or_else(|| panic!("no reply to {line}"));
        serde_json::from_str(&reply).unwrap()
    }

    /// How many messages each node has sent.
    pub fn sent_by(&self) -> Vec<u64> {
        self.traffic().iter().map(|node| node.sent).collect()
    }

    /// The largest number of messages within any second. `of` groups the messages, and each group is counted by itself.
    /// Needs [`Cluster::keep_log`].
    pub fn worst_second<K: Ord>(&self, of: impl Fn(usize, usize) -> K) -> usize {
        let mut times: BTreeMap<K, Vec<u64>> = BTreeMap::new();
        for sent in self.log() {
            times.entry(of(sent.from, sent.to)).or_default().push(sent.at_us);
        }
        let within = |times: &Vec<u64>| {
            let count = |first: usize| times[first..].iter().take_while(|at| **at < times[first] + 1_000_000).count();
            (0..times.len()).map(count).max().unwrap_or(0)
        };
        times.values().map(within).max().unwrap_or(0)
    }

    /// All nodes hold the same state, and not only the same digest.
    pub fn assert_equal_states(&self) {
        let first = State::of(self.node(0));
        for (at, node) in self.nodes().enumerate() {
            let state = State::of(node);
            assert!(state == first, "n{at} differs: {}: {}", state.against(&first), self.summary());
            assert_eq!(node.digest(), self.node(0).digest());
        }
    }
}

/// Runs one operation of any kind at a random node. Returns the number that it adds to the counter.
pub fn operate(sim: &mut Sim, rng: &mut Rng, op: u64) -> i128 {
    let at = rng.below(sim.len() as u64) as usize;
    match rng.below(8) {
        0..=3 => {
            let value = if rng.chance(700) { format!("{op}") } else { format!("\"v{}\"", rng.below(60)) };
            sim.ask(at, &format!(r#""type":"broadcast","message":{value}"#));
        }
        4 | 5 => {
            let delta = rng.below(200) as i64 - 100;
            sim.ask(at, &format!(r#""type":"add","delta":{delta}"#));
            return i128::from(delta);
        }
        _ => {
            let key = rng.below(10);
            sim.ask(at, &format!(r#""type":"write","key":"k{key}","value":{op}"#));
        }
    }
    0
}

/// Runs a test for the seeds from 0 on, and names the seed that fails.
pub fn for_seeds(count: u64, run: impl Fn(u64) + std::panic::RefUnwindSafe) {
    for seed in 0..count {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("failing seed: {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

/// Runs mixed operations at random nodes, with cuts that come and go, some of them in one direction only. `cuts` draws
/// how many there are at once; with several of them "sees" is not transitive. Returns the expected value of the
/// counter.
pub fn abuse(sim: &mut Sim, ops: u64, mean_gap_us: u64, cuts: impl Fn(&mut Rng) -> u64) -> i128 {
    let nodes = sim.len();
    let mut rng = Rng(sim.rng.next());
    let mut total = 0;
    let mut next_cut = sim.now_us();
    for op in 0..ops {
        let at_us = sim.now_us() + rng.below(2 * mean_gap_us);
        sim.run_until(at_us);
        if sim.now_us() >= next_cut {
            next_cut = sim.now_us() + rng.below(4_000_000);
            sim.heal();
            for _ in 0..cuts(&mut rng) {
                let side: Vec<usize> = (0..nodes).filter(|_| rng.chance(400)).collect();
                sim.cut(&side, rng.chance(250));
            }
        }
        total += operate(sim, &mut rng, op);
    }
    total
}
