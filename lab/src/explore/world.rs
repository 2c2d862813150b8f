//! A state of the search: nodes, messages in flight and faults left; and what a step makes of it.
//!
//! Nodes and messages are shared between states: only the node that takes a step is copied. Time is an argument of a node's
//! inputs like any other. Each node has a clock of its own, see [`super::Clocks`].

use std::rc::Rc;

use rumormill_core::causality::Sum;
use rumormill_core::gossip::Rule;
use rumormill_core::replicated::Sign;
use rumormill_core::storage::{Limits, Storage};
use rumormill_core::{Config, ConfigError, Instant, Node, Now, Strategy, Transmit, Value};

use super::step::{Kind, Parcel, Step};
use super::violation::Violation;
use super::{Clocks, NODES_MAX, Options, Strategies, hash, observe};

/// Wall time when all clocks stand at 0, in microseconds since 1970.
const EPOCH_US: u64 = 1_700_000_000_000_000;
/// How far wall clocks may differ, in milliseconds: longer than any trail. A stamp that is refused for a while is not what
/// is looked for here.
const CLOCK_AHEAD_MS: u64 = 1 << 40;
/// The session of a node that starts for the first time, and the distance to the next: there is room for one that is lower.
const SESSION_STEP: u64 = 10;
/// What is written is this number and more, so that no other number in a message looks like it.
const NUMBER: u64 = 7_000_000;
/// Numbers of one node.
const NUMBERS: u64 = 1_000;
/// The key that is written to.
const KEY: &str = "k";

/// A process of a node: one session, or several when it takes a new one by itself.
#[derive(Clone)]
pub(super) struct Life<S: Storage> {
    node: Node<S>,
    /// Hash of all inputs and their times. A node is a function of them, so this is a hash of all that decides its future.
    history: u128,
    session: u64,
    sum: Sum,
    /// The writes that it holds, one bit each, as they stand in [`World::writes`].
    holds: u32,
    held: Option<Rc<Held>>,
}

/// The states that a session has held, the latest first.
struct Held {
    sum: Sum,
    before: Option<Rc<Held>>,
}

/// A session that is over.
#[derive(Clone)]
struct Past {
    node: usize,
    session: u64,
    history: u128,
    held: Option<Rc<Held>>,
}

/// A message in flight.
pub(super) struct Packet {
    pub(super) parcel: Parcel,
    pub(super) line: Box<[u8]>,
    hash: u128,
    /// The writes among its entries, one bit each.
    carries: u32,
}

/// A write that a client made.
#[derive(Clone, Copy)]
struct Write {
    kind: Kind,
    node: usize,
    life: u64,
    seq: u64,
    /// The value; of the counter, what the cell holds since.
    number: u64,
    /// The stamp, in the store.
    stamp_us: u64,
}

/// Faults and writes that may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) writes: [u8; Kind::ALL.len()],
    pub(super) losses: u8,
    pub(super) duplicates: u8,
    pub(super) crashes: u8,
    pub(super) crashes_behind: u8,
}

/// What nodes said in a step, if anybody wants to know, and memory that is used again.
#[derive(Default)]
pub(super) struct Said {
    line: Vec<u8>,
    /// Hash of all lines, in their order.
    pub(super) hash: u128,
    /// The lines; `None` when only the hash counts.
    pub(super) lines: Option<Vec<String>>,
    /// Inputs that nodes handled.
    pub(super) inputs: u64,
    /// Requests that were answered with an error.
    pub(super) refused: u64,
}

/// How the nodes of a search are made.
pub(super) struct Recipe {
    configs: [Config; NODES_MAX],
    limits: Limits,
    nodes: usize,
    without: Vec<Rule>,
    greeted: bool,
    lenient: bool,
    clocks: Clocks,
}

/// A state.
pub(super) struct World<S: Storage> {
    lives: Vec<Rc<Life<S>>>,
    /// Oldest first.
    net: Vec<Rc<Packet>>,
    clocks: [u64; NODES_MAX],
    pub(super) left: Left,
    /// Messages sent so far, by sender and receiver.
    sent: [[u32; NODES_MAX]; NODES_MAX],
    /// The highest session each node was started with.
    sessions: [u64; NODES_MAX],
    writes: Rc<Vec<Write>>,
    past: Rc<Vec<Past>>,
}

impl<S: Storage> Clone for World<S> {
    fn clone(&self) -> Self {
        Self {
            lives: self.lives.clone(),
            net: self.net.clone(),
            writes: Rc::clone(&self.writes),
            past: Rc::clone(&self.past),
            ..*self
        }
    }
}

