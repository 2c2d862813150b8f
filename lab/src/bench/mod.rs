//! A run as a state machine without I/O. It is told the time and what nodes print, and says what to deliver to which
//! node, which node to kill, and when to come back. The driver decides whether time is virtual or real.
//!
//! # Contract
//!
//! After each input ([`Bench::handle_line`], [`Bench::handle_exit`], [`Bench::handle_timeout`]) the driver carries out
//! [`Bench::poll_action`] until `None`, and calls [`Bench::handle_timeout`] at [`Bench::poll_timeout`]. When
//! [`Bench::is_done`], [`Bench::finish`] gives history and trace. The same inputs give the same actions, byte for byte.
//!
//! # Phases of a run
//!
//! start (`init`, `topology`) → load and faults → operations in flight end → all faults are taken back, and killed
//! nodes start again → quiet time → final reads by clients → inspection of every node by the lab.

mod clients;
mod cluster;
mod id;
mod lines;
mod observe;
mod reply;
mod topology;

use std::collections::{HashMap, VecDeque};

use rumormill_sim::{Arrival, Network, Traffic};

use crate::fault::{Fault, Nemesis};
use crate::history::{Call, History, Outcome, Phase};
use crate::net;
use crate::settings::{Micros, SECOND, Settings};
use crate::trace::{Complaint, FaultChange, FaultEvent, Misdeed, Trace};

use clients::{Clients, What};
use cluster::{Carried, Cluster};

/// A node has this long to answer `init`, as under Maelstrom.
pub const INIT_TIMEOUT_US: Micros = 10 * SECOND;
/// The most `init` requests under way at once, so that a cluster of 10,000 nodes does not start at one moment.
const INITS_AT_ONCE: usize = 64;
/// The most complaints that are kept for each kind and node. Further ones are only counted.
const COMPLAINTS_KEPT: usize = 100;
/// The most bytes of a line that a complaint shows.
const SHOWN: usize = 300;

/// What the driver is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start the process of a node, with an empty memory.
    Start(usize),
    /// Kill it. Lines that it printed before and that were not handed over yet are to be dropped.
    Kill(usize),
    /// Stop it until [`Action::Resume`].
    Pause(usize),
    /// Let it go on.
    Resume(usize),
    /// Let its wall clock jump by so many microseconds. Only a simulation can.
    Clock(usize, i64),
    /// Hand a node a line, without newline.
    Deliver(usize, Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Starting,
    Load,
    Draining,
    Healing,
    Quiet,
    FinalReads,
    Inspection,
    Done,
}

/// What a message from a client or node carries through the network.
#[derive(Clone, Debug)]
struct Payload {
    line: Vec<u8>,
    carried: Option<std::sync::Arc<Carried>>,
    /// The life of the process that a client talks to. The connection ends with that life.
    life: Option<usize>,
}

/// Live figures, for a progress bar.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Share of the run that is over, 0 to 1.
    pub share: f64,
    /// What is going on.
    pub stage: &'static str,
    /// Operations invoked.
    pub invoked: usize,
    /// Operations acknowledged.
    pub acknowledged: usize,
    /// Messages between nodes.
    pub messages: u64,
    /// Things that nodes did wrong.
    pub complaints: u64,
}

/// A run.
#[derive(Debug)]
pub struct Bench {
    settings: Settings,
    now: Micros,
    stage: Stage,
    stage_until: Micros,
    network: Network<Payload>,
    clients: Clients,
    cluster: Cluster,
    nemesis: Option<Nemesis>,
    actions: VecDeque<Action>,
    trace: Trace,
    /// How many complaints there were of each node and kind.
    complaints: HashMap<(usize, Misdeed), usize>,
    next_init: usize,
    /// Whether the first node has been sent the values that it begins with.
    is_preloaded: bool,
    /// Why the run ends before its time.
    abort: Option<String>,
}

