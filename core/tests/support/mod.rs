//! A network in virtual time for nodes in process: loss, duplication, reordering, cuts, restarts. Deterministic by seed.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

pub mod one;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use rumormill_core::causality::RowId;
use rumormill_core::gossip::Rule;
use rumormill_core::replicated::Sign;
use rumormill_core::storage::{Heap, Limits, Storage};
use rumormill_core::{Config, Instant, Node, NodeIndex, Now, Transmit, Value};

/// Wall time at the start of every simulation.
const EPOCH_US: u64 = 1_700_000_000_000_000;

/// Limits of a simulated node: small, so that thousands fit into memory.
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
        payload_bytes: 1_024,
    }
}

/// SplitMix64: the simulator's own randomness, apart from that of the nodes.
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

/// What the network does to messages between nodes.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    pub loss_per_mille: u64,
    pub duplicate_per_mille: u64,
    /// Delay in microseconds: uniform between these.
    pub delay_us: (u64, u64),
}

pub const CALM: Faults = Faults { loss_per_mille: 0, duplicate_per_mille: 0, delay_us: (100_000, 100_001) };
pub const HOSTILE: Faults = Faults { loss_per_mille: 300, duplicate_per_mille: 100, delay_us: (1_000, 250_000) };

/// What comes to a node that stands still is tried again after so long.
const STOPPED_US: u64 = 1_000;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Delivery {
    at_us: u64,
    order: u64,
    to: usize,
    line: Vec<u8>,
}

pub struct Sim {
    pub nodes: Vec<Node<Heap>>,
    pub ids: Vec<String>,
    pub faults: Faults,
    /// Links that are cut, as (from, to).
    pub cut: BTreeSet<(usize, usize)>,
    pub rng: Rng,
    pub now_us: u64,
    pub sent: u64,
    pub sent_by: Vec<u64>,
    /// Bytes sent to each node.
    pub bytes_to: Vec<u64>,
    /// What each link carries in a second, if that is bounded: then messages wait for those before them.
    pub bytes_per_second: Option<u64>,
    /// When each link has carried what it was given.
    free_us: BTreeMap<(usize, usize), u64>,
    /// Nodes that stand still: messages for them wait, and so do their timers.
    stopped: BTreeSet<usize>,
    /// Rules that are switched off, also after a restart.
    without: Vec<Rule>,
    pub last_sent_us: u64,
    pub longest_line: usize,
    /// When each message left, from whom and to whom, if that is kept.
    pub log: Option<Vec<(u64, usize, usize)>>,
    /// Hash of every byte that any node wrote, in order.
    pub history: u64,
    configs: Vec<Config>,
    limits: Limits,
    queue: BinaryHeap<Reverse<Delivery>>,
    order: u64,
    msg_id: u64,
}

impl Sim {
    pub fn new(nodes: usize, seed: u64, faults: Faults, config: Config) -> Self {
        Self::with_limits(nodes, seed, faults, config, limits(nodes))
    }

    pub fn with_limits(nodes: usize, seed: u64, faults: Faults, config: Config, limits: Limits) -> Self {
        let ids: Vec<String> = (0..nodes).map(|at| format!("n{at}")).collect();
        let configs: Vec<Config> =
            (0..nodes as u64).map(|at| Config { seed: seed ^ at, incarnation: 1_000_000 + at, ..config }).collect();
        let mut sim = Self {
            nodes: configs.iter().map(|config| Node::with_limits(*config, limits).unwrap()).collect(),
            ids,
            faults,
            cut: BTreeSet::new(),
            rng: Rng(seed),
            now_us: 0,
            sent: 0,
            sent_by: vec![0; nodes],
            bytes_to: vec![0; nodes],
            bytes_per_second: None,
            free_us: BTreeMap::new(),
            stopped: BTreeSet::new(),
            without: Vec::new(),
            last_sent_us: 0,
            longest_line: 0,
            log: None,
            history: 0,
            configs,
            limits,
            queue: BinaryHeap::new(),
            order: 0,
            msg_id: 0,
        };
        (0..nodes).for_each(|at| sim.join(at));
        sim
    }

