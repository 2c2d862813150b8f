//! A member that lies, and one that does not. The messages of the first node are altered on their way to the second
//! one. Then both talk undisturbed.
//!
//! While messages are altered, the second node may refuse any of them. Afterwards [`Talk::end`] checks the following,
//! whatever was sent:
//!
//! 1. No table holds more than it may, no message is longer than it may be, and the receiver takes each message.
//! 2. Each node holds every value of the set that was added at it: no message removes an entry.
//! 3. Both nodes hold the same state, if no altered message showed a *frontier* that the first node had not reached
//!    (`claims.rs`). An altered message may carry entries that nobody made: for the second node they are changes like
//!    all others. It merges them and sends them on, and the first node merges them as well. Merging is a join, so both
//!    nodes end with the join of their states. An entry in a row of the first node makes that node take another life
//!    and give the row up. Everything else that the second node was told about the first one (sum, agreement, session,
//!    wishes, ordinals) is corrected by later messages of the first node: each shows its sum, and its vector if the
//!    sums differ.
//!
//! If such a frontier was shown, each node may lack entries of the other for good: a node is not sent entries that it
//! is believed to hold. That lie has a row in docs/attacks.md.
//!
//! The last rule holds for scripts in which no node had to refuse an entry for lack of room. No rule demands that
//! both nodes *know* that they hold the same state: after some of the lies in docs/attacks.md a node does not believe
//! that another one agrees until that one starts anew. So the two need not be settled or silent. The lie "all members
//! hold this" about the state of a node divides nodes only if a third one is not heard: of two nodes, the one that the
//! lie is about knows better, and sends messages.

mod claims;
mod edit;
mod script;

use std::collections::{BTreeSet, VecDeque};

use rumormill_core::config::min_message_bytes;
use rumormill_core::storage::{Heap, Limits};
use rumormill_core::{Change, Config, Member, Transmit, Value};
use rumormill_sim::{Delay, Fate, Links, Micros, Network, Nodes, State};

use claims::shows_more_than;
use edit::Edit;
use script::{Setup, Step, steps};

/// How many steps of a script are run.
const STEPS_MAX: usize = 64;
/// How long a script may take while messages are altered, in milliseconds.
const ALTERED_MS_MAX: u64 = 600_000;
/// Two nodes that talk undisturbed hold the same state after at most this time. It is long because a node takes
/// sessions above invented ones only at pauses of up to five minutes.
const HONEST_US: Micros = 1_800 * 1_000_000;
/// After this many messages two nodes that differ for good are not run any longer: their states no longer change.
const FORGED_MESSAGES_MAX: u64 = 500;
/// How long a message takes.
const DELAY_US: Micros = 10_000;
/// Session and life in which both nodes begin.
const SESSION: u64 = 7;
/// The names of the nodes.
const IDS: [&str; 2] = ["n1", "n2"];
const FIRST: usize = 0;
const SECOND: usize = 1;

/// Room for every entry that the messages of a script carry, unless the script has little else or asks for small
/// tables.
const LIMITS: Limits = Limits {
    nodes: 2,
    rows: 64,
    known_peers: 2,
    values: 512,
    set_text_bytes: 4_096,
    dense_values: 64,
    keys: 32,
    text_bytes: 16,
    store_text_bytes: 4_096,
    id_bytes: 8,
    rumors: 16,
    events: 0,
    payload_bytes: 64,
};

/// Checks one script.
///
/// # Panics
/// When something does not hold.
pub fn check(script: &[u8]) {
    let setup = Setup::of(script);
    let mut talk = Talk::new(&setup);
    for step in steps(script).take(STEPS_MAX) {
        talk.step(step);
    }
    talk.end();
}

struct Talk {
    nodes: Nodes<Member<Heap>>,
    network: Network<Vec<u8>>,
    limits: Limits,
    now_us: Micros,
    /// The edits of the next messages of the first node.
    edits: VecDeque<Vec<Edit>>,
    /// The messages that the first node has sent, as it wrote them.
    said: Vec<Vec<u8>>,
    /// Whether an altered message showed a frontier that the first node had not reached.
    forged: bool,
    /// Values of the set that were added at each node.
    added: [BTreeSet<String>; 2],
    is_altered: bool,
}

