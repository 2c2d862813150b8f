//! What happens when something is full: one test for each row of the table in ARCHITECTURE.md. The table is one, so its
//! tests are one file, although it is long.

use rumormill_core::data_type::Application;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::UNIX_EPOCH;

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseError};
use rumormill_core::causality::{RowId, Sum};
use rumormill_core::config::{INCARNATION_MAX, min_message_bytes};
use rumormill_core::id::json_len;
use rumormill_core::replicated::{Applied, Bound};
use rumormill_core::storage::{Small, Storage as _, Tiny};
use rumormill_core::wire::SEQ_MAX;
use rumormill_core::{
    Change, Config, Event, Instant, JoinError, Member, Node, Now, Rejected, Sink, SinkFull, Stats, Transmit,
    UpdateError, Value,
};
use rumormill_sim::{Cluster, Delay, EPOCH_US, Links, Machine};
use serde_json::json;

#[test]
fn a_local_change_that_finds_no_room_is_an_error_and_takes_no_dot() {
    let mut node = started::<Tiny>("n1", &["n1"], CONFIG);
    for value in 0..128 {
        let reply = ask(&mut node, json!({"type": "broadcast", "message": value}));
        assert_eq!(reply["type"], "broadcast_ok");
    }
    for key in 0..16 {
        assert_eq!(ask(&mut node, json!({"type": "write", "key": key, "value": 1}))["type"], "write_ok");
    }
    let before = (node.digest(), node.replica().own_seq());
    assert_eq!(before.1, 144);
    let fresh = json!({"value": 1, "ts": 0.5});
    for (request, bound) in [
        (json!({"type": "broadcast", "message": 128}), "128"),
        (json!({"type": "broadcast", "message": "text"}), "128"),
        (json!({"type": "add", "element": -1}), "128"),
        (json!({"type": "gossip_sync", "messages": [0, 1, 500]}), "128"),
        (json!({"type": "digest_sync", "remote_digest": "other", "remote_messages": [500]}), "128"),
        (json!({"type": "write", "key": 16, "value": 1}), "16"),
        (json!({"type": "bench_write", "key": "16", "value": 1}), "16"),
        (json!({"type": "kv_merge", "entries": {"16": fresh}}), "16"),
        (json!({"type": "txn", "txn": [["w", 1, 2], ["w", 16, 2]]}), "16"),
    ] {
        let reply = ask(&mut node, request.clone());
        assert_eq!((reply["type"].as_str(), reply["code"].as_i64()), (Some("error"), Some(11)), "{request}: {reply}");
        assert!(reply["text"].as_str().is_some_and(|text| text.contains(bound)), "{request}: {reply}");
        assert_eq!(before, (node.digest(), node.replica().own_seq()), "{request}");
    }
    let refused = node.update(NOW, Change::Broadcast(Value::Int(128)));
    assert_eq!(refused, Err(UpdateError::Full(Bound::Values(128))));
    let refused = node.update(NOW, Change::Write { key: Value::Int(16), value: Value::Int(1) });
    assert_eq!(refused, Err(UpdateError::Full(Bound::Keys(16))));
    assert_eq!(before, (node.digest(), node.replica().own_seq()));
    // A change that needs no room is accepted, and takes the next dot.
    let dot = node.update(NOW, Change::Write { key: Value::Int(3), value: Value::Int(2) });
    assert_eq!(dot.map(|dot| dot.map(|dot| dot.seq)), Ok(Some(145)));
    assert_eq!(ask(&mut node, json!({"type": "broadcast", "message": 5}))["type"], "broadcast_ok");
    assert_eq!(ask(&mut node, json!({"type": "add", "delta": 5}))["type"], "add_ok");
    assert_eq!(node.replica().own_seq(), 146);
}

