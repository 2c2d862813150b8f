//! The node: the order of operations, nothing else.

mod birth;
mod error;
mod foreign;
mod receive;
mod refusals;
mod send;
mod spread;

use crate::causality::{Arg, Dot, Entry, Sum};
use crate::config::Config;
use crate::gossip::{Gossip, Hot};
use crate::id::{Id, Value, json_len};
use crate::output::{Event, Events, Sink, SinkFull, Transmit, Wakeup};
use crate::replicated::{Bound, Lane, LwwMap, Replica, Store};
use crate::service::{self, Answer, Context, Head, JsonId, Problem, Reply, Service};
use crate::stats::Stats;
use crate::storage::{Extra as _, Limits, Storage};
use crate::time::{Instant, Now};
use crate::wire::{BadField, Block, Key, Kind, Malformed, Message, Out, Predictor, Serial, Str, Why, short};

pub use error::UpdateError;
use refusals::Refusals;
use spread::GossipSpread;

/// Why a line got no reply. Nothing changed but a counter in [`Stats`], and the next line is read normally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// Hostile, or a bug elsewhere: the line is no message.
    Malformed(Malformed),
    /// A bug elsewhere: no usable `src` or `msg_id`, so there is nobody to answer.
    Unanswerable,
    /// A bug elsewhere: the message is for another node.
    Misdelivered,
    /// Hostile or misconfigured: a node-to-node message from outside of the cluster.
    Stranger,
    /// A bug of the driver: the reply to the line before was not polled. The line was not read.
    ReplyPending,
}

/// Why a driver did not hand a line over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// It was longer than the driver's bound on lines.
    TooLong,
    /// It had waited while the process stood still, so that its sender has given up.
    Stale,
}

/// A local change, for users without JSON clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// Adds a value to the set.
    Broadcast(Value<'a>),
    /// Adds to the counter.
    Add(i64),
    /// Writes a value under a key, stamped now.
    Write {
        /// The key.
        key: Value<'a>,
        /// The value.
        value: Value<'a>,
    },
}

/// A gossip node.
///
/// # Contract
///
/// Inputs are [`Node::handle_line`], [`Node::handle_timeout`] and [`Node::update`]. After each input the driver calls
/// [`Node::poll_transmit`] until it returns `None`, and then [`Node::poll_timeout`] to learn when to call
/// [`Node::handle_timeout`] at the latest. Time, randomness (by seed) and bytes are arguments: the same inputs give the
/// same outputs, bit for bit. Messages may be lost, repeated and reordered by whatever carries them. Nothing goes to a
/// peer before the first message that follows `init`, or 12 s after `init` when none comes.
///
/// No input can make it panic, allocate, or grow beyond its [`Limits`].
#[derive(Clone)]
pub struct Node<S: Storage> {
    config: Config,
    limits: Limits,
    replica: Replica<S>,
    /// Gossip, once the cluster is known.
    gossip: Option<Gossip<S>>,
    service: Service<S>,
    /// For the strings of the line that is read.
    scratch: S::Scratch,
    predictor: S::Extra<Predictor>,
    /// The reply that waits, if one does: kept in place, since every request writes it.
    reply: Reply,
    reply_waits: bool,
    events: Events,
    stats: Stats,
    refusals: Refusals,
    /// Empty until the cluster is known.
    head: Head,
    next_msg_id: Serial,
    settled: bool,
}

impl<S: Storage> Node<S> {
    /// Handles one line, without its newline. O(length of the line), and O(values) for replies that list them all.
    ///
    /// To be called only when [`Node::poll_transmit`] has returned `None`: a reply is polled before the next line.
    ///
    /// # Errors
    /// Why the line was not answered and changed nothing.
    #[inline]
    pub fn handle_line(&mut self, now: Now, line: &[u8]) -> Result<(), Rejected> {
        if self.reply_waits {
            return Err(Rejected::ReplyPending);
        }
        self.stats.lines += 1;
        self.replica.causality.clock.set_wall(now.wall_us);
        let mut message = Message::new();
        let decoded = match self.predictor.get() {
            Some(predictor) => predictor.decode(line, &mut message),
            None => message.decode(line),
        };
        if let Err(malformed) = decoded {
            self.stats.malformed_lines += 1;
            return Err(Rejected::Malformed(malformed));
        }
        let done = self.dispatch(now, &message);
        self.run_due(now);
        done
    }

