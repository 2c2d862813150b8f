//! The order of changes: dots, version vectors, digests, hybrid logical clocks.
//!
//! Every local change gets a *dot*: (node, incarnation, sequence number). One node in one life (incarnation) is a
//! *row*; the version vector has one frontier per row. This module never knows what change a dot stands for.

mod clock;
mod digest;
mod entry;
mod rows;

pub use clock::{ClockAhead, HybridClock};
pub use digest::Sum;
pub use entry::{Arg, Entry, Tag};
pub use rows::{Mark, Row, RowId, RowRefused, Rows, WINDOW};

use crate::id::Members;
use crate::storage::{Limits, Storage};

/// The name of a change: the `seq`-th change of a row, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dot {
    /// The node and life that made the change.
    pub row: RowId,
    /// Its number among the changes of that row.
    pub seq: u64,
}

/// Members, version vector and clock: all that a data type may look at when it merges an entry.
#[derive(Clone)]
pub struct Causality<S: Storage> {
    #[doc(hidden)]
    /// The cluster.
    pub members: Members<S>,
    #[doc(hidden)]
    /// The version vector.
    pub rows: Rows<S>,
    #[doc(hidden)]
    /// Stamps for last-writer-wins.
    pub clock: HybridClock,
}

names_itself!(impl[S: Storage] Causality<S>, "Causality");

impl<S: Storage> Causality<S> {
    #[doc(hidden)]
    /// The causality of a node that knows nothing yet. Stamps more than `max_clock_ahead_us` ahead of the wall clock
    /// are refused.
    #[inline(always)]
    #[must_use]
    pub fn new(limits: &Limits, max_clock_ahead_us: u64) -> Self {
        Self {
            members: Members::new(limits.nodes, limits.id_bytes),
            rows: Rows::new(limits.rows),
            clock: HybridClock::new(max_clock_ahead_us),
        }
    }

    /// The row of this name (`n1` or `n1@7`), if there is one. No row is made. O(log members + log rows).
    #[must_use]
    pub fn find_row(&self, name: &str) -> Option<RowId> {
        let (node, incarnation) = self.members.find_row(name)?;
        self.rows.find(node, incarnation)
    }

    /// Node id and incarnation of a row.
    #[must_use]
    pub fn name(&self, row: RowId) -> (&str, u64) {
        let row = self.rows.get(row);
        (self.members.id(row.node), row.incarnation)
    }
}
