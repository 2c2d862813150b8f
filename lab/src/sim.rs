//! Runs nodes in this process and in virtual time. A run is the same as with processes, thousands of times faster, and
//! the same for the same seed, byte for byte.
//!
//! A run has two phases, as in TigerBeetle's simulator. *Safety* is checked at every step: what a node holds keeps the
//! rules of each data type, its messages keep to their limit, and nodes with equal digests hold equal state. *Liveness*
//! is checked in the end: once all faults are taken back, all nodes have to come to hold the same within the quiet
//! time.

use std::collections::HashMap;

use rumormill_core::causality::Sum;
use rumormill_core::config::ConfigError;
use rumormill_core::storage::{Heap, Limits, Storage as _};
use rumormill_core::{Config, Node, Transmit};
use rumormill_sim::{Fate, Machine, Nodes, State};

use crate::bench::{Action, Bench};
use crate::history::History;
use crate::settings::{FaultKind, Micros, Planned, Settings};
use crate::trace::Trace;
use crate::workload::{self, Inside};

/// A process that stood still for longer drops the lines that waited for it meanwhile.
const STANDSTILL_US: Micros = 4_000_000;
/// Steps between two comparisons of all states.
const COMPARE_EVERY: u64 = 4_096;
/// With more nodes than this, states are compared in the end only.
const COMPARE_NODES_MAX: usize = 100;
/// More bytes than any text has that the lab sends as a value.
const TEXT_BYTES: usize = 32;
/// Nodes that are named when states differ.
const NAMED_MAX: usize = 20;

/// The node that is simulated.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Its choices. Seed and incarnation are set for each node and life.
    pub config: Config,
    /// Its capacities; `None` for as much as the run needs.
    pub limits: Option<Limits>,
    /// Nodes that run with other choices and capacities.
    pub others: Vec<(usize, Config, Limits)>,
}

/// What a simulation was.
#[derive(Debug)]
pub struct Simulated {
    /// The settings of the run.
    pub settings: Settings,
    /// What clients did and saw.
    pub history: History,
    /// Everything else that was seen.
    pub trace: Trace,
    /// Lines handled and timers run by all nodes.
    pub steps: u64,
}

/// A simulation.
struct Sim {
    bench: Bench,
    nodes: Nodes<Node<Heap>>,
    /// Choices and capacities of each node.
    choices: Vec<(Config, Limits)>,
    /// Whether wall clocks differ or jump. If so, the number of a life is taken from the clock, as a process takes it.
    clocks_differ: bool,
    /// The digest of each live node after its last step.
    seen: Vec<Option<Sum>>,
    incarnations: Vec<u64>,
    /// How many live nodes hold which state.
    sums: HashMap<Sum, usize>,
    converged_us: Option<Micros>,
    now: Micros,
    steps: u64,
    line: Vec<u8>,
    /// The data types inside of the nodes.
    inside: Vec<Box<dyn Inside>>,
}

/// Capacities for a run: those that are shipped, but smaller for tables that the run cannot fill. A simulation of
/// thousands of runs would otherwise spend its time on clearing memory that no run uses.
#[must_use]
pub fn limits_for(settings: &Settings) -> Limits {
    let shipped = Heap::LIMITS;
    // Twice the expected number, and room for the first moments of a short run.
    let ops = (settings.rate * settings.time_limit_us as f64 / 1e6) as usize;
    let values = (2 * ops + 1_024 + settings.preload).next_power_of_two();
    let keys = (settings.keys as usize + 2 * ops).next_power_of_two().min(shipped.keys);
    let limits = Limits {
        nodes: settings.nodes,
        values,
        dense_values: 2 * values,
        // Each text that the lab sends is shorter than this.
        set_text_bytes: (TEXT_BYTES * values).min(shipped.set_text_bytes),
        keys,
        store_text_bytes: (2 * TEXT_BYTES * keys).min(shipped.store_text_bytes),
        payload_bytes: shipped.payload_bytes.min(16 << 10),
        ..shipped
    };
    if settings.nodes <= shipped.nodes {
        return limits;
    }
    // A cluster that is larger than the shipped limit needs other options in any case. Few of its nodes write, and each
    // writer has a row for each of its lives.
    let writers = if settings.writers == 0 { settings.nodes } else { settings.writers };
    let faults = &settings.faults;
    let kills = faults.kinds.contains(&FaultKind::Kill)
        || faults.schedule.iter().any(|planned| matches!(planned.what, Planned::Kill(_)));
    Limits { rows: writers + if kills { 256 } else { 4 }, known_peers: COMPARE_NODES_MAX, ..limits }
}

