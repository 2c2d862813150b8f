//! Two nodes of one cluster under a script: lines, gossip, time, loss, a restart.
//!
//! Each node runs twice: on fixed storage and on the heap, with the same capacities, so one run shows both that the same
//! inputs give the same outputs and that the storage makes no difference. What has to hold after every input is in
//! [`Pair::poll`] and [`Pair::check_answer`]; what has to hold in the end, when no line was forged, in
//! [`World::converge`].

use std::collections::{HashMap, HashSet, VecDeque};

use rumormill_core::id::json_len;
use rumormill_core::output::{Sink, SinkFull};
use rumormill_core::storage::{Heap, Limits, Storage, Tiny};
use rumormill_core::wire::{Key, Message, Str};
use rumormill_core::{Config, Instant, Node, Now, Rejected, Transmit, Value, config};
use serde_json::Value as Json;

use crate::script::{Change, Facts, Op, Setup, Side, Step, steps};

/// Steps of one script that are run.
const STEPS_MAX: usize = 256;
/// Messages on the way between the nodes; further ones are lost.
const IN_FLIGHT_MAX: usize = 64;
/// Deliveries after one step.
const DELIVERIES_MAX: usize = 32;
/// Messages that one peer may get at once.
const BURST: usize = 8;
/// Timers that may run until two nodes agree: with eight members, six of which are silent, it takes a few dozen.
const WAKEUPS_MAX: usize = 2_000;
/// Messages that two nodes may exchange while time stands still.
const AT_ONCE_MAX: usize = 2_048;
/// After so long without news, nodes that cannot agree talk little,
const UNREST_MS: u64 = 60_000;
/// as far as this time shows it.
const REST_MS: u64 = 30_000;
/// Then they exchange so many messages per second at most: a burst now and then.
const PER_SECOND_MAX: u64 = 8;
/// Wall time when a script starts, in microseconds.
const START_US: u64 = 1_700_000_000_000_000;
/// Monotonic time when a script starts, in milliseconds.
const START_MS: u64 = 1_000_000;

/// The smallest tables that are of any use.
const SMALLEST: Limits = Limits {
    nodes: 8,
    rows: 10,
    known_peers: 1,
    values: 12,
    set_text_bytes: 40,
    dense_values: 64,
    keys: 3,
    text_bytes: 8,
    store_text_bytes: 24,
    id_bytes: 5,
    rumors: 2,
    payload_bytes: 64,
};

/// Checks one script.
///
/// # Panics
/// When something does not hold.
pub fn check(script: &[u8]) {
    let setup = Setup::of(script);
    if setup.smallest {
        World::<Heap>::new(setup, SMALLEST).run(script);
    } else {
        World::<Tiny>::new(setup, Tiny::LIMITS).run(script);
    }
}

/// A sink with room for so many bytes.
struct Bounded {
    bytes: Vec<u8>,
    room: usize,
}

impl Sink for Bounded {
    fn put(&mut self, bytes: &[u8]) -> Result<(), SinkFull> {
        let fits = self.bytes.len() + bytes.len() <= self.room;
        if fits {
            self.bytes.extend_from_slice(bytes);
        }
        if fits { Ok(()) } else { Err(SinkFull) }
    }
}

/// As [`Bounded`], with memory to lend.
struct Lending {
    memory: Vec<u8>,
    len: usize,
    room: usize,
}

impl Lending {
    /// Bytes that are lent at once, at most: enough for a reply that is written in one block, not for long messages.
    const LENT: usize = 1_500;

    fn new(room: usize) -> Self {
        Self { memory: vec![0; Self::LENT.min(room)], len: 0, room }
    }

    fn bytes(&self) -> &[u8] {
        &self.memory[..self.len]
    }
}

impl Sink for Lending {
    const LENDS: bool = true;

    fn room(&mut self) -> &mut [u8] {
        &mut self.memory[self.len..]
    }

    fn take(&mut self, len: usize) {
        self.len += len;
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), SinkFull> {
        if self.len + bytes.len() > self.room {
            return Err(SinkFull);
        }
        self.memory.truncate(self.len);
        self.memory.extend_from_slice(bytes);
        self.len = self.memory.len();
        self.memory.resize(self.len.saturating_add(Self::LENT).min(self.room), 0);
        Ok(())
    }
}