#[test]
fn strings_of_the_set_that_find_no_room_are_an_error_and_take_no_dot() {
    let mut node = started::<Tiny>("n1", &["n1"], CONFIG);
    let text = |at: u32| format!("{at:024}");
    for at in 0..21 {
        assert_eq!(ask(&mut node, json!({"type": "broadcast", "message": text(at)}))["type"], "broadcast_ok");
    }
    let before = (node.digest(), node.replica().own_seq());
    let reply = ask(&mut node, json!({"type": "broadcast", "message": text(21)}));
    assert_eq!(reply["code"], 11, "{reply}");
    assert!(reply["text"].as_str().is_some_and(|text| text.contains("512")), "{reply}");
    assert_eq!(before, (node.digest(), node.replica().own_seq()));
    assert_eq!(ask(&mut node, json!({"type": "broadcast", "message": "8 bytes."}))["type"], "broadcast_ok");
    assert_eq!(node.replica().own_seq(), before.1 + 1);
}

#[test]
fn an_entry_of_a_peer_that_finds_no_room_is_not_marked_is_counted_and_is_offered_again() {
    let ids = ["roomy", "small", "too"];
    let mut net = Net::new(ids);
    net.add::<Small>("roomy", CONFIG);
    net.add::<Tiny>("small", CONFIG);
    net.add::<Small>("too", CONFIG);
    for value in 0..140 {
        net.update("roomy", Change::Broadcast(Value::Int(value))).expect("room for thousands");
    }
    net.update("small", Change::Add(7)).expect("a counter has room");
    net.run_for(5_000);
    let of_roomy = |net: &Net, at: &str| net.get(at).frontier("roomy@1");
    assert_eq!((of_roomy(&net, "small"), of_roomy(&net, "too")), (128, 140));
    assert_eq!((net.get("small").values().len(), net.get("too").values().len()), (128, 140));
    assert!(net.get("small").values().contains("127"), "what came first is kept");
    let refused = net.get("small").stats().refused_full;
    assert!(refused >= 12, "{refused} were counted");
    // Changes that need no room still arrive, in both directions.
    net.update("roomy", Change::Add(5)).expect("a counter has room");
    net.run_for(5_000);
    assert!(ids.iter().all(|id| net.get(id).count() == 12));
    // The value is offered again and again, and no node takes the others for equal.
    net.run_for(60_000);
    assert!(net.get("small").stats().refused_full > refused);
    assert_eq!(of_roomy(&net, "small"), 128);
    assert!(!ids.iter().any(|id| net.get(id).is_settled()));
}

#[test]
fn a_rumor_that_finds_no_room_drives_out_the_oldest_and_anti_entropy_delivers_it() {
    let ids = ["n1", "n2", "n3"];
    let mut net = Net::new(ids);
    net.add::<Tiny>("n1", CONFIG);
    net.add::<Tiny>("n2", Config { gossip_interval_ms: Some(1), ..CONFIG });
    net.add::<Tiny>("n3", CONFIG);
    net.cut("n2", "n3");
    net.cut("n1", "n3");
    for at in 0..40 {
        // The nodes take turns, so that no two changes of a row are one range.
        net.update("n1", Change::Broadcast(Value::Int(at))).expect("room");
        net.update("n2", Change::Broadcast(Value::Int(100 + at))).expect("room");
        net.run_for(2);
    }
    let forgotten = net.get("n1").stats().rumors_forgotten;
    assert!(forgotten >= 80 - 2 * 16, "{forgotten} were forgotten");
    assert_eq!((net.get("n1").values().len(), net.get("n3").values().len()), (80, 0));
    net.isolate("n2");
    net.heal("n1", "n3");
    net.run_for(10_000);
    assert_eq!(net.get("n3").values(), net.get("n1").values());
    net.heal_all();
    net.run_until_settled();
}

