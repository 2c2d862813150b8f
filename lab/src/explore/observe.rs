//! What a node shows of itself, in one place: when the core learns to say more, only this file changes.

use rumormill_core::storage::Storage;
use rumormill_core::{Node, NodeIndex};

/// The number of this start of the node's process.
pub(super) fn session<S: Storage>(node: &Node<S>) -> u64 {
    node.session()
}

/// The session of a member that the node's view names: the newest one that it knows. `None` when it knows none.
pub(super) fn view_session<S: Storage>(node: &Node<S>, member: usize) -> Option<u64> {
    node.gossip()?.session_of(NodeIndex(member as u32))
}

/// The life in which the node makes its changes now, and how many it has made in it.
pub(super) fn own_changes<S: Storage>(node: &Node<S>) -> (u64, u64) {
    let replica = node.replica();
    let life = replica.own_row().map_or(0, |own| replica.causality.rows.get(own).incarnation);
    (life, replica.own_seq())
}