    fn join(&mut self, at: usize) {
        let now = self.now();
        self.nodes[at].join(&self.ids[at], self.ids.iter().map(String::as_str), now).unwrap();
        self.without.iter().for_each(|rule| self.nodes[at].switch_off(*rule));
    }

    /// Switches rules off in all nodes, and in those that start later.
    pub fn switch_off(&mut self, rules: &[Rule]) {
        self.without.extend_from_slice(rules);
        self.nodes.iter_mut().for_each(|node| rules.iter().for_each(|rule| node.switch_off(*rule)));
    }

    /// The process stands still.
    pub fn stop(&mut self, at: usize) {
        self.stopped.insert(at);
    }

    /// It goes on, with all that has waited for it.
    pub fn go_on(&mut self, at: usize) {
        self.stopped.remove(&at);
    }

    /// The process dies and starts again: the memory is lost, the life is a new one unless `incarnation` says otherwise.
    pub fn restart(&mut self, at: usize, incarnation: Option<u64>) {
        self.configs[at].incarnation = incarnation.unwrap_or(self.configs[at].incarnation + 1_000);
        self.nodes[at] = Node::with_limits(self.configs[at], self.limits).unwrap();
        self.join(at);
    }

    /// The node is one with other capacities from the start.
    pub fn replace(&mut self, at: usize, limits: Limits) {
        self.nodes[at] = Node::with_limits(self.configs[at], limits).unwrap();
        self.join(at);
    }

    pub fn now(&self) -> Now {
        Now { at: Instant::from_micros(self.now_us), wall_us: Some(EPOCH_US + self.now_us) }
    }

