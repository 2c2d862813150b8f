//! The links that each kind of partition cuts.

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use rand_xorshift::XorShiftRng;

use rumormill_sim::Cuts;

use super::{Fault, names};
use crate::settings::PartitionKind;

/// A partition of `kind` among `nodes`, at least two. The `victim` is the node that is cut off, or lies on the smaller
/// side; the ring has no sides, and takes none.
pub(super) fn partition(
    kind: PartitionKind,
    nodes: usize,
    victim: Option<usize>,
    one_way: bool,
    rng: &mut XorShiftRng,
) -> Fault {
    let order = shuffled(nodes, victim, rng);
    match kind {
        PartitionKind::One => cut_off("one", nodes, &order[..1], one_way),
        PartitionKind::Majority => cut_off("majority", nodes, &order[..nodes / 2], one_way),
        PartitionKind::MinorityThird => cut_off("minority-third", nodes, &order[..(nodes / 3).max(1)], one_way),
        PartitionKind::MajoritiesRing => ring(&order, one_way, rng),
    }
}

/// `apart` is cut off from the rest of `nodes`.
pub(super) fn cut_off(kind: &str, nodes: usize, apart: &[usize], one_way: bool) -> Fault {
    let mut sorted = apart.to_vec();
    sorted.sort_unstable();
    let what = if one_way { "cut off from the rest one way: nothing gets out" } else { "cut off from the rest" };
    let label = format!("{kind}: {} {what}", names(&sorted));
    Fault::Partition { cuts: Cuts::sides(nodes, apart, one_way), label }
}

/// No message passes from one node to the other.
pub(super) fn cut(from: usize, to: usize) -> Fault {
    Fault::Cut { links: vec![(from, to)], label: format!("cut: nothing from n{from} to n{to}") }
}

/// Every node sees a majority, and no two nodes see the same one.
///
/// The nodes are a ring in random order. Each node sees as many neighbours on both sides as a majority needs. For four
/// and five nodes this is exactly what Jepsen does, and it needs no table of links for ten thousand nodes. For larger
/// clusters Jepsen links nodes at random until each sees a majority; here nodes see the same number, or one more.
///
/// With three nodes, the neighbours on both sides would be all nodes. So one of the three links is cut, and the node
/// between the other two sees both. Two nodes are cut off from each other.
fn ring(order: &[usize], one_way: bool, rng: &mut XorShiftRng) -> Fault {
    const NAME: &str = "majorities-ring";
    let nodes = order.len();
    match *order {
        [first, _] => cut_off(NAME, nodes, &[first], one_way),
        [first, middle, last] => {
            let mut cuts = Cuts::default();
            let (from, to) = if one_way && rng.random() { (last, first) } else { (first, last) };
            cuts.add(from, to);
            if one_way {
                return Fault::Partition { cuts, label: format!("{NAME}: nothing from n{from} to n{to}") };
            }
            cuts.add(to, from);
            let label = format!("{NAME}: n{from} and n{to} see n{middle}, but not each other");
            Fault::Partition { cuts, label }
        }
        _ => {
            // A majority is one more than half, and a node sees itself.
            let reach = (nodes / 2).div_ceil(2);
            let cuts = Cuts::ring(order, reach, one_way.then(|| rng.random()));
            let direction = if one_way { ", other links cut in one direction" } else { "" };
            let neighbours = if reach == 1 { "1 neighbour".to_owned() } else { format!("{reach} neighbours") };
            let label =
                format!("{NAME}: each sees {neighbours} on either side in the ring {}{direction}", names(order));
            Fault::Partition { cuts, label }
        }
    }
}

