//! Questions of tests to a node that has joined its cluster.

use rumormill_core::causality::Dot;
use rumormill_core::data_type::Application;
use rumormill_core::gossip::{Gossip, Rule};
use rumormill_core::replicated::{Replica, Store};
use rumormill_core::{Change, Member, Node, Now, UpdateError};

/// A [`Node`] that has joined its cluster, as the test knows. Every method panics if it has not.
pub trait Joined<S: Application> {
    /// The member that the node is.
    fn joined(&self) -> &Member<S>;

    /// The member that the node is.
    fn joined_mut(&mut self) -> &mut Member<S>;

    /// See [`Member::store`].
    fn store(&self) -> &Store<S> {
        self.joined().store()
    }

    /// See [`Member::replica`].
    fn replica(&self) -> &Replica<S> {
        self.joined().replica()
    }

    /// See [`Member::gossip`].
    fn gossip(&self) -> &Gossip<S> {
        self.joined().gossip()
    }

    /// See [`Member::switch_off`].
    fn switch_off(&mut self, rule: Rule) {
        self.joined_mut().switch_off(rule);
    }

    /// See [`Member::update`].
    ///
    /// # Errors
    /// As [`Member::update`].
    fn update(&mut self, now: Now, change: Change<'_>) -> Result<Option<Dot>, UpdateError> {
        self.joined_mut().update(now, change)
    }
}

impl<S: Application> Joined<S> for Node<S> {
    fn joined(&self) -> &Member<S> {
        self.member().expect("the node has joined a cluster")
    }

    fn joined_mut(&mut self) -> &mut Member<S> {
        self.member_mut().expect("the node has joined a cluster")
    }
}