/// What a node is told.
enum Input<'a> {
    Line(&'a [u8]),
    Timer,
}

impl Recipe {
    /// # Errors
    /// The node cannot be made with these choices.
    pub(super) fn new(options: &Options, limits: Limits) -> Result<Self, ConfigError> {
        let config = |at: usize| Config {
            strategy: match options.strategies {
                Strategies::Rumor => Strategy::Rumor,
                Strategies::Relay => Strategy::Relay,
                Strategies::Mixed if at.is_multiple_of(2) => Strategy::Relay,
                Strategies::Mixed => Strategy::Rumor,
            },
            fanout: options.fanout,
            gossip_interval_ms: options.interval_ms,
            seed: options.seed,
            max_message_bytes: options.max_message_bytes.unwrap_or(Config::default().max_message_bytes),
            max_clock_ahead_ms: CLOCK_AHEAD_MS,
            ..Config::default()
        };
        let configs = std::array::from_fn(config);
        configs.iter().try_for_each(|config: &Config| config.check(&limits))?;
        Ok(Self {
            configs,
            limits,
            nodes: options.nodes,
            without: options.without.clone(),
            greeted: options.greeted,
            lenient: options.lenient,
            clocks: options.clocks,
        })
    }
}

impl<S: Storage> World<S> {
    /// All nodes have just started.
    pub(super) fn start(recipe: &Recipe, left: Left, said: &mut Said) -> Result<Self, Violation> {
        let mut world = Self {
            lives: Vec::new(),
            net: Vec::new(),
            clocks: [0; NODES_MAX],
            left,
            sent: [[0; NODES_MAX]; NODES_MAX],
            sessions: [SESSION_STEP; NODES_MAX],
            writes: Rc::default(),
            past: Rc::default(),
        };
        for at in 0..recipe.nodes {
            let life = world.born(recipe, at, SESSION_STEP);
            world.lives.push(Rc::new(life));
        }
        for at in 0..recipe.nodes {
            world.greet(recipe, at, said)?;
        }
        Ok(world)
    }

    /// A hash of all that decides what can still happen: nodes, clocks, messages, faults left, sessions that are over.
    pub(super) fn key(&self) -> u128 {
        let left = [self.left.losses, self.left.duplicates, self.left.crashes, self.left.crashes_behind];
        let left = self.left.writes.into_iter().chain(left).fold(0, |all, left| all << 8 | u64::from(left));
        let past = self.past.iter().map(|past| hash::part(past.history, 100 + past.node as u64));
        past.fold(hash::word(self.fair_key(), left), u128::wrapping_add)
    }

    /// The same without what no longer counts when all faults are over.
    pub(super) fn fair_key(&self) -> u128 {
        // The order of messages in flight counts only for which of them is the oldest; all orders of delivery are searched,
        // so it does not count here.
        let nodes = self.lives.iter().zip(self.clocks).enumerate();
        let nodes = nodes.map(|(at, (life, clock))| hash::part(hash::word(life.history, clock), at as u64));
        let packets = self.net.iter().map(|packet| hash::part(packet.hash, 200));
        nodes.chain(packets).fold(0, u128::wrapping_add)
    }

    /// What can happen now. Of messages that are the same in every byte one is enough.
    pub(super) fn steps(&self, recipe: &Recipe, all: &mut Vec<Step>) {
        all.clear();
        let nodes = 0..self.lives.len() as u8;
        let distinct =
            || self.net.iter().enumerate().filter(|(at, p)| self.net[..*at].iter().all(|other| other.hash != p.hash));
        let parcels = || distinct().map(|(_, packet)| packet.parcel);
        match recipe.clocks {
            Clocks::Own => all.extend(nodes.clone().filter(|at| self.due(usize::from(*at)).is_some()).map(Step::Fire)),
            Clocks::Shared => all.extend(self.next_due().map(|_| Step::Wait)),
        }
        if self.left.losses > 0 {
            all.extend(parcels().map(Step::Lose));
        }
        if self.left.duplicates > 0 {
            all.extend(parcels().map(Step::Repeat));
        }
        for kind in Kind::ALL.into_iter().filter(|kind| self.left.writes[*kind as usize] > 0) {
            all.extend(nodes.clone().map(|at| Step::Write(kind, at)));
        }
        if self.left.crashes > 0 {
            all.extend(nodes.clone().map(Step::Crash));
        }
        if self.left.crashes_behind > 0 {
            all.extend(nodes.map(Step::CrashBehind));
        }
        all.extend(parcels().map(Step::Deliver));
    }

