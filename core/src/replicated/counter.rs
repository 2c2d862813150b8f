//! The PN-counter: per row one cell of increments (P) and one of decrements (N); the value is ΣP − ΣN.
//!
//! The entry of a dot is one *cell* with its absolute number, and the larger number supersedes the smaller one. P and N
//! of a row are separate entries, so that two numbers for a cell are always comparable: with both in one entry, input
//! from implementations that keep no dots could make pairs of which neither covers the other.

use super::chain::{Ends, Link, Linked};
use super::{Applied, At, Lane, Merged, Refused, Replicated};
use crate::causality::{Arg, Causality, Dot, Entry, RowId, RowRefused, Tag};
use crate::id::{Members, NodeIndex, mix, mix2};
use crate::storage::{Buf, Limits, Storage};

/// Increments or decrements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sign {
    /// Increments.
    P,
    /// Decrements.
    N,
}

impl Sign {
    /// Both.
    pub const ALL: [Self; 2] = [Self::P, Self::N];

    /// The tag of its entries.
    #[must_use]
    pub const fn tag(self) -> Tag {
        match self {
            Self::P => Tag(b'p'),
            Self::N => Tag(b'n'),
        }
    }

    fn of(tag: Tag) -> Option<Self> {
        Self::ALL.into_iter().find(|sign| sign.tag() == tag)
    }
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    number: u64,
    /// The note is the row of the dot under which the number came.
    link: Link,
}

impl Cell {
    const NOTHING: Self = Self { number: 0, link: Link::new(0, 0) };

    fn row(&self) -> RowId {
        RowId(self.link.note)
    }
}

impl Linked for Cell {
    fn link(&self) -> &Link {
        &self.link
    }

    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

/// A counter that can be incremented and decremented everywhere at once (Shapiro et al., "A comprehensive study of
/// Convergent and Commutative Replicated Data Types", 2011, section 3.1.3).
#[derive(Clone)]
pub struct Counter<S: Storage> {
    /// Two per row: P, then N.
    cells: S::PerCell<Cell>,
    ends: S::PerRow<Ends>,
    /// Cells that have a number.
    filled: u64,
    totals: [u128; 2],
    fingerprint: u64,
}

impl<S: Storage> core::fmt::Debug for Counter<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Counter").field("value", &self.value()).finish_non_exhaustive()
    }
}

impl<S: Storage> Counter<S> {
    /// ΣP − ΣN, exactly.
    #[must_use]
    pub fn value(&self) -> i128 {
        // At most 2^32 rows of 2^64 each: far inside `i128`.
        self.totals[0] as i128 - self.totals[1] as i128
    }

    #[doc(hidden)]
    /// The number in a cell; 0 when the row has none.
    #[must_use]
    pub fn cell(&self, row: RowId, sign: Sign) -> u64 {
        self.cells.get(place(row, sign)).map_or(0, |cell| cell.number)
    }

    #[doc(hidden)]
    /// How many cells have a number.
    #[must_use]
    pub fn cells(&self) -> u64 {
        self.filled
    }

    #[doc(hidden)]
    /// The number that this row's cell takes when it changes by `delta`, or `None` when the cell, or the value as a
    /// 64-bit integer, would overflow.
    #[must_use]
    pub fn after(&self, row: RowId, delta: i64) -> Option<(Sign, u64)> {
        let sign = if delta < 0 { Sign::N } else { Sign::P };
        let (before, after) = (self.value(), self.value() + i128::from(delta));
        let outside = i64::try_from(after).is_err() && after.unsigned_abs() > before.unsigned_abs();
        if outside {
            return None;
        }
        Some((sign, self.cell(row, sign).checked_add(delta.unsigned_abs())?))
    }
}

fn place(row: RowId, sign: Sign) -> usize {
    2 * row.at() + sign as usize
}

/// A cell and its number, as an entry names them.
struct Named {
    sign: Sign,
    number: u64,
    /// Whose cell it is, if not that of the entry's own row; or why that cannot be said.
    row: Result<Option<(NodeIndex, u64)>, Refused>,
}

/// Reads an entry; `None` when it names no cell.
#[inline(always)]
fn read<S: Storage>(members: &Members<S>, entry: &Entry<'_>) -> Option<Named> {
    let sign = Sign::of(entry.tag)?;
    let (number, named) = entry.args().split_last()?;
    let number = number.as_unsigned()?;
    let row = match named {
        [] => Ok(None),
        [Arg::Text(name)] => members.find_row(name).map(Some).ok_or(Refused::Row(RowRefused::Stranger)),
        [Arg::Row { node, incarnation }] => {
            members.find(node).map(|node| Some((node, *incarnation))).ok_or(Refused::Unreadable)
        }
        _ => return None,
    };
    Some(Named { sign, number, row })
}

