//! Runs to report, generated from a seed, and what tests ask of documents. For tests only.

use crate::history::{Answer, Call, History, Op, Outcome, Phase};
use crate::judgement::{Finding, Judgement, OpCount, Quantiles, SetFigures, Slow, Validity};
use crate::settings::{FaultKind, Micros, SECOND, Settings, Workload};
use crate::trace::{Complaint, FaultChange, FaultEvent, Misdeed, NEVER, NetCounts, PeerMessage, Trace};

use super::Run;

/// A run that owns its parts.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) settings: Settings,
    pub(super) history: History,
    pub(super) trace: Trace,
    pub(super) judgement: Judgement,
}

impl Sample {
    pub(super) fn run(&self) -> Run<'_> {
        Run {
            settings: &self.settings,
            program: "target/release/rumormill",
            command: "rumormill-lab run --workload broadcast --nodes 25 --rate 100 --time-limit 20 --latency 100 \
                      --seed 7 -- target/release/rumormill --strategy relay",
            history: &self.history,
            trace: &self.trace,
            judgement: &self.judgement,
        }
    }
}

/// splitmix64
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// What is generated.
struct Plan {
    workload: Workload,
    nodes: usize,
    operations: u64,
    messages: u64,
    faulty: bool,
    seed: u64,
}

const LOAD_US: Micros = 20 * SECOND;
const END_US: Micros = 31 * SECOND;

pub(super) fn quiet_run() -> Sample {
    generate(&Plan {
        workload: Workload::Broadcast,
        nodes: 25,
        operations: 2000,
        messages: 1900,
        faulty: false,
        seed: 7,
    })
}

/// 25 nodes, 2,000 operations, 6,000 messages, partitions, a kill, a pause, loss.
pub(super) fn faulty_run() -> Sample {
    generate(&Plan {
        workload: Workload::Broadcast,
        nodes: 25,
        operations: 2000,
        messages: 6000,
        faulty: true,
        seed: 8,
    })
}

pub(super) fn counter_run() -> Sample {
    generate(&Plan { workload: Workload::PnCounter, nodes: 5, operations: 2000, messages: 3000, faulty: true, seed: 9 })
}

pub(super) fn echo_run() -> Sample {
    generate(&Plan { workload: Workload::Echo, nodes: 1, operations: 200, messages: 0, faulty: false, seed: 10 })
}

pub(super) fn wide_run() -> Sample {
    generate(&Plan {
        workload: Workload::Broadcast,
        nodes: 1000,
        operations: 2000,
        messages: 60_000,
        faulty: true,
        seed: 11,
    })
}

pub(super) fn long_run(operations: u64) -> Sample {
    generate(&Plan { workload: Workload::Broadcast, nodes: 25, operations, messages: 200_000, faulty: true, seed: 12 })
}

pub(super) fn empty_run() -> Sample {
    Sample {
        settings: Settings::default(),
        history: History::default(),
        trace: Trace::default(),
        judgement: crate::judge::judge(&Settings::default(), &History::default(), &Trace::default()),
    }
}

/// A faulty run with 30 findings, lost values, and a node that prints what it should not.
pub(super) fn invalid_run() -> Sample {
    let mut sample = faulty_run();
    let judgement = &mut sample.judgement;
    judgement.validity = Validity::Invalid;
    let checkers = ["set-full", "equal-reads", "protocol", "duplicates", "invented", "availability"];
    judgement.findings = (0..30)
        .map(|i| Finding {
            checker: checkers[i % checkers.len()],
            validity: if i < 20 { Validity::Invalid } else { Validity::Valid },
            message: match i % 3 {
                0 => format!("{} values were lost: 17 (acknowledged by n3 at 4.21 s), 23 (acknowledged by n9 at 6.02 s), 31 (acknowledged by n12 at 6.40 s), …", 3 + i),
                1 => format!("n{i} ended with other values than n0: it lacks 17, 23, 31 and has <script>alert('{i}')</script> & more"),
                _ => format!("n{i} printed a line that is no message: {{\"src\":\"n{i}\",\"dest\":\u{1b}[31m\"nowhere\""),
            },
        })
        .collect();
    if let Some(set) = &mut judgement.set {
        set.lost = vec![17, 23, 31];
    }
    for i in 0..120usize {
        sample.trace.complaints.push(Complaint {
            at_us: 1_000_000 + 50_000 * i as u64,
            node: i % 25,
            what: if i % 2 == 0 { Misdeed::MalformedLine } else { Misdeed::ExtraKey },
            detail: format!("<script>alert({i})</script> & \u{1b}[2J {}", "x".repeat(200)),
        });
    }
    sample.trace.complaints_total = 1234;
    sample.trace.diverged = vec!["n3 lacks 17 & <23>".to_owned()];
    sample
}

