//! Whether reads of the key-value store were stale: it shows when an older write arrives.
//!
//! Owns the reads that are watched. Must never change what the store holds.

use crate::causality::Entry;
use crate::id::Value;
use crate::replicated::{LwwMap, Replicated as _};
use crate::storage::{Buf, Limits, Storage};

/// Reads of one key that are watched.
const PER_KEY: usize = 2;
/// Reads of keys that were not there, watched over all keys.
const MISSES: usize = 32;

/// A read that may yet turn out to have been stale. A read of zeros never does. The table begins with zeros, because the system
/// gives memory of zeros without touching it.
type Read = [u64; 2];
/// When it happened, in microseconds on the hybrid clock.
const AT_US: usize = 0;
/// Stamp of what it saw, 0 for nothing.
const SAW_US: usize = 1;

/// A write of `stamp_us` has arrived: was this read older than it? Counts once.
fn turns_out_stale(read: &mut Read, stamp_us: u64) -> bool {
    let stale = read[SAW_US] < stamp_us && stamp_us < read[AT_US];
    if stale {
        read[AT_US] = 0;
    }
    stale
}

/// Reads of clients, and how many of them were stale. Watched are the last 2 of each key and the last 32 of keys that were not
/// there.
#[derive(Clone)]
pub struct Staleness<S: Storage> {
    /// Of each slot of the store, the latest first.
    kept: S::PerKey<[Read; PER_KEY]>,
    /// Of keys that were not there: their hashes, and the reads.
    misses: [(u64, Read); MISSES],
    missed: usize,
    reads: u64,
    stale: u64,
}

names_itself!(impl[S: Storage] Staleness<S>, "Staleness");

impl<S: Storage> Staleness<S> {
    /// Nothing was read yet. Before [`Staleness::fill`].
    #[inline(always)]
    pub(super) fn unfilled(limits: &Limits) -> Self {
        const NOTHING: [(u64, Read); MISSES] = [(0, [0; 2]); MISSES];
        Self { kept: S::PerKey::with_limit(limits.keys), misses: NOTHING, missed: 0, reads: 0, stale: 0 }
    }

    /// Fills the table of slots, where it is to stay.
    pub(super) fn fill(&mut self, limits: &Limits) {
        self.kept.fill_to(limits.keys, [[0; 2]; PER_KEY]);
    }

    /// A client has read a key at `now_us` on the hybrid clock, and was shown what `slot` holds. O(1).
    pub(super) fn read(&mut self, map: &LwwMap<S>, key: Value<'_>, slot: Option<u32>, now_us: u64) {
        self.reads += 1;
        let shown = slot.and_then(|at| Some((self.kept.get_mut(at as usize)?, map.slot(at)?)));
        match shown {
            // The oldest of them is forgotten.
            Some(([latest, before], (_, _, stamp_us))) => *before = core::mem::replace(latest, [now_us, stamp_us]),
            None => {
                self.misses[self.missed % MISSES] = (key.hash(), [now_us, 0]);
                self.missed += 1;
            }
        }
    }

    /// An entry was merged that somebody else made, or that was made elsewhere before: a write shows which reads were older
    /// than it. O(1), and nothing is looked up while nobody reads.
    #[inline]
    pub fn arrived(&mut self, map: &LwwMap<S>, entry: &Entry<'_>) {
        if self.reads > 0 && LwwMap::<S>::owns(entry.tag) {
            self.judge(map, entry);
        }
    }

    #[inline(never)]
    fn judge(&mut self, map: &LwwMap<S>, entry: &Entry<'_>) {
        let [key, _, stamp] = entry.args() else { return };
        let Some((key, stamp_us)) = key.as_value().zip(stamp.as_unsigned()) else { return };
        let hash = key.hash();
        let kept = map.find(key).and_then(|at| self.kept.get_mut(at as usize));
        let misses = self.misses.iter_mut().filter(|miss| miss.0 == hash).map(|miss| &mut miss.1);
        let stale =
            kept.into_iter().flatten().chain(misses).filter_map(|read| turns_out_stale(read, stamp_us).then_some(()));
        self.stale += stale.count() as u64;
    }

