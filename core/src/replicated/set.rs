//! The broadcast set: values that were said once, in the order in which they arrived here.
//!
//! A grow-only set. The entry of a dot is its value; nothing supersedes it; a value said under several dots is kept
//! once, and all its dots count as applied.
//!
//! Values mostly arrive in the order of their dots, so the dots are kept once for a whole run of values, and a value
//! takes eight bytes: what a set of a million costs is mostly the memory that it touches for the first time.

use super::chain::{Ends, Link, Linked};
use super::{Applied, At, Bound, Lane, Merged, Refused, Replicated};
use crate::causality::{Arg, Causality, Dot, Entry, RowId, Tag};
use crate::id::{Value, json_len, mix};
use crate::storage::{Buf, Index, Limits, Storage, TEXT_BYTES_MAX};

/// Values of one row and of one kind that arrived one after the other under dots that follow each other. A run ends
/// where the next one begins; the link has the dot of its first value.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The note is the place of the first value in the log, see [`Place`].
    link: Link,
}

impl Run {
    fn start(&self) -> Place {
        Place(self.link.note)
    }
}

impl Linked for Run {
    fn link(&self) -> &Link {
        &self.link
    }

    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

/// Where a value lies in the log, and in the lowest bit whether it is a string. (Limits keep the log below 2^30.)
#[derive(Clone, Copy, Debug)]
struct Place(u32);

impl Place {
    fn new(at: usize, is_text: bool) -> Self {
        Self((at as u32) << 1 | u32::from(is_text))
    }

    fn at(self) -> usize {
        (self.0 >> 1) as usize
    }

    fn is_text(self) -> bool {
        self.0 & 1 == 1
    }
}

/// Bits that hold the length of a string.
const LEN_BITS: u32 = TEXT_BYTES_MAX.ilog2() + 1;

/// The dot with which the last run goes on.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// `None` while it cannot.
    row: Option<RowId>,
    seq: u64,
    is_text: bool,
}

/// A set of values that only grows. Dense non-negative integers are looked up in a bitmap, all others in a hash table.
#[derive(Clone)]
pub struct BroadcastSet<S: Storage> {
    /// Integers, and for strings where their text begins and in the lowest [`LEN_BITS`] how long it is.
    log: S::PerValue<i64>,
    runs: S::PerValue<Run>,
    open: Open,
    text: S::SetText,
    seen: Seen<S>,
    ends: S::PerRow<Ends>,
    fingerprint: u64,
    text_bytes: usize,
}

impl<S: Storage> core::fmt::Debug for BroadcastSet<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("BroadcastSet").field("values", &self.len()).finish_non_exhaustive()
    }
}

