//! What a simulation checks inside of the nodes at every step. Only a simulation can look there.

use rumormill_core::storage::Heap;
use rumormill_core::{Member, Value};

use crate::history::History;
use crate::settings::Settings;

/// The rules of one data type for the state inside of a node, and what they need to remember of all nodes.
pub(crate) trait Inside {
    /// A node starts a new life with an empty memory.
    fn start(&mut self, _node: usize) {}

    /// Looks at what a node holds after a step. `history` has everything that clients have asked by then.
    fn look(&mut self, _node: usize, _member: &Member<Heap>, _settings: &Settings, _history: &History) -> Look {
        Look::default()
    }

    /// The size of what a node holds, in bytes of a message.
    fn bytes(&self, member: &Member<Heap>) -> u64;
}

/// What was seen inside of a node.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// The rules that the node broke, in words.
    pub(crate) broken: Vec<String>,
    /// The total of the node's counter, if it has changed.
    pub(crate) total: Option<i64>,
}

/// The size of a value or key, in bytes of a message.
pub(super) fn bytes(value: Value<'_>) -> u64 {
    match value {
        Value::Int(int) => int.to_string().len() as u64,
        Value::Text(text) => serde_json::Value::from(text).to_string().len() as u64,
    }
}