fn generate(plan: &Plan) -> Sample {
    let mut dice = Dice(plan.seed);
    let mut settings = Settings {
        workload: plan.workload,
        nodes: plan.nodes,
        rate: plan.operations as f64 / 20.0,
        time_limit_us: LOAD_US,
        latency_us: SECOND / 10,
        concurrency: plan.nodes,
        seed: plan.seed,
        ..Settings::default()
    };
    let mut trace = Trace {
        main_until_us: LOAD_US,
        healed_us: LOAD_US + 200_000,
        final_us: LOAD_US + 10_200_000,
        end_us: END_US,
        ..Trace::default()
    };
    if plan.faulty {
        settings.faults.kinds = vec![FaultKind::Partition, FaultKind::Kill, FaultKind::Pause, FaultKind::Loss];
        trace.faults = faults();
    }
    let history = operations(plan, &mut dice, &mut trace);
    messages(plan, &mut dice, &mut trace);
    let judgement = figures(plan, &history, &trace);
    Sample { settings, history, trace, judgement }
}

fn faults() -> Vec<FaultEvent> {
    let event = |at_ms: u64, what, label: &str| FaultEvent { at_us: at_ms * 1000, what, label: label.to_owned() };
    vec![
        event(2_000, FaultChange::Partition { cuts: 48 }, "one: n3 cut off"),
        event(5_500, FaultChange::Heal, "heal"),
        event(6_000, FaultChange::Pause { node: 4 }, "pause n4"),
        event(6_200, FaultChange::Loss { rate: 0.1 }, "loss 10 %"),
        event(8_100, FaultChange::Resume { node: 4 }, "resume n4"),
        event(9_000, FaultChange::Loss { rate: 0.0 }, "loss off"),
        event(10_000, FaultChange::Partition { cuts: 272 }, "minority-third: n1 n3 n7 n9 n12 n17 n20 n24 cut off"),
        event(12_300, FaultChange::Kill { node: 0 }, "kill n0"),
        event(14_100, FaultChange::Restart { node: 0 }, "restart n0"),
        event(16_500, FaultChange::Heal, "heal"),
        event(18_700, FaultChange::Partition { cuts: 300 }, "majorities-ring"),
        event(20_200, FaultChange::Heal, "heal"),
    ]
}

/// Delay until a message gets through: longer while a partition lasts.
fn delay(plan: &Plan, dice: &mut Dice, now: Micros) -> Micros {
    let most = if plan.faulty { 600_000.0 } else { 400_000.0 };
    let usual = 100_000 + (most * dice.unit().powi(2)) as u64;
    let cut = [(2_000_000, 5_500_000), (10_000_000, 16_500_000), (18_700_000, 20_200_000)];
    match cut.iter().find(|(from, until)| (*from..*until).contains(&now)) {
        Some((_, until)) if plan.faulty && dice.below(4) == 0 => until - now + usual,
        _ => usual,
    }
}

