//! A local change: what can be asked for, and the one way in which it gets into the state.
//!
//! Requests of clients, [`crate::Node`]'s own users and other implementations come here. A change becomes an entry, the entry is
//! merged under this node's next dot, and whoever asked tells gossip of it. Knows neither who asked nor who is told.

use super::{Lane, LwwMap, Product, Refused, Replica};
use crate::causality::{Arg, Dot, Entry};
use crate::id::Value;

/// A local change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change<'a> {
    /// Adds a value to the set.
    Broadcast(Value<'a>),
    /// Adds to the counter.
    Add(i64),
    /// Writes a value under a key, stamped now.
    Write {
        /// The key.
        key: Value<'a>,
        /// The value.
        value: Value<'a>,
    },
    /// An entry of the data type that its tag names, as that data type makes it: for data types of one's own.
    Entry(Entry<'a>),
}

/// A local change that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its dot.
    pub dot: Dot,
    /// How it travels.
    pub lane: Lane,
}

impl<S: Product> Replica<S> {
    /// Makes a local change. `None` when the state included it already; then no dot is used up.
    ///
    /// # Errors
    /// Why the change cannot be made; nothing changed, the clock included, and no dot is used up.
    pub fn change(&mut self, change: &Change<'_>) -> Result<Option<Made>, Refused> {
        match *change {
            Change::Broadcast(value) => self.apply_any(&Entry::bare(value.into())),
            Change::Add(delta) => self.add(delta),
            Change::Write { key, value } => self.write(key, value).map(|(made, _)| made),
            Change::Entry(entry) => self.apply_any(&entry),
        }
    }

    /// Merges an entry as a local change: see [`Replica::change`].
    ///
    /// # Errors
    /// As [`Replica::change`].
    // In place: where the tag is known, the compiler leaves nothing of an entry that was made only to be merged.
    #[inline(always)]
    pub fn apply(&mut self, entry: &Entry<'_>) -> Result<Option<Made>, Refused> {
        let dot = self.update(entry)?;
        Ok(dot.map(|dot| Made { dot, lane: Self::lane(entry) }))
    }

    /// As [`Replica::apply`], out of line.
    ///
    /// # Errors
    /// As [`Replica::change`].
    #[inline(never)]
    pub fn apply_any(&mut self, entry: &Entry<'_>) -> Result<Option<Made>, Refused> {
        self.apply(entry)
    }

    /// Adds to the counter.
    ///
    /// # Errors
    /// As [`Replica::change`].
    pub fn add(&mut self, delta: i64) -> Result<Option<Made>, Refused> {
        let row = self.own_row().ok_or(Refused::Row(crate::causality::RowRefused::Stranger))?;
        let (sign, number) = self.store.counter.after(row, delta).ok_or(Refused::Overflow)?;
        self.apply_any(&Entry::one(sign.tag(), Arg::unsigned(number)))
    }

    /// Writes a value under a key, stamped now. Gives the stamp besides, in microseconds.
    ///
    /// # Errors
    /// As [`Replica::change`].
    pub fn write(&mut self, key: Value<'_>, value: Value<'_>) -> Result<(Option<Made>, u64), Refused> {
        let before = self.causality.clock.clone();
        let stamp_us = self.causality.clock.tick().ok_or(Refused::EndOfTime)?;
        match self.apply_any(&LwwMap::<S>::write(key, value, stamp_us)) {
            Ok(made) => Ok((made, stamp_us)),
            Err(refused) => {
                self.causality.clock = before;
                Err(refused)
            }
        }
    }
}
