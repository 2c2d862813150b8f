//! What a simulation sees of a data type inside of the nodes: rules that their state has to keep at every step.

use rumormill_core::storage::Heap;
use rumormill_core::{Member, Value};

use crate::history::History;
use crate::settings::Settings;

/// A look at one data type inside of all nodes of a simulation.
pub(crate) trait Inside {
    /// A node starts a life, with nothing.
    fn start(&mut self, _node: usize) {}

    /// Looks at what a node holds after a step. `history` is what clients have asked by then.
    fn look(&mut self, _node: usize, _member: &Member<Heap>, _settings: &Settings, _history: &History) -> Look {
        Look::default()
    }

    /// Bytes of what a node holds, as it would stand in a message.
    fn bytes(&self, member: &Member<Heap>) -> u64;
}

/// What was seen inside of a node.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// Rules that it broke, in words.
    pub(crate) broken: Vec<String>,
    /// The total of its counter, if that has changed.
    pub(crate) total: Option<i64>,
}

/// Bytes of a value or key in a message.
pub(super) fn bytes(value: Value<'_>) -> u64 {
    match value {
        Value::Int(int) => int.to_string().len() as u64,
        Value::Text(text) => serde_json::Value::from(text).to_string().len() as u64,
    }
}
