//! Simulated nodes on a network with faults: all seeds end with equal state.
#![allow(missing_docs)]

mod support;

use rumormill_core::config::min_message_bytes;
use rumormill_core::{Config, Instant, Now, Strategy};
use rumormill_sim::{Delay, Links, State};
use support::{CALM, HOSTILE, Rng, Sim, abuse, for_seeds, limits};

/// Runs operations under faults, heals, and checks: convergence while loss goes on, equal states, silence.
fn survive(nodes: usize, seed: u64, links: Links, config: Config, ops: u64) {
    let mut sim = Sim::new(nodes, seed, links, config);
    let total = abuse(&mut sim, ops, 40_000, |rng| u64::from(rng.chance(600)));
    sim.heal();
    sim.converge(60_000);
    sim.assert_equal_states();
    assert_eq!(sim.node(0).store().counter.value(), total, "seed {seed}");
    let sets = sim.node(0).store().set.len();
    assert!(sets > 0);
    sim.fall_silent(300_000);
    sim.assert_equal_states();
    assert!(sim.nodes().all(|node| node.stats().repairs == 0 || links.loss > 0.0), "an alarm");
}

#[test]
fn five_nodes_survive_loss_duplication_reordering_and_cuts() {
    for_seeds(200, |seed| survive(5, seed, HOSTILE, Config::default(), 120));
}

#[test]
fn five_nodes_with_messages_of_512_bytes_survive_the_same() {
    let config = Config { max_message_bytes: 512, ..Config::default() };
    assert!(min_message_bytes(&limits(5)) <= 512);
    for_seeds(100, |seed| survive(5, seed, HOSTILE, config, 120));
}

#[test]
fn twenty_five_nodes_with_messages_of_1100_bytes_survive_the_same() {
    let config = Config { max_message_bytes: 1_100, ..Config::default() };
    for_seeds(20, |seed| survive(25, seed, HOSTILE, config, 300));
}

#[test]
fn twenty_five_nodes_survive_the_same() {
    for_seeds(20, |seed| survive(25, seed, HOSTILE, Config::default(), 300));
}

#[test]
fn two_nodes_that_each_know_only_one_peer_in_detail_survive_the_same() {
    for_seeds(50, |seed| {
        let tight = rumormill_core::storage::Limits { known_peers: 1, rumors: 2, ..limits(4) };
        let mut sim = Sim::with_limits(4, seed, HOSTILE, Config::default(), tight);
        let total = abuse(&mut sim, 100, 40_000, |rng| u64::from(rng.chance(600)));
        sim.heal();
        sim.converge(60_000);
        sim.assert_equal_states();
        assert_eq!(sim.node(0).store().counter.value(), total);
        sim.fall_silent(300_000);
    });
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let history = |seed| {
        let mut sim = Sim::new(5, seed, HOSTILE, Config::default());
        abuse(&mut sim, 200, 20_000, |rng| u64::from(rng.chance(600)));
        sim.run_for_ms(10_000);
        (sim.fingerprint(), sim.counts().sent)
    };
    assert_eq!(history(7), history(7));
    assert_ne!(history(7), history(8));
}