/// Runs a simulation to its end.
///
/// # Errors
/// The node cannot be made with these choices.
pub fn run(settings: Settings, program: &Program) -> Result<Simulated, ConfigError> {
    let limits = program.limits.unwrap_or_else(|| limits_for(&settings));
    program.config.check(&limits)?;
    let count = settings.nodes;
    let mut choices = vec![(program.config, limits); count];
    for (node, config, limits) in &program.others {
        config.check(limits)?;
        choices[*node] = (*config, *limits);
    }
    let mut nodes = Nodes::new(count);
    settings.clocks_us.iter().for_each(|&(node, us)| nodes.set_clock(node, Some(us)));
    let jumps = settings.faults.schedule.iter().any(|event| matches!(event.what, Planned::Clock(..)));
    let mut sim = Sim {
        clocks_differ: jumps || !settings.clocks_us.is_empty(),
        nodes,
        choices,
        bench: Bench::new(settings),
        seen: (0..count).map(|_| None).collect(),
        incarnations: vec![0; count],
        sums: HashMap::new(),
        converged_us: None,
        now: 0,
        steps: 0,
        line: Vec::new(),
        inside: workload::inside(count),
    };
    sim.run();
    let diverged = sim.diverged();
    let state_bytes = sim.state_bytes();
    sim.bench.note_convergence(sim.converged_us, diverged, state_bytes);
    let (settings, history, trace) = sim.bench.finish();
    Ok(Simulated { settings, history, trace, steps: sim.steps })
}

impl Sim {
    fn run(&mut self) {
        self.bench.handle_timeout(0);
        self.act();
        while let Some(bench_us) = self.bench.poll_timeout() {
            match self.nodes.poll_timeout() {
                Some((at, node)) if at < bench_us => {
                    self.now = self.now.max(at);
                    self.time_out(node);
                }
                _ => {
                    self.now = self.now.max(bench_us);
                    self.bench.handle_timeout(self.now);
                }
            }
            self.act();
        }
    }

    fn act(&mut self) {
        while let Some(action) = self.bench.poll_action() {
            match action {
                Action::Start(node) => self.start(node),
                Action::Kill(node) => self.kill(node),
                Action::Pause(node) => self.nodes.pause(self.now, node),
                Action::Resume(node) => self.resume(node),
                Action::Clock(node, us) => self.nodes.shift_clock(node, us),
                Action::Deliver(node, line) => self.deliver(node, &line),
            }
        }
    }

    fn start(&mut self, at: usize) {
        // Every life has a new incarnation: the wall time in milliseconds, as the process takes it.
        let from_clock = self.nodes.clock(self.now, at).wall_us.unwrap_or_default() / 1_000;
        let larger = from_clock.max(self.incarnations[at] + 1);
        self.incarnations[at] = if self.clocks_differ { from_clock } else { larger };
        let (config, limits) = self.choices[at];
        let config =
            Config { seed: self.bench.settings().seed, incarnation: self.incarnations[at], events: false, ..config };
        let Ok(node) = Node::with_limits(config, limits) else { return };
        let sum = Machine::digest(&node);
        *self.sums.entry(sum).or_default() += 1;
        self.nodes.start(at, node);
        self.seen[at] = Some(sum);
        self.inside.iter_mut().for_each(|inside| inside.start(at));
        self.note_convergence();
    }

    fn kill(&mut self, at: usize) {
        self.nodes.crash(at);
        if let Some(sum) = self.seen[at].take() {
            self.forget_sum(sum);
            self.note_convergence();
        }
    }

    fn resume(&mut self, at: usize) {
        let Some(node) = self.nodes.get(at) else { return };
        let is_introduced = node.member().is_some();
        let stood = self.nodes.resume(self.now, at);
        // The runner does the same: after so long, clients have given up. Before `init` nobody waits for an answer.
        if stood.for_us <= STANDSTILL_US || !is_introduced {
            stood.lines.iter().for_each(|line| self.deliver(at, line));
        }
        self.time_out(at);
    }

    fn deliver(&mut self, at: usize, line: &[u8]) {
        match self.nodes.handle_line(self.now, at, line) {
            Fate::Waits | Fate::Lost => return,
            Fate::Taken => {}
            // A line that is refused is counted by the node; what the lab sends is never refused, and what peers send
            // is checked where they send it.
            Fate::Refused(why) => {
                let shown = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
                self.bench.note_unsafe(at, format!("refused a line ({why:?}): {shown}"));
            }
        }
        self.after_step(at);
    }

