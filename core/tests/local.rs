//! Local changes, by a client or by the program around the node: what they need, and the state after a refusal.

#![allow(clippy::unwrap_used)]

use rumormill_core::replicated::Bound;
use rumormill_core::storage::{Heap, Limits, Storage, Tiny};
use rumormill_core::{
    Change, Config, ConfigError, Instant, JoinError, Member, Node, NodeIndex, Now, Rejected, Sink, SinkFull, Skipped,
    UpdateError, Value,
};
use serde_json::{Value as Json, json};

use rumormill_sim::{Joined as _, Machine as _};

/// Wall time at which the tests begin.
const WALL_US: u64 = 1_700_000_000_000_000;

/// A node and its clocks.
struct Bench {
    node: Node<Tiny>,
    now: Now,
}

impl Bench {
    fn start(ids: &[&str], config: Config) -> Self {
        let mut bench = Self::new(config);
        let reply = bench.ask(&json!({"type": "init", "node_id": ids[0], "node_ids": ids}));
        assert_eq!(reply["type"], "init_ok");
        bench
    }

    fn new(config: Config) -> Self {
        let now = Now { at: Instant::ZERO, wall_us: Some(WALL_US) };
        Self { node: Node::new(config).unwrap(), now }
    }

    /// Lets time pass; the wall clock may go back.
    fn pass(&mut self, ms: u64, wall_ms: i64) {
        self.now.at = self.now.at.plus_ms(ms);
        self.now.wall_us = self.now.wall_us.map(|us| us.saturating_add_signed(wall_ms * 1_000));
        self.node.handle_timeout(self.now);
    }

    /// Hands over a request or a message, and returns the reply, if there is one.
    fn send(&mut self, src: &str, body: &Json) -> Option<Json> {
        let line = json!({"src": src, "dest": "n1", "body": body}).to_string();
        let _ = self.node.handle_line(self.now, line.as_bytes());
        let mut reply = None;
        loop {
            let mut out = Vec::new();
            if self.node.poll_transmit(self.now, &mut out).unwrap().is_none() {
                return reply;
            }
            let line: Json = serde_json::from_slice(&out).unwrap();
            if line["body"].get("in_reply_to").is_some() {
                reply = Some(line["body"].clone());
            }
        }
    }

    #[track_caller]
    fn ask(&mut self, body: &Json) -> Json {
        let mut body = body.clone();
        body["msg_id"] = 1.into();
        self.send("c1", &body).expect("an answer")
    }

    fn update(&mut self, change: Change<'_>) -> Result<bool, UpdateError> {
        self.node.update(self.now, change).map(|dot| dot.is_some())
    }
}

fn write<'a>(key: &'a str, value: &'a str) -> Change<'a> {
    Change::Write { key: Value::Text(key), value: Value::Text(value) }
}

/// Every kind of local write.
fn writes() -> [Json; 3] {
    [
        json!({"type": "write", "key": "k", "value": "a"}),
        json!({"type": "bench_write", "key": "k", "value": "b"}),
        json!({"type": "txn", "txn": [["w", "k", "c"], ["w", "l", "d"], ["r", "k", null]]}),
    ]
}

#[test]
fn own_writes_are_taken_whatever_the_wall_clock_does() {
    for (max_clock_ahead_ms, back_ms) in [(0, 0), (0, 1), (60_000, 61_000), (60_000, 3_600_000), (1, 1_600_000_000_000)]
    {
        let mut bench = Bench::start(&["n1"], Config { max_clock_ahead_ms, ..Config::default() });
        let how = format!("at most {max_clock_ahead_ms} ms ahead, {back_ms} ms back");
        let mut last = 0.0;
        for round in 0..3 {
            for request in writes() {
                let reply = bench.ask(&request);
                assert_ne!(reply["type"], "error", "{how}: {request}: {reply}");
                let stamp = bench.ask(&json!({"type": "kv_read", "key": "k"}))["ts"].as_f64().unwrap();
                assert!(stamp > last, "{how}: {stamp} after {last}");
                last = stamp;
            }
            assert_eq!(bench.update(write("k", "e")), Ok(true), "{how}");
            let reply = bench.ask(&json!({"type": "kv_read", "key": "k"}));
            assert_eq!(reply["value"], "e", "{how}: the last write wins here: {reply}");
            last = reply["ts"].as_f64().unwrap();
            if round == 0 {
                bench.pass(1, -back_ms);
            }
        }
    }
}

