//! What a message between nodes carries, as far as it can be seen from outside.
//!
//! Our own messages are read entry by entry. In any other, every integer of the body counts as a value that may be in it,
//! `msg_id` and `in_reply_to` left out; of these, only values that some client added matter.

use rumormill_core::wire::{Chunks, Item, Key, Message, Token};

/// What was seen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Values of the set.
    pub values: Vec<i64>,
    /// Whose changes it carries.
    pub rows: Rows,
    /// The sender's life, as it calls it.
    pub incarnation: Option<u64>,
}

/// Whose changes a message carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// Those of these nodes in these lives.
    Named(Vec<(usize, u64)>),
    /// It cannot be seen, so perhaps all that the sender knows.
    Unknown,
}

impl Default for Rows {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

/// Looks into a message. `values` says whether the set is of interest.
pub(super) fn look(line: &[u8], values: bool) -> Seen {
    let mut message = Message::new();
    if message.decode(line).is_ok()
        && let Some(Token::Int(incarnation)) = message.get(Key::Incarnation)
    {
        let incarnation = u64::try_from(incarnation).ok();
        return match message.get(Key::Data) {
            Some(Token::Array(data)) => Seen { incarnation, ..ours(data, values) },
            _ => Seen { incarnation, ..Seen::default() },
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

fn ours(data: &str, values: bool) -> Seen {
    let mut seen = Seen::default();
    let mut rows = Vec::new();
    let mut chunks = Chunks::new(data);
    while let Some(chunk) = chunks.chunk() {
        rows.extend(row(chunk.row.raw()));
        while let Some(item) = chunks.item() {
            match item {
                Item::Int(int) if values => seen.values.push(int),
                Item::Entry(raw) if values => seen.values.extend(raw.bare_int()),
                Item::Int(_) | Item::Entry(_) | Item::Skip(_) => {}
            }
        }
    }
    seen.rows = Rows::Named(rows);
    seen
}

/// `n1@7` is node 1 in life 7, `n1` in life 0.
fn row(name: &[u8]) -> Option<(usize, u64)> {
    let name = std::str::from_utf8(name).ok()?;
    let (id, incarnation) = name.split_once('@').unwrap_or((name, "0"));
    Some((id.strip_prefix('n')?.parse().ok()?, incarnation.parse().ok()?))
}

/// Depth is bounded by serde_json.
fn integers(value: &serde_json::Value, found: &mut Vec<i64>) {
    match value {
        serde_json::Value::Number(number) => found.extend(number.as_i64()),
        serde_json::Value::Array(items) => items.iter().for_each(|item| integers(item, found)),
        serde_json::Value::Object(fields) => fields.values().for_each(|item| integers(item, found)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_messages_are_read_entry_by_entry() {
        let line = br#"{"src": "n1", "dest": "n2", "body": {"type": "gossip", "inc": 7, "sum": "0", "digest": {"n1@7": 99}, "data": [["n1@7", 0, 42, "x", [2], 12345678901234], ["n11", 5, 43]], "want": 1, "msg_id": 3}}"#;
        let rows = || Rows::Named(vec![(1, 7), (11, 0)]);
        let values = vec![42, 12_345_678_901_234, 43];
        assert_eq!(look(line, true), Seen { values, rows: rows(), incarnation: Some(7) });
        assert_eq!(look(line, false), Seen { values: vec![], rows: rows(), incarnation: Some(7) });
        let digest =
            br#"{"src": "n1", "dest": "n2", "body": {"type": "gossip", "inc": 7, "digest": {"n1@7": 9}, "msg_id": 3}}"#;
        assert_eq!(look(digest, true), Seen { incarnation: Some(7), ..Seen::default() });
    }

    #[test]
    fn in_foreign_messages_every_integer_may_be_a_value() {
        let line = br#"{"src":"n1","dest":"n2","body":{"type":"share","msg_id":9,"values":[1,{"x":2}],"message":3}}"#;
        assert_eq!(look(line, true), Seen { values: vec![1, 2, 3], rows: Rows::Unknown, incarnation: None });
    }
}
