//! Writes a message between nodes piece by piece, as it is told, and says what does not fit any more.
//!
//! It knows how much of the room is still free and what has to be kept for what must follow. What goes into a list, and in which
//! order, is up to whoever calls it.

use super::super::encode::{Count, Out, length};
use super::super::names::Kind;
use super::{Closing, DATA, DIGEST, Header, LIVES, OLD, TYPE, TYPE_END, VALUE, size};
use crate::causality::{Arg, Entry, Tag};
use crate::id::Value;
use crate::output::Sink;
use crate::storage::Limits;

/// How long a message may be, and what has to be kept free in it.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    limit: usize,
    /// Kept for what must follow the vectors: a row of the digest, the largest entry, fixed text.
    must: usize,
    /// Kept for what may follow the entries.
    tail: usize,
    digest_row: usize,
    entry: usize,
}

impl Room {
    /// A message of at most `limit` bytes, newline included, with the fields of strategy `relay` or without.
    #[must_use]
    pub const fn new(limit: usize, limits: &Limits, relay: bool) -> Self {
        let (digest_row, entry) = (size::digest_row(limits), size::largest_entry(limits));
        let (control, full) = if relay { (size::control(limits), size::TAIL_RELAY) } else { (0, 0) };
        Self { limit, must: size::REST + control + digest_row + entry, tail: size::TAIL + full, digest_row, entry }
    }
}

/// A message that is being written. Its parts are to be written in the order of these functions; each may be left out.
pub struct Writer<'o, 'w, W: Sink> {
    out: &'o mut Out<'w, W>,
    room: Room,
    has_data: bool,
}

names_itself!(impl[W: Sink] Writer<'_, '_, W>, "Writer");

impl<'o, 'w, W: Sink> Writer<'o, 'w, W> {
    /// Begins a message: `head` is its text up to the id of the receiver.
    pub fn new(out: &'o mut Out<'w, W>, room: Room, head: &[u8], to: &str, kind: Kind) -> Self {
        out.raw(head);
        out.escaped(to);
        out.str(TYPE);
        out.str(kind.name());
        out.str(TYPE_END);
        Self { out, room, has_data: false }
    }

    /// A single value, apart from the entries.
    pub fn value(&mut self, value: Value<'_>) {
        if length(|out: &mut Out<'_, Count>| out.value(value)) + VALUE.len() <= self.spare() {
            self.out.str(VALUE);
            self.out.value(value);
        }
    }

    /// The byte before which all vectors have to end: they get half of what is free.
    #[must_use]
    pub fn end_of_vectors(&self) -> usize {
        self.out.written() + self.spare() / 2
    }

    /// A vector of numbers, cut at byte `end`.
    pub fn vector(&mut self, name: &str, end: usize) -> List<'_, 'w, W> {
        self.out.str(", \"");
        self.out.str(name);
        self.out.str("\": {");
        List::opened(self.out, end)
    }

    /// The header.
    pub fn header(&mut self, header: &Header<'_>) {
        header.encode(self.out, self.room.limit.saturating_sub(self.room.must));
    }

    /// Sessions. The first one may take the room of the entries, but a row of the digest has to follow.
    pub fn lives(&mut self) -> List<'_, 'w, W> {
        let least = self.room.digest_row + LIVES.len() + 1;
        let spare = self.late_spare().saturating_sub(self.room.digest_row);
        let end = self.out.written() + (spare / 2).max(least).min(spare + self.room.entry);
        List { out: self.out, end, count: 0, name: LIVES }
    }

    /// The digest. It gets half of what is free, and there is always room for one row.
    pub fn digest(&mut self) -> List<'_, 'w, W> {
        let budget = (self.late_spare() / 2).max(self.room.digest_row);
        self.out.str(DIGEST);
        let end = self.out.written() + budget;
        List::opened(self.out, end)
    }

    /// The digest of some time ago, if there is room for any of it.
    pub fn old(&mut self) -> Option<List<'_, 'w, W>> {
        if self.late_spare() < self.room.digest_row + size::EMPTY_OLD {
            return None;
        }
        self.out.str(OLD);
        let end = self.out.written() + self.late_spare() / 2;
        Some(List::opened(self.out, end))
    }

    /// The entries.
    pub fn data<'n>(&mut self) -> Data<'_, 'w, 'n, W> {
        let end = self.room.limit.saturating_sub(self.room.tail);
        Data { out: self.out, end, has_data: &mut self.has_data, chunk: ("", 0, 0), open: false }
    }

    /// The end of the message.
    pub fn finish(self, closing: &Closing) {
        if self.has_data {
            self.out.raw(b"]");
        }
        closing.encode(self.out);
        debug_assert!(self.out.written() <= self.room.limit, "a message is as long as it may be at most");
    }

    /// Bytes that may still be spent on what need not be there.
    fn spare(&self) -> usize {
        self.room.limit.saturating_sub(self.out.written() + self.room.must)
    }

    /// The same when nothing but a digest and entries is left to write.
    fn late_spare(&self) -> usize {
        self.room.limit.saturating_sub(self.out.written() + self.room.tail + self.room.entry + size::LATE)
    }
}

/// Numbers by name: a JSON object that is being written.
pub struct List<'l, 'w, W: Sink> {
    out: &'l mut Out<'w, W>,
    /// The byte before which the last number ends.
    end: usize,
    count: u32,
    /// The field, while it is not written: one that lists nothing is left out.
    name: &'static str,
}

