//! The tables of requests in the client protocol, row by row: the bytes of the reply, and the effect of the request.
//! The file follows the order of the tables, so it is not split, although it is long.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use support::{Line, Node};

/// Values of `echo` as they are sent, and as they come back.
const ECHOES: &[(&str, &str)] = &[
    ("0", "0"),
    ("1", "1"),
    ("-1", "-1"),
    ("9223372036854775807", "9223372036854775807"),
    ("-9223372036854775808", "-9223372036854775808"),
    ("1.5", "1.5"),
    ("-0.25", "-0.25"),
    ("true", "true"),
    ("false", "false"),
    ("null", "null"),
    (r#""""#, r#""""#),
    (r#""a""#, r#""a""#),
    (r#""Please echo 35""#, r#""Please echo 35""#),
    (r#""a,b:c""#, r#""a,b:c""#),
    (r#"" , : ""#, r#"" , : ""#),
    (r#""[1,2]{\"a\":1}""#, r#""[1,2]{\"a\":1}""#),
    (r#""\"""#, r#""\"""#),
    (r#""\\""#, r#""\\""#),
    (r#""\\\"\\""#, r#""\\\"\\""#),
    (r#""\n""#, r#""\n""#),
    ("[]", "[]"),
    ("{}", "{}"),
    ("[ ]", "[]"),
    ("{ }", "{}"),
    ("[1]", "[1]"),
    ("[1,2,3]", "[1, 2, 3]"),
    ("[ 1 ,\t2 ,  3 ]", "[1, 2, 3]"),
    ("[1, 2, 3]", "[1, 2, 3]"),
    ("[[],[[]],{}]", "[[], [[]], {}]"),
    (r#"{"a":1}"#, r#"{"a": 1}"#),
    (r#"{ "a" : 1 }"#, r#"{"a": 1}"#),
    (r#"{"a":1,"b":[true,null,{"c":"d"}]}"#, r#"{"a": 1, "b": [true, null, {"c": "d"}]}"#),
    (r#"{"b":1,"a":2}"#, r#"{"b": 1, "a": 2}"#),
    (r#"{"type":"read","msg_id":5,"in_reply_to":6}"#, r#"{"type": "read", "msg_id": 5, "in_reply_to": 6}"#),
    (r#"["a,b:c",{"d:e,f":"g"}]"#, r#"["a,b:c", {"d:e,f": "g"}]"#),
    ("[[[[[[[[1]]]]]]]]", "[[[[[[[[1]]]]]]]]"),
    (r#"{"a":{"b":{"c":{"d":{}}}}}"#, r#"{"a": {"b": {"c": {"d": {}}}}}"#),
];

/// Values of `echo` whose text may change, but not their meaning.
const ECHOES_BY_MEANING: &[&str] = &[
    "1e3",
    "1E+3",
    "1.25e-7",
    "18446744073709551615",
    "123456789012345678901234567890",
    "0.1",
    "1.0",
    r#""\u0061""#,
    r#""\/\b\f\n\r\t""#,
    r#""\u0000\u001f""#,
    r#""\u00e9é""#,
    r#""\ud83d\ude00😀""#,
    r#""\uD834\uDD1E""#,
    r#""日本語""#,
    "\"\u{7f}\u{80}\u{2028}\u{feff}\u{ffff}\u{10ffff}\"",
    r#"{"\u0061":1,"\ud83d\ude00":[2]}"#,
];

/// The extreme values that set and store take, as they are sent and as they are printed.
const VALUES: &[(&str, &str)] = &[
    ("0", "0"),
    ("1", "1"),
    (r#""1""#, r#""1""#),
    ("-1", "-1"),
    ("9223372036854775807", "9223372036854775807"),
    ("-9223372036854775808", "-9223372036854775808"),
    (r#""9223372036854775807""#, r#""9223372036854775807""#),
    (r#""9223372036854775808""#, r#""9223372036854775808""#),
    (r#""a""#, r#""a""#),
    (r#""A""#, r#""A""#),
    (r#""""#, r#""""#),
    (r#"" ""#, r#"" ""#),
    (r#""a b,c: d""#, r#""a b,c: d""#),
    (r#""null""#, r#""null""#),
    (r#""[1, 2]""#, r#""[1, 2]""#),
    (r#""quote \" backslash \\""#, r#""quote \" backslash \\""#),
];

/// Two ways to write one string in JSON, and the string itself.
const SAME_STRINGS: &[(&str, &str, &str)] = &[
    (r#""\u0061""#, r#""a""#, "a"),
    (r#""\u0062\u0063""#, r#""b\u0063""#, "bc"),
    (r#""\u006A""#, r#""\u006a""#, "j"),
    (r#""\/""#, r#""/""#, "/"),
    (r#""\u0022""#, r#""\"""#, "\""),
    (r#""\u005c""#, r#""\\""#, "\\"),
    (r#""\u000a""#, r#""\n""#, "\n"),
    (r#""\u0008\u0009\u000c\u000d""#, r#""\b\t\f\r""#, "\u{8}\t\u{c}\r"),
    (r#""\u00e9""#, r#""é""#, "é"),
    (r#""\u20ac""#, r#""€""#, "€"),
    (r#""\ud83d\ude00""#, r#""😀""#, "😀"),
    (r#""\uD83D\uDE01""#, r#""\ud83d\ude01""#, "😁"),
    (r#""\ud800\udc00""#, "\"\u{10000}\"", "\u{10000}"),
    (r#""\udbff\udfff""#, "\"\u{10ffff}\"", "\u{10ffff}"),
    (r#""x\u0000y""#, r#""x\u0000y""#, "x\0y"),
];

/// Reads seconds with exactly six decimals, as microseconds.
#[track_caller]
fn micros(ts: &str) -> i64 {
    let (seconds, decimals) = ts.split_once('.').unwrap_or_else(|| panic!("no decimals in {ts}"));
    assert_eq!(decimals.len(), 6, "{ts}");
    format!("{seconds}{decimals}").parse().unwrap_or_else(|why| panic!("{ts}: {why}"))
}

#[track_caller]
fn ts(reply: &Line) -> i64 {
    assert!(reply.field("ts").is_number(), "{}", reply.text);
    micros(reply.raw("ts"))
}

fn seconds(micros: i64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn wall_micros() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// The ratio of two counts as it is printed: at most three decimals, no trailing zeros, `0` if the divisor is 0.
#[track_caller]
fn assert_ratio(reply: &Line, name: &str, of: i64, per: i64) {
    let text = reply.raw(name);
    if per == 0 {
        assert_eq!(text, "0", "{}", reply.text);
        return;
    }
    if let Some((_, decimals)) = text.split_once('.') {
        assert!(decimals.len() <= 3 && !decimals.ends_with('0') && !decimals.is_empty(), "{}", reply.text);
    }
    let ratio: f64 = text.parse().unwrap();
    assert!((ratio - of as f64 / per as f64).abs() < 0.001, "{of} / {per} in {}", reply.text);
}

#[track_caller]
fn assert_keys(reply: &Line, payload: &[&str]) {
    let expected: Vec<&str> = [&["type"], payload, &["in_reply_to", "msg_id"]].concat();
    assert_eq!(reply.keys(), expected, "{}", reply.text);
}

#[test]
fn init_and_topology_are_acknowledged() {
    let mut node = Node::start(3, &[]);
    for topology in [r#"{}"#, r#"{"n1":["n2","n3"],"n2":["n1"],"n3":["n1"]}"#, r#"{"n1":[]}"#] {
        node.expect(&format!(r#""type":"topology","topology":{topology}"#), r#""type": "topology_ok""#);
    }
    node.finish_in_peace();
}

#[test]
fn a_whole_session_is_answered_line_by_line_with_consecutive_msg_ids() {
    let mut node = Node::spawn(&[]);
    let session = [
        (
            r#"{"src":"c0","dest":"n3","body":{"type":"init","msg_id":1,"node_id":"n3","node_ids":["n3"]}}"#,
            r#"{"src": "n3", "dest": "c0", "body": {"type": "init_ok", "in_reply_to": 1, "msg_id": 0}}"#,
        ),
        (
            r#"{"src":"c1","dest":"n3","body":{"type":"echo","msg_id":1,"echo":"Please echo 35"}}"#,
            r#"{"src": "n3", "dest": "c1", "body": {"type": "echo_ok", "echo": "Please echo 35", "in_reply_to": 1, "msg_id": 1}}"#,
        ),
        (
            r#"{"src":"client","dest":"n3","body":{"type":"broadcast","msg_id":0,"message":1000}}"#,
            r#"{"src": "n3", "dest": "client", "body": {"type": "broadcast_ok", "in_reply_to": 0, "msg_id": 2}}"#,
        ),
        (
            r#"{"src":"c\u0032","dest":"n\u0033","body":{"type":"rea\u0064","msg_id":4294967297}}"#,
            r#"{"src": "n3", "dest": "c2", "body": {"type": "read_ok", "messages": [1000], "in_reply_to": 4294967297, "msg_id": 3}}"#,
        ),
    ];
    node.may_be_called("n3");
    for (request, reply) in session {
        node.send(request);
        assert_eq!(node.reply().text, reply);
    }
    node.finish_in_peace();
}

#[test]
fn requests_are_understood_in_any_order_of_keys_with_white_space_and_with_keys_nobody_knows() {
    let mut node = Node::start(1, &[]);
    let lines = [
        r#"{"body":{"msg_id":70,"echo":1,"type":"echo"},"dest":"n1","src":"c1"}"#,
        r#"{"id":12,"src":"c1","dest":"n1","body":{"type":"echo","echo":1,"msg_id":70}}"#,
        r#"{"src":"c1","dest":"n1","body":{"type":"echo","echo":1,"msg_id":70},"id":{"a":[1,{}]}}"#,
        r#"{"src":"c1","dest":"n1","body":{"x":[1,{"echo":2}],"type":"echo","y":null,"echo":1,"msg_id":70,"z":1e9}}"#,
        "  {  \"src\" : \"c1\" ,\t\"dest\":\"n1\", \"body\" : { \"type\":\"echo\" , \"echo\" : 1 , \"msg_id\":70 } }  ",
        "{\"src\":\"c1\",\"dest\":\"n1\",\"body\":{\"type\":\"echo\",\"echo\":1,\"msg_id\":70}}\r",
        r#"{"s\u0072c":"c1","d\u0065st":"n1","bod\u0079":{"typ\u0065":"ech\u006f","\u0065cho":1,"msg\u005fid":70}}"#,
    ];
    for line in lines {
        node.send(line);
        let reply = node.reply();
        assert_keys(&reply, &["echo"]);
        assert_eq!((&*reply.dest, reply.integer("echo"), reply.in_reply_to()), ("c1", 1, Some(70)), "{line}");
    }
    node.finish_in_peace();
}

#[test]
fn requests_are_answered_whoever_sends_them() {
    let mut node = Node::start(2, &[]);
    for src in ["c1", "c99", "n2", "n9", "somebody", "ü"] {
        node.send(&format!(r#"{{"src":"{src}","dest":"n1","body":{{"type":"echo","echo":1,"msg_id":5}}}}"#));
        let reply = node.reply();
        assert_eq!((&*reply.dest, reply.kind(), reply.in_reply_to()), (src, "echo_ok", Some(5)));
    }
    node.finish_in_peace();
}

#[test]
fn echo_gives_any_json_value_back_with_the_usual_separators() {
    let mut node = Node::start(1, &[]);
    for (sent, back) in ECHOES {
        node.expect(&format!(r#""type":"echo","echo":{sent}"#), &format!(r#""type": "echo_ok", "echo": {back}"#));
    }
    for sent in ECHOES_BY_MEANING {
        let reply = node.ask(&format!(r#""type":"echo","echo":{sent}"#));
        assert_keys(&reply, &["echo"]);
        assert_eq!(reply.field("echo"), &serde_json::from_str::<Value>(sent).unwrap(), "{}", reply.text);
    }
    node.finish_in_peace();
}

#[test]
fn generated_ids_are_strings_and_differ_between_requests_nodes_and_lives() {
    let mut seen = HashSet::new();
    let init = |id: &str| format!(r#""type":"init","node_id":"{id}","node_ids":["n1","n2"]"#);
    for (args, id, dest) in [
        (&[][..], "n1", "n1"),
        (&[][..], "n2", "n2"),
        (&["--incarnation", "1"][..], "n1", "n1"),
        (&["--incarnation", "2"][..], "n1", "n1"),
    ] {
        let mut node = Node::spawn(args);
        node.may_be_called(dest);
        let ask = |node: &mut Node, fields: &str, msg_id: u32| {
            node.send(&format!(r#"{{"src":"c1","dest":"{dest}","body":{{{fields},"msg_id":{msg_id}}}}}"#));
            node.reply()
        };
        assert_eq!(ask(&mut node, &init(id), 0).kind(), "init_ok");
        for msg_id in 1..=500 {
            let reply = ask(&mut node, r#""type":"generate""#, msg_id);
            assert_keys(&reply, &["id"]);
            assert_eq!(reply.kind(), "generate_ok");
            assert!(seen.insert(reply.string("id").to_owned()), "twice: {}", reply.text);
        }
    }
    assert_eq!(seen.len(), 2_000);
}

#[test]
fn read_gives_what_the_workload_option_says() {
    let broadcast = r#""type":"broadcast","message":7"#;
    let element = r#""type":"add","element":7"#;
    let delta = r#""type":"add","delta":7"#;
    for (workload, first, read_before, read_after) in [
        ("broadcast", broadcast, r#""messages": []"#, r#""messages": [7]"#),
        ("g-set", element, r#""value": []"#, r#""value": [7]"#),
        ("g-counter", delta, r#""value": 0"#, r#""value": 7"#),
        ("pn-counter", delta, r#""value": 0"#, r#""value": 7"#),
    ] {
        let mut node = Node::start(1, &["--workload", workload]);
        node.expect(r#""type":"read""#, &format!(r#""type": "read_ok", {read_before}"#));
        assert!(node.ask(first).kind().ends_with("_ok"), "{workload}");
        node.expect(r#""type":"read""#, &format!(r#""type": "read_ok", {read_after}"#));
        node.finish_in_peace();
    }
    let mut node = Node::start(1, &["--workload", "kv"]);
    node.expect_error(r#""type":"read""#, 10, &[]);
    node.finish_in_peace();
}

#[test]
fn every_workload_starts_and_echoes() {
    for workload in ["broadcast", "g-set", "g-counter", "pn-counter", "kv", "echo", "unique-ids", "txn-rw-register"] {
        let mut node = Node::start(1, &["--workload", workload]);
        node.still_answers();
        node.finish_in_peace();
    }
}

#[test]
fn without_the_workload_option_the_latest_typed_request_of_a_client_decides_what_read_gives() {
    let key_of_read = |node: &mut Node| {
        let reply = node.ask(r#""type":"read""#);
        let kind = match &reply.body {
            body if body.contains_key("messages") => "messages",
            body if body["value"].is_array() => "list",
            body if body["value"].is_i64() => "integer",
            _ => panic!("{}", reply.text),
        };
        assert_keys(&reply, if kind == "messages" { &["messages"] } else { &["value"] });
        kind
    };
    let mut node = Node::start(2, &[]);
    assert_eq!(key_of_read(&mut node), "messages", "before anything");
    for (fields, expected) in [
        (r#""type":"add","delta":5"#, "integer"),
        (r#""type":"echo","echo":1"#, "integer"),
        (r#""type":"add","element":5"#, "list"),
        (r#""type":"generate""#, "list"),
        (r#""type":"broadcast","message":6"#, "messages"),
        (r#""type":"add","delta":-5"#, "integer"),
        (r#""type":"topology","topology":{}"#, "messages"),
        (r#""type":"add","element":"x""#, "list"),
        (r#""type":"add","delta":0"#, "integer"),
    ] {
        node.ask(fields);
        assert_eq!(key_of_read(&mut node), expected, "after {fields}");
    }
    // Data from a peer no longer decides.
    node.send(r#"{"src":"n2","dest":"n1","body":{"type":"gossip","value":9}}"#);
    assert_eq!(key_of_read(&mut node), "integer");
    node.finish_in_peace();
}

#[test]
fn before_any_typed_request_the_first_data_from_a_peer_decides_what_read_gives() {
    let counters = r#""type":"replicate","p_counters":{"n2":4},"n_counters":{"n2":1}"#;
    let value = r#""type":"gossip","value":9"#;
    for (first, second, expected) in [
        (counters, value, r#""type": "read_ok", "value": 3"#),
        (value, counters, r#""type": "read_ok", "messages": [9]"#),
    ] {
        let mut node = Node::start(2, &[]);
        for body in [first, second] {
            node.send(&format!(r#"{{"src":"n2","dest":"n1","body":{{{body}}}}}"#));
            node.expect(r#""type":"read""#, expected);
        }
        node.finish_in_peace();
    }
}

#[test]
fn broadcast_values_are_read_once_each_in_order_of_arrival() {
    let mut node = Node::start(1, &[]);
    for (sent, _) in VALUES.iter().chain(VALUES).rev().chain(VALUES) {
        node.expect(&format!(r#""type":"broadcast","message":{sent}"#), r#""type": "broadcast_ok""#);
    }
    let printed: Vec<&str> = VALUES.iter().rev().map(|(_, printed)| *printed).collect();
    node.expect(r#""type":"read""#, &format!(r#""type": "read_ok", "messages": [{}]"#, printed.join(", ")));
    node.finish_in_peace();
}

#[test]
fn elements_of_the_grow_only_set_are_read_once_each_in_order_of_arrival() {
    let mut node = Node::start(1, &["--workload", "g-set"]);
    for (sent, _) in VALUES.iter().chain(VALUES) {
        node.expect(&format!(r#""type":"add","element":{sent}"#), r#""type": "add_ok""#);
    }
    let printed: Vec<&str> = VALUES.iter().map(|(_, printed)| *printed).collect();
    node.expect(r#""type":"read""#, &format!(r#""type": "read_ok", "value": [{}]"#, printed.join(", ")));
    node.finish_in_peace();
}

#[test]
fn a_string_is_the_same_value_however_it_is_escaped() {
    let mut node = Node::start(1, &[]);
    let mut expected = Vec::new();
    for (one, other, meaning) in SAME_STRINGS {
        for sent in [one, other, one] {
            node.expect(&format!(r#""type":"broadcast","message":{sent}"#), r#""type": "broadcast_ok""#);
        }
        expected.push(json!(meaning));
    }
    assert_eq!(node.ask(r#""type":"read""#).field("messages"), &Value::Array(expected));
    for (one, other, meaning) in SAME_STRINGS {
        let written = ts(&node.ask(&format!(r#""type":"write","key":{one},"value":{other}"#)));
        let read = node.ask(&format!(r#""type":"kv_read","key":{other}"#));
        assert_eq!(
            (read.string("key"), read.string("value"), ts(&read)),
            (*meaning, *meaning, written),
            "{}",
            read.text
        );
    }
    assert_eq!(node.ask(r#""type":"bench_report""#).integer("keys_stored"), i64::try_from(SAME_STRINGS.len()).unwrap());
    node.finish_in_peace();
}

#[test]
fn configure_takes_any_of_its_fields_up_to_the_edges_of_their_ranges() {
    let mut node = Node::start(9, &[]);
    for fields in [
        r#""fanout":1"#,
        r#""fanout":255"#,
        r#""gossip_interval_ms":1"#,
        r#""gossip_interval_ms":60000"#,
        r#""fanout":1,"gossip_interval_ms":1"#,
        r#""gossip_interval_ms":60000,"fanout":255"#,
        r#""fanout":3,"gossip_interval_ms":100"#,
        r#""strategy":"relay""#,
        r#""strategy":"rumor","fanout":2"#,
        r#""gossip_interval_ms":460,"strategy":"relay""#,
    ] {
        node.expect(&format!(r#""type":"configure",{fields}"#), r#""type": "configure_ok""#);
    }
    node.finish_in_peace();
}

#[test]
fn a_gossip_round_contacts_as_many_peers_as_the_fanout_says_at_once() {
    let mut node = Node::start(9, &[]);
    let round = |peers: u32| format!(r#""type": "gossip_round_ok", "peers_contacted": {peers}, "messages_sent": 0"#);
    node.expect(r#""type":"gossip_round""#, &round(2));
    for (fanout, peers) in [(3, 3), (1, 1), (8, 8), (255, 8), (9, 8), (2, 2)] {
        node.expect(&format!(r#""type":"configure","fanout":{fanout}"#), r#""type": "configure_ok""#);
        node.expect(r#""type":"gossip_round""#, &round(peers));
    }
    node.finish_in_peace();

    let mut with_option = Node::start(9, &["--fanout", "5"]);
    with_option.expect(r#""type":"gossip_round""#, &round(5));
    let mut alone = Node::start(1, &[]);
    alone.expect(r#""type":"gossip_round""#, &round(0));
}

#[test]
fn a_gossip_round_with_news_sends_it() {
    // The first value is pushed at once. The second one would wait for a minute.
    let mut node = Node::start(3, &["--gossip-interval-ms", "60000"]);
    node.ask(r#""type":"broadcast","message":"first""#);
    node.wait_for_peer_lines(2);
    node.ask(r#""type":"broadcast","message":"second""#);
    let round = node.ask(r#""type":"gossip_round""#);
    assert_keys(&round, &["peers_contacted", "messages_sent"]);
    assert_eq!((round.integer("peers_contacted"), round.integer("messages_sent")), (2, 2), "{}", round.text);
    node.wait_for_peer_lines(4);
    let second = node.peer_lines.iter().filter(|line| line.text.contains(r#""second""#));
    let dests: HashSet<&str> = second.map(|line| &*line.dest).collect();
    assert_eq!(dests, HashSet::from(["n2", "n3"]));
    node.finish_in_peace();
}

#[test]
fn gossip_stats_count_broadcasts_lines_to_peers_and_values() {
    let keys = ["broadcasts_received", "gossip_messages_sent", "messages_per_op", "unique_messages"];
    let mut node = Node::start(4, &["--gossip-interval-ms", "20"]);
    let mut distinct = HashSet::new();
    for round in 0..20 {
        let stats = node.ask(r#""type":"gossip_stats""#);
        assert_keys(&stats, &keys);
        let sent = i64::try_from(node.peer_lines.len()).unwrap();
        assert_eq!(stats.integer("broadcasts_received"), round, "{}", stats.text);
        assert_eq!(stats.integer("gossip_messages_sent"), sent, "{}", stats.text);
        assert_eq!(stats.integer("unique_messages"), i64::try_from(distinct.len()).unwrap(), "{}", stats.text);
        assert_ratio(&stats, "messages_per_op", sent, round);
        // Every third value is known already. It counts as a broadcast all the same.
        let value = if round % 3 == 2 { round - 1 } else { round };
        distinct.insert(value);
        node.ask(&format!(r#""type":"broadcast","message":{value}"#));
        std::thread::sleep(Duration::from_millis(7));
    }
    node.finish_in_peace();
}

#[test]
fn gossip_stats_of_a_node_alone_have_an_integer_ratio() {
    let mut node = Node::start(1, &[]);
    let stats = |broadcasts: u32, unique: u32| {
        format!(
            r#""type": "gossip_stats_ok", "broadcasts_received": {broadcasts}, "gossip_messages_sent": 0, "messages_per_op": 0, "unique_messages": {unique}"#
        )
    };
    node.expect(r#""type":"gossip_stats""#, &stats(0, 0));
    for (message, broadcasts, unique) in [(1, 1, 1), (1, 2, 1), (2, 3, 2)] {
        node.ask(&format!(r#""type":"broadcast","message":{message}"#));
        node.expect(r#""type":"gossip_stats""#, &stats(broadcasts, unique));
    }
    node.finish_in_peace();
}

#[test]
fn gossip_sync_merges_values_and_is_answered_even_to_a_node() {
    let mut node = Node::start(2, &[]);
    for (messages, new) in
        [("[]", 0), (r#"[1,"1",-5]"#, 3), (r#"["1",1]"#, 0), ("[2,2,2]", 1), (r#"[3,1,"\u0031"]"#, 1)]
    {
        node.expect(
            &format!(r#""type":"gossip_sync","messages":{messages}"#),
            &format!(r#""type": "gossip_sync_ok", "new_count": {new}"#),
        );
    }
    node.send(r#"{"src":"n2","dest":"n1","body":{"type":"gossip_sync","messages":[3,4],"msg_id":5}}"#);
    let reply = node.reply();
    assert_keys(&reply, &["new_count"]);
    assert_eq!((&*reply.dest, reply.integer("new_count"), reply.in_reply_to()), ("n2", 1, Some(5)));
    node.expect(r#""type":"read""#, r#""type": "read_ok", "messages": [1, "1", -5, 2, 3, 4]"#);
    node.finish_in_peace();
}

#[track_caller]
fn digest_of(node: &mut Node, count: usize) -> String {
    let reply = node.ask(r#""type":"digest""#);
    assert_keys(&reply, &["digest", "count"]);
    assert_eq!((reply.kind(), reply.field("count")), ("digest_ok", &json!(count)), "{}", reply.text);
    assert!(!reply.string("digest").is_empty(), "{}", reply.text);
    reply.string("digest").to_owned()
}

#[test]
fn digests_are_equal_for_equal_sets_whatever_the_order_of_arrival() {
    let mut forth = Node::start(1, &[]);
    let mut back = Node::start(2, &[]);
    let mut digests = vec![digest_of(&mut forth, 0)];
    assert_eq!(digests[0], digest_of(&mut back, 0));
    for (count, (value, _)) in VALUES.iter().enumerate() {
        forth.ask(&format!(r#""type":"broadcast","message":{value}"#));
        digests.push(digest_of(&mut forth, count + 1));
    }
    for (value, _) in VALUES.iter().rev() {
        back.ask(&format!(r#""type":"gossip_sync","messages":[{value}]"#));
    }
    assert_eq!(digests.last(), Some(&digest_of(&mut back, VALUES.len())));
    let distinct: HashSet<&String> = digests.iter().collect();
    assert_eq!(distinct.len(), digests.len(), "{digests:?}");

    // An integer and the string of its digits are two values.
    let [mut integer, mut string] = [r#"1"#, r#""1""#].map(|value| {
        let mut node = Node::start(1, &[]);
        node.ask(&format!(r#""type":"broadcast","message":{value}"#));
        node
    });
    assert_ne!(digest_of(&mut integer, 1), digest_of(&mut string, 1));
}

#[test]
fn digest_sync_compares_and_on_a_mismatch_merges_and_gives_the_set() {
    let mut node = Node::start(1, &[]);
    let empty = digest_of(&mut node, 0);
    let matching = r#""type": "digest_sync_ok", "match": true, "transferred": 0"#;
    let sync = |digest: &str, messages: &str| {
        format!(r#""type":"digest_sync","remote_digest":"{digest}","remote_messages":{messages}"#)
    };
    let mismatch = |transferred: u32, set: &str| {
        format!(r#""type": "digest_sync_ok", "match": false, "transferred": {transferred}, "local_messages": [{set}]"#)
    };
    node.expect(&sync(&empty, "null"), matching);
    node.expect(&sync(&empty, "[]"), matching);
    node.expect(&sync("nonsense", "null"), &mismatch(0, ""));
    node.expect(&sync("", "[]"), &mismatch(0, ""));
    node.expect(&sync("nonsense", r#"[3,"a",3]"#), &mismatch(2, r#"3, "a""#));
    let full = digest_of(&mut node, 2);
    node.expect(&sync(&empty, "null"), &mismatch(0, r#"3, "a""#));
    node.expect(&sync(&empty, r#"["a"]"#), &mismatch(0, r#"3, "a""#));
    node.expect(&sync(&full, "null"), matching);
    node.expect(&sync(&full, r#"[3,"a"]"#), matching);
    node.expect(&sync("nonsense", r#"["a",-1]"#), &mismatch(1, r#"3, "a", -1"#));
    node.expect(r#""type":"read""#, r#""type": "read_ok", "messages": [3, "a", -1]"#);
    node.finish_in_peace();
}

#[test]
fn the_counter_adds_positive_and_negative_deltas() {
    let mut node = Node::start(1, &["--workload", "pn-counter"]);
    let mut value = 0_i64;
    for delta in [1, 5, -3, 0, -10, 1_000_000_007, -4, 9_000_000_000_000_000_000, -9_000_000_000_000_000_000] {
        value += delta;
        node.expect(&format!(r#""type":"add","delta":{delta}"#), r#""type": "add_ok""#);
        node.expect(r#""type":"read""#, &format!(r#""type": "read_ok", "value": {value}"#));
    }
    node.finish_in_peace();
}

#[test]
fn gossip_status_tells_the_value_the_rounds_the_peers_in_step_and_the_time_that_took() {
    let keys = ["local_value", "gossip_rounds", "peers_synced", "convergence_ms"];
    let mut node = Node::start(3, &["--workload", "pn-counter", "--gossip-interval-ms", "20"]);
    let status = node.ask(r#""type":"gossip_status""#);
    assert_keys(&status, &keys);
    assert_eq!((status.integer("local_value"), status.integer("convergence_ms")), (0, 0), "{}", status.text);
    node.ask(r#""type":"add","delta":-7"#);
    node.wait_for_peer_lines(2);
    std::thread::sleep(Duration::from_millis(60));
    // No peer has answered, so `convergence_ms` still grows.
    let waiting = node.ask(r#""type":"gossip_status""#);
    assert_keys(&waiting, &keys);
    assert_eq!((waiting.integer("local_value"), waiting.integer("peers_synced")), (-7, 0), "{}", waiting.text);
    assert!(waiting.integer("gossip_rounds") > 0, "{}", waiting.text);
    assert!(waiting.integer("convergence_ms") >= 60, "{}", waiting.text);
    std::thread::sleep(Duration::from_millis(60));
    let later = node.ask(r#""type":"gossip_status""#);
    assert!(later.integer("convergence_ms") >= waiting.integer("convergence_ms") + 60, "{}", later.text);
    assert!(later.integer("gossip_rounds") >= waiting.integer("gossip_rounds"), "{}", later.text);
    node.finish_in_peace();
}

#[test]
fn an_addition_is_replicated_as_whole_vectors() {
    let mut node = Node::start(3, &["--workload", "pn-counter"]);
    node.ask(r#""type":"add","delta":5"#);
    node.ask(r#""type":"add","delta":-2"#);
    // A tick may have run between the two replies.
    let total = |line: &Line, name: &str| {
        let slots = line.field(name).as_object().unwrap_or_else(|| panic!("`{name}` is no object in {}", line.text));
        slots.values().filter_map(Value::as_i64).sum::<i64>()
    };
    let is_all =
        |line: &Line| line.kind() == "replicate" && (total(line, "p_counters"), total(line, "n_counters")) == (5, 2);
    let mut seen = 0;
    while !node.peer_lines[seen..].iter().any(is_all) {
        seen = node.peer_lines.len();
        node.wait_for_peer_lines(seen + 1);
    }
}

#[test]
fn an_addition_is_not_replicated_in_the_moment_it_is_made() {
    let mut node = Node::start(3, &["--workload", "pn-counter", "--gossip-interval-ms", "60000"]);
    node.ask(r#""type":"add","delta":5"#);
    std::thread::sleep(Duration::from_millis(300));
    node.still_answers();
    assert!(node.peer_lines.iter().all(|line| line.kind() != "replicate"), "{:#?}", node.peer_lines);
}

#[test]
fn replicate_is_merged_slot_by_slot_with_max_and_not_answered() {
    let mut node = Node::start(3, &["--workload", "pn-counter"]);
    node.ask(r#""type":"add","delta":100"#);
    for (src, counters, value) in [
        ("n2", r#""p_counters":{"n1":0,"n2":10},"n_counters":{"n1":0,"n2":0}"#, 110),
        ("n2", r#""p_counters":{"n2":10},"n_counters":{"n2":3}"#, 107),
        ("n2", r#""p_counters":{"n2":4},"n_counters":{"n2":1}"#, 107),
        ("n3", r#""p_counters":{"n2":11,"n3":1},"n_counters":{}"#, 109),
        ("n3", r#""p_counters":{},"n_counters":{}"#, 109),
        ("n3", r#""p_counters":{"n3":0},"n_counters":{"n3":50}"#, 59),
        ("n2", r#""n_counters":{"n3":49},"p_counters":{"n3":2}"#, 60),
    ] {
        for msg_id in ["", r#","msg_id":900"#] {
            node.send(&format!(r#"{{"src":"{src}","dest":"n1","body":{{"type":"replicate",{counters}{msg_id}}}}}"#));
            node.expect(r#""type":"read""#, &format!(r#""type": "read_ok", "value": {value}"#));
        }
    }
    node.finish_in_peace();
}

#[test]
fn gossip_with_a_bare_value_is_merged_and_not_answered() {
    let mut node = Node::start(3, &[]);
    for (src, value) in [("n2", "5"), ("n2", "5"), ("n3", r#""5""#), ("n3", "5"), ("n2", r#""\u0035""#), ("n2", "-6")] {
        for msg_id in ["", r#","msg_id":900"#] {
            node.send(&format!(r#"{{"src":"{src}","dest":"n1","body":{{"type":"gossip","value":{value}{msg_id}}}}}"#));
            node.still_answers();
        }
    }
    node.expect(r#""type":"read""#, r#""type": "read_ok", "messages": [5, "5", -6]"#);
    node.finish_in_peace();
}

#[test]
fn a_bare_value_from_a_peer_goes_on_to_the_others_and_not_back() {
    for value in 0..6 {
        let mut node = Node::start(3, &[]);
        node.send(&format!(r#"{{"src":"n2","dest":"n1","body":{{"type":"gossip","value":{value}}}}}"#));
        while !node.peer_lines.iter().any(|line| line.dest == "n3") {
            node.wait_for_peer_lines(node.peer_lines.len() + 1);
        }
        std::thread::sleep(Duration::from_millis(300));
        node.still_answers();
        let carrying: Vec<&Line> = node.peer_lines.iter().filter(|line| line.body.contains_key("value")).collect();
        assert!(carrying.iter().any(|line| line.dest == "n3" && line.integer("value") == value), "{carrying:#?}");
        assert!(carrying.iter().all(|line| line.dest != "n2"), "{carrying:#?}");
    }
}

#[test]
fn a_write_is_stamped_with_seconds_and_six_decimals_that_never_repeat_or_go_back() {
    let mut node = Node::start(1, &["--workload", "kv"]);
    let mut last = wall_micros() - 10_000_000;
    for n in 0..500 {
        let reply = node.ask(&format!(r#""type":"write","key":{},"value":{n}"#, n % 7));
        assert_keys(&reply, &["ts"]);
        assert_eq!(reply.kind(), "write_ok");
        assert!(ts(&reply) > last, "{} is not after {}", reply.text, seconds(last));
        last = ts(&reply);
    }
    assert!(last < wall_micros() + 10_000_000, "{}", seconds(last));
    node.finish_in_peace();
}

#[test]
fn a_written_value_is_read_with_its_key_and_timestamp() {
    let mut node = Node::start(1, &["--workload", "kv"]);
    for (n, (key, printed)) in VALUES.iter().enumerate() {
        let (value, value_printed) = VALUES[(n * 5 + 3) % VALUES.len()];
        let written = node.ask(&format!(r#""type":"write","key":{key},"value":{value}"#));
        let expected =
            format!(r#""type": "kv_read_ok", "key": {printed}, "value": {value_printed}, "ts": {}"#, written.raw("ts"));
        node.expect(&format!(r#""type":"kv_read","key":{key}"#), &expected);
    }
    node.finish_in_peace();
}

#[test]
fn the_keys_1_and_quoted_1_are_two_keys() {
    let mut node = Node::start(1, &[]);
    node.ask(r#""type":"write","key":1,"value":"integer""#);
    node.expect_error(r#""type":"kv_read","key":"1""#, 20, &["Key not found"]);
    node.ask(r#""type":"write","key":"1","value":"string""#);
    assert_eq!(node.ask(r#""type":"kv_read","key":1"#).string("value"), "integer");
    assert_eq!(node.ask(r#""type":"kv_read","key":"1""#).string("value"), "string");
    assert_eq!(node.ask(r#""type":"bench_report""#).integer("keys_stored"), 2);
    node.finish_in_peace();
}

#[test]
fn a_missing_key_is_error_20() {
    let mut node = Node::start(1, &[]);
    for key in ["1", r#""1""#, r#""nothing""#, "-9223372036854775808"] {
        let fields = format!(r#""type":"kv_read","key":{key}"#);
        node.expect(&fields, r#""type": "error", "code": 20, "text": "Key not found""#);
    }
    node.finish_in_peace();
}

#[test]
fn kv_merge_keeps_the_timestamp_it_is_given_and_changes_a_key_only_for_a_greater_one() {
    let mut node = Node::start(1, &["--workload", "kv"]);
    for (ts, value, updated, read, read_ts) in [
        ("1000.000001", "1", 1, "1", "1000.000001"),
        ("1000.000001", "2", 0, "1", "1000.000001"),
        ("1000.000000", "3", 0, "1", "1000.000001"),
        ("999", "4", 0, "1", "1000.000001"),
        ("1000.000002", r#""b""#, 1, r#""b""#, "1000.000002"),
        ("1000.1", "5", 1, "5", "1000.100000"),
        ("1000.10", "6", 0, "5", "1000.100000"),
        ("1000.099999", "7", 0, "5", "1000.100000"),
        ("1001", "8", 1, "8", "1001.000000"),
        ("1001.0", "9", 0, "8", "1001.000000"),
        ("1700000000.123456", "10", 1, "10", "1700000000.123456"),
        ("1700000000.123455", "11", 0, "10", "1700000000.123456"),
        ("1700000000.123457", "12", 1, "12", "1700000000.123457"),
    ] {
        node.expect(
            &format!(r#""type":"kv_merge","entries":{{"k":{{"value":{value},"ts":{ts}}}}}"#),
            &format!(r#""type": "kv_merge_ok", "updated": {updated}"#),
        );
        let expected = format!(r#""type": "kv_read_ok", "key": "k", "value": {read}, "ts": {read_ts}"#);
        node.expect(r#""type":"kv_read","key":"k""#, &expected);
    }
    node.finish_in_peace();
}

#[test]
fn kv_merge_counts_the_keys_it_changed() {
    let mut node = Node::start(1, &["--workload", "kv"]);
    for (entries, updated) in [
        ("{}", 0),
        (r#"{"a":{"value":1,"ts":5.5},"b":{"ts":5.5,"value":"x"}}"#, 2),
        (r#"{"a":{"value":1,"ts":5.5},"b":{"value":"y","ts":6.5},"c":{"value":1,"ts":0.5,"node":"n7"}}"#, 2),
        (r#"{"\u0061":{"value":2,"ts":5.5}}"#, 0),
        (r#"{"1":{"value":2,"ts":5.5}}"#, 1),
    ] {
        node.expect(
            &format!(r#""type":"kv_merge","entries":{entries}"#),
            &format!(r#""type": "kv_merge_ok", "updated": {updated}"#),
        );
    }
    node.expect(r#""type":"kv_read","key":"b""#, r#""type": "kv_read_ok", "key": "b", "value": "y", "ts": 6.500000"#);
    node.expect(r#""type":"kv_read","key":"1""#, r#""type": "kv_read_ok", "key": "1", "value": 2, "ts": 5.500000"#);
    node.expect_error(r#""type":"kv_read","key":1"#, 20, &["Key not found"]);
    node.finish_in_peace();
}

#[test]
fn a_write_is_later_than_everything_merged_before_it() {
    let mut node = Node::start(1, &["--workload", "kv"]);
    let ahead = wall_micros() + 300_000;
    let merge = format!(r#""type":"kv_merge","entries":{{"k":{{"value":1,"ts":{}}}}}"#, seconds(ahead));
    node.expect(&merge, r#""type": "kv_merge_ok", "updated": 1"#);
    let written = node.ask(r#""type":"write","key":"k","value":2"#);
    assert!(ts(&written) > ahead, "{} is not after {}", written.text, seconds(ahead));
    assert_eq!(node.ask(r#""type":"kv_read","key":"k""#).integer("value"), 2);
    node.finish_in_peace();
}

#[test]
fn bench_writes_are_numbered_and_reported() {
    let mut node = Node::start(1, &["--workload", "kv"]);
    let report = |writes: u32, keys: u32| {
        format!(
            r#""type": "bench_report_ok", "total_writes": {writes}, "total_gossip_msgs": 0, "msgs_per_write": 0, "keys_stored": {keys}"#
        )
    };
    node.expect(r#""type":"bench_report""#, &report(0, 0));
    node.ask(r#""type":"write","key":"w","value":0"#);
    node.expect(r#""type":"bench_report""#, &report(0, 1));
    for (key, id, keys) in [("a", 1, 2), ("b", 2, 3), ("a", 3, 3), ("w", 4, 3)] {
        node.expect(
            &format!(r#""type":"bench_write","key":"{key}","value":{id}"#),
            &format!(r#""type": "bench_write_ok", "write_id": {id}"#),
        );
        node.expect(r#""type":"bench_report""#, &report(id, keys));
        assert_eq!(node.ask(&format!(r#""type":"kv_read","key":"{key}""#)).integer("value"), i64::from(id));
    }
    node.finish_in_peace();
}

#[test]
fn the_bench_report_counts_lines_to_peers_per_write() {
    let mut node = Node::start(4, &["--workload", "kv", "--gossip-interval-ms", "20"]);
    for writes in 0..15 {
        let report = node.ask(r#""type":"bench_report""#);
        assert_keys(&report, &["total_writes", "total_gossip_msgs", "msgs_per_write", "keys_stored"]);
        let sent = i64::try_from(node.peer_lines.len()).unwrap();
        assert_eq!(report.integer("total_writes"), writes, "{}", report.text);
        assert_eq!(report.integer("total_gossip_msgs"), sent, "{}", report.text);
        assert_ratio(&report, "msgs_per_write", sent, writes);
        node.ask(&format!(r#""type":"bench_write","key":{},"value":{writes}"#, writes % 4));
        std::thread::sleep(Duration::from_millis(7));
    }
    node.finish_in_peace();
}

#[test]
fn bench_stats_are_the_report_and_reads_staleness_and_convergence() {
    let mut node = Node::start(1, &["--workload", "kv"]);
    let keys = [
        "total_writes",
        "total_gossip_msgs",
        "msgs_per_write",
        "keys_stored",
        "reads",
        "stale_reads",
        "convergence_ms_median",
        "convergence_ms_max",
    ];
    let assert_stats = |node: &mut Node, counts: [i64; 6]| {
        let stats = node.ask(r#""type":"bench_stats""#);
        assert_keys(&stats, &keys);
        assert_eq!(stats.kind(), "bench_stats_ok");
        assert_eq!(keys.map(|key| stats.field(key).as_i64().unwrap_or(-1))[..6], counts, "{}", stats.text);
        assert!(stats.integer("convergence_ms_median") <= stats.integer("convergence_ms_max"), "{}", stats.text);
    };
    assert_stats(&mut node, [0, 0, 0, 0, 0, 0]);
    node.ask(r#""type":"bench_write","key":"k","value":1"#);
    assert_stats(&mut node, [1, 0, 0, 1, 0, 0]);
    for reads in 1..=3 {
        node.ask(r#""type":"kv_read","key":"k""#);
        assert_stats(&mut node, [1, 0, 0, 1, reads, 0]);
    }
    node.finish_in_peace();
}

#[test]
fn a_transaction_is_applied_in_order_and_its_reads_are_filled_in() {
    let mut node = Node::start(1, &["--workload", "txn-rw-register"]);
    for (txn, done) in [
        ("[]", "[]"),
        (r#"[["r",1,null]]"#, r#"[["r", 1, null]]"#),
        (r#"[["w",1,5]]"#, r#"[["w", 1, 5]]"#),
        (r#"[["r",1,null]]"#, r#"[["r", 1, 5]]"#),
        (r#"[["r","1",null]]"#, r#"[["r", "1", null]]"#),
        (
            r#"[["r",1,null],["w",1,6],["r",1,null],["w",2,9],["w",1,"x"],["r",1,null],["r",2,null]]"#,
            r#"[["r", 1, 5], ["w", 1, 6], ["r", 1, 6], ["w", 2, 9], ["w", 1, "x"], ["r", 1, "x"], ["r", 2, 9]]"#,
        ),
        (r#"[["r",3,null],["r",2,null],["r",1,null]]"#, r#"[["r", 3, null], ["r", 2, 9], ["r", 1, "x"]]"#),
        (r#"[ [ "w" , "k:,l" , -1 ] , ["\u0072","k:,l",null] ]"#, r#"[["w", "k:,l", -1], ["r", "k:,l", -1]]"#),
        (
            r#"[["w",9223372036854775807,-9223372036854775808],["r",9223372036854775807,null]]"#,
            r#"[["w", 9223372036854775807, -9223372036854775808], ["r", 9223372036854775807, -9223372036854775808]]"#,
        ),
    ] {
        node.expect(&format!(r#""type":"txn","txn":{txn}"#), &format!(r#""type": "txn_ok", "txn": {done}"#));
    }
    assert_eq!(node.ask(r#""type":"kv_read","key":1"#).string("value"), "x");
    node.finish_in_peace();
}

#[test]
fn all_writes_of_a_transaction_share_one_timestamp_later_than_any_before() {
    let mut node = Node::start(1, &["--workload", "txn-rw-register"]);
    let mut last = ts(&node.ask(r#""type":"write","key":"k","value":0"#));
    for n in 0..50 {
        node.ask(&format!(r#""type":"txn","txn":[["w","a",{n}],["r","k",null],["w","b",{n}],["w","a",1{n}]]"#));
        let [a, b] = ["a", "b"].map(|key| ts(&node.ask(&format!(r#""type":"kv_read","key":"{key}""#))));
        assert_eq!(a, b);
        assert!(a > last, "{} is not after {}", seconds(a), seconds(last));
        last = ts(&node.ask(r#""type":"write","key":"k","value":1"#));
        assert!(last > a, "{} is not after {}", seconds(last), seconds(a));
    }
    node.finish_in_peace();
}

#[test]
fn a_refused_transaction_leaves_nothing_behind() {
    let mut node = Node::start(1, &["--workload", "txn-rw-register"]);
    node.ask(r#""type":"txn","txn":[["w",1,1]]"#);
    for txn in [r#"[["w",1,2],["w",2,1.5]]"#, r#"[["w",1,2],["w",2,2],["x",1,1]]"#, r#"[["w",2,2],["r",1]]"#] {
        node.expect_error(&format!(r#""type":"txn","txn":{txn}"#), 12, &[]);
        node.expect(
            r#""type":"txn","txn":[["r",1,null],["r",2,null]]"#,
            r#""type": "txn_ok", "txn": [["r", 1, 1], ["r", 2, null]]"#,
        );
    }
    node.finish_in_peace();
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let session = || {
        let mut node = Node::start(1, &["--seed", "7", "--incarnation", "3"]);
        for fields in [
            r#""type":"echo","echo":{"a":[1,2.5,"é\n\u0001"]}"#,
            r#""type":"generate""#,
            r#""type":"broadcast","message":"a\tb\u0007é😀""#,
            r#""type":"broadcast","message":-5"#,
            r#""type":"digest""#,
            r#""type":"gossip_round""#,
            r#""type":"generate""#,
            r#""type":"add","delta":-5"#,
            r#""type":"read""#,
            r#""type":"kv_merge","entries":{"k":{"value":1,"ts":5.5}}"#,
            r#""type":"txn","txn":[["r","k",null]]"#,
            r#""type":"nonsense""#,
            r#""type":"broadcast","message":1.5"#,
        ] {
            node.ask(fields);
        }
        String::from_utf8(node.finish().stdout).unwrap()
    };
    assert_eq!(session(), session());
}
