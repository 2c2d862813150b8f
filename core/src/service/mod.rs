//! The client protocol: request, operation on the replica, reply. One file per data type.
//!
//! Knows neither peers nor timers: what it needs of them is the trait [`Spread`]. A reply is an [`Answer`], data that is
//! written as text only when it is polled; the client's own data that a reply gives back waits in a payload buffer.

mod basic;
mod bench;
mod broadcast;
mod counter;
mod kv;
mod own;
mod reply;
mod staleness;
#[cfg(feature = "serde")]
mod stats;
mod tuning;

use crate::causality::{Entry, Tag};
use crate::config::{Config, Workload};
use crate::id::{Value, json_len};
use crate::replicated::{Bound, Counter, Made, Product, Refused, Replica, Replicated as _};
use crate::stats::Stats;
use crate::storage::{Limits, Scratch as _, Text};
use crate::time::Now;
use crate::wire::{BadField, Key, Kind, Message, Scalar, Why};

pub use basic::{init, is_same_cluster};
pub use bench::{Bench, WRITES_KEPT};
pub use kv::TXN_OPS_MAX;
pub use own::{Application, Fields, Replied, Request, RequestContext, RequestError, Requests, Strings, change};
pub(crate) use reply::Source;
pub use reply::{Answer, Done, Head, JsonId, Problem, Reply};
pub use staleness::Staleness;

/// What requests need of gossip.
pub trait Spread<S: Product> {
    /// A local change was made.
    fn made(&mut self, made: Made);
    /// Fanout and interval changed.
    fn configure(&mut self, config: &Config);
    /// Runs a round now; the number of peers chosen and of messages that will leave.
    fn round_now(&mut self, replica: &Replica<S>) -> (u64, u64);
    /// Rounds run so far.
    fn rounds(&self) -> u64;
    /// Peers known to hold exactly this node's state.
    fn peers_synced(&mut self, replica: &Replica<S>) -> u64;
}

/// What a bare `read` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `messages`: a list, as in the workload `broadcast`.
    Messages,
    /// `value`: a list, as in `g-set`.
    Elements,
    /// `value`: an integer, as in the counters.
    Count,
    /// Nothing: the workload has no bare `read`.
    Refused,
}

/// State of the client protocol that is not replicated.
#[derive(Clone)]
pub struct Service<S: Application> {
    /// Payload of the reply under way.
    pub payload: S::Payload,
    /// Measurements of writes and of the counter.
    pub bench: Bench<S>,
    /// Reads of the store.
    pub staleness: Staleness<S>,
    /// Hashes of the ids of an `init` that is not the first.
    pub ids: S::PerNode<u64>,
    shape: Option<Shape>,
    generated: u64,
}

names_itself!(impl[S: Application] Service<S>, "Service");

/// Everything a request may touch.
pub struct Context<'c, S: Application, G: Spread<S>> {
    /// State and version vector.
    pub replica: &'c mut Replica<S>,
    /// Gossip.
    pub spread: G,
    /// Counters.
    pub stats: &'c mut Stats,
    /// Choices, which `configure` changes.
    pub config: &'c mut Config,
    /// Capacities.
    pub limits: &'c Limits,
    /// Room for strings.
    pub scratch: &'c mut S::Scratch,
    /// The time of the request.
    pub now: Now,
}