impl<S: Storage> BroadcastSet<S> {
    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.log.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.log.is_empty()
    }

    /// How many more values fit.
    #[must_use]
    pub fn room(&self) -> usize {
        self.log.room()
    }

    /// Bytes left for strings.
    #[must_use]
    pub fn text_room(&self) -> usize {
        self.text.room()
    }

    /// Whether the value is in the set.
    #[must_use]
    pub fn contains(&self, value: Value<'_>) -> bool {
        match self.seen.dense_bit(value) {
            Some(bit) => self.seen.dense.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1),
            None => self
                .seen
                .sparse
                .find(value.keyed_hash(self.seen.key), |place| self.value(Place(place)) == value)
                .is_some(),
        }
    }

    /// All values in the order in which they arrived.
    pub fn values(&self) -> impl Iterator<Item = Value<'_>> {
        self.runs.iter().enumerate().flat_map(move |(slot, run)| {
            let start = run.start();
            let words = self.log.get(start.at()..start.at() + self.run_len(slot)).unwrap_or(&[]);
            words.iter().map(move |word| read(*word, start.is_text(), &self.text))
        })
    }

    /// A hash of the set: equal for equal sets, whatever the order of arrival.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.fingerprint
    }

    fn value(&self, place: Place) -> Value<'_> {
        read(self.word(place.at()), place.is_text(), &self.text)
    }

    fn word(&self, at: usize) -> i64 {
        let word = self.log.get(at).copied();
        debug_assert!(word.is_some(), "a run is as long as its part of the log");
        word.unwrap_or(0)
    }

    /// How many values a run has; one at least.
    fn run_len(&self, slot: usize) -> usize {
        let end = self.runs.get(slot + 1).map_or(self.log.len(), |next| next.start().at());
        end - self.runs.get(slot).map_or(end, |run| run.start().at())
    }

    /// The first dot of a run.
    fn first_seq(&self, slot: u32) -> u64 {
        self.runs.get(slot as usize).map_or(0, |run| run.link.seq)
    }

    #[inline(always)]
    fn insert(&mut self, dot: Dot, value: Value<'_>) -> Result<Merged, Refused> {
        match (value, self.seen.dense_bit(value)) {
            (Value::Int(int), Some(bit)) => self.insert_dense(dot, int, bit),
            _ => self.insert_sparse(dot, value),
        }
    }

    /// An integer that the bitmap holds: most are.
    #[inline(always)]
    fn insert_dense(&mut self, dot: Dot, int: i64, bit: usize) -> Result<Merged, Refused> {
        let (Some(word), mask) = (self.seen.dense.get_mut(bit / 64), 1 << (bit % 64)) else {
            return self.insert_sparse(dot, Value::Int(int));
        };
        if *word & mask != 0 {
            return Ok(Merged::Superseded);
        }
        if self.log.room() == 0 {
            return Err(Refused::Full(Bound::Values(self.log.limit())));
        }
        *word |= mask;
        self.append(dot, int, false);
        self.fingerprint = self.fingerprint.wrapping_add(Value::Int(int).hash());
        Ok(Merged::Applied)
    }

    #[inline(never)]
    fn insert_sparse(&mut self, dot: Dot, value: Value<'_>) -> Result<Merged, Refused> {
        if self.contains(value) {
            return Ok(Merged::Superseded);
        }
        if self.log.room() == 0 {
            return Err(Refused::Full(Bound::Values(self.log.limit())));
        }
        let (word, is_text) = match value {
            Value::Int(int) => (int, false),
            Value::Text(text) if json_len(text) > self.text_bytes => return Err(Refused::Unreadable),
            Value::Text(text) => (((self.text.len() as u64) << LEN_BITS | text.len() as u64).cast_signed(), true),
        };
        self.index(Place::new(self.log.len(), is_text), value)?;
        self.append(dot, word, is_text);
        self.fingerprint = self.fingerprint.wrapping_add(value.hash());
        Ok(Merged::Applied)
    }

    /// Adds a value to the index, and its string to the text.
    fn index(&mut self, place: Place, value: Value<'_>) -> Result<(), Refused> {
        let Self { log, text, seen, .. } = self;
        if let Value::Text(string) = value
            && string.len() > text.room()
        {
            return Err(Refused::Full(Bound::SetText(text.limit())));
        }
        let word = |place: Place| log.get(place.at()).copied().unwrap_or(0);
        let key = seen.key;
        let hash_of = |other| read(word(Place(other)), Place(other).is_text(), text).keyed_hash(key);
        if !seen.sparse.insert(value.keyed_hash(key), place.0, hash_of) {
            return Err(Refused::Full(Bound::Values(log.limit())));
        }
        if let Value::Text(string) = value {
            text.extend_all(string.as_bytes());
        }
        Ok(())
    }

    /// Adds a value to the log, for which there is room, and to the last run, or begins one.
    #[inline(always)]
    fn append(&mut self, dot: Dot, word: i64, is_text: bool) {
        let open = &mut self.open;
        if dot.seq == open.seq && open.row == Some(dot.row) && open.is_text == is_text {
            open.seq = dot.seq.saturating_add(1);
        } else {
            self.begin_run(dot, is_text);
        }
        // The caller has checked that there is room.
        let _ = self.log.push(word);
    }

    /// Begins a run with the value that the log gets next.
    ///
    /// A dot that falls inside a run comes a second time, with another value, which no honest node sends. It is counted
    /// as one of the last dot of that run, so that runs need never be split and the dots of a row stay in order.
    #[inline(never)]
    fn begin_run(&mut self, dot: Dot, is_text: bool) {
        let slot = self.runs.len() as u32;
        let before = self.ends.get(dot.row.at()).and_then(|ends| ends.floor(&self.runs, dot.seq));
        let seq = before.map_or(dot.seq, |before| dot.seq.max(self.last_seq(before)));
        let start = Place::new(self.log.len(), is_text);
        // As many places as there are values.
        let _ = self.runs.push(Run { link: Link::new(seq, start.0) });
        let Some(ends) = self.ends.get_mut(dot.row.at()) else { return };
        ends.insert_after(&mut self.runs, before, slot);
        // In front of other runs of its row it stays as it is: they may have the dots that follow.
        let row = ends.is_tail(slot).then_some(dot.row);
        self.open = Open { row, seq: seq.saturating_add(1), is_text };
    }

    /// The last dot of a run.
    fn last_seq(&self, slot: u32) -> u64 {
        self.first_seq(slot) + (self.run_len(slot as usize) as u64).saturating_sub(1)
    }
}

