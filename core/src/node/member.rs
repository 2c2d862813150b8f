//! A member of a cluster: its inputs and outputs.

use rand_core::SeedableRng;
use rand_xorshift::XorShiftRng;

use super::desk::Desk;
use super::events::{Events, Noted};
use super::spread::GossipSpread;
use super::{Event, JoinError, Rejected, UpdateError, waiting};
use crate::causality::{Dot, HybridClock, Sum};
use crate::config::Config;
use crate::gossip::Gossip;
use crate::id::{NodeIndex, mix2};
use crate::output::{Sink, SinkFull, Transmit, Wakeup};
use crate::replicated::{Applied, Bound, Change, Made, Refused, Replica, Store};
use crate::service::{self, Application, Head, Service};
use crate::stats::{Skipped, Stats};
use crate::storage::{Limits, Scratch as _};
use crate::time::{Instant, Now};
use crate::wire::{Block, Message, Out, Predictor};

/// A node that is a member of a cluster.
///
/// The contract is that of [`Node`](crate::Node), which becomes one when it has read `init`. A program that knows its cluster makes one
/// with [`Member::join`], hands over the lines of its peers, makes changes with [`Member::update`], and needs no client.
#[derive(Clone)]
pub struct Member<S: Application> {
    pub(super) config: Config,
    pub(super) limits: Limits,
    pub(super) replica: Replica<S>,
    pub(super) gossip: Gossip<S>,
    pub(super) service: Service<S>,
    /// For the strings of the line that is read.
    pub(super) scratch: S::Scratch,
    predictor: Predictor,
    pub(super) desk: Desk,
    pub(super) events: Events<S>,
    pub(super) head: Head,
    settled: bool,
}

