//! Other inputs and outputs of a node: other implementations, requests, events.

use super::*;

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
fn who_shows_no_numbers_does_not_agree_with_a_node_that_has_none() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    one.line(r#"{"src":"n2","dest":"n1","body":{"type":"replicate","p_counters":{},"n_counters":{}}}"#);
    assert_eq!(one.ask(r#""type":"gossip_status""#)["peers_synced"], 0);
}

#[test]
fn vectors_hold_rows_of_past_lives_for_peers_that_may_be_of_another_implementation() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2", "n3"]);
    one.ask(r#""type":"add","delta":1"#);
    one.hear("n2", r#""inc":1,"digest":{"n2@1":1},"data":[["n2@1",0,["p",5]]],"lives":{"n1":9}"#);
    assert_eq!(one.session(), 10);
    one.ask(r#""type":"add","delta":1"#);
    one.run_for_ms(5_000);
    for (peer, rows) in [("n2", &["n1@10", "n2@1"][..]), ("n3", &["n1@1", "n1@10", "n2@1"])] {
        let last = one.sent_to(peer).into_iter().rfind(|sent| sent.body.get("p_counters").is_some()).unwrap();
        let expected: BTreeSet<String> = rows.iter().map(|row| (*row).to_owned()).collect();
        assert_eq!(keys(&[last], "p_counters"), expected, "{peer}");
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

// Rounds on request.

#[test]
fn a_round_on_request_tells_as_many_peers_as_the_fanout_says_and_counts_the_messages() {
    for (fanout, changes, told) in [(1, 1, (1, 1)), (2, 1, (2, 2)), (9, 1, (3, 3)), (2, 0, (2, 0))] {
        let mut one = joined(Strategy::Rumor, &["n1", "n2", "n3", "n4"]);
        one.ask(&format!(r#""type":"configure","fanout":{fanout},"gossip_interval_ms":60000"#));
        broadcast(&mut one, changes);
        one.sent.clear();
        let rounds = one.node().stats().gossip_rounds;
        let round = one.ask(r#""type":"gossip_round""#);
        let number = |name: &str| round[name].as_u64().unwrap();
        assert_eq!((number("peers_contacted"), number("messages_sent")), told, "{fanout}");
        assert!(one.sent.len() as u64 >= told.1, "{:?}", one.sent);
        assert!(one.node().stats().gossip_rounds > rounds);
        let status = one.ask(r#""type":"gossip_status""#);
        assert_eq!(status["gossip_rounds"], one.node().stats().gossip_rounds);
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
    assert_eq!(one.node().stats().settled, 1);
    one.with(|node, _| {
        assert_eq!(node.poll_event(), Some(Event::Settled));
        assert_eq!(node.poll_event(), None);
    });
}
