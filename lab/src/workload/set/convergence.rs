//! In the end every acknowledged value is at every node that is up. The time until then is measured for each value.
//!
//! A node has a value if its last read in the end shows it. If the node was not read, it has a value that was seen to
//! arrive.

use std::collections::BTreeMap;

use super::sets::{Element, sets};
use crate::check::figures::quantiles;
use crate::check::view::View;
use crate::check::words::{count, examples, millis};
use crate::check::{Figures, Found};
use crate::history::Phase;
use crate::judgement::Slow;
use crate::settings::Micros;
use crate::trace::{FaultChange, FaultEvent, NEVER};

/// Values listed as the slowest.
const SLOWEST: usize = 10;

pub(crate) fn check(view: &View<'_>) -> Found {
    let (nodes, sets) = (view.settings.nodes, sets(view));
    let last_reads = last_reads(view);
    let up: Vec<usize> = (0..nodes).filter(|&node| view.lives.alive_at_end(node)).collect();
    let mut lacking: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    let mut unseen: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    let mut latencies = Vec::new();
    let mut slowest = Vec::new();
    for (number, element, acknowledged_us) in wanted(view) {
        let arrivals = arrivals(view, element);
        let mut missing = None;
        let mut last: (Micros, usize) = (0, element.node);
        for &node in &up {
            let mut at = arrivals.get(node).copied().unwrap_or(NEVER);
            match last_reads[node] {
                Some(read) if !sets.shows(read, number) => {
                    lacking.entry(node).or_default().push(element.value);
                    missing.get_or_insert(node);
                }
                Some(read) => at = at.min(sets.reads[read].completed_us),
                None if at == NEVER => {
                    unseen.entry(node).or_default().push(element.value);
                    missing.get_or_insert(node);
                }
                None => {}
            }
            last = last.max((at, node));
        }
        let latency_ms = missing.is_none().then(|| millis(last.0.saturating_sub(acknowledged_us)));
        latencies.extend(latency_ms);
        let last_node = missing.unwrap_or(last.1);
        slowest.push(Slow { value: element.value, node: element.node, acknowledged_us, latency_ms, last_node });
    }
    let mut found = Found::default();
    report(view, lacking, "still lacked", &mut found);
    report(view, unseen, "was never seen to get", &mut found);
    let incomplete = slowest.len() - latencies.len();
    slowest.sort_by(|a, b| {
        let key = |slow: &Slow| slow.latency_ms.unwrap_or(f64::INFINITY);
        key(b).total_cmp(&key(a)).then(a.value.cmp(&b.value))
    });
    slowest.truncate(SLOWEST);
    let true_latency_ms = quantiles(latencies);
    found.figures = Figures::Arrivals { true_latency_ms, incomplete, catch_up_ms: catch_up(view), slowest };
    found
}

fn report(view: &View<'_>, nodes: BTreeMap<usize, Vec<i64>>, how: &str, found: &mut Found) {
    if nodes.is_empty() {
        return;
    }
    let hint = view.quiet_hint();
    let list = examples(nodes.into_iter().map(|(node, values)| {
        let what = count(values.len(), "acknowledged value");
        format!("{} {how} {what} ({})", view.node(node), examples(values.iter().map(i64::to_string)))
    }));
    found.note(view.in_the_end(), format!("In the end {list}{hint}."));
}

/// Acknowledged values, without those that rightly died with a killed process.
fn wanted<'a>(view: &'a View<'_>) -> impl Iterator<Item = (usize, &'a Element, Micros)> {
    let sets = sets(view);
    let elements = sets.elements.iter().enumerate();
    elements
        .filter(|&(number, _)| sets.excused(view, number).is_none())
        .filter_map(|(number, element)| Some((number, element, element.acknowledged_us?)))
}

fn arrivals<'a>(view: &'a View<'_>, element: &Element) -> &'a [Micros] {
    view.trace.arrivals.get(&element.value).map_or(&[], Vec::as_slice)
}

/// The last read of each node after the main phase.
fn last_reads(view: &View<'_>) -> Vec<Option<usize>> {
    let mut last = vec![None; view.settings.nodes];
    for (number, read) in sets(view).reads.iter().enumerate().filter(|(_, read)| read.phase != Phase::Main) {
        if let Some(place) = last.get_mut(read.node) {
            *place = Some(number);
        }
    }
    last
}

/// The time from each heal of a partition until all nodes that were up then had every value acknowledged before it. If
/// a value never arrived, the time lasts to the end of the run. A heal is left out if the next partition began too
/// soon.
fn catch_up(view: &View<'_>) -> Vec<f64> {
    let mut cut = false;
    let mut all = Vec::new();
    for (at, event) in view.trace.faults.iter().enumerate() {
        match event.what {
            FaultChange::Partition { .. } => cut = true,
            FaultChange::Heal if cut => {
                cut = false;
                let caught_up_us = caught_up(view, event.at_us);
                let is_cut = |later: &&FaultEvent| matches!(later.what, FaultChange::Partition { .. });
                let next = view.trace.faults[at..].iter().find(is_cut);
                if next.is_none_or(|next| caught_up_us <= next.at_us) {
                    all.push(millis(caught_up_us - event.at_us));
                }
            }
            FaultChange::Heal
            | FaultChange::Kill { .. }
            | FaultChange::Restart { .. }
            | FaultChange::Pause { .. }
            | FaultChange::Resume { .. }
            | FaultChange::Loss { .. }
            | FaultChange::Duplicate { .. }
            | FaultChange::Clock { .. }
            | FaultChange::Configure { .. } => {}
        }
    }
    all
}

