//! What tests ask of a node that has joined its cluster.

#![allow(dead_code, unreachable_pub)]

use rumormill_core::causality::{Dot, Sum};
use rumormill_core::gossip::{Gossip, Rule};
use rumormill_core::replicated::{Replica, Store};
use rumormill_core::storage::Storage;
use rumormill_core::{Change, Member, Node, Now, UpdateError};

/// A node of which the test knows that it has joined; panics where it has not.
pub trait Joined<S: Storage> {
    fn joined(&self) -> &Member<S>;
    fn joined_mut(&mut self) -> &mut Member<S>;

    fn store(&self) -> &Store<S> {
        self.joined().store()
    }
    fn replica(&self) -> &Replica<S> {
        self.joined().replica()
    }
    fn gossip(&self) -> &Gossip<S> {
        self.joined().gossip()
    }
    fn digest(&self) -> Sum {
        self.joined().digest()
    }
    fn switch_off(&mut self, rule: Rule) {
        self.joined_mut().switch_off(rule);
    }
    fn update(&mut self, now: Now, change: Change<'_>) -> Result<Option<Dot>, UpdateError> {
        self.joined_mut().update(now, change)
    }
}

impl<S: Storage> Joined<S> for Node<S> {
    fn joined(&self) -> &Member<S> {
        self.member().expect("the node has joined a cluster")
    }
    fn joined_mut(&mut self) -> &mut Member<S> {
        self.member_mut().expect("the node has joined a cluster")
    }
}
