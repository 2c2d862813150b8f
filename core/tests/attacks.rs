//! Attacks of a member that lies, and their bounds. Each row of docs/attacks.md has a test here. The table is one page,
//! so its tests are one file, although it is long.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use rumormill_core::config::INCARNATION_MAX;
use rumormill_core::gossip::Rule;
use rumormill_core::storage::Limits;
use rumormill_core::{Change, Config, Strategy, Value};
use rumormill_sim::Joined as _;
use rumormill_sim::State;
use support::one::{One, config, view};
use support::{CALM, Sim, limits};

const NOTHING: &str = "00000000000000000000000000000000";
const WALL_US: u64 = 1_700_000_000_000_000;

fn joined(session: u64, strategy: Strategy) -> One {
    let mut one = One::new(config(session, strategy), &[]);
    one.join("n0", &["n0", "n1", "n2"]);
    one
}

fn cluster(strategy: Strategy, nodes: usize) -> Sim {
    let gossip_interval_ms = (strategy == Strategy::Relay).then_some(460);
    let config = Config { strategy, gossip_interval_ms, ..Config::default() };
    Sim::with_limits(nodes, 7, CALM, config, Limits { rows: 256, ..limits(nodes) })
}

#[test]
fn each_attack_in_the_documentation_has_its_test() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let read = |path: &str| std::fs::read_to_string(format!("{root}/{path}")).unwrap();
    let sources = ["attacks", "faults", "faults_cluster"].map(|name| read(&format!("core/tests/{name}.rs"))).concat();
    let table = read("docs/attacks.md");
    let rows: Vec<&str> =
        table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| attack")).collect();
    assert!(rows.len() >= 18, "{} rows", rows.len());
    for row in rows {
        let last = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let name = last.split('`').nth(1).unwrap_or_else(|| panic!("no test: {row}"));
        assert!(sources.contains(&format!("fn {name}()")), "no such test: {name}");
    }
}

