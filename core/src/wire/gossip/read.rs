//! A message between nodes as it was read. A field that is not of the form that `WIRE.md` gives counts as absent.

use super::super::chunks::{Chunks, SEQ_MAX};
use super::super::field::Scalar;
use super::super::iter::{Items, Pairs};
use super::super::json::{Str, Token};
use super::super::message::Message;
use super::super::names::{Key, Kind};
use super::{Closing, Digits, Echoed, Header, Holders, Refuses, Wanted};
use crate::causality::Sum;
use crate::storage::INCARNATION_MAX;

/// A message between nodes.
#[derive(Clone, Debug)]
pub enum Letter<'a> {
    /// A message of this implementation: it has a session.
    Ours(Received<'a>),
    /// A message of another implementation.
    Foreign(Foreign<'a>),
    /// Its `inc` is no session.
    Unreadable,
}

/// A message of this implementation.
#[derive(Clone, Debug)]
pub struct Received<'a> {
    /// The fields before the lists.
    pub header: Header<'a>,
    /// The fields after the lists.
    pub closing: Closing,
    /// Whether there is an `old`.
    pub has_old: bool,
    lives: &'a str,
    digest: &'a str,
    old: &'a str,
    /// The message, for its entries.
    message: &'a Message<'a>,
}

/// The contents of a message of another implementation of the same exercise.
#[derive(Clone, Debug)]
pub enum Foreign<'a> {
    /// A value of the set.
    Value(Scalar<'a>),
    /// The vectors of the counter: increments, then decrements.
    Vectors(Pairs<'a>, Pairs<'a>),
    /// No value.
    Nothing,
    /// A vector is missing, or one of its numbers is none.
    Unreadable,
}

impl<'a> Letter<'a> {
    /// Reads a message of type `kind`. O(length of the line) for one of another implementation, else O(fields).
    #[must_use]
    pub fn decode(kind: Kind, message: &'a Message<'a>) -> Self {
        match message.get(Key::Incarnation) {
            Some(Token::Int(session)) if (0..=INCARNATION_MAX.cast_signed()).contains(&session) => {
                Self::Ours(Received::decode(session.cast_unsigned(), message))
            }
            Some(_) => Self::Unreadable,
            None => Self::Foreign(Foreign::decode(kind, message)),
        }
    }
}

impl<'a> Received<'a> {
    fn decode(session: u64, message: &'a Message<'a>) -> Self {
        let (view, holders) = message.get(Key::Agree).map_or((None, Holders::Sender), agree);
        let flag = |key| message.get(key) == Some(Token::Bool(true));
        let old = message.get(Key::Old);
        Self {
            header: Header {
                session,
                ord: message.get(Key::Ordinal).and_then(small).filter(|ord| *ord > 0),
                echoed: message.get(Key::Echoed).and_then(echoed),
                relay: message.get(Key::Relay).and_then(text),
                turn: message.get(Key::Turn).and_then(small).unwrap_or(0),
                flush_ms: message.get(Key::Flush).and_then(small),
                stable: flag(Key::Stable),
                sum: message.get(Key::Sum).and_then(sum),
                view,
                holders,
                refuses: match message.get(Key::Refuses).and_then(small) {
                    None | Some(0) => Refuses::Nothing,
                    Some(2) => Refuses::Row,
                    Some(_) => Refuses::Something,
                },
            },
            closing: Closing {
                full: flag(Key::Full),
                want: match message.get(Key::Want) {
                    Some(Token::Int(1)) => Wanted::Reply,
                    Some(Token::Int(2)) => Wanted::Gap,
                    _ => Wanted::Nothing,
                },
                msg_id: message.msg_id,
            },
            has_old: old.is_some(),
            lives: object(message.get(Key::Lives)),
            digest: object(message.get(Key::Digest)),
            old: object(old),
            message,
        }
    }

