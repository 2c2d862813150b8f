//! Rules of a node that show in its messages: one node, and neighbours that are made of lines of text.
//!
//! What a scheduler decides is tested beside it, and faults that were seen are in `faults.rs`.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use rumormill_core::storage::{Heap, Limits, Storage as _};
use rumormill_core::{Change, Config, Instant, Now, Rejected, Strategy, Value};
use serde_json::Value as Json;
use support::one::{One, Sent, config, view};

const NOTHING: &str = "00000000000000000000000000000000";
/// Messages that may follow each other at once.
const BURST: usize = 6;

/// A node in session 1 that has joined as the first of these.
fn joined(strategy: Strategy, ids: &[&str]) -> One {
    let mut one = One::new(config(1, strategy), &[]);
    one.join(ids[0], ids);
    one
}

/// The same with messages that are so much longer than they have to be.
fn with_small_messages(strategy: Strategy, ids: &[&str], above_least: usize) -> One {
    let limits = Limits { text_bytes: 32, id_bytes: 8, ..Heap::LIMITS };
    let config = config(1, strategy);
    let max_message_bytes = config.min_message_bytes(&limits) + above_least;
    let mut one = One::with_limits(Config { max_message_bytes, ..config }, limits, &[]);
    one.join(ids[0], ids);
    one
}

fn names(count: usize) -> Vec<String> {
    (10..10 + count).map(|at| format!("n{at}")).collect()
}

fn broadcast(one: &mut One, count: i64) {
    (1..=count).for_each(|value| one.update(Change::Broadcast(Value::Int(value * 1_000_003))));
}

fn keys(sent: &[Sent], field: &str) -> BTreeSet<String> {
    let objects = sent.iter().filter_map(|sent| sent.body[field].as_object());
    objects.flat_map(|object| object.keys().cloned()).collect()
}

/// The rows of which there are entries.
fn rows_with_data(sent: &[Sent]) -> BTreeSet<String> {
    let chunks = sent.iter().filter_map(|sent| sent.body["data"].as_array()).flatten();
    chunks.map(|chunk| chunk[0].as_str().unwrap().to_owned()).collect()
}

/// The dots of a row that a message covers: those after the first number, up to the second.
fn covered(sent: &Sent, row: &str) -> Vec<(u64, u64)> {
    let dots = |item: &Json| match item.as_array().map(Vec::as_slice) {
        Some([skipped]) => skipped.as_u64().unwrap(),
        _ => 1,
    };
    let chunks = sent.body["data"].as_array().into_iter().flatten().filter(|chunk| chunk[0] == row);
    let ends = |chunk: &Json| {
        let from = chunk[1].as_u64().unwrap();
        (from, from + chunk.as_array().unwrap()[2..].iter().map(dots).sum::<u64>())
    };
    chunks.map(ends).collect()
}

// Cuts.