#[test]
fn stamps_of_others_stay_within_the_limit() {
    let mut bench = Bench::start(&["n1", "n2"], Config::default());
    bench.ask(&json!({"type": "write", "key": "k", "value": 1}));
    bench.pass(1, -61_000);
    bench.ask(&json!({"type": "write", "key": "k", "value": 2}));
    let before = bench.node.digest();
    // The stamp is less far ahead of the wall clock than this node's own clock, and still too far.
    let ts = WALL_US as f64 / 1e6 - 0.5;
    let reply = bench.ask(&json!({"type": "kv_merge", "entries": {"l": {"value": 1, "ts": ts}}}));
    assert_eq!(reply["code"], 12, "{reply}");
    let us = WALL_US - 500_000;
    let entry = json!({"type": "gossip", "inc": 1, "data": [["n2@1", 0, ["w", "l", 1, us]]]});
    assert_eq!(bench.send("n2", &entry), None);
    assert_eq!((bench.node.digest(), bench.node.stats().refused_clock_ahead), (before, 1));
    // One second later it is accepted.
    bench.pass(1_000, 1_000);
    bench.send("n2", &entry);
    assert_eq!(bench.ask(&json!({"type": "kv_read", "key": "l"}))["value"], 1);
}

#[test]
fn a_clock_at_its_end_refuses_writes_and_acknowledges_none() {
    let mut bench = Bench::start(&["n1", "n2"], Config::default());
    bench.now.wall_us = None;
    bench.send("n2", &json!({"type": "gossip", "inc": 1, "data": [["n2@1", 0, ["w", "k", 1, i64::MAX - 1]]]}));
    let before = bench.node.digest();
    for request in writes() {
        let reply = bench.ask(&request);
        assert_eq!(reply["code"], 11, "{request}: {reply}");
    }
    assert_eq!(bench.update(write("k", "e")), Err(UpdateError::EndOfTime));
    assert_eq!(bench.node.digest(), before);
    // A transaction that only reads needs no stamp.
    assert_eq!(bench.ask(&json!({"type": "txn", "txn": [["r", "k", null]]}))["txn"], json!([["r", "k", 1]]));
}

#[test]
fn a_write_that_is_refused_does_not_move_the_clock() {
    let mut bench = Bench::start(&["n1"], Config::default());
    for at in 0..Tiny::LIMITS.keys {
        assert_eq!(bench.update(write(&at.to_string(), "x")), Ok(true));
    }
    let stamp = bench.node.replica().causality.clock.read();
    let full = Err(UpdateError::Full(Bound::Keys(Tiny::LIMITS.keys)));
    let too_long = Err(UpdateError::TooLong { max_bytes: Tiny::LIMITS.text_bytes });
    let long = "x".repeat(Tiny::LIMITS.text_bytes + 1);
    for _ in 0..3 {
        assert_eq!(bench.update(write("one more", "x")), full);
        assert_eq!(bench.update(write("0", &long)), too_long);
        assert_eq!(bench.update(write(&long, "x")), too_long);
        for (key, value) in [("one more", "x"), ("0", &*long)] {
            assert_eq!(bench.ask(&json!({"type": "write", "key": key, "value": value}))["type"], "error");
            assert_eq!(bench.ask(&json!({"type": "txn", "txn": [["w", key, value]]}))["type"], "error");
        }
    }
    assert_eq!(bench.node.replica().causality.clock.read(), stamp);
    assert_eq!(bench.update(write("0", "y")), Ok(true));
    assert_eq!(bench.node.replica().causality.clock.read(), stamp + 1);
}

#[test]
fn a_node_is_a_member_from_the_moment_it_has_joined_and_only_then() {
    let mut bench = Bench::new(Config::default());
    assert!(bench.node.member_mut().is_none() && !bench.node.is_settled());
    let refused = bench.node.join("n1", ["n2"], bench.now).map(drop);
    assert_eq!(refused, Err(JoinError::Absent));
    assert!(bench.node.member_mut().is_none());
    let joined = bench.node.join("n1", ["n1"], bench.now).unwrap();
    assert!(joined.update(bench.now, Change::Add(1)).unwrap().is_some());
    let again = bench.node.join("n1", ["n1"], bench.now).map(drop);
    assert_eq!(again, Err(JoinError::JoinedAlready));
    assert_eq!(bench.node.member().unwrap().store().counter.value(), 1);
}