impl Bench {
    /// A run that has not begun: [`Bench::handle_timeout`] at time 0 begins it.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            now: 0,
            stage: Stage::Starting,
            stage_until: 0,
            network: net::network(&settings),
            clients: Clients::new(&settings),
            cluster: Cluster::new(&settings),
            nemesis: None,
            actions: VecDeque::new(),
            trace: Trace::default(),
            complaints: HashMap::new(),
            next_init: 0,
            is_preloaded: false,
            abort: None,
            settings,
        }
    }

    /// The settings of the run.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the run is over.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Why the run ended before its time, if it did.
    #[must_use]
    pub fn aborted(&self) -> Option<&str> {
        self.abort.as_deref()
    }

    /// Whether clients have stopped and all faults are taken back, so that the nodes have to converge.
    #[must_use]
    pub fn is_healed(&self) -> bool {
        matches!(self.stage, Stage::Quiet | Stage::FinalReads | Stage::Inspection | Stage::Done)
    }

    /// Whether a node is up and has been through `init`.
    #[must_use]
    pub fn is_up(&self, node: usize) -> bool {
        self.cluster.is_up(node)
    }

    /// Live figures.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let whole = self.trace.main_from_us + self.settings.time_limit_us + self.settings.recovery_us;
        let (share, stage) = match self.stage {
            Stage::Starting => (0.0, "starting"),
            Stage::Load => (self.now as f64 / whole as f64, "load"),
            Stage::Draining => (self.now as f64 / whole as f64, "waiting for replies"),
            Stage::Healing => (self.now as f64 / whole as f64, "healing"),
            Stage::Quiet => (self.now as f64 / whole as f64, "quiet time"),
            Stage::FinalReads => (1.0, "final reads"),
            Stage::Inspection => (1.0, "inspection"),
            Stage::Done => (1.0, "done"),
        };
        Progress {
            share: share.min(1.0),
            stage,
            invoked: self.clients.history.ops.len(),
            acknowledged: self.clients.acknowledged,
            messages: self.network.counts().sent,
            complaints: self.trace.complaints_total,
        }
    }

    /// The operations so far.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.clients.history
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Bench::handle_timeout`] is to be called at the latest; `None` when the run is over.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Micros> {
        if self.is_done() {
            return None;
        }
        let by_stage = match self.stage {
            Stage::Starting => (self.next_init == 0).then_some(0),
            Stage::Load => {
                let nemesis = self.nemesis.as_ref().and_then(Nemesis::poll_timeout);
                let next_op = self.clients.next_op();
                [Some(self.stage_until), nemesis, next_op].into_iter().flatten().min()
            }
            Stage::Quiet => Some(self.stage_until),
            Stage::Draining | Stage::Healing | Stage::FinalReads | Stage::Inspection | Stage::Done => None,
        };
        [by_stage, self.network.poll_timeout(), self.clients.next_deadline()].into_iter().flatten().min()
    }

    /// Does what is due by now. A call that is too early does nothing.
    pub fn handle_timeout(&mut self, now: Micros) {
        self.now = self.now.max(now);
        self.start_nodes();
        self.give_up_requests();
        self.run_nemesis();
        self.run_clients();
        self.advance();
        self.deliver();
    }

    /// A process ended by itself.
    pub fn handle_exit(&mut self, now: Micros, node: usize, how: &str) {
        self.now = self.now.max(now);
        if self.is_done() || self.cluster.is_down(node) {
            return;
        }
        self.complain(node, Misdeed::Exit, how.to_owned());
        self.node_is_gone(node, "the process ended");
        self.abort.get_or_insert_with(|| format!("{} ended: {how}", self.settings.id(node)));
        self.advance();
    }

    /// Ends the run and returns what was seen. Operations that are still in flight keep an unknown outcome.
    #[must_use]
    pub fn finish(mut self) -> (Settings, History, Trace) {
        self.trace.end_us = self.now;
        self.trace.net = net::counts(self.network.counts());
        let bytes = |of: fn(&Traffic) -> u64| self.network.traffic().iter().map(of).collect();
        self.trace.sent_bytes = bytes(|node| node.sent_bytes);
        self.trace.delivered_bytes = bytes(|node| node.delivered_bytes);
        self.trace.arrivals = self.cluster.take_arrivals();
        self.clients.close(self.now);
        (self.settings, self.clients.history, self.trace)
    }

    /// Starts nodes that have not been started yet, as many as may be under way at once.
    fn start_nodes(&mut self) {
        while self.stage == Stage::Starting
            && self.abort.is_none()
            && self.next_init < self.settings.nodes
            && self.next_init - self.cluster.up_count() < INITS_AT_ONCE
        {
            self.start_node(self.next_init);
            self.next_init += 1;
        }
    }

    fn start_node(&mut self, node: usize) {
        self.cluster.start(node);
        self.actions.push_back(Action::Start(node));
        let line = self.clients.init(self.now, node, &self.settings);
        self.send_request(node, line);
    }

    fn send_request(&mut self, node: usize, line: Vec<u8>) {
        self.network.send_from_client(
            self.now,
            node,
            Payload { line, carried: None, life: Some(self.cluster.life(node)) },
        );
    }

    fn give_up_requests(&mut self) {
        while let Some((node, what, since)) = self.clients.give_up(self.now) {
            match what {
                // The lab itself has stopped the node, so it asks again.
                What::Init if self.cluster.was_stopped_since(node, since) => {
                    let line = self.clients.init(self.now, node, &self.settings);
                    self.send_request(node, line);
                }
                What::Init => {
                    let name = self.settings.id(node);
                    self.complain(node, Misdeed::NoInit, "no init_ok within 10 s".to_owned());
                    self.abort.get_or_insert_with(|| format!("{name} did not answer init within 10 s"));
                }
                What::Topology => {
                    self.complain(node, Misdeed::BadReply, "no topology_ok within 10 s".to_owned());
                    self.cluster.set_up(node);
                }
                // A node that the lab has stopped cannot answer in time.
                What::Lab(_) if self.cluster.was_stopped_since(node, since) => {}
                What::Lab(kind) => {
                    self.complain(node, Misdeed::BadReply, format!("no {kind}_ok within 10 s"));
                }
                What::Op(_) => {}
            }
        }
    }

    fn run_nemesis(&mut self) {
        while self.stage == Stage::Load
            && let Some(fault) = self.nemesis.as_mut().and_then(|nemesis| nemesis.poll(self.now))
        {
            self.apply(fault);
        }
    }

    fn run_clients(&mut self) {
        while self.stage == Stage::Load && self.now < self.stage_until {
            let Some((client, node, call)) = self.clients.generate(self.now, &self.settings) else { return };
            self.invoke(client, node, Phase::Main, call);
        }
    }

    fn invoke(&mut self, client: usize, node: usize, phase: Phase, call: Call) {
        let is_up = self.cluster.is_up(node);
        if let Call::Add(value) = call {
            self.cluster.watch(value, self.clients.history.ops.len());
        }
        if let Some(line) = self.clients.invoke(self.now, client, node, phase, call, is_up, &self.settings) {
            self.send_request(node, line);
        }
    }

    /// Goes on to the next stage when this one is over.
    fn advance(&mut self) {
        // Each turn enters a later stage, or ends the loop.
        loop {
            let before = self.stage;
            match self.stage {
                Stage::Starting if self.abort.is_some() => self.stage = Stage::Done,
                Stage::Starting if self.cluster.up_count() == self.settings.nodes => self.preload_or_load(),
                Stage::Load if self.now >= self.stage_until || self.abort.is_some() => {
                    self.trace.main_until_us = self.now;
                    self.stage = Stage::Draining;
                }
                Stage::Draining if self.clients.ops_in_flight() == 0 => {
                    self.take_back_faults();
                    self.stage = Stage::Healing;
                }
                Stage::Healing if self.clients.in_flight() == 0 => {
                    self.trace.healed_us = self.now;
                    let quiet = if self.settings.workload.is_replicated() && self.abort.is_none() {
                        self.settings.recovery_us
                    } else {
                        0
                    };
                    self.stage_until = self.now + quiet;
                    self.stage = Stage::Quiet;
                }
                Stage::Quiet if self.now >= self.stage_until => {
                    self.trace.final_us = self.now;
                    self.stage = Stage::FinalReads;
                    self.final_reads();
                }
                Stage::FinalReads if self.clients.in_flight() == 0 => {
                    self.stage = Stage::Inspection;
                    self.inspect();
                }
                Stage::Inspection if self.clients.in_flight() == 0 => self.stage = Stage::Done,
                Stage::Starting
                | Stage::Load
                | Stage::Draining
                | Stage::Healing
                | Stage::Quiet
                | Stage::FinalReads
                | Stage::Inspection
                | Stage::Done => {}
            }
            if self.stage == before {
                return;
            }
        }
    }

    /// Gives the first node what it begins with, and lets clients begin once it has taken that.
    fn preload_or_load(&mut self) {
        if !self.is_preloaded {
            self.is_preloaded = true;
            for line in self.clients.preload(self.now, &self.settings) {
                self.send_request(0, line);
            }
        }
        if self.clients.in_flight() == 0 {
            self.enter_load();
        }
    }

    fn enter_load(&mut self) {
        self.trace.main_from_us = self.now;
        self.stage = Stage::Load;
        self.stage_until = self.now + self.settings.time_limit_us;
        self.clients.next_op_us = self.now;
        self.clients.ends_us = self.settings.ops_until_us.map(|until| self.now + until);
        let faults = &self.settings.faults;
        self.nemesis = Some(Nemesis::new(faults, self.settings.nodes, self.settings.seed, self.now));
        self.run_nemesis();
        self.run_clients();
    }

    fn take_back_faults(&mut self) {
        let faults = self.nemesis.as_mut().map(Nemesis::take_back).unwrap_or_default();
        faults.into_iter().for_each(|fault| self.apply(fault));
    }

    /// Each client reads once, as under Maelstrom. Figures count these reads.
    fn final_reads(&mut self) {
        let Some(read) = self.settings.workload.data_type().final_read() else { return };
        for client in 0..self.settings.concurrency {
            self.invoke(client, client % self.settings.nodes, Phase::Final, read.clone());
        }
    }

    /// The lab reads everything that no client has read. Figures do not count these reads.
    fn inspect(&mut self) {
        for node in 0..self.settings.nodes {
            for call in self.clients.inspection(node, &self.settings) {
                if self.cluster.is_up(node) {
                    self.invoke(clients::LAB, node, Phase::Inspection, call);
                }
            }
        }
    }

    fn deliver(&mut self) {
        while let Some(Arrival { from, to, payload }) = self.network.poll(self.now) {
            let is_over = payload.life.is_some_and(|life| life != self.cluster.life(to));
            if is_over || !self.cluster.deliver(to, from, payload.carried.as_ref(), self.now) {
                self.network.count_to_dead();
                continue;
            }
            self.actions.push_back(Action::Deliver(to, payload.line));
        }
    }

    fn complain(&mut self, node: usize, what: Misdeed, detail: String) {
        self.trace.complaints_total += 1;
        let kept = self.complaints.entry((node, what)).or_default();
        *kept += 1;
        if *kept <= COMPLAINTS_KEPT {
            self.trace.complaints.push(Complaint { at_us: self.now, node, what, detail });
        }
    }

    fn apply(&mut self, fault: Fault) {
        let label = fault.label();
        let what = match fault {
            Fault::Partition { cuts, .. } => {
                *self.network.cuts_mut() = cuts;
                FaultChange::Partition { cuts: self.network.cuts().count() }
            }
            Fault::Cut { links, .. } => {
                links.into_iter().for_each(|(from, to)| self.network.cuts_mut().add(from, to));
                FaultChange::Partition { cuts: self.network.cuts().count() }
            }
            Fault::Heal => {
                self.network.cuts_mut().clear();
                FaultChange::Heal
            }
            Fault::Kill(node) if self.cluster.is_down(node) => return,
            Fault::Kill(node) => {
                self.actions.push_back(Action::Kill(node));
                self.node_is_gone(node, "the process was killed");
                FaultChange::Kill { node }
            }
            Fault::Restart(node) if self.abort.is_some() || !self.cluster.is_down(node) => return,
            Fault::Restart(node) => {
                self.start_node(node);
                FaultChange::Restart { node }
            }
            Fault::Pause(node) => {
                self.actions.push_back(Action::Pause(node));
                self.cluster.pause(node, self.now);
                FaultChange::Pause { node }
            }
            Fault::Resume(node) => {
                self.actions.push_back(Action::Resume(node));
                self.cluster.resume(node, self.now);
                FaultChange::Resume { node }
            }
            Fault::Loss(rate) => {
                self.network.links_mut().loss = rate;
                FaultChange::Loss { rate }
            }
            Fault::Duplicate(rate) => {
                self.network.links_mut().duplicates = rate;
                FaultChange::Duplicate { rate }
            }
            Fault::Clock(node, us) => {
                self.actions.push_back(Action::Clock(node, us));
                FaultChange::Clock { node, us }
            }
            Fault::Configure(node, tuning) => {
                let nodes = node.map_or(0..self.settings.nodes, |node| node..node + 1);
                for node in nodes.filter(|&node| self.cluster.is_up(node)).collect::<Vec<_>>() {
                    let fields = tuning.fields();
                    let line = self.clients.lab_request(self.now, node, "configure", &fields, &self.settings);
                    self.send_request(node, line);
                }
                FaultChange::Configure { interval_ms: tuning.interval_ms }
            }
        };
        self.trace.faults.push(FaultEvent { at_us: self.now, what, label });
    }

    /// A process is gone with its memory.
    fn node_is_gone(&mut self, node: usize, why: &str) {
        let death = self.cluster.kill(node, self.now);
        if !death.unsent.is_empty() || !death.undelivered.is_empty() {
            self.trace.deaths.push(death);
        }
        self.clients.lose_node(self.now, node, why);
    }

    /// Notes what an acknowledged operation tells about what its node holds. The first `known` values of a list were
    /// listed before by the same life.
    fn learn(&mut self, op: usize, known: usize) {
        let record = &self.clients.history.ops[op];
        let Outcome::Ok { answer } = &record.outcome else { return };
        self.cluster.acknowledged(record, answer, known, self.now);
        if let crate::history::Answer::Total(total) = answer {
            self.trace.totals.push((self.now, record.node, *total));
        }
    }

    /// A driver that can look inside saw a node break a rule.
    pub fn note_unsafe(&mut self, node: usize, detail: String) {
        self.complain(node, Misdeed::Unsafe, detail);
    }

    /// A sample of a replica's counter, for drivers that can look inside.
    pub fn note_total(&mut self, node: usize, total: i64) {
        self.trace.totals.push((self.now, node, total));
    }

    /// What a driver saw of convergence, if it can look inside.
    pub fn note_convergence(&mut self, converged_us: Option<Micros>, diverged: Vec<String>, state_bytes: u64) {
        self.trace.state_bytes = state_bytes;
        self.trace.converged_us = converged_us;
        self.trace.diverged = diverged;
    }
}
