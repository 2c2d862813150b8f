//! What happens without each rule of strategy `relay`, in simulated time.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use rumormill_core::gossip::Rule;
use rumormill_core::{Config, Strategy};
use rumormill_sim::Links;
use support::{CALM, Rng, Sim};

const LOSS: Links = Links { loss: 0.1, ..CALM };
const NODES: usize = 15;

fn sim(seed: u64, links: Links, without: Option<Rule>) -> Sim {
    slow_sim(seed, links, without, 460)
}

fn slow_sim(seed: u64, links: Links, without: Option<Rule>, interval_ms: u32) -> Sim {
    let config = Config { strategy: Strategy::Relay, gossip_interval_ms: Some(interval_ms), ..Config::default() };
    let mut sim = Sim::new(NODES, seed, links, config);
    without.into_iter().for_each(|rule| sim.switch_off(&[rule]));
    sim
}

/// Load of 60 operations per second, half of them broadcasts. Returns the number of operations.
fn load(sim: &mut Sim, rng: &mut Rng, ms: u64) -> usize {
    let end = sim.now_us() + ms * 1_000;
    let mut ops = 0;
    while sim.now_us() < end {
        let due = sim.now_us() + rng.below(33_000);
        sim.run_until(due);
        ops += 1;
        if rng.chance(500) {
            let value = sim.now_us();
            sim.ask(ops % NODES, &format!(r#""type":"broadcast","message":{value}"#));
        }
    }
    ops
}

/// Cuts links so that every node sees a majority, and no two see the same one: "sees" is not transitive.
fn cut_to_a_ring(sim: &mut Sim) {
    let reach = NODES / 4 + 1;
    let mut place: Vec<usize> = (0..NODES).collect();
    let mut rng = Rng(sim.rng.0);
    (1..NODES).rev().for_each(|at| place.swap(at, rng.below(at as u64 + 1) as usize));
    for a in 0..NODES {
        for b in 0..NODES {
            let apart = (a + NODES - b) % NODES;
            if apart.min(NODES - apart) > reach {
                sim.cuts_mut().add(place[a], place[b]);
            }
        }
    }
}

/// Messages per operation over some seeds: 6 s of load, then 10 s of load with a fault, then the end.
fn messages_per_op(links: Links, without: Option<Rule>, fault: impl Fn(&mut Sim)) -> f64 {
    let (mut sent, mut ops) = (0, 0);
    for seed in 0..8 {
        let mut sim = sim(seed, links, without);
        let mut rng = Rng(seed);
        ops += load(&mut sim, &mut rng, 6_000);
        fault(&mut sim);
        ops += load(&mut sim, &mut rng, 10_000);
        sim.heal();
        sim.run_for_ms(10_000);
        sent += sim.counts().sent;
    }
    sent as f64 / ops as f64
}

/// Compares the messages per operation with and without a rule. Without it there have to be at least `at_least` times
/// as many.
fn costs_more_without(rule: Rule, at_least: f64, links: Links, fault: impl Fn(&mut Sim)) {
    let with = messages_per_op(links, None, &fault);
    let without = messages_per_op(links, Some(rule), &fault);
    eprintln!("{rule:?}: {with:.3} messages per operation with the rule, {without:.3} without");
    assert!(without > at_least * with, "{rule:?}: {with:.3} with, {without:.3} without");
}

#[test]
fn without_the_tree_rule_everybody_sends_down_to_everybody() {
    costs_more_without(Rule::Tree, 1.2, CALM, cut_to_a_ring);
}

#[test]
fn with_every_flush_to_the_children_of_others_a_ring_costs_more() {
    costs_more_without(Rule::EveryOther, 1.02, CALM, cut_to_a_ring);
}

#[test]
fn without_alignment_uplinks_leave_one_by_one() {
    costs_more_without(Rule::Alignment, 1.05, CALM, |_| {});
}

#[test]
fn without_pacing_every_value_is_sent_up_to_a_relay_that_is_gone() {
    let sent_up = |without| {
        let mut sim = slow_sim(3, CALM, without, 1_730);
        let mut rng = Rng(3);
        load(&mut sim, &mut rng, 6_000);
        sim.partition(&[0]);
        let before = sim.counts().sent;
        load(&mut sim, &mut rng, 3_000);
        sim.counts().sent - before
    };
    let (with, without) = (sent_up(None), sent_up(Some(Rule::Pacing)));
    eprintln!("messages in the 3 s after the relay is gone: {with} with pacing, {without} without");
    assert!(10 * without > 13 * with);
}

#[test]
fn with_an_acknowledgement_only_by_what_a_peer_holds_traffic_makes_suspects() {
    costs_more_without(Rule::Echo, 1.05, CALM, |_| {});
}

#[test]
fn without_the_question_every_lost_message_makes_a_suspect() {
    costs_more_without(Rule::Question, 1.05, LOSS, |_| {});
}

#[test]
fn with_data_in_every_acknowledgement_peers_chat() {
    costs_more_without(Rule::EmptyAcknowledgements, 1.05, CALM, |sim| {
        // The relay is cut off for some time. Another node takes its place, and gives it back.
        sim.partition(&[0, 4, 8]);
        load(sim, &mut Rng(sim.rng.0), 4_000);
        sim.heal();
    });
}

#[test]
fn without_probes_a_relay_that_was_cut_off_does_not_come_back() {
    let converges = |without| {
        let mut sim = sim(1, CALM, without);
        let mut rng = Rng(1);
        load(&mut sim, &mut rng, 4_000);
        sim.partition(&[0]);
        load(&mut sim, &mut rng, 6_000);
        sim.heal();
        sim.run_for_ms(60_000);
        sim.is_converged()
    };
    assert!(converges(None));
    assert!(!converges(Some(Rule::Probes)), "it came back without being looked for");
}

#[test]
fn without_random_digests_two_roots_that_do_not_see_each_other_drift_apart_as_long_as_there_is_traffic() {
    let apart = |without| -> usize {
        let behind = |seed| {
            let mut sim = sim(seed, CALM, without);
            let mut rng = Rng(seed);
            load(&mut sim, &mut rng, 3_000);
            // Every other node sees both, and is the child of one of them.
            sim.cuts_mut().add(0, 1);
            sim.cuts_mut().add(1, 0);
            load(&mut sim, &mut rng, 20_000);
            let sizes: Vec<usize> = sim.nodes().map(|node| node.store().set.len()).collect();
            sizes.iter().max().unwrap() - sizes.iter().min().unwrap()
        };
        (0..10).map(behind).sum()
    };
    let (with, without) = (apart(None) / 10, apart(Some(Rule::RandomDigests)) / 10);
    eprintln!("values by which nodes differ under load, mean: {with} with random digests, {without} without");
    // The difference is not larger, because a node that sees that it is behind asks after a while.
    assert!(5 * without > 6 * with);
}

#[test]
fn with_random_digests_of_the_moment_what_is_under_way_is_sent_again() {
    costs_more_without(Rule::OldDigest, 1.02, CALM, cut_to_a_ring);
}

#[test]
fn without_reading_digests_against_echoes_a_value_that_was_lost_before_another_message_waits_for_the_end() {
    let caught_up_ms = |without| {
        let mut sim = sim(6, CALM, without);
        load(&mut sim, &mut Rng(6), 4_000);
        sim.converge(5_000);
        sim.fall_silent(10_000);
        // n7 misses a flush, and just before the next one its own value is lost on the way up.
        sim.cuts_mut().add(0, 7);
        sim.ask(0, r#""type":"broadcast","message":1"#);
        sim.run_for_ms(400);
        sim.ask(0, r#""type":"broadcast","message":2"#);
        sim.heal();
        sim.cuts_mut().add(7, 0);
        let before = sim.traffic()[7].sent;
        sim.ask(7, r#""type":"broadcast","message":3"#);
        sim.run_for_ms(10);
        assert_eq!(sim.traffic()[7].sent, before + 1);
        sim.heal();
        // The next flush shows n7 that it missed one. It asks, and the answer has the echo of the question.
        sim.converge(120_000)
    };
    let (with, without) = (caught_up_ms(None), caught_up_ms(Some(Rule::HiddenLoss)));
    eprintln!("a value that was lost is everywhere after {with} ms, {without} ms without the rule");
    assert!(without > with * 3 / 2);
}

#[test]
fn without_asking_for_gaps_what_was_lost_waits_for_a_deadline() {
    let caught_up_ms = |without| -> u64 {
        (0..20)
            .map(|seed| {
                let mut sim = sim(seed, LOSS, without);
                load(&mut sim, &mut Rng(seed), 6_000);
                sim.converge(120_000)
            })
            .sum()
    };
    let (with, without) = (caught_up_ms(None) / 20, caught_up_ms(Some(Rule::Gaps)) / 20);
    eprintln!("converged after the load, mean: {with} ms with questions for gaps, {without} ms without");
    assert!(without > with * 3 / 2);
}

#[test]
fn without_the_word_a_flush_that_was_lost_with_its_relay_is_missed_for_ever() {
    let converges = |without| {
        let mut sim = sim(5, CALM, without);
        sim.run_for_ms(5_000);
        sim.cuts_mut().add(0, 3);
        sim.ask(0, r#""type":"broadcast","message":1"#);
        // The flush reaches all nodes but n3. Then the relay is cut off.
        sim.run_for_ms(150);
        sim.partition(&[0]);
        sim.run_for_ms(60_000);
        sim.nodes().skip(1).all(|node| node.digest() == sim.node(1).digest())
    };
    assert!(converges(None));
    assert!(!converges(Some(Rule::StableWord)), "somebody noticed");
}

#[test]
fn without_taking_over_a_new_relay_is_sent_and_sends_everything_again() {
    let longest_line = |without| {
        let mut sim = sim(2, CALM, without);
        let mut rng = Rng(2);
        load(&mut sim, &mut rng, 20_000);
        sim.take_longest();
        sim.partition(&[0]);
        load(&mut sim, &mut rng, 6_000);
        sim.take_longest()
    };
    let (with, without) = (longest_line(None), longest_line(Some(Rule::TakeOver)));
    eprintln!("longest message after the relay is gone: {with} bytes, {without} without taking over");
    // The difference is not larger, because a node that sees that it is behind asks after a while.
    assert!(5 * without > 6 * with);
}