#[test]
fn why_a_node_cannot_join_is_said_in_words() {
    let join = |config, me, ids: &[&'static str]| {
        Member::<Tiny>::join(config, me, ids.iter().copied(), Now::monotonic_ms(0)).map(drop).unwrap_err()
    };
    let ids = |count: usize| (0..count).map(|at| ["a", "b", "c", "d", "e", "f", "g", "h", "i"][at]).collect::<Vec<_>>();
    let good = Config { max_message_bytes: 1_024, ..Config::default() };
    for (why, error, words) in [
        (join(good, "a", &ids(9)), JoinError::TooManyNodes { max: 8 }, "at most 8 nodes"),
        (join(good, "a", &["a", "b@5"]), JoinError::BadId { max_bytes: 16 }, "from 1 to 16 bytes"),
        (join(good, "a", &["a", "b", "a"]), JoinError::DuplicateId, "listed twice"),
        (join(good, "z", &["a", "b"]), JoinError::Absent, "own id"),
        (
            join(Config { fanout: 0, ..good }, "a", &["a"]),
            JoinError::Config(ConfigError::Fanout),
            "fanout must be from 1",
        ),
    ] {
        assert_eq!(why, error);
        assert!(why.to_string().contains(words), "{why}");
    }
}

#[test]
fn nobody_is_settled_from_the_moment_of_a_change_on() {
    type Step = fn(&mut Bench);
    let changes: [(&str, Step); 8] = [
        ("update", |bench| assert_eq!(bench.update(Change::Broadcast(Value::Int(9))), Ok(true))),
        ("a write by update", |bench| assert_eq!(bench.update(write("k", "new")), Ok(true))),
        ("broadcast", |bench| drop(bench.ask(&json!({"type": "broadcast", "message": 9})))),
        ("add", |bench| drop(bench.ask(&json!({"type": "add", "delta": 9})))),
        ("write", |bench| drop(bench.ask(&json!({"type": "write", "key": "k", "value": 9})))),
        ("txn", |bench| drop(bench.ask(&json!({"type": "txn", "txn": [["w", "k", 9]]})))),
        ("gossip_sync", |bench| drop(bench.ask(&json!({"type": "gossip_sync", "messages": [9]})))),
        ("kv_merge", |bench| drop(bench.ask(&json!({"type": "kv_merge", "entries": {"z": {"value": 9, "ts": 1.5}}})))),
    ];
    for (name, change) in changes {
        let mut bench = Bench::start(&["n1", "n2"], Config { incarnation: 7, ..Config::default() });
        bench.ask(&json!({"type": "broadcast", "message": 1}));
        // A peer shows the same state.
        let line = {
            let mut peer = Bench::new(Config { incarnation: 7, ..Config::default() });
            peer.node.join("n2", ["n1", "n2"], peer.now).unwrap();
            peer.send_as("n2", "n1", &json!({"type": "gossip", "inc": 7, "data": [["n1@7", 0, 1]], "want": 1}))
        };
        bench.node.handle_line(bench.now, line.as_bytes()).unwrap();
        bench.drain();
        assert!(bench.node.is_settled(), "{name}: the peer showed the same state: {line}");
        change(&mut bench);
        assert!(!bench.node.is_settled(), "{name}");
    }
}

#[test]
fn who_is_alone_is_settled_always() {
    let mut bench = Bench::start(&["n1"], Config::default());
    assert!(bench.node.is_settled());
    bench.ask(&json!({"type": "broadcast", "message": 1}));
    assert!(bench.node.is_settled());
    assert_eq!(bench.update(Change::Add(1)), Ok(true));
    assert!(bench.node.is_settled());
}

#[test]
fn an_init_that_comes_again_is_answered_when_it_says_the_same_as_the_first() {
    let mut bench = Bench::start(&["n1", "n2", "n3"], Config::default());
    let mut again = |me: &str, ids: &[&str]| {
        let reply = bench.ask(&json!({"type": "init", "node_id": me, "node_ids": ids}));
        if reply["type"] == "init_ok" { "ok".to_owned() } else { reply["text"].as_str().unwrap().to_owned() }
    };
    assert_eq!(again("n1", &["n1", "n2", "n3"]), "ok");
    assert_eq!(again("n1", &["n3", "n1", "n2"]), "ok");
    let other = again("n1", &["n1", "n2"]);
    assert_ne!(other, "ok");
    for (me, ids) in [
        ("n2", &["n1", "n2", "n3"][..]),
        ("n1", &["n1", "n2", "n4"]),
        ("n1", &["n1", "n2", "n3", "n4"]),
        ("n1", &["n1", "a", "b", "c", "d", "e", "f", "g", "h"]),
    ] {
        assert_eq!(again(me, ids), other, "{me} {ids:?}");
    }
    assert!(again("n9", &["n1", "n2", "n3"]).contains("among node_ids"));
    assert!(again("n1", &["n1", "n2", "n2"]).contains("stands once"));
}

