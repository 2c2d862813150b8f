//! The client protocol: request, operation on the replica, reply. One file per data type.
//!
//! Knows neither peers nor timers: what it needs of them is the trait [`Spread`]. A reply is an [`Answer`], data that is
//! written as text only when it is polled; the client's own data that a reply gives back waits in a payload buffer.

mod basic;
mod bench;
mod broadcast;
mod counter;
mod kv;
mod reply;
mod tuning;

use crate::causality::{Dot, Entry};
use crate::config::{Config, Workload};
use crate::id::{Value, json_len};
use crate::replicated::{Bound, Lane, Refused, Replica};
use crate::stats::Stats;
use crate::storage::{Limits, Scratch, Storage, TEXTS, Text};
use crate::time::Now;
use crate::wire::{BadField, Key, Kind, Message, Scalar, Why};

pub use basic::{init, is_same_cluster};
pub use bench::{Bench, WRITES_KEPT};
pub use kv::TXN_OPS_MAX;
pub(crate) use reply::Source;
pub use reply::{Answer, Head, JsonId, Problem, Reply};

/// What requests need of gossip.
pub trait Spread<S: Storage> {
    /// A local change was made.
    fn news(&mut self, lane: Lane, dot: Dot);
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
pub struct Service<S: Storage> {
    /// Payload of the reply under way.
    pub payload: S::Payload,
    /// Room for the strings of the line that is read.
    pub scratch: S::Scratch,
    /// Measurements of writes and of the counter.
    pub bench: Bench<S>,
    /// Hashes of the ids of an `init` that is not the first.
    pub ids: S::PerNode<u64>,
    shape: Option<Shape>,
    generated: u64,
}

/// Everything a request may touch.
pub struct Context<'c, S: Storage, G: Spread<S>> {
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
    /// The time of the request.
    pub now: Now,
}

/// What a request comes to.
pub type Answered = Result<Answer, Problem>;

impl<S: Storage> Service<S> {
    /// A service that has answered nothing yet, before [`Bench::fill`].
    #[inline(always)]
    #[must_use]
    pub fn unfilled(limits: &Limits) -> Self {
        use crate::storage::Buf;
        Self {
            payload: S::Payload::with_limit(limits.payload_bytes),
            scratch: S::Scratch::with_limits(limits),
            bench: Bench::unfilled(limits),
            ids: S::PerNode::with_limit(limits.nodes),
            shape: None,
            generated: 0,
        }
    }

    /// Handles a request of a client, or of a node that asks like one. O(length of the request), but for replies that
    /// list everything.
    ///
    /// # Errors
    /// What is wrong with the request; nothing changed.
    #[inline(always)]
    pub fn handle<G: Spread<S>>(&mut self, kind: Kind, message: &Message<'_>, cx: &mut Context<'_, S, G>) -> Answered {
        // What there are most of does without the stack that all others need together.
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
            Kind::GossipStats => Ok(tuning::gossip_stats(cx)),
            Kind::GossipRound => Ok(tuning::gossip_round(cx)),
            Kind::GossipStatus => Ok(self.gossip_status(cx)),
            Kind::GossipSync => self.gossip_sync(message, cx),
            Kind::Digest => Ok(Answer::Digest),
            Kind::DigestSync => self.digest_sync(message, cx),
            Kind::Write => self.write(message, cx),
            Kind::KvRead => self.with_scratch(cx, |_, cx, strings| kv::kv_read(message, cx, strings)),
            Kind::KvMerge => self.with_scratch(cx, |_, cx, strings| kv::kv_merge(message, cx, strings)),
            Kind::BenchWrite => self.bench_write(message, cx),
            Kind::BenchReport => Ok(bench::report(cx)),
            Kind::BenchStats => Ok(self.bench_stats(cx)),
            Kind::Stats => Ok(Answer::Stats),
            Kind::Txn => self.with_scratch(cx, |service, cx, strings| service.txn(message, cx, strings)),
            // Node to node, or handled before.
            Kind::Gossip | Kind::Replicate | Kind::Init | Kind::Broadcast => Err(Problem::UnknownType),
        }
    }

    /// Does something that needs room for strings. Not in place: only this needs the stack for them.
    #[inline(never)]
    fn with_scratch<G: Spread<S>, R>(
        &mut self,
        cx: &mut Context<'_, S, G>,
        act: impl FnOnce(&mut Self, &mut Context<'_, S, G>, &mut Strings<S>) -> R,
    ) -> R {
        let mut lent = self.scratch.lend();
        let done = act(self, cx, lent.as_mut());
        self.scratch.give_back(lent);
        done
    }

    /// The first data from a peer decides what `read` means, if no request has.
    pub fn data_from_peer(&mut self, lane: Lane) {
        self.shape.get_or_insert(match lane {
            Lane::Push => Shape::Messages,
            Lane::Tick => Shape::Count,
        });
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
            Shape::Messages => Ok(Answer::Messages),
            Shape::Elements => Ok(Answer::Elements),
            Shape::Count => Ok(Answer::Count(cx.replica.store.counter.value())),
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

impl<S: Storage, G: Spread<S>> Context<'_, S, G> {
    /// Makes a local change and tells gossip. Says whether the state changed.
    ///
    /// # Errors
    /// Why it cannot be made; nothing changed.
    #[inline(never)]
    fn update(&mut self, entry: &Entry<'_>, key: Key) -> Result<bool, Problem> {
        self.update_here(entry, key)
    }

    /// As [`Context::update`], in place: where the tag is known, nothing is left of an entry that was made only to be
    /// merged.
    #[inline(always)]
    fn update_here(&mut self, entry: &Entry<'_>, key: Key) -> Result<bool, Problem> {
        match self.replica.update(entry) {
            Ok(Some(dot)) => {
                let lane = Replica::<S>::lane(entry).unwrap_or(Lane::Push);
                self.spread.news(lane, dot);
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
            Refused::Overflow => Problem::Field(BadField { key, why: Why::Overflow }),
            Refused::Unreadable => Problem::Field(BadField { key, why: too_long(self.limits) }),
            // A client's change is made in this node's own row.
            Refused::Row(_) | Refused::Impostor => Problem::Full(Bound::Rows(self.limits.rows)),
        }
    }
}

/// Room for the strings of a request.
type Strings<S> = [<<S as Storage>::Scratch as Scratch>::Text; TEXTS];

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
    match value {
        Value::Text(text) if json_len(text) > limits.text_bytes => Err(BadField { key, why: too_long(limits) }),
        Value::Int(_) | Value::Text(_) => Ok(value),
    }
}

impl From<BadField> for Problem {
    fn from(field: BadField) -> Self {
        Self::Field(field)
    }
}
