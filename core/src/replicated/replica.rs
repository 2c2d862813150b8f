//! State and version vector together: the one place where an entry is applied and its dot marked, in that order.

use super::{Lane, Merged, Refused, Store};
use crate::causality::{Causality, Dot, Entry, HybridClock, Mark, RowId, RowRefused, Sum};
use crate::storage::{Limits, Storage};

/// What became of an entry from a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Applied: it is news.
    News,
    /// Its dot is marked now, but the state did not change.
    Covered,
    /// Known already.
    Known,
    /// Not merged and not marked; the peer will offer it again.
    Refused(Refused),
    /// Not marked: too far beyond the frontier of its row. It was merged all the same, which does no harm and lets a data
    /// type go on while entries of another one in the same row are refused.
    TooFarAhead {
        /// Whether the state changed.
        news: bool,
    },
    /// Not merged: it claims to be a change of this very life of this node, which only this node can make.
    Impostor,
}

/// A node's replica of everything.
#[derive(Clone)]
pub struct Replica<S: Storage> {
    /// Members, version vector, clock.
    pub causality: Causality<S>,
    /// The state of all data types.
    pub store: Store<S>,
    /// This node in this life; set when the cluster is known.
    own: Option<RowId>,
}

impl<S: Storage> Replica<S> {
    /// An empty replica.
    #[must_use]
    pub fn new(limits: &Limits, max_clock_ahead_us: u64) -> Self {
        let mut new = Self::unfilled(limits);
        new.causality.clock = HybridClock::new(max_clock_ahead_us);
        new.store.fill(limits);
        new
    }

    /// An empty replica, before the store is filled.
    #[inline(always)]
    #[must_use]
    pub fn unfilled(limits: &Limits) -> Self {
        Self { causality: Causality::new(limits, 0), store: Store::unfilled(limits), own: None }
    }

    /// Begins this life. Called once, when the members are set.
    ///
    /// # Errors
    /// No room for a row, which an empty table has.
    pub fn begin(&mut self, incarnation: u64) -> Result<(), RowRefused> {
        let Causality { members, rows, .. } = &mut self.causality;
        let me = members.me();
        rows.set_nodes(members.len());
        self.own = Some(rows.find_or_add(me, incarnation, members.id(me))?);
        Ok(())
    }

    /// This node's row, once the cluster is known.
    #[must_use]
    pub fn own_row(&self) -> Option<RowId> {
        self.own
    }

    /// How many changes this node has made in this life.
    #[must_use]
    pub fn own_seq(&self) -> u64 {
        self.own.map_or(0, |own| self.causality.rows.get(own).frontier)
    }

    /// A local change: mints this node's next dot for it. `None` when the state included it already; then no dot is
    /// used up. This is the only place where a dot is made.
    ///
    /// # Errors
    /// Why the change cannot be made; nothing changed and no dot is used up.
    // Where the tag is known, most of this is.
    #[inline(always)]
    pub fn update(&mut self, entry: &Entry<'_>) -> Result<Option<Dot>, Refused> {
        let Some(row) = self.own else {
            return Err(Refused::Row(RowRefused::Stranger));
        };
        let dot = Dot { row, seq: self.causality.rows.get(row).frontier + 1 };
        match self.store.merge(&mut self.causality, dot, entry)? {
            Merged::Applied => {
                self.causality.rows.mark(dot);
                Ok(Some(dot))
            }
            Merged::Superseded => Ok(None),
        }
    }

    /// An entry from a peer. Joins it into the state and marks its dot, if both are possible.
    pub fn merge(&mut self, dot: Dot, entry: &Entry<'_>) -> Outcome {
        if self.own == Some(dot.row) {
            let own = self.own_seq();
            return if dot.seq <= own { Outcome::Known } else { Outcome::Impostor };
        }
        let has_room = self.causality.rows.has_room_for(dot);
        let merged = self.store.merge(&mut self.causality, dot, entry);
        if !has_room {
            return Outcome::TooFarAhead { news: merged == Ok(Merged::Applied) };
        }
        match merged {
            Ok(Merged::Applied) => {
                self.causality.rows.mark(dot);
                Outcome::News
            }
            Ok(Merged::Superseded) => match self.causality.rows.mark(dot) {
                Mark::New => Outcome::Covered,
                Mark::Known => Outcome::Known,
            },
            Err(refused) => Outcome::Refused(refused),
        }
    }

    /// A peer says that the dots of `(from, to]` were superseded.
    pub fn skip(&mut self, row: RowId, from: u64, to: u64) -> Outcome {
        if self.own == Some(row) {
            return if to <= self.own_seq() { Outcome::Known } else { Outcome::Impostor };
        }
        match self.causality.rows.mark_range(row, from, to) {
            Mark::New => Outcome::Covered,
            Mark::Known => Outcome::Known,
        }
    }

    /// The digest in short.
    #[must_use]
    pub fn sum(&self) -> Sum {
        Sum { vector: self.causality.rows.vector_hash(), state: self.store.fingerprint() }
    }

    /// The lane of an entry's data type.
    #[must_use]
    pub fn lane(entry: &Entry<'_>) -> Option<Lane> {
        Store::<S>::lane(entry.tag)
    }
}