    /// Handles the timers that are due. O(peers). Late is allowed: what was due happens now, once. Early does nothing.
    pub fn handle_timeout(&mut self, now: Now) {
        self.replica.causality.clock.set_wall(now.wall_us);
        self.run_due(now);
    }

    /// Makes a local change, as a client's request does.
    ///
    /// # Errors
    /// Why it cannot be made; nothing changed, the clock included.
    pub fn update(&mut self, now: Now, change: Change<'_>) -> Result<Option<Dot>, UpdateError> {
        self.replica.causality.clock.set_wall(now.wall_us);
        let own = self.replica.own_row().ok_or(UpdateError::NotJoined)?;
        let clock = self.replica.causality.clock.clone();
        let entry = match change {
            Change::Broadcast(value) => Entry::bare(value.into()),
            Change::Add(delta) => {
                let (sign, number) = self.replica.store.counter.after(own, delta).ok_or(UpdateError::Overflow)?;
                Entry::new(sign.tag(), &[Arg::unsigned(number)]).ok_or(UpdateError::Overflow)?
            }
            Change::Write { key, value } => {
                let stamp_us = self.replica.causality.clock.tick().ok_or(UpdateError::EndOfTime)?;
                LwwMap::<S>::write(key, value, stamp_us)
            }
        };
        let done = match self.replica.update(&entry) {
            Ok(done) => done,
            Err(refused) => {
                self.replica.causality.clock = clock;
                return Err(UpdateError::new(refused, &self.limits));
            }
        };
        if let Some(dot) = done {
            let lane = Replica::<S>::lane(&entry).unwrap_or(Lane::Push);
            self.local_news(lane, dot, now.at);
        }
        self.run_due(now);
        Ok(done)
    }

    /// The end of input: everything that waits for its push is queued for one, and no timer runs any more. Poll
    /// [`Node::poll_transmit`] afterwards.
    pub fn finish(&mut self, now: Now) {
        let sum = self.replica.sum().short();
        if let Some(gossip) = &mut self.gossip {
            gossip.finish(sum, &self.replica.causality.rows, now.at);
        }
    }

    /// Writes the next message that waits, newline included, as the state is now. `None` when there is none. O(length of
    /// the message), which for gossip is bounded by [`Config::max_message_bytes`].
    ///
    /// # Errors
    /// The sink did not take all of it. The message is lost, as if the network had lost it; what the sink holds of it
    /// is to be discarded.
    #[inline]
    pub fn poll_transmit<W: Sink>(&mut self, now: Now, sink: &mut W) -> Result<Option<Transmit>, SinkFull> {
        let sent = if core::mem::take(&mut self.reply_waits) {
            self.poll_reply(sink)
        } else if self.gossip.as_ref().is_some_and(Gossip::is_waiting) {
            self.poll_gossip(now, sink)
        } else {
            return Ok(None);
        };
        self.stats.sink_full += u64::from(sent.is_err());
        sent
    }

    #[inline]
    fn poll_reply<W: Sink>(&mut self, sink: &mut W) -> Result<Option<Transmit>, SinkFull> {
        if let Some(room) = sink.room().first_chunk_mut()
            && let Some(len) = self.reply.write_at_once(Block::new(room), &self.head, &self.next_msg_id)
        {
            sink.take(len);
            self.next_msg_id.advance();
            return Ok(Some(Transmit::Reply));
        }
        self.poll_longer_reply(sink)
    }

