//! Transactions show no anomaly that the consistency model forbids. The anomalies are those of Adya and Elle.
//!
//! | anomaly | what | forbidden from |
//! |---|---|---|
//! | G0 | a circle of overwrites | read-uncommitted |
//! | G1a | a read of a value whose transaction failed | read-committed |
//! | G1b | a read of a value that its own transaction overwrote | read-committed |
//! | G1c | a circle of overwrites and reads | read-committed |
//! | own writes | a transaction does not read what it wrote last itself | always: part of what a history is |
//! | non-repeatable read | two reads of a key in a transaction differ | nothing here; a remark |
//!
//! Each value is written once per key, so a read names the transaction that it depends on. The order of two values of a
//! key is known where a transaction read the one and then wrote the other, and where one transaction wrote both.
//! A transaction of unknown outcome took place if somebody read from it.

use std::collections::{BTreeMap, BTreeSet};

use super::cycle::{Edge, Why, cycles, show};
use crate::check::Found;
use crate::check::view::View;
use crate::check::words::{count, examples};
use crate::history::{Answer, Call, Micro, Op};
use crate::judgement::Validity;
use crate::settings::Consistency;

pub(crate) fn check(view: &View<'_>) -> Found {
    let writers = writers(view);
    let mut seen = Anomalies::default();
    let mut txns = 0;
    for op in &view.history.ops {
        if let (Call::Txn(asked), Some(Answer::Txn(answered))) = (&op.call, op.answer()) {
            txns += 1;
            follow(op, asked, answered, &writers, &mut seen);
        }
    }
    let nodes = view.history.ops.len();
    let overwrites: Vec<Edge> = seen.edges.iter().copied().filter(|edge| !is_read(edge)).collect();
    let g0 = cycles(nodes, &overwrites, |_| true);
    let mut g1c = cycles(nodes, &seen.edges, is_read);
    // A transaction that overwrites a value has read it, so each G0 is a G1c too. The finding names it once.
    let overwritten: BTreeSet<_> = overwrites.iter().map(|edge| (edge.from, edge.to)).collect();
    g1c.retain(|cycle| !cycle.iter().all(|edge| overwritten.contains(&(edge.from, edge.to))));
    let mut found = Found::default();
    if txns == 0 {
        found
            .unknown("No transaction was acknowledged: does the node answer? A longer time limit may help.".to_owned());
    }
    let circles = |list: &[Vec<Edge>]| list.iter().map(|cycle| show(cycle)).collect::<Vec<_>>();
    let committed = match view.settings.consistency {
        Consistency::ReadUncommitted => Validity::Valid,
        Consistency::ReadCommitted => Validity::Invalid,
    };
    let always = Validity::Invalid;
    report("G0, circles of overwrites", &circles(&g0), always, &mut found);
    report("Transactions that do not read their own writes", &seen.internal, always, &mut found);
    report("Replies to another transaction than was asked", &seen.foreign, always, &mut found);
    report("G1a, reads of values whose transaction failed", &seen.aborted, committed, &mut found);
    report("G1b, reads of values that their transaction overwrote", &seen.intermediate, committed, &mut found);
    report("G1c, circles of overwrites and reads", &circles(&g1c), committed, &mut found);
    report("Two reads of one key in a transaction that differ", &seen.unrepeatable, Validity::Valid, &mut found);
    found
}

fn report(what: &str, list: &[String], validity: Validity, found: &mut Found) {
    if !list.is_empty() {
        let allowed = if validity == Validity::Valid { ", which the consistency model allows" } else { "" };
        let n = count(list.len(), "time");
        found.note(validity, format!("{what}, {n}{allowed}: {}.", examples(list.iter().cloned())));
    }
}

fn is_read(edge: &Edge) -> bool {
    match edge.why {
        Why::WriteRead(_) => true,
        Why::WriteWrite(..) => false,
    }
}

/// Who wrote a value.
struct Writer {
    txn: usize,
    /// Whether it is the last value that the transaction wrote to the key.
    last: bool,
    failed: bool,
}