    fn time_out(&mut self, at: usize) {
        self.nodes.handle_timeout(self.now, at);
        self.after_step(at);
    }

    /// Hands over what the node has to say, and holds its state against the rules.
    fn after_step(&mut self, at: usize) {
        self.steps += 1;
        let max = self.choices[at].0.max_message_bytes;
        while let Some(sent) = self.nodes.poll_transmit(self.now, at, &mut self.line) {
            if matches!(sent, Transmit::Gossip(_)) && self.line.len() > max {
                self.bench.note_unsafe(at, format!("a message of {} bytes, the limit is {max}", self.line.len()));
            }
            let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
            self.bench.handle_line(self.now, at, line);
        }
        self.check(at);
        if self.steps.is_multiple_of(COMPARE_EVERY) && self.nodes.len() <= COMPARE_NODES_MAX {
            self.compare_equal_digests();
        }
    }

    /// Safety, as far as one node shows it.
    fn check(&mut self, at: usize) {
        let (Some(node), Some(seen)) = (self.nodes.get(at), &mut self.seen[at]) else { return };
        let Some(member) = node.member() else { return };
        let sum = member.digest();
        if sum == *seen {
            return;
        }
        let before = std::mem::replace(seen, sum);
        let mut broken = Vec::new();
        let mut total = None;
        for inside in &mut self.inside {
            let look = inside.look(at, member, self.bench.settings(), self.bench.history());
            broken.extend(look.broken);
            total = total.or(look.total);
        }
        if let Some(total) = total {
            self.bench.note_total(at, total);
        }
        broken.into_iter().for_each(|detail| self.bench.note_unsafe(at, detail));
        *self.sums.entry(sum).or_default() += 1;
        self.forget_sum(before);
        self.note_convergence();
    }

    fn forget_sum(&mut self, sum: Sum) {
        if let Some(count) = self.sums.get_mut(&sum) {
            *count -= 1;
            if *count == 0 {
                self.sums.remove(&sum);
            }
        }
    }

    fn note_convergence(&mut self) {
        match (self.sums.len() <= 1, self.converged_us) {
            (true, None) => self.converged_us = Some(self.now),
            (false, Some(_)) => self.converged_us = None,
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Nodes with equal digests have to hold equal state: else anti-entropy would never notice.
    fn compare_equal_digests(&mut self) {
        let mut first: HashMap<Sum, (usize, State)> = HashMap::new();
        let mut broken = Vec::new();
        for (at, node) in self.nodes.iter() {
            let state = state_of(node);
            match first.entry(Machine::digest(node)) {
                std::collections::hash_map::Entry::Vacant(entry) => drop(entry.insert((at, state))),
                std::collections::hash_map::Entry::Occupied(entry) if entry.get().1 != state => {
                    broken.push((at, format!("same digest as n{} and other state", entry.get().0)));
                }
                std::collections::hash_map::Entry::Occupied(_) => {}
            }
        }
        broken.into_iter().for_each(|(at, detail)| self.bench.note_unsafe(at, detail));
    }

    /// Who does not hold what the first live node holds.
    fn diverged(&mut self) -> Vec<String> {
        if !self.bench.settings().workload.is_replicated() || self.bench.aborted().is_some() {
            return Vec::new();
        }
        if self.nodes.len() <= COMPARE_NODES_MAX {
            self.compare_equal_digests();
        }
        let mut nodes = self.nodes.iter();
        let Some((first, reference)) = nodes.next() else { return Vec::new() };
        let state = state_of(reference);
        nodes
            .filter(|(_, node)| Machine::digest(*node) != Machine::digest(reference) || state_of(node) != state)
            .take(NAMED_MAX)
            .map(|(at, node)| format!("n{at} against n{first}: {}", state_of(node).against(&state)))
            .collect()
    }

    /// Bytes of the state of the first live node, as it would stand in a message.
    fn state_bytes(&self) -> u64 {
        let Some(member) = self.nodes.iter().next().and_then(|(_, node)| node.member()) else { return 0 };
        self.inside.iter().map(|inside| inside.bytes(member)).sum()
    }
}

/// What a node holds: nothing while it waits for its cluster.
fn state_of(node: &Node<Heap>) -> State {
    node.member().map_or_else(State::default, State::of)
}
