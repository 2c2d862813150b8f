//! The links that are cut. They take memory proportional to the number of nodes, although the number of links is its
//! square.

use std::collections::HashSet;

/// Directed links that carry nothing: at most one partition, and single links in addition.
///
/// [`Cuts::sides`] and [`Cuts::ring`] make a partition of the whole cluster, which replaces all cuts before it.
/// [`Cuts::add`] cuts further links, and [`Cuts::clear`] heals all of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cuts {
    shape: Shape,
    /// Single links that the partition does not cut.
    links: HashSet<(usize, usize)>,
}

#[derive(Clone, Debug, Default, PartialEq)]
enum Shape {
    #[default]
    Whole,
    /// Two sides that do not receive messages from each other.
    Sides {
        /// For each node, whether it is cut off.
        apart: Vec<bool>,
        /// Only messages that come out of the cut-off side are dropped.
        one_way: bool,
    },
    /// Each node receives messages only from its neighbours in a ring.
    Ring {
        /// For each node, its place in the ring.
        place: Vec<usize>,
        /// How many neighbours that are, on either side.
        reach: usize,
        /// If links are cut in one direction only: the number that chooses the direction of each.
        one_way: Option<u64>,
    },
}

impl Cuts {
    /// Cuts the links between `apart` and the rest of `nodes`. With `one_way` it cuts only the links out of `apart`,
    /// not those into it.
    #[must_use]
    pub fn sides(nodes: usize, apart: &[usize], one_way: bool) -> Self {
        let mut side = vec![false; nodes];
        for &node in apart {
            if let Some(place) = side.get_mut(node) {
                *place = true;
            }
        }
        Self { shape: Shape::Sides { apart: side, one_way }, links: HashSet::new() }
    }

    /// Cuts all links but those between each node and its `reach` neighbours on either side in the ring `order`, which
    /// lists every node once. With `one_way`, each cut link is cut in one direction only, and the number chooses the
    /// directions.
    #[must_use]
    pub fn ring(order: &[usize], reach: usize, one_way: Option<u64>) -> Self {
        let mut place = vec![0; order.len()];
        for (at, &node) in order.iter().enumerate() {
            place[node] = at;
        }
        Self { shape: Shape::Ring { place, reach, one_way }, links: HashSet::new() }
    }

    /// Whether the link `from` one node `to` another is cut. O(1). A node always receives its own messages, and a
    /// number that is no node of the cluster is never cut off.
    #[inline]
    #[must_use]
    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        self.shape.is_cut(from, to) || (!self.links.is_empty() && self.links.contains(&(from, to)))
    }

    /// How many directed links carry nothing. O(nodes).
    #[must_use]
    pub fn count(&self) -> usize {
        self.shape.count() + self.links.len()
    }

    /// Whether all links work.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Cuts a single link, in addition to those that are cut already.
    pub fn add(&mut self, from: usize, to: usize) {
        if from != to && !self.shape.is_cut(from, to) {
            self.links.insert((from, to));
        }
    }

    /// Heals a single link that [`Cuts::add`] has cut. The links that a partition cuts stay cut.
    pub fn remove(&mut self, from: usize, to: usize) {
        self.links.remove(&(from, to));
    }

    /// All links work again.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Shape {
    #[inline]
    fn is_cut(&self, from: usize, to: usize) -> bool {
        match self {
            Self::Whole => false,
            Self::Sides { apart, one_way } => match (apart.get(from), apart.get(to)) {
                (Some(&from), Some(&to)) => from != to && (from || !one_way),
                (None, _) | (_, None) => false,
            },
            Self::Ring { place, reach, one_way } => match (place.get(from), place.get(to)) {
                (Some(&from), Some(&to)) => {
                    let apart = from.abs_diff(to);
                    let cut = apart.min(place.len() - apart) > *reach;
                    cut && one_way.is_none_or(|choice| (from < to) == goes_up(choice, from.min(to), from.max(to)))
                }
                (None, _) | (_, None) => false,
            },
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Whole => 0,
            Self::Sides { apart, one_way } => {
                let small = apart.iter().filter(|&&apart| apart).count();
                small * (apart.len() - small) * if *one_way { 1 } else { 2 }
            }
            Self::Ring { place, reach, one_way } => {
                let nodes = place.len();
                let directed = nodes * nodes.saturating_sub(1 + 2 * reach);
                if one_way.is_some() { directed / 2 } else { directed }
            }
        }
    }
}