    /// The sessions that the sender names.
    pub fn lives(&self) -> impl Iterator<Item = (Str<'a>, u64)> + Clone + use<'a> {
        Pairs::new(self.lives).filter_map(|(name, session)| Some((name, unsigned(session)?)))
    }

    /// The frontiers that the sender has applied. Those that are 0 or no integer are left out.
    pub fn digest(&self) -> impl Iterator<Item = (Str<'a>, u64)> + Clone + use<'a> {
        let frontiers = Pairs::new(self.digest).filter_map(|(name, frontier)| Some((name, unsigned(frontier)?)));
        frontiers.map(|(name, frontier)| (name, frontier.min(SEQ_MAX))).filter(|(_, frontier)| *frontier > 0)
    }

    /// The frontier that the digest shows for the row with exactly this name; 0 if it shows none. O(length of the
    /// digest).
    #[must_use]
    pub fn shown(&self, row: Str<'_>) -> u64 {
        let found = Pairs::new(self.digest).find(|(name, _)| name.raw() == row.raw());
        found.and_then(|(_, frontier)| unsigned(frontier)).unwrap_or(0)
    }

    /// The frontiers of some time ago, where they differ from the digest.
    pub fn old(&self) -> impl Iterator<Item = (Str<'a>, u64)> + Clone + use<'a> {
        Pairs::new(self.old).filter_map(|(name, frontier)| match frontier {
            Token::Int(frontier) => Some((name, u64::try_from(frontier).unwrap_or(0))),
            _ => None,
        })
    }

    /// The entries, if the message has the field.
    #[must_use]
    pub fn data(&self) -> Option<Chunks<'a>> {
        self.message.chunks()
    }
}

impl<'a> Foreign<'a> {
    fn decode(kind: Kind, message: &Message<'a>) -> Self {
        if kind == Kind::Gossip {
            return message.get(Key::Value).and_then(Scalar::of).map_or(Self::Nothing, Self::Value);
        }
        let vector = |key| match message.get(key) {
            Some(Token::Object(vector)) => {
                Some(Pairs::new(vector)).filter(|vector| vector.clone().all(|(_, number)| unsigned(number).is_some()))
            }
            _ => None,
        };
        match (vector(Key::PCounters), vector(Key::NCounters)) {
            (Some(p), Some(n)) => Self::Vectors(p, n),
            (None, _) | (_, None) => Self::Unreadable,
        }
    }

    /// The numbers of a vector.
    pub fn numbers(vector: Pairs<'a>) -> impl Iterator<Item = (Str<'a>, u64)> {
        vector.map(|(name, number)| (name, unsigned(number).unwrap_or(0)))
    }
}

fn object(token: Option<Token<'_>>) -> &str {
    if let Some(Token::Object(object)) = token { object } else { "{}" }
}

fn text(token: Token<'_>) -> Option<Str<'_>> {
    if let Token::Text(text) = token { Some(text) } else { None }
}

fn unsigned(token: Token<'_>) -> Option<u64> {
    match token {
        Token::Int(int) => u64::try_from(int).ok(),
        Token::Big(big) => Some(big),
        Token::Number(_) | Token::Text(_) | Token::Bool(_) | Token::Null | Token::Array(_) | Token::Object(_) => None,
    }
}

fn small(token: Token<'_>) -> Option<u32> {
    unsigned(token).and_then(|int| u32::try_from(int).ok())
}

fn echoed(token: Token<'_>) -> Option<Echoed> {
    let Token::Array(array) = token else {
        return None;
    };
    let mut items = Items::new(array);
    let ord = items.next().and_then(small)?;
    let session = items.next().and_then(unsigned)?;
    let held_ms = items.next().and_then(small)?;
    Some(Echoed { ord, session, held_ms })
}

/// Reads 32 hexadecimal digits: 16 of the vector, then 16 of the state.
fn sum(token: Token<'_>) -> Option<Sum> {
    let (vector, state) = text(token)?.raw().split_at_checked(16)?;
    let hex = |digits: &[u8]| {
        let digits = core::str::from_utf8(digits).ok().filter(|digits| digits.len() == 16)?;
        u64::from_str_radix(digits, 16).ok()
    };
    Some(Sum { vector: hex(vector)?, state: hex(state)? })
}

/// Reads 16 hexadecimal digits that name the view, and after a colon the members, if they are listed.
fn agree(token: Token<'_>) -> (Option<u64>, Holders<'_>) {
    let nothing = (None, Holders::Sender);
    let Some(text) = text(token).and_then(|text| core::str::from_utf8(text.raw()).ok()) else { return nothing };
    let Some((name, members)) = text.split_at_checked(16) else { return nothing };
    let holders = match members.strip_prefix(':') {
        Some("all") => Holders::All,
        Some(digits) => Holders::Listed(Digits::Text(digits)),
        None => Holders::Sender,
    };
    (u64::from_str_radix(name, 16).ok(), holders)
}
