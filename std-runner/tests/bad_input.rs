//! The table of bad input in the client protocol, row by row: a clear error, no data lost, and the next line is
//! answered as if nothing had happened.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::Node;
use support::bad_lines::{
    BAD_FIELDS, BAD_INITS, EVERY_REQUEST, KNOWN_KEYS_TWICE, LONG, NOBODY_TO_ANSWER, NOT_A_LINE, NOT_A_VALUE, NOT_UTF8,
    UNKNOWN_KEYS_TWICE, UNSUPPORTED_VALUES, VALUE_PLACES,
};

fn with_long_strings(template: &str) -> String {
    template.replace(LONG, &"x".repeat(1_000_000))
}

/// The request is refused with error 12, and the next request is answered.
#[track_caller]
fn assert_malformed(node: &mut Node, fields: &str, needles: &[&str]) {
    let reply = node.expect_error(&with_long_strings(fields), 12, needles);
    if fields.contains(LONG) {
        let text = reply.string("text");
        assert!(text.contains(|c: char| c.is_ascii_digit()), "the bound is not in {text:?}, to {fields}");
    }
    node.still_answers();
}

/// The line is not answered, and the next request is answered.
#[track_caller]
fn assert_ignored(node: &mut Node, line: &[u8]) {
    node.send_bytes(line);
    node.send_bytes(b"\n");
    node.still_answers();
}

