//! Snapshots of this node's own version vector at a few earlier moments.
//!
//! A peer that was sent everything is assumed to hold what this node held at that moment. All peers of a flush share
//! one snapshot. So a root keeps a few vectors and one number per peer, not one vector per peer.

use crate::causality::{RowId, Rows};
use crate::gossip::common::SNAPSHOTS;
use crate::storage::{Buf, Storage};
use crate::time::Instant;

use super::link::since;

/// The latest few snapshots. When the snapshot of a peer is forgotten, the peer is assumed to hold only what it has
/// shown, and is sent some entries twice.
#[derive(Clone)]
pub(super) struct Snapshots<S: Storage> {
    frontiers: S::PerRow<[u64; SNAPSHOTS]>,
    /// The digest in short of each snapshot.
    sums: [u64; SNAPSHOTS],
    /// The number of the latest snapshot, counted from 1.
    latest: u32,
    limit: usize,
}

impl<S: Storage> Snapshots<S> {
    #[inline(always)]
    pub(super) fn new(rows: usize) -> Self {
        Self { frontiers: S::PerRow::with_limit(rows), sums: [0; SNAPSHOTS], latest: 0, limit: rows }
    }

    pub(super) fn frontiers(&self) -> &[[u64; SNAPSHOTS]] {
        &self.frontiers
    }

    /// The place at which a snapshot is kept, or `None` if it is forgotten.
    pub(super) fn place(&self, number: u32) -> Option<usize> {
        let kept = number > 0 && number <= self.latest && self.latest - number < SNAPSHOTS as u32;
        kept.then_some(number as usize % SNAPSHOTS)
    }

    /// Whether a snapshot is of the digest `sum`.
    pub(super) fn is_of(&self, number: u32, sum: u64) -> bool {
        self.place(number).is_some_and(|at| self.sums[at] == sum)
    }

    /// The number of the snapshot of the present vector. It is taken if there is none. O(rows).
    pub(super) fn take(&mut self, sum: u64, rows: &Rows<S>) -> u32 {
        let oldest = self.latest.saturating_sub(SNAPSHOTS as u32 - 1).max(1);
        if let Some(number) = (oldest..=self.latest).rev().find(|number| self.is_of(*number, sum)) {
            return number;
        }
        self.begin(sum);
        for (id, row) in rows.iter() {
            self.put(id.at(), row.frontier);
        }
        self.latest
    }

    /// Takes a snapshot of a vector that a peer has shown. Returns its number.
    pub(super) fn take_over(&mut self, vector: &[u64]) -> u32 {
        self.begin(0);
        for (at, frontier) in vector.iter().enumerate() {
            self.put(at, *frontier);
        }
        self.latest
    }

    fn begin(&mut self, sum: u64) {
        self.latest = self.latest.wrapping_add(1).max(1);
        let at = self.latest as usize % SNAPSHOTS;
        self.sums[at] = sum;
        for frontiers in self.frontiers.iter_mut() {
            frontiers[at] = 0;
        }
    }

    fn put(&mut self, row: usize, frontier: u64) {
        while self.frontiers.len() <= row && self.frontiers.len() < self.limit {
            if self.frontiers.push([0; SNAPSHOTS]).is_err() {
                return;
            }
        }
        let at = self.latest as usize % SNAPSHOTS;
        if let Some(frontiers) = self.frontiers.get_mut(row) {
            frontiers[at] = frontier;
        }
    }
}

/// The version vector some time ago. Two snapshots take turns, and the older one counts.
#[derive(Clone)]
pub(super) struct Aged<S: Storage> {
    frontiers: S::PerRow<[u64; 2]>,
    newer_at: Instant,
    limit: usize,
}

impl<S: Storage> Aged<S> {
    #[inline(always)]
    pub(super) fn new(rows: usize) -> Self {
        Self { frontiers: S::PerRow::with_limit(rows), newer_at: Instant::ZERO, limit: rows }
    }

    /// If the newer snapshot is `age_us` old, it becomes the older one, and a new one is taken. That is O(rows).
    pub(super) fn keep(&mut self, rows: &Rows<S>, age_us: u64, now: Instant) {
        if since(now, self.newer_at) < age_us {
            return;
        }
        self.newer_at = now;
        for (id, row) in rows.iter() {
            while self.frontiers.len() <= id.at() && self.frontiers.len() < self.limit {
                if self.frontiers.push([0; 2]).is_err() {
                    return;
                }
            }
            if let Some([older, newer]) = self.frontiers.get_mut(id.at()) {
                *older = core::mem::replace(newer, row.frontier);
            }
        }
    }