/// The writer of each value of each key. Values that were written more than once are left out, because a read of one
/// does not tell its writer.
fn writers(view: &View<'_>) -> BTreeMap<(u64, i64), Writer> {
    let mut writers = BTreeMap::new();
    let mut ambiguous = Vec::new();
    for op in &view.history.ops {
        let Call::Txn(micros) = &op.call else { continue };
        let mut last = BTreeMap::new();
        for micro in micros {
            if let Micro::Write(key, value) = micro {
                last.insert(*key, *value);
            }
        }
        for micro in micros {
            let Micro::Write(key, value) = *micro else { continue };
            let writer = Writer { txn: op.index, last: last[&key] == value, failed: !op.may_have_happened() };
            if writers.insert((key, value), writer).is_some() {
                ambiguous.push((key, value));
            }
        }
    }
    for value in ambiguous {
        writers.remove(&value);
    }
    writers
}

/// The anomalies that were seen, in words, and the edges in which to look for cycles.
#[derive(Default)]
struct Anomalies {
    edges: Vec<Edge>,
    aborted: Vec<String>,
    intermediate: Vec<String>,
    internal: Vec<String>,
    unrepeatable: Vec<String>,
    foreign: Vec<String>,
}

/// What a transaction knows of a key.
#[derive(Clone, Copy)]
enum Known {
    Read(Option<i64>),
    /// The last value that it wrote itself, and the value that it had read before its first write.
    Wrote(i64, Option<i64>),
}

/// Follows a transaction through its reads and writes.
fn follow(op: &Op, asked: &[Micro], answered: &[Micro], writers: &BTreeMap<(u64, i64), Writer>, seen: &mut Anomalies) {
    let txn = op.index;
    let same = |(asked, answered): (&Micro, &Micro)| match (asked, answered) {
        (Micro::Read(a, _), Micro::Read(b, _)) => a == b,
        (Micro::Write(..), Micro::Write(..)) => asked == answered,
        (Micro::Read(..), Micro::Write(..)) | (Micro::Write(..), Micro::Read(..)) => false,
    };
    if asked.len() != answered.len() || !asked.iter().zip(answered).all(same) {
        seen.foreign.push(format!("T{txn}"));
    }
    let mut known: BTreeMap<u64, Known> = BTreeMap::new();
    for micro in answered {
        match (micro, known.get(micro_key(micro)).copied()) {
            (&Micro::Read(key, value), Some(Known::Wrote(own, _))) => {
                if value != Some(own) {
                    seen.internal.push(format!("T{txn} wrote k{key}={own} and then read {}", text(value)));
                }
            }
            (&Micro::Read(key, value), before) => {
                if let Some(Known::Read(before)) = before
                    && before != value
                {
                    seen.unrepeatable.push(format!("T{txn} read k{key} as {} and as {}", text(before), text(value)));
                }
                known.insert(key, Known::Read(value));
                if let Some(value) = value {
                    read(txn, key, value, writers.get(&(key, value)), seen);
                }
            }
            (&Micro::Write(key, value), before) => {
                let base = match before {
                    Some(Known::Read(base) | Known::Wrote(_, base)) => base,
                    None => None,
                };
                known.insert(key, Known::Wrote(value, base));
            }
        }
    }
    for (key, known) in known {
        let Known::Wrote(value, Some(base)) = known else { continue };
        if let Some(writer) = writers.get(&(key, base)).filter(|w| w.last && !w.failed && w.txn != txn) {
            seen.edges.push(Edge { from: writer.txn, to: txn, key, why: Why::WriteWrite(base, value) });
        }
    }
}

fn micro_key(micro: &Micro) -> &u64 {
    match micro {
        Micro::Read(key, _) | Micro::Write(key, _) => key,
    }
}

/// A read of a value that another transaction should have written.
fn read(txn: usize, key: u64, value: i64, writer: Option<&Writer>, seen: &mut Anomalies) {
    // If nobody wrote it, the checker `phantom` finds it.
    let Some(writer) = writer else { return };
    let from = writer.txn;
    if from == txn {
        seen.internal.push(format!("T{txn} read k{key}={value} before it wrote it"));
    } else if writer.failed {
        seen.aborted.push(format!("T{txn} read k{key}={value} of T{from}"));
    } else {
        if !writer.last {
            seen.intermediate.push(format!("T{txn} read k{key}={value} of T{from}"));
        }
        seen.edges.push(Edge { from, to: txn, key, why: Why::WriteRead(value) });
    }
}

fn text(value: Option<i64>) -> String {
    value.map_or("nothing".to_owned(), |value| value.to_string())
}
