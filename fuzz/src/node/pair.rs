//! One node, twice: on the storage of the script and on the heap.

use rumormill_core::data_type::Application;
use std::collections::HashSet;

use rumormill_core::output::SinkFull;
use rumormill_core::storage::{Heap, Limits};
use rumormill_core::wire::Message;
use rumormill_core::{Config, Member, Node, Now, Rejected, Transmit, Value};
use rumormill_sim::Joined as _;
use serde_json::Value as Json;

use super::sinks::{Bounded, Lending};
use crate::script::Change;

/// How many messages one peer may get at once.
const BURST: usize = 8;

/// One node, twice.
pub(super) struct Pair<S: Application> {
    pub(super) one: Node<S>,
    other: Node<Heap>,
    pub(super) me: String,
    /// The `msg_id` of the next message.
    next_msg_id: u64,
    pub(super) stamps: u64,
    pub(super) generated: HashSet<String>,
}

impl<S: Application> Pair<S> {
    pub(super) fn new(config: Config, limits: Limits, me: &str) -> Self {
        Self {
            one: Node::with_limits(config, limits).expect("within the bounds"),
            other: Node::with_limits(config, limits).expect("within the bounds"),
            me: me.into(),
            next_msg_id: 0,
            stamps: 0,
            generated: HashSet::new(),
        }
    }

    pub(super) fn join(&mut self, ids: &[String], now: Now) {
        self.one.join(&self.me, ids.iter().map(String::as_str), now).expect("a cluster");
        self.other.join(&self.me, ids.iter().map(String::as_str), now).expect("a cluster");
    }

    pub(super) fn is_initialised(&self) -> bool {
        self.one.member().is_some()
    }

    /// Hands a line to the node, and checks the answer, if there is one. Returns the messages to peers.
    pub(super) fn line(&mut self, now: Now, line: &[u8], room: usize) -> Vec<Vec<u8>> {
        let asked = self.asked(line);
        let was_initialised = self.is_initialised();
        let before = self.state();
        let outcome = self.one.handle_line(now, line);
        assert_eq!(outcome, self.other.handle_line(now, line), "{}", line.escape_ascii());
        assert_ne!(outcome, Err(Rejected::ReplyPending), "the reply before was polled");
        let after = self.state();
        let (mut replies, gossip) = self.poll(now, room);
        if let Some(reply) = replies.pop() {
            assert!(replies.is_empty());
            if let Some(reply) = reply {
                assert!(outcome.is_ok());
                let asked = asked.expect("only what can be answered is answered");
                self.check_answer(&reply, &asked);
                assert!(reply["body"]["type"] != "error" || before == after, "an error changed something: {reply}");
            }
        } else if let Some(asked) = asked {
            panic!("{} got no answer, initialised: {was_initialised}", asked.msg_id);
        }
        if outcome.is_err() {
            assert_eq!(before, after, "a line that was rejected changed something: {}", line.escape_ascii());
        }
        gossip
    }

    pub(super) fn me(&self) -> &str {
        let members = &self.one.replica().causality.members;
        members.id(members.me())
    }

    fn state(&self) -> (u64, u64, usize, usize) {
        let Some(member) = self.one.member() else { return (0, 0, 0, 0) };
        let (sum, store) = (member.digest(), member.store());
        (sum.vector, sum.state, store.set.len(), store.map.len())
    }

    pub(super) fn timeout(&mut self, now: Now, room: usize) -> Vec<Vec<u8>> {
        self.one.handle_timeout(now);
        self.other.handle_timeout(now);
        let (replies, gossip) = self.poll(now, room);
        assert!(replies.iter().all(Option::is_none), "a reply without a request");
        gossip
    }

    pub(super) fn update(&mut self, now: Now, change: &Change<'_>, room: usize) -> Vec<Vec<u8>> {
        let change = match *change {
            Change::Int(int) => rumormill_core::Change::Broadcast(Value::Int(int)),
            Change::Text(text) => rumormill_core::Change::Broadcast(Value::Text(text)),
            Change::Add(delta) => rumormill_core::Change::Add(delta),
            Change::Write(key, value) => {
                rumormill_core::Change::Write { key: Value::Text(key), value: Value::Int(value) }
            }
        };
        let before = self.state();
        let done = self.one.update(now, change);
        assert_eq!(done, self.other.update(now, change), "{change:?}");
        assert!(done.is_ok() || before == self.state(), "{change:?} failed and changed something");
        self.poll(now, room).1
    }

