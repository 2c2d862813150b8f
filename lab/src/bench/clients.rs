//! Clients: when they make which call, and which reply belongs to which request. The calls themselves come from the
//! data type.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;

use rand::RngExt as _;
use rand::SeedableRng as _;
use rand_xorshift::XorShiftRng;

use crate::history::{Call, History, Op, Outcome, Phase};
use crate::settings::{Micros, SECOND, Settings};
use crate::workload::Calls;

use super::{INIT_TIMEOUT_US, topology};

/// The lab itself is a client too: it introduces nodes, and inspects them in the end.
pub(super) const LAB: usize = usize::MAX;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Init,
    Topology,
    /// A request of the lab itself. The type of its reply is this type with `_ok` at the end.
    Lab(&'static str),
    /// An operation: its place in the history.
    Op(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Answered,
    GivenUp,
}

/// One request. Its `msg_id` is its place in the list, counted from 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// Number of the client id: `c<number>`.
    pub client: usize,
    pub node: usize,
    pub what: What,
    pub state: State,
    pub sent_us: Micros,
}

#[derive(Clone, Copy, Debug)]
struct Worker {
    node: usize,
    /// Number of its present client id.
    id: usize,
    is_busy: bool,
}

/// All clients.
#[derive(Debug)]
pub(super) struct Clients {
    pub history: History,
    pub acknowledged: usize,
    /// When the next operation is to be invoked, in the load stage.
    pub next_op_us: Micros,
    /// When clients stop, if they stop before the load stage ends. Faults go on without them.
    pub ends_us: Option<Micros>,
    workers: Vec<Worker>,
    free: usize,
    turn: usize,
    next_id: usize,
    requests: Vec<Request>,
    deadlines: BinaryHeap<Reverse<(Micros, usize)>>,
    waiting: usize,
    timeout_us: Micros,
    rng: XorShiftRng,
    calls: Box<dyn Calls>,
    /// The ids of all nodes as `init` lists them. It is empty until they are needed.
    all_ids: String,
}

/// All node ids, quoted, with commas between them. The text is the same for every node, and long if there are many.
fn ids(settings: &Settings) -> String {
    let mut all = String::new();
    for node in 0..settings.nodes {
        let comma = if node == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(all, "{comma}\"n{node}\"");
    }
    all
}

impl Clients {
    pub(super) fn new(settings: &Settings) -> Self {
        let worker = |at| Worker { node: at % settings.nodes, id: at + 1, is_busy: false };
        Self {
            history: History::default(),
            acknowledged: 0,
            next_op_us: 0,
            ends_us: None,
            workers: (0..settings.concurrency).map(worker).collect(),
            free: settings.concurrency,
            turn: 0,
            next_id: settings.concurrency + 1,
            requests: Vec::new(),
            deadlines: BinaryHeap::new(),
            waiting: 0,
            timeout_us: settings.timeout_us,
            rng: XorShiftRng::seed_from_u64(settings.seed ^ 0x0063_6c69_656e_7473),
            calls: settings.workload.data_type().calls(settings),
            all_ids: String::new(),
        }
    }

    /// Whether `c<number>` is, or was, a client.
    pub(super) fn is_client(&self, number: usize) -> bool {
        number < self.next_id
    }

    /// The request with this `msg_id`.
    pub(super) fn request(&self, msg_id: i64) -> Option<(usize, &Request)> {
        let at = usize::try_from(msg_id.checked_sub(1)?).ok()?;
        Some((at, self.requests.get(at)?))
    }

    pub(super) fn in_flight(&self) -> usize {
        self.waiting
    }

    /// The number of operations in flight. Requests of the lab itself do not count.
    pub(super) fn ops_in_flight(&self) -> usize {
        let is_op =
            |at: usize| self.requests[at].state == State::Waiting && matches!(self.requests[at].what, What::Op(_));
        self.deadlines.iter().filter(|Reverse((_, at))| is_op(*at)).count()
    }

    /// When the next operation can be invoked, in the load stage.
    pub(super) fn next_op(&self) -> Option<Micros> {
        let is_over = self.ends_us.is_some_and(|ends| self.next_op_us >= ends);
        (self.free > 0 && !is_over).then_some(self.next_op_us)
    }

