//! The node with a defect: the real state machine, or a naive store, with lines changed on their way in or out.

use std::collections::VecDeque;

use clap::ValueEnum as _;
use rumormill_core::storage::Heap;
use rumormill_core::{Config, Instant, Node, Now};
use rumormill_lab::settings::Workload;
use serde_json::{Value, json};

use super::defects::Defect;
use super::naive::{HOLD_MS, Naive};

const CHAT_INTERVAL_MS: u64 = 100;
const LATE_MS: u64 = 6_000;
/// A node that does not exist.
const NOBODY: &str = "n99999";
/// A value that no workload adds.
const PHANTOM: i64 = -987_654_321;
/// What `reads-go-back` takes for the end of all changes.
const QUIET_MS: u64 = 3_000;

/// What a node wants its driver to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Print this line; it comes without its newline.
    Line(String),
    /// End the process with this status.
    Exit(u8),
}

/// A node with a defect, as a state machine: lines and time in, lines out.
pub(crate) struct WrongNode {
    defect: Defect,
    every: u64,
    base: Base,
    me: String,
    peers: Vec<String>,
    output: VecDeque<Output>,
    /// What happens later, in order of time.
    later: VecDeque<(Instant, Later)>,
    chatting: bool,
    chats: u64,
    /// Chances for the defect so far.
    chances: u64,
    /// Whom the request came from that is held, and its number there.
    held: Option<(Value, Value)>,
    /// Requests held so far.
    holds: u64,
    last_id: Option<Value>,
    snapshot: Option<Vec<Value>>,
    /// How long the last honest list was, and since when.
    listed: (usize, Instant),
}

enum Base {
    Real(Box<Node<Heap>>),
    Naive(Naive),
}

enum Later {
    Say(String),
    Chat,
    /// The time of the so-manieth held request is over.
    GiveUp(u64),
}

impl WrongNode {
    /// A node in its `life`-th life. `None` when there is no such workload.
    pub(crate) fn new(defect: Defect, every: u64, workload: &str, life: u64) -> Option<Self> {
        let base = match defect.facts().checker {
            "lww" | "txn" => Base::Naive(Naive::default()),
            _ => {
                let workload = Some(Workload::from_str(workload, false).ok()?.of_node());
                let config = Config { workload, incarnation: life, seed: life, ..Config::default() };
                Base::Real(Box::new(Node::new(config).ok()?))
            }
        };
        let starts = (defect == Defect::CrashesAtStart).then_some(Output::Exit(1));
        Some(Self {
            defect,
            every,
            base,
            me: String::new(),
            peers: Vec::new(),
            output: starts.into_iter().collect(),
            later: VecDeque::new(),
            chatting: false,
            chats: 0,
            chances: 0,
            held: None,
            holds: 0,
            last_id: None,
            snapshot: None,
            listed: (0, Instant::ZERO),
        })
    }

