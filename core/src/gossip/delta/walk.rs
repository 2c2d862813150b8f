//! The walk over the entries that a peer is sent. It begins with the waiting rumors, and goes on with the entries that
//! the peer lacks, row by row. In a repair (vectors are equal and states are not) it ends with all entries.

use super::Hot;
use crate::causality::{Causality, Entry, Row, RowId, Tag};
use crate::gossip::Assumed;
use crate::gossip::common::is_news_to;
use crate::id::{NodeIndex, Value};
use crate::replicated::{Product, Replica, Store};

/// A page that entries are written on. The walk ends at the first entry that does not fit, and continues there in the
/// next message.
pub trait Page {
    /// From here on at most `bytes` bytes follow. One entry may be longer than that, since it would otherwise never be
    /// sent.
    fn bound(&mut self, bytes: usize);
    /// Begins a chunk: the dots of a row after `from`.
    fn begin(&mut self, row: RowId, from: u64);
    /// The next entry; `superseded` dots lie between it and the entry before it. False if it does not fit: then nothing
    /// was written.
    fn entry(&mut self, superseded: u64, entry: &Entry<'_>) -> bool;
    /// The chunk ends with `superseded` dots that have no entry. False if that does not fit.
    fn skip(&mut self, superseded: u64) -> bool;
    /// Ends the chunk. True if anything of it was written.
    fn end(&mut self) -> bool;
}

/// A place in the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) phase: Phase,
    /// Rumor or row, counted from where the phase began.
    step: u32,
    /// The dots of that rumor or row up to this one were sent.
    pub(super) seq: u64,
}

/// The part of the walk to which a place belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Rumors,
    Rows,
    Repair,
    Done,
}

impl Place {
    /// Rumor or row, counted from where the phase began.
    pub(super) const fn step(self) -> u32 {
        self.step
    }

    /// The row at which the place is, as a step: the first row, unless the place lies in the walk over rows.
    pub(super) const fn step_of_rows(self) -> u32 {
        match self.phase {
            Phase::Rows | Phase::Repair => self.step,
            Phase::Rumors | Phase::Done => 0,
        }
    }
}

impl Phase {
    const fn at_start(self) -> Place {
        Place { phase: self, step: 0, seq: 0 }
    }
}

/// What one peer is sent.
pub(super) struct Walk<'e, S: Product> {
    pub(super) replica: &'e Replica<S>,
    pub(super) peer: NodeIndex,
    /// The frontier of each row that the peer is known to hold. A row beyond the slice counts as 0.
    pub(super) vector: &'e [u64],
    pub(super) hot: &'e [Hot],
    /// What the peer is assumed to hold beyond that.
    pub(super) assumed: Option<Assumed<'e>>,
    pub(super) rows: bool,
    /// The dot after which a repair continues; `None` if there is nothing to repair.
    pub(super) repair_from: Option<u64>,
    /// The row with which the walk over the rows begins.
    pub(super) first_row: u32,
    /// How many bytes of entries the peer may be handed. One entry may be longer.
    pub(super) window: usize,
}

/// What is done with a range of dots of a row.
trait Visitor<S: Product> {
    /// Takes the entries in `(from, to]`. The error is the last dot that was taken, if not all were.
    fn stretch(&mut self, replica: &Replica<S>, row: RowId, from: u64, to: u64) -> Result<(), u64>;
}

impl<'e, S: Product> Walk<'e, S> {
    /// Where the walk begins.
    pub(super) fn start(&self) -> Place {
        if self.hot.is_empty() { self.rows_start() } else { Phase::Rumors.at_start() }
    }

    fn rows_start(&self) -> Place {
        if self.rows { Phase::Rows.at_start() } else { self.repair_start() }
    }

    fn repair_start(&self) -> Place {
        match self.repair_from {
            Some(seq) => Place { phase: Phase::Repair, step: 0, seq },
            None => Phase::Done.at_start(),
        }
    }

    /// The row that lies `step` rows after the first one of the walk.
    pub(super) fn row_at(&self, step: u32) -> RowId {
        let rows = self.replica.causality.rows.len().max(1) as u32;
        RowId((self.first_row % rows + step) % rows)
    }

