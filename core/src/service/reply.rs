//! Replies: data until they are polled, then text in the form of the protocol.
//!
//! Owns the envelope, acknowledgements and errors. What else a reply says is in the file of the data type that says it.

use core::fmt::Write as _;

#[cfg(feature = "serde")]
use super::stats;
use super::{Application, Service, basic, bench, broadcast, counter, kv, tuning};
use crate::id::Id;
use crate::output::Sink;
use crate::replicated::{Bound, Replica};
use crate::stats::Stats;
use crate::storage::ID_BYTES_MAX;
use crate::wire::{BadField, Block, Out, Serial, Short, Why};

/// Makes the enum of answers: each names the type of the file that says it, which writes it too.
macro_rules! answers {
    ($($(#[doc = $doc:literal])+ $(#[cfg($cfg:meta)])? $variant:ident($answer:ty),)+) => {
        /// What a request comes to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Answer {
            $($(#[doc = $doc])+ $(#[cfg($cfg)])? $variant($answer),)+
            /// Of a data type of the user, from the payload.
            Own,
            /// `error`.
            Error(Problem),
        }

        $($(#[cfg($cfg)])? impl From<$answer> for Answer {
            fn from(answer: $answer) -> Self {
                Self::$variant(answer)
            }
        })+

        impl Reply {
            /// Writes the type of the reply and what it says.
            #[inline(always)]
            fn body<S: Application, W: Sink>(&self, out: &mut Out<'_, W>, source: &Source<'_, S>) {
                match self.answer {
                    $($(#[cfg($cfg)])? Answer::$variant(answer) => answer.write(out, source),)+
                    Answer::Own => out.raw(&source.service.payload),
                    Answer::Error(problem) => self.error(out, problem),
                }
            }
        }
    };
}

answers! {
    /// It was carried out, and there is nothing else to say.
    Done(Done),
    /// `echo_ok`, `generate_ok`.
    Basic(basic::Answer),
    /// Of the set.
    Set(broadcast::Answer),
    /// Of the counter.
    Counter(counter::Answer),
    /// Of the key-value store.
    Kv(kv::Answer),
    /// Of the measurements.
    Bench(bench::Answer),
    /// Of gossip.
    Tuning(tuning::Answer),
    /// `stats_ok`.
    #[cfg(feature = "serde")]
    Stats(stats::Answer),
}

/// Replies that say nothing but that the request was carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Done {
    /// `init_ok`
    #[default]
    Init,
    /// `topology_ok`
    Topology,
    /// `broadcast_ok`
    Broadcast,
    /// `add_ok`
    Add,
    /// `configure_ok`
    Configure,
}

impl Done {
    /// The type of the reply.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Init => "init_ok",
            Self::Topology => "topology_ok",
            Self::Broadcast => "broadcast_ok",
            Self::Add => "add_ok",
            Self::Configure => "configure_ok",
        }
    }

    fn write<S: Application, W: Sink>(self, out: &mut Out<'_, W>, _: &Source<'_, S>) {
        out.str(self.name());
        out.raw(b"\"");
    }
}

impl Default for Answer {
    fn default() -> Self {
        Self::Done(Done::default())
    }
}

/// Why a request fails. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A type that no message has. Its name is in the reply.
    UnknownType,
    /// A field is missing or unusable.
    Field(BadField),
    /// A field of a request of the user's data type is missing or unusable.
    OwnField {
        /// The field.
        name: &'static str,
        /// What is wrong with it.
        why: Why,
    },
    /// What a handler of the user's data type says.
    Own {
        /// The code of the Maelstrom protocol.
        code: u64,
        /// The sentence.
        text: &'static str,
    },
    /// The envelope has a field twice.
    EnvelopeTwice(&'static str),
    /// A table is full.
    Full(Bound),
    /// A request whose feature was left out when the node was built.
    #[cfg(not(feature = "serde"))]
    NotInThisBuild,
    /// A request before `init`.
    NotInitialised,
    /// `init` with another content than the first.
    OtherCluster,
    /// No such key.
    KeyNotFound,
    /// A bare `read` where the workload has none.
    NoBareRead,
    /// `add` with both.
    ElementAndDelta,
    /// `add` with neither.
    ElementOrDelta,
    /// `configure` with neither.
    FanoutOrInterval,
    /// The clock has no later stamp.
    EndOfTime,
}

impl Problem {
    /// The error code of the Maelstrom protocol.
    #[must_use]
    pub const fn code(self) -> u64 {
        match self {
            Self::UnknownType | Self::NoBareRead => 10,
            #[cfg(not(feature = "serde"))]
            Self::NotInThisBuild => 10,
            Self::Full(_) | Self::NotInitialised | Self::EndOfTime => 11,
            Self::Own { code, .. } => code,
            Self::Field(_)
            | Self::OwnField { .. }
            | Self::EnvelopeTwice(_)
            | Self::ElementAndDelta
            | Self::ElementOrDelta
            | Self::FanoutOrInterval => 12,
            Self::KeyNotFound => 20,
            Self::OtherCluster => 22,
        }
    }
}

/// A reply that waits to be polled.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// To whom, as JSON between the quotes.
    pub to: JsonId,
    /// `msg_id` of the request.
    pub in_reply_to: i64,
    /// What it says.
    pub answer: Answer,
    /// In whose name, when the cluster is not known yet.
    pub from: JsonId,
    /// The type that is not known.
    pub name: Id,
}

/// An id in the form in which JSON prints it: most come and go without ever being read.
pub type JsonId = Short<ID_BYTES_MAX>;

/// `{"src": "…", "dest": "`, the beginning of every message of a node.
pub type Head = Short<{ 2 * ID_BYTES_MAX }>;

/// Where a reply is written from.
pub(crate) struct Source<'s, S: Application> {
    pub(crate) replica: &'s Replica<S>,
    pub(crate) service: &'s Service<S>,
    pub(crate) stats: &'s Stats,
    pub(crate) incarnation: u64,
}

