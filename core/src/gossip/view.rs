//! The view: the members, and the newest session known of each.
//!
//! A *session* is one start of a process. The next session of the same node begins with an empty memory. So each
//! statement about what a node holds is true only in a view, and messages name the view.

use crate::id::{Members, NodeIndex, hash_bytes, mix2};
use crate::storage::{Buf, Storage};

/// What is known of one member.
#[derive(Clone, Copy, Debug)]
struct Member {
    /// Hash of its id.
    hash: u64,
    session: Option<u64>,
    /// The version of the view that began when this session became known.
    since: u64,
}

/// The members, and the newest session known of each.
#[derive(Clone)]
pub(super) struct View<S: Storage> {
    members: S::PerNode<Member>,
    name: u64,
    version: u64,
}

impl<S: Storage> View<S> {
    /// A view with room for `nodes` members. [`View::fill`] has to follow.
    #[must_use]
    #[inline(always)]
    pub(super) fn unfilled(nodes: usize) -> Self {
        Self { members: S::PerNode::with_limit(nodes), name: 0, version: 0 }
    }

    /// Makes it the view of these members, of whom nothing is known. Called once.
    pub(super) fn fill(&mut self, members: &Members<S>) {
        for id in members.iter() {
            // There is a place for each member.
            let _ = self.members.push(Member { hash: hash_bytes(id.as_bytes()), session: None, since: 0 });
        }
    }

    /// 64 bits that name the view. They are equal for equal members and sessions, whatever the order in which the
    /// sessions became known.
    #[must_use]
    pub(super) fn name(&self) -> u64 {
        self.name
    }

    /// How often the view has changed.
    #[must_use]
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The newest session known of a member.
    #[must_use]
    pub(super) fn session(&self, node: NodeIndex) -> Option<u64> {
        self.members.get(node.at())?.session
    }

    /// Notes a session of a member. True if it is newer than the one known: then the view has changed.
    pub(super) fn learn(&mut self, node: NodeIndex, session: u64) -> bool {
        let version = self.version + 1;
        let Some(member) = self.members.get_mut(node.at()) else { return false };
        if member.session.is_some_and(|known| known >= session) {
            return false;
        }
        self.name = self.name.wrapping_sub(member.term());
        (member.session, member.since) = (Some(session), version);
        self.name = self.name.wrapping_add(member.term());
        self.version = version;
        true
    }

    /// The members whose session became known after `version`, beginning with member `first` and round from there.
    pub(super) fn since(&self, version: u64, first: u32) -> impl Iterator<Item = (NodeIndex, u64)> {
        let nodes = self.members.len() as u32;
        (0..nodes).filter_map(move |step| {
            let node = NodeIndex((first % nodes + step) % nodes);
            let member = self.members.get(node.at()).filter(|member| member.since > version)?;
            Some((node, member.session?))
        })
    }
}

impl Member {
    /// What the member contributes to the name.
    fn term(&self) -> u64 {
        // No session is above 2^53.
        self.session.map_or(0, |session| mix2(self.hash, session + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Small;
    use std::vec::Vec;

    fn view() -> View<Small> {
        let mut members = Members::<Small>::new(8, 16);
        members.set("n1", ["n1", "n2", "n3"].into_iter()).unwrap();
        let mut view = View::unfilled(3);
        view.fill(&members);
        view
    }

    #[test]
    fn equal_sessions_have_equal_names_whatever_the_order() {
        let (mut a, mut b) = (view(), view());
        for (node, session) in [(0, 5), (1, 0), (2, 7)] {
            assert!(a.learn(NodeIndex(node), session));
        }
        for (node, session) in [(2, 3), (2, 7), (0, 5)] {
            assert!(b.learn(NodeIndex(node), session));
        }
        assert_ne!(a.name(), b.name(), "an unknown session is not session 0");
        assert!(b.learn(NodeIndex(1), 0));
        assert_eq!(a.name(), b.name());
    }

    #[test]
    fn an_older_session_changes_nothing() {
        let mut view = view();
        view.learn(NodeIndex(1), 9);
        let (name, version) = (view.name(), view.version());
        assert!(!view.learn(NodeIndex(1), 9) && !view.learn(NodeIndex(1), 8) && !view.learn(NodeIndex(77), 1));
        assert_eq!((view.name(), view.version(), view.session(NodeIndex(1))), (name, version, Some(9)));
    }

    #[test]
    fn what_became_known_after_a_version_is_listed_once_round() {
        let mut view = view();
        assert!((0..3).all(|node| view.learn(NodeIndex(node), 1)));
        let before = view.version();
        view.learn(NodeIndex(2), 2);
        view.learn(NodeIndex(0), 3);
        assert_eq!(view.since(before, 1).collect::<Vec<_>>(), [(NodeIndex(2), 2), (NodeIndex(0), 3)]);
        assert_eq!(view.since(before + 1, 1).collect::<Vec<_>>(), [(NodeIndex(0), 3)]);
        assert_eq!(view.since(0, 0).count(), 3);
    }

    #[test]
    fn a_newer_session_makes_another_view() {
        let mut view = view();
        view.learn(NodeIndex(1), 1);
        let (name, version) = (view.name(), view.version());
        assert!(view.learn(NodeIndex(1), 2));
        assert!(view.name() != name && view.version() == version + 1);
    }

    #[test]
    fn who_is_in_which_session_matters() {
        let (mut a, mut b) = (view(), view());
        for (node, session) in [(0, 5), (1, 6)] {
            a.learn(NodeIndex(node), session);
            b.learn(NodeIndex(1 - node), session);
        }
        assert_ne!(a.name(), b.name());
    }
}