    /// What happens next when nothing goes wrong: the oldest message arrives, or else the next timer fires.
    pub(super) fn fair_step(&self) -> Option<Step> {
        match self.net.first() {
            Some(packet) => Some(Step::Deliver(packet.parcel)),
            None => self.next_due().map(|_| Step::Wait),
        }
    }

    /// Takes a step. False, and nothing changed, when it cannot be taken in this state.
    ///
    /// # Errors
    /// What a node did that it must not do.
    pub(super) fn take(&mut self, step: Step, recipe: &Recipe, said: &mut Said) -> Result<bool, Violation> {
        match step {
            Step::Deliver(parcel) => {
                let Some(at) = self.find(parcel) else { return Ok(false) };
                let packet = self.net.remove(at);
                self.input(usize::from(parcel.to), &Input::Line(&packet.line), recipe, said)?;
            }
            Step::Repeat(parcel) => {
                let Some(at) = self.find(parcel).filter(|_| self.left.duplicates > 0) else { return Ok(false) };
                self.left.duplicates -= 1;
                let packet = Rc::clone(&self.net[at]);
                self.input(usize::from(parcel.to), &Input::Line(&packet.line), recipe, said)?;
            }
            Step::Lose(parcel) => {
                let Some(at) = self.find(parcel).filter(|_| self.left.losses > 0) else { return Ok(false) };
                self.left.losses -= 1;
                self.net.remove(at);
            }
            Step::Fire(at) => {
                let at = usize::from(at);
                let Some(due) = self.lives.get(at).and_then(|_| self.due(at)) else { return Ok(false) };
                self.clocks[at] = self.clocks[at].max(due);
                self.input(at, &Input::Timer, recipe, said)?;
            }
            Step::Wait => {
                let Some((at, wait_us)) = self.next_due() else { return Ok(false) };
                self.clocks.iter_mut().for_each(|clock| *clock += wait_us);
                self.input(at, &Input::Timer, recipe, said)?;
            }
            Step::Write(kind, at) => {
                if usize::from(at) >= self.lives.len() || self.left.writes[kind as usize] == 0 {
                    return Ok(false);
                }
                self.left.writes[kind as usize] -= 1;
                self.write(kind, usize::from(at), recipe, said)?;
            }
            Step::Crash(at) => {
                if usize::from(at) >= self.lives.len() || self.left.crashes == 0 {
                    return Ok(false);
                }
                self.left.crashes -= 1;
                let at = usize::from(at);
                let newest = self.sessions[at].max(self.lives[at].session);
                self.restart(at, newest - newest % SESSION_STEP + SESSION_STEP, recipe, said)?;
            }
            Step::CrashBehind(at) => {
                let at = usize::from(at);
                let Some(life) = self.lives.get(at).filter(|_| self.left.crashes_behind > 0) else { return Ok(false) };
                // The number before may be taken already: by an earlier crash of this kind.
                let taken = |session| self.past.iter().any(|past| past.node == at && past.session == session);
                let Some(session) = (1..life.session).rev().find(|session| !taken(*session)) else { return Ok(false) };
                self.left.crashes_behind -= 1;
                self.restart(at, session, recipe, said)?;
            }
        }
        Ok(true)
    }

    /// The clock that is ahead of all others, in microseconds.
    pub(super) fn latest_clock(&self) -> u64 {
        self.clocks.into_iter().max().unwrap_or(0)
    }

    /// Whether nothing will ever happen any more, unless somebody comes and asks.
    pub(super) fn is_silent(&self) -> bool {
        self.net.is_empty() && self.next_due().is_none()
    }

    /// The writes that must not get lost: a node holds them, or a message carries them.
    pub(super) fn surviving(&self) -> u32 {
        let held = self.lives.iter().map(|life| life.holds);
        held.chain(self.net.iter().map(|packet| packet.carries)).fold(0, |all, some| all | some)
    }

