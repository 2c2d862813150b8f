//! The version vector: for each row the frontier up to which all dots were applied, and a small window of single dots
//! beyond it.
//!
//! The vector is exact and bounded: a dot is marked only after it was applied, and a mark is never forgotten. All nodes
//! take their rows from one pool, in which each node is guaranteed a quota. A row takes 52 bytes here, of which a
//! [`Row`] has 48.

use crate::id::{NodeIndex, hash_bytes, mix2};
use crate::storage::{Buf, Storage};

/// How many dots beyond `frontier + 1` a row can mark singly. A dot further ahead is not marked; the peer offers its
/// entry again once the gap has closed.
pub const WINDOW: u64 = 64;

/// The index of a row in this node's table. It is never sent: another node has other indices.
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
    /// Only this process makes changes in it: see [`Rows::is_immune`].
    immune: bool,
    /// No row of the same node has a higher life.
    newest: bool,
    /// Its life.
    pub incarnation: u64,
    /// All dots up to this one were applied.
    pub frontier: u64,
    /// Bit k says whether the dot `frontier + 2 + k` was applied. (The dot `frontier + 1` was not, or it would be part
    /// of the frontier.)
    window: u64,
    /// Hash of node id and incarnation. It is the same on every node.
    pub hash: u64,
    /// The version of the table when the frontier last moved; 0 if it never moved. See [`Rows::seal`].
    pub moved: u64,
}

impl Row {
    /// Whether no row of the same node has a higher life.
    #[must_use]
    pub fn is_newest(&self) -> bool {
        self.newest
    }

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

    /// The row's term in the hash of a vector in which it has this frontier.
    fn term(&self, frontier: u64) -> u64 {
        if frontier == 0 { 0 } else { mix2(self.hash, frontier) }
    }

    /// The applied dots beyond the frontier, ascending.
    pub fn beyond(&self) -> impl Iterator<Item = u64> + use<> {
        let Self { frontier, window: mut left, .. } = *self;
        core::iter::from_fn(move || {
            let bit = u64::from(left.trailing_zeros());
            left &= left.checked_sub(1)?;
            Some(frontier + 2 + bit)
        })
    }
}

/// What marking a dot did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The dot was not marked before, and is marked now.
    New,
    /// The dot was marked before, or is too far ahead to be marked.
    Known,
}

/// Why there is no row for a life. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowRefused {
    /// The node is no member of the cluster.
    Stranger,
    /// The pool has no room for one more life of this node: the rest of it is reserved for other nodes.
    Full,
    /// The same node has a row here with a life at least as high. So a dot made in this life might be used twice.
    Taken,
}

const NONE: u32 = u32::MAX;

/// The version vector.
///
/// # The pool
///
/// Each of the n members is guaranteed `max(1, rows / 2 / n)` rows. The rows that members are guaranteed and do not
/// have yet are held back. A node that has its quota takes more rows only from the rest. So a node that starts again
/// and again cannot take the last row of another node. In a cluster with more members than rows not every member can be
/// guaranteed a row: half of the pool is held back for nodes without one.
#[derive(Clone)]
pub struct Rows<S: Storage> {
    rows: S::PerRow<Row>,
    /// All rows but the provisional one, sorted by node and life.
    sorted: S::PerRow<u32>,
    /// The last row is provisional: it is not in `sorted` yet. See [`Rows::open`].
    provisional: bool,
    members: usize,
    /// How many rows are guaranteed to nodes that do not have them yet, over all nodes.
    reserved: usize,
    /// Counts the calls of [`Rows::seal`], from 1.
    version: u64,
    /// The sum of [`Row::term`] over all rows. The row in `hashed` counts with the frontier that is kept there.
    vector_hash: u64,
    /// The row that moved last, and its frontier in `vector_hash`. So a row that moves many times in a row is hashed
    /// only when the hash is asked for.
    hashed: (RowId, u64),
}

names_itself!(impl[S: Storage] Rows<S>, "Rows");

