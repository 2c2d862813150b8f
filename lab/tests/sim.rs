//! Our own node in virtual time, under everything that the lab can do to it.
#![allow(missing_docs, clippy::unwrap_used)]

use clap::ValueEnum as _;
use rumormill_core::Config;
use rumormill_lab::check;
use rumormill_lab::judgement::{Judgement, Validity};
use rumormill_lab::settings::{
    FaultKind, FaultPlan, LatencyDist, NetworkMode, Planned, SECOND, Scheduled, Settings, Workload,
};
use rumormill_lab::sim::{self, Program, Simulated};

/// Five nodes, 50 operations per second for 6 s, 50 ms.
fn settings(workload: Workload, seed: u64) -> Settings {
    Settings { workload, rate: 50.0, time_limit_us: 6 * SECOND, latency_us: 50_000, seed, ..Settings::default() }
}

fn faults(kinds: &[FaultKind], interval_us: u64, loss_rate: f64) -> FaultPlan {
    FaultPlan { kinds: kinds.to_vec(), interval_us, loss_rate, ..FaultPlan::default() }
}

fn run(settings: Settings) -> (Simulated, Judgement) {
    let workload = settings.workload.of_node();
    let program = Program { config: Config { workload: Some(workload), ..Config::default() }, limits: None };
    let done = sim::run(settings, &program).unwrap();
    let judgement = check::judge(&done.settings, &done.history, &done.trace);
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