    /// Whether the peer has to show that it received the entries of a message that begins at `start`.
    pub(super) fn is_handing(&self, start: Place) -> bool {
        start.phase != Phase::Done && (self.window < usize::MAX || self.rows || self.repair_from.is_some())
    }

    /// Writes the entries from `start` on until the page takes no more. Rows from step `end` on are left out, because
    /// the digest does not list them. Returns the place where it stopped, and the last dot that was written.
    pub(super) fn write(&self, start: Place, end: Option<u32>, page: &mut impl Page) -> (Place, Option<(RowId, u64)>) {
        page.bound(self.window);
        let mut writing = Writing { page, last: None };
        let end = self.walk(start, end, &mut writing);
        (end, writing.last)
    }

    fn walk(&self, start: Place, end: Option<u32>, visitor: &mut impl Visitor<S>) -> Place {
        let mut place = start;
        // The loop ends because each phase leads to a later one.
        loop {
            let walked = match place.phase {
                Phase::Rumors => self.walk_rumors(place, visitor).map(|()| self.rows_start()),
                Phase::Rows => self.walk_rows(place, end, visitor).map(|()| self.repair_start()),
                Phase::Repair => self.walk_repair(place, visitor).map(|()| Phase::Done.at_start()),
                Phase::Done => return place,
            };
            match walked {
                Ok(next) => place = next,
                Err(cut) => return cut,
            }
        }
    }

    fn walk_rumors(&self, start: Place, visitor: &mut impl Visitor<S>) -> Result<(), Place> {
        for (step, hot) in (start.step..).zip(self.hot.get(start.step as usize..).unwrap_or(&[])) {
            if is_news_to(hot, self.peer, self.vector) {
                let sent = if step == start.step { start.seq } else { 0 };
                let from = hot.from.max(sent).max(self.known(hot.row).min(hot.to));
                let cut = |seq| Place { phase: Phase::Rumors, step, seq };
                visitor.stretch(self.replica, hot.row, from, hot.to).map_err(cut)?;
            }
        }
        Ok(())
    }

    fn walk_rows(&self, start: Place, end: Option<u32>, visitor: &mut impl Visitor<S>) -> Result<(), Place> {
        for step in start.step..self.replica.causality.rows.len() as u32 {
            let here = Place { phase: Phase::Rows, step, seq: if step == start.step { start.seq } else { 0 } };
            let id = self.row_at(step);
            let row = self.replica.causality.rows.get(id);
            let known = self.known(id).max(here.seq);
            // Dots that the message sends as rumors are not sent again.
            let told = self.hot.iter().filter(|hot| hot.row == id && hot.from >= known).map(|hot| hot.from).min();
            let told = told.unwrap_or(u64::MAX);
            let cut = |seq| Place { seq, ..here };
            let lacks = row.frontier.min(told) > known || row.beyond().any(|seq| seq > known && seq <= told);
            if lacks && step > start.step && end.is_some_and(|end| step >= end) {
                return Err(here);
            }
            if row.frontier.min(told) > known {
                visitor.stretch(self.replica, id, known, row.frontier.min(told)).map_err(cut)?;
            }
            let mut beyond = row.beyond().filter(|seq| *seq > known && *seq <= told).peekable();
            // Dots without a gap between them make one range.
            while let Some(first) = beyond.next() {
                let mut last = first;
                while beyond.peek() == Some(&(last + 1)) {
                    beyond.next();
                    last += 1;
                }
                visitor.stretch(self.replica, id, first - 1, last).map_err(cut)?;
            }
        }
        Ok(())
    }

