//! The message between nodes, as `WIRE.md` specifies it: its header as values, the lists after the header as iterators,
//! how all of it is written, and how long it can be.
//!
//! This module owns every text and every size of that message. It knows neither members nor rows, nor what a peer
//! lacks: names of rows are text here, and the caller decides what goes into a list.

mod read;
pub mod size;
#[cfg(test)]
mod tests;
mod writer;

use super::encode::{Out, length};
use super::json::Str;
use crate::causality::Sum;
use crate::output::Sink;

pub use read::{Foreign, Letter, Received};
pub use writer::{Data, List, Room, Writer};

/// An acknowledgement: the highest ordinal that the sender has received from the receiver of this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echoed {
    /// The ordinal.
    pub ord: u32,
    /// The session in which the receiver sent the message of that ordinal.
    pub session: u64,
    /// Milliseconds since the sender received it.
    pub held_ms: u32,
}

/// What the sender has to refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refuses {
    /// It refuses nothing.
    #[default]
    Nothing,
    /// It refused an entry lately: a table is full, or a stamp is too far ahead of its clock.
    Something,
    /// It has no room for a row of the receiver's present life.
    Row,
}

/// What a message asks of its receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing.
    #[default]
    Nothing,
    /// An answer, whatever it holds.
    Reply,
    /// The entries that the sender lacks.
    Gap,
}

/// The members that the sender knows to hold its state in its view.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Holders<'a> {
    /// Only the sender itself.
    #[default]
    Sender,
    /// The members whose bits are set.
    Listed(Digits<'a>),
    /// Every member.
    All,
}

/// A set of members as hexadecimal digits. A digit stands for four members, its lowest bit for the first of them.
#[derive(Clone, Copy, Debug)]
pub enum Digits<'a> {
    /// The digits of a line that was read.
    Text(&'a str),
    /// Digits that are to be written.
    Bits {
        /// The set as bits: the first member is the lowest bit of the first word.
        words: &'a [u64],
        /// The number of digits.
        count: usize,
    },
}

/// The fields of a message before its lists. A field that is `None`, 0 or false is not written.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Header<'a> {
    /// `inc`: the sender's session.
    pub session: u64,
    /// `ord`: the number of this message among those from its sender to its receiver, counted from 1.
    pub ord: Option<u32>,
    /// `echoed`: the acknowledgement.
    pub echoed: Option<Echoed>,
    /// `relay`: the id of the sender's relay.
    pub relay: Option<Str<'a>>,
    /// `turn`: how often the first rank was handed on to the next node.
    pub turn: u32,
    /// `flush`: milliseconds until the sender's next flush.
    pub flush_ms: Option<u32>,
    /// `stable`: the sender knows that all members hold its state.
    pub stable: bool,
    /// `sum`: the sender's digest in short form.
    pub sum: Option<Sum>,
    /// The first part of `agree`: the name of the sender's view.
    pub view: Option<u64>,
    /// The second part of `agree`.
    pub holders: Holders<'a>,
    /// What the sender has to refuse.
    pub refuses: Refuses,
}

/// The fields of a message after its lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// `full`: digest and entries are all that the sender has for the receiver.
    pub full: bool,
    /// `want`: what the message asks for.
    pub want: Wanted,
    /// `msg_id`: the number of the line among all that the sender has written.
    pub msg_id: Option<i64>,
}

const TYPE: &str = "\", \"body\": {\"type\": \"";
const TYPE_END: &str = "\"";
const VALUE: &str = ", \"value\": ";
const INC: &str = ", \"inc\": ";
const ORD: &str = ", \"ord\": ";
const ECHOED: &str = ", \"echoed\": [";
const RELAY: &str = ", \"relay\": \"";
const TURN: &str = ", \"turn\": ";
const FLUSH: &str = ", \"flush\": ";
const STABLE: &str = ", \"stable\": true";
const SUM: &str = ", \"sum\": \"";
const AGREE: &str = ", \"agree\": \"";
const ALL: &str = ":all";
const REFUSES: &str = ", \"refuses\": ";
const LIVES: &str = ", \"lives\": {";
const DIGEST: &str = ", \"digest\": {";
const OLD: &str = ", \"old\": {";
const DATA: &str = ", \"data\": [";
const FULL: &str = ", \"full\": true";
const WANT: &str = ", \"want\": ";
const MSG_ID: &str = ", \"msg_id\": ";
const END: &str = "}}\n";
/// The separator between two items.
const AND: &str = ", ";

