//! A node before its cluster is known: it refuses every request but `init`, which makes it a member.
//!
//! Must never touch state or gossip. What a member needs is reserved already, so that a process that cannot have it ends at its start.

use super::request;
use super::{Member, Node, Rejected};
use crate::config::{Config, ConfigError};
use crate::output::{Sink, SinkFull, Transmit};
use crate::service::{self, Answer, Application, Done, Problem};
use crate::storage::Limits;
use crate::time::Now;
use crate::wire::{Kind, Message, Out};

/// Whether a node with these choices and capacities can be.
pub(super) fn check<S: Application>(config: &Config, limits: &Limits) -> Result<(), ConfigError> {
    if !S::ADJUSTABLE && *limits != S::LIMITS {
        return Err(ConfigError::Capacity { name: "capacities of fixed storage", min: 0, max: 0 });
    }
    config.check(limits)
}

impl<S: Application> Node<S> {
    /// A line before the cluster is known.
    #[cold]
    #[inline(never)]
    pub(super) fn handle_first_lines(&mut self, now: Now, line: &[u8]) -> Result<(), Rejected> {
        let Member { desk, limits, .. } = &mut self.member;
        if desk.reply_waits {
            return Err(Rejected::ReplyPending);
        }
        desk.stats.lines += 1;
        let mut message = Message::new();
        if let Err(malformed) = message.decode(line) {
            desk.stats.malformed_lines += 1;
            return Err(Rejected::Malformed(malformed));
        }
        if message.is_reply {
            desk.stats.replies_received += 1;
            return Ok(());
        }
        let answerable = desk.addresses(&message, limits);
        if message.kind.is_some_and(Kind::is_unanswered) {
            desk.stats.strangers += 1;
            return Err(Rejected::Stranger);
        }
        let from = &mut desk.reply.from;
        let named = message.dest.as_ref().is_some_and(|dest| from.assign_id(dest, limits.id_bytes));
        let Some(in_reply_to) = message.msg_id.filter(|_| answerable && named) else {
            return desk.unanswerable();
        };
        match self.init(now, &message) {
            Ok(()) => self.member.desk.reply.answer = Answer::Done(Done::Init),
            Err(problem) => self.member.desk.refuse(problem, &message),
        }
        self.member.desk.answer(in_reply_to);
        Ok(())
    }

    /// The request that makes the cluster known.
    fn init(&mut self, now: Now, message: &Message<'_>) -> Result<(), Problem> {
        if message.kind != Some(Kind::Init) {
            return Err(Problem::NotInitialised);
        }
        request::check_twice(message)?;
        let Member { replica, limits, .. } = &mut self.member;
        service::init(message, &mut replica.causality.members, limits)?;
        self.member.begin(now);
        Ok(())
    }

    /// Writes the reply that waits: an error.
    #[cold]
    #[inline(never)]
    pub(super) fn poll_refused<W: Sink>(&mut self, sink: &mut W) -> Result<Option<Transmit>, SinkFull> {
        let desk = &mut self.member.desk;
        if !core::mem::take(&mut desk.reply_waits) {
            return Ok(None);
        }
        let mut out = Out::new(sink);
        desk.reply.write_refusal(&mut out, &desk.next_msg_id);
        desk.next_msg_id.advance();
        let sent = out.finish().map(|_| Some(Transmit::Reply));
        desk.stats.sink_full += u64::from(sent.is_err());
        sent
    }
}
