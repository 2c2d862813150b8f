//! Our own node in virtual time, under everything that the lab can do to it.
#![allow(missing_docs, clippy::unwrap_used)]

use clap::ValueEnum as _;
use rumormill_core::Config;
use rumormill_core::storage::Limits;
use rumormill_lab::history::{Answer, Outcome, Phase};
use rumormill_lab::judge;
use rumormill_lab::judgement::{Judgement, Validity};
use rumormill_lab::settings::{
    FaultKind, FaultPlan, LatencyDist, NetworkMode, Planned, SECOND, Scheduled, Settings, Tuning, ValueKind, Workload,
};
use rumormill_lab::sim::{self, Program, Simulated};
use rumormill_lab::trace::FaultChange;

/// Five nodes, 50 operations per second for 6 s, 50 ms.
fn settings(workload: Workload, seed: u64) -> Settings {
    let recovery_us = 32 * SECOND;
    Settings {
        workload,
        rate: 50.0,
        time_limit_us: 6 * SECOND,
        latency_us: 50_000,
        recovery_us,
        seed,
        ..Settings::default()
    }
}

fn faults(kinds: &[FaultKind], interval_us: u64, loss_rate: f64) -> FaultPlan {
    FaultPlan { kinds: kinds.to_vec(), interval_us, loss_rate, ..FaultPlan::default() }
}

fn run(settings: Settings) -> (Simulated, Judgement) {
    let workload = settings.workload.of_node();
    let program = Program { config: Config { workload: Some(workload), ..Config::default() }, ..Program::default() };
    let done = sim::run(settings, &program).unwrap();
    let judgement = judge::judge(&done.settings, &done.history, &done.trace);
    (done, judgement)
}

#[track_caller]
fn assert_valid(settings: Settings) {
    let (workload, seed, plan) = (settings.workload, settings.seed, settings.faults.clone());
    let (_, judgement) = run(settings);
    assert_eq!(judgement.validity, Validity::Valid, "{workload:?}, seed {seed}, {plan:?}: {:#?}", judgement.findings);
}

#[test]
fn every_workload_is_valid_without_faults_and_under_each_fault() {
    let two = 2 * SECOND;
    let plans = [
        FaultPlan::default(),
        faults(&[FaultKind::Partition], two, 0.0),
        faults(&[FaultKind::Loss, FaultKind::Duplicate], two, 0.1),
        faults(&[FaultKind::Kill], SECOND, 0.0),
        faults(&[FaultKind::Pause], two, 0.0),
        faults(&[FaultKind::Partition, FaultKind::Loss, FaultKind::Duplicate, FaultKind::Kill], two, 0.3),
    ];
    for workload in Workload::value_variants().iter().copied() {
        for plan in &plans {
            for seed in 0..10 {
                assert_valid(Settings { faults: plan.clone(), ..settings(workload, seed) });
            }
        }
    }
}

#[test]
fn delays_that_reorder_messages_and_a_network_unlike_maelstroms_change_nothing() {
    for workload in Workload::value_variants().iter().copied() {
        for seed in 0..10 {
            assert_valid(Settings {
                latency_dist: LatencyDist::Exponential,
                network: NetworkMode::Precise,
                faults: faults(&[FaultKind::Partition, FaultKind::Loss], 2 * SECOND, 0.3),
                ..settings(workload, seed)
            });
        }
    }
}

/// An entry more than 64 changes beyond the frontier is merged and not marked. When its author dies with what lies before
/// it, only a repair brings it to the others.
#[test]
fn what_lies_beyond_a_gap_reaches_everybody_when_its_author_has_died_with_the_gap() {
    let plan = faults(&[FaultKind::Kill, FaultKind::Partition, FaultKind::Loss], 700_000, 0.5);
    for seed in (0..100).chain([116, 131, 235]) {
        assert_valid(Settings {
            faults: plan.clone(),
            time_limit_us: 8 * SECOND,
            ..settings(Workload::TxnRwRegister, seed)
        });
    }
}

