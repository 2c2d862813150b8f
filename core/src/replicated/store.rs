//! The product of all data types: one state, one version vector, one stream of dots.

use super::{Applied, At, BroadcastSet, Counter, Lane, LwwMap, Merged, Product, Refused, Replicated};
use crate::causality::{Causality, Dot, Entry, RowId, Tag};
use crate::storage::Limits;

/// A place in the entries of one row, over all data types.
#[derive(Clone, Copy, Debug)]
pub struct Cursor([Option<At>; TYPES]);

impl Cursor {
    /// Whether no entry follows.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

/// Makes the product of the data types, in the order of their dots. A further data type is a further line below.
macro_rules! product {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $at:literal,)+) => {
        const TYPES: usize = [$($at),+].len();

        /// The state of a node: all data types side by side.
        #[derive(Clone, Debug)]
        pub struct Store<S: Product> {
            $($(#[$doc])* pub $name: $type,)+
        }

        impl<S: Product> Store<S> {
            #[doc(hidden)]
            /// The empty state, before [`Store::fill`].
            #[must_use]
            #[inline(always)]
            pub fn unfilled(limits: &Limits) -> Self {
                Self { $($name: <$type as Replicated<S>>::unfilled(limits),)+ }
            }

            #[doc(hidden)]
            /// Fills the tables that are never empty, where the state is to stay.
            ///
            /// The key of the hash tables is one that peers cannot know.
            pub fn fill(&mut self, limits: &Limits, key: u64) {
                $(self.$name.fill(limits, key);)+
            }

            #[doc(hidden)]
            /// How changes of this tag travel; `None` when no data type owns it.
            #[must_use]
            #[inline]
            pub fn lane(tag: Tag) -> Option<Lane> {
                $(if <$type as Replicated<S>>::owns(tag) { return Some(<$type as Replicated<S>>::LANE); })+
                None
            }

            #[doc(hidden)]
            /// Joins an entry into the data type that owns its tag.
            ///
            /// # Errors
            /// As [`Replicated::merge`].
            // In place: where the compiler knows the tag, it leaves only the call of one data type.
            #[inline(always)]
            pub fn merge(&mut self, causality: &mut Causality<S>, dot: Dot, entry: &Entry<'_>) -> Result<Merged, Refused> {
                $(if <$type as Replicated<S>>::owns(entry.tag) { return self.$name.merge(causality, dot, entry); })+
                Err(Refused::Unreadable)
            }

            #[doc(hidden)]
            /// Whether the state includes what an entry of a dot says: see [`Replicated::covers`].
            #[must_use]
            pub fn covers(&self, causality: &Causality<S>, dot: Dot, entry: &Entry<'_>) -> bool {
                $(if <$type as Replicated<S>>::owns(entry.tag) { return self.$name.covers(causality, dot, entry); })+
                true
            }

            #[doc(hidden)]
            /// Where the entries of `row` above `after` begin.
            #[must_use]
            pub fn seek(&self, row: RowId, after: u64) -> Cursor {
                Cursor([$(self.$name.seek(row, after)),+])
            }

            #[doc(hidden)]
            /// The entry at the cursor, and the cursor moved past it.
            pub fn next<'a>(&'a self, cursor: &mut Cursor, causality: &'a Causality<S>) -> Option<(u64, Entry<'a>)> {
                let seqs = [$(cursor.0[$at].map(|at| self.$name.seq(at))),+];
                let first = seqs.into_iter().flatten().min()?;
                $(if seqs[$at] == Some(first) && let Some(at) = cursor.0[$at] {
                    cursor.0[$at] = self.$name.next(at);
                    return Some((first, self.$name.entry(at, causality)));
                })+
                None
            }

            #[doc(hidden)]
            /// What the change of a dot did, as it stands in the state; `None` when it was superseded.
            #[must_use]
            pub fn applied<'a>(&'a self, dot: Dot, causality: &'a Causality<S>) -> Option<Applied<'a>> {
                let (seq, entry) = self.next(&mut self.seek(dot.row, dot.seq.checked_sub(1)?), causality)?;
                if seq != dot.seq {
                    return None;
                }
                $(if <$type as Replicated<S>>::owns(entry.tag) { return Some(self.$name.applied(&entry)); })+
                None
            }

            /// Hash of the state: equal states have equal fingerprints.
            #[must_use]
            pub fn fingerprint(&self) -> u64 {
                0_u64$(.wrapping_add(self.$name.fingerprint()))+
            }

            #[doc(hidden)]
            /// The vectors that messages of a lane carry in full: name, and number by row.
            pub fn vectors(&self, lane: Lane, mut visit: impl FnMut(&'static str, &dyn Fn(RowId) -> Option<u64>)) {
                $(if <$type as Replicated<S>>::LANE == lane {
                    for (which, name) in <$type as Replicated<S>>::VECTORS.iter().enumerate() {
                        visit(name, &|row| self.$name.vector(which, row));
                    }
                })+
            }
        }
    };
}

product! {
    /// The broadcast set.
    set: BroadcastSet<S> = 0,
    /// The PN-counter.
    counter: Counter<S> = 1,
    /// The last-writer-wins key-value store.
    map: LwwMap<S> = 2,
    /// The data type of the user, if there is one: see [`data_type`](crate::data_type).
    own: S::Own = 3,
}
