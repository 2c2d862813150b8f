//! What a line of a client becomes: a request, and the reply to it.

use super::spread::GossipSpread;
use super::{Member, Rejected};
use crate::service::{self, Answer, Application, Context, Done, Problem};
use crate::time::Now;
use crate::wire::{BadField, Key, Kind, Message, Str, Why, same};

impl<S: Application> Member<S> {
    #[inline]
    pub(super) fn dispatch(&mut self, now: Now, line: &[u8], message: &Message<'_>) -> Result<(), Rejected> {
        if message.is_reply {
            self.desk.stats.replies_received += 1;
            return Ok(());
        }
        let answerable = self.desk.addresses(message, &self.limits);
        if message.dest.as_ref().is_none_or(|dest| !self.is_me(dest)) {
            self.desk.stats.misdelivered += 1;
            return Err(Rejected::Misdelivered);
        }
        self.start(now);
        if let Some(kind @ (Kind::Gossip | Kind::Replicate)) = message.kind {
            self.receive(now, kind, message)?;
            return Ok(());
        }
        let Some(in_reply_to) = message.msg_id.filter(|_| answerable) else {
            return self.desk.unanswerable();
        };
        match self.request(now, line, message) {
            Ok(answer) => self.desk.reply.answer = answer,
            Err(problem) => self.desk.refuse(problem, message),
        }
        self.desk.answer(in_reply_to);
        Ok(())
    }

    /// A request that can be answered.
    #[inline(always)]
    fn request(&mut self, now: Now, line: &[u8], message: &Message<'_>) -> Result<Answer, Problem> {
        check_twice(message)?;
        if message.kind == Some(Kind::Init) {
            return self.another_init(message);
        }
        let Self { replica, gossip, service, desk, config, limits, events, scratch, .. } = self;
        let spread = GossipSpread { gossip, events: config.events.then_some(events), now: now.at };
        let mut cx = Context { replica, spread, stats: &mut desk.stats, config, limits, scratch, now };
        let done = match (message.kind, message.type_name) {
            (Some(kind), _) => service.handle(kind, message, &mut cx),
            (None, Some(name)) => service.handle_own(name, line, &mut cx),
            (None, None) => Err(no_type(message)),
        };
        // A change here teaches nothing about peers, unless there are none.
        if !self.gossip.has_peers() {
            self.judge_convergence(now.at);
        }
        done
    }

    /// An `init` that is not the first.
    #[cold]
    fn another_init(&mut self, message: &Message<'_>) -> Result<Answer, Problem> {
        let members = &self.replica.causality.members;
        let same = service::is_same_cluster(message, members, &self.limits, &mut self.service.ids)?;
        if same { Ok(Answer::Done(Done::Init)) } else { Err(Problem::OtherCluster) }
    }

    #[inline]
    fn is_me(&self, dest: &Str<'_>) -> bool {
        let members = &self.replica.causality.members;
        if dest.is_escaped() {
            return dest.is(members.id(members.me()));
        }
        same(dest.raw(), members.id_bytes(members.me()))
    }
}

#[inline]
pub(super) fn check_twice(message: &Message<'_>) -> Result<(), Problem> {
    if message.has_twice() { what_stands_twice(message) } else { Ok(()) }
}

#[cold]
fn what_stands_twice(message: &Message<'_>) -> Result<(), Problem> {
    if let Some(part) = message.envelope_twice() {
        return Err(Problem::EnvelopeTwice(part));
    }
    match message.known_field_twice() {
        Some(key) => Err(BadField { key, why: Why::Twice }.into()),
        None => Ok(()),
    }
}

/// What is wrong with a message that has no type.
#[cold]
fn no_type(message: &Message<'_>) -> Problem {
    let why = if message.need(Key::Type).is_ok() { Why::Not("a string") } else { Why::Missing };
    BadField { key: Key::Type, why }.into()
}
