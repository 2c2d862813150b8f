//! Which members are known to hold exactly this node's state.
//!
//! A node may fall silent only when it knows that all members hold its state. To ask each of them would cost n messages
//! per node. So this knowledge spreads as rumors do: each message carries the set of members that are known to hold the
//! sender's digest, and a receiver with the same digest joins that set to its own. All know of all after O(log n)
//! rounds.
//!
//! A member holds a state in one session of its process: after a restart its memory is empty. So a set belongs to one
//! digest *and* one view. A bit says that the process of that member, in the session that the view names, showed this
//! digest together with this view. Sets are joined only if digest and view are equal.

use crate::id::NodeIndex;
use crate::storage::{Buf, Storage};

/// A set of members, valid for one digest in one view.
#[derive(Clone)]
pub struct Agreement<S: Storage> {
    bits: S::NodeBits,
    nodes: usize,
    agreed: usize,
    /// The digest in short that these members hold.
    sum: u64,
    /// The name of the view in which they hold it.
    view: u64,
}

names_itself!(impl[S: Storage] Agreement<S>, "Agreement");

impl<S: Storage> Agreement<S> {
    /// An empty set for a cluster of `nodes` and the digest `sum`. [`Agreement::fill`] has to follow.
    #[must_use]
    #[inline(always)]
    pub(super) fn unfilled(nodes: usize, sum: u64) -> Self {
        Self { bits: S::NodeBits::with_limit(nodes.div_ceil(64)), nodes, agreed: 0, sum, view: 0 }
    }

    /// Makes it the set of `me` alone.
    pub(super) fn fill(&mut self, me: NodeIndex) {
        self.bits.fill_to(self.nodes.div_ceil(64), 0);
        self.insert(me);
    }

    /// If digest or view have changed, starts again with the set of `me` alone. True if they have.
    pub(super) fn refresh(&mut self, me: NodeIndex, sum: u64, view: u64) -> bool {
        if self.sum == sum && self.view == view {
            return false;
        }
        self.view = view;
        self.bits.fill(0);
        self.agreed = 0;
        self.sum = sum;
        self.insert(me);
        true
    }

    /// Adds a member.
    pub(super) fn insert(&mut self, node: NodeIndex) {
        if let Some(word) = self.bits.get_mut(node.at() / 64) {
            let bit = 1 << (node.at() % 64);
            self.agreed += usize::from(*word & bit == 0);
            *word |= bit;
        }
    }

    /// Takes out a member that has shown another digest or view.
    pub(super) fn remove(&mut self, node: NodeIndex) {
        if let Some(word) = self.bits.get_mut(node.at() / 64) {
            let bit = 1 << (node.at() % 64);
            self.agreed -= usize::from(*word & bit != 0);
            *word &= !bit;
        }
    }

    /// Whether a member is known to hold the state.
    #[must_use]
    pub fn contains(&self, node: NodeIndex) -> bool {
        self.bits.get(node.at() / 64).is_some_and(|word| word >> (node.at() % 64) & 1 == 1)
    }

    /// The digest in short that the members of the set are known to hold.
    #[must_use]
    pub(super) fn sum(&self) -> u64 {
        self.sum
    }

    /// The name of the view in which they hold it.
    #[must_use]
    pub fn view(&self) -> u64 {
        self.view
    }