#[test]
fn a_line_is_refused_unread_while_the_reply_to_the_one_before_waits() {
    let mut node = started::<Tiny>("n1", &["n1", "n2"], CONFIG);
    let mut sent = Bytes::default();
    while node.poll_transmit(NOW, &mut sent) != Ok(None) {}
    let line = |id: u32, value: u32| {
        let body = json!({"type": "broadcast", "message": value, "msg_id": id});
        json!({"src": "c1", "dest": "n1", "body": body}).to_string()
    };
    let gossip = json!({"src": "n2", "dest": "n1", "body": {"type": "gossip", "value": 9}}).to_string();
    assert_eq!(node.handle_line(NOW, line(1, 1).as_bytes()), Ok(()));
    let before = (node.digest(), node.stats());
    assert_eq!(node.handle_line(NOW, line(2, 2).as_bytes()), Err(Rejected::ReplyPending));
    assert_eq!(node.handle_line(NOW, gossip.as_bytes()), Err(Rejected::ReplyPending));
    assert_eq!(node.handle_line(NOW, b"no message"), Err(Rejected::ReplyPending));
    assert_eq!(before, (node.digest(), node.stats()));
    sent.0.clear();
    assert_eq!(node.poll_transmit(NOW, &mut sent), Ok(Some(Transmit::Reply)));
    assert!(String::from_utf8_lossy(&sent.0).contains(r#""in_reply_to": 1, "#));
    assert_eq!(node.handle_line(NOW, line(2, 2).as_bytes()), Ok(()));
}

#[test]
fn a_cluster_larger_than_the_storage_is_an_error_at_init_and_a_smaller_one_may_follow() {
    let ids = ["n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9"];
    let mut node = Node::<Tiny>::new(CONFIG).expect("choices within their bounds");
    let init = |ids: &[&str]| json!({"type": "init", "node_id": "n1", "node_ids": ids});
    let reply = ask(&mut node, init(&ids));
    assert_eq!((reply["type"].as_str(), reply["code"].as_i64()), (Some("error"), Some(11)), "{reply}");
    assert!(reply["text"].as_str().is_some_and(|text| text.contains('8')), "{reply}");
    assert_eq!(ask(&mut node, json!({"type": "read"}))["text"], "not initialised");
    assert_eq!(node.join("n1", ids, NOW).map(drop), Err(JoinError::TooManyNodes { max: 8 }));
    assert_eq!(ask(&mut node, init(&ids[..8]))["type"], "init_ok");
    assert_eq!(ask(&mut node, json!({"type": "broadcast", "message": 1}))["type"], "broadcast_ok");
}

#[test]
fn a_life_that_finds_no_room_in_the_pool_is_not_merged_is_counted_and_is_offered_again() {
    let ids = ["n1", "n2"];
    let mut net = Net::new(ids);
    net.add::<Tiny>("n1", CONFIG);
    // Of 32 rows, n1 is guaranteed 8.
    for life in 1..=24 {
        net.add::<Tiny>("n2", Config { incarnation: life, ..CONFIG });
        net.update("n2", Change::Broadcast(Value::Int(life as i64))).expect("room");
        net.run_until_settled();
    }
    assert_eq!(net.get("n1").stats().refused_rows, 0);
    net.add::<Tiny>("n2", Config { incarnation: 25, ..CONFIG });
    net.update("n2", Change::Broadcast(Value::Int(25))).expect("room");
    net.update("n1", Change::Broadcast(Value::Int(100))).expect("room");
    net.run_for(5_000);
    assert_eq!(net.get("n1").values().len(), 25);
    // The last life has a row at the node itself, besides the other lives that fit there.
    assert_eq!(net.get("n2").values().len(), 25);
    assert!(!net.get("n1").is_settled() && !net.get("n2").is_settled());
    let refused = net.get("n1").stats().refused_rows;
    assert!(refused > 0);
    net.run_for(60_000);
    assert!(net.get("n1").stats().refused_rows > refused);
    assert!(!net.get("n1").values().contains("25"));
}

#[test]
fn events_that_nobody_polls_are_dropped_and_the_gap_is_reported() {
    let mut node = started::<Tiny>("n1", &["n1"], Config { events: true, ..CONFIG });
    for value in 0..100 {
        node.update(NOW, Change::Broadcast(Value::Int(value))).expect("room");
    }
    let mut applied = 0;
    let mut missed = 0;
    while let Some(event) = node.poll_event() {
        match event {
            Event::Changed { .. } => applied += 1,
            Event::Lagged { missed: more } => missed += more,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((applied, applied + missed), (32, 100));
    node.update(NOW, Change::Add(1)).expect("room").expect("a change");
    let counted = Event::Changed { by: "n1", change: Applied::Counted(1) };
    assert_eq!(node.poll_event(), Some(counted));
    assert_eq!(node.poll_event(), None);
}

#[test]
fn a_message_is_cut_at_an_entry_and_the_rest_follows() {
    // The longest ids and incarnations, the smallest messages, the largest entries.
    let ids = ["sixteen bytes, a", "sixteen bytes, b", "sixteen bytes, c"];
    let limit = min_message_bytes(&Tiny::LIMITS);
    let config = Config { max_message_bytes: limit, incarnation: INCARNATION_MAX, ..CONFIG };
    assert!(Node::<Tiny>::new(Config { max_message_bytes: limit - 1, ..config }).is_err());
    let mut net = Net::new(ids);
    ids.iter().for_each(|id| net.add::<Tiny>(id, config));
    let text = |at: i64| format!("{at:024}");
    // A past life with a very large dot, as after many years.
    let past = format!("{}@{}", ids[0], INCARNATION_MAX - 1);
    let write = json!(["w", text(0), text(1), WALL_US]);
    let digest = json!({&*past: SEQ_MAX - 1});
    let data = json!([[past, 0, [SEQ_MAX - 2], write]]);
    let body = json!({"type": "gossip", "inc": INCARNATION_MAX - 1, "digest": digest, "data": data});
    net.deliver(ids[1], &json!({"src": ids[0], "dest": ids[1], "body": body}));
    for at in 1..16 {
        let (key, value) = (text(at), text(at + 1));
        let (key, value) = (Value::Text(&key), Value::Text(&value));
        net.update(ids[0], Change::Write { key, value }).expect("room");
        net.update(ids[1], Change::Broadcast(Value::Int(i64::MIN + at))).expect("room");
        net.update(ids[2], Change::Add((at - 7) << 58)).expect("far from overflow");
    }
    net.run_until_settled();
    let longest = net.0.take_longest();
    println!("the longest line has {longest} bytes of {limit}");
    assert!(longest <= limit);
    assert!(net.lines() > 16, "{} lines are too few for as many writes", net.lines());
    for id in ids {
        let Stats { malformed_lines, refused_unreadable, .. } = net.get(id).stats();
        assert_eq!((malformed_lines, refused_unreadable), (0, 0));
        assert_eq!((net.get(id).values().len(), net.get(id).keys()), (15, 16));
        assert_eq!(net.get(id).frontier(&past), SEQ_MAX - 1);
    }
}

proptest! {
    #![proptest_config(seeded())]

    #[test]
    fn whatever_is_said_in_messages_of_whatever_size_arrives(
        ids in prop::collection::btree_set(id(), 2..=8),
        life in prop::sample::select(vec![0, 1, INCARNATION_MAX]),
        above_least in prop_oneof![Just(0_usize), 0_usize..500],
        fanout in 1_u8..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..60),
        pause in 0_u64..300,
    ) {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let max_message_bytes = min_message_bytes(&Tiny::LIMITS) + above_least;
        let mut net = Net::new(ids.iter().copied());
        for (seed, id) in (0..).zip(&ids) {
            net.add::<Tiny>(id, Config { max_message_bytes, incarnation: life, fanout, seed, ..CONFIG });
        }
        // Nodes that never sent anything do not know that they are equal.
        net.update(ids[0], Change::Broadcast(Value::Int(77))).expect("room");
        for (index, change) in &changes {
            // If a table is full already, the change is left out.
            let _ = net.update(ids[index.index(ids.len())], change.get());
            net.run_for(pause);
        }
        net.run_until_settled();
        let longest = net.0.take_longest();
        prop_assert!(longest <= max_message_bytes, "{} bytes, {} allowed", longest, max_message_bytes);
        for id in &ids {
            let Stats { malformed_lines, refused_unreadable, .. } = net.get(id).stats();
            prop_assert_eq!((malformed_lines, refused_unreadable), (0, 0));
            prop_assert_eq!(net.get(id).values(), net.get(ids[0]).values());
            same("sums", net.get(id).digest(), net.get(ids[0]).digest())?;
        }
    }
}

/// A configuration whose seed is printed when a test fails. The environment variable with its name repeats the run.
fn seeded() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, max_shrink_iters: 2_000, ..ProptestConfig::default() };
    if config.rng_seed == RngSeed::Random {
        let now = UNIX_EPOCH.elapsed().unwrap_or_default();
        config.rng_seed = RngSeed::Fixed(now.as_nanos() as u64);
    }
    println!("PROPTEST_RNG_SEED={}", config.rng_seed);
    config
}

fn same<T: PartialEq + Debug>(what: &str, one: T, other: T) -> Result<(), TestCaseError> {
    prop_assert_eq!(one, other, "{}", what);
    Ok(())
}

/// An id whose JSON form is at most sixteen bytes long, with escapes and without.
fn id() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec!["a", "b", "0", "ä", "\"", "\\", "\n", "\u{1}", "😀", " "]);
    prop::collection::vec(piece, 1..20).prop_map(|pieces| {
        pieces.into_iter().fold(String::new(), |id, piece| {
            let longer = id.clone() + piece;
            if json_len(&longer) <= Tiny::LIMITS.id_bytes { longer } else { id }
        })
    })
}