/// All nodes in random order, the victim first.
fn shuffled(nodes: usize, victim: Option<usize>, rng: &mut XorShiftRng) -> Vec<usize> {
    let mut order: Vec<_> = (0..nodes).collect();
    order.shuffle(rng);
    if let Some(at) = order.iter().position(|&node| Some(node) == victim) {
        order.swap(0, at);
    }
    order
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn in_a_majorities_ring_every_node_sees_a_majority_and_no_two_the_same_one() {
        for nodes in 3..=60 {
            for seed in 0..20 {
                let (cuts, _) = made(PartitionKind::MajoritiesRing, nodes, None, false, seed);
                let majority = nodes / 2 + 1;
                let seen: BTreeSet<_> = (0..nodes).map(|node| heard_by(&cuts, nodes, node)).collect();
                assert_eq!(seen.len(), nodes, "two see the same; {nodes} nodes, seed {seed}");
                for seen in &seen {
                    let most = if nodes == 3 { 3 } else { majority + 1 };
                    assert!((majority..=most).contains(&seen.len()), "{seen:?} of {nodes} nodes, seed {seed}");
                }
                assert!(cuts.count() > 0);
                for (from, to) in pairs(nodes) {
                    let symmetric = cuts.is_cut(from, to) == cuts.is_cut(to, from);
                    assert!(symmetric, "{from} and {to} of {nodes} nodes, seed {seed}");
                }
            }
        }
    }

    #[test]
    fn in_a_majorities_ring_of_four_or_five_every_node_sees_exactly_a_majority() {
        for nodes in [4, 5] {
            let (cuts, _) = made(PartitionKind::MajoritiesRing, nodes, None, false, 1);
            for node in 0..nodes {
                assert_eq!(heard_by(&cuts, nodes, node).len(), 3, "{node} of {nodes}");
            }
        }
    }

    #[test]
    fn a_one_way_ring_cuts_one_direction_of_what_a_ring_cuts() {
        for nodes in 3..=60 {
            for seed in 0..20 {
                let (one, _) = made(PartitionKind::MajoritiesRing, nodes, None, true, seed);
                let (both, _) = made(PartitionKind::MajoritiesRing, nodes, None, false, seed);
                assert_eq!(one.count() * 2, both.count(), "{nodes} nodes, seed {seed}");
                for (from, to) in pairs(nodes) {
                    let both_directions = one.is_cut(from, to) && one.is_cut(to, from);
                    assert!(!both_directions, "{from} and {to} of {nodes} nodes, seed {seed}");
                }
            }
        }
    }

    #[test]
    fn the_smaller_side_has_the_size_of_its_kind_and_nothing_gets_out_of_it() {
        let kinds = [
            (PartitionKind::One, [1, 1, 1, 1, 1, 1]),
            (PartitionKind::Majority, [1, 1, 2, 2, 3, 12]),
            (PartitionKind::MinorityThird, [1, 1, 1, 1, 2, 8]),
        ];
        for (kind, sizes) in kinds {
            for (nodes, size) in [2, 3, 4, 5, 6, 25].into_iter().zip(sizes) {
                for one_way in [false, true] {
                    for seed in 0..20 {
                        let (cuts, label) = made(kind, nodes, None, one_way, seed);
                        let context = format!("{label}; {nodes} nodes, one way: {one_way}, seed {seed}");
                        let directions = if one_way { 1 } else { 2 };
                        assert_eq!(cuts.count(), size * (nodes - size) * directions, "{context}");
                        let unheard = (0..nodes).filter(|&node| is_unheard(&cuts, nodes, node, size));
                        assert!(unheard.count() >= size, "{context}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_victim_lies_on_the_smaller_side() {
        for kind in [PartitionKind::One, PartitionKind::Majority, PartitionKind::MinorityThird] {
            for seed in 0..50 {
                let (cuts, label) = made(kind, 7, Some(4), true, seed);
                assert!((0..7).any(|to| cuts.is_cut(4, to)), "{label}, seed {seed}");
                assert!((0..7).all(|from| !cuts.is_cut(from, 4)), "{label}, seed {seed}");
            }
        }
    }

    #[test]
    fn without_a_victim_every_node_has_its_turn() {
        let mut cut_off = [0; 5];
        for seed in 0..1_000 {
            let (cuts, _) = made(PartitionKind::One, 5, None, true, seed);
            let node = (0..5).position(|from| (0..5).any(|to| cuts.is_cut(from, to)));
            cut_off[node.expect("one node is cut off")] += 1;
        }
        assert!(cut_off.iter().all(|times| (140..260).contains(times)), "{cut_off:?} of 1000 seeds");
    }

    #[test]
    fn two_nodes_are_cut_off_from_each_other_by_every_kind() {
        for kind in PartitionKind::ALL {
            let (cuts, label) = made(kind, 2, None, false, 5);
            assert!(cuts.is_cut(0, 1) && cuts.is_cut(1, 0), "{label}");
        }
    }

    #[test]
    fn a_label_says_who_is_cut_off_from_whom() {
        let label = |kind, nodes, one_way| made(kind, nodes, Some(1), one_way, 2).1;
        assert_eq!(label(PartitionKind::One, 3, false), "one: n1 cut off from the rest");
        let one_way = "one: n1 cut off from the rest one way: nothing gets out";
        assert_eq!(label(PartitionKind::One, 3, true), one_way);
        assert_eq!(label(PartitionKind::MinorityThird, 6, false), "minority-third: n1 n2 cut off from the rest");
        let ring = "majorities-ring: n1 and n0 see n2, but not each other";
        assert_eq!(label(PartitionKind::MajoritiesRing, 3, false), ring);
        let ring = "majorities-ring: each sees 1 neighbour on either side in the ring n1 n2 n4 n0 n3";
        assert_eq!(label(PartitionKind::MajoritiesRing, 5, false), ring);
        assert!(label(PartitionKind::Majority, 10_000, false).ends_with("and 4992 more cut off from the rest"));
    }

    #[test]
    fn ten_thousand_nodes_are_cut_in_a_moment() {
        let (cuts, _) = made(PartitionKind::MajoritiesRing, 10_000, None, false, 1);
        assert_eq!(cuts.count(), 10_000 * (9_999 - 5_000));
    }

    fn made(kind: PartitionKind, nodes: usize, victim: Option<usize>, one_way: bool, seed: u64) -> (Cuts, String) {
        let mut rng = XorShiftRng::seed_from_u64(seed);
        match partition(kind, nodes, victim, one_way, &mut rng) {
            Fault::Partition { cuts, label } => (cuts, label),
            other => panic!("a partition of {nodes} nodes is {other:?}"),
        }
    }

    fn pairs(nodes: usize) -> impl Iterator<Item = (usize, usize)> {
        (0..nodes).flat_map(move |from| (0..nodes).map(move |to| (from, to)))
    }

    fn heard_by(cuts: &Cuts, nodes: usize, node: usize) -> BTreeSet<usize> {
        (0..nodes).filter(|&from| !cuts.is_cut(from, node)).collect()
    }

    /// Whether nothing from the node reaches those outside of a side of `size`.
    fn is_unheard(cuts: &Cuts, nodes: usize, node: usize, size: usize) -> bool {
        (0..nodes).filter(|&to| cuts.is_cut(node, to)).count() == nodes - size
    }
}