names_itself!(impl[W: Sink] List<'_, '_, W>, "List");

impl<'l, 'w, W: Sink> List<'l, 'w, W> {
    fn opened(out: &'l mut Out<'w, W>, end: usize) -> Self {
        Self { out, end, count: 0, name: "" }
    }

    /// Writes a row with its number if that fits; says whether it does.
    pub fn row(&mut self, node: &str, life: u64, number: u64) -> bool {
        let piece = length(|out: &mut Out<'_, Count>| {
            out.row(node, life);
            out.unsigned(number);
        });
        if self.out.written() + piece + size::AROUND_ROW > self.end {
            return false;
        }
        if self.count > 0 {
            self.out.raw(b", ");
        }
        self.out.row(node, life);
        self.out.raw(b": ");
        self.out.unsigned(number);
        self.count += 1;
        true
    }

    /// Writes a node with its session if that fits; says whether it does.
    pub fn session(&mut self, node: &str, session: u64) -> bool {
        let piece = length(|out: &mut Out<'_, Count>| {
            out.escaped(node);
            out.unsigned(session);
        });
        if self.out.written() + self.name.len() + piece + size::AROUND_SESSION > self.end {
            return false;
        }
        if self.count == 0 {
            self.out.str(self.name);
            self.out.raw(b"\"");
        } else {
            self.out.raw(b", \"");
        }
        self.out.escaped(node);
        self.out.raw(b"\": ");
        self.out.unsigned(session);
        self.count += 1;
        true
    }

    /// Ends the list.
    pub fn end(self) {
        if self.count > 0 || self.name.is_empty() {
            self.out.raw(b"}");
        }
    }
}

/// The entries, chunk by chunk. A chunk in which nothing fits is not there.
pub struct Data<'o, 'w, 'n, W: Sink> {
    out: &'o mut Out<'w, W>,
    /// The byte before which the last entry ends.
    end: usize,
    has_data: &'o mut bool,
    /// The row of the present chunk and the dot after which it begins.
    chunk: (&'n str, u64, u64),
    /// Whether anything of the present chunk was written.
    open: bool,
}

names_itself!(impl[W: Sink] Data<'_, '_, '_, W>, "Data");

impl<'n, W: Sink> Data<'_, '_, 'n, W> {
    /// From here on so many bytes may follow, at most.
    pub fn bound(&mut self, bytes: usize) {
        self.end = self.end.min(self.out.written().saturating_add(bytes));
    }

    /// Begins a chunk.
    #[inline]
    pub fn begin(&mut self, node: &'n str, life: u64, from: u64) {
        debug_assert!(!self.open, "a chunk ends before the next one begins");
        self.chunk = (node, life, from);
    }

    /// Writes an entry, and before it that so many dots were superseded, if both fit; says whether they do.
    #[inline]
    pub fn entry(&mut self, superseded: u64, entry: &Entry<'_>) -> bool {
        let skip = if superseded == 0 { 0 } else { size::SKIP };
        if !self.fits(skip + entry_len(entry) + size::AROUND_ENTRY) {
            return false;
        }
        self.open();
        self.superseded(superseded);
        self.out.raw(b", ");
        self.out.entry(entry);
        true
    }

    /// Writes that so many dots were superseded, if that fits; says whether it does.
    pub fn skip(&mut self, superseded: u64) -> bool {
        let fits = self.fits(size::SKIP);
        if fits {
            self.open();
            self.superseded(superseded);
        }
        fits
    }

    /// Ends the chunk. Says whether anything of it was written.
    pub fn end(&mut self) -> bool {
        if self.open {
            self.out.raw(b"]");
        }
        core::mem::take(&mut self.open)
    }

    #[inline]
    fn fits(&self, piece: usize) -> bool {
        let head = if self.open { 0 } else { self.head_len() };
        self.out.written() + head + piece <= self.end
    }

    /// Bytes that open and close the chunk.
    fn head_len(&self) -> usize {
        let (node, life, from) = self.chunk;
        let names = length(|out: &mut Out<'_, Count>| {
            out.row(node, life);
            out.unsigned(from);
        });
        size::CHUNK + names
    }

    #[inline]
    fn open(&mut self) {
        if core::mem::replace(&mut self.open, true) {
            return;
        }
        let (node, life, from) = self.chunk;
        self.out.str(if core::mem::replace(self.has_data, true) { ", [" } else { DATA_FIRST });
        self.out.row(node, life);
        self.out.raw(b", ");
        self.out.unsigned(from);
    }

    fn superseded(&mut self, dots: u64) {
        if dots > 0 {
            self.out.raw(b", [");
            self.out.unsigned(dots);
            self.out.raw(b"]");
        }
    }
}

/// How the list and its first chunk begin.
const DATA_FIRST: &str = ", \"data\": [[";
const _: () = assert!(DATA_FIRST.len() == DATA.len() + 1);

/// Bytes of an entry, by the encoder itself, but for the integers that most sets are made of.
fn entry_len(entry: &Entry<'_>) -> usize {
    match entry.args() {
        [Arg::Int(int)] if entry.tag == Tag::BARE => int.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 2,
        _ => length(|out: &mut Out<'_, Count>| out.entry(entry)),
    }
}