    /// Polls all messages, and checks each of them by itself. Returns the replies (`None` for one that did not fit the
    /// sink) and the messages to peers.
    fn poll(&mut self, now: Now, room: usize) -> (Vec<Option<Json>>, Vec<Vec<u8>>) {
        let most = 1 + BURST * self.one.limits().nodes;
        let (mut replies, mut gossip) = (Vec::new(), Vec::new());
        for polled in 0.. {
            assert!(polled <= most, "more than {most} messages at once");
            // The bytes that are written do not depend on the kind of sink.
            let (mut sink, mut other) = (Bounded { bytes: Vec::new(), room }, Lending::new(room));
            let polled = self.one.poll_transmit(now, &mut sink);
            assert_eq!(polled, self.other.poll_transmit(now, &mut other));
            if polled.is_ok() {
                let other = other.bytes();
                assert!(sink.bytes == other, "{}\n{}", sink.bytes.escape_ascii(), other.escape_ascii());
            }
            match polled {
                Ok(None) => break,
                Err(SinkFull) => {
                    assert!(room < usize::MAX);
                    // A message that did not fit does not say which kind it was. A reply is polled before all other
                    // messages.
                    if replies.is_empty() && gossip.is_empty() {
                        replies.push(None);
                    }
                    self.next_msg_id += 1;
                }
                Ok(Some(transmit)) => {
                    let line = self.check_message(transmit, &sink.bytes);
                    match transmit {
                        Transmit::Reply => replies.push(Some(line)),
                        Transmit::Gossip(_) => gossip.push(sink.bytes),
                    }
                }
            }
        }
        self.check_quiet(now);
        (replies, gossip)
    }

    /// Checks what has to hold between two inputs.
    fn check_quiet(&mut self, now: Now) {
        let wakeup = self.one.poll_timeout();
        assert_eq!(wakeup, self.other.poll_timeout());
        assert!(wakeup.is_none_or(|wakeup| wakeup.at > now.at), "{wakeup:?} is due at {now:?} and was not handled");
        assert_eq!(self.one.member().map(Member::digest), self.other.member().map(Member::digest));
        assert_eq!(self.one.stats(), self.other.stats());
        assert_eq!(self.one.is_settled(), self.other.is_settled());
        loop {
            let event = self.one.poll_event();
            assert_eq!(event, self.other.poll_event());
            if event.is_none() {
                break;
            }
        }
    }

    /// A message is one line of JSON with the keys of an envelope, the next `msg_id`, and no more than its bound.
    fn check_message(&mut self, transmit: Transmit, bytes: &[u8]) -> Json {
        let shown = bytes.escape_ascii();
        let Some((b'\n', line)) = bytes.split_last() else { panic!("no newline at the end: {shown}") };
        assert!(!line.contains(&b'\n'), "{shown}");
        let json: Json = serde_json::from_slice(line).unwrap_or_else(|error| panic!("{error}: {shown}"));
        let keys: Vec<&String> = json.as_object().map_or(Vec::new(), |object| object.keys().collect());
        assert_eq!(keys, ["body", "dest", "src"], "{shown}");
        assert!(line.starts_with(b"{\"src\": \""), "{shown}");
        let body = &json["body"];
        assert_eq!(body["msg_id"].as_u64(), Some(self.next_msg_id), "{shown}");
        self.next_msg_id += 1;

        // A client gets its value back unchanged, so the value of an echo may be nested up to one level less than a
        // line.
        let mut message = Message::new();
        assert_eq!(message.decode(line), Ok(()), "{shown}");
        assert_eq!(message.msg_id.map(i64::cast_unsigned), Some(self.next_msg_id - 1), "{shown}");
        assert!(message.envelope_twice().is_none() && message.known_field_twice().is_none(), "{shown}");
        assert_eq!(message.is_reply, transmit == Transmit::Reply, "{shown}");
        if let Transmit::Gossip(peer) = transmit {
            let members = &self.one.replica().causality.members;
            assert_eq!(json["src"], members.id(members.me()), "{shown}");
            assert_eq!(json["dest"], members.id(peer), "{shown}");
            assert_ne!(peer, members.me());
            assert!(message.kind.is_some_and(|kind| kind.is_unanswered()), "{shown}");
            let limit = self.one.config().max_message_bytes;
            assert!(bytes.len() <= limit, "{} bytes, {limit} allowed: {shown}", bytes.len());
        }
        json
    }
}
