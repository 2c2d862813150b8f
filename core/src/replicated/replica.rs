//! State and version vector together: the one place where an entry is applied and its dot marked, in that order.

use super::{Bound, Lane, Merged, Product, Refused, Store};
use crate::causality::{Causality, Dot, Entry, HybridClock, Mark, RowId, RowRefused, Sum};
use crate::id::NodeIndex;
use crate::storage::Limits;

/// What became of an entry, or of a skip, from a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An entry that was applied. The state changed, and its dot is marked.
    News,
    /// Dots are marked that were not before, and the state did not change: an entry that is superseded already, or a skip.
    Covered,
    /// Known already: neither state nor vector changed.
    Known,
    /// Not merged and not marked; the peer will offer it again.
    Refused(Refused),
    /// Not marked: too far beyond the frontier of its row. An entry was merged all the same, which does no harm and lets a
    /// data type go on while entries of another one in the same row are refused.
    TooFarAhead {
        /// Whether the state changed.
        news: bool,
    },
    /// Not merged and not marked: it claims for a row that only this memory makes changes in what this memory has not made: a further change,
    /// or another one under a dot that is used.
    Impostor,
    /// A skip beyond what the row's author is known to have made. The part up to there counts, the rest does not.
    SkipTooFar {
        /// Whether dots are marked that were not before.
        marked: bool,
    },
}

impl Outcome {
    /// Whether state or vector changed, which is news to others.
    #[must_use]
    pub const fn is_news(self) -> bool {
        match self {
            Self::News | Self::Covered | Self::TooFarAhead { news: true } | Self::SkipTooFar { marked: true } => true,
            Self::Known
            | Self::Refused(_)
            | Self::TooFarAhead { news: false }
            | Self::Impostor
            | Self::SkipTooFar { marked: false } => false,
        }
    }
}

impl Outcome {
    /// Whether the state includes what the entry says.
    #[must_use]
    pub const fn is_included(self) -> bool {
        match self {
            Self::News | Self::Covered | Self::Known | Self::TooFarAhead { .. } => true,
            Self::Refused(_) | Self::Impostor | Self::SkipTooFar { .. } => false,
        }
    }
}

/// A node's replica of everything.
#[derive(Clone)]
pub struct Replica<S: Product> {
    /// Members, version vector, clock.
    pub causality: Causality<S>,
    /// The state of all data types.
    pub store: Store<S>,
    /// This node in this life; set when the cluster is known.
    own: Option<RowId>,
    /// The row of the next change: none while changes are refused.
    open: Option<RowId>,
}

names_itself!(impl[S: Product] Replica<S>, "Replica");

impl<S: Product> Replica<S> {
    /// An empty replica.
    #[must_use]
    pub fn new(limits: &Limits, max_clock_ahead_us: u64) -> Self {
        let mut new = Self::unfilled(limits);
        new.causality.clock = HybridClock::new(max_clock_ahead_us);
        new.store.fill(limits, 0);
        new
    }

    /// An empty replica, before the store is filled.
    #[inline(always)]
    #[must_use]
    pub fn unfilled(limits: &Limits) -> Self {
        Self { causality: Causality::new(limits, 0), store: Store::unfilled(limits), own: None, open: None }
    }

    /// Begins this life. Called once, when the members are set.
    ///
    /// # Errors
    /// No room for a row, which an empty table has.
    pub fn begin(&mut self, incarnation: u64) -> Result<(), RowRefused> {
        let Causality { members, rows, .. } = &mut self.causality;
        let me = members.me();
        rows.set_nodes(members.len());
        let own = rows.find_or_add(me, incarnation, members.id(me))?;
        rows.make_immune(own);
        (self.own, self.open) = (Some(own), Some(own));
        Ok(())
    }

    /// From now on this node makes its changes in another life, which must be higher than all that are known of it. The
    /// rows of its lives before stay immune until they are given up, see [`Rows::give_up`](crate::causality::Rows::give_up).
    ///
    /// # Errors
    /// No room in the pool, or a life that is known already or is not the highest; nothing changed.
    pub fn take_life(&mut self, life: u64) -> Result<RowId, RowRefused> {
        let Causality { members, rows, .. } = &mut self.causality;
        let me = members.me();
        if rows.newest_of(me).is_some_and(|newest| rows.get(newest).incarnation >= life) {
            return Err(RowRefused::Taken);
        }
        let own = rows.find_or_add(me, life, members.id(me))?;
        rows.make_immune(own);
        (self.own, self.open) = (Some(own), Some(own));
        Ok(own)
    }

