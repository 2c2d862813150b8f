//! How long the parts of a message between nodes can be. All other sizes of that message are sums of these.
//!
//! Each bound is the sum of its parts and of a few spare bytes. With the spare bytes messages are cut at the same
//! places as before these sums replaced fixed numbers.

use super::super::encode::{Count, DEST, Out, SRC, length};
use super::super::names::{Key, Kind};
use super::{
    AGREE, ALL, AND, DATA, DIGEST, ECHOED, END, FLUSH, FULL, INC, MSG_ID, OLD, ORD, REFUSES, RELAY, STABLE, SUM, TURN,
    TYPE, TYPE_END, WANT,
};
use crate::causality::{Arg, Entry};
use crate::id::json_len;
use crate::storage::{INCARNATION_MAX, Limits};

/// Digits of the largest session or life.
const SESSION: usize = INCARNATION_MAX.ilog10() as usize + 1;
/// Digits of the largest ordinal, time or turn.
const SHORT: usize = u32::MAX.ilog10() as usize + 1;
/// Digits of the largest number of a dot, cell or message.
const LONG: usize = u64::MAX.ilog10() as usize + 1;
/// Hexadecimal digits of 64 bits.
const HEX: usize = 16;
/// A bracket, a brace or a quote.
const SIGN: usize = 1;
/// The separator between a key and its value.
const COLON: usize = 2;

/// `inc`, `sum`, `agree` with all members, and `refuses`.
const HEADER: usize =
    INC.len() + SESSION + SUM.len() + 2 * HEX + SIGN + AGREE.len() + HEX + ALL.len() + SIGN + REFUSES.len() + SIGN;
/// The fields after the lists, as strategy `rumor` writes them.
const CLOSING: usize = WANT.len() + SIGN + MSG_ID.len() + LONG + END.len();
/// An empty digest.
const EMPTY_DIGEST: usize = DIGEST.len() + SIGN;
/// The beginning of a message, without the two ids.
const ENVELOPE: usize = SRC.len() + DEST.len() + TYPE.len() + Kind::Replicate.name().len() + TYPE_END.len();
/// The two vectors of the counter, if they are empty.
const EMPTY_VECTORS: usize = vector(Key::PCounters) + vector(Key::NCounters);

const fn vector(key: Key) -> usize {
    AND.len() + SIGN + key.name().len() + SIGN + COLON + 2 * SIGN
}

/// Fixed text and numbers after the vectors, without the fields that strategy `relay` adds.
pub(super) const REST: usize = HEADER + EMPTY_DIGEST + DATA.len() + SIGN + CLOSING + 29;
/// The longest text after the entries: the bracket that ends them, and the closing fields.
pub(super) const TAIL: usize = SIGN + CLOSING + 9;
/// The text that strategy `relay` adds to that.
pub(super) const TAIL_RELAY: usize = FULL.len();
/// Fixed text around a digest and the first entry.
pub(super) const LATE: usize = EMPTY_DIGEST + DATA.len() + 23;
/// Fixed text around the digest of some time ago (`old`).
pub(super) const EMPTY_OLD: usize = OLD.len() + SIGN + 5;
/// The separators of a row in a list: a comma before it, and a colon.
pub(super) const AROUND_ROW: usize = AND.len() + COLON;
/// The separators of a session in a list, with the brace that ends the list.
pub(super) const AROUND_SESSION: usize = AND.len() + 2 * SIGN + COLON + SIGN + 1;
/// The text that opens and closes a chunk, without its row and its first dot. The first chunk also opens the list.
pub(super) const CHUNK: usize = DATA.len() + SIGN + AND.len() + SIGN + 1;
/// An item that says how many dots were superseded.
pub(super) const SKIP: usize = AND.len() + SIGN + LONG + SIGN;
/// The separator before an entry.
pub(super) const AROUND_ENTRY: usize = AND.len();

/// The longest name of a row, with quotes and `@`.
const fn row_name(limits: &Limits) -> usize {
    SIGN + limits.id_bytes + SIGN + SESSION + SIGN
}

/// The longest row of a digest.
#[must_use]
pub const fn digest_row(limits: &Limits) -> usize {
    row_name(limits) + LONG + AROUND_ROW
}

/// A chunk that holds only the largest entry.
#[must_use]
pub const fn largest_entry(limits: &Limits) -> usize {
    row_name(limits) + LONG + CHUNK + entry(limits)
}

/// The largest entry of the data types that every node has.
const fn entry(limits: &Limits) -> usize {
    // `["w", key, value, µs]`: a stamp has at most 17 digits until the year 5138.
    let write = SIGN + 3 + 2 * (AND.len() + 2 * SIGN + limits.text_bytes) + AND.len() + 17 + SIGN;
    // `["p", row, n]`: a cell is below 2^63.
    let cell = SIGN + 3 + AND.len() + row_name(limits) + AND.len() + 19 + SIGN;
    if write > cell { write } else { cell }
}

/// Whether an entry of a user's data type can travel: its tag is a character that JSON writes as it is, each of its
/// strings is within the bound on strings, and the whole is not longer than the largest entry that every message has
/// room for.
#[must_use]
pub fn can_travel(of_user: &Entry<'_>, limits: &Limits) -> bool {
    let tag = of_user.tag.0;
    let fits = |arg: &Arg<'_>| match *arg {
        Arg::Int(_) | Arg::Big(_) => true,
        Arg::Text(text) => json_len(text) <= limits.text_bytes,
        Arg::Row { .. } => false,
    };
    let is_written = tag.is_ascii_graphic() && !matches!(tag, b'"' | b'\\') && tag != Entry::NOTHING.tag.0;
    is_written
        && of_user.args().iter().all(fits)
        && length(|out: &mut Out<'_, Count>| out.entry(of_user)) <= entry(limits)
}

/// The smallest bound on messages with which the header, one row of the digest and every entry fit.
#[must_use]
pub const fn least(limits: &Limits) -> usize {
    ENVELOPE + 2 * limits.id_bytes + EMPTY_VECTORS + REST + digest_row(limits) + largest_entry(limits) + 9
}

/// The bytes that strategy `relay` adds: `ord`, `echoed`, `relay`, `turn`, `flush`, `stable` and `full`.
#[must_use]
pub const fn control(limits: &Limits) -> usize {
    let echoed = ECHOED.len() + SHORT + AND.len() + SESSION + AND.len() + SHORT + SIGN;
    let relay = RELAY.len() + limits.id_bytes + SIGN;
    let numbers = ORD.len() + TURN.len() + FLUSH.len() + 3 * SHORT;
    echoed + relay + numbers + STABLE.len() + FULL.len() + 4
}