/// One node, twice.
struct Pair<S: Storage> {
    one: Node<S>,
    other: Node<Heap>,
    me: String,
    /// What `msg_id` the next message has.
    next_msg_id: u64,
    stamps: u64,
    generated: HashSet<String>,
}

/// What a node is asked, as far as its answer can be judged by it.
struct Asked {
    src: String,
    msg_id: i64,
    echo: Option<Json>,
}

impl<S: Storage> Pair<S> {
    fn new(config: Config, limits: Limits, me: &str) -> Self {
        Self {
            one: Node::with_limits(config, limits).expect("within the bounds"),
            other: Node::with_limits(config, limits).expect("within the bounds"),
            me: me.into(),
            next_msg_id: 0,
            stamps: 0,
            generated: HashSet::new(),
        }
    }

    fn join(&mut self, ids: &[String], now: Now) {
        self.one.join(&self.me, ids.iter().map(String::as_str), now).expect("a cluster");
        self.other.join(&self.me, ids.iter().map(String::as_str), now).expect("a cluster");
    }

    fn is_initialised(&self) -> bool {
        self.one.gossip().is_some()
    }

    /// Hands a line to the node and checks the answer, if there is one. Gives the messages to peers.
    fn line(&mut self, now: Now, line: &[u8], room: usize) -> Vec<Vec<u8>> {
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

    /// What the node has to answer.
    fn asked(&self, line: &[u8]) -> Option<Asked> {
        let mut message = Message::new();
        message.decode(line).ok()?;
        let usable = |id: Option<Str<'_>>| {
            let id: String = id?.chars().collect();
            (!id.is_empty() && json_len(&id) <= self.one.limits().id_bytes).then_some(id)
        };
        let (src, dest) = (usable(message.src)?, message.dest?.chars().collect::<String>());
        let unanswered = message.is_reply || message.kind.is_some_and(|kind| kind.is_unanswered());
        let for_me = if self.is_initialised() { dest == self.me() } else { usable(message.dest).is_some() };
        if unanswered || !for_me {
            return None;
        }
        let echo = message.need(Key::Echo).ok().and_then(|_| {
            let line: Json = serde_json::from_slice(line).ok()?;
            line["body"].get("echo").cloned()
        });
        Some(Asked { src, msg_id: message.msg_id?, echo })
    }

    fn me(&self) -> &str {
        let members = &self.one.replica().causality.members;
        members.id(members.me())
    }

    fn state(&self) -> (u64, u64, usize, usize) {
        let (sum, store) = (self.one.digest(), self.one.store());
        (sum.vector, sum.state, store.set.len(), store.map.len())
    }

    fn timeout(&mut self, now: Now, room: usize) -> Vec<Vec<u8>> {
        self.one.handle_timeout(now);
        self.other.handle_timeout(now);
        let (replies, gossip) = self.poll(now, room);
        assert!(replies.iter().all(Option::is_none), "a reply without a request");
        gossip
    }

