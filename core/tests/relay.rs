//! Strategy `relay` in simulated time: it survives the same faults as `rumor`, and sends no storms.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use rumormill_core::config::control_bytes;
use rumormill_core::storage::Limits;
use rumormill_core::{Config, Strategy};
use rumormill_sim::{Delay, Links, State};
use support::{CALM, HOSTILE, Rng, Sim, abuse, for_seeds, limits, operate};

const RELAY: Config = Config {
    workload: None,
    strategy: Strategy::Relay,
    fanout: 2,
    gossip_interval_ms: Some(460),
    incarnation: 0,
    seed: 0,
    max_message_bytes: 1 << 20,
    max_clock_ahead_ms: 60_000,
    events: false,
};

fn survive_with(mut sim: Sim, seed: u64, ops: u64) {
    let total = abuse(&mut sim, ops, 40_000, |rng| rng.below(3));
    sim.heal();
    sim.converge(120_000);
    sim.assert_equal_states();
    assert_eq!(sim.node(0).store().counter.value(), total, "seed {seed}");
    // A node that still asks does so once in 30 s, and three of ten questions or answers are lost: with seed 33 ten in
    // a row.
    sim.fall_silent(600_000);
    sim.assert_equal_states();
}

fn survive(nodes: usize, seed: u64, links: Links, config: Config, ops: u64) {
    survive_with(Sim::new(nodes, seed, links, config), seed, ops);
}

#[test]
fn five_nodes_survive_loss_duplication_reordering_and_cuts() {
    for_seeds(200, |seed| survive(5, seed, HOSTILE, RELAY, 120));
}

#[test]
fn twenty_five_nodes_survive_the_same() {
    for_seeds(20, |seed| survive(25, seed, HOSTILE, RELAY, 300));
}

#[test]
fn five_nodes_with_small_messages_survive_the_same() {
    let max_message_bytes = 512 + control_bytes(&limits(5));
    for_seeds(100, |seed| survive(5, seed, HOSTILE, Config { max_message_bytes, ..RELAY }, 120));
}

#[test]
fn twenty_five_nodes_with_small_messages_survive_the_same() {
    for_seeds(20, |seed| survive(25, seed, HOSTILE, Config { max_message_bytes: 1_300, ..RELAY }, 300));
}

#[test]
fn nodes_that_each_know_only_one_peer_in_detail_survive_the_same() {
    for_seeds(50, |seed| {
        let tight = Limits { known_peers: 1, rumors: 2, ..limits(5) };
        survive_with(Sim::with_limits(5, seed, HOSTILE, RELAY, tight), seed, 100);
    });
}

