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
    /// Whether it holds changes that the sender itself made, or may do so.
    pub has_own: bool,
}

/// Looks into a message from `sender`. `values` says whether the set is of interest.
pub(super) fn look(line: &[u8], sender: &str, values: bool) -> Seen {
    let mut message = Message::new();
    if message.decode(line).is_ok() && message.get(Key::Incarnation).is_some() {
        return match message.get(Key::Data) {
            Some(Token::Array(data)) => ours(data, sender, values),
            _ => Seen::default(),
        };
    }
    let mut seen = Seen { values: Vec::new(), has_own: true };
    if values && let Ok(serde_json::Value::Object(message)) = serde_json::from_slice(line) {
        for (key, value) in message.get("body").and_then(serde_json::Value::as_object).into_iter().flatten() {
            if !["msg_id", "in_reply_to"].contains(&key.as_str()) {
                integers(value, &mut seen.values);
            }
        }
    }
    seen
}

fn ours(data: &str, sender: &str, values: bool) -> Seen {
    let mut seen = Seen::default();
    let mut chunks = Chunks::new(data);
    while let Some(chunk) = chunks.chunk() {
        let row = chunk.row.raw();
        let rest = row.strip_prefix(sender.as_bytes());
        seen.has_own |= rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'@');
        while let Some(item) = chunks.item() {
            if let (true, Item::Int(int)) = (values, item) {
                seen.values.push(int);
            } else if let (true, Item::Entry(raw)) = (values, item)
                && let Some(int) = raw.bare_int()
            {
                seen.values.push(int);
            }
        }
    }
    seen
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
        let line = br#"{"src": "n1", "dest": "n2", "body": {"type": "gossip", "inc": 7, "sum": "0", "digest": {"n1@7": 99}, "data": [["n1@7", 0, 42, "x", [2], 12345678901234], ["n11@7", 5, 43]], "want": 1, "msg_id": 3}}"#;
        assert_eq!(look(line, "n1", true), Seen { values: vec![42, 12_345_678_901_234, 43], has_own: true });
        assert!(!look(line, "n2", true).has_own);
        assert!(look(line, "n11", false).has_own);
        let digest =
            br#"{"src": "n1", "dest": "n2", "body": {"type": "gossip", "inc": 7, "digest": {"n1@7": 9}, "msg_id": 3}}"#;
        assert_eq!(look(digest, "n1", true), Seen::default());
    }

    #[test]
    fn in_foreign_messages_every_integer_may_be_a_value() {
        let line = br#"{"src":"n1","dest":"n2","body":{"type":"share","msg_id":9,"values":[1,{"x":2}],"message":3}}"#;
        assert_eq!(look(line, "n1", true), Seen { values: vec![1, 2, 3], has_own: true });
    }
}
