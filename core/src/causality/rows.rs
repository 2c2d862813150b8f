//! The version vector: per row the contiguous frontier that was applied, and a small window of dots beyond it.
//!
//! Exact and bounded: nothing is marked before it was applied, and nothing marked is forgotten.

use crate::id::{NodeIndex, hash_bytes, mix2};
use crate::storage::{Buf, Storage};

/// How far beyond its frontier a row can hold single dots. Entries beyond that are not taken; the peer offers them
/// again once the gap has closed.
pub const WINDOW: u64 = 64;

/// A row's place in this node's table: a local name, never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RowId(pub u32);

impl RowId {
    /// Index into tables with one entry per row.
    #[must_use]
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// One node in one life.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The node.
    pub node: NodeIndex,
    /// Its life.
    pub incarnation: u64,
    /// All dots up to this one were applied.
    pub frontier: u64,
    /// Bit k: the dot `frontier + 2 + k` was applied. (`frontier + 1` was not, or it would be part of the frontier.)
    window: u64,
    /// Hash of node id and incarnation, the same on every node.
    pub hash: u64,
    next_of_node: u32,
}

impl Row {
    /// The highest dot that was applied.
    #[must_use]
    pub fn highest(&self) -> u64 {
        if self.window == 0 { self.frontier } else { self.frontier + 65 - u64::from(self.window.leading_zeros()) }
    }

    /// Whether a dot was applied.
    #[must_use]
    pub fn contains(&self, seq: u64) -> bool {
        seq <= self.frontier
            || (seq >= self.frontier + 2
                && seq - self.frontier - 2 < WINDOW
                && self.window >> (seq - self.frontier - 2) & 1 == 1)
    }

    /// What the row contributes to the hash of a vector in which its frontier is this one.
    fn term(&self, frontier: u64) -> u64 {
        if frontier == 0 { 0 } else { mix2(self.hash, frontier) }
    }

    /// The applied dots beyond the frontier, ascending.
    pub fn beyond(&self) -> impl Iterator<Item = u64> + use<> {
        let Self { frontier, window, .. } = *self;
        (0..WINDOW).filter(move |bit| window >> bit & 1 == 1).map(move |bit| frontier + 2 + bit)
    }
}

/// What marking a dot did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The dot was not marked before and is now.
    New,
    /// The dot was marked already.
    Known,
}

/// Why a row cannot be had. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowRefused {
    /// The name is no member of the cluster.
    Stranger,
    /// The table has no room for one more life.
    Full,
}

const NONE: u32 = u32::MAX;

/// The version vector.
#[derive(Clone)]
pub struct Rows<S: Storage> {
    rows: S::PerRow<Row>,
    first_of_node: S::PerNode<u32>,
    lives_per_node: usize,
    /// Sum over all rows of the hash of row and frontier, where `hashed` replaces the frontier of its row.
    vector_hash: u64,
    /// The row that moved last, and its frontier when it was hashed: a row that moves often is hashed when asked.
    hashed: (RowId, u64),
}

impl<S: Storage> Rows<S> {
    /// No rows yet, room for `rows`.
    #[inline(always)]
    #[must_use]
    pub fn new(rows: usize, lives_per_node: usize) -> Self {
        Self {
            rows: S::PerRow::with_limit(rows),
            first_of_node: S::PerNode::with_limit(0),
            lives_per_node,
            vector_hash: 0,
            hashed: (RowId(0), 0),
        }
    }