    #[inline(never)]
    fn poll_longer_reply<W: Sink>(&mut self, sink: &mut W) -> Result<Option<Transmit>, SinkFull> {
        let stats = &self.stats();
        let Self { replica, service, head, config, .. } = &*self;
        let source = service::Source { replica, service, stats, head, incarnation: config.incarnation };
        let mut out = Out::new(sink);
        self.reply.write(&mut out, &source, &self.next_msg_id);
        self.next_msg_id.advance();
        out.finish().map(|_| Some(Transmit::Reply))
    }

    /// When [`Node::handle_timeout`] is to be called at the latest; `None` when nothing is due ever, unless a line
    /// arrives.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wakeup> {
        self.gossip.as_ref()?.next_timeout()
    }

    /// The next event, if [`Config::events`] is on.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// The next table that was found full and was not named before: what a client or a peer offered was refused. Each is
    /// named once. O(1).
    pub fn poll_refusal(&mut self) -> Option<Bound> {
        self.refusals.pop(&self.limits)
    }

    /// Counts lines that the driver did not hand over.
    pub fn skipped(&mut self, why: Skipped, lines: u64) {
        *match why {
            Skipped::TooLong => &mut self.stats.lines_too_long,
            Skipped::Stale => &mut self.stats.lines_stale,
        } += lines;
    }

    /// The state.
    #[must_use]
    pub fn store(&self) -> &Store<S> {
        &self.replica.store
    }

    /// State, members and version vector.
    #[must_use]
    pub fn replica(&self) -> &Replica<S> {
        &self.replica
    }

    /// Gossip, once the cluster is known.
    #[must_use]
    pub fn gossip(&self) -> Option<&Gossip<S>> {
        self.gossip.as_ref()
    }

    /// Switches off a rule: for tests that show what it is for.
    #[doc(hidden)]
    pub fn switch_off(&mut self, rule: crate::gossip::Rule) {
        if let Some(gossip) = &mut self.gossip {
            gossip.switch_off(rule);
        }
    }

    /// The digest in short: equal on two nodes that hold the same.
    #[must_use]
    pub fn digest(&self) -> Sum {
        self.replica.sum()
    }

    /// Whether every member is known to hold exactly this node's state. Until the next change the node is silent. False
    /// from the moment of a change on, before anybody was told of it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.settled && self.gossip.as_ref().is_some_and(|gossip| gossip.is_about(self.replica.sum().short()))
    }

    /// What the node has counted, and how it stands.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let rounds = self.gossip.as_ref().map_or((0, 0), |gossip| (gossip.rounds(), gossip.forgotten()));
        Stats {
            gossip_rounds: rounds.0,
            rumors_forgotten: rounds.1,
            members: self.replica.causality.members.len() as u64,
            rows: self.replica.causality.rows.len() as u64,
            settled: u64::from(self.is_settled()),
            ..self.stats
        }
    }

    /// The number of this node's session: the one that it was given at start, or a larger one that it had to take because its name was
    /// seen with a number above its own.
    #[must_use]
    pub fn session(&self) -> u64 {
        self.gossip.as_ref().map_or(self.config.incarnation, Gossip::session)
    }

    /// Whether this node's name was seen with the largest number that a session can have: it can take none above that, so nobody would
    /// believe it any more. The driver is to end it and say so.
    #[must_use]
    pub fn is_name_used_up(&self) -> bool {
        self.gossip.as_ref().is_some_and(Gossip::is_name_used_up)
    }

    /// The choices in force, those made by `configure` included.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The capacities.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    #[inline]
    fn dispatch(&mut self, now: Now, message: &Message<'_>) -> Result<(), Rejected> {
        if message.is_reply {
            self.stats.replies_received += 1;
            return Ok(());
        }
        let answerable = message.src.as_ref().is_some_and(|src| copy(src, self.limits.id_bytes, &mut self.reply.to));
        if self.gossip.is_none() {
            return self.before_init(now, message, answerable);
        }
        if message.dest.as_ref().is_none_or(|dest| !self.is_me(dest)) {
            self.stats.misdelivered += 1;
            return Err(Rejected::Misdelivered);
        }
        self.start(now);
        if let Some(kind @ (Kind::Gossip | Kind::Replicate)) = message.kind {
            return self.receive(now, kind, message);
        }
        let Some(in_reply_to) = message.msg_id.filter(|_| answerable) else {
            return self.unanswerable();
        };
        match self.request(now, message) {
            Ok(answer) => self.reply.answer = answer,
            Err(problem) => self.refuse(problem, message),
        }
        self.reply.in_reply_to = in_reply_to;
        self.reply_waits = true;
        Ok(())
    }

    /// A request that can be answered.
    #[inline(always)]
    fn request(&mut self, now: Now, message: &Message<'_>) -> Result<Answer, Problem> {
        check_twice(message)?;
        let kind = known_kind(message)?;
        if kind == Kind::Init {
            let same = service::is_same_cluster(
                message,
                &self.replica.causality.members,
                &self.limits,
                &mut self.service.ids,
            )?;
            return if same { Ok(Answer::Init) } else { Err(Problem::OtherCluster) };
        }
        let Self { replica, gossip: Some(gossip), service, stats, config, limits, scratch, .. } = self else {
            return Err(Problem::NotInitialised);
        };
        let before = if config.events { replica.own_seq() } else { 0 };
        let spread = GossipSpread { gossip, now: now.at };
        let mut cx = Context { replica, spread, stats, config, limits, scratch, now };
        let done = service.handle(kind, message, &mut cx);
        if self.config.events {
            self.report_changes(before);
        }
        // A change here teaches nothing about peers, unless there are none.
        if self.gossip.as_ref().is_some_and(|gossip| !gossip.has_peers()) {
            self.judge_convergence(now.at);
        }
        done
    }

    #[inline(never)]
    fn before_init(&mut self, now: Now, message: &Message<'_>, answerable: bool) -> Result<(), Rejected> {
        if message.kind.is_some_and(Kind::is_unanswered) {
            self.stats.strangers += 1;
            return Err(Rejected::Stranger);
        }
        let named = message.dest.as_ref().is_some_and(|dest| copy(dest, self.limits.id_bytes, &mut self.reply.from));
        let Some(in_reply_to) = message.msg_id.filter(|_| answerable && named) else {
            return self.unanswerable();
        };
        let done =
            if message.kind == Some(Kind::Init) { self.init(now, message) } else { Err(Problem::NotInitialised) };
        match done {
            Ok(answer) => self.reply.answer = answer,
            Err(problem) => self.refuse(problem, message),
        }
        self.reply.in_reply_to = in_reply_to;
        self.reply_waits = true;
        Ok(())
    }

    /// The first message after `init`.
    #[inline]
    fn start(&mut self, now: Now) {
        if let Some(gossip) = &mut self.gossip
            && !gossip.is_started()
        {
            gossip.start(now.at);
        }
    }

    #[cold]
    fn refuse(&mut self, problem: Problem, message: &Message<'_>) {
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

    fn unanswerable(&mut self) -> Result<(), Rejected> {
        self.stats.unanswerable += 1;
        Err(Rejected::Unanswerable)
    }

    #[inline]
    fn is_me(&self, dest: &Str<'_>) -> bool {
        let members = &self.replica.causality.members;
        if dest.is_escaped() {
            return dest.is(members.id(members.me()));
        }
        short::same(dest.raw(), members.id_bytes(members.me()))
    }

    fn local_news(&mut self, lane: Lane, dot: Dot, now: Instant) {
        if let Some(gossip) = &mut self.gossip {
            gossip.news(lane, Hot::dot(dot, None), now);
        }
        self.changed(dot);
    }

    /// Events for the local changes after the `before`-th.
    fn report_changes(&mut self, before: u64) {
        let Some(row) = self.replica.own_row() else {
            return;
        };
        for seq in before + 1..=self.replica.own_seq() {
            self.events.push(Event::Applied(Dot { row, seq }));
        }
    }

    /// An entry was applied.
    #[inline]
    fn changed(&mut self, dot: Dot) {
        if self.config.events {
            self.events.push(Event::Applied(dot));
        }
    }

    #[inline]
    fn run_due(&mut self, now: Now) {
        let Some(gossip) = &self.gossip else { return };
        if gossip.is_due(now.at) {
            self.run_timers(now);
        }
    }

    #[inline(never)]
    fn run_timers(&mut self, now: Now) {
        self.take_session(now);
        if let Some(gossip) = &mut self.gossip {
            gossip.timeout(self.replica.sum().short(), &self.replica.causality.rows, now.at);
        }
        self.note_settled();
    }

    /// Takes a larger session, and a life with it, if that is wanted and its time has come.
    fn take_session(&mut self, now: Now) {
        let Some(gossip) = &mut self.gossip else { return };
        let Some(life) = gossip.take_session(now.at) else { return };
        self.stats.sessions_taken += 1;
        if self.replica.take_life(life).is_err() {
            // No room for a further life: the changes that are made now could not be told from others.
            self.replica.over_bound(true);
        }
    }

    /// Notes whether all members are known to hold this state, and says so once.
    fn note_settled(&mut self) {
        let sum = self.replica.sum().short();
        let Some(gossip) = &mut self.gossip else { return };
        let settled = gossip.settle(sum);
        if settled && !self.settled && self.config.events {
            self.events.push(Event::Settled);
        }
        self.settled = settled;
    }

    /// Measures how long this node's changes took until every peer was known to hold them.
    #[inline(always)]
    fn judge_convergence(&mut self, now: Instant) {
        if self.service.bench.is_waiting() {
            self.judge_waiting(now);
        }
    }

    #[inline(never)]
    fn judge_waiting(&mut self, now: Instant) {
        if let Some(gossip) = &mut self.gossip {
            let own = self.replica.own_seq();
            let everybody_has = gossip.everybody_has(self.replica.sum().short(), own);
            self.service.bench.everybody_has(everybody_has, now);
        }
    }
}

