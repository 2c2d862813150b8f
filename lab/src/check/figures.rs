//! The plain figures of a run: operations, latencies, messages. They make no run invalid.

use std::collections::BTreeMap;

use super::view::View;
use super::words::millis;
use crate::history::{Call, Outcome};
use crate::judgement::{Judgement, OpCount, Quantiles, Validity};
use crate::settings::{Micros, SECOND};

/// A judgement with the figures that need no checker. `name` gives the type of a request.
pub(crate) fn plain(view: &View<'_>, name: impl Fn(&Call) -> &'static str) -> Judgement {
    let invocations = view.history.counted().count();
    let net = &view.trace.net;
    let (busiest_node_share, worst_second) = load(view);
    let converged_ms = view.trace.converged_us.filter(|_| view.trace.diverged.is_empty());
    Judgement {
        validity: Validity::Unknown,
        findings: Vec::new(),
        passed: Vec::new(),
        operations: operations(view, name),
        invocations,
        messages_per_op: ratio(net.peer_sent, invocations),
        bytes_per_op: ratio(net.peer_bytes, invocations),
        busiest_node_share,
        worst_second,
        worst_link_second: 0,
        delivered_bytes_max: view.trace.delivered_bytes.iter().copied().max().unwrap_or(0),
        state_bytes: view.trace.state_bytes,
        set: None,
        reads: 0,
        stale_reads: 0,
        last_message_ms: None,
        converged_ms: converged_ms.map(|at| millis(at.saturating_sub(view.calm_from_us()))),
        catch_up_ms: Vec::new(),
        slowest: Vec::new(),
    }
}

/// Quantiles as Maelstrom computes them: `sorted[min(n - 1, floor(n · q))]`. All are 0 for an empty list.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(crate) fn quantiles(mut all: Vec<f64>) -> Quantiles {
    all.sort_by(f64::total_cmp);
    let Some(last) = all.len().checked_sub(1) else { return Quantiles::default() };
    let at = |q: f64| all[last.min((all.len() as f64 * q).floor() as usize)];
    Quantiles { count: all.len(), min: at(0.0), median: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1.0) }
}

#[allow(clippy::cast_precision_loss)]
fn ratio(amount: u64, operations: usize) -> f64 {
    if operations == 0 { 0.0 } else { amount as f64 / operations as f64 }
}

fn operations(view: &View<'_>, name: impl Fn(&Call) -> &'static str) -> Vec<OpCount> {
    #[derive(Default)]
    struct Row {
        fail: usize,
        info: usize,
        latencies: Vec<f64>,
    }
    let mut rows: BTreeMap<&'static str, Row> = BTreeMap::new();
    for op in view.history.counted() {
        let row = rows.entry(name(&op.call)).or_default();
        match op.outcome {
            Outcome::Ok { .. } => row.latencies.push(millis(op.completed_us.saturating_sub(op.invoked_us))),
            Outcome::Fail { .. } => row.fail += 1,
            Outcome::Info { .. } => row.info += 1,
        }
    }
    rows.into_iter()
        .map(|(kind, Row { fail, info, latencies })| OpCount {
            kind: kind.to_owned(),
            ok: latencies.len(),
            fail,
            info,
            latency: quantiles(latencies),
        })
        .collect()
}

/// The share of messages that the busiest node sent, and the most that one node sent within one second.
#[allow(clippy::cast_precision_loss)]
fn load(view: &View<'_>) -> (f64, u64) {
    let messages = &view.trace.messages;
    let nodes = messages.iter().map(|message| message.from as usize + 1).max().unwrap_or(0);
    // A counting sort by sender brings the times of each sender together, in order.
    let mut starts = vec![0; nodes + 1];
    for message in messages {
        starts[message.from as usize + 1] += 1;
    }
    let busiest = starts.iter().copied().max().unwrap_or(0);
    for node in 0..nodes {
        starts[node + 1] += starts[node];
    }
    let mut next = starts.clone();
    let mut times: Vec<Micros> = vec![0; messages.len()];
    for message in messages {
        let place = &mut next[message.from as usize];
        times[*place] = message.sent_us;
        *place += 1;
    }
    let worst = starts.windows(2).map(|range| most_in_a_second(&times[range[0]..range[1]])).max();
    let share = if messages.is_empty() { 0.0 } else { busiest as f64 / messages.len() as f64 };
    (share, worst.unwrap_or(0))
}

