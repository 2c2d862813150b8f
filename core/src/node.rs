//! The node: the order of operations, nothing else.
//!
//! A node is waiting for its cluster or a member of one, and the type says which: [`Node`] is either, [`Member`] is the latter. Whatever
//! needs a cluster is in [`Member`]. `waiting.rs` is the node before `init`, `member.rs` the inputs and outputs of a member, `request.rs`
//! what a line becomes, `receive.rs` and `foreign.rs` messages of peers, `send.rs` messages to them.

mod desk;
mod error;
mod events;
mod foreign;
mod member;
mod receive;
mod refusals;
mod request;
mod send;
mod spread;
mod waiting;

use crate::config::{Config, ConfigError};
use crate::output::{Sink, SinkFull, Transmit, Wakeup};
use crate::replicated::Bound;
use crate::service::Application;
use crate::stats::{Skipped, Stats};
use crate::storage::Limits;
use crate::time::Now;

pub use error::{JoinError, Rejected, UpdateError};
pub use events::Event;
pub use member::Member;

/// A gossip node: one that waits for its cluster, or a member of one.
///
/// This is what a driver of the Maelstrom protocol runs: the line with `init` makes the one into the other. A program that knows its
/// cluster from the start makes a [`Member`] at once, with [`Member::join`].
///
/// # Contract
///
/// Inputs are [`Node::handle_line`] and [`Node::handle_timeout`], and [`Member::update`]. After each input the driver calls
/// [`Node::poll_transmit`] until it returns `None`, and then [`Node::poll_timeout`] to learn when to call
/// [`Node::handle_timeout`] at the latest. Time, randomness (by seed) and bytes are arguments: the same inputs give the
/// same outputs, bit for bit. Messages may be lost, repeated and reordered by whatever carries them. Nothing goes to a
/// peer before the first message that follows `init`, or 12 s after `init` when none comes.
///
/// No input can make it panic, allocate, or grow beyond its [`Limits`]. (Storage on the heap takes the memory of the state when the node is
/// made, that of gossip when it becomes a member, and no more after that but for a change of strategy.)
#[derive(Clone, Debug)]
pub struct Node<S: Application> {
    /// Complete, but for what follows from the cluster: see `Member::begin`. Only `waiting.rs` uses it before that.
    member: Member<S>,
}

impl<S: Application> Node<S> {
    /// A node with the capacities its storage comes with.
    ///
    /// # Errors
    /// A choice outside of its bounds.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        Self::with_limits(config, S::LIMITS)
    }

    /// A node with capacities of choice. Only the storage on the heap takes other capacities than its own.
    ///
    /// # Errors
    /// A choice outside of its bounds, or capacities that the storage cannot have.
    pub fn with_limits(config: Config, limits: Limits) -> Result<Self, ConfigError> {
        waiting::check::<S>(&config, &limits)?;
        let mut node = Self { member: Member::unfilled(&limits) };
        node.member.fill(config);
        Ok(node)
    }

    /// Makes a node with the capacities its storage comes with in the place where it is to stay: for static memory, so that a
    /// value of this size does not go over the stack more often than it has to.
    ///
    /// # Errors
    /// A choice outside of its bounds; `place` is as it was.
    pub fn new_in(place: &mut Option<Self>, config: Config) -> Result<&mut Self, ConfigError> {
        waiting::check::<S>(&config, &S::LIMITS)?;
        let node = place.insert(Self { member: Member::unfilled(&S::LIMITS) });
        node.member.fill(config);
        Ok(node)
    }

    /// Joins the cluster of `ids` as `me`, as a line with `init` does, and speaks to peers from then on.
    ///
    /// # Errors
    /// What is wrong with the list, or that the node is a member already; nothing changed.
    pub fn join<'a>(
        &mut self,
        me: &str,
        ids: impl IntoIterator<Item = &'a str>,
        now: Now,
    ) -> Result<&mut Member<S>, JoinError> {
        if self.is_member() {
            return Err(JoinError::JoinedAlready);
        }
        self.member.join_as(me, ids, now)?;
        Ok(&mut self.member)
    }

    /// Whether the cluster is known.
    #[inline]
    fn is_member(&self) -> bool {
        !self.member.replica.causality.members.is_empty()
    }

    /// The member that the node is, if it is one.
    #[must_use]
    #[inline]
    pub fn member(&self) -> Option<&Member<S>> {
        self.is_member().then_some(&self.member)
    }

    /// As [`Node::member`], to make changes with.
    #[inline]
    pub fn member_mut(&mut self) -> Option<&mut Member<S>> {
        if self.is_member() { Some(&mut self.member) } else { None }
    }

    /// See [`Member::handle_line`].
    ///
    /// # Errors
    /// Why the line was not answered and changed nothing.
    #[inline]
    pub fn handle_line(&mut self, now: Now, line: &[u8]) -> Result<(), Rejected> {
        match self.member_mut() {
            Some(member) => member.handle_line(now, line),
            None => self.handle_first_lines(now, line),
        }
    }

    /// See [`Member::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Now) {
        if let Some(member) = self.member_mut() {
            member.handle_timeout(now);
        }
    }

    /// See [`Member::finish`].
    pub fn finish(&mut self, now: Now) {
        if let Some(member) = self.member_mut() {
            member.finish(now);
        }
    }

    /// See [`Member::poll_transmit`].
    ///
    /// # Errors
    /// As [`Member::poll_transmit`].
    #[inline]
    pub fn poll_transmit<W: Sink>(&mut self, now: Now, sink: &mut W) -> Result<Option<Transmit>, SinkFull> {
        match self.member_mut() {
            Some(member) => member.poll_transmit(now, sink),
            None => self.poll_refused(sink),
        }
    }

    /// See [`Member::poll_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Wakeup> {
        self.member()?.poll_timeout()
    }

    /// See [`Member::poll_event`].
    pub fn poll_event(&mut self) -> Option<Event<'_>> {
        self.member_mut()?.poll_event()
    }

    /// See [`Member::poll_refusal`].
    pub fn poll_refusal(&mut self) -> Option<Bound> {
        self.member.poll_refusal()
    }

    /// Counts lines that the driver did not hand over.
    pub fn skipped(&mut self, why: Skipped, lines: u64) {
        self.member.skipped(why, lines);
    }

    /// See [`Member::is_settled`]. A node that waits is not.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.member().is_some_and(Member::is_settled)
    }

    /// See [`Member::stats`].
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.member().map_or(self.member.desk.stats, Member::stats)
    }

    /// See [`Member::session`]. Before the node is a member: the number with which it will begin.
    #[must_use]
    pub fn session(&self) -> u64 {
        self.member().map_or(self.member.config.incarnation, Member::session)
    }

    /// See [`Member::is_name_used_up`].
    #[must_use]
    pub fn is_name_used_up(&self) -> bool {
        self.member().is_some_and(Member::is_name_used_up)
    }

    /// The choices in force, those made by `configure` included.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.member.config
    }

    /// The capacities.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.member.limits
    }
}