impl Bench {
    fn drain(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let mut out = Vec::new();
            if self.node.poll_transmit(self.now, &mut out).unwrap().is_none() {
                return lines;
            }
            lines.push(String::from_utf8(out).unwrap().trim_end().to_owned());
        }
    }

    /// Hands over a message for `me` from `src`, and returns the message that answers it, now or within a minute.
    fn send_as(&mut self, me: &str, src: &str, body: &Json) -> String {
        let line = json!({"src": src, "dest": me, "body": body}).to_string();
        self.node.handle_line(self.now, line.as_bytes()).unwrap();
        for _ in 0..600 {
            if let Some(line) = self.drain().pop() {
                return line;
            }
            self.pass(100, 100);
        }
        panic!("no answer");
    }
}

#[test]
fn an_event_says_what_changed_and_by_whom() {
    let config = Config { events: true, ..Config::default() };
    let mut bench = Bench::start(&["n1", "n2"], config);
    let mut said = Vec::new();
    let mut follow = |bench: &mut Bench| {
        while let Some(event) = bench.node.poll_event() {
            said.push(format!("{event:?}"));
        }
    };
    bench.ask(&json!({"type": "broadcast", "message": "hello"}));
    follow(&mut bench);
    bench.update(Change::Add(3)).unwrap();
    bench.ask(&json!({"type": "add", "delta": -1}));
    bench.update(write("k", "old")).unwrap();
    bench.update(write("k", "new")).unwrap();
    follow(&mut bench);
    bench.send("n2", &json!({"type": "gossip", "inc": 1, "data": [["n2@1", 0, 7]]}));
    follow(&mut bench);
    assert_eq!(
        said,
        [
            r#"Changed { by: "n1", change: Inserted(Text("hello")) }"#,
            // Both changes are in the state: increments and decrements are separate cells.
            "Changed { by: \"n1\", change: Counted(2) }",
            "Changed { by: \"n1\", change: Counted(2) }",
            // The earlier value was superseded.
            r#"Changed { by: "n1", change: Written { key: Text("k"), value: Text("new") } }"#,
            "Changed { by: \"n2\", change: Inserted(Int(7)) }",
        ]
    );
}

#[test]
fn what_is_not_answered_is_counted_and_shown_in_stats() {
    let mut bench = Bench::new(Config::default());
    let early = bench.send("c1", &json!({"type": "read", "msg_id": 1})).expect("an error");
    assert_eq!((&early["code"], &early["text"]), (&json!(11), &json!("not initialised")));
    let now = bench.now;
    let refuse = |bench: &mut Bench, body: Json| {
        let line = json!({"src": "c1", "dest": "n1", "body": body}).to_string();
        bench.node.handle_line(now, line.as_bytes())
    };
    assert_eq!(refuse(&mut bench, json!({"type": "gossip", "value": 1})), Err(Rejected::Stranger));
    bench.node.skipped(Skipped::TooLong, 3);
    bench.node.join("n1", ["n1"], now).unwrap();
    bench.node.skipped(Skipped::Stale, 2);
    for _ in 0..2 {
        assert_eq!(refuse(&mut bench, json!({"type": "read"})), Err(Rejected::Unanswerable));
        assert_eq!(refuse(&mut bench, json!({"type": "read_ok", "in_reply_to": 1})), Ok(()));
    }
    assert_eq!(refuse(&mut bench, json!({"type": "replicate"})), Err(Rejected::Stranger));
    let stats = bench.ask(&json!({"type": "stats"}))["stats"].take();
    for (name, count) in [
        ("errors_sent", 1),
        ("strangers", 2),
        ("lines_too_long", 3),
        ("lines_stale", 2),
        ("unanswerable", 2),
        ("replies_received", 2),
        ("lines", 8),
        ("members", 1),
    ] {
        assert_eq!(stats[name], count, "{name}: {stats}");
    }
    assert_eq!(SinkFull.to_string(), "the sink took no more bytes");
    bench.ask(&json!({"type": "add", "delta": 5}));
    assert_eq!(bench.ask(&json!({"type": "read"}))["value"], 5);
}

