//! Sentences about a run that the screen and the page share.

use super::Run;
use super::limits::latency;
use super::text::{count, grouped, ms, percent, plural, printable, seconds, share};
use super::timeline::{intervals, kind_name, totals};
use crate::judgement::{Finding, SetFigures, Slow, Validity};
use crate::settings::NetworkMode;

/// The verdict in capitals.
pub(super) const fn word(validity: Validity) -> &'static str {
    match validity {
        Validity::Valid => "VALID",
        Validity::Unknown => "COULD NOT JUDGE",
        Validity::Invalid => "INVALID",
    }
}

/// Whether a finding does not count, because the settings ignore its checker.
pub(super) fn ignored(run: &Run<'_>, finding: &Finding) -> bool {
    run.settings.ignore.iter().any(|name| name == finding.checker)
}

/// The reason for the verdict, and the findings that the reason does not name.
pub(super) fn reason<'a>(run: &Run<'a>) -> (String, Vec<&'a Finding>) {
    let judgement = run.judgement;
    let mut findings: Vec<&Finding> = judgement.findings.iter().collect();
    findings.sort_by_key(|finding| (ignored(run, finding), std::cmp::Reverse(finding.validity)));
    let decides = findings.iter().position(|f| f.validity == judgement.validity && !ignored(run, f));
    match (judgement.validity, decides) {
        (Validity::Valid, _) => (held(run), findings),
        (_, Some(place)) => {
            let finding = findings.remove(place);
            (printable(&finding.message), findings)
        }
        (Validity::Unknown, None) if judgement.invocations == 0 => ("no operation was invoked".to_owned(), findings),
        (Validity::Unknown, None) => ("nothing was acknowledged".to_owned(), findings),
        (Validity::Invalid, None) => ("something that must hold does not".to_owned(), findings),
    }
}

/// Why a run is valid: what was checked, and which findings were ignored.
fn held(run: &Run<'_>) -> String {
    let mut text = "everything that was checked holds".to_owned();
    let left_out = |finding: &&Finding| ignored(run, finding) && finding.validity != Validity::Valid;
    let ignored = run.judgement.findings.iter().filter(left_out).count();
    if ignored > 0 {
        text.push_str(&format!(", but for {}", plural(ignored, "ignored finding")));
    }
    if !run.judgement.passed.is_empty() {
        text.push_str(&format!(" ({})", run.judgement.passed.join(", ")));
    }
    text
}

/// The settings of a run in one line: `broadcast · 25 nodes · …`.
pub(super) fn settings(run: &Run<'_>) -> String {
    let s = run.settings;
    let mut parts = vec![s.workload.name().to_owned(), plural(s.nodes, "node")];
    let rate = if s.rate.fract() == 0.0 { grouped(s.rate) } else { format!("{:.1}", s.rate) };
    parts.push(format!("{rate} op/s for {}", seconds(s.time_limit_us)));
    parts.push(if s.latency_us == 0 { "no latency".to_owned() } else { format!("latency {}", latency(run)) });
    if s.network == NetworkMode::Precise {
        parts.push("precise network".to_owned());
    }
    parts.push(format!("seed {}", s.seed));
    parts.join(" · ")
}

/// The faults with their counts and durations, or a word that there were none.
pub(super) fn faults(run: &Run<'_>) -> Vec<String> {
    let totals = totals(&intervals(run.trace));
    if totals.is_empty() {
        return vec!["none".to_owned()];
    }
    let part = |total: &super::timeline::Total| {
        let name = kind_name(total.kind);
        let times = match total.kind {
            crate::settings::FaultKind::Loss | crate::settings::FaultKind::Duplicate => {
                format!("{name} {}", plural(total.times, "time"))
            }
            _ => plural(total.times, name),
        };
        format!("{times} ({})", seconds(total.lasted_us))
    };
    totals.iter().map(part).collect()
}

/// What the network did to messages, if it did anything.
pub(super) fn dropped(run: &Run<'_>) -> Option<String> {
    let net = &run.trace.net;
    let parts = [
        (net.cut, "cut by partitions"),
        (net.lost, "lost"),
        (net.duplicated, "duplicated"),
        (net.to_dead, "sent to a dead node"),
    ];
    let named: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", count(*n as usize))).collect();
    (!named.is_empty()).then(|| format!("messages: {}", named.join(", ")))
}

/// What happened to values.
pub(super) fn values(set: &SetFigures) -> Vec<(&'static str, usize)> {
    vec![
        ("lost", set.lost.len()),
        ("never read", set.never_read.len()),
        ("stale for a while", set.stale),
        ("not seen at every node", set.incomplete),
        ("died with a killed node, unsent", set.died_unsent.len()),
        ("died with a killed node, undelivered", set.died_undelivered.len()),
    ]
}

/// The share of stale reads: `12.1 % (60 of 500)`.
pub(super) fn stale_reads(run: &Run<'_>) -> Option<String> {
    let judgement = run.judgement;
    let counts = run.settings.workload.is_replicated() && judgement.reads > 0;
    let part = percent(share(judgement.stale_reads, judgement.reads));
    counts.then(|| format!("{part} ({} of {})", count(judgement.stale_reads), count(judgement.reads)))
}

/// The time until everything was repaired after heals.
pub(super) fn catch_up(run: &Run<'_>) -> Option<String> {
    let mut sorted = run.judgement.catch_up_ms.clone();
    sorted.sort_by(f64::total_cmp);
    let (middle, last) = (sorted.get(sorted.len() / 2)?, sorted.last()?);
    Some(match sorted.len() {
        1 => format!("{} after the heal", ms(*last)),
        n => format!("median {}, worst {} after {n} heals", ms(*middle), ms(*last)),
    })
}

/// The time until nodes were silent, if they talk to each other at all.
pub(super) fn silence(run: &Run<'_>) -> Option<String> {
    (run.trace.net.peer_sent > 0 || run.judgement.messages_per_op > 0.0).then(|| match run.judgement.last_message_ms {
        Some(last) => format!("last message {} after the load", ms(last)),
        None => "no message after the load".to_owned(),
    })
}

/// A slow value: its node, the node that got it last, and the time until then.
pub(super) fn slow(slow: &Slow) -> String {
    let from = format!("{} from n{} at {}", slow.value, slow.node, seconds(slow.acknowledged_us));
    match slow.latency_ms {
        Some(latency) => format!("{from}: {} until n{}", ms(latency), slow.last_node),
        None => format!("{from}: not seen at n{}", slow.last_node),
    }
}