impl Reply {
    /// Writes the reply of a member as one line. `head`: the beginning of every message of this node.
    pub(crate) fn write<S: Application, W: Sink>(
        &self,
        out: &mut Out<'_, W>,
        head: &Head,
        source: &Source<'_, S>,
        msg_id: &Serial,
    ) {
        out.short(head.bytes());
        self.rest(out, msg_id, |out| self.body(out, source));
    }

    /// Writes the reply of a node that does not know its cluster yet, in whose name it was asked: an error.
    pub(crate) fn write_refusal<W: Sink>(&self, out: &mut Out<'_, W>, msg_id: &Serial) {
        out.str("{\"src\": \"");
        out.raw(self.from.bytes());
        out.str("\", \"dest\": \"");
        let Answer::Error(problem) = self.answer else {
            debug_assert!(false, "a node that waits carries nothing out");
            return;
        };
        self.rest(out, msg_id, |out| self.error(out, problem));
    }

    /// All that follows the beginning of a message; `body` writes type and payload.
    #[inline(always)]
    fn rest<'w, W: Sink>(&self, out: &mut Out<'w, W>, msg_id: &Serial, body: impl FnOnce(&mut Out<'w, W>)) {
        out.short(self.to.bytes());
        out.str("\", \"body\": {\"type\": \"");
        body(out);
        out.str(", \"in_reply_to\": ");
        out.int(self.in_reply_to);
        out.str(", \"msg_id\": ");
        msg_id.write(out);
        out.str("}}\n");
    }

    /// As [`Reply::write`], at once, for the replies that acknowledge a change, as most do. `None` for all others. Gives the length of
    /// the line.
    #[inline]
    pub(crate) fn write_at_once(&self, mut block: Block<'_>, head: &Head, msg_id: &Serial) -> Option<usize> {
        block.short(head);
        block.short(&self.to);
        if matches!(self.answer, Answer::Done(Done::Broadcast)) {
            block.literal(b"\", \"body\": {\"type\": \"broadcast_ok\", \"in_reply_to\": ");
        } else if matches!(self.answer, Answer::Done(Done::Add)) {
            block.literal(b"\", \"body\": {\"type\": \"add_ok\", \"in_reply_to\": ");
        } else {
            return None;
        }
        block.unsigned(u64::try_from(self.in_reply_to).ok()?);
        block.literal(b", \"msg_id\": ");
        block.serial(msg_id);
        block.literal(b"}}\n");
        block.finish()
    }

    fn error<W: Sink>(&self, out: &mut Out<'_, W>, problem: Problem) {
        fields(out, &[("error\", \"code\": ", problem.code())]);
        out.str(", \"text\": \"");
        let name = &self.name;
        // An `Out` takes everything.
        let _ = write!(Escaped(out), "{}", Sentence { problem, name });
        out.raw(b"\"");
    }
}

/// Writes integers, each behind its text.
pub(super) fn fields<W: Sink>(out: &mut Out<'_, W>, fields: &[(&str, u64)]) {
    for (before, number) in fields {
        out.str(before);
        out.unsigned(*number);
    }
}