    /// What is wrong with a state in which all should be the same, settled and silent.
    pub(super) fn judge(&self, recipe: &Recipe, surviving: u32) -> Result<(), Violation> {
        let all = |what: &dyn Fn(&Life<S>) -> String| {
            self.lives.iter().enumerate().map(|(at, life)| format!("n{at} {}", what(life))).collect::<Vec<_>>().join(", ")
        };
        let holds = |life: &Life<S>| format!("holds {}", self.names(life.holds));
        if self.lives.iter().any(|life| life.sum != self.lives[0].sum || life.holds != self.lives[0].holds) {
            return Err(Violation::Differ { who: all(&holds), silent: self.is_silent() });
        }
        let lost = surviving & !self.lives.iter().fold(u32::MAX, |both, life| both & life.holds);
        if lost != 0 {
            return Err(Violation::Lost { what: self.names(lost) });
        }
        if !recipe.lenient && self.lives.iter().any(|life| !life.node.is_settled()) {
            let settled = |life: &Life<S>| if life.node.is_settled() { "is settled" } else { "is not" }.to_owned();
            return Err(Violation::Unsettled { who: all(&settled), silent: self.is_silent() });
        }
        if !self.is_silent() {
            return Err(Violation::Talks { messages: self.net.len() });
        }
        Ok(())
    }

    /// Nodes and what they hold, in a line.
    pub(super) fn summary(&self) -> String {
        let life = |(at, life): (usize, &Rc<Life<S>>)| {
            let settled = if life.node.is_settled() { ", settled" } else { "" };
            format!("n{at}@{} {}{settled}", life.session, self.names(life.holds))
        };
        self.lives.iter().enumerate().map(life).collect::<Vec<_>>().join(" | ")
    }

    fn names(&self, writes: u32) -> String {
        let named = self.writes.iter().enumerate().filter(|(bit, _)| writes >> bit & 1 == 1);
        let named: Vec<String> = named.map(|(_, write)| format!("{} {}", write.kind.name(), write.number)).collect();
        if named.is_empty() { "nothing".to_owned() } else { named.join(" and ") }
    }

    /// The message in flight of this name. A copy of another one may stand for it: they are the same in every byte.
    fn find(&self, parcel: Parcel) -> Option<usize> {
        self.net.iter().position(|packet| packet.parcel == parcel)
    }

    /// When a node's next timer is due, by its clock.
    fn due(&self, at: usize) -> Option<u64> {
        self.lives[at].node.poll_timeout().map(|wakeup| wakeup.at.as_micros())
    }

    /// Whose timer is due first, and in how many microseconds. A timer that was due is not due again at this moment, or
    /// time would stand still.
    fn next_due(&self) -> Option<(usize, u64)> {
        let due = |at: usize| Some((at, self.due(at)?.saturating_sub(self.clocks[at]).max(1)));
        (0..self.lives.len()).filter_map(due).min_by_key(|(_, wait_us)| *wait_us)
    }

    fn born(&self, recipe: &Recipe, at: usize, session: u64) -> Life<S> {
        let config = Config { incarnation: session, ..recipe.configs[at] };
        let node = match Node::<S>::with_limits(config, recipe.limits) {
            Ok(node) => node,
            Err(error) => unreachable!("the choices were checked before: {error}"),
        };
        let sum = node.digest();
        let held = Some(Rc::new(Held { sum, before: None }));
        Life { node, history: hash::word(0, session), session, sum, holds: 0, held }
    }

    /// The first lines that a node gets.
    fn greet(&mut self, recipe: &Recipe, at: usize, said: &mut Said) -> Result<(), Violation> {
        let ids = (0..recipe.nodes).map(|node| format!("\"n{node}\"")).collect::<Vec<_>>().join(",");
        let line = |body: &str| format!("{{\"src\":\"c0\",\"dest\":\"n{at}\",\"body\":{{{body}}}}}").into_bytes();
        let init = format!("\"type\":\"init\",\"msg_id\":1,\"node_id\":\"n{at}\",\"node_ids\":[{ids}]");
        self.input(at, &Input::Line(&line(&init)), recipe, said)?;
        let life = Rc::make_mut(&mut self.lives[at]);
        recipe.without.iter().for_each(|rule| life.node.switch_off(*rule));
        if recipe.greeted {
            self.input(at, &Input::Line(&line("\"type\":\"topology\",\"msg_id\":2,\"topology\":{}")), recipe, said)?;
        }
        Ok(())
    }

    fn restart(&mut self, at: usize, session: u64, recipe: &Recipe, said: &mut Said) -> Result<(), Violation> {
        self.close_session(at);
        self.sessions[at] = self.sessions[at].max(session);
        self.lives[at] = Rc::new(self.born(recipe, at, session));
        self.greet(recipe, at, said)
    }