    /// Cuts the links between the two sides, or only those from the first to the second.
    pub fn partition(&mut self, side: &[usize], one_way: bool) {
        for from in 0..self.nodes.len() {
            for to in 0..self.nodes.len() {
                if side.contains(&from) && !side.contains(&to) {
                    self.cut.insert((from, to));
                    if !one_way {
                        self.cut.insert((to, from));
                    }
                }
            }
        }
    }

    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// A client's request, without delay; the reply as JSON.
    pub fn ask(&mut self, at: usize, body: &str) -> serde_json::Value {
        self.msg_id += 1;
        let line = format!(r#"{{"src":"c1","dest":"{}","body":{{{body},"msg_id":{}}}}}"#, self.ids[at], self.msg_id);
        self.deliver(at, line.as_bytes()).unwrap_or_else(|| panic!("no reply to {line}"))
    }

    /// Hands a line to a node. Gives the reply, if there is one.
    pub fn deliver(&mut self, to: usize, line: &[u8]) -> Option<serde_json::Value> {
        let now = self.now();
        self.nodes[to].handle_line(now, line).unwrap();
        self.drain(to)
    }

    /// Polls everything a node has to send. Gives the reply, if there is one.
    pub fn drain(&mut self, at: usize) -> Option<serde_json::Value> {
        let now = self.now();
        let mut reply = None;
        loop {
            let mut line = Vec::new();
            match self.nodes[at].poll_transmit(now, &mut line).unwrap() {
                None => return reply,
                Some(Transmit::Reply) => reply = Some(serde_json::from_slice(&line).unwrap()),
                Some(Transmit::Gossip(to)) => self.send(at, to, &line),
            }
        }
    }

    fn send(&mut self, from: usize, to: NodeIndex, line: &[u8]) {
        self.history = rumormill_core::id::mix2(self.history, rumormill_core::id::hash_bytes(line));
        let limit = self.configs[from].max_message_bytes;
        assert!(line.len() <= limit, "{} bytes, limit {limit}: {}", line.len(), String::from_utf8_lossy(line));
        self.longest_line = self.longest_line.max(line.len());
        self.sent += 1;
        self.sent_by[from] += 1;
        self.last_sent_us = self.now_us;
        let id = self.nodes[from].replica().causality.members.id(to).to_owned();
        let to = self.ids.iter().position(|other| *other == id).unwrap();
        self.bytes_to[to] += line.len() as u64;
        if let Some(log) = &mut self.log {
            log.push((self.now_us, from, to));
        }
        if self.cut.contains(&(from, to)) || self.rng.chance(self.faults.loss_per_mille) {
            return;
        }
        let carried_us = self.bytes_per_second.map_or(0, |rate| {
            let free_us = self.free_us.entry((from, to)).or_default();
            *free_us = (*free_us).max(self.now_us) + line.len() as u64 * 1_000_000 / rate;
            *free_us - self.now_us
        });
        let copies = 1 + u64::from(self.rng.chance(self.faults.duplicate_per_mille));
        for _ in 0..copies {
            let (least, most) = self.faults.delay_us;
            let at_us = self.now_us + carried_us + least + self.rng.below((most - least).max(1));
            self.order += 1;
            self.queue.push(Reverse(Delivery { at_us, order: self.order, to, line: line.to_vec() }));
        }
    }

    /// Runs until `until_us`, or until nothing is due any more.
    pub fn run_until(&mut self, until_us: u64) {
        loop {
            let timer = (0..self.nodes.len())
                .filter(|at| !self.stopped.contains(at))
                .filter_map(|at| Some((self.nodes[at].poll_timeout()?.at.as_micros().max(self.now_us), at)))
                .min();
            let delivery = self.queue.peek().map(|Reverse(delivery)| delivery.at_us);
            match (delivery, timer) {
                (Some(at_us), timer) if timer.is_none_or(|timer| at_us <= timer.0) && at_us <= until_us => {
                    let Reverse(Delivery { to, line, order, .. }) = self.queue.pop().unwrap();
                    self.now_us = at_us;
                    if self.stopped.contains(&to) {
                        let at_us = at_us + STOPPED_US;
                        self.queue.push(Reverse(Delivery { at_us, order, to, line }));
                    } else {
                        self.deliver(to, &line);
                    }
                }
                (_, Some((at_us, at))) if at_us <= until_us => {
                    self.now_us = at_us;
                    let now = self.now();
                    self.nodes[at].handle_timeout(now);
                    self.drain(at);
                }
                _ => {
                    self.now_us = until_us;
                    return;
                }
            }
        }
    }

    pub fn run_for_ms(&mut self, ms: u64) {
        self.run_until(self.now_us + ms * 1_000);
    }

    /// The most messages that left within any second, of those that `of` puts together. Needs [`Sim::log`].
    pub fn worst_second<K: Ord>(&self, of: impl Fn(usize, usize) -> K) -> usize {
        let mut times: BTreeMap<K, Vec<u64>> = BTreeMap::new();
        for (at_us, from, to) in self.log.iter().flatten() {
            times.entry(of(*from, *to)).or_default().push(*at_us);
        }
        let within = |times: &Vec<u64>| {
            let count = |first: usize| times[first..].iter().take_while(|at| **at < times[first] + 1_000_000).count();
            (0..times.len()).map(count).max().unwrap_or(0)
        };
        times.values().map(within).max().unwrap_or(0)
    }

    /// Whether no message is under way and no timer runs.
    pub fn is_silent(&self) -> bool {
        self.queue.is_empty() && self.nodes.iter().all(|node| node.poll_timeout().is_none())
    }

    pub fn is_converged(&self) -> bool {
        self.nodes.iter().all(|node| node.digest() == self.nodes[0].digest())
    }

    /// Runs until all nodes hold the same; the milliseconds that took.
    pub fn converge(&mut self, within_ms: u64) -> u64 {
        let start = self.now_us;
        while !self.is_converged() {
            assert!(self.now_us - start < within_ms * 1_000, "not converged: {}", self.differences());
            self.run_for_ms(10);
        }
        (self.now_us - start) / 1_000
    }

    /// Runs until nothing is due any more; the milliseconds from now to the last message.
    pub fn fall_silent(&mut self, within_ms: u64) -> u64 {
        let start = self.now_us;
        while !self.is_silent() {
            assert!(self.now_us - start < within_ms * 1_000, "not silent: {}", self.differences());
            self.run_for_ms(100);
        }
        self.last_sent_us.saturating_sub(start) / 1_000
    }

    pub fn differences(&self) -> String {
        let states: Vec<State> = self.nodes.iter().map(state).collect();
        let unequal = states.iter().filter(|state| **state != states[0]).count();
        let summary = |at: usize| {
            let node = &self.nodes[at];
            let state = &states[at];
            format!(
                "{}: {:?} set {} counter {} map {} settled {} agreed {} next {:?}",
                self.ids[at],
                node.digest(),
                state.set.len(),
                node.store().counter.value(),
                state.map.len(),
                node.is_settled(),
                node.gossip().map_or(0, |gossip| gossip.agreement().count()),
                node.poll_timeout(),
            )
        };
        let nodes: Vec<String> = (0..self.nodes.len()).map(summary).collect();
        format!("{unequal} differ from the first at {} ms\n{}", self.now_us / 1_000, nodes.join("\n"))
    }

    /// Everybody holds the same state: not only the same digest.
    pub fn assert_equal_states(&self) {
        let first = state(&self.nodes[0]);
        for (node, id) in self.nodes.iter().zip(&self.ids) {
            assert!(state(node) == first, "{id} differs: {}", self.differences());
            assert_eq!(node.digest(), self.nodes[0].digest());
        }
    }
}

/// All that a node holds, in an order that does not depend on how it came about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub set: BTreeSet<String>,
    pub cells: BTreeMap<(String, u64, bool), u64>,
    pub map: BTreeMap<String, (String, u64)>,
}