fn operations(plan: &Plan, dice: &mut Dice, trace: &mut Trace) -> History {
    let mut ops = Vec::new();
    let mut totals = vec![0i64; plan.nodes];
    let mut changes: Vec<(Micros, usize, i64)> = Vec::new();
    for index in 0..plan.operations as usize {
        let node = index % plan.nodes;
        let invoked_us = index as u64 * LOAD_US / plan.operations + dice.below(5000);
        let call = match plan.workload {
            Workload::Echo => Call::Echo(format!("please echo {index}")),
            _ if index % 2 == 1 => Call::Read,
            Workload::PnCounter => Call::Increment(dice.below(10) as i64 - 5),
            _ => Call::Add(index as i64 / 2),
        };
        let (outcome, took) = match dice.below(400) {
            0..=3 if plan.faulty => (Outcome::Info { why: "timeout".to_owned() }, 5 * SECOND),
            4..=6 if plan.faulty => (Outcome::Fail { code: 11, text: "temporarily unavailable".to_owned() }, 900),
            _ => {
                let answer = if matches!(call, Call::Read) { Answer::Elements(vec![].into()) } else { Answer::Done };
                (
                    Outcome::Ok { answer },
                    300 + dice.below(1500) + if dice.below(5) == 0 { dice.below(95_000) } else { 0 },
                )
            }
        };
        let done = invoked_us + took;
        match (&call, &outcome) {
            (Call::Add(value), Outcome::Ok { .. }) => {
                let arrivals = (0..plan.nodes).map(|n| if n == node { done } else { done + delay(plan, dice, done) });
                trace.arrivals.insert(*value, arrivals.collect());
            }
            (Call::Increment(delta), Outcome::Ok { .. }) => {
                changes.extend(
                    (0..plan.nodes).map(|n| (if n == node { done } else { done + delay(plan, dice, done) }, n, *delta)),
                );
            }
            _ => {}
        }
        ops.push(Op { index, client: node, node, phase: Phase::Main, call, invoked_us, completed_us: done, outcome });
    }
    if plan.faulty && plan.nodes > 5 {
        for missing in trace.arrivals.values_mut().take(3) {
            missing[plan.nodes - 1] = NEVER;
        }
    }
    changes.sort_unstable();
    for (at, node, delta) in changes {
        totals[node] += delta;
        trace.totals.push((at, node, totals[node]));
    }
    History { ops }
}

fn messages(plan: &Plan, dice: &mut Dice, trace: &mut Trace) {
    for i in 0..plan.messages {
        let late = i % 20 == 0;
        let sent_us = if late { LOAD_US + dice.below(3 * SECOND) } else { i * LOAD_US / plan.messages };
        let from = if dice.below(2) == 0 { 0 } else { dice.below(plan.nodes as u64) as u32 };
        let to = dice.below(plan.nodes as u64) as u32;
        trace.messages.push(PeerMessage { sent_us, from, to, bytes: 150 + dice.below(900) as u32 });
    }
    trace.messages.sort_by_key(|message| message.sent_us);
    trace.net = NetCounts {
        peer_sent: plan.messages,
        peer_delivered: plan.messages * 9 / 10,
        cut: if plan.faulty { plan.messages / 12 } else { 0 },
        peer_bytes: trace.messages.iter().map(|message| u64::from(message.bytes)).sum(),
        client: 2 * plan.operations,
        ..NetCounts::default()
    };
}

fn quantiles(mut values: Vec<f64>) -> Quantiles {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    let at = |q: f64| if n == 0 { 0.0 } else { values[(n - 1).min((n as f64 * q) as usize)] };
    Quantiles { count: n, min: at(0.0), median: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1.0) }
}

