//! Nodes in process, in virtual time: the same run as with processes, thousands of times faster, and the same for the same
//! seed, byte for byte.
//!
//! Two phases, as TigerBeetle's simulator has them. *Safety* at every step: a node's set only grows and holds nothing that
//! nobody added, its counter stays between the sums that are possible, its messages keep to their limit, and nodes with
//! equal digests hold equal state. Then *liveness*: once all faults are taken back, all nodes have to come to hold the same
//! within the quiet time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use rumormill_core::causality::{RowId, Sum};
use rumormill_core::config::ConfigError;
use rumormill_core::replicated::Sign;
use rumormill_core::storage::{Heap, Limits, Storage as _};
use rumormill_core::{Config, Instant, Node, Now, Transmit, Value};

use crate::bench::{Action, Bench};
use crate::history::{Call, History};
use crate::settings::{FaultKind, Micros, Planned, Settings, value_of};
use crate::trace::Trace;

/// Wall time at the start of every simulation, in microseconds since 1970.
const EPOCH_US: u64 = 1_700_000_000_000_000;
/// A process that stood still for longer drops the lines that waited for it meanwhile.
const STANDSTILL_US: Micros = 4_000_000;
/// Steps between two comparisons of all states.
const COMPARE_EVERY: u64 = 4_096;
/// Above this many nodes states are compared in the end only.
const COMPARE_NODES_MAX: usize = 100;
/// Bytes of a text that the lab sends as a value, and some more.
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
    /// What it was to be.
    pub settings: Settings,
    /// What clients did and saw.
    pub history: History,
    /// What else was seen.
    pub trace: Trace,
    /// Lines handled and timers run by all nodes.
    pub steps: u64,
}

struct Life {
    node: Node<Heap>,
    /// Since when it is paused.
    paused_us: Option<Micros>,
    /// Lines that came while it was paused.
    inbox: Vec<Vec<u8>>,
    /// When its timer is set to; `None` while it is paused.
    timer: Option<Micros>,
    sum: Sum,
    set_len: usize,
    total: i128,
}

/// A simulation.
struct Sim {
    bench: Bench,
    /// Choices and capacities of each node.
    nodes: Vec<(Config, Limits)>,
    /// How far the wall clock of each node is ahead, in microseconds.
    clocks_us: Vec<i64>,
    /// Whether wall clocks differ or jump, so that the numbers of lives follow them as those of processes do.
    clocks_differ: bool,
    lives: Vec<Option<Life>>,
    incarnations: Vec<u64>,
    timers: BinaryHeap<Reverse<(Micros, usize)>>,
    /// How many live nodes hold which state.
    sums: HashMap<Sum, usize>,
    converged_us: Option<Micros>,
    now: Micros,
    steps: u64,
    line: Vec<u8>,
    /// Sum of all decrements and of all increments that were invoked.
    possible: (i128, i128),
    summed: usize,
}