    fn update(&mut self, now: Now, change: &Change<'_>, room: usize) -> Vec<Vec<u8>> {
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

    /// Polls everything, and checks each message by itself. Gives the replies, `None` for one that did not fit the sink,
    /// and the messages to peers.
    fn poll(&mut self, now: Now, room: usize) -> (Vec<Option<Json>>, Vec<Vec<u8>>) {
        let most = 1 + BURST * self.one.limits().nodes;
        let (mut replies, mut gossip) = (Vec::new(), Vec::new());
        for polled in 0.. {
            assert!(polled <= most, "more than {most} messages at once");
            // What is written does not depend on how the sink takes it.
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
                    // It is not told which kind it was. A reply comes before everything else.
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

    /// What has to hold between two inputs.
    fn check_quiet(&mut self, now: Now) {
        let wakeup = self.one.poll_timeout();
        assert_eq!(wakeup, self.other.poll_timeout());
        assert!(wakeup.is_none_or(|wakeup| wakeup.at > now.at), "{wakeup:?} is due at {now:?} and was not handled");
        assert_eq!(self.one.digest(), self.other.digest());
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

        // Values come back to the client as they were given, so echoes may be nested up to one level less than lines.
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

    /// An answer goes to whoever asked, and has the keys of its type in their order, and no others.
    fn check_answer(&mut self, reply: &Json, asked: &Asked) {
        assert_eq!(reply["dest"], asked.src, "{reply}");
        let body = &reply["body"];
        assert_eq!(body["in_reply_to"].as_i64(), Some(asked.msg_id), "{reply}");
        let name = body["type"].as_str().unwrap_or_default();
        let keys: HashSet<&str> =
            body.as_object().into_iter().flat_map(|body| body.keys().map(String::as_str)).collect();
        let fields = ANSWERS.iter().filter(|(answer, _)| *answer == name);
        let expected =
            |fields: &[&'static str]| fields.iter().copied().chain(["type", "in_reply_to", "msg_id"]).collect();
        assert!(fields.into_iter().any(|(_, fields)| keys == expected(fields)), "{reply}");
        match name {
            "echo_ok" => assert_eq!(Some(&body["echo"]), asked.echo.as_ref(), "{reply}"),
            "generate_ok" => {
                assert!(self.generated.insert(body["id"].as_str().expect("a string").into()), "{reply}");
            }
            "write_ok" => {
                let micros = (body["ts"].as_f64().unwrap_or_default() * 1e6).round() as u64;
                // Beyond 2^53 a double no longer tells microseconds apart.
                assert!(micros > self.stamps || micros >= 1 << 53, "{reply} after {}", self.stamps);
                self.stamps = micros;
            }
            "read_ok" | "digest_sync_ok" => {
                let list = body.get("messages").or(body.get("local_messages")).or(body.get("value"));
                if let Some(Json::Array(values)) = list {
                    let distinct: HashSet<String> = values.iter().map(Json::to_string).collect();
                    assert_eq!(distinct.len(), values.len(), "{reply}");
                    assert_eq!(values.len(), self.one.store().set.len(), "{reply}");
                }
            }
            "error" => {
                assert!(matches!(body["code"].as_u64(), Some(10 | 11 | 12 | 20 | 22)), "{reply}");
                assert!(body["text"].as_str().is_some_and(|text| !text.is_empty()), "{reply}");
            }
            _ => {}
        }
    }
}

/// The answers: type, and fields besides `type`, `in_reply_to` and `msg_id`.
const ANSWERS: &[(&str, &[&str])] = &[
    ("init_ok", &[]),
    ("topology_ok", &[]),
    ("echo_ok", &["echo"]),
    ("generate_ok", &["id"]),
    ("broadcast_ok", &[]),
    ("read_ok", &["messages"]),
    ("read_ok", &["value"]),
    ("configure_ok", &[]),
    ("gossip_stats_ok", &["broadcasts_received", "gossip_messages_sent", "messages_per_op", "unique_messages"]),
    ("gossip_round_ok", &["peers_contacted", "messages_sent"]),
    ("gossip_sync_ok", &["new_count"]),
    ("digest_ok", &["digest", "count"]),
    ("digest_sync_ok", &["match", "transferred"]),
    ("digest_sync_ok", &["match", "transferred", "local_messages"]),
    ("add_ok", &[]),
    ("gossip_status_ok", &["local_value", "gossip_rounds", "peers_synced", "convergence_ms"]),
    ("write_ok", &["ts"]),
    ("kv_read_ok", &["key", "value", "ts"]),
    ("kv_merge_ok", &["updated"]),
    ("bench_write_ok", &["write_id"]),
    ("bench_report_ok", &["total_writes", "total_gossip_msgs", "msgs_per_write", "keys_stored"]),
    (
        "bench_stats_ok",
        &[
            "total_writes",
            "total_gossip_msgs",
            "msgs_per_write",
            "keys_stored",
            "reads",
            "stale_reads",
            "convergence_ms_median",
            "convergence_ms_max",
        ],
    ),
    ("stats_ok", &["stats"]),
    ("txn_ok", &["txn"]),
    ("error", &["code", "text"]),
];

/// Prints what arrives where, to look into what the fuzzer found: set `RUMORMILL_TRACE`.
fn trace(now: Now, to: Side, line: &[u8]) {
    if std::env::var_os("RUMORMILL_TRACE").is_some() {
        eprintln!("{} ms, {to:?}: {}", now.at.as_micros() / 1_000, line.escape_ascii());
    }
}

/// Two nodes, and what is on its way between them.
struct World<S: Storage> {
    setup: Setup,
    /// Ids of the members, and one that is none of them.
    ids: Vec<String>,
    config: Config,
    limits: Limits,
    first: Pair<S>,
    second: Pair<S>,
    in_flight: VecDeque<(Side, Vec<u8>)>,
    sent: u64,
    now_us: u64,
    room: usize,
    /// Whether a line claimed to be from a peer and was not.
    forged: bool,
    restarts: u64,
}

impl<S: Storage> World<S> {
    fn new(setup: Setup, limits: Limits) -> Self {
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

    fn run(mut self, script: &[u8]) {
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
        let sum = node.digest();
        Facts {
            to: side as usize,
            ids,
            incarnation,
            sum: (sum.vector, sum.state),
            view: node.gossip().map_or(0, |gossip| gossip.view_name()),
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

    /// Delivers what is on its way, and what that causes, while time stands still.
    fn settle(&mut self) {
        for _ in 0..AT_ONCE_MAX / DELIVERIES_MAX {
            self.deliver();
            if self.in_flight.is_empty() {
                return;
            }
        }
        panic!("after {AT_ONCE_MAX} messages the two still have something to say, and no time has passed");
    }

    /// Lets the next timer run, and delivers what it causes. Says whether there was one.
    fn wake(&mut self) -> bool {
        let Some(at) = self.next_wakeup() else { return false };
        self.now_us = self.now_us.max(at.as_micros());
        self.timeout();
        self.settle();
        true
    }

    /// When no line was forged and nothing was full, the two nodes hold the same after a while; and when there are no
    /// others, they know it and fall silent. In any case they come to rest.
    fn converge(mut self) {
        self.setup.lost = 0;
        self.room = usize::MAX;
        self.settle();
        if self.setup.uninitialised {
            return;
        }
        for _ in 0..WAKEUPS_MAX {
            if self.forged || self.is_refusing() {
                return self.check_rest();
            }
            let equal = self.first.one.digest() == self.second.one.digest();
            if equal && self.setup.nodes > 2 {
                return self.compare();
            }
            if !self.wake() {
                assert!(equal, "both nodes are silent and do not hold the same");
                assert!(self.first.one.is_settled() && self.second.one.is_settled());
                return self.compare();
            }
        }
        panic!("{:?}\n{:?}\nno end", self.first.one.stats(), self.second.one.stats());
    }

    /// Whether something from a peer did not fit, or was not taken yet.
    fn is_refusing(&self) -> bool {
        [self.first.one.stats(), self.second.one.stats()]
            .iter()
            .any(|stats| stats.refused_full + stats.refused_rows + stats.refused_clock_ahead > 0)
    }

    /// Two nodes that cannot agree for good do not talk all the time.
    fn check_rest(mut self) {
        let started_us = self.now_us;
        while self.now_us < started_us + UNREST_MS * 1_000 {
            if !self.wake() {
                return;
            }
        }
        let (sent, rested_us) = (self.sent, self.now_us);
        while self.now_us < rested_us + REST_MS * 1_000 {
            if !self.wake() {
                return;
            }
        }
        let (messages, seconds) = (self.sent - sent, (self.now_us - rested_us) / 1_000_000);
        assert!(messages <= PER_SECOND_MAX * seconds, "{messages} messages in {seconds} s");
    }

    /// Both nodes hold the same, not only by their digests.
    fn compare(&self) {
        let values = |node: &Node<S>| {
            let mut values: Vec<String> = node.store().set.values().map(|value| format!("{value:?}")).collect();
            values.sort();
            values
        };
        let pairs = |node: &Node<S>| -> HashMap<String, String> {
            node.store()
                .map
                .iter()
                .map(|(key, value, stamp)| (format!("{key:?}"), format!("{value:?} {stamp}")))
                .collect()
        };
        let (a, b) = (&self.first.one, &self.second.one);
        assert_eq!(values(a), values(b));
        assert_eq!(pairs(a), pairs(b));
        assert_eq!(a.store().counter.value(), b.store().counter.value());
    }
}
