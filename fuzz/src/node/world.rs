//! Two nodes, the messages under way between them, and the steps of a script.

use rumormill_core::data_type::Application;
use std::collections::VecDeque;

use rumormill_core::storage::Limits;
use rumormill_core::wire::Message;
use rumormill_core::{Config, Instant, Now, config};

use super::pair::Pair;
use crate::script::{Facts, Op, Setup, Side, Step, steps};

/// How many steps of a script are run.
const STEPS_MAX: usize = 256;
/// How many messages may be under way between the nodes. Further ones are lost.
const IN_FLIGHT_MAX: usize = 64;
/// How many messages are delivered after one step.
const DELIVERIES_MAX: usize = 32;
/// How many messages two nodes may exchange while no time passes.
const AT_ONCE_MAX: usize = 2_048;
/// Wall time when a script starts, in microseconds.
const START_US: u64 = 1_700_000_000_000_000;
/// Monotonic time when a script starts, in milliseconds.
const START_MS: u64 = 1_000_000;

/// Prints which message arrives where, if `RUMORMILL_TRACE` is set: to look into a find of the fuzzer.
fn trace(now: Now, to: Side, line: &[u8]) {
    if std::env::var_os("RUMORMILL_TRACE").is_some() {
        eprintln!("{} ms, {to:?}: {}", now.at.as_micros() / 1_000, line.escape_ascii());
    }
}

/// Two nodes, and the messages under way between them.
pub(super) struct World<S: Application> {
    pub(super) setup: Setup,
    /// Ids of the members, and one id that is no member.
    ids: Vec<String>,
    config: Config,
    limits: Limits,
    pub(super) first: Pair<S>,
    pub(super) second: Pair<S>,
    in_flight: VecDeque<(Side, Vec<u8>)>,
    pub(super) sent: u64,
    pub(super) now_us: u64,
    pub(super) room: usize,
    /// Whether a line claimed to be from a peer, and was not.
    pub(super) forged: bool,
    restarts: u64,
}

impl<S: Application> World<S> {
    pub(super) fn new(setup: Setup, limits: Limits) -> Self {
        let config = Config {
            workload: setup.workload,
            fanout: setup.fanout,
            gossip_interval_ms: setup.interval_ms,
            incarnation: setup.incarnation,
            seed: setup.seed,
            max_message_bytes: config::min_message_bytes(&limits) + setup.message_bytes,
            events: setup.events,
            ..Config::default()
        };
        let ids = setup.ids(limits.id_bytes);
        let mut world = Self {
            setup,
            config,
            limits,
            first: Pair::new(config, limits, &ids[0]),
            second: Pair::new(config, limits, &ids[1]),
            ids,
            in_flight: VecDeque::new(),
            sent: 0,
            now_us: START_MS * 1_000,
            room: usize::MAX,
            forged: false,
            restarts: 0,
        };
        let (ids, now) = (world.members(), world.now());
        world.second.join(&ids, now);
        if !setup.uninitialised {
            world.first.join(&ids, now);
        }
        world
    }

    fn members(&self) -> Vec<String> {
        self.ids[..self.setup.nodes].to_vec()
    }

    fn now(&self) -> Now {
        let at = Instant::from_micros(self.now_us);
        let wall_us = START_US + self.now_us - START_MS * 1_000;
        Now { at, wall_us: (!self.setup.clockless).then_some(wall_us) }
    }

    fn pair(&mut self, side: Side) -> &mut Pair<S> {
        match side {
            Side::First => &mut self.first,
            Side::Second => &mut self.second,
        }
    }

    pub(super) fn run(mut self, script: &[u8]) {
        for step in steps(script).take(STEPS_MAX) {
            let passes = matches!(step, Step::Pass(_) | Step::Wake);
            self.step(step);
            if passes || !self.setup.delayed {
                self.deliver();
            }
        }
        self.converge();
    }

