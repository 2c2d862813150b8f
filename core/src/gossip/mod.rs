//! Gossip decides which peer is sent what, and when: knowledge about peers, fanout, rumor mongering, anti-entropy,
//! relay, timers.
//!
//! This module knows no data type, only dots and lanes. It writes no bytes: it queues *intents* ("send this peer what
//! it lacks"), and a message is made of the state as it is when the intent is polled. `exchange.rs` learns from a
//! message that came; `delta.rs` chooses what a peer is sent. A strategy is a `Scheduler`: `Rumor` or `Relay`. `Common`
//! holds what every strategy works with.
//!
//! Nobody outside sees what [`Gossip`] holds. A function that depends on this node's state takes the node's digest in
//! short. So gossip notices each change of the state, and never takes a peer that agreed with an older state for one
//! that agrees with the present one.

mod agreement;
#[cfg(test)]
mod bench;
mod common;
mod delta;
mod exchange;
mod fanout;
mod filling;
mod peers;
mod relay;
mod rule;
mod rumor;
mod session;
mod view;

use rand_xorshift::XorShiftRng;

use crate::causality::{RowId, Rows};
use crate::id::{Members, NodeIndex};
use crate::output::{Timer, Wakeup};
use crate::replicated::Lane;
use crate::storage::{Limits, Storage};
use crate::time::Instant;

pub use agreement::Agreement;
use common::{Assumed, Began, Common, Heard, Scheduler, Sent};
pub use common::{Control, Echo, Hot};
pub use delta::{Delta, Ended, Listed, Named, Page, Plan};
pub use exchange::{Exchange, Holders, Learned, Said};
pub use fanout::{Draw, Sampler};
use peers::{Pending, Resume};
pub use peers::{Session, Want};
use relay::Relay;
pub use rule::Rule;
use rumor::Rumor;

/// How long after `init` a node that has received no message waits before it sends one by itself, in milliseconds.
/// Maelstrom starts every node of a run within 10 s, and it would mute a node that writes to one which has not started.
const SPEAK_AFTER_MS: u64 = 12_000;
/// A moment that never comes.
const NEVER: Instant = Instant::from_micros(u64::MAX);