fn read(word: i64, is_text: bool, text: &[u8]) -> Value<'_> {
    if !is_text {
        return Value::Int(word);
    }
    let (start, len) = ((word >> LEN_BITS) as usize, (word & ((1 << LEN_BITS) - 1)) as usize);
    let bytes = text.get(start..start + len);
    let text = bytes.and_then(|bytes| core::str::from_utf8(bytes).ok());
    debug_assert!(text.is_some(), "the word of a string says where its bytes are");
    Value::Text(text.unwrap_or(""))
}

/// The values that were seen: exact, and bounded.
#[derive(Clone)]
struct Seen<S: Storage> {
    dense: S::DenseBits,
    sparse: S::ValueIndex,
    /// Of the hashes in `sparse`.
    key: u64,
}

impl<S: Storage> Seen<S> {
    fn dense_bit(&self, value: Value<'_>) -> Option<usize> {
        match value {
            Value::Int(int) => usize::try_from(int).ok().filter(|bit| *bit < self.dense.len() * 64),
            Value::Text(_) => None,
        }
    }
}

impl<S: Storage> Replicated<S> for BroadcastSet<S> {
    const LANE: Lane = Lane::Push;

    #[inline(always)]
    fn unfilled(limits: &Limits) -> Self {
        Self {
            log: S::PerValue::with_limit(limits.values),
            runs: S::PerValue::with_limit(limits.values),
            open: Open { row: None, seq: 0, is_text: false },
            text: S::SetText::with_limit(limits.set_text_bytes),
            seen: Seen {
                dense: S::DenseBits::with_limit(limits.dense_values.div_ceil(64)),
                sparse: S::ValueIndex::with_limit(limits.values),
                key: 0,
            },
            ends: S::PerRow::with_limit(limits.rows),
            fingerprint: 0,
            text_bytes: limits.text_bytes,
        }
    }

    fn fill(&mut self, limits: &Limits, key: u64) {
        self.seen.key = key;
        self.seen.dense.fill_to(limits.dense_values.div_ceil(64), 0);
        self.ends.fill_to(limits.rows, Ends::empty());
    }

    fn owns(tag: Tag) -> bool {
        tag == Tag::BARE
    }

    #[inline(always)]
    fn merge(&mut self, _: &mut Causality<S>, dot: Dot, entry: &Entry<'_>) -> Result<Merged, Refused> {
        let [arg] = entry.args() else {
            return Err(Refused::Unreadable);
        };
        self.insert(dot, arg.as_value().ok_or(Refused::Unreadable)?)
    }

