//! The states that were seen, shared by all workers: 16 bytes each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The number of tables. Each has a lock, and there are so many that two workers seldom want the same one.
const SHARDS: usize = 256;
/// The places of a new table.
const PLACES_AT_FIRST: usize = 256;

/// A set of hashes, each with the largest budget with which it was offered.
#[derive(Debug)]
pub(super) struct Visited {
    shards: Box<[Mutex<Shard>]>,
    len: AtomicUsize,
    bytes: AtomicUsize,
}

/// Open addressing with linear probing. An entry is a hash whose lowest 8 bits are the budget; 0 is a free place.
#[derive(Debug)]
struct Shard {
    places: Vec<u128>,
    used: usize,
}

impl Visited {
    pub(super) fn new() -> Self {
        let shard = || Mutex::new(Shard { places: vec![0; PLACES_AT_FIRST], used: 0 });
        let bytes = AtomicUsize::new(SHARDS * PLACES_AT_FIRST * size_of::<u128>());
        Self { shards: (0..SHARDS).map(|_| shard()).collect(), len: AtomicUsize::new(0), bytes }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Memory of all tables.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Offers a hash. True if it is new, or was only offered with a smaller budget before.
    pub(super) fn offer(&self, hash: u128, budget: u8) -> bool {
        let mut shard = self.shard(hash);
        let at = shard.find(hash);
        let entry = &mut shard.places[at];
        if *entry != 0 {
            let more = *entry as u8 != u8::MAX && budget > *entry as u8;
            if more {
                *entry = keyed(hash, budget);
            }
            return more;
        }
        *entry = keyed(hash, budget);
        shard.used += 1;
        self.len.fetch_add(1, Ordering::Relaxed);
        if shard.used * 4 > shard.places.len() * 3 {
            self.bytes.fetch_add(shard.places.len() * size_of::<u128>(), Ordering::Relaxed);
            shard.grow();
        }
        true
    }

    /// Whether the hash was offered.
    pub(super) fn contains(&self, hash: u128) -> bool {
        let shard = self.shard(hash);
        shard.places[shard.find(hash)] != 0
    }

    fn shard(&self, hash: u128) -> MutexGuard<'_, Shard> {
        // A poisoned lock means that another worker panicked, which ends the program.
        self.shards[(hash >> 120) as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entry of a hash. It is never 0, because a hash of all zeros gets another budget than 0.
fn keyed(hash: u128, budget: u8) -> u128 {
    let key = hash & !0xff | u128::from(budget);
    if key == 0 { 1 } else { key }
}

impl Shard {
    /// The place of a hash, or the free place for it. There always is one.
    fn find(&self, hash: u128) -> usize {
        let mask = self.places.len() - 1;
        let mut at = (hash >> 8) as usize & mask;
        while self.places[at] != 0 && self.places[at] >> 8 != hash >> 8 {
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self) {
        let places = vec![0; 2 * self.places.len()];
        for entry in std::mem::replace(&mut self.places, places).into_iter().filter(|entry| *entry != 0) {
            let at = self.find(entry);
            self.places[at] = entry;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hash;
    use super::*;

    #[test]
    fn a_hash_is_new_once_and_again_with_each_larger_budget() {
        let visited = Visited::new();
        let hashes: Vec<u128> = (0..200_000).map(|at| hash::word(0, at)).collect();
        assert!(hashes.iter().all(|hash| visited.offer(*hash, 3)));
        assert!(hashes.iter().all(|hash| visited.contains(*hash) && !visited.offer(*hash, 3)));
        assert!(hashes.iter().all(|hash| !visited.offer(*hash, 2) && visited.offer(*hash, 4)));
        assert_eq!(visited.len(), hashes.len());
        assert!(visited.bytes() >= 16 * hashes.len() && visited.bytes() <= 64 * hashes.len());
        assert!(!visited.contains(hash::word(1, 1)));
    }
}