impl Talk {
    fn new(setup: &Setup) -> Self {
        let limits = if setup.small { Limits { values: 8, keys: 2, rows: 8, ..LIMITS } } else { LIMITS };
        let config = Config { strategy: setup.strategy, incarnation: SESSION, ..Config::default() };
        let least = config.min_message_bytes(&limits).max(min_message_bytes(&limits));
        let config = Config { max_message_bytes: least + setup.message_bytes, ..config };
        let mut talk = Self {
            nodes: Nodes::new(2),
            network: Network::new(2, Links { delay: Delay::Constant(DELAY_US), ..Links::default() }, 0),
            limits,
            now_us: 0,
            edits: VecDeque::new(),
            said: Vec::new(),
            forged: false,
            added: Default::default(),
            is_altered: true,
        };
        for at in [FIRST, SECOND] {
            let config = Config { seed: at as u64, ..config };
            let member = Member::join_with_limits(config, limits, IDS[at], IDS, talk.nodes.clock(0, at));
            talk.nodes.start(at, member.expect("choices within their bounds, and room for two"));
            talk.drain(at);
        }
        talk
    }

    fn step(&mut self, step: Step<'_>) {
        match step {
            Step::Change(at, change) => self.update(at, change),
            Step::Pass(ms) => {
                let until_us = (self.now_us + ms * 1_000).min(ALTERED_MS_MAX * 1_000);
                while self.next(until_us) {}
                self.now_us = self.now_us.max(until_us);
            }
            Step::Edit(edit) => match self.edits.back_mut() {
                Some(edits) => edits.push(edit),
                None => self.edits.push_back(vec![edit]),
            },
            Step::NextMessage => self.edits.push_back(Vec::new()),
        }
    }

    fn update(&mut self, at: usize, change: Change<'_>) {
        let done = self.nodes.with(self.now_us, at, |node, now| node.update(now, change));
        if let (Some(Ok(_)), Change::Broadcast(value)) = (done, change) {
            self.added[at].insert(format!("{value:?}"));
        }
        self.drain(at);
    }

    /// Runs the next event, if it is not after `until_us`.
    fn next(&mut self, until_us: Micros) -> bool {
        let (arrival, timer) = (self.network.poll_timeout(), self.nodes.poll_timeout());
        let next = [arrival, timer.map(|timer| timer.0)].into_iter().flatten().min();
        let Some(due) = next.filter(|due| *due <= until_us) else { return false };
        self.now_us = self.now_us.max(due);
        if let Some(arrived) = self.network.poll(self.now_us) {
            trace(self.now_us, arrived.to, &arrived.payload);
            let fate = self.nodes.handle_line(self.now_us, arrived.to, &arrived.payload);
            let may_refuse = self.is_altered && arrived.to == SECOND;
            assert!(may_refuse || fate == Fate::Taken, "{fate:?}: {}", arrived.payload.escape_ascii());
            self.drain(arrived.to);
        } else if let Some((_, at)) = timer {
            self.nodes.handle_timeout(self.now_us, at);
            self.drain(at);
        }
        true
    }

    /// Sends the messages that wait at a node, and checks its tables.
    fn drain(&mut self, at: usize) {
        let mut line = Vec::new();
        while let Some(sent) = self.nodes.poll_transmit(self.now_us, at, &mut line) {
            match sent {
                // A reply to the peer, which an edit made ask like a client. Nodes do not read replies.
                Transmit::Reply => {}
                Transmit::Gossip(_) => self.send(at, &line),
            }
        }
        let node = self.node(at);
        let (store, rows) = (node.store(), node.replica().causality.rows.len());
        assert!(store.set.len() <= self.limits.values && store.map.len() <= self.limits.keys);
        assert!(rows <= self.limits.rows);
    }

