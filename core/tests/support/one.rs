//! One node in the virtual time of `rumormill-sim`, with neighbours that exist only as lines of text.

use rumormill_core::gossip::Rule;
use rumormill_core::id::{hash_bytes, mix2};
use rumormill_core::storage::{Heap, Limits, Storage as _};
use rumormill_core::{Change, Config, Node, Now, Strategy, Transmit};
use rumormill_sim::{EPOCH_US, Fate, Joined as _, Machine as _, Nodes};
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
    /// Whether it says that all members agree.
    pub fn says_all(&self) -> bool {
        self.body["agree"].as_str().is_some_and(|agree| agree.ends_with(":all"))
    }

    /// The chunks of entries as text; empty if there are none.
    pub fn data(&self) -> String {
        self.body.get("data").map_or_else(String::new, Json::to_string)
    }
}

pub struct One {
    nodes: Nodes<Node<Heap>>,
    pub now_us: u64,
    pub sent: Vec<Sent>,
    me: String,
    msg_id: u64,
    without: Vec<Rule>,
}

/// The default configuration, with this session and strategy.
pub fn config(incarnation: u64, strategy: Strategy) -> Config {
    Config { incarnation, strategy, seed: 1, ..Config::default() }
}

/// The name of the view with these sessions.
pub fn view(sessions: &[(&str, u64)]) -> String {
    let term = |(id, session): &(&str, u64)| mix2(hash_bytes(id.as_bytes()), session + 1);
    format!("{:016x}", sessions.iter().map(term).fold(0, u64::wrapping_add))
}

impl One {
    pub fn new(config: Config, without: &[Rule]) -> Self {
        Self::with_limits(config, Heap::LIMITS, without)
    }

    pub fn with_limits(config: Config, limits: Limits, without: &[Rule]) -> Self {
        let mut nodes = Nodes::new(1);
        // A device without a clock, unless a test gives it one.
        nodes.set_clock(0, None);
        nodes.start(0, Node::with_limits(config, limits).unwrap());
        Self { nodes, now_us: 0, sent: Vec::new(), me: String::new(), msg_id: 1_000, without: without.to_vec() }
    }

    /// Lets the node join, and send messages from now on.
    pub fn join(&mut self, me: &str, ids: &[&str]) {
        self.with(|node, now| node.join(me, ids.iter().copied(), now).map(drop)).unwrap();
        self.begun(me);
    }

    fn begun(&mut self, me: &str) {
        me.clone_into(&mut self.me);
        let without = self.without.clone();
        self.with(|node, _| without.iter().for_each(|rule| node.switch_off(*rule)));
        self.drain();
    }

    pub fn node(&self) -> &Node<Heap> {
        self.nodes.get(0).unwrap()
    }

    /// Does something to the node, without polling the messages that it has then.
    pub fn with<R>(&mut self, change: impl FnOnce(&mut Node<Heap>, Now) -> R) -> R {
        self.nodes.with(self.now_us, 0, change).unwrap()
    }

    /// Gives the device a wall clock that showed this time when the test began.
    pub fn set_wall(&mut self, wall_us: u64) {
        self.nodes.set_clock(0, Some(wall_us as i64 - EPOCH_US as i64));
    }

    /// Handles the lines, one per millisecond. Returns the replies.
    pub fn lines(&mut self, lines: &str) -> Vec<Json> {
        let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.filter_map(|line| self.line(line)).collect()
    }

    /// Handles a line, one millisecond after the last input.
    pub fn line(&mut self, line: &str) -> Option<Json> {
        let next_us = self.now_us + 1_000;
        self.run_until(next_us);
        assert_eq!(self.nodes.handle_line(self.now_us, 0, line.as_bytes()), Fate::Taken, "{line}");
        let reply = self.drain();
        if self.me.is_empty() && self.node().member().is_some() {
            let members = &self.node().replica().causality.members;
            let me = members.id(members.me()).to_owned();
            self.begun(&me);
        }
        reply
    }

    /// Handles a message from a peer. `body` is the text after the type.
    pub fn hear(&mut self, src: &str, body: &str) {
        let line = format!(r#"{{"src":"{src}","dest":"{}","body":{{"type":"gossip",{body}}}}}"#, self.me);
        assert!(self.line(&line).is_none(), "a reply to {line}");
    }

    /// Handles a request of a client. Returns the body of the reply.
    pub fn ask(&mut self, body: &str) -> Json {
        self.msg_id += 1;
        let line = format!(r#"{{"src":"c1","dest":"{}","body":{{{body},"msg_id":{}}}}}"#, self.me, self.msg_id);
        self.line(&line).unwrap_or_else(|| panic!("no reply to {line}"))["body"].clone()
    }

    pub fn update(&mut self, change: Change<'_>) {
        self.with(|node, now| node.update(now, change)).unwrap();
        self.drain();
    }

    fn drain(&mut self) -> Option<Json> {
        let (mut reply, mut line) = (None, Vec::new());
        while let Some(sent) = self.nodes.poll_transmit(self.now_us, 0, &mut line) {
            match sent {
                Transmit::Reply => reply = Some(serde_json::from_slice(&line).unwrap()),
                Transmit::Gossip(_) => {
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
        reply
    }

    fn run_until(&mut self, until_us: u64) {
        while let Some((due_us, _)) = self.nodes.poll_timeout()
            && due_us <= until_us
        {
            self.now_us = self.now_us.max(due_us);
            self.nodes.handle_timeout(self.now_us, 0);
            self.drain();
        }
        self.now_us = until_us;
    }

    pub fn run_for_ms(&mut self, ms: u64) {
        self.run_until(self.now_us + ms * 1_000);
    }

    /// The messages that were sent to a peer.
    pub fn sent_to(&self, peer: &str) -> Vec<Sent> {
        self.sent.iter().filter(|sent| sent.to == peer).cloned().collect()
    }

    /// How many bytes were sent.
    pub fn bytes(&self) -> usize {
        self.sent.iter().map(|sent| sent.bytes).sum()
    }

    /// The present session.
    pub fn session(&self) -> u64 {
        self.node().gossip().session()
    }

    /// The name of the node's view.
    pub fn view(&self) -> String {
        format!("{:016x}", self.node().gossip().view_name())
    }

    /// The digest as messages carry it.
    pub fn sum(&self) -> String {
        let sum = self.node().digest();
        format!("{:016x}{:016x}", sum.vector, sum.state)
    }

    /// How many values the set has.
    pub fn values(&self) -> usize {
        self.node().store().set.len()
    }

    /// How many rows are in use.
    pub fn rows(&self) -> usize {
        self.node().replica().causality.rows.len()
    }

    /// The frontier of a row.
    pub fn frontier(&self, node: &str, life: u64) -> u64 {
        let causality = &self.node().replica().causality;
        let node = causality.members.find(node).unwrap();
        causality.rows.find(node, life).map_or(0, |row| causality.rows.get(row).frontier)
    }
}
