//! Rules of a node that show in its messages, with one node, and neighbours that exist only as lines of text.
//!
//! Decisions of a scheduler are tested beside the scheduler, and faults that were seen are in `faults.rs`.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use rumormill_core::storage::{Heap, Limits, Storage as _};
use rumormill_core::{Change, Config, Event, Rejected, Strategy, Value};
use rumormill_sim::Joined as _;
use serde_json::Value as Json;
use support::one::{One, Sent, config, view};

const NOTHING: &str = "00000000000000000000000000000000";
/// How many messages may be sent at once.
const BURST: usize = 6;

/// A node in session 1 that has joined as the first of these ids.
fn joined(strategy: Strategy, ids: &[&str]) -> One {
    let mut one = One::new(config(1, strategy), &[]);
    one.join(ids[0], ids);
    one
}

/// The same, with a limit on messages that is `above_least` bytes above the smallest one.
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

/// The rows of which the messages have entries.
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

// Messages that are cut.

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
            // All messages are acknowledged, so nothing is sent again by itself.
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
fn after_messages_that_followed_each_other_one_at_a_time_leaves_for_a_while() {
    let mut one = with_small_messages(Strategy::Rumor, &["n1", "n2"], 400);
    broadcast(&mut one, 1_000);
    one.run_for_ms(60_000);
    let before = one.sent.len();
    one.hear("n2", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{"n1@1":0}},"want":2"#));
    assert!(one.sent.len() >= before + BURST);
    one.hear("n2", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{"n1@1":0}}"#));
    let before = one.sent.len();
    (2_000..2_300).for_each(|value| one.update(Change::Broadcast(Value::Int(value * 1_000_003))));
    one.run_for_ms(250);
    let pushes: Vec<_> = one.sent[before..].iter().flat_map(|sent| covered(sent, "n1@1")).collect();
    // The first message has the first value, and the second one has as many of the others as fit.
    assert!(matches!(pushes[..], [(1_000, 1_001), (1_001, 1_002..1_300)]), "{pushes:?}");
}