#[test]
fn what_does_not_fit_a_message_follows_at_once_and_then_on_request() {
    for strategy in Strategy::ALL {
        let mut one = with_small_messages(strategy, &["n1", "n2"], 400);
        broadcast(&mut one, 1_000);
        one.run_for_ms(60_000);
        let (mut held, mut questions) = (0, 0);
        while held < 1_000 {
            one.run_for_ms(1_000);
            let before = one.sent.len();
            // All that was sent is acknowledged, so nothing is sent again by itself.
            let echoed = one.sent.last().map_or(0, |sent| sent.body["ord"].as_u64().unwrap_or(0));
            let shown = format!(r#""sum":"{NOTHING}","digest":{{"n1@1":{held}}}"#);
            let control = format!(r#""ord":{},"echoed":[{echoed},1,0],"relay":"n1""#, questions + 1);
            one.hear("n2", &format!(r#""inc":1,{control},{shown},"want":2"#));
            // A timer may have run just before.
            let is_earlier = |sent: &&Sent| covered(sent, "n1@1").first().is_none_or(|(from, _)| *from < held);
            let answers: Vec<Sent> = one.sent[before..].iter().skip_while(is_earlier).cloned().collect();
            let first = held;
            for answer in &answers {
                let [(from, to)] = covered(answer, "n1@1")[..] else { panic!("{strategy:?}: {answer:?}") };
                assert!(from == held && to > from, "{strategy:?}: {held} are held: {answer:?}");
                held = to;
            }
            let last = &answers
                .last()
                .unwrap_or_else(|| panic!("{strategy:?}: question {questions} with {held} is not answered"))
                .body;
            let complete = held == 1_000;
            assert_eq!(last["want"] == 1, !complete, "{strategy:?}: whoever was not sent all is asked what it holds");
            assert_eq!(last["full"] == true, complete && strategy == Strategy::Relay, "{strategy:?}");
            assert!(complete || answers.len() == BURST, "{strategy:?}: {} messages from {first}", answers.len());
            questions += 1;
        }
        assert!((3..20).contains(&questions), "{questions}");
    }
}

#[test]
fn a_question_in_a_message_that_is_cut_is_the_greater_of_two() {
    let mut one = with_small_messages(Strategy::Rumor, &["n1", "n2"], 400);
    broadcast(&mut one, 1_000);
    one.run_for_ms(10_000);
    let before = one.sent.len();
    one.hear("n2", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{"n2@1":5}},"want":1"#));
    assert_eq!(one.sent[before..].last().unwrap().body["want"], 2, "n1 lacks something itself");
}

#[test]
fn a_peer_that_shows_no_progress_in_one_row_is_sent_the_others_all_the_same() {
    let mut one = with_small_messages(Strategy::Rumor, &["n1", "n2", "n3"], 400);
    one.hear("n3", r#""inc":1,"digest":{"n3@1":1},"data":[["n3@1",0,7]]"#);
    broadcast(&mut one, 2_000);
    one.run_for_ms(10_000);
    let before = one.sent.len();
    for _ in 0..20 {
        one.run_for_ms(4_000);
        one.hear("n2", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{}},"want":2"#));
    }
    let sent: Vec<Sent> = one.sent[before..].iter().filter(|sent| sent.to == "n2").cloned().collect();
    assert_eq!(rows_with_data(&sent), BTreeSet::from(["n1@1", "n3@1"].map(str::to_owned)));
}

#[test]
fn a_digest_that_does_not_fit_lists_every_row_in_turn() {
    let ids = names(20);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let all: BTreeSet<String> = ids.iter().map(|id| format!("{id}@1")).collect();
    for shows_all in [false, true] {
        let mut one = with_small_messages(Strategy::Rumor, &ids, 0);
        broadcast(&mut one, 1);
        for id in &ids[1..] {
            one.hear(id, &format!(r#""inc":1,"digest":{{"{id}@1":1}},"data":[["{id}@1",0,7]]"#));
        }
        let shown: Vec<String> = all.iter().map(|row| format!(r#""{row}":1"#)).collect();
        let shown = if shows_all { shown.join(",") } else { String::new() };
        one.run_for_ms(10_000);
        one.sent.clear();
        for _ in 0..60 {
            one.run_for_ms(2_000);
            one.hear("n15", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{{shown}}},"want":1"#));
        }
        assert_eq!(keys(&one.sent_to("n15"), "digest"), all, "the peer shows all: {shows_all}");
    }
}

#[test]
fn a_list_of_sessions_that_does_not_fit_goes_on_with_those_that_were_not_named() {
    for strategy in Strategy::ALL {
        let ids = names(60);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut one = with_small_messages(strategy, &ids, 0);
        for id in &ids[2..] {
            one.hear(id, r#""inc":1,"digest":{}"#);
        }
        let other = view(&[("n11", 1)]);
        one.sent.clear();
        for ord in 1..=60 {
            one.run_for_ms(1_000);
            one.hear(
                "n11",
                &format!(
                    r#""inc":1,"ord":{ord},"relay":"n10","sum":"{NOTHING}","agree":"{other}","digest":{{}},"want":1"#
                ),
            );
        }
        let named = keys(&one.sent_to("n11"), "lives");
        let expected: BTreeSet<String> = ids[2..].iter().map(|id| (*id).to_owned()).collect();
        assert_eq!(named, expected, "{strategy:?}");
    }
}

#[test]
fn a_repair_that_does_not_fit_goes_on_where_it_was_cut() {
    let mut one = with_small_messages(Strategy::Rumor, &["n1", "n2", "n3"], 400);
    // n3 has told n2 another number under the same dot, so the vectors are equal.
    one.hear("n3", r#""inc":1,"digest":{"n3@1":1},"data":[["n3@1",0,["p",6]]]"#);
    broadcast(&mut one, 2_000);
    one.run_for_ms(10_000);
    one.sent.clear();
    let vector = one.sum()[..16].to_owned();
    for _ in 0..30 {
        one.run_for_ms(4_000);
        one.hear(
            "n2",
            &format!(r#""inc":1,"sum":"{vector}0000000000000000","digest":{{"n1@1":2000,"n3@1":1}},"want":1"#),
        );
    }
    assert!(one.sent_to("n2").iter().any(|sent| sent.data().contains(r#"["p",6]"#)));
}

// What is believed.

#[test]
fn a_message_with_this_nodes_own_name_as_its_source_is_a_strangers() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    let line = r#"{"src":"n1","dest":"n1","body":{"type":"gossip","value":7}}"#;
    let now = Now { at: Instant::from_micros(1_000), wall_us: None };
    assert_eq!(one.node.handle_line(now, line.as_bytes()), Err(Rejected::Stranger));
    assert_eq!(one.values(), 0);
}

#[test]
fn who_claims_more_of_a_row_than_was_made_is_sent_what_is_made_in_it_later() {
    for strategy in Strategy::ALL {
        let mut one = joined(strategy, &["n1", "n2"]);
        // The first claim costs a session at once, so that the next one is taken a second later.
        one.hear("n2", r#""inc":1,"ord":1,"relay":"n1","digest":{"n1@1":50}"#);
        assert_eq!(one.session(), 2);
        one.hear("n2", r#""inc":1,"ord":2,"relay":"n1","digest":{"n1@2":50}"#);
        one.run_for_ms(100);
        one.ask(r#""type":"broadcast","message":7"#);
        one.run_for_ms(700);
        assert_eq!((one.session(), one.frontier("n1", 2)), (2, 1), "the next session is not taken yet");
        assert!(one.sent_to("n2").iter().any(|sent| sent.data().contains("7")), "{strategy:?}: {:?}", one.sent);
    }
}

/// Node n0 with a value, which has heard session 9 of n1. That one holds nothing.
fn beside_a_new_session(strategy: Strategy) -> One {
    let mut one = joined(strategy, &["n0", "n1", "n2"]);
    one.ask(r#""type":"broadcast","message":4711"#);
    one.run_for_ms(1_000);
    one.hear("n1", &format!(r#""inc":9,"ord":1,"relay":"n0","sum":"{NOTHING}","digest":{{}}"#));
    one
}

/// What session 9 of n1 is sent when it asks for what it lacks.
fn sent_to_the_new_session(one: &mut One) -> String {
    one.run_for_ms(5_000);
    let before = one.sent.len();
    one.hear("n1", &format!(r#""inc":9,"ord":2,"relay":"n0","sum":"{NOTHING}","digest":{{}},"want":2"#));
    one.run_for_ms(2_000);
    one.sent[before..].iter().filter(|sent| sent.to == "n1").map(Sent::data).collect()
}

#[test]
fn the_digest_of_an_older_session_says_nothing_about_the_newest() {
    for strategy in Strategy::ALL {
        let mut one = beside_a_new_session(strategy);
        // A skip makes a node look into the digest.
        one.hear("n1", r#""inc":5,"digest":{"n0@1":1,"n1@5":3},"data":[["n1@5",0,[3]]]"#);
        assert_eq!(one.frontier("n1", 5), 3);
        let sent = sent_to_the_new_session(&mut one);
        assert!(sent.contains("4711"), "{strategy:?}: {sent}");
    }
}

#[test]
fn a_new_session_does_not_hold_what_an_older_one_made() {
    for strategy in Strategy::ALL {
        let mut one = beside_a_new_session(strategy);
        one.hear("n1", r#""inc":5,"digest":{"n1@5":1},"data":[["n1@5",0,815]]"#);
        let sent = sent_to_the_new_session(&mut one);
        assert!(sent.contains("815"), "{strategy:?}: {sent}");
    }
}

#[test]
fn a_skip_of_an_older_session_is_believed_as_far_as_its_own_digest() {
    let mut one = beside_a_new_session(Strategy::Rumor);
    one.hear("n1", r#""inc":9,"digest":{"n2@1":5}"#);
    one.hear("n2", r#""inc":1,"digest":{"n2@1":1},"data":[["n2@1",0,1]]"#);
    one.hear("n1", r#""inc":9,"digest":{"n2@1":5}"#);
    one.hear("n1", r#""inc":5,"digest":{"n2@1":2},"data":[["n2@1",0,[5]]]"#);
    assert_eq!(one.frontier("n2", 1), 2);
}

#[test]
fn a_session_far_ahead_that_somebody_names_for_another_is_refused() {
    const WALL_US: u64 = 1_700_000_000_000_000;
    for (ahead_us, taken) in [(59_000_000, true), (61_000_000, false)] {
        let mut one = joined(Strategy::Rumor, &["n0", "n1", "n2"]);
        one.wall_us = Some(WALL_US);
        one.hear("n1", &format!(r#""inc":1,"lives":{{"n2":{}}}"#, WALL_US + ahead_us));
        let expected = view(&[("n0", 1), ("n1", 1), ("n2", WALL_US + ahead_us)]);
        assert_eq!(one.view() == expected, taken, "{ahead_us}");
        assert_eq!(one.node.stats().refused_sessions, u64::from(!taken));
        // Counted sessions are below all clocks.
        one.hear("n1", r#""inc":2"#);
        assert_eq!(one.node.stats().refused_sessions, u64::from(!taken));
    }
}
