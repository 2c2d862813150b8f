//! What the exploration reads of a node. When the core shows it in another way, only this file changes.

use rumormill_core::data_type::Application;
use rumormill_core::{Member, Node, NodeIndex};

/// The member that a node is from the first line of its life on.
pub(super) fn member<S: Application>(node: &Node<S>) -> &Member<S> {
    node.member().unwrap_or_else(|| unreachable!("a life begins with `init`"))
}

/// The number of this start of the node's process.
pub(super) fn session<S: Application>(node: &Node<S>) -> u64 {
    node.session()
}

/// The newest session of the member `of` that the node's view names. `None` if the view names none.
pub(super) fn view_session<S: Application>(node: &Node<S>, of: usize) -> Option<u64> {
    member(node).gossip().session_of(NodeIndex(of as u32))
}

/// The life in which the node makes its changes now, and how many it has made in it.
pub(super) fn own_changes<S: Application>(node: &Node<S>) -> (u64, u64) {
    let replica = member(node).replica();
    let life = replica.own_row().map_or(0, |own| replica.causality.rows.get(own).incarnation);
    (life, replica.own_seq())
}