/// A message in the name of a member. `body` is the text after the type.
fn forge(sim: &mut Sim, src: usize, dest: usize, body: &str) {
    let line = format!(r#"{{"src":"n{src}","dest":"n{dest}","body":{{"type":"gossip",{body}}}}}"#);
    assert_eq!(sim.deliver(dest, line.as_bytes()), Ok(None));
}

fn broadcast(sim: &mut Sim, at: usize, value: u64) {
    sim.ask(at, &format!(r#""type":"broadcast","message":{value}"#));
}

fn hex_sum(sim: &Sim, at: usize) -> String {
    let sum = sim.node(at).digest();
    format!("{:016x}{:016x}", sum.vector, sum.state)
}

fn hex_view(sim: &Sim, at: usize) -> String {
    format!("{:016x}", sim.node(at).gossip().view_name())
}

#[test]
fn an_inflated_name_takes_sessions_at_growing_pauses() {
    for strategy in Strategy::ALL {
        let mut one = joined(100, strategy);
        let mut taken = Vec::new();
        for second in 0..3_600 {
            let before = one.session();
            one.run_for_ms(999);
            one.hear("n2", &format!(r#""inc":1,"lives":{{"n0":{}}}"#, one.session() + 5));
            if one.session() != before {
                taken.push(second);
            }
            // It makes a change in each of these lives, so each takes a row.
            if second % 60 == 0 {
                one.ask(&format!(r#""type":"broadcast","message":{second}"#));
            }
        }
        let pauses: Vec<u64> = taken.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(pauses[..9], [1, 2, 4, 8, 16, 32, 64, 128, 256], "{strategy:?}");
        assert!(pauses[9..].iter().all(|pause| (300..=301).contains(pause)), "{strategy:?}: {pauses:?}");
        // After the first ten there are twelve sessions in an hour. With 2,048 rows, the half that is not reserved is
        // enough for more than three days.
        assert!(taken.len() <= 20 && one.rows() <= taken.len() + 1, "{strategy:?}: {taken:?}");
        assert_eq!(one.node().stats().sessions_taken, taken.len() as u64);
    }
}

#[test]
fn a_session_of_somebody_else_that_is_made_up_delays_it_and_loses_nothing() {
    for strategy in Strategy::ALL {
        let mut sim = cluster(strategy, 3);
        sim.run_for_ms(20_000);
        // n2 names a new session of n1, to n0 only.
        forge(&mut sim, 2, 0, r#""inc":1000002,"lives":{"n1":5000000}"#);
        broadcast(&mut sim, 1, 42);
        let took_ms = sim.converge(60_000);
        assert!(took_ms <= 5_000, "{strategy:?}: {took_ms} ms");
        sim.fall_silent(60_000);
        assert_eq!(sim.node(1).session(), 5_000_001, "{strategy:?}: it was told, and took a session above that");
    }
}

#[test]
fn a_session_far_ahead_of_the_wall_clock_is_refused() {
    for strategy in Strategy::ALL {
        let mut one = One::new(config(WALL_US, strategy), &[]);
        one.set_wall(WALL_US);
        one.join("n0", &["n0", "n1", "n2"]);
        let ahead = WALL_US + 3_600_000_000;
        for number in [ahead, INCARNATION_MAX] {
            one.hear("n2", &format!(r#""inc":{WALL_US},"lives":{{"n0":{number},"n1":{number}}}"#));
            one.hear("n2", &format!(r#""inc":{WALL_US},"digest":{{"n0@{number}":1}}"#));
            one.hear("n2", &format!(r#""inc":{WALL_US},"ord":1,"echoed":[1,{number},0]"#));
            one.hear("n1", &format!(r#""inc":{number},"sum":"{NOTHING}""#));
        }
        assert_eq!(one.session(), WALL_US, "{strategy:?}");
        assert_eq!(one.node().stats().refused_sessions, 10, "{strategy:?}");
        // Messages of the present session of n1 count as before.
        one.hear("n1", &format!(r#""inc":{WALL_US},"digest":{{"n1@{WALL_US}":1}},"data":[["n1@{WALL_US}",0,7]]"#));
        assert_eq!(one.node().stats().old_sessions, 0);
    }
}

#[test]
fn a_session_at_the_maximum_uses_up_the_name_of_a_device_without_a_clock() {
    let mut one = joined(100, Strategy::Rumor);
    one.hear("n2", &format!(r#""inc":1,"lives":{{"n0":{INCARNATION_MAX}}}"#));
    assert!(one.node().is_name_used_up(), "the driver ends it and says so");
    assert_eq!(one.session(), 100);
}

#[test]
fn a_row_that_is_skipped_to_its_end_costs_its_author_a_session_and_nobody_a_value() {
    for strategy in Strategy::ALL {
        // n3 lies, and sends nothing else.
        let mut sim = cluster(strategy, 4);
        for value in 0..3 {
            broadcast(&mut sim, 1, value);
        }
        sim.run_for_ms(20_000);
        sim.partition(&[3]);
        // A digest in the same message vouches for the skip, so n0 believes it.
        let end = 4_611_686_018_427_387_000_u64;
        let lie = format!(r#""digest":{{"n1@1000001":{end}}},"data":[["n1@1000001",3,[{}]]]"#, end - 3);
        forge(&mut sim, 3, 0, &format!(r#""inc":1000003,{lie}"#));
        sim.run_for_ms(50);
        for value in 10..13 {
            broadcast(&mut sim, 1, value);
            sim.run_for_ms(3_000);
        }
        sim.run_for_ms(60_000);
        for node in sim.nodes().take(3) {
            assert_eq!((node.digest(), node.store().set.len()), (sim.node(0).digest(), 6), "{strategy:?}");
        }
        assert_eq!(sim.node(1).session(), 1_000_002, "{strategy:?}: one session, and no more");
    }
}

#[test]
fn rows_that_are_only_named_take_no_room_and_cost_an_answer_each() {
    for strategy in Strategy::ALL {
        let mut one = joined(100, strategy);
        one.run_for_ms(5_000);
        let before = (one.sent.len(), one.bytes());
        for round in 0..100 {
            let rows: Vec<String> = (0..100).map(|life| format!(r#""n1@{}":9"#, round * 100 + life)).collect();
            one.hear("n2", &format!(r#""inc":1,"sum":"{NOTHING}","digest":{{{}}},"want":1"#, rows.join(",")));
        }
        let (lines, bytes) = (one.sent.len() - before.0, one.bytes() - before.1);
        assert_eq!(one.rows(), 1, "{strategy:?}");
        assert!(lines <= 101 && bytes <= 101 * 300, "{strategy:?}: {lines} lines, {bytes} bytes");
        // Entries that are named and never come are asked for at growing intervals.
        let before = one.sent.len();
        one.run_for_ms(600_000);
        let asked = one.sent.len() - before;
        assert!(asked <= 150, "{strategy:?}: {asked} messages in ten minutes");
    }
}

#[test]
fn own_cells_and_dots_that_others_claim_change_nothing_here() {
    for strategy in Strategy::ALL {
        for claim in [
            r#""data":[["n2@1",0,["p","n0@100",18446744073709551615],["n","n0@100",7]]]"#,
            r#""digest":{"n0@100":9},"data":[["n0@100",1,["p",99],5]]"#,
            r#""digest":{"n0@100":4000000000},"data":[["n0@100",1,[3999999999]]]"#,
            r#""digest":{"n0@100":4000000000}"#,
        ] {
            let mut one = joined(100, strategy);
            one.ask(r#""type":"add","delta":5"#);
            one.hear("n2", &format!(r#""inc":1,{claim}"#));
            assert_eq!(one.frontier("n0", 100), 1, "{strategy:?}: {claim}");
            one.ask(r#""type":"add","delta":1"#);
            assert_eq!(one.ask(r#""type":"read""#)["value"], 6, "{strategy:?}: {claim}");
            assert!(one.node().stats().impostors > 0);
            // It goes on in a life of which nobody claims more.
            assert_eq!((one.session(), one.frontier("n0", 101)), (101, 1), "{strategy:?}: {claim}");
        }
    }
}

#[test]
fn a_number_of_somebody_else_that_is_made_up_counts_and_divides_nobody() {
    for strategy in Strategy::ALL {
        for number in ["99", "18446744073709551615"] {
            let mut sim = cluster(strategy, 4);
            sim.ask(0, r#""type":"add","delta":5"#);
            sim.run_for_ms(20_000);
            // n3 lies to n1 about n0, and sends nothing else.
            sim.partition(&[3]);
            let row = r#""n3@1000003""#;
            forge(
                &mut sim,
                3,
                1,
                &format!(r#""inc":1000003,"digest":{{{row}:1}},"data":[[{row},0,["p","n0@1000000",{number}]]]"#),
            );
            sim.run_for_ms(60_000);
            for node in sim.nodes().take(3) {
                assert_eq!(node.digest(), sim.node(1).digest(), "{strategy:?} {number}: {}", sim.summary());
            }
            assert_eq!(sim.node(0).session(), 1_000_001, "{strategy:?}");
            // Additions still work, except for those that lead further beyond 64 bits. That would also be so if an
            // honest node had written the large number.
            let before = sim.node(2).store().counter.value();
            let (delta, refused) = if number == "99" { (1, false) } else { (-1, true) };
            assert_eq!(sim.ask(0, r#""type":"add","delta":2"#)["body"]["code"] == 12, refused, "{strategy:?}");
            let added = if refused { 0 } else { 2 };
            let reply = sim.ask(0, &format!(r#""type":"add","delta":{delta}"#));
            assert_eq!(reply["body"]["type"], "add_ok", "{strategy:?} {number}");
            sim.run_for_ms(20_000);
            assert_eq!(sim.node(2).store().counter.value(), before + added + delta, "{strategy:?} {number}");
        }
    }
}

#[test]
fn made_up_numbers_again_and_again_make_no_storm() {
    for strategy in Strategy::ALL {
        let mut sim = cluster(strategy, 4);
        sim.ask(0, r#""type":"add","delta":5"#);
        sim.run_for_ms(20_000);
        sim.partition(&[3]);
        let before = sim.counts().sent;
        for dot in 0..600 {
            let present = sim.node(0).session();
            sim.ask(0, r#""type":"add","delta":1"#);
            forge(
                &mut sim,
                3,
                1,
                &format!(
                    r#""inc":1000003,"digest":{{"n3@1000003":{}}},"data":[["n3@1000003",{dot},["p","n0@{present}",{}]]]"#,
                    dot + 1,
                    1_000 + dot
                ),
            );
            sim.run_for_ms(1_000);
        }
        let sent = sim.counts().sent - before;
        eprintln!("{strategy:?}: {sent} messages in ten minutes, {} sessions", sim.node(0).stats().sessions_taken);
        assert!(sim.node(0).stats().sessions_taken <= 11, "{strategy:?}");
        assert!(sent <= 600 * 40, "{strategy:?}: {sent} messages");
        // This is longer than the pause before the last session that is wanted.
        sim.run_for_ms(600_000);
        for node in sim.nodes().take(3) {
            assert_eq!(node.digest(), sim.node(1).digest(), "{strategy:?}: {}", sim.summary());
        }
    }
}

#[test]
fn a_false_word_that_all_is_well_holds_until_anybody_changes_anything() {
    for strategy in Strategy::ALL {
        let mut sim = cluster(strategy, 3);
        for at in 0..3 {
            broadcast(&mut sim, at, at as u64);
        }
        sim.fall_silent(120_000);
        // n0 writes, n1 does not hear of it, and n2 says that n1 has it.
        [(0, 1), (2, 0), (2, 1)].into_iter().for_each(|(from, to)| sim.cuts_mut().add(from, to));
        broadcast(&mut sim, 0, 42);
        sim.run_for_ms(50);
        let (sum, name) = (hex_sum(&sim, 0), hex_view(&sim, 0));
        forge(&mut sim, 2, 0, &format!(r#""inc":1000002,"sum":"{sum}","agree":"{name}:all","msg_id":99999"#));
        assert!(sim.node(0).is_settled(), "{strategy:?}: it has no reason to doubt that");
        sim.run_for_ms(60_000);
        // Even then n1 gets the value only if another node sends it. Authentication does not help against a member that
        // says what is false.
        sim.heal();
        let lacks = |sim: &Sim| !State::of(sim.node(1)).set.contains("Int(42)");
        eprintln!("{strategy:?}: a minute later n1 lacks it: {}", lacks(&sim));
        broadcast(&mut sim, 1, 43);
        sim.converge(60_000);
        assert!(!lacks(&sim));
        sim.fall_silent(120_000);
    }
}

#[test]
fn a_false_word_about_another_state_or_view_is_not_believed() {
    for strategy in Strategy::ALL {
        let mut one = joined(100, strategy);
        one.hear("n1", &format!(r#""inc":1,"sum":"{NOTHING}","agree":"{}","digest":{{}}"#, view(&[("n1", 1)])));
        one.hear("n2", &format!(r#""inc":1,"sum":"{NOTHING}","agree":"{}","digest":{{}}"#, view(&[("n2", 1)])));
        one.ask(r#""type":"broadcast","message":1"#);
        let (sum, mine) = (one.sum(), one.view());
        // In each of these claims at most one of the two names is right.
        for (sum, view) in [(NOTHING, &*mine), (&*sum, "0123456789abcdef"), ("x", "y"), (&*sum, "")] {
            one.hear(
                "n2",
                &format!(r#""inc":1,"ord":7,"stable":true,"relay":"n0","sum":"{sum}","agree":"{view}:all""#),
            );
            assert!(!one.node().is_settled(), "{strategy:?}: {sum} {view}");
        }
        one.hear("n2", &format!(r#""inc":1,"sum":"{sum}","agree":"{mine}:all""#));
        assert!(one.node().is_settled(), "{strategy:?}");
    }
}

#[test]
fn whoever_asks_for_everything_again_and_again_is_sent_a_window() {
    for strategy in Strategy::ALL {
        let mut one = joined(100, strategy);
        for value in 0..100_000 {
            one.update(Change::Broadcast(Value::Int(value * 1_000_003)));
        }
        // A new change is pushed to all peers once.
        one.run_for_ms(2_000);
        let before = one.bytes();
        for at in 1..=1_000 {
            one.hear("n2", &format!(r#""inc":1,"ord":{at},"sum":"{NOTHING}","digest":{{}},"want":2"#));
        }
        let bytes = one.bytes() - before;
        eprintln!("{strategy:?}: {bytes} bytes for a thousand questions in a second");
        assert!(bytes <= 2 * (64 << 10) + 1_000 * 260, "{strategy:?}: {bytes}");
        // A new session is sent a window at once. So each message of the attacker costs one window.
        let before = one.bytes();
        for session in 2..=51 {
            one.hear("n2", &format!(r#""inc":{session},"ord":1,"sum":"{NOTHING}","digest":{{}},"want":2"#));
        }
        let bytes = one.bytes() - before;
        eprintln!("{strategy:?}: {bytes} bytes for fifty sessions");
        assert!(bytes <= 50 * ((64 << 10) + 2_000), "{strategy:?}: {bytes}");
    }
}

#[test]
fn long_lines_of_rows_chunks_and_random_dots_change_no_more_than_they_carry() {
    // The tests of the chains of entries count the steps, which show that each line costs its length times a logarithm.
    let mut one = joined(100, Strategy::Relay);
    // The pool is nearly full, so that each search goes through many rows.
    let lives: Vec<String> = (0..1_000).map(|life| format!(r#"["n1@{life}",0,{life}]"#)).collect();
    one.hear("n2", &format!(r#""inc":1,"data":[{}]"#, lives.join(",")));
    assert!(one.rows() >= 990, "{} rows", one.rows());
    let digest: Vec<String> = (0..60_000).map(|life| format!(r#""n1@{}":7"#, life * 7)).collect();
    let chunks: Vec<String> = (0..60_000).map(|life| format!(r#"["n1@{}",0,[3],["z"]]"#, life * 7)).collect();
    let (digest, chunks) = (digest.join(","), chunks.join(","));
    let values = one.values();
    for body in [
        format!(r#""inc":1,"digest":{{{digest}}},"want":1"#),
        format!(r#""inc":1,"data":[{chunks}]"#),
        format!(r#""inc":1,"digest":{{{digest}}},"old":{{{digest}}},"data":[{chunks}]"#),
        format!(r#""inc":1,"lives":{{{}}}"#, digest.replace('@', "x")),
    ] {
        one.hear("n2", &body);
    }
    assert!(one.rows() <= 2_048 && one.values() == values, "{} rows, {} values", one.rows(), one.values());
    // 200,000 entries at random dots, each a run of its own, in lines of one megabyte.
    let mut rng = support::Rng(1);
    for _ in 0..4 {
        let entries: Vec<String> =
            (0..50_000).map(|_| rng.below(1 << 40)).map(|dot| format!(r#"["n2@1",{dot},{}]"#, dot ^ 1)).collect();
        one.hear("n2", &format!(r#""inc":1,"data":[{}]"#, entries.join(",")));
    }
    assert_eq!(one.values(), values + 200_000);
}

#[test]
fn stamps_far_ahead_are_held_back_and_hold_back_nothing_else() {
    let mut one = One::new(config(100, Strategy::Rumor), &[]);
    one.set_wall(WALL_US);
    one.join("n0", &["n0", "n1", "n2"]);
    let ahead = WALL_US + 3_600_000_000;
    one.hear("n2", &format!(r#""inc":1,"digest":{{"n2@1":2}},"data":[["n2@1",0,["w","k","late",{ahead}],7]]"#));
    assert_eq!(one.node().stats().refused_clock_ahead, 1);
    assert_eq!(one.frontier("n2", 1), 0, "it is offered again");
    assert_eq!(one.ask(r#""type":"kv_read","key":"k""#)["code"], 20);
    // Values in the same row, other rows, and this node's own writes go on, with present stamps.
    one.hear("n1", &format!(r#""inc":1,"digest":{{"n1@1":1}},"data":[["n1@1",0,["w","k","now",{WALL_US}]]]"#));
    assert_eq!(one.ask(r#""type":"kv_read","key":"k""#)["value"], "now");
    let ts = one.ask(r#""type":"write","key":"k","value":"mine""#)["ts"].as_f64().unwrap();
    assert!(ts < (WALL_US / 1_000_000 + 10) as f64, "{ts}");
    assert_eq!(one.node().store().set.len(), 1);
    // The clock reaches the stamp.
    one.set_wall(ahead);
    one.hear("n2", &format!(r#""inc":1,"digest":{{"n2@1":2}},"data":[["n2@1",0,["w","k","late",{ahead}],7]]"#));
    assert_eq!(
        (one.frontier("n2", 1), one.ask(r#""type":"kv_read","key":"k""#)["value"].to_string()),
        (2, r#""late""#.into())
    );
}

#[test]
fn a_stamp_at_the_end_of_time_ends_the_writes_of_a_device_without_a_clock() {
    let mut one = joined(100, Strategy::Rumor);
    one.hear("n2", &format!(r#""inc":1,"digest":{{"n2@1":1}},"data":[["n2@1",0,["w","k","end",{}]]]"#, i64::MAX - 1));
    let reply = one.ask(r#""type":"write","key":"k","value":1"#);
    assert_eq!(reply["type"], "error", "{reply}: nothing is acknowledged that nobody would take");
    // Set and counter go on.
    assert_eq!(one.ask(r#""type":"broadcast","message":1"#)["type"], "broadcast_ok");
}

#[test]
fn strangers_among_the_sessions_that_are_named_are_no_members() {
    for strategy in Strategy::ALL {
        let mut one = joined(100, strategy);
        let before = one.view();
        let strangers: Vec<String> = (10..5_000).map(|id| format!(r#""n{id}":{id}"#)).collect();
        one.hear("n2", &format!(r#""inc":1,"lives":{{{}}}"#, strangers.join(",")));
        assert_eq!(one.node().stats().refused_rows, 4_990, "{strategy:?}");
        assert_ne!(one.view(), before, "n2 itself is in it now");
        assert_eq!(one.view(), view(&[("n0", 100), ("n2", 1)]), "{strategy:?}");
    }
}

#[test]
fn replayed_messages_of_an_older_session_are_merged_and_not_believed() {
    for strategy in Strategy::ALL {
        let mut sim = cluster(strategy, 3);
        broadcast(&mut sim, 1, 1);
        sim.run_for_ms(20_000);
        let (sum, name) = (hex_sum(&sim, 0), hex_view(&sim, 0));
        let old = format!(
            r#""inc":1000001,"ord":4000000000,"echoed":[4000000000,1000000,0],"relay":"n1","stable":true,"sum":"{sum}","agree":"{name}:all","refuses":2,"digest":{{"n1@1000001":1,"n0@1000000":77}},"data":[["n1@1000001",0,1]],"want":2"#
        );
        sim.restart(1, None);
        sim.converge(60_000);
        sim.fall_silent(120_000);
        let (sent, view) = (sim.traffic()[0].sent, hex_view(&sim, 0));
        for _ in 0..1_000 {
            forge(&mut sim, 1, 0, &old);
            sim.run_for_ms(10);
        }
        // In ten seconds it is told twice per second.
        assert!(sim.traffic()[0].sent - sent <= 22, "{strategy:?}: {} messages", sim.traffic()[0].sent - sent);
        assert_eq!((hex_view(&sim, 0), sim.node(0).stats().impostors), (view, 0), "{strategy:?}");
        assert!(sim.node(0).is_settled(), "{strategy:?}");
        broadcast(&mut sim, 0, 2);
        sim.converge(10_000);
        sim.fall_silent(60_000);
    }
}

#[test]
fn the_largest_numbers_in_a_forged_header_lose_nothing() {
    for strategy in Strategy::ALL {
        for number in [
            r#""msg_id":9223372036854775807"#,
            r#""ord":4294967295"#,
            r#""ord":4294967295,"echoed":[4294967295,1000000,4294967295]"#,
            r#""ord":3,"relay":"n1","turn":4294967295"#,
            r#""ord":4294967295,"relay":"n2","refuses":2,"msg_id":9223372036854775807"#,
        ] {
            let mut sim = cluster(strategy, 3);
            sim.run_for_ms(20_000);
            for dest in [0, 2] {
                forge(&mut sim, 1, dest, &format!(r#""inc":1000001,"sum":"{NOTHING}",{number}"#));
            }
            for value in 0..10 {
                // A change that is refused meanwhile, because n1 is said to have no row for it, is not acknowledged.
                broadcast(&mut sim, value as usize % 3, value);
                sim.run_for_ms(300);
            }
            let took_ms = sim.converge(60_000);
            eprintln!("{strategy:?} {number}: {took_ms} ms, {} values", sim.node(0).store().set.len());
            sim.run_for_ms(120_000);
            let before = sim.counts().sent;
            sim.run_for_ms(60_000);
            assert!(
                sim.counts().sent - before <= 30,
                "{strategy:?} {number}: {} messages in a minute",
                sim.counts().sent - before
            );
            // A new session of n1 ends it.
            sim.restart(1, None);
            sim.converge(60_000);
            broadcast(&mut sim, 0, 100);
            broadcast(&mut sim, 1, 101);
            sim.converge(10_000);
            sim.fall_silent(120_000);
        }
    }
}

#[test]
fn a_relay_that_promises_its_next_flush_in_fifty_days_is_not_waited_for() {
    let mut one = One::new(config(100, Strategy::Relay), &[]);
    one.join("n1", &["n0", "n1", "n2"]);
    let send = |one: &mut One, value: u32| {
        let before = one.sent_to("n0").len();
        one.ask(&format!(r#""type":"broadcast","message":{value}"#));
        // A value waits for the next flush. If the relay says that the flush is an interval away, the value waits no
        // longer than that.
        let begun_ms = one.now_us / 1_000;
        while one.sent_to("n0").len() == before {
            assert!(one.now_us / 1_000 < begun_ms + 120_000, "value {value} waits for ever");
            one.run_for_ms(1);
        }
        (one.now_us / 1_000 - begun_ms, one.sent_to("n0").last().unwrap().body["ord"].as_u64().unwrap())
    };
    let mut waited_ms = Vec::new();
    for round in 1..20 {
        let (ms, ord) = send(&mut one, round);
        waited_ms.push(ms);
        // The message takes half a round trip in each direction, and the relay holds the value.
        one.run_for_ms(99);
        let (sum, flush) = (one.sum(), if round < 19 { 460 } else { u32::MAX });
        let digest = format!(r#""digest":{{"n1@100":{round}}}"#);
        one.hear(
            "n0",
            &format!(
                r#""inc":1,"ord":{round},"echoed":[{ord},100,0],"relay":"n0","flush":{flush},"sum":"{sum}",{digest}"#
            ),
        );
    }
    assert!(waited_ms[5..].iter().all(|ms| (200..460).contains(ms)), "it waits for the flush: {waited_ms:?}");
    let (ms, _) = send(&mut one, 99);
    assert!(ms < 4 * 460, "{ms} ms");
}

#[test]
fn two_processes_of_one_name_do_not_race_and_lose_nothing() {
    for strategy in Strategy::ALL {
        let mut ones = [
            One::new(config(5, strategy), &[]),
            One::new(config(6, strategy), &[]),
            One::new(config(1, strategy), &[]),
        ];
        let names = ["n1", "n1", "n2"];
        for (one, name) in ones.iter_mut().zip(names) {
            one.join(name, &["n1", "n2"]);
        }
        let mut turn = 0;
        for second in 0..1_200 {
            if second < 600 {
                let at = second as usize % 2;
                ones[at].ask(&format!(r#""type":"broadcast","message":{second}"#));
            }
            for _ in 0..10 {
                for from in 0..3 {
                    ones[from].run_for_ms(100);
                    for sent in std::mem::take(&mut ones[from].sent) {
                        // Messages for this name go to one of the two processes in turn.
                        turn = (turn + 1) % 2;
                        let to = if sent.to == "n2" { 2 } else { turn };
                        let line = serde_json::json!({"src": names[from], "dest": sent.to, "body": sent.body});
                        assert!(ones[to].line(&line.to_string()).is_none());
                    }
                }
            }
        }
        let taken: Vec<u64> = ones.iter().map(|one| one.node().stats().sessions_taken).collect();
        let sizes: Vec<usize> = ones.iter().map(|one| one.node().store().set.len()).collect();
        eprintln!("{strategy:?}: sessions taken {taken:?}, values {sizes:?}");
        // The pauses are 1, 2, 4, …, 256 s, and then 300 s each.
        assert!(taken[0] <= 13 && taken[1] <= 13 && taken[2] == 0, "{strategy:?}: {taken:?}");
        assert_eq!(sizes[2], 600, "{strategy:?}: what was acknowledged and sent is there");
    }
}

#[test]
fn the_rule_about_higher_sessions_is_what_makes_two_processes_of_one_name_heard() {
    let heard = |without: &[Rule]| {
        let mut peer = joined(1, Strategy::Rumor);
        let mut one = One::new(config(5, Strategy::Rumor), without);
        one.join("n1", &["n0", "n1", "n2"]);
        peer.hear("n1", r#""inc":9,"digest":{"n1@9":1},"data":[["n1@9",0,77]]"#);
        one.hear("n0", r#""inc":1,"lives":{"n1":9}"#);
        one.session() > 9
    };
    assert_eq!((heard(&[]), heard(&[Rule::HigherSession])), (true, false));
}

#[test]
fn another_entry_under_a_dot_that_its_author_made_is_everywhere_in_the_end_and_divides_nobody() {
    for strategy in Strategy::ALL {
        // A value of the same data type as the change that n0 made, and a number of another one.
        for (nodes, entry) in [(2, "99"), (3, "99"), (2, r#"["p",99]"#), (3, r#"["p",99]"#)] {
            let mut sim = cluster(strategy, nodes);
            // A liar tells n1 about the first change of n0 before n1 hears of it. With two nodes the liar is on the
            // link between them.
            sim.cuts_mut().add(0, 1);
            broadcast(&mut sim, 0, 1);
            let liar = nodes - 1;
            let line = r#""inc":1000002,"digest":{"n0@1000000":1},"data":[["n0@1000000",0,99]]"#.replace("99", entry);
            let line = if nodes == 2 { line.replace("1000002", "1000000") } else { line };
            forge(&mut sim, if nodes == 2 { 0 } else { liar }, 1, &line);
            sim.heal();
            broadcast(&mut sim, 1, 2);
            broadcast(&mut sim, liar, 3);
            let took_ms = sim.converge(120_000);
            sim.fall_silent(120_000);
            let State { mut set, cells, .. } = State::of(sim.node(0));
            let is_there = set.remove("Int(99)") != cells.values().any(|number| *number == 99);
            assert!(
                is_there,
                "{strategy:?}, {nodes} nodes: {entry} is an entry in the name of n0, as it would be of n0's own"
            );
            let set: Vec<String> = set.into_iter().collect();
            assert_eq!(set, ["Int(1)", "Int(2)", "Int(3)"], "{strategy:?}, {nodes} nodes: nothing is lost");
            let sent = sim.counts().sent;
            eprintln!("{strategy:?}, {nodes} nodes: equal after {took_ms} ms, silent after {sent} messages");
            assert!(sent < 200, "{strategy:?}, {nodes} nodes: {sent} messages");
        }
    }
}

#[test]
fn changes_are_kept_from_a_member_that_is_said_to_hold_them_until_somebody_else_tells_it() {
    for strategy in Strategy::ALL {
        let lacks_a_value = |nodes: usize| {
            let mut sim = cluster(strategy, nodes);
            // The first value leaves at once. Before the second one leaves, n1 is told that n0 holds it.
            broadcast(&mut sim, 1, 1);
            broadcast(&mut sim, 1, 2);
            forge(&mut sim, 0, 1, r#""inc":1000000,"digest":{"n1@1000001":50}"#);
            sim.run_for_ms(600_000);
            let lacks = State::of(sim.node(0)).set.len() < 2;
            // A new session of n0 is believed.
            sim.restart(0, None);
            sim.converge(120_000);
            assert_eq!(State::of(sim.node(0)).set.len(), 2);
            lacks
        };
        let (two, three) = (lacks_a_value(2), lacks_a_value(3));
        eprintln!("{strategy:?}: n0 lacks a value after ten minutes: {two} of two nodes, {three} of three");
        assert!(two && !three, "{strategy:?}");
    }
}
