//! What a node tells its user: changes of the state, and that all members agree.
//!
//! Owns the queue of what is to be told. A change waits as its dot, and is shown as it is in the state when it is polled: so a long value
//! is kept once, and a change that was superseded meanwhile is not shown.

use crate::causality::Dot;
use crate::replicated::Applied;
use crate::storage::{Buf, Limits, Storage};

/// Something that happened; kept only while [`Config::events`](crate::Config::events) is on.
///
/// # Catching up
///
/// The first [`Limits::events`] events wait, then events are dropped and counted until somebody polls. [`Event::Lagged`] says how many
/// events are not told of. All of them are in the state: read what you follow from [`Member::store`](crate::Member::store), and go on with the events
/// that come after. A change that another one superseded before it was polled is not told of either: a key that was written twice shows
/// its last value, the counter its last sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'n> {
    /// A change was applied to the state: one that was made here, or one of another member.
    Changed {
        /// The id of the member that made it.
        by: &'n str,
        /// What it did.
        change: Applied<'n>,
    },
    /// Every member is known to hold exactly this state. Until the next change the node is silent.
    Settled,
    /// Events were dropped because nobody polled: see [catching up](Event#catching-up).
    Lagged {
        /// How many.
        missed: u64,
    },
}

/// What waits to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    Applied(Dot),
    Settled,
    Lagged { missed: u64 },
}

/// Events that wait to be polled: as many as there is room for, then how many were missed, then those that come after.
#[derive(Clone)]
pub(super) struct Events<S: Storage> {
    /// A ring.
    places: S::PerEvent<Noted>,
    first: usize,
    waiting: usize,
    missed: u64,
}

names_itself!(impl[S: Storage] Events<S>, "Events");

impl<S: Storage> Events<S> {
    /// No event. Before [`Events::fill`].
    #[inline(always)]
    pub(super) fn unfilled(limits: &Limits) -> Self {
        Self { places: S::PerEvent::with_limit(limits.events), first: 0, waiting: 0, missed: 0 }
    }

    /// Makes the places, where they are to stay. Without this each event is missed.
    pub(super) fn fill(&mut self, limits: &Limits) {
        self.places.fill_to(limits.events, Noted::Settled);
    }

    pub(super) fn push(&mut self, event: Noted) {
        // Once one was missed, the next that counts is the one after the gap was reported.
        let has_room = self.missed == 0 && self.waiting < self.places.len();
        let at = self.place(self.waiting);
        match self.places.get_mut(at).filter(|_| has_room) {
            Some(place) => {
                *place = event;
                self.waiting += 1;
            }
            None => self.missed += 1,
        }
    }

    pub(super) fn pop(&mut self) -> Option<Noted> {
        if self.waiting > 0 {
            let event = self.places.get(self.first).copied();
            (self.first, self.waiting) = (self.place(1), self.waiting - 1);
            return event;
        }
        let missed = core::mem::take(&mut self.missed);
        (missed > 0).then_some(Noted::Lagged { missed })
    }

    /// The place of the event that is so many behind the first.
    fn place(&self, behind: usize) -> usize {
        let at = self.first + behind;
        // Both are below the number of places, or there is none.
        if at < self.places.len() { at } else { at.saturating_sub(self.places.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixed_storage;
    use crate::storage::Tiny;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::vec::Vec;

    fixed_storage! {
        struct Deaf { events: 0, ..Tiny::LIMITS }
    }

    fn made<S: Storage>() -> Events<S> {
        let mut events = Events::unfilled(&S::LIMITS);
        events.fill(&S::LIMITS);
        events
    }

    fn applied(seq: u64) -> Noted {
        Noted::Applied(Dot { row: crate::causality::RowId(0), seq })
    }

    proptest! {
        #[test]
        fn events_wait_in_their_order_and_those_without_room_are_counted(pushes in prop::collection::vec(0_u64..50, 0..20)) {
            let mut events = made::<Tiny>();
            let mut model = VecDeque::new();
            let (mut missed, mut seq) = (0, 0);
            for (turn, count) in pushes.into_iter().enumerate() {
                for _ in 0..count {
                    seq += 1;
                    events.push(applied(seq));
                    if missed == 0 && model.len() < Tiny::LIMITS.events { model.push_back(applied(seq)) } else { missed += 1 }
                }
                // Every third turn all are polled, else a few.
                for _ in 0..if turn % 3 == 2 { 60 } else { 7 } {
                    let expected = model.pop_front().or_else(|| {
                        let missed = core::mem::take(&mut missed);
                        (missed > 0).then_some(Noted::Lagged { missed })
                    });
                    prop_assert_eq!(events.pop(), expected);
                }
            }
        }
    }

    #[test]
    fn where_there_is_no_place_each_event_is_missed() {
        let mut events = made::<Deaf>();
        (1..4).for_each(|seq| events.push(applied(seq)));
        let told: Vec<_> = core::iter::from_fn(|| events.pop()).collect();
        assert_eq!(told, [Noted::Lagged { missed: 3 }]);
    }
}
