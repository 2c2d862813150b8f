//! Strings of up to 65,536 bytes, which only the storage on the heap holds: through both strategies, with escapes, written
//! over again and again, and where there is no room for them.
#![cfg(feature = "alloc")]
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use rumormill_core::storage::{Heap, Limits, Storage as _, TEXT_BYTES_MAX};
use rumormill_core::{Change, Config, Node, Strategy, UpdateError, Value};
use support::{CALM, Faults, HOSTILE, Rng, Sim, state};

const LIMITS: Limits = Limits {
    nodes: 3,
    rows: 12,
    known_peers: 3,
    values: 64,
    set_text_bytes: 20 * TEXT_BYTES_MAX,
    dense_values: 64,
    keys: 16,
    text_bytes: TEXT_BYTES_MAX,
    store_text_bytes: 12 * TEXT_BYTES_MAX,
    rumors: 32,
    payload_bytes: 4 * TEXT_BYTES_MAX,
    ..Heap::LIMITS
};

fn config(strategy: Strategy) -> Config {
    Config { strategy, ..Config::default() }
}

fn three(strategy: Strategy, faults: Faults) -> Sim {
    Sim::with_limits(3, 7, faults, config(strategy), LIMITS)
}

/// Texts whose JSON has as many bytes as there may be.
fn longest_texts() -> Vec<String> {
    let ascii = (0..TEXT_BYTES_MAX).map(|at| char::from(b'a' + (at % 26) as u8)).collect();
    let mixed = "\u{1}\\ä🦀\t".repeat(TEXT_BYTES_MAX / 16);
    vec![
        ascii,
        "\"".repeat(TEXT_BYTES_MAX / 2),
        "\u{1}".repeat(TEXT_BYTES_MAX / 6),
        "🦀".repeat(TEXT_BYTES_MAX / 4),
        mixed,
        "A".repeat(TEXT_BYTES_MAX),
    ]
}