#[test]
fn clusters_of_both_strategies_survive_the_same() {
    for_seeds(100, |seed| {
        let mut sim = Sim::new(5, seed, HOSTILE, RELAY);
        for at in (0..5).filter(|at| seed >> at & 1 == 1) {
            sim.ask(at, r#""type":"configure","strategy":"rumor""#);
        }
        survive_with(sim, seed, 120);
    });
}

#[test]
fn a_change_of_strategy_under_way_loses_nothing() {
    for_seeds(50, |seed| {
        let mut sim = Sim::new(5, seed, HOSTILE, RELAY);
        let mut rng = Rng(seed);
        let mut total = 0;
        for op in 0..150 {
            sim.run_for_ms(40);
            total += operate(&mut sim, &mut rng, op);
            if op % 10 == 0 {
                let name = if rng.chance(500) { "rumor" } else { "relay" };
                sim.ask(rng.below(5) as usize, &format!(r#""type":"configure","strategy":"{name}""#));
            }
        }
        sim.converge(120_000);
        sim.assert_equal_states();
        assert_eq!(sim.node(0).store().counter.value(), total, "seed {seed}");
        sim.fall_silent(300_000);
    });
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let history = |seed| {
        let mut sim = Sim::new(5, seed, HOSTILE, RELAY);
        abuse(&mut sim, 200, 20_000, |rng| rng.below(3));
        sim.run_for_ms(10_000);
        (sim.fingerprint(), sim.counts().sent)
    };
    assert_eq!(history(7), history(7));
    assert_ne!(history(7), history(8));
}

#[test]
fn a_quiet_cluster_sends_nothing_however_long_it_waits() {
    let mut sim = Sim::new(25, 3, CALM, RELAY);
    sim.run_for_ms(10_000);
    sim.ask(4, r#""type":"broadcast","message":1"#);
    sim.converge(10_000);
    sim.fall_silent(20_000);
    let sent = sim.counts().sent;
    sim.run_for_ms(3_600_000);
    assert_eq!(sim.counts().sent, sent);
    assert!(sim.nodes().all(rumormill_core::Member::is_settled));
}

/// Load of 100 operations per second, half broadcasts and half reads. Returns the messages per operation, and the
/// milliseconds to the last message.
fn load(sim: &mut Sim, seed: u64, secs: u64) -> (f64, u64) {
    let mut rng = Rng(seed);
    let nodes = sim.len() as u64;
    let (mut op, start) = (0, sim.now_us());
    while sim.now_us() < start + secs * 1_000_000 {
        let due = sim.now_us() + rng.below(20_000);
        sim.run_until(due);
        op += 1;
        if rng.chance(500) {
            sim.ask((op % nodes) as usize, &format!(r#""type":"broadcast","message":{op}"#));
        }
    }
    let end = sim.now_us();
    sim.converge(5_000);
    sim.fall_silent(20_000);
    (sim.counts().sent as f64 / (op + nodes) as f64, (sim.last_sent_us() - end) / 1_000)
}

#[test]
fn twenty_five_nodes_at_rate_100_stay_inside_the_targets() {
    for seed in 0..5 {
        for (interval_ms, most) in [(460, 1.0), (1_730, 0.38)] {
            let mut sim = Sim::new(25, seed, CALM, Config { gossip_interval_ms: Some(interval_ms), ..RELAY });
            let (per_op, last_ms) = load(&mut sim, seed, 20);
            eprintln!(
                "seed {seed}, {interval_ms} ms: {per_op:.3} messages per operation, last message {last_ms} ms after"
            );
            assert!(per_op <= most && last_ms <= 3_000 + u64::from(interval_ms));
        }
    }
}

#[test]
fn a_restarted_node_loses_nothing_that_had_left_it_and_a_second_restart_in_a_row_does_not_either() {
    for_seeds(50, |seed| {
        let mut sim = Sim::new(5, seed, CALM, RELAY);
        let mut rng = Rng(seed);
        for op in 0..60 {
            let at = rng.below(5) as usize;
            sim.ask(at, &format!(r#""type":"broadcast","message":{op}"#));
            sim.ask(at, r#""type":"add","delta":1"#);
            sim.run_for_ms(2_000);
            if op % 20 == 10 {
                let victim = if seed % 2 == 0 { 0 } else { rng.below(5) as usize };
                sim.restart(victim, None);
                sim.run_for_ms(rng.below(1_500));
                if op < 40 {
                    sim.restart(victim, None);
                }
            }
        }
        sim.converge(20_000);
        sim.assert_equal_states();
        assert_eq!(sim.node(2).store().counter.value(), 60, "seed {seed}");
        assert_eq!(State::of(sim.node(2)).set.len(), 60, "seed {seed}");
        sim.fall_silent(60_000);
    });
}

#[test]
fn a_node_that_restarts_in_a_quiet_cluster_is_brought_up_to_date_even_when_messages_are_lost() {
    for_seeds(50, |seed| {
        let mut sim = Sim::new(5, seed, CALM, RELAY);
        (0..20).for_each(|value| drop(sim.ask(value % 5, &format!(r#""type":"broadcast","message":{value}"#))));
        sim.converge(20_000);
        sim.fall_silent(60_000);
        *sim.links_mut() = HOSTILE;
        sim.restart((seed % 5) as usize, None);
        sim.converge(120_000);
        sim.assert_equal_states();
        sim.fall_silent(300_000);
    });
}

#[test]
fn a_dead_member_is_probed_twice_a_second_at_most_and_ever_more_rarely() {
    for dead in [0, 4] {
        let mut sim = Sim::new(5, 11, CALM, RELAY);
        sim.run_for_ms(2_000);
        sim.partition(&[dead]);
        sim.ask(1, r#""type":"broadcast","message":1"#);
        sim.ask(2, r#""type":"add","delta":1"#);
        sim.run_for_ms(60_000);
        let before = sim.counts().sent;
        let most = sim.sent_by();
        sim.run_for_ms(600_000);
        let late: Vec<u64> = sim.sent_by().iter().zip(&most).map(|(now, before)| now - before).collect();
        eprintln!("{dead} dead: {} messages in 600 s, by node {late:?}", sim.counts().sent - before);
        // Each of them probes the dead node, and sends a random digest or asks the root, once in 30 s, plus or minus a
        // quarter. The root answers three of them.
        let root = usize::from(dead == 0);
        assert!(
            late.iter().enumerate().all(|(at, late)| *late <= if at == root { 5 } else { 2 } * 600 / 22),
            "{late:?}"
        );
        sim.heal();
        sim.converge(60_000);
        sim.fall_silent(60_000);
    }
}

#[test]
fn a_member_that_cannot_take_what_the_others_have_is_offered_it_ever_more_rarely() {
    let mut sim = Sim::new(5, 17, CALM, RELAY);
    let full = Limits { values: 10, ..limits(5) };
    sim.replace(4, full);
    (0..30).for_each(|value| drop(sim.ask(value % 4, &format!(r#""type":"broadcast","message":{value}"#))));
    sim.run_for_ms(600_000);
    assert_eq!(sim.node(4).store().set.len(), 10);
    let before = sim.counts().sent;
    sim.run_for_ms(600_000);
    // Once in 30 s each node asks its relay. A session that was never settled also asks a peer that differs: a
    // question, an answer, the missing entries, their acknowledgement.
    let most = 5 * 5 * 600 / 22;
    assert!(sim.counts().sent - before <= most, "{} messages, {most} allowed", sim.counts().sent - before);
    assert!(sim.nodes().take(4).all(|node| node.store().set.len() == 30));
}

/// The bound on messages of a node to one peer within a second, with T = 460 ms and a round trip of 200 ms.
/// docs/relay.md derives a bound of 28. At most 9 are seen; there were 26 before the rule *pacing*.
const LINK_MOST: usize = 12;

#[test]
fn no_fault_makes_a_storm() {
    let nodes = 25;
    let mut rng = Rng(21);
    let (mut link, mut node) = (0, 0);
    for seed in 0..12 {
        let lossy = Links { loss: 0.1, ..CALM };
        let mut sim = Sim::new(nodes, seed, if seed % 3 == 0 { lossy } else { CALM }, RELAY);
        sim.keep_log();
        // Cuts of all lengths, some of which end when suspicion begins, in one direction or both, with and without the
        // relay.
        for step in 0..12 {
            let side: Vec<usize> = (0..nodes).filter(|at| *at == step % 3 || rng.chance(200)).collect();
            sim.cut(&side, rng.chance(500));
            let ms = 300 + rng.below(2_500);
            busy(&mut sim, &mut rng, ms);
            if rng.chance(700) {
                sim.heal();
            }
            if rng.chance(200) {
                sim.restart(side[0], None);
            }
            busy(&mut sim, &mut rng, 200);
        }
        link = link.max(sim.worst_second(|from, to| (from, to)));
        node = node.max(sim.worst_second(|from, _| from));
    }
    eprintln!("in the worst second: {link} messages from one node to another, {node} from one node");
    assert!(link <= LINK_MOST && node <= LINK_MOST * (nodes - 1), "{link} on a link, {node} from a node");
}

/// Load of 100 operations per second, half of them broadcasts.
fn busy(sim: &mut Sim, rng: &mut Rng, ms: u64) {
    let end = sim.now_us() + ms * 1_000;
    while sim.now_us() < end {
        let due = sim.now_us() + rng.below(40_000);
        sim.run_until(due);
        let (at, value) = (rng.below(sim.len() as u64) as usize, sim.now_us());
        sim.ask(at, &format!(r#""type":"broadcast","message":{value}"#));
    }
}

#[test]
fn the_load_of_the_relay_moves_on_without_a_burst() {
    let near = Links { delay: Delay::Constant(10_000), ..CALM };
    let mut sim = Sim::new(10, 4, near, Config { gossip_interval_ms: Some(100), ..RELAY });
    let mut rng = Rng(4);
    let (mut op, mut busiest_second, mut total) = (0_u64, 0, 0);
    // 64 flushes take 6.4 s, so every node is the relay once.
    for _ in 0..70 {
        let before = sim.counts().sent;
        for _ in 0..100 {
            sim.run_for_ms(10);
            op += 1;
            sim.ask(rng.below(10) as usize, &format!(r#""type":"broadcast","message":{op}"#));
        }
        busiest_second = busiest_second.max(sim.counts().sent - before);
        total = sim.counts().sent;
    }
    let most = *sim.sent_by().iter().max().unwrap();
    eprintln!("{total} messages, {most} by the busiest node, {busiest_second} in the busiest second");
    // The first two nodes together are the relay for 13 of the 70 s.
    assert!(most * 4 < total, "{:?}", sim.sent_by());
    assert!(busiest_second * 70 * 10 < total * 12);
    sim.converge(2_000);
    sim.fall_silent(20_000);
}

#[test]
fn a_root_that_knows_few_peers_in_detail_sends_nobody_much_twice() {
    let longest_line = |known_peers| {
        let config = RELAY;
        let mut sim = Sim::with_limits(40, 9, CALM, config, Limits { known_peers, ..limits(40) });
        load(&mut sim, 9, 20);
        (sim.counts().sent, sim.take_longest())
    };
    let (all, few) = (longest_line(40), longest_line(2));
    eprintln!("messages and bytes of the longest: {all:?} with all peers known in detail, {few:?} with two");
    assert!(few.0 * 20 < all.0 * 21 && few.1 * 2 < all.1 * 3);
}
