//! What answers clients, before and after the cluster is known: the reply that waits, and what is counted.

use super::Rejected;
use super::refusals::Refusals;
use crate::service::{Answer, Problem, Reply};
use crate::stats::Stats;
use crate::storage::Limits;
use crate::wire::{Message, Serial};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Desk {
    /// The reply that waits, if one does: kept in place, since every request writes it.
    pub(super) reply: Reply,
    pub(super) reply_waits: bool,
    pub(super) stats: Stats,
    pub(super) refusals: Refusals,
    pub(super) next_msg_id: Serial,
}

impl Desk {
    /// Addresses the next reply to the sender of a message; false when it has no usable `src`.
    #[cfg_attr(feature = "fast", inline(always))]
    pub(super) fn addresses(&mut self, message: &Message<'_>, limits: &Limits) -> bool {
        message.src.as_ref().is_some_and(|src| self.reply.to.assign_id(src, limits.id_bytes))
    }

    /// The reply is complete and waits to be polled.
    #[inline]
    pub(super) fn answer(&mut self, in_reply_to: i64) {
        self.reply.in_reply_to = in_reply_to;
        self.reply_waits = true;
    }

    #[cold]
    pub(super) fn refuse(&mut self, problem: Problem, message: &Message<'_>) {
        self.stats.errors_sent += 1;
        if let Problem::Full(bound) = problem {
            self.refusals.note(bound);
        }
        self.reply.answer = Answer::Error(problem);
        self.reply.name.clear();
        if let (Problem::UnknownType, Some(type_name)) = (problem, message.type_name) {
            // As much of it as fits.
            let _ = type_name.chars().try_for_each(|char| self.reply.name.push(char).map_err(drop));
        }
    }

    pub(super) fn unanswerable<T>(&mut self) -> Result<T, Rejected> {
        self.stats.unanswerable += 1;
        Err(Rejected::Unanswerable)
    }
}
