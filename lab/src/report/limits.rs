//! Limits for runs, and whether a run keeps them: those of the Gossip Glomers, and the targets of this project.

use super::Run;
use super::text::{grouped, ms, ratio, seconds};
use crate::judgement::Validity;
use crate::settings::{FaultKind, LatencyDist, SECOND, Workload};

/// Whether a run keeps a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It keeps the limit.
    Passed,
    /// It does not keep the limit.
    Missed,
    /// The limit is about other settings. The text says how they differ.
    NotComparable(String),
}

/// One figure against its bound.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) kept: bool,
    /// `median 311 < 400 ms`; the figure is rounded up, so that it never looks better than it is.
    pub(super) text: String,
}

/// A limit, held against a run.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    /// The figures of the limit. There are none when the settings differ.
    pub(super) parts: Vec<Part>,
}

impl Limit {
    fn new(name: &'static str, differs: &[String], valid: bool, mut parts: Vec<Part>) -> Self {
        if !differs.is_empty() {
            return Self { name, verdict: Verdict::NotComparable(differs.join(", ")), parts: Vec::new() };
        }
        if !valid {
            parts.insert(0, Part { kept: false, text: "the run is not valid".to_owned() });
        }
        let verdict = if parts.iter().all(|part| part.kept) { Verdict::Passed } else { Verdict::Missed };
        Self { name, verdict, parts }
    }

    /// The parts of the limit, with a sign at those that are not kept, or how the settings differ.
    pub(super) fn details(&self) -> Vec<String> {
        match &self.verdict {
            Verdict::NotComparable(why) => vec![format!("settings differ: {why}")],
            Verdict::Passed | Verdict::Missed => {
                let mark = |part: &Part| if part.kept { part.text.clone() } else { format!("{} ✗", part.text) };
                self.parts.iter().map(mark).collect()
            }
        }
    }

    /// Whether it cannot be held against this run.
    pub(super) fn is_about_other_settings(&self) -> bool {
        matches!(self.verdict, Verdict::NotComparable(_))
    }

    /// The verdict in two words.
    pub(super) fn word(&self) -> &'static str {
        match self.verdict {
            Verdict::Passed => "passed",
            Verdict::Missed => "not passed",
            Verdict::NotComparable(_) => "not comparable",
        }
    }
}