    /// How many members are known to hold the state, own node included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.agreed
    }

    /// How many members there are.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// Whether all members are in the set.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.agreed == self.nodes
    }

    /// A peer with the same digest and view says that all members hold it.
    pub(super) fn join_all(&mut self) {
        (0..self.nodes as u32).for_each(|node| self.insert(NodeIndex(node)));
    }

    /// The set as bits: the first member is the lowest bit of the first word.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.bits
    }

    /// Number of hexadecimal digits of the set in a message. A digit stands for four members, its lowest bit for the
    /// first of them.
    #[must_use]
    pub fn digits(&self) -> usize {
        self.nodes.div_ceil(4)
    }

    /// Joins a set that a peer with the same digest and view sent, as its hexadecimal digits. Digits beyond the cluster
    /// are ignored.
    pub(super) fn join(&mut self, digits: impl Iterator<Item = u8>) {
        for (at, digit) in digits.take(self.digits()).enumerate() {
            for bit in (0..4).filter(|bit| digit >> bit & 1 == 1) {
                let node = NodeIndex((4 * at + bit) as u32);
                if node.at() < self.nodes {
                    self.insert(node);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Heap, Small};
    use std::vec::Vec;

    #[test]
    fn joining_the_digits_of_a_set_gives_that_set() {
        let mut a = Agreement::<Small>::unfilled(30, 1);
        a.fill(NodeIndex(3));
        a.insert(NodeIndex(29));
        a.insert(NodeIndex(16));
        let mut b = Agreement::<Small>::unfilled(30, 1);
        b.fill(NodeIndex(0));
        b.join((0..a.digits()).map(|at| (a.words()[at / 16] >> (4 * (at % 16)) & 15) as u8));
        let members =
            |of: &Agreement<Small>| (0..30).filter(|n| of.contains(NodeIndex(*n))).collect::<std::vec::Vec<_>>();
        assert_eq!(members(&b), [0, 3, 16, 29]);
        assert_eq!(b.count(), 4);
        assert!(!b.is_complete());
        b.join_all();
        assert!(b.is_complete());
        assert!(b.refresh(NodeIndex(0), 2, 0) && b.count() == 1);
        b.join_all();
        assert!(b.refresh(NodeIndex(0), 2, 7) && b.count() == 1, "another view");
        assert!(!b.refresh(NodeIndex(0), 2, 7));
    }

    fn of_three() -> Agreement<Small> {
        let mut agreement = Agreement::unfilled(3, 1);
        agreement.fill(NodeIndex(0));
        agreement
    }

    #[test]
    fn a_member_counts_once() {
        let mut agreement = of_three();
        (0..5).for_each(|_| agreement.insert(NodeIndex(1)));
        assert_eq!((agreement.count(), agreement.is_complete()), (2, false));
        agreement.insert(NodeIndex(2));
        assert!(agreement.is_complete());
    }

    #[test]
    fn a_member_that_showed_something_else_is_taken_out_once() {
        let mut agreement = of_three();
        agreement.join_all();
        (0..2).for_each(|_| agreement.remove(NodeIndex(1)));
        assert_eq!((agreement.count(), agreement.contains(NodeIndex(1))), (2, false));
    }

    #[test]
    fn nobody_outside_of_the_cluster_is_a_member() {
        let mut agreement = of_three();
        agreement.join([8, 15, 15].into_iter());
        assert_eq!((agreement.count(), agreement.is_complete()), (1, false));
    }

    #[test]
    fn a_change_of_the_state_leaves_only_this_node() {
        let mut agreement = of_three();
        agreement.join_all();
        assert!(agreement.refresh(NodeIndex(0), 2, 0));
        let left = [0, 1, 2].map(|node| agreement.contains(NodeIndex(node)));
        assert_eq!(left, [true, false, false]);
    }

    #[test]
    fn in_a_large_cluster_each_member_counts_for_itself() {
        let nodes = 130;
        let mut agreement = Agreement::<Heap>::unfilled(nodes, 1);
        agreement.fill(NodeIndex(129));
        for node in [0, 63, 64, 127, 128] {
            agreement.insert(NodeIndex(node));
        }
        let members =
            |of: &Agreement<Heap>| (0..140).filter(|node| of.contains(NodeIndex(*node))).collect::<Vec<u32>>();
        assert_eq!(members(&agreement), [0, 63, 64, 127, 128, 129]);
        assert_eq!((agreement.count(), agreement.words().len(), agreement.digits()), (6, 3, 33));
        let mut other = Agreement::<Heap>::unfilled(nodes, 1);
        other.fill(NodeIndex(5));
        other.join((0..agreement.digits()).map(|at| (agreement.words()[at / 16] >> (4 * (at % 16)) & 15) as u8));
        assert_eq!(members(&other), [0, 5, 63, 64, 127, 128, 129]);
        for node in [64, 128] {
            other.remove(NodeIndex(node));
        }
        assert_eq!((members(&other), other.count()), (std::vec![0, 5, 63, 127, 129], 5));
        assert!(!other.is_complete());
        other.join_all();
        assert!(other.is_complete() && other.count() == nodes);
    }
}
