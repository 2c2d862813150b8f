//! The data types: broadcast set, PN-counter, last-writer-wins map, and their product.
//!
//! A data type decides how entries merge and how its traffic is paced ([`Lane`]), and nothing else: it knows no peers,
//! rounds or timers. A fourth one is a file beside these and a line in [`Store`]; one of a user is [`Storage::Own`] and needs neither. The
//! laws that every type must keep are in `core/tests/laws.rs`.

mod chain;
mod change;
mod counter;
mod map;
mod product;
mod replica;
mod set;
mod store;

use crate::causality::{Causality, Dot, Entry, RowId, Tag};
use crate::id::Value;
use crate::storage::{Limits, Storage};

pub use chain::{Ends, Link, Linked};
pub use change::{Change, Made};
pub use counter::{Counter, Sign};
pub use map::{LwwMap, Needs};
pub use product::Product;
pub use replica::{Outcome, Replica};
pub use set::BroadcastSet;
pub use store::{Cursor, Store};

/// How the changes of a data type travel when the strategy is `rumor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Pushed at once after a quiet interval, gathered under load, as `gossip`. Every 200 ms by default.
    Push,
    /// On a tick, never in the moment of the change, as `replicate` with the whole vectors of the data type beside the
    /// entries. Every 100 ms by default.
    Tick,
}

impl Lane {
    /// All lanes.
    pub const ALL: [Self; 2] = [Self::Push, Self::Tick];

    /// Index into tables with one entry per lane.
    #[must_use]
    pub const fn at(self) -> usize {
        self as usize
    }

    /// Time between two rounds unless configured otherwise.
    #[must_use]
    pub const fn default_interval_ms(self) -> u32 {
        match self {
            Self::Push => 200,
            Self::Tick => 100,
        }
    }
}

/// A place in the entries of one row, as the data type counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The slot of the entry, or of the run that it is part of.
    pub slot: u32,
    /// Its place in the run; 0 in a data type that keeps no runs.
    pub step: u32,
}

impl At {
    /// The entry in a slot, or the first one of its run.
    #[must_use]
    pub const fn slot(slot: u32) -> Self {
        Self { slot, step: 0 }
    }
}

/// What an applied change did, in the terms of its data type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Applied<'a> {
    /// A value is in the set that was not there before.
    Inserted(Value<'a>),
    /// The counter has another value: this one, all changes so far included.
    Counted(i128),
    /// A key has another value.
    Written {
        /// The key.
        key: Value<'a>,
        /// Its value.
        value: Value<'a>,
    },
    /// A data type of one's own changed: its entry.
    Other(Entry<'a>),
}

/// What merging an entry did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// The state changed and the entry is kept under its dot.
    Applied,
    /// The state included it, or something newer, already; nothing changed.
    Superseded,
}

/// Which table was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The values of the set. For good: the set only grows.
    Values(usize),
    /// The bytes of all strings in the set. For good.
    SetText(usize),
    /// The keys of the store.
    Keys(usize),
    /// The bytes of all strings in the store.
    StoreText(usize),
    /// The members of the cluster.
    Nodes(usize),
    /// The lives of all nodes that are told apart, of which each node is guaranteed a share. For good: rows stay.
    Rows(usize),
    /// A table of a user's data type, and what clients are told, as in `Bound::Own(&"scores full: at most 8 names")`. (The
    /// text is behind one more reference, because a bound is returned with each entry and has to be small.)
    Own(&'static &'static str),
}

impl core::fmt::Display for Bound {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Values(max) => write!(f, "set full for good: it holds at most {max} values and only grows"),
            Self::SetText(max) => {
                write!(f, "set full for good: its strings take at most {max} bytes and it only grows")
            }
            Self::Keys(max) => write!(f, "store full: it holds at most {max} keys"),
            Self::StoreText(max) => write!(f, "store full: its strings take at most {max} bytes"),
            Self::Nodes(max) => write!(f, "node_ids: a cluster has at most {max} nodes"),
            Self::Own(text) => f.write_str(text),
            Self::Rows(max) => write!(
                f,
                "no room for another life of this node: at most {max} lives of all nodes are told apart, and the rest is \
                 reserved for other nodes"
            ),
        }
    }
}

/// Why an entry was not merged. Nothing changed, and its dot must not be marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Weather: a table is full.
    Full(Bound),
    /// Weather or a bug elsewhere: the stamp is too far ahead of the local wall clock. It will fit later.
    ClockAhead,
    /// The counter, or one of its cells, would leave the range of its integers.
    Overflow,
    /// The clock has no later stamp for a local write.
    EndOfTime,
    /// Hostile, a bug, or a newer version: no data type reads this entry.
    Unreadable,
    #[doc(hidden)]
    /// Weather or misconfiguration: the row it names cannot be had.
    Row(crate::causality::RowRefused),
    /// Hostile, a bug, or two processes of one name: it claims for a row that only this memory makes changes in what this
    /// memory has not made.
    Impostor,
}

/// A state that is the join of entries: merging is commutative, associative and idempotent.
///
/// Work per call is O(1) expected, and O(log entries of a row) where an entry is not the last of its row, unless said
/// otherwise.
pub trait Replicated<S: Storage>: Sized {
    /// How its changes travel.
    const LANE: Lane;
    #[doc(hidden)]
    /// Names of the vectors that a [`Lane::Tick`] message carries in full, in the order of the message. Other implementations
    /// read them. A data type of a user has none.
    const VECTORS: &'static [&'static str] = &[];

    /// The empty state, with room as given.
    #[must_use]
    fn new(limits: &Limits) -> Self {
        let mut new = Self::unfilled(limits);
        new.fill(limits, 0);
        new
    }
    /// The empty state, before [`Replicated::fill`].
    #[must_use]
    fn unfilled(limits: &Limits) -> Self;
    /// Fills the tables that are never empty, where the state is to stay. Hash tables use `key`, which peers cannot know.
    /// A type without such tables has nothing to do.
    fn fill(&mut self, limits: &Limits, key: u64) {
        let _ = (limits, key);
    }
    /// Whether entries with this tag are its own.
    fn owns(tag: Tag) -> bool;
    /// Joins an entry into the state, whether its dot is known or not.
    ///
    /// # Errors
    /// Why it cannot be; nothing changed.
    fn merge(&mut self, causality: &mut Causality<S>, dot: Dot, entry: &Entry<'_>) -> Result<Merged, Refused>;
    /// Whether the state includes what an entry of a dot says, so that merging it would change nothing. True for an entry that cannot be
    /// read.
    fn covers(&self, causality: &Causality<S>, dot: Dot, entry: &Entry<'_>) -> bool;
    /// Where the entries of `row` above `after` begin.
    fn seek(&self, row: RowId, after: u64) -> Option<At>;
    /// The entry of the same row with the next higher dot.
    fn next(&self, at: At) -> Option<At>;
    /// The number of an entry within its row.
    fn seq(&self, at: At) -> u64;
    /// The entry in the form in which it travels.
    fn entry<'a>(&'a self, at: At, causality: &'a Causality<S>) -> Entry<'a>;
    /// What an entry of the state did.
    fn applied<'a>(&self, entry: &Entry<'a>) -> Applied<'a> {
        Applied::Other(*entry)
    }
    /// Hash of the state: equal states have equal fingerprints, whatever order they came about in.
    fn fingerprint(&self) -> u64;
    #[doc(hidden)]
    /// The number in one of the [`Replicated::VECTORS`], `None` where it has none.
    fn vector(&self, _which: usize, _row: RowId) -> Option<u64> {
        None
    }
}