    /// The row in which entries of a message are to be merged. When it is new it takes nothing from the pool unless one of
    /// them is applied: [`Replica::close`] says. One row is open at a time.
    ///
    /// # Errors
    /// No such member, or no room in the pool; nothing changed.
    pub fn open(&mut self, node: NodeIndex, life: u64) -> Result<RowId, RowRefused> {
        let Causality { members, rows, .. } = &mut self.causality;
        rows.open(node, life, members.id(node))
    }

    /// The entries for an open row were merged. Gives the row, or `None` when it was new and nothing in it was applied: then
    /// it is no longer there.
    pub fn close(&mut self, row: RowId) -> Option<RowId> {
        let rows = &mut self.causality.rows;
        let used = rows.is_provisional(row) && !self.store.seek(row, 0).is_at_end();
        rows.close(row, used)
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
    // In place: where the compiler knows the tag, it leaves only the call of one data type.
    #[inline(always)]
    pub fn update(&mut self, entry: &Entry<'_>) -> Result<Option<Dot>, Refused> {
        let Some(row) = self.open else {
            return Err(self.why_closed());
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

    /// Takes note whether a peer has no room for this node's row: then changes are refused, because nobody would take them.
    pub fn over_bound(&mut self, over: bool) {
        self.open = self.own.filter(|_| !over);
    }

    #[cold]
    fn why_closed(&self) -> Refused {
        match self.own {
            Some(_) => Refused::Full(Bound::Rows(self.causality.rows.limit())),
            None => Refused::Row(RowRefused::Stranger),
        }
    }

    /// An entry from a peer. Joins it into the state and marks its dot, if both are possible.
    pub fn merge(&mut self, dot: Dot, entry: &Entry<'_>) -> Outcome {
        let row = self.causality.rows.get(dot.row);
        if self.causality.rows.is_immune(dot.row) {
            // What this memory made it still holds, or something newer. Anything else was made by somebody else.
            let is_own = dot.seq <= row.frontier && self.store.covers(&self.causality, dot, entry);
            return if is_own { Outcome::Known } else { Outcome::Impostor };
        }
        let has_room = self.causality.rows.has_room_for(dot);
        match self.store.merge(&mut self.causality, dot, entry) {
            Ok(merged) if !has_room => Outcome::TooFarAhead { news: merged == Merged::Applied },
            Ok(Merged::Applied) => {
                self.causality.rows.mark(dot);
                Outcome::News
            }
            Ok(Merged::Superseded) => match self.causality.rows.mark(dot) {
                Mark::New => Outcome::Covered,
                Mark::Known => Outcome::Known,
            },
            Err(Refused::Impostor) => Outcome::Impostor,
            Err(refused) => Outcome::Refused(refused),
        }
    }

    /// A peer says that the dots of `(from, to]` were superseded. It is believed up to `bound`, the last dot that the row's
    /// author is known to have made. O(1).
    pub fn skip(&mut self, row: RowId, from: u64, to: u64, bound: u64) -> Outcome {
        let before = *self.causality.rows.get(row);
        if to <= before.frontier {
            return Outcome::Known;
        }
        if self.causality.rows.is_immune(row) {
            return Outcome::Impostor;
        }
        let marked = self.causality.rows.mark_range(row, from, to.min(bound)) == Mark::New;
        if to > bound {
            Outcome::SkipTooFar { marked }
        } else if marked {
            Outcome::Covered
        } else if self.causality.rows.has_room_for(Dot { row, seq: to }) {
            Outcome::Known
        } else {
            Outcome::TooFarAhead { news: false }
        }
    }

    /// The digest in short.
    #[must_use]
    pub fn sum(&self) -> Sum {
        Sum { vector: self.causality.rows.vector_hash(), state: self.store.fingerprint() }
    }

    /// The lane of an entry that was merged.
    #[must_use]
    #[inline]
    pub fn lane(entry: &Entry<'_>) -> Lane {
        let lane = Store::<S>::lane(entry.tag);
        debug_assert!(lane.is_some(), "an entry that was merged belongs to a data type");
        lane.unwrap_or(Lane::Push)
    }
}