    fn walk_repair(&self, start: Place, visitor: &mut impl Visitor<S>) -> Result<(), Place> {
        for step in start.step..self.replica.causality.rows.len() as u32 {
            let here = Place { phase: Phase::Repair, step, seq: if step == start.step { start.seq } else { 0 } };
            let id = self.row_at(step);
            let frontier = self.replica.causality.rows.get(id).frontier;
            let cut = |seq| Place { seq, ..here };
            if frontier > here.seq {
                visitor.stretch(self.replica, id, here.seq, frontier).map_err(cut)?;
            }
            // Beyond the frontier each entry is a range of its own. That includes entries too far beyond it to be
            // marked: if their author died before it could send the missing dots, only a repair brings them to the
            // others.
            let Replica { store, causality, .. } = self.replica;
            for (seq, _) in stretch(store, causality, id, frontier.max(here.seq), u64::MAX) {
                visitor.stretch(self.replica, id, seq - 1, seq).map_err(cut)?;
            }
        }
        Ok(())
    }

    /// Whether the peer is sent dots of a row because it lacks them. The digest then has to list the row: a receiver
    /// believes a skip only up to the frontier that the digest shows.
    pub(super) fn lacks(&self, id: RowId, row: &Row) -> bool {
        self.rows && row.frontier > self.known(id)
    }

    fn known(&self, id: RowId) -> u64 {
        let shown = self.vector.get(id.at()).copied().unwrap_or(0);
        match &self.assumed {
            Some(assumed) => shown.max(assumed.frontier(self.peer, id, self.replica.causality.rows.get(id))),
            None => shown,
        }
    }

    /// The value, if a message that begins at `start` holds exactly one entry and that entry is a value of the set.
    pub(super) fn only_value(&self, start: Place) -> Option<Value<'e>> {
        let mut first = First { entries: 0, row: RowId(0), seq: 0 };
        self.walk(start, None, &mut first);
        if first.entries != 1 {
            return None;
        }
        let Replica { store, causality, .. } = self.replica;
        let (_, entry) = store.next(&mut store.seek(first.row, first.seq - 1), causality)?;
        if entry.tag == Tag::BARE { entry.args().first()?.as_value() } else { None }
    }
}

/// Finds the first entry, and whether there is a second one.
struct First {
    entries: u32,
    row: RowId,
    seq: u64,
}

impl<S: Product> Visitor<S> for First {
    fn stretch(&mut self, replica: &Replica<S>, row: RowId, from: u64, to: u64) -> Result<(), u64> {
        for (seq, _) in stretch(&replica.store, &replica.causality, row, from, to) {
            self.entries += 1;
            if self.entries > 1 {
                return Err(seq);
            }
            (self.row, self.seq) = (row, seq);
        }
        Ok(())
    }
}

/// Writes each range as a chunk, until the page is full.
struct Writing<'p, P: Page> {
    page: &'p mut P,
    /// The last dot that was written.
    last: Option<(RowId, u64)>,
}

impl<S: Product, P: Page> Visitor<S> for Writing<'_, P> {
    fn stretch(&mut self, replica: &Replica<S>, row: RowId, from: u64, to: u64) -> Result<(), u64> {
        self.page.begin(row, from);
        let (mut covered, mut cut, mut written) = (from, false, false);
        for (seq, entry) in stretch(&replica.store, &replica.causality, row, from, to).filter(|(seq, _)| *seq > from) {
            let superseded = (seq - 1).checked_sub(covered).unwrap_or_else(|| {
                // Two entries under one dot can only come from a hostile peer. The second one has a chunk of its own: the
                // author has to see it, or two nodes would differ for good.
                written |= self.page.end();
                self.page.begin(row, seq - 1);
                0
            });
            if !self.page.entry(superseded, &entry) {
                cut = true;
                break;
            }
            covered = seq;
        }
        if !cut && covered < to {
            cut = !self.page.skip(to - covered);
        }
        if self.page.end() || written {
            self.last = Some((row, if cut { covered } else { to }));
        }
        if cut { Err(covered) } else { Ok(()) }
    }
}

/// The entries of a row with dots in `(from, to]`, ascending.
fn stretch<'a, S: Product>(
    store: &'a Store<S>,
    causality: &'a Causality<S>,
    row: RowId,
    from: u64,
    to: u64,
) -> impl Iterator<Item = (u64, Entry<'a>)> {
    let mut cursor = store.seek(row, from);
    core::iter::from_fn(move || store.next(&mut cursor, causality)).take_while(move |(seq, _)| *seq <= to)
}