    /// Reads here, and how many of them are known to have been older than a write made before them elsewhere.
    #[must_use]
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.reads, self.stale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causality::{Dot, RowId};
    use crate::replicated::{Outcome, Replica};
    use crate::storage::Tiny;
    use std::vec::Vec;

    /// A replica with the row of another node, and the reads of its clients.
    struct Reader {
        replica: Replica<Tiny>,
        reads: Staleness<Tiny>,
        other: RowId,
        seq: u64,
    }

    impl Reader {
        fn new() -> Self {
            let mut replica = Replica::new(&Tiny::LIMITS, 0);
            replica.causality.members.set("b", ["a", "b"].into_iter()).unwrap();
            replica.begin(5).unwrap();
            let a = replica.causality.members.find("a").unwrap();
            let other = replica.causality.rows.find_or_add(a, 7, "a").unwrap();
            let mut reads = Staleness::unfilled(&Tiny::LIMITS);
            reads.fill(&Tiny::LIMITS);
            Self { replica, reads, other, seq: 0 }
        }

        /// A write arrives.
        fn write(&mut self, key: i64, stamp_us: u64) -> Outcome {
            self.seq += 1;
            let entry = LwwMap::<Tiny>::write(Value::Int(key), Value::Int(self.seq.cast_signed()), stamp_us);
            let outcome = self.replica.merge(Dot { row: self.other, seq: self.seq }, &entry);
            self.reads.arrived(&self.replica.store.map, &entry);
            outcome
        }

        /// A client reads; whether the key is there.
        fn read(&mut self, key: i64, now_us: u64) -> bool {
            let map = &self.replica.store.map;
            let found = map.find(Value::Int(key));
            self.reads.read(map, Value::Int(key), found, now_us);
            found.is_some()
        }
    }

    #[test]
    fn reads_that_turn_out_older_than_a_write_are_counted_once() {
        let mut reader = Reader::new();
        // Keys that are not there yet.
        assert!(!reader.read(1, 100) && !reader.read(1, 100) && !reader.read(2, 100));
        assert_eq!(reader.write(1, 100), Outcome::News);
        assert_eq!(reader.reads.counts(), (3, 0), "a write of the same moment");
        assert_eq!(reader.write(1, 40), Outcome::Covered);
        assert_eq!(reader.reads.counts(), (3, 2));
        assert_eq!(reader.write(1, 50), Outcome::Covered);
        assert_eq!(reader.reads.counts(), (3, 2), "each read counts once");
        // Keys that are there: the last two reads are watched.
        assert!([200, 210, 220].map(|now| reader.read(1, now)).iter().all(|found| *found));
        assert_eq!(reader.write(1, 100), Outcome::Covered);
        assert_eq!(reader.reads.counts(), (6, 2), "a write that is not newer than what was seen");
        assert_eq!(reader.write(1, 205), Outcome::News);
        assert_eq!(
            reader.reads.counts(),
            (6, 4),
            "the reads at 210 and 220 are later than the write and did not see it"
        );
        assert_eq!(reader.write(1, 220), Outcome::News);
        assert_eq!(reader.reads.counts(), (6, 4));
    }

    #[test]
    fn of_the_keys_that_were_not_there_the_last_32_reads_are_watched() {
        let mut reader = Reader::new();
        assert!(!reader.read(2, 1_000));
        for key in 10..43 {
            assert!(!reader.read(key, 1_000));
        }
        // Not that of key 2 any more, nor the first of the others.
        let counted: Vec<_> = [2, 10, 11, 12, 41].map(|key| (reader.write(key, 60), reader.reads.counts().1)).into();
        assert_eq!(counted, [0, 0, 1, 2, 3].map(|stale| (Outcome::News, stale)));
        assert_eq!(reader.reads.counts().0, 34);
    }
}