/// Capacities for a run: those that are shipped, but for tables that the run cannot fill. What no run can reach is
/// not reserved, because a simulation of thousands of runs would spend its time on clearing it.
#[must_use]
pub fn limits_for(settings: &Settings) -> Limits {
    let shipped = Heap::LIMITS;
    // Twice what is due on average, and room for the first moments of a short run.
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
    // A cluster that is larger than the shipped one needs other options in any case. Few of its nodes write, and each of
    // those has a row of its own in each of its lives.
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
    let mut nodes = vec![(program.config, limits); count];
    for (node, config, limits) in &program.others {
        config.check(limits)?;
        nodes[*node] = (*config, *limits);
    }
    let mut clocks_us = vec![0; count];
    settings.clocks_us.iter().for_each(|&(node, us)| clocks_us[node] = us);
    let jumps = settings.faults.schedule.iter().any(|event| matches!(event.what, Planned::Clock(..)));
    let mut sim = Sim {
        clocks_differ: jumps || !settings.clocks_us.is_empty(),
        clocks_us,
        nodes,
        bench: Bench::new(settings),
        lives: (0..count).map(|_| None).collect(),
        incarnations: vec![0; count],
        timers: BinaryHeap::new(),
        sums: HashMap::new(),
        converged_us: None,
        now: 0,
        steps: 0,
        line: Vec::new(),
        possible: (0, 0),
        summed: 0,
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
            match self.next_timer() {
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

    /// The earliest timer of any node; those that were set to another time since are dropped.
    fn next_timer(&mut self) -> Option<(Micros, usize)> {
        while let Some(Reverse((at, node))) = self.timers.peek().copied() {
            let is_set = self.lives[node].as_ref().is_some_and(|life| life.timer == Some(at));
            if is_set {
                return Some((at, node));
            }
            self.timers.pop();
        }
        None
    }

    fn act(&mut self) {
        while let Some(action) = self.bench.poll_action() {
            match action {
                Action::Start(node) => self.start(node),
                Action::Kill(node) => self.kill(node),
                Action::Pause(node) => self.pause(node),
                Action::Resume(node) => self.resume(node),
                Action::Clock(node, us) => self.clocks_us[node] += us,
                Action::Deliver(node, line) => self.deliver(node, line),
            }
        }
    }

    fn start(&mut self, at: usize) {
        // A fresh incarnation for every life: wall time in milliseconds, as the process takes it.
        let from_clock = self.clock(at).wall_us.unwrap_or_default() / 1_000;
        let larger = from_clock.max(self.incarnations[at] + 1);
        self.incarnations[at] = if self.clocks_differ { from_clock } else { larger };
        let (config, limits) = self.nodes[at];
        let config =
            Config { seed: self.bench.settings().seed, incarnation: self.incarnations[at], events: false, ..config };
        let Ok(node) = Node::with_limits(config, limits) else { return };
        let sum = node.digest();
        let life = Life { node, paused_us: None, inbox: Vec::new(), timer: None, sum, set_len: 0, total: 0 };
        *self.sums.entry(sum).or_default() += 1;
        self.lives[at] = Some(life);
        self.note_convergence();
    }

    fn kill(&mut self, at: usize) {
        if let Some(life) = self.lives[at].take() {
            self.forget_sum(life.sum);
            self.note_convergence();
        }
    }

    /// Stops a node. Its timer is out of the queue until it goes on, and is set anew then.
    fn pause(&mut self, at: usize) {
        let Some(life) = &mut self.lives[at] else { return };
        life.paused_us = Some(self.now);
        life.timer = None;
    }

    fn resume(&mut self, at: usize) {
        let Some(life) = &mut self.lives[at] else { return };
        let stood_us = self.now - life.paused_us.take().unwrap_or(self.now);
        let mut inbox = std::mem::take(&mut life.inbox);
        // As the runner does: who has waited for so long has given up. Before `init` was read there is nobody to be late for.
        if stood_us > STANDSTILL_US && life.node.replica().own_row().is_some() {
            inbox.clear();
        }
        inbox.into_iter().for_each(|line| self.deliver(at, line));
        self.time_out(at);
    }

    fn deliver(&mut self, at: usize, line: Vec<u8>) {
        let now = self.clock(at);
        let Some(life) = &mut self.lives[at] else { return };
        if life.paused_us.is_some() {
            life.inbox.push(line);
            return;
        }
        // A line that is refused is counted by the node; what the lab sends is never refused, and what peers send is
        // checked where they send it.
        let refused = life.node.handle_line(now, &line).err();
        if let Some(why) = refused {
            let shown = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
            self.bench.note_unsafe(at, format!("refused a line ({why:?}): {shown}"));
        }
        self.after_step(at);
    }

    fn time_out(&mut self, at: usize) {
        let now = self.clock(at);
        let Some(life) = &mut self.lives[at] else { return };
        life.node.handle_timeout(now);
        self.after_step(at);
    }

    /// Hands over what the node has to say, sets its timer, and holds its state against the rules.
    fn after_step(&mut self, at: usize) {
        self.steps += 1;
        let now = self.clock(at);
        let max = self.nodes[at].0.max_message_bytes;
        loop {
            let Some(life) = &mut self.lives[at] else { return };
            self.line.clear();
            // A `Vec` takes everything.
            let Ok(Some(sent)) = life.node.poll_transmit(now, &mut self.line) else { break };
            if matches!(sent, Transmit::Gossip(_)) && self.line.len() > max {
                self.bench.note_unsafe(at, format!("a message of {} bytes, the limit is {max}", self.line.len()));
            }
            let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
            self.bench.handle_line(self.now, at, line);
        }
        self.set_timer(at);
        self.check(at);
        if self.steps.is_multiple_of(COMPARE_EVERY) && self.lives.len() <= COMPARE_NODES_MAX {
            self.compare_equal_digests();
        }
    }

    fn set_timer(&mut self, at: usize) {
        let Some(life) = &mut self.lives[at] else { return };
        // A timer that was due is not due again at this moment, or time would stand still.
        let timer = life.node.poll_timeout().map(|wakeup| wakeup.at.as_micros().max(self.now + 1));
        if timer != life.timer {
            life.timer = timer;
            if let Some(due) = timer {
                self.timers.push(Reverse((due, at)));
            }
        }
    }

    /// Safety, as far as one node shows it.
    fn check(&mut self, at: usize) {
        let Some(life) = &mut self.lives[at] else { return };
        let sum = life.node.digest();
        if sum == life.sum {
            return;
        }
        let before = std::mem::replace(&mut life.sum, sum);
        let store = life.node.store();
        let mut broken = Vec::new();
        if store.set.len() < life.set_len {
            broken.push(format!("the set shrank from {} to {} values", life.set_len, store.set.len()));
        }
        for value in store.set.values().skip(life.set_len) {
            let kind = self.bench.settings().values;
            let is_ours = match value {
                Value::Int(int) => !kind.is_text(int) && self.bench.was_added(int),
                Value::Text(text) => value_of(text).is_some_and(|int| kind.is_text(int) && self.bench.was_added(int)),
            };
            if !is_ours {
                broken.push(format!("the set holds {value:?}, which nobody added"));
            }
        }
        life.set_len = store.set.len();
        let total = store.counter.value();
        if total != life.total {
            life.total = total;
            for op in &self.bench.history().ops[self.summed..] {
                match op.call {
                    Call::Increment(delta) if delta < 0 => self.possible.0 += i128::from(delta),
                    Call::Increment(delta) => self.possible.1 += i128::from(delta),
                    _ => {}
                }
            }
            self.summed = self.bench.history().ops.len();
            if total < self.possible.0 || total > self.possible.1 {
                broken.push(format!("the counter is {total}, possible are {:?}", self.possible));
            }
            self.bench.note_total(at, i64::try_from(total).unwrap_or(i64::MAX));
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
        for (at, life) in self.lives.iter().enumerate() {
            let Some(life) = life else { continue };
            let state = State::of(&life.node);
            match first.entry(life.sum) {
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
        if self.lives.len() <= COMPARE_NODES_MAX {
            self.compare_equal_digests();
        }
        let mut lives = self.lives.iter().enumerate().filter_map(|(at, life)| Some((at, life.as_ref()?)));
        let Some((first, reference)) = lives.next() else { return Vec::new() };
        let state = State::of(&reference.node);
        lives
            .filter(|(_, life)| life.sum != reference.sum || State::of(&life.node) != state)
            .take(NAMED_MAX)
            .map(|(at, life)| format!("n{at} against n{first}: {}", State::of(&life.node).against(&state)))
            .collect()
    }

    /// Bytes of the state of the first live node, as it would stand in a message.
    fn state_bytes(&self) -> u64 {
        let Some(life) = self.lives.iter().flatten().next() else { return 0 };
        let store = life.node.store();
        let bytes = |value: Value<'_>| match value {
            Value::Int(int) => int.to_string().len() as u64,
            Value::Text(text) => serde_json::Value::from(text).to_string().len() as u64,
        };
        let set: u64 = store.set.values().map(|value| bytes(value) + 2).sum();
        // `["w", key, value, stamp]` and a cell of the counter.
        let map: u64 = store.map.iter().map(|(key, value, _)| bytes(key) + bytes(value) + 29).sum();
        set + map + life.node.replica().causality.rows.len() as u64 * 24
    }

    fn clock(&self, at: usize) -> Now {
        let wall_us = (EPOCH_US + self.now).saturating_add_signed(self.clocks_us[at]);
        Now { at: Instant::from_micros(self.now), wall_us: Some(wall_us) }
    }
}

/// Keys that have different values in two maps, or a value in one of them only.
fn differing<K: Ord, V: PartialEq>(one: &BTreeMap<K, V>, other: &BTreeMap<K, V>) -> usize {
    let of_other = other.iter().filter(|(key, value)| one.get(key) != Some(value)).count();
    of_other + one.keys().filter(|key| !other.contains_key(key)).count()
}

/// All that a node holds, in an order that does not depend on how it came about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    set: BTreeSet<String>,
    cells: BTreeMap<(String, u64, bool), u64>,
    map: BTreeMap<String, (String, u64)>,
}

impl State {
    fn of(node: &Node<Heap>) -> Self {
        let store = node.store();
        let causality = &node.replica().causality;
        let mut state = Self { set: store.set.values().map(|value| format!("{value:?}")).collect(), ..Self::default() };
        for row in (0..causality.rows.len() as u32).map(RowId) {
            let (id, incarnation) = causality.name(row);
            for sign in Sign::ALL {
                let number = store.counter.cell(row, sign);
                if number > 0 {
                    state.cells.insert((id.to_owned(), incarnation, sign == Sign::P), number);
                }
            }
        }
        for (key, value, stamp_us) in store.map.iter() {
            state.map.insert(format!("{key:?}"), (format!("{value:?}"), stamp_us));
        }
        state
    }

    /// The difference in a few words.
    fn against(&self, other: &Self) -> String {
        let lacks = other.set.difference(&self.set).count();
        let more = self.set.difference(&other.set).count();
        let cells = differing(&self.cells, &other.cells);
        let keys = differing(&self.map, &other.map);
        format!("{lacks} values missing, {more} more; {cells} counter cells and {keys} keys differ")
    }
}