/// The limits for a workload, held against a run.
type Limits = fn(&Run<'_>) -> Vec<Limit>;

/// The workloads that have limits.
const LIMITS: [(Workload, Limits); 2] =
    [(Workload::Broadcast, broadcast), (Workload::PnCounter, |run| vec![counter(run)])];

/// All limits for the workload of this run. There are none if the run has no operations.
pub(super) fn limits(run: &Run<'_>) -> Vec<Limit> {
    if run.judgement.invocations == 0 {
        return Vec::new();
    }
    let about = LIMITS.iter().filter(|(workload, _)| *workload == run.settings.workload);
    about.flat_map(|(_, limits)| limits(run)).collect()
}

/// How the settings of the run differ from those of limits, and the names of these limits for each difference.
pub(super) fn by_difference(limits: &[Limit]) -> Vec<(String, Vec<&'static str>)> {
    let mut reasons: Vec<(String, Vec<&'static str>)> = Vec::new();
    for limit in limits {
        let Verdict::NotComparable(why) = &limit.verdict else { continue };
        match reasons.iter_mut().find(|(known, _)| known == why) {
            Some((_, names)) => names.push(limit.name),
            None => reasons.push((why.clone(), vec![limit.name])),
        }
    }
    reasons
}

fn broadcast(run: &Run<'_>) -> Vec<Limit> {
    let valid = run.judgement.validity == Validity::Valid;
    let mut quiet = standard(run);
    let mut cut = quiet.clone();
    quiet.extend(other_faults(run, &[]));
    cut.extend(other_faults(run, &[FaultKind::Partition]));
    let timed = |name, messages: (f64, bool), median, max| {
        let parts = vec![cost(run, messages), stable(run, "median", median), stable(run, "max", max)];
        Limit::new(name, &quiet, valid, parts)
    };
    let mut limits = vec![
        timed("Gossip Glomers 3d", (30.0, false), 400.0, 600.0),
        timed("Gossip Glomers 3e", (20.0, false), 1000.0, 2000.0),
        glomers_partitions(run, valid),
        timed("target: rumor", (8.0, false), 1000.0, 2000.0),
        timed("target: relay for 3d", (1.0, true), 400.0, 600.0),
        timed("target: relay for 3e", (0.38, true), 1000.0, 2000.0),
    ];
    let worst = run.judgement.catch_up_ms.iter().copied().reduce(f64::max).unwrap_or(0.0);
    let caught_up = Part { kept: worst <= 1400.0, text: format!("caught up {} ≤ 1,400 ms after a heal", ms(worst)) };
    limits.push(Limit::new("target: relay, partitions", &cut, valid, vec![cost(run, (1.7, true)), caught_up]));
    limits.push(silence(run, valid));
    limits
}

fn glomers_partitions(run: &Run<'_>, valid: bool) -> Limit {
    let mut differs = nodes(run, 5);
    differs.extend(other_faults(run, &[FaultKind::Partition]));
    let incomplete = run.judgement.set.as_ref().map_or(0, |set| set.incomplete.max(set.lost.len()));
    let text = if incomplete == 0 {
        "every value everywhere at the end".to_owned()
    } else {
        format!("{incomplete} values not everywhere at the end")
    };
    Limit::new("Gossip Glomers 3c", &differs, valid, vec![Part { kept: incomplete == 0, text }])
}

fn silence(run: &Run<'_>, valid: bool) -> Limit {
    let used = kinds(run);
    let bound_ms = if used.contains(&FaultKind::Loss) {
        15_000.0
    } else if used.contains(&FaultKind::Partition) {
        6_000.0
    } else {
        3_000.0
    };
    let mut differs = standard(run);
    let unasked = |kind: &&FaultKind| !matches!(kind, FaultKind::Loss | FaultKind::Partition);
    differs.extend(used.iter().find(unasked).map(|kind| format!("faults: {}", super::timeline::kind_name(*kind))));
    let last = run.judgement.last_message_ms.unwrap_or(0.0);
    let kept = last <= bound_ms;
    let bound = seconds((bound_ms * 1000.0) as u64);
    let text = format!("last message {} {} {bound} after the load", ms(last), sign(kept, true));
    Limit::new("target: silence", &differs, valid, vec![Part { kept, text }])
}

fn counter(run: &Run<'_>) -> Limit {
    let mut differs = nodes(run, 5);
    differs.extend(other_faults(run, &[]));
    if run.judgement.converged_ms.is_none() {
        differs.push("convergence is only seen in simulation".to_owned());
    }
    let converged = run.judgement.converged_ms.unwrap_or(0.0);
    let kept = converged < 1000.0;
    let text = format!("converged {} {} 1,000 ms after the last add", ms(converged), sign(kept, false));
    let valid = run.judgement.validity == Validity::Valid;
    Limit::new("target: PN-counter", &differs, valid, vec![Part { kept, text }])
}

/// How the settings differ from 25 nodes, 100 ms, 100 operations per second, 20 s; faults apart.
fn standard(run: &Run<'_>) -> Vec<String> {
    let s = run.settings;
    let mut differs = nodes(run, 25);
    if s.latency_us != SECOND / 10 || s.latency_dist != LatencyDist::Constant {
        differs.push(format!("latency {} instead of 100 ms constant", latency(run)));
    }
    if (s.rate - 100.0).abs() > 1e-9 {
        differs.push(format!("{} operations per second instead of 100", grouped(s.rate)));
    }
    if s.time_limit_us != 20 * SECOND {
        differs.push(format!("{} instead of 20 s", seconds(s.time_limit_us)));
    }
    if (s.write_share - 0.5).abs() > 1e-9 || s.writers != 0 {
        differs.push("another mix of writes and reads".to_owned());
    }
    differs
}

fn nodes(run: &Run<'_>, asked: usize) -> Vec<String> {
    let nodes = run.settings.nodes;
    if nodes == asked { Vec::new() } else { vec![format!("{} instead of {asked}", super::text::plural(nodes, "node"))] }
}

/// The mean latency between nodes and how it is spread, in words.
pub(super) fn latency(run: &Run<'_>) -> String {
    let spread = match run.settings.latency_dist {
        LatencyDist::Constant => "constant",
        LatencyDist::Uniform => "uniform",
        LatencyDist::Exponential => "exponential",
    };
    format!("{} {spread}", ms(run.settings.latency_us as f64 / 1000.0))
}

/// Faults that happened or were planned.
fn kinds(run: &Run<'_>) -> Vec<FaultKind> {
    let seen = super::timeline::intervals(run.trace);
    let used = |kind: &FaultKind| run.settings.faults.kinds.contains(kind) || seen.iter().any(|i| i.kind == *kind);
    super::timeline::KINDS.into_iter().filter(used).collect()
}

/// The faults of the run that a limit does not ask for, or those that it asks for and the run lacks.
fn other_faults(run: &Run<'_>, asked: &[FaultKind]) -> Option<String> {
    let used = kinds(run);
    let names = |mut kinds: Vec<FaultKind>, without: &[FaultKind]| {
        kinds.retain(|kind| !without.contains(kind));
        kinds.into_iter().map(super::timeline::kind_name).collect::<Vec<_>>().join(", ")
    };
    let (more, missing) = (names(used.clone(), asked), names(asked.to_vec(), &used));
    match (more.is_empty(), missing.is_empty()) {
        (true, true) => None,
        (true, false) => Some(format!("no {missing}")),
        (false, _) => Some(format!("faults: {more}")),
    }
}

fn cost(run: &Run<'_>, (limit, or_equal): (f64, bool)) -> Part {
    let value = run.judgement.messages_per_op;
    let kept = value < limit || or_equal && value <= limit;
    let sign = sign(kept, or_equal);
    Part { kept, text: format!("{} {sign} {} msgs/op", ratio(value), bound(limit)) }
}

fn stable(run: &Run<'_>, what: &str, limit: f64) -> Part {
    let latency = run.judgement.set.as_ref().map(|set| set.stable_latency_ms).unwrap_or_default();
    let value = if what == "max" { latency.max } else { latency.median };
    let kept = latency.count > 0 && value < limit;
    let value = if latency.count > 0 { grouped(value.ceil()) } else { super::text::NONE.to_owned() };
    Part { kept, text: format!("{what} {value} {} {} ms", sign(kept, false), grouped(limit)) }
}

/// How a figure compares with its bound.
const fn sign(kept: bool, or_equal: bool) -> char {
    match (kept, or_equal) {
        (true, true) => '≤',
        (true, false) => '<',
        (false, true) => '>',
        (false, false) => '≥',
    }
}

fn bound(limit: f64) -> String {
    if limit.fract() == 0.0 { format!("{limit:.0}") } else { format!("{limit}") }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn named(limits: &[Limit], name: &str) -> Limit {
        limits.iter().find(|limit| limit.name == name).expect("is there").clone()
    }

    #[test]
    fn the_glomers_limits_are_held_against_their_own_settings_only() {
        let mut sample = testing::quiet_run();
        let limits_now = limits(&sample.run());
        assert_eq!(named(&limits_now, "Gossip Glomers 3d").verdict, Verdict::Passed);
        assert!(matches!(named(&limits_now, "Gossip Glomers 3c").verdict, Verdict::NotComparable(_)));

        sample.judgement.messages_per_op = 31.0;
        let missed = named(&limits(&sample.run()), "Gossip Glomers 3d");
        assert_eq!(missed.verdict, Verdict::Missed);
        assert_eq!(missed.details()[0], "31.0 ≥ 30 msgs/op ✗");

        sample.settings.nodes = 24;
        let limit = named(&limits(&sample.run()), "Gossip Glomers 3d");
        assert_eq!(limit.word(), "not comparable");
        assert_eq!(limit.details(), ["settings differ: 24 nodes instead of 25"]);
    }

    #[test]
    fn an_invalid_run_passes_nothing() {
        let mut sample = testing::quiet_run();
        sample.judgement.validity = Validity::Invalid;
        assert!(limits(&sample.run()).iter().all(|limit| limit.verdict != Verdict::Passed));
    }
}