    pub(super) fn next_deadline(&self) -> Option<Micros> {
        self.deadlines.peek().map(|Reverse((at, _))| *at)
    }

    pub(super) fn init(&mut self, now: Micros, node: usize, settings: &Settings) -> Vec<u8> {
        let msg_id = self.ask(now, 0, node, What::Init, INIT_TIMEOUT_US);
        let id = settings.id(node);
        if self.all_ids.is_empty() {
            self.all_ids = ids(settings);
        }
        let all = &self.all_ids;
        let body = format!(r#"{{"type":"init","node_id":"{id}","node_ids":[{all}],"msg_id":{msg_id}}}"#);
        line(msg_id, 0, &id, &body)
    }

    pub(super) fn topology(&mut self, now: Micros, node: usize, settings: &Settings) -> Vec<u8> {
        let msg_id = self.ask(now, 0, node, What::Topology, INIT_TIMEOUT_US);
        let neighbours = topology::json(settings, node);
        let body = format!(r#"{{"type":"topology","topology":{neighbours},"msg_id":{msg_id}}}"#);
        line(msg_id, 0, &settings.id(node), &body)
    }

    /// Requests that give the first node the values it begins with.
    pub(super) fn preload(&mut self, now: Micros, settings: &Settings) -> Vec<Vec<u8>> {
        let requests = settings.workload.data_type().preload(settings).into_iter();
        requests.map(|(kind, fields)| self.lab_request(now, 0, kind, &fields, settings)).collect()
    }

    /// A request of the lab itself. There is a comma before each of its fields.
    pub(super) fn lab_request(
        &mut self,
        now: Micros,
        node: usize,
        kind: &'static str,
        fields: &str,
        settings: &Settings,
    ) -> Vec<u8> {
        let msg_id = self.ask(now, 0, node, What::Lab(kind), INIT_TIMEOUT_US);
        line(msg_id, 0, &settings.id(node), &format!(r#"{{"type":"{kind}"{fields},"msg_id":{msg_id}}}"#))
    }

    /// The next operation, if one is due and a client is free.
    pub(super) fn generate(&mut self, now: Micros, settings: &Settings) -> Option<(usize, usize, Call)> {
        if self.free == 0 || now < self.next_op_us || self.ends_us.is_some_and(|ends| now >= ends) {
            return None;
        }
        let is_write = self.rng.random::<f64>() < settings.write_share;
        let writers = if settings.writers == 0 { settings.nodes } else { settings.writers };
        let count = self.workers.len();
        let may = |worker: &Worker| !worker.is_busy && (!is_write || worker.node < writers);
        let client = (0..count).map(|step| (self.turn + step) % count).find(|at| may(&self.workers[*at]))?;
        self.turn = (client + 1) % count;
        // Uniform in [0, 2 / rate) after this one.
        let gap = 2.0 * SECOND as f64 / settings.rate * self.rng.random::<f64>();
        self.next_op_us = now.max(self.next_op_us) + gap as Micros;
        let call = self.calls.draw(&mut self.rng, is_write);
        Some((client, self.workers[client].node, call))
    }

    /// Invokes an operation. If the node is known to be down, the operation has failed and nothing is sent: `None`.
    #[allow(clippy::too_many_arguments, reason = "an operation has that many parts")]
    pub(super) fn invoke(
        &mut self,
        now: Micros,
        client: usize,
        node: usize,
        phase: Phase,
        call: Call,
        is_up: bool,
        settings: &Settings,
    ) -> Option<Vec<u8>> {
        let index = self.history.ops.len();
        let outcome = if is_up {
            Outcome::Info { why: "still in flight when the run ended".to_owned() }
        } else {
            Outcome::Fail { code: -1, text: format!("{} is down", settings.id(node)) }
        };
        let data_type = settings.workload.data_type();
        let (kind, fields) = (data_type.request(&call), data_type.fields(&call, settings.values));
        self.history.ops.push(Op { index, client, node, phase, call, invoked_us: now, completed_us: now, outcome });
        if !is_up {
            return None;
        }
        let id = self.workers.get(client).map_or(0, |worker| worker.id);
        let msg_id = self.ask(now, id, node, What::Op(index), self.timeout_us);
        if let Some(worker) = self.workers.get_mut(client) {
            self.free -= usize::from(!worker.is_busy);
            worker.is_busy = true;
        }
        let body = format!(r#"{{"type":"{kind}"{fields},"msg_id":{msg_id}}}"#);
        Some(line(msg_id, id, &settings.id(node), &body))
    }

    fn ask(&mut self, now: Micros, client: usize, node: usize, what: What, timeout_us: Micros) -> usize {
        let at = self.requests.len();
        self.requests.push(Request { client, node, what, state: State::Waiting, sent_us: now });
        self.deadlines.push(Reverse((now + timeout_us, at)));
        self.waiting += 1;
        at + 1
    }

    /// A request got its reply.
    pub(super) fn answered(&mut self, at: usize) {
        self.end(at, State::Answered);
    }

    /// An operation ended. Its reply was read, or could not be read.
    pub(super) fn complete(&mut self, now: Micros, op: usize, outcome: Outcome) {
        self.acknowledged += usize::from(matches!(outcome, Outcome::Ok { .. }));
        let op = &mut self.history.ops[op];
        op.outcome = outcome;
        op.completed_us = now;
    }

    /// The next request that got no reply in time, if there is one: its node, what it was for, and when it was made.
    pub(super) fn give_up(&mut self, now: Micros) -> Option<(usize, What, Micros)> {
        loop {
            let Reverse((deadline, at)) = *self.deadlines.peek()?;
            let request = self.requests[at];
            if request.state != State::Waiting {
                self.deadlines.pop();
                continue;
            }
            if deadline > now {
                return None;
            }
            self.deadlines.pop();
            self.lose(now, at, "no reply in time");
            return Some((request.node, request.what, request.sent_us));
        }
    }

    /// A node is gone: its requests will not be answered any more.
    pub(super) fn lose_node(&mut self, now: Micros, node: usize, why: &str) {
        // Old deadlines are gone, so there are few to look at.
        let lost: Vec<usize> = self
            .deadlines
            .iter()
            .map(|Reverse((_, at))| *at)
            .filter(|at| self.requests[*at].node == node && self.requests[*at].state == State::Waiting)
            .collect();
        lost.into_iter().for_each(|at| self.lose(now, at, why));
    }

    fn lose(&mut self, now: Micros, at: usize, why: &str) {
        let request = self.requests[at];
        if let What::Op(op) = request.what {
            self.complete(now, op, Outcome::Info { why: why.to_owned() });
        }
        // The client goes on under another id, so that a late reply can be told from others.
        if let Some(worker) = self.workers.iter_mut().find(|worker| worker.id == request.client) {
            worker.id = self.next_id;
            self.next_id += 1;
            self.free += usize::from(worker.is_busy);
            worker.is_busy = false;
        }
        self.end_state(at, State::GivenUp);
    }

    fn end(&mut self, at: usize, state: State) {
        let client = self.requests[at].client;
        if let Some(worker) = self.workers.iter_mut().find(|worker| worker.id == client) {
            self.free += usize::from(worker.is_busy);
            worker.is_busy = false;
        }
        self.end_state(at, state);
    }

    fn end_state(&mut self, at: usize, state: State) {
        self.requests[at].state = state;
        self.waiting -= 1;
        // Deadlines of requests that are over are removed from the front, so that they cause no needless wake-up.
        while self.deadlines.peek().is_some_and(|Reverse((_, at))| self.requests[*at].state != State::Waiting) {
            self.deadlines.pop();
        }
    }

    /// What the lab asks a node in the end. It asks nothing if a client that talks to this node has read it already.
    pub(super) fn inspection(&self, node: usize, settings: &Settings) -> Vec<Call> {
        let is_read = settings.workload.data_type().final_read().is_some() && node < settings.concurrency;
        if is_read { Vec::new() } else { self.calls.inspection() }
    }

    /// The run is over.
    pub(super) fn close(&mut self, now: Micros) {
        for at in 0..self.requests.len() {
            if let (State::Waiting, What::Op(op)) = (self.requests[at].state, self.requests[at].what) {
                self.history.ops[op].completed_us = now;
            }
        }
    }
}

/// A line as Maelstrom writes it.
fn line(id: usize, client: usize, node: &str, body: &str) -> Vec<u8> {
    format!(r#"{{"id":{id},"src":"c{client}","dest":"{node}","body":{body}}}"#).into_bytes()
}