/// A timer that waits while its node is paused runs when the node goes on. It was dropped once: a node that was paused for
/// less time than its timer had left never woke up again unless somebody spoke to it, and differed for ever.
#[test]
fn a_node_that_was_paused_has_its_timers_when_it_goes_on() {
    let kinds = [FaultKind::Partition, FaultKind::Pause, FaultKind::Loss, FaultKind::Duplicate];
    let found = Settings {
        nodes: 4,
        concurrency: 4,
        rate: 1.0,
        time_limit_us: 20 * SECOND,
        latency_us: 100_000,
        latency_dist: LatencyDist::Exponential,
        recovery_us: 120 * SECOND,
        faults: FaultPlan { duplicate_rate: 0.5, ..faults(&kinds, 3 * SECOND, 0.3) },
        ..settings(Workload::PnCounter, 98)
    };
    assert_valid(found);
    // All links are cut but for the moment after the pause, so only a timer of n0 can bring its value to n1.
    let event = |at_ms: u64, what| Scheduled { at_us: at_ms * 1_000, what };
    let schedule = vec![
        event(0, Planned::Isolate(vec![0])),
        event(1_000, Planned::Heal),
        event(1_001, Planned::Pause(0)),
        event(1_002, Planned::Resume(0)),
    ];
    let faults = FaultPlan { schedule, ..FaultPlan::default() };
    for seed in 0..20 {
        let small = Settings {
            nodes: 2,
            concurrency: 1,
            rate: 5.0,
            time_limit_us: 2 * SECOND,
            ..settings(Workload::GSet, seed)
        };
        assert_valid(Settings { faults: faults.clone(), ..small });
    }
}

#[test]
fn the_same_seed_gives_the_same_run_byte_for_byte_and_another_seed_another() {
    let plan = faults(&[FaultKind::Partition, FaultKind::Loss, FaultKind::Duplicate, FaultKind::Kill], SECOND, 0.2);
    let bytes = |seed| {
        let settings = Settings {
            faults: plan.clone(),
            latency_dist: LatencyDist::Exponential,
            ..settings(Workload::Broadcast, seed)
        };
        let (done, judgement) = run(settings);
        let messages = serde_json::to_vec(&done.trace.messages).unwrap();
        [serde_json::to_vec(&done.history).unwrap(), messages, serde_json::to_vec(&judgement).unwrap()].concat()
    };
    assert_eq!(bytes(7), bytes(7));
    assert_ne!(bytes(7), bytes(8));
}

/// Messages are counted as they are sent; what the network did to each is accounted for.
#[test]
fn no_message_is_unaccounted_for() {
    for network in [NetworkMode::Compat, NetworkMode::Precise] {
        let plan = faults(&[FaultKind::Partition, FaultKind::Loss, FaultKind::Duplicate, FaultKind::Kill], SECOND, 0.2);
        let (done, judgement) = run(Settings { network, faults: plan, ..settings(Workload::GSet, 3) });
        let net = done.trace.net;
        assert_eq!(net.peer_sent as usize, done.trace.messages.len());
        assert_eq!(net.peer_sent + net.duplicated, net.peer_delivered + net.cut + net.lost, "{net:?}");
        assert!(net.cut > 0 && net.lost > 0 && net.duplicated > 0 && net.to_dead > 0, "{net:?}");
        let per_op = net.peer_sent as f64 / done.history.counted().count() as f64;
        assert!((judgement.messages_per_op - per_op).abs() < 1e-9);
    }
}

/// What was judged, for the sake of the tests below: no checker but these may have anything to say.
fn wrong(judgement: &Judgement) -> Vec<&'static str> {
    let invalid = judgement.findings.iter().filter(|finding| finding.validity == Validity::Invalid);
    invalid.map(|finding| finding.checker).collect()
}

#[test]
fn values_can_be_texts_and_both_kinds_beside_each_other() {
    for values in [ValueKind::Text, ValueKind::Mixed] {
        for workload in [Workload::Broadcast, Workload::GSet, Workload::Kv] {
            let (done, judgement) = run(Settings { values, ..settings(workload, 1) });
            assert_eq!(judgement.validity, Validity::Valid, "{workload:?}, {values:?}: {:#?}", judgement.findings);
            if let Some(set) = &judgement.set {
                // What messages carry is seen in both kinds.
                assert_eq!((set.incomplete, set.true_latency_ms.count), (0, set.acknowledged), "{workload:?}");
            }
            assert!(done.history.ops.len() > 100);
        }
    }
}