/// A change, owned.
#[derive(Clone, Debug)]
enum Wish {
    Say(String),
    SayInt(i64),
    Add(i64),
    Write(String, i64),
    WriteText(i64, String),
}

impl Wish {
    fn get(&self) -> Change<'_> {
        match self {
            Self::Say(text) => Change::Broadcast(Value::Text(text)),
            Self::SayInt(int) => Change::Broadcast(Value::Int(*int)),
            Self::Add(delta) => Change::Add(*delta),
            Self::Write(key, value) => Change::Write { key: Value::Text(key), value: Value::Int(*value) },
            Self::WriteText(key, value) => Change::Write { key: Value::Int(*key), value: Value::Text(value) },
        }
    }
}

fn change() -> impl Strategy<Value = Wish> {
    // There are few of each, so that no table is full: the nodes have to become equal.
    let text = || {
        prop::sample::select(vec![
            "",
            "a",
            "\u{1}\u{2}\u{3}\u{4}",
            "\"\"\"\"\"\"\"\"\"\"\"\"",
            "twenty-four bytes, a lot",
            "äöü",
        ])
    };
    let int = || prop_oneof![Just(i64::MIN), Just(i64::MAX), -2_i64..3];
    prop_oneof![
        text().prop_map(|text| Wish::Say(text.into())),
        int().prop_map(Wish::SayInt),
        int().prop_map(Wish::Add),
        (text(), int()).prop_map(|(key, value)| Wish::Write(key.into(), value)),
        (int(), text()).prop_map(|(key, value)| Wish::WriteText(key, value.into())),
    ]
}