/// Copies an id in the form in which JSON prints it; false when it is empty or longer than `max`.
#[inline(always)]
fn copy(id: &Str<'_>, max: usize, to: &mut JsonId) -> bool {
    if id.is_escaped() {
        return copy_escaped(id, max, to);
    }
    // What needed no escape when it came needs none when it goes.
    let raw = id.raw();
    // Mostly it is there from the line before.
    (!raw.is_empty() && short::same(raw, to.bytes())) || copy_plain(raw, max, to)
}

#[inline(never)]
fn copy_plain(raw: &[u8], max: usize, to: &mut JsonId) -> bool {
    to.clear();
    !raw.is_empty() && raw.len() <= max && to.assign(raw)
}

#[cold]
fn copy_escaped(id: &Str<'_>, max: usize, to: &mut JsonId) -> bool {
    to.clear();
    let mut scratch = Id::new();
    let Some(text) = id.unescape(&mut scratch).filter(|text| !text.is_empty() && json_len(text) <= max) else {
        return false;
    };
    let mut out = Out::new(to);
    out.escaped(text);
    out.finish().is_ok()
}

#[inline]
fn check_twice(message: &Message<'_>) -> Result<(), Problem> {
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

fn known_kind(message: &Message<'_>) -> Result<Kind, Problem> {
    match (message.kind, message.type_name) {
        (Some(kind), _) => Ok(kind),
        (None, Some(_)) => Err(Problem::UnknownType),
        (None, None) => {
            let why = if message.need(Key::Type).is_ok() { Why::Not("a string") } else { Why::Missing };
            Err(BadField { key: Key::Type, why }.into())
        }
    }
}
