//! What a node sends: cut messages, the contents of messages, and acknowledgements.

use super::*;

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
fn what_came_without_a_question_is_told_to_others_although_its_sender_has_more() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2", "n3"]);
    one.hear("n2", r#""inc":1,"digest":{"n2@1":5},"data":[["n2@1",0,4711]]"#);
    one.run_for_ms(1);
    assert!(one.sent_to("n3").iter().any(|sent| sent.data().contains("4711")));
}

#[test]
fn who_is_not_ahead_and_has_another_vector_although_it_shows_all_rows_is_listed_all_of_them() {
    let all = all_lives();
    let less = all.replacen(r#""n2@1":1,"#, "", 1);
    let more = format!(r#"{all},"n0@1":0,"n1@1":1"#);
    for (shown, equal, listed) in
        [(&all, false, true), (&all, true, false), (&less, false, false), (&more, false, false)]
    {
        let mut one = with_past_lives();
        let sum = if equal { one.sum() } else { NOTHING.to_owned() };
        one.run_for_ms(1_000);
        one.sent.clear();
        one.hear("n1", &format!(r#""inc":1,"sum":"{sum}","agree":"{:016}","digest":{{{shown}}},"want":1"#, 0));
        let rows = keys(&one.sent_to("n1"), "digest").len();
        assert!(if listed { rows == 31 } else { rows <= 6 }, "{rows} rows: {shown} {equal}");
    }
}

#[test]
fn an_entry_beyond_a_gap_that_comes_again_is_known() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2", "n3"]);
    for known in 0..3 {
        one.hear("n2", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{}},"data":[["n3@1",2,33]],"want":1"#));
        assert_eq!(one.node().stats().entries_known, known);
    }
}

#[test]
fn a_full_message_that_leaves_no_gap_is_not_answered_with_a_question() {
    let mut one = joined(Strategy::Relay, &["n1", "n0", "n2"]);
    one.hear("n0", r#""inc":1,"ord":1,"relay":"n0","digest":{"n0@1":1},"data":[["n0@1",0,7]],"full":true"#);
    one.run_for_ms(400);
    assert!(one.sent_to("n0").iter().all(|sent| sent.body["want"] != 2), "{:?}", one.sent);
}

#[test]
fn who_hands_over_a_part_is_the_only_one_to_tell_the_rest_of_it() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2", "n3"]);
    one.hear("n2", r#""inc":1,"digest":{"n2@1":5},"data":[["n2@1",0,4711]],"want":1"#);
    one.run_for_ms(100);
    assert!(one.sent_to("n3").iter().all(|sent| sent.data().is_empty()), "{:?}", one.sent);
}

#[test]
fn who_asks_and_brings_nothing_is_not_asked_in_return() {
    for (data, want) in [("", Json::Null), (r#","data":[["n2@1",0,7]]"#, 2.into())] {
        let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
        one.hear("n2", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{"n2@1":5}},"want":2{data}"#));
        assert_eq!(one.sent_to("n2").last().unwrap().body["want"], want, "{data}");
    }
}

#[test]
fn a_single_value_is_pushed_in_a_form_that_other_implementations_read() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    one.update(Change::Broadcast(Value::Int(4711)));
    one.run_for_ms(1);
    let pushed = &one.sent_to("n2")[0].body;
    assert_eq!((&pushed["type"], &pushed["value"]), (&"gossip".into(), &4711.into()));
    one.ask(r#""type":"add","delta":1"#);
    one.run_for_ms(1_000);
    let ticks = one.sent.iter().filter(|sent| sent.body["type"] == "replicate");
    assert!(ticks.clone().count() > 0 && ticks.clone().all(|sent| sent.body.get("value").is_none()), "{:?}", one.sent);
}

#[test]
fn changes_that_were_superseded_by_another_node_are_told_as_their_number_and_nothing_else_is() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2", "n3"]);
    one.ask(r#""type":"write","key":"k","value":1"#);
    one.hear("n2", r#""inc":1,"digest":{"n2@1":1},"data":[["n2@1",0,["w","k",2,9000000000000000]]]"#);
    one.run_for_ms(3_000);
    one.sent.clear();
    one.hear("n3", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{}},"want":2"#));
    let answer = &one.sent_to("n3")[0];
    assert!(answer.data().contains(r#"["n1@1",0,[1]]"#) && !answer.data().contains("[0]"), "{answer:?}");
    assert!(answer.body.get("want").is_none(), "it is all: {answer:?}");
}

#[test]
fn a_relay_hears_a_first_change_at_once() {
    let mut one = joined(Strategy::Relay, &["n2", "n1", "n3"]);
    one.update(Change::Broadcast(Value::Int(7)));
    one.run_for_ms(1);
    assert_eq!(one.sent_to("n1").first().map(|sent| sent.at_ms), Some(0));
}

#[test]
fn a_session_that_was_just_begun_is_in_touch_with_nobody() {
    let mut one = joined(Strategy::Relay, &["n2", "n1", "n3"]);
    one.run_for_ms(1_500);
    assert!(one.sent.iter().any(|sent| sent.body["want"] == 2), "it asks after a second: {:?}", one.sent);
}

#[test]
fn a_push_looks_at_few_peers_however_large_the_cluster() {
    let ids = names(90);
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (last, others) = ids[2..].split_last().unwrap();
    let mut one = joined(Strategy::Rumor, &ids);
    one.hear("n11", r#""inc":1,"digest":{},"data":[["n11@1",0,0]]"#);
    for id in others {
        one.hear(id, r#""inc":1,"digest":{"n11@1":1000}"#);
    }
    one.run_for_ms(1_000);
    one.sent.clear();
    for value in 1..61 {
        one.hear(last, r#""inc":1,"digest":{}"#);
        one.hear("n11", &format!(r#""inc":1,"digest":{{}},"data":[["n11@1",{value},{value}]]"#));
        one.run_for_ms(198);
    }
    // It looks at 34 of 89.
    let told = one.sent_to(last).iter().filter(|sent| !sent.data().is_empty()).count();
    assert!((10..32).contains(&told), "{told}");
}

#[test]
fn a_strategy_without_a_relay_says_nothing_of_one_and_forgets_rumors_only() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2"]);
    one.update(Change::Broadcast(Value::Int(7)));
    one.run_for_ms(2_000);
    let fields = ["ord", "echoed", "relay", "turn", "old", "full", "stable"];
    for sent in &one.sent {
        assert!(fields.iter().all(|field| sent.body.get(field).is_none()), "{:?}", sent.body);
    }
    for strategy in Strategy::ALL {
        assert_eq!(one.ask(&format!(r#""type":"configure","strategy":"{}""#, strategy.name()))["type"], "configure_ok");
        assert_eq!((one.node().config().strategy, one.node().stats().rumors_forgotten), (strategy, 0));
    }
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

#[test]
fn members_are_listed_when_somebody_else_agrees_and_named_in_one_word_when_all_do() {
    let mut one = joined(Strategy::Rumor, &["n1", "n2", "n3"]);
    one.hear("n3", r#""inc":1"#);
    one.hear("n2", r#""inc":1"#);
    let agrees = |one: &mut One, peer: &str| {
        let shown = format!(r#""inc":1,"sum":"{}","agree":"{}","want":1"#, one.sum(), one.view());
        one.hear(peer, &shown);
        one.sent_to(peer).last().unwrap().body["agree"].as_str().unwrap()[16..].to_owned()
    };
    one.hear("n2", &format!(r#""inc":1,"sum":"{NOTHING}","want":1"#));
    one.ask(r#""type":"add","delta":1"#);
    one.hear("n2", &format!(r#""inc":1,"sum":"{NOTHING}","want":1"#));
    assert_eq!(one.sent_to("n2").last().unwrap().body["agree"].as_str().unwrap().len(), 16, "nobody else");
    assert_eq!([agrees(&mut one, "n2"), agrees(&mut one, "n3")], [":3", ":all"]);
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
    one.hear("n1", r#""inc":1,"ord":1,"relay":"n0","digest":{"n1@1":1},"data":[["n1@1",0,-1]]"#);
    for value in 0..80 {
        one.update(Change::Broadcast(Value::Int(value)));
        one.run_for_ms(250);
        // n1 is gone.
        let ord = value + 1;
        let echoed = one.sent_to("n2").last().map_or(0, |sent| sent.body["ord"].as_u64().unwrap());
        let data = format!(r#""digest":{{"n2@1":{ord}}},"data":[["n2@1",{value},{}]]"#, 1_000 + value);
        one.hear("n2", &format!(r#""inc":1,"ord":{ord},"echoed":[{echoed},1,0],"relay":"n0",{data}"#));
    }
    let random: Vec<&Sent> = one.sent.iter().filter(|sent| sent.body.get("old").is_some()).collect();
    assert!(random.len() > 2, "{}", random.len());
    for sent in random {
        for row in ["n0@1", "n2@1"] {
            let (old, new) = (sent.body["old"][row].as_u64(), sent.body["digest"][row].as_u64());
            assert!(old.is_some() && old < new, "{:?}", sent.body);
        }
        assert!(sent.body["old"].get("n1@1").is_none(), "nothing has changed in it: {:?}", sent.body);
        assert!(sent.at_ms < 15_000 || sent.body["old"]["n0@1"].as_u64() > Some(10), "{:?}", sent.body);
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
