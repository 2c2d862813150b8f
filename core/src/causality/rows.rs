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
        let found = self.rows.get(row.at());
        debug_assert!(found.is_some(), "the id of a row comes from this table, and rows stay");
        found.unwrap_or(&NOTHING)
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
mod tests;
