//! Last writer wins: one winner everywhere, it is one of the maximal writes, and stamps never go back.

use std::collections::BTreeMap;

use super::Found;
use super::final_state::disagreement;
use super::monotonic::replay;
use super::view::{View, count, examples};
use crate::history::{Answer, Call, Op};

pub(super) fn check(view: &View<'_>) -> Found {
    let mut found = Found::default();
    let written = view.history.ops.iter().any(|op| matches!(op.answer(), Some(Answer::Stamp(_))));
    if !written {
        found
            .unknown("No write was acknowledged: a longer time limit or a higher share of writes may help.".to_owned());
    }
    one_winner(view, &mut found);
    maximal(view, &mut found);
    authentic(view, &mut found);
    advancing(view, &mut found);
    distinct(view, &mut found);
    found
}

/// What a read of a key shows: value and stamp, if there is one.
fn shown(op: &Op) -> Option<(u64, Option<(i64, u64)>)> {
    match (&op.call, op.answer()) {
        (&Call::KvRead(key), Some(&Answer::Value(value, stamp))) => Some((key, Some((value, stamp)))),
        (&Call::KvRead(key), Some(Answer::Missing)) => Some((key, None)),
        (_, _) => None,
    }
}

/// Key, value and stamp of an acknowledged write.
fn written(op: &Op) -> Option<(u64, i64, u64)> {
    match (&op.call, op.answer()) {
        (&Call::Write { key, value }, Some(&Answer::Stamp(stamp))) => Some((key, value, stamp)),
        (_, _) => None,
    }
}

fn name((value, stamp): (i64, u64)) -> String {
    format!("{value} with stamp {stamp}")
}

/// In the end all nodes show the same value and stamp for a key.
fn one_winner(view: &View<'_>, found: &mut Found) {
    let mut keys: BTreeMap<u64, Vec<(String, usize)>> = BTreeMap::new();
    for op in view.closing() {
        if let Some((key, winner)) = shown(op) {
            keys.entry(key).or_default().push((winner.map_or("no value".to_owned(), name), op.node));
        }
    }
    let differ: Vec<String> = keys
        .into_iter()
        .filter_map(|(key, shown)| disagreement(view, shown).map(|who| format!("k{key} is {who}")))
        .collect();
    if !differ.is_empty() {
        let (n, hint) = (count(differ.len(), "key"), view.quiet_hint());
        found.invalid(format!("In the end nodes had different winners for {n}{hint}: {}.", examples(differ)));
    }
}

/// In the end no acknowledged write of a key has a later stamp than its winner.
fn maximal(view: &View<'_>, found: &mut Found) {
    let mut latest: BTreeMap<u64, (u64, &Op)> = BTreeMap::new();
    for op in view.history.ops.iter().filter(|op| view.died(op).is_none()) {
        if let Some((key, _, stamp)) = written(op)
            && latest.get(&key).is_none_or(|&(last, _)| last < stamp)
        {
            latest.insert(key, (stamp, op));
        }
    }
    let mut lost: BTreeMap<u64, String> = BTreeMap::new();
    for op in view.closing() {
        let Some((key, winner)) = shown(op) else { continue };
        let Some(&(stamp, write)) = latest.get(&key) else { continue };
        if winner.is_none_or(|(_, winner)| winner < stamp) {
            let shows = winner.map_or("no value".to_owned(), name);
            let Call::Write { value, .. } = write.call else { continue };
            let text = format!(
                "{} shows {shows} for k{key}, and {} acknowledged {} at {}",
                view.node(op.node),
                view.node(write.node),
                name((value, stamp)),
                view.time(write.completed_us)
            );
            lost.entry(key).or_insert(text);
        }
    }
    if !lost.is_empty() {
        let (n, hint) = (count(lost.len(), "key"), view.quiet_hint());
        found.invalid(format!("The latest write did not win for {n}{hint}: {}.", examples(lost.into_values())));
    }
}

/// A value is shown with the stamp that its write was given, and always with the same.
fn authentic(view: &View<'_>, found: &mut Found) {
    let mut stamps: BTreeMap<(u64, i64), Vec<u64>> = BTreeMap::new();
    // Writes of unknown outcome: each can account for one further stamp.
    let mut unknown: BTreeMap<(u64, i64), usize> = BTreeMap::new();
    for op in &view.history.ops {
        if let Some((key, value, stamp)) = written(op) {
            stamps.entry((key, value)).or_default().push(stamp);
        } else if let (&Call::Write { key, value }, true) = (&op.call, op.may_have_happened()) {
            *unknown.entry((key, value)).or_default() += 1;
        }
    }
    let mut wrong = Vec::new();
    for op in &view.history.ops {
        let Some((key, Some((value, stamp)))) = shown(op) else { continue };
        let known = stamps.entry((key, value)).or_default();
        if known.contains(&stamp) {
            continue;
        }
        if let Some(left) = unknown.get_mut(&(key, value)).filter(|left| **left > 0) {
            *left -= 1;
            known.push(stamp);
        } else if let Some(first) = known.first() {
            let (node, at) = (view.node(op.node), view.time(op.completed_us));
            wrong.push(format!("{node} shows k{key}={} at {at}, elsewhere it has stamp {first}", name((value, stamp))));
        }
    }
    if !wrong.is_empty() {
        let n = count(wrong.len(), "read");
        found.invalid(format!("{n} showed a value with a stamp that it was not written with: {}.", examples(wrong)));
    }
}

/// A write has a later stamp than everything that its process had shown or acknowledged before it was invoked.
fn advancing(view: &View<'_>, found: &mut Found) {
    let stamp = |op: &Op| {
        let read = shown(op).and_then(|(_, winner)| winner).map(|(_, stamp)| stamp);
        read.max(written(op).map(|(.., stamp)| stamp))
    };
    let mut wrong = Vec::new();
    replay(
        view,
        |op| stamp(op).map(|_| ()),
        |latest: &mut Option<u64>, op| *latest = (*latest).max(stamp(op)),
        |latest, op| {
            if let (Some((key, value, stamp)), Some(latest)) = (written(op), *latest)
                && stamp <= latest
            {
                let (node, at) = (view.node(op.node), view.time(op.completed_us));
                wrong.push(format!("{node} wrote k{key}={} at {at} after stamp {latest}", name((value, stamp))));
            }
        },
    );
    if !wrong.is_empty() {
        let n = count(wrong.len(), "write");
        found.invalid(format!("{n} got no later stamp than the same process had shown before: {}.", examples(wrong)));
    }
}

/// No process gives a stamp twice, not even to writes at the same time.
fn distinct(view: &View<'_>, found: &mut Found) {
    let mut given: BTreeMap<(usize, usize, u64), Vec<&Op>> = BTreeMap::new();
    for op in &view.history.ops {
        let Some((.., stamp)) = written(op) else { continue };
        let Some(life) = view.lives.life(op.node, op.invoked_us, op.completed_us) else { continue };
        given.entry((op.node, life, stamp)).or_default().push(op);
    }
    // One after the other, they are a matter of `advancing`.
    let overlap = |ops: &[&Op]| ops.windows(2).any(|pair| pair[1].invoked_us <= pair[0].completed_us);
    let twice = given.into_iter().filter(|(_, ops)| overlap(ops));
    let twice: Vec<String> = twice
        .map(|((node, _, stamp), ops)| format!("{stamp} by {} to {} writes", view.node(node), ops.len()))
        .collect();
    if !twice.is_empty() {
        let n = count(twice.len(), "stamp");
        found.invalid(format!("{n} given to more than one write of a process: {}.", examples(twice)));
    }
}