    fn step(&mut self, step: Step<'_>) {
        let keeps_room = matches!(step, Step::Room(_));
        match step {
            Step::Line(side, line) => {
                let mut message = Message::new();
                let of_peer = message.decode(line).is_ok() && message.kind.is_some_and(|kind| kind.is_unanswered());
                self.forged |= of_peer;
                self.line(side, line);
            }
            Step::Made(side, Op::Update(change)) => {
                let (now, room) = (self.now(), self.room);
                if self.pair(side).is_initialised() {
                    let gossip = self.pair(side).update(now, &change, room);
                    self.send(gossip);
                }
            }
            Step::Made(side, op) => {
                self.forged |= matches!(op, Op::Gossip { .. } | Op::Foreign { .. });
                let line = op.line(&self.facts(side));
                self.line(side, line.as_bytes());
            }
            Step::Pass(ms) => {
                self.now_us += ms * 1_000;
                self.timeout();
            }
            Step::Wake => {
                if let Some(at) = self.next_wakeup() {
                    self.now_us = self.now_us.max(at.as_micros());
                    self.timeout();
                }
            }
            Step::Back(ms) => self.now_us -= (ms * 1_000).min(self.now_us),
            Step::Room(room) => self.room = room,
            Step::Restart => self.restart(),
        }
        if !keeps_room {
            self.room = usize::MAX;
        }
    }

    fn facts(&mut self, side: Side) -> Facts {
        let (ids, incarnation) = (self.ids.clone(), self.setup.incarnation);
        let node = &self.pair(side).one;
        let sum = rumormill_sim::Machine::digest(node);
        Facts {
            to: side as usize,
            ids,
            incarnation,
            sum: (sum.vector, sum.state),
            view: node.member().map_or(0, |member| member.gossip().view_name()),
            start_us: START_US,
        }
    }

    fn line(&mut self, side: Side, line: &[u8]) {
        let (now, room) = (self.now(), self.room);
        trace(now, side, line);
        let gossip = self.pair(side).line(now, line, room);
        self.send(gossip);
    }

    fn timeout(&mut self) {
        let (now, room) = (self.now(), self.room);
        for side in [Side::First, Side::Second] {
            let gossip = self.pair(side).timeout(now, room);
            self.send(gossip);
        }
    }

    fn restart(&mut self) {
        self.restarts += 1;
        let incarnation = (self.setup.incarnation + self.restarts).min(config::INCARNATION_MAX);
        self.second = Pair::new(Config { incarnation, ..self.config }, self.limits, &self.ids[1]);
        let (ids, now) = (self.members(), self.now());
        self.second.join(&ids, now);
    }

    fn next_wakeup(&self) -> Option<Instant> {
        let wakeups = [self.first.one.poll_timeout(), self.second.one.poll_timeout()];
        wakeups.into_iter().flatten().map(|wakeup| wakeup.at).min()
    }

    /// Puts messages on their way, unless they are for a node that does not run.
    fn send(&mut self, gossip: Vec<Vec<u8>>) {
        for line in gossip {
            let mut message = Message::new();
            let (sent, line) = (message.decode(&line[..line.len() - 1]).map(|()| message.dest), &line);
            let Some(dest) = sent.ok().flatten() else { continue };
            let side = match (dest.is(&self.first.me), dest.is(&self.second.me)) {
                (true, _) => Side::First,
                (_, true) => Side::Second,
                (false, false) => continue,
            };
            self.sent += 1;
            let lost = self.setup.lost > 0 && self.sent.is_multiple_of(self.setup.lost);
            if !lost && self.in_flight.len() < IN_FLIGHT_MAX {
                self.in_flight.push_back((side, line[..line.len() - 1].to_vec()));
            }
        }
    }

    fn deliver(&mut self) {
        for _ in 0..DELIVERIES_MAX {
            let Some((side, line)) = self.in_flight.pop_front() else { break };
            self.line(side, &line);
        }
    }

    /// Delivers the messages under way, and those that they cause, while no time passes.
    pub(super) fn settle(&mut self) {
        for _ in 0..AT_ONCE_MAX / DELIVERIES_MAX {
            self.deliver();
            if self.in_flight.is_empty() {
                return;
            }
        }
        panic!("after {AT_ONCE_MAX} messages the two still have something to say, and no time has passed");
    }

    /// Runs the next timer, and delivers the messages that it causes. True if there was a timer.
    pub(super) fn wake(&mut self) -> bool {
        let Some(at) = self.next_wakeup() else { return false };
        self.now_us = self.now_us.max(at.as_micros());
        self.timeout();
        self.settle();
        true
    }
}
