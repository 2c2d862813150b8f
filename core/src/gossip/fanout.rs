//! Random choice of peers, without replacement. One draw is O(1).

use rand_core::Rng;

use crate::id::NodeIndex;
use crate::storage::{Buf, Storage};

/// All peers in an order that is shuffled as they are drawn (Fisher and Yates, in the form of Durstenfeld, 1964).
#[derive(Clone)]
pub struct Sampler<S: Storage> {
    order: S::PerNode<u32>,
}

names_itself!(impl[S: Storage] Sampler<S>, "Sampler");

/// One drawing: how many peers it has drawn so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Draw(usize);

impl<S: Storage> Sampler<S> {
    /// A sampler with room for `nodes`.
    #[must_use]
    #[inline(always)]
    pub fn unfilled(nodes: usize) -> Self {
        Self { order: S::PerNode::with_limit(nodes) }
    }

    /// Puts all of `nodes` but `me` into it. Called once.
    pub fn fill(&mut self, nodes: usize, me: NodeIndex) {
        for node in (0..nodes as u32).filter(|node| *node != me.0) {
            // There is a place for each node.
            let _ = self.order.push(node);
        }
    }

    /// The next peer of this drawing, or `None` once all were drawn. Each peer that is left is equally likely.
    pub fn draw(&mut self, drawn: &mut Draw, rng: &mut impl Rng) -> Option<NodeIndex> {
        let left = self.order.len().checked_sub(drawn.0).filter(|left| *left > 0)?;
        let pick = drawn.0 + below(rng, left as u32) as usize;
        let peer = *self.order.get(pick)?;
        if let Ok([here, there]) = self.order.get_disjoint_mut([drawn.0, pick]) {
            core::mem::swap(here, there);
        }
        drawn.0 += 1;
        Some(NodeIndex(peer))
    }
}

/// A random number below `bound`, by multiplication (Lemire, 2019, without the correction: the bias is below 2^-12 for
/// the sizes of clusters).
pub(super) fn below(rng: &mut impl Rng, bound: u32) -> u32 {
    ((u64::from(rng.next_u32()) * u64::from(bound)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Small;
    use rand_core::SeedableRng;
    use rand_xorshift::XorShiftRng;

    #[test]
    fn a_drawing_gives_every_peer_once_and_never_this_node() {
        let mut rng = XorShiftRng::seed_from_u64(1);
        let mut sampler = Sampler::<Small>::unfilled(25);
        sampler.fill(25, NodeIndex(7));
        for _ in 0..50 {
            let mut draw = Draw::default();
            let mut drawn: std::vec::Vec<u32> =
                core::iter::from_fn(|| sampler.draw(&mut draw, &mut rng)).map(|peer| peer.0).collect();
            drawn.sort_unstable();
            assert_eq!(drawn, (0..25).filter(|peer| *peer != 7).collect::<std::vec::Vec<_>>());
        }
    }

    #[test]
    fn the_first_two_drawn_are_uniform_over_all_pairs() {
        let mut rng = XorShiftRng::seed_from_u64(2);
        let mut sampler = Sampler::<Small>::unfilled(5);
        sampler.fill(5, NodeIndex(0));
        let mut counts = [[0_u32; 5]; 5];
        for _ in 0..12_000 {
            let mut draw = Draw::default();
            let first = sampler.draw(&mut draw, &mut rng).unwrap();
            let second = sampler.draw(&mut draw, &mut rng).unwrap();
            counts[first.at()][second.at()] += 1;
        }
        for (first, row) in counts.iter().enumerate().skip(1) {
            for (second, count) in row.iter().enumerate().skip(1) {
                // 1,000 expected, standard deviation 30.
                assert!(if first == second { *count == 0 } else { (850..1_150).contains(count) }, "{counts:?}");
            }
        }
    }
}
