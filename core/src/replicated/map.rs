//! The key-value store: the last writer of a key wins.
//!
//! The entry of a dot is key, value and stamp. The larger (stamp, node, incarnation) wins: a total order, so there are
//! no ties and every replica ends with the same winner. Nodes compare by their ids.

use super::chain::{Ends, Link, Linked};
use super::{Applied, At, Bound, Lane, Merged, Refused, Replicated};
use crate::causality::{Arg, Causality, Dot, Entry, RowId, Tag};
use crate::id::{NodeIndex, Value, json_len, mix, mix2};
use crate::storage::{Buf, Index, Limits, Owners, Storage, Texts};

/// Tag of a write.
const WRITE: Tag = Tag(b'w');

/// A value or key: of a string its handle.
#[derive(Clone, Debug)]
enum Kept<H> {
    Int(i64),
    Text(H),
}

impl<H> Kept<H> {
    fn get<'a>(&'a self, texts: &'a impl Texts<Handle = H>) -> Value<'a> {
        match self {
            Self::Int(int) => Value::Int(*int),
            Self::Text(handle) => Value::Text(texts.get(handle)),
        }
    }

    fn is(&self, value: Value<'_>, texts: &impl Texts<Handle = H>) -> bool {
        match (self, value) {
            (Self::Int(int), Value::Int(other)) => *int == other,
            (Self::Text(handle), Value::Text(text)) => texts.is(handle, text),
            (Self::Int(_), Value::Text(_)) | (Self::Text(_), Value::Int(_)) => false,
        }
    }

    fn handle_mut(&mut self) -> Option<&mut H> {
        match self {
            Self::Int(_) => None,
            Self::Text(handle) => Some(handle),
        }
    }
}

/// Bytes that a key or value takes of the room for strings.
fn text_len(value: Value<'_>) -> usize {
    match value {
        Value::Int(_) => 0,
        Value::Text(text) => text.len(),
    }
}

/// What a string belongs to: the key or the value of a slot.
fn owner(slot: u32, is_value: bool) -> u32 {
    slot << 1 | u32::from(is_value)
}

#[derive(Clone)]
struct Slot<H> {
    key: Kept<H>,
    value: Kept<H>,
    stamp_us: u64,
    /// The note is the row of the dot.
    link: Link,
}

impl<H> Slot<H> {
    fn row(&self) -> RowId {
        RowId(self.link.note)
    }
}

impl<H> Linked for Slot<H> {
    fn link(&self) -> &Link {
        &self.link
    }

    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

impl<H> Owners<H> for [Slot<H>] {
    fn handle_mut(&mut self, owner: u32) -> Option<&mut H> {
        let slot = self.get_mut((owner >> 1) as usize)?;
        if owner & 1 == 0 { &mut slot.key } else { &mut slot.value }.handle_mut()
    }
}

/// What a handle of this storage is.
type Handle<S> = <<S as Storage>::Texts as Texts>::Handle;

/// What changes take, counted before the first of them is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs {
    keys: usize,
    /// Bytes of strings that are added, and of those that are overwritten.
    added: usize,
    freed: usize,
    /// The largest difference between them.
    most: usize,
}

/// A last-writer-wins map.
#[derive(Clone)]
pub struct LwwMap<S: Storage> {
    slots: S::PerKey<Slot<Handle<S>>>,
    texts: S::Texts,
    index: S::KeyIndex,
    /// Of the hashes in `index`.
    key: u64,
    ends: S::PerRow<Ends>,
    fingerprint: u64,
    text_bytes: usize,
}

impl<S: Storage> core::fmt::Debug for LwwMap<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("LwwMap").field("keys", &self.len()).finish_non_exhaustive()
    }
}

impl<S: Storage> LwwMap<S> {
    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// How many more keys fit.
    #[must_use]
    pub fn room(&self) -> usize {
        self.slots.room()
    }

    #[doc(hidden)]
    /// Adds what a write takes to what is counted. Of several writes under one key only the last may say that it `frees`
    /// what it overwrites.
    pub fn count(&self, needs: &mut Needs, key: Value<'_>, value: Value<'_>, frees: bool) {
        let found = self.find(key);
        needs.keys += usize::from(found.is_none());
        if !S::Texts::SHARED {
            return;
        }
        needs.added += text_len(value) + if found.is_none() { text_len(key) } else { 0 };
        let old = found.filter(|_| frees).and_then(|at| self.slot(at));
        needs.freed += old.map_or(0, |(_, old, _)| text_len(old));
        needs.most = needs.most.max(needs.added.saturating_sub(needs.freed));
    }

    #[doc(hidden)]
    /// Whether there is room for what was counted.
    ///
    /// # Errors
    /// The bound that would be passed.
    pub fn has_room(&self, needs: &Needs) -> Result<(), Bound> {
        if needs.keys > self.slots.room() {
            return Err(Bound::Keys(self.slots.limit()));
        }
        if needs.most > self.texts.room() {
            return Err(self.texts_full());
        }
        Ok(())
    }