impl<S: Storage> Rows<S> {
    /// An empty vector with room for `rows` rows.
    #[inline(always)]
    #[must_use]
    pub fn new(rows: usize) -> Self {
        Self {
            rows: S::PerRow::with_limit(rows),
            sorted: S::PerRow::with_limit(rows),
            provisional: false,
            members: 0,
            reserved: 0,
            version: 1,
            vector_hash: 0,
            hashed: (RowId(0), 0),
        }
    }

    /// Shares out the pool among `members` nodes. Called once, before a row is added.
    pub fn set_nodes(&mut self, members: usize) {
        self.members = members;
        self.reserved = members.saturating_mul(self.quota());
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

    /// All rows, in the order in which this node made them.
    pub fn iter(&self) -> impl Iterator<Item = (RowId, &Row)> {
        self.rows.iter().enumerate().map(|(at, row)| (RowId(at as u32), row))
    }

    /// A row. An id that is not from this table (a bug) gives a row of which no dot was applied.
    #[must_use]
    pub fn get(&self, row: RowId) -> &Row {
        const NOTHING: Row = Row {
            node: NodeIndex(NONE),
            immune: false,
            newest: false,
            incarnation: 0,
            frontier: 0,
            window: 0,
            hash: 0,
            moved: 0,
        };
        self.rows.get(row.at()).unwrap_or(&NOTHING)
    }

    /// Hash of all frontiers. It does not depend on the order of rows, so equal vectors have equal hashes.
    #[must_use]
    pub fn vector_hash(&self) -> u64 {
        let (id, before) = self.hashed;
        let Some(row) = self.rows.get(id.at()) else {
            return self.vector_hash;
        };
        self.vector_hash.wrapping_sub(row.term(before)).wrapping_add(row.term(row.frontier))
    }

    /// The row of a node's life. O(log rows).
    #[must_use]
    pub fn find(&self, node: NodeIndex, incarnation: u64) -> Option<RowId> {
        match self.search(node, incarnation) {
            Ok(at) => self.sorted.get(at).copied().map(RowId),
            Err(_) => self.find_provisional(node, incarnation),
        }
    }

    /// The row of a node's life, which is made if there is none. O(log rows), and O(rows) if it is made.
    ///
    /// # Errors
    /// The pool has no room for it; nothing changed.
    pub fn find_or_add(&mut self, node: NodeIndex, incarnation: u64, id: &str) -> Result<RowId, RowRefused> {
        let row = self.open(node, incarnation, id)?;
        self.keep(row);
        Ok(row)
    }

    /// The row of a node's life. If there is none, it is made provisionally, until [`Rows::close`] decides: so a
    /// message that only names a row takes none from the pool. O(log rows).
    ///
    /// # Errors
    /// The pool has no room for it; nothing changed.
    pub fn open(&mut self, node: NodeIndex, incarnation: u64, id: &str) -> Result<RowId, RowRefused> {
        if let Some(found) = self.find(node, incarnation) {
            return Ok(found);
        }
        if node.at() >= self.members {
            return Err(RowRefused::Stranger);
        }
        // At most one row is provisional. If another row is asked for, an entry of the first one is being applied
        // (which may name that other row), so the first one is kept.
        self.keep_provisional();
        if !self.has_room(node) {
            return Err(RowRefused::Full);
        }
        let hash = mix2(hash_bytes(id.as_bytes()), incarnation);
        let added = RowId(self.rows.len() as u32);
        let row = Row { node, immune: false, newest: false, incarnation, frontier: 0, window: 0, hash, moved: 0 };
        self.rows.push(row).map_err(|_| RowRefused::Full)?;
        self.provisional = true;
        Ok(added)
    }

    /// Decides about a row from [`Rows::open`]. A provisional row is kept if it is `used` or one of its dots is marked;
    /// otherwise it is taken out again. Returns the row if it is still there. O(1), and O(rows) if a new row is kept.
    pub fn close(&mut self, row: RowId, used: bool) -> Option<RowId> {
        if used || !self.is_provisional(row) || self.get(row).highest() > 0 {
            self.keep(row);
            return Some(row);
        }
        self.rows.truncate(row.at());
        self.provisional = false;
        None
    }

    /// Whether a row was made by [`Rows::open`], and [`Rows::close`] has not decided about it yet.
    #[must_use]
    pub fn is_provisional(&self, row: RowId) -> bool {
        self.provisional && row.at() + 1 == self.rows.len()
    }

    /// Whether there is a row of a node's life, or could be made now. O(log rows).
    #[must_use]
    pub fn has_room_for_life(&self, node: NodeIndex, incarnation: u64) -> bool {
        self.find(node, incarnation).is_some() || (node.at() < self.members && self.has_room(node))
    }

    /// The largest number of rows.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.rows.limit()
    }