    /// What the node does next, `None` when it waits.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.output.pop_front()
    }

    /// When [`WrongNode::handle_timeout`] is to be called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let real = match &self.base {
            Base::Real(node) => node.poll_timeout().map(|wakeup| wakeup.at),
            Base::Naive(_) => None,
        };
        self.later.front().map(|(at, _)| *at).into_iter().chain(real).min()
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Now) {
        while self.later.front().is_some_and(|(at, _)| *at <= now.at) {
            match self.later.pop_front() {
                Some((_, Later::Say(line))) => self.say(line),
                Some((_, Later::Chat)) => self.chat(now),
                Some((_, Later::GiveUp(number))) if number == self.holds => {
                    if let Base::Naive(naive) = &mut self.base {
                        let body = naive.give_up();
                        self.release(body);
                    }
                }
                Some((_, Later::GiveUp(_))) => {}
                None => {}
            }
        }
        if let Base::Real(node) = &mut self.base {
            node.handle_timeout(now);
        }
        self.transmit(now);
    }

    /// Handles a line, without its newline.
    pub(crate) fn handle_line(&mut self, now: Now, line: &str) {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            return;
        };
        match message["body"]["type"].as_str().unwrap_or_default() {
            "init" => self.init(now, &message, line),
            // Only for its own sake.
            "ping" => {}
            _ => self.request(now, message),
        }
        self.transmit(now);
    }

    fn init(&mut self, now: Now, message: &Value, line: &str) {
        let body = &message["body"];
        self.me = body["node_id"].as_str().unwrap_or_default().to_owned();
        let ids = body["node_ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
        self.peers = ids.filter(|id| *id != self.me).map(str::to_owned).collect();
        if self.defect == Defect::NeverAnswersInit {
            return;
        }
        match &mut self.base {
            // What the real node refuses it counts by itself.
            Base::Real(node) => drop(node.handle_line(now, line.as_bytes())),
            Base::Naive(_) => self.reply(&message["src"], &body["msg_id"], json!({"type": "init_ok"})),
        }
        self.transmit(now);
        if self.defect == Defect::EarlyGossip {
            self.ping();
        }
    }

    fn request(&mut self, now: Now, mut message: Value) {
        if self.defect == Defect::ChatsForEver && !self.chatting {
            self.chatting = true;
            self.in_ms(now, CHAT_INTERVAL_MS, Later::Chat);
        }
        let from_client = message["src"].as_str().is_some_and(|src| !self.peers.iter().any(|peer| peer == src));
        if from_client && self.spoil_request(&mut message) {
            return;
        }
        match &mut self.base {
            // What the real node refuses it counts by itself.
            Base::Real(node) => drop(node.handle_line(now, message.to_string().as_bytes())),
            Base::Naive(naive) => {
                let wall_us = now.wall_us.unwrap_or(now.at.as_micros());
                let done = naive.handle(self.defect, self.every, &self.me, wall_us, &message["body"]);
                let (to, in_reply_to) = (message["src"].clone(), message["body"]["msg_id"].clone());
                self.release(done.release);
                if done.is_held {
                    self.holds += 1;
                    self.held = Some((to.clone(), in_reply_to.clone()));
                    self.in_ms(now, HOLD_MS, Later::GiveUp(self.holds));
                }
                if let Some(body) = done.reply {
                    self.reply(&to, &in_reply_to, body);
                }
                if let Some(body) = done.spread {
                    let to_peer = |peer| json!({"src": self.me, "dest": peer, "body": body}).to_string();
                    self.output.extend(self.peers.iter().map(to_peer).map(Output::Line));
                }
            }
        }
    }

    /// Defects on the way in. True when the request goes no further.
    fn spoil_request(&mut self, message: &mut Value) -> bool {
        let kind = message["body"]["type"].as_str().unwrap_or_default().to_owned();
        match self.defect {
            Defect::ForgetsOneInAThousand => {
                let body = &message["body"];
                let value = body["message"].as_i64().or(body["element"].as_i64()).filter(|_| is_add(&kind));
                // By value, so that it is one in so many of all, and the same on every node.
                let every = i64::try_from(self.every).unwrap_or(i64::MAX);
                if value.is_none_or(|value| value.rem_euclid(every) != 1 % every) {
                    return false;
                }
                let (to, in_reply_to) = (message["src"].clone(), body["msg_id"].clone());
                self.reply(&to, &in_reply_to, json!({"type": format!("{kind}_ok")}));
                true
            }
            Defect::CountsAnAddTwice => {
                let delta = message["body"]["delta"].as_i64().filter(|delta| *delta != 0);
                if let Some(delta) = delta.filter(|_| self.has_its_turn()) {
                    message["body"]["delta"] = json!(2 * delta);
                }
                false
            }
            Defect::Exits => {
                let exits = self.has_its_turn();
                if exits {
                    self.output.push_back(Output::Exit(0));
                }
                exits
            }
            _ => false,
        }
    }

    /// Everything that the real node has to send.
    fn transmit(&mut self, now: Now) {
        let mut lines = Vec::new();
        if let Base::Real(node) = &mut self.base {
            let mut line = Vec::new();
            // A `Vec` takes everything.
            while let Ok(Some(_)) = node.poll_transmit(now, &mut line) {
                lines.push(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
                line.clear();
            }
        }
        for line in lines {
            let Ok(message) = serde_json::from_str::<Value>(&line) else {
                continue;
            };
            let body = &message["body"];
            if body.get("in_reply_to").is_none() {
                if self.defect != Defect::NeverGossips {
                    self.say(line);
                }
            } else if body["type"] == "init_ok" || body["type"] == "error" {
                self.say(line);
            } else {
                self.spoil_reply(now, message, line);
            }
        }
    }

    /// Defects on the way out, of a reply that is right so far.
    fn spoil_reply(&mut self, now: Now, mut message: Value, line: String) {
        if !self.spoil_content(now, &mut message["body"]) {
            return self.spoil_line(now, message, line);
        }
        self.say(message.to_string());
    }

    /// Defects in what a reply says. True when it was changed.
    fn spoil_content(&mut self, now: Now, body: &mut Value) -> bool {
        let defect = self.defect;
        match defect {
            Defect::EchoChanged if self.has_its_turn() => {
                body["echo"] = json!(format!("{}!", body["echo"].as_str().unwrap_or_default()));
                true
            }
            Defect::DuplicateIds | Defect::MixedIds if body.get("id").is_some() => self.spoil_id(&mut body["id"]),
            Defect::MissingKey | Defect::WrongType
                if body["type"] == "read_ok" && body.get("messages").is_some() && self.has_its_turn() =>
            {
                self.spoil_messages(body)
            }
            _ => match ["messages", "value"].into_iter().find(|key| body[key].is_array()) {
                Some(key) => match body[key].as_array_mut() {
                    Some(list) => self.spoil_list(now, list),
                    None => false,
                },
                None => false,
            },
        }
    }

    fn spoil_id(&mut self, id: &mut Value) -> bool {
        let last = self.last_id.replace(id.clone());
        if !self.has_its_turn() {
            return false;
        }
        *id = match last {
            // Unique all the same.
            _ if self.defect == Defect::MixedIds => json!((self.chances << 32) + number(&self.me)),
            Some(last) => last,
            None => return false,
        };
        true
    }

    fn spoil_messages(&mut self, body: &mut Value) -> bool {
        match body.as_object_mut() {
            Some(object) if self.defect == Defect::MissingKey => {
                object.shift_remove("messages");
            }
            _ => {
                // Of an empty list nobody could say of what kind its values are.
                let list = body["messages"].as_array().cloned().unwrap_or_default();
                if list.is_empty() {
                    return false;
                }
                body["messages"] = list.iter().map(|value| json!(value.to_string())).collect();
            }
        }
        true
    }

    /// Defects in the values that a read lists.
    fn spoil_list(&mut self, now: Now, list: &mut Vec<Value>) -> bool {
        if list.len() != self.listed.0 {
            self.listed = (list.len(), now.at);
        }
        let defect = self.defect;
        let is_stale = defect == Defect::StaleForEver || self.is_first();
        match defect {
            Defect::StaleForEver | Defect::StaleNode if is_stale && list.len() as u64 >= self.every => {
                let held = self.snapshot.get_or_insert_with(|| list.clone());
                list.clone_from(held);
            }
            // The same on every node, whatever the order in which values came.
            Defect::DuplicatesInRead => list.extend(list.iter().min_by_key(|value| value.as_i64()).cloned()),
            Defect::PhantomValue => list.push(json!(PHANTOM)),
            Defect::ReadsGoBack if now.at.ms_since(self.listed.1) < QUIET_MS && self.has_its_turn() => {
                list.truncate(list.len() / 2);
            }
            _ => return false,
        }
        true
    }

    /// Defects in how a reply is sent.
    fn spoil_line(&mut self, now: Now, mut message: Value, line: String) {
        if !is_in_the_line(self.defect) || !self.has_its_turn() {
            return self.say(line);
        }
        match self.defect {
            Defect::ExtraKey => message["body"]["cached"] = json!(false),
            Defect::WrongSource => message["src"] = json!(self.peers.first().map_or(NOBODY, String::as_str)),
            Defect::ExtraEnvelopeKey => message["via"] = json!(self.me),
            Defect::BadJson => return self.say(line[..line.len() - 2].to_owned()),
            Defect::LateReply => return self.in_ms(now, LATE_MS, Later::Say(line)),
            Defect::LogsOnStdout => self.say(format!("INFO answered {}", message["dest"])),
            Defect::UnknownDestination => {
                self.say(json!({"src": self.me, "dest": NOBODY, "body": {"type": "ping"}}).to_string());
            }
            Defect::BlankLine => {
                self.say(line);
                return self.say(String::new());
            }
            Defect::SecondReply => self.say(line),
            _ => {}
        }
        self.say(message.to_string());
    }

    fn is_first(&self) -> bool {
        self.peers.iter().all(|peer| number(&self.me) < number(peer))
    }

    /// A chance for the defect: true one time in `every`.
    fn has_its_turn(&mut self) -> bool {
        self.chances += 1;
        self.chances.is_multiple_of(self.every)
    }

    fn chat(&mut self, now: Now) {
        self.ping();
        self.in_ms(now, CHAT_INTERVAL_MS, Later::Chat);
    }

    /// A message to one peer after the other that says nothing.
    fn ping(&mut self) {
        if let Some(peer) = self.peers.get(self.chats as usize % self.peers.len().max(1)) {
            let line = json!({"src": self.me, "dest": peer, "body": {"type": "ping"}}).to_string();
            self.chats += 1;
            self.say(line);
        }
    }

    /// Answers the request that was held.
    fn release(&mut self, body: Option<Value>) {
        if let Some(body) = body
            && let Some((to, in_reply_to)) = self.held.take()
        {
            self.reply(&to, &in_reply_to, body);
        }
    }

    fn reply(&mut self, to: &Value, in_reply_to: &Value, mut body: Value) {
        if !in_reply_to.is_null() {
            body["in_reply_to"] = in_reply_to.clone();
            self.say(json!({"src": self.me, "dest": to, "body": body}).to_string());
        }
    }

    fn say(&mut self, line: String) {
        self.output.push_back(Output::Line(line));
    }

    fn in_ms(&mut self, now: Now, ms: u64, what: Later) {
        let at = now.at.plus_ms(ms);
        let place = self.later.partition_point(|(other, _)| *other <= at);
        self.later.insert(place, (at, what));
    }
}

/// Whether the defect lies in how a reply is sent, and not in what it says.
fn is_in_the_line(defect: Defect) -> bool {
    matches!(
        defect,
        Defect::ExtraKey
            | Defect::WrongSource
            | Defect::ExtraEnvelopeKey
            | Defect::LogsOnStdout
            | Defect::BadJson
            | Defect::BlankLine
            | Defect::UnknownDestination
            | Defect::LateReply
            | Defect::SecondReply
    )
}

fn is_add(kind: &str) -> bool {
    kind == "broadcast" || kind == "add"
}

/// The number in a node's id.
fn number(id: &str) -> u64 {
    id.trim_start_matches(|char: char| !char.is_ascii_digit()).parse().unwrap_or(u64::MAX)
}