pub fn state<S: Storage>(node: &Node<S>) -> State {
    let store = node.store();
    let show = |value: Value<'_>| format!("{value:?}");
    let mut state = State::default();
    for value in store.set.values() {
        assert!(state.set.insert(show(value)), "{value:?} is in the set twice");
    }
    for row in (0..node.replica().causality.rows.len() as u32).map(RowId) {
        let (id, incarnation) = node.replica().causality.name(row);
        for sign in Sign::ALL {
            let number = store.counter.cell(row, sign);
            if number > 0 {
                state.cells.insert((id.to_owned(), incarnation, sign == Sign::P), number);
            }
        }
    }
    for (key, value, stamp_us) in store.map.iter() {
        state.map.insert(show(key), (show(value), stamp_us));
    }
    state
}

/// One operation of any kind at a random node. Gives what it adds to the counter.
pub fn operate(sim: &mut Sim, rng: &mut Rng, op: u64) -> i128 {
    let at = rng.below(sim.nodes.len() as u64) as usize;
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

/// Runs a test for the seeds from 0 on, and names the one that fails.
pub fn for_seeds(count: u64, run: impl Fn(u64) + std::panic::RefUnwindSafe) {
    for seed in 0..count {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("failing seed: {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

/// Mixed operations at random nodes, with cuts that come and go, one-way ones among them; `cuts` draws how many at once, and
/// several make cuts that are not transitive. Gives what the counter must show.
pub fn abuse(sim: &mut Sim, ops: u64, mean_gap_us: u64, cuts: impl Fn(&mut Rng) -> u64) -> i128 {
    let nodes = sim.nodes.len();
    let mut rng = Rng(sim.rng.next());
    let mut total = 0;
    let mut next_cut = sim.now_us;
    for op in 0..ops {
        let at_us = sim.now_us + rng.below(2 * mean_gap_us);
        sim.run_until(at_us);
        if sim.now_us >= next_cut {
            next_cut = sim.now_us + rng.below(4_000_000);
            sim.heal();
            for _ in 0..cuts(&mut rng) {
                let side: Vec<usize> = (0..nodes).filter(|_| rng.chance(400)).collect();
                sim.partition(&side, rng.chance(250));
            }
        }
        total += operate(sim, &mut rng, op);
    }
    total
}
