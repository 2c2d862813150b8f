//! Faults that were seen in whole clusters, in simulated time, and each with the old rule where a test can bring it back.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use rumormill_core::config::{control_bytes, min_message_bytes};
use rumormill_core::gossip::Rule;
use rumormill_core::storage::Limits;
use rumormill_core::{Change, Config, Strategy, Value};
use support::{CALM, Faults, Rng, Sim, limits};

fn config(strategy: Strategy) -> Config {
    let gossip_interval_ms = (strategy == Strategy::Relay).then_some(460);
    Config { strategy, gossip_interval_ms, ..Config::default() }
}

/// As many rows as a node on the heap has by default.
fn many_rows(nodes: usize) -> Limits {
    Limits { rows: 2_048, ..limits(nodes) }
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
        for rules in [&[Rule::Asking][..], &[Rule::Views], &[Rule::Asking, Rule::Views], &[Rule::Asking, Rule::Views, Rule::ShowsAnother], &[Rule::Asking, Rule::Views, Rule::ShowsAnother, Rule::StableWord]] {
            eprintln!("{strategy:?}: {} of 60 end wrong without {rules:?}", wrong(rules));
        }
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
            let session = sim.nodes[1].gossip().unwrap().common.own.session();
            let sizes: Vec<usize> = sim.nodes.iter().map(|node| node.store().set.len()).collect();
            (session, sizes, sim.is_silent())
        };
        // It began as 1,000,001, and as 500 it sees that number.
        assert_eq!(end(&[]), (1_000_002, vec![2, 2, 2], true), "{strategy:?}");
        let (session, sizes, silent) = end(&[Rule::HigherSession]);
        eprintln!("{strategy:?} without: {session} {sizes:?} {silent}");
        assert_eq!((session, silent), (500, false), "{strategy:?}");
    }
}

/// One node is killed 64 times, with a write and an addition before each.
fn crash_loop(nodes: usize, strategy: Strategy, victim: usize) -> (Sim, Vec<usize>) {
    let mut sim = Sim::with_limits(nodes, 7, CALM, config(strategy), many_rows(nodes));
    let mut longest = Vec::new();
    for life in 0..64 {
        sim.longest_line = 0;
        broadcast(&mut sim, victim, 1_000 + life);
        sim.ask(victim, r#""type":"add","delta":1"#);
        // Another writes as well, so that there are messages in which rows can be listed.
        broadcast(&mut sim, (victim + 1) % nodes, 5_000 + life);
        sim.run_for_ms(5_000);
        longest.push(sim.longest_line);
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
            for node in &sim.nodes {
                assert_eq!((node.store().set.len(), node.store().counter.value()), (128, 64), "{strategy:?}, {nodes}");
            }
            sim.fall_silent(120_000);
            // A single value to settled peers: how long a line is now that 65 lives are known.
            let mut quiet = Vec::new();
            for k in 0..20 {
                sim.longest_line = 0;
                let before = (sim.sent, sim.bytes_to.iter().sum::<u64>());
                broadcast(&mut sim, (victim + 1) % nodes, 9_900+k);
                sim.run_for_ms(10_000);
                quiet.push((sim.longest_line, (sim.bytes_to.iter().sum::<u64>()-before.1)/(sim.sent - before.0).max(1)));
            }
            eprintln!("{strategy:?} {nodes} n{victim}: first {:?} … last {:?}, quiet {:?}", &longest[..3], &longest[61..], quiet);
        }
    }
}