impl<S: Application> Member<S> {
    /// Joins the cluster of `ids` as `me`, with the capacities the storage comes with, and speaks to peers from then on.
    ///
    /// A member with fixed storage is one value of that size: [`Small`](crate::storage::Small) has 303 KB, and needs a stack of 3 MiB in a
    /// debug build. On a server take `Heap`, and for static memory [`Node::new_in`](crate::Node::new_in).
    ///
    /// # Errors
    /// A choice outside of its bounds, or what is wrong with the list.
    pub fn join<'a>(
        config: Config,
        me: &str,
        ids: impl IntoIterator<Item = &'a str>,
        now: Now,
    ) -> Result<Self, JoinError> {
        Self::join_with_limits(config, S::LIMITS, me, ids, now)
    }

    /// As [`Member::join`], with capacities of choice. Only the storage on the heap takes other capacities than its own.
    ///
    /// # Errors
    /// As [`Member::join`], or capacities that the storage cannot have.
    pub fn join_with_limits<'a>(
        config: Config,
        limits: Limits,
        me: &str,
        ids: impl IntoIterator<Item = &'a str>,
        now: Now,
    ) -> Result<Self, JoinError> {
        waiting::check::<S>(&config, &limits)?;
        let mut member = Self::unfilled(&limits);
        member.fill(config);
        member.join_as(me, ids, now)?;
        Ok(member)
    }

    /// One of no cluster, whose tables are empty: nothing of them goes over the stack.
    #[inline(always)]
    pub(super) fn unfilled(limits: &Limits) -> Self {
        Self {
            replica: Replica::unfilled(limits),
            gossip: Gossip::unfilled(0, NodeIndex(0), limits, XorShiftRng::from_seed([1; 16]), 0),
            service: Service::unfilled(limits),
            scratch: S::Scratch::with_limits(limits),
            predictor: Default::default(),
            desk: Desk::default(),
            events: Events::unfilled(limits),
            head: Head::default(),
            settled: false,
            config: Config::default(),
            limits: *limits,
        }
    }

    /// Fills the tables that are never empty, in place.
    pub(super) fn fill(&mut self, config: Config) {
        self.replica.causality.clock = HybridClock::new(config.max_clock_ahead_ms.saturating_mul(1_000));
        // The seed itself shows in whom this node speaks to.
        self.replica.store.fill(&self.limits, mix2(config.seed, u64::from_be_bytes(*b"hashkeys")));
        self.service.fill(&self.limits);
        if config.events {
            self.events.fill(&self.limits);
        }
        self.config = config;
    }

    /// Sets the members of the cluster, and begins.
    pub(super) fn join_as<'a>(
        &mut self,
        me: &str,
        ids: impl IntoIterator<Item = &'a str>,
        now: Now,
    ) -> Result<(), JoinError> {
        let members = &mut self.replica.causality.members;
        members.set(me, ids.into_iter()).map_err(|why| JoinError::new(why, &self.limits))?;
        self.begin(now);
        self.start(now);
        Ok(())
    }

    /// The cluster is known: this life begins.
    #[cold]
    #[inline(never)]
    pub(super) fn begin(&mut self, now: Now) {
        let Self { config, limits, replica, gossip, head, .. } = self;
        let members = &replica.causality.members;
        let (nodes, me) = (members.len(), members.me());
        head.clear();
        let mut out = Out::new(head);
        out.head(members.id(me));
        let fits = out.finish();
        debug_assert!(fits.is_ok(), "an id is at most half as long as the room for the head");
        let salt = crate::id::hash_bytes(members.id(me).as_bytes());
        let rng = XorShiftRng::seed_from_u64(mix2(config.seed ^ salt, config.incarnation));
        *gossip = Gossip::unfilled(nodes, me, limits, rng, config.incarnation);
        gossip.fill(members, now.at);
        let begun = replica.begin(config.incarnation);
        debug_assert!(begun.is_ok(), "an empty table has room for a row");
        gossip.use_strategy(config.strategy, Instant::ZERO);
        gossip.configure(config.fanout, config.gossip_interval_ms, Instant::ZERO);
        self.settled = nodes == 1;
    }

    /// Handles one message, with or without its newline. O(length of the line), and O(values) for replies that list them all.
    ///
    /// To be called only when [`Member::poll_transmit`] has returned `None`: a reply is polled before the next line.
    ///
    /// # Errors
    /// Why the line was refused and changed nothing. (A message of a peer that was taken has no reply and is no error.)
    #[inline]
    pub fn handle_line(&mut self, now: Now, line: &[u8]) -> Result<(), Rejected> {
        if self.desk.reply_waits {
            return Err(Rejected::ReplyPending);
        }
        self.desk.stats.lines += 1;
        self.replica.causality.clock.set_wall(now.wall_us);
        let mut message = Message::new();
        if let Err(malformed) = self.predictor.decode(line, &mut message) {
            self.desk.stats.malformed_lines += 1;
            return Err(Rejected::Malformed(malformed));
        }
        let done = self.dispatch(now, line, &message);
        self.run_due(now);
        done
    }

    /// Handles the timers that are due. O(peers). Late is allowed: what was due happens now, once. Early does nothing.
    pub fn handle_timeout(&mut self, now: Now) {
        self.replica.causality.clock.set_wall(now.wall_us);
        self.run_due(now);
    }

    /// Makes a local change, as a client's request does. Gives its dot, or `None` when the state included it already: a value that is in the
    /// set, or 0 added to the counter.
    ///
    /// # Errors
    /// Why it cannot be made; nothing changed, the clock included.
    pub fn update(&mut self, now: Now, change: Change<'_>) -> Result<Option<Dot>, UpdateError> {
        self.replica.causality.clock.set_wall(now.wall_us);
        let made = match (change, service::change(&mut self.replica, &change, &self.limits)) {
            (_, Ok(made)) => made,
            (Change::Entry(_), Err(Refused::Unreadable)) => return Err(UpdateError::Unreadable),
            (_, Err(refused)) => return Err(UpdateError::new(refused, &self.limits)),
        };
        if let Some(made) = made {
            self.made(made, None, now.at);
        }
        self.run_due(now);
        Ok(made.map(|made| made.dot))
    }

    /// The end: everything that waits for its push is queued for one, and no timer runs any more. Poll
    /// [`Member::poll_transmit`] afterwards, and the node can be dropped.
    ///
    /// A node may end at any time without this. Then changes that it made and had not sent yet are lost. That this node is settled does not
    /// say that the others know they are: they find out from each other.
    pub fn finish(&mut self, now: Now) {
        let sum = self.replica.sum().short();
        self.gossip.finish(sum, &self.replica.causality.rows, now.at);
    }

    /// Writes the next message that waits, newline included, as the state is now. `None` when there is none. O(length of
    /// the message), which for gossip is bounded by [`Config::max_message_bytes`].
    ///
    /// # Errors
    /// The sink did not take all of it. The message is lost, as if the network had lost it; what the sink holds of it
    /// is to be discarded.
    #[inline]
    pub fn poll_transmit<W: Sink>(&mut self, now: Now, sink: &mut W) -> Result<Option<Transmit>, SinkFull> {
        let sent = if core::mem::take(&mut self.desk.reply_waits) {
            self.poll_reply(sink)
        } else if self.gossip.is_waiting() {
            self.poll_gossip(now, sink)
        } else {
            return Ok(None);
        };
        self.desk.stats.sink_full += u64::from(sent.is_err());
        sent
    }

    #[inline]
    fn poll_reply<W: Sink>(&mut self, sink: &mut W) -> Result<Option<Transmit>, SinkFull> {
        if let Some(block) = Block::within(sink.room())
            && let Some(len) = self.desk.reply.write_at_once(block, &self.head, &self.desk.next_msg_id)
        {
            sink.take(len);
            self.desk.next_msg_id.advance();
            return Ok(Some(Transmit::Reply));
        }
        self.poll_longer_reply(sink)
    }

    #[inline(never)]
    fn poll_longer_reply<W: Sink>(&mut self, sink: &mut W) -> Result<Option<Transmit>, SinkFull> {
        let stats = &self.stats();
        let Self { replica, service, head, config, .. } = &*self;
        let source = service::Source { replica, service, stats, incarnation: config.incarnation };
        let mut out = Out::new(sink);
        self.desk.reply.write(&mut out, head, &source, &self.desk.next_msg_id);
        self.desk.next_msg_id.advance();
        out.finish().map(|_| Some(Transmit::Reply))
    }

    /// When [`Member::handle_timeout`] is to be called; `None` when nothing is due ever, unless a line arrives.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wakeup> {
        self.gossip.next_timeout()
    }

    /// The next event, if [`Config::events`] is on.
    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        // Bounded by the length of the queue.
        let dot = loop {
            match self.events.pop()? {
                Noted::Settled => return Some(Event::Settled),
                Noted::Lagged { missed } => return Some(Event::Lagged { missed }),
                Noted::Applied(dot) if self.applied(dot).is_some() => break dot,
                Noted::Applied(_) => {}
            }
        };
        let change = self.applied(dot)?;
        Some(Event::Changed { by: self.replica.causality.name(dot.row).0, change })
    }

    fn applied(&self, dot: Dot) -> Option<Applied<'_>> {
        self.replica.store.applied(dot, &self.replica.causality)
    }

    /// The next table that was found full and was not named before: what a client or a peer offered was refused. Each is
    /// named once. O(1).
    pub fn poll_refusal(&mut self) -> Option<Bound> {
        self.desk.refusals.pop(&self.limits)
    }

    /// Counts lines that the driver did not hand over.
    pub fn skipped(&mut self, why: Skipped, lines: u64) {
        self.desk.stats.skipped(why, lines);
    }

    /// The state.
    #[must_use]
    pub fn store(&self) -> &Store<S> {
        &self.replica.store
    }

    /// The ids of all members, in the order of their bytes: the n-th has the [`NodeIndex`] n.
    pub fn members(&self) -> impl Iterator<Item = &str> {
        self.replica.causality.members.iter()
    }

    /// The id of a member; empty for an index that no member has.
    #[must_use]
    pub fn id(&self, member: NodeIndex) -> &str {
        self.replica.causality.members.id(member)
    }

    /// This node among the members.
    #[must_use]
    pub fn me(&self) -> NodeIndex {
        self.replica.causality.members.me()
    }

    /// State, members and version vector.
    #[doc(hidden)]
    #[must_use]
    pub fn replica(&self) -> &Replica<S> {
        &self.replica
    }

    /// Gossip.
    #[doc(hidden)]
    #[must_use]
    pub fn gossip(&self) -> &Gossip<S> {
        &self.gossip
    }

    /// Switches off a rule: for tests that show what it is for.
    #[doc(hidden)]
    pub fn switch_off(&mut self, rule: crate::gossip::Rule) {
        self.gossip.switch_off(rule);
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
        self.settled && self.gossip.is_about(self.replica.sum().short())
    }

    /// What the node has counted, and how it stands.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            gossip_rounds: self.gossip.rounds(),
            rumors_forgotten: self.gossip.forgotten(),
            members: self.replica.causality.members.len() as u64,
            rows: self.replica.causality.rows.len() as u64,
            settled: u64::from(self.is_settled()),
            ..self.desk.stats
        }
    }

    /// The number of this node's session: the one that it was given at start, or a larger one that it had to take because its name was
    /// seen with a number above its own.
    #[must_use]
    pub fn session(&self) -> u64 {
        self.gossip.session()
    }

    /// Whether this node's name was seen with the largest number that a session can have: it can take none above that, so nobody would
    /// believe it any more. The driver is to end it and say so.
    #[must_use]
    pub fn is_name_used_up(&self) -> bool {
        self.gossip.is_name_used_up()
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

    /// The first message after `init`.
    #[inline]
    pub(super) fn start(&mut self, now: Now) {
        if !self.gossip.is_started() {
            self.gossip.start(now.at);
        }
    }

    /// A local change was made. `source`: the peer that asked for it.
    pub(super) fn made(&mut self, made: Made, source: Option<NodeIndex>, now: Instant) {
        let Self { gossip, events, config, .. } = self;
        GossipSpread { gossip, events: config.events.then_some(events), now }.made(made, source);
    }

    #[inline]
    fn run_due(&mut self, now: Now) {
        if self.gossip.is_due(now.at) {
            self.run_timers(now);
        }
    }

    #[inline(never)]
    fn run_timers(&mut self, now: Now) {
        self.take_session(now);
        self.gossip.timeout(self.replica.sum().short(), &self.replica.causality.rows, now.at);
        self.note_settled();
    }

    /// Takes a larger session, and a life with it, if that is wanted and its time has come.
    fn take_session(&mut self, now: Now) {
        let Some(life) = self.gossip.take_session(now.at) else { return };
        self.desk.stats.sessions_taken += 1;
        if self.replica.take_life(life).is_err() {
            // No room for a further life: the changes that are made now could not be told from others.
            self.replica.over_bound(true);
        }
    }

    /// Notes whether all members are known to hold this state, and says so once.
    pub(super) fn note_settled(&mut self) {
        let sum = self.replica.sum().short();
        let settled = self.gossip.settle(sum);
        if settled && !self.settled && self.config.events {
            self.events.push(Noted::Settled);
        }
        self.settled = settled;
    }

    /// Measures how long this node's changes took until every peer was known to hold them.
    #[inline(always)]
    pub(super) fn judge_convergence(&mut self, now: Instant) {
        if self.service.bench.is_waiting() {
            self.judge_waiting(now);
        }
    }

    #[inline(never)]
    fn judge_waiting(&mut self, now: Instant) {
        let own = self.replica.own_seq();
        let everybody_has = self.gossip.everybody_has(self.replica.sum().short(), own);
        self.service.bench.everybody_has(everybody_has, now);
    }
}

impl<S: Application> core::fmt::Debug for Member<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let members = &self.replica.causality.members;
        f.debug_struct("Member")
            .field("id", &members.id(members.me()))
            .field("session", &self.session())
            .field("digest", &self.digest())
            .field("settled", &self.is_settled())
            .finish_non_exhaustive()
    }
}