#[test]
fn messages_that_follow_each_other_share_a_window() {
    let mut one = with_small_messages(Strategy::Rumor, &["n1", "n2"], 20_000);
    broadcast(&mut one, 30_000);
    one.run_for_ms(60_000);
    one.sent.clear();
    one.hear("n2", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{}},"want":2"#));
    assert!(one.sent.len() > 2, "several messages");
    assert!(one.bytes() <= (64 << 10) + 2_000, "{} bytes", one.bytes());
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
    let rows = ids.iter().map(|id| format!("{id}@1"));
    let all: BTreeSet<String> = rows.chain(["n21@2", "n22@2", "n23@2"].map(str::to_owned)).collect();
    for shows_all in [false, true] {
        let mut one = with_small_messages(Strategy::Rumor, &ids, 0);
        broadcast(&mut one, 1);
        for row in all.iter().filter(|row| *row != "n10@1") {
            let (id, life) = row.split_once('@').unwrap();
            one.hear(id, &format!(r#""inc":{life},"digest":{{"{row}":1}},"data":[["{row}",0,7]]"#));
        }
        let shown: Vec<String> = all.iter().map(|row| format!(r#""{row}":1"#)).collect();
        let shown = if shows_all { shown.join(",") } else { String::new() };
        one.run_for_ms(10_000);
        one.sent.clear();
        for _ in 0..80 {
            one.run_for_ms(2_000);
            one.hear("n15", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{{shown}}},"want":1"#));
        }
        let sent = one.sent_to("n15");
        assert_eq!(keys(&sent, "digest"), all, "the peer shows all: {shows_all}");
        for sent in sent {
            let sent = [sent];
            assert!(
                rows_with_data(&sent).is_subset(&keys(&sent, "digest")),
                "entries of a row that is not listed: {sent:?}"
            );
        }
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
fn a_relay_sends_the_rest_of_a_list_of_sessions_unasked() {
    let ids = names(40);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut one = with_small_messages(Strategy::Relay, &ids, 0);
    for id in &ids[2..] {
        one.hear(id, r#""inc":1,"digest":{}"#);
    }
    for ord in 1..=450 {
        one.run_for_ms(200);
        // n11 acknowledges, and does not show a view.
        let echoed = one.sent_to("n11").last().map_or(0, |sent| sent.body["ord"].as_u64().unwrap());
        one.hear("n11", &format!(r#""inc":1,"ord":{ord},"echoed":[{echoed},1,0],"relay":"n10","digest":{{}}"#));
    }
    let expected: BTreeSet<String> = ids[2..].iter().map(|id| (*id).to_owned()).collect();
    assert_eq!(keys(&one.sent_to("n11"), "lives"), expected);
}

#[test]
fn a_peer_that_was_named_only_some_sessions_was_not_told_the_view() {
    for (nodes, above_least, told) in [(4, 400, true), (40, 0, false)] {
        let ids = names(nodes);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut one = with_small_messages(Strategy::Relay, &ids, above_least);
        for id in &ids[2..] {
            one.hear(id, r#""inc":1,"digest":{}"#);
        }
        one.hear("n11", r#""inc":1,"ord":1,"relay":"n10","digest":{},"want":1"#);
        one.run_for_ms(600);
        assert!(one.sent_to("n11").last().unwrap().body.get("lives").is_some());
        let n11 = one.node().replica().causality.members.find("n11").unwrap();
        assert_eq!(one.node().gossip().is_untold(n11), !told, "{nodes} nodes");
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

// What a node believes of a message.

#[test]
fn a_message_with_this_nodes_own_name_as_its_source_is_a_strangers() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    let line = r#"{"src":"n1","dest":"n1","body":{"type":"gossip","value":7}}"#;
    assert_eq!(one.with(|node, now| node.handle_line(now, line.as_bytes())), Err(Rejected::Stranger));
    assert_eq!(one.values(), 0);
}

#[test]
fn who_claims_more_of_a_row_than_was_made_is_sent_what_is_made_in_it_later() {
    for strategy in Strategy::ALL {
        let mut one = joined(strategy, &["n1", "n2"]);
        // The first claim makes the node take a session at once, so it takes the next one a second later.
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

/// Node n0 with a value. It has heard session 9 of n1, which holds nothing.
fn beside_a_new_session(strategy: Strategy) -> One {
    let mut one = joined(strategy, &["n0", "n1", "n2"]);
    one.ask(r#""type":"broadcast","message":4711"#);
    one.run_for_ms(1_000);
    one.hear("n1", &format!(r#""inc":9,"ord":1,"relay":"n0","sum":"{NOTHING}","digest":{{}}"#));
    one
}

/// The entries that session 9 of n1 is sent when it asks for them.
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
        // A skip makes the node search the digest.
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
        one.set_wall(WALL_US);
        one.hear("n1", &format!(r#""inc":1,"lives":{{"n2":{}}}"#, WALL_US + ahead_us));
        let expected = view(&[("n0", 1), ("n1", 1), ("n2", WALL_US + ahead_us)]);
        assert_eq!(one.view() == expected, taken, "{ahead_us}");
        assert_eq!(one.node().stats().refused_sessions, u64::from(!taken));
        // Sessions that are counts are below all clocks.
        one.hear("n1", r#""inc":2"#);
        assert_eq!(one.node().stats().refused_sessions, u64::from(!taken));
    }
}

#[test]
fn whoever_sends_changes_of_its_own_holds_them() {
    for strategy in Strategy::ALL {
        let mut one = joined(strategy, &["n0", "n1", "n2"]);
        one.hear("n1", r#""inc":1,"ord":1,"relay":"n0","data":[["n1@1",0,4711]]"#);
        one.run_for_ms(5_000);
        one.hear("n1", r#""inc":1,"ord":2,"relay":"n0","digest":{},"want":2"#);
        assert!(one.sent_to("n1").iter().all(|sent| !sent.data().contains("4711")), "{strategy:?}: {:?}", one.sent);
        assert!(one.sent_to("n2").iter().any(|sent| sent.data().contains("4711")), "{strategy:?}");
    }
}

#[test]
fn a_message_that_was_overtaken_says_nothing_about_its_sender() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    one.ask(r#""type":"add","delta":1"#);
    let both = view(&[("n1", 1), ("n2", 1)]);
    one.hear("n2", &format!(r#""inc":1,"sum":"{}","agree":"{both}:3","msg_id":5"#, one.sum()));
    assert!(one.node().is_settled());
    let other = |number| format!(r#""inc":1,"sum":"{NOTHING}","agree":"{NOTHING:.16}","refuses":2,"msg_id":{number}"#);
    one.hear("n2", &other(4));
    assert!(one.node().is_settled(), "it still agrees");
    let gossip = one.node().gossip();
    let n2 = one.node().replica().causality.members.find("n2").unwrap();
    assert!(!gossip.lacks_view(n2), "it has the view");
    one.hear("n2", &other(6));
    assert!(!one.node().is_settled() && one.node().gossip().lacks_view(n2));
    assert_eq!(one.ask(r#""type":"add","delta":1"#)["code"], 11, "it has no room for this node's row");
    one.hear("n2", r#""inc":1,"msg_id":5"#);
    assert_eq!(one.ask(r#""type":"add","delta":1"#)["code"], 11, "nor now");
}

#[test]
fn who_cannot_take_everything_may_have_room_for_a_row_of_this_node() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    for (refuses, answer) in [(1, "add_ok"), (2, "error"), (1, "add_ok"), (0, "add_ok")] {
        one.hear("n2", &format!(r#""inc":1,"refuses":{refuses}"#));
        assert_eq!(one.ask(r#""type":"add","delta":1"#)["type"], answer, "{refuses}");
    }
}

#[test]
fn who_shows_the_same_state_needs_no_repair() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    one.ask(r#""type":"add","delta":1"#);
    let sum = one.sum();
    for _ in 0..4 {
        one.hear("n2", &format!(r#""inc":1,"sum":"{sum}","digest":{{"n1@1":1}}"#));
    }
    assert_eq!(one.node().stats().repairs, 0);
}

// Refusals.

/// The value of `refuses` in the next message to a peer that asks.
fn says_of_refusals(one: &mut One, peer: &str, session: u64) -> Json {
    one.run_for_ms(1_000);
    one.hear(peer, &format!(r#""inc":{session},"sum":"{NOTHING}","digest":{{}},"want":1"#));
    one.sent_to(peer).last().unwrap().body["refuses"].clone()
}

#[test]
fn who_could_not_read_an_entry_says_so_for_a_minute() {
    // An entry that no data type owns, and one that is malformed.
    for entry in [r#"["z",1]"#, r#"["w","k",null,1]"#] {
        let mut one = joined(Strategy::Rumor, &["n0", "n1", "n2"]);
        broadcast(&mut one, 1);
        assert_eq!(says_of_refusals(&mut one, "n1", 1), Json::Null);
        one.hear("n2", &format!(r#""inc":1,"digest":{{"n2@1":1}},"data":[["n2@1",0,{entry}]]"#));
        for _ in 0..50 {
            assert_eq!(says_of_refusals(&mut one, "n1", 1), 1, "a message that brings nothing does not end it");
        }
        one.run_for_ms(15_000);
        assert_eq!(says_of_refusals(&mut one, "n1", 1), Json::Null);
    }
}

#[test]
fn who_has_no_room_for_a_row_says_so_and_to_its_author_in_particular() {
    let limits = Limits { rows: 6, ..Heap::LIMITS };
    let mut one = One::with_limits(config(1, Strategy::Rumor), limits, &[]);
    one.join("n0", &["n0", "n1", "n2"]);
    // One row is held back for n2.
    for life in 1..=4 {
        one.hear("n1", &format!(r#""inc":{life},"digest":{{"n1@{life}":1}},"data":[["n1@{life}",0,{life}]]"#));
        assert_eq!(says_of_refusals(&mut one, "n1", life), Json::Null);
    }
    one.hear("n1", r#""inc":5,"digest":{"n1@5":1},"data":[["n1@5",0,5]]"#);
    assert_eq!(one.values(), 4);
    assert_eq!([says_of_refusals(&mut one, "n1", 5), says_of_refusals(&mut one, "n2", 1)], [2, 1]);
}

#[test]
fn who_finds_no_room_for_a_further_life_refuses_changes() {
    let limits = Limits { rows: 2, ..Heap::LIMITS };
    let mut one = One::with_limits(config(1, Strategy::Rumor), limits, &[]);
    one.join("n1", &["n1", "n2"]);
    assert_eq!(one.ask(r#""type":"add","delta":1"#)["type"], "add_ok");
    one.hear("n2", r#""inc":1,"lives":{"n1":9}"#);
    assert_eq!(one.session(), 10);
    assert_eq!(one.ask(r#""type":"add","delta":1"#)["code"], 11);
}

#[test]
fn who_refused_what_a_peer_sent_does_not_ask_for_it_at_once() {
    for (data, want) in [("", 2), (r#","data":[["n1@1",0,["z",1]]]"#, 0)] {
        let mut one = joined(Strategy::Rumor, &["n0", "n1"]);
        let before = one.sent.len();
        one.hear("n1", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{"n1@1":1}},"want":1{data}"#));
        assert_eq!(one.sent[before..].last().unwrap().body["want"].as_u64().unwrap_or(0), want, "{data}");
    }
}

// What a node sends.

/// Node n0, which knows 30 past lives of n2 and has listed all of them to n1.
fn with_past_lives() -> One {
    let mut one = joined(Strategy::Rumor, &["n0", "n1", "n2"]);
    for life in 1..=31 {
        one.hear("n2", &format!(r#""inc":{life},"digest":{{"n2@{life}":1}},"data":[["n2@{life}",0,{life}]]"#));
    }
    one.hear("n1", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{}},"want":1"#));
    assert_eq!(keys(&one.sent_to("n1"), "digest").len(), 31);
    one
}

fn all_lives() -> String {
    (1..=31).map(|life| format!(r#""n2@{life}":1"#)).collect::<Vec<_>>().join(",")
}

#[test]
fn rows_of_past_lives_are_listed_a_few_at_a_time_in_turn() {
    let mut one = with_past_lives();
    let (all, sum) = (all_lives(), one.sum());
    for at in 0..16 {
        if at == 4 {
            one.sent.clear();
        }
        one.run_for_ms(1_000);
        // An equal state in another view.
        one.hear("n1", &format!(r#""inc":1,"sum":"{sum}","agree":"{at:016}","digest":{{{all}}},"want":1"#));
    }
    // The rows of newest lives, and a few others.
    let listed: Vec<_> = one.sent_to("n1").into_iter().map(|sent| keys(&[sent], "digest")).collect();
    assert!(listed.iter().all(|rows| rows.len() <= 5), "{listed:?}");
    assert_eq!(listed.into_iter().flatten().collect::<BTreeSet<_>>().len(), 31);
}

#[test]
fn whoever_sends_what_is_here_already_is_listed_that_row_again() {
    let mut one = with_past_lives();
    let shown = format!(r#""inc":1,"sum":"{}","agree":"{:016}","digest":{{{}}},"want":1"#, one.sum(), 0, all_lives());
    for life in (3..30).rev() {
        one.hear("n1", &shown);
        let before = one.sent.len();
        let row = format!("n2@{life}");
        one.hear("n1", &format!(r#"{shown},"data":[["{row}",0,{life}]]"#));
        assert!(keys(&one.sent[before..], "digest").contains(&row), "{row}: {:?}", &one.sent[before..]);
    }
}

#[test]
fn what_came_with_a_question_is_told_to_others_when_it_was_all() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2", "n3"]);
    one.hear("n2", r#""inc":1,"digest":{"n2@1":1},"data":[["n2@1",0,4711]],"want":1"#);
    one.run_for_ms(1);
    assert!(one.sent_to("n3").iter().any(|sent| sent.data().contains("4711")));
}

#[test]
fn who_writes_from_an_older_session_is_told_all_sessions() {
    let mut one = joined(Strategy::Rumor, &["n0", "n1", "n2"]);
    one.hear("n2", r#""inc":4"#);
    let all = view(&[("n0", 1), ("n1", 9), ("n2", 4)]);
    one.hear("n1", &format!(r#""inc":9,"agree":"{all}""#));
    one.hear("n1", &format!(r#""inc":9,"agree":"{all}""#));
    one.hear("n1", r#""inc":5,"digest":{}"#);
    let lives = one.sent_to("n1").last().unwrap().body["lives"].clone();
    assert_eq!(lives, serde_json::json!({"n1": 9, "n2": 4}));
}

#[test]
fn a_push_goes_on_in_the_next_message_where_the_last_was_cut() {
    let mut one = with_small_messages(Strategy::Rumor, &["n1", "n2"], 400);
    broadcast(&mut one, 300);
    one.run_for_ms(210);
    let mut held = 0;
    for sent in one.sent_to("n2") {
        let [(from, to)] = covered(&sent, "n1@1")[..] else { panic!("{sent:?}") };
        assert!(from == held && to > from, "{held}: {sent:?}");
        held = to;
    }
    assert!(held > 200, "{held}");
}

#[test]
fn of_a_rumor_that_waits_a_peer_is_sent_what_it_does_not_show() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    broadcast(&mut one, 10);
    one.hear("n2", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{"n1@1":4}}"#));
    one.sent.clear();
    one.run_for_ms(250);
    let pushed: Vec<_> = one.sent.iter().flat_map(|sent| covered(sent, "n1@1")).collect();
    assert!(pushed.iter().all(|part| *part == (4, 10)) && !pushed.is_empty(), "{pushed:?}");
}

#[test]
fn what_is_sent_as_a_rumor_is_not_sent_again_beside_it() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    broadcast(&mut one, 5);
    one.run_for_ms(2_000);
    one.hear("n2", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{"n1@1":2}}"#));
    one.run_for_ms(2_000);
    one.sent.clear();
    one.update(Change::Broadcast(Value::Int(6)));
    one.run_for_ms(1);
    let mut pushed: Vec<_> = one.sent.iter().flat_map(|sent| covered(sent, "n1@1")).collect();
    pushed.sort_unstable();
    assert_eq!(pushed, [(2, 5), (5, 6)]);
}

#[test]
fn who_did_not_ask_is_not_handed_thousands_of_changes_beside_a_rumor() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    broadcast(&mut one, 3_000);
    one.run_for_ms(60_000);
    one.sent.clear();
    one.hear("n2", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{}}"#));
    one.update(Change::Broadcast(Value::Int(6)));
    one.run_for_ms(1_000);
    assert!(one.sent.len() > 1, "digests follow");
    let handed: Vec<_> = one.sent.iter().flat_map(|sent| covered(sent, "n1@1")).collect();
    assert_eq!(handed, [(3_000, 3_001)]);
}

#[test]
fn what_lies_beyond_a_gap_is_sent_from_its_first_dot_on() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2", "n3"]);
    one.hear("n3", r#""inc":1,"digest":{"n3@1":4},"data":[["n3@1",2,33,34]]"#);
    one.run_for_ms(3_000);
    one.sent.clear();
    one.hear("n2", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{}},"want":2"#));
    let sent: Vec<_> = one.sent_to("n2").iter().flat_map(|sent| covered(sent, "n3@1")).collect();
    assert_eq!(sent, [(2, 4)]);
}

#[test]
fn a_repair_goes_on_beyond_the_frontier_where_it_was_cut() {
    let mut one = with_small_messages(Strategy::Rumor, &["n1", "n2", "n3"], 400);
    let values: Vec<String> = (1..=2_000).map(|value| (value * 1_000_003_u64).to_string()).collect();
    one.hear("n3", &format!(r#""inc":1,"digest":{{}},"data":[["n3@1",9,{}]]"#, values.join(",")));
    assert_eq!((one.frontier("n3", 1), one.values()), (0, 2_000));
    one.run_for_ms(10_000);
    one.sent.clear();
    let vector = one.sum()[..16].to_owned();
    for _ in 0..40 {
        one.run_for_ms(4_000);
        one.hear("n2", &format!(r#""inc":1,"sum":"{vector}0000000000000000","digest":{{}},"want":1"#));
    }
    assert!(one.sent_to("n2").iter().any(|sent| sent.data().contains(&values[1_999])));
}

// Acknowledgements.

#[test]
fn a_change_has_arrived_when_every_peer_has_shown_it_once() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2", "n3"]);
    one.hear("n2", r#""inc":1"#);
    one.hear("n3", r#""inc":1"#);
    one.ask(r#""type":"add","delta":1"#);
    // n2 shows an equal state. After the next change n3 shows that it holds the first change.
    one.hear("n2", &format!(r#""inc":1,"sum":"{}","agree":"{}","digest":{{}}"#, one.sum(), one.view()));
    one.ask(r#""type":"broadcast","message":1"#);
    one.run_for_ms(100);
    let so_far = |one: &mut One| one.ask(r#""type":"gossip_status""#)["convergence_ms"].as_u64().unwrap();
    assert!(so_far(&mut one) < so_far(&mut one), "it goes on");
    one.hear("n3", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{"n1@1":1}}"#));
    let took = so_far(&mut one);
    one.run_for_ms(100);
    assert_eq!(so_far(&mut one), took);
}

#[test]
fn an_echo_of_an_earlier_session_acknowledges_nothing() {
    for (session, asked) in [(5, false), (4, true)] {
        let mut one = One::new(config(5, Strategy::Relay), &[]);
        one.join("n1", &["n1", "n2"]);
        one.hear("n2", r#""inc":3,"ord":1,"relay":"n1","digest":{}"#);
        one.run_for_ms(1_000);
        one.ask(r#""type":"broadcast","message":1"#);
        one.run_for_ms(10);
        let ord = one.sent_to("n2").last().unwrap().body["ord"].as_u64().unwrap();
        one.hear("n2", &format!(r#""inc":3,"ord":2,"echoed":[{ord},{session},0],"relay":"n1","digest":{{"n1@5":1}}"#));
        one.sent.clear();
        one.run_for_ms(2_300);
        assert_eq!(one.sent_to("n2").iter().any(|sent| sent.body["want"] == 1), asked, "{session}: {:?}", one.sent);
    }
}

#[test]
fn an_echo_names_the_session_whose_message_it_acknowledges() {
    let mut one = One::new(config(5, Strategy::Relay), &[]);
    one.join("n1", &["n1", "n2"]);
    one.hear("n2", r#""inc":3,"ord":7,"relay":"n1","want":1"#);
    assert_eq!(one.sent_to("n2").last().unwrap().body["echoed"], serde_json::json!([7, 3, 0]));
}

#[test]
fn a_random_digest_says_what_this_node_held_some_time_ago() {
    let mut one = joined(Strategy::Relay, &["n0", "n1", "n2"]);
    let mut ord = 0;
    for value in 0..80 {
        one.update(Change::Broadcast(Value::Int(value)));
        one.run_for_ms(250);
        // n1 is no longer heard.
        ord += 1;
        let echoed = one.sent_to("n2").last().map_or(0, |sent| sent.body["ord"].as_u64().unwrap());
        one.hear("n2", &format!(r#""inc":1,"ord":{ord},"echoed":[{echoed},1,0],"relay":"n0""#));
    }
    let random: Vec<&Sent> = one.sent.iter().filter(|sent| sent.body.get("old").is_some()).collect();
    assert!(random.len() > 2, "{}", random.len());
    for sent in random {
        let (old, new) = (sent.body["old"]["n0@1"].as_u64(), sent.body["digest"]["n0@1"].as_u64());
        assert!(old.is_some() && old < new, "{:?}", sent.body);
    }
}

#[test]
fn what_the_sender_of_a_random_digest_lacked_some_time_ago_is_not_asked_for_at_once() {
    for (old, asked) in [(r#"{"n3@1":1}"#, false), ("{}", true)] {
        let mut one = joined(Strategy::Relay, &["n1", "n0", "n2", "n3"]);
        one.hear("n0", r#""inc":1,"ord":1,"relay":"n0","digest":{"n3@1":1},"data":[["n3@1",0,7]]"#);
        one.run_for_ms(20);
        one.sent.clear();
        one.hear("n2", &format!(r#""inc":1,"ord":1,"relay":"n0","sum":"{NOTHING}","digest":{{"n3@1":2}},"old":{old}"#));
        assert_eq!(one.sent_to("n2").iter().any(|sent| sent.body["want"] == 2), asked, "{old}: {:?}", one.sent);
    }
}

// Other implementations of the same exercise.

#[test]
fn a_peer_of_another_implementation_is_pushed_to_as_long_as_it_is_heard() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    for value in 0..30 {
        one.update(Change::Broadcast(Value::Int(value)));
        one.run_for_ms(200);
        one.line(r#"{"src":"n2","dest":"n1","body":{"type":"gossip","value":1000}}"#);
    }
    let pushed = one.sent.iter().filter(|sent| sent.body.get("data").is_some()).count();
    assert!(pushed >= 29, "{pushed}");
}

#[test]
fn a_value_of_another_implementation_goes_to_all_others() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2", "n3"]);
    one.line(r#"{"src":"n2","dest":"n1","body":{"type":"gossip","value":4711}}"#);
    one.run_for_ms(1);
    let told: Vec<&str> = one.sent.iter().map(|sent| &*sent.to).collect();
    assert_eq!(told, ["n3"]);
}

#[test]
fn who_shows_exactly_this_nodes_counter_agrees_if_there_is_nothing_else() {
    for (before, p, n, agree) in [
        ("", r#"{"n1@1":5}"#, r#"{"n1@1":0}"#, 1),
        ("", r#"{"n1@1":4}"#, r#"{"n1@1":0}"#, 0),
        (r#""type":"broadcast","message":1"#, r#"{"n1@1":5}"#, r#"{"n1@1":0}"#, 0),
        (r#""type":"write","key":1,"value":1"#, r#"{"n1@1":5}"#, r#"{"n1@1":0}"#, 0),
    ] {
        let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
        one.ask(r#""type":"add","delta":5"#);
        if !before.is_empty() {
            one.ask(before);
        }
        one.line(&format!(
            r#"{{"src":"n2","dest":"n1","body":{{"type":"replicate","p_counters":{p},"n_counters":{n}}}}}"#
        ));
        assert_eq!(one.ask(r#""type":"gossip_status""#)["peers_synced"], agree, "{before} {p}");
    }
}

#[test]
fn numbers_of_another_implementation_decide_what_a_read_means_if_they_are_any() {
    for (name, expected) in [("n1@1", "value"), ("n9", "messages")] {
        let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
        // A change by the program around the node does not decide the meaning of `read`.
        one.update(Change::Add(5));
        one.line(&format!(
            r#"{{"src":"n2","dest":"n1","body":{{"type":"replicate","p_counters":{{"{name}":5}},"n_counters":{{}}}}}}"#
        ));
        assert!(one.ask(r#""type":"read""#).get(expected).is_some(), "{name}");
    }
}

// Input without a dot.

#[test]
fn a_merge_by_a_client_changes_a_key_only_to_a_later_stamp() {
    // With equal stamps the node's own row would win over that of n0.
    for (ts, value) in [("5.0", "a"), ("4.0", "a"), ("5.000001", "b")] {
        let mut one = joined(Strategy::Rumor, &["n1", "n0"]);
        one.hear("n0", r#""inc":1,"digest":{"n0@1":1},"data":[["n0@1",0,["w","k","a",5000000]]]"#);
        one.ask(&format!(r#""type":"kv_merge","entries":{{"k":{{"value":"b","ts":{ts}}}}}"#));
        assert_eq!(one.ask(r#""type":"kv_read","key":"k""#)["value"], value, "{ts}");
    }
}

#[test]
fn a_merge_by_a_client_of_which_one_stamp_is_too_far_ahead_changes_nothing() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    one.set_wall(1_000_000_000);
    let reply = one.ask(r#""type":"kv_merge","entries":{"a":{"value":1,"ts":1000.0},"b":{"value":1,"ts":4000.0}}"#);
    assert_eq!((reply["type"].as_str(), reply["code"].as_u64()), (Some("error"), Some(12)), "{reply}");
    assert_eq!(one.ask(r#""type":"kv_read","key":"a""#)["type"], "error");
    assert_eq!(one.node().replica().own_seq(), 0);
}

// Requests.

#[test]
fn a_read_in_a_transaction_gives_the_last_write_before_it() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    let reply = one.ask(r#""type":"txn","txn":[["r",1,null],["w",1,10],["w",1,20],["r",1,null]]"#);
    assert_eq!(reply["txn"].to_string(), r#"[["r",1,null],["w",1,10],["w",1,20],["r",1,20]]"#);
}

#[test]
fn a_strategy_for_which_messages_are_too_small_is_refused_and_changes_nothing() {
    let mut one = with_small_messages(Strategy::Rumor, &["n1", "n2"], 0);
    assert_eq!(one.ask(r#""type":"configure","strategy":"relay","fanout":3"#)["type"], "error");
    assert_eq!((one.node().config().strategy, one.node().config().fanout), (Strategy::Rumor, 2));
}

#[test]
fn of_a_list_of_strings_for_which_there_is_no_room_none_is_taken() {
    let limits = Limits { set_text_bytes: 64, ..Heap::LIMITS };
    let mut one = One::with_limits(config(1, Strategy::Rumor), limits, &[]);
    one.join("n1", &["n1", "n2"]);
    let strings = ["a", "b", "c"].map(|letter| format!(r#""{}""#, letter.repeat(30))).join(",");
    assert_eq!(one.ask(&format!(r#""type":"gossip_sync","messages":[{strings}]"#))["code"], 11);
    assert_eq!(one.values(), 0);
}

#[test]
fn a_change_without_effect_is_not_measured() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    one.ask(r#""type":"add","delta":1"#);
    one.run_for_ms(100);
    one.hear("n2", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{"n1@1":1}}"#));
    let took = one.ask(r#""type":"gossip_status""#)["convergence_ms"].clone();
    one.ask(r#""type":"add","delta":0"#);
    one.run_for_ms(500);
    assert_eq!(one.ask(r#""type":"gossip_status""#)["convergence_ms"], took);
}

// Events.

#[test]
fn that_all_hold_the_same_is_reported_once() {
    let mut one = One::new(Config { events: true, ..config(1, Strategy::Rumor) }, &[]);
    one.join("n1", &["n1", "n2"]);
    for number in 1..=3 {
        let shown = format!(r#""inc":1,"sum":"{}","agree":"{}:3""#, one.sum(), view(&[("n1", 1), ("n2", 1)]));
        one.hear("n2", &format!(r#"{shown},"msg_id":{number}"#));
    }
    one.with(|node, _| {
        assert_eq!(node.poll_event(), Some(Event::Settled));
        assert_eq!(node.poll_event(), None);
    });
}
