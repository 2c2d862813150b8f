//! What clients write in an exploration, and what a node holds of it. No other file of the exploration knows a data type.

use rumormill_core::causality::RowId;
use rumormill_core::data_type::Application;
use rumormill_core::replicated::Sign;
use rumormill_core::{Node, Store, Value};

use super::observe;

/// The key that clients write to.
const KEY: &str = "k";

/// A data type that clients write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Kind {
    /// `broadcast`: the set.
    Set,
    /// `add`: the counter.
    Counter,
    /// `write`: the store, always the same key.
    Store,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Set, Self::Counter, Self::Store];

    /// The name in trails and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Counter => "counter",
            Self::Store => "store",
        }
    }

    /// The body of a request that writes this number, without braces and `msg_id`.
    pub(super) fn request(self, number: u64) -> String {
        match self {
            Self::Set => format!("\"type\":\"broadcast\",\"message\":{number}"),
            Self::Counter => format!("\"type\":\"add\",\"delta\":{number}"),
            Self::Store => format!("\"type\":\"write\",\"key\":\"{KEY}\",\"value\":{number}"),
        }
    }

    /// Whether a node that holds a write holds it for good. In the store a later write takes the place of an earlier one.
    pub(super) fn is_lasting(self) -> bool {
        match self {
            Self::Set | Self::Counter => true,
            Self::Store => false,
        }
    }
}

/// A write that a client made.
#[derive(Clone, Copy)]
pub(super) struct Write {
    pub(super) kind: Kind,
    pub(super) node: usize,
    pub(super) life: u64,
    pub(super) seq: u64,
    /// The number that was written. For the counter it is what the cell has held since then.
    pub(super) number: u64,
    /// The stamp of a write of the store; 0 for the other kinds.
    pub(super) stamp_us: u64,
}

/// What a node holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// The values of the set.
    values: Vec<u64>,
    /// The increments of the counter: node, life, number.
    cells: Vec<(usize, u64, u64)>,
    /// The value of the key, and its stamp.
    stored: Option<(u64, u64)>,
    /// Something that no client can have written, in words.
    strange: Option<String>,
}

impl Contents {
    pub(super) fn of<S: Application>(node: &Node<S>) -> Self {
        // All data types are named here, so a new one does not compile without its part of the contents.
        let Store { set, counter, map, own: _ } = observe::member(node).store();
        let rows = &observe::member(node).replica().causality.rows;
        let mut contents = Self::default();
        for value in set.values() {
            match value {
                Value::Int(value) if value > 0 => contents.values.push(value.unsigned_abs()),
                Value::Int(_) | Value::Text(_) => contents.strange = Some(format!("{value:?} in the set")),
            }
        }
        contents.values.sort_unstable();
        let mut total = 0;
        for (id, row) in (0..rows.len() as u32).map(RowId).map(|id| (id, rows.get(id))) {
            let number = counter.cell(id, Sign::P);
            if number > 0 {
                contents.cells.push((row.node.at(), row.incarnation, number));
                total += i128::from(number);
            }
        }
        contents.cells.sort_unstable();
        if counter.value() != total {
            contents.strange = Some(format!("a counter of {}", counter.value()));
        }
        for (key, value, stamp_us) in map.iter() {
            match (key, value) {
                (Value::Text(KEY), Value::Int(value)) if value > 0 => {
                    contents.stored = Some((value.unsigned_abs(), stamp_us));
                }
                (Value::Text(_) | Value::Int(_), _) => contents.strange = Some(format!("{value:?} under {key:?}")),
            }
        }
        contents
    }

    /// What the cell of this node and life holds before a write of the counter; 0 for the other kinds.
    pub(super) fn counted_before(&self, kind: Kind, node: usize, life: u64) -> u64 {
        match kind {
            Kind::Counter => self.cell(node, life).unwrap_or(0),
            Kind::Set | Kind::Store => 0,
        }
    }

    /// The stamp that a write of the store has just got; 0 for the other kinds.
    pub(super) fn stamp_us(&self, kind: Kind) -> u64 {
        match kind {
            Kind::Store => self.stored.map_or(0, |(_, stamp_us)| stamp_us),
            Kind::Set | Kind::Counter => 0,
        }
    }

    /// Whether a write is held. A cell of the counter also holds all earlier writes of the same cell.
    pub(super) fn holds(&self, write: &Write) -> bool {
        match write.kind {
            Kind::Set => self.values.contains(&write.number),
            Kind::Counter => self.cell(write.node, write.life).is_some_and(|number| number >= write.number),
            Kind::Store => self.stored.is_some_and(|(number, _)| number == write.number),
        }
    }

    /// Whether a write that is not held may be missing, because a later one has taken its place.
    pub(super) fn supersedes(&self, write: &Write) -> bool {
        !write.kind.is_lasting() && write.stamp_us <= self.stamp_us(write.kind)
    }

    /// Whether the key had a value before and has none now.
    pub(super) fn has_lost_the_key(&self, before: &Self) -> bool {
        before.stored.is_some() && self.stored.is_none()
    }

    /// Something that is held and that nobody wrote, in words.
    pub(super) fn invented(&self, writes: &[Write]) -> Option<String> {
        let Self { values, cells, stored, strange } = self;
        let is_written =
            |kind: Kind, number: u64| writes.iter().any(|write| (write.kind, write.number) == (kind, number));
        let is_counted = |cell: &(usize, u64, u64)| {
            writes.iter().any(|write| write.kind == Kind::Counter && (write.node, write.life, write.number) == *cell)
        };
        match () {
            () if strange.is_some() => strange.clone(),
            () if values.iter().any(|value| !is_written(Kind::Set, *value)) => Some(format!("{values:?} in the set")),
            () if !cells.iter().all(is_counted) => Some(format!("{cells:?} in the cells of the counter")),
            () if stored.is_some_and(|(value, _)| !is_written(Kind::Store, value)) => {
                Some(format!("{stored:?} in the store"))
            }
            () => None,
        }
    }

    fn cell(&self, node: usize, life: u64) -> Option<u64> {
        self.cells.iter().find(|cell| (cell.0, cell.1) == (node, life)).map(|cell| cell.2)
    }
}