/// Makes [`Strategy`] from one list, so that no strategy is missing where all of them are named.
macro_rules! strategies {
    ($(#[$doc:meta])* $first:ident = $first_name:literal, $($(#[$docs:meta])* $next:ident = $next_name:literal,)+) => {
        /// The strategy that spreads the state.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize))]
        #[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
        pub enum Strategy {
            $(#[$doc])*
            #[default]
            $first,
            $($(#[$docs])* $next,)+
        }

        impl Strategy {
            /// All of them.
            pub const ALL: [Self; [$first_name, $($next_name),+].len()] = [Self::$first, $(Self::$next),+];
            /// Their names, as the sentence has them that refuses another name.
            pub(crate) const NAMES: &'static str = concat!('"', $first_name, '"', $(" or \"", $next_name, '"'),+);

            /// The name on the wire and on the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    Self::$first => $first_name,
                    $(Self::$next => $next_name,)+
                }
            }
        }
    };
}

strategies! {
    /// Rumor mongering, repaired by anti-entropy (Demers et al., "Epidemic algorithms for replicated database
    /// maintenance", 1987).
    Rumor = "rumor",
    /// One node, the relay, gathers changes from all and sends them to all; any node can be the relay. It takes about a
    /// quarter of the messages that `rumor` takes.
    Relay = "relay",
}

impl Strategy {
    #[doc(hidden)]
    /// Whether the header of its messages has a [`Control`].
    #[must_use]
    pub const fn says_control(self) -> bool {
        match self {
            Self::Rumor => false,
            Self::Relay => true,
        }
    }
}

/// The scheduler in charge. There is one at a time: a change of strategy replaces it.
#[derive(Clone)]
enum Active<S: Storage> {
    Rumor(Rumor<S>),
    Relay(Relay<S>),
}

impl<S: Storage> Active<S> {
    const fn strategy(&self) -> Strategy {
        match self {
            Self::Rumor(_) => Strategy::Rumor,
            Self::Relay(_) => Strategy::Relay,
        }
    }
}

/// Calls the scheduler in charge.
macro_rules! scheduler {
    ($gossip:expr, $name:ident => $call:expr) => {
        match $gossip {
            Active::Rumor($name) => $call,
            Active::Relay($name) => $call,
        }
    };
}

/// Gossip of one node: its knowledge of the others, and the scheduler of its strategy.
#[derive(Clone)]
pub struct Gossip<S: Storage> {
    /// Knowledge, randomness, choices.
    common: Common<S>,
    scheduler: Active<S>,
    sending: delta::Sending,
    limits: Limits,
    started: bool,
    /// When the node speaks by itself, unless it is started before.
    speak_at: Instant,
    /// The earlier of `speak_at` and the moment at which a larger session is taken.
    wake_at: Instant,
}

names_itself!(impl[S: Storage] Gossip<S>, "Gossip");

impl<S: Storage> Gossip<S> {
    /// Gossip in a cluster of `nodes`, of which nothing is known yet. This node begins `session`. [`Gossip::fill`] has
    /// to follow.
    #[must_use]
    #[inline(always)]
    pub fn unfilled(nodes: usize, me: NodeIndex, limits: &Limits, rng: XorShiftRng, session: u64) -> Self {
        Self {
            common: Common::unfilled(nodes, me, limits, rng, session),
            scheduler: Active::Rumor(Rumor::new(limits)),
            sending: delta::Sending::default(),
            limits: *limits,
            started: false,
            speak_at: NEVER,
            wake_at: NEVER,
        }
    }

    /// Fills the tables that are never empty. Called once the node is where it stays in memory.
    pub fn fill(&mut self, members: &Members<S>, now: Instant) {
        self.common.fill(members, &self.limits);
        self.speak_at = now.plus_ms(SPEAK_AFTER_MS);
        self.wake_at = self.speak_at;
    }

    /// Changes fanout and interval at once, timers that run included.
    pub fn configure(&mut self, fanout: u8, interval_ms: Option<u32>, now: Instant) {
        self.common.configure(fanout, interval_ms);
        scheduler!(&mut self.scheduler, s => s.reconfigured(&self.common, now));
    }

    /// Puts the scheduler of a strategy in charge, unless it is already. The new scheduler begins as if this node had
    /// just made a change that no peer knows of. It allocates its memory here if the storage is on the heap.
    #[inline(never)]
    pub fn use_strategy(&mut self, strategy: Strategy, now: Instant) {
        if self.scheduler.strategy() == strategy {
            return;
        }
        match strategy {
            Strategy::Rumor => self.scheduler = Active::Rumor(Rumor::new(&self.limits)),
            Strategy::Relay => {
                let nodes = self.common.agreement.nodes();
                let rules = self.common.rules;
                self.scheduler = Active::Relay(Relay::unfilled(nodes, self.common.me(), &self.limits, rules));
                if let Active::Relay(relay) = &mut self.scheduler {
                    relay.fill(nodes);
                }
            }
        }
        self.common.source = None;
        if self.started {
            scheduler!(&mut self.scheduler, s => s.start(&mut self.common, Began::Replaced, now));
        }
    }

    /// Switches off a rule: for tests that show what the rule is for.
    #[doc(hidden)]
    pub fn switch_off(&mut self, rule: Rule) {
        self.common.rules.switch_off(rule);
        match &mut self.scheduler {
            Active::Rumor(_) => {}
            Active::Relay(relay) => relay.switch_off(rule),
        }
    }

    /// Whether a rule is in force.
    #[must_use]
    fn keeps(&self, rule: Rule) -> bool {
        self.common.keeps(rule)
    }

    /// Whether peers may be written to: see `Scheduler::start`.
    #[must_use]
    #[inline]
    pub fn is_started(&self) -> bool {
        self.started
    }

    /// See `Scheduler::start`.
    pub fn start(&mut self, now: Instant) {
        let began = if self.speak_at <= now { Began::ByItself } else { Began::Heard };
        self.started = true;
        self.speak_at = NEVER;
        self.set_wake();
        scheduler!(&mut self.scheduler, s => s.start(&mut self.common, began, now));
    }

    /// See `Scheduler::news`. Does nothing in a cluster of one.
    #[inline]
    pub fn news(&mut self, lane: Lane, hot: Hot, now: Instant) {
        if self.common.has_peers() {
            self.spread(lane, hot, now);
        }
    }

    #[inline(never)]
    fn spread(&mut self, lane: Lane, hot: Hot, now: Instant) {
        scheduler!(&mut self.scheduler, s => s.news(&mut self.common, lane, hot, now));
    }

    /// See `Scheduler::heard`. `sum` is this node's digest in short.
    fn heard(&mut self, heard: Heard, sum: u64, rows: &Rows<S>, now: Instant) {
        self.common.refresh(sum);
        scheduler!(&mut self.scheduler, s => s.heard(&mut self.common, heard, rows, now));
    }

    /// A newer session of a peer is known.
    fn reborn(&mut self, peer: NodeIndex, now: Instant) {
        scheduler!(&mut self.scheduler, s => s.view_changed(&mut self.common, peer, now));
    }

    /// A message names a session of a member. If it is a session of this node, and larger than the present one, this
    /// node takes a session that is larger still.
    pub fn named(&mut self, node: NodeIndex, session: u64, now: Instant) {
        if node == self.common.me() {
            if session > self.common.own.session() {
                self.want_session_above(session, now);
            }
        } else if self.common.learn_session(node, session) {
            self.reborn(node, now);
        }
    }

    /// A message named a session of this node, or changes of it, that this node does not have: see `Own::want_above`.
    #[cold]
    pub fn want_session_above(&mut self, seen: u64, now: Instant) {
        if self.common.keeps(Rule::HigherSession) {
            self.common.own.want_above(seen, now);
            self.set_wake();
        }
    }

    /// Takes the larger session that is wanted, if its time has come. Returns the life in which dots are made from now
    /// on.
    pub fn take_session(&mut self, now: Instant) -> Option<u64> {
        let session = self.common.own.take(now);
        self.set_wake();
        let me = self.common.me();
        self.common.view.learn(me, session?);
        self.common.peers.forget_own();
        scheduler!(&mut self.scheduler, s => s.view_changed(&mut self.common, me, now));
        Some(self.common.own.life())
    }

    fn set_wake(&mut self) {
        self.wake_at = self.common.own.due().unwrap_or(NEVER).min(self.speak_at);
    }

    /// A peer writes from an older session than the newest known of it. It is told so, at most once in half a second.
    fn answer_old_session(&mut self, peer: NodeIndex, now: Instant) {
        if self.common.peers.wrote_from_old_session(peer, now) {
            self.common.peers.want_to_send(peer, Pending { lane: Some(Lane::Push), ..Pending::default() });
        }
    }

    /// See `Scheduler::next_timeout`.
    #[must_use]
    #[inline]
    pub fn next_timeout(&self) -> Option<Wakeup> {
        let wake = (self.wake_at != NEVER).then_some(Wakeup { at: self.wake_at, why: Timer::Session });
        let due = scheduler!(&self.scheduler, s => Scheduler::<S>::next_timeout(s));
        [wake, due].into_iter().flatten().min_by_key(|wakeup| wakeup.at)
    }

    /// See `Scheduler::is_due`.
    #[must_use]
    #[inline]
    pub fn is_due(&self, now: Instant) -> bool {
        self.wake_at <= now || scheduler!(&self.scheduler, s => Scheduler::<S>::is_due(s, now))
    }

    /// See `Scheduler::timeout`.
    pub fn timeout(&mut self, sum: u64, rows: &Rows<S>, now: Instant) {
        if self.speak_at <= now {
            self.start(now);
        }
        self.common.refresh(sum);
        scheduler!(&mut self.scheduler, s => s.timeout(&mut self.common, rows, now));
    }

    /// See `Scheduler::settle`.
    pub fn settle(&mut self, sum: u64) -> bool {
        self.common.refresh(sum);
        scheduler!(&mut self.scheduler, s => s.settle(&self.common))
    }

    /// See `Scheduler::round_now`.
    pub fn round_now(&mut self, sum: u64, rows: &Rows<S>, now: Instant) -> (u64, u64) {
        self.common.refresh(sum);
        scheduler!(&mut self.scheduler, s => s.round_now(&mut self.common, rows, now))
    }

    /// See `Scheduler::finish`.
    pub fn finish(&mut self, sum: u64, rows: &Rows<S>, now: Instant) {
        self.wake_at = NEVER;
        self.common.refresh(sum);
        scheduler!(&mut self.scheduler, s => s.finish(&mut self.common, rows, now));
    }

    /// See `Scheduler::hot`.
    fn hot(&self) -> &[Hot] {
        scheduler!(&self.scheduler, s => Scheduler::<S>::hot(s))
    }

    /// See `Scheduler::patience_us`.
    fn patience_us(&self, peer: NodeIndex) -> u64 {
        scheduler!(&self.scheduler, s => Scheduler::<S>::patience_us(s, peer))
    }

    /// See `Scheduler::control`.
    fn control(&self, to: NodeIndex, now: Instant) -> Option<Control> {
        scheduler!(&self.scheduler, s => Scheduler::<S>::control(s, to, now))
    }

    /// See `Scheduler::assumed`.
    fn assumed(&self, peer: NodeIndex) -> Option<Assumed<'_>> {
        scheduler!(&self.scheduler, s => s.assumed(&self.common, peer))
    }

    /// See `Scheduler::old_frontier`.
    fn old_frontier(&self, row: RowId) -> u64 {
        scheduler!(&self.scheduler, s => Scheduler::<S>::old_frontier(s, row))
    }

    /// See `Scheduler::sent`.
    fn sent(&mut self, sent: Sent, sum: u64, rows: &Rows<S>, now: Instant) {
        scheduler!(&mut self.scheduler, s => s.sent(&mut self.common, sent, sum, rows, now));
    }

    /// The message to the first peer of the send queue was written.
    fn sent_to_first(&mut self) {
        if self.common.peers.done() {
            scheduler!(&mut self.scheduler, s => Scheduler::<S>::all_sent(s));
        }
    }

    /// Whether [`Gossip::agreement`] is about this node's present state, of which `sum` is the digest in short. Always
    /// true in a cluster of one.
    #[must_use]
    pub fn is_about(&self, sum: u64) -> bool {
        let agreement = &self.common.agreement;
        !self.has_peers() || (agreement.sum(), agreement.view()) == (sum, self.view_name())
    }

    /// How many peers are known to hold this node's state, of which `sum` is the digest in short.
    #[must_use]
    pub fn peers_that_agree(&mut self, sum: u64) -> usize {
        self.common.refresh(sum);
        self.common.agreement.count() - 1
    }

    /// How many of this node's own changes every member is known to hold; `own` have been made so far. O(peers).
    #[must_use]
    pub fn everybody_has(&mut self, sum: u64, own: u64) -> u64 {
        self.common.refresh(sum);
        self.common.everybody_has(own)
    }

    /// Whether the cluster has other members.
    #[must_use]
    pub fn has_peers(&self) -> bool {
        self.common.has_peers()
    }

    /// The members that were known to hold this node's state when gossip last looked at it.
    #[must_use]
    pub fn agreement(&self) -> &Agreement<S> {
        &self.common.agreement
    }

    /// The number of this node's session.
    #[must_use]
    pub fn session(&self) -> u64 {
        self.common.own.session()
    }

    /// Whether this node would have to take a session above the highest possible.
    #[must_use]
    pub fn is_name_used_up(&self) -> bool {
        self.common.own.is_exhausted()
    }

    /// The newest session known of a member.
    #[must_use]
    pub fn session_of(&self, member: NodeIndex) -> Option<u64> {
        self.common.view.session(member)
    }

    /// The name of the view: the members and their newest sessions.
    #[must_use]
    pub fn view_name(&self) -> u64 {
        self.common.view_name()
    }

    /// Whether a peer is not known to have this node's view.
    #[must_use]
    pub fn lacks_view(&self, peer: NodeIndex) -> bool {
        self.common.lacks_view(peer)
    }

    /// Whether a peer is not known to have this node's view, and was not sent it.
    #[must_use]
    pub fn is_untold(&self, peer: NodeIndex) -> bool {
        self.common.peers.is_untold(peer, self.view_name())
    }

    /// How many rounds have run: pushes, ticks and exchanges of digests, or flushes and uplinks.
    #[must_use]
    pub fn rounds(&self) -> u64 {
        scheduler!(&self.scheduler, s => Scheduler::<S>::rounds(s))
    }

    /// How many rumors were forgotten because too many waited.
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        scheduler!(&self.scheduler, s => Scheduler::<S>::forgotten(s))
    }
}

#[cfg(test)]
mod tests;