/// One set up for all of these: it shows that the options do what they say, not how the node does.
fn started(settings: Settings, change: impl Fn(&mut Program)) -> (Simulated, Judgement) {
    let config = Config { workload: Some(settings.workload.of_node()), ..Config::default() };
    let mut program = Program { config, ..Program::default() };
    change(&mut program);
    let done = sim::run(settings, &program).unwrap();
    let judgement = judge::judge(&done.settings, &done.history, &done.trace);
    (done, judgement)
}

#[test]
fn strategy_relay_keeps_to_its_targets_from_the_first_value_on() {
    // Interval in milliseconds; the most messages per operation; the largest stable latency in milliseconds.
    for (seed, (interval_ms, messages, stable)) in
        (0..8).flat_map(|seed| [(seed, (460, 0.97, 600.0)), (seed, (1_730, 0.35, 1_900.0))])
    {
        let load = Settings {
            nodes: 25,
            concurrency: 25,
            rate: 100.0,
            time_limit_us: 20 * SECOND,
            latency_us: 100_000,
            interval_us: u64::from(interval_ms) * 1_000,
            ..settings(Workload::Broadcast, seed)
        };
        let (_, judgement) = started(load, |program| {
            program.config.strategy = rumormill_core::Strategy::Relay;
            program.config.gossip_interval_ms = Some(interval_ms);
        });
        assert_eq!(judgement.validity, Validity::Valid, "seed {seed}: {:#?}", judgement.findings);
        let latest = judgement.set.unwrap().stable_latency_ms.max;
        assert!(judgement.messages_per_op <= messages, "seed {seed}: {}", judgement.messages_per_op);
        assert!(latest < stable, "seed {seed}: {latest} ms");
    }
}

#[test]
fn single_nodes_can_have_other_choices_and_capacities() {
    let relay = |program: &mut Program| {
        let config = Config { strategy: rumormill_core::Strategy::Relay, ..program.config };
        let limits = sim::limits_for(&settings(Workload::Broadcast, 1));
        program.others = vec![(1, config, limits), (2, config, limits)];
    };
    let (_, judgement) = started(settings(Workload::Broadcast, 1), relay);
    assert_eq!(judgement.validity, Validity::Valid, "{:#?}", judgement.findings);
    let small = |program: &mut Program| {
        let limits = Limits { values: 20, ..sim::limits_for(&settings(Workload::Broadcast, 1)) };
        program.others = vec![(3, program.config, limits)];
    };
    let (done, _) = started(settings(Workload::Broadcast, 1), small);
    let refused = done.history.ops.iter().filter(|op| matches!(op.outcome, Outcome::Fail { code: 11, .. }));
    let nodes: std::collections::BTreeSet<usize> = refused.map(|op| op.node).collect();
    assert_eq!(nodes.into_iter().collect::<Vec<_>>(), [3]);
}

#[test]
fn wall_clocks_can_differ_and_jump() {
    let writes = Settings { clocks_us: vec![(1, 30_000_000)], ..settings(Workload::Kv, 1) };
    let (done, judgement) = started(writes, |_| {});
    assert!(!wrong(&judgement).contains(&"lww"), "{:#?}", judgement.findings);
    let latest = |node: usize| {
        done.history.ops.iter().filter(move |op| op.node == node).filter_map(|op| match op.answer() {
            Some(Answer::Stamp(stamp)) => Some(*stamp),
            _ => None,
        })
    };
    let first = |node: usize| latest(node).next().unwrap();
    assert!(first(1) > first(0) + 20_000_000 || first(0) > 1_700_000_025_000_000, "n1 is 30 s ahead");
    let schedule = vec![Scheduled { at_us: SECOND, what: Planned::Clock(0, 10_000_000) }];
    let jump = FaultPlan { schedule, ..FaultPlan::default() };
    let (done, _) = started(Settings { faults: jump, ..settings(Workload::Kv, 1) }, |_| {});
    assert!(
        done.history.ops.iter().any(|op| matches!(op.answer(), Some(Answer::Stamp(at)) if *at > 1_700_000_010_000_000))
    );
}