impl Header<'_> {
    /// Writes the fields. The set of members is written only if it ends before byte `until` of the message. The set of
    /// all members is one word, for which there is always room.
    pub fn encode<W: Sink>(&self, out: &mut Out<'_, W>, until: usize) {
        out.str(INC);
        out.unsigned(self.session);
        self.control(out);
        if let Some(sum) = self.sum {
            out.str(SUM);
            out.hex(sum.vector);
            out.hex(sum.state);
            out.raw(b"\"");
        }
        if let Some(view) = self.view {
            out.str(AGREE);
            out.hex(view);
            match &self.holders {
                Holders::All => out.str(ALL),
                Holders::Listed(digits) if digits.count() < until.saturating_sub(out.written()) => {
                    out.raw(b":");
                    digits.iter().for_each(|digit| out.hex_digit(digit));
                }
                Holders::Listed(_) | Holders::Sender => {}
            }
            out.raw(b"\"");
        }
        let refuses = match self.refuses {
            Refuses::Nothing => return,
            Refuses::Something => 1,
            Refuses::Row => 2,
        };
        out.str(REFUSES);
        out.unsigned(refuses);
    }

    /// Writes the fields that are about messages and not about state.
    fn control<W: Sink>(&self, out: &mut Out<'_, W>) {
        if let Some(ord) = self.ord {
            out.str(ORD);
            out.unsigned(ord.into());
        }
        if let Some(echoed) = self.echoed {
            out.str(ECHOED);
            out.unsigned(echoed.ord.into());
            out.str(AND);
            out.unsigned(echoed.session);
            out.str(AND);
            out.unsigned(echoed.held_ms.into());
            out.raw(b"]");
        }
        if let Some(relay) = self.relay {
            out.str(RELAY);
            out.text(relay);
            out.raw(b"\"");
        }
        if self.turn > 0 {
            out.str(TURN);
            out.unsigned(self.turn.into());
        }
        if let Some(flush_ms) = self.flush_ms {
            out.str(FLUSH);
            out.unsigned(flush_ms.into());
        }
        if self.stable {
            out.str(STABLE);
        }
    }

    /// How many bytes [`Header::encode`] writes if there is room for all of it.
    #[must_use]
    pub fn len(&self) -> usize {
        length(|out| self.encode(out, usize::MAX))
    }

    /// Always false: `inc` is always there.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }
}

impl Closing {
    /// Writes the fields and the end of the line.
    pub fn encode<W: Sink>(&self, out: &mut Out<'_, W>) {
        if self.full {
            out.str(FULL);
        }
        let want = match self.want {
            Wanted::Nothing => 0,
            Wanted::Reply => 1,
            Wanted::Gap => 2,
        };
        if want > 0 {
            out.str(WANT);
            out.unsigned(want);
        }
        if let Some(msg_id) = self.msg_id {
            out.str(MSG_ID);
            out.int(msg_id);
        }
        out.str(END);
    }

    /// How many bytes [`Closing::encode`] writes.
    #[must_use]
    pub fn len(&self) -> usize {
        length(|out| self.encode(out))
    }

    /// Always false: the end of the line is always there.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }
}

impl<'a> Digits<'a> {
    /// The digits. A character that is no hexadecimal digit counts as 0.
    pub fn iter(&self) -> impl Iterator<Item = u8> + use<'a> {
        let (mut text, words, count) = match *self {
            Self::Text(text) => (text.chars(), &[][..], 0),
            Self::Bits { words, count } => ("".chars(), words, count),
        };
        let mut bits = (0..count).map(|at| words.get(at / 16).map_or(0, |word| (word >> (4 * (at % 16)) & 15) as u8));
        core::iter::from_fn(move || {
            text.next().map(|digit| digit.to_digit(16).unwrap_or(0) as u8).or_else(|| bits.next())
        })
    }

    /// How many digits there are.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Text(text) => text.chars().count(),
            Self::Bits { count, .. } => *count,
        }
    }
}

impl PartialEq for Digits<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}
