//! What a node tells its user: changes of the state, and that all members agree.
//!
//! Owns the queue of what is to be told. A change waits as its dot, and is shown as it is in the state when it is polled: so a long value
//! is kept once, and a change that was superseded meanwhile is not shown.

use crate::causality::Dot;
use crate::replicated::Applied;

/// Something that happened; kept only while [`Config::events`](crate::Config::events) is on.
///
/// # Catching up
///
/// The first 32 events wait, then events are dropped and counted until somebody polls. [`Event::Lagged`] says how many changes are not told
/// of. All of them are in the state: read what you follow from [`Member::store`](crate::Member::store), and go on with the events
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

/// Events that wait to be polled: the first [`Events::LIMIT`], then how many were missed, then those that come after.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    queue: heapless::Deque<Noted, { Events::LIMIT }>,
    missed: u64,
}

impl Events {
    pub(super) const LIMIT: usize = 32;

    pub(super) fn push(&mut self, event: Noted) {
        // Once one was missed, the next that counts is the one after the gap was reported.
        if self.missed > 0 || self.queue.push_back(event).is_err() {
            self.missed += 1;
        }
    }

    pub(super) fn pop(&mut self) -> Option<Noted> {
        if let Some(event) = self.queue.pop_front() {
            return Some(event);
        }
        let missed = core::mem::take(&mut self.missed);
        (missed > 0).then_some(Noted::Lagged { missed })
    }
}