    fn covers(&self, _: &Causality<S>, _: Dot, entry: &Entry<'_>) -> bool {
        let [arg] = entry.args() else { return true };
        arg.as_value().is_none_or(|value| self.contains(value))
    }

    fn seek(&self, row: RowId, after: u64) -> Option<At> {
        let ends = self.ends.get(row.at())?;
        let Some(slot) = ends.floor(&self.runs, after) else {
            return ends.head().map(At::slot);
        };
        // The run begins at or before `after`.
        let step = after.saturating_sub(self.first_seq(slot));
        self.next(At { slot, step: step.min((self.run_len(slot as usize) as u64).saturating_sub(1)) as u32 })
    }

    fn next(&self, at: At) -> Option<At> {
        let At { slot, step } = at;
        if (step as usize) + 1 < self.run_len(slot as usize) {
            return Some(At { slot, step: step + 1 });
        }
        Ends::next(&self.runs, slot).map(At::slot)
    }

    fn seq(&self, at: At) -> u64 {
        self.first_seq(at.slot) + u64::from(at.step)
    }

    fn entry<'a>(&'a self, at: At, _: &'a Causality<S>) -> Entry<'a> {
        let run = self.runs.get(at.slot as usize);
        debug_assert!(run.is_some(), "a place that `seek` or `next` gave is in a run");
        run.map_or(Entry::NOTHING, |run| {
            let start = run.start();
            Entry::bare(read(self.word(start.at() + at.step as usize), start.is_text(), &self.text).into())
        })
    }

    fn applied<'a>(&self, entry: &Entry<'a>) -> Applied<'a> {
        entry.args().first().and_then(Arg::as_value).map_or(Applied::Other(*entry), Applied::Inserted)
    }

    fn fingerprint(&self) -> u64 {
        mix(self.fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Tiny;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::string::String;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn the_entries_of_a_row_are_in_the_order_of_their_dots_however_they_arrive(
            arrivals in prop::collection::vec((0_u32..2, 1_u64..12, 1_u64..6, any::<bool>()), 0..20),
        ) {
            let limits = Tiny::LIMITS;
            let mut causality = Causality::<Tiny>::new(&limits, 0);
            let mut set = BroadcastSet::<Tiny>::new(&limits);
            let mut model = BTreeMap::new();
            let mut arrived = Vec::new();
            for (row, first, count, is_text) in arrivals {
                for seq in first..first + count {
                    let value = 100 * i64::from(row) + seq.cast_signed();
                    let text = std::format!("{value}");
                    let value = if is_text { Value::Text(&text) } else { Value::Int(value) };
                    let dot = Dot { row: RowId(row), seq };
                    let owned = std::format!("{value:?}");
                    // A dot that came before comes again with another value: the first of them counts.
                    if set.merge(&mut causality, dot, &Entry::bare(value.into())) == Ok(Merged::Applied) {
                        model.entry((row, seq)).or_insert(owned.clone());
                        arrived.push(owned);
                    }
                }
            }
            let values: Vec<String> = set.values().map(|value| std::format!("{value:?}")).collect();
            prop_assert_eq!(values, arrived);
            for (row, after) in (0..2).flat_map(|row| (0..18).map(move |after| (row, after))) {
                let mut found = Vec::new();
                let mut at = set.seek(RowId(row), after);
                while let Some(here) = at {
                    let value = set.entry(here, &causality).args()[0].as_value();
                    found.push((set.seq(here), std::format!("{:?}", value.unwrap())));
                    at = set.next(here);
                }
                prop_assert!(found.iter().all(|(seq, _)| *seq > after));
                prop_assert!(found.is_sorted_by_key(|(seq, _)| *seq));
                found.dedup_by_key(|(seq, _)| *seq);
                let expected = model.range((row, after + 1)..(row + 1, 0));
                let expected: Vec<_> = expected.map(|((_, seq), value)| (*seq, value.clone())).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }
}