    fn texts_full(&self) -> Bound {
        Bound::StoreText(self.texts.limit())
    }

    #[doc(hidden)]
    /// Where a key is kept.
    #[must_use]
    pub fn find(&self, key: Value<'_>) -> Option<u32> {
        self.index.find(key.keyed_hash(self.key), |at| {
            self.slots.get(at as usize).is_some_and(|slot| slot.key.is(key, &self.texts))
        })
    }

    #[doc(hidden)]
    /// Key, value and stamp of a slot from [`LwwMap::find`].
    #[must_use]
    pub fn slot(&self, at: u32) -> Option<(Value<'_>, Value<'_>, u64)> {
        let slot = self.slots.get(at as usize)?;
        Some((slot.key.get(&self.texts), slot.value.get(&self.texts), slot.stamp_us))
    }

    /// Value and stamp of a key.
    #[must_use]
    pub fn get(&self, key: Value<'_>) -> Option<(Value<'_>, u64)> {
        let (_, value, stamp_us) = self.slot(self.find(key)?)?;
        Some((value, stamp_us))
    }

    /// All keys with values and stamps, in the order in which the keys arrived here.
    pub fn iter(&self) -> impl Iterator<Item = (Value<'_>, Value<'_>, u64)> {
        self.slots.iter().map(|slot| (slot.key.get(&self.texts), slot.value.get(&self.texts), slot.stamp_us))
    }

    #[doc(hidden)]
    /// An entry that writes `value` under `key`.
    #[must_use]
    pub fn write<'a>(key: Value<'a>, value: Value<'a>, stamp_us: u64) -> Entry<'a> {
        Entry::three(WRITE, [key.into(), value.into(), Arg::unsigned(stamp_us)])
    }

    fn overwrite(&mut self, at: u32, dot: Dot, value: Value<'_>, stamp_us: u64) -> Result<(), Refused> {
        let old = self.slots.get(at as usize).map_or(0, |slot| text_len(slot.value.get(&self.texts)));
        self.make_room(text_len(value), old)?;
        let value = self.keep(value, owner(at, true))?;
        let old = self.slots.get(at as usize).map(Slot::row);
        if let Some(ends) = old.and_then(|row| self.ends.get_mut(row.at())) {
            ends.remove(&mut self.slots, at);
        }
        if let Some(slot) = self.slots.get_mut(at as usize) {
            if let Kept::Text(handle) = &slot.value {
                self.texts.release(handle);
            }
            (slot.value, slot.stamp_us, slot.link) = (value, stamp_us, Link::new(dot.seq, dot.row.0));
        }
        if let Some(ends) = self.ends.get_mut(dot.row.at()) {
            ends.insert(&mut self.slots, at);
        }
        Ok(())
    }

    fn insert(&mut self, dot: Dot, key: Value<'_>, value: Value<'_>, stamp_us: u64) -> Result<(), Refused> {
        let full = Refused::Full(Bound::Keys(self.slots.limit()));
        if self.slots.room() == 0 {
            return Err(full);
        }
        self.make_room(text_len(key) + text_len(value), 0)?;
        let at = self.slots.len() as u32;
        let Self { slots, texts, index, .. } = self;
        let hash_of = |key: Value<'_>| key.keyed_hash(self.key);
        let hash_at = |at| slots.get(at as usize).map_or(0, |slot| hash_of(slot.key.get(texts)));
        if !index.insert(hash_of(key), at, hash_at) {
            return Err(full);
        }
        let link = Link::new(dot.seq, dot.row.0);
        let (key, value) = (self.keep(key, owner(at, false))?, self.keep(value, owner(at, true))?);
        let slot = Slot { key, value, stamp_us, link };
        self.slots.push(slot).map_err(|_| full)?;
        if let Some(ends) = self.ends.get_mut(dot.row.at()) {
            ends.insert(&mut self.slots, at);
        }
        Ok(())
    }

    /// Whether a string is within the bound on one.
    fn fits(&self, value: Value<'_>) -> bool {
        match value {
            Value::Text(text) => json_len(text) <= self.text_bytes,
            Value::Int(_) => true,
        }
    }

    fn make_room(&mut self, bytes: usize, freed: usize) -> Result<(), Refused> {
        let fits = self.texts.make_room(bytes, freed, &mut *self.slots);
        if fits { Ok(()) } else { Err(Refused::Full(self.texts_full())) }
    }

    /// Keeps a value for which room was made.
    fn keep(&mut self, value: Value<'_>, owner: u32) -> Result<Kept<Handle<S>>, Refused> {
        match value {
            Value::Int(int) => Ok(Kept::Int(int)),
            Value::Text(text) => {
                let kept = self.texts.append(text, owner);
                debug_assert!(kept.is_some(), "room was made for the string");
                kept.map(Kept::Text).ok_or(Refused::Full(self.texts_full()))
            }
        }
    }