#[test]
fn a_counter_of_five_nodes_converges_within_a_second_of_the_last_of_a_thousand_increments() {
    for_seeds(50, |seed| {
        let mut sim = Sim::new(5, seed, CALM, Config::default());
        for op in 0..1_000 {
            sim.ask(op % 5, r#""type":"add","delta":1"#);
            sim.run_for_ms(5);
        }
        let took_ms = sim.converge(1_000);
        assert!(took_ms < 1_000);
        assert!(sim.nodes().all(|node| node.store().counter.value() == 1_000));
        sim.fall_silent(10_000);
        let status = sim.ask(3, r#""type":"gossip_status""#);
        assert_eq!(status["body"]["peers_synced"], 4);
    });
}

#[test]
fn a_quiet_cluster_sends_nothing_however_long_it_waits() {
    let mut sim = Sim::new(25, 3, CALM, Config::default());
    sim.ask(4, r#""type":"broadcast","message":1"#);
    sim.converge(10_000);
    sim.fall_silent(20_000);
    let sent = sim.counts().sent;
    sim.run_for_ms(3_600_000);
    assert_eq!(sim.counts().sent, sent);
    assert!(sim.nodes().all(rumormill_core::Member::is_settled));
}

#[test]
fn a_dead_member_is_probed_ever_more_rarely() {
    let mut sim = Sim::new(5, 11, CALM, Config::default());
    sim.partition(&[4]);
    sim.ask(0, r#""type":"broadcast","message":1"#);
    sim.ask(1, r#""type":"add","delta":1"#);
    sim.run_for_ms(10_000);
    let per_node_and_ms = |sim: &mut Sim, ms: u64| {
        let before: u64 = sim.sent_by()[..4].iter().sum();
        sim.run_for_ms(ms);
        (sim.sent_by()[..4].iter().sum::<u64>() - before) as f64 / 4.0 / (ms as f64 / 1_000.0)
    };
    sim.run_for_ms(60_000);
    let late = per_node_and_ms(&mut sim, 600_000);
    assert!(late <= 2.2 / 30.0, "{late} messages a second from each node to a dead one");
    sim.heal();
    sim.converge(32_000);
    sim.fall_silent(60_000);
}

#[test]
fn a_member_that_stays_dead_is_probed_twice_a_second_at_most() {
    let mut sim = Sim::new(2, 11, CALM, Config::default());
    sim.partition(&[1]);
    sim.ask(0, r#""type":"broadcast","message":1"#);
    sim.run_for_ms(1_000);
    for second in 1..20 {
        let before = sim.sent_by();
        sim.run_for_ms(1_000);
        let sent: Vec<u64> = sim.sent_by().iter().zip(&before).map(|(now, before)| now - before).collect();
        assert!(sent.iter().all(|sent| *sent <= 2), "second {second}: {sent:?} messages");
    }
}

#[test]
fn a_restarted_node_loses_nothing_that_had_left_it() {
    for_seeds(50, |seed| {
        let mut sim = Sim::new(5, seed, CALM, Config::default());
        let mut rng = Rng(seed);
        for op in 0..60 {
            let at = rng.below(5) as usize;
            sim.ask(at, &format!(r#""type":"broadcast","message":{op}"#));
            sim.ask(at, r#""type":"add","delta":1"#);
            sim.run_for_ms(2_000);
            if op % 20 == 10 {
                let victim = rng.below(5) as usize;
                sim.restart(victim, None);
            }
        }
        sim.converge(20_000);
        sim.assert_equal_states();
        assert_eq!(sim.node(2).store().counter.value(), 60, "seed {seed}");
        assert_eq!(sim.node(2).store().set.len(), 60, "seed {seed}");
        sim.fall_silent(60_000);
    });
}

#[test]
fn a_node_that_restarts_in_a_quiet_cluster_is_brought_up_to_date_even_when_messages_are_lost() {
    for_seeds(50, |seed| {
        let mut sim = Sim::new(5, seed, CALM, Config::default());
        (0..20).for_each(|value| drop(sim.ask(value % 5, &format!(r#""type":"broadcast","message":{value}"#))));
        sim.converge(20_000);
        sim.fall_silent(60_000);
        *sim.links_mut() = HOSTILE;
        sim.restart(2, None);
        sim.converge(120_000);
        sim.assert_equal_states();
        sim.fall_silent(300_000);
    });
}

#[test]
fn a_start_under_the_number_of_the_one_before_is_found_out_and_loses_nothing() {
    for strategy in Strategy::ALL {
        for incarnation in [None, Some(1_000_000)] {
            let mut sim = Sim::new(3, 5, CALM, Config { strategy, ..Config::default() });
            sim.ask(0, r#""type":"broadcast","message":1"#);
            sim.converge(10_000);
            sim.fall_silent(20_000);
            sim.restart(0, incarnation);
            // Under its old number this would be another change with a dot that peers know already.
            sim.ask(0, r#""type":"broadcast","message":2"#);
            sim.converge(60_000);
            sim.fall_silent(60_000);
            sim.assert_equal_states();
            assert_eq!(State::of(sim.node(0)).set.len(), 2, "{strategy:?}, {incarnation:?}");
        }
    }
}

/// 100 operations per second for 20 s, half broadcasts and half reads, as in Gossip Glomers 3d and 3e.
#[test]
fn twenty_five_nodes_at_rate_100_stay_inside_the_targets_of_rumor() {
    let mut worst = (0.0_f64, 0, 0);
    (0..10).for_each(|seed| {
        let mut sim = Sim::new(25, seed, CALM, Config::default());
        let mut rng = Rng(seed);
        let mut delays = Vec::new();
        let mut waiting: Vec<(u64, u64, usize)> = Vec::new();
        let mut ops = 0;
        while sim.now_us() < 20_000_000 {
            let due = sim.now_us() + rng.below(20_000);
            sim.run_until(due);
            ops += 1;
            if rng.chance(500) {
                sim.ask(ops as usize % 25, &format!(r#""type":"broadcast","message":{ops}"#));
                waiting.push((ops, sim.now_us(), 0));
            }
            settle_waiting(&sim, &mut waiting, &mut delays);
        }
        while !waiting.is_empty() {
            sim.run_for_ms(10);
            settle_waiting(&sim, &mut waiting, &mut delays);
        }
        sim.fall_silent(10_000);
        delays.sort_unstable();
        let (median, max) = (delays[delays.len() / 2], delays[delays.len() - 1]);
        let per_op = sim.counts().sent as f64 / (ops + 50) as f64;
        let last_ms = sim.last_sent_us() / 1_000 - 20_000;
        eprintln!(
            "seed {seed}: {per_op:.2} messages per operation, true median {median} ms, max {max} ms, last message {last_ms} ms after"
        );
        worst = (worst.0.max(per_op), worst.1.max(median), worst.2.max(max));
    });
    assert!(worst.0 < 8.0 && worst.1 < 1_000 && worst.2 < 2_000, "{worst:?}");
}

fn settle_waiting(sim: &Sim, waiting: &mut Vec<(u64, u64, usize)>, delays: &mut Vec<u64>) {
    waiting.retain_mut(|(value, since_us, has)| {
        while *has < sim.len() && sim.node(*has).store().set.contains(rumormill_core::Value::Int(*value as i64)) {
            *has += 1;
        }
        if *has == sim.len() {
            delays.push((sim.now_us() - *since_us) / 1_000);
        }
        *has < sim.len()
    });
}

/// If there are as many peers as the fanout, every tick reaches all of them. The next change must not wait for the
/// pause after which the same state may be sent again.
#[test]
fn the_counter_keeps_its_tick_when_the_fanout_reaches_all_peers() {
    let mut sim = Sim::new(3, 9, CALM, Config::default());
    sim.ask(0, r#""type":"add","delta":1"#);
    sim.run_for_ms(150);
    for _ in 0..20 {
        sim.ask(0, r#""type":"add","delta":1"#);
        let sent = sim.traffic()[0].sent;
        sim.run_for_ms(101);
        assert!(sim.traffic()[0].sent >= sent + 2, "at {} ms nothing was sent to both peers", sim.now_us() / 1_000);
    }
    sim.converge(10_000);
}

#[test]
fn time_that_stands_still_or_jumps_does_no_harm() {
    let mut sim = Sim::new(3, 1, CALM, Config::default());
    sim.ask(0, r#""type":"broadcast","message":1"#);
    for at in 0..3 {
        sim.with(at, |node, _| {
            node.handle_timeout(Now { at: Instant::from_millis(u64::MAX), wall_us: Some(u64::MAX) });
            node.handle_timeout(Now { at: Instant::ZERO, wall_us: None });
        });
    }
}

/// A cluster can never agree if one member is full. Its messages become rare all the same.
#[test]
fn a_member_that_cannot_take_what_the_others_have_is_offered_it_ever_more_rarely() {
    let mut sim = Sim::new(5, 17, CALM, Config::default());
    let full = rumormill_core::storage::Limits { values: 10, ..limits(5) };
    sim.replace(4, full);
    (0..30).for_each(|value| drop(sim.ask(value % 4, &format!(r#""type":"broadcast","message":{value}"#))));
    sim.run_for_ms(600_000);
    assert_eq!(sim.node(4).store().set.len(), 10);
    assert!(sim.node(4).stats().refused_full > 0);
    let before = sim.counts().sent;
    sim.run_for_ms(600_000);
    // Each of five nodes exchanges digests once in 30 s: a question, an answer, the missing entries.
    let most = 5 * 3 * 600 / 22;
    assert!(sim.counts().sent - before <= most, "{} messages, {most} allowed", sim.counts().sent - before);
    assert!(sim.nodes().take(4).all(|node| node.store().set.len() == 30));
}

/// Each node holds values that the other has no room for, and offers them only at growing intervals.
#[test]
fn two_full_members_that_lack_what_the_other_has_do_not_ask_without_a_pause() {
    let links = Links { delay: Delay::Constant(1_000), ..CALM };
    let full = rumormill_core::storage::Limits { values: 12, ..limits(3) };
    let mut sim = Sim::with_limits(3, 17, links, Config::default(), full);
    for value in 0..12 {
        for at in 0..2 {
            sim.ask(at, &format!(r#""type":"broadcast","message":{}"#, 500 * at + value));
        }
    }
    for second in 0..60 {
        let before = sim.counts().sent;
        sim.run_for_ms(1_000);
        assert!(sim.counts().sent - before < 100, "{} messages in second {second}", sim.counts().sent - before);
    }
    assert!(sim.nodes().take(2).all(|node| node.stats().refused_full > 0));
}
