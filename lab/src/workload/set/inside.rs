//! The rule for the set inside of a node: it only grows, and holds no value that nobody added.

use std::collections::HashSet;

use rumormill_core::storage::Heap;
use rumormill_core::{Member, Value};

use crate::history::{Call, History};
use crate::settings::{Settings, value_of};
use crate::workload::inside::{self, Inside, Look};

/// The sizes of all sets, and the values that clients added.
#[derive(Debug)]
pub(crate) struct Grows {
    /// The number of values that each node held after its last step.
    held: Vec<usize>,
    /// The values that clients asked to add in the first `read` operations.
    added: HashSet<i64>,
    read: usize,
}

impl Grows {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { held: vec![0; nodes], added: HashSet::new(), read: 0 }
    }
}

impl Inside for Grows {
    fn start(&mut self, node: usize) {
        self.held[node] = 0;
    }

    fn look(&mut self, node: usize, member: &Member<Heap>, settings: &Settings, history: &History) -> Look {
        let set = &member.store().set;
        let new = &history.ops[self.read..];
        self.added.extend(new.iter().filter_map(|op| if let Call::Add(value) = op.call { Some(value) } else { None }));
        self.read = history.ops.len();
        let held = std::mem::replace(&mut self.held[node], set.len());
        let mut look = Look::default();
        if set.len() < held {
            look.broken.push(format!("the set shrank from {held} to {} values", set.len()));
        }
        let was_added = |value: i64, is_text: bool| {
            settings.values.is_text(value) == is_text && (self.added.contains(&value) || settings.is_preloaded(value))
        };
        for value in set.values().skip(held) {
            let is_ours = match value {
                Value::Int(int) => was_added(int, false),
                Value::Text(text) => value_of(text).is_some_and(|int| was_added(int, true)),
            };
            if !is_ours {
                look.broken.push(format!("the set holds {value:?}, which nobody added"));
            }
        }
        look
    }

    fn bytes(&self, member: &Member<Heap>) -> u64 {
        member.store().set.values().map(|value| inside::bytes(value) + 2).sum()
    }
}