fn caught_up(view: &View<'_>, heal_us: Micros) -> Micros {
    let quiet = view.lives.is_quiet();
    let up: Vec<bool> = (0..view.settings.nodes).map(|node| quiet || view.lives.alive_at(node, heal_us)).collect();
    let mut latest = heal_us;
    for (_, element, _) in wanted(view).filter(|&(.., acknowledged_us)| acknowledged_us <= heal_us) {
        let arrivals = arrivals(view, element);
        for node in (0..up.len()).filter(|&node| up[node]) {
            let at = arrivals.get(node).copied().unwrap_or(NEVER);
            latest = latest.max(if at == NEVER { view.trace.end_us } else { at });
        }
    }
    latest
}

#[cfg(test)]
mod tests {
    use crate::check::testing::Run;
    use crate::judgement::Validity;
    use crate::settings::Workload;
    use crate::trace::{FaultChange, NEVER};

    /// 7 is acknowledged by n0 at 0.11 s and arrives at these milliseconds.
    fn run(arrivals: &[u64]) -> Run {
        let mut run = Run::new(Workload::Broadcast, arrivals.len());
        run.add(0, 100, 110, 7);
        let arrivals = arrivals.iter().map(|&at| if at == NEVER { NEVER } else { at * 1000 });
        run.trace.arrivals.insert(7, arrivals.collect());
        run
    }

    #[test]
    fn true_latency_lasts_from_the_acknowledgement_to_the_last_node() {
        let mut run = run(&[110, 500, 410]);
        run.end(&[7]);
        run.passes();
        let judgement = run.judge();
        let set = judgement.set.unwrap();
        assert_eq!((set.true_latency_ms.max, set.true_latency_ms.count, set.incomplete), (390.0, 1, 0));
        let slow = &judgement.slowest[0];
        assert_eq!((slow.value, slow.node, slow.last_node, slow.latency_ms), (7, 0, 1, Some(390.0)));
    }

    #[test]
    fn a_value_that_was_everywhere_before_its_acknowledgement_has_no_latency() {
        let mut run = run(&[101, 102]);
        run.end(&[7]);
        assert_eq!(run.judge().set.unwrap().true_latency_ms.max, 0.0);
    }

    #[test]
    fn a_node_that_serves_stale_state_to_the_end_is_named() {
        let mut run = run(&[110, 200, NEVER]);
        run.read(0, 20_000, 20_001, &[7]);
        run.read(1, 20_000, 20_001, &[7]);
        run.read(2, 20_000, 20_001, &[]);
        run.finds("convergence", Validity::Invalid, &["n2 still lacked 1 acknowledged value (7)"]);
        let judgement = run.judge();
        assert_eq!(judgement.set.unwrap().incomplete, 1);
        assert_eq!((judgement.slowest[0].latency_ms, judgement.slowest[0].last_node), (None, 2));
    }

    #[test]
    fn a_value_that_came_and_was_forgotten_is_lacking() {
        let mut run = run(&[110, 200]);
        run.read(0, 20_000, 20_001, &[7]);
        run.read(1, 20_000, 20_001, &[]);
        run.finds("convergence", Validity::Invalid, &["n1 still lacked"]);
    }

    #[test]
    fn a_node_that_was_not_read_needs_an_arrival() {
        let mut run = run(&[110, 200, NEVER]);
        run.read(0, 20_000, 20_001, &[7]);
        run.finds("convergence", Validity::Invalid, &["n2 was never seen to get 1 acknowledged value (7)"]);
    }

    #[test]
    fn a_node_that_stays_down_is_not_waited_for() {
        let mut run = run(&[110, 200, NEVER]);
        run.fault(50, FaultChange::Kill { node: 2 });
        run.read(0, 20_000, 20_001, &[7]);
        run.is_silent("convergence");
    }

    #[test]
    fn catching_up_lasts_from_the_heal_until_the_last_value_acknowledged_before_it_is_everywhere() {
        let mut run = run(&[110, 5700]);
        run.add(0, 6000, 6001, 8);
        run.end(&[7, 8]);
        run.fault(90, FaultChange::Partition { cuts: 2 });
        run.fault(5000, FaultChange::Heal);
        run.fault(5500, FaultChange::Heal);
        run.fault(8000, FaultChange::Partition { cuts: 2 });
        run.fault(9000, FaultChange::Heal);
        assert_eq!(run.judge().catch_up_ms, [700.0, 0.0]);
    }

    #[test]
    fn a_node_that_was_down_at_the_heal_is_not_waited_for() {
        let mut run = run(&[110, 9000]);
        run.end(&[7]);
        run.fault(90, FaultChange::Partition { cuts: 2 });
        run.fault(95, FaultChange::Kill { node: 1 });
        run.fault(5000, FaultChange::Heal);
        run.fault(6000, FaultChange::Restart { node: 1 });
        assert_eq!(run.judge().catch_up_ms, [0.0]);
    }

    #[test]
    fn the_slowest_come_first_and_incomplete_ones_before_all() {
        let mut run = Run::new(Workload::Broadcast, 2);
        for value in 0..12 {
            run.add(0, 100, 101, value);
            run.trace.arrivals.insert(value, vec![101_000, 200_000 + value.unsigned_abs() * 1000]);
        }
        run.trace.arrivals.insert(5, vec![101_000, NEVER]);
        let slowest: Vec<i64> = run.judge().slowest.iter().map(|slow| slow.value).collect();
        assert_eq!(slowest, [5, 11, 10, 9, 8, 7, 6, 4, 3, 2]);
    }
}
