//! Rules of a node that show in its messages, with one node, and neighbours that exist only as lines of text. The
//! tests are in the files below `rules`; this file has what they share.
//!
//! Decisions of a scheduler are tested beside the scheduler, and faults that were seen are in `faults.rs`.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "rules/beliefs.rs"]
mod beliefs;
#[path = "rules/counts.rs"]
mod counts;
#[path = "rules/inputs.rs"]
mod inputs;
#[path = "rules/messages.rs"]
mod messages;
mod support;

use std::collections::BTreeSet;

use rumormill_core::storage::{Heap, Limits, Storage as _};
use rumormill_core::{Change, Config, Event, Rejected, Strategy, Value};
use rumormill_sim::Joined as _;
use serde_json::Value as Json;
use support::one::{One, Sent, config, view};

const NOTHING: &str = "00000000000000000000000000000000";
/// How many messages may be sent at once.
const BURST: usize = 6;

/// A node in session 1 that has joined as the first of these ids.
fn joined(strategy: Strategy, ids: &[&str]) -> One {
    let mut one = One::new(config(1, strategy), &[]);
    one.join(ids[0], ids);
    one
}

/// The same, with a limit on messages that is `above_least` bytes above the smallest one.
fn with_small_messages(strategy: Strategy, ids: &[&str], above_least: usize) -> One {
    let limits = Limits { text_bytes: 32, id_bytes: 8, ..Heap::LIMITS };
    let config = config(1, strategy);
    let max_message_bytes = config.min_message_bytes(&limits) + above_least;
    let mut one = One::with_limits(Config { max_message_bytes, ..config }, limits, &[]);
    one.join(ids[0], ids);
    one
}

fn names(count: usize) -> Vec<String> {
    (10..10 + count).map(|at| format!("n{at}")).collect()
}

fn broadcast(one: &mut One, count: i64) {
    (1..=count).for_each(|value| one.update(Change::Broadcast(Value::Int(value * 1_000_003))));
}

fn keys(sent: &[Sent], field: &str) -> BTreeSet<String> {
    let objects = sent.iter().filter_map(|sent| sent.body[field].as_object());
    objects.flat_map(|object| object.keys().cloned()).collect()
}

/// The rows of which the messages have entries.
fn rows_with_data(sent: &[Sent]) -> BTreeSet<String> {
    let chunks = sent.iter().filter_map(|sent| sent.body["data"].as_array()).flatten();
    chunks.map(|chunk| chunk[0].as_str().unwrap().to_owned()).collect()
}

/// The dots of a row that a message covers: those after the first number, up to the second.
fn covered(sent: &Sent, row: &str) -> Vec<(u64, u64)> {
    let dots = |item: &Json| match item.as_array().map(Vec::as_slice) {
        Some([skipped]) => skipped.as_u64().unwrap(),
        _ => 1,
    };
    let chunks = sent.body["data"].as_array().into_iter().flatten().filter(|chunk| chunk[0] == row);
    let ends = |chunk: &Json| {
        let from = chunk[1].as_u64().unwrap();
        (from, from + chunk.as_array().unwrap()[2..].iter().map(dots).sum::<u64>())
    };
    chunks.map(ends).collect()
}