impl<S: Storage> Replicated<S> for Counter<S> {
    const LANE: Lane = Lane::Tick;
    const VECTORS: &'static [&'static str] = &["p_counters", "n_counters"];

    #[inline(always)]
    fn unfilled(limits: &Limits) -> Self {
        Self {
            cells: S::PerCell::with_limit(2 * limits.rows),
            ends: S::PerRow::with_limit(limits.rows),
            filled: 0,
            totals: [0; 2],
            fingerprint: 0,
        }
    }

    fn fill(&mut self, limits: &Limits, _: u64) {
        self.cells.fill_to(2 * limits.rows, Cell::NOTHING);
        self.ends.fill_to(limits.rows, Ends::empty());
    }

    fn owns(tag: Tag) -> bool {
        Sign::of(tag).is_some()
    }

    #[inline(never)]
    fn merge(&mut self, causality: &mut Causality<S>, dot: Dot, entry: &Entry<'_>) -> Result<Merged, Refused> {
        let Named { sign, number, row: named } = read(&causality.members, entry).ok_or(Refused::Unreadable)?;
        let row = match named? {
            None => dot.row,
            Some((node, incarnation)) => match causality.rows.find(node, incarnation) {
                Some(row) if causality.rows.is_immune(row) && number > self.cell(row, sign) => {
                    return Err(Refused::Impostor);
                }
                Some(row) => row,
                None if number == 0 => return Ok(Merged::Superseded),
                // A row that is new has no number, so this one will be applied.
                None => {
                    let id = causality.members.id(node);
                    causality.rows.find_or_add(node, incarnation, id).map_err(Refused::Row)?
                }
            },
        };
        let at = place(row, sign);
        let Some(old) = self.cells.get(at).copied() else {
            return Err(Refused::Unreadable);
        };
        let before = old.number;
        if number <= before {
            return Ok(Merged::Superseded);
        }
        if before > 0
            && let Some(ends) = self.ends.get_mut(old.row().at())
        {
            ends.remove(&mut self.cells, at as u32);
        }
        if let Some(cell) = self.cells.get_mut(at) {
            *cell = Cell { number, link: Link::new(dot.seq, dot.row.0) };
        }
        if let Some(ends) = self.ends.get_mut(dot.row.at()) {
            ends.insert(&mut self.cells, at as u32);
        }
        self.filled += u64::from(before == 0);
        self.totals[sign as usize] += u128::from(number - before);
        let key = causality.rows.get(row).hash ^ (sign as u64);
        let term = |number| if number == 0 { 0 } else { mix2(key, number) };
        self.fingerprint = self.fingerprint.wrapping_sub(term(before)).wrapping_add(term(number));
        Ok(Merged::Applied)
    }

    fn covers(&self, causality: &Causality<S>, dot: Dot, entry: &Entry<'_>) -> bool {
        let Some(Named { sign, number, row }) = read(&causality.members, entry) else { return true };
        let row = match row {
            Ok(None) => Some(dot.row),
            Ok(Some((node, incarnation))) => causality.rows.find(node, incarnation),
            Err(_) => None,
        };
        number <= row.map_or(0, |row| self.cell(row, sign))
    }

    fn seek(&self, row: RowId, after: u64) -> Option<At> {
        self.ends.get(row.at())?.seek(&self.cells, after).map(At::slot)
    }

    fn next(&self, at: At) -> Option<At> {
        Ends::next(&self.cells, at.slot).map(At::slot)
    }

    fn seq(&self, at: At) -> u64 {
        self.cells.get(at.slot as usize).map_or(0, |cell| cell.link.seq)
    }

    fn entry<'a>(&'a self, at: At, causality: &'a Causality<S>) -> Entry<'a> {
        let cell = self.cells.get(at.slot as usize).copied();
        debug_assert!(cell.is_some(), "a place that `seek` or `next` gave has a cell");
        let Some(cell) = cell else { return Entry::NOTHING };
        let sign = Sign::ALL[at.slot as usize % 2];
        let row = RowId(at.slot / 2);
        let number = Arg::unsigned(cell.number);
        let (node, incarnation) = causality.name(row);
        if row == cell.row() {
            Entry::one(sign.tag(), number)
        } else {
            Entry::two(sign.tag(), [Arg::Row { node, incarnation }, number])
        }
    }

    fn applied<'a>(&self, _: &Entry<'a>) -> Applied<'a> {
        Applied::Counted(self.value())
    }

    fn fingerprint(&self) -> u64 {
        mix(self.fingerprint.rotate_left(1))
    }

    fn vector(&self, which: usize, row: RowId) -> Option<u64> {
        let sign = *Sign::ALL.get(which)?;
        // A row that has either number shows both, as implementations without dots expect.
        let either = Sign::ALL.into_iter().any(|sign| self.cell(row, sign) > 0);
        either.then(|| self.cell(row, sign))
    }
}