/// Each character as an escape: six bytes in the line, or twelve.
fn escaped(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// What a node says to a client.
fn ask(sim: &mut Sim, at: usize, body: &str) -> serde_json::Value {
    sim.ask(at, body)["body"].take()
}

fn ok(reply: &serde_json::Value, kind: &str) {
    assert_eq!(reply["type"], kind, "{:.200}", reply.to_string());
}

#[test]
fn the_longest_strings_reach_everybody_through_both_strategies() {
    for strategy in Strategy::ALL {
        let mut sim = three(strategy, CALM);
        let texts = longest_texts();
        for (at, text) in texts.iter().enumerate() {
            let value = serde_json::to_string(&texts[(at + 1) % texts.len()]).unwrap();
            // One in two comes with every character escaped, as some libraries write them.
            let key = if at % 2 == 0 { serde_json::to_string(text).unwrap() } else { format!("\"{}\"", escaped(text)) };
            ok(&ask(&mut sim, at % 3, &format!(r#""type":"write","key":{key},"value":{value}"#)), "write_ok");
            ok(&ask(&mut sim, at % 3, &format!(r#""type":"broadcast","message":{key}"#)), "broadcast_ok");
        }
        sim.converge(60_000);
        sim.fall_silent(60_000);
        sim.assert_equal_states();
        for (at, text) in texts.iter().enumerate() {
            let key = serde_json::to_string(text).unwrap();
            let value = &texts[(at + 1) % texts.len()];
            for node in 0..3 {
                let reply = ask(&mut sim, node, &format!(r#""type":"kv_read","key":{key}"#));
                assert!(reply["value"] == **value, "{strategy:?}, key {at}, node {node}");
                let reply = ask(&mut sim, node, &format!(r#""type":"txn","txn":[["r",{key},null]]"#));
                assert!(reply["txn"][0][2] == **value, "{strategy:?}, key {at}, node {node}");
            }
        }
        let read = ask(&mut sim, 2, r#""type":"read""#);
        let values = read["messages"].as_array().unwrap();
        assert!(values.len() == 6 && texts.iter().all(|text| values.iter().any(|value| *value == **text)));
        assert!(sim.longest_line > 2 * TEXT_BYTES_MAX);
    }
}

#[test]
fn one_byte_more_is_an_error_that_names_the_bound() {
    let mut sim = three(Strategy::Rumor, CALM);
    for text in longest_texts() {
        for long in
            [serde_json::to_string(&(text.clone() + "\u{1}")).unwrap(), format!("\"{}\"", escaped(&(text + "\u{1}")))]
        {
            for body in [
                format!(r#""type":"write","key":{long},"value":1"#),
                format!(r#""type":"write","key":1,"value":{long}"#),
                format!(r#""type":"kv_read","key":{long}"#),
                format!(r#""type":"broadcast","message":{long}"#),
                format!(r#""type":"txn","txn":[["w",1,{long}]]"#),
                format!(r#""type":"kv_merge","entries":{{"a":{{"value":{long},"ts":1}}}}"#),
            ] {
                let reply = ask(&mut sim, 0, &body);
                assert!(reply["code"] == 12 && reply["text"].as_str().unwrap().contains("65536"), "{reply}");
            }
        }
    }
    assert_eq!(sim.nodes[0].replica().own_seq(), 0);
}

#[test]
fn the_longest_strings_go_through_the_smallest_messages_that_are_allowed_and_through_faults() {
    for strategy in Strategy::ALL {
        let max_message_bytes = config(strategy).min_message_bytes(&LIMITS);
        let config = Config { max_message_bytes, ..config(strategy) };
        let mut sim = Sim::with_limits(3, 5, HOSTILE, config, LIMITS);
        for (at, text) in longest_texts().iter().enumerate() {
            let now = sim.now();
            let write = Change::Write { key: Value::Text(text), value: Value::Text(text) };
            sim.nodes[at % 3].update(now, write).unwrap();
            sim.nodes[at % 3].update(now, Change::Broadcast(Value::Text(text))).unwrap();
            sim.drain(at % 3);
        }
        sim.converge(240_000);
        sim.fall_silent(600_000);
        sim.assert_equal_states();
        assert_eq!((sim.nodes[0].store().map.len(), sim.nodes[0].store().set.len()), (6, 6));
    }
}

#[test]
fn a_string_that_is_longer_than_the_window_is_handed_over_all_the_same() {
    for strategy in Strategy::ALL {
        let mut sim = three(strategy, CALM);
        // A string takes 3 s, so that windows shrink to the smallest, a quarter of a string.
        sim.bytes_per_second = Some(40_000);
        for text in longest_texts() {
            let now = sim.now();
            sim.nodes[0].update(now, Change::Write { key: Value::Text(&text), value: Value::Text(&text) }).unwrap();
            sim.nodes[0].update(now, Change::Broadcast(Value::Text(&text))).unwrap();
            sim.drain(0);
            sim.run_for_ms(100);
        }
        sim.converge(400_000);
        sim.restart(2, None);
        sim.converge(400_000);
        sim.fall_silent(600_000);
        sim.assert_equal_states();
        let handed: usize = longest_texts().iter().map(|_| 3 * TEXT_BYTES_MAX).sum();
        assert!(sim.bytes_to[2] < 8 * handed as u64, "{} bytes for {handed}", sim.bytes_to[2]);
    }
}

#[test]
fn values_are_written_over_until_the_arena_was_used_many_times() {
    for strategy in Strategy::ALL {
        let limits = Limits { store_text_bytes: 6 * TEXT_BYTES_MAX, ..LIMITS };
        let faults = Faults { delay_us: (1_000, 5_000), ..CALM };
        let mut sim =
            Sim::with_limits(3, 3, faults, Config { gossip_interval_ms: Some(20), ..config(strategy) }, limits);
        let mut rng = Rng(1);
        let mut written = 0;
        while written < 40 * limits.store_text_bytes {
            // Lengths of all sizes, and one of six strings of the longest.
            let text = "x\"".repeat((TEXT_BYTES_MAX / 4) >> rng.below(16)) + &written.to_string();
            let key = rng.below(5) as i64;
            let (at, now) = (rng.below(3) as usize, sim.now());
            sim.nodes[at].update(now, Change::Write { key: Value::Int(key), value: Value::Text(&text) }).unwrap();
            written += text.len();
            sim.drain(at);
            sim.run_for_ms(5);
        }
        sim.converge(60_000);
        sim.fall_silent(60_000);
        sim.assert_equal_states();
        assert!(sim.nodes.iter().all(|node| node.stats().refused_full == 0));
        assert!(sim.nodes.iter().all(|node| node.stats().entries_applied > 100));
    }
}

/// Room for three of the longest strings.
const THREE: usize = 3 * TEXT_BYTES_MAX;

fn alone(store_text_bytes: usize) -> Sim {
    Sim::with_limits(
        1,
        1,
        CALM,
        config(Strategy::Rumor),
        Limits { nodes: 1, known_peers: 1, store_text_bytes, ..LIMITS },
    )
}

#[test]
fn a_local_change_that_finds_no_room_for_its_strings_is_an_error_and_takes_no_dot() {
    let mut sim = alone(THREE);
    let long = |byte: &str| byte.repeat(TEXT_BYTES_MAX);
    for key in 0..3 {
        ok(&ask(&mut sim, 0, &format!(r#""type":"write","key":{key},"value":"{}""#, long("a"))), "write_ok");
    }
    let before = (state(&sim.nodes[0]).map, sim.nodes[0].replica().own_seq(), sim.nodes[0].digest());
    for body in [
        r#""type":"write","key":3,"value":"b""#,
        r#""type":"write","key":"b","value":1"#,
        r#""type":"bench_write","key":"b","value":1"#,
        r#""type":"txn","txn":[["w",4,1],["w",3,"b"]]"#,
        r#""type":"kv_merge","entries":{"4":{"value":1,"ts":1},"5":{"value":"b","ts":1}}"#,
    ] {
        let reply = ask(&mut sim, 0, body);
        let text = format!("store full: its strings take at most {THREE} bytes");
        assert_eq!((&reply["code"], reply["text"].as_str()), (&11.into(), Some(&*text)), "{body}");
    }
    let now = sim.now();
    let refused = sim.nodes[0].update(now, Change::Write { key: Value::Int(9), value: Value::Text("b") });
    assert!(matches!(refused, Err(UpdateError::Full(_))), "{refused:?}");
    assert_eq!(before, (state(&sim.nodes[0]).map, sim.nodes[0].replica().own_seq(), sim.nodes[0].digest()));
    // What takes no more room than what it replaces has it, and what is freed can be used.
    ok(&ask(&mut sim, 0, &format!(r#""type":"write","key":0,"value":"{}""#, long("c"))), "write_ok");
    ok(&ask(&mut sim, 0, &format!(r#""type":"txn","txn":[["w",1,1],["w","k","{}"]]"#, &long("d")[1..])), "txn_ok");
    assert_eq!(ask(&mut sim, 0, r#""type":"write","key":3,"value":"b""#)["code"], 11);
    ok(&ask(&mut sim, 0, r#""type":"write","key":0,"value":"e""#), "write_ok");
    ok(&ask(&mut sim, 0, r#""type":"kv_merge","entries":{"5":{"value":"b","ts":1}}"#), "kv_merge_ok");
}

#[test]
fn a_remote_entry_that_finds_no_room_for_its_strings_is_offered_again_and_taken_when_there_is() {
    for strategy in Strategy::ALL {
        let mut sim = three(strategy, CALM);
        sim.replace(2, Limits { store_text_bytes: THREE, ..LIMITS });
        let write = |sim: &mut Sim, key, value: &str| {
            let now = sim.now();
            sim.nodes[0].update(now, Change::Write { key: Value::Int(key), value: Value::Text(value) }).unwrap();
            sim.drain(0);
        };
        (0..5).for_each(|key| write(&mut sim, key, &key.to_string().repeat(TEXT_BYTES_MAX)));
        sim.run_for_ms(10_000);
        assert!(sim.nodes[1].digest() == sim.nodes[0].digest() && sim.nodes[2].digest() != sim.nodes[0].digest());
        assert_eq!((sim.nodes[1].store().map.len(), sim.nodes[2].store().map.len()), (5, 3));
        let refused = sim.nodes[2].stats().refused_full;
        assert!(refused >= 2, "{refused} were counted");
        sim.run_for_ms(60_000);
        assert!(sim.nodes[2].stats().refused_full > refused && !sim.nodes.iter().any(Node::is_settled));
        // Values that are written over make room for those that wait.
        (0..3).for_each(|key| write(&mut sim, key, "short"));
        sim.converge(120_000);
        sim.fall_silent(120_000);
        sim.assert_equal_states();
    }
}

#[test]
fn a_full_set_text_refuses_long_strings_and_keeps_what_it_has() {
    let mut sim = alone(THREE);
    let texts = longest_texts();
    let mut kept = 0;
    for round in 0..30 {
        let text = format!("{round}{}", &texts[0][2..]);
        let reply = ask(&mut sim, 0, &format!(r#""type":"broadcast","message":"{text}""#));
        kept += usize::from(reply["type"] == "broadcast_ok");
        assert!(reply["type"] == "broadcast_ok" || reply["code"] == 11);
    }
    assert_eq!(kept, 20);
    let values = sim.nodes[0].store().set.values();
    assert!(
        values.enumerate().all(|(at, value)| matches!(value, Value::Text(text) if text.starts_with(&at.to_string())))
    );
}
