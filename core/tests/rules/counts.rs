//! What a node counts, and what it loses.

use rumormill_core::{Sink, SinkFull};

use super::*;

/// The counters that a line moves, and by how much.
fn counts(one: &mut One, line: &str) -> Vec<(String, u64)> {
    let counters = |one: &One| serde_json::to_value(one.node().stats()).unwrap();
    let before = counters(one);
    let _ = one.with(|node, now| node.handle_line(now, line.as_bytes()));
    let after = counters(one);
    // A reply is polled before the next line.
    one.run_for_ms(0);
    let number = |json: &Json, name: &str| json[name].as_u64().unwrap();
    let names = before.as_object().unwrap().keys().filter(|name| !["lines", "rows", "settled"].contains(&&***name));
    let moved = names.map(|name| (name.clone(), number(&after, name).wrapping_sub(number(&before, name))));
    moved.filter(|(_, by)| *by != 0).collect()
}

#[test]
fn each_line_of_a_peer_is_counted_as_what_it_is() {
    let long = r"\u0041".repeat(100_000);
    let peer = |body: &str| format!(r#"{{"src":"n2","dest":"n1","body":{{"type":"gossip",{body}}}}}"#);
    let vectors = |p: &str| {
        format!(r#"{{"src":"n2","dest":"n1","body":{{"type":"replicate","p_counters":{p},"n_counters":{{}}}}}}"#)
    };
    let cases = [
        (r#"{"src":"c1","dest":"n9","body":{"type":"read","msg_id":1}}"#.to_owned(), &["misdelivered"][..]),
        (r#"{"src":"c1","dest":"n1","body":{"type":"read"}}"#.to_owned(), &["unanswerable"]),
        (r#"{"src":"c1","dest":"n1","body":{"type":"read_ok","in_reply_to":1}}"#.to_owned(), &["replies_received"]),
        (r#"{"src":"c1","dest":"n1","body":{"type":"gossip","value":1}}"#.to_owned(), &["strangers"]),
        ("{".to_owned(), &["malformed_lines"]),
        // Of another implementation.
        (peer(r#""value":7"#), &["entries_applied"]),
        (peer(r#""value":7"#), &["entries_known"]),
        (peer(&format!(r#""value":"{long}""#)), &["refused_unreadable"]),
        (vectors("7"), &["refused_unreadable"]),
        (vectors(r#"{"n3@1":5}"#), &["entries_applied"]),
        (vectors(r#"{"n9":5}"#), &["refused_rows"]),
        // Of this implementation.
        (peer(r#""inc":-1"#), &["refused_unreadable"]),
        (peer(r#""inc":1,"inc":1"#), &["refused_unreadable"]),
        (peer(r#""inc":1,"digest":{"n9@1":1}"#), &["refused_rows"]),
        (peer(r#""inc":1,"lives":{"n9":1}"#), &["refused_rows"]),
        (peer(r#""inc":1,"digest":{},"data":[["n9@1",0,7]]"#), &["refused_rows"]),
        (peer(r#""inc":1,"digest":{},"data":[["n2@1",0,["z",1]]]"#), &["refused_unreadable"]),
        (peer(r#""inc":1,"digest":{},"data":[["n2@1",0,8]]"#), &["entries_applied"]),
        (peer(r#""inc":1,"digest":{},"data":[["n2@1",0,8]]"#), &["entries_known"]),
        (peer(r#""inc":1,"digest":{},"data":[["n2@1",1,["w","k",null,1]]]"#), &["refused_unreadable"]),
        (peer(r#""inc":1,"digest":{"n1@1":90}"#), &["impostors"]),
        (peer(r#""inc":0,"digest":{}"#), &["old_sessions"]),
    ];
    let mut one = joined(Strategy::Rumor, &["n1", "n2", "n3"]);
    for (line, counted) in cases {
        let of_peer = line.contains(r#""src":"n2""#).then_some("gossip_messages_received");
        let mut expected: Vec<(String, u64)> =
            counted.iter().copied().chain(of_peer).map(|name| (name.to_owned(), 1)).collect();
        expected.sort();
        let mut moved = counts(&mut one, &line);
        // Timers may run as well.
        moved.retain(|(name, _)| !["gossip_rounds", "sessions_taken"].contains(&&**name));
        // The order in which serde_json keeps names depends on a feature that another crate of a build may switch on.
        moved.sort();
        assert_eq!(moved, expected, "{line}");
    }
    assert_eq!(one.node().stats().sessions_taken, 1, "that of an impostor");
}

#[test]
fn a_message_that_the_sink_does_not_take_is_counted_and_lost() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    one.with(|node, now| {
        node.update(now, Change::Broadcast(Value::Int(7))).unwrap();
        node.handle_timeout(now);
        assert_eq!(node.poll_transmit(now, &mut Full), Err(SinkFull));
        assert_eq!((node.stats().sink_full, node.stats().gossip_messages_sent), (1, 1));
        assert_eq!(node.poll_transmit(now, &mut Full), Ok(None));
        assert_eq!(node.stats().sink_full, 1);
    });
}

/// A sink that takes nothing.
struct Full;

impl Sink for Full {
    fn put(&mut self, _: &[u8]) -> Result<(), SinkFull> {
        Err(SinkFull)
    }
}

#[test]
fn sessions_far_ahead_of_the_wall_clock_are_counted_wherever_they_are_named() {
    const WALL_US: u64 = 1_700_000_000_000_000;
    let far = WALL_US + 61_000_000;
    for body in [
        format!(r#""inc":{far}"#),
        format!(r#""inc":1,"lives":{{"n2":{far}}}"#),
        format!(r#""inc":1,"digest":{{"n1@{far}":1}}"#),
    ] {
        let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
        one.set_wall(WALL_US);
        one.hear("n2", &body);
        assert_eq!((one.node().stats().refused_sessions, one.session()), (1, 1), "{body}");
    }
}

#[test]
fn a_repair_is_counted_when_it_begins() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    one.ask(r#""type":"add","delta":1"#);
    let vector = one.sum()[..16].to_owned();
    let counted = [1, 2, 3].map(|number| {
        one.hear("n2", &format!(r#""inc":1,"sum":"{vector}0000000000000000","msg_id":{number}"#));
        one.node().stats().repairs
    });
    assert_eq!(counted, [0, 1, 1]);
}