    fn send(&mut self, from: usize, line: &[u8]) {
        let most = self.node(from).config().max_message_bytes;
        assert!(line.len() <= most, "{} bytes, {most} are allowed: {}", line.len(), line.escape_ascii());
        let line = line.trim_ascii_end().to_vec();
        let edits = if self.is_altered && from == FIRST { self.edits.pop_front() } else { None };
        let sent = edits.into_iter().flatten().try_fold(line.clone(), |line, edit| edit.apply(line, &self.said));
        if from == FIRST && self.is_altered {
            self.said.push(line);
        }
        if let Some(line) = sent {
            if from == FIRST && self.is_altered {
                let causality = &self.node(FIRST).replica().causality;
                let reached = |name: &str| causality.find_row(name).map_or(0, |row| causality.rows.get(row).frontier);
                self.forged |= shows_more_than(&line, reached);
            }
            self.network.send(self.now_us, from, 1 - from, line.len() + 1, line);
        }
    }

    /// The two nodes talk undisturbed. The head of this file says what has to hold then.
    fn end(mut self) {
        // Messages under way may have been altered. They arrive like all before them.
        self.edits.clear();
        let last_us = self.now_us + DELAY_US;
        while self.next(last_us) {}
        self.now_us = self.now_us.max(last_us);
        self.is_altered = false;
        let (until_us, before) = (self.now_us + HONEST_US, self.network.counts().sent);
        while self.node(FIRST).digest() != self.node(SECOND).digest() {
            if self.is_full() {
                return;
            }
            let enough = self.forged && self.network.counts().sent > before + FORGED_MESSAGES_MAX;
            if enough || !self.next(until_us) {
                assert!(self.forged, "they differ, for good: {}", self.difference());
                break;
            }
        }
        let [first, second] = [FIRST, SECOND].map(|at| State::of(self.node(at)));
        let is_equal = self.node(FIRST).digest() == self.node(SECOND).digest();
        assert!(!is_equal || first == second, "equal digests, and other states: {}", self.difference());
        for (at, state) in [&first, &second].into_iter().enumerate() {
            assert!(self.added[at].is_subset(&state.set), "not all of {:?}: {}", self.added[at], self.difference());
        }
    }

    /// Whether an entry found no room, so that the nodes cannot agree.
    fn is_full(&self) -> bool {
        let refused = |(_, node): (usize, &Member<Heap>)| node.stats().refused_full + node.stats().refused_rows > 0;
        self.nodes.iter().any(refused)
    }

    fn difference(&self) -> String {
        let [first, second] = [FIRST, SECOND].map(|at| self.node(at));
        let states = State::of(second).against(&State::of(first));
        format!(
            "{states}\n{:?}\n{:?}\n{:?}\n{:?}\nafter {} ms",
            State::of(first),
            State::of(second),
            first.stats(),
            second.stats(),
            self.now_us / 1_000
        )
    }

    fn node(&self, at: usize) -> &Member<Heap> {
        self.nodes.get(at).expect("both run for ever")
    }
}

/// Prints which message arrives where, if `RUMORMILL_TRACE` is set: to look into a find of the fuzzer.
fn trace(now_us: Micros, to: usize, line: &[u8]) {
    if std::env::var_os("RUMORMILL_TRACE").is_some() {
        eprintln!("{} ms, {}: {}", now_us / 1_000, IDS[to], line.escape_ascii());
    }
}

/// A value of the set or the map as a script has it: an integer if it reads as one.
fn value(text: &str) -> Value<'_> {
    text.parse().map_or(Value::Text(text), Value::Int)
}

#[cfg(test)]
mod tests {
    use rumormill_sim::EPOCH_US;

    use super::*;

    #[test]
    fn the_wall_clock_of_a_script_is_that_of_the_simulator() {
        let talk = Talk::new(&Setup::of(b""));
        assert_eq!(talk.nodes.clock(0, FIRST).wall_us, Some(EPOCH_US));
        assert_eq!(talk.node(FIRST).session(), SESSION);
    }
}
