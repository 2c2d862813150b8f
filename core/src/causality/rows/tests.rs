//! Tests of the version vector, against simple models and one rule each.

use super::super::Dot;
use super::*;
use crate::storage::Tiny;
use proptest::prelude::*;

fn rows() -> (Rows<Tiny>, RowId) {
    let mut rows = Rows::new(32);
    rows.set_nodes(8);
    let row = rows.find_or_add(NodeIndex(1), 7, "n1").unwrap();
    (rows, row)
}

proptest! {
    #[test]
    fn frontier_and_window_are_exactly_the_dots_that_were_marked(
        ops in prop::collection::vec((1_u64..140, 1_u64..9), 0..80),
    ) {
        let (mut rows, row) = rows();
        let mut model = std::collections::BTreeSet::new();
        for (from, len) in ops {
            let frontier = rows.get(row).frontier;
            rows.mark_range(row, from - 1, from - 1 + len);
            model.extend((from..from + len).filter(|seq| from - 1 <= frontier || *seq <= frontier + 1 + WINDOW));
            let mut contiguous = 0;
            while model.contains(&(contiguous + 1)) {
                contiguous += 1;
            }
            let row = rows.get(row);
            prop_assert_eq!(row.frontier, contiguous);
            prop_assert_eq!(row.highest(), model.last().copied().unwrap_or(0));
            let beyond: std::vec::Vec<u64> = row.beyond().collect();
            let expected: std::vec::Vec<u64> = model.iter().copied().filter(|seq| *seq > contiguous).collect();
            prop_assert_eq!(beyond, expected);
            for seq in 1..200 {
                prop_assert_eq!(row.contains(seq), model.contains(&seq));
            }
        }
    }
}

#[test]
fn equal_vectors_have_equal_hashes_whatever_the_order() {
    let (mut a, row_a) = rows();
    let (mut b, row_b) = rows();
    for seq in [3, 1, 2] {
        a.mark(Dot { row: row_a, seq });
    }
    b.mark_range(row_b, 0, 3);
    assert_eq!(a.vector_hash(), b.vector_hash());
    b.mark(Dot { row: row_b, seq: 4 });
    assert_ne!(a.vector_hash(), b.vector_hash());
}

/// 8 nodes share 32 rows: each is guaranteed 2, and 16 go to the first that ask.
#[test]
fn a_node_that_starts_again_and_again_takes_what_is_not_held_back_for_others() {
    let (mut rows, _) = rows();
    let mut lives = 0;
    for life in 8..100 {
        assert_eq!(rows.has_room_for_life(NodeIndex(1), life), rows.open(NodeIndex(1), life, "n1").is_ok());
        lives += u64::from(rows.find_or_add(NodeIndex(1), life, "n1").is_ok());
    }
    // Its quota of 2 and the 16, less the one that it had.
    assert_eq!(lives, 17);
    assert_eq!(rows.find_or_add(NodeIndex(1), 100, "n1"), Err(RowRefused::Full));
    for node in (0..8).filter(|node| *node != 1) {
        let mut add = |life| rows.find_or_add(NodeIndex(node), life, "n").is_ok();
        assert_eq!([1, 2, 3].map(&mut add), [true, true, false]);
    }
    assert_eq!(rows.len(), 32);
    assert!(rows.find_or_add(NodeIndex(1), 8, "n1").is_ok(), "what is there is found in a full pool");
    assert_eq!(rows.find_or_add(NodeIndex(8), 1, "n8"), Err(RowRefused::Stranger));
    assert!(!rows.has_room_for_life(NodeIndex(8), 1));
}

#[test]
fn in_a_cluster_larger_than_the_pool_one_node_takes_half_of_it_at_most() {
    let mut rows = Rows::<Tiny>::new(32);
    rows.set_nodes(1_000);
    let mut add = |node, life| rows.find_or_add(NodeIndex(node), life, "n").is_ok();
    assert_eq!((0..100).filter(|life| add(7, *life)).count(), 16);
    assert_eq!((0..1_000).filter(|node| add(*node, 500)).count(), 16);
    assert!(!rows.has_room_for_life(NodeIndex(999), 1));
}

#[test]
fn a_cluster_of_as_many_nodes_as_rows_has_a_row_for_each_and_no_second_life() {
    let mut rows = Rows::<Tiny>::new(32);
    rows.set_nodes(32);
    let mut add = |node, life| rows.find_or_add(NodeIndex(node), life, "n").is_ok();
    for node in 0..32 {
        assert_eq!([2, 1, 3].map(|life| add(node, life)), [true, false, false]);
    }
}

