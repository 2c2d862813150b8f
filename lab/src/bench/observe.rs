//! What a message between nodes carries, as far as it can be seen from outside.
//!
//! Messages of our own nodes are read entry by entry. In any other message, every integer of the body counts as a
//! value, except for `msg_id` and `in_reply_to`. Only values that some client added matter later.

use rumormill_core::causality::{Arg, Tag};
use rumormill_core::wire::{Chunks, Item, Key, Message, Pairs, RawEntry, Scratch, Token};

use crate::settings::value_of;

use super::id::number;

/// What was seen in a message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Values of the set.
    pub values: Vec<i64>,
    /// The changes that it carries, by the node that made them.
    pub rows: Rows,
    /// The life of the sender, as the sender calls it.
    pub incarnation: Option<u64>,
    /// How many changes the sender has made in this life, as its digest says.
    pub own_seq: Option<u64>,
}

/// The changes that a message carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// These stretches.
    Named(Vec<Stretch>),
    /// The changes cannot be seen. They may be all that the sender knows.
    Unknown,
}

/// The changes after `from` and up to `to` that a node made in one of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub node: usize,
    pub incarnation: u64,
    pub from: u64,
    pub to: u64,
    /// The last of these changes that the message has itself, or `from` if it has none. The changes after it were
    /// superseded. What superseded them may come in another message, or never.
    pub shown: u64,
}

impl Default for Rows {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

/// Looks into a message. `values` says whether values are followed.
pub(super) fn look(line: &[u8], values: bool) -> Seen {
    let mut message = Message::new();
    if message.decode(line).is_ok()
        && let Some(Token::Int(incarnation)) = message.get(Key::Incarnation)
    {
        let incarnation = u64::try_from(incarnation).ok();
        let own_seq = own_seq(&message, incarnation);
        return match message.get(Key::Data) {
            Some(Token::Array(data)) => Seen { incarnation, own_seq, ..ours(data, values) },
            _ => Seen { incarnation, own_seq, ..Seen::default() },
        };
    }
    let mut seen = Seen { rows: Rows::Unknown, ..Seen::default() };
    if values && let Ok(serde_json::Value::Object(message)) = serde_json::from_slice(line) {
        for (key, value) in message.get("body").and_then(serde_json::Value::as_object).into_iter().flatten() {
            if !["msg_id", "in_reply_to"].contains(&key.as_str()) {
                integers(value, &mut seen.values);
            }
        }
    }
    seen
}

fn own_seq(message: &Message<'_>, incarnation: Option<u64>) -> Option<u64> {
    let own = (number(std::str::from_utf8(message.src?.raw()).ok()?, 'n')?, incarnation?);
    let Some(Token::Object(digest)) = message.get(Key::Digest) else { return None };
    Pairs::new(digest).find(|(name, _)| row(name.raw()) == Some(own)).and_then(|(_, frontier)| match frontier {
        Token::Int(frontier) => u64::try_from(frontier).ok(),
        _ => None,
    })
}

fn ours(data: &str, values: bool) -> Seen {
    let mut seen = Seen::default();
    let mut rows = Vec::new();
    let mut chunks = Chunks::new(data);
    let mut scratch = Scratch::default();
    while let Some(chunk) = chunks.chunk() {
        let (mut to, mut shown) = (chunk.from, chunk.from);
        while let Some(item) = chunks.item() {
            if let Item::Skip(count) = item {
                to += count;
            } else {
                to += 1;
                shown = to;
            }
            match item {
                Item::Int(int) if values => seen.values.push(int),
                Item::Entry(raw) if values => seen.values.extend(value(&raw, &mut scratch)),
                Item::Int(_) | Item::Entry(_) | Item::Skip(_) => {}
            }
        }
        if let Some((node, incarnation)) = row(chunk.row.raw()) {
            rows.push(Stretch { node, incarnation, from: chunk.from, to, shown });
        }
    }
    seen.rows = Rows::Named(rows);
    seen
}

/// The value in an entry of the set, if it is an integer or a text of the lab.
fn value(raw: &RawEntry<'_>, scratch: &mut Scratch) -> Option<i64> {
    raw.bare_int().or_else(|| match raw.resolve(scratch)? {
        entry if entry.tag == Tag::BARE => match entry.args() {
            [Arg::Text(text)] => value_of(text),
            _ => None,
        },
        _ => None,
    })
}

/// The node and life of a name: `n1@7` is node 1 in life 7, and `n1` is node 1 in life 0.
fn row(name: &[u8]) -> Option<(usize, u64)> {
    let name = std::str::from_utf8(name).ok()?;
    let (id, incarnation) = name.split_once('@').unwrap_or((name, "0"));
    Some((number(id, 'n')?, incarnation.parse().ok()?))
}

/// Collects all integers in a value. The depth of recursion is bounded by serde_json.
fn integers(value: &serde_json::Value, found: &mut Vec<i64>) {
    match value {
        serde_json::Value::Number(number) => found.extend(number.as_i64()),
        serde_json::Value::Array(items) => items.iter().for_each(|item| integers(item, found)),
        serde_json::Value::Object(fields) => fields.values().for_each(|item| integers(item, found)),
        serde_json::Value::String(text) => found.extend(value_of(text)),
        serde_json::Value::Null | serde_json::Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_messages_are_read_entry_by_entry() {
        let line = br#"{"src": "n1", "dest": "n2", "body": {"type": "gossip", "inc": 7, "sum": "0", "digest": {"n1@7": 99}, "data": [["n1@7", 0, 42, "x", [2], 12345678901234], ["n11", 5, 43, [2]]], "want": 1, "msg_id": 3}}"#;
        let first = Stretch { node: 1, incarnation: 7, from: 0, to: 5, shown: 5 };
        let second = Stretch { node: 11, incarnation: 0, from: 5, to: 8, shown: 6 };
        let rows = || Rows::Named(vec![first, second]);
        let values = vec![42, 12_345_678_901_234, 43];
        assert_eq!(look(line, true), Seen { values, rows: rows(), incarnation: Some(7), own_seq: Some(99) });
        assert_eq!(look(line, false), Seen { values: vec![], rows: rows(), incarnation: Some(7), own_seq: Some(99) });
        let digest =
            br#"{"src": "n1", "dest": "n2", "body": {"type": "gossip", "inc": 7, "digest": {"n1@7": 9}, "msg_id": 3}}"#;
        assert_eq!(look(digest, true), Seen { incarnation: Some(7), own_seq: Some(9), ..Seen::default() });
    }

    #[test]
    fn in_foreign_messages_every_integer_may_be_a_value() {
        let line = br#"{"src":"n1","dest":"n2","body":{"type":"share","msg_id":9,"values":[1,{"x":2}],"message":3}}"#;
        assert_eq!(look(line, true), Seen { values: vec![1, 2, 3], rows: Rows::Unknown, ..Seen::default() });
    }
}
