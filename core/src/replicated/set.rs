//! The broadcast set: values that were said once, in the order in which they arrived here.
//!
//! A grow-only set. The entry of a dot is its value; nothing supersedes it; a value said under several dots is kept
//! once, and all its dots count as applied.

use super::chain::{self, Ends, Link, Linked};
use super::{Bound, Lane, Merged, Refused, Replicated};
use crate::causality::{Causality, Dot, Entry, RowId, Tag};
use crate::id::{Value, json_len, mix};
use crate::storage::{Buf, Index, Limits, Storage};

/// One value in 32 bytes: what a set of a million costs is mostly this. The note of the link is the length of a string.
#[derive(Clone, Copy, Debug)]
struct Said {
    link: Link,
    /// The integer, or where the string begins.
    word: i64,
}

/// The note of an integer.
const INTEGER: u32 = u32::MAX;

impl Linked for Said {
    fn link(&self) -> &Link {
        &self.link
    }

    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

/// A set of values that only grows. Dense non-negative integers are looked up in a bitmap, all others in a hash table.
pub struct BroadcastSet<S: Storage> {
    log: S::PerValue<Said>,
    text: S::SetText,
    seen: Seen<S>,
    ends: S::PerRow<Ends>,
    fingerprint: u64,
    text_bytes: usize,
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
            Some(bit) => self.seen.dense[bit / 64] >> (bit % 64) & 1 == 1,
            None => self.seen.sparse.find(value.hash(), |at| self.value(at) == value).is_some(),
        }
    }

    /// All values in the order in which they arrived.
    pub fn values(&self) -> impl Iterator<Item = Value<'_>> {
        self.log.iter().map(|said| read(said, &self.text))
    }

    /// A hash of the set: equal for equal sets, whatever the order of arrival.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.fingerprint
    }

    fn value(&self, at: u32) -> Value<'_> {
        read(&self.log[at as usize], &self.text)
    }

    #[inline]
    fn insert(&mut self, dot: Dot, value: Value<'_>) -> Result<Merged, Refused> {
        match (value, self.seen.dense_bit(value)) {
            (Value::Int(int), Some(bit)) => self.insert_dense(dot, int, bit),
            _ => self.insert_sparse(dot, value),
        }
    }

    /// An integer that the bitmap holds: most are.
    #[inline]
    fn insert_dense(&mut self, dot: Dot, int: i64, bit: usize) -> Result<Merged, Refused> {
        let full = Refused::Full(Bound::Values(self.log.limit()));
        let (word, mask) = (&mut self.seen.dense[bit / 64], 1 << (bit % 64));
        if *word & mask != 0 {
            return Ok(Merged::Superseded);
        }
        let at = self.log.len() as u32;
        self.log.push(Said { link: Link::new(dot.row, dot.seq, INTEGER), word: int }).map_err(|_| full)?;
        *word |= mask;
        self.ends[dot.row.at()].insert(&mut self.log, at);
        self.fingerprint = self.fingerprint.wrapping_add(Value::Int(int).hash());
        Ok(Merged::Applied)
    }

    fn insert_sparse(&mut self, dot: Dot, value: Value<'_>) -> Result<Merged, Refused> {
        if self.contains(value) {
            return Ok(Merged::Superseded);
        }
        let at = self.log.len() as u32;
        if self.log.room() == 0 {
            return Err(Refused::Full(Bound::Values(self.log.limit())));
        }
        let (word, text_len) = match value {
            Value::Int(int) => (int, INTEGER),
            Value::Text(text) if json_len(text) > self.text_bytes => return Err(Refused::Unreadable),
            Value::Text(text) => (self.text.len() as i64, text.len() as u32),
        };
        let hash = value.hash();
        self.index(at, value, hash)?;
        // Room was checked above.
        let _ = self.log.push(Said { link: Link::new(dot.row, dot.seq, text_len), word });
        self.ends[dot.row.at()].insert(&mut self.log, at);
        self.fingerprint = self.fingerprint.wrapping_add(hash);
        Ok(Merged::Applied)
    }

    /// Adds a value to the index, and its string to the text.
    fn index(&mut self, at: u32, value: Value<'_>, hash: u64) -> Result<(), Refused> {
        let Self { log, text, seen, .. } = self;
        if let Value::Text(string) = value
            && string.len() > text.room()
        {
            return Err(Refused::Full(Bound::SetText(text.limit())));
        }
        if !seen.sparse.insert(hash, at, |other| read(&log[other as usize], text).hash()) {
            return Err(Refused::Full(Bound::Values(log.limit())));
        }
        if let Value::Text(string) = value {
            text.extend_all(string.as_bytes());
        }
        Ok(())
    }
}

fn read<'a>(said: &Said, text: &'a [u8]) -> Value<'a> {
    if said.link.note == INTEGER {
        return Value::Int(said.word);
    }
    let bytes = text.get(said.word as usize..said.word as usize + said.link.note as usize);
    Value::Text(bytes.and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or(""))
}

/// The values that were seen: exact, and bounded.
struct Seen<S: Storage> {
    dense: S::DenseBits,
    sparse: S::ValueIndex,
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

    fn new(limits: &Limits) -> Self {
        Self {
            log: S::PerValue::with_limit(limits.values),
            text: S::SetText::with_limit(limits.set_text_bytes),
            seen: Seen {
                dense: S::DenseBits::filled(limits.dense_values.div_ceil(64), 0),
                sparse: S::ValueIndex::with_limit(limits.values),
            },
            ends: S::PerRow::filled(limits.rows, Ends::empty()),
            fingerprint: 0,
            text_bytes: limits.text_bytes,
        }
    }

    fn owns(tag: Tag) -> bool {
        tag == Tag::BARE
    }

    fn merge(&mut self, _: &mut Causality<S>, dot: Dot, entry: &Entry<'_>) -> Result<Merged, Refused> {
        let [arg] = entry.args() else {
            return Err(Refused::Unreadable);
        };
        self.insert(dot, arg.as_value().ok_or(Refused::Unreadable)?)
    }

    fn seek(&self, row: RowId, after: u64) -> Option<u32> {
        self.ends[row.at()].seek(&self.log, row, after)
    }

    fn next(&self, at: u32) -> Option<u32> {
        chain::next(&self.log, at)
    }

    fn seq(&self, at: u32) -> u64 {
        self.log[at as usize].link.seq
    }

    fn entry<'a>(&'a self, at: u32, _: &'a Causality<S>) -> Entry<'a> {
        Entry::bare(self.value(at).into())
    }

    fn fingerprint(&self) -> u64 {
        mix(self.fingerprint)
    }
}
