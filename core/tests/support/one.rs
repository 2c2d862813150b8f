//! One node in virtual time, with neighbours that are made of lines of text.

use super::joined::Joined as _;
use rumormill_core::gossip::Rule;
use rumormill_core::id::{hash_bytes, mix2};
use rumormill_core::storage::{Heap, Limits, Storage as _};
use rumormill_core::{Change, Config, Instant, Node, Now, Strategy, Transmit};
use serde_json::Value as Json;

/// A message to a peer.
#[derive(Clone, Debug)]
pub struct Sent {
    pub at_ms: u64,
    pub to: String,
    pub body: Json,
    pub bytes: usize,
}

impl Sent {
    /// Whether it says that all members hold the same.
    pub fn says_all(&self) -> bool {
        self.body["agree"].as_str().is_some_and(|agree| agree.ends_with(":all"))
    }

    /// The chunks of entries, as text; empty when there are none.
    pub fn data(&self) -> String {
        self.body.get("data").map_or_else(String::new, Json::to_string)
    }
}

pub struct One {
    pub node: Node<Heap>,
    pub now_us: u64,
    /// None for a device without a clock.
    pub wall_us: Option<u64>,
    pub sent: Vec<Sent>,
    me: String,
    msg_id: u64,
    without: Vec<Rule>,
}

/// A node with default options, in that session.
pub fn config(incarnation: u64, strategy: Strategy) -> Config {
    Config { incarnation, strategy, seed: 1, ..Config::default() }
}

/// The name of the view that knows these sessions.
pub fn view(sessions: &[(&str, u64)]) -> String {
    let term = |(id, session): &(&str, u64)| mix2(hash_bytes(id.as_bytes()), session + 1);
    format!("{:016x}", sessions.iter().map(term).fold(0, u64::wrapping_add))
}

impl One {
    pub fn new(config: Config, without: &[Rule]) -> Self {
        Self::with_limits(config, Heap::LIMITS, without)
    }

    pub fn with_limits(config: Config, limits: Limits, without: &[Rule]) -> Self {
        Self {
            node: Node::with_limits(config, limits).unwrap(),
            now_us: 0,
            wall_us: None,
            sent: Vec::new(),
            me: String::new(),
            msg_id: 1_000,
            without: without.to_vec(),
        }
    }

    /// Joins at once, and speaks.
    pub fn join(&mut self, me: &str, ids: &[&str]) {
        let now = self.now();
        self.node.join(me, ids.iter().copied(), now).unwrap();
        self.begun(me);
    }

    fn begun(&mut self, me: &str) {
        me.clone_into(&mut self.me);
        self.without.iter().for_each(|rule| self.node.switch_off(*rule));
    }

    fn now(&self) -> Now {
        Now { at: Instant::from_micros(self.now_us), wall_us: self.wall_us.map(|wall| wall + self.now_us) }
    }

    /// Handles the lines, one per millisecond. Gives the replies.
    pub fn lines(&mut self, lines: &str) -> Vec<Json> {
        let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.filter_map(|line| self.line(line)).collect()
    }

    /// Handles a line, a millisecond after what was before.
    pub fn line(&mut self, line: &str) -> Option<Json> {
        let next_us = self.now_us + 1_000;
        self.run_until(next_us);
        let now = self.now();
        self.node.handle_line(now, line.as_bytes()).unwrap();
        let reply = self.drain();
        if self.me.is_empty() && self.node.member().is_some() {
            let members = &self.node.replica().causality.members;
            let me = members.id(members.me()).to_owned();
            self.begun(&me);
        }
        reply
    }

    /// A message from a peer. `body` is what follows the type.
    pub fn hear(&mut self, src: &str, body: &str) {
        let line = format!(r#"{{"src":"{src}","dest":"{}","body":{{"type":"gossip",{body}}}}}"#, self.me);
        assert!(self.line(&line).is_none(), "a reply to {line}");
    }

    /// A client's request; the body of the reply.
    pub fn ask(&mut self, body: &str) -> Json {
        self.msg_id += 1;
        let line = format!(r#"{{"src":"c1","dest":"{}","body":{{{body},"msg_id":{}}}}}"#, self.me, self.msg_id);
        self.line(&line).unwrap_or_else(|| panic!("no reply to {line}"))["body"].clone()
    }

    pub fn update(&mut self, change: Change<'_>) {
        let now = self.now();
        self.node.update(now, change).unwrap();
        self.drain();
    }

    fn drain(&mut self) -> Option<Json> {
        let now = self.now();
        let mut reply = None;
        loop {
            let mut line = Vec::new();
            match self.node.poll_transmit(now, &mut line).unwrap() {
                None => return reply,
                Some(Transmit::Reply) => reply = Some(serde_json::from_slice(&line).unwrap()),
                Some(Transmit::Gossip(_)) => {
                    let message: Json = serde_json::from_slice(&line).unwrap();
                    self.sent.push(Sent {
                        at_ms: self.now_us / 1_000,
                        to: message["dest"].as_str().unwrap().to_owned(),
                        body: message["body"].clone(),
                        bytes: line.len(),
                    });
                }
            }
        }
    }

    fn run_until(&mut self, until_us: u64) {
        while let Some(wakeup) = self.node.poll_timeout()
            && wakeup.at.as_micros() <= until_us
        {
            self.now_us = self.now_us.max(wakeup.at.as_micros());
            let now = self.now();
            self.node.handle_timeout(now);
            self.drain();
        }
        self.now_us = until_us;
    }

    pub fn run_for_ms(&mut self, ms: u64) {
        self.run_until(self.now_us + ms * 1_000);
    }

    /// What was sent to a peer.
    pub fn sent_to(&self, peer: &str) -> Vec<Sent> {
        self.sent.iter().filter(|sent| sent.to == peer).cloned().collect()
    }

    /// Bytes that were sent.
    pub fn bytes(&self) -> usize {
        self.sent.iter().map(|sent| sent.bytes).sum()
    }

    /// The present session.
    pub fn session(&self) -> u64 {
        self.node.gossip().session()
    }

    /// The name of the node's view.
    pub fn view(&self) -> String {
        format!("{:016x}", self.node.gossip().view_name())
    }

    /// The digest as messages carry it.
    pub fn sum(&self) -> String {
        let sum = self.node.digest();
        format!("{:016x}{:016x}", sum.vector, sum.state)
    }

    /// Values in the set.
    pub fn values(&self) -> usize {
        self.node.store().set.len()
    }

    /// Rows in use.
    pub fn rows(&self) -> usize {
        self.node.replica().causality.rows.len()
    }

    /// The frontier of a row.
    pub fn frontier(&self, node: &str, life: u64) -> u64 {
        let causality = &self.node.replica().causality;
        let node = causality.members.find(node).unwrap();
        causality.rows.find(node, life).map_or(0, |row| causality.rows.get(row).frontier)
    }
}