    fn close_session(&mut self, at: usize) {
        let Life { session, history, held, .. } = &*self.lives[at];
        let past = Past { node: at, session: *session, history: *history, held: held.clone() };
        Rc::make_mut(&mut self.past).push(past);
    }

    fn write(&mut self, kind: Kind, at: usize, recipe: &Recipe, said: &mut Said) -> Result<(), Violation> {
        let earlier = self.writes.iter().filter(|write| write.node == at).count() as u64;
        let mut number = NUMBER + NUMBERS * at as u64 + 1 + earlier;
        let body = match kind {
            Kind::Set => format!("\"type\":\"broadcast\",\"message\":{number}"),
            Kind::Counter => format!("\"type\":\"add\",\"delta\":{number}"),
            Kind::Store => format!("\"type\":\"write\",\"key\":\"{KEY}\",\"value\":{number}"),
        };
        let line = format!("{{\"src\":\"c1\",\"dest\":\"n{at}\",\"body\":{{{body},\"msg_id\":{}}}}}", 10 + earlier);
        // The write is known before the node speaks of it: what it says is searched for what is known.
        let (life, before) = observe::own_changes(&self.lives[at].node);
        if kind == Kind::Counter {
            let row = observe::row(&self.lives[at].node, at, life);
            number += row.map_or(0, |row| self.lives[at].node.store().counter.cell(row, Sign::P));
        }
        let write = Write { kind, node: at, life, seq: before + 1, number, stamp_us: 0 };
        if self.writes.iter().any(|other| (other.node, other.life, other.seq) == (at, life, before + 1)) {
            return Err(Violation::DotTwice { node: at, life, seq: before + 1 });
        }
        let bit = self.writes.len();
        Rc::make_mut(&mut self.writes).push(write);
        let refused = said.refused;
        self.tell(at, &Input::Line(&line.into_bytes()), said)?;
        if said.refused > refused {
            Rc::make_mut(&mut self.writes).truncate(bit);
        } else if kind == Kind::Store {
            let stamp_us = self.lives[at].node.store().map.get(Value::Text(KEY)).map_or(0, |(_, stamp_us)| stamp_us);
            Rc::make_mut(&mut self.writes)[bit].stamp_us = stamp_us;
        }
        self.look_at(at, recipe)
    }

    fn input(&mut self, at: usize, input: &Input<'_>, recipe: &Recipe, said: &mut Said) -> Result<(), Violation> {
        self.tell(at, input, said)?;
        self.look_at(at, recipe)
    }

    /// Hands a node its input, and takes what it has to say.
    fn tell(&mut self, at: usize, input: &Input<'_>, said: &mut Said) -> Result<(), Violation> {
        said.inputs += 1;
        let clock = self.clocks[at];
        let now = Now { at: Instant::from_micros(clock), wall_us: Some(EPOCH_US + clock) };
        let life = Rc::make_mut(&mut self.lives[at]);
        life.history = hash::word(life.history, clock);
        match input {
            Input::Line(line) => {
                life.history = hash::bytes(life.history, line);
                if let Err(why) = life.node.handle_line(now, line) {
                    let line = String::from_utf8_lossy(line).into_owned();
                    return Err(Violation::Rejected { node: at, why: format!("{why:?}"), line });
                }
            }
            Input::Timer => life.node.handle_timeout(now),
        }
        loop {
            said.line.clear();
            let life = Rc::make_mut(&mut self.lives[at]);
            // A `Vec` takes everything.
            let Ok(Some(sent)) = life.node.poll_transmit(now, &mut said.line) else { break };
            let line = said.line.strip_suffix(b"\n").unwrap_or(&said.line);
            said.hash = hash::bytes(said.hash, line);
            if let Some(lines) = &mut said.lines {
                lines.push(String::from_utf8_lossy(line).into_owned());
            }
            match sent {
                Transmit::Reply => said.refused += u64::from(find(line, b"\"type\": \"error\"").is_some()),
                Transmit::Gossip(to) => {
                    let to = to.at();
                    self.sent[at][to] += 1;
                    let parcel = Parcel { from: at as u8, to: to as u8, number: self.sent[at][to] };
                    let hash = hash::bytes(0, line);
                    let carries = carried(line, &self.writes);
                    self.net.push(Rc::new(Packet { parcel, line: line.into(), hash, carries }));
                }
            }
        }
        Ok(())
    }