    /// The number of rows that each node is guaranteed, if there are at least as many rows as members.
    #[must_use]
    pub fn quota(&self) -> usize {
        (self.limit() / 2 / self.members.max(1)).max(1)
    }

    /// Whether no row of the same node has a higher life. O(1).
    #[must_use]
    pub fn is_newest(&self, row: RowId) -> bool {
        self.get(row).newest
    }

    /// The row of a node's highest life. O(log rows).
    #[must_use]
    pub fn newest_of(&self, node: NodeIndex) -> Option<RowId> {
        let before = self.end_of(node).checked_sub(1)?;
        let row = RowId(*self.sorted.get(before)?);
        (self.get(row).node == node).then_some(row)
    }

    /// Whether only this process makes changes in a row. If a peer claims others, the claim is refused.
    #[must_use]
    pub fn is_immune(&self, row: RowId) -> bool {
        self.get(row).immune
    }

    /// From now on only this process makes changes in the row. The row is kept if it was provisional.
    pub fn make_immune(&mut self, row: RowId) {
        self.keep(row);
        if let Some(row) = self.rows.get_mut(row.at()) {
            row.immune = true;
        }
    }

    /// Ends the immunity of a row, because another process makes changes in it as well. It is a row like any other from
    /// now on.
    pub fn give_up(&mut self, row: RowId) {
        if let Some(row) = self.rows.get_mut(row.at()) {
            row.immune = false;
        }
    }

    /// Returns the present version of the vector, and begins the next one. A row whose frontier moves from now on has a
    /// [`Row::moved`] above the version that was returned.
    pub fn seal(&mut self) -> u64 {
        let sealed = self.version;
        self.version += 1;
        sealed
    }

    /// Whether a dot is not beyond the window, so that it can be marked now.
    #[must_use]
    pub fn has_room_for(&self, dot: super::Dot) -> bool {
        dot.seq <= self.get(dot.row).frontier + 1 + WINDOW
    }