const CONFIG: Config = Config {
    workload: None,
    strategy: rumormill_core::Strategy::Rumor,
    fanout: 2,
    gossip_interval_ms: None,
    incarnation: 1,
    seed: 7,
    max_message_bytes: 4_096,
    max_clock_ahead_ms: 60_000,
    events: false,
};

/// Wall time at the start: late enough for stamps of nineteen digits.
const WALL_US: u64 = 9_000_000_000_000_000_000;
const WALL_AHEAD_US: i64 = (WALL_US - EPOCH_US) as i64;

const NOW: Now = Now::monotonic_ms(0);

/// A bound on lines that is far above what any test needs.
const LINES_MAX: u64 = 20_000;

/// A sink that takes everything.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Sink for Bytes {
    fn put(&mut self, bytes: &[u8]) -> Result<(), SinkFull> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn started<S: Application>(me: &str, ids: &[&str], config: Config) -> Member<S> {
    Member::join(config, me, ids.iter().copied(), NOW).expect("choices within their bounds, and a cluster")
}

/// The body of the reply to a request of a client.
fn ask(node: &mut impl Machine, mut body: serde_json::Value) -> serde_json::Value {
    body["msg_id"] = json!(1);
    let line = json!({"src": "c1", "dest": "n1", "body": body}).to_string();
    node.handle_line(NOW, line.as_bytes()).expect("a request that is answered");
    let mut reply = Vec::new();
    assert_eq!(node.poll_transmit(NOW, &mut reply), Some(Transmit::Reply));
    let mut reply: serde_json::Value = serde_json::from_slice(&reply).expect("a reply is JSON");
    reply["body"].take()
}

/// A node with any storage.
trait Resident: Machine {
    fn update(&mut self, now: Now, change: Change<'_>) -> Result<(), UpdateError>;
    fn stats(&self) -> Stats;
    fn values(&self) -> BTreeSet<String>;
    fn keys(&self) -> usize;
    fn count(&self) -> i128;
    /// The frontier of a row; 0 if there is no such row.
    fn frontier(&self, row: &str) -> u64;
}

impl<S: Application> Resident for Member<S> {
    fn update(&mut self, now: Now, change: Change<'_>) -> Result<(), UpdateError> {
        Self::update(self, now, change).map(drop)
    }