/// The set has no value, the store has no key, and the counter is 0.
#[track_caller]
fn assert_nothing_was_stored(node: &mut Node) {
    node.expect(
        r#""type":"digest_sync","remote_digest":"x","remote_messages":[]"#,
        r#""type": "digest_sync_ok", "match": false, "transferred": 0, "local_messages": []"#,
    );
    let report = node.ask(r#""type":"bench_report""#);
    assert_eq!((report.integer("total_writes"), report.integer("keys_stored")), (0, 0), "{}", report.text);
    assert_eq!(node.ask(r#""type":"gossip_status""#).integer("local_value"), 0);
}

#[test]
fn an_unknown_type_is_error_10_and_named() {
    let mut node = Node::start(1, &[]);
    let kinds = ["frobnicate", "Echo", "ECHO", "echoo", "ech", "echo ", " echo", "kv_write", "delete", "brööd", "😀"];
    for kind in kinds {
        node.expect_error(&format!(r#""type":"{kind}","echo":1"#), 10, &[kind]);
        node.still_answers();
    }
    let escaped =
        [(r#"frob\u006eicate"#, "frobnicate"), (r#"a\"b"#, r#"a"b"#), (r#"a\\b"#, r#"a\b"#), (r#"\ud83d\ude00"#, "😀")];
    for (escaped, kind) in escaped {
        node.expect_error(&format!(r#""type":"{escaped}""#), 10, &[kind]);
        node.still_answers();
    }
    node.expect_error(r#""type":"""#, 10, &[]);
    node.still_answers();
    node.finish_in_peace();
}

#[test]
fn an_endless_unknown_type_is_an_error_too() {
    let mut node = Node::start(1, &[]);
    let reply = node.ask(&with_long_strings(r#""type":"LONG""#));
    assert_eq!(reply.kind(), "error", "{}", reply.text);
    assert!(matches!(reply.integer("code"), 10 | 12), "{}", reply.text);
    node.still_answers();
    node.finish_in_peace();
}

#[test]
fn a_read_without_a_key_is_error_10_in_the_key_value_store() {
    let mut node = Node::start(1, &["--workload", "kv"]);
    node.expect_error(r#""type":"read""#, 10, &["read"]);
    node.still_answers();
    node.finish_in_peace();
}

#[test]
fn a_field_that_is_missing_or_wrong_is_error_12_and_named_and_nothing_is_changed() {
    let mut node = Node::start(1, &[]);
    for (fields, needles) in BAD_FIELDS {
        assert_malformed(&mut node, fields, needles);
    }
    assert_nothing_was_stored(&mut node);
    node.finish_in_peace();
}

#[test]
fn a_value_of_an_unsupported_kind_is_error_12_wherever_it_stands_and_nothing_is_changed() {
    let mut node = Node::start(1, &[]);
    for (template, field) in VALUE_PLACES {
        for value in UNSUPPORTED_VALUES {
            assert_malformed(&mut node, &template.replace("VALUE", value), &[field]);
        }
    }
    assert_nothing_was_stored(&mut node);
    node.finish_in_peace();
}

#[test]
fn a_configuration_of_which_one_half_is_out_of_range_changes_neither_half() {
    let mut node = Node::start(9, &[]);
    let contacted = |node: &mut Node| node.ask(r#""type":"gossip_round""#).integer("peers_contacted");
    let before = contacted(&mut node);
    for fields in [
        r#""type":"configure","fanout":7,"gossip_interval_ms":0"#,
        r#""type":"configure","gossip_interval_ms":60001,"fanout":7"#,
        r#""type":"configure","fanout":7,"gossip_interval_ms":"100""#,
        r#""type":"configure","fanout":7,"fanout":7"#,
    ] {
        node.expect_error(fields, 12, &[]);
        assert_eq!(contacted(&mut node), before, "after {fields}");
    }
    node.expect(r#""type":"configure","fanout":7"#, r#""type": "configure_ok""#);
    assert_eq!(contacted(&mut node), 7);
    node.finish_in_peace();
}

#[test]
fn a_known_key_twice_is_error_12_and_an_unknown_key_twice_is_ignored() {
    let mut node = Node::start(1, &[]);
    for (fields, key) in KNOWN_KEYS_TWICE {
        assert_malformed(&mut node, fields, &[key]);
    }
    assert_nothing_was_stored(&mut node);
    for (fields, reply) in UNKNOWN_KEYS_TWICE {
        node.expect(fields, reply);
        node.still_answers();
    }
    node.finish_in_peace();
}

#[test]
fn an_unknown_key_twice_in_the_envelope_is_ignored() {
    let mut node = Node::start(1, &[]);
    node.send(r#"{"id":1,"src":"c1","x":[],"dest":"n1","id":2,"x":{},"body":{"type":"echo","echo":1,"msg_id":77}}"#);
    let reply = node.reply();
    assert_eq!((reply.kind(), reply.in_reply_to()), ("echo_ok", Some(77)), "{}", reply.text);
    node.still_answers();
    node.finish_in_peace();
}

#[test]
fn a_full_set_refuses_new_values_with_error_11_and_the_bound_for_good() {
    let mut node = Node::start(2, &["--max-values", "4"]);
    for fields in [
        r#""type":"broadcast","message":1"#,
        r#""type":"broadcast","message":"a""#,
        r#""type":"gossip_sync","messages":[2]"#,
        r#""type":"broadcast","message":"b""#,
    ] {
        assert!(node.ask(fields).kind().ends_with("_ok"));
    }
    for fields in [
        r#""type":"broadcast","message":5"#,
        r#""type":"add","element":"5""#,
        r#""type":"gossip_sync","messages":[5]"#,
        r#""type":"gossip_sync","messages":[1,5,"a"]"#,
        r#""type":"digest_sync","remote_digest":"x","remote_messages":[5]"#,
        r#""type":"broadcast","message":5"#,
    ] {
        node.expect_error(fields, 11, &["4"]);
        node.still_answers();
    }
    // A value that is in the set already needs no room.
    node.expect(r#""type":"broadcast","message":"a""#, r#""type": "broadcast_ok""#);
    node.expect(r#""type":"gossip_sync","messages":[2,1]"#, r#""type": "gossip_sync_ok", "new_count": 0"#);
    // A value of a peer is not merged, and no line is written.
    assert_ignored(&mut node, br#"{"src":"n2","dest":"n1","body":{"type":"gossip","value":6}}"#);
    node.expect(r#""type":"read""#, r#""type": "read_ok", "messages": [1, "a", 2, "b"]"#);
    node.finish_in_peace();
}

#[test]
fn several_values_of_which_only_some_fit_change_nothing() {
    let mut node = Node::start(1, &["--max-values", "4"]);
    node.expect(r#""type":"broadcast","message":1"#, r#""type": "broadcast_ok""#);
    for fields in [
        r#""type":"gossip_sync","messages":[2,3,4,5]"#,
        r#""type":"digest_sync","remote_digest":"x","remote_messages":[2,3,4,5]"#,
    ] {
        node.expect_error(fields, 11, &["4"]);
        node.expect(r#""type":"read""#, r#""type": "read_ok", "messages": [1]"#);
    }
    node.expect(r#""type":"gossip_sync","messages":[2,3,4]"#, r#""type": "gossip_sync_ok", "new_count": 3"#);
    node.finish_in_peace();
}

#[test]
fn a_full_store_refuses_new_keys_with_error_11_and_the_bound() {
    let mut node = Node::start(1, &["--max-keys", "2"]);
    node.ask(r#""type":"write","key":"a","value":1"#).string("type");
    node.expect(r#""type":"kv_merge","entries":{"b":{"value":1,"ts":1.5}}"#, r#""type": "kv_merge_ok", "updated": 1"#);
    for fields in [
        r#""type":"write","key":"c","value":1"#,
        r#""type":"bench_write","key":"c","value":1"#,
        r#""type":"kv_merge","entries":{"c":{"value":1,"ts":1.5}}"#,
        r#""type":"kv_merge","entries":{"b":{"value":9,"ts":9.5},"c":{"value":1,"ts":1.5}}"#,
        r#""type":"txn","txn":[["w","c",1]]"#,
        r#""type":"txn","txn":[["w","b",9],["w","c",1],["r","b",null]]"#,
    ] {
        node.expect_error(fields, 11, &["2"]);
        node.still_answers();
        node.expect_error(r#""type":"kv_read","key":"c""#, 20, &["Key not found"]);
        let b = r#""type": "kv_read_ok", "key": "b", "value": 1, "ts": 1.500000"#;
        node.expect(r#""type":"kv_read","key":"b""#, b);
    }
    // Keys that are in the store already can still be written.
    assert_eq!(node.ask(r#""type":"write","key":"a","value":2"#).kind(), "write_ok");
    assert_eq!(node.ask(r#""type":"kv_read","key":"a""#).integer("value"), 2);
    node.finish_in_peace();
}

#[test]
fn a_store_whose_strings_have_no_room_refuses_longer_ones_with_error_11_and_the_bound() {
    let mut node = Node::start(1, &["--max-store-text-bytes", "10"]);
    assert_eq!(node.ask(r#""type":"write","key":"a","value":"12345678""#).kind(), "write_ok");
    for fields in [
        r#""type":"write","key":"a","value":"1234567890""#,
        r#""type":"write","key":"bc","value":1"#,
        r#""type":"bench_write","key":"b","value":"1""#,
        r#""type":"kv_merge","entries":{"c":{"value":"c","ts":1.5}}"#,
        r#""type":"kv_merge","entries":{"b":{"value":9,"ts":9.5},"c":{"value":1,"ts":1.5}}"#,
        r#""type":"txn","txn":[["w",1,"b"],["w",2,"c"]]"#,
    ] {
        node.expect_error(fields, 11, &["10", "strings"]);
        node.still_answers();
        assert_eq!(node.ask(r#""type":"kv_read","key":"a""#).string("value"), "12345678");
        node.expect_error(r#""type":"kv_read","key":1"#, 20, &["Key not found"]);
    }
    // A value that is overwritten makes room.
    assert_eq!(node.ask(r#""type":"write","key":"a","value":"123456789""#).kind(), "write_ok");
    assert_eq!(node.ask(r#""type":"txn","txn":[["w","a",1],["w",1,"123456789"]]"#).kind(), "txn_ok");
    node.finish_in_peace();
}

#[test]
fn more_nodes_than_the_table_holds_are_error_11_and_the_bound() {
    let mut node = Node::spawn(&["--max-nodes", "4"]);
    node.expect_error(r#""type":"init","node_id":"n1","node_ids":["n1","n2","n3","n4","n5","n6"]"#, 11, &["4"]);
    node.expect_error(r#""type":"echo","echo":1"#, 11, &["not initialised"]);
    node.init(4);
    node.still_answers();
    node.finish_in_peace();
}

#[test]
fn an_addition_that_would_overflow_the_counter_is_error_12_and_changes_nothing() {
    let mut up = Node::start(1, &["--workload", "pn-counter"]);
    up.expect(r#""type":"add","delta":9223372036854775807"#, r#""type": "add_ok""#);
    for delta in ["1", "2", "9223372036854775807"] {
        assert_malformed(&mut up, &format!(r#""type":"add","delta":{delta}"#), &[]);
        up.expect(r#""type":"read""#, r#""type": "read_ok", "value": 9223372036854775807"#);
    }
    up.expect(r#""type":"add","delta":-7"#, r#""type": "add_ok""#);
    up.expect(r#""type":"read""#, r#""type": "read_ok", "value": 9223372036854775800"#);
    up.finish_in_peace();

    let mut down = Node::start(1, &["--workload", "pn-counter"]);
    down.expect(r#""type":"add","delta":-9223372036854775807"#, r#""type": "add_ok""#);
    for delta in ["-2", "-3", "-9223372036854775808"] {
        assert_malformed(&mut down, &format!(r#""type":"add","delta":{delta}"#), &[]);
        down.expect(r#""type":"read""#, r#""type": "read_ok", "value": -9223372036854775807"#);
    }
    down.expect(r#""type":"add","delta":7"#, r#""type": "add_ok""#);
    down.expect(r#""type":"read""#, r#""type": "read_ok", "value": -9223372036854775800"#);
    down.finish_in_peace();
}

#[test]
fn counters_of_peers_that_overflow_together_do_no_harm() {
    let mut node = Node::start(3, &["--workload", "pn-counter"]);
    for counters in [
        r#""p_counters":{"n2":9223372036854775807},"n_counters":{}"#,
        r#""p_counters":{"n3":9223372036854775807},"n_counters":{}"#,
        r#""p_counters":{"n2":18446744073709551615,"n3":18446744073709551615},"n_counters":{}"#,
        r#""p_counters":{"n2":18446744073709551616},"n_counters":{"n2":99999999999999999999999}"#,
        r#""p_counters":{},"n_counters":{"n2":18446744073709551615,"n3":18446744073709551615}"#,
    ] {
        let line = format!(r#"{{"src":"n2","dest":"n1","body":{{"type":"replicate",{counters}}}}}"#);
        assert_ignored(&mut node, line.as_bytes());
        let read = node.ask(r#""type":"read""#);
        assert!(read.field("value").is_number(), "{}", read.text);
    }
    node.finish_in_peace();
}

#[test]
fn every_request_before_init_is_error_11_in_the_name_it_was_sent_to() {
    let mut node = Node::spawn(&[]);
    for fields in EVERY_REQUEST {
        node.expect_error(fields, 11, &["not initialised"]);
    }
    node.may_be_called("n7");
    node.send(r#"{"src":"c1","dest":"n7","body":{"type":"read","msg_id":900}}"#);
    let reply = node.reply();
    assert_eq!((&*reply.src, &*reply.dest, reply.integer("code")), ("n7", "c1", 11), "{}", reply.text);
    // Neither kind of message between nodes is answered or remembered.
    node.send(r#"{"src":"n2","dest":"n1","body":{"type":"gossip","value":1}}"#);
    node.send(r#"{"src":"n2","dest":"n1","body":{"type":"replicate","p_counters":{"n2":1},"n_counters":{}}}"#);
    node.init(1);
    assert_nothing_was_stored(&mut node);
    node.still_answers();
    node.finish_in_peace();
}

#[test]
fn a_bad_init_is_error_12_and_a_good_one_can_follow() {
    for (fields, field) in BAD_INITS {
        let mut node = Node::spawn(&[]);
        let reply = node.expect_error(&with_long_strings(fields), 12, &[field]);
        assert_eq!(reply.src, "n1", "{fields}");
        node.expect_error(r#""type":"echo","echo":1"#, 11, &["not initialised"]);
        node.init(1);
        node.still_answers();
        node.finish_in_peace();
    }
}

#[test]
fn init_again_is_fine_with_the_same_content_and_error_22_with_another() {
    let mut node = Node::start(3, &[]);
    node.init(3);
    for fields in [
        r#""type":"init","node_id":"n1","node_ids":["n1","n2"]"#,
        r#""type":"init","node_id":"n1","node_ids":["n1","n2","n4"]"#,
        r#""type":"init","node_id":"n1","node_ids":["n1","n2","n3","n4"]"#,
        r#""type":"init","node_id":"n2","node_ids":["n1","n2","n3"]"#,
        r#""type":"init","node_id":"n1","node_ids":["n1"]"#,
    ] {
        node.expect_error(fields, 22, &[]);
        node.still_answers();
        node.init(3);
    }
    // Nothing changed: n3 is still a peer, n4 is none.
    assert_ignored(&mut node, br#"{"src":"n4","dest":"n1","body":{"type":"gossip","value":4}}"#);
    assert_ignored(&mut node, br#"{"src":"n3","dest":"n1","body":{"type":"gossip","value":3}}"#);
    node.expect(r#""type":"read""#, r#""type": "read_ok", "messages": [3]"#);
    node.finish_in_peace();
}

#[test]
fn a_line_for_another_node_is_not_answered() {
    let mut node = Node::start(3, &[]);
    for dest in ["n2", "n3", "n9", "N1", "n11", "n", "c1"] {
        let line = format!(r#"{{"src":"c1","dest":"{dest}","body":{{"type":"broadcast","message":1,"msg_id":900}}}}"#);
        assert_ignored(&mut node, line.as_bytes());
    }
    assert_ignored(&mut node, br#"{"src":"n2","dest":"n3","body":{"type":"gossip","value":2}}"#);
    node.expect(r#""type":"read""#, r#""type": "read_ok", "messages": []"#);
    node.finish_in_peace();
}

#[test]
fn gossip_from_a_stranger_is_ignored() {
    let mut node = Node::start(3, &[]);
    for src in ["n9", "n4", "N2", "n22", "c1", "c9"] {
        for body in [
            r#""type":"gossip","value":1"#,
            r#""type":"gossip","value":1,"msg_id":900"#,
            r#""type":"replicate","p_counters":{"n2":1},"n_counters":{}"#,
            r#""type":"replicate","p_counters":{"n2":1},"n_counters":{},"msg_id":900"#,
        ] {
            let line = format!(r#"{{"src":"{src}","dest":"n1","body":{{{body}}}}}"#);
            assert_ignored(&mut node, line.as_bytes());
        }
    }
    assert_nothing_was_stored(&mut node);
    node.finish_in_peace();
}

#[test]
fn gossip_that_makes_no_sense_is_neither_merged_nor_answered() {
    let mut node = Node::start(2, &[]);
    for body in [
        r#""type":"gossip""#,
        r#""type":"gossip","value":null"#,
        r#""type":"gossip","value":1.5"#,
        r#""type":"gossip","value":true"#,
        r#""type":"gossip","value":[1]"#,
        r#""type":"gossip","value":{"a":1}"#,
        r#""type":"gossip","value":9223372036854775808"#,
        r#""type":"gossip","value":"LONG""#,
        r#""type":"gossip","value":1,"value":2"#,
        r#""type":"replicate""#,
        r#""type":"replicate","p_counters":{"n2":1}"#,
        r#""type":"replicate","n_counters":{"n2":1}"#,
        r#""type":"replicate","p_counters":null,"n_counters":null"#,
        r#""type":"replicate","p_counters":[1],"n_counters":{}"#,
        r#""type":"replicate","p_counters":{"n2":-1},"n_counters":{}"#,
        r#""type":"replicate","p_counters":{"n2":1.5},"n_counters":{}"#,
        r#""type":"replicate","p_counters":{"n2":"1"},"n_counters":{}"#,
        r#""type":"replicate","p_counters":{"n2":null},"n_counters":{}"#,
        r#""type":"replicate","p_counters":{"n2":1},"n_counters":{"n2":[]}"#,
        r#""type":"replicate","p_counters":{"LONG":1},"n_counters":{}"#,
    ] {
        let line = format!(r#"{{"src":"n2","dest":"n1","body":{{{}}}}}"#, with_long_strings(body));
        assert_ignored(&mut node, line.as_bytes());
    }
    assert_nothing_was_stored(&mut node);
    node.finish_in_peace();
}

#[test]
fn a_message_that_is_a_reply_is_never_answered() {
    let mut node = Node::start(2, &[]);
    for body in [
        r#""type":"echo","echo":1,"msg_id":900,"in_reply_to":1"#,
        r#""in_reply_to":0,"type":"echo","echo":1,"msg_id":900"#,
        r#""type":"echo_ok","echo":1,"msg_id":900,"in_reply_to":1"#,
        r#""type":"init_ok","msg_id":900,"in_reply_to":1"#,
        r#""type":"gossip_sync_ok","new_count":1,"msg_id":900,"in_reply_to":1"#,
        r#""type":"nonsense","msg_id":900,"in_reply_to":1"#,
        r#""type":"broadcast","msg_id":900,"in_reply_to":1"#,
        r#""type":"error","code":10,"text":"not supported","msg_id":900,"in_reply_to":1"#,
        r#""type":"error","code":11,"text":"later","in_reply_to":1"#,
        r#""type":"init","node_id":"n2","node_ids":["n2"],"msg_id":900,"in_reply_to":1"#,
    ] {
        for src in ["c1", "n2", "n9"] {
            let line = format!(r#"{{"src":"{src}","dest":"n1","body":{{{body}}}}}"#);
            assert_ignored(&mut node, line.as_bytes());
        }
    }
    node.finish_in_peace();
}

#[test]
fn a_line_without_somebody_to_answer_is_not_answered() {
    let mut node = Node::start(1, &[]);
    for line in NOBODY_TO_ANSWER {
        assert_ignored(&mut node, with_long_strings(line).as_bytes());
    }
    node.finish_in_peace();
}

#[test]
fn a_line_that_is_not_json_is_not_answered_wherever_the_fault_is() {
    let mut node = Node::start(1, &[]);
    for bad in NOT_A_VALUE {
        for line in [
            format!(r#"{{"src":"c1","dest":"n1","body":{{"type":"echo","msg_id":900,"echo":{bad}}}}}"#),
            format!(r#"{{"src":"c1","dest":"n1","body":{{"type":"echo","msg_id":900,"echo":1,"q":{bad}}}}}"#),
            format!(r#"{{"src":"c1","dest":"n1","body":{{"type":"echo","msg_id":900,"q":[{bad}],"echo":1}}}}"#),
            format!(r#"{{"q":{bad},"src":"c1","dest":"n1","body":{{"type":"echo","msg_id":900,"echo":1}}}}"#),
        ] {
            // An empty text is a fault where a value has to be, but not between brackets.
            if !bad.is_empty() || !line.contains("[]") {
                assert_ignored(&mut node, line.as_bytes());
            }
        }
    }
    node.finish_in_peace();
}

#[test]
fn a_line_that_is_no_message_is_not_answered() {
    let mut node = Node::start(1, &[]);
    let good = r#"{"src":"c1","dest":"n1","body":{"type":"echo","echo":1,"msg_id":900}}"#;
    for line in NOT_A_LINE {
        assert_ignored(&mut node, line.replace("GOOD", good).as_bytes());
    }
    node.finish_in_peace();
}

#[test]
fn a_line_cut_off_anywhere_is_not_answered() {
    let mut node = Node::start(1, &[]);
    let good = r#"{"src":"c1","dest":"n1","body":{"type":"echo","echo":[-1.5e3,"\n\u00e9",null],"msg_id":900}}"#;
    for end in 0..good.len() {
        assert_ignored(&mut node, &good.as_bytes()[..end]);
    }
    node.finish_in_peace();
}

#[test]
fn a_line_that_is_not_utf8_is_not_answered_wherever_the_fault_is() {
    let mut node = Node::start(1, &[]);
    for bad in NOT_UTF8 {
        for (before, after) in [
            (&br#"{"src":"c1","dest":"n1","body":{"type":"echo","msg_id":900,"echo":""#[..], &br#""}}"#[..]),
            (br#"{"src":"c1","dest":"n1","body":{"type":"echo","msg_id":900,"echo":1,"q":"a"#, br#"b"}}"#),
            (br#"{"src":"c1","dest":"n1","body":{"type":"echo","msg_id":900,"echo":1,""#, br#"":1}}"#),
            (br#"{"src":"c1","dest":"n1","body":{"type":"echo","msg_id":900,"echo":1}}"#, b""),
            (b"", b""),
        ] {
            assert_ignored(&mut node, &[before, bad, after].concat());
        }
    }
    node.finish_in_peace();
}

#[test]
fn a_line_nested_too_deeply_is_not_answered() {
    let mut node = Node::start(2, &[]);
    let deep = |open: &str, close: &str, depth: usize| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    for depth in [10_000, 100_000] {
        for value in [
            deep("[", "]", depth),
            deep(r#"{"a":"#, "}", depth),
            deep(r#"[{"a":"#, "}]", depth / 2),
            deep("[[", "],0]", depth / 2),
            "[".repeat(depth),
        ] {
            for line in [
                format!(r#"{{"src":"c1","dest":"n1","body":{{"type":"echo","msg_id":900,"echo":{value}}}}}"#),
                format!(r#"{{"src":"c1","dest":"n1","body":{{"type":"echo","msg_id":900,"echo":1,"q":{value}}}}}"#),
                format!(r#"{{"q":{value},"src":"c1","dest":"n1","body":{{"type":"echo","msg_id":900,"echo":1}}}}"#),
                format!(r#"{{"src":"n2","dest":"n1","body":{{"type":"gossip","q":{value},"value":1}}}}"#),
                value.clone(),
            ] {
                assert_ignored(&mut node, line.as_bytes());
            }
        }
    }
    node.expect(r#""type":"read""#, r#""type": "read_ok", "messages": []"#);
    node.finish_in_peace();
}

#[test]
fn an_empty_line_is_not_answered() {
    let mut node = Node::start(1, &[]);
    for line in ["", " ", "    ", "\t", "\r", " \t \r", "\n", "\n\n\n", "\r\n\r\n"] {
        assert_ignored(&mut node, line.as_bytes());
    }
    node.finish_in_peace();
}

/// An echo request of `length` bytes, without its newline.
fn echo_of_length(node: &mut Node, length: usize) -> String {
    let (line, _) = node.request(r#""type":"echo","echo":"padded","pad":"PAD""#);
    let missing = length - (line.len() - "PAD".len());
    line.replace("PAD", &"x".repeat(missing))
}

#[test]
fn a_line_longer_than_the_bound_is_not_answered_and_a_shorter_one_is() {
    for (args, bound) in [(&[][..], 4_194_304), (&["--max-line-bytes", "65536"][..], 65_536)] {
        let mut node = Node::start(1, args);
        for excess in [1, 2, 4_096, bound, 3 * bound] {
            let line = echo_of_length(&mut node, bound + excess);
            assert_ignored(&mut node, line.as_bytes());
            let line = echo_of_length(&mut node, bound - 1);
            node.send(&line);
            let reply = node.reply();
            assert_eq!((reply.kind(), reply.string("echo")), ("echo_ok", "padded"), "{}", reply.text);
        }
        node.finish_in_peace();
    }
}

#[test]
fn bad_lines_are_mentioned_on_stderr_but_do_not_flood_it() {
    const LINES: usize = 20_000;
    let mut one = Node::start(1, &[]);
    assert_ignored(&mut one, b"this is not JSON");
    let finished = one.finish();
    assert!(finished.status.success() && finished.rest.is_empty());
    assert!(!finished.stderr.trim().is_empty(), "a bad line is not mentioned");

    let mut many = Node::start(1, &[]);
    many.send_bytes("this is not JSON\n".repeat(LINES).as_bytes());
    many.still_answers();
    let finished = many.finish();
    assert!(finished.status.success() && finished.rest.is_empty());
    let mentioned = finished.stderr.lines().count();
    assert!((1..LINES / 20).contains(&mentioned), "{LINES} bad lines are mentioned {mentioned} times");
}

#[test]
fn a_node_alone_with_bad_lines_says_nothing_at_all() {
    let mut node = Node::spawn(&[]);
    node.send_bytes(b"\n{}\nword\n[[[[\n{\"src\":\"c1\"}\n\xff\n\n");
    assert!(node.next_line(Duration::from_millis(300)).is_none());
    let finished = node.finish();
    assert!(finished.status.success() && finished.stdout.is_empty(), "{finished:?}");
}