#[test]
fn nodes_are_configured_while_they_run() {
    let slow = Tuning { interval_ms: Some(2_000), ..Tuning::default() };
    let schedule = vec![Scheduled { at_us: 0, what: Planned::Configure(None, slow) }];
    let faults = FaultPlan { schedule, ..FaultPlan::default() };
    let (_, before) = started(settings(Workload::Broadcast, 1), |_| {});
    let (_, slower) = started(Settings { faults, ..settings(Workload::Broadcast, 1) }, |_| {});
    assert!(
        slower.messages_per_op < before.messages_per_op / 2.0,
        "{} {}",
        slower.messages_per_op,
        before.messages_per_op
    );
    assert!(!wrong(&slower).contains(&"protocol"), "{:#?}", slower.findings);
}

#[test]
fn a_first_node_can_begin_with_many_values_and_a_link_can_be_slow() {
    let begun = Settings {
        nodes: 2,
        concurrency: 2,
        rate: 2.0,
        preload: 20_000,
        bandwidth: Some(50_000.0),
        latency_us: 10_000,
        time_limit_us: 2 * SECOND,
        ..settings(Workload::Broadcast, 1)
    };
    let (done, judgement) = started(begun, |_| {});
    assert!(
        !wrong(&judgement).contains(&"phantom") && !wrong(&judgement).contains(&"protocol"),
        "{:#?}",
        judgement.findings
    );
    assert!(done.trace.diverged.is_empty(), "{:?}", done.trace.diverged);
    assert!(judgement.state_bytes > 128_000, "{}", judgement.state_bytes);
    assert!(judgement.delivered_bytes_max >= judgement.state_bytes);
    // 137 kB at 50 kB/s.
    assert!(done.trace.converged_us.unwrap() > done.trace.main_from_us + 2 * SECOND);
}

/// A client gives up after five seconds. A node that answers it all the same is never read again.
#[test]
fn a_late_reply_mutes_a_node_where_that_is_asked_for() {
    let event = |at_us, what| Scheduled { at_us, what };
    let schedule = vec![event(SECOND, Planned::Pause(0)), event(5 * SECOND, Planned::Resume(0))];
    let faults = FaultPlan { schedule, ..FaultPlan::default() };
    let paused = Settings { faults, timeout_us: SECOND, time_limit_us: 10 * SECOND, ..settings(Workload::GSet, 1) };
    let (_, forgiven) = started(paused.clone(), |_| {});
    assert!(!wrong(&forgiven).contains(&"protocol"), "{:#?}", forgiven.findings);
    let (done, muted) = started(Settings { mute_late: true, ..paused.clone() }, |_| {});
    assert!(wrong(&muted).contains(&"protocol"), "{:#?}", muted.findings);
    let later =
        done.history.ops.iter().filter(|op| op.node == 0 && op.invoked_us > done.trace.main_from_us + 6 * SECOND);
    assert!(later.clone().count() > 2 && later.clone().all(|op| op.answer().is_none()));
    // Who stood still for more than four seconds drops what waited, and is not muted.
    let mut longer = Settings { mute_late: true, ..paused };
    longer.faults.schedule[1].at_us = 6 * SECOND;
    let (_, judgement) = started(longer, |_| {});
    assert!(!wrong(&judgement).contains(&"protocol"), "{:#?}", judgement.findings);
}

#[test]
fn who_stays_dead_is_looked_for_and_faults_go_on_after_the_last_write() {
    let schedule = vec![Scheduled { at_us: 5 * SECOND, what: Planned::Kill(0) }];
    let faults = FaultPlan { schedule, keep_dead: true, ..FaultPlan::default() };
    let (done, _) = started(Settings { faults, ops_until_us: Some(2 * SECOND), ..settings(Workload::GSet, 1) }, |_| {});
    let last = done.history.ops.iter().filter(|op| op.phase == Phase::Main).map(|op| op.invoked_us).max().unwrap();
    assert!(last <= done.trace.main_from_us + 2 * SECOND);
    assert!(done.trace.main_until_us >= done.trace.main_from_us + 6 * SECOND);
    let changes: Vec<_> = done.trace.faults.iter().map(|event| event.what).collect();
    assert_eq!(changes, [FaultChange::Kill { node: 0 }]);
}