    fn stats(&self) -> Stats {
        Self::stats(self)
    }

    fn values(&self) -> BTreeSet<String> {
        let values = self.store().set.values().map(|value| match value {
            Value::Int(int) => int.to_string(),
            Value::Text(text) => format!("{text:?}"),
        });
        values.collect()
    }

    fn keys(&self) -> usize {
        self.store().map.len()
    }

    fn count(&self) -> i128 {
        self.store().counter.value()
    }

    fn frontier(&self, row: &str) -> u64 {
        let causality = &self.replica().causality;
        let named = |id: RowId| {
            let (node, life) = causality.name(id);
            format!("{node}@{life}") == row
        };
        causality.rows.iter().find(|(id, _)| named(*id)).map_or(0, |(_, row)| row.frontier)
    }
}

/// Nodes of several storages in one cluster, by their names. A line takes a millisecond, unless its link is cut.
struct Net(Cluster<Box<dyn Resident>>);

impl Net {
    fn new<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        let mut cluster = Cluster::vacant(ids, Links { delay: Delay::Constant(1_000), ..Links::default() }, 0);
        (0..cluster.len()).for_each(|at| cluster.set_clock(at, Some(WALL_AHEAD_US)));
        Self(cluster)
    }

    /// Starts a node, in place of the one that had its id before.
    fn add<S: Application + 'static>(&mut self, id: &str, config: Config) {
        let at = self.at(id);
        self.0.start(at, |seat| {
            let joined = Member::<S>::join(config, id, seat.ids(), seat.now);
            Box::new(joined.expect("choices within their bounds, and a cluster"))
        });
    }

    fn cut(&mut self, one: &str, other: &str) {
        let (one, other) = (self.at(one), self.at(other));
        self.0.cuts_mut().add(one, other);
        self.0.cuts_mut().add(other, one);
    }

    fn heal(&mut self, one: &str, other: &str) {
        let (one, other) = (self.at(one), self.at(other));
        self.0.cuts_mut().remove(one, other);
        self.0.cuts_mut().remove(other, one);
    }

    fn isolate(&mut self, id: &str) {
        let at = self.at(id);
        self.0.partition(&[at]);
    }

    fn heal_all(&mut self) {
        self.0.heal();
    }

    fn update(&mut self, id: &str, change: Change<'_>) -> Result<(), UpdateError> {
        let at = self.at(id);
        self.0.with(at, |node, now| node.update(now, change))
    }

    /// Hands a line to a node that the test has made.
    fn deliver(&mut self, id: &str, line: &serde_json::Value) {
        let at = self.at(id);
        assert_eq!(self.0.deliver(at, line.to_string().as_bytes()), Ok(None));
    }

    fn get(&self, id: &str) -> &dyn Resident {
        &**self.0.node(self.at(id))
    }

    fn run_for(&mut self, ms: u64) {
        self.0.run_for_ms(ms);
        assert!(self.lines() < LINES_MAX, "the nodes do not stop talking");
    }

    /// Runs until all members know that all hold the same state, which has to be soon.
    #[track_caller]
    fn run_until_settled(&mut self) {
        self.0.fall_silent(120_000);
        assert!(self.0.nodes().all(Machine::is_settled), "silent, and yet not settled: {}", self.0.summary());
        assert!(self.lines() < LINES_MAX, "the nodes do not stop talking");
    }

    fn lines(&self) -> u64 {
        self.0.counts().sent
    }

    fn at(&self, id: &str) -> usize {
        self.0.ids().iter().position(|known| known == id).expect("one of the cluster")
    }
}