    fn term(&self, at: u32, causality: &Causality<S>) -> u64 {
        let Some(slot) = self.slots.get(at as usize) else {
            return 0;
        };
        let content = mix2(slot.key.get(&self.texts).hash(), slot.value.get(&self.texts).hash());
        mix2(content, mix2(slot.stamp_us, causality.rows.get(slot.row()).hash))
    }
}

/// The larger rank wins: a total order, so there are no ties.
fn rank<S: Storage>(causality: &Causality<S>, stamp_us: u64, row: RowId) -> (u64, NodeIndex, u64) {
    let row = causality.rows.get(row);
    (stamp_us, row.node, row.incarnation)
}

impl<S: Storage> Replicated<S> for LwwMap<S> {
    const LANE: Lane = Lane::Push;

    #[inline(always)]
    fn unfilled(limits: &Limits) -> Self {
        Self {
            slots: S::PerKey::with_limit(limits.keys),
            texts: S::Texts::with_limits(limits),
            index: S::KeyIndex::with_limit(limits.keys),
            key: 0,
            ends: S::PerRow::with_limit(limits.rows),
            fingerprint: 0,
            text_bytes: limits.text_bytes,
        }
    }

    fn fill(&mut self, limits: &Limits, key: u64) {
        self.key = key;
        self.ends.fill_to(limits.rows, Ends::empty());
    }

    fn owns(tag: Tag) -> bool {
        tag == WRITE
    }

    #[inline(never)]
    fn merge(&mut self, causality: &mut Causality<S>, dot: Dot, entry: &Entry<'_>) -> Result<Merged, Refused> {
        let [key, value, stamp] = entry.args() else {
            return Err(Refused::Unreadable);
        };
        let key = key.as_value().ok_or(Refused::Unreadable)?;
        let value = value.as_value().filter(|value| self.fits(*value)).ok_or(Refused::Unreadable)?;
        let stamp_us = stamp.as_unsigned().ok_or(Refused::Unreadable)?;
        causality.clock.check(stamp_us).map_err(|_| Refused::ClockAhead)?;
        let found = self.find(key);
        match found.and_then(|at| Some((at, self.slots.get(at as usize)?))) {
            Some((at, slot)) => {
                if rank(causality, stamp_us, dot.row) <= rank(causality, slot.stamp_us, slot.row()) {
                    let _ = causality.clock.observe(stamp_us);
                    return Ok(Merged::Superseded);
                }
                let before = self.term(at, causality);
                self.overwrite(at, dot, value, stamp_us)?;
                self.fingerprint = self.fingerprint.wrapping_sub(before).wrapping_add(self.term(at, causality));
            }
            None => {
                if !self.fits(key) {
                    return Err(Refused::Unreadable);
                }
                self.insert(dot, key, value, stamp_us)?;
                self.fingerprint = self.fingerprint.wrapping_add(self.term(self.slots.len() as u32 - 1, causality));
            }
        }
        // Checked above, so it cannot be refused.
        let _ = causality.clock.observe(stamp_us);
        Ok(Merged::Applied)
    }

    fn covers(&self, causality: &Causality<S>, dot: Dot, entry: &Entry<'_>) -> bool {
        let [key, _, stamp] = entry.args() else { return true };
        let Some((key, stamp_us)) = key.as_value().zip(stamp.as_unsigned()) else { return true };
        let slot = self.find(key).and_then(|at| self.slots.get(at as usize));
        slot.is_some_and(|slot| rank(causality, stamp_us, dot.row) <= rank(causality, slot.stamp_us, slot.row()))
    }

    fn seek(&self, row: RowId, after: u64) -> Option<At> {
        self.ends.get(row.at())?.seek(&self.slots, after).map(At::slot)
    }

    fn next(&self, at: At) -> Option<At> {
        Ends::next(&self.slots, at.slot).map(At::slot)
    }

    fn seq(&self, at: At) -> u64 {
        self.slots.get(at.slot as usize).map_or(0, |slot| slot.link.seq)
    }

    fn entry<'a>(&'a self, at: At, _: &'a Causality<S>) -> Entry<'a> {
        let slot = self.slot(at.slot);
        debug_assert!(slot.is_some(), "a place that `seek` or `next` gave has a slot");
        slot.map_or(Entry::NOTHING, |(key, value, stamp_us)| Self::write(key, value, stamp_us))
    }

    fn applied<'a>(&self, entry: &Entry<'a>) -> Applied<'a> {
        match entry.args() {
            [key, value, _] => key.as_value().zip(value.as_value()),
            _ => None,
        }
        .map_or(Applied::Other(*entry), |(key, value)| Applied::Written { key, value })
    }

    fn fingerprint(&self) -> u64 {
        mix(self.fingerprint.rotate_left(2))
    }
}