    /// Holds a node that has just taken a step against the rules.
    fn look_at(&mut self, at: usize, recipe: &Recipe) -> Result<(), Violation> {
        let session = observe::session(&self.lives[at].node);
        if session != self.lives[at].session {
            self.close_session(at);
            let life = Rc::make_mut(&mut self.lives[at]);
            life.session = session;
            life.held = Some(Rc::new(Held { sum: life.sum, before: None }));
        }
        let sum = self.lives[at].node.digest();
        if sum != self.lives[at].sum {
            let holds = self.held_writes(at)?;
            let life = Rc::make_mut(&mut self.lives[at]);
            let forgotten = life.holds & !holds;
            (life.sum, life.holds) = (sum, holds);
            life.held = Some(Rc::new(Held { sum, before: life.held.take() }));
            if forgotten != 0 {
                return Err(Violation::Forgot { node: at, what: self.names(forgotten) });
            }
            let twin = self.lives.iter().position(|other| other.sum == sum && other.holds != holds);
            if let Some(other) = twin {
                return Err(Violation::SameSum { node: at, other });
            }
        }
        if self.lives[at].node.is_settled() && !recipe.lenient { self.check_settled(at) } else { Ok(()) }
    }

    /// The writes that a node holds, or newer ones of the same cell or key.
    fn held_writes(&self, at: usize) -> Result<u32, Violation> {
        let node = &self.lives[at].node;
        let store = node.store();
        let stored = store.map.get(Value::Text(KEY));
        let cell = |write: &Write| {
            observe::row(node, write.node, write.life).map_or(0, |row| store.counter.cell(row, Sign::P))
        };
        let (mut holds, mut values, mut total, mut is_written) = (0, 0, 0_i128, stored.is_none());
        for (bit, write) in self.writes.iter().enumerate() {
            let held = match write.kind {
                Kind::Set => {
                    let held = store.set.contains(Value::Int(write.number as i64));
                    values += usize::from(held);
                    held
                }
                Kind::Counter => {
                    let number = cell(write);
                    total += if number == write.number { i128::from(number) } else { 0 };
                    number >= write.number
                }
                Kind::Store => {
                    let is_this = |(value, _)| value == Value::Int(write.number as i64);
                    is_written |= stored.is_some_and(is_this);
                    stored.is_some_and(|(_, stamp_us)| stamp_us >= write.stamp_us)
                }
            };
            holds |= u32::from(held) << bit;
        }
        let invented = match () {
            () if store.set.len() != values => Some(format!("a set of {} values", store.set.len())),
            () if store.counter.value() != total => Some(format!("a counter of {}", store.counter.value())),
            () if !is_written || store.map.len() > 1 => Some(format!("{stored:?} in the store")),
            () => None,
        };
        match invented {
            Some(what) => Err(Violation::Invented { node: at, what }),
            None => Ok(holds),
        }
    }

    /// A node that is settled believes that every member, in the session that its view names, has held its sum.
    fn check_settled(&self, at: usize) -> Result<(), Violation> {
        let life = &self.lives[at];
        for (member, other) in self.lives.iter().enumerate().filter(|(member, _)| *member != at) {
            let session = observe::view_session(&life.node, member);
            let is_meant = |of: u64| session.is_none_or(|session| session == of);
            let past = self.past.iter().filter(|past| past.node == member && is_meant(past.session));
            let has_held = (is_meant(other.session) && has_held(other.held.as_ref(), life.sum))
                || past.into_iter().any(|past| has_held(past.held.as_ref(), life.sum));
            if !has_held {
                return Err(Violation::Settled { node: at, member, session, holds: self.names(life.holds) });
            }
        }
        Ok(())
    }
}

fn has_held(held: Option<&Rc<Held>>, sum: Sum) -> bool {
    std::iter::successors(held, |held| held.before.as_ref()).any(|held| held.sum == sum)
}

/// The writes among the entries of a message.
fn carried(line: &[u8], writes: &[Write]) -> u32 {
    let Some(data) = find(line, b"\"data\"").map(|at| &line[at..]) else { return 0 };
    // Entries are nested in lists, and none of the strings in them has a bracket.
    let mut depth = 0_usize;
    let end = data.iter().position(|byte| {
        depth = match byte {
            b'[' => depth + 1,
            b']' => depth.saturating_sub(1),
            _ => return false,
        };
        depth == 0
    });
    let data = &data[..end.unwrap_or(data.len())];
    let carries = |(bit, write): (usize, &Write)| {
        let number = write.number.to_string();
        u32::from(find(data, number.as_bytes()).is_some()) << bit
    };
    writes.iter().enumerate().map(carries).fold(0, |all, one| all | one)
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}