/// How many of these times lie in one window [t, t + 1 s), at most. The times are in order.
fn most_in_a_second(times: &[Micros]) -> u64 {
    let (mut from, mut most) = (0, 0);
    for (place, &time) in times.iter().enumerate() {
        while time.saturating_sub(times[from]) >= SECOND {
            from += 1;
        }
        most = most.max(place + 1 - from);
    }
    most as u64
}

#[cfg(test)]
mod tests {
    use super::{most_in_a_second, quantiles};
    use crate::check::testing::Run;
    use crate::history::{Answer, Call};
    use crate::settings::Workload;

    #[test]
    fn quantiles_are_taken_as_maelstrom_takes_them() {
        let all = quantiles((1..=100).rev().map(f64::from).collect());
        assert_eq!((all.count, all.min, all.median, all.p95, all.p99, all.max), (100, 1.0, 51.0, 96.0, 100.0, 100.0));
        assert_eq!(quantiles(vec![3.0]).median, 3.0);
        assert_eq!(quantiles(vec![1.0, 2.0]).median, 2.0);
        assert_eq!(quantiles(Vec::new()).count, 0);
    }

    #[test]
    fn operations_are_counted_by_their_name_on_the_wire_without_the_own_look() {
        let mut run = Run::new(Workload::Broadcast, 2);
        run.add(0, 100, 130, 7);
        run.info(0, 200, Call::Add(8));
        run.fail(0, 300, Call::Add(9));
        run.end(&[7]);
        run.read(0, 20_600, 20_601, &[7]);
        let judgement = run.judge();
        let rows: Vec<_> = judgement.operations.iter().map(|o| (o.kind.as_str(), o.ok, o.fail, o.info)).collect();
        assert_eq!(rows, [("broadcast", 1, 1, 1), ("read", 2, 0, 0)]);
        assert_eq!(judgement.operations[0].latency.median, 30.0);
        assert_eq!(judgement.invocations, 5);
    }

    #[test]
    fn messages_are_divided_by_operations_and_told_by_sender() {
        let mut run = Run::new(Workload::Broadcast, 3);
        run.add(0, 100, 101, 7);
        run.end(&[7]);
        for at in [100, 200, 1099, 1100, 3000] {
            run.message(at, 1);
        }
        run.message(3000, 0);
        let judgement = run.judge();
        assert_eq!((judgement.messages_per_op, judgement.bytes_per_op), (1.5, 150.0));
        assert_eq!(judgement.busiest_node_share, 5.0 / 6.0);
        assert_eq!(judgement.worst_second, 3);
    }

    #[test]
    fn a_second_includes_its_beginning_and_not_its_end() {
        assert_eq!(most_in_a_second(&[0, 1_000_000]), 1);
        assert_eq!(most_in_a_second(&[0, 999_999, 1_000_000]), 2);
        assert_eq!(most_in_a_second(&[]), 0);
    }

    #[test]
    fn convergence_is_timed_from_the_heal_and_only_if_all_agree() {
        let mut run = Run::new(Workload::Kv, 1);
        run.ok(0, 100, 101, Call::Write { key: 0, value: 0 }, Answer::Stamp(1));
        run.trace.converged_us = Some(10_500_000);
        assert_eq!(run.judge().converged_ms, Some(500.0));
        run.trace.diverged.push("n1: one value less".to_owned());
        assert_eq!(run.judge().converged_ms, None);
    }
}