fn figures(plan: &Plan, history: &History, trace: &Trace) -> Judgement {
    let mut judgement = crate::judge::judge(&Settings::default(), &History::default(), &Trace::default());
    judgement.validity = Validity::Valid;
    judgement.passed = vec!["protocol", "set-full", "equal-reads", "duplicates", "invented", "availability"];
    judgement.invocations = history.ops.len();
    judgement.messages_per_op = plan.messages as f64 / plan.operations as f64;
    judgement.bytes_per_op = trace.net.peer_bytes as f64 / plan.operations as f64;
    judgement.busiest_node_share = if plan.messages > 0 { 0.52 } else { 0.0 };
    judgement.worst_second = plan.messages / 18;
    judgement.last_message_ms = (plan.messages > 0).then_some(2990.0);
    judgement.converged_ms = (plan.workload != Workload::Echo).then_some(830.0);
    judgement.catch_up_ms = if plan.faulty { vec![420.0, 771.0, 1340.0] } else { Vec::new() };
    let kinds = match plan.workload {
        Workload::Echo => vec!["echo"],
        Workload::PnCounter => vec!["add", "read"],
        _ => vec!["broadcast", "read"],
    };
    for kind in kinds {
        let mine = |op: &&Op| (kind == "read") == matches!(op.call, Call::Read);
        let ok = |op: &&Op| op.answer().is_some();
        let latency = |op: &Op| (op.completed_us - op.invoked_us) as f64 / 1000.0;
        let of =
            |wanted: fn(&Outcome) -> bool| history.ops.iter().filter(mine).filter(|op| wanted(&op.outcome)).count();
        judgement.operations.push(OpCount {
            kind: kind.to_owned(),
            ok: of(|outcome| matches!(outcome, Outcome::Ok { .. })),
            fail: of(|outcome| matches!(outcome, Outcome::Fail { .. })),
            info: of(|outcome| matches!(outcome, Outcome::Info { .. })),
            latency: quantiles(history.ops.iter().filter(mine).filter(ok).map(latency).collect()),
        });
    }
    if plan.workload == Workload::Broadcast {
        judgement.reads = history.ops.len() / 2;
        judgement.stale_reads = history.ops.len() / 9;
        set_figures(&mut judgement, history, trace);
    }
    judgement
}

fn set_figures(judgement: &mut Judgement, history: &History, trace: &Trace) {
    let mut latencies = Vec::new();
    let mut set = SetFigures {
        attempted: history.ops.len() / 2,
        acknowledged: trace.arrivals.len(),
        stale: 41,
        ..SetFigures::default()
    };
    for op in &history.ops {
        let Call::Add(value) = op.call else { continue };
        let Some(arrivals) = trace.arrivals.get(&value) else { continue };
        let (last, at) = arrivals.iter().enumerate().max_by_key(|(_, at)| **at).expect("there are nodes");
        let latency_ms = (*at != NEVER).then(|| (at - op.completed_us) as f64 / 1000.0);
        set.incomplete += usize::from(latency_ms.is_none());
        latencies.extend(latency_ms);
        judgement.slowest.push(Slow {
            value,
            node: op.node,
            acknowledged_us: op.completed_us,
            latency_ms,
            last_node: last,
        });
    }
    judgement.slowest.sort_by(|a, b| b.latency_ms.unwrap_or(f64::MAX).total_cmp(&a.latency_ms.unwrap_or(f64::MAX)));
    judgement.slowest.truncate(10);
    set.stable = latencies.len();
    set.true_latency_ms = quantiles(latencies.clone());
    set.stable_latency_ms = quantiles(latencies.iter().map(|ms| (ms - 130.0).max(0.0)).collect());
    judgement.set = Some(set);
}

/// Panics where a document is not well-formed XML: tags that do not match, attributes without quotes, bare `<` and `&`.
pub(super) fn assert_well_formed(document: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = document;
    while let Some(start) = rest.find('<') {
        assert_text(&rest[..start]);
        let (tag, after) = rest[start + 1..].split_once('>').expect("a tag ends");
        rest = after;
        if tag.starts_with('!') || tag.starts_with('?') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed tag");
            continue;
        }
        let (body, empty) = tag.strip_suffix('/').map_or((tag, false), |body| (body, true));
        let (name, attributes) = body.split_once([' ', '\n']).unwrap_or((body, ""));
        assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()), "name of a tag: {name:?}");
        assert_attributes(attributes.trim());
        if !empty {
            open.push(name);
        }
    }
    assert_text(rest);
    assert!(open.is_empty(), "left open: {open:?}");
}

fn assert_attributes(mut rest: &str) {
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").expect("an attribute has a quoted value");
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "-:".contains(c)), "name of an attribute: {name:?}");
        let (value, after) = after.split_once('"').expect("a value ends");
        assert_text(value);
        rest = after.trim_start();
    }
}

fn assert_text(text: &str) {
    assert!(text.chars().all(|c| !c.is_control() || c == '\n'), "control character in {text:?}");
    for part in text.split('&').skip(1) {
        let entity = part.split(';').next().unwrap_or_default();
        assert!(["amp", "lt", "gt", "quot", "apos", "#39", "nbsp"].contains(&entity), "bare & before {part:?}");
    }
}