    /// Marks a dot as applied. It is called after the entry was applied, never before.
    ///
    /// A dot beyond the window is not marked: see [`Rows::has_room_for`].
    #[inline(always)]
    pub fn mark(&mut self, dot: super::Dot) -> Mark {
        let Some(row) = self.rows.get_mut(dot.row.at()) else {
            return Mark::Known;
        };
        if dot.seq == row.frontier + 1 && row.window == 0 && self.hashed.0 == dot.row {
            // The common case: the next dot of the row that moved last.
            row.frontier = dot.seq;
            row.moved = self.version;
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

    /// Marks all dots in `(from, to]` as applied. Dots beyond the window stay unmarked. O(1).
    pub fn mark_range(&mut self, id: RowId, from: u64, to: u64) -> Mark {
        let Some(row) = self.rows.get_mut(id.at()) else {
            return Mark::Known;
        };
        if to <= row.frontier || from >= to {
            return Mark::Known;
        }
        if from <= row.frontier {
            self.advance(id, to);
            return Mark::New;
        }
        // The first dot is at least `frontier + 2`: bit 0 of the window.
        let (first, last) = (from - row.frontier - 1, (to - row.frontier - 2).min(WINDOW - 1));
        if first > last {
            return Mark::Known;
        }
        let before = row.window;
        row.window |= (u64::MAX >> (WINDOW - 1 - last)) & (u64::MAX << first);
        if row.window == before { Mark::Known } else { Mark::New }
    }

    /// Moves the frontier to `to`, and further over dots that the window holds.
    fn advance(&mut self, id: RowId, to: u64) {
        let Some(row) = self.rows.get_mut(id.at()) else { return };
        let before = row.frontier;
        let shift = to - before;
        // Bit 63 of this word is the dot `frontier + 65`; bit 0 becomes the dot after the new frontier.
        let ahead = if shift > WINDOW { 0 } else { u128::from(row.window >> (shift - 1)) };
        let run = ahead.trailing_ones();
        row.frontier = to + u64::from(run);
        row.moved = self.version;
        row.window = (ahead >> (run + 1)) as u64;
        if self.hashed.0 != id {
            self.vector_hash = self.vector_hash();
            self.hashed = (id, before);
        }
    }

    /// The index in `sorted` of the row of a node's life, or the index at which it would be.
    fn search(&self, node: NodeIndex, incarnation: u64) -> Result<usize, usize> {
        self.sorted.binary_search_by_key(&(node, incarnation), |row| {
            let row = self.get(RowId(*row));
            (row.node, row.incarnation)
        })
    }

    /// The index in `sorted` after the last row of a node.
    fn end_of(&self, node: NodeIndex) -> usize {
        self.sorted.partition_point(|row| self.get(RowId(*row)).node <= node)
    }

    /// How many rows a node has. O(log rows).
    fn count_of(&self, node: NodeIndex) -> usize {
        let start = self.sorted.partition_point(|row| self.get(RowId(*row)).node < node);
        self.end_of(node) - start
    }

    fn find_provisional(&self, node: NodeIndex, incarnation: u64) -> Option<RowId> {
        let last = self.rows.last().filter(|_| self.provisional)?;
        ((last.node, last.incarnation) == (node, incarnation)).then(|| RowId(self.rows.len() as u32 - 1))
    }

    /// Whether the pool has a row for one more life of a node. No row is provisional.
    fn has_room(&self, node: NodeIndex) -> bool {
        let room = self.limit() - self.sorted.len();
        let quota = self.quota();
        if self.count_of(node) < quota {
            return room > 0;
        }
        let held_back = if self.members > self.limit() { self.reserved.min(self.limit() / 2) } else { self.reserved };
        room > held_back
    }

    fn keep_provisional(&mut self) {
        if let Some(last) = self.rows.len().checked_sub(1) {
            self.keep(RowId(last as u32));
        }
    }

    /// Puts a provisional row into `sorted`.
    fn keep(&mut self, id: RowId) {
        if !self.is_provisional(id) {
            return;
        }
        self.provisional = false;
        let Row { node, incarnation, .. } = *self.get(id);
        let below_quota = self.count_of(node) < self.quota();
        self.reserved = self.reserved.saturating_sub(usize::from(below_quota));
        let Err(at) = self.search(node, incarnation) else { return };
        // There is a place for each row.
        let _ = self.sorted.push(id.0);
        if let Some(moved) = self.sorted.get_mut(at..) {
            moved.rotate_right(1);
        }
        let neighbour = |at: Option<usize>| {
            let other = RowId(*self.sorted.get(at?)?);
            (self.get(other).node == node).then_some(other)
        };
        let (older, newer) = (neighbour(at.checked_sub(1)), neighbour(at.checked_add(1)));
        if newer.is_some() {
            return;
        }
        for (row, newest) in [(older, false), (Some(id), true)] {
            if let Some(row) = row.and_then(|row| self.rows.get_mut(row.at())) {
                row.newest = newest;
            }
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
}