/// Text that is written into a JSON string.
struct Escaped<'o, 'w, W: Sink>(&'o mut Out<'w, W>);

impl<W: Sink> core::fmt::Write for Escaped<'_, '_, W> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.escaped(text);
        Ok(())
    }
}

/// A problem as a sentence.
struct Sentence<'a> {
    problem: Problem,
    name: &'a str,
}

impl core::fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.problem {
            Problem::UnknownType => write!(f, "unknown type {}", self.name),
            Problem::Field(BadField { key, why }) => field(f, key.name(), why),
            Problem::OwnField { name, why } => field(f, name, why),
            Problem::Own { text, .. } => f.write_str(text),
            Problem::EnvelopeTwice(name) => write!(f, "duplicate field {name}"),
            Problem::Full(bound) => bound.fmt(f),
            #[cfg(not(feature = "serde"))]
            Problem::NotInThisBuild => f.write_str("stats is not part of this build"),
            Problem::NotInitialised => f.write_str("not initialised"),
            Problem::OtherCluster => f.write_str("already initialised with another node_id or other node_ids"),
            Problem::KeyNotFound => f.write_str("Key not found"),
            Problem::NoBareRead => {
                f.write_str("read is not supported by this workload; the key-value store has kv_read")
            }
            Problem::ElementAndDelta => f.write_str("element and delta: an add has one of them, not both"),
            Problem::ElementOrDelta => f.write_str("element or delta is missing"),
            Problem::FanoutOrInterval => f.write_str("fanout, gossip_interval_ms or strategy is missing"),
            Problem::EndOfTime => f.write_str("the clock is at its end"),
        }
    }
}

fn field(f: &mut core::fmt::Formatter<'_>, name: &str, why: Why) -> core::fmt::Result {
    match why {
        Why::Missing => write!(f, "{name} is missing"),
        Why::Twice => write!(f, "duplicate field {name}"),
        Why::Not(what) => write!(f, "{name} must be {what}"),
        Why::OutOfRange { min, max } => write!(f, "{name} must be from {min} to {max}"),
        Why::TooLong { max, unit } => write!(f, "{name} is too long: at most {max} {unit}"),
        Why::TextTooLong { max } => write!(f, "{name}: a text may have at most {max} bytes"),
        Why::NotAnId { max } => {
            write!(f, "{name}: a node id must have from 1 to {max} bytes and may not end in @ and digits")
        }
        Why::Overflow => write!(f, "{name} would overflow the counter, which holds 64-bit integers"),
        Why::ClockAhead { max_ms } => write!(f, "{name}: ts is more than {max_ms} ms ahead of this node's clock"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Storage as _, Tiny};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_reply_written_at_once_is_the_one_that_is_written_piece_by_piece(
            (head, to) in ("[ -~]{0,128}", "[ -~]{0,64}"),
            in_reply_to in prop_oneof![0_i64..1_000, 0_i64..200_000_000, any::<i64>()],
            before in 0_u32..200,
            done in prop::sample::select(&[Done::Broadcast, Done::Add, Done::Init][..]),
        ) {
            let mut reply = Reply { in_reply_to, answer: Answer::Done(done), ..Reply::default() };
            prop_assert!(reply.to.assign(to.as_bytes()));
            let mut source_head = Head::default();
            prop_assert!(source_head.assign(head.as_bytes()));
            let mut msg_id = Serial::default();
            (0..before).for_each(|_| msg_id.advance());

            let mut room = [0; 1_024];
            // There is none in a build without the fast path.
            let Some(block) = Block::within(&mut room) else { return Ok(()) };
            let at_once = reply.write_at_once(block, &source_head, &msg_id);
            let acknowledges = done != Done::Init;
            prop_assert_eq!(at_once.is_some(), acknowledges && (0..100_000_000).contains(&in_reply_to));

            let replica = Replica::<Tiny>::new(&Tiny::LIMITS, 0);
            let service = Service::unfilled(&Tiny::LIMITS);
            let stats = Stats::default();
            let source = Source { replica: &replica, service: &service, stats: &stats, incarnation: 0 };
            let mut sink: heapless::Vec<u8, 1_024> = heapless::Vec::new();
            let mut out = Out::new(&mut sink);
            reply.write(&mut out, &source_head, &source, &msg_id);
            prop_assert!(out.finish().is_ok());
            if let Some(len) = at_once {
                prop_assert_eq!(&room[..len], &sink[..]);
            }
        }
    }
}