names_itself!(impl[S: Application, G: Spread<S>] Context<'_, S, G>, "Context");

/// What a request comes to.
pub type Answered = Result<Answer, Problem>;

impl<S: Application> Service<S> {
    /// A service that has answered nothing yet, before [`Service::fill`].
    #[inline(always)]
    #[must_use]
    pub fn unfilled(limits: &Limits) -> Self {
        use crate::storage::Buf;
        Self {
            payload: S::Payload::with_limit(limits.payload_bytes),
            bench: Bench::unfilled(limits),
            staleness: Staleness::unfilled(limits),
            ids: S::PerNode::with_limit(limits.nodes),
            shape: None,
            generated: 0,
        }
    }

    /// Fills the tables that are never empty, where they are to stay.
    pub fn fill(&mut self, limits: &Limits) {
        self.bench.fill();
        self.staleness.fill(limits);
    }

    /// Handles a request of a client, or of a node that asks like one. O(length of the request), but for replies that
    /// list everything.
    ///
    /// # Errors
    /// What is wrong with the request; nothing changed.
    #[inline(always)]
    pub fn handle<G: Spread<S>>(&mut self, kind: Kind, message: &Message<'_>, cx: &mut Context<'_, S, G>) -> Answered {
        // Broadcasts dominate, so they bypass `handle_other` and its larger stack frame.
        if kind == Kind::Broadcast { self.broadcast(message, cx) } else { self.handle_other(kind, message, cx) }
    }

    #[inline(never)]
    fn handle_other<G: Spread<S>>(
        &mut self,
        kind: Kind,
        message: &Message<'_>,
        cx: &mut Context<'_, S, G>,
    ) -> Answered {
        match kind {
            Kind::Read => self.read(cx),
            Kind::Add => self.add(message, cx),
            Kind::Echo => self.echo(message),
            Kind::Generate => self.generate(),
            Kind::Topology => self.topology(message),
            Kind::Configure => tuning::configure(message, cx),
            Kind::GossipStats => Ok(tuning::Answer::Stats.into()),
            Kind::GossipRound => Ok(tuning::gossip_round(cx).into()),
            Kind::GossipStatus => Ok(self.gossip_status(cx).into()),
            Kind::GossipSync => broadcast::gossip_sync(message, cx),
            Kind::Digest => Ok(broadcast::Answer::Digest.into()),
            Kind::DigestSync => broadcast::digest_sync(message, cx),
            Kind::Write => kv::write(message, cx),
            Kind::KvRead => cx.with_scratch(|cx, strings| self.kv_read(message, cx, strings)),
            Kind::KvMerge => cx.with_scratch(|cx, strings| self.kv_merge(message, cx, strings)),
            Kind::BenchWrite => self.bench_write(message, cx),
            Kind::BenchReport => Ok(bench::Answer::Report.into()),
            Kind::BenchStats => Ok(self.bench_stats().into()),
            #[cfg(feature = "serde")]
            Kind::Stats => Ok(stats::Answer.into()),
            #[cfg(not(feature = "serde"))]
            Kind::Stats => Err(Problem::NotInThisBuild),
            Kind::Txn => cx.with_scratch(|cx, strings| self.txn(message, cx, strings)),
            // Node to node, or handled before.
            Kind::Gossip | Kind::Replicate | Kind::Init | Kind::Broadcast => Err(Problem::UnknownType),
        }
    }

    /// The first data from a peer decides what `read` means, if no request has.
    pub fn data_from_peer(&mut self, tag: Tag) {
        self.shape.get_or_insert(if Counter::<S>::owns(tag) { Shape::Count } else { Shape::Messages });
    }

    fn shape(&self, workload: Option<Workload>) -> Shape {
        match workload {
            Some(Workload::Broadcast) => Shape::Messages,
            Some(Workload::GSet) => Shape::Elements,
            Some(Workload::GCounter | Workload::PnCounter) => Shape::Count,
            Some(Workload::Kv | Workload::TxnRwRegister | Workload::Echo | Workload::UniqueIds) => Shape::Refused,
            None => self.shape.unwrap_or(Shape::Messages),
        }
    }

    fn read<G: Spread<S>>(&mut self, cx: &mut Context<'_, S, G>) -> Answered {
        match self.shape(cx.config.workload) {
            Shape::Messages => Ok(broadcast::Answer::Messages.into()),
            Shape::Elements => Ok(broadcast::Answer::Elements.into()),
            Shape::Count => Ok(counter::Answer::Value(cx.replica.store.counter.value()).into()),
            Shape::Refused => Err(Problem::NoBareRead),
        }
    }

    fn add<G: Spread<S>>(&mut self, message: &Message<'_>, cx: &mut Context<'_, S, G>) -> Answered {
        let by_delta = match cx.config.workload {
            Some(Workload::GSet) => false,
            Some(Workload::GCounter | Workload::PnCounter) => true,
            Some(_) | None => match (message.get(Key::Element), message.get(Key::Delta)) {
                (Some(_), Some(_)) => return Err(Problem::ElementAndDelta),
                (None, None) => return Err(Problem::ElementOrDelta),
                (_, delta) => delta.is_some(),
            },
        };
        if by_delta { self.add_delta(message, cx) } else { self.add_element(message, cx) }
    }
}

impl<S: Application, G: Spread<S>> Context<'_, S, G> {
    /// Does something that needs room for strings. Not in place: only this needs the stack for them.
    #[inline(never)]
    fn with_scratch<R>(&mut self, act: impl FnOnce(&mut Self, &mut Strings<S>) -> R) -> R {
        let mut lent = self.scratch.lend();
        let done = act(self, lent.as_mut());
        self.scratch.give_back(lent);
        done
    }

    /// Makes a local change of an entry and tells gossip. Says whether the state changed.
    ///
    /// # Errors
    /// Why it cannot be made; nothing changed.
    #[inline(never)]
    fn apply(&mut self, entry: &Entry<'_>, key: Key) -> Result<bool, Problem> {
        let made = self.replica.apply_any(entry);
        self.made(made, key)
    }

    /// As [`Context::apply`], in place.
    #[inline(always)]
    fn apply_here(&mut self, entry: &Entry<'_>, key: Key) -> Result<bool, Problem> {
        let made = self.replica.apply(entry);
        self.made(made, key)
    }

    /// Tells gossip of a local change, if it was made. Says whether the state changed.
    ///
    /// # Errors
    /// Why it could not be made.
    #[inline(always)]
    fn made(&mut self, made: Result<Option<Made>, Refused>, key: Key) -> Result<bool, Problem> {
        match made {
            Ok(Some(made)) => {
                self.spread.made(made);
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(refused) => Err(self.problem(refused, key)),
        }
    }

    #[cold]
    fn problem(&self, refused: Refused, key: Key) -> Problem {
        match refused {
            Refused::Full(bound) => Problem::Full(bound),
            Refused::ClockAhead => {
                let max_ms = self.config.max_clock_ahead_ms;
                Problem::Field(BadField { key, why: Why::ClockAhead { max_ms } })
            }
            Refused::EndOfTime => Problem::EndOfTime,
            Refused::Overflow => Problem::Field(BadField { key, why: Why::Overflow }),
            Refused::Unreadable => Problem::Field(BadField { key, why: too_long(self.limits) }),
            // A client's change is made in this node's own row.
            Refused::Row(_) | Refused::Impostor => Problem::Full(Bound::Rows(self.limits.rows)),
        }
    }
}

fn too_long(limits: &Limits) -> Why {
    Why::TextTooLong { max: limits.text_bytes }
}

/// The value that a scalar is, within the bounds on strings.
#[inline]
fn value<'s>(
    scalar: &Scalar<'s>,
    key: Key,
    limits: &Limits,
    scratch: &'s mut impl Text,
) -> Result<Value<'s>, BadField> {
    let value = scalar.value(scratch).ok_or(BadField { key, why: too_long(limits) })?;
    within_bounds(value, limits).map_err(|why| BadField { key, why })
}

/// A value, if it is within the bounds on strings.
#[inline]
fn within_bounds<'s>(value: Value<'s>, limits: &Limits) -> Result<Value<'s>, Why> {
    match value {
        Value::Text(text) if json_len(text) > limits.text_bytes => Err(too_long(limits)),
        Value::Int(_) | Value::Text(_) => Ok(value),
    }
}

impl From<BadField> for Problem {
    fn from(field: BadField) -> Self {
        Self::Field(field)
    }
}
