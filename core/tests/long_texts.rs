//! Strings of up to 65,536 bytes, which only the storage on the heap holds: with both strategies, with escapes,
//! overwritten again and again, and without room for them.
#![cfg(feature = "alloc")]
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use rumormill_core::storage::{Heap, Limits, Storage as _, TEXT_BYTES_MAX};
use rumormill_core::{Change, Config, Member, Strategy, UpdateError, Value};
use rumormill_sim::{Delay, Links, State};
use support::{CALM, HOSTILE, Rng, Sim};

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

fn three(strategy: Strategy, links: Links) -> Sim {
    Sim::with_limits(3, 7, links, config(strategy), LIMITS)
}

/// Strings whose JSON has the largest allowed length.
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

/// The string with each character as an escape, of six or twelve bytes in the line.
fn escaped(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// The reply of a node to a client.
fn ask(sim: &mut Sim, at: usize, body: &str) -> serde_json::Value {
    sim.ask(at, body)["body"].take()
}

fn update(sim: &mut Sim, at: usize, change: Change<'_>) {
    sim.with(at, |node, now| node.update(now, change)).unwrap();
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
            // Every second key has all characters escaped, as some libraries write them.
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
        assert!(sim.take_longest() > 2 * TEXT_BYTES_MAX);
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
    assert_eq!(sim.node(0).replica().own_seq(), 0);
}

#[test]
fn the_longest_strings_go_through_the_smallest_messages_that_are_allowed_and_through_faults() {
    for strategy in Strategy::ALL {
        let max_message_bytes = config(strategy).min_message_bytes(&LIMITS);
        let config = Config { max_message_bytes, ..config(strategy) };
        let mut sim = Sim::with_limits(3, 5, HOSTILE, config, LIMITS);
        for (at, text) in longest_texts().iter().enumerate() {
            let write = Change::Write { key: Value::Text(text), value: Value::Text(text) };
            update(&mut sim, at % 3, write);
            update(&mut sim, at % 3, Change::Broadcast(Value::Text(text)));
        }
        sim.converge(240_000);
        sim.fall_silent(600_000);
        sim.assert_equal_states();
        assert_eq!((sim.node(0).store().map.len(), sim.node(0).store().set.len()), (6, 6));
    }
}

#[test]
fn a_string_that_is_longer_than_the_window_is_handed_over_all_the_same() {
    for strategy in Strategy::ALL {
        let mut sim = three(strategy, CALM);
        // A string takes 3 s, so windows shrink to the smallest one, a quarter of a string.
        sim.links_mut().bytes_per_second = Some(40_000.0);
        for text in longest_texts() {
            update(&mut sim, 0, Change::Write { key: Value::Text(&text), value: Value::Text(&text) });
            update(&mut sim, 0, Change::Broadcast(Value::Text(&text)));
            sim.run_for_ms(100);
        }
        sim.converge(400_000);
        sim.restart(2, None);
        sim.converge(400_000);
        sim.fall_silent(600_000);
        sim.assert_equal_states();
        // The nodes are sent twice the state, and further copies: an entry is under way for longer than the first pause
        // after which it is offered again. A faster link stays below 3 times the state (`faults.rs`).
        let state: u64 = longest_texts().iter().map(|_| 3 * TEXT_BYTES_MAX as u64).sum();
        let times = match strategy {
            Strategy::Rumor => 4,
            Strategy::Relay => 13,
        };
        let handed = sim.traffic()[2].addressed_bytes;
        assert!(handed < times * state, "{strategy:?}: {handed} bytes for a state of {state}");
    }
}

#[test]
fn values_are_written_over_until_the_arena_was_used_many_times() {
    for strategy in Strategy::ALL {
        let limits = Limits { store_text_bytes: 6 * TEXT_BYTES_MAX, ..LIMITS };
        let links = Links { delay: Delay::Uniform { least_us: 1_000, most_us: 5_000 }, ..CALM };
        let mut sim =
            Sim::with_limits(3, 3, links, Config { gossip_interval_ms: Some(20), ..config(strategy) }, limits);
        let mut rng = Rng(1);
        let mut written = 0;
        while written < 40 * limits.store_text_bytes {
            // Strings of very different lengths, from a few bytes to 32 KiB.
            let text = "x\"".repeat((TEXT_BYTES_MAX / 4) >> rng.below(16)) + &written.to_string();
            let key = rng.below(5) as i64;
            let at = rng.below(3) as usize;
            update(&mut sim, at, Change::Write { key: Value::Int(key), value: Value::Text(&text) });
            written += text.len();
            sim.run_for_ms(5);
        }
        sim.converge(60_000);
        sim.fall_silent(60_000);
        sim.assert_equal_states();
        assert!(sim.nodes().all(|node| node.stats().refused_full == 0));
        assert!(sim.nodes().all(|node| node.stats().entries_applied > 100));
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
    let before = (State::of(sim.node(0)).map, sim.node(0).replica().own_seq(), sim.node(0).digest());
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
    let write = Change::Write { key: Value::Int(9), value: Value::Text("b") };
    let refused = sim.with(0, |node, now| node.update(now, write));
    assert!(matches!(refused, Err(UpdateError::Full(_))), "{refused:?}");
    assert_eq!(before, (State::of(sim.node(0)).map, sim.node(0).replica().own_seq(), sim.node(0).digest()));
    // A value that is not longer than the one it replaces has room, and room that is freed can be used.
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
            update(sim, 0, Change::Write { key: Value::Int(key), value: Value::Text(value) });
        };
        (0..5).for_each(|key| write(&mut sim, key, &key.to_string().repeat(TEXT_BYTES_MAX)));
        sim.run_for_ms(10_000);
        assert!(sim.node(1).digest() == sim.node(0).digest() && sim.node(2).digest() != sim.node(0).digest());
        assert_eq!((sim.node(1).store().map.len(), sim.node(2).store().map.len()), (5, 3));
        let refused = sim.node(2).stats().refused_full;
        assert!(refused >= 2, "{refused} were counted");
        sim.run_for_ms(60_000);
        assert!(sim.node(2).stats().refused_full > refused && !sim.nodes().any(Member::is_settled));
        // Values that are overwritten make room for those that wait.
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
    let values = sim.node(0).store().set.values();
    assert!(
        values.enumerate().all(|(at, value)| matches!(value, Value::Text(text) if text.starts_with(&at.to_string())))
    );
}