#[test]
fn a_read_counts_as_stale_when_a_write_made_before_it_arrives_by_a_peer_or_a_client() {
    let mut bench = Bench::start(&["n1", "n2"], Config { incarnation: 5, ..Config::default() });
    bench.pass(100, 100);
    let stale = |bench: &mut Bench| bench.ask(&json!({"type": "bench_stats"}))["stale_reads"].clone();
    assert_eq!(bench.ask(&json!({"type": "kv_read", "key": "k"}))["code"], 20);
    let write = |seq: u64, key: &str, us: u64| json!({"type": "gossip", "inc": 9, "data": [["n2@9", seq - 1, ["w", key, 1, WALL_US + us]]], "digest": {"n2@9": seq}});
    assert_eq!(bench.send("n2", &write(1, "other", 50_000)), None);
    assert_eq!(stale(&mut bench), 0, "another key");
    assert_eq!(bench.send("n2", &write(2, "k", 50_000)), None);
    assert_eq!(bench.ask(&json!({"type": "kv_read", "key": "k"}))["value"], 1);
    assert_eq!(stale(&mut bench), 1, "the read of nothing was older than the write");
    let late = |ts: f64| json!({"type": "kv_merge", "entries": {"k": {"value": 2, "ts": ts}}});
    assert_eq!(bench.ask(&late(WALL_US as f64 / 1e6 + 0.08))["updated"], 1);
    assert_eq!(stale(&mut bench), 2, "the read of 1 was older than what the client brings");
}