    /// Makes room for a cluster of `nodes`. Called once, before any row is added.
    pub fn set_nodes(&mut self, nodes: usize) {
        self.first_of_node = S::PerNode::with_limit(nodes);
        self.first_of_node.fill_to(nodes, NONE);
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All rows, in the order in which this node met them.
    pub fn iter(&self) -> impl Iterator<Item = (RowId, &Row)> {
        self.rows.iter().enumerate().map(|(at, row)| (RowId(at as u32), row))
    }

    /// A row. One that is not from this table, which is a bug, is a row of which nothing was applied.
    #[must_use]
    pub fn get(&self, row: RowId) -> &Row {
        const NOTHING: Row =
            Row { node: NodeIndex(NONE), incarnation: 0, frontier: 0, window: 0, hash: 0, next_of_node: NONE };
        self.rows.get(row.at()).unwrap_or(&NOTHING)
    }

    /// Hash of all frontiers, independent of the order of rows; equal vectors have equal hashes.
    #[must_use]
    pub fn vector_hash(&self) -> u64 {
        let (id, before) = self.hashed;
        let Some(row) = self.rows.get(id.at()) else {
            return self.vector_hash;
        };
        self.vector_hash.wrapping_sub(row.term(before)).wrapping_add(row.term(row.frontier))
    }

    /// The row of a node's life.
    #[must_use]
    pub fn find(&self, node: NodeIndex, incarnation: u64) -> Option<RowId> {
        let mut at = *self.first_of_node.get(node.at())?;
        // Bounded by the lives of one node.
        while let Some(row) = self.rows.get(at as usize) {
            if row.incarnation == incarnation {
                return Some(RowId(at));
            }
            at = row.next_of_node;
        }
        None
    }

    /// The row of a node's life, made when it is new.
    ///
    /// # Errors
    /// The table, or this node's share of it, is full; nothing changed.
    pub fn find_or_add(&mut self, node: NodeIndex, incarnation: u64, id: &str) -> Result<RowId, RowRefused> {
        if let Some(found) = self.find(node, incarnation) {
            return Ok(found);
        }
        let first = *self.first_of_node.get(node.at()).ok_or(RowRefused::Stranger)?;
        let mut lives = 0;
        let mut at = first;
        while let Some(row) = self.rows.get(at as usize) {
            lives += 1;
            at = row.next_of_node;
        }
        if lives >= self.lives_per_node {
            return Err(RowRefused::Full);
        }
        let hash = mix2(hash_bytes(id.as_bytes()), incarnation);
        let added = self.rows.len() as u32;
        let row = Row { node, incarnation, frontier: 0, window: 0, hash, next_of_node: first };
        self.rows.push(row).map_err(|_| RowRefused::Full)?;
        if let Some(first) = self.first_of_node.get_mut(node.at()) {
            *first = added;
        }
        Ok(RowId(added))
    }

    /// Whether a dot could be marked now: it is not beyond the window.
    #[must_use]
    pub fn has_room_for(&self, dot: super::Dot) -> bool {
        dot.seq <= self.get(dot.row).frontier + 1 + WINDOW
    }

    /// Marks a dot as applied. To be called after the entry was applied, never before.
    ///
    /// A dot beyond the window is not marked: see [`Rows::has_room_for`].
    #[inline(always)]
    pub fn mark(&mut self, dot: super::Dot) -> Mark {
        let Some(row) = self.rows.get_mut(dot.row.at()) else {
            return Mark::Known;
        };
        if dot.seq == row.frontier + 1 && row.window == 0 && self.hashed.0 == dot.row {
            // The next one, as almost always.
            row.frontier = dot.seq;
            return Mark::New;
        }
        self.mark_any(dot)
    }

    #[inline(never)]
    fn mark_any(&mut self, dot: super::Dot) -> Mark {
        let Some(row) = self.rows.get_mut(dot.row.at()) else {
            return Mark::Known;
        };
        if row.contains(dot.seq) || dot.seq > row.frontier + 1 + WINDOW {
            return Mark::Known;
        }
        if dot.seq == row.frontier + 1 {
            self.advance(dot.row, dot.seq);
        } else {
            row.window |= 1 << (dot.seq - row.frontier - 2);
        }
        Mark::New
    }

    /// Marks all dots of `(from, to]` as applied. What lies beyond the window stays unmarked. O(window).
    pub fn mark_range(&mut self, row: RowId, from: u64, to: u64) -> Mark {
        let frontier = self.get(row).frontier;
        if to <= frontier {
            return Mark::Known;
        }
        if from <= frontier {
            self.advance(row, to);
            return Mark::New;
        }
        let mut mark = Mark::Known;
        for seq in from + 1..=to.min(frontier + 1 + WINDOW) {
            if self.mark(super::Dot { row, seq }) == Mark::New {
                mark = Mark::New;
            }
        }
        mark
    }

    /// Moves the frontier to `to` and on over what the window holds.
    fn advance(&mut self, id: RowId, to: u64) {
        let Some(row) = self.rows.get_mut(id.at()) else { return };
        let before = row.frontier;
        let shift = to - before;
        // Bit 63 of this word is the dot `frontier + 65`; bit 0 becomes the dot after the new frontier.
        let ahead = if shift > WINDOW { 0 } else { u128::from(row.window >> (shift - 1)) };
        let run = ahead.trailing_ones();
        row.frontier = to + u64::from(run);
        row.window = (ahead >> (run + 1)) as u64;
        if self.hashed.0 != id {
            self.vector_hash = self.vector_hash();
            self.hashed = (id, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Dot;
    use super::*;
    use crate::storage::Tiny;
    use proptest::prelude::*;

    fn rows() -> (Rows<Tiny>, RowId) {
        let mut rows = Rows::new(32, 4);
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

    #[test]
    fn a_fifth_life_is_refused() {
        let (mut rows, _) = rows();
        for life in 8..11 {
            assert!(rows.find_or_add(NodeIndex(1), life, "n1").is_ok());
        }
        assert_eq!(rows.find_or_add(NodeIndex(1), 11, "n1"), Err(RowRefused::Full));
        assert!(rows.find_or_add(NodeIndex(2), 11, "n2").is_ok());
    }
}