    pub(super) fn frontier(&self, row: RowId) -> u64 {
        self.frontiers.get(row.at()).map_or(0, |pair| pair[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causality::Dot;
    use crate::gossip::bench::rows;
    use crate::storage::Small;

    const MS: fn(u64) -> Instant = Instant::from_millis;
    const ROW: RowId = RowId(1);

    fn change(rows: &mut Rows<Small>) {
        rows.mark(Dot { row: ROW, seq: rows.get(ROW).frontier + 1 });
    }

    #[test]
    fn one_state_takes_one_snapshot_and_the_fifth_replaces_the_first() {
        let mut rows = rows(3);
        let mut snapshots = Snapshots::<Small>::new(Small::LIMITS.rows);
        for sum in 1..=5 {
            change(&mut rows);
            assert_eq!(snapshots.take(sum, &rows), sum as u32);
            assert_eq!(snapshots.take(sum, &rows), sum as u32);
        }
        let kept: std::vec::Vec<_> = (0..=6).map(|number| snapshots.place(number).is_some()).collect();
        assert_eq!(kept, [false, false, true, true, true, true, false]);
        let frontier = |number| snapshots.frontiers()[ROW.at()][snapshots.place(number).unwrap()];
        assert_eq!([frontier(2), frontier(5)], [2, 5]);
        assert!(snapshots.is_of(5, 5) && !snapshots.is_of(4, 5));
    }

    #[test]
    fn a_snapshot_of_what_a_peer_has_shown_is_of_no_state() {
        let mut snapshots = Snapshots::<Small>::new(Small::LIMITS.rows);
        snapshots.take(7, &rows(3));
        let number = snapshots.take_over(&[4, 7]);
        let at = snapshots.place(number).unwrap();
        assert_eq!([snapshots.frontiers()[0][at], snapshots.frontiers()[1][at]], [4, 7]);
        assert!((1..100).all(|sum| !snapshots.is_of(number, sum)));
    }

    #[test]
    fn a_snapshot_holds_nothing_of_the_one_that_it_replaces() {
        let mut snapshots = Snapshots::<Small>::new(Small::LIMITS.rows);
        for _ in 0..SNAPSHOTS {
            snapshots.take_over(&[4, 7]);
        }
        let number = snapshots.take_over(&[5]);
        let at = snapshots.place(number).unwrap();
        assert_eq!([snapshots.frontiers()[0][at], snapshots.frontiers()[1][at]], [5, 0]);
    }

    #[test]
    fn what_is_called_old_is_at_least_as_old_as_that() {
        let mut rows = rows(3);
        let mut aged = Aged::<Small>::new(Small::LIMITS.rows);
        for ms in (10_000..20_000).step_by(10) {
            change(&mut rows);
            aged.keep(&rows, 1_000_000, MS(ms));
            let made = rows.get(ROW).frontier;
            let behind = made - aged.frontier(ROW);
            // A change every 10 ms.
            assert!(aged.frontier(ROW) == 0 || (100..200).contains(&behind), "{ms}: {behind}");
        }
        assert!(aged.frontier(ROW) > 0);
    }

    #[test]
    fn however_many_were_taken_the_latest_four_are_kept() {
        let mut snapshots = Snapshots::<Small>::new(Small::LIMITS.rows);
        for latest in 0..20_u32 {
            let kept: std::vec::Vec<u32> = (0..25).filter(|number| snapshots.place(*number).is_some()).collect();
            let expected: std::vec::Vec<u32> = (1..=latest).skip(latest.saturating_sub(4) as usize).collect();
            assert_eq!(kept, expected);
            snapshots.take_over(&[u64::from(latest)]);
        }
    }

    #[test]
    fn what_was_held_exactly_so_long_ago_is_old() {
        let mut rows = rows(3);
        let mut aged = Aged::<Small>::new(Small::LIMITS.rows);
        for (ms, old) in [(1_000, 0), (1_999, 0), (2_000, 1), (2_999, 1), (3_000, 3)] {
            change(&mut rows);
            aged.keep(&rows, 1_000_000, MS(ms));
            assert_eq!(aged.frontier(ROW), old, "{ms}");
        }
    }
}