#[test]
fn what_a_node_that_waits_for_its_cluster_does_not_answer_is_counted() {
    let mut bench = Bench::new(Config { incarnation: 7, ..Config::default() });
    let now = bench.now;
    let lines = [
        (r#"{"src":"c1","dest":"n1","body":{"type":"read"}}"#, Err(Rejected::Unanswerable)),
        (r#"{"src":"c1","body":{"type":"read","msg_id":1}}"#, Err(Rejected::Unanswerable)),
        (r#"{"dest":"n1","body":{"type":"read","msg_id":1}}"#, Err(Rejected::Unanswerable)),
        (r#"{"src":"n2","dest":"n1","body":{"type":"replicate"}}"#, Err(Rejected::Stranger)),
        (r#"{"src":"c1","dest":"n1","body":{"type":"read_ok","in_reply_to":1}}"#, Ok(())),
        (r#"{"src":"c1","dest":"n1","body":{"type":"read","msg_id":1}}"#, Ok(())),
        (r#"{"src":"c1","dest":"n1","body":{"type":"read","msg_id":2}}"#, Err(Rejected::ReplyPending)),
    ];
    assert!(matches!(bench.node.handle_line(now, b"{"), Err(Rejected::Malformed(_))));
    for (line, handled) in lines {
        assert_eq!(bench.node.handle_line(now, line.as_bytes()), handled, "{line}");
    }
    let stats = bench.node.stats();
    assert_eq!((stats.lines, stats.malformed_lines, stats.unanswerable), (7, 1, 3));
    assert_eq!((stats.strangers, stats.replies_received, stats.errors_sent), (1, 1, 1));
    // The reply is lost, and the next line is read.
    assert_eq!(bench.node.poll_transmit(now, &mut Full), Err(SinkFull));
    assert_eq!(bench.node.stats().sink_full, 1);
    assert_eq!(bench.drain(), Vec::<String>::new());
    assert_eq!(bench.ask(&json!({"type": "read"}))["code"], 11);
    assert_eq!((bench.node.stats().sink_full, bench.node.poll_timeout()), (1, None));
    assert_eq!((bench.node.session(), bench.node.is_name_used_up()), (7, false));
}

/// A sink that takes nothing.
struct Full;

impl Sink for Full {
    fn put(&mut self, _: &[u8]) -> Result<(), SinkFull> {
        Err(SinkFull)
    }
}

#[test]
fn capacities_of_fixed_storage_are_what_they_are() {
    let limits = Limits { events: Tiny::LIMITS.events + 1, ..Tiny::LIMITS };
    let config = Config { max_message_bytes: 1_024, ..Config::default() };
    assert!(matches!(Node::<Tiny>::with_limits(config, limits), Err(ConfigError::Capacity { .. })));
    assert!(Node::<Tiny>::with_limits(config, Tiny::LIMITS).is_ok());
    assert!(Node::<Heap>::with_limits(Config::default(), Limits { events: 10, ..Heap::LIMITS }).is_ok());
    let mut place = None;
    assert!(Node::<Tiny>::new_in(&mut place, Config { fanout: 0, ..config }).is_err() && place.is_none());
}

#[test]
fn what_is_wrong_is_said_in_words() {
    let reasons = [Rejected::Unanswerable, Rejected::Misdelivered, Rejected::Stranger, Rejected::ReplyPending];
    for (rejected, words) in reasons.into_iter().zip(["src or msg_id", "another node", "no other member", "not polled"])
    {
        assert!(rejected.reason().contains(words) && rejected.to_string() == rejected.reason(), "{rejected:?}");
    }
    for (error, words) in [
        (UpdateError::TooLong { max_bytes: 32 }, "longer than 32 bytes"),
        (UpdateError::Full(Bound::Keys(4)), "4"),
        (UpdateError::Overflow, "range of its integers"),
        (UpdateError::EndOfTime, "at its end"),
        (UpdateError::NoRow, "no row"),
    ] {
        assert!(error.to_string().contains(words), "{error}");
    }
    let source = |error: JoinError| std::error::Error::source(&error).map(ToString::to_string);
    assert_eq!(source(JoinError::Config(ConfigError::Fanout)), Some(ConfigError::Fanout.to_string()));
    assert_eq!(source(JoinError::DuplicateId), None);
}

#[test]
fn a_member_shows_who_it_is_and_how_it_stands() {
    let mut member = Member::<Heap>::join(Config::default(), "n2", ["n1", "n2"], Now::monotonic_ms(0)).unwrap();
    let shown = format!("{member:?}");
    assert!(shown.contains(r#"id: "n2""#) && shown.contains("settled: false"), "{shown}");
    assert_eq!([member.id(NodeIndex(0)), member.id(member.me())], ["n1", "n2"]);
    let before = member.digest();
    member.update(Now::monotonic_ms(0), Change::Add(1)).unwrap();
    assert_ne!(member.digest(), before);
    let stats = member.stats();
    assert_eq!((stats.members, stats.rows, stats.settled), (2, 1, 0));
}

#[test]
fn a_change_that_was_superseded_hides_none_of_those_after_it() {
    let mut bench = Bench::start(&["n1", "n2"], Config { events: true, ..Config::default() });
    bench.update(write("k", "old")).unwrap();
    bench.update(write("k", "new")).unwrap();
    assert!(format!("{:?}", bench.node.poll_event()).contains("new"));
    assert_eq!(bench.node.poll_event(), None);
}

#[test]
fn who_wants_no_events_is_told_of_none() {
    let mut bench = Bench::start(&["n1", "n2"], Config::default());
    bench.update(Change::Add(3)).unwrap();
    bench.send("n2", &json!({"type": "gossip", "inc": 1, "data": [["n2@1", 0, 7]]}));
    assert_eq!(bench.node.poll_event(), None);
}

#[test]
fn a_field_that_stands_twice_is_an_error() {
    let mut bench = Bench::start(&["n1", "n2"], Config::default());
    for line in [
        r#"{"src":"c1","dest":"n1","body":{"type":"add","delta":1,"delta":1,"msg_id":1}}"#,
        r#"{"src":"c1","src":"c1","dest":"n1","body":{"type":"add","delta":1,"msg_id":1}}"#,
    ] {
        bench.node.handle_line(bench.now, line.as_bytes()).unwrap();
        let replies = bench.drain();
        assert!(replies[0].contains("duplicate field"), "{replies:?}");
    }
    assert_eq!(bench.node.member().unwrap().store().counter.value(), 0);
}

#[test]
fn a_table_that_was_found_full_is_named_once() {
    let mut bench = Bench::start(&["n1", "n2"], Config::default());
    assert_eq!(bench.node.poll_refusal(), None);
    for value in 0..=Tiny::LIMITS.values {
        bench.ask(&json!({"type": "broadcast", "message": value}));
    }
    assert_eq!(bench.node.poll_refusal(), Some(Bound::Values(Tiny::LIMITS.values)));
    assert_eq!(bench.node.poll_refusal(), None);
}

#[test]
fn at_the_end_what_waits_for_its_push_leaves_and_no_timer_runs() {
    let mut bench = Bench::start(&["n1", "n2"], Config::default());
    for value in 0..2 {
        bench.ask(&json!({"type": "broadcast", "message": value}));
    }
    bench.drain();
    assert!(bench.node.poll_timeout().is_some());
    bench.node.finish(bench.now);
    let lines = bench.drain();
    assert!(lines.iter().any(|line| line.contains(r#""data""#)), "{lines:?}");
    assert_eq!(bench.node.poll_timeout(), None);
}