#[test]
fn a_stranger_has_no_room_even_in_an_empty_table() {
    let mut rows = Rows::<Tiny>::new(32);
    rows.set_nodes(8);
    assert!(rows.is_empty() && rows.has_room_for_life(NodeIndex(7), 1));
    assert!(!rows.has_room_for_life(NodeIndex(8), 1));
    assert_eq!(rows.open(NodeIndex(8), 1, "n8"), Err(RowRefused::Stranger));
    assert!(rows.find_or_add(NodeIndex(7), 1, "n7").is_ok() && !rows.is_empty());
}

#[test]
fn the_last_dot_of_the_window_counts_when_the_frontier_comes_up_to_it() {
    for to in WINDOW - 2..=WINDOW + 2 {
        let (mut rows, row) = rows();
        rows.mark(Dot { row, seq: WINDOW + 1 });
        rows.mark_range(row, 0, to);
        let expected = if to == WINDOW { WINDOW + 1 } else { to };
        assert_eq!((rows.get(row).frontier, rows.get(row).highest()), (expected, to.max(WINDOW + 1)));
    }
}

proptest! {
    #[test]
    fn rows_are_found_by_name_and_counted_as_in_a_sorted_map(
        ops in prop::collection::vec((0_u32..8, 0_u64..6, any::<bool>(), any::<bool>()), 0..60),
    ) {
        let mut rows = Rows::<Tiny>::new(32);
        rows.set_nodes(8);
        let mut model = std::collections::BTreeMap::new();
        for (node, life, used, marked) in ops {
            let key = (NodeIndex(node), life);
            let count = |node| model.keys().filter(|key: &&(NodeIndex, u64)| key.0 == node).count();
            let reserved: usize = (0..8).map(|node| 2_usize.saturating_sub(count(NodeIndex(node)))).sum();
            let fits = model.contains_key(&key) || count(key.0) < 2 || 32 - model.len() > reserved;
            prop_assert_eq!(rows.has_room_for_life(key.0, life), fits);
            let Ok(row) = rows.open(key.0, life, "n") else {
                prop_assert!(!fits);
                continue;
            };
            prop_assert_eq!(rows.find(key.0, life), Some(row));
            if marked {
                rows.mark(Dot { row, seq: 3 });
            }
            let there = rows.close(row, used);
            if used || marked || model.contains_key(&key) {
                prop_assert_eq!(there, Some(row));
                prop_assert_eq!(*model.entry(key).or_insert(row), row);
            } else {
                prop_assert_eq!(there, None);
            }
            prop_assert_eq!(rows.len(), model.len());
            for node in (0..8).map(NodeIndex) {
                let newest = model.range((node, 0)..=(node, u64::MAX)).next_back().map(|row| *row.1);
                prop_assert_eq!(rows.newest_of(node), newest);
                for life in 0..6 {
                    let row = model.get(&(node, life)).copied();
                    prop_assert_eq!(rows.find(node, life), row);
                    prop_assert!(row.is_none_or(|row| rows.is_newest(row) == (Some(row) == newest)));
                }
            }
        }
    }
}

#[test]
fn a_row_that_is_asked_for_while_another_is_provisional_keeps_that_one() {
    let (mut rows, _) = rows();
    let first = rows.open(NodeIndex(2), 5, "n2").unwrap();
    let second = rows.find_or_add(NodeIndex(3), 5, "n3").unwrap();
    assert_ne!(first, second);
    assert_eq!(rows.close(first, false), Some(first));
    assert_eq!((rows.find(NodeIndex(2), 5), rows.find(NodeIndex(3), 5)), (Some(first), Some(second)));
}

#[test]
fn a_version_tells_which_frontiers_moved_after_it() {
    let (mut rows, row) = rows();
    let other = rows.find_or_add(NodeIndex(2), 7, "n2").unwrap();
    let moved = |rows: &Rows<Tiny>, since| [row, other].map(|row| rows.get(row).moved > since);
    assert_eq!(moved(&rows, 0), [false, false]);
    rows.mark(Dot { row, seq: 1 });
    let first = rows.seal();
    assert_eq!((moved(&rows, 0), moved(&rows, first)), ([true, false], [false, false]));
    rows.mark(Dot { row: other, seq: 2 });
    assert_eq!(moved(&rows, first), [false, false], "the frontier did not move");
    rows.mark(Dot { row: other, seq: 1 });
    rows.mark(Dot { row, seq: 2 });
    assert_eq!(moved(&rows, first), [true, true]);
    let second = rows.seal();
    rows.mark_range(row, 1, 9);
    assert_eq!((moved(&rows, first), moved(&rows, second)), ([true, true], [true, false]));
}