/// Whether this direction of a link is the cut one. The lowest bit of a hash decides, so no table is needed.
#[inline]
fn goes_up(choice: u64, low: usize, high: usize) -> bool {
    let mut mixed = choice ^ (low as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (high as u64).rotate_left(32);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sides_do_not_hear_each_other_and_each_hears_itself() {
        let cuts = Cuts::sides(5, &[1, 4], false);
        let cut = [(0, 1), (1, 0), (0, 4), (4, 0), (1, 2), (2, 1), (1, 3), (3, 1), (2, 4), (4, 2), (3, 4), (4, 3)];
        assert_eq!(listed(&cuts, 5), HashSet::from(cut));
        assert_eq!(cuts.count(), 12);
    }

    #[test]
    fn one_way_means_that_nothing_gets_out_of_the_cut_off_side() {
        let cuts = Cuts::sides(4, &[2], true);
        assert_eq!(listed(&cuts, 4), HashSet::from([(2, 0), (2, 1), (2, 3)]));
        assert_eq!(cuts.count(), 3);
    }

    #[test]
    fn in_a_ring_each_hears_its_neighbours_in_the_order_of_the_ring() {
        let cuts = Cuts::ring(&[1, 2, 0, 3, 4], 1, None);
        let cut: HashSet<_> = [(1, 0), (1, 3), (2, 3), (2, 4), (0, 4)].into_iter().flat_map(both_ways).collect();
        assert_eq!(listed(&cuts, 5), cut);
        assert_eq!(cuts.count(), 10);
    }

    #[test]
    fn in_a_one_way_ring_each_cut_link_is_cut_in_exactly_one_direction_and_neither_is_preferred() {
        let order: Vec<_> = (0..100).collect();
        let (both, one) = (Cuts::ring(&order, 25, None), Cuts::ring(&order, 25, Some(7)));
        let mut up = 0;
        for from in 0..100 {
            for to in 0..100 {
                let directions = usize::from(one.is_cut(from, to)) + usize::from(one.is_cut(to, from));
                assert_eq!(directions, usize::from(both.is_cut(from, to)), "{from} {to}");
                up += usize::from(from < to && one.is_cut(from, to));
            }
        }
        assert_eq!(one.count(), listed(&one, 100).len());
        assert_eq!(one.count() * 2, both.count());
        let share = up as f64 / one.count() as f64;
        assert!((0.45..0.55).contains(&share), "{share} of the links are cut upwards");
    }

    #[test]
    fn single_links_come_beside_a_partition_and_are_counted_once() {
        let mut cuts = Cuts::sides(4, &[0], false);
        for (from, to) in [(1, 2), (1, 2), (0, 3), (2, 2)] {
            cuts.add(from, to);
        }
        assert_eq!(cuts.count(), 7);
        assert!(cuts.is_cut(1, 2) && !cuts.is_cut(2, 1) && cuts.is_cut(3, 0) && !cuts.is_cut(2, 2));
        cuts.remove(1, 2);
        cuts.remove(3, 0);
        assert!(!cuts.is_cut(1, 2) && cuts.is_cut(3, 0));
        cuts.clear();
        assert!(cuts.is_empty());
        assert!(listed(&cuts, 4).is_empty());
    }

    #[test]
    fn the_count_is_the_number_of_cut_links_in_every_shape() {
        for nodes in 1..20 {
            let order: Vec<_> = (0..nodes).rev().collect();
            for one_way in [false, true] {
                for small in 0..=nodes {
                    let cuts = Cuts::sides(nodes, &order[..small], one_way);
                    assert_eq!(cuts.count(), listed(&cuts, nodes).len(), "{small} of {nodes}, one way: {one_way}");
                }
                for reach in 0..nodes {
                    let cuts = Cuts::ring(&order, reach, one_way.then_some(3));
                    assert_eq!(cuts.count(), listed(&cuts, nodes).len(), "{reach} in {nodes}, one way: {one_way}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_node_is_never_cut_off() {
        let (sides, ring) = (Cuts::sides(5, &[0], false), Cuts::ring(&[0, 1, 2, 3, 4], 1, None));
        for cuts in [sides, ring, Cuts::default()] {
            assert!(!cuts.is_cut(0, 5) && !cuts.is_cut(5, 0) && !cuts.is_cut(7, 8));
        }
    }

    fn listed(cuts: &Cuts, nodes: usize) -> HashSet<(usize, usize)> {
        let links = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
        links.filter(|&(from, to)| cuts.is_cut(from, to)).collect()
    }

    fn both_ways((from, to): (usize, usize)) -> [(usize, usize); 2] {
        [(from, to), (to, from)]
    }
}
