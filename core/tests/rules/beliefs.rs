//! What a node believes of a message, and what it refuses.

use super::*;

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
    // A line is handled a millisecond after the one before.
    for (ahead_us, taken) in [(60_001_000, true), (60_001_001, false)] {
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

#[test]
fn a_skip_is_believed_up_to_what_the_message_or_one_before_it_has_shown() {
    for (before, now, frontier) in [("2", "5", 5), ("5", "", 5), ("2", "", 2)] {
        let mut one = joined(Strategy::Rumor, &["n1", "n2", "n3"]);
        one.hear("n3", r#""inc":1,"digest":{"n3@1":1},"data":[["n3@1",0,7]]"#);
        one.hear("n2", &format!(r#""inc":1,"digest":{{"n3@1":{before}}}"#));
        let digest = if now.is_empty() { String::new() } else { format!(r#""n3@1":{now}"#) };
        one.hear("n2", &format!(r#""inc":1,"digest":{{{digest}}},"data":[["n3@1",0,[5]]]"#));
        assert_eq!(one.frontier("n3", 1), frontier, "{before} {now}");
    }
}

#[test]
fn a_name_is_used_up_when_it_is_seen_with_the_largest_number() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    one.hear("n2", r#""inc":7,"digest":{"n1@8":1}"#);
    let n2 = one.node().replica().causality.members.find("n2").unwrap();
    assert_eq!((one.session(), one.node().gossip().session_of(n2)), (9, Some(7)));
    assert!(!one.node().is_name_used_up());
    one.run_for_ms(5_000);
    one.hear("n2", r#""inc":7,"lives":{"n1":9007199254740991}"#);
    one.run_for_ms(5_000);
    assert!(one.node().is_name_used_up() && one.session() == 9);
}

// Refusals.

#[test]
fn who_refuses_entries_is_nobodys_relay() {
    for (refuses, relay) in [(0, "n1"), (1, "n2"), (2, "n2"), (0, "n1")] {
        let mut one = joined(Strategy::Relay, &["n2", "n1", "n3"]);
        one.hear("n1", &format!(r#""inc":1,"ord":1,"relay":"n1","digest":{{}},"refuses":{refuses}"#));
        one.hear("n3", r#""inc":1,"ord":1,"relay":"n1","digest":{},"want":1"#);
        assert_eq!(one.sent_to("n3").last().unwrap().body["relay"], relay, "{refuses}");
    }
}

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
fn who_could_not_take_an_entry_that_names_its_own_row_says_so_and_what_claims_to_be_its_own_is_ignored() {
    for (data, says) in [(r#"["n2@1",0,["p","n0@1",99]]"#, 1.into()), (r#"["n0@1",0,["p",99]]"#, Json::Null)] {
        let mut one = joined(Strategy::Rumor, &["n0", "n1", "n2"]);
        one.ask(r#""type":"add","delta":5"#);
        one.hear("n2", &format!(r#""inc":1,"digest":{{"n2@1":1}},"data":[{data}]"#));
        assert_eq!(says_of_refusals(&mut one, "n1", 1), says, "{data}");
        assert_eq!(one.node().store().counter.value(), 5);
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