#[test]
fn a_relay_that_is_full_stops_nobody_else() {
    let sizes = |rotated: bool, without: &[Rule]| {
        let mut sim = Sim::new(5, 3, CALM, config(Strategy::Relay));
        sim.switch_off(without);
        let small = if rotated { 2 } else { 0 };
        sim.replace(small, Limits { values: 1_000, ..limits(5) });
        for value in 0..3_000 {
            broadcast(&mut sim, 1, value);
            sim.run_for_ms(10);
        }
        let now: Vec<usize> = sim.nodes.iter().map(|node| node.store().set.len()).collect();
        sim.run_for_ms(5_000);
        eprintln!("end of load {now:?}");
        sim.nodes.iter().map(|node| node.store().set.len()).collect::<Vec<_>>()
    };
    assert_eq!(sizes(false, &[]), [1_000, 3_000, 3_000, 3_000, 3_000]);
    assert_eq!(sizes(true, &[]), [3_000, 3_000, 1_000, 3_000, 3_000]);
    let old = sizes(false, &[Rule::FitRelay]);
    eprintln!("without: {old:?} rotated {:?}", sizes(true, &[Rule::FitRelay]));
}

#[test]
fn cut_messages_and_loss_make_no_storm() {
    let worst = |strategy: Strategy, without: &[Rule]| {
        let faults = Faults { loss_per_mille: 100, duplicate_per_mille: 0, delay_us: (1_000, 400_000) };
        let small = Limits { keys: 64, ..many_rows(5) };
        let control = if strategy == Strategy::Relay { control_bytes(&small) } else { 0 };
        let max_message_bytes = (min_message_bytes(&small) + control).max(850);
        let mut sim = Sim::with_limits(5, 1, faults, Config { max_message_bytes, ..config(strategy) }, small);
        sim.switch_off(without);
        sim.log = Some(Vec::new());
        let mut rng = Rng(1);
        for op in 0..2_000 {
            let (at, key) = (rng.below(5) as usize, rng.below(40));
            if rng.chance(500) {
                sim.ask(at, &format!(r#""type":"write","key":{key},"value":{op}"#));
            }
            sim.run_for_ms(2);
        }
        sim.faults.loss_per_mille = 0;
        sim.run_for_ms(10_000);
        (sim.worst_second(|from, to| (from, to)), sim.worst_second(|from, _| from), sim.sent, sim.is_converged())
    };
    for strategy in Strategy::ALL {
        let (with, without) = (worst(strategy, &[]), worst(strategy, &[Rule::Window]));
        eprintln!("{strategy:?}: {with:?}, without {without:?}");
    }
}

#[test]
fn a_standstill_is_no_sample_of_the_way() {
    let caught_up_ms = |stopped_ms: u64| {
        let mut sim = Sim::new(5, 9, CALM, config(Strategy::Relay));
        let busy = |sim: &mut Sim, ms: u64, at: usize| {
            for _ in 0..ms / 100 {
                let value = sim.now_us;
                broadcast(sim, at, value);
                sim.run_for_ms(100);
            }
        };
        busy(&mut sim, 6_000, 3);
        (1..5).for_each(|at| sim.stop(at));
        sim.run_for_ms(stopped_ms);
        (1..5).for_each(|at| sim.go_on(at));
        busy(&mut sim, 3_000, 3);
        sim.stop(0);
        busy(&mut sim, 1_000, 3);
        let begun_us = sim.now_us;
        while (2..5).any(|at| sim.nodes[at].digest() != sim.nodes[1].digest()) {
            assert!(sim.now_us < begun_us + 60_000_000, "not converged");
            sim.run_for_ms(10);
        }
        (sim.now_us - begun_us) / 1_000
    };
    let (without, with) = (caught_up_ms(0), caught_up_ms(15_000));
    eprintln!("caught up after {with} ms, {without} ms without the standstill");
    assert!(with <= without + 500);
}

#[test]
fn who_has_no_room_is_offered_ever_more_rarely() {
    for strategy in Strategy::ALL {
        let offered = |without: &[Rule]| {
            let large = Limits { values: 40_000, dense_values: 40_000, ..limits(5) };
            let mut sim = Sim::with_limits(5, 4, CALM, config(strategy), large);
            sim.switch_off(without);
            sim.replace(4, Limits { values: 1_000, dense_values: 1_000, ..large });
            let now = sim.now();
            for value in 0..40_000 {
                sim.nodes[1].update(now, Change::Broadcast(Value::Int(value * 1_000_003))).unwrap();
            }
            sim.drain(1);
            sim.run_for_ms(30_000);
            let spans: Vec<u64> = (0..6)
                .map(|_| {
                    let before = sim.bytes_to[4];
                    sim.run_for_ms(60_000);
                    sim.bytes_to[4] - before
                })
                .collect();
            assert!(sim.nodes[..4].iter().all(|node| node.store().set.len() == 40_000));
            assert_eq!(sim.nodes[4].store().set.len(), 1_000);
            spans
        };
        let (with, without) = (offered(&[]), offered(&[Rule::Window]));
        eprintln!("{strategy:?}: bytes a minute {with:?}, without {without:?}");
    }
}

#[test]
fn a_new_node_behind_a_slow_link_is_handed_no_more_than_three_times_the_state() {
    for strategy in Strategy::ALL {
        let handed = |without: &[Rule]| {
            let large = Limits { values: 200_000, dense_values: 8, ..limits(5) };
            let mut sim = Sim::with_limits(5, 4, CALM, config(strategy), large);
            sim.switch_off(without);
            let now = sim.now();
            for value in 0..100_000 {
                sim.nodes[1].update(now, Change::Broadcast(Value::Int(value * 1_000_003))).unwrap();
            }
            sim.drain(1);
            sim.converge(60_000);
            sim.run_for_ms(20_000);
            sim.bytes_per_second = Some(200_000);
            sim.restart(4, None);
            let before = sim.bytes_to[4];
            sim.run_for_ms(180_000);
            (sim.bytes_to[4] - before, sim.is_converged())
        };
        let state: usize = (0..100_000_i64).map(|value| (value * 1_000_003).to_string().len() + 2).sum();
        let (with, without) = (handed(&[]), handed(&[Rule::Window]));
        eprintln!("{strategy:?}: {with:?} for a state of about {state}, {without:?} without");
    }
}

#[test]
fn unequal_cells_under_equal_vectors_end_equal() {
    for strategy in Strategy::ALL {
        let mut sim = Sim::new(3, 8, CALM, config(strategy));
        // n2 tells n0 another number than n1, and is gone. While the two do not see each other either, their rumors are forgotten.
        sim.partition(&[2], false);
        sim.partition(&[0], false);
        for (at, number) in [(0, 6), (1, 5)] {
            let line = format!(
                r#"{{"src":"n2","dest":"n{at}","body":{{"type":"gossip","inc":1000002,"digest":{{"n2@1000002":1}},"data":[["n2@1000002",0,["p",{number}]]]}}}}"#
            );
            sim.deliver(at, line.as_bytes());
        }
        sim.run_for_ms(60_000);
        sim.cut.retain(|(from, to)| [*from, *to].contains(&2));
        let equal_vectors = |sim: &Sim| sim.nodes[0].digest().vector == sim.nodes[1].digest().vector;
        assert!(equal_vectors(&sim) && sim.nodes[0].digest() != sim.nodes[1].digest());
        sim.run_for_ms(60_000);
        assert_eq!(sim.nodes[0].digest(), sim.nodes[1].digest(), "{strategy:?}: {}", sim.differences());
        let repairs: u64 = sim.nodes.iter().map(|node| node.stats().repairs).sum();
        assert!(repairs > 0, "{strategy:?}: an alarm");
        assert_eq!(sim.nodes[1].store().counter.value(), 6);
    }
}

#[test]
fn a_counter_catches_up_within_two_seconds_of_a_heal() {
    for nodes in [3, 5] {
        for seed in 0..100 {
            let mut sim = Sim::new(nodes, seed, CALM, config(Strategy::Rumor));
            sim.partition(&[0, 1], false);
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
