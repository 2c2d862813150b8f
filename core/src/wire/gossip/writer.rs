//! Writes a message between nodes, one part per call, and says when a part does not fit any more.
//!
//! The writer knows how much room is free, and how much has to be kept for the parts that must follow. The caller
//! decides what goes into a list, and in which order.

use super::super::encode::{Count, Out, length};
use super::super::names::Kind;
use super::{Closing, DATA, DIGEST, Header, LIVES, OLD, TYPE, TYPE_END, VALUE, size};
use crate::causality::{Arg, Entry, Tag};
use crate::id::Value;
use crate::output::Sink;
use crate::storage::Limits;

/// How long a message may be, and how much of it has to be kept free. All numbers are bytes.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    limit: usize,
    /// Kept for the parts that must follow the vectors: a row of the digest, the largest entry, fixed text.
    must: usize,
    /// Kept for the text after the entries.
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

/// A message that is being written. Its parts have to be written in the order of these functions. Each part may be left
/// out.
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

    /// Writes `value`, the single value for other implementations, if it fits.
    pub fn value(&mut self, value: Value<'_>) {
        if length(|out: &mut Out<'_, Count>| out.value(value)) + VALUE.len() <= self.spare() {
            self.out.str(VALUE);
            self.out.value(value);
        }
    }

    /// The byte before which all vectors have to end: they get half of the free room.
    #[must_use]
    pub fn end_of_vectors(&self) -> usize {
        self.out.written() + self.spare() / 2
    }

    /// Begins a vector of numbers, which is cut before byte `end`.
    pub fn vector(&mut self, name: &str, end: usize) -> List<'_, 'w, W> {
        self.out.str(", \"");
        self.out.str(name);
        self.out.str("\": {");
        List::opened(self.out, end)
    }

    /// Writes the header.
    pub fn header(&mut self, header: &Header<'_>) {
        header.encode(self.out, self.room.limit.saturating_sub(self.room.must));
    }

    /// Begins the list of sessions. The first session may take the room of the entries, but a row of the digest has to
    /// fit after it.
    pub fn lives(&mut self) -> List<'_, 'w, W> {
        let least = self.room.digest_row + LIVES.len() + 1;
        let spare = self.late_spare().saturating_sub(self.room.digest_row);
        let end = self.out.written() + (spare / 2).max(least).min(spare + self.room.entry);
        List { out: self.out, end, count: 0, name: LIVES }
    }

    /// Begins the digest. It gets half of the free room, and there is always room for one row.
    pub fn digest(&mut self) -> List<'_, 'w, W> {
        let budget = (self.late_spare() / 2).max(self.room.digest_row);
        self.out.str(DIGEST);
        let end = self.out.written() + budget;
        List::opened(self.out, end)
    }

    /// Begins the digest of some time ago, if there is room for a row of it.
    pub fn old(&mut self) -> Option<List<'_, 'w, W>> {
        if self.late_spare() < self.room.digest_row + size::EMPTY_OLD {
            return None;
        }
        self.out.str(OLD);
        let end = self.out.written() + self.late_spare() / 2;
        Some(List::opened(self.out, end))
    }

    /// Begins the entries.
    pub fn data<'n>(&mut self) -> Data<'_, 'w, 'n, W> {
        let end = self.room.limit.saturating_sub(self.room.tail);
        Data { out: self.out, end, most: end, has_data: &mut self.has_data, chunk: ("", 0, 0), open: false }
    }

    /// Ends the message.
    pub fn finish(self, closing: &Closing) {
        if self.has_data {
            self.out.raw(b"]");
        }
        closing.encode(self.out);
        debug_assert!(self.out.written() <= self.room.limit, "a message is as long as it may be at most");
    }

    /// How many bytes are free for parts that may be left out.
    fn spare(&self) -> usize {
        self.room.limit.saturating_sub(self.out.written() + self.room.must)
    }

    /// The same once only digests and entries are left to write.
    fn late_spare(&self) -> usize {
        self.room.limit.saturating_sub(self.out.written() + self.room.tail + self.room.entry + size::LATE)
    }
}

/// A JSON object of numbers that is being written.
pub struct List<'l, 'w, W: Sink> {
    out: &'l mut Out<'w, W>,
    /// The byte before which the last number ends.
    end: usize,
    count: u32,
    /// The text that begins the field, if that is not written yet: an empty list is left out.
    name: &'static str,
}

names_itself!(impl[W: Sink] List<'_, '_, W>, "List");

impl<'l, 'w, W: Sink> List<'l, 'w, W> {
    fn opened(out: &'l mut Out<'w, W>, end: usize) -> Self {
        Self { out, end, count: 0, name: "" }
    }

    /// Writes a row with its number, if it fits. True if it does.
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

    /// Writes a node with its session, if it fits. True if it does.
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

/// The entries, chunk by chunk. A chunk of which no item fits is left out.
pub struct Data<'o, 'w, 'n, W: Sink> {
    out: &'o mut Out<'w, W>,
    /// The byte before which every entry has to end, and the same for the first one.
    end: usize,
    most: usize,
    has_data: &'o mut bool,
    /// The row of the present chunk and the dot after which it begins.
    chunk: (&'n str, u64, u64),
    /// Whether anything of the present chunk was written.
    open: bool,
}

names_itself!(impl[W: Sink] Data<'_, '_, '_, W>, "Data");

impl<'n, W: Sink> Data<'_, '_, 'n, W> {
    /// From here on at most `bytes` bytes of entries follow. One entry may be longer than that.
    pub fn bound(&mut self, bytes: usize) {
        self.end = self.end.min(self.out.written().saturating_add(bytes));
    }

    /// Begins a chunk.
    #[inline]
    pub fn begin(&mut self, node: &'n str, life: u64, from: u64) {
        debug_assert!(!self.open, "a chunk ends before the next one begins");
        self.chunk = (node, life, from);
    }

    /// Writes an entry, and before it the number of dots that were superseded, if both fit. True if they do.
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

    /// Writes the number of dots that were superseded, if it fits. True if it does.
    pub fn skip(&mut self, superseded: u64) -> bool {
        let fits = self.fits(size::SKIP);
        if fits {
            self.open();
            self.superseded(superseded);
        }
        fits
    }

    /// Ends the chunk. True if anything of it was written.
    pub fn end(&mut self) -> bool {
        if self.open {
            self.out.raw(b"]");
        }
        core::mem::take(&mut self.open)
    }

    #[inline]
    fn fits(&self, piece: usize) -> bool {
        let head = if self.open { 0 } else { self.head_len() };
        let end = if *self.has_data { self.end } else { self.most };
        self.out.written() + head + piece <= end
    }

    /// How many bytes open and close the chunk.
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

/// The text that begins the list and its first chunk.
const DATA_FIRST: &str = ", \"data\": [[";
const _: () = assert!(DATA_FIRST.len() == DATA.len() + 1);

/// How many bytes an entry takes. The encoder itself counts them, except for an integer of the set, the most common
/// entry: its digits and a sign are computed.
fn entry_len(entry: &Entry<'_>) -> usize {
    match entry.args() {
        [Arg::Int(int)] if entry.tag == Tag::BARE => int.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 2,
        _ => length(|out: &mut Out<'_, Count>| out.entry(entry)),
    }
}