#[test]
fn a_change_right_after_everybody_agreed_is_told() {
    let mut node = started::<Tiny>("n1", &["n1", "n2"], CONFIG);
    let drain = |node: &mut Member<Tiny>| while node.poll_transmit(NOW, &mut Bytes::default()) != Ok(None) {};
    node.update(NOW, Change::Broadcast(Value::Int(1))).unwrap();
    drain(&mut node); // the push
    node.update(NOW, Change::Broadcast(Value::Int(2))).unwrap(); // waits for the next push
    let Sum { vector, state } = node.digest();
    let sum = format!("{vector:016x}{state:016x}");
    let heard = |node: &mut Member<Tiny>, agree: &str| {
        let body = json!({"type": "gossip", "inc": 1, "sum": sum, "agree": agree, "want": 1});
        node.handle_line(NOW, json!({"src": "n2", "dest": "n1", "body": body}).to_string().as_bytes()).unwrap();
        drain(node); // the answer
    };
    heard(&mut node, "0000000000000000");
    assert!(!node.is_settled(), "another view");
    let view = node.gossip().view_name();
    heard(&mut node, &format!("{view:016x}"));
    assert!(node.is_settled());
    node.update(NOW, Change::Broadcast(Value::Int(3))).unwrap();
    assert!(
        node.poll_timeout().is_some_and(|wakeup| wakeup.at <= Instant::from_millis(200)),
        "{:?}",
        node.poll_timeout()
    );
}

#[test]
fn a_foreign_vector_says_nothing_about_the_set() {
    let mut node = started::<Tiny>("n1", &["n1", "n2"], CONFIG);
    node.update(NOW, Change::Broadcast(Value::Int(1))).unwrap();
    while node.poll_transmit(NOW, &mut Bytes::default()) != Ok(None) {} // lost on the way
    let body = json!({"type": "replicate", "p_counters": {}, "n_counters": {}});
    node.handle_line(NOW, json!({"src": "n2", "dest": "n1", "body": body}).to_string().as_bytes()).unwrap();
    assert!(!node.is_settled());
}

#[test]
fn a_full_set_does_not_hold_the_counter_back() {
    let mut net = Net::new(["roomy", "small"]);
    net.add::<Small>("roomy", CONFIG);
    net.add::<Tiny>("small", CONFIG);
    for value in 0..300 {
        net.update("roomy", Change::Broadcast(Value::Int(value))).unwrap();
    }
    net.update("roomy", Change::Add(5)).unwrap();
    net.run_for(60_000);
    assert_eq!(net.get("small").count(), 5);
}

#[test]
fn an_entry_that_cannot_be_read_makes_no_row() {
    let mut node = started::<Tiny>("n1", &["n1", "n2"], CONFIG);
    let data = json!([["n2@1", 0, ["p", "n2@9", "x"]]]);
    let body = json!({"type": "gossip", "inc": 1, "data": data});
    node.handle_line(NOW, json!({"src": "n2", "dest": "n1", "body": body}).to_string().as_bytes()).unwrap();
    assert_eq!(node.replica().causality.rows.len(), 1);
}

#[test]
fn events_come_in_order_and_a_gap_is_reported_where_it_is() {
    let mut node = started::<Tiny>("n1", &["n1"], Config { events: true, ..CONFIG });
    for value in 0..40 {
        node.update(NOW, Change::Broadcast(Value::Int(value))).unwrap();
    }
    node.poll_event();
    node.update(NOW, Change::Broadcast(Value::Int(40))).unwrap();
    let mut values = Vec::new();
    while let Some(event) = node.poll_event() {
        match event {
            Event::Changed { change: Applied::Inserted(Value::Int(value)), .. } => values.push(value),
            Event::Lagged { missed } => assert_eq!(missed, 9),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(values, (1..32).collect::<Vec<_>>());
    node.update(NOW, Change::Broadcast(Value::Int(41))).unwrap();
    let inserted = Event::Changed { by: "n1", change: Applied::Inserted(Value::Int(41)) };
    assert_eq!(node.poll_event(), Some(inserted));
}

#[test]
fn a_list_of_strings_needs_no_more_room_than_its_strings_one_by_one() {
    let mut node = started::<Tiny>("n1", &["n1"], CONFIG);
    let list: Vec<String> = (0..26).map(|at| format!("{:02}{}", at, "\"".repeat(10))).collect();
    let reply = ask(&mut node, json!({"type": "gossip_sync", "messages": list}));
    assert_eq!((&reply["type"], &reply["new_count"]), (&json!("gossip_sync_ok"), &json!(26)));
}
