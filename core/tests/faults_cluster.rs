//! Faults that were seen in whole clusters, in simulated time. Each test also runs without the rule that mended the
//! fault, if a rule can be switched off.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use rumormill_core::config::{control_bytes, min_message_bytes};
use rumormill_core::gossip::Rule;
use rumormill_core::storage::Limits;
use rumormill_core::{Change, Config, Strategy, Value};
use rumormill_sim::{Delay, Links, State};
use support::{CALM, Rng, Sim, limits};

fn config(strategy: Strategy) -> Config {
    let gossip_interval_ms = (strategy == Strategy::Relay).then_some(460);
    Config { strategy, gossip_interval_ms, ..Config::default() }
}

/// As many rows as a node on the heap has by default.
fn many_rows(nodes: usize) -> Limits {
    Limits { rows: 2_048, ..limits(nodes) }
}

/// Gives the second node `values` values at once.
fn fill(sim: &mut Sim, values: i64) {
    sim.with(1, |node, now| {
        for value in 0..values {
            node.update(now, Change::Broadcast(Value::Int(value * 1_000_003))).unwrap();
        }
    });
}

fn broadcast(sim: &mut Sim, at: usize, value: u64) {
    sim.ask(at, &format!(r#""type":"broadcast","message":{value}"#));
}

#[test]
fn two_of_three_that_restart_at_once_end_as_full_as_the_third() {
    for strategy in Strategy::ALL {
        let wrong = |without: &[Rule]| {
            let ends_wrong = |seed: &u64| {
                let mut sim = Sim::new(3, *seed, CALM, config(strategy));
                sim.switch_off(without);
                (0..5).for_each(|value| broadcast(&mut sim, value as usize % 3, value));
                sim.run_for_ms(30_000);
                sim.restart(1, None);
                sim.restart(2, None);
                sim.run_for_ms(120_000);
                !sim.is_converged()
            };
            (0..60).filter(ends_wrong).count()
        };
        assert_eq!(wrong(&[]), 0, "{strategy:?}");
        let (asking, all) = (wrong(&[Rule::Asking]), wrong(&[Rule::Asking, Rule::Views, Rule::ShowsAnother]));
        eprintln!("{strategy:?}: {asking} of 60 end wrong without asking, {all} with agreement by names as well");
        // With `relay` the flush that names the new session would mend this as well, except if agreement belongs to
        // names.
        assert!(asking > 0 || strategy == Strategy::Relay);
        assert_eq!(all, 60, "{strategy:?}");
    }
}

#[test]
fn one_that_restarts_with_no_traffic_after_it_is_filled() {
    for strategy in Strategy::ALL {
        for nodes in [2, 3, 5] {
            for seed in 0..40 {
                let mut sim = Sim::new(nodes, seed, CALM, config(strategy));
                (0..5).for_each(|value| broadcast(&mut sim, value as usize % nodes, value));
                sim.run_for_ms(1_000 + 300 * seed);
                sim.restart(seed as usize % nodes, None);
                sim.converge(45_000);
                sim.fall_silent(120_000);
            }
        }
    }
}

#[test]
fn a_clock_that_went_back_costs_one_session() {
    for strategy in Strategy::ALL {
        let end = |without: &[Rule]| {
            let mut sim = Sim::new(3, 5, CALM, config(strategy));
            sim.switch_off(without);
            broadcast(&mut sim, 1, 1);
            sim.run_for_ms(20_000);
            sim.restart(1, Some(500));
            broadcast(&mut sim, 1, 2);
            sim.run_for_ms(120_000);
            let session = sim.node(1).gossip().session();
            let sizes: Vec<usize> = sim.nodes().map(|node| node.store().set.len()).collect();
            (session, sizes, sim.is_silent())
        };
        // It began as session 1,000,001. As session 500 it sees that number.
        assert_eq!(end(&[]), (1_000_002, vec![2, 2, 2], true), "{strategy:?}");
        let (session, sizes, silent) = end(&[Rule::HigherSession]);
        // It writes from an older session for ever, and its headers are never believed.
        assert_eq!((session, sizes, silent), (500, vec![2, 1, 2], false), "{strategy:?}");
    }
}

/// Kills one node 64 times, with a write and an addition before each kill.
fn crash_loop(nodes: usize, strategy: Strategy, victim: usize) -> (Sim, Vec<usize>) {
    let mut sim = Sim::with_limits(nodes, 7, CALM, config(strategy), many_rows(nodes));
    let mut longest = Vec::new();
    for life in 0..64 {
        sim.take_longest();
        broadcast(&mut sim, victim, 1_000 + life);
        sim.ask(victim, r#""type":"add","delta":1"#);
        // Another node writes as well, so that there are messages that list rows.
        broadcast(&mut sim, (victim + 1) % nodes, 5_000 + life);
        sim.run_for_ms(5_000);
        longest.push(sim.take_longest());
        sim.restart(victim, None);
    }
    sim.converge(60_000);
    sim.assert_equal_states();
    (sim, longest)
}

#[test]
fn a_node_that_is_killed_64_times_loses_nothing_that_it_had_sent() {
    for strategy in Strategy::ALL {
        for (nodes, victim) in [(5, 0), (5, 3), (25, 0), (25, 7)] {
            let (mut sim, longest) = crash_loop(nodes, strategy, victim);
            for node in sim.nodes() {
                assert_eq!((node.store().set.len(), node.store().counter.value()), (128, 64), "{strategy:?}, {nodes}");
            }
            sim.fall_silent(120_000);
            // A line that tells settled peers of a value is hardly longer than in a cluster in which no node was ever
            // killed. (Peers that have not sent anything since are listed all rows once. The test lets that pass
            // first.)
            let line = |sim: &mut Sim, value: u64| {
                sim.take_longest();
                broadcast(sim, (victim + 1) % nodes, value);
                sim.run_for_ms(10_000);
                sim.take_longest()
            };
            for value in 0..16 * nodes as u64 {
                line(&mut sim, 10_000 + value);
            }
            let killed = (0..20).map(|value| line(&mut sim, 20_000 + value)).max().unwrap();
            let mut fresh = Sim::with_limits(nodes, 7, CALM, config(strategy), many_rows(nodes));
            broadcast(&mut fresh, victim, 1_000);
            for value in 0..50 {
                line(&mut fresh, 10_000 + value);
            }
            let before = (0..20).map(|value| line(&mut fresh, 20_000 + value)).max().unwrap();
            eprintln!(
                "{strategy:?}, {nodes} nodes, n{victim} killed: lines of {killed} bytes, {before} where nobody was"
            );
            // Four rows of past lives, in turn.
            assert!(
                killed <= before + 4 * r#", "n0@1000000": 1"#.len() + 8,
                "{strategy:?}, {nodes}: {killed}, {before}"
            );
            // A restarted node is sent everything. From life to life that line grows by its further contents: a value,
            // a row, and a row of the digest.
            let grown = (longest[63] - longest[0]) / 63;
            assert!(grown <= 60, "{strategy:?}, {nodes}: {grown} bytes for each life");
        }
    }
}

#[test]
fn a_node_that_has_used_up_its_rows_refuses_what_nobody_would_take() {
    for strategy in Strategy::ALL {
        // Two rows for each node are reserved. A node that has two takes more from the other half.
        let mut sim = Sim::with_limits(3, 7, CALM, config(strategy), Limits { rows: 12, ..limits(3) });
        let mut taken = Vec::new();
        let mut refused = 0;
        for value in 0..40 {
            sim.run_for_ms(15_000);
            let reply = sim.ask(1, &format!(r#""type":"broadcast","message":{value}"#));
            match reply["body"]["code"].as_u64() {
                None => taken.push(format!("Int({value})")),
                Some(code) => {
                    assert_eq!(code, 11, "{reply}");
                    refused += 1;
                }
            }
            sim.run_for_ms(5_000);
            sim.restart(1, None);
        }
        broadcast(&mut sim, 0, 100);
        broadcast(&mut sim, 2, 200);
        // The node itself also has its present row, and lacks one of the other rows for it. So it is never settled.
        sim.run_for_ms(60_000);
        assert_eq!(sim.node(0).digest(), sim.node(2).digest());
        assert!(!sim.node(1).is_settled());
        eprintln!("{strategy:?}: {} taken, {refused} refused", taken.len());
        let known = State::of(sim.node(0)).set;
        assert!(taken.iter().all(|value| known.contains(value)), "{strategy:?}: {taken:?} {known:?}");
        assert!(refused >= 28 && known.len() == taken.len() + 2, "{strategy:?}");
    }
}

#[test]
fn a_relay_that_is_full_stops_nobody_else() {
    // The sizes after a minute, while n1 goes on writing. The first rank was not handed on yet.
    let sizes = |small: usize, without: &[Rule]| {
        let mut sim = Sim::new(5, 3, CALM, config(Strategy::Relay));
        sim.switch_off(without);
        sim.replace(small, Limits { values: 1_000, ..limits(5) });
        for value in 0..2_500 {
            broadcast(&mut sim, 1, value);
            sim.run_for_ms(10);
        }
        let early: Vec<usize> = sim.nodes().map(|node| node.store().set.len()).collect();
        for value in 2_500..3_000 {
            broadcast(&mut sim, 1, value);
            sim.run_for_ms(10);
        }
        sim.run_for_ms(5_000);
        (early, sim.nodes().map(|node| node.store().set.len()).collect::<Vec<_>>())
    };
    let (early, late) = sizes(0, &[]);
    assert!(early[2..].iter().all(|size| *size > 2_400), "{early:?}");
    assert_eq!(late, [1_000, 3_000, 3_000, 3_000, 3_000]);
    // The small node is at another rank. Rotation would bring it to the first rank later.
    assert_eq!(sizes(2, &[]).1, [3_000, 3_000, 1_000, 3_000, 3_000]);
    let (early, _) = sizes(0, &[Rule::FitRelay]);
    assert_eq!(early, [1_000, 2_500, 1_000, 1_000, 1_000]);
}

#[test]
fn cut_messages_and_loss_make_no_storm() {
    let worst = |strategy: Strategy, without: &[Rule]| {
        let links = Links { loss: 0.1, delay: Delay::Uniform { least_us: 1_000, most_us: 400_000 }, ..CALM };
        let small = many_rows(5);
        let control = if strategy == Strategy::Relay { control_bytes(&small) } else { 0 };
        let max_message_bytes = (min_message_bytes(&small) + control).max(850);
        let mut sim = Sim::with_limits(5, 1, links, Config { max_message_bytes, ..config(strategy) }, small);
        sim.switch_off(without);
        sim.keep_log();
        let mut rng = Rng(1);
        // 250 writes a second, for four seconds.
        for op in 0..2_000 {
            let (at, key) = (rng.below(5) as usize, rng.below(40));
            if rng.chance(500) {
                sim.ask(at, &format!(r#""type":"write","key":"a-longer-key-{key}","value":"value-{op:010}""#));
            }
            sim.run_for_ms(2);
        }
        sim.links_mut().loss = 0.0;
        sim.run_for_ms(10_000);
        assert!(sim.is_converged(), "{}", sim.summary());
        assert!(sim.take_longest() + 60 > max_message_bytes, "messages were cut");
        (sim.worst_second(|from, to| (from, to)), sim.worst_second(|from, _| from))
    };
    for strategy in Strategy::ALL {
        let (with, without) = (worst(strategy, &[]), worst(strategy, &[Rule::Window]));
        eprintln!("{strategy:?}: in the worst second {with:?} on a link and from a node, {without:?} without the rule");
        // The bound of docs/relay.md for a link. Messages that are cut into six pieces stay below it.
        assert!(with.0 <= 28 && with.1 <= 4 * 28, "{strategy:?}: {with:?}");
        if strategy == Strategy::Rumor {
            assert!(without.1 > 2 * with.1);
        }
    }
}

#[test]
fn a_standstill_is_no_sample_of_the_way() {
    let caught_up_ms = |stopped_ms: u64| {
        let mut sim = Sim::new(5, 9, CALM, config(Strategy::Relay));
        let busy = |sim: &mut Sim, ms: u64, at: usize| {
            for _ in 0..ms / 100 {
                let value = sim.now_us();
                broadcast(sim, at, value);
                sim.run_for_ms(100);
            }
        };
        busy(&mut sim, 6_000, 3);
        (1..5).for_each(|at| sim.pause(at));
        sim.run_for_ms(stopped_ms);
        (1..5).for_each(|at| sim.resume(at));
        busy(&mut sim, 3_000, 3);
        sim.pause(0);
        busy(&mut sim, 1_000, 3);
        let begun_us = sim.now_us();
        while (2..5).any(|at| sim.node(at).digest() != sim.node(1).digest()) {
            assert!(sim.now_us() < begun_us + 60_000_000, "not converged");
            sim.run_for_ms(10);
        }
        (sim.now_us() - begun_us) / 1_000
    };
    let (without, with) = (caught_up_ms(0), caught_up_ms(15_000));
    eprintln!("caught up after {with} ms, {without} ms without the standstill");
    assert!(with <= without + 500);
}

#[test]
fn who_has_no_room_is_offered_ever_more_rarely() {
    for strategy in Strategy::ALL {
        let offered = |without: &[Rule]| {
            let large = Limits { values: 41_000, dense_values: 41_000, ..limits(5) };
            let mut sim = Sim::with_limits(5, 4, CALM, config(strategy), large);
            sim.switch_off(without);
            sim.replace(4, Limits { values: 1_000, dense_values: 1_000, ..large });
            fill(&mut sim, 40_000);
            sim.run_for_ms(30_000);
            // Under load, with ten values per second.
            let before = sim.traffic()[4].addressed_bytes;
            for value in 0..300 {
                broadcast(&mut sim, 1, value + 1);
                sim.run_for_ms(100);
            }
            let loaded = (sim.traffic()[4].addressed_bytes - before) / 30;
            sim.run_for_ms(30_000);
            let spans: Vec<u64> = (0..6)
                .map(|_| {
                    let before = sim.traffic()[4].addressed_bytes;
                    sim.run_for_ms(60_000);
                    sim.traffic()[4].addressed_bytes - before
                })
                .collect();
            assert!(sim.nodes().take(4).all(|node| node.store().set.len() == 40_300));
            assert_eq!(sim.node(4).store().set.len(), 1_000);
            (loaded, spans)
        };
        let ((loaded, with), (old_loaded, without)) = (offered(&[]), offered(&[Rule::Window]));
        eprintln!("{strategy:?}: {loaded} bytes a second under load, {old_loaded} without the rule");
        eprintln!("{strategy:?}: in each minute after it {with:?}, without {without:?}");
        // Each peer sends 16 KiB, the smallest window, once in 30 s.
        assert!(with.iter().all(|bytes| *bytes <= 4 * 3 * (18 << 10)), "{strategy:?}: {with:?}");
        assert!(with[5] <= with[0] + 1_000, "{strategy:?}: {with:?}");
        assert!(loaded < 10_000 && old_loaded > 10 * loaded, "{strategy:?}: {loaded}, {old_loaded}");
        assert!(without.iter().all(|bytes| *bytes > 2_000_000), "{strategy:?}: {without:?}");
    }
}

#[test]
fn a_new_node_behind_a_slow_link_is_handed_no_more_than_three_times_the_state() {
    for strategy in Strategy::ALL {
        let handed = |without: &[Rule]| {
            let large = Limits { values: 200_000, dense_values: 8, ..limits(5) };
            let mut sim = Sim::with_limits(5, 4, CALM, config(strategy), large);
            sim.switch_off(without);
            fill(&mut sim, 100_000);
            sim.converge(60_000);
            sim.run_for_ms(20_000);
            sim.links_mut().bytes_per_second = Some(200_000.0);
            sim.restart(4, None);
            let before = sim.traffic()[4].addressed_bytes;
            sim.run_for_ms(180_000);
            (sim.traffic()[4].addressed_bytes - before, sim.is_converged())
        };
        let state: usize = (0..100_000_i64).map(|value| (value * 1_000_003).to_string().len() + 2).sum();
        let (with, without) = (handed(&[]), handed(&[Rule::Window]));
        eprintln!("{strategy:?}: {with:?} bytes of a state of {state}, {without:?} without the rule");
        assert!(with.0 <= 3 * state as u64 && with.1, "{strategy:?}: {with:?}");
        assert!(without.0 > 5 * state as u64, "{strategy:?}: {without:?}");
    }
}

#[test]
fn unequal_cells_under_equal_vectors_end_equal() {
    for strategy in Strategy::ALL {
        let mut sim = Sim::new(3, 8, CALM, config(strategy));
        // n2 tells n0 another number than n1, and is then cut off. n0 and n1 are cut off from each other until their
        // rumors are forgotten.
        sim.partition(&[2]);
        sim.partition(&[0]);
        for (at, number) in [(0, 6), (1, 5)] {
            let line = format!(
                r#"{{"src":"n2","dest":"n{at}","body":{{"type":"gossip","inc":1000002,"digest":{{"n2@1000002":1}},"data":[["n2@1000002",0,["p",{number}]]]}}}}"#
            );
            sim.deliver(at, line.as_bytes()).unwrap();
        }
        sim.run_for_ms(60_000);
        [(0, 1), (1, 0)].into_iter().for_each(|(from, to)| sim.cuts_mut().remove(from, to));
        let equal_vectors = |sim: &Sim| sim.node(0).digest().vector == sim.node(1).digest().vector;
        assert!(equal_vectors(&sim) && sim.node(0).digest() != sim.node(1).digest());
        sim.run_for_ms(60_000);
        assert_eq!(sim.node(0).digest(), sim.node(1).digest(), "{strategy:?}: {}", sim.summary());
        let repairs: u64 = sim.nodes().map(|node| node.stats().repairs).sum();
        assert!(repairs > 0, "{strategy:?}: an alarm");
        assert_eq!(sim.node(1).store().counter.value(), 6);
    }
}

#[test]
fn a_counter_catches_up_within_two_seconds_of_a_heal() {
    for nodes in [3, 5] {
        for seed in 0..100 {
            let mut sim = Sim::new(nodes, seed, CALM, config(Strategy::Rumor));
            sim.partition(&[0, 1]);
            for _ in 0..16 {
                (0..nodes).for_each(|at| drop(sim.ask(at, r#""type":"add","delta":1"#)));
                sim.run_for_ms(500);
            }
            sim.heal();
            let ms = sim.converge(2_000);
            assert!(ms <= 2_000, "seed {seed}");
        }
    }
}

#[test]
fn a_late_entry_of_any_kind_of_a_former_life_reaches_everybody() {
    let entries = [r#"42"#, r#""text""#, r#"["p",42]"#, r#"["n",42]"#, r#"["w","k","v",1700000000000000]"#];
    for strategy in Strategy::ALL {
        for nodes in [2, 3, 5] {
            for entry in entries {
                // Dots within the window beyond the frontier, and beyond the window. All nodes are silent before.
                for dot in [1, 7, 60, 166] {
                    let mut sim = Sim::new(nodes, dot, CALM, config(strategy));
                    broadcast(&mut sim, 1, 7);
                    sim.fall_silent(120_000);
                    let before = sim.node(0).digest();
                    let line = format!(
                        r#"{{"src":"n1","dest":"n0","body":{{"type":"gossip","inc":100,"sum":"00000000000000000000000000000007","digest":{{"n1@100":{dot}}},"data":[["n1@100",{},{entry}]],"msg_id":231}}}}"#,
                        dot - 1
                    );
                    sim.deliver(0, line.as_bytes()).unwrap();
                    assert_ne!(sim.node(0).digest(), before);
                    sim.run_for_ms(30_000);
                    assert!(sim.is_converged(), "{strategy:?}, {nodes}, {entry} at {dot}: {}", sim.summary());
                    sim.fall_silent(120_000);
                }
            }
        }
    }
}
